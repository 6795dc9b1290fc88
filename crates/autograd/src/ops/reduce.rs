//! Sums and other numbers over axes; their pullbacks bring the gradient back to the elements of those axes.

use tensor::{Axes, Float, Shape, Tensor};

use crate::{Op, Role, Var};

impl<T: Float> Var<'_, T> {
    /// The sum over `axes` (`..` for all): y = Σ x,  x̄ = ȳ repeated.
    ///
    /// # Panics
    /// An axis is out of range or named twice.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([[1.0, 2.0], [3.0, 4.0]]));
    /// assert_eq!(x.sum(0).value(), Tensor::from([4.0, 6.0]));
    /// ```
    #[track_caller]
    pub fn sum(self, axes: impl Axes) -> Self {
        let x = self.value();
        let y = x.sum(&axes);
        let (shape, kept) = (x.shape().clone(), reduced(&x, axes));
        self.record(Op::new("sum", Role::Reducing), y).wrt(self, move |g| g.reshape(&kept).expand(&shape)).done()
    }

    /// The mean over `axes` (`..` for all): y = Σ x / n,  x̄ = ȳ / n repeated.
    ///
    /// # Panics
    /// An axis is out of range or named twice.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([[1.0, 2.0], [3.0, 4.0]]));
    /// assert_eq!(x.mean(..).item(), 2.5);
    /// ```
    #[track_caller]
    pub fn mean(self, axes: impl Axes) -> Self {
        let x = self.value();
        let y = x.mean(&axes);
        let (shape, kept) = (x.shape().clone(), reduced(&x, axes));
        let count = T::from_f64(shape.numel() as f64 / kept.numel() as f64);
        self.record(Op::new("mean", Role::Reducing), y)
            .wrt(self, move |g| (g / count).reshape(&kept).expand(&shape))
            .done()
    }

    /// The variance over `axes` (`..` for all): y = Σ (x − μ)² / (n − correction),  x̄ = 2 ȳ (x − μ) / (n − correction). PyTorch's default
    /// correction is 1.
    ///
    /// # Panics
    /// An axis is out of range or named twice.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// assert_eq!(tape.leaf(Tensor::from([1.0, 3.0])).var(.., 1).item(), 2.0);
    /// ```
    #[track_caller]
    pub fn var(self, axes: impl Axes, correction: usize) -> Self {
        let x = self.value();
        let (y, kept) = (x.var(&axes, correction), reduced(&x, &axes));
        self.record("var", y)
            .wrt(self, move |g| {
                let factor = 2.0 / freedom(&x, &kept, correction);
                deviation(&x, &kept) * (g * T::from_f64(factor)).reshape(&kept)
            })
            .done()
    }

    /// The standard deviation over `axes` (`..` for all), the root of [`var`](Self::var): x̄ = ȳ (x − μ) / (y (n − correction)), which is 0
    /// where y is, as in PyTorch.
    ///
    /// # Panics
    /// An axis is out of range or named twice.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// assert_eq!(tape.leaf(Tensor::from([1.0, 3.0])).std(.., 0).item(), 1.0);
    /// ```
    #[track_caller]
    pub fn std(self, axes: impl Axes, correction: usize) -> Self {
        let x = self.value();
        let (y, kept) = (x.std(&axes, correction), reduced(&x, &axes));
        self.record("std", y.clone())
            .wrt(self, move |g| {
                let share =
                    (g / (&y * T::from_f64(freedom(&x, &kept, correction)))).masked_fill(&y.eq(T::ZERO), T::ZERO);
                deviation(&x, &kept) * share.reshape(&kept)
            })
            .done()
    }

    /// The largest element over `axes` (`..` for all). Its gradient is ȳ, and equals share it evenly, as in PyTorch's `amax`.
    ///
    /// # Panics
    /// An axis is out of range or named twice, or there is nothing to choose from.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([[1.0, 5.0], [7.0, 7.0]]));
    /// let y = x.max(1);
    /// assert_eq!(y.value(), Tensor::from([5.0, 7.0]));
    /// assert_eq!(y.sum(..).backward().get(x), Some(&Tensor::from([[0.0, 1.0], [0.5, 0.5]])));
    /// ```
    #[doc(alias = "amax")]
    #[track_caller]
    pub fn max(self, axes: impl Axes) -> Self {
        let y = self.peek().max(&axes);
        self.extreme("max", axes, y)
    }

    /// The smallest element over `axes`, as [`max`](Self::max).
    ///
    /// # Panics
    /// An axis is out of range or named twice, or there is nothing to choose from.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// assert_eq!(tape.leaf(Tensor::from([[1.0, 5.0], [7.0, 2.0]])).min(1).value(), Tensor::from([1.0, 2.0]));
    /// ```
    #[track_caller]
    pub fn min(self, axes: impl Axes) -> Self {
        let y = self.peek().min(&axes);
        self.extreme("min", axes, y)
    }

    #[track_caller]
    fn extreme(self, name: &'static str, axes: impl Axes, y: Tensor<T>) -> Self {
        let x = self.value();
        let kept = reduced(&x, axes);
        self.record(Op::new(name, Role::Reducing), y.clone())
            .wrt(self, move |g| {
                let chosen = x.eq(y.reshape(&kept)).cast::<T>();
                let share = g.reshape(&kept) / chosen.clone().sum_to(&kept);
                if share.all_finite() {
                    return chosen * share;
                }
                // An infinite gradient is nobody's but the chosen one's. Where there is none, as for NaN, nobody knows whose it is.
                let known = share.expand(x.shape()).masked_mul(&chosen);
                known.masked_fill(&y.isnan().reshape(&kept), T::from_f64(f64::NAN))
            })
            .done()
    }

    /// The product over `axes` (`..` for all): y = Π x; x̄ is ȳ times the product of all others, right where some are 0, too.
    ///
    /// # Panics
    /// An axis is out of range or named twice.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([2.0, 0.0, 3.0]));
    /// assert_eq!(x.prod(..).backward().get(x), Some(&Tensor::from([0.0, 6.0, 0.0])));
    /// ```
    #[track_caller]
    pub fn prod(self, axes: impl Axes) -> Self {
        let x = self.value();
        let (y, kept) = (x.prod(&axes), reduced(&x, &axes));
        self.record("prod", y)
            .wrt(self, move |g| {
                // The axes of each product, last and as one.
                let is_of_product = |axis: &isize| x.dims()[*axis as usize] != kept.dims()[*axis as usize];
                let (last, mut order): (Vec<isize>, Vec<isize>) = (0..x.rank() as isize).partition(is_of_product);
                order.extend(last);
                let lined = x.permute(&order);
                let lines = lined.reshape([g.numel(), x.numel().checked_div(g.numel()).unwrap_or(0)]);
                let others = before(&lines) * before(&lines.flip(&[1])).flip(&[1]);
                let mut back = vec![0; order.len()];
                order.iter().enumerate().for_each(|(to, &from)| back[from as usize] = to as isize);
                others.reshape(lined.shape()).permute(&back) * g.reshape(&kept)
            })
            .done()
    }

    /// The p-norm over `axes` (`..` for all): y = (Σ |x|ᵖ)^(1/p); for p = ∞ the largest |x|, for 0 how many are not 0.
    ///
    /// x̄ = ȳ sign(x) (|x| / y)ᵖ⁻¹, 0 where x or y is 0; for ∞, equals share ȳ evenly; for p = 0 it is 0. All as in PyTorch.
    ///
    /// # Panics
    /// An axis is out of range or named twice.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([3.0, -4.0]));
    /// let y = x.norm(2.0, ..);
    /// assert_eq!(y.item(), 5.0);
    /// assert_eq!(y.backward().get(x), Some(&Tensor::from([0.6, -0.8])));
    /// ```
    #[track_caller]
    pub fn norm(self, p: f64, axes: impl Axes) -> Self {
        let x = self.value();
        let (y, kept) = (x.norm(p, &axes), reduced(&x, &axes));
        self.record("norm", y.clone())
            .wrt(self, move |g| {
                let (g, y) = (g.reshape(&kept), y.reshape(&kept));
                if p == 0.0 {
                    return Tensor::zeros_like(&x);
                }
                if p == f64::INFINITY {
                    let chosen = x.abs().eq(&y).cast::<T>();
                    let share = g / chosen.clone().sum_to(&kept);
                    return match share.all_finite() {
                        true => chosen * x.sign() * share,
                        false => (share * x.sign()).masked_mul(&chosen),
                    };
                }
                let part = &x / &y;
                let slope = match p {
                    2.0 => part,
                    1.0 => x.sign(),
                    // A power below 0 of 0 is infinite.
                    _ if p < 1.0 => {
                        part.abs().powf(T::from_f64(p - 1.0)).masked_fill(&x.eq(T::ZERO), T::ZERO) * x.sign()
                    }
                    _ => part.abs().powf(T::from_f64(p - 1.0)) * x.sign(),
                };
                slope.masked_fill(&y.eq(T::ZERO), T::ZERO) * g
            })
            .done()
    }

    /// ln Σ eˣ over `axes` (`..` for all), without overflow: x̄ = ȳ exp(x − y), which is NaN where all x are −∞, as in PyTorch.
    ///
    /// # Panics
    /// An axis is out of range or named twice.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([1000.0, 0.0]));
    /// assert_eq!(x.logsumexp(..).item(), 1000.0);
    /// ```
    #[track_caller]
    pub fn logsumexp(self, axes: impl Axes) -> Self {
        let x = self.value();
        let (y, kept) = (x.logsumexp(&axes), reduced(&x, &axes));
        self.record(Op::new("logsumexp", Role::Reducing), y.clone())
            .wrt(self, move |g| (&x - y.reshape(&kept)).exp() * g.reshape(&kept))
            .done()
    }

    /// The sums of all up to each along an axis: yᵢ = Σₖ≤ᵢ xₖ,  x̄ᵢ = Σₖ≥ᵢ ȳₖ.
    ///
    /// # Panics
    /// The axis is out of range.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// assert_eq!(tape.leaf(Tensor::from([1.0, 2.0, 3.0])).cumsum(0).value(), Tensor::from([1.0, 3.0, 6.0]));
    /// ```
    #[track_caller]
    pub fn cumsum(self, axis: isize) -> Self {
        self.record("cumsum", self.value().cumsum(axis))
            .wrt(self, move |g| g.flip(&[axis]).cumsum(axis).flip(&[axis]))
            .done()
    }
}

/// What a sum of squares is divided by.
fn freedom<T: Float>(x: &Tensor<T>, kept: &Shape, correction: usize) -> f64 {
    x.numel() as f64 / kept.numel() as f64 - correction as f64
}

/// x − μ
fn deviation<T: Float>(x: &Tensor<T>, kept: &Shape) -> Tensor<T> {
    let count = T::from_f64(freedom(x, kept, 0));
    x - x.clone().sum_to(kept) / count
}

/// Of each row, the product of all before each element.
fn before<T: Float>(rows: &Tensor<T>) -> Tensor<T> {
    let len = rows.size(1);
    if len == 0 { rows.clone() } else { rows.narrow(1, 0, len - 1).pad(&[(0, 0), (1, 0)], T::ONE).cumprod(1) }
}

/// The shape with the axes, which the reduction has already checked, at size 1.
fn reduced<T: Float>(x: &Tensor<T>, axes: impl Axes) -> Shape {
    x.shape().reduced(axes).expect("the reduction checked the axes")
}
