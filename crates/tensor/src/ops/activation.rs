//! Activations in PyTorch's names. What each computes, and its pullback, is its row in `kernel::activation`.

use super::elementwise::zip_owned;
use crate::element::Float;
use crate::error::Error;
use crate::kernel::{Activation, Slope};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// An activation of each element: what [`tanh`](Self::tanh) and the others are, given by name.
    ///
    /// # Example
    /// ```
    /// use tensor::{Activation, Tensor};
    ///
    /// let x = Tensor::from([-3.0, 2.0]);
    /// assert_eq!(x.activation(Activation::Relu), Tensor::from([0.0, 2.0]));
    /// ```
    pub fn activation(&self, activation: Activation) -> Self {
        T::activate(self, activation)
    }

    /// The hyperbolic tangent of each element. In f32 at most 2 ulp off, odd, monotone, and ±1 where it rounds to that.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([0.0, 100.0]).tanh(), Tensor::from([0.0, 1.0]));
    /// ```
    pub fn tanh(&self) -> Self {
        self.activation(Activation::Tanh)
    }

    /// 1 / (1 + e⁻ˣ) of each element.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([0.0, 1000.0]).sigmoid(), Tensor::from([0.5, 1.0]));
    /// ```
    pub fn sigmoid(&self) -> Self {
        self.activation(Activation::Sigmoid)
    }

    /// max(x, 0) of each element; NaN stays.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([-1.0, 2.0]).relu(), Tensor::from([0.0, 2.0]));
    /// ```
    pub fn relu(&self) -> Self {
        self.activation(Activation::Relu)
    }

    /// x Φ(x) of each element, where Φ is the normal distribution function: ½ x (1 + erf(x/√2)) (Hendrycks & Gimpel, 2016).
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([0.0, 100.0]).gelu(), Tensor::from([0.0, 100.0]));
    /// ```
    pub fn gelu(&self) -> Self {
        self.activation(Activation::Gelu)
    }

    /// x σ(x) of each element, also called Swish (Ramachandran et al., 2017).
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([0.0, 100.0]).silu(), Tensor::from([0.0, 100.0]));
    /// ```
    pub fn silu(&self) -> Self {
        self.activation(Activation::Silu)
    }

    /// max(x, 0) + slope · min(x, 0) of each element; PyTorch's usual slope is 0.01.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([-4.0, 3.0]).leaky_relu(0.25), Tensor::from([-1.0, 3.0]));
    /// ```
    pub fn leaky_relu(&self, slope: f64) -> Self {
        self.activation(Activation::LeakyRelu(slope))
    }

    /// ln(1 + eˣ) of each element, which neither overflows nor loses the digits of a small result.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([0.0, 1000.0]).softplus(), Tensor::from([2.0_f64.ln(), 1000.0]));
    /// ```
    pub fn softplus(&self) -> Self {
        self.activation(Activation::Softplus)
    }

    /// ln σ(x) = −ln(1 + e⁻ˣ) of each element, without loss.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([-1000.0, 1000.0]).log_sigmoid(), Tensor::from([-1000.0, 0.0]));
    /// ```
    pub fn log_sigmoid(&self) -> Self {
        self.activation(Activation::LogSigmoid)
    }

    /// x above 0 and α (eˣ − 1) below, of each element; PyTorch's usual α is 1.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([-1000.0, 3.0]).elu(2.0), Tensor::from([-2.0, 3.0]));
    /// ```
    pub fn elu(&self, alpha: f64) -> Self {
        self.activation(Activation::Elu(alpha))
    }

    /// λ times [`elu`](Self::elu) of α with λ = 1.0507… and α = 1.6733…, of each element (Klambauer et al., 2017).
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([0.0, 1.0_f32]).selu(), Tensor::from([0.0, 1.050_701]));
    /// ```
    pub fn selu(&self) -> Self {
        self.activation(Activation::Selu)
    }

    /// [`gelu`](Self::gelu) by its approximation with a hyperbolic tangent: ½ x (1 + tanh(√(2/π) (x + 0.044715 x³))) of each element.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([0.0, 100.0]).gelu_tanh(), Tensor::from([0.0, 100.0]));
    /// ```
    pub fn gelu_tanh(&self) -> Self {
        self.activation(Activation::GeluTanh)
    }

    /// x tanh ln(1 + eˣ) of each element (Misra, 2020).
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([0.0, 100.0]).mish(), Tensor::from([0.0, 100.0]));
    /// ```
    pub fn mish(&self) -> Self {
        self.activation(Activation::Mish)
    }

    /// Each element, between −1 and 1; NaN stays.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([-2.0, 0.5]).hardtanh(), Tensor::from([-1.0, 0.5]));
    /// ```
    pub fn hardtanh(&self) -> Self {
        self.activation(Activation::Hardtanh)
    }

    /// x/6 + ½ of each element, between 0 and 1; NaN stays.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([-4.0, 0.0]).hard_sigmoid(), Tensor::from([0.0, 0.5]));
    /// ```
    pub fn hard_sigmoid(&self) -> Self {
        self.activation(Activation::HardSigmoid)
    }

    /// x times [`hard_sigmoid`](Self::hard_sigmoid) of x, of each element.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([-4.0, 4.0]).hard_swish(), Tensor::from([0.0, 4.0]));
    /// ```
    pub fn hard_swish(&self) -> Self {
        self.activation(Activation::HardSwish)
    }
}

/// ȳ times the slope.
pub(crate) fn pullback<T: Float>(
    op: &'static str,
    gradient: Tensor<T>,
    saved: &Tensor<T>,
    of: Activation,
) -> Result<Tensor<T>, Error> {
    saved.expect_shape(op, gradient.shape())?;
    zip_owned(op, gradient, saved, Slope(of))
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;

    use super::*;
    use crate::{Live, Saved, with_threads};

    /// What is kept of `x` for the way back.
    fn saved<T: Float>(activation: Activation, x: &Tensor<T>) -> Tensor<T> {
        match activation.saves() {
            Saved::Input => x.clone(),
            Saved::Output => x.activation(activation),
        }
    }

    #[test]
    fn each_has_its_method_and_its_scalar_on_any_strides() {
        let x = Tensor::from_fn([40, 30], |i| (i[0] * 30 + i[1]) as f64 / 120.0 - 5.0);
        for &f in Activation::ALL {
            for x in [x.clone(), x.t(), x.slice_step(0, .., 3), x.slice(0, 3..3)] {
                let y = x.activation(f);
                assert_eq!(y.dims(), x.dims());
                assert!(y.iter().zip(x.iter()).all(|(y, x)| y == f.at(x)), "{f:?}");
            }
            // The same in f32, to its rounding.
            let single = x.cast::<f32>();
            for (got, want) in single.activation(f).iter().zip(single.cast::<f64>().activation(f).iter()) {
                assert_relative_eq!(f64::from(got), want, max_relative = 1e-6, epsilon = 1e-7);
            }
        }
        type Method = fn(&Tensor<f64>) -> Tensor<f64>;
        let methods: &[Method] = &[
            Tensor::tanh,
            Tensor::sigmoid,
            Tensor::relu,
            Tensor::gelu,
            Tensor::silu,
            |x| x.leaky_relu(0.01),
            Tensor::gelu_tanh,
            Tensor::mish,
            |x| x.elu(1.0),
            Tensor::selu,
            Tensor::softplus,
            Tensor::log_sigmoid,
            Tensor::hardtanh,
            Tensor::hard_sigmoid,
            Tensor::hard_swish,
        ];
        assert_eq!(methods.len(), Activation::ALL.len(), "each activation has a method");
        for (method, &f) in methods.iter().zip(Activation::ALL) {
            assert_eq!(method(&x), x.activation(f), "{f:?}");
        }
    }

    #[test]
    fn slopes_are_those_of_differences() {
        for &f in Activation::ALL {
            for i in -50..=50 {
                // None of them is a kink.
                let x = f64::from(i) / 7.0 + 0.03;
                let h = 1e-3;
                let difference =
                    (8.0 * (f.at(x + h) - f.at(x - h)) - (f.at(x + 2.0 * h) - f.at(x - 2.0 * h))) / (12.0 * h);
                let saved = if f.saves() == Saved::Input { x } else { f.at(x) };
                assert_relative_eq!(f.slope(saved), difference, epsilon = 1e-10, max_relative = 1e-9);
            }
        }
    }

    /// The activation and its slope at −∞, the least number, 0, the largest and ∞; 0 stands for −0 too.
    fn at_the_ends(f: Activation, huge: f64) -> [[f64; 5]; 2] {
        let inf = f64::INFINITY;
        match f {
            Activation::Tanh => [[-1.0, -1.0, 0.0, 1.0, 1.0], [0.0, 0.0, 1.0, 0.0, 0.0]],
            Activation::Sigmoid => [[0.0, 0.0, 0.5, 1.0, 1.0], [0.0, 0.0, 0.25, 0.0, 0.0]],
            Activation::Relu => [[0.0, 0.0, 0.0, huge, inf], [0.0, 0.0, 0.0, 1.0, 1.0]],
            Activation::Gelu | Activation::GeluTanh | Activation::Silu => {
                [[0.0, 0.0, 0.0, huge, inf], [0.0, 0.0, 0.5, 1.0, 1.0]]
            }
            Activation::LeakyRelu(slope) => [[-inf, -huge * slope, 0.0, huge, inf], [slope, slope, slope, 1.0, 1.0]],
            Activation::Mish => [[0.0, 0.0, 0.0, huge, inf], [0.0, 0.0, 0.6, 1.0, 1.0]],
            Activation::Softplus => [[0.0, 0.0, 2_f64.ln(), huge, inf], [0.0, 0.0, 0.5, 1.0, 1.0]],
            Activation::LogSigmoid => [[-inf, -huge, -2_f64.ln(), 0.0, 0.0], [1.0, 1.0, 0.5, 0.0, 0.0]],
            Activation::Elu(alpha) => [[-alpha, -alpha, 0.0, huge, inf], [0.0, 0.0, alpha, 1.0, 1.0]],
            Activation::Selu => {
                let [scale, least] = [1.050_700_987_355_480_5, 1.758_099_340_847_376_9];
                [[-least, -least, 0.0, inf, inf], [0.0, 0.0, least, scale, scale]]
            }
            Activation::Hardtanh => [[-1.0, -1.0, 0.0, 1.0, 1.0], [0.0, 0.0, 1.0, 0.0, 0.0]],
            Activation::HardSigmoid => [[0.0, 0.0, 0.5, 1.0, 1.0], [0.0, 0.0, 1.0 / 6.0, 0.0, 0.0]],
            Activation::HardSwish => [[0.0, 0.0, 0.0, huge, inf], [0.0, 0.0, 0.5, 1.0, 1.0]],
        }
    }

    #[test]
    fn at_the_ends_of_the_floats_each_has_its_limit() {
        fn check<T: Float>(f: Activation) {
            let most = T::MAX;
            let ends = [-T::INFINITY, -most, T::ZERO, most, T::INFINITY];
            let [values, slopes] = at_the_ends(f, most.to_f64());
            for len in 1..=40 {
                let all = |x: T| Tensor::full([len], x);
                let are = |got: &Tensor<T>, want: f64| {
                    let near = |x: f64| x == want || (x - want).abs() <= 2.0 * T::EPSILON.to_f64() * want.abs();
                    assert!(got.iter().all(|x| near(x.to_f64())), "{f:?} of {len}: {got:?}, not {want:e}");
                };
                for ((x, value), slope) in ends.into_iter().zip(values).zip(slopes) {
                    for x in if x == T::ZERO { vec![x, -x] } else { vec![x] } {
                        are(&all(x).activation(f), value);
                        are(&all(T::ONE).pullback(f, &saved(f, &all(x))), slope);
                    }
                }
                let nan = all(T::from_f64(f64::NAN));
                assert!(nan.activation(f).isnan().all(..).item());
                assert!(nan.clone().pullback(f, &nan).isnan().all(..).item());
                // Among others, wherever it stands.
                for at in 0..len {
                    let x = Tensor::from_fn([len], |i| if i[0] == at { -T::INFINITY } else { T::ONE });
                    let alone = Tensor::from([-T::INFINITY]);
                    assert_eq!(x.activation(f).narrow(0, at, 1), alone.activation(f));
                }
            }
        }
        for &f in Activation::ALL {
            check::<f32>(f);
            check::<f64>(f);
        }
    }

    #[test]
    #[allow(clippy::excessive_precision, reason = "the digits of the oracle")]
    fn the_tail_of_gelu_keeps_its_digits() {
        // x, x Φ(x) and Φ(x) + x φ(x), by mpmath with 50 digits.
        for (x, y, slope) in [
            (-37.5, -1.727_007_378_593_233_1e-306, -6.476_271_143_055_812_6e-305),
            (-30.0, -1.472_014_178_144_456_1e-196, -4.416_031_690_708_494_4e-195),
            (-20.0, -5.507_248_237_212_467_4e-88, -1.101_436_048_313_346_4e-86),
            (-13.0, -7.952_313_719_414_843_6e-38, -1.033_730_434_401_133_6e-36),
            (-8.0, -4.976_768_459_417_427_3e-15, -3.979_607_261_086_796e-14),
            (-5.0, -1.433_257_859_395_969_6e-6, -7.146_946_001_792_294_6e-6),
            (-2.0, -0.045_500_263_896_358_414, -0.085_231_801_078_196_897),
            (-0.75, -0.169_970_514_282_651_15, 0.000_774_278_260_764_895_63),
            (-1e-10, -4.999_999_999_601_057_9e-11, 0.499_999_999_920_211_54),
            (0.5, 0.345_731_230_637_006_55, 0.867_495_124_656_162_84),
            (3.0, 2.995_950_305_905_109_7, 1.011_945_647_204_183_9),
            (9.0, 9.0, 1.0),
        ] {
            let f = Activation::Gelu;
            assert_relative_eq!(f.at(x), y, max_relative = 1e-15);
            assert_relative_eq!(f.slope(x), slope, max_relative = 2e-15, epsilon = 1e-16);
            let single = Tensor::from([x as f32]);
            if y.abs() > f64::from(f32::MIN_POSITIVE) && f64::from(x as f32) == x {
                assert_relative_eq!(single.gelu().item(), y as f32, max_relative = 6e-8);
                let got = Tensor::from([1.0_f32]).pullback(f, &single).item();
                assert_relative_eq!(got, slope as f32, max_relative = 6e-8);
            }
        }
    }

    #[test]
    fn a_kink_is_where_the_slope_jumps() {
        for &f in Activation::ALL {
            let slope = |x: f64| f.slope(if f.saves() == Saved::Input { x } else { f.at(x) });
            let jump = |x: f64| (slope(x + 1e-9) - slope(x - 1e-9)).abs() > 1e-3;
            assert!(f.kinks().iter().all(|&x| jump(x)), "{f:?}");
            let found: Vec<f64> = (-400..400).map(|i| f64::from(i) / 100.0).filter(|&x| jump(x)).collect();
            assert_eq!(found, f.kinks(), "{f:?}");
        }
    }

    #[test]
    fn pullbacks_are_the_slope_times_the_gradient_on_any_strides() {
        let g = Tensor::from_fn([7, 5], |i| (i[0] * 5 + i[1]) as f64 / 9.0 - 2.0);
        let x = Tensor::from_fn([5, 7], |i| ((i[0] * 7 + i[1] * 3) % 11) as f64 / 4.0 - 1.2).t();
        for &f in Activation::ALL {
            for (g, x) in [(g.clone(), x.clone()), (g.t(), x.t()), (g.slice(0, 3..3), x.slice(0, 3..3))] {
                let saved = saved(f, &x);
                let got = g.clone().pullback(f, &saved);
                assert_eq!(got.dims(), g.dims());
                for ((got, g), saved) in got.iter().zip(g.iter()).zip(saved.iter()) {
                    assert_relative_eq!(got, g * f.slope(saved), epsilon = 1e-15, max_relative = 1e-15);
                }
            }
        }
    }

    #[test]
    fn the_buffer_of_a_gradient_that_nobody_else_owns_is_used_again() {
        for &f in Activation::ALL {
            let g = Tensor::full([100], 2.0);
            let before = g.as_slice().unwrap().as_ptr();
            let x = g.pullback(f, &Tensor::full([100], 0.5));
            assert_eq!(x.as_slice().unwrap().as_ptr(), before);
        }
    }

    #[test]
    fn not_a_number_stays_on_both_ways_and_threads_leave_no_trace() {
        let x = Tensor::from_fn([300_000], |i| (i[0] % 1000) as f32 / 100.0 - 5.0);
        for &f in Activation::ALL {
            // A slope of pieces lets a NaN pass as it is: what comes in.
            assert_eq!((f.at(f64::NAN).is_nan(), f.slope(f64::NAN).is_nan()), (true, f.kinks().is_empty()));
            let nan = Tensor::from([f32::NAN]);
            assert!(nan.activation(f).item().is_nan());
            assert!(nan.clone().pullback(f, &nan).item().is_nan());
            let all = || (x.activation(f), x.clone().pullback(f, &saved(f, &x)));
            assert!(with_threads(1, all).unwrap() == with_threads(3, all).unwrap(), "{f:?}");
        }
    }

    /// The share of standard normal inputs that a rule calls flat, by 160,000 strips.
    fn share(flat: impl Fn(f64) -> bool) -> f64 {
        let below = |z: f64| 0.5 + 0.5 * crate::Real::erf(z / 2_f64.sqrt());
        let strips = (-80_000..80_000).map(|i| f64::from(i) * 1e-4);
        strips.filter(|&z| flat(z)).map(|z| below(z + 5e-5) - below(z - 5e-5)).sum()
    }

    #[test]
    fn flat_is_where_the_slope_is_and_stays_below_its_share_of_the_steepest() {
        for &f in Activation::ALL {
            let live = f.live();
            let slope = |x: f64| f.slope(if f.saves() == Saved::Input { x } else { f.at(x) }).abs();
            let is_flat = |x: f64| !live.range.contains(&if live.of == Saved::Input { x } else { f.at(x) });
            let grid = || (-40_000..=40_000).map(|i| f64::from(i) / 1000.0);
            let steepest = grid().map(slope).fold(0.0, f64::max);
            for x in grid().filter(|&x| is_flat(x)) {
                assert!(slope(x) <= steepest * Live::FLAT * 1.001, "{f:?} is not flat at {x}");
            }
            // Nor does it begin any later than it must: just within the range, the slope is above.
            for end in [live.range.start(), live.range.end()] {
                let edge = grid().filter(|&x| !is_flat(x)).map(|x| (x, slope(x)));
                let first = if end == live.range.start() {
                    edge.min_by(|a, b| a.0.total_cmp(&b.0))
                } else {
                    edge.max_by(|a, b| a.0.total_cmp(&b.0))
                };
                let (x, slope) = first.unwrap();
                assert!(slope >= steepest * Live::FLAT * 0.99, "{f:?} is already flat at {x}");
            }
            assert!((share(is_flat) - live.flat_at_rest).abs() < 1e-4, "{f:?}: {}", share(is_flat));
        }
    }
}
