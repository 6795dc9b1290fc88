//! Recurrent layers: cells that are applied to each step of a sequence, in layers and in one direction or both.

use autograd::{CellParams, Steps, Var};
use init::Initializer;
use rand::Rng;
use tensor::{Cell, Float, Shape, Tensor, ensure};

use super::in_f32;
use crate::model::InTorch;
use crate::{Error, Layer, Module, Param, ParamPath};

/// What a recurrent layer is built of: how many numbers its state has, how many layers there are, and whether each goes both ways. A number
/// is one layer of that state, in one direction.
///
/// # Example
/// ```
/// use nn::{GRU, Recurrent};
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
///
/// let mut rng = ChaCha8Rng::seed_from_u64(42);
/// let gru = GRU::new_torch(10, Recurrent::new(64).layers(2).bidirectional().dropout(0.1), &mut rng)?;
/// assert_eq!(gru.cells.len(), 4);
/// # Ok::<(), nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Recurrent {
    hidden: usize,
    layers: usize,
    directions: usize,
    dropout: f64,
}

impl Recurrent {
    /// One layer in one direction, whose state has so many numbers.
    pub const fn new(hidden: usize) -> Self {
        Recurrent { hidden, layers: 1, directions: 1, dropout: 0.0 }
    }

    /// So many layers, of which each reads what the one before gives. PyTorch's `num_layers`.
    #[doc(alias = "num_layers")]
    #[must_use]
    pub const fn layers(self, layers: usize) -> Self {
        Recurrent { layers, ..self }
    }

    /// Each layer goes from the first step to the last, and by other weights from the last to the first (Schuster and Paliwal, 1997,
    /// *Bidirectional Recurrent Neural Networks*); what both give stands side by side.
    #[must_use]
    pub const fn bidirectional(self) -> Self {
        Recurrent { directions: 2, ..self }
    }

    /// What one layer gives to the next is dropped with probability `p`, in training.
    #[must_use]
    pub const fn dropout(self, p: f64) -> Self {
        Recurrent { dropout: p, ..self }
    }

    fn check(&self) -> Result<(), Error> {
        if self.layers == 0 {
            return Err(Error::Range { what: "the number of recurrent layers", value: 0.0, rule: "at least 1" });
        }
        if !(0.0..=1.0).contains(&self.dropout) {
            return Err(Error::Range { what: "the probability of dropout", value: self.dropout, rule: "in 0..=1" });
        }
        Ok(())
    }

    /// The numbers that the cells of a layer read.
    fn read_by(&self, layer: usize, inputs: usize) -> usize {
        if layer == 0 { inputs } else { self.directions * self.hidden }
    }

    /// What is set of it, in words.
    fn told(&self) -> String {
        let mut told = Vec::new();
        if self.layers > 1 {
            told.push(format!("{} layers", self.layers));
        }
        if self.directions > 1 {
            told.push("bidirectional".to_owned());
        }
        if self.dropout > 0.0 {
            told.push(format!("dropout {}", self.dropout));
        }
        if told.is_empty() { String::new() } else { format!("[{}]", told.join(", ")) }
    }
}

impl From<usize> for Recurrent {
    fn from(hidden: usize) -> Self {
        Recurrent::new(hidden)
    }
}

/// The weights of one layer of G gates in one direction, with E inputs and a state of H numbers.
///
/// In a model's paths, those of the first layer are `weight_ih` and so on; of others, as in PyTorch, `weight_ih_l1`; and of the direction
/// from the last step to the first, `weight_ih_reverse` and `weight_ih_l1_reverse`.
#[derive(Clone)]
pub struct RecurrentCell<T: Float = f32> {
    /// The weight of the input, `[E, G H]`; PyTorch's `weight_ih_l0`, transposed
    pub weight_ih: Param<T>,
    /// The weight of the state, `[H, G H]`; PyTorch's `weight_hh_l0`, transposed
    pub weight_hh: Param<T>,
    /// The bias of the input, `[G H]`; PyTorch's `bias_ih_l0`
    pub bias_ih: Param<T>,
    /// The bias of the state, `[G H]`; PyTorch's `bias_hh_l0`
    pub bias_hh: Param<T>,
}

/// The names of a cell's parts, and how PyTorch orders their axes.
const PARTS: [(&str, &[usize]); 4] =
    [("weight_ih", &[1, 0]), ("weight_hh", &[1, 0]), ("bias_ih", &[]), ("bias_hh", &[])];

impl<T: Float> RecurrentCell<T> {
    /// Each gate is drawn by itself.
    fn new(
        [inputs, hidden, gates]: [usize; 3],
        drawn_by: [&dyn Initializer<T>; 4],
        rng: &mut impl Rng,
    ) -> Result<Self, Error> {
        let mut draw = |shape: Shape, initializer: &dyn Initializer<T>| {
            let parts = (0..gates).map(|_| initializer.init(&shape, rng)).collect::<Result<Vec<Tensor<T>>, _>>()?;
            Ok::<_, Error>(Param::new(Tensor::cat(&parts.iter().collect::<Vec<_>>(), -1)))
        };
        Ok(RecurrentCell {
            weight_ih: draw(Shape::try_new(&[inputs, hidden])?, drawn_by[0])?,
            weight_hh: draw(Shape::try_new(&[hidden, hidden])?, drawn_by[1])?,
            bias_ih: draw(Shape::from([hidden]), drawn_by[2])?,
            bias_hh: draw(Shape::from([hidden]), drawn_by[3])?,
        })
    }

    fn parts(&self) -> [&Param<T>; 4] {
        [&self.weight_ih, &self.weight_hh, &self.bias_ih, &self.bias_hh]
    }

    fn parts_mut(&mut self) -> [&mut Param<T>; 4] {
        [&mut self.weight_ih, &mut self.weight_hh, &mut self.bias_ih, &mut self.bias_hh]
    }

    #[track_caller]
    fn used_by<'t>(&self, call: &str, x: Var<'t, T>) -> CellParams<'t, T> {
        let used = |param: &Param<T>, name| param.used_by(call, name, x.tape());
        CellParams {
            w_ih: used(&self.weight_ih, "weight_ih"),
            w_hh: used(&self.weight_hh, "weight_hh"),
            b_ih: Some(used(&self.bias_ih, "bias_ih")),
            b_hh: Some(used(&self.bias_hh, "bias_hh")),
        }
    }
}

/// All cells, layer by layer.
fn cells<T: Float>(
    inputs: usize,
    how: Recurrent,
    gates: usize,
    drawn_by: [&dyn Initializer<T>; 4],
    rng: &mut impl Rng,
) -> Result<Vec<RecurrentCell<T>>, Error> {
    how.check()?;
    let of = |index: usize| [how.read_by(index / how.directions, inputs), how.hidden, gates];
    (0..how.layers * how.directions).map(|index| RecurrentCell::new(of(index), drawn_by, rng)).collect()
}

/// Calls `visit` with the path of a part of the cell of this number.
fn at(path: ParamPath<'_>, index: usize, how: &Recurrent, part: usize, visit: impl FnOnce(ParamPath<'_>)) {
    let (name, axes) = PARTS[part];
    let (layer, way) = (index / how.directions, if index % how.directions == 1 { "_reverse" } else { "" });
    let in_torch = format!("{name}_l{layer}{way}");
    let own = if layer == 0 { format!("{name}{way}") } else { in_torch.clone() };
    visit(path.field(&own).in_torch(&InTorch { name: Some(&in_torch), axes }));
}

/// The way through all layers: what the last one gives, and all last states and memories.
#[track_caller]
fn through<'t, T: Float>(
    layer: &str,
    kind: Cell,
    (cells, how): (&[RecurrentCell<T>], &Recurrent),
    x: Var<'t, T>,
    given: [Option<Var<'t, T>>; 2],
    lengths: Option<&[usize]>,
) -> (Var<'t, T>, Var<'t, T>, Option<Var<'t, T>>) {
    let call = format!("{layer}::run");
    let (shape, inputs) = (x.shape(), cells[0].weight_ih.value().size(0));
    let &[examples, steps, features] = shape.dims() else {
        panic!("{call}: needs an input [N, L, {inputs}], got {shape}{}", tensor::Whereabouts)
    };
    ensure!(features == inputs, "{call}: needs an input [N, L, {inputs}], got {shape}");
    ensure!(steps > 0, "{call}: the input {shape} has no step");
    let is_one = cells.len() == 1;
    let want = [cells.len(), examples, how.hidden];
    let want = if is_one { &want[1..] } else { &want[..] };
    for (name, given) in ["state", "memory"].into_iter().zip(given) {
        if let Some(got) = given.map(Var::shape) {
            ensure!(got.dims() == want, "{call}: an input {shape} needs a {name} of {want:?}, got {got}");
        }
    }
    let mut x = x;
    let (mut states, mut memories) = (Vec::with_capacity(cells.len()), Vec::new());
    for (index, cells_of_layer) in cells.chunks(how.directions).enumerate() {
        if index > 0 && how.dropout > 0.0 {
            x = x.dropout(how.dropout);
        }
        let mut sides = Vec::with_capacity(how.directions);
        for (direction, cell) in cells_of_layer.iter().enumerate() {
            let number = index * how.directions + direction;
            let [state, memory] = given.map(|given| Some(if is_one { given? } else { given?.select(0, number) }));
            let (cell, steps) = (cell.used_by(&call, x), Steps { reversed: direction == 1, lengths });
            let (outputs, last) = match kind {
                Cell::Tanh => x.rnn_tanh(state, cell, steps),
                Cell::Relu => x.rnn_relu(state, cell, steps),
                Cell::Gru => x.gru(state, cell, steps),
                Cell::Lstm => {
                    let (outputs, (last, memory)) = x.lstm(state.zip(memory), cell, steps);
                    memories.push(memory);
                    (outputs, last)
                }
            };
            sides.push(outputs);
            states.push(last);
        }
        x = if let [only] = sides[..] { only } else { Var::cat(&sides, -1) };
    }
    let all = |of: &[Var<'t, T>]| if is_one { of[0] } else { Var::stack(of, 0) };
    (x, all(&states), (!memories.is_empty()).then(|| all(&memories)))
}

/// Stamps a recurrent layer.
macro_rules! recurrent {
    ($(#[$doc:meta])* pub struct $Layer:ident, $kind:expr) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $Layer<T: Float = f32> {
            /// The weights: layer by layer, and of two directions the one from the last step to the first behind the other
            pub cells: Vec<RecurrentCell<T>>,
            how: Recurrent,
            kind: Cell,
        }

        // By hand, for PyTorch's names, which say the layer and the direction.
        impl<T: Float> Module<T> for $Layer<T> {
            fn visit<'a>(&'a self, path: ParamPath<'_>, visit: &mut dyn FnMut(ParamPath<'_>, &'a Param<T>)) {
                for (index, cell) in self.cells.iter().enumerate() {
                    for (part, param) in cell.parts().into_iter().enumerate() {
                        at(path, index, &self.how, part, |path| param.visit(path, visit));
                    }
                }
            }

            fn visit_mut<'a>(&'a mut self, path: ParamPath<'_>, visit: &mut dyn FnMut(ParamPath<'_>, &'a mut Param<T>)) {
                for (index, cell) in self.cells.iter_mut().enumerate() {
                    for (part, param) in cell.parts_mut().into_iter().enumerate() {
                        at(path, index, &self.how, part, |path| param.visit_mut(path, visit));
                    }
                }
            }

            fn describe(&self) -> String {
                format!("{}{}", stringify!($Layer), self.how.told())
            }
        }

        impl<T: Float> std::fmt::Debug for $Layer<T> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                crate::private::picture::<T>(self, f)
            }
        }

        in_f32!(
            $Layer,
            /// A layer in f32 of `inputs` numbers, such as `64`, a state of 64 numbers, or as [`Recurrent`] says, whose weights of the input are
            /// drawn by `weight_ih` and those of the state by `weight_hh`, each gate by itself; the biases are 0. For another float there
            /// is `try_new`.
            ///
            /// # Errors
            /// There is no layer, the probability of dropout is not in 0..=1, an initializer returns an error, or a weight is larger than
            /// memory can be.
            new => try_new(
                inputs: usize, how: impl Into<Recurrent>, weight_ih: &dyn Initializer, weight_hh: &dyn Initializer, rng: &mut impl Rng
            )
        );

        in_f32!(
            $Layer,
            /// A layer in f32 with PyTorch's default: all weights and biases uniform within ±1 / √H.
            ///
            /// # Errors
            /// As `new`.
            new_torch => try_torch(inputs: usize, how: impl Into<Recurrent>, rng: &mut impl Rng)
        );

        impl<T: Float> $Layer<T> {
            /// A layer for any float; see `new`.
            ///
            /// # Errors
            /// As `new`.
            pub fn try_new(
                inputs: usize,
                how: impl Into<Recurrent>,
                weight_ih: &dyn Initializer<T>,
                weight_hh: &dyn Initializer<T>,
                rng: &mut impl Rng,
            ) -> Result<Self, Error> {
                let (how, zeros) = (how.into(), init::zeros());
                let cells = cells(inputs, how, $kind.gates(), [weight_ih, weight_hh, &zeros, &zeros], rng)?;
                Ok($Layer { cells, how, kind: $kind })
            }

            /// A layer for any float; see `new_torch`.
            ///
            /// # Errors
            /// As `new`.
            pub fn try_torch(inputs: usize, how: impl Into<Recurrent>, rng: &mut impl Rng) -> Result<Self, Error> {
                let how = how.into();
                let within = init::torch_linear_bias(how.hidden);
                let cells = cells(inputs, how, $kind.gates(), [&within, &within, &within, &within], rng)?;
                Ok($Layer { cells, how, kind: $kind })
            }

            /// The numbers of the state of a layer, H.
            pub fn hidden(&self) -> usize {
                self.how.hidden
            }

            /// The shape of the state of `examples` sequences: `[N, H]`, or `[layers × directions, N, H]` where these are more than one.
            pub fn state_shape(&self, examples: usize) -> Shape {
                match self.cells.len() {
                    1 => Shape::from([examples, self.how.hidden]),
                    count => Shape::from([count, examples, self.how.hidden]),
                }
            }
        }

        impl<T: Float> Layer<T> for $Layer<T> {
            /// What it gives after each step, from a state of 0: `[N, L, E]` gives `[N, L, H]`, or `[N, L, 2 H]` of both directions.
            ///
            /// # Panics
            /// The input has another rank or another number of features, or no step; or the tape is for training and has nothing to draw a
            /// dropout by.
            #[track_caller]
            fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
                self.run(x, None).0
            }
        }
    };
}

recurrent!(
    /// Simple recurrent layers (Elman, 1990, *Finding Structure in Time*), `[N, L, E]` to `[N, L, H]`: hₜ = tanh(xₜ W + b + hₜ₋₁ U + c), one
    /// gate, by [`Var::rnn_tanh`]. PyTorch's `nn.RNN(batch_first=True)`.
    ///
    /// How to carry a state from batch to batch is said at [`LSTM`].
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
    pub struct RNN, Cell::Tanh
);

recurrent!(
    /// Layers of gated recurrent units (Cho et al., 2014, *Learning Phrase Representations Using RNN Encoder–Decoder*), `[N, L, E]` to `[N, L,
    /// H]`, by [`Var::gru`]: hₜ = (1 − z) n + z hₜ₋₁, with its gates r, z and n in this order in the weights, as
    /// [`Var::gru_cell`] has them. PyTorch's `nn.GRU(batch_first=True)`.
    ///
    /// How to carry a state from batch to batch is said at [`LSTM`].
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
    pub struct GRU, Cell::Gru
);

recurrent!(
    /// Layers with long short-term memory (Hochreiter and Schmidhuber, 1997; with the forget gate of Gers et al., 2000), `[N, L, E]` to `[N, L,
    /// H]`, by [`Var::lstm`]: cₜ = f cₜ₋₁ + i g and hₜ = o tanh cₜ, with its gates i, f, g and o in this order in the weights, as
    /// [`Var::lstm_cell`] has them. PyTorch's `nn.LSTM(batch_first=True)`.
    ///
    /// With biases of 0, half of the memory is forgotten at each step; a forget gate that begins with a bias of 1 or more keeps it
    /// (Jozefowicz et al., 2015): [`with_forget_bias`](Self::with_forget_bias).
    ///
    /// **A state that is carried** from one batch to the next is a constant of the next tape, so that no gradient goes back beyond
    /// (truncated backpropagation through time): [`Carried`](crate::Carried) does that, in [`Fit`](crate::Fit) too, which keeps it in
    /// checkpoints. Within a tape, [`LstmState::detach`] cuts the gradient.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use nn::LSTM;
    /// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
    /// use tensor::Tensor;
    ///
    /// let lstm = LSTM::new_torch(10, 64, &mut ChaCha8Rng::seed_from_u64(42))?.with_forget_bias(1.0);
    /// let tape = Tape::new();
    /// let (outputs, state) = lstm.run(tape.constant(Tensor::zeros([32, 8, 10])), None);
    /// assert_eq!((outputs.shape().dims(), state.memory.shape().dims()), (&[32, 8, 64][..], &[32, 64][..]));
    /// # Ok::<(), nn::Error>(())
    /// ```
    pub struct LSTM, Cell::Lstm
);

/// The state of an [`LSTM`].
#[derive(Clone, Copy)]
pub struct LstmState<'t, T: Float = f32> {
    /// h, `[N, H]`: what it gives; `[layers × directions, N, H]` where these are more than one
    pub hidden: Var<'t, T>,
    /// c, of the same shape: what it keeps
    pub memory: Var<'t, T>,
}

impl<'t, T: Float> LstmState<'t, T> {
    /// What is given of a state and of its memory.
    fn parts(state: Option<Self>) -> [Option<Var<'t, T>>; 2] {
        [state.map(|state| state.hidden), state.map(|state| state.memory)]
    }

    /// The same state, from which no gradient goes back.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use nn::LstmState;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let zeros = tape.leaf(Tensor::zeros([1, 2]));
    /// assert!(!LstmState { hidden: zeros, memory: zeros }.detach().memory.needs_gradient());
    /// ```
    #[must_use]
    pub fn detach(self) -> Self {
        LstmState { hidden: self.hidden.detach(), memory: self.memory.detach() }
    }
}

/// Stamps the ways through a sequence, by the states between a layer and its user.
macro_rules! runs {
    ($($Layer:ident with $State:ty, $given:expr, $left:expr;)*) => {
        $(impl<T: Float> $Layer<T> {
            /// What it gives after each step, and its state after the last, from `state` or from 0: `[N, L, E]` gives `[N, L, H]`, and a state
            /// is `[N, H]`. Both directions give `[N, L, 2 H]`; the state of several is `[layers × directions, N, H]`.
            ///
            /// # Panics
            /// The input has another rank or another number of features, or no step; or the state is of another batch or another number of
            /// layers; or the tape is for training and has nothing to draw a dropout by.
            #[track_caller]
            pub fn run<'t>(&self, x: Var<'t, T>, state: impl Into<Option<$State>>) -> (Var<'t, T>, $State) {
                self.all(x, state.into(), None)
            }

            /// As `run`, of sequences with so many steps each, which end in padding: it changes nothing, outputs there are 0, and the
            /// last state is that of each one's own last step. PyTorch's packed sequences.
            ///
            /// # Panics
            /// As `run`; or the lengths are not as many as the sequences, or one is 0 or beyond the input.
            #[track_caller]
            #[doc(alias = "pack_padded_sequence")]
            pub fn run_padded<'t>(
                &self,
                x: Var<'t, T>,
                state: impl Into<Option<$State>>,
                lengths: &[usize],
            ) -> (Var<'t, T>, $State) {
                self.all(x, state.into(), Some(lengths))
            }

            #[track_caller]
            fn all<'t>(&self, x: Var<'t, T>, state: Option<$State>, lengths: Option<&[usize]>) -> (Var<'t, T>, $State) {
                let net = (&self.cells[..], &self.how);
                let (outputs, last, memory) = through(stringify!($Layer), self.kind, net, x, $given(state), lengths);
                (outputs, $left(last, memory))
            }
        })*
    };
}

/// The state of a layer that is what it gives.
fn alone<T: Float>(state: Option<Var<'_, T>>) -> [Option<Var<'_, T>>; 2] {
    [state, None]
}

runs! {
    RNN with Var<'t, T>, alone, |last, _| last;
    GRU with Var<'t, T>, alone, |last, _| last;
    LSTM with LstmState<'t, T>, LstmState::parts, |hidden, memory: Option<_>| {
        LstmState { hidden, memory: memory.expect("an LSTM has a memory") }
    };
}

impl<T: Float> RNN<T> {
    /// Takes max(0, x) in place of tanh, by [`Var::rnn_relu`] (Le, Jaitly and Hinton, 2015, *A Simple Way to Initialize Recurrent Networks of
    /// Rectified Linear Units*: with the identity as the weight of the state). PyTorch's `nonlinearity="relu"`.
    #[must_use]
    pub fn with_relu(self) -> Self {
        RNN { kind: Cell::Relu, ..self }
    }
}

impl<T: Float> LSTM<T> {
    /// Begins with a bias of the forget gates of this number, such as 1: so that a memory stays, and gradients come back through many
    /// steps. It is in `bias_ih`; in `bias_hh`, that of the gate becomes 0 (Gers, Schmidhuber and Cummins, 2000, *Learning to Forget*;
    /// Jozefowicz, Zaremba and Sutskever, 2015, *An Empirical Exploration of Recurrent Network Architectures*).
    #[must_use]
    pub fn with_forget_bias(mut self, bias: f64) -> Self {
        let forget = self.how.hidden..2 * self.how.hidden;
        for cell in &mut self.cells {
            for (param, value) in [(&mut cell.bias_ih, bias), (&mut cell.bias_hh, 0.0)] {
                param.value_mut().as_mut_slice()[forget.clone()].fill(T::from_f64(value));
            }
        }
        self
    }
}
