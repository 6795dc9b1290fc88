//! From a result back to the leaves.

use tensor::{Float, Tensor};

use crate::id::Id;
use crate::tape::{Graph, Var};

/// The gradients of one result with respect to the leaves of its tape.
///
/// They are apart from the tape: calling `backward` twice gives them twice, and nothing needs to be set to zero.
#[derive(Debug)]
pub struct Gradients<T: Float = f32> {
    tape: Id,
    /// By position on the tape; only leaves keep theirs.
    by_index: Vec<Option<Tensor<T>>>,
    /// The leaves that have a name of their own, sorted by it.
    named: Vec<(Id, u32)>,
}

impl<T: Float> Gradients<T> {
    /// The gradient with respect to a leaf, in its shape; `None` where the result does not depend on it, where it is
    /// not a leaf, and where it is a leaf of another tape or of this one before its reset.
    pub fn get(&self, leaf: Var<'_, T>) -> Option<&Tensor<T>> {
        (leaf.tape.id == self.tape).then(|| self.by_index.get(leaf.index as usize)?.as_ref())?
    }

    /// The gradient with respect to the leaf of that name; `None` where the result does not depend on it.
    pub fn named(&self, id: Id) -> Option<&Tensor<T>> {
        let position = self.named.binary_search_by_key(&id, |&(id, _)| id).ok()?;
        self.by_index[self.named[position].1 as usize].as_ref()
    }
}

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
        assert!(
            self.needs_gradient(),
            "backward: the result of `{}` depends on no leaf whose gradient is wanted",
            self.op()
        );
        let graph = self.tape.graph.borrow();
        let by_index = sweep(&graph, self.index as usize, seed);
        let name = |(index, gradient): (usize, &Option<Tensor<T>>)| {
            gradient.as_ref()?;
            graph.nodes[index].name.map(|id| (id, index as u32))
        };
        let mut named: Vec<(Id, u32)> = by_index.iter().enumerate().filter_map(name).collect();
        named.sort_unstable();
        Gradients { tape: self.tape.id, by_index, named }
    }
}

/// Walks from the node `last` down to the first, handing each gradient on to the inputs; leaves keep theirs.
#[track_caller]
fn sweep<T: Float>(graph: &Graph<T>, last: usize, seed: Tensor<T>) -> Vec<Option<Tensor<T>>> {
    let mut gradients: Vec<Option<Tensor<T>>> = Vec::new();
    gradients.resize_with(last + 1, || None);
    gradients[last] = Some(seed);
    for index in (0..=last).rev() {
        let mut next = graph.nodes[index].edge;
        if next.is_none() {
            continue;
        }
        let Some(mut gradient) = gradients[index].take() else { continue };
        while let Some(edge) = next {
            let edge = &graph.edges[edge as usize];
            next = edge.next;
            // The last input gets the gradient itself, and with it the buffer.
            let own = if next.is_some() { gradient.clone() } else { std::mem::take(&mut gradient) };
            let share = (edge.pullback)(own);
            let input = &graph.nodes[edge.input as usize];
            assert!(
                share.shape() == input.value.shape(),
                "the pullback of `{}` gave a gradient of shape {} for an input of shape {}",
                graph.nodes[index].op,
                share.shape(),
                input.value.shape()
            );
            let sum = &mut gradients[edge.input as usize];
            *sum = Some(match sum.take() {
                Some(earlier) => earlier + share,
                None => share,
            });
        }
    }
    gradients
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tape;

    #[test]
    fn a_value_used_twice_gets_the_sum_and_backward_twice_is_the_same() {
        let tape = Tape::new();
        let x = tape.leaf(Tensor::from([3.0]));
        let y = x * x * x + x;
        assert_eq!(y.backward().get(x), Some(&Tensor::from([28.0])));
        assert_eq!(y.backward().get(x), Some(&Tensor::from([28.0])));
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
        for var in [unused, constant, middle, later] {
            assert_eq!(gradients.get(var), None, "{var:?}");
        }
    }

    #[test]
    fn gradients_outlive_a_reset_and_do_not_answer_for_the_next_step() {
        let mut tape = Tape::new();
        let id = Id::new();
        let gradients = (tape.named_leaf(id, &Tensor::scalar(2.0)) * 5.0).backward();
        tape.reset();
        assert!(tape.is_empty());
        let next = tape.leaf(Tensor::scalar(2.0));
        assert_eq!(gradients.get(next), None);
        assert_eq!(gradients.named(id), Some(&Tensor::scalar(5.0)));
    }

    #[test]
    #[should_panic(expected = "the value has changed since its first use on this tape; reset the tape")]
    fn a_forgotten_reset_does_not_train_on_old_values() {
        let tape = Tape::new();
        let (id, mut w) = (Id::new(), Tensor::from([3.0]));
        let gradients = tape.named_leaf(id, &w).scale(2.0).backward();
        w.axpy(-0.1, gradients.named(id).unwrap());
        tape.named_leaf(id, &w);
    }

    #[test]
    fn a_million_nodes_are_no_deeper_than_ten() {
        let tape = Tape::new();
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
