//! A bucket, summed over the ranks: what they send each other, and the top of the tree.

use std::ops::Range;
use std::sync::Arc;

use tensor::{Float, Tensor};

use super::tree::Fold;
use super::{Communicator, Link, Parts, Settings, part};
use crate::Error;

/// A bucket to be summed over the ranks.
pub(super) struct Job<T: Float> {
    pub(super) bucket: usize,
    pub(super) elements: usize,
    /// Over each of this rank's subtrees.
    pub(super) sums: Vec<Tensor<T>>,
    pub(super) parts: Arc<Parts>,
    /// Whether each rank is to have no more than its own part of it.
    pub(super) stays_apart: bool,
}

/// Up to so many bytes, each rank sends all that it has to all others, and adds up everything: one round of messages in place of two. Between
/// two ranks by shared memory, 64 KiB took 8 µs, and a half of it there and the sum back 2 × 6 (AMD EPYC).
const SENT_WHOLE: usize = 1 << 16;

impl<T: Float> Job<T> {
    pub(super) fn reduce(
        self,
        link: &Link<T>,
        settings: Settings,
        scratch: &mut Vec<T>,
        yields: bool,
    ) -> Result<Tensor<T>, Error> {
        let communicator = &mut **link.lock();
        if settings.any_order {
            return self.in_any_order(communicator, yields);
        }
        let (elements, size, stays_apart) = (self.elements, communicator.size(), self.stays_apart);
        if elements * size_of::<T>() <= SENT_WHOLE {
            return self.in_order(communicator, |_| 0..elements, scratch, yields);
        }
        let mut sum = self.in_order(communicator, |rank| part(elements, rank, size), scratch, yields)?;
        if !stays_apart {
            share_parts(communicator, sum.as_mut_slice(), yields)?;
        }
        Ok(sum)
    }

    fn in_any_order(self, communicator: &mut dyn Communicator<T>, yields: bool) -> Result<Tensor<T>, Error> {
        let own = self.sums.into_iter().reduce(|mut sum, more| {
            sum += &more;
            sum
        });
        let mut sum = own.unwrap_or_else(|| Tensor::full([self.elements], T::from_f64(-0.0)));
        communicator.all_reduce(sum.as_mut_slice(), yields)?;
        Ok(sum)
    }

    /// The sum over all ranks of what `part_of` gives this one of the elements; the rest is what it was.
    fn in_order(
        mut self,
        communicator: &mut dyn Communicator<T>,
        part_of: impl Fn(usize) -> Range<usize>,
        scratch: &mut Vec<T>,
        yields: bool,
    ) -> Result<Tensor<T>, Error> {
        let (rank, size) = (communicator.rank(), communicator.size());
        let mine = part_of(rank);
        let mut received = Received::of(&self.parts, rank, mine.len(), scratch);
        let own: Vec<&[T]> = self.sums.iter().map(|sum| sum.as_slice().expect("packed")).collect();
        let others = (0..size).filter(|to| *to != rank);
        let send = others.flat_map(|to| own.iter().map(|sum| (to, &sum[part_of(to)])).collect::<Vec<_>>());
        communicator.exchange(&send.collect::<Vec<_>>(), received.waiting(), yields)?;
        let own = self.sums.iter_mut().map(|sum| &mut sum.as_mut_slice()[mine.clone()]).collect();
        let elsewhere = received.sum(&self.parts, rank, own);
        if self.sums.is_empty() {
            self.sums.push(Tensor::zeros([self.elements]));
        }
        let mut sum = self.sums.swap_remove(0);
        if let Some(elsewhere) = elsewhere {
            sum.as_mut_slice()[mine].copy_from_slice(&elsewhere);
        }
        Ok(sum)
    }
}

/// Fills all but this rank's own part of the elements with what the other ranks have there.
pub(crate) fn share_parts<T: Float>(
    communicator: &mut dyn Communicator<T>,
    elements: &mut [T],
    yields: bool,
) -> Result<(), Error> {
    let (rank, size, len) = (communicator.rank(), communicator.size(), elements.len());
    let (mut rest, mut own, mut receive) = (elements, &[][..], Vec::new());
    for of in 0..size {
        let (here, behind) = rest.split_at_mut(part(len, of, size).len());
        rest = behind;
        if of == rank {
            own = here;
        } else {
            receive.push((of, here));
        }
    }
    let send: Vec<_> = (0..size).filter(|to| *to != rank).map(|to| (to, own)).collect();
    communicator.exchange(&send, receive, yields)
}

/// What the other ranks have sent of their subtrees: of each as many elements, one after the other.
struct Received<'s, T> {
    /// The ranks that they are of.
    from: Vec<usize>,
    each: usize,
    elements: &'s mut [T],
}

impl<'s, T: Float> Received<'s, T> {
    /// Room for what will come.
    fn of(parts: &Parts, rank: usize, each: usize, scratch: &'s mut Vec<T>) -> Self {
        let from: Vec<usize> = (0..parts.tops.len())
            .filter(|of| *of != rank)
            .flat_map(|of| std::iter::repeat_n(of, parts.tops[of].len()))
            .collect();
        let needed = from.len() * each;
        if scratch.len() < needed {
            scratch.resize(needed, T::ZERO);
        }
        Received { from, each, elements: &mut scratch[..needed] }
    }

    fn waiting(&mut self) -> Vec<(usize, &mut [T])> {
        // Of nothing there are no pieces, and yet a message each.
        let pieces = self.elements.chunks_mut(self.each.max(1)).chain(std::iter::repeat_with(|| &mut [][..]));
        self.from.iter().copied().zip(pieces).collect()
    }

    /// The sum with this rank's own, in the order of the tree: in the place of the first of these, or, where there is none, by itself.
    fn sum(self, parts: &Parts, rank: usize, own: Vec<&mut [T]>) -> Option<Vec<T>> {
        let (mut own, mut others) = (own.into_iter().enumerate(), self.elements.chunks_mut(self.each.max(1)));
        let mut fold = Fold::new(parts.shards);
        for (of, tops) in parts.tops.iter().enumerate() {
            for &top in tops {
                let (stays, elements) = match of == rank {
                    true => own.next().map(|(at, elements)| (at == 0, elements)).expect("one for each subtree"),
                    false => (false, others.next().unwrap_or(&mut [])),
                };
                // Either may have the sum: a + b is b + a.
                fold.push(top, (stays, elements), |(a_stays, a), (b_stays, b)| match b_stays {
                    true => (true, added(b, a)),
                    false => (a_stays, added(a, b)),
                });
            }
        }
        let (stays, sum) = fold.sum().expect("a step has shards");
        (!stays).then(|| sum.to_vec())
    }
}

fn added<'a, T: Float>(sum: &'a mut [T], more: &[T]) -> &'a mut [T] {
    sum.iter_mut().zip(more).for_each(|(sum, &more)| *sum += more);
    sum
}
