//! The steps of a recurrent network, one after the other.
//!
//! Examples know nothing of each other: so each task takes some of them through all steps, and nobody waits for anybody before the end.
//! What a step's state gives to the gates is one product of the task's examples with a weight that was copied into panels once
//! (`matmul::packed`); the gates are loops over one example (`cells`). Each element has the same bits however examples are shared among
//! tasks.
//!
//! Arrays are time-major: `[L, N, …]` for L steps of N examples. A state that a step begins with stands before the one that it gives, or
//! behind, where steps go from the last to the first: so there is one more than there are steps.

mod cells;

use std::ops::Range;
use std::slice;

use super::matmul::{Matrix, Packed, Vectorized};
use super::simd::{self, Simd, VectorKernel, run_for_each_set};
use crate::par::{self, Hands, Shared};

/// What a step does with its gates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(unreachable_pub, reason = "re-exported at the root")]
pub enum Cell {
    /// h′ = tanh(a + z) of what the input gives, a, and the state, z.
    Tanh,
    /// h′ = max(0, a + z)
    Relu,
    /// A gated recurrent unit.
    Gru,
    /// Long short-term memory.
    Lstm,
}

impl Cell {
    /// How many gates there are.
    pub const fn gates(self) -> usize {
        match self {
            Cell::Tanh | Cell::Relu => 1,
            Cell::Gru => 3,
            Cell::Lstm => 4,
        }
    }

    /// How many numbers a step leaves for the way back for each of the state: of a GRU r, z, what the state gives to n, and n; of an LSTM i,
    /// f, g, o and tanh c. A step of the others is known by its state.
    pub(crate) const fn kept(self) -> usize {
        match self {
            Cell::Tanh | Cell::Relu => 0,
            Cell::Gru => 4,
            Cell::Lstm => 5,
        }
    }
}

/// Which way through a sequence, and how far.
#[derive(Clone, Copy)]
pub(crate) struct Course<'a> {
    pub(crate) steps: usize,
    pub(crate) examples: usize,
    /// The numbers of a state.
    pub(crate) hidden: usize,
    /// From the last step to the first.
    pub(crate) reversed: bool,
    /// How many steps each example has; beyond, its state stays.
    pub(crate) lengths: Option<&'a [usize]>,
}

impl Course<'_> {
    /// The step that is the i-th to be made, and where the states before and after it stand.
    #[inline(always)]
    fn step(&self, i: usize) -> (usize, [usize; 2]) {
        match self.reversed {
            false => (i, [i, i + 1]),
            true => (self.steps - 1 - i, [self.steps - i, self.steps - 1 - i]),
        }
    }

    #[inline(always)]
    fn is_over(&self, example: usize, step: usize) -> bool {
        self.lengths.is_some_and(|lengths| step >= lengths[example])
    }

    fn elements(&self, steps: usize, width: usize) -> usize {
        steps * self.examples * width * self.hidden
    }

    /// Calls `work` with the examples of each task.
    fn share(&self, cost: f64, work: &(dyn Fn(Range<usize>) + Sync)) {
        let hands = Hands::for_work(cost);
        let tasks = hands.threads().min(self.examples);
        hands.each(tasks, &|task| work(self.examples * task / tasks..self.examples * (task + 1) / tasks));
    }

    /// What the products and the functions of all steps take, in nanoseconds.
    fn cost(&self, cell: Cell, per_gate: f64) -> f64 {
        self.elements(self.steps, cell.gates()) as f64 * (self.hidden as f64 * par::MULTIPLY_ADD + per_gate)
    }
}

/// The way through a sequence.
pub(crate) struct Forward<'a, T> {
    pub(crate) cell: Cell,
    pub(crate) course: Course<'a>,
    /// What the inputs give to the gates, `[L, N, G H]`.
    pub(crate) inputs: &'a [T],
    /// `[H, G H]`
    pub(crate) weight: Matrix<'a, T>,
    /// `[G H]`
    pub(crate) bias: Option<&'a [T]>,
    /// Whether what the way back needs is kept of each step, or room for one is used again.
    pub(crate) keeps: bool,
}

impl<T: Vectorized> Forward<'_, T> {
    /// Fills the states, `[L + 1, N, H]`, of which the one before the first step is there; of an LSTM its memory too, or nothing; and what
    /// is kept, `[L, N, …]`, or the room of one step.
    ///
    /// # Panics
    /// The sizes do not fit.
    pub(crate) fn run(&self, states: &mut [T], memory: &mut [T], kept: &mut [T]) {
        let Forward { cell, ref course, inputs, weight, bias, keeps } = *self;
        let &Course { steps, examples, hidden, lengths, .. } = course;
        let of_memory = if cell == Cell::Lstm { 1 } else { 0 };
        assert!(
            weight.rows() == hidden
                && weight.columns() == cell.gates() * hidden
                && inputs.len() == course.elements(steps, cell.gates())
                && bias.is_none_or(|bias| bias.len() == cell.gates() * hidden)
                && states.len() == course.elements(steps + 1, 1)
                && memory.len() == course.elements(steps + 1, of_memory)
                && kept.len() == course.elements(if keeps { steps } else { 1 }, cell.kept())
                && lengths.is_none_or(|lengths| lengths.len() == examples),
            "the sizes of a recurrence must fit"
        );
        let weight = Packed::new(weight);
        let [states, memory, kept] = [states, memory, kept].map(Shared::new);
        let cost = course.cost(cell, par::TRANSCENDENTAL);
        course.share(cost, &|rows| {
            simd::dispatch(ForwardTask { of: self, weight: &weight, rows, states, memory, kept });
        });
    }
}

/// Elements of an array that tasks share.
///
/// # Safety
/// They are within the array, which is still borrowed, and no other task has any of them.
#[inline(always)]
unsafe fn part<'a, T>(array: Shared<T>, start: usize, len: usize) -> &'a mut [T] {
    // SAFETY: as this function.
    unsafe { slice::from_raw_parts_mut(array.pointer().add(start), len) }
}

struct ForwardTask<'a, T: Vectorized> {
    of: &'a Forward<'a, T>,
    weight: &'a Packed<T>,
    rows: Range<usize>,
    states: Shared<T>,
    memory: Shared<T>,
    kept: Shared<T>,
}

impl<T: Vectorized> VectorKernel for ForwardTask<'_, T> {
    type Output = ();

    run_for_each_set!();

    #[inline(always)]
    unsafe fn run_with<S: Simd>(self) {
        let ForwardTask { of, weight, rows, states, memory, kept } = self;
        let Forward { cell, ref course, inputs, bias, keeps, .. } = *of;
        let Course { steps, examples, hidden, .. } = *course;
        let (gates, width) = (cell.gates() * hidden, cell.kept() * hidden);
        for i in 0..steps {
            let (step, places) = course.step(i);
            let [before, after] = places.map(|place| (place * examples + rows.start) * hidden);
            let kept_at = (if keeps { step * examples } else { 0 } + rows.start) * width;
            // SAFETY: `run` has checked the sizes, and each task has examples of its own.
            let (c, c_row) = unsafe {
                match width {
                    0 => (states.pointer().add(after), hidden),
                    _ => (kept.pointer().add(kept_at), width),
                }
            };
            // SAFETY: the caller has the instructions. Both have as many rows as the task has examples, which are its own, and C's are
            // other ones than A's: of another step, or what is kept.
            unsafe {
                let a = states.pointer().add(before).cast_const();
                weight.multiply::<S>(rows.len(), (a, hidden), (c, c_row), false, bias);
            }
            for (row, example) in rows.clone().enumerate() {
                let a = &inputs[(step * examples + example) * gates..][..gates];
                // SAFETY: as above; each of these is another part.
                let (h_before, h, kept) = unsafe {
                    (
                        part(states, before + row * hidden, hidden),
                        part(states, after + row * hidden, hidden),
                        part(kept, kept_at + row * width, width),
                    )
                };
                match cell {
                    Cell::Tanh => cells::tanh(a, h),
                    Cell::Relu => cells::relu(a, h),
                    Cell::Gru => cells::gru(a, h_before, kept, h),
                    Cell::Lstm => {
                        // SAFETY: as above.
                        let [c_before, c] =
                            [before, after].map(|at| unsafe { part(memory, at + row * hidden, hidden) });
                        cells::lstm(a, c_before, kept, c, h);
                        if course.is_over(example, step) {
                            c.copy_from_slice(c_before);
                        }
                    }
                }
                if course.is_over(example, step) {
                    h.copy_from_slice(h_before);
                }
            }
        }
    }
}

/// The way back.
pub(crate) struct Backward<'a, T> {
    pub(crate) cell: Cell,
    pub(crate) course: Course<'a>,
    /// The weight of the state, turned: `[G H, H]`.
    pub(crate) weight: Matrix<'a, T>,
    /// What the way there has left.
    pub(crate) states: &'a [T],
    pub(crate) memory: &'a [T],
    pub(crate) kept: &'a [T],
    /// The gradients of what each step gives, `[L, N, H]`; of its memory too, or nothing.
    pub(crate) of_states: &'a [T],
    pub(crate) of_memory: &'a [T],
}

/// Where the gradients go.
pub(crate) struct Gradients<'a, T> {
    /// Of what the inputs give to the gates, `[L, N, G H]`.
    pub(crate) inputs: &'a mut [T],
    /// Of what the states give; nothing where that is the same.
    pub(crate) of_states: &'a mut [T],
    /// Of the state before the first step, `[N, H]`, which is 0 before.
    pub(crate) state: &'a mut [T],
    /// Of its memory, or nothing.
    pub(crate) memory: &'a mut [T],
}

impl<T: Vectorized> Backward<'_, T> {
    /// Fills the gradients.
    ///
    /// # Panics
    /// The sizes do not fit.
    pub(crate) fn run(&self, to: &mut Gradients<'_, T>) {
        let Backward { cell, ref course, weight, states, memory, kept, of_states, of_memory } = *self;
        let &Course { steps, examples, hidden, lengths, .. } = course;
        let has_memory = if cell == Cell::Lstm { 1 } else { 0 };
        let apart = if cell == Cell::Gru { cell.gates() } else { 0 };
        assert!(
            weight.rows() == cell.gates() * hidden
                && weight.columns() == hidden
                && states.len() == course.elements(steps + 1, 1)
                && memory.len() == course.elements(steps + 1, has_memory)
                && kept.len() == course.elements(steps, cell.kept())
                && of_states.len() == course.elements(steps, 1)
                && of_memory.len() == course.elements(steps, has_memory)
                && to.inputs.len() == course.elements(steps, cell.gates())
                && to.of_states.len() == course.elements(steps, apart)
                && to.state.len() == course.elements(1, 1)
                && to.memory.len() == course.elements(1, has_memory)
                && lengths.is_none_or(|lengths| lengths.len() == examples),
            "the sizes of a recurrence must fit"
        );
        let weight = Packed::new(weight);
        let inputs = Shared::new(to.inputs);
        let from_states = if apart == 0 { inputs } else { Shared::new(to.of_states) };
        let [state, memory] = [&mut *to.state, &mut *to.memory].map(Shared::new);
        course.share(course.cost(cell, par::STREAM), &|rows| {
            simd::dispatch(BackwardTask { of: self, weight: &weight, rows, inputs, from_states, state, memory });
        });
    }
}

struct BackwardTask<'a, T: Vectorized> {
    of: &'a Backward<'a, T>,
    weight: &'a Packed<T>,
    rows: Range<usize>,
    inputs: Shared<T>,
    /// The inputs again, or an array of its own.
    from_states: Shared<T>,
    state: Shared<T>,
    memory: Shared<T>,
}

impl<T: Vectorized> VectorKernel for BackwardTask<'_, T> {
    type Output = ();

    run_for_each_set!();

    #[inline(always)]
    unsafe fn run_with<S: Simd>(self) {
        let BackwardTask { of, weight, rows, inputs, from_states, state, memory } = self;
        let Backward { cell, ref course, .. } = *of;
        let Course { steps, examples, hidden, .. } = *course;
        let (gates, width) = (cell.gates() * hidden, cell.kept() * hidden);
        for i in (0..steps).rev() {
            let (step, places) = course.step(i);
            let [before, after] = places.map(|place| place * examples * hidden);
            for example in rows.clone() {
                let at = step * examples + example;
                // SAFETY: `run` has checked the sizes, and each task has examples of its own.
                let (g, a) = unsafe { (part(state, example * hidden, hidden), part(inputs, at * gates, gates)) };
                g.iter_mut().zip(&of.of_states[at * hidden..][..hidden]).for_each(|(g, &more)| *g += more);
                if cell == Cell::Lstm {
                    // SAFETY: as above.
                    let gc = unsafe { part(memory, example * hidden, hidden) };
                    gc.iter_mut().zip(&of.of_memory[at * hidden..][..hidden]).for_each(|(gc, &more)| *gc += more);
                }
                if course.is_over(example, step) {
                    // The state goes past this step, and so does its gradient.
                    a.fill(T::ZERO);
                    if cell == Cell::Gru {
                        // SAFETY: as above; the array is another one.
                        unsafe { part(from_states, at * gates, gates) }.fill(T::ZERO);
                    }
                    continue;
                }
                let [h_before, h] = [before, after].map(|place| &of.states[place + example * hidden..][..hidden]);
                let kept = &of.kept[at * width..][..width];
                match cell {
                    Cell::Tanh => cells::tanh_back(g, h, a),
                    Cell::Relu => cells::relu_back(g, h, a),
                    Cell::Gru => {
                        // SAFETY: as above; the array is another one.
                        let of_state = unsafe { part(from_states, at * gates, gates) };
                        cells::gru_back(g, h_before, kept, a, of_state);
                    }
                    Cell::Lstm => {
                        // SAFETY: as above.
                        let gc = unsafe { part(memory, example * hidden, hidden) };
                        let c_before = &of.memory[before + example * hidden..][..hidden];
                        cells::lstm_back(g, c_before, kept, gc, a);
                    }
                }
                if cell != Cell::Gru {
                    g.fill(T::ZERO);
                }
            }
            // SAFETY: the caller has the instructions. Both have as many rows as the task has examples, which are its own.
            unsafe {
                let a = from_states.pointer().add((step * examples + rows.start) * gates).cast_const();
                let c = state.pointer().add(rows.start * hidden);
                weight.multiply::<S>(rows.len(), (a, gates), (c, hidden), true, None);
            }
        }
    }
}
