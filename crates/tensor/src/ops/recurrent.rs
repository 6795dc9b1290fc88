//! The steps of a recurrent network, and the way back.

use std::sync::Arc;

use crate::buffer::Buffer;
use crate::create::room;
use crate::element::Float;
use crate::error::OrPanic;
use crate::kernel::{Backward, Cell, Course, Forward, Gradients, Matrix};
use crate::shape::Shape;
use crate::tensor::Tensor;

/// A recurrent network on its way through a sequence. Arrays are time-major: `[L, N, …]` for L steps of N examples.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub struct Recurrence<T: Float> {
    cell: Cell,
    /// `[H, G H]`
    weight: Tensor<T>,
    reversed: bool,
    /// How many steps each example has.
    lengths: Option<Arc<[usize]>>,
    /// How many steps, examples and numbers of a state there are.
    sizes: [usize; 3],
    /// `[P, L + 1, N, H]`, with the state that it begins with. Of an LSTM, the memory is a second plane; others have one.
    states: Tensor<T>,
    /// What the way back needs of each step.
    kept: Option<Tensor<T>>,
}

/// The gradients of a [`Recurrence`].
#[doc(hidden)]
#[derive(Debug)]
pub struct RecurrentGradients<T: Float> {
    /// Of what the inputs give to the gates, `[L, N, G H]`.
    pub inputs: Tensor<T>,
    /// Of what the states give to the gates, before each step.
    pub of_states: Tensor<T>,
    /// Of the state that it begins with, `[N, H]`.
    pub state: Tensor<T>,
    /// Of its memory.
    pub memory: Option<Tensor<T>>,
}

impl<T: Float> Recurrence<T> {
    /// Goes through all steps, from a state of 0 where none is given. `inputs` is what they give to the gates, `[L, N, G H]`, and the weight
    /// that of the state, `[H, G H]`, with a bias `[G H]`. Where it is `reversed`, it goes from the last step to the first. An example
    /// whose length is below L keeps its state beyond. What the way back needs is kept if it `keeps`.
    ///
    /// # Panics
    /// The sizes do not fit.
    #[track_caller]
    pub fn new(
        cell: Cell,
        inputs: &Tensor<T>,
        (weight, bias): (&Tensor<T>, Option<&Tensor<T>>),
        start: [Option<&Tensor<T>>; 2],
        (reversed, lengths): (bool, Option<Arc<[usize]>>),
        keeps: bool,
    ) -> Self {
        assert!(
            inputs.rank() == 3 && weight.rank() == 2,
            "a recurrence takes inputs [L, N, G H] and a weight [H, G H]"
        );
        let sizes = [inputs.dims()[0], inputs.dims()[1], weight.dims()[0]];
        let [steps, examples, hidden] = sizes;
        let shape = Shape::try_new(&[planes(cell), steps.saturating_add(1), examples, hidden]).or_panic();
        let states = Tensor::from_buffer(room("recurrence", &shape).or_panic(), shape);
        let of = Recurrence { cell, weight: weight.contiguous(), reversed, lengths, sizes, states, kept: None };
        T::recurrence(of, inputs, bias, start, keeps)
    }

    fn course(&self) -> Course<'_> {
        let [steps, examples, hidden] = self.sizes;
        Course { steps, examples, hidden, reversed: self.reversed, lengths: self.lengths.as_deref() }
    }

    /// The state after each step, `[L, N, H]`, or `[2, L, N, H]` of an LSTM, with its memory behind: where an example is over, the one that
    /// stays.
    pub fn states(&self) -> Tensor<T> {
        let all = if planes(self.cell) == 1 { self.states.select(0, 0) } else { self.states.clone() };
        let from = usize::from(!self.reversed);
        all.slice(-3, from..from + self.sizes[0])
    }

    /// The state before each step, `[L, N, H]`.
    pub fn states_before(&self) -> Tensor<T> {
        let from = usize::from(self.reversed);
        self.states.select(0, 0).slice(0, from..from + self.sizes[0])
    }

    /// What was kept of each gate in all steps, `[L, N, H]`: r, z and n of a GRU; i, f, g, o and tanh c of an LSTM.
    pub fn gates(&self) -> Vec<Tensor<T>> {
        let places: &[usize] = match self.cell {
            Cell::Tanh | Cell::Relu => &[],
            // Before n stands what the state gives to it.
            Cell::Gru => &[0, 1, 3],
            Cell::Lstm => &[0, 1, 2, 3, 4],
        };
        let (hidden, kept) = (self.sizes[2], self.kept.as_ref());
        kept.map_or(vec![], |kept| places.iter().map(|&i| kept.slice(2, i * hidden..(i + 1) * hidden)).collect())
    }

    /// The gradients, by that of [`states`](Self::states).
    ///
    /// # Panics
    /// The sizes do not fit, or nothing was kept.
    #[track_caller]
    pub fn pullback(&self, gradient: &Tensor<T>) -> RecurrentGradients<T> {
        assert!(self.kept.is_some(), "a recurrence that has kept nothing for the way back");
        T::recurrence_back(self, gradient)
    }
}

/// A state, and the memory of an LSTM.
fn planes(cell: Cell) -> usize {
    if cell == Cell::Lstm { 2 } else { 1 }
}

fn slice<T: Float>(x: &Tensor<T>) -> &[T] {
    x.as_slice().expect("contiguous")
}

pub(crate) fn recurrence<T: Float>(
    mut of: Recurrence<T>,
    inputs: &Tensor<T>,
    bias: Option<&Tensor<T>>,
    start: [Option<&Tensor<T>>; 2],
    keeps: bool,
) -> Recurrence<T> {
    let [steps, examples, hidden] = of.sizes;
    let cell = of.cell;
    let (inputs, bias) = (inputs.contiguous(), bias.map(Tensor::contiguous));
    let mut states = std::mem::replace(&mut of.states, Tensor::scalar(T::ZERO));
    let plane = states.numel() / planes(cell);
    let first = if of.reversed { steps * examples * hidden } else { 0 };
    for (all, start) in states.as_mut_slice().chunks_exact_mut(plane.max(1)).zip(start) {
        let to = &mut all[first..][..examples * hidden];
        match start {
            Some(start) => to.copy_from_slice(slice(&start.contiguous())),
            None => to.fill(T::ZERO),
        }
    }
    let width = cell.kept() * hidden;
    let shape = Shape::from([if keeps { steps } else { 1 }, examples, width]);
    let mut kept = Tensor::from_buffer(Buffer::stale(shape.numel()), shape);
    let weight =
        Matrix::new(slice(&of.weight), 0, [hidden, cell.gates() * hidden], [(cell.gates() * hidden) as isize, 1]);
    let forward =
        Forward { cell, course: of.course(), inputs: slice(&inputs), weight, bias: bias.as_ref().map(slice), keeps };
    let (of_states, of_memory) = states.as_mut_slice().split_at_mut(plane);
    forward.run(of_states, of_memory, kept.as_mut_slice());
    Recurrence { states, kept: keeps.then_some(kept), ..of }
}

pub(crate) fn recurrence_back<T: Float>(of: &Recurrence<T>, gradient: &Tensor<T>) -> RecurrentGradients<T> {
    let ([steps, examples, hidden], cell) = (of.sizes, of.cell);
    let empty = |dims: [usize; 3]| {
        let shape = Shape::from(dims);
        Tensor::from_buffer(Buffer::stale(shape.numel()), shape)
    };
    let gates = cell.gates() * hidden;
    let gradient = gradient.contiguous();
    let (of_states, of_memory) = slice(&gradient).split_at(steps * examples * hidden);
    let (states, memory_before) = slice(&of.states).split_at(of.states.numel() / planes(cell));
    let mut inputs = empty([steps, examples, gates]);
    let mut apart = (cell == Cell::Gru).then(|| empty([steps, examples, gates]));
    let mut state = Tensor::zeros([examples, hidden]);
    let mut memory = (cell == Cell::Lstm).then(|| Tensor::zeros([examples, hidden]));
    let backward = Backward {
        cell,
        course: of.course(),
        weight: Matrix::new(slice(&of.weight), 0, [gates, hidden], [1, gates as isize]),
        states,
        memory: memory_before,
        kept: of.kept.as_ref().map_or(&[], slice),
        of_states,
        of_memory,
    };
    backward.run(&mut Gradients {
        inputs: inputs.as_mut_slice(),
        of_states: apart.as_mut().map_or(&mut [][..], Tensor::as_mut_slice),
        state: state.as_mut_slice(),
        memory: memory.as_mut().map_or(&mut [][..], Tensor::as_mut_slice),
    });
    RecurrentGradients { of_states: apart.unwrap_or_else(|| inputs.clone()), inputs, state, memory }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The oracle: the formulas, number by number.
    fn by_formula(
        cell: Cell,
        inputs: &Tensor<f64>,
        w: &Tensor<f64>,
        bias: &Tensor<f64>,
        (reversed, lengths): (bool, &[usize]),
    ) -> Vec<f64> {
        let &[steps, examples, width] = inputs.dims() else { unreachable!() };
        let hidden = w.dims()[0];
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        let mut found = vec![0.0; steps * examples * hidden];
        for n in 0..examples {
            let (mut h, mut c) = (vec![0.0; hidden], vec![0.0; hidden]);
            for i in 0..steps {
                let t = if reversed { steps - 1 - i } else { i };
                if t < lengths[n] {
                    let a: Vec<f64> = (0..width).map(|j| inputs.get(&[t, n, j]).unwrap()).collect();
                    let of_state = |j: usize| {
                        (0..hidden).map(|k| h[k] * w.get(&[k, j]).unwrap()).sum::<f64>() + bias.get(&[j]).unwrap()
                    };
                    let z: Vec<f64> = (0..width).map(of_state).collect();
                    for j in 0..hidden {
                        let sum = |gate: usize| a[gate * hidden + j] + z[gate * hidden + j];
                        h[j] = match cell {
                            Cell::Tanh => sum(0).tanh(),
                            Cell::Relu => sum(0).max(0.0),
                            Cell::Gru => {
                                let n = (a[2 * hidden + j] + sigmoid(sum(0)) * z[2 * hidden + j]).tanh();
                                (1.0 - sigmoid(sum(1))) * n + sigmoid(sum(1)) * h[j]
                            }
                            Cell::Lstm => {
                                c[j] = sigmoid(sum(1)) * c[j] + sigmoid(sum(0)) * sum(2).tanh();
                                sigmoid(sum(3)) * c[j].tanh()
                            }
                        };
                    }
                }
                found[(t * examples + n) * hidden..][..hidden].copy_from_slice(&h);
            }
        }
        found
    }

    fn numbers(dims: &[usize], seed: usize) -> Tensor<f64> {
        let mut i = seed * 1009;
        Tensor::from_fn(dims, |_| {
            i += 1;
            (i * 7919 % 1013) as f64 / 1014.0 - 0.5
        })
    }

    #[test]
    fn all_steps_are_those_of_the_formulas_and_so_is_the_way_back() {
        for cell in [Cell::Tanh, Cell::Relu, Cell::Gru, Cell::Lstm] {
            for ([steps, examples, hidden], reversed) in [([1, 1, 1], false), ([4, 9, 5], false), ([3, 2, 17], true)] {
                let width = cell.gates() * hidden;
                let (inputs, w) = (numbers(&[steps, examples, width], 1), numbers(&[hidden, width], 2));
                let bias = numbers(&[width], 3);
                let lengths: Arc<[usize]> = (0..examples).map(|n| 1 + n % steps).collect();
                let course = || (reversed, Some(lengths.clone()));
                let run = |inputs: &Tensor<f64>, keeps| {
                    Recurrence::new(cell, inputs, (&w, Some(&bias)), [None; 2], course(), keeps)
                };
                let of_h =
                    |of: &Recurrence<f64>| if planes(cell) == 2 { of.states().select(0, 0) } else { of.states() };
                let of = run(&inputs, true);
                let want = by_formula(cell, &inputs, &w, &bias, (reversed, &lengths));
                for (got, want) in of_h(&of).iter().zip(&want) {
                    assert!((got - want).abs() < 1e-12, "{cell:?}: {got} for {want}");
                }
                assert_eq!(of.states(), run(&inputs, false).states());
                // By differences, in one direction of all inputs at once.
                let (seed, along) = (numbers(of.states().dims(), 4), numbers(inputs.dims(), 5));
                let slope: f64 = (of.pullback(&seed).inputs * &along).sum(..).item();
                let at = |by: f64| (run(&(&inputs + &along * by), false).states() * &seed).sum(..).item();
                let difference = (at(1e-5) - at(-1e-5)) / 2e-5;
                assert!((slope - difference).abs() < 1e-7, "{cell:?}: {slope} for {difference}");
            }
        }
    }

    #[test]
    #[should_panic(expected = "kept nothing for the way back")]
    fn there_is_no_way_back_of_what_was_not_kept() {
        let (inputs, w) = (numbers(&[2, 1, 2], 1), numbers(&[2, 2], 2));
        let of = Recurrence::new(Cell::Tanh, &inputs, (&w, None), [None; 2], (false, None), false);
        of.pullback(&of.states());
    }
}
