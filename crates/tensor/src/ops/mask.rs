//! Elements by a mask, and where there are any.

use crate::buffer::Buffer;
use crate::element::{Element, Number};
use crate::error::{Error, OrPanic};
use crate::kernel::{self, OfNumbers, Row};
use crate::ops::elementwise::choose;
use crate::par;
use crate::shape::Shape;
use crate::tensor::Tensor;
use crate::walk::Walk;

impl<T: Number> Tensor<T> {
    /// x m of each element and that of the mask, and 0 where m is 0, whatever x is: what a mask leaves out is gone, be it infinite or
    /// NaN. The shapes broadcast.
    ///
    /// Changes its own buffer if it is the only owner and has the shape of the result.
    ///
    /// # Panics
    /// The shapes do not broadcast.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let mask = Tensor::from([0.0, 2.0]);
    /// assert_eq!(Tensor::from([f64::INFINITY, 3.0]).masked_mul(&mask), Tensor::from([0.0, 6.0]));
    /// ```
    #[track_caller]
    pub fn masked_mul(self, mask: &Self) -> Self {
        T::zip_numbers_owned("masked_mul", self, mask, OfNumbers::MaskedMul).or_panic()
    }
}

impl<T: Element> Tensor<T> {
    /// This tensor with `value` wherever `mask` is true; the shapes broadcast.
    ///
    /// Changes its own buffer if it is the only owner and has the shape of the result.
    ///
    /// # Panics
    /// The shapes do not broadcast.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let x = Tensor::from([[1, 2], [3, 4]]);
    /// let filled = x.masked_fill(&Tensor::from([true, false]), 0);
    /// assert_eq!(filled, Tensor::from([[0, 2], [0, 4]]));
    /// ```
    #[track_caller]
    pub fn masked_fill(self, mask: &Tensor<bool>, value: T) -> Self {
        T::masked_fill(self, mask, value).or_panic()
    }

    /// A vector of the elements where `mask` is true, in row-major order; the shapes broadcast.
    ///
    /// # Panics
    /// The shapes do not broadcast.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let x = Tensor::from([[1, 2], [3, 4]]);
    /// assert_eq!(x.masked_select(&x.map(|x| x > 1)), Tensor::from([2, 3, 4]));
    /// ```
    #[track_caller]
    pub fn masked_select(&self, mask: &Tensor<bool>) -> Self {
        T::masked_select(self, mask).or_panic()
    }

    /// The indices of all elements that are not zero, in row-major order: `[n, rank]` for n of them. NaN is not zero.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let x = Tensor::from([[0, 7], [8, 0]]);
    /// assert_eq!(x.nonzero(), Tensor::from([[0, 1], [1, 0]]));
    /// ```
    pub fn nonzero(&self) -> Tensor<i64> {
        T::nonzero(self)
    }
}

pub(crate) fn masked_fill<T: Element>(mut x: Tensor<T>, mask: &Tensor<bool>, value: T) -> Result<Tensor<T>, Error> {
    let flat = if mask.shape() == x.shape() && x.unique_range().is_some() { mask.as_slice() } else { None };
    let Some(mask_elements) = flat else { return choose("masked_fill", mask, &Tensor::scalar(value), &x) };
    par::split(x.as_mut_slice(), 1, par::STREAM, |start, x| {
        let mask = &mask_elements[start..][..x.len()];
        kernel::fill_where(x, mask, value);
    });
    Ok(x)
}

pub(crate) fn nonzero<T: Element>(x: &Tensor<T>) -> Tensor<i64> {
    let x = x.contiguous();
    let elements = x.as_slice().expect("made contiguous");
    let zero = T::default();
    let count = elements.iter().fold(0, |count, x| count + usize::from(*x != zero));
    let rank = x.rank();
    let mut out = Buffer::stale(count * rank);
    let Some((&len, outer)) = x.dims().split_last() else {
        return Tensor::from_buffer(out, Shape::from([count, 0]));
    };
    let (mut index, mut found) = (vec![0; rank], vec![0; len]);
    let mut rows = out.chunks_exact_mut(rank);
    // Along the last axis, then the others like an odometer.
    for row in elements.chunks_exact(len.max(1)) {
        let mut count = 0;
        for (i, x) in (0..).zip(row) {
            // Written in any case, and kept if counted: no branch to mispredict.
            found[count] = i;
            count += usize::from(*x != zero);
        }
        for (&i, to) in found[..count].iter().zip(&mut rows) {
            index[rank - 1] = i;
            to.copy_from_slice(&index);
        }
        for (entry, &size) in index.iter_mut().zip(outer).rev() {
            *entry += 1;
            if *entry < size as i64 {
                break;
            }
            *entry = 0;
        }
    }
    Tensor::from_buffer(out, Shape::from([count, rank]))
}

pub(crate) fn masked_select<T: Element>(x: &Tensor<T>, mask: &Tensor<bool>) -> Result<Tensor<T>, Error> {
    let shape = x.shape().broadcast_in("masked_select", mask.shape())?;
    let (x, mask) = (x.readable_as(&shape)?, mask.readable_as(&shape)?);
    let count = mask.iter().fold(0, |count, masked| count + usize::from(masked));
    let mut out = Buffer::stale(count);
    let walk = Walk::new([x.layout(), mask.layout()]);
    let [x_stride, mask_stride] = walk.row_strides();
    let (elements, mut taken) = (&mut out[..], 0);
    walk.rows(0..shape.numel(), |flat, [x_at, mask_at]| {
        let x = Row::new(x.storage(), x_at, x_stride, flat.len());
        let mask = Row::new(mask.storage(), mask_at, mask_stride, flat.len());
        for i in 0..flat.len() {
            // Written in any case, and kept if counted: no branch to mispredict.
            let Some(out) = elements.get_mut(taken) else { return };
            *out = x.get(i);
            taken += usize::from(mask.get(i));
        }
    });
    Ok(Tensor::from_buffer(out, Shape::try_new(&[count])?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{dims, view};

    /// A tensor and a mask of its shape, of some of its last axes, or of one element.
    fn cases() -> impl Strategy<Value = (Tensor<i64>, Tensor<bool>)> {
        (dims(0..4), any::<u32>()).prop_flat_map(|(shape, skip)| {
            let last = shape[skip as usize % (shape.len() + 1)..].to_vec();
            let mask = view(last).prop_map(move |counts| counts.map(|i| (i + i64::from(skip)) * 7 % 3 == 0));
            (view(shape), mask)
        })
    }

    proptest! {
        #[test]
        fn masks_agree_with_their_definition((x, mask) in cases()) {
            let wide = mask.expand(x.shape());
            let mut selected = Vec::new();
            let filled = Tensor::from_fn(x.shape(), |index| {
                let (x, masked) = (x.get(index).unwrap(), wide.get(index).unwrap());
                if masked {
                    selected.push(x);
                }
                if masked { -1 } else { x }
            });
            prop_assert_eq!(x.clone().masked_fill(&mask, -1), filled.clone());
            prop_assert_eq!(x.copied().masked_fill(&mask, -1), filled);
            prop_assert_eq!(x.masked_select(&mask).to_vec(), selected);
        }

        #[test]
        fn nonzero_elements_are_found_in_order((x, _) in cases()) {
            let x = x.map(|i| if i % 3 == 0 { i } else { 0 });
            let mut want = Vec::new();
            Tensor::from_fn(x.shape(), |index| {
                if x.get(index) != Some(0) {
                    want.push(index.iter().map(|&i| i as i64).collect::<Vec<_>>());
                }
                false
            });
            let got = x.nonzero();
            prop_assert_eq!(got.dims(), [want.len(), x.rank()]);
            prop_assert_eq!(got.to_vec(), want.concat());
        }
    }

    #[test]
    fn the_tensor_may_be_the_one_that_grows() {
        let (x, mask) = (Tensor::from([1, 2]), Tensor::from([[true], [false]]));
        assert_eq!(x.clone().masked_fill(&mask, 0), Tensor::from([[0, 0], [1, 2]]));
        assert_eq!(x.masked_select(&mask), Tensor::from([1, 2]));
    }

    #[test]
    fn an_only_owner_is_filled_in_place() {
        let x = Tensor::<f32>::zeros([100]);
        let place = x.as_slice().unwrap().as_ptr();
        let mask = Tensor::full([100], true);
        assert_eq!(x.masked_fill(&mask, f32::NEG_INFINITY).as_slice().unwrap().as_ptr(), place);
    }

    #[test]
    fn not_a_number_is_not_zero_and_negative_zero_is() {
        assert_eq!(Tensor::from([0.0, f32::NAN, -0.0]).nonzero(), Tensor::from([[1]]));
        assert_eq!(Tensor::scalar(true).nonzero().dims(), [1, 0]);
        assert_eq!(Tensor::scalar(false).nonzero().dims(), [0, 0]);
    }
}
