//! All steps of a sequence, as one op: one product for all inputs, one with each step's state, a pass for its gates, and one product over all
//! steps for the gradient of each weight. To be read ([`Tape::keep_segments`](crate::Tape::keep_segments)), it goes step by step through the
//! cell instead, to the same bits.

use std::sync::Arc;

use tensor::{Activation, Cell, Float, Recurrence, Shape, Tensor, ensure};

use super::cell::{CellParams, gru_gates, lstm_gates};
use crate::ops::matmul::weight_gradient;
use crate::{Op, Role, Var};

impl<'t, T: Float> Var<'t, T> {
    /// The states of a simple recurrent network after each step of sequences `[N, L, E]`, which are `[N, L, H]`, and the last one, `[N, H]`:
    /// [`rnn_cell`](Self::rnn_cell) step by step, from a state `[N, H]` or from 0.
    ///
    /// # Panics
    /// The shapes do not fit, there is no step, a length is 0 or beyond the sequence, or the values are on different tapes.
    ///
    /// # Example
    /// ```
    /// use autograd::{CellParams, Steps, Tape};
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let leaf = |dims: [usize; 2]| tape.leaf(Tensor::zeros(dims));
    /// let cell = CellParams { w_ih: leaf([3, 2]), w_hh: leaf([2, 2]), b_ih: None, b_hh: None };
    /// let x = tape.constant(Tensor::ones([5, 7, 3]));
    /// let (outputs, last) = x.rnn_tanh(None, cell, Steps::default());
    /// assert_eq!((outputs.shape().dims(), last.shape().dims()), (&[5, 7, 2][..], &[5, 2][..]));
    /// ```
    #[track_caller]
    pub fn rnn_tanh(self, state: impl Into<Option<Self>>, cell: CellParams<'t, T>, steps: Steps<'_>) -> (Self, Self) {
        let (outputs, last, _) = sequence("rnn_tanh", Cell::Tanh, self, [state.into(), None], cell, steps);
        (outputs, last)
    }

    /// As [`rnn_tanh`](Self::rnn_tanh), by [`rnn_relu_cell`](Self::rnn_relu_cell).
    ///
    /// # Panics
    /// As there.
    ///
    /// # Example
    /// ```
    /// use autograd::{CellParams, Steps, Tape};
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let leaf = |dims: [usize; 2]| tape.leaf(Tensor::ones(dims));
    /// let cell = CellParams { w_ih: leaf([1, 1]), w_hh: leaf([1, 1]), b_ih: None, b_hh: None };
    /// let x = tape.constant(Tensor::from([[[1.0], [1.0], [-5.0]]]));
    /// let (outputs, _) = x.rnn_relu(None, cell, Steps::default()); // sums, which end below 0
    /// assert_eq!(outputs.value(), Tensor::from([[[1.0], [2.0], [0.0]]]));
    /// ```
    #[track_caller]
    pub fn rnn_relu(self, state: impl Into<Option<Self>>, cell: CellParams<'t, T>, steps: Steps<'_>) -> (Self, Self) {
        let (outputs, last, _) = sequence("rnn_relu", Cell::Relu, self, [state.into(), None], cell, steps);
        (outputs, last)
    }

    /// The states of a network of gated recurrent units after each step of sequences `[N, L, E]`, which are `[N, L, H]`, and the last one,
    /// `[N, H]`: [`gru_cell`](Self::gru_cell) step by step, from a state `[N, H]` or from 0.
    ///
    /// # Panics
    /// As [`rnn_tanh`](Self::rnn_tanh).
    ///
    /// # Example
    /// ```
    /// use autograd::{CellParams, Steps, Tape};
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let leaf = |dims: [usize; 2]| tape.leaf(Tensor::zeros(dims));
    /// let cell = CellParams { w_ih: leaf([3, 6]), w_hh: leaf([2, 6]), b_ih: None, b_hh: None };
    /// let (x, state) = (tape.constant(Tensor::ones([1, 2, 3])), tape.constant(Tensor::ones([1, 2])));
    /// let (outputs, _) = x.gru(state, cell, Steps::default()); // z is one half
    /// assert_eq!(outputs.value(), Tensor::from([[[0.5, 0.5], [0.25, 0.25]]]));
    /// ```
    #[track_caller]
    pub fn gru(self, state: impl Into<Option<Self>>, cell: CellParams<'t, T>, steps: Steps<'_>) -> (Self, Self) {
        let (outputs, last, _) = sequence("gru", Cell::Gru, self, [state.into(), None], cell, steps);
        (outputs, last)
    }

    /// What a network with long short-term memory gives after each step of sequences `[N, L, E]`, which is `[N, L, H]`, and its last state and
    /// memory, each `[N, H]`: [`lstm_cell`](Self::lstm_cell) step by step, from a state and a memory of `[N, H]` or from 0.
    ///
    /// # Panics
    /// As [`rnn_tanh`](Self::rnn_tanh).
    ///
    /// # Example
    /// Two sequences, of which the second has one step; the other is padding:
    ///
    /// ```
    /// use autograd::{CellParams, Steps, Tape};
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let leaf = |dims: [usize; 2]| tape.leaf(Tensor::zeros(dims));
    /// let cell = CellParams { w_ih: leaf([3, 4]), w_hh: leaf([1, 4]), b_ih: None, b_hh: None };
    /// let (x, ones) = (tape.constant(Tensor::ones([2, 2, 3])), tape.constant(Tensor::ones([2, 1])));
    /// let steps = Steps { lengths: Some(&[2, 1]), ..Steps::default() };
    /// let (outputs, (_, memory)) = x.lstm((ones, ones), cell, steps);
    /// assert_eq!(memory.value(), Tensor::from([[0.25], [0.5]])); // half is forgotten in each step
    /// assert_eq!(outputs.value().select(0, 1).select(0, 1).item(), 0.0);
    /// ```
    #[track_caller]
    pub fn lstm(
        self,
        state: impl Into<Option<(Self, Self)>>,
        cell: CellParams<'t, T>,
        steps: Steps<'_>,
    ) -> (Self, (Self, Self)) {
        let (h, c) = state.into().unzip();
        let (outputs, h, c) = sequence("lstm", Cell::Lstm, self, [h, c], cell, steps);
        (outputs, (h, c.expect("an LSTM has a memory")))
    }
}

/// Which way through a sequence, and how far.
///
/// # Example
/// ```
/// use autograd::Steps;
///
/// let from_the_end = Steps { reversed: true, lengths: Some(&[7, 4]) };
/// # let _ = from_the_end;
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Steps<'a> {
    /// From the last step to the first: each example's own last one.
    pub reversed: bool,
    /// How many steps each example has, of which there is at least one. What lies beyond is padding: it changes nothing, outputs there are 0,
    /// and the last state is that of the example's own last step; PyTorch's packed sequences. `None` is all steps for each.
    pub lengths: Option<&'a [usize]>,
}

/// All steps of a sequence: its outputs, and the last state and memory.
#[track_caller]
fn sequence<'t, T: Float>(
    op: &'static str,
    cell: Cell,
    x: Var<'t, T>,
    start: [Option<Var<'t, T>>; 2],
    params: CellParams<'t, T>,
    steps: Steps<'_>,
) -> (Var<'t, T>, Var<'t, T>, Option<Var<'t, T>>) {
    let run = Run::new(op, cell, x, start, params, steps);
    let tape = x.tape();
    let place = tape.place() as i64;
    let (states, memory) = if tape.keeps_segments.get() { run.step_by_step() } else { run.at_once() };
    // It has one place, however many values it has put on the tape: so what is drawn behind it is the same to be read and to be trained.
    tape.key_offset.set(tape.key_offset.get() + place + 1 - tape.place() as i64);
    let outputs = match &run.over {
        None => states,
        Some(over) => states.masked_fill(over, T::ZERO),
    };
    let end = if steps.reversed { 0 } else { run.sizes[0] - 1 };
    (outputs.transpose(0, 1), states.select(0, end), memory.map(|memory| memory.select(0, end)))
}

/// What goes through a sequence. It is time-major: `[L, N, …]`.
struct Run<'t, T: Float> {
    op: &'static str,
    cell: Cell,
    /// What the inputs give to the gates, `[L, N, G H]`.
    of_inputs: Var<'t, T>,
    weight: Var<'t, T>,
    bias: Option<Var<'t, T>>,
    start: [Option<Var<'t, T>>; 2],
    /// How many steps, examples and numbers of a state there are.
    sizes: [usize; 3],
    reversed: bool,
    lengths: Option<Arc<[usize]>>,
    /// Where an example is over, `[L, N, 1]`.
    over: Option<Tensor<bool>>,
}

impl<'t, T: Float> Run<'t, T> {
    #[track_caller]
    fn new(
        op: &'static str,
        cell: Cell,
        x: Var<'t, T>,
        start: [Option<Var<'t, T>>; 2],
        params: CellParams<'t, T>,
        Steps { reversed, lengths }: Steps<'_>,
    ) -> Self {
        let (input, of_input, of_state) = (x.shape(), params.w_ih.shape(), params.w_hh.shape());
        let &[examples, steps, features] = input.dims() else {
            panic!("{op}: the input must be [N, L, E], got {input}{}", tensor::Whereabouts)
        };
        let hidden = of_state.dims().first().copied().unwrap_or(0);
        let gates = cell.gates() * hidden;
        ensure!(
            of_state.dims() == [hidden, gates],
            "{op}: the weight of the state must be [H, {} H], got {of_state}",
            cell.gates()
        );
        ensure!(
            of_input.dims() == [features, gates],
            "{op}: an input {input} and a weight of the state {of_state} need w_ih of [{features}, {gates}], got {of_input}"
        );
        for (name, bias) in [("b_ih", params.b_ih), ("b_hh", params.b_hh)] {
            if let Some(got) = bias.map(Var::shape) {
                ensure!(got.dims() == [gates], "{op}: {name} must be [{gates}], got {got}");
            }
        }
        ensure!(steps > 0, "{op}: the input {input} has no step");
        for (name, given) in ["state", "memory"].into_iter().zip(start) {
            if let Some(got) = given.map(Var::shape) {
                let want = [examples, hidden];
                ensure!(got.dims() == want, "{op}: an input {input} needs a {name} of {want:?}, got {got}");
            }
        }
        let mut x = x.transpose(0, 1);
        // No closure: a panic in one would be at its own line and not at the caller's.
        if let Some(lengths) = lengths {
            let count = lengths.len();
            ensure!(count == examples, "{op}: {count} lengths, but an input {input} has {examples} examples");
            for (i, length) in lengths.iter().enumerate() {
                ensure!(
                    (1..=steps).contains(length),
                    "{op}: length {i} is {length}, but an input {input} has 1 to {steps} steps"
                );
            }
        }
        let over = lengths.map(|lengths| Tensor::from_fn([steps, examples, 1], |i| i[0] >= lengths[i[1]]));
        if let Some(over) = &over {
            // A NaN in the padding would be one in the gradient of the weight, though it is multiplied by 0.
            x = x.masked_fill(over, T::ZERO);
        }
        Run {
            op,
            cell,
            of_inputs: x.linear(params.w_ih, params.b_ih),
            weight: params.w_hh,
            bias: params.b_hh,
            start,
            sizes: [steps, examples, hidden],
            reversed,
            lengths: lengths.map(Arc::from),
            over,
        }
    }

    /// The states after all steps, and the memory, by one op.
    #[track_caller]
    fn at_once(&self) -> (Var<'t, T>, Option<Var<'t, T>>) {
        let &Run { op, cell, of_inputs, weight, bias, start, sizes: [_, _, hidden], reversed, ref lengths, .. } = self;
        let mut inputs = vec![of_inputs, weight];
        let bias_at = bias.map(|bias| put(&mut inputs, bias));
        let start_at = start.map(|start| Some(put(&mut inputs, start?)));
        let keeps = inputs.iter().any(|input| input.needs_gradient());
        let values = start.map(|start| start.map(Var::value));
        let w = weight.value();
        let recurrence = Recurrence::new(
            cell,
            &of_inputs.value(),
            (&w, bias.map(Var::value).as_ref()),
            values.each_ref().map(Option::as_ref),
            (reversed, lengths.clone()),
            keeps,
        );
        if keeps {
            self.show_gates(&recurrence, &mut inputs);
        }
        let record = of_inputs.record(Op::new(op, Role::Recurrent { weight: 1 }), recurrence.states()).joint(
            &inputs,
            move |g, shares| {
                let of = recurrence.pullback(&g);
                shares.give(1, || weight_gradient(&recurrence.states_before(), &of.of_states, &w));
                if let Some(place) = bias_at {
                    shares.give(place, || of.of_states.sum_to(&Shape::from([cell.gates() * hidden])));
                }
                for (place, gradient) in start_at.into_iter().zip([Some(of.state), of.memory]) {
                    if let (Some(place), Some(gradient)) = (place, gradient) {
                        shares.give(place, || gradient);
                    }
                }
                shares.give(0, || of.inputs);
            },
        );
        let all = record.done();
        match cell {
            Cell::Lstm => (all.select(0, 0), Some(all.select(0, 1))),
            _ => (all, None),
        }
    }

    /// Puts what gates let through on the tape, for those who read it: no gradient goes this way.
    #[track_caller]
    fn show_gates(&self, recurrence: &Recurrence<T>, inputs: &mut Vec<Var<'t, T>>) {
        use Activation::{Relu, Sigmoid, Tanh};
        let (shown, activations): (_, &[Activation]) = match self.cell {
            Cell::Tanh => (vec![recurrence.states()], &[Tanh]),
            Cell::Relu => (vec![recurrence.states()], &[Relu]),
            Cell::Gru => (recurrence.gates(), &[Sigmoid, Sigmoid, Tanh]),
            // What an LSTM gives is tanh of its memory, through a gate.
            Cell::Lstm => (recurrence.gates(), &[Sigmoid, Sigmoid, Tanh, Sigmoid, Tanh]),
        };
        let hidden = self.sizes[2];
        for (i, (value, &activation)) in shown.into_iter().zip(activations).enumerate() {
            let gate = self.of_inputs.narrow(-1, i % self.cell.gates() * hidden, hidden);
            inputs.push(gate.record(activation, value).without(gate).done());
        }
    }

    /// The states after all steps, and the memory, by the ops of a cell.
    #[track_caller]
    fn step_by_step(&self) -> (Var<'t, T>, Option<Var<'t, T>>) {
        let [steps, examples, hidden] = self.sizes;
        let tape = self.of_inputs.tape();
        let at_rest = || tape.constant(Tensor::zeros([examples, hidden]));
        let mut h = self.start[0].unwrap_or_else(at_rest);
        let mut c = (self.cell == Cell::Lstm).then(|| self.start[1].unwrap_or_else(at_rest));
        let (mut states, mut memories) = (vec![h; steps], Vec::from_iter(c.map(|c| vec![c; steps])));
        for i in 0..steps {
            let step = if self.reversed { steps - 1 - i } else { i };
            let (of_input, of_state) = (self.of_inputs.select(0, step), h.linear(self.weight, self.bias));
            let (mut next, mut next_c) = match (self.cell, c) {
                (Cell::Tanh, _) => ((of_input + of_state).tanh(), None),
                (Cell::Relu, _) => ((of_input + of_state).relu(), None),
                (Cell::Lstm, Some(c)) => {
                    let (h, c) = lstm_gates(of_input, of_state, c);
                    (h, Some(c))
                }
                _ => (gru_gates(of_input, of_state, h), None),
            };
            if let Some(over) = &self.over {
                let over = over.select(0, step);
                next = h.where_cond(&over, next);
                next_c = c.zip(next_c).map(|(c, next)| c.where_cond(&over, next));
            }
            (h, c) = (next, next_c);
            states[step] = h;
            if let (Some(memories), Some(c)) = (memories.first_mut(), c) {
                memories[step] = c;
            }
        }
        (Var::stack(&states, 0), memories.first().map(|memories| Var::stack(memories, 0)))
    }
}

/// Puts an input behind the others, and says where it is.
fn put<'t, T: Float>(inputs: &mut Vec<Var<'t, T>>, input: Var<'t, T>) -> usize {
    inputs.push(input);
    inputs.len() - 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tape;

    const CELLS: [Cell; 4] = [Cell::Tanh, Cell::Relu, Cell::Gru, Cell::Lstm];

    fn numbers<T: Float>(dims: &[usize], seed: usize) -> Tensor<T> {
        let mut i = seed * 1009;
        Tensor::from_fn(dims, |_| {
            i += 1;
            T::from_f64((i * 7919 % 1013) as f64 / 1014.0 - 0.5)
        })
    }

    /// Outputs, last state and memory, and the gradients of all inputs.
    fn run<T: Float>(
        cell: Cell,
        [examples, len, features, hidden]: [usize; 4],
        steps: Steps<'_>,
        read: bool,
        padding: f64,
    ) -> [Vec<Tensor<T>>; 2] {
        let tape = Tape::<T>::default();
        tape.keep_segments(read);
        let gates = cell.gates() * hidden;
        let dims: [&[usize]; 7] = [
            &[examples, len, features],
            &[features, gates],
            &[hidden, gates],
            &[gates],
            &[gates],
            &[examples, hidden],
            &[examples, hidden],
        ];
        let mut values: Vec<Tensor<T>> = dims.iter().enumerate().map(|(i, dims)| numbers(dims, i)).collect();
        if let Some(lengths) = steps.lengths {
            let over = Tensor::from_fn([examples, len, 1], |i| i[1] >= lengths[i[0]]);
            values[0] = values[0].clone().masked_fill(&over, T::from_f64(padding));
        }
        let leaves: Vec<Var<'_, T>> = values.into_iter().map(|x| tape.leaf(x)).collect();
        let &[x, w_ih, w_hh, b_ih, b_hh, h, c] = &leaves[..] else { unreachable!() };
        let params = CellParams { w_ih, w_hh, b_ih: Some(b_ih), b_hh: Some(b_hh) };
        let (outputs, last, memory) =
            sequence("test", cell, x, [Some(h), (cell == Cell::Lstm).then_some(c)], params, steps);
        let results: Vec<_> = [Some(outputs), Some(last), memory].into_iter().flatten().collect();
        let weighted =
            results.iter().enumerate().map(|(i, y)| (*y * tape.constant(numbers(y.shape().dims(), 9 + i))).sum(..));
        let loss = weighted.reduce(|a, b| a + b).unwrap();
        let gradients = loss.backward();
        let of = leaves.iter().filter_map(|&leaf| gradients.get(leaf).cloned()).collect();
        [results.iter().map(|y| y.value()).collect(), of]
    }

    fn for_all(check: impl Fn(Cell, [usize; 4], Steps<'_>)) {
        for cell in CELLS {
            for sizes in [[1, 1, 1, 1], [5, 4, 3, 7], [21, 3, 2, 37], [3, 2, 5, 520]] {
                let lengths: Vec<usize> = (0..sizes[0]).map(|i| 1 + i % sizes[1]).collect();
                for reversed in [false, true] {
                    for lengths in [None, Some(&lengths[..])] {
                        check(cell, sizes, Steps { reversed, lengths });
                    }
                }
            }
        }
    }

    #[test]
    fn all_steps_at_once_have_the_bits_of_one_after_the_other() {
        for_all(|cell, sizes, steps| {
            let [at_once, one_by_one] = [false, true].map(|read| run::<f32>(cell, sizes, steps, read, 0.0)[0].clone());
            assert_eq!(at_once, one_by_one, "{cell:?} {sizes:?} {steps:?}");
            let [at_once, one_by_one] = [false, true].map(|read| run::<f64>(cell, sizes, steps, read, 0.0));
            assert_eq!(at_once[0], one_by_one[0]);
            // Shares of the weights are added in another order.
            for (x, y) in at_once[1].iter().zip(&one_by_one[1]) {
                assert!(x.allclose(y, 1e-11, 1e-11), "{cell:?} {sizes:?} {steps:?}");
            }
        });
    }

    #[test]
    fn threads_leave_no_trace() {
        for cell in CELLS {
            // Examples are shared, or, of one, the columns of each step.
            for sizes in [[45, 12, 16, 70], [1, 12, 8, 300]] {
                let steps = Steps { lengths: Some(&[9; 45][..sizes[0]]), ..Steps::default() };
                let of = |threads| tensor::with_threads(threads, || run::<f32>(cell, sizes, steps, false, 0.0));
                let want = of(1).unwrap();
                for threads in [2, 3, 8] {
                    assert!(of(threads).unwrap() == want, "{cell:?} {sizes:?} on {threads} threads");
                }
            }
        }
    }

    #[test]
    fn padding_is_not_read() {
        for_all(|cell, sizes, steps| {
            let [zeros, nan] = [0.0, f64::NAN].map(|padding| run::<f32>(cell, sizes, steps, false, padding));
            assert_eq!(zeros, nan, "{cell:?} {sizes:?} {steps:?}");
        });
    }

    #[test]
    fn what_is_drawn_behind_it_is_the_same_however_it_goes() {
        let drawn = |read: bool, trained: bool| {
            let tape = Tape::<f32>::default();
            tape.keep_segments(read);
            tape.seed(1, 2);
            let put =
                |dims: &[usize]| if trained { tape.leaf(numbers(dims, 1)) } else { tape.constant(numbers(dims, 1)) };
            let params = CellParams { w_ih: put(&[3, 8]), w_hh: put(&[2, 8]), b_ih: None, b_hh: None };
            let x = put(&[4, 5, 3]);
            let steps = Steps { lengths: Some(&[5, 4, 3, 2]), ..Steps::default() };
            let keys = [0, 1].map(|_| {
                x.lstm(None, params, steps);
                tape.draw_key("test")
            });
            assert_ne!(keys[0], keys[1]);
            keys
        };
        assert_eq!(drawn(false, true), drawn(true, true));
        assert_eq!(drawn(false, true), drawn(false, false));
    }

    #[test]
    fn gates_are_shown_to_readers_of_a_pass_of_training_alone() {
        let shown = |mode| {
            let tape = Tape::<f32>::in_mode(mode);
            let leaf = |dims: &[usize]| tape.leaf(numbers(dims, 1));
            let params = CellParams { w_ih: leaf(&[3, 8]), w_hh: leaf(&[2, 8]), b_ih: None, b_hh: None };
            leaf(&[4, 5, 3]).lstm(None, params, Steps::default());
            tape.vars()
                .filter(|var| matches!(var.role(), Role::Activation(_)))
                .map(|var| var.shape())
                .collect::<Vec<_>>()
        };
        assert_eq!(shown(crate::Mode::Train), vec![Shape::from([5, 4, 2]); 5]);
        assert_eq!(shown(crate::Mode::Eval), []);
    }
}
