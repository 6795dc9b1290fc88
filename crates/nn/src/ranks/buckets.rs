//! Which gradients are sent together, and in which order.

use std::collections::{HashMap, HashSet};

use autograd::Id;
use tensor::{Float, Shape, Tensor};

use crate::Module;
use crate::model::ParamPath;

/// The trained weights of a model in buckets, in the order in which their gradients are likely to be finished: the model's, from the last.
#[derive(Default)]
pub(super) struct Plan {
    /// Each weight once, in the model's order.
    pub(super) weights: Vec<(Id, Shape)>,
    /// In which bucket each is, and where in it.
    places: HashMap<Id, (usize, usize)>,
    pub(super) buckets: Vec<Bucket>,
    /// The model's trained weights as it lists them.
    listed: Vec<Id>,
}

fn listed<T: Float>(model: &(impl Module<T> + ?Sized)) -> Vec<Id> {
    let mut listed = Vec::new();
    model.visit(ParamPath::root(), &mut |_, param| listed.extend(param.is_trained().then(|| param.id())));
    listed
}

/// A weight of more than this part of a bucket is sent by itself, as it lies: packing copies, which takes about as long as sending does.
const ALONE: usize = 8;

/// Weights whose gradients are sent together.
#[derive(Default)]
pub(super) struct Bucket {
    /// By place among the weights.
    pub(super) weights: Vec<usize>,
    pub(super) elements: usize,
}

impl Plan {
    pub(super) fn of<T: Float>(model: &(impl Module<T> + ?Sized), bucket_bytes: usize) -> Self {
        let mut plan = Plan { listed: listed(model), ..Plan::default() };
        let mut known = HashSet::new();
        model.visit(ParamPath::root(), &mut |_, param| {
            // One that is used in two places is one.
            if param.is_trained() && known.insert(param.id()) {
                plan.weights.push((param.id(), param.value().shape().clone()));
            }
        });
        // In the order in which they are full.
        let mut open = Bucket::default();
        for (weight, (_, shape)) in plan.weights.iter().enumerate().rev() {
            let bytes = |elements: usize| elements * size_of::<T>();
            if bytes(shape.numel()) > bucket_bytes / ALONE {
                plan.buckets.push(Bucket { weights: vec![weight], elements: shape.numel() });
                continue;
            }
            if bytes(open.elements + shape.numel()) > bucket_bytes {
                plan.buckets.push(std::mem::take(&mut open));
            }
            open.weights.push(weight);
            open.elements += shape.numel();
        }
        plan.buckets.extend(Some(open).filter(|open| !open.weights.is_empty()));
        for (at, bucket) in plan.buckets.iter().enumerate() {
            let placed =
                bucket.weights.iter().enumerate().map(|(place, &weight)| (plan.weights[weight].0, (at, place)));
            plan.places.extend(placed);
        }
        plan
    }

    /// Whether it is still that of a model, of which weights may have been frozen.
    pub(super) fn is_of<T: Float>(&self, model: &(impl Module<T> + ?Sized)) -> bool {
        self.listed == listed(model)
    }

    /// In which bucket the gradient of a weight is, and where in it.
    pub(super) fn place(&self, id: Id) -> Option<(usize, usize)> {
        self.places.get(&id).copied()
    }
}

/// What of a bucket has been finished: of each weight, the sums over this rank's subtrees.
pub(super) struct Filling<T: Float> {
    sums: Vec<Option<Vec<Option<Tensor<T>>>>>,
    left: usize,
}

impl<T: Float> Filling<T> {
    pub(super) fn of(bucket: &Bucket) -> Self {
        let count = bucket.weights.len();
        Filling { sums: vec![None; count], left: count }
    }

    pub(super) fn is_full(&self) -> bool {
        self.left == 0
    }

    pub(super) fn has(&self, at: usize) -> bool {
        self.sums[at].is_some()
    }

    pub(super) fn set(&mut self, at: usize, sums: Vec<Option<Tensor<T>>>) {
        self.left -= usize::from(!self.has(at));
        self.sums[at] = Some(sums);
    }

    /// The elements of all weights in a row, for each of so many subtrees. What has no gradient is −0, which changes no sum.
    pub(super) fn packed(self, bucket: &Bucket, weights: &[(Id, Shape)], tops: usize) -> Vec<Tensor<T>> {
        let mut sums: Vec<Vec<Option<Tensor<T>>>> =
            self.sums.into_iter().map(|sums| sums.unwrap_or_else(|| vec![None; tops])).collect();
        let absent = T::from_f64(-0.0);
        let pack = |top: usize| {
            if let [only] = &mut sums[..] {
                // As it lies, without a copy.
                let elements = bucket.elements;
                return only[top].take().map_or_else(
                    || Tensor::full([elements], absent),
                    |gradient| gradient.contiguous().reshape([elements]),
                );
            }
            let mut all = Vec::with_capacity(bucket.elements);
            for (sums, weight) in sums.iter_mut().zip(&bucket.weights) {
                match sums[top].take().map(|gradient| gradient.contiguous()) {
                    Some(gradient) => all.extend_from_slice(gradient.as_slice().expect("contiguous")),
                    None => all.resize(all.len() + weights[*weight].1.numel(), absent),
                }
            }
            Tensor::from_vec(all, [bucket.elements])
        };
        (0..tops).map(pack).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Param;

    #[test]
    fn weights_go_into_buckets_from_the_last_and_a_frozen_one_makes_another_plan() {
        let sizes = [100, 3, 2, 50, 4, 1];
        let mut model: Vec<Param> = sizes.map(|n| Param::new(Tensor::zeros([n]))).into_iter().collect();
        let buckets = |bytes| {
            let plan = Plan::of(&model, bytes);
            plan.buckets.iter().map(|bucket| (bucket.weights.clone(), bucket.elements)).collect::<Vec<_>>()
        };
        // 50 and 100 are large, and are full before the last small ones.
        assert_eq!(buckets(160), [(vec![3], 50), (vec![0], 100), (vec![5, 4, 2, 1], 10)]);
        assert_eq!(buckets(0), [5, 4, 3, 2, 1, 0].map(|of| (vec![of], sizes[of])));
        assert_eq!(buckets(1000), [(vec![3], 50), (vec![0], 100), (vec![5, 4, 2, 1], 10)]);
        assert_eq!(buckets(usize::MAX), [(vec![5, 4, 3, 2, 1, 0], 160)]);
        let plan = Plan::of(&model, 160);
        assert_eq!([0, 2].map(|of| plan.place(model[of].id())), [Some((1, 0)), Some((2, 2))]);
        assert!(plan.is_of(&model));
        model[3].set_frozen(true);
        assert!(!plan.is_of(&model));
        let plan = Plan::of(&model, usize::MAX);
        assert!(plan.is_of(&model) && plan.buckets.len() == 1);
        model[3].set_frozen(false);
        assert!(!plan.is_of(&model));
    }

    #[test]
    fn what_is_packed_lies_in_a_row_and_what_is_absent_is_nothing() {
        let model = [Param::new(Tensor::from([[1.0_f32, 2.0], [3.0, 4.0]])), Param::new(Tensor::zeros([2]))];
        let model: Vec<Param> = model.into_iter().collect();
        let plan = Plan::of(&model, usize::MAX);
        let mut filling = Filling::of(&plan.buckets[0]);
        filling.set(1, vec![Some(model[0].value().t()), None]);
        assert!(!filling.is_full() && filling.has(1) && !filling.has(0));
        filling.set(0, vec![None, Some(Tensor::from([5.0, 6.0]))]);
        assert!(filling.is_full());
        let packed = filling.packed(&plan.buckets[0], &plan.weights, 2);
        assert_eq!(packed[0].to_vec(), [-0.0, -0.0, 1.0, 3.0, 2.0, 4.0]);
        assert_eq!(packed[1].to_vec(), [5.0, 6.0, -0.0, -0.0, -0.0, -0.0]);
        assert!(packed[0].get(&[0]).unwrap().is_sign_negative());
    }
}
