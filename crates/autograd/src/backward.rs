//! From a result back to the leaves.

use tensor::{Float, Shape, Tensor};

use crate::Id;
use crate::gradients::{BitSet, Gradients, RetainedGradient};
use crate::tape::{Graph, PartGradient, Place, PulledGradients, Var};

impl<T: Float> Var<'_, T> {
    /// The gradients of this value, which has one element, with respect to every leaf that it depends on.
    ///
    /// # Panics
    /// The value has more elements than one (see [`backward_with`](Self::backward_with)), or depends on no leaf whose
    /// gradient is wanted.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([1.0, 2.0]));
    /// let y = (x * x).sum(..);
    /// assert_eq!(y.backward().get(x), Some(&Tensor::from([2.0, 4.0])));
    /// ```
    #[track_caller]
    pub fn backward(self) -> Gradients<T> {
        let shape = self.shape();
        assert!(
            shape.numel() == 1,
            "backward: needs a value of one element, got {shape}; reduce it, or give its gradient to `backward_with`"
        );
        self.backward_with(Tensor::ones(shape))
    }

    /// The gradients of ⟨seed, value⟩ with respect to every leaf: the pullback of `seed` through the whole tape.
    ///
    /// # Panics
    /// The seed has another shape than the value, or the value depends on no leaf whose gradient is wanted.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([1.0, 2.0]));
    /// let gradients = (x * x).backward_with(Tensor::from([1.0, 10.0]));
    /// assert_eq!(gradients.get(x), Some(&Tensor::from([2.0, 40.0])));
    /// ```
    #[track_caller]
    pub fn backward_with(self, seed: Tensor<T>) -> Gradients<T> {
        let shape = self.shape();
        assert!(seed.shape() == &shape, "backward_with: the value is {shape}, the seed {}", seed.shape());
        self.swept("backward", seed, &mut |_, gradient| Some(gradient))
    }

    /// As [`backward_with`](Self::backward_with), which hands out the gradient of each leaf that has a name as soon as it is finished, while
    /// the pass goes on: the last that was put on the tape comes first. What `finished` returns is kept, as if nobody had looked; where it
    /// returns `None`, it has taken the gradient away. PyTorch's `register_post_accumulate_grad_hook`.
    ///
    /// # Panics
    /// As there.
    ///
    /// # Example
    /// ```
    /// use autograd::{Id, Tape};
    /// use tensor::Tensor;
    ///
    /// let (tape, ids) = (Tape::new(), [Id::new(), Id::new()]);
    /// let first = tape.named_leaf(ids[0], &Tensor::from([3.0]));
    /// let y = first.scale(2.0) * tape.named_leaf(ids[1], &Tensor::from([5.0]));
    /// let mut sent = Vec::new();
    /// y.backward_handing(Tensor::ones([1]), &mut |id, gradient| {
    ///     sent.push((id, gradient.item()));
    ///     None
    /// });
    /// assert_eq!(sent, [(ids[1], 6.0), (ids[0], 10.0)]);
    /// ```
    #[doc(alias = "register_post_accumulate_grad_hook")]
    #[track_caller]
    pub fn backward_handing(self, seed: Tensor<T>, finished: Finished<'_, T>) -> Gradients<T> {
        let shape = self.shape();
        assert!(seed.shape() == &shape, "backward_handing: the value is {shape}, the seed {}", seed.shape());
        self.swept("backward_handing", seed, finished)
    }

    #[track_caller]
    fn swept(self, call: &str, seed: Tensor<T>, finished: Finished<'_, T>) -> Gradients<T> {
        assert!(
            self.tape.wants_gradients || self.needs_gradient(),
            "{call}: the tape records no gradients, as `Tape::no_grad` makes it; `Tape::new` makes one that does"
        );
        assert!(
            self.needs_gradient(),
            "{call}: the result of `{}` depends on no leaf whose gradient is wanted",
            self.op()
        );
        let graph = self.tape.graph.borrow();
        let (kept, not_retained) = sweep(&graph, self.index as usize, seed, self.tape.retains_all.get(), finished);
        Gradients::new(self.tape.id, kept, not_retained, self.tape.updates())
    }
}

/// What [`Var::backward_handing`] does with the gradient of a named leaf that is finished: what comes back is kept.
pub type Finished<'f, T> = &'f mut dyn FnMut(Id, Tensor<T>) -> Option<Tensor<T>>;

impl<'t, T: Float> Var<'t, T> {
    /// What its own pullback makes of a gradient: a share for each use of an input that needs one, without going further back.
    /// [`backward`](Self::backward) adds up the shares of all uses; this tells which op gave which.
    ///
    /// # Panics
    /// The gradient has another shape than the value.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([3.0]));
    /// let (double, square) = (x.scale(2.0), x * x);
    /// let share = |of: autograd::Var<'_>| -> f32 { of.pull(&Tensor::ones([1])).iter().map(|(_, g)| g.item()).sum() };
    /// assert_eq!((share(double), share(square)), (2.0, 6.0));
    /// ```
    #[track_caller]
    pub fn pull(self, gradient: &Tensor<T>) -> Vec<(Var<'t, T>, Tensor<T>)> {
        let graph = self.tape.graph.borrow();
        let node = &graph.nodes[self.index as usize];
        let (want, got) = (node.value.shape(), gradient.shape());
        assert!(want == got, "pull: the value is {want}, the gradient {got}");
        let mut given = PulledGradients { shares: Vec::new(), parts: Vec::new(), missing: None };
        if let Some(pullbacks) = &node.pullbacks {
            pullbacks.pull(gradient.clone(), &mut given);
        }
        let whole =
            |(index, part): (u32, PartGradient<T>)| (index, part.whole(graph.nodes[index as usize].value.shape()));
        let shares = given.shares.into_iter().chain(given.parts.into_iter().map(whole));
        shares.map(|(index, share)| (Var { tape: self.tape, index }, share)).collect()
    }
}

/// Walks from the node `last` down to the first, and hands each gradient on to the inputs. Leaves keep their gradients.
#[track_caller]
fn sweep<T: Float>(
    graph: &Graph<T>,
    last: usize,
    seed: Tensor<T>,
    keep_all: bool,
    finished: Finished<'_, T>,
) -> (Vec<RetainedGradient<T>>, BitSet) {
    let (mut kept, mut not_retained) = (Vec::with_capacity(graph.named.len()), BitSet::default());
    // Room for what is waiting in most models.
    let (slots, free) = (Vec::with_capacity(8), Vec::with_capacity(8));
    let mut pending = Pending { slot_of: vec![0; last + 1], slots, free };
    pending.add(last, seed);
    let mut given = PulledGradients { shares: Vec::with_capacity(4), parts: Vec::new(), missing: None };
    for (index, node) in graph.nodes[..=last].iter().enumerate().rev() {
        let Some(gradient) = pending.take(index) else { continue };
        let mut keep = |gradient, is_leaf| {
            kept.push(RetainedGradient { index: Some(index as u32), name: node.name, is_leaf, gradient });
        };
        let Some(pullbacks) = &node.pullbacks else {
            let gradient = match node.name {
                Some(name) => finished(name, gradient),
                None => Some(gradient),
            };
            gradient.into_iter().for_each(|gradient| keep(gradient, true));
            continue;
        };
        if keep_all || node.retained {
            keep(gradient.clone(), false);
        } else {
            not_retained.insert(index as u32);
        }
        pullbacks.pull(gradient, &mut given);
        if let Some(input) = given.missing {
            panic!(
                "the pullback of `{}` gave no gradient for its input {input}, which needs one; it was recorded at {}",
                node.op.name, node.by
            );
        }
        for (input, share) in given.shares.drain(..) {
            let shape = graph.nodes[input as usize].value.shape();
            assert!(
                share.shape() == shape,
                "the pullback of `{}` gave a gradient of shape {} for an input of shape {shape}; it was recorded at {}",
                node.op.name,
                share.shape(),
                node.by,
            );
            pending.add(input as usize, share);
        }
        for (input, part) in given.parts.drain(..) {
            pending.add_part(input as usize, &part, graph.nodes[input as usize].value.shape());
        }
    }
    kept.reverse();
    (kept, not_retained)
}

/// The gradients that have come in so far for values still to be visited. Few are waiting at a time, however long the tape.
struct Pending<T: Float> {
    /// By place on the tape: 1 + where in `slots`, or 0.
    slot_of: Vec<u32>,
    slots: Vec<Option<Tensor<T>>>,
    /// The slots that are empty.
    free: Vec<u32>,
}

impl<T: Float> Pending<T> {
    fn take(&mut self, index: usize) -> Option<Tensor<T>> {
        let slot = self.slot_of[index].checked_sub(1)?;
        self.free.push(slot);
        self.slots[slot as usize].take()
    }

    fn add(&mut self, index: usize, share: Tensor<T>) {
        if let Some(slot) = self.slot_of[index].checked_sub(1) {
            let slot = &mut self.slots[slot as usize];
            *slot = Some(match slot.take() {
                Some(earlier) => earlier + share,
                None => share,
            });
            return;
        }
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() as u32 - 1
        });
        self.slots[slot as usize] = Some(share);
        self.slot_of[index] = slot + 1;
    }

    /// Adds a part of the gradient of the value at `index`, which has this shape.
    fn add_part(&mut self, index: usize, part: &PartGradient<T>, shape: &Shape) {
        let slot = self.slot_of[index].checked_sub(1).map(|slot| &mut self.slots[slot as usize]);
        if let Some(slot) = slot
            && let Some(earlier) = slot.take()
        {
            *slot = Some(part.added_to(earlier));
            return;
        }
        self.add(index, part.whole(shape));
    }
}

impl<T: Float> PartGradient<T> {
    /// The gradient of all of a value of this shape.
    fn whole(&self, shape: &Shape) -> Tensor<T> {
        match self.place {
            Place::Slice { axis, start } => {
                let mut widths = vec![(0, 0); shape.rank()];
                widths[axis] = (start, shape.dims()[axis] - start - self.gradient.dims()[axis]);
                self.gradient.pad(&widths, T::ZERO)
            }
            _ => self.added_to(Tensor::zeros(shape)),
        }
    }

    /// The sum with what the value has so far.
    fn added_to(&self, earlier: Tensor<T>) -> Tensor<T> {
        match &self.place {
            &Place::Slice { axis, start } => {
                let end = start + self.gradient.dims()[axis];
                earlier.slice_add(axis as isize, start..end, &self.gradient)
            }
            Place::Rows { axis, indices } => earlier.index_add(*axis, indices, &self.gradient),
            Place::Elements { axis, indices } => earlier.scatter_add(*axis, indices, &self.gradient),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Id, Tape};

    #[test]
    fn a_value_used_twice_gets_the_sum_and_backward_twice_is_the_same() {
        let tape = Tape::new();
        let x = tape.leaf(Tensor::from([3.0]));
        let y = x * x * x + x;
        assert_eq!(y.backward().get(x), Some(&Tensor::from([28.0])));
        assert_eq!(y.backward().get(x), Some(&Tensor::from([28.0])));
    }

    #[test]
    fn what_is_handed_out_is_what_is_kept_each_once_and_the_last_first() {
        let tape = Tape::new();
        let (ids, x) = ([Id::new(), Id::new()], Tensor::from([0.5, -2.0]));
        let [a, b] = ids.map(|id| tape.named_leaf(id, &x));
        let unnamed = tape.leaf(x);
        let y = (a * b * a + b * unnamed).sum(..);
        let want = y.backward();
        let mut handed = Vec::new();
        let rest = y.backward_handing(Tensor::ones(()), &mut |id, gradient| {
            handed.push((id, gradient.clone()));
            (id == ids[0]).then_some(gradient)
        });
        let of = |id| (id, want.named(id).unwrap().clone());
        assert_eq!(handed, [of(ids[1]), of(ids[0])]);
        assert_eq!((rest.named(ids[0]), rest.named(ids[1])), (want.named(ids[0]), None));
        assert_eq!(rest.get(unnamed), want.get(unnamed));
    }

    #[test]
    fn only_what_the_result_depends_on_has_a_gradient() {
        let tape = Tape::new();
        let (x, unused) = (tape.leaf(Tensor::scalar(2.0)), tape.leaf(Tensor::scalar(2.0)));
        let constant = tape.constant(Tensor::scalar(3.0));
        let middle = x * constant;
        let later = middle * unused;
        let gradients = middle.backward();
        assert_eq!(gradients.get(x), Some(&Tensor::scalar(3.0)));
        for var in [unused, constant, later] {
            assert_eq!(gradients.get(var), None, "{var:?}");
        }
    }

    #[test]
    fn gradients_of_intermediates_are_kept_on_request_and_equal_those_of_leaves() {
        let x = Tensor::from([0.5, -2.0]);
        let tape = Tape::new();
        let h = tape.leaf(x.clone()).tanh().retain_gradient();
        let gradients = (h * h).sum(..).backward();
        // The same from there on, with a leaf in its place.
        let leaf = tape.leaf(h.value());
        let want = (leaf * leaf).sum(..).backward();
        assert_eq!(gradients.get(h), want.get(leaf));

        tape.retain_gradients(true);
        let y = h.scale(3.0);
        let gradients = (y * h).sum(..).backward();
        assert_eq!(gradients.get(y), Some(&h.value()));
        assert_eq!(gradients.get(h), Some(&(h.value() * 6.0)));
        tape.retain_gradients(false);
        let again = (y * h).sum(..).backward();
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| again.get(y))).is_err());
        assert_eq!(again.get(h), gradients.get(h));
    }

    #[test]
    #[should_panic(expected = "get: the gradient of Var(1 tanh [1]) was not kept; call `retain_gradient` on it before")]
    fn a_gradient_that_was_not_kept_is_not_passed_over() {
        let tape = Tape::new();
        let h = tape.leaf(Tensor::from([0.5])).tanh();
        h.scale(2.0).backward().get(h);
    }

    #[test]
    fn parts_are_added_where_they_belong_and_change_no_gradient_that_others_see() {
        let (tape, c) = (Tape::new(), Tensor::from([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]));
        let x = tape.leaf(c.clone());
        // What x gets of y first is the gradient of y itself, which is kept.
        let first = x.select(0, -1).sum(..).scale(10.0) + x.slice(0, 1..).sum(..).scale(100.0);
        let strided = x.slice_step(0, .., 2).narrow(1, 1, 1).sum(..).scale(1000.0);
        let y = (x + 1.0).retain_gradient();
        let gradients = (first + strided + (y * tape.constant(c.clone())).sum(..)).backward();
        assert_eq!(gradients.get(y), Some(&c));
        let parts = Tensor::from([[0.0, 1000.0], [100.0, 100.0], [110.0, 1110.0]]);
        assert_eq!(gradients.get(x), Some(&(c + parts)));
        // Alone, one is the whole.
        let shares = x.select(1, 0).pull(&Tensor::from([1.0, 2.0, 3.0]));
        assert_eq!(shares[0].1, Tensor::from([[1.0, 0.0], [2.0, 0.0], [3.0, 0.0]]));
    }

    #[test]
    fn rows_and_elements_are_added_to_what_is_there() {
        let (tape, c) = (Tape::new(), Tensor::from([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]));
        let table = tape.leaf(c.clone());
        let rows = Tensor::from([2, 0, 2]);
        let found = table.embedding(&rows);
        let picked = table.gather(1, &Tensor::from([[1, 1], [0, 1], [0, 0]]));
        // A tied head, whose gradient comes first.
        let tied = found.detach().matmul(table.t()).sum(..);
        let one = |y: Var<'_>| y.backward().get(table).unwrap().clone();
        let all = one(tied + found.sum(..).scale(10.0) + picked.sum(..).scale(100.0));
        assert_eq!(all, one(tied) + one(found.sum(..)) * 10.0 + one(picked.sum(..)) * 100.0);
        assert_eq!(one(found.sum(..)), Tensor::from([[1.0, 1.0], [0.0, 0.0], [2.0, 2.0]]));
        assert_eq!(one(picked.sum(..)), Tensor::from([[0.0, 2.0], [1.0, 1.0], [2.0, 0.0]]));
        assert!(one(tied).is_contiguous());
        let padded = one(table.embedding_with_padding(&rows, 2).sum(..) + table.sum(..));
        assert_eq!(padded, Tensor::from([[2.0, 2.0], [1.0, 1.0], [1.0, 1.0]]));
    }

    #[test]
    fn a_joint_pullback_is_called_once_and_gives_only_what_is_needed() {
        use std::sync::Arc;
        use std::sync::atomic::{AtomicUsize, Ordering};
        fn product<'t>(inputs: [Var<'t>; 3], calls: &Arc<AtomicUsize>) -> Var<'t> {
            let (calls, [x, y, z]) = (Arc::clone(calls), inputs.map(Var::value));
            let result = &x * &y * &z;
            let record = inputs[0].record("product", result).joint(&inputs, move |g, shares| {
                calls.fetch_add(1, Ordering::Relaxed);
                shares.give(0, || &g * &y * &z);
                shares.give(1, || &g * &x * &z);
                assert!(!shares.wants(2));
                shares.give(2, || panic!("it is a constant"));
            });
            record.done()
        }
        let calls = Arc::new(AtomicUsize::new(0));
        let tape = Tape::new();
        let [a, b] = [2.0, 3.0].map(|x| tape.leaf(Tensor::scalar(x)));
        let constant = tape.constant(Tensor::scalar(5.0));
        let gradients = product([a, b, constant], &calls).backward();
        assert_eq!(gradients.get(a), Some(&Tensor::scalar(15.0)));
        assert_eq!(gradients.get(b), Some(&Tensor::scalar(10.0)));
        assert_eq!(calls.load(Ordering::Relaxed), 1);
        // An input that is there twice gets both shares.
        assert_eq!(product([a, a, constant], &calls).backward().get(a), Some(&Tensor::scalar(20.0)));
    }

    #[test]
    #[should_panic(expected = "the pullback of `half` gave no gradient for its input 1, which needs one")]
    fn a_joint_pullback_that_forgets_an_input_is_refused() {
        let tape = Tape::new();
        let [a, b] = [2.0, 3.0].map(|x| tape.leaf(Tensor::scalar(x)));
        let half = a.record("half", a.value() + b.value()).joint(&[a, b], |g, shares| shares.give(0, || g));
        half.done().backward();
    }

    #[test]
    fn what_is_not_done_leaves_nothing_and_what_needs_no_gradient_frees_its_pullback() {
        use std::sync::Arc;
        let held = Arc::new(());
        let tape = Tape::new();
        let (x, constant) = (tape.leaf(Tensor::scalar(2.0)), tape.constant(Tensor::scalar(3.0)));
        let hold = || {
            let held = Arc::clone(&held);
            move |g: Tensor| {
                let _ = &held;
                g
            }
        };
        let abandoned = x.record("abandoned", x.value()).wrt(x, hold());
        assert_eq!(Arc::strong_count(&held), 2);
        drop(abandoned);
        assert_eq!((Arc::strong_count(&held), tape.len()), (1, 2));
        let _ = x.record("half", x.value()).wrt(constant, hold()).wrt(x, hold()).done();
        assert_eq!(Arc::strong_count(&held), 2);
        let _ = constant.record("none", x.value()).wrt(constant, hold()).done();
        assert_eq!(Arc::strong_count(&held), 2);
        let last = constant.record("none", x.value()).joint(&[constant], {
            let held = Arc::clone(&held);
            move |_, _| _ = &held
        });
        assert!(!last.done().needs_gradient());
        assert_eq!(Arc::strong_count(&held), 2);
        drop(tape);
        assert_eq!(Arc::strong_count(&held), 1);
    }

    #[test]
    #[should_panic(expected = "named_leaf: the value has changed since its first use on this tape; reset the tape")]
    fn a_forgotten_reset_does_not_train_on_old_values() {
        let tape = Tape::new();
        let (id, mut w) = (Id::new(), Tensor::from([3.0]));
        let gradients = tape.named_leaf(id, &w).scale(2.0).backward();
        w.axpy(-0.1, gradients.named(id).unwrap());
        tape.named_leaf(id, &w);
    }

    #[test]
    fn a_million_nodes_are_no_deeper_than_ten() {
        let tape = Tape::default();
        let x = tape.leaf(Tensor::scalar(1.0_f64));
        let mut y = x;
        for _ in 0..1_000_000 {
            y = y + x;
        }
        assert_eq!(y.backward().get(x).unwrap().item(), 1_000_001.0);
    }

    #[test]
    fn a_tape_can_move_to_another_thread() {
        fn sent<V: Send>(_: &V) {}
        sent(&Tape::<f32>::new());
        let tape = Tape::new();
        sent(&tape.leaf(Tensor::scalar(1.0)).tanh().backward());
    }

    #[test]
    #[should_panic(expected = "backward: needs a value of one element, got [2]")]
    fn a_vector_needs_a_seed() {
        Tape::new().leaf(Tensor::from([1.0, 2.0])).tanh().backward();
    }

    #[test]
    #[should_panic(expected = "the result of `tanh` depends on no leaf")]
    fn a_constant_has_no_gradients() {
        Tape::new().constant(Tensor::scalar(1.0)).tanh().backward();
    }

    #[test]
    #[should_panic(expected = "add: its inputs are on two tapes")]
    fn two_tapes_do_not_mix() {
        let (one, two) = (Tape::new(), Tape::new());
        let _ = one.leaf(Tensor::scalar(1.0)) + two.leaf(Tensor::scalar(1.0));
    }

    #[test]
    #[should_panic(expected = "the pullback of `wrong` gave a gradient of shape [] for an input of shape [2]")]
    fn a_pullback_of_another_shape_is_refused() {
        let tape = Tape::new();
        let x = tape.leaf(Tensor::from([1.0, 2.0]));
        x.record("wrong", x.value()).wrt(x, |g| g.sum(..)).done().backward_with(Tensor::ones([2]));
    }
}
