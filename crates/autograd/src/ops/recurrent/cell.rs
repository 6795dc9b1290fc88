//! One step of a recurrent network.

use tensor::{Float, ensure};

use crate::Var;

/// The parameters of a recurrent cell of `G` gates with inputs `[N, E]` and a state `[N, H]`: 1 by [`Var::rnn_cell`], 3 by
/// [`Var::gru_cell`], 4 by [`Var::lstm_cell`]. They are PyTorch's, but for the weights, which are transposed here.
#[derive(Clone, Copy)]
pub struct CellParams<'t, T: Float = f32> {
    /// The weight of the input, `[E, G H]`.
    pub w_ih: Var<'t, T>,
    /// The weight of the state, `[H, G H]`.
    pub w_hh: Var<'t, T>,
    /// The bias of the input, `[G H]`.
    pub b_ih: Option<Var<'t, T>>,
    /// The bias of the state, `[G H]`.
    pub b_hh: Option<Var<'t, T>>,
}

impl<'t, T: Float> CellParams<'t, T> {
    /// What input and state give to the gates, each for itself.
    #[track_caller]
    fn gates(&self, op: &str, count: usize, x: Var<'t, T>, h: Var<'t, T>) -> [Var<'t, T>; 2] {
        let width = h.shape().dims().last().copied().unwrap_or(0);
        for (name, weight, rows) in [("w_ih", self.w_ih, x), ("w_hh", self.w_hh, h)] {
            let (have, rows) = (weight.shape(), rows.shape());
            let want = [rows.dims().last().copied().unwrap_or(0), count * width];
            ensure!(
                have.dims() == want,
                "{op}: an input {} and a state {} need {name} of {want:?}, got {have}",
                x.shape(),
                h.shape()
            );
        }
        [x.linear(self.w_ih, self.b_ih), h.linear(self.w_hh, self.b_hh)]
    }
}

impl<'t, T: Float> Var<'t, T> {
    /// One step of a simple recurrent network (Elman, 1990, *Finding Structure in Time*): the next state h′ = tanh(x W + b + h U + c) of
    /// an input `[N, E]` and a state h `[N, H]`.
    ///
    /// # Panics
    /// The shapes do not fit, or the values are on different tapes.
    ///
    /// # Example
    /// ```
    /// use autograd::{CellParams, Tape};
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let leaf = |dims: [usize; 2]| tape.leaf(Tensor::zeros(dims));
    /// let cell = CellParams { w_ih: leaf([3, 2]), w_hh: leaf([2, 2]), b_ih: None, b_hh: None };
    /// let h = leaf([5, 3]).rnn_cell(leaf([5, 2]), cell);
    /// assert_eq!(h.shape().dims(), [5, 2]);
    /// ```
    #[track_caller]
    pub fn rnn_cell(self, state: Self, cell: CellParams<'t, T>) -> Self {
        let [of_input, of_state] = cell.gates("rnn_cell", 1, self, state);
        (of_input + of_state).tanh()
    }

    /// As [`rnn_cell`](Self::rnn_cell), with max(0, x) in place of tanh (Le, Jaitly and Hinton, 2015, *A Simple Way to Initialize Recurrent
    /// Networks of Rectified Linear Units*).
    ///
    /// # Panics
    /// As there.
    ///
    /// # Example
    /// ```
    /// use autograd::{CellParams, Tape};
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let leaf = |dims: [usize; 2]| tape.leaf(Tensor::ones(dims));
    /// let cell = CellParams { w_ih: leaf([3, 2]), w_hh: leaf([2, 2]), b_ih: None, b_hh: None };
    /// let h = leaf([1, 3]).rnn_relu_cell(leaf([1, 2]), cell);
    /// assert_eq!(h.value(), Tensor::from([[5.0, 5.0]]));
    /// ```
    #[track_caller]
    pub fn rnn_relu_cell(self, state: Self, cell: CellParams<'t, T>) -> Self {
        let [of_input, of_state] = cell.gates("rnn_relu_cell", 1, self, state);
        (of_input + of_state).relu()
    }

    /// One step of a network of gated recurrent units (Cho et al., 2014, *Learning Phrase Representations Using RNN Encoder–Decoder*):
    /// the next state h′ = (1 − z) n + z h of an input `[N, E]` and a state h `[N, H]`, where the gates are, in this order in the
    /// weights, r = σ(x Wᵣ + bᵣ + h Uᵣ + cᵣ), z the same with its own, and n = tanh(x Wₙ + bₙ + r (h Uₙ + cₙ)).
    ///
    /// # Panics
    /// The shapes do not fit, or the values are on different tapes.
    ///
    /// # Example
    /// ```
    /// use autograd::{CellParams, Tape};
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let leaf = |dims: [usize; 2]| tape.leaf(Tensor::zeros(dims));
    /// let cell = CellParams { w_ih: leaf([3, 6]), w_hh: leaf([2, 6]), b_ih: None, b_hh: None };
    /// let state = tape.leaf(Tensor::ones([1, 2]));
    /// assert_eq!(leaf([1, 3]).gru_cell(state, cell).value(), Tensor::from([[0.5, 0.5]])); // z is one half
    /// ```
    #[track_caller]
    pub fn gru_cell(self, state: Self, cell: CellParams<'t, T>) -> Self {
        let [of_input, of_state] = cell.gates("gru_cell", 3, self, state);
        gru_gates(of_input, of_state, state)
    }

    /// One step of a network with long short-term memory (Hochreiter and Schmidhuber, 1997; with the forget gate of Gers et al., 2000,
    /// *Learning to Forget*): of an input `[N, E]` and a state (h, c), each `[N, H]`, the next one: c′ = f c + i g and h′ = o tanh c′,
    /// where the gates are, in this order in the weights, i = σ(x Wᵢ + bᵢ + h Uᵢ + cᵢ), f likewise, g with tanh in place of σ, and o.
    ///
    /// # Panics
    /// The shapes do not fit, or the values are on different tapes.
    ///
    /// # Example
    /// ```
    /// use autograd::{CellParams, Tape};
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let leaf = |dims: [usize; 2]| tape.leaf(Tensor::zeros(dims));
    /// let cell = CellParams { w_ih: leaf([3, 8]), w_hh: leaf([2, 8]), b_ih: None, b_hh: None };
    /// let memory = tape.leaf(Tensor::ones([1, 2]));
    /// let (_, memory) = leaf([1, 3]).lstm_cell((leaf([1, 2]), memory), cell);
    /// assert_eq!(memory.value(), Tensor::from([[0.5, 0.5]])); // half is forgotten
    /// ```
    #[track_caller]
    pub fn lstm_cell(self, (h, c): (Self, Self), cell: CellParams<'t, T>) -> (Self, Self) {
        ensure!(h.shape() == c.shape(), "lstm_cell: the state is {}, its memory {}", h.shape(), c.shape());
        let [of_input, of_state] = cell.gates("lstm_cell", 4, self, h);
        lstm_gates(of_input, of_state, c)
    }
}

/// The next state of a GRU.
#[track_caller]
pub(super) fn gru_gates<'t, T: Float>(of_input: Var<'t, T>, of_state: Var<'t, T>, state: Var<'t, T>) -> Var<'t, T> {
    let width = state.shape().dims().last().copied().unwrap_or(0);
    let part = |of: Var<'t, T>, from: usize, count: usize| of.narrow(-1, from * width, count * width);
    let gates = (part(of_input, 0, 2) + part(of_state, 0, 2)).sigmoid();
    let [r, z] = [part(gates, 0, 1), part(gates, 1, 1)];
    let n = (part(of_input, 2, 1) + r * part(of_state, 2, 1)).tanh();
    // n + z (h − n) is (1 − z) n + z h.
    n + z * (state - n)
}

/// The next state and memory of an LSTM.
#[track_caller]
pub(super) fn lstm_gates<'t, T: Float>(
    of_input: Var<'t, T>,
    of_state: Var<'t, T>,
    c: Var<'t, T>,
) -> (Var<'t, T>, Var<'t, T>) {
    let width = c.shape().dims().last().copied().unwrap_or(0);
    let gates = of_input + of_state;
    let part = |from: usize| gates.narrow(-1, from * width, width);
    let [i, f, g, o] = [part(0).sigmoid(), part(1).sigmoid(), part(2).tanh(), part(3).sigmoid()];
    let c = f * c + i * g;
    (o * c.tanh(), c)
}
