//! Functions of one element, in PyTorch's names.

use crate::element::{Float, Number, Signed};
use crate::kernel::{Dtype, IntegerPower, OfFloat, OfNumber, OfSigned, TestOfFloat};
use crate::ops::map;
use crate::tensor::Tensor;

/// Stamps methods, each with the name of its function.
macro_rules! methods {
    ($Bound:ident $map:ident $List:ident: $($(#[$doc:meta])* $method:ident $Name:ident;)*) => {
        impl<T: $Bound> Tensor<T> {
            $(
                $(#[$doc])*
                pub fn $method(&self) -> Self {
                    T::$map(self, $List::$Name)
                }
            )*
        }
    };
}

methods! { Number map_number OfNumber:
    /// x² of each element.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([1, -3]).square(), Tensor::from([1, 9]));
    /// ```
    square Square;
}

methods! { Signed map_signed OfSigned:
    /// |x| of each element. The least integer has none, and follows Rust's rules of overflow.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([1, -3]).abs(), Tensor::from([1, 3]));
    /// ```
    abs Abs;

    /// 1, −1 or 0, as each element is above, below or neither: also for NaN.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([2.5, -3.0, 0.0]).sign(), Tensor::from([1.0, -1.0, 0.0]));
    /// ```
    sign Sign;
}

methods! { Float map_float OfFloat:
    /// eˣ of each element. In f32 at most 2 ulp off.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([0.0, 1000.0]).exp(), Tensor::from([1.0, f64::INFINITY]));
    /// ```
    exp Exp;

    /// 2ˣ of each element.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([3.0, -1.0]).exp2(), Tensor::from([8.0, 0.5]));
    /// ```
    exp2 Exp2;

    /// The logarithm to base 2 of each element; −∞ of 0, NaN of less.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([8.0, 0.5]).log2(), Tensor::from([3.0, -1.0]));
    /// ```
    log2 Log2;

    /// The tangent of each element, in radians.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([0.0]).tan(), Tensor::from([0.0]));
    /// ```
    tan Tan;

    /// The nearest integer that is no larger than the element.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([1.5, -1.5]).floor(), Tensor::from([1.0, -2.0]));
    /// ```
    floor Floor;

    /// The nearest integer that is no smaller than the element.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([1.5, -1.5]).ceil(), Tensor::from([2.0, -1.0]));
    /// ```
    ceil Ceil;

    /// The nearest integer towards 0.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([1.5, -1.5]).trunc(), Tensor::from([1.0, -1.0]));
    /// ```
    trunc Trunc;

    /// The nearest integer; of two, the even one.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([1.4, 1.5, 2.5]).round(), Tensor::from([1.0, 2.0, 2.0]));
    /// ```
    round Round;

    /// eˣ − 1 of each element, accurate near 0; PyTorch's `expm1`.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([0.0, 1e-20]).exp_m1(), Tensor::from([0.0, 1e-20]));
    /// ```
    exp_m1 ExpM1;

    /// The natural logarithm of each element; PyTorch's `log`. In f32 at most 2 ulp off; −∞ of 0, NaN of less.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([1.0, 0.0]).ln(), Tensor::from([0.0, f64::NEG_INFINITY]));
    /// ```
    ln Ln;

    /// ln(1 + x) of each element, accurate near 0; PyTorch's `log1p`.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([0.0, 1e-20]).ln_1p(), Tensor::from([0.0, 1e-20]));
    /// ```
    ln_1p Ln1p;

    /// √x of each element; NaN below 0.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([4.0, 9.0]).sqrt(), Tensor::from([2.0, 3.0]));
    /// ```
    sqrt Sqrt;

    /// 1 / √x of each element.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([4.0, 0.25]).rsqrt(), Tensor::from([0.5, 2.0]));
    /// ```
    rsqrt Rsqrt;

    /// 1 / x of each element; PyTorch's `reciprocal`.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([4.0, -0.5]).recip(), Tensor::from([0.25, -2.0]));
    /// ```
    recip Recip;

    /// The sine of each element, in radians.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([0.0]).sin(), Tensor::from([0.0]));
    /// ```
    sin Sin;

    /// The cosine of each element, in radians.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([0.0]).cos(), Tensor::from([1.0]));
    /// ```
    cos Cos;

    /// The error function of each element, 2/√π ∫₀ˣ exp(−t²) dt.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([0.0, 10.0]).erf(), Tensor::from([0.0, 1.0]));
    /// ```
    erf Erf;
}

impl<T: Float> Tensor<T> {
    /// Whether each element is NaN.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([1.0, f64::NAN]).isnan(), Tensor::from([false, true]));
    /// ```
    pub fn isnan(&self) -> Tensor<bool> {
        T::test(self, TestOfFloat::Nan)
    }

    /// Whether each element is ∞ or −∞.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([1.0, f64::NEG_INFINITY]).isinf(), Tensor::from([false, true]));
    /// ```
    pub fn isinf(&self) -> Tensor<bool> {
        T::test(self, TestOfFloat::Infinite)
    }

    /// Whether each element is neither infinite nor NaN.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([1.0, f64::NAN]).isfinite(), Tensor::from([true, false]));
    /// ```
    pub fn isfinite(&self) -> Tensor<bool> {
        T::test(self, TestOfFloat::Finite)
    }

    /// Each element, but `nan` for NaN, `posinf` for ∞ and `neginf` for −∞. PyTorch's defaults are 0 and the largest and the
    /// least finite number.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let x = Tensor::from([f32::NAN, f32::INFINITY, -2.0]);
    /// assert_eq!(x.nan_to_num(0.0, f32::MAX, f32::MIN), Tensor::from([0.0, f32::MAX, -2.0]));
    /// ```
    pub fn nan_to_num(&self, nan: T, posinf: T, neginf: T) -> Self {
        T::map_float(self, OfFloat::NanToNum { nan, most: posinf, least: neginf })
    }

    /// xⁿ of each element, by repeated squaring in f64.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([2.0, -3.0]).powi(3), Tensor::from([8.0, -27.0]));
    /// assert_eq!(Tensor::from([2.0, 4.0]).powi(-1), Tensor::from([0.5, 0.25]));
    /// ```
    pub fn powi(&self, n: i32) -> Self {
        if n == 2 { self.square() } else { T::integer_power(self, n) }
    }

    /// xʸ of each element, for one exponent y; NaN below 0 unless y is whole.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([4.0, 9.0]).powf(1.5), Tensor::from([8.0, 27.0]));
    /// ```
    pub fn powf(&self, y: T) -> Self {
        // Products are in f64: rounded several times, they have all digits of an f32, and not of an f64.
        let by_products = if T::DTYPE == Dtype::F32 { -64.0..=64.0 } else { -1.0..=2.0 };
        match y.to_f64() {
            whole if whole.fract() == 0.0 && by_products.contains(&whole) => self.powi(whole as i32),
            0.5 => T::map_float(self, OfFloat::Root),
            -0.5 => T::map_float(self, OfFloat::RootRecip),
            _ => T::map_float(self, OfFloat::Powf { y }),
        }
    }
}

pub(crate) fn integer_power<T: Float>(x: &Tensor<T>, n: i32) -> Tensor<T> {
    map(x, IntegerPower { n })
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;

    use super::*;

    #[test]
    fn functions_agree_with_the_standard_library() {
        let x = Tensor::from_fn([40, 30], |i| (i[0] * 30 + i[1]) as f64 / 150.0 - 4.0);
        type Case = (fn(&Tensor<f64>) -> Tensor<f64>, fn(f64) -> f64);
        let cases: &[Case] = &[
            (Tensor::square, |x| x * x),
            (Tensor::abs, f64::abs),
            (Tensor::exp, f64::exp),
            (Tensor::exp_m1, f64::exp_m1),
            (Tensor::ln, f64::ln),
            (Tensor::ln_1p, f64::ln_1p),
            (Tensor::sqrt, f64::sqrt),
            (Tensor::rsqrt, |x| 1.0 / x.sqrt()),
            (Tensor::recip, |x| 1.0 / x),
            (Tensor::sin, f64::sin),
            (Tensor::cos, f64::cos),
            (Tensor::tanh, f64::tanh),
            (Tensor::sigmoid, |x| 1.0 / (1.0 + (-x).exp())),
            (Tensor::relu, |x| x.max(0.0)),
            (|x| x.powi(5), |x| x.powi(5)),
            (|x| x.powi(-2), |x| x.powi(-2)),
            (|x| x.powf(2.5), |x| x.powf(2.5)),
        ];
        for (i, (function, oracle)) in cases.iter().enumerate() {
            for x in [x.clone(), x.t(), x.slice_step(0, .., 3)] {
                for (got, x) in function(&x).iter().zip(x.iter()) {
                    let want = oracle(x);
                    assert_eq!(got.is_nan(), want.is_nan(), "case {i} at {x}");
                    if !want.is_nan() {
                        assert_relative_eq!(got, want, max_relative = 1e-13, epsilon = 1e-15);
                    }
                }
            }
        }
    }

    /// The f32 functions against the f64 ones.
    #[test]
    fn functions_of_f32_agree_with_those_of_f64() {
        let x = Tensor::from_fn([1200], |i| i[0] as f32 / 150.0 - 4.0);
        type Case = (&'static str, fn(&Tensor) -> Tensor, fn(&Tensor<f64>) -> Tensor<f64>);
        let cases: &[Case] = &[
            ("exp", Tensor::exp, Tensor::exp),
            ("exp_m1", Tensor::exp_m1, Tensor::exp_m1),
            ("ln", Tensor::ln, Tensor::ln),
            ("ln_1p", Tensor::ln_1p, Tensor::ln_1p),
            ("sin", Tensor::sin, Tensor::sin),
            ("cos", Tensor::cos, Tensor::cos),
            ("tanh", Tensor::tanh, Tensor::tanh),
            ("sigmoid", Tensor::sigmoid, Tensor::sigmoid),
            ("erf", Tensor::erf, Tensor::erf),
            ("gelu", Tensor::gelu, Tensor::gelu),
            ("powf", |x| x.powf(1.5), |x| x.powf(1.5)),
        ];
        for (name, single, double) in cases {
            for (got, want) in single(&x).iter().zip(double(&x.cast()).iter()) {
                assert_eq!(got.is_nan(), want.is_nan(), "{name}");
                if !want.is_nan() {
                    assert_relative_eq!(f64::from(got), want, max_relative = 1e-6, epsilon = 1e-7);
                }
            }
        }
    }

    #[test]
    fn whole_exponents_and_halves_lose_no_digits() {
        let x = Tensor::from_fn([400], |i| 0.6 + i[0] as f64 / 170.0);
        for y in [-64.0, -3.0, -2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 3.0, 17.0, 64.0] {
            for (got, x) in x.powf(y).iter().zip(x.iter()) {
                assert_relative_eq!(got, libm::pow(x, y), max_relative = 4e-16);
            }
            let single = x.cast::<f32>();
            for (got, x) in single.powf(y as f32).iter().zip(single.iter()) {
                assert_relative_eq!(f64::from(got), libm::pow(x.into(), y), max_relative = 1.2e-7);
            }
        }
        let edges = Tensor::from([f64::NEG_INFINITY, -0.0, -2.0]);
        assert_eq!(edges.powf(0.5).to_vec()[..2], [f64::INFINITY, 0.0]);
        assert_eq!(edges.powf(-0.5).to_vec()[..2], [0.0, f64::INFINITY]);
        assert!(edges.powf(0.5).to_vec()[2].is_nan());
    }

    #[test]
    fn erf_and_gelu_have_their_known_values() {
        let erf = Tensor::from([0.5, 1.0, -2.0_f64]).erf();
        let want = [0.520_499_877_813_046_5, 0.842_700_792_949_714_9, -0.995_322_265_018_952_7];
        for (got, want) in erf.iter().zip(want) {
            assert_relative_eq!(got, want, max_relative = 1e-15);
        }
        // gelu(1) = Φ(1)
        assert_relative_eq!(Tensor::from([1.0_f64]).gelu().item(), 0.841_344_746_068_542_9, max_relative = 1e-15);
    }

    #[test]
    fn not_a_number_stays_and_signs_are_kept() {
        let x = Tensor::from([f32::NAN, -0.0]);
        for y in [x.relu(), x.tanh(), x.exp(), x.abs(), x.sigmoid(), x.gelu()] {
            assert!(y.get(&[0]).unwrap().is_nan());
        }
        assert!(x.tanh().get(&[1]).unwrap().is_sign_negative());
        assert_eq!(x.sign().to_vec(), [0.0, 0.0]);
        assert_eq!(Tensor::from([i64::MIN + 1]).abs().item(), i64::MAX);
    }
}
