//! Each scheme against its exact distribution: the largest distance between the distribution function and that of a
//! sample (Kolmogorov and Smirnov), moments, and bounds. The same tests reject distributions that are slightly wrong.

use std::f64::consts::{PI, SQRT_2};

use init::torch::Generator;
use init::{Distribution, FanAxes, FanMode, Gain, Initializer, VarianceScaling};
use tensor::{Float, Shape, Tensor, with_threads};

use crate::rng;

/// A weight of a million elements that is not square.
const MATRIX: [usize; 2] = [800, 1250];

/// The same as a convolution, [out, in, k₁, k₂].
const CONVOLUTION: [usize; 4] = [50, 20, 10, 100];

/// What a sample is compared with.
struct Law {
    cdf: Box<dyn Fn(f64) -> f64>,
    mean: f64,
    variance: f64,
    /// Fourth central moment.
    fourth: f64,
    ends: [f64; 2],
}

fn phi(z: f64) -> f64 {
    (1.0 + tensor::Real::erf(z / SQRT_2)) / 2.0
}

fn density(z: f64) -> f64 {
    (-z * z / 2.0).exp() / (2.0 * PI).sqrt()
}

fn normal(mean: f64, std: f64) -> Law {
    let cdf = Box::new(move |x| phi((x - mean) / std));
    Law { cdf, mean, variance: std * std, fourth: 3.0 * std.powi(4), ends: [f64::NEG_INFINITY, f64::INFINITY] }
}

fn uniform(a: f64, b: f64) -> Law {
    let cdf = Box::new(move |x: f64| ((x - a) / (b - a)).clamp(0.0, 1.0));
    let width = b - a;
    Law { cdf, mean: (a + b) / 2.0, variance: width.powi(2) / 12.0, fourth: width.powi(4) / 80.0, ends: [a, b] }
}

/// Normal numbers between a and b; moments by integration.
fn truncated(mean: f64, std: f64, a: f64, b: f64) -> Law {
    let [low, high] = [(a - mean) / std, (b - mean) / std];
    let mass = phi(high) - phi(low);
    let cdf = move |x: f64| ((phi((x - mean) / std) - phi(low)) / mass).clamp(0.0, 1.0);
    let steps = 100_000;
    let moment = |about: f64, power: i32| {
        let width = (high - low) / f64::from(steps);
        let term = |i| {
            let z = low + (f64::from(i) + 0.5) * width;
            (mean + std * z - about).powi(power) * density(z) * width / mass
        };
        (0..steps).map(term).sum::<f64>()
    };
    let centre = moment(0.0, 1);
    let (variance, fourth) = (moment(centre, 2), moment(centre, 4));
    Law { cdf: Box::new(cdf), mean: centre, variance, fourth, ends: [a, b] }
}

/// √n times the largest distance between the distribution function and the sample's.
fn distance(sample: &Tensor<f64>, law: &Law) -> f64 {
    let mut sorted = sample.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len() as f64;
    let off = sorted.iter().enumerate().map(|(i, &x)| {
        let p = (law.cdf)(x);
        (p - i as f64 / n).max((i + 1) as f64 / n - p)
    });
    off.fold(0.0, f64::max) * n.sqrt()
}

/// One sample in a thousand of the right distribution is further off.
const CRITICAL: f64 = 1.95;

/// What is wrong with the sample, if anything.
fn verdict<T: Float>(sample: &Tensor<T>, law: &Law) -> Result<(), String> {
    let x = sample.map(T::to_f64);
    let n = x.numel() as f64;
    let outside = x.iter().filter(|x| !(law.ends[0]..=law.ends[1]).contains(x)).count();
    if outside > 0 {
        return Err(format!("{outside} elements are out of bounds"));
    }
    let (mean, variance) = (x.mean(..).item(), x.var(.., 1).item());
    // Four standard errors each.
    if (mean - law.mean).abs() > 4.0 * (law.variance / n).sqrt() {
        return Err(format!("the mean is {mean}, not {}", law.mean));
    }
    if (variance - law.variance).abs() > 4.0 * ((law.fourth - law.variance.powi(2)) / n).sqrt() {
        return Err(format!("the variance is {variance}, not {}", law.variance));
    }
    let distance = distance(&x, law);
    if distance > CRITICAL {
        return Err(format!("the distribution function is off by {distance} / √n"));
    }
    Ok(())
}

fn draw<T: Float>(scheme: &impl Initializer<T>, shape: &[usize]) -> Tensor<T> {
    scheme.init(&Shape::try_new(shape).unwrap(), &mut rng(7)).unwrap()
}

fn scaled(distribution: Distribution, std: f64) -> Law {
    let uncut = std / (1.0 - 4.0 * density(2.0) / (2.0 * phi(2.0) - 1.0)).sqrt();
    match distribution {
        Distribution::Normal => normal(0.0, std),
        Distribution::Uniform => uniform(-(3.0_f64.sqrt()) * std, 3.0_f64.sqrt() * std),
        Distribution::TruncatedNormal => truncated(0.0, uncut, -2.0 * uncut, 2.0 * uncut),
    }
}

/// Every scheme that scales the variance: what it is, its distribution, and which standard deviation it has at fan_in and
/// fan_out.
type Case = (&'static str, VarianceScaling, Distribution, fn(f64, f64) -> f64);

fn cases() -> Vec<Case> {
    use Distribution::*;
    vec![
        ("kaiming_normal", init::kaiming_normal(Gain::Relu), Normal, |i, _| (2.0 / i).sqrt()),
        ("kaiming_normal, fan out", init::kaiming_normal(Gain::Tanh).mode(FanMode::Out), Normal, |_, o| {
            5.0 / 3.0 / o.sqrt()
        }),
        ("kaiming_uniform", init::kaiming_uniform(Gain::LeakyRelu(0.2)), Uniform, |i, _| (2.0 / 1.04 / i).sqrt()),
        ("kaiming_uniform, average", init::kaiming_uniform(Gain::Selu).mode(FanMode::Average), Uniform, |i, o| {
            0.75 / ((i + o) / 2.0).sqrt()
        }),
        ("xavier_normal", init::xavier_normal(Gain::Tanh), Normal, |i, o| 5.0 / 3.0 * (2.0 / (i + o)).sqrt()),
        ("xavier_uniform", init::glorot_uniform(Gain::Linear), Uniform, |i, o| (2.0 / (i + o)).sqrt()),
        ("lecun_normal", init::lecun_normal(Gain::Linear), TruncatedNormal, |i, _| 1.0 / i.sqrt()),
        ("lecun_uniform", init::lecun_uniform(Gain::Sigmoid), Uniform, |i, _| 1.0 / i.sqrt()),
        ("variance_scaling", init::variance_scaling(3.0, FanMode::Out, TruncatedNormal), TruncatedNormal, |_, o| {
            (3.0 / o).sqrt()
        }),
        ("torch_linear", init::torch_linear(), Uniform, |i, _| 1.0 / i.sqrt() / 3.0_f64.sqrt()),
        ("candle_linear", init::candle_linear(), Normal, |i, _| (2.0 / i).sqrt()),
        ("mup_input", init::mup_input(Gain::Gelu), Normal, |i, _| 1.53353 / i.sqrt()),
        ("mup_hidden", init::mup_hidden(Gain::Silu), Normal, |i, _| 1.67653 / i.sqrt()),
        ("mup_output", init::mup_output(Gain::Linear, 50), Normal, |i, _| 50_f64.sqrt() / i),
    ]
}

#[test]
fn scaled_schemes_have_their_distribution() {
    for (name, scheme, distribution, std) in cases() {
        let check = |w: Result<(), String>, what: &str| w.unwrap_or_else(|why| panic!("{name}, {what}: {why}"));
        let law = scaled(distribution, std(800.0, 1250.0));
        check(verdict::<f32>(&draw(&scheme, &MATRIX), &law), "matrix");
        check(verdict::<f64>(&draw(&scheme, &MATRIX), &law), "f64");
        let law = scaled(distribution, std(20.0 * 1000.0, 50.0 * 1000.0));
        check(verdict::<f32>(&draw(&scheme, &CONVOLUTION), &law), "convolution");
        let law = scaled(distribution, std(1250.0, 800.0));
        check(verdict::<f32>(&draw(&scheme.fan_axes(FanAxes::OutIn), &MATRIX), &law), "[out, in]");
        let law = scaled(distribution, std(50.0 * 1000.0, 20.0 * 1000.0));
        check(verdict::<f32>(&draw(&scheme.fan_axes(FanAxes::InOut), &CONVOLUTION), &law), "[in, out, k]");
    }
}

#[test]
fn what_is_slightly_wrong_is_rejected() {
    let right = |i: f64| 5.0 / 3.0 / i.sqrt();
    for (distribution, scheme) in [
        (Distribution::Normal, init::kaiming_normal(Gain::Tanh)),
        (Distribution::Uniform, init::kaiming_uniform(Gain::Tanh)),
        (Distribution::TruncatedNormal, init::lecun_normal(Gain::Tanh)),
    ] {
        let test =
            |scheme: VarianceScaling| verdict::<f32>(&draw(&scheme, &MATRIX), &scaled(distribution, right(800.0)));
        test(scheme).unwrap();
        let gain = |gain| match distribution {
            Distribution::Normal => init::kaiming_normal(Gain::Custom(gain)),
            Distribution::Uniform => init::kaiming_uniform(Gain::Custom(gain)),
            Distribution::TruncatedNormal => init::lecun_normal(Gain::Custom(gain)),
        };
        for (wrong, what) in [
            (gain(5.0 / 3.0 * 1.01), "a gain that is 1 % too large"),
            (gain(5.0 / 3.0 * 0.99), "a gain that is 1 % too small"),
            (scheme.mode(FanMode::Out), "the other fan"),
            (scheme.mode(FanMode::Average), "the average of fans"),
            (scheme.fan_axes(FanAxes::OutIn), "the swapped layout"),
        ] {
            assert!(test(wrong).is_err(), "{distribution:?}: {what}");
        }
        // The distribution function alone tells another shape of the same mean and variance.
        let x: Tensor<f64> = draw(&scheme, &MATRIX);
        for other in [Distribution::Normal, Distribution::Uniform, Distribution::TruncatedNormal] {
            let off = distance(&x, &scaled(other, right(800.0)));
            assert_eq!(off > CRITICAL, other != distribution, "{distribution:?} taken for {other:?}: {off}");
        }
    }
    // A receptive field that is added and not multiplied, as a library once had it.
    let w: Tensor = draw(&init::kaiming_normal(Gain::Linear), &CONVOLUTION);
    assert!(verdict(&w, &normal(0.0, (20.0_f64 + 110.0).powf(-0.5))).is_err());
    // Bounds: one element beyond them.
    let mut w: Tensor = draw(&init::uniform(-1.0, 1.0), &MATRIX);
    w.as_mut_slice()[500_000] = 1.000_001;
    assert!(verdict(&w, &uniform(-1.0, 1.0)).unwrap_err().contains("out of bounds"));
    // Means: half a hundredth of a standard deviation.
    let w: Tensor = draw(&init::normal(1.0).with_mean(0.005), &MATRIX);
    assert!(verdict(&w, &normal(0.0, 1.0)).unwrap_err().contains("mean"));
}

#[test]
fn given_distributions_are_as_given() {
    fn check<T: Float>() {
        let test = |scheme: &dyn Initializer<T>, law: Law| {
            let w: Tensor<T> = scheme.init(&Shape::from([1_000_000]), &mut rng(11)).unwrap();
            verdict(&w, &law).unwrap_or_else(|why| panic!("{}: {why}", T::DTYPE));
        };
        test(&init::normal(1.0), normal(0.0, 1.0));
        test(&init::normal(0.01).with_mean(-3.0), normal(-3.0, 0.01));
        test(&init::residual(0.02, 12), normal(0.0, 0.02 / 24_f64.sqrt()));
        test(&init::uniform(-0.1, 0.3), uniform(-0.1, 0.3));
        test(&init::torch_linear_bias(30), uniform(-(30_f64.powf(-0.5)), 30_f64.powf(-0.5)));
        // In the middle, to one side of the mean, in each tail, and so wide that nothing is cut.
        test(&init::trunc_normal(0.0, 1.0, -2.0, 2.0), truncated(0.0, 1.0, -2.0, 2.0));
        test(&init::trunc_normal(0.5, 0.3, 0.4, 2.0), truncated(0.5, 0.3, 0.4, 2.0));
        test(&init::trunc_normal(0.0, 1.0, 2.0, 3.0), truncated(0.0, 1.0, 2.0, 3.0));
        test(&init::trunc_normal(1.0, 0.1, 0.5, 0.75), truncated(1.0, 0.1, 0.5, 0.75));
        test(&init::trunc_normal(0.0, 0.02, -2.0, 2.0), normal(0.0, 0.02));
    }
    check::<f32>();
    check::<f64>();
    // Far out, where 1 − Φ is lost in rounding; there the tail is all but exponential.
    let w: Tensor<f64> = draw(&init::trunc_normal(0.0, 1.0, 20.0, 30.0), &[1_000_000]);
    assert!(w.iter().all(|x| (20.0..30.0).contains(&x)));
    assert!((w.mean(..).item() - 20.0 - 0.049_876).abs() < 4.0 * 0.0498 / 1e3); // φ(20) / (1 − Φ(20)) − 20
}

#[test]
fn pytorchs_generator_draws_the_same_distributions() {
    let mut g = Generator::manual_seed(3);
    let [a, b, c]: [Tensor; 3] = [
        g.randn([1_000_000]).unwrap(),
        g.init(&init::trunc_normal(0.0, 1.0, 2.0, 3.0), &Shape::from([100_000])).unwrap(),
        g.rand([1_000_000]).unwrap(),
    ];
    verdict(&a, &normal(0.0, 1.0)).unwrap();
    verdict(&b, &truncated(0.0, 1.0, 2.0, 3.0)).unwrap();
    verdict(&c, &uniform(0.0, 1.0)).unwrap();
}

#[test]
fn sparse_columns_have_as_many_zeros_as_they_should_in_all_rows_alike() {
    let [rows, columns] = [40, 25_000];
    let w: Tensor = draw(&init::sparse(0.31, 0.5), &[rows, columns]);
    let zero = w.eq(0.0);
    for column in 0..columns {
        assert_eq!(zero.select(1, column).iter().filter(|&zero| zero).count(), 13); // ⌈0.31 · 40⌉
    }
    let rest: Tensor = w.iter().filter(|&x| x != 0.0).collect();
    verdict(&rest, &normal(0.0, 0.5)).unwrap();
    // Each row is zero as often: within four and a half standard errors of 40 binomial numbers.
    let p = 13.0 / 40.0;
    for row in 0..rows {
        let share = zero.select(0, row).iter().filter(|&zero| zero).count() as f64 / columns as f64;
        assert!((share - p).abs() < 4.5 * (p * (1.0 - p) / columns as f64).sqrt(), "row {row}: {share}");
    }
}

#[test]
fn orthogonal_matrices_are_orthonormal() {
    fn off<T: Float>(shape: &[usize], gain: f64) -> f64 {
        let w: Tensor<T> = draw(&init::orthogonal(Gain::Custom(gain)), shape);
        let w = w.reshape([shape[0], shape[1..].iter().product()]).map(T::to_f64) * (1.0 / gain);
        let product = if w.size(0) <= w.size(1) { w.matmul(&w.t()) } else { w.t().matmul(&w) };
        (&product - Tensor::eye(product.size(0))).abs().max(..).item()
    }
    let shapes: [&[usize]; 9] =
        [&[1, 1], &[1, 7], &[7, 1], &[30, 20], &[20, 30], &[64, 64], &[65, 129], &[300, 300], &[32, 16, 3, 3]];
    for shape in shapes {
        for gain in [1.0, 1.5] {
            assert!(off::<f32>(shape, gain) < 1e-6, "{shape:?}");
            assert!(off::<f64>(shape, gain) < 1e-14, "{shape:?}: {:e}", off::<f64>(shape, gain));
        }
    }
    // The test rejects a matrix whose rows are of length 1 and nothing more.
    let w: Tensor<f64> = draw(&init::normal(1.0), &[20, 30]);
    let rows = &w / w.square().sum(tensor::keepdim(1)).sqrt();
    assert!((rows.matmul(&rows.t()) - Tensor::eye(20)).abs().max(..).item() > 0.1);
}

#[test]
fn no_orthogonal_matrix_is_likelier_than_another() {
    // Of a random rotation or reflection in space, each column is uniform on the sphere, and so each of its coordinates
    // uniform in −1..1 (Archimedes).
    let (mut stream, shape) = (rng(5), Shape::from([3, 3]));
    let drawn: Vec<Tensor<f64>> =
        (0..100_000).map(|_| init::orthogonal(Gain::Linear).init(&shape, &mut stream).unwrap()).collect();
    let entry = |i: usize, j: usize| drawn.iter().map(|w| w.to_vec()[3 * i + j]).collect::<Tensor<f64>>();
    for (i, j) in [(0, 0), (2, 0), (1, 1), (2, 2)] {
        verdict(&entry(i, j), &uniform(-1.0, 1.0)).unwrap_or_else(|why| panic!("entry {i}, {j}: {why}"));
    }
    let determinants = drawn.iter().map(|w| {
        let w = w.to_vec();
        w[0] * (w[4] * w[8] - w[5] * w[7]) - w[1] * (w[3] * w[8] - w[5] * w[6]) + w[2] * (w[3] * w[7] - w[4] * w[6])
    });
    let rotations = determinants.filter(|&d| d > 0.0).count() as f64 / 1e5;
    assert!((rotations - 0.5).abs() < 4.0 * 0.5 / 1e5_f64.sqrt(), "{rotations}");
    // What a QR decomposition gives whose signs are left as they come: the first entry is never positive.
    assert!(verdict(&entry(0, 0).abs().map(|x| -x), &uniform(-1.0, 1.0)).is_err());
}

#[test]
fn bits_do_not_depend_on_the_number_of_threads() {
    let draw = || -> Vec<Tensor> {
        let (mut stream, shape) = (rng(1), Shape::from([301, 207]));
        let schemes: [&dyn Initializer; 6] = [
            &init::kaiming_normal(Gain::Relu),
            &init::xavier_uniform(Gain::Linear),
            &init::lecun_normal(Gain::Linear),
            &init::trunc_normal(0.0, 1.0, 1.0, 2.0),
            &init::orthogonal(Gain::Linear),
            &init::sparse(0.5, 1.0),
        ];
        schemes.map(|scheme| scheme.init(&shape, &mut stream).unwrap()).into()
    };
    let want = with_threads(1, draw).unwrap();
    for threads in [2, 3, 8] {
        assert!(with_threads(threads, draw).unwrap() == want, "{threads} threads");
    }
}

#[test]
fn another_width_leaves_the_next_layer_as_it_is() {
    let second = |width| {
        let mut stream = rng(9);
        let _: Tensor = init::normal(1.0).init(&Shape::from([width]), &mut stream).unwrap();
        let second: Tensor = init::normal(1.0).init(&Shape::from([10]), &mut stream).unwrap();
        second
    };
    assert_eq!(second(3), second(100_000));
    assert_ne!(second(3), init::normal(1.0).init(&Shape::from([10]), &mut rng(9)).unwrap());
}

#[test]
fn a_model_in_f64_begins_like_its_twin_in_f32() {
    for scheme in [init::kaiming_normal(Gain::Relu), init::kaiming_uniform(Gain::Relu), init::lecun_normal(Gain::Relu)]
    {
        let (narrow, wide): (Tensor<f32>, Tensor<f64>) = (draw(&scheme, &[100, 300]), draw(&scheme, &[100, 300]));
        // 24 bits of 53; a radius near 0 magnifies what is missing.
        assert!(narrow.map(f64::from).allclose(&wide, 1e-4, 1e-6));
    }
}

#[test]
fn uniform_numbers_fill_an_interval_up_to_but_without_its_upper_end() {
    for (a, b) in [(1.0, 1.000_000_3), (1.0, 1.0 + 3.0 * f64::from(f32::EPSILON)), (0.0, 1.0), (0.3, 0.7), (-0.1, 0.1)]
    {
        let x: Tensor = init::uniform(a, b).init(&Shape::from([50_000]), &mut rng(1)).unwrap();
        assert!(x.iter().all(|x| a <= f64::from(x) && f64::from(x) < b && x < b as f32), "{a} to {b}");
        if b < 1.1 && a == 1.0 {
            // 1 and the two numbers above it.
            assert_eq!(x.unique().map(|x| (x - 1.0) / f32::EPSILON), Tensor::from([0.0, 1.0, 2.0]));
        }
    }
}
