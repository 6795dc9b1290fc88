//! Conversions from and into the arrays of the crate `ndarray`. Feature `ndarray`.

use ndarray::{Array, ArrayBase, ArrayD, ArrayView, Data, Dimension, IxDyn, s};

use crate::buffer::Buffer;
use crate::dims::Dims;
use crate::element::Element;
use crate::shape::Shape;
use crate::tensor::Tensor;

/// Feature `ndarray`.
impl<T: Element> From<&Tensor<T>> for ArrayD<T> {
    /// An array of the same shape with the elements in row-major order; `into_dimensionality` of `ndarray` makes the
    /// rank part of its type.
    ///
    /// # Example
    /// ```
    /// use ndarray::{Array2, ArrayD, Ix2, array};
    /// use tensor::Tensor;
    ///
    /// let x = Tensor::from([[1, 2, 3], [4, 5, 6]]);
    /// let y: Array2<i64> = ArrayD::from(&x.t()).into_dimensionality::<Ix2>()?;
    /// assert_eq!(y, array![[1, 4], [2, 5], [3, 6]]);
    /// # Ok::<(), ndarray::ShapeError>(())
    /// ```
    fn from(x: &Tensor<T>) -> Self {
        ArrayD::from(x.copied())
    }
}

/// Feature `ndarray`.
impl<T: Element> From<Tensor<T>> for ArrayD<T> {
    /// As from a reference, but the buffer is handed over where this tensor is its only owner and all of its
    /// elements lie in row-major order.
    fn from(x: Tensor<T>) -> Self {
        let (shape, len) = (IxDyn(x.dims()), x.numel());
        let (data, start) = x.into_parts();
        let elements = Array::from_vec(data).slice_move(s![start..start + len]);
        elements.into_shape_with_order(shape).expect("as many elements as the shape has")
    }
}

/// Feature `ndarray`.
impl<T: Element, S: Data<Elem = T>, D: Dimension> From<&ArrayBase<S, D>> for Tensor<T> {
    /// A tensor of the same shape, whatever the strides of the array.
    ///
    /// # Example
    /// ```
    /// use ndarray::{array, s};
    /// use tensor::Tensor;
    ///
    /// let x = array![[1, 2, 3], [4, 5, 6]];
    /// assert_eq!(Tensor::from(&x), Tensor::from([[1, 2, 3], [4, 5, 6]]));
    /// assert_eq!(Tensor::from(x.slice(s![.., ..;-2])), Tensor::from([[3, 1], [6, 4]]));
    /// ```
    fn from(x: &ArrayBase<S, D>) -> Self {
        match x.as_slice() {
            Some(data) => tensor(data.to_vec().into(), x.shape()),
            None => tensor(x.iter().copied().collect::<Vec<_>>().into(), x.shape()),
        }
    }
}

/// Feature `ndarray`.
impl<T: Element, D: Dimension> From<ArrayView<'_, T, D>> for Tensor<T> {
    /// As from a reference.
    fn from(x: ArrayView<'_, T, D>) -> Self {
        Tensor::from(&x)
    }
}

/// Feature `ndarray`.
impl<T: Element, D: Dimension> From<Array<T, D>> for Tensor<T> {
    /// As from a reference, but the buffer is taken over where the elements lie in it in row-major order or, for a
    /// transposed view, in Fortran's.
    ///
    /// # Example
    /// ```
    /// use ndarray::array;
    /// use tensor::Tensor;
    ///
    /// let x = array![[1, 2, 3], [4, 5, 6]];
    /// assert_eq!(Tensor::from(x.reversed_axes()), Tensor::from([[1, 4], [2, 5], [3, 6]]));
    /// ```
    fn from(x: Array<T, D>) -> Self {
        let dims = x.shape().to_vec();
        if x.is_standard_layout() {
            let len = x.len();
            // An array without elements has no offset.
            let (data, offset) = x.into_raw_vec_and_offset();
            return tensor(Buffer::within(data, offset.unwrap_or(0), len), &dims);
        }
        if x.t().is_standard_layout() {
            let reversed = Tensor::from(x.reversed_axes());
            let order: Dims<usize> = (0..reversed.rank()).rev().collect();
            return reversed.view(reversed.layout().reorder(&order));
        }
        Tensor::from(&x)
    }
}

fn tensor<T: Element>(data: Buffer<T>, dims: &[usize]) -> Tensor<T> {
    Tensor::from_buffer(data, Shape::try_new(dims).expect("ndarray asks the same of a shape"))
}

#[cfg(test)]
mod tests {
    use ndarray::{Array0, Array2, Array3, Axis, ShapeBuilder};

    use super::*;

    fn numbers(dims: &[usize]) -> Tensor<i64> {
        Tensor::arange(dims.iter().product()).reshape(dims)
    }

    /// Whether shape and elements are the same, index by index.
    fn same<S: Data<Elem = i64>, D: Dimension>(x: &Tensor<i64>, y: &ArrayBase<S, D>) -> bool {
        let y = y.view().into_dyn();
        let mut indexed = y.indexed_iter();
        x.dims() == y.shape()
            && indexed.all(|(index, &element)| x.get(index.as_array_view().as_slice().unwrap()) == Some(element))
    }

    #[test]
    fn views_of_tensors_become_arrays() {
        let x = numbers(&[2, 3, 4]);
        let views = [
            x.clone(),
            x.transpose(0, 2),
            x.slice_step(2, 1.., 2),
            x.select(1, 2),
            x.select(0, 1).select(0, 1).select(0, 1),
            x.narrow(0, 0, 1).expand([5, 3, 4]),
            x.narrow(1, 3, 0),
            numbers(&[1, 2, 1, 2, 1, 2, 1, 2]),
        ];
        for view in views {
            assert!(same(&view, &ArrayD::from(&view)), "{:?}", view.layout());
            assert!(same(&view, &ArrayD::from(view.clone())), "{:?}", view.layout());
        }
        // A negative control for `same`.
        assert!(!same(&x, &(ArrayD::from(&x) + 1)) && !same(&x.t(), &ArrayD::from(&x)));
    }

    #[test]
    fn arrays_of_any_strides_become_tensors() {
        let x = Array3::from_shape_fn((2, 3, 4), |(i, j, k)| (100 * i + 10 * j + k) as i64);
        assert!(same(&Tensor::from(&x), &x));
        for view in [
            x.view().reversed_axes(),
            x.slice(s![.., ..;-1, ..;2]),
            x.slice(s![..;-1, ..;-1, ..;-1]),
            x.slice(s![1.., 3.., ..]),
            x.slice(s![..1, .., ..]).broadcast((2, 3, 4)).unwrap(),
        ] {
            assert!(same(&Tensor::from(&view), &view), "{:?}", view.strides());
            assert!(same(&Tensor::from(view), &view), "{:?}", view.strides());
            assert!(same(&Tensor::from(view.to_owned()), &view), "{:?}", view.strides());
        }
        assert_eq!(Tensor::from(Array0::from_elem((), 7_i64)), Tensor::scalar(7));
        assert_eq!(Tensor::from(Array2::<f32>::zeros((0, 3))).dims(), [0, 3]);
    }

    #[test]
    fn owned_arrays_that_were_cut_become_tensors() {
        let x = || Array2::from_shape_fn((4, 3), |(i, j)| (10 * i + j) as i64);
        let f = || Array2::from_shape_vec((4, 3).f(), (0..12).collect()).unwrap();
        for array in [x(), f()] {
            for slice in [s![1.., ..], s![..2, ..], s![1..3, 1..], s![..;-1, ..], s![.., ..;-1], s![4.., ..]] {
                let cut = array.clone().slice_move(slice);
                assert!(same(&Tensor::from(cut.clone()), &cut), "{:?} {:?}", cut.shape(), cut.strides());
            }
            let mut inverted = array.clone();
            inverted.invert_axis(Axis(0));
            assert!(same(&Tensor::from(inverted.clone()), &inverted));
        }
    }

    #[test]
    fn buffers_move_where_they_can() {
        let x = Array2::<f32>::zeros((30, 20));
        let place = x.as_ptr();
        let x = Tensor::from(x);
        assert_eq!(x.as_slice().unwrap().as_ptr(), place);
        let x = ArrayD::from(x);
        assert_eq!(x.as_ptr(), place);
        let x = Tensor::from(x.reversed_axes());
        assert_eq!(x.t().as_slice().unwrap().as_ptr(), place);
        assert_eq!(x.dims(), [20, 30]);
        // Not from one that others still see.
        let other = x.t();
        assert_ne!(ArrayD::from(x.t()).as_ptr(), place);
        drop(x);
        assert_eq!(ArrayD::from(other).as_ptr(), place);
        // A tensor's own buffers are longer than the tensor, and it does not begin at their start.
        let x = Tensor::<f32>::full([257], 1.0);
        let place = x.as_slice().unwrap().as_ptr();
        let x = ArrayD::from(x);
        assert_eq!((x.as_ptr(), x.len()), (place, 257));
        let x = Tensor::from(x);
        assert_eq!((x.as_slice().unwrap().as_ptr(), x.numel()), (place, 257));
    }
}
