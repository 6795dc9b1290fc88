//! One function of each element, of one tensor or of two that broadcast.

use crate::buffer::Buffer;
use crate::create::room;
use crate::element::{Element, Float, Signed};
use crate::error::{Error, OrPanic};
use crate::kernel::{
    self, Binary, BinaryAssign, Block, Closure, GATHERED, OfFloats, OfSigned, Reader, Row, Several, Unary,
};
use crate::layout::Layout;
use crate::ops::order::{memory_order, out_of_order, readable_as};
use crate::par;
use crate::shape::Shape;
use crate::tensor::Tensor;
use crate::walk::{Walk, moved};

impl<T: Element> Tensor<T> {
    /// f of each element.
    ///
    /// Potentially parallel: `f` may be called in any order.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([1, 2, 3]).map(|x| x * x), Tensor::from([1, 4, 9]));
    /// ```
    pub fn map<U: Element>(&self, f: impl Fn(T) -> U + Sync) -> Tensor<U> {
        map(self, Closure(&f))
    }

    /// f of each pair of elements; the shapes broadcast.
    ///
    /// Potentially parallel: `f` may be called in any order.
    ///
    /// # Panics
    /// The shapes do not broadcast.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let larger = Tensor::from([1, 5]).zip(&Tensor::from([[2], [9]]), |x, y| x > y);
    /// assert_eq!(larger, Tensor::from([[false, true], [false, false]]));
    /// ```
    #[track_caller]
    pub fn zip<U: Element, V: Element>(&self, other: &Tensor<U>, f: impl Fn(T, U) -> V + Sync) -> Tensor<V> {
        zip("zip", self, other, Closure(&f)).or_panic()
    }

    /// Each element becomes f of it, in place if this tensor is the only owner of its storage.
    ///
    /// Potentially parallel: `f` may be called in any order.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let mut x = Tensor::from([1, 2, 3]);
    /// x.map_assign(|x| x * x);
    /// assert_eq!(x, Tensor::from([1, 4, 9]));
    /// ```
    pub fn map_assign(&mut self, f: impl Fn(T) -> T + Sync) {
        par::split(self.as_mut_slice(), 1, par::STREAM, |_, x| kernel::map_assign(x, &f));
    }

    /// Each element becomes f of it and the one of `other`, in place if this tensor is the only owner of its storage.
    ///
    /// Potentially parallel: `f` may be called in any order.
    ///
    /// # Panics
    /// The shape of `other` does not broadcast to this one.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let mut average = Tensor::from([1.0, 2.0]);
    /// average.zip_assign(&Tensor::from([3.0, 0.0]), |average, x| 0.5 * average + 0.5 * x);
    /// assert_eq!(average, Tensor::from([2.0, 1.0]));
    /// ```
    #[track_caller]
    pub fn zip_assign<U: Element>(&mut self, other: &Tensor<U>, f: impl Fn(T, U) -> T + Sync) {
        zip_assign("zip_assign", self, other, Closure(&f)).or_panic();
    }
}

impl<T: Float> Tensor<T> {
    /// self = self + alpha · x, in place if this tensor is the only owner of its storage.
    ///
    /// # Panics
    /// The shape of `x` does not broadcast to this one.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let mut w = Tensor::from([1.0, 2.0]);
    /// w.axpy(-0.5, &Tensor::from([1.0, 2.0]));
    /// assert_eq!(w, Tensor::from([0.5, 1.0]));
    /// ```
    #[track_caller]
    pub fn axpy(&mut self, alpha: T, x: &Self) {
        T::zip_floats_assign("axpy", self, x, OfFloats::Axpy { alpha }).or_panic();
    }

    /// self = self + weight · (end − self): the way from this tensor to `end` by a share, as of a running average; PyTorch's `lerp_`. In
    /// place if this tensor is the only owner of its storage.
    ///
    /// A share of 0 leaves it, and a share of 1 makes it `end`, even where the other of both is infinite or NaN.
    ///
    /// # Panics
    /// The shape of `end` does not broadcast to this one.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let mut average = Tensor::from([1.0, f32::NAN]);
    /// average.lerp_assign(&Tensor::from([3.0, 3.0]), 0.25);
    /// assert_eq!(average.get(&[0]), Some(1.5));
    /// average.lerp_assign(&Tensor::from([3.0, 3.0]), 1.0);
    /// assert_eq!(average, Tensor::from([3.0, 3.0]));
    /// ```
    #[doc(alias = "lerp_")]
    #[track_caller]
    pub fn lerp_assign(&mut self, end: &Self, weight: f64) {
        let weight = T::from_f64(weight);
        T::zip_floats_assign("lerp_assign", self, end, OfFloats::Lerp { weight }).or_panic();
    }
}

// Each wrapper hands its function on behind a reference, so that the rest is compiled once for the types of elements.

/// f of each element.
pub(crate) fn map<T: Element, F: Unary<T, Output: Element>>(x: &Tensor<T>, f: F) -> Tensor<F::Output> {
    map_by(x, &f)
}

fn map_by<T: Element, U: Element>(x: &Tensor<T>, f: &dyn Unary<T, Output = U>) -> Tensor<U> {
    let mut out = Buffer::stale(x.numel());
    let ahead = kernel::asks_ahead(size_of_val(&*out), f.cost());
    if let Some(elements) = x.as_slice() {
        par::split(&mut out, 1, f.cost(), |start, out| {
            kernel::map(f, Row::Contiguous(&elements[start..][..out.len()]), out, ahead)
        });
        return Tensor::from_buffer(out, x.shape().clone());
    }
    let order = memory_order(&[x.layout()]);
    let x = readable_as(x, x.layout(), &order);
    let of_x = Blocks::new([x.layout()]);
    par::split(&mut out, 1, f.cost(), |start, out| {
        let mut x = of_x.reader(0, x.storage());
        of_x.each(start, out, |out, rows, [at]| kernel::map(f, x.read(at, rows, out.len() / rows), out, ahead));
    });
    out_of_order(Tensor::from_buffer(out, x.shape().clone()), &order)
}

/// The way through N operands of one shape in blocks, of each of which every operand is a row of neighbours or of one element.
struct Blocks<const N: usize> {
    walk: Walk<N>,
    strides: [isize; N],
    pitches: [isize; N],
    /// Whether no block is longer than what is gathered.
    cut: bool,
}

impl<const N: usize> Blocks<N> {
    fn new(layouts: [&Layout; N]) -> Self {
        let walk = Walk::new(layouts);
        Blocks { strides: walk.row_strides(), pitches: walk.pitches(), walk, cut: false }
    }

    fn reader<'a, T: Element>(&self, operand: usize, data: &'a [T]) -> Reader<'a, T> {
        Reader::new(data, self.strides[operand], self.pitches[operand])
    }

    /// Calls `block(out, rows, at)` for the parts of `out`, which has the row-major positions from `start` on.
    fn each<V>(&self, start: usize, out: &mut [V], mut block: impl FnMut(&mut [V], usize, [usize; N])) {
        self.walk.blocks(start..start + out.len(), GATHERED, self.cut, &mut |flat, rows, at| {
            let out = &mut out[flat.start - start..flat.end - start];
            let len = out.len() / rows;
            if rows == 1 || out.len() <= GATHERED {
                return block(out, rows, at);
            }
            for (i, out) in out.chunks_exact_mut(len).enumerate() {
                block(out, 1, moved(at, i, self.pitches));
            }
        });
    }
}

/// An operand as one row of the elements of `shape`, if it is contiguous and has that shape, or is a single number.
fn flat<'a, T: Element>(x: &'a Tensor<T>, shape: &Shape) -> Option<Row<'a, T>> {
    match x.as_slice()? {
        &[number] if x.rank() <= shape.rank() => Some(Row::Splat(number)),
        elements if x.shape() == shape => Some(Row::Contiguous(elements)),
        _ => None,
    }
}

/// f of each pair, into a fresh tensor of the shape that both broadcast to.
pub(crate) fn zip<T: Element, U: Element, F: Binary<T, U, Output: Element>>(
    op: &'static str,
    x: &Tensor<T>,
    y: &Tensor<U>,
    f: F,
) -> Result<Tensor<F::Output>, Error> {
    zip_by(op, x, y, &f)
}

fn zip_by<T: Element, U: Element, V: Element>(
    op: &'static str,
    x: &Tensor<T>,
    y: &Tensor<U>,
    f: &dyn Binary<T, U, Output = V>,
) -> Result<Tensor<V>, Error> {
    let larger = if x.rank() < y.rank() || x.numel() < y.numel() { y.shape() } else { x.shape() };
    if let (Some(x), Some(y)) = (flat(x, larger), flat(y, larger)) {
        let mut out = room(op, larger)?;
        let ahead = kernel::asks_ahead(size_of_val(&*out), f.cost());
        par::split(&mut out, 1, f.cost(), |start, out| {
            kernel::zip(f, x.part(start, out.len()), y.part(start, out.len()), out, ahead);
        });
        return Ok(Tensor::from_buffer(out, larger.clone()));
    }
    let shape = x.shape().broadcast_in(op, y.shape())?;
    let layouts = [x.layout().broadcast_to(&shape)?, y.layout().broadcast_to(&shape)?];
    let order = memory_order(&layouts.each_ref());
    let (x, y) = (readable_as(x, &layouts[0], &order), readable_as(y, &layouts[1], &order));
    let of_both = Blocks::new([x.layout(), y.layout()]);
    let mut out = room(op, x.shape())?;
    let ahead = kernel::asks_ahead(size_of_val(&*out), f.cost());
    par::split(&mut out, 1, f.cost(), |start, out| {
        let (mut x, mut y) = (of_both.reader(0, x.storage()), of_both.reader(1, y.storage()));
        of_both.each(start, out, |out, rows, [x_at, y_at]| {
            let len = out.len() / rows;
            kernel::zip(f, x.read(x_at, rows, len), y.read(y_at, rows, len), out, ahead);
        });
    });
    Ok(out_of_order(Tensor::from_buffer(out, x.shape().clone()), &order))
}

/// The element of `x` where the mask is true, else that of `y`; all three broadcast.
pub(crate) fn choose<T: Element>(
    op: &'static str,
    mask: &Tensor<bool>,
    x: &Tensor<T>,
    y: &Tensor<T>,
) -> Result<Tensor<T>, Error> {
    let shape = mask.shape();
    if let (Some(mask), Some(x), Some(y)) = (flat(mask, shape), flat(x, shape), flat(y, shape)) {
        let mut out = room(op, shape)?;
        par::split(&mut out, 1, par::STREAM, |start, out| {
            let len = out.len();
            kernel::choose(mask.part(start, len), x.part(start, len), y.part(start, len), out);
        });
        return Ok(Tensor::from_buffer(out, shape.clone()));
    }
    let shape = shape.broadcast_in(op, x.shape())?.broadcast_in(op, y.shape())?;
    let layouts =
        [mask.layout().broadcast_to(&shape)?, x.layout().broadcast_to(&shape)?, y.layout().broadcast_to(&shape)?];
    let order = memory_order(&layouts.each_ref());
    let mask = readable_as(mask, &layouts[0], &order);
    let (x, y) = (readable_as(x, &layouts[1], &order), readable_as(y, &layouts[2], &order));
    let of_all = Blocks::new([mask.layout(), x.layout(), y.layout()]);
    let mut out = room(op, x.shape())?;
    par::split(&mut out, 1, par::STREAM, |start, out| {
        let mut mask = of_all.reader(0, mask.storage());
        let (mut x, mut y) = (of_all.reader(1, x.storage()), of_all.reader(2, y.storage()));
        of_all.each(start, out, |out, rows, at| {
            let len = out.len() / rows;
            kernel::choose(mask.read(at[0], rows, len), x.read(at[1], rows, len), y.read(at[2], rows, len), out);
        });
    });
    Ok(out_of_order(Tensor::from_buffer(out, x.shape().clone()), &order))
}

/// f of N numbers each, in one pass; all operands broadcast.
pub(crate) fn fused<T: Element, F: Several<T, N>, const N: usize>(
    op: &'static str,
    operands: [&Tensor<T>; N],
    f: F,
) -> Result<Tensor<T>, Error> {
    const EACH: &str = "a place for each operand";
    let mut shape = operands[0].shape().clone();
    for x in &operands[1..] {
        shape = shape.broadcast_in(op, x.shape())?;
    }
    let layouts: Vec<Layout> =
        operands.iter().map(|x| x.layout().broadcast_to(&shape)).collect::<Result<_, Error>>()?;
    let order = memory_order(&std::array::from_fn::<_, N, _>(|i| &layouts[i]));
    let operands: [Tensor<T>; N] = std::array::from_fn(|i| readable_as(operands[i], &layouts[i], &order));
    let blocks = Blocks { cut: true, ..Blocks::new(operands.each_ref().map(Tensor::layout)) };
    let any_number = blocks.strides.contains(&0);
    let mut out = room(op, operands[0].shape())?;
    par::split(&mut out, 1, N as f64 / 2.0 * par::STREAM, |start, out| {
        let mut readers: [_; N] = std::array::from_fn(|i| blocks.reader(i, operands[i].storage()));
        blocks.each(start, out, |out, rows, at| {
            let len = out.len() / rows;
            let [mut first, mut again] = [at.into_iter(), at.into_iter()];
            if rows == 1
                && any_number
                && f.map_row(readers.each_mut().map(|x| x.read(first.next().expect(EACH), 1, len)), out)
            {
                return;
            }
            f.map(readers.each_mut().map(|x| x.read_elements(again.next().expect(EACH), rows, len)), out);
        });
    });
    Ok(out_of_order(Tensor::from_buffer(out, operands[0].shape().clone()), &order))
}

/// f of each pair, in the buffer of `x` if nobody else owns it and the result has its shape.
pub(crate) fn zip_owned<T: Element, U: Element, F: BinaryAssign<T, U>>(
    op: &'static str,
    mut x: Tensor<T>,
    y: &Tensor<U>,
    f: F,
) -> Result<Tensor<T>, Error> {
    let fits = y.rank() <= x.rank() && (y.shape() == x.shape() || y.layout().broadcast_to(x.shape()).is_ok());
    if fits && x.unique_range().is_some() {
        zip_assign_by(op, &mut x, y, &f)?;
        return Ok(x);
    }
    zip(op, &x, y, f)
}

/// x = f(x, y) for each pair, where y broadcasts to the shape of x.
pub(crate) fn zip_assign<T: Element, U: Element, F: BinaryAssign<T, U>>(
    op: &'static str,
    x: &mut Tensor<T>,
    y: &Tensor<U>,
    f: F,
) -> Result<(), Error> {
    zip_assign_by(op, x, y, &f)
}

fn zip_assign_by<T: Element, U: Element>(
    op: &'static str,
    x: &mut Tensor<T>,
    y: &Tensor<U>,
    f: &dyn BinaryAssign<T, U, Output = T>,
) -> Result<(), Error> {
    if x.unique_range().is_none() {
        y.layout().broadcast_to(x.shape()).map_err(|error| error.of(op))?;
        *x = zip_by(op, x, y, f)?;
        return Ok(());
    }
    let ahead = kernel::asks_ahead(x.numel() * size_of::<T>(), f.cost());
    if let Some(y) = flat(y, x.shape()) {
        par::split(x.as_mut_slice(), 1, f.cost(), |start, x| {
            kernel::zip_assign(f, x, y.part(start, x.len()), ahead);
        });
        return Ok(());
    }
    let layout = y.layout().broadcast_to(x.shape()).map_err(|error| error.of(op))?;
    let y = readable_as(y, &layout, &None);
    let of_y = Blocks::new([y.layout()]);
    par::split(x.as_mut_slice(), 1, f.cost(), |start, x| {
        let mut y = of_y.reader(0, y.storage());
        of_y.each(start, x, |x, rows, [at]| {
            kernel::zip_assign(f, x, y.read(at, rows, x.len() / rows), ahead);
        });
    });
    Ok(())
}

/// A function of two elements, the second of which is always the same number.
struct With<'a, T> {
    /// The number, as often as it is read at once.
    numbers: &'a [T],
    f: &'a dyn Binary<T, T, Output = T>,
}

impl<T: Element> Unary<T> for With<'_, T> {
    type Output = T;

    fn cost(&self) -> f64 {
        self.f.cost()
    }

    fn map(&self, x: &[T], out: &mut [T]) {
        let most = self.numbers.len().max(1);
        for (x, out) in x.chunks(most).zip(out.chunks_mut(most)) {
            self.f.zip(x, &self.numbers[..x.len()], out);
        }
    }
}

/// f of each element and a number.
pub(crate) fn with_number<T: Element, F: Binary<T, T, Output = T>>(x: &Tensor<T>, number: T, f: F) -> Tensor<T> {
    map_by(x, &With { numbers: Block::new().repeat(number, x.numel()), f: &f })
}

/// As [`with_number`], in the buffer of `x` if nobody else owns it.
pub(crate) fn with_number_owned<T: Element, F: BinaryAssign<T, T>>(mut x: Tensor<T>, number: T, f: F) -> Tensor<T> {
    if x.unique_range().is_none() {
        return with_number(&x, number, f);
    }
    with_number_assign(&mut x, number, f);
    x
}

/// x = f(x, number) for each element.
pub(crate) fn with_number_assign<T: Element, F: BinaryAssign<T, T>>(x: &mut Tensor<T>, number: T, f: F) {
    if x.unique_range().is_none() {
        *x = with_number(x, number, f);
        return;
    }
    let ahead = kernel::asks_ahead(x.numel() * size_of::<T>(), f.cost());
    let cost = f.cost();
    par::split(x.as_mut_slice(), 1, cost, |_, x| kernel::zip_assign(&f, x, Row::Splat(number), ahead));
}

/// −x, in its own buffer if nobody else owns it.
pub(crate) fn negate<T: Signed>(mut x: Tensor<T>) -> Tensor<T> {
    if x.unique_range().is_none() {
        return map(&x, OfSigned::Neg);
    }
    par::split(x.as_mut_slice(), 1, par::STREAM, |_, x| kernel::negate(x));
    x
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Views of one matrix that lie in memory in every way: contiguous, transposed, cut out, stepped, repeated.
    fn views() -> Vec<Tensor<f64>> {
        let x = Tensor::from_fn([5, 7], |i| (i[0] * 7 + i[1]) as f64 / 10.0 - 1.5);
        vec![
            x.clone(),
            x.t(),
            x.slice(0, 1..4).slice(1, 2..7),
            x.slice_step(1, .., 3).t(),
            x.select(1, 3).expand([4, 5]),
            x.slice(0, 0..1).expand([3, 7]).t(),
            Tensor::scalar(0.5),
            x.slice(0, 2..2),
        ]
    }

    #[test]
    fn functions_read_any_strides() {
        for x in views() {
            let want: Vec<f64> = x.iter().map(|x| x * x).collect();
            assert_eq!(x.map(|x| x * x).to_vec(), want, "{:?}", x.layout());
            let mut own = x.clone();
            own.map_assign(|x| x * x);
            assert_eq!(own.to_vec(), want);
        }
    }

    #[test]
    fn pairs_broadcast_from_any_strides() {
        for x in views() {
            for y in [x.clone(), x.contiguous(), Tensor::scalar(3.0)] {
                let want: Vec<f64> = x.iter().zip(y.expand(x.shape()).iter()).map(|(x, y)| x - 2.0 * y).collect();
                assert_eq!(x.zip(&y, |x, y| x - 2.0 * y).to_vec(), want, "{:?}", x.layout());
                assert_eq!(zip_owned("test", x.clone(), &y, Closure(&|x, y| x - 2.0 * y)).unwrap().to_vec(), want);
                assert_eq!(zip_owned("test", x.copied(), &y, Closure(&|x, y| x - 2.0 * y)).unwrap().to_vec(), want);
            }
        }
    }

    #[test]
    fn an_only_owner_is_changed_in_place_and_a_shared_one_is_not() {
        let mut x = Tensor::<f32>::ones([4]);
        let before = x.as_slice().unwrap().as_ptr();
        x.axpy(1.0, &Tensor::scalar(1.0));
        assert_eq!(x.as_slice().unwrap().as_ptr(), before);

        let shared = x.clone();
        x.axpy(1.0, &Tensor::scalar(1.0));
        assert_eq!((shared.to_vec(), x.to_vec()), (vec![2.0; 4], vec![3.0; 4]));
    }

    #[test]
    fn large_tensors_are_shared_among_threads_without_a_trace() {
        let x = Tensor::from_fn([300, 301], |i| (i[0] * i[1]) as f32 / 1e4);
        let one = crate::with_threads(1, || x.t().tanh()).unwrap();
        let three = crate::with_threads(3, || x.t().tanh()).unwrap();
        assert_eq!(one, three);
        assert_eq!(one, x.tanh().t());
    }

    #[test]
    fn a_share_of_the_way_chooses_where_it_is_all_or_nothing() {
        const INF: f64 = f64::INFINITY;
        let way = |x: f64, y: f64, weight: f64| {
            let mut x = Tensor::scalar(x);
            x.lerp_assign(&Tensor::scalar(y), weight);
            x.item()
        };
        assert_eq!([way(1.0, 3.0, 0.25), way(7.7, 7.7, 0.3)], [1.5, 7.7]);
        for lost in [f64::NAN, INF, -INF] {
            assert_eq!([way(lost, 2.0, 1.0), way(2.0, lost, 0.0)], [2.0; 2]);
            assert!(!way(lost, 2.0, 0.5).is_finite() && !way(2.0, lost, 0.5).is_finite());
        }
        assert_eq!([way(INF, 2.0, 0.5), way(2.0, -INF, 0.5), way(INF, INF, 0.5)], [INF, -INF, INF]);
        assert!(way(INF, -INF, 0.5).is_nan());
        assert_eq!(way(-1.6e308, 1.6e308, 0.5), 0.0);
    }

    #[test]
    #[should_panic(expected = "axpy: [3] does not broadcast to [2] (axis -1: 3 and 2")]
    fn axpy_says_which_shapes_do_not_fit() {
        Tensor::<f32>::zeros([2]).axpy(1.0, &Tensor::zeros([3]));
    }
}
