//! Many elements become one, over any axes.
//!
//! Every reduction goes through [`reduce`], which finds out how the elements lie in memory, and hands runs of them to `kernel`.
//! Axes that run on evenly are one run. The run of neighbours is reduced first. Where neighbours belong to different results,
//! whole rows are reduced at once. Long runs are cut into pieces, so that several threads can work on one result. The
//! results of pieces and of further runs are joined by halves. All of this depends on the shape and the strides alone.

mod axes;
mod extreme;
mod log_sum_exp;
mod logic;
mod moments;
mod norm;
mod scan;
mod sum;

pub(crate) use self::axes::over;
pub use self::axes::{Axes, KeepDim, keepdim};
pub(crate) use self::extreme::arg;
pub(crate) use self::log_sum_exp::log_sum_exp;
pub(crate) use self::logic::count_nonzero;
pub(crate) use self::moments::{deviation, var_mean, variance};
pub(crate) use self::norm::{norm, norm_f64};
pub(crate) use self::scan::scan;
pub(crate) use self::sum::{fold, mean, sum_to};
#[allow(unreachable_pub, reason = "in the traits that keep the public `Element` sealed")]
pub use self::{axes::Over, scan::Running, sum::Fold};
use crate::axes::Axes as Joined;
use crate::buffer::Buffer;
use crate::dims::Dims;
use crate::element::Element;
use crate::kernel::{self, ROWS, Reduction, Run, WIDE};
use crate::layout::Layout;
use crate::ops::order::{in_order, memory_order, out_of_order};
use crate::par;
use crate::shape::Shape;
use crate::tensor::Tensor;
use crate::walk::Walk;

/// Elements of a piece: the fewest that are worth handing to a thread.
const PIECE_OF_RUN: usize = 1 << 16;

/// With this many results, threads have enough to share without pieces, which would take much memory.
const MANY: usize = 1 << 13;

/// Each element of the result is what `finish` makes of what the elements along the reduced axes come to; `of_nothing` where
/// there are none. To read and reduce an element costs `cost` nanoseconds. `finish` is given many parts at once.
fn reduce<T: Element, P: Copy + Default + Send + Sync, O: Element>(
    x: &Tensor<T>,
    over: &Over,
    cost: f64,
    r: &dyn Reduction<T, Part = P>,
    of_nothing: O,
    finish: &(dyn Fn(&[P], &mut [O]) + Sync),
) -> Tensor<O> {
    if let order @ Some(axes) = &memory_order_of_kept(x.layout(), &over.reduced) {
        let turned = Over { reduced: axes.iter().map(|&axis| over.reduced[axis]).collect(), keep: true };
        let out = out_of_order(reduce(&in_order(x, order), &turned, cost, r, of_nothing, finish), order);
        let left: Dims<usize> = (0..x.rank()).filter(|&axis| over.keep || !over.reduced[axis]).collect();
        return out.view(out.layout().reorder(&left));
    }
    let shape = over.shape(x.shape());
    let mut out = Buffer::stale(shape.numel());
    if x.numel() == 0 {
        out.fill(of_nothing);
        return Tensor::from_buffer(out, shape);
    }
    if let Some(run) = one_run(x, &over.reduced) {
        let mut part = [P::default()];
        kernel::reduce_rows(r, run, 1, &mut part);
        finish(&part, &mut out);
        return Tensor::from_buffer(out, shape);
    }
    let near = near(x, &over.reduced);
    let x = near.as_ref().unwrap_or(x);
    let (data, plan) = (x.storage(), Plan::new(x.layout(), &over.reduced));
    if plan.parts.shape().numel() == plan.results {
        plan.run(data, cost, r, &mut out, finish);
    } else {
        finish(&plan.joined(data, cost, r), &mut out);
    }
    Tensor::from_buffer(out, shape)
}

/// The order in memory of all axes, if those that are kept do not lie in theirs.
fn memory_order_of_kept(x: &Layout, reduced: &[bool]) -> Option<Dims<usize>> {
    let axes = x.shape().dims().iter().zip(x.strides()).zip(reduced);
    let kept = axes.filter(|((size, _), reduced)| **size != 1 && !**reduced).map(|((_, stride), _)| stride.abs());
    if kept.is_sorted_by(|a, b| a >= b) { None } else { memory_order(&[x]) }
}

/// As [`reduce`], where the part is the result.
fn reduced<T: Element, O: Element>(
    x: &Tensor<T>,
    over: &Over,
    r: &dyn Reduction<T, Part = O>,
    of_nothing: O,
) -> Tensor<O> {
    reduce(x, over, read::<T>(), r, of_nothing, &|parts, out| out.copy_from_slice(parts))
}

/// What the elements along the reduced axes come to, unfinished, for a tensor that is not empty.
fn parts<T: Element, P: Copy + Default + Send + Sync>(
    x: &Tensor<T>,
    over: &Over,
    cost: f64,
    r: &dyn Reduction<T, Part = P>,
) -> Vec<P> {
    let near = near(x, &over.reduced);
    let x = near.as_ref().unwrap_or(x);
    let (data, plan) = (x.storage(), Plan::new(x.layout(), &over.reduced));
    plan.joined(data, cost, r)
}

/// All elements, where they are neighbours that come to one result, and too few for pieces. A plan would find the same, but takes 140 ns,
/// of the 200 that a sum of four elements took.
fn one_run<'a, T: Element>(x: &'a Tensor<T>, reduced: &[bool]) -> Option<Run<'a, T>> {
    let data = x.as_slice().filter(|data| data.len() < 2 * PIECE_OF_RUN && !reduced.contains(&false))?;
    Some(Run { data, at: 0, step: 1, len: data.len() })
}

/// A copy in memory order, if the reduced axis has a larger stride than a kept one that is itself not 1: read in place, each
/// element would touch another cache line.
fn near<T: Element>(x: &Tensor<T>, reduced: &[bool]) -> Option<Tensor<T>> {
    let least = |wanted: bool| {
        let axes = x.dims().iter().zip(x.layout().strides()).zip(reduced);
        let strides = axes.filter(|((size, _), reduced)| **size != 1 && **reduced == wanted);
        strides.map(|((_, stride), _)| stride.unsigned_abs()).min()
    };
    let (own, other) = (least(true)?, least(false)?);
    if other <= 1 || own <= other {
        return None;
    }
    // The copy has the order in which the elements lie; the view of it has the order of the axes.
    let mut order: Dims<usize> = (0..x.rank()).collect();
    order.sort_by_key(|axis| std::cmp::Reverse(x.layout().strides()[axis].unsigned_abs()));
    let mut back = Dims::filled(0, x.rank());
    for (to, &from) in order.iter().enumerate() {
        back[from] = to;
    }
    let copy = x.view(x.layout().reorder(&order)).copied();
    Some(copy.view(copy.layout().reorder(&back)))
}

/// Size and stride of an axis.
type Axis = (usize, isize);

/// The axes, joined where one runs on evenly in the next.
fn joined(axes: impl Iterator<Item = Axis>) -> Dims<Axis> {
    let mut joined = Joined::new();
    axes.for_each(|(size, stride)| joined.push(size, [stride]));
    joined.sizes.iter().copied().zip(joined.strides[0].iter().copied()).collect()
}

/// How the elements are gone through.
struct Plan {
    /// Where each part's first element lies, as [further runs …, pieces, kept axes …].
    parts: Layout,
    /// The run that is reduced first.
    run: Axis,
    /// How many elements of it make a piece, and how many pieces there are.
    piece: usize,
    pieces: usize,
    /// The results.
    results: usize,
    /// If neighbours belong to different results: how many of them.
    columns: Option<usize>,
}

impl Plan {
    /// For a layout that is not empty.
    fn new(x: &Layout, reduced: &[bool]) -> Self {
        let axes = || x.shape().dims().iter().copied().zip(x.strides().iter().copied()).zip(reduced);
        let mut along: Dims<Axis> = axes().filter(|(_, reduced)| **reduced).map(|(axis, _)| axis).collect();
        // The order of elements within a reduction is free: it is that in memory, whatever the order of the axes. Runs that are repeated
        // are the outermost: each comes to the same.
        along
            .sort_by_key(|(_, stride)| std::cmp::Reverse(if stride == 0 { usize::MAX } else { stride.unsigned_abs() }));
        let runs = joined(along.iter().copied());
        let kept = joined(axes().filter(|(_, reduced)| !**reduced).map(|(axis, _)| axis));
        let results = kept.iter().map(|&(size, _)| size).product();

        let (&run, runs) = runs.split_last().unwrap_or((&(1, 1), &[]));
        let columns = kept.last().filter(|&&(_, stride)| stride == 1 && run.1 != 1).map(|&(width, _)| width);
        let piece = match columns {
            Some(width) => (PIECE_OF_RUN / width / ROWS * ROWS).max(ROWS),
            None => PIECE_OF_RUN,
        };
        // Rows are few where they are long.
        let most = if columns.is_some() { MANY } else { WIDE };
        let piece = if results < most && run.0 >= 2 * piece { piece } else { run.0 };
        let pieces = run.0.div_ceil(piece);

        let along = [(pieces, run.1.wrapping_mul(piece as isize))];
        let parts = runs.iter().chain(&along).chain(&*kept);
        let shape = Shape::checked(parts.clone().map(|&(size, _)| size).collect()).expect("no more than elements");
        let parts = Layout::new(shape, parts.map(|&(_, stride)| stride).collect(), x.offset());
        Plan { parts, run, piece, pieces, results, columns }
    }

    /// What each result's elements come to, unfinished.
    fn joined<T: Element, P: Copy + Default + Send + Sync>(
        &self,
        data: &[T],
        cost: f64,
        r: &dyn Reduction<T, Part = P>,
    ) -> Vec<P> {
        let mut parts = vec![P::default(); self.parts.shape().numel()];
        self.run(data, cost, r, &mut parts, &|parts, out| out.copy_from_slice(parts));
        kernel::join(r, &mut parts, self.results);
        parts.truncate(self.results);
        parts
    }

    /// out is what `finish` makes of the parts.
    fn run<T: Element, P: Copy + Default + Send + Sync, O: Send>(
        &self,
        data: &[T],
        cost: f64,
        r: &dyn Reduction<T, Part = P>,
        out: &mut [O],
        finish: &(dyn Fn(&[P], &mut [O]) + Sync),
    ) {
        /// Parts that are finished together.
        const PARTS_AT_ONCE: usize = 1024;
        let walk = Walk::new([&self.parts]);
        let [stride] = walk.row_strides();
        // Narrow rows stay whole, and are read several at once.
        let unit = self.columns.map_or(1, |width| width.min(WIDE));
        par::split(out, unit, cost * self.piece as f64, |start, out| {
            let mut parts = vec![P::default(); out.len().min(PARTS_AT_ONCE)];
            walk.rows(start..start + out.len(), |flat, [at]| {
                let mut from = flat.start;
                while from < flat.end {
                    // The last piece is shorter.
                    let to = if self.pieces > 1 { (from / self.results + 1) * self.results } else { flat.end };
                    let to = to.min(flat.end).min(from + PARTS_AT_ONCE);
                    let first = from / self.results % self.pieces * self.piece;
                    let len = self.piece.min(self.run.0 - first);
                    let at = at.wrapping_add_signed((from - flat.start) as isize * stride);
                    let run = Run { data, at, step: self.run.1, len };
                    let parts = &mut parts[..to - from];
                    match self.columns {
                        Some(_) => kernel::reduce_columns(r, run, parts),
                        None => kernel::reduce_rows(r, run, stride, parts),
                    }
                    finish(parts, &mut out[from - start..to - start]);
                    from = to;
                }
            });
        });
    }
}

/// What reading an element costs, in nanoseconds.
fn read<T>() -> f64 {
    size_of::<T>() as f64 * par::READ
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::ops) fn base() -> Tensor<f64> {
        Tensor::from_fn([4, 5, 6], |i| (i[0] * 30 + i[1] * 6 + i[2]) as f64 / 7.0 - 3.0)
    }

    /// Views of a tensor of rank 3 that lie in memory in every way: contiguous, permuted, cut out, stepped, repeated, empty.
    pub(in crate::ops) fn views<T: Element>(base: &Tensor<T>) -> Vec<Tensor<T>> {
        vec![
            base.clone(),
            base.permute(&[2, 0, 1]),
            base.transpose(0, 1),
            base.slice(1, 1..4).slice_step(2, .., 2),
            base.slice_step(2, .., 3).transpose(0, 2),
            base.slice(0, 0..1).expand([3, 5, 6]),
            base.slice(2, 1..2).expand([4, 5, 3]),
            base.slice(1, 2..2),
        ]
    }

    /// Any axes of a tensor of rank 3.
    pub(in crate::ops) fn sets() -> [&'static [isize]; 8] {
        [&[], &[0], &[1], &[2], &[0, 1], &[-1, 0], &[1, 2], &[0, 1, 2]]
    }

    /// The oracle: the elements of each result, in row-major order, are collected one by one.
    pub(in crate::ops) fn naive<T: Element, V>(x: &Tensor<T>, axes: &[isize], f: impl Fn(&[T]) -> V) -> Vec<V> {
        let reduced: Vec<usize> = axes.iter().map(|&axis| axis.rem_euclid(x.rank() as isize) as usize).collect();
        let kept: Vec<usize> = (0..x.rank()).filter(|axis| !reduced.contains(axis)).collect();
        let mut groups = vec![vec![]; kept.iter().map(|&axis| x.dims()[axis]).product()];
        Tensor::from_fn(x.shape(), |index| {
            let at = kept.iter().fold(0, |at, &axis| at * x.dims()[axis] + index[axis]);
            groups[at].push(x.get(index).unwrap());
            0u8
        });
        groups.iter().map(|group| f(group)).collect()
    }
}
