//! One function of each element, of one tensor or of two that broadcast.

use crate::buffer::Buffer;
use crate::element::{Element, Float};
use crate::error::{Error, OrPanic, Reason};
use crate::kernel::{self, Row, Tanh, Unary};
use crate::par;
use crate::tensor::Tensor;
use crate::walk::Walk;

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
        map(self, par::STREAM, &f)
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
        zip("zip", self, other, f).or_panic()
    }
}

impl<T: Float> Tensor<T> {
    /// Hyperbolic tangent of each element.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([0.0, 1.0_f64]).tanh(), Tensor::from([0.0, 1.0_f64.tanh()]));
    /// ```
    pub fn tanh(&self) -> Self {
        map(self, par::TRANSCENDENTAL, &Tanh)
    }

    /// The pullback of tanh: self · (1 − y²), where y = tanh x and self is the gradient with respect to y.
    ///
    /// Changes its own buffer if it is the only owner.
    ///
    /// # Panics
    /// The shapes differ.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let y = Tensor::from([0.0, 0.5, 1.0]);
    /// let gradient = Tensor::from([2.0, 2.0, 2.0]);
    /// assert_eq!(gradient.tanh_backward(&y), Tensor::from([2.0, 1.5, 0.0]));
    /// ```
    #[track_caller]
    pub fn tanh_backward(self, y: &Self) -> Self {
        y.expect_shape("tanh_backward", self.shape()).or_panic();
        zip_owned("tanh_backward", self, y, |g, y| g * (T::ONE - y * y)).or_panic()
    }

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
        zip_assign("axpy", self, x, |w, x| w + alpha * x).or_panic();
    }
}

/// f of each element, which costs `cost` nanoseconds.
fn map<T: Element, U: Element>(x: &Tensor<T>, cost: f64, f: &(impl Unary<T, Output = U> + Sync)) -> Tensor<U> {
    let mut out = Buffer::stale(x.numel());
    let walk = Walk::new([x.layout()]);
    let [stride] = walk.row_strides();
    par::split(&mut out, 1, cost, |start, out| {
        walk.rows(start..start + out.len(), |flat, [at]| {
            let out = &mut out[flat.start - start..flat.end - start];
            kernel::map(Row::new(x.storage(), at, stride, out.len()), out, f);
        });
    });
    Tensor::from_buffer(out, x.shape().clone())
}

/// f of each pair, into a fresh tensor of the shape that both broadcast to.
pub(super) fn zip<T: Element, U: Element, V: Element>(
    op: &'static str,
    x: &Tensor<T>,
    y: &Tensor<U>,
    f: impl Fn(T, U) -> V + Sync,
) -> Result<Tensor<V>, Error> {
    let shape = x.shape().broadcast_in(op, y.shape())?;
    let (wide_x, wide_y) = (x.layout().broadcast_to(&shape)?, y.layout().broadcast_to(&shape)?);
    let walk = Walk::new([&wide_x, &wide_y]);
    let [x_stride, y_stride] = walk.row_strides();
    let mut out = Buffer::stale(shape.numel());
    par::split(&mut out, 1, par::STREAM, |start, out| {
        walk.rows(start..start + out.len(), |flat, [x_at, y_at]| {
            let out = &mut out[flat.start - start..flat.end - start];
            let x = Row::new(x.storage(), x_at, x_stride, out.len());
            let y = Row::new(y.storage(), y_at, y_stride, out.len());
            kernel::zip(x, y, out, &f);
        });
    });
    Ok(Tensor::from_buffer(out, shape))
}

/// f of each pair, in the buffer of `x` if nobody else owns it and the result has its shape.
pub(super) fn zip_owned<T: Element, U: Element>(
    op: &'static str,
    mut x: Tensor<T>,
    y: &Tensor<U>,
    f: impl Fn(T, U) -> T + Sync,
) -> Result<Tensor<T>, Error> {
    let fits = y.rank() <= x.rank() && y.layout().broadcast_to(x.shape()).is_ok();
    if fits && x.unique_range().is_some() {
        zip_assign(op, &mut x, y, f)?;
        return Ok(x);
    }
    zip(op, &x, y, f)
}

/// x = f(x, y) for each pair, where y broadcasts to the shape of x.
pub(super) fn zip_assign<T: Element, U: Element>(
    op: &'static str,
    x: &mut Tensor<T>,
    y: &Tensor<U>,
    f: impl Fn(T, U) -> T + Sync,
) -> Result<(), Error> {
    let wide = y.layout().broadcast_to(x.shape()).map_err(|_| {
        let (from, to) = (y.shape().clone(), x.shape().clone());
        Error::new(op, Reason::Expand { from, to })
    })?;
    let walk = Walk::new([&wide]);
    let [stride] = walk.row_strides();
    par::split(x.as_mut_slice(), 1, par::STREAM, |start, x| {
        walk.rows(start..start + x.len(), |flat, [at]| {
            let x = &mut x[flat.start - start..flat.end - start];
            kernel::zip_assign(x, Row::new(y.storage(), at, stride, x.len()), &f);
        });
    });
    Ok(())
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
    fn tanh_reads_any_strides() {
        for x in views() {
            assert_eq!(x.tanh().to_vec(), x.iter().map(f64::tanh).collect::<Vec<_>>(), "{:?}", x.layout());
        }
    }

    #[test]
    fn pairs_broadcast_from_any_strides() {
        for x in views() {
            for y in [x.clone(), x.contiguous(), Tensor::scalar(3.0)] {
                let want: Vec<f64> = x.iter().zip(y.expand(x.shape()).iter()).map(|(x, y)| x - 2.0 * y).collect();
                assert_eq!(x.zip(&y, |x, y| x - 2.0 * y).to_vec(), want, "{:?}", x.layout());
                assert_eq!(zip_owned("test", x.clone(), &y, |x, y| x - 2.0 * y).unwrap().to_vec(), want);
                assert_eq!(zip_owned("test", x.copied(), &y, |x, y| x - 2.0 * y).unwrap().to_vec(), want);
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
    #[should_panic(expected = "axpy: [3] does not broadcast to [2] (axis -1: 3 and 2")]
    fn axpy_says_which_shapes_do_not_fit() {
        Tensor::<f32>::zeros([2]).axpy(1.0, &Tensor::zeros([3]));
    }
}
