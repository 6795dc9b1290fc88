//! A step that ranks share: each moves its own part of the weights and keeps the moments of that part alone (Rajbhandari et al., 2020,
//! *ZeRO: Memory Optimizations Toward Training Trillion Parameter Models*, stage 1).

use std::ops::Range;

use autograd::{Gradients, Id};
use tensor::{Float, Tensor};

use super::{At, Optimizer, Rule, Slot};
use crate::ranks::{self, Link, part};
use crate::{Error, Module, ParamPath};

/// Which part of each weight a rank moves, and of whose moments it keeps no more.
#[derive(Clone, Copy)]
pub(super) struct Share {
    rank: usize,
    size: usize,
}

impl Share {
    /// Its elements of a weight of so many, the weight with this number; of one that is not cut, all or none.
    pub(super) fn of(self, number: usize, elements: usize, is_cut: bool) -> Range<usize> {
        match is_cut {
            true => part(elements, self.rank, self.size),
            false if number % self.size == self.rank => 0..elements,
            false => 0..0,
        }
    }
}

/// Weights of up to so many bytes are sent in one message.
const SENT_TOGETHER: usize = 1 << 16;

/// A weight that a shared step has moved: of which this rank has its own part.
pub(super) struct Moved<'m, T> {
    /// Which of the moved weights it is.
    pub(super) number: usize,
    /// Whether each rank has moved a part of it, or one all of it.
    pub(super) is_cut: bool,
    pub(super) value: &'m mut [T],
}

impl<T: Float> Slot<T> {
    /// Lets go of all but a part of what is kept, or begins with that.
    pub(super) fn cut(&mut self, own: &Range<usize>, start: impl Fn(usize) -> Tensor<T>, slots: Range<usize>) {
        if self.t == 1 {
            self.kept = slots.map(start).collect();
        } else if !self.is_part {
            // What a file had, or steps that were not shared.
            self.kept = self.kept.iter().map(|kept| part_of(kept, own)).collect();
        }
        self.is_part = true;
    }
}

/// Some of the elements, in memory of their own.
fn part_of<T: Float>(whole: &Tensor<T>, own: &Range<usize>) -> Tensor<T> {
    let whole = whole.contiguous();
    Tensor::from_slice(&whole.as_slice().expect("contiguous")[own.clone()])
}

/// Moves a part of a weight.
pub(super) fn step_part<T: Float>(
    rule: &dyn Rule<T>,
    at: &At,
    value: &mut Tensor<T>,
    gradient: &Tensor<T>,
    slot: &mut Slot<T>,
    own: Range<usize>,
) {
    if own.is_empty() {
        return;
    }
    let is_whole = own.len() == gradient.numel();
    if is_whole {
        // In its shape, which the rule may go by.
        slot.kept.iter_mut().for_each(|kept| *kept = kept.reshape(gradient.shape()));
        rule.step(at, value, gradient, &mut slot.kept);
        let len = own.len();
        slot.kept.iter_mut().for_each(|kept| *kept = kept.contiguous().reshape([len]));
        return;
    }
    let (mut moved, gradient) = (part_of(value, &own), gradient.contiguous().reshape([gradient.numel()]));
    rule.step(at, &mut moved, &gradient.slice(0, own.clone()), &mut slot.kept);
    value.as_mut_slice()[own].copy_from_slice(moved.as_slice().expect("a vector"));
}

impl<T: Float> Optimizer<T> {
    /// Whether all of its rules move each element by itself.
    pub(crate) fn is_elementwise(&self) -> bool {
        let of_groups = self.groups.iter().filter_map(|group| group.rule.as_ref());
        std::iter::once(&self.rule).chain(of_groups).all(|rule| rule.is_elementwise())
    }

    /// The step by which each rank moves its own part of the weights, and tells the others.
    #[track_caller]
    pub(crate) fn step_shared(
        &mut self,
        model: &mut (impl Module<T> + ?Sized),
        gradients: &Gradients<T>,
        link: &Link<T>,
    ) -> Result<(), Error> {
        let (rank, size) = (link.rank(), link.size());
        self.step_of(model, gradients, Some(Share { rank, size }));
        let mut small = Vec::new();
        for weight in self.moved(model, gradients) {
            // Each in its place; those that are small, in one message, as a message has a cost of its own.
            if weight.is_cut && size_of_val(weight.value) > SENT_TOGETHER {
                ranks::share_parts(&mut **link.lock(), weight.value, false)?;
            } else {
                small.push(weight);
            }
        }
        let of_weight =
            |rank, weight: &Moved<'_, T>| Share { rank, size }.of(weight.number, weight.value.len(), weight.is_cut);
        let ranges = |rank| small.iter().map(move |weight| of_weight(rank, weight)).collect::<Vec<Range<usize>>>();
        let ranges: Vec<Vec<Range<usize>>> = (0..size).map(ranges).collect();
        let lens: Vec<usize> = ranges.iter().map(|ranges| ranges.iter().map(Range::len).sum()).collect();
        let own: Vec<&[T]> = small.iter().zip(&ranges[rank]).map(|(weight, own)| &weight.value[own.clone()]).collect();
        let all = link.exchange_all(&own.concat(), &lens)?;
        for of in (0..size).filter(|of| *of != rank) {
            let mut rest = &all[of][..];
            for (weight, range) in small.iter_mut().zip(&ranges[of]) {
                let (here, behind) = rest.split_at(range.len());
                weight.value[range.clone()].copy_from_slice(here);
                rest = behind;
            }
        }
        Ok(())
    }

    /// Puts what all ranks keep together again, on the ranks that are to have it, in the weights' shapes. What this rank has kept comes back,
    /// for [`take_apart`](Self::take_apart).
    pub(crate) fn put_together(
        &mut self,
        model: &(impl Module<T> + ?Sized),
        link: &Link<T>,
        here: bool,
    ) -> Result<Parts<T>, Error> {
        let (mut weights, mut parts) = (Vec::new(), Vec::new());
        model.visit(ParamPath::root(), &mut |_, param| weights.push((param.id(), param.value().shape().clone())));
        for (id, shape) in weights {
            let Some(slot) = self.slots.get_mut(id).filter(|slot| slot.is_part) else { continue };
            let mut whole = Vec::new();
            for kept in &slot.kept {
                let all = link.exchange_all(kept.as_slice().expect("a vector"), &link.lens(kept.numel())?)?;
                if here {
                    whole.push(Tensor::from_vec(all.concat(), &shape));
                }
            }
            if here {
                parts.push((id, std::mem::replace(&mut slot.kept, whole)));
                slot.is_part = false;
            }
        }
        Ok(parts)
    }

    /// Goes on with the parts that [`put_together`](Self::put_together) has given back.
    #[cfg(feature = "checkpoint")]
    pub(crate) fn take_apart(&mut self, parts: Parts<T>) {
        for (id, kept) in parts {
            if let Some(slot) = self.slots.get_mut(id) {
                (slot.kept, slot.is_part) = (kept, true);
            }
        }
    }
}

/// What one rank keeps of each weight.
pub(crate) type Parts<T> = Vec<(Id, Vec<Tensor<T>>)>;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ranks::{Communicator, Ranks};
    use crate::{AdamW, Param};

    /// Rank 1 of three, whom the others tell that all is 1.
    struct Second;

    impl Communicator for Second {
        fn rank(&self) -> usize {
            1
        }

        fn size(&self) -> usize {
            3
        }

        fn exchange(&mut self, _: &[(usize, &[f32])], from: Vec<(usize, &mut [f32])>, _: bool) -> Result<(), Error> {
            from.into_iter().for_each(|(_, values)| values.fill(1.0));
            Ok(())
        }

        fn all_gather(&mut self, mine: &[u8]) -> Result<Vec<u8>, Error> {
            Ok(mine.repeat(3))
        }

        fn broadcast(&mut self, bytes: Vec<u8>) -> Result<Vec<u8>, Error> {
            Ok(bytes)
        }

        fn all_reduce(&mut self, _: &mut [f32], _: bool) -> Result<(), Error> {
            Ok(())
        }
    }

    #[test]
    fn a_rank_keeps_and_moves_its_part_of_each_weight_alone() {
        let mut model: Vec<Param> = [7, 30, 1].map(|n| Param::new(Tensor::ones([n]))).into_iter().collect();
        let mut adamw = Optimizer::new(AdamW::default(), 0.1).unwrap();
        for _ in 0..3 {
            let tape = autograd::Tape::new();
            let loss = model.iter().map(|w| w.on(&tape).square().sum(..)).reduce(|a, b| a + b).unwrap();
            let gradients = loss.backward();
            drop(tape);
            adamw.step_shared(&mut model, &gradients, &Ranks::new(Second).link).unwrap();
        }
        for (param, own) in model.iter().zip([2..4, 10..20, 0..0]) {
            let slot = adamw.slots.get(param.id()).unwrap();
            assert!(slot.kept.iter().all(|kept| kept.numel() == own.len()), "{own:?}");
            let moved: Vec<usize> =
                (0..).zip(param.value().iter()).filter(|(_, w)| *w != 1.0).map(|(at, _)| at).collect();
            assert!(moved.into_iter().eq(own));
        }
    }

    #[test]
    #[should_panic(expected = "step: the optimizer keeps a part of the moments, as ranks have shared them")]
    fn a_part_is_not_taken_for_the_whole() {
        let mut w = Param::new(Tensor::ones([6]));
        let mut adamw = Optimizer::new(AdamW::default(), 0.1).unwrap();
        let gradients = w.on(&autograd::Tape::new()).square().sum(..).backward();
        adamw.step_shared(&mut w, &gradients, &Ranks::new(Second).link).unwrap();
        adamw.step(&mut w, &gradients);
    }
}
