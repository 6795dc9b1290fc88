//! Segments of a pass whose values are computed again on the way back.

use std::cell::{Cell, RefCell};

use tensor::{Float, ensure};

use crate::draws::KeyLog;
use crate::tape::{Tape, Var};
use crate::{Id, Op, Role};

impl<'t, T: Float> Var<'t, T> {
    /// Computes `segment(self)` and keeps only its result on the tape: what lies between is computed again on the way back, which takes
    /// the time of the segment's forward pass and saves its memory (Chen et al., 2016, *Training Deep Nets with Sublinear Memory Cost*).
    /// PyTorch's `torch.utils.checkpoint`.
    ///
    /// Values and gradients have the bits that they would have without, and what is drawn is the same, [dropout](Self::dropout) included;
    /// but for the gradient of its input or a parameter that is used within the segment several times, or within and outside of it: such
    /// shares are added in another order. Changes of state that are deferred within count once.
    ///
    /// The parameters within are named leaves of this tape ([`Tape::named_leaf`]), as they would be without, and what is
    /// [bound](Tape::bind) in their place is used within; what else the segment captures counts as constant. What the segment does not
    /// depend on has no gradient. Diagnostics may keep all of it ([`Tape::keep_segments`]).
    ///
    /// # Panics
    /// The segment panics, or does something else when it is called again.
    ///
    /// # Example
    /// ```
    /// use autograd::{Id, Tape};
    /// use tensor::Tensor;
    ///
    /// let (tape, id, w) = (Tape::new(), Id::new(), Tensor::from([2.0]));
    /// let x = tape.leaf(Tensor::from([3.0]));
    /// let y = x.recomputed(move |x| (x * x.tape().named_leaf(id, &w)).square());
    /// let gradients = y.backward();
    /// assert_eq!((y.item(), tape.len()), (36.0, 3)); // x, w and y
    /// assert_eq!((gradients.get(x), gradients.named(id)), (Some(&Tensor::from([24.0])), Some(&Tensor::from([36.0]))));
    /// ```
    #[track_caller]
    #[doc(alias = "checkpoint")]
    pub fn recomputed(self, segment: impl for<'s> Fn(Var<'s, T>) -> Var<'s, T> + Send + 'static) -> Self {
        let tape = self.tape();
        if !tape.wants_gradients || tape.keeps_segments.get() {
            return segment(self);
        }
        let (x, needs_gradient) = (self.value(), self.needs_gradient());
        // First for its value, its parameters and what it draws.
        let mut inner = tape.inner();
        inner.tape.wants_gradients = false;
        inner.tape.seed = tape.seed.clone();
        // Places and scopes go on where this tape is, but for the input, which has a place here.
        inner.tape.key_offset = Cell::new(tape.place() as i64 - 1);
        inner.tape.scopes = tape.scopes.clone();
        inner.tape.drawn = tape.drawn.clone();
        inner.tape.enclosing_names = tape.enclosing_names.and(&tape.graph.borrow().named);
        let value = {
            let y = segment(inner.tape.constant(x.clone()));
            ensure!(std::ptr::eq(y.tape, &inner.tape), "recomputed: the segment returned a value of another tape");
            y.value()
        };
        let (parameters, keys) = (inner.tape.parameters(), inner.tape.draws.borrow().keys().to_vec());
        let end = inner.tape.place() as i64;
        tape.scopes.set(inner.tape.scopes.get());
        tape.drawn.set(inner.tape.drawn.get());
        drop(inner);
        let mut inputs = vec![self];
        let mut names = vec![None];
        for (id, value, trained) in parameters {
            inputs.push(tape.named_by(id, &value, trained, ["recomputed", "a parameter of the segment"]));
            names.push(Some(id));
        }
        let again = tape.alike();
        let record = self.record(Op::new("recomputed", Role::Segment), value).joint(&inputs, move |g, shares| {
            let mut tape = again.alike();
            tape.draws = RefCell::new(KeyLog::repeated(keys.clone()));
            let input = if needs_gradient { tape.leaf(x.clone()) } else { tape.constant(x.clone()) };
            let result = segment(input);
            // One that is detached, or computed without any input, has none to give.
            let gradients = result.needs_gradient().then(|| result.backward_with(g));
            for (place, name) in names.iter().enumerate() {
                let of = gradients.as_ref().and_then(|gradients| match name {
                    None => gradients.get(input),
                    Some(id) => gradients.named(*id),
                });
                match of {
                    Some(gradient) => shares.give(place, || gradient.clone()),
                    None => shares.give_none(place),
                }
            }
        });
        let result = record.done();
        tape.key_offset.set(tape.key_offset.get() + end - tape.place() as i64);
        result
    }
}

impl<T: Float> Tape<T> {
    /// The named leaves and constants, in order, and whether each is trained.
    fn parameters(&self) -> Vec<(Id, tensor::Tensor<T>, bool)> {
        let graph = self.graph.borrow();
        let named = graph
            .nodes
            .iter()
            .filter_map(|node| Some((node.name?, node.value.clone(), matches!(node.op.role, Role::Leaf))));
        named.collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;
    use tensor::Tensor;

    use super::*;
    use crate::check::testing::{input, rng};
    use crate::{Gradients, Mode, check};

    /// Two parameters and a frozen one.
    #[derive(Clone)]
    struct Model {
        ids: [Id; 3],
        values: [Tensor<f64>; 3],
    }

    impl Model {
        fn new() -> Self {
            Model { ids: [Id::new(), Id::new(), Id::new()], values: [[4, 4]; 3].map(|dims| input(&dims, &mut rng())) }
        }

        fn parameter<'t>(&self, tape: &'t Tape<f64>, which: usize) -> Var<'t, f64> {
            tape.named_by(self.ids[which], &self.values[which], which < 2, ["test", "w"])
        }

        fn segment<'t>(&self, x: Var<'t, f64>) -> Var<'t, f64> {
            let tape = x.tape();
            let h = x.matmul(self.parameter(tape, 0)).tanh().dropout(0.3).matmul(self.parameter(tape, 2));
            tape.defer_update(self.ids[2], 0.5, h.value());
            let drawn = tape.scope(|tape| tape.constant(Tensor::ones([4, 4])).dropout(0.5).value());
            let h = h * tape.constant(drawn);
            (h.dropout(0.5) + x).matmul(self.parameter(tape, 1)).dropout(0.2)
        }

        /// A parameter before the segment, the segment within and without another, and a draw after it.
        fn pass<'t>(&self, x: Var<'t, f64>, deep: usize) -> Var<'t, f64> {
            let own = self.clone();
            // Scopes draw by how many there were.
            x.tape().scope(|_| ());
            let h = x.dropout(0.1) * self.parameter(x.tape(), 2);
            let h = match deep {
                0 => self.segment(h).sin(),
                1 => h.recomputed(move |x| own.segment(x)).sin(),
                _ => h.recomputed(move |x| {
                    let inner = own.clone();
                    x.recomputed(move |x| inner.segment(x)).sin()
                }),
            };
            let drawn = x.tape().scope(|tape| tape.constant(Tensor::ones([4, 4])).dropout(0.5).value());
            (h.dropout(0.5).square() * x.tape().constant(drawn)).sum(..)
        }

        fn run(&self, tape: &Tape<f64>, deep: usize) -> (f64, Gradients<f64>, Tensor<f64>) {
            let x = tape.leaf(input(&[4, 4], &mut rng()));
            let y = self.pass(x, deep);
            let gradients = y.backward();
            let of_x = gradients.get(x).unwrap().clone();
            (y.item(), gradients, of_x)
        }
    }

    #[test]
    fn a_segment_has_the_bits_that_it_has_without_dropout_included() {
        let model = Model::new();
        let seeded = || {
            let tape = Tape::default();
            tape.seed(3, 4);
            tape
        };
        let stream = || Tape::default().with_rng(ChaCha8Rng::seed_from_u64(5));
        for tape in [&seeded as &dyn Fn() -> Tape<f64>, &stream] {
            let (want, gradients, of_x) = model.run(&tape(), 0);
            for deep in [1, 2] {
                let tape = tape();
                let (got, others, of_same_x) = model.run(&tape, deep);
                assert_eq!((got, of_same_x), (want, of_x.clone()));
                for which in 0..3 {
                    let id = model.ids[which];
                    assert_eq!(gradients.named(id), others.named(id), "{which}");
                    assert_eq!(gradients.named(id).is_some(), which < 2);
                    assert_eq!(others.updates().count(id), usize::from(which == 2));
                }
                // Backward once more is the same.
                assert_eq!(tape.vars().last().unwrap().backward().named(model.ids[0]), gradients.named(model.ids[0]));
            }
        }
    }

    #[test]
    fn what_lies_between_is_not_kept() {
        let tape = Tape::<f64>::default();
        tape.seed(1, 1);
        let between = Arc::new(std::sync::Mutex::new(Tensor::zeros([1])));
        let out = Arc::clone(&between);
        let y = tape.leaf(Tensor::ones([100])).recomputed(move |x| {
            let h = x.tanh();
            *out.lock().unwrap() = h.value();
            h.sin()
        });
        let mut held = between.lock().unwrap();
        let before = held.as_slice().unwrap().as_ptr();
        // Nobody else has it: it may be changed in place.
        assert_eq!(held.as_mut_slice().as_ptr(), before);
        drop(held);
        assert_eq!(tape.len(), 2);
        y.backward_with(Tensor::ones([100]));
    }

    #[test]
    fn gradients_are_right_and_evaluation_keeps_nothing_anyway() {
        let inputs = [input(&[3, 4], &mut rng())];
        assert_eq!(check::gradients(&inputs, &mut rng(), |x| x[0].recomputed(|x| x.tanh() * x.sin()).exp()), Ok(()));
        let tape = Tape::<f64>::in_mode(Mode::Eval);
        let y = tape.leaf(inputs[0].clone()).recomputed(|x| x.tanh());
        assert_eq!(y.op(), "tanh");
    }

    /// y = (x + n) w in a segment, in a scope, in a segment of a segment, and plainly, where w is bound to n² and its own value is another.
    #[test]
    fn what_is_bound_is_used_within_segments_and_scopes_and_gets_its_gradient() {
        let [w, own] = [Id::new(), Id::new()];
        let [n, stale] = [[2.0, 3.0], [7.0, 7.0]].map(Tensor::<f64>::from);
        type Way = for<'t> fn(Var<'t, f64>, Id, &Tensor<f64>, bool) -> Var<'t, f64>;
        fn plain<'t>(x: Var<'t, f64>, w: Id, value: &Tensor<f64>, trained: bool) -> Var<'t, f64> {
            x * x.tape().named_by(w, value, trained, ["test", "w"])
        }
        let ways: [Way; 4] = [
            plain,
            |x, w, value, trained| {
                let value = value.clone();
                x.recomputed(move |x| plain(x, w, &value, trained))
            },
            |x, w, value, trained| {
                let value = value.clone();
                x.recomputed(move |x| {
                    let value = value.clone();
                    x.recomputed(move |x| plain(x, w, &value, trained))
                })
            },
            |x, w, value, trained| {
                let y = x.tape().scope(|tape| plain(tape.constant(x.value()), w, value, trained).value());
                x.tape().constant(y)
            },
        ];
        // A frozen parameter whose place a value takes that needs a gradient gets one too, and a trained one none from a constant.
        for (trained, constant) in [(true, false), (false, false), (true, true)] {
            let run = |way: Way| {
                let tape = Tape::<f64>::default();
                let n = if constant { tape.constant(n.clone()) } else { tape.named_leaf(own, &n) };
                let x = tape.leaf(Tensor::from([1.0, 10.0]));
                tape.bind(w, n * n);
                let y = way(x + n, w, &stale, trained);
                let gradients = (y.sum(..) + x.sum(..)).backward();
                (y.value(), gradients.named(own).cloned(), gradients.get(x).cloned(), gradients.named(w).cloned())
            };
            let want = run(plain);
            assert_eq!(want.0, Tensor::from([12.0, 117.0]));
            assert_eq!(want.1.is_some(), !constant);
            for way in &ways[1..3] {
                assert_eq!(run(*way), want, "{trained} {constant}");
            }
            assert_eq!(run(ways[3]).0, want.0);
        }
        // Within a scope, gradients are those of the name.
        let tape = Tape::<f64>::default();
        tape.bind(w, tape.leaf(n.clone()));
        let of_w = tape.scope(|tape| tape.named_leaf(w, &stale).square().sum(..).backward().named(w).cloned());
        assert_eq!(of_w, Some(Tensor::from([4.0, 6.0])));
    }

    #[test]
    fn a_segment_that_depends_on_nothing_has_no_gradient_to_give() {
        #[derive(Clone)]
        struct Weight(Id, Tensor<f64>);

        impl Weight {
            fn on<'t>(&self, x: Var<'t, f64>, trained: bool) -> Var<'t, f64> {
                x.tape().named_by(self.0, &self.1, trained, ["test", "w"])
            }
        }

        type Segment = Box<dyn for<'s> Fn(Var<'s, f64>) -> Var<'s, f64> + Send>;
        let id = Id::new();
        let w = || Weight(id, Tensor::from([5.0]));
        let with_w = |f: for<'s> fn(Var<'s, f64>, &Weight) -> Var<'s, f64>| -> Segment {
            let w = w();
            Box::new(move |x| f(x, &w))
        };
        // Each with whether x has a gradient, and whether w has one.
        let segments: [(Segment, bool, bool); 9] = [
            (Box::new(|x| x.detach().square()), false, false),
            (Box::new(|x| x.tape().constant(Tensor::from([3.0]))), false, false),
            (Box::new(|x| x.tape().leaf(Tensor::from([3.0])).square()), false, false),
            (with_w(|x, w| w.on(x, true).square()), false, true),
            (with_w(|x, w| w.on(x, false).square()), false, false),
            (with_w(|x, w| x.detach() * w.on(x, true)), false, true),
            (with_w(|x, w| x * w.on(x, true).detach()), true, false),
            (with_w(|x, w| x * w.on(x, false)), true, false),
            (with_w(|x, w| x * w.on(x, true)), true, true),
        ];
        for (place, (segment, of_x, of_w)) in segments.into_iter().enumerate() {
            let tape = Tape::<f64>::default();
            let x = tape.leaf(Tensor::from([2.0]));
            let own = segment(x);
            let plain = (own.value(), (own + x).backward());
            let tape = Tape::<f64>::default();
            let x = tape.leaf(Tensor::from([2.0]));
            let other = tape.leaf(Tensor::from([9.0]));
            let y = x.recomputed(segment);
            let gradients = (y + other).backward();
            assert_eq!(y.value(), plain.0, "{place}");
            let got = (gradients.get(x).is_some(), gradients.named(id).is_some());
            assert_eq!(got, (of_x, of_w), "{place}");
            assert_eq!(gradients.named(id), plain.1.named(id), "{place}");
            // By itself too, where nothing at all has one.
            y.backward();
        }
    }

    #[test]
    fn the_stream_comes_back_from_a_panic() {
        let tape = Tape::<f64>::default().with_rng(ChaCha8Rng::seed_from_u64(5));
        let x = tape.leaf(Tensor::ones([3]));
        let panics = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| x.recomputed(|_| panic!("within"))));
        assert!(panics.is_err());
        x.dropout(0.5);
    }
}
