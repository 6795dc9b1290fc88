//! Tensors for property tests: views of any kind, for any shape.

use std::ops::Range;

use proptest::prelude::*;

use crate::Tensor;

/// Dimensions of 0 to 4, of a rank in `rank`.
pub(crate) fn dims(rank: Range<usize>) -> impl Strategy<Value = Vec<usize>> {
    // Zero-size tensors are a case, not every other one.
    prop::collection::vec(prop_oneof![1 => Just(0usize), 9 => 1usize..5], rank)
}

/// How one axis lies in memory.
#[derive(Clone, Copy, Debug)]
enum Axis {
    Whole,
    /// The middle of a longer axis.
    Cut,
    /// Every second index.
    Stepped,
    /// One index, repeated.
    Repeated,
    /// From the last index to the first.
    Flipped,
}

/// A view of the shape `dims` over a tensor that counts from 1: its axes cut out, stepped, repeated, flipped and
/// permuted.
pub(crate) fn view(dims: Vec<usize>) -> impl Strategy<Value = Tensor<i64>> {
    let axis =
        prop_oneof![Just(Axis::Whole), Just(Axis::Cut), Just(Axis::Stepped), Just(Axis::Repeated), Just(Axis::Flipped)];
    let order: Vec<usize> = (0..dims.len()).collect();
    (Just(dims.clone()), prop::collection::vec(axis, dims.len()), Just(order).prop_shuffle()).prop_map(
        |(dims, axes, order)| {
            // Axis i of the base becomes axis order[i] of the view.
            let base: Vec<usize> = order
                .iter()
                .map(|&own| match axes[own] {
                    Axis::Whole | Axis::Flipped => dims[own],
                    Axis::Cut => dims[own] + 2,
                    Axis::Stepped => 2 * dims[own],
                    Axis::Repeated => 1,
                })
                .collect();
            let numel: usize = base.iter().product();
            let mut x = (1..=numel as i64).collect::<Tensor<i64>>().reshape(&base);
            for (i, &own) in order.iter().enumerate() {
                let axis = i as isize;
                x = match axes[own] {
                    Axis::Whole => x,
                    Axis::Cut => x.narrow(axis, 1, dims[own]),
                    Axis::Stepped => x.slice_step(axis, .., 2),
                    Axis::Repeated => {
                        let mut grown = x.dims().to_vec();
                        grown[i] = dims[own];
                        x.expand(grown)
                    }
                    Axis::Flipped => x.flip(&[axis]),
                };
            }
            let back: Vec<isize> =
                (0..order.len()).map(|own| order.iter().position(|&o| o == own).unwrap() as isize).collect();
            x.permute(&back)
        },
    )
}

/// A view of any shape of a rank in `rank`.
pub(crate) fn any_view(rank: Range<usize>) -> impl Strategy<Value = Tensor<i64>> {
    dims(rank).prop_flat_map(view)
}
