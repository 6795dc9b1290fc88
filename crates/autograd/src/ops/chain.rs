//! Steps one after the other, of which a prediction keeps no more than it needs.

use tensor::Float;

use crate::tape::{Tape, Var};
use crate::{Op, Role};

/// From a value of so many elements on, the steps of a [chain](Var::chain) have tapes of their own in evaluation. Such a tape takes 0.2 µs (Zen 5),
/// which is 4 % of a linear layer of 64 units by so many elements; below, memory is no matter.
const WORTH_A_SCOPE: usize = 1 << 13;

impl<'t, T: Float> Var<'t, T> {
    /// Applies `step` with each of some items, such as layers, one after the other. In a pass without gradients, what a step has computed is
    /// let go of when the next has its result, so that a prediction holds two values at a time and not all: a loop by hand keeps each on the
    /// tape, as anything may still ask for it. In training it is that loop.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let weights = vec![Tensor::from([[0.5, -0.5], [0.5, 0.5]]); 40];
    /// let tape = Tape::no_grad();
    /// let y = tape.constant(Tensor::ones([8192, 2])).chain(&weights, |w, h| h.matmul(h.tape().constant(w.clone())).tanh());
    /// assert_eq!((y.shape().dims(), tape.len()), (&[8192, 2][..], 2));
    /// ```
    #[track_caller]
    pub fn chain<I: IntoIterator>(self, items: I, step: impl for<'s> Fn(I::Item, Var<'s, T>) -> Var<'s, T>) -> Self {
        let (tape, mut x, mut items) = (self.tape(), self, items.into_iter().peekable());
        // Values that are small are kept, and so is all where gradients or readers ask for it.
        while !tape.lets_go() || x.peek().numel() < WORTH_A_SCOPE {
            let Some(item) = items.next() else { return x };
            x = step(item, x);
        }
        if items.peek().is_none() {
            return x;
        }
        let mut value = x.value();
        for item in items {
            value = tape.scope(|tape| step(item, tape.constant(value)).value());
        }
        x.record(Op::new("chain", Role::Segment), value).without(x).done()
    }

    /// Computes `segment(self)`; in a pass without gradients on a tape of its own, so that only its result stays. In training it is
    /// the segment as it is: [`recomputed`](Self::recomputed) saves memory there.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::no_grad();
    /// let y = tape.constant(Tensor::ones([8192, 2])).scoped(|x| x + (x.square() * 2.0).tanh());
    /// assert_eq!((y.shape().dims(), tape.len()), (&[8192, 2][..], 2));
    /// ```
    #[track_caller]
    pub fn scoped(self, segment: impl for<'s> Fn(Var<'s, T>) -> Var<'s, T>) -> Self {
        self.chain([()], |(), x| segment(x))
    }
}

impl<T: Float> Tape<T> {
    /// Whether values that nothing will ask for may be let go of: in evaluation without gradients, where no reader looks on.
    fn lets_go(&self) -> bool {
        let is_read = self.keeps_segments.get() || self.retains_all.get() || !self.stand_ins.borrow().is_empty();
        !self.wants_gradients && !self.is_training() && !is_read
    }
}

#[cfg(test)]
mod tests {
    use tensor::Tensor;

    use super::*;
    use crate::{Id, Mode};

    fn steps<'t>(x: Var<'t, f64>, count: usize) -> Var<'t, f64> {
        x.chain(0..count, |i, h| (h * (1.0 + i as f64)).tanh())
    }

    #[test]
    fn it_is_the_loop_of_its_steps() {
        let tape = Tape::<f64>::default();
        let x = Tensor::from([0.1, -0.3]);
        assert_eq!(steps(tape.constant(x.clone()), 0).value(), x);
        // In evaluation, large or small, values are the same.
        for n in [2, WORTH_A_SCOPE] {
            let x = Tensor::from_fn([n], |i| (i[0] % 7) as f64 / 7.0);
            let [train, eval] = [Mode::Train, Mode::Eval].map(|mode| {
                let tape = Tape::in_mode(mode);
                let x = tape.constant(x.clone());
                (steps(x, 3).value(), tape.len(), steps(x, 0).index())
            });
            assert_eq!(train.0, eval.0);
            assert_eq!((train.1, eval.1, eval.2), (7, if n == 2 { 7 } else { 2 }, 0));
        }
    }

    /// A small input whose first step makes much of it.
    #[test]
    fn what_grows_on_the_way_is_let_go_of_too() {
        let tape = Tape::<f64>::in_mode(Mode::Eval);
        let wide = Tensor::from_fn([2, WORTH_A_SCOPE], |i| (i[1] % 5) as f64);
        let y = tape.constant(Tensor::ones([1, 2])).chain(0..9, |i, h| match i {
            0 => h.matmul(h.tape().constant(wide.clone())),
            _ => h.tanh(),
        });
        // The input, the wide weight, what they make, and the rest.
        assert_eq!((y.shape().dims(), tape.len()), (&[1, WORTH_A_SCOPE][..], 4));
    }

    #[test]
    fn readers_and_gradients_keep_all_of_it() {
        let long = Tensor::<f64>::ones([WORTH_A_SCOPE]);
        let with_gradients = Tape::<f64>::default().with_mode(Mode::Eval);
        let read = Tape::<f64>::in_mode(Mode::Eval);
        read.keep_segments(true);
        let train = Tape::<f64>::in_mode(Mode::Eval).with_mode(Mode::Train);
        for tape in [with_gradients, read, train] {
            steps(tape.constant(long.clone()), 3);
            assert_eq!(tape.len(), 7);
        }
        // What is named, and what stands in for it, is the same within.
        let (id, w) = (Id::new(), Tensor::from([2.0]));
        let tape = Tape::<f64>::in_mode(Mode::Eval);
        tape.substitute(id, Tensor::from([3.0]));
        let y = tape.constant(long).scoped(|x| x * x.tape().named_leaf(id, &w));
        assert_eq!(y.value().max(..).item(), 3.0);
    }
}
