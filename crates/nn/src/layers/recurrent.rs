//! Recurrent layers: a cell that is applied to each step of a sequence.

use autograd::{CellParams, Tape, Var};
use init::Initializer;
use rand::Rng;
use tensor::{Float, Shape, Tensor, ensure};

use super::in_f32;
use crate::{Error, Layer, Param, module};

/// Stamps a recurrent layer of so many gates.
macro_rules! recurrent {
    ($(#[$doc:meta])* $Layer:ident, $gates:literal) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $Layer<T: Float = f32> {
            /// The weight of the input, `[E, G H]`, for G gates; PyTorch's `weight_ih_l0`, transposed
            pub weight_ih: Param<T>,
            /// The weight of the state, `[H, G H]`; PyTorch's `weight_hh_l0`, transposed
            pub weight_hh: Param<T>,
            /// The bias of the input, `[G H]`; PyTorch's `bias_ih_l0`
            pub bias_ih: Param<T>,
            /// The bias of the state, `[G H]`; PyTorch's `bias_hh_l0`
            pub bias_hh: Param<T>,
        }

        module!(impl<T> $Layer<T> {
            weight_ih as "weight_ih_l0" [1, 0],
            weight_hh as "weight_hh_l0" [1, 0],
            bias_ih as "bias_ih_l0",
            bias_hh as "bias_hh_l0",
        });

        in_f32!(
            $Layer,
            /// A layer in f32 from `inputs` to `hidden` numbers, whose weights of the input are drawn by `weight_ih`
            /// and those of the state by `weight_hh`, each gate by itself; the biases are 0. For another float there is
            /// `try_new`.
            ///
            /// # Errors
            /// An initializer returns an error, or a weight is larger than memory can be.
            new => try_new(
                inputs: usize, hidden: usize, weight_ih: &dyn Initializer, weight_hh: &dyn Initializer, rng: &mut impl Rng
            )
        );

        in_f32!(
            $Layer,
            /// A layer in f32 with PyTorch's default: all weights and biases uniform within ±1 / √H.
            ///
            /// # Errors
            /// As `new`.
            new_torch => try_torch(inputs: usize, hidden: usize, rng: &mut impl Rng)
        );

        impl<T: Float> $Layer<T> {
            /// A layer for any float; see `new`.
            ///
            /// # Errors
            /// As `new`.
            pub fn try_new(
                inputs: usize,
                hidden: usize,
                weight_ih: &dyn Initializer<T>,
                weight_hh: &dyn Initializer<T>,
                rng: &mut impl Rng,
            ) -> Result<Self, Error> {
                let zeros = init::zeros();
                let [weight_ih, weight_hh, bias_ih, bias_hh] =
                    parameters(inputs, hidden, $gates, [weight_ih, weight_hh, &zeros, &zeros], rng)?;
                Ok($Layer { weight_ih, weight_hh, bias_ih, bias_hh })
            }

            /// A layer for any float; see `new_torch`.
            ///
            /// # Errors
            /// As `new`.
            pub fn try_torch(inputs: usize, hidden: usize, rng: &mut impl Rng) -> Result<Self, Error> {
                let within = init::torch_linear_bias(hidden);
                let [weight_ih, weight_hh, bias_ih, bias_hh] =
                    parameters(inputs, hidden, $gates, [&within, &within, &within, &within], rng)?;
                Ok($Layer { weight_ih, weight_hh, bias_ih, bias_hh })
            }

            /// The numbers of the state, H.
            pub fn hidden(&self) -> usize {
                self.weight_hh.value().size(0)
            }

            #[track_caller]
            fn cell<'t>(&self, tape: &'t Tape<T>) -> CellParams<'t, T> {
                const CALL: &str = concat!(stringify!($Layer), "::run");
                CellParams {
                    w_ih: self.weight_ih.used_by(CALL, "weight_ih", tape),
                    w_hh: self.weight_hh.used_by(CALL, "weight_hh", tape),
                    b_ih: Some(self.bias_ih.used_by(CALL, "bias_ih", tape)),
                    b_hh: Some(self.bias_hh.used_by(CALL, "bias_hh", tape)),
                }
            }
        }

        impl<T: Float> Layer<T> for $Layer<T> {
            /// The state after each step, from a state of 0: `[N, L, E]` gives `[N, L, H]`.
            ///
            /// # Panics
            /// The input has another rank or another number of features, or no step.
            #[track_caller]
            fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
                self.run(x, None).0
            }
        }
    };
}

/// Two weights and two biases, of gates that stand side by side.
fn parameters<T: Float>(
    inputs: usize,
    hidden: usize,
    gates: usize,
    drawn_by: [&dyn Initializer<T>; 4],
    rng: &mut impl Rng,
) -> Result<[Param<T>; 4], Error> {
    let mut all = Vec::new();
    let shapes = [Shape::try_new(&[inputs, hidden])?, Shape::try_new(&[hidden, hidden])?];
    let shapes = shapes.into_iter().chain([Shape::from([hidden]), Shape::from([hidden])]);
    for (shape, initializer) in shapes.zip(drawn_by) {
        let parts = (0..gates).map(|_| initializer.init(&shape, rng)).collect::<Result<Vec<Tensor<T>>, _>>()?;
        all.push(Param::new(Tensor::cat(&parts.iter().collect::<Vec<_>>(), -1)));
    }
    Ok(all.try_into().expect("there are four"))
}

recurrent!(
    /// A simple recurrent layer (Elman, 1990, *Finding Structure in Time*), `[N, L, E]` to `[N, L, H]`: hₜ = tanh(xₜ W
    /// + b + hₜ₋₁ U + c), one gate. PyTorch's `nn.RNN(batch_first=True)` of one layer.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use init::{Gain, orthogonal, xavier_uniform};
    /// use nn::RNN;
    /// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
    /// use tensor::Tensor;
    ///
    /// let mut rng = ChaCha8Rng::seed_from_u64(42);
    /// let rnn = RNN::new(10, 64, &xavier_uniform(Gain::Tanh), &orthogonal(Gain::Linear), &mut rng)?;
    /// let tape = Tape::new();
    /// let (outputs, state) = rnn.run(tape.constant(Tensor::zeros([32, 8, 10])), None);
    /// assert_eq!((outputs.shape().dims(), state.shape().dims()), (&[32, 8, 64][..], &[32, 64][..]));
    /// # Ok::<(), nn::Error>(())
    /// ```
    RNN, 1
);

recurrent!(
    /// A layer of gated recurrent units (Cho et al., 2014, *Learning Phrase Representations Using RNN
    /// Encoder–Decoder*), `[N, L, E]` to `[N, L, H]`, by [`Var::gru_cell`]; its gates are reset, update and new, in
    /// this order. PyTorch's `nn.GRU(batch_first=True)` of one layer.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use nn::GRU;
    /// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
    /// use tensor::Tensor;
    ///
    /// let gru = GRU::new_torch(10, 64, &mut ChaCha8Rng::seed_from_u64(42))?;
    /// let tape = Tape::new();
    /// let (_, state) = gru.run(tape.constant(Tensor::zeros([32, 8, 10])), None);
    /// let (outputs, _) = gru.run(tape.constant(Tensor::zeros([32, 1, 10])), state); // goes on
    /// assert_eq!(outputs.shape().dims(), [32, 1, 64]);
    /// # Ok::<(), nn::Error>(())
    /// ```
    GRU, 3
);

recurrent!(
    /// A layer with long short-term memory (Hochreiter and Schmidhuber, 1997; with the forget gate of Gers et al.,
    /// 2000), `[N, L, E]` to `[N, L, H]`, by [`Var::lstm_cell`]; its gates are input, forget, cell and output, in this
    /// order. PyTorch's `nn.LSTM(batch_first=True)` of one layer.
    ///
    /// With biases of 0, half of the memory is forgotten at each step; a forget gate that begins with a bias of 1 or
    /// more keeps it (Jozefowicz et al., 2015).
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use nn::LSTM;
    /// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
    /// use tensor::Tensor;
    ///
    /// let lstm = LSTM::new_torch(10, 64, &mut ChaCha8Rng::seed_from_u64(42))?;
    /// let tape = Tape::new();
    /// let (outputs, state) = lstm.run(tape.constant(Tensor::zeros([32, 8, 10])), None);
    /// assert_eq!((outputs.shape().dims(), state.memory.shape().dims()), (&[32, 8, 64][..], &[32, 64][..]));
    /// # Ok::<(), nn::Error>(())
    /// ```
    LSTM, 4
);

/// The state of an [`LSTM`].
#[derive(Clone, Copy)]
pub struct LstmState<'t, T: Float = f32> {
    /// h, `[N, H]`: what it gives
    pub hidden: Var<'t, T>,
    /// c, `[N, H]`: what it keeps
    pub memory: Var<'t, T>,
}

/// Applies `step` to each step of a sequence, with the state that the one before has given, and stacks what is to be
/// seen of the states.
#[track_caller]
fn unrolled<'t, T: Float, S>(
    layer: &str,
    [inputs, hidden]: [usize; 2],
    x: Var<'t, T>,
    given: &[Option<(&str, Var<'t, T>)>],
    mut state: S,
    step: impl Fn(Var<'t, T>, S) -> (Var<'t, T>, S),
) -> (Var<'t, T>, S) {
    let shape = x.shape();
    let &[examples, len, features] = shape.dims() else {
        panic!("{layer}::run: needs an input [N, L, {inputs}], got {shape}")
    };
    ensure!(features == inputs, "{layer}::run: needs an input [N, L, {inputs}], got {shape}");
    ensure!(len > 0, "{layer}::run: the input {shape} has no step");
    for (name, given) in given.iter().flatten() {
        let got = given.shape();
        ensure!(
            got.dims() == [examples, hidden],
            "{layer}::run: an input {shape} needs a {name} of [{examples}, {hidden}], got {got}"
        );
    }
    let mut outputs = Vec::with_capacity(len);
    for t in 0..len {
        let (output, next) = step(x.select(1, t), state);
        outputs.push(output);
        state = next;
    }
    (Var::stack(&outputs, 1), state)
}

/// A state of 0 for the examples of `x`.
fn at_rest<'t, T: Float>(x: Var<'t, T>, hidden: usize) -> Var<'t, T> {
    x.tape().constant(Tensor::zeros([x.shape().dims().first().copied().unwrap_or(0), hidden]))
}

/// Stamps the way through a sequence of a layer whose state is what it gives.
macro_rules! with_one_state {
    ($($Layer:ident by $cell:ident;)*) => {
        $(impl<T: Float> $Layer<T> {
            /// The state after each step and after the last, from `state` or from 0: `[N, L, E]` and `[N, H]` give `[N,
            /// L, H]` and `[N, H]`.
            ///
            /// # Panics
            /// The input has another rank or another number of features, or no step; or the state is of another batch.
            #[track_caller]
            pub fn run<'t>(&self, x: Var<'t, T>, state: impl Into<Option<Var<'t, T>>>) -> (Var<'t, T>, Var<'t, T>) {
                let (cell, given) = (self.cell(x.tape()), state.into());
                let sizes = [self.weight_ih.value().size(0), self.hidden()];
                let start = given.unwrap_or_else(|| at_rest(x, self.hidden()));
                let checked = [given.map(|state| ("state", state))];
                unrolled(stringify!($Layer), sizes, x, &checked, start, |x, h| {
                    let h = x.$cell(h, cell);
                    (h, h)
                })
            }
        })*
    };
}

with_one_state! {
    RNN by rnn_cell;
    GRU by gru_cell;
}

impl<T: Float> LSTM<T> {
    /// What it gives after each step, and its state after the last, from `state` or from 0: `[N, L, E]` gives `[N, L,
    /// H]`.
    ///
    /// # Panics
    /// The input has another rank or another number of features, or no step; or the state is of another batch.
    #[track_caller]
    pub fn run<'t>(&self, x: Var<'t, T>, state: impl Into<Option<LstmState<'t, T>>>) -> (Var<'t, T>, LstmState<'t, T>) {
        let (cell, given, sizes) = (self.cell(x.tape()), state.into(), [self.weight_ih.value().size(0), self.hidden()]);
        let checked = given
            .map_or([None, None], |LstmState { hidden, memory }| [Some(("state", hidden)), Some(("memory", memory))]);
        let rest = || at_rest(x, self.hidden());
        let start = given.unwrap_or_else(|| LstmState { hidden: rest(), memory: rest() });
        unrolled("LSTM", sizes, x, &checked, start, |x, LstmState { hidden, memory }| {
            let (hidden, memory) = x.lstm_cell((hidden, memory), cell);
            (hidden, LstmState { hidden, memory })
        })
    }
}
