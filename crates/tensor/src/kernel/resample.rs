//! Mixtures of the indices of an axis, such as means of neighbours.

use super::isa::kernel;
use super::scalar::Real;

/// For each index of a result, which indices of an axis it is mixed from, and their weights.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mixture<T> {
    /// Where the entries of each index begin, and where those of the last one end.
    starts: Vec<usize>,
    entries: Vec<(usize, T)>,
    /// How many indices the axis has.
    from: usize,
}

impl<T: Real> Mixture<T> {
    /// # Panics
    /// An index is not below `from`.
    pub(crate) fn new(from: usize, all: impl Iterator<Item = Vec<(usize, f64)>>) -> Self {
        let mut mixture = Mixture { starts: vec![0], entries: Vec::new(), from };
        for entries in all {
            assert!(entries.iter().all(|&(index, _)| index < from), "an index of the axis");
            mixture.entries.extend(entries.into_iter().map(|(index, weight)| (index, T::from_f64(weight))));
            mixture.starts.push(mixture.entries.len());
        }
        mixture
    }

    pub(crate) fn from(&self) -> usize {
        self.from
    }

    pub(crate) fn to(&self) -> usize {
        self.starts.len() - 1
    }

    /// How many entries an index has on average.
    pub(crate) fn density(&self) -> f64 {
        self.entries.len() as f64 / self.to().max(1) as f64
    }

    #[inline(always)]
    fn of(&self, index: usize) -> &[(usize, T)] {
        &self.entries[self.starts[index]..self.starts[index + 1]]
    }

    /// The way back: the weights the other way round.
    pub(crate) fn back(&self) -> Self {
        let mut all = vec![Vec::new(); self.from];
        for to in 0..self.to() {
            for &(from, weight) in self.of(to) {
                all[from].push((to, weight));
            }
        }
        let mut back = Mixture { starts: vec![0], entries: Vec::with_capacity(self.entries.len()), from: self.to() };
        for entries in all {
            back.entries.extend(entries);
            back.starts.push(back.entries.len());
        }
        back
    }
}

kernel! {
    /// out\[i, j] = Σ w x\[k, j] over the entries (k, w) of i: x of `mixture.from()` rows of `inner` elements, out of `mixture.to()`.
    pub(crate) fn mix[T: Real](x: &[T], mixture: &Mixture<T>, inner: usize, out: &mut [T]), arithmetic T {
        for i in 0..mixture.to() {
            let entries = mixture.of(i);
            if inner == 1 {
                let mut sum = T::ZERO;
                for &(k, weight) in entries {
                    sum = weight.mul_add(x[k], sum);
                }
                out[i] = sum;
                continue;
            }
            let out = &mut out[i * inner..][..inner];
            out.fill(T::ZERO);
            for &(k, weight) in entries {
                let x = &x[k * inner..][..inner];
                for j in 0..inner {
                    out[j] = weight.mul_add(x[j], out[j]);
                }
            }
        }
    }
}
