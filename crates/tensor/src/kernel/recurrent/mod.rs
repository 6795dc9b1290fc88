//! The steps of a recurrent network, one after the other.
//!
//! Examples know nothing of each other: so each task takes some of them through all steps, and nobody waits for anybody before the end.
//! What a step's state gives to the gates is one product of the task's examples with a weight that was copied into panels once
//! (`matmul::packed`); the gates are loops over one example (`cells`). Where there are too few examples to share, and a step is long enough,
//! the columns of each product are shared instead. Each element has the same bits however they are.
//!
//! Arrays are time-major: `[L, N, …]` for L steps of N examples. A state that a step begins with stands before the one that it gives, or
//! behind, where steps go from the last to the first: so there is one more than there are steps.

mod cells;

use std::ops::Range;
use std::slice;

use super::matmul::{Matrix, Packed, Vectorized};
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

    /// How a way of this cost is shared among threads, with a product of so many panels in each step.
    fn shares(&self, cost: f64, panels: usize) -> Shares {
        let hands = Hands::for_work(cost);
        let by_column = self.examples < hands.threads() && cost / self.steps as f64 > WORTH_COLUMNS && panels > 1;
        Shares { hands, by_column }
    }

    /// What the products and the functions of all steps take, in nanoseconds.
    fn cost(&self, cell: Cell, per_gate: f64) -> f64 {
        self.elements(self.steps, cell.gates()) as f64 * (self.hidden as f64 * par::MULTIPLY_ADD + per_gate)
    }
}

/// Where a step takes less, in nanoseconds, its columns are not shared: to hand them out, and to wait for them, takes 1.5 µs.
const WORTH_COLUMNS: f64 = 2_500.0;

/// Who does what.
#[derive(Clone, Copy)]
struct Shares {
    hands: Hands,
    /// Whether the products of each step are shared, and not the examples.
    by_column: bool,
}

impl Shares {
    /// Makes all steps of all examples: the product of a step by `product`, for some panels, and the rest of it by `rest`; in this order, or,
    /// on the way back, in the other. Both know the number of the step, and the examples.
    fn run(self, course: &Course<'_>, panels: usize, back: bool, product: &Product<'_>, rest: &Rest<'_>) {
        let Course { steps, examples, .. } = *course;
        let tasks = if self.by_column { 1 } else { self.hands.threads().min(examples) };
        let task = |task: usize| {
            let rows = examples * task / tasks..examples * (task + 1) / tasks;
            let all = |i: usize| match self.by_column {
                false => product(i, rows.clone(), 0..panels),
                true => {
                    let parts = self.hands.threads().min(panels);
                    let columns = |part: usize| panels * part / parts..panels * (part + 1) / parts;
                    self.hands.each(parts, &|part| product(i, rows.clone(), columns(part)));
                }
            };
            for i in 0..steps {
                if back {
                    rest(steps - 1 - i, rows.clone());
                    all(steps - 1 - i);
                } else {
                    all(i);
                    rest(i, rows.clone());
                }
            }
        };
        if self.by_column { task(0) } else { self.hands.each(tasks, &task) }
    }
}

type Product<'a> = dyn Fn(usize, Range<usize>, Range<usize>) + Sync + 'a;
type Rest<'a> = dyn Fn(usize, Range<usize>) + Sync + 'a;

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
        let to = [states, memory, kept].map(Shared::new);
        let shares = course.shares(course.cost(cell, par::TRANSCENDENTAL), weight.panels());
        // SAFETY: the sizes are checked, and each call has examples or columns of its own.
        let product = |i, rows, panels| unsafe { self.product(&weight, i, rows, panels, to) };
        // SAFETY: as above; the product of the step has been made.
        let rest = |i, rows| unsafe { self.rest(i, rows, to) };
        shares.run(course, weight.panels(), false, &product, &rest);
    }

    /// Where what is kept of these examples begins.
    fn kept_at(&self, step: usize, first: usize) -> usize {
        let step = if self.keeps { step } else { 0 };
        (step * self.course.examples + first) * self.cell.kept() * self.course.hidden
    }

    /// What the states before the i-th step give to the gates.
    ///
    /// # Safety
    /// The sizes fit, and nobody else has these columns of these examples.
    unsafe fn product(
        &self,
        weight: &Packed<T>,
        i: usize,
        rows: Range<usize>,
        panels: Range<usize>,
        [states, _, kept]: [Shared<T>; 3],
    ) {
        let Course { examples, hidden, .. } = self.course;
        let (step, places) = self.course.step(i);
        let [before, after] = places.map(|place| (place * examples + rows.start) * hidden);
        // SAFETY: as this function; C's rows are other ones than A's: of another step, or what is kept.
        unsafe {
            let c = match self.cell.kept() {
                0 => (states.pointer().add(after), hidden),
                width => (kept.pointer().add(self.kept_at(step, rows.start)), width * hidden),
            };
            let a = (states.pointer().add(before).cast_const(), hidden);
            weight.multiply((rows.len(), panels), a, c, false, self.bias);
        }
    }

    /// What the i-th step makes of it.
    ///
    /// # Safety
    /// The sizes fit, and nobody else has these examples.
    unsafe fn rest(&self, i: usize, rows: Range<usize>, [states, memory, kept]: [Shared<T>; 3]) {
        let &Forward { cell, ref course, inputs, .. } = self;
        let Course { examples, hidden, .. } = *course;
        let (gates, width) = (cell.gates() * hidden, cell.kept() * hidden);
        let (step, places) = course.step(i);
        for example in rows {
            let a = &inputs[(step * examples + example) * gates..][..gates];
            let [before, after] = places.map(|place| (place * examples + example) * hidden);
            // SAFETY: as this function; each of these is another part.
            let (h_before, h, kept) = unsafe {
                (
                    part(states, before, hidden),
                    part(states, after, hidden),
                    part(kept, self.kept_at(step, example), width),
                )
            };
            match cell {
                Cell::Tanh => cells::tanh(a, h),
                Cell::Relu => cells::relu(a, h),
                Cell::Gru => cells::gru(a, h_before, kept, h),
                Cell::Lstm => {
                    // SAFETY: as above.
                    let [c_before, c] = [before, after].map(|at| unsafe { part(memory, at, hidden) });
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

/// Elements of an array that tasks share.
///
/// # Safety
/// They are within the array, which is still borrowed, and no other task has any of them.
#[inline(always)]
unsafe fn part<'a, T>(array: Shared<T>, start: usize, len: usize) -> &'a mut [T] {
    // SAFETY: as this function.
    unsafe { slice::from_raw_parts_mut(array.pointer().add(start), len) }
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
        let of_states = if apart == 0 { inputs } else { Shared::new(to.of_states) };
        let [state, memory] = [&mut *to.state, &mut *to.memory].map(Shared::new);
        let to = Places { inputs, of_states, state, memory };
        let shares = course.shares(course.cost(cell, par::STREAM), weight.panels());
        // SAFETY: the sizes are checked, and each call has examples or columns of its own.
        let product = |i, rows, panels| unsafe { self.product(&weight, i, rows, panels, to) };
        // SAFETY: as above.
        let rest = |i, rows| unsafe { self.rest(i, rows, to) };
        shares.run(course, weight.panels(), true, &product, &rest);
    }

    /// What goes back from the gates of the i-th step to the state before it.
    ///
    /// # Safety
    /// The sizes fit, and nobody else has these columns of these examples.
    unsafe fn product(&self, weight: &Packed<T>, i: usize, rows: Range<usize>, panels: Range<usize>, to: Places<T>) {
        let Course { examples, hidden, .. } = self.course;
        let (step, gates) = (self.course.step(i).0, self.cell.gates() * hidden);
        // SAFETY: as this function; C is another array than A.
        unsafe {
            let a = to.of_states.pointer().add((step * examples + rows.start) * gates).cast_const();
            let c = to.state.pointer().add(rows.start * hidden);
            weight.multiply((rows.len(), panels), (a, gates), (c, hidden), true, None);
        }
    }

    /// The gradients of the gates of the i-th step, and what goes back past them.
    ///
    /// # Safety
    /// The sizes fit, and nobody else has these examples.
    unsafe fn rest(&self, i: usize, rows: Range<usize>, to: Places<T>) {
        let &Backward { cell, ref course, .. } = self;
        let Course { examples, hidden, .. } = *course;
        let (gates, width) = (cell.gates() * hidden, cell.kept() * hidden);
        let (step, places) = course.step(i);
        let [before, after] = places.map(|place| place * examples * hidden);
        for example in rows {
            let at = step * examples + example;
            // SAFETY: as this function, here and below; arrays are other ones, but for that of the inputs and of the states where they have
            // the same gradients, which is then taken once.
            let (g, a) = unsafe { (part(to.state, example * hidden, hidden), part(to.inputs, at * gates, gates)) };
            g.iter_mut().zip(&self.of_states[at * hidden..][..hidden]).for_each(|(g, &more)| *g += more);
            if cell == Cell::Lstm {
                // SAFETY: as above.
                let gc = unsafe { part(to.memory, example * hidden, hidden) };
                gc.iter_mut().zip(&self.of_memory[at * hidden..][..hidden]).for_each(|(gc, &more)| *gc += more);
            }
            if course.is_over(example, step) {
                // The state goes past this step, and so does its gradient.
                a.fill(T::ZERO);
                if cell == Cell::Gru {
                    // SAFETY: as above.
                    unsafe { part(to.of_states, at * gates, gates) }.fill(T::ZERO);
                }
                continue;
            }
            let [h_before, h] = [before, after].map(|place| &self.states[place + example * hidden..][..hidden]);
            let kept = &self.kept[at * width..][..width];
            match cell {
                Cell::Tanh => cells::tanh_back(g, h, a),
                Cell::Relu => cells::relu_back(g, h, a),
                Cell::Gru => {
                    // SAFETY: as above.
                    let of_state = unsafe { part(to.of_states, at * gates, gates) };
                    cells::gru_back(g, h_before, kept, a, of_state);
                }
                Cell::Lstm => {
                    // SAFETY: as above.
                    let gc = unsafe { part(to.memory, example * hidden, hidden) };
                    let c_before = &self.memory[before + example * hidden..][..hidden];
                    cells::lstm_back(g, c_before, kept, gc, a);
                }
            }
            if cell != Cell::Gru {
                g.fill(T::ZERO);
            }
        }
    }
}

/// Where the gradients go, as tasks share them.
#[derive(Clone, Copy)]
struct Places<T> {
    inputs: Shared<T>,
    /// The inputs again, or an array of its own.
    of_states: Shared<T>,
    state: Shared<T>,
    memory: Shared<T>,
}
