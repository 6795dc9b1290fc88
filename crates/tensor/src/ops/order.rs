//! The order in which elements lie in memory: results are computed and kept in that of their operands.

use std::cmp::Reverse;

use crate::dims::Dims;
use crate::element::Element;
use crate::layout::Layout;
use crate::tensor::Tensor;

/// The axes, outermost first, in the order in which the elements lie in memory; `None` where that is row-major. It is the order of the
/// first operand that is not broadcast, unless another is row-major. In it a result is computed and kept, as PyTorch does: so what is
/// computed of transposed matrices is as fast as of others, and is transposed.
pub(super) fn memory_order(layouts: &[&Layout]) -> Option<Dims<usize>> {
    let of_layout = |layout: &Layout| {
        let (dims, strides) = (layout.shape().dims(), layout.strides());
        let mut order: Dims<usize> = (0..dims.len()).filter(|&axis| dims[axis] == 1).collect();
        let mut long: Dims<usize> = (0..dims.len()).filter(|&axis| dims[axis] != 1).collect();
        let is_row_major = long.is_sorted_by(|&a, &b| strides[a].abs() >= strides[b].abs());
        long.sort_by_key(|axis| Reverse(strides[axis].abs()));
        long.iter().for_each(|&axis| order.push(axis));
        (!is_row_major).then_some(order)
    };
    let is_whole =
        |layout: &&&Layout| layout.shape().dims().iter().zip(layout.strides()).all(|(&n, &s)| s != 0 || n == 1);
    let mut orders = layouts.iter().filter(is_whole).map(|layout| of_layout(layout));
    let first = orders.next()??;
    orders.all(|order| order.is_some()).then_some(first)
}

/// A layout with its axes in this order.
pub(super) fn reordered(layout: &Layout, order: &Option<Dims<usize>>) -> Layout {
    order.as_ref().map_or_else(|| layout.clone(), |order| layout.reorder(order))
}

/// The axes of a view in this order.
pub(super) fn in_order<T: Element>(x: &Tensor<T>, order: &Option<Dims<usize>>) -> Tensor<T> {
    x.view(reordered(x.layout(), order))
}

/// The elements of `x` at `layout`, whose axes are put into this order.
pub(super) fn readable_as<T: Element>(x: &Tensor<T>, layout: &Layout, order: &Option<Dims<usize>>) -> Tensor<T> {
    x.readable_at(reordered(layout, order))
}

/// A result that was computed in this order, with its axes as they were.
pub(super) fn out_of_order<T: Element>(x: Tensor<T>, order: &Option<Dims<usize>>) -> Tensor<T> {
    let Some(order) = order else { return x };
    let mut back = Dims::filled(0, order.len());
    order.iter().enumerate().for_each(|(i, &axis)| back[axis] = i);
    let layout = x.layout().reorder(&back);
    x.into_view(layout)
}
