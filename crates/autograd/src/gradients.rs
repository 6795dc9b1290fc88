//! The gradients of a result, once they have been taken: asked for, added up, scaled and measured.

use tensor::{Float, Tensor};

use crate::id::{self, Id};
use crate::state::Updates;
use crate::tape::{Tape, Var};

/// The gradients of one result with respect to the leaves of its tape, and to the values whose gradients were to be
/// retained; and the changes of state that the pass has deferred.
///
/// They are not kept in the tape: each call of `backward` returns gradients of its own, and nothing needs to be set to zero.
/// Those of micro-batches add up:
///
/// ```
/// use autograd::{Id, Tape};
/// use tensor::Tensor;
///
/// let (id, w) = (Id::new(), Tensor::from([1.0, 2.0]));
/// let mut tape = Tape::new();
/// let mut backward = |x: f32| {
///     tape.reset();
///     tape.named_leaf(id, &w).scale(x).sum(..).backward()
/// };
/// let mut gradients = backward(1.0);
/// gradients += backward(3.0);
/// gradients.scale(0.5); // their mean
/// assert_eq!(gradients.named(id), Some(&Tensor::from([2.0, 2.0])));
/// assert_eq!(gradients.norm(), 8.0_f64.sqrt());
/// ```
#[doc(alias = "grad")]
#[derive(Clone, Debug)]
pub struct Gradients<T: Float = f32> {
    tape: Id,
    /// First those of values of this tape, by rising place; then those that other passes brought.
    kept: Vec<RetainedGradient<T>>,
    /// Where in `kept` the leaves are that have a name of their own, sorted by it.
    named: Vec<(Id, u32)>,
    /// Values whose gradient was computed and not retained: asking for one panics.
    not_retained: BitSet,
    updates: Updates<T>,
}

/// A gradient that was kept.
#[derive(Clone, Debug)]
pub(crate) struct RetainedGradient<T: Float> {
    /// The place on the tape of what it is the gradient of, if it is of this tape.
    pub(crate) index: Option<u32>,
    /// The name of a leaf that has one.
    pub(crate) name: Option<Id>,
    pub(crate) is_leaf: bool,
    pub(crate) gradient: Tensor<T>,
}

impl<T: Float> Gradients<T> {
    pub(crate) fn new(tape: Id, kept: Vec<RetainedGradient<T>>, not_retained: BitSet, updates: Updates<T>) -> Self {
        Gradients { tape, named: names(&kept), kept, not_retained, updates }
    }

    /// Gradients of named leaves that were computed elsewhere, such as the sums of several processes, and the changes of state that came
    /// with them.
    ///
    /// # Example
    /// ```
    /// use autograd::{Gradients, Id, Updates};
    /// use tensor::Tensor;
    ///
    /// let (id, nothing) = (Id::new(), Updates::from_iter([]));
    /// let gradients: Gradients = Gradients::of_named([(id, Tensor::from([2.0]))], nothing);
    /// assert_eq!(gradients.named(id), Some(&Tensor::from([2.0])));
    /// ```
    pub fn of_named(gradients: impl IntoIterator<Item = (Id, Tensor<T>)>, updates: Updates<T>) -> Self {
        let kept = |(name, gradient)| RetainedGradient { index: None, name: Some(name), is_leaf: true, gradient };
        Gradients::new(Id::new(), gradients.into_iter().map(kept).collect(), BitSet::default(), updates)
    }

    /// The same, among which the handles of a tape find those of its named leaves.
    ///
    /// # Example
    /// ```
    /// use autograd::{Gradients, Id, Tape, Updates};
    /// use tensor::Tensor;
    ///
    /// let (tape, id, nothing) = (Tape::new(), Id::new(), Updates::from_iter([]));
    /// let leaf = tape.named_leaf(id, &Tensor::from([3.0]));
    /// let gradients = Gradients::of_named([(id, Tensor::from([2.0]))], nothing).placed_on(&tape);
    /// assert_eq!(gradients.get(leaf), Some(&Tensor::from([2.0])));
    /// ```
    pub fn placed_on(mut self, tape: &Tape<T>) -> Self {
        let graph = tape.graph.borrow();
        for kept in &mut self.kept {
            kept.index = kept.name.and_then(|name| graph.named.get(name));
        }
        self.kept.sort_by_key(|kept| kept.index.unwrap_or(u32::MAX));
        Gradients::new(tape.id, self.kept, self.not_retained, self.updates)
    }

    /// The gradients of all leaves that have a name, and the changes of state.
    pub fn into_named(self) -> (Vec<(Id, Tensor<T>)>, Updates<T>) {
        let named = self.kept.into_iter().filter_map(|kept| Some((kept.name?, kept.gradient)));
        (named.collect(), self.updates)
    }

    /// The gradient with respect to a value, in its shape; `None` where the result does not depend on it, where it needs no
    /// gradient, and where it is on another tape or was on this one before its reset.
    ///
    /// # Panics
    /// The result does depend on it, but its gradient was not kept, as it is no leaf and
    /// [`retain_gradient`](Var::retain_gradient) was not called.
    #[track_caller]
    pub fn get(&self, var: Var<'_, T>) -> Option<&Tensor<T>> {
        if var.tape.id != self.tape {
            return None;
        }
        let lost = self.not_retained.contains(var.index);
        assert!(!lost, "get: the gradient of {var:?} was not kept; call `retain_gradient` on it before `backward`");
        let position = self.position(var.index)?;
        Some(&self.kept[position].gradient)
    }

    /// Where the gradient of a value of this tape is kept.
    fn position(&self, index: u32) -> Option<usize> {
        self.kept.binary_search_by_key(&index, |kept| kept.index.unwrap_or(u32::MAX)).ok()
    }

    /// The gradient with respect to the leaf of that name; `None` where the result does not depend on it.
    pub fn named(&self, id: Id) -> Option<&Tensor<T>> {
        Some(&self.kept[id::find(&self.named, id)? as usize].gradient)
    }

    /// The gradients of all leaves that have a name, such as those of a model's weights.
    ///
    /// # Example
    /// ```
    /// use autograd::{Id, Tape};
    /// use tensor::Tensor;
    ///
    /// let (tape, id) = (Tape::new(), Id::new());
    /// let gradients = tape.named_leaf(id, &Tensor::from([3.0])).scale(2.0).backward();
    /// assert!(gradients.iter().eq([(id, &Tensor::from([2.0]))]));
    /// ```
    pub fn iter(&self) -> impl Iterator<Item = (Id, &Tensor<T>)> {
        self.kept.iter().filter_map(|kept| Some((kept.name?, &kept.gradient)))
    }

    /// The gradients of all leaves that have a name, to be changed.
    ///
    /// # Example
    /// ```
    /// use autograd::{Id, Tape};
    /// use tensor::Tensor;
    ///
    /// let (tape, id) = (Tape::new(), Id::new());
    /// let mut gradients = tape.named_leaf(id, &Tensor::from([3.0])).scale(2.0).backward();
    /// gradients.iter_mut().filter(|(of, _)| *of == id).for_each(|(_, gradient)| *gradient *= 0.5);
    /// assert_eq!(gradients.named(id), Some(&Tensor::from([1.0])));
    /// ```
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (Id, &mut Tensor<T>)> {
        self.kept.iter_mut().filter_map(|kept| Some((kept.name?, &mut kept.gradient)))
    }

    /// The changes of state that the pass has deferred, and the passes whose gradients were added.
    pub fn updates(&self) -> &Updates<T> {
        &self.updates
    }

    /// Multiplies all gradients by a number.
    pub fn scale(&mut self, factor: f64) {
        let factor = T::from_f64(factor);
        self.map_assign(|gradient| match factor == T::ZERO {
            true => *gradient = Tensor::zeros_like(gradient),
            false => *gradient *= factor,
        });
    }

    /// Changes each gradient.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([3.0, -0.5]));
    /// let mut gradients = (x * x).sum(..).backward();
    /// gradients.map_assign(|gradient| *gradient = gradient.clamp(-2.0, 2.0));
    /// assert_eq!(gradients.get(x), Some(&Tensor::from([2.0, -1.0])));
    /// ```
    pub fn map_assign(&mut self, mut change: impl FnMut(&mut Tensor<T>)) {
        self.kept.iter_mut().for_each(|kept| change(&mut kept.gradient));
    }

    /// self + weight · other, for micro-batches: of leaves that have a name; and of other values too, if both are of the same
    /// pass. The changes of state of the other pass come after those that are here already.
    ///
    /// If the batches have different sizes, the mean over all examples has each batch's share of them as weight.
    ///
    /// # Example
    /// ```
    /// use autograd::{Id, Tape};
    /// use tensor::Tensor;
    ///
    /// let (id, w, mut tape) = (Id::new(), Tensor::from([1.0]), Tape::new());
    /// let mut mean = |x: Tensor| {
    ///     tape.reset();
    ///     (tape.named_leaf(id, &w) * tape.constant(x)).mean(..).backward()
    /// };
    /// let mut gradients = mean(Tensor::from([1.0, 2.0, 3.0]));
    /// gradients.scale(0.75);
    /// gradients.add_weighted(&mean(Tensor::from([6.0])), 0.25);
    /// assert_eq!(gradients.named(id), Some(&Tensor::from([3.0]))); // the mean of 1, 2, 3 and 6
    /// ```
    pub fn add_weighted(&mut self, other: &Self, weight: f64) {
        self.add_shard(other, weight);
        self.updates.append(&other.updates);
    }

    /// As [`add_weighted`](Self::add_weighted), for shards of one batch, which several passes compute side by side: the changes
    /// of state that count are those of the first shard alone, as in PyTorch's `DistributedDataParallel`.
    #[doc(alias = "DistributedDataParallel")]
    pub fn add_shard(&mut self, other: &Self, weight: f64) {
        if weight == 0.0 {
            // What is added is 0, be it infinite or not.
            let mut nothing = other.clone();
            nothing.scale(0.0);
            return self.add_shard(&nothing, 1.0);
        }
        let (same_pass, factor) = (self.tape == other.tape, T::from_f64(weight));
        // Found by binary search, so `kept` stays sorted until all are in.
        let (mut new, mut placed) = (Vec::new(), false);
        for theirs in &other.kept {
            let index = theirs.index.filter(|_| same_pass);
            let position = match theirs.name {
                Some(id) => id::find(&self.named, id).map(|position| position as usize),
                None if same_pass => index.and_then(|index| self.position(index)),
                // A handle to it finds nothing here.
                None => continue,
            };
            match position {
                Some(position) => {
                    let own = &mut self.kept[position];
                    own.gradient.axpy(factor, &theirs.gradient);
                    placed |= own.index.is_none() && index.is_some();
                }
                None => new.push(RetainedGradient { index, gradient: &theirs.gradient * factor, ..theirs.clone() }),
            }
        }
        if placed {
            // A leaf that only another pass has brought so far, and that is on this tape too: a handle finds it from now on.
            for theirs in other.kept.iter().filter(|theirs| theirs.name.is_some()) {
                let position = theirs.name.and_then(|id| id::find(&self.named, id));
                if let Some(position) = position {
                    self.kept[position as usize].index = theirs.index;
                }
            }
        }
        if same_pass {
            self.not_retained.join(&other.not_retained);
        }
        if placed || !new.is_empty() {
            self.kept.append(&mut new);
            self.kept.sort_by_key(|kept| kept.index.unwrap_or(u32::MAX));
            self.named = names(&self.kept);
        }
    }

    /// The norm of the gradients of all leaves as one vector, √Σ x̄², in f64: it neither overflows nor underflows, and is NaN or
    /// infinite only where a gradient is.
    pub fn norm(&self) -> f64 {
        let leaves = self.kept.iter().filter(|kept| kept.is_leaf);
        let norms: Tensor<f64> = leaves.map(|kept| kept.gradient.norm_f64()).collect();
        norms.norm_f64()
    }
}

impl<T: Float> std::ops::AddAssign<&Gradients<T>> for Gradients<T> {
    /// [`add_weighted`](Gradients::add_weighted) with a weight of 1.
    fn add_assign(&mut self, other: &Gradients<T>) {
        self.add_weighted(other, 1.0);
    }
}

impl<T: Float> std::ops::AddAssign for Gradients<T> {
    fn add_assign(&mut self, other: Self) {
        *self += &other;
    }
}

fn names<T: Float>(kept: &[RetainedGradient<T>]) -> Vec<(Id, u32)> {
    let mut named: Vec<(Id, u32)> =
        kept.iter().enumerate().filter_map(|(position, kept)| Some((kept.name?, position as u32))).collect();
    id::sort(&mut named);
    named
}

/// A set of places on a tape, a bit each.
#[derive(Clone, Debug, Default)]
pub(crate) struct BitSet(Vec<u64>);

impl BitSet {
    pub(crate) fn insert(&mut self, place: u32) {
        let word = place as usize / 64;
        if word >= self.0.len() {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= 1 << (place % 64);
    }

    fn contains(&self, place: u32) -> bool {
        self.0.get(place as usize / 64).is_some_and(|word| word >> (place % 64) & 1 == 1)
    }

    /// BitSet of either.
    fn join(&mut self, other: &Self) {
        if other.0.len() > self.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        self.0.iter_mut().zip(&other.0).for_each(|(own, other)| *own |= other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tape;

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
    fn gradients_of_several_passes_add_up_by_name() {
        let (ids, mut tape) = ([Id::new(), Id::new()], Tape::<f64>::default());
        let values = [Tensor::from([1.0, 2.0]), Tensor::from([3.0])];
        let mut pass = |which: &[usize], by: f64| {
            tape.reset();
            let leaf = |&i: &usize| tape.named_leaf(ids[i], &values[i]).scale(by).sum(..);
            which.iter().map(leaf).reduce(|a, b| a + b).unwrap().backward()
        };
        let mut all = pass(&[0], 2.0);
        all += pass(&[0, 1], 3.0);
        all.add_weighted(&pass(&[1], 4.0), 0.5);
        assert_eq!(all.named(ids[0]), Some(&Tensor::from([5.0, 5.0])));
        assert_eq!(all.named(ids[1]), Some(&Tensor::from([5.0])));
        assert_eq!(all.iter().count(), 2);
        assert!((all.norm() - 75_f64.sqrt()).abs() < 1e-12);
        all.scale(2.0);
        assert_eq!(all.named(ids[1]), Some(&Tensor::from([10.0])));
    }

    #[test]
    fn gradients_of_one_pass_add_up_by_place_and_those_of_others_have_none() {
        let mut tape = Tape::<f64>::default();
        let x = tape.leaf(Tensor::from([3.0]));
        let h = x.scale(2.0).retain_gradient();
        let mut sum = h.sum(..).backward();
        sum += &(h * h).sum(..).backward();
        assert_eq!((sum.get(x), sum.get(h)), (Some(&Tensor::from([26.0])), Some(&Tensor::from([13.0]))));
        tape.reset();
        let x = tape.leaf(Tensor::from([3.0]));
        let other = x.scale(7.0).backward();
        sum += &other;
        assert_eq!((sum.get(x), other.get(x)), (None, Some(&Tensor::from([7.0]))));
        assert!((sum.norm() - 26.0).abs() < 1e-12);
    }

    #[test]
    fn passes_of_one_tape_add_up_whatever_each_depends_on() {
        let tape = Tape::<f64>::default();
        let leaves: Vec<_> = (0..20).map(|i| tape.leaf(Tensor::scalar(f64::from(i)))).collect();
        let sum = |of: &[Var<'_, f64>]| of.iter().copied().reduce(|a, b| a + b).unwrap().backward();
        // Those that the first has not come before, between and behind those that it has.
        let mut both = sum(&[leaves[3], leaves[7], leaves[15]]);
        both += &sum(&leaves);
        for (i, &leaf) in leaves.iter().enumerate() {
            let want = if [3, 7, 15].contains(&i) { 2.0 } else { 1.0 };
            assert_eq!(both.get(leaf), Some(&Tensor::scalar(want)), "{i}");
        }
        assert!((both.norm() - 29_f64.sqrt()).abs() < 1e-12);
    }

    #[test]
    fn a_named_leaf_that_another_pass_brought_first_is_found_by_its_handle() {
        let (id, w) = (Id::new(), Tensor::<f64>::from([2.0]));
        let (tape, other) = (Tape::default(), Tape::default());
        let (x, of_other) = (tape.leaf(Tensor::from([3.0])), other.named_leaf(id, &w).scale(5.0).backward());
        let mut sum = x.scale(7.0).backward();
        sum += &of_other;
        let w = tape.named_leaf(id, &w);
        sum += &(w * x).backward();
        assert_eq!((sum.get(w), sum.named(id)), (Some(&Tensor::from([8.0])), Some(&Tensor::from([8.0]))));
        assert_eq!(sum.get(x), Some(&Tensor::from([9.0])));
    }

    #[test]
    fn the_norm_neither_overflows_nor_underflows_and_does_not_hide_what_is_no_number() {
        let norm = |x: &[f64], y: &[f64]| {
            let tape = Tape::<f64>::default();
            let leaf = |x: &[f64]| tape.leaf(Tensor::ones([x.len()])) * tape.constant(Tensor::from_slice(x));
            (leaf(x).sum(..) + leaf(y).sum(..)).backward().norm()
        };
        for scale in [1.0, 1e-300, 1e300, 5e-324 * 1e8] {
            let got = norm(&[3.0 * scale, 0.0], &[4.0 * scale]);
            assert!((got / (5.0 * scale) - 1.0).abs() < 1e-7, "{got}");
        }
        assert_eq!((norm(&[0.0], &[]), norm(&[0.0], &[0.0])), (0.0, 0.0));
        assert!(norm(&[f64::NAN], &[1.0]).is_nan() && norm(&[1.0], &[f64::NAN]).is_nan());
        assert_eq!(norm(&[1.0], &[f64::NEG_INFINITY]), f64::INFINITY);
        let tape = Tape::new();
        let x = tape.leaf(Tensor::from([1.0_f32, 1.0]));
        let gradients = (x * tape.constant(Tensor::from([3e38, 3e38]))).sum(..).backward();
        assert!((gradients.norm() / (3e38 * 2_f64.sqrt()) - 1.0).abs() < 1e-6);
    }

    #[test]
    fn what_is_kept_grows_with_the_leaves_and_not_with_the_tape() {
        let tape = Tape::new();
        let x = tape.leaf(Tensor::scalar(1.0));
        let gradients = (0..10_000).fold(x, |y, _| y.scale(1.0)).backward();
        assert_eq!((gradients.kept.len(), gradients.not_retained.0.len()), (1, 10_000 / 64 + 1));
    }
}
