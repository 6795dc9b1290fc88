//! What a layer asks of the tape besides values: what the pass is for, what it draws by, and where to leave a change of state.
//! So `forward` takes no more than its input.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use rand::Rng;
use tensor::{Float, Tensor};

use crate::draws::{Seed, mixed};
use crate::id::Id;
use crate::mode::Mode;
use crate::state::{RunningWeight, Updates};
use crate::tape::{Substitute, Tape};

impl<T: Float> Tape<T> {
    /// Sets the mode: for gradients in evaluation, or for a pass of training without gradients.
    ///
    /// # Example
    /// ```
    /// use autograd::{Mode, Tape};
    ///
    /// assert!(Tape::new().is_training());
    /// assert!(!Tape::no_grad().is_training());
    /// assert!(!Tape::new().with_mode(Mode::Eval).is_training());
    /// ```
    pub fn with_mode(self, mode: Mode) -> Self {
        Tape { mode, ..self }
    }

    /// Sets a random stream, from which ops such as dropout take their keys. [`reset`](Tape::reset) leaves it
    /// where it is: each pass draws anew, and the same stream gives the same run.
    ///
    /// A run that is to be resumed is better [seeded](Self::seed): two numbers can be written to a file, a stream cannot.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new().with_rng(ChaCha8Rng::seed_from_u64(42));
    /// let x = tape.constant(Tensor::ones([1000]));
    /// let dropped = x.dropout(0.5).value().eq(0.0).count_nonzero(..).item();
    /// assert!((400..600).contains(&dropped));
    /// ```
    pub fn with_rng(self, rng: impl Rng + Send + 'static) -> Self {
        Tape { rng: RefCell::new(Some(Box::new(rng))), ..self }
    }

    /// Makes what this pass draws a function of `seed`, of `step`, and of the place on the tape of the op that draws: another for each,
    /// and for each [shard](Self::seed_shard). So a step of training draws the same masks whenever it is made: resumed, or made again to
    /// look at it.
    ///
    /// It holds until the next [`reset`](Tape::reset), before a [stream](Self::with_rng) that the tape may have.
    ///
    /// # Panics
    /// The tape has had another seed since it was reset.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let mut tape = Tape::new();
    /// let mut mask = |step| {
    ///     tape.reset();
    ///     tape.seed(42, step);
    ///     tape.constant(Tensor::ones([100])).dropout(0.5).value()
    /// };
    /// let masks = [0, 1, 0].map(&mut mask);
    /// assert!(masks[0] == masks[2] && masks[0] != masks[1]);
    /// ```
    #[doc(alias = "manual_seed")]
    #[track_caller]
    pub fn seed(&self, seed: u64, step: u64) {
        self.seed_shard(seed, step, 0);
    }

    /// [`seed`](Self::seed) for one of the passes that a step is made of: that of shard 0 is the pass of `seed` itself, and each other
    /// draws numbers of its own.
    ///
    /// # Panics
    /// As there.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let mask = |shard| {
    ///     let tape = Tape::new();
    ///     tape.seed_shard(42, 0, shard);
    ///     tape.constant(Tensor::ones([100])).dropout(0.5).value()
    /// };
    /// assert_ne!(mask(0), mask(1));
    /// ```
    #[track_caller]
    pub fn seed_shard(&self, seed: u64, step: u64, shard: u32) {
        let new = Seed { seed, step, shard };
        if let Some(before) = self.seed.get().filter(|&before| before != new) {
            panic!("seed: the tape draws by {before}, and cannot draw by {new} too; reset it before");
        }
        self.seed.set(Some(new));
    }

    /// The seed and the step that the pass draws by, where it has a seed and an op of it has drawn. Two steps of a training that draw by the
    /// same ones draw the same numbers.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// tape.seed(42, 7);
    /// assert_eq!(tape.drawn_by(), None); // nobody has asked for numbers
    /// tape.constant(Tensor::ones([100])).dropout(0.5);
    /// assert_eq!(tape.drawn_by(), Some([42, 7]));
    /// ```
    pub fn drawn_by(&self) -> Option<[u64; 2]> {
        let Seed { seed, step, .. } = self.seed.get()?;
        (self.drawn.get().1 > 0).then_some([seed, step])
    }

    /// Runs `f` on a tape of its own, which is as this one and is gone afterwards with all that is on it: so memory stays flat over an
    /// evaluation of any length. What is needed later comes back as a tensor; a value of the inner tape cannot leave it.
    ///
    /// The inner tape has this one's [`Mode`], its paths, [substitutes](Self::substitute) and stream; of a [seed](Self::seed), each scope
    /// draws numbers of its own. Changes of state that are deferred within are deferred here. Where gradients are wanted, they end at the
    /// scope, as at a [`detach`](crate::Var::detach).
    ///
    /// # Example
    /// A thousand steps of a recurrent network, with one in memory at a time:
    ///
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let (tape, w) = (Tape::no_grad(), Tensor::from([[0.5, -0.5], [0.5, 0.5]]));
    /// let mut state = Tensor::ones([1, 2]);
    /// for _ in 0..1000 {
    ///     state = tape.scope(|tape| tape.constant(state).matmul(tape.constant(w.clone())).tanh().value());
    /// }
    /// assert!(tape.is_empty());
    /// ```
    ///
    /// ```compile_fail
    /// # use autograd::Tape;
    /// # use tensor::Tensor;
    /// let tape = Tape::no_grad();
    /// let x = tape.scope(|tape| tape.constant(Tensor::from([1.0]))); // error: the value would outlive its tape
    /// ```
    pub fn scope<R>(&self, f: impl FnOnce(&Tape<T>) -> R) -> R {
        let scope = self.scopes.get();
        self.scopes.set(scope + 1);
        let mut inner = self.inner();
        inner.tape.retains_all = self.retains_all.clone();
        // Keys of the scopes of a pass differ from each other and from the pass's own, but by chance.
        inner.tape.seed = Cell::new(self.seed.get().map(|outer| {
            let place = self.place() << 32 ^ scope;
            Seed { seed: mixed(mixed(outer.seed) ^ place), ..outer }
        }));
        f(&inner.tape)
    }

    /// A tape within this one, which draws from its stream.
    pub(crate) fn inner(&self) -> Inner<'_, T> {
        let tape = Tape {
            rng: RefCell::new(self.rng.take()),
            draws: RefCell::new(self.draws.borrow().within()),
            ..self.alike()
        };
        Inner { outer: self, tape }
    }

    /// An empty tape with this one's mode and paths, where the same stands in for named leaves.
    pub(crate) fn alike(&self) -> Self {
        let (graph, substitutes) = (self.graph.borrow(), self.substitutes.clone());
        for id in &graph.bound {
            let node = &graph.nodes[graph.named.get(*id).expect("what is bound has a place") as usize];
            let substitute = Substitute { value: node.value.clone(), trained: Some(node.needs_gradient) };
            Arc::make_mut(&mut substitutes.borrow_mut()).insert(*id, substitute);
        }
        Tape {
            wants_gradients: self.wants_gradients,
            keeps_segments: self.keeps_segments.clone(),
            paths: self.paths.clone(),
            other_shards: self.other_shards.clone(),
            substitutes,
            ..Tape::in_mode(self.mode)
        }
    }

    /// Whether this is a pass of training.
    pub fn is_training(&self) -> bool {
        self.mode == Mode::Train
    }

    /// The key that the op `op`, whose result is the next value on the tape, draws its numbers by, with
    /// [`Tensor::keyed_uniform`] and its like. An op that draws twice gets two.
    ///
    /// # Panics
    /// The tape has neither been [seeded](Self::seed) since its last reset nor has it a [stream](Self::with_rng).
    ///
    /// # Example
    /// ```
    /// use autograd::{Tape, Var};
    /// use tensor::Tensor;
    ///
    /// /// y = x + std · z with z standard normal,  x̄ = ȳ
    /// fn noise<'t>(x: Var<'t>, std: f32) -> Result<Var<'t>, tensor::Error> {
    ///     let z = Tensor::keyed_normal(&x.tape().draw_key("noise"), x.shape(), 0.0, std)?;
    ///     Ok(x.record("noise", x.value() + z).wrt(x, |g| g).done())
    /// }
    ///
    /// let tape = Tape::new();
    /// tape.seed(42, 0);
    /// assert_ne!(noise(tape.constant(Tensor::zeros([3])), 1.0)?.value(), Tensor::zeros([3]));
    /// # Ok::<(), tensor::Error>(())
    /// ```
    #[track_caller]
    pub fn draw_key(&self, op: &str) -> [u8; 32] {
        if let Some(key) = self.draws.borrow_mut().replay() {
            return key;
        }
        let key = self.fresh_key(op);
        self.draws.borrow_mut().record(key);
        key
    }

    /// The place that the next value would have on a tape where nothing is computed again.
    pub(crate) fn place(&self) -> u64 {
        (self.len() as u64).wrapping_add_signed(self.key_offset.get())
    }

    #[track_caller]
    fn fresh_key(&self, op: &str) -> [u8; 32] {
        let mut key = [0; 32];
        if let Some(Seed { seed, step, shard }) = self.seed.get() {
            // Places only grow, so the last is the only one that may be drawn for again.
            let place = self.place();
            let before = match self.drawn.get() {
                (last, count) if last == place => count,
                _ => 0,
            };
            self.drawn.set((place, before.checked_add(1).expect("fewer than 2³² draws for one value")));
            // No key that a stream gives has this end, but by chance.
            let end = u64::from_le_bytes(*b"evenkeel").wrapping_add(u64::from(shard) << 32 | u64::from(before));
            key.copy_from_slice([seed, step, place, end].map(u64::to_le_bytes).as_flattened());
            return key;
        }
        let mut rng = self.rng.borrow_mut();
        let Some(rng) = rng.as_deref_mut() else {
            panic!("{op}: the tape has nothing to draw by; call `tape.seed(seed, step)` after each reset")
        };
        rng.fill_bytes(&mut key);
        key
    }

    /// Defers a change to the state that is named `id`, such as a running mean: r ← keep · r + add. A pass only reads a model;
    /// the optimizer's step applies the change, which [`Gradients::updates`](crate::Gradients::updates) bring. A reset
    /// forgets it.
    ///
    /// # Example
    /// ```
    /// use autograd::{Id, Tape};
    /// use tensor::Tensor;
    ///
    /// let (id, mut mean) = (Id::new(), Tensor::from([1.0]));
    /// let tape = Tape::new();
    /// tape.defer_update(id, 0.5, Tensor::from([3.0]));
    /// tape.updates().apply(id, &mut mean);
    /// assert_eq!(mean, Tensor::from([3.5]));
    /// ```
    pub fn defer_update(&self, id: Id, keep: f64, add: Tensor<T>) {
        self.updates.borrow_mut().push(id, keep, add);
    }

    /// Defers a step of the running average that is named `id`, such as a running mean, towards what this pass has found:
    /// r ← r + share · (found − r). A share of 0 leaves it, whatever was found, and of a share of 1 nothing is left of it.
    ///
    /// # Example
    /// ```
    /// use autograd::{Id, RunningWeight, Tape};
    /// use tensor::Tensor;
    ///
    /// let (id, mut mean) = (Id::new(), Tensor::scalar(2.0));
    /// let tape = Tape::new();
    /// tape.defer_running(id, RunningWeight::Mean { seen: 1 }, Tensor::scalar(4.0)); // the second
    /// tape.updates().apply(id, &mut mean);
    /// assert_eq!(mean.item(), 3.0);
    /// ```
    pub fn defer_running(&self, id: Id, share: RunningWeight, found: Tensor<T>) {
        self.updates.borrow_mut().push_running(id, share, found);
    }

    /// The changes of state that were deferred since the last reset.
    pub fn updates(&self) -> Updates<T> {
        self.updates.borrow().clone()
    }
}

/// A tape within another. When it goes, even by a panic, the stream comes back, and what was deferred and drawn within counts as
/// deferred and drawn outside.
pub(crate) struct Inner<'a, T: Float> {
    outer: &'a Tape<T>,
    pub(crate) tape: Tape<T>,
}

impl<T: Float> Drop for Inner<'_, T> {
    fn drop(&mut self) {
        *self.outer.rng.borrow_mut() = self.tape.rng.take();
        self.outer.draws.borrow_mut().join(self.tape.draws.get_mut());
        let updates = self.tape.updates.get_mut();
        // A pass without any would still be remembered as one that is in.
        if !updates.is_empty() {
            self.outer.updates.borrow_mut().append(updates);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tape;

    #[test]
    fn each_seed_step_shard_place_and_draw_has_a_key_of_its_own() {
        // What many programs count, and the ends, where a sum would wrap.
        let numbers = [0, 1, 2, 3, 4, 5, 6, 7, 8, 63, 64, 65, 1 << 32, u64::MAX - 1, u64::MAX];
        let shards = [0, 1, 2, 3, 4, 64, u32::MAX];
        let mut seen = std::collections::HashSet::new();
        for seed in numbers {
            for step in numbers {
                for shard in shards {
                    let tape = Tape::new();
                    tape.seed_shard(seed, step, shard);
                    for _place in 0..4 {
                        for _draw in 0..3 {
                            assert!(seen.insert(tape.draw_key("test")), "seed {seed}, step {step}, shard {shard}");
                        }
                        tape.constant(Tensor::scalar(1.0));
                    }
                }
            }
        }
        // The same again, and the first shard is the pass itself.
        let tape = Tape::new();
        tape.seed(7, 64);
        assert!(!seen.insert(tape.draw_key("test")));
    }

    #[test]
    fn an_op_that_draws_twice_draws_the_same_within_a_segment() {
        use crate::Var;
        fn noisy(x: Var<'_, f64>) -> Var<'_, f64> {
            let keys = ["mean", "noise"].map(|what| x.tape().draw_key(what));
            let [a, b] = keys.map(|key| Tensor::keyed_normal(&key, [4], 0.0, 1.0).unwrap());
            assert_ne!(a, b);
            x.record("noisy", x.value() * &a + &b).wrt(x, move |g| g * &a).done()
        }
        let run = |recomputed: bool| {
            let tape = Tape::<f64>::default();
            tape.seed(1, 2);
            let x = tape.leaf(Tensor::ones([4]));
            // Drawn for a value that the segment may put on the tape.
            let before = tape.draw_key("before");
            let y = if recomputed { x.recomputed(|x| noisy(noisy(x))) } else { noisy(noisy(x)) };
            let after = tape.draw_key("after");
            (y.value(), y.backward_with(Tensor::ones([4])).get(x).cloned(), before, after)
        };
        assert_eq!(run(true), run(false));
    }

    #[test]
    fn each_scope_draws_for_itself_and_keeps_nothing_alive() {
        let tape = Tape::new();
        tape.seed(1, 2);
        let id = crate::Id::new();
        tape.set_path(id, "mine");
        let (mut keys, mut alive) = (vec![tape.draw_key("test")], Vec::new());
        for _ in 0..3 {
            let [inner, outer] = tape.scope(|tape| {
                let x = tape.constant(tensor::Tensor::ones([100]));
                alive.push(x.value());
                tape.defer_update(id, 1.0, tensor::Tensor::scalar(1.0));
                assert_eq!(tape.named_leaf(id, &tensor::Tensor::scalar(1.0)).path().as_deref(), Some("mine"));
                [tape.scope(|tape| tape.draw_key("test")), tape.draw_key("test")]
            });
            keys.extend([inner, outer]);
        }
        assert!((1..keys.len()).all(|i| !keys[..i].contains(&keys[i])));
        assert!(tape.is_empty());
        // Nobody else has them: they may be changed in place.
        for x in &mut alive {
            let before = x.as_slice().unwrap().as_ptr();
            assert_eq!(x.as_mut_slice().as_ptr(), before);
        }
        let mut count = tensor::Tensor::scalar(0.0);
        tape.updates().apply(id, &mut count);
        assert_eq!(count.item(), 3.0);
    }

    #[test]
    fn a_scope_leaves_the_stream_where_it_was() {
        use rand_chacha::ChaCha8Rng;
        use rand_chacha::rand_core::SeedableRng;
        let stream = || Tape::new().with_rng(ChaCha8Rng::seed_from_u64(1));
        let (tape, other) = (stream(), stream());
        let first = tape.scope(|tape| tape.draw_key("test"));
        assert_eq!(first, other.draw_key("test"));
        let panics = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| tape.scope(|_| panic!())));
        assert!(panics.is_err());
        assert_eq!(tape.draw_key("test"), other.draw_key("test"));
    }

    #[test]
    fn a_seed_comes_before_a_stream_and_the_stream_goes_on_where_it_was() {
        use rand_chacha::ChaCha8Rng;
        use rand_chacha::rand_core::SeedableRng;
        let stream = || Tape::new().with_rng(ChaCha8Rng::seed_from_u64(1));
        let (mut tape, other) = (stream(), stream());
        assert_eq!(tape.draw_key("test"), other.draw_key("test"));
        tape.seed(1, 2);
        tape.seed(1, 2);
        tape.draw_key("test");
        tape.reset();
        assert_eq!(tape.draw_key("test"), other.draw_key("test"));
    }

    #[test]
    #[should_panic(
        expected = "seed: the tape draws by seed 1 and step 2, and cannot draw by seed 1 and step 3 too; reset it"
    )]
    fn a_tape_draws_by_one_seed_from_one_reset_to_the_next() {
        let mut tape = Tape::new();
        tape.seed(7, 7);
        tape.reset();
        tape.seed(1, 2);
        tape.seed(1, 3);
    }
}
