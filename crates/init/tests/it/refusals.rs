//! What cannot be carried out is an error that names the scheme, the value and the rule.

use init::{FanAxes, Gain, Initializer};
use tensor::{Shape, Tensor};

use crate::rng;

fn refusal(scheme: &dyn Initializer, shape: &[usize]) -> String {
    let result = scheme.init(&Shape::try_new(shape).unwrap(), &mut rng(1));
    result.map_or_else(|error| error.to_string(), |w| panic!("it gives {w}"))
}

#[test]
fn gains_and_deviations() {
    let kaiming = |gain| refusal(&init::kaiming_normal(Gain::Custom(gain)), &[2, 3]);
    assert_eq!(kaiming(0.0), "kaiming_normal: the gain is 0, but must be above 0 and finite");
    assert_eq!(kaiming(-1.5), "kaiming_normal: the gain is -1.5, but must be above 0 and finite");
    assert_eq!(kaiming(f64::NAN), "kaiming_normal: the gain is NaN, but must be above 0 and finite");
    assert_eq!(kaiming(f64::INFINITY), "kaiming_normal: the gain is inf, but must be above 0 and finite");
    // A number that f32 rounds to 0 would make a tensor of zeros, or to infinity.
    assert_eq!(kaiming(1e-60).split(" is ").next(), Some("kaiming_normal: the standard deviation"));
    assert!(kaiming(1e300).ends_with("but must be 0 or in the range of f32"), "{}", kaiming(1e300));
    let scaling = init::variance_scaling(-2.0, init::FanMode::In, init::Distribution::Normal);
    assert_eq!(refusal(&scaling, &[2, 3]), "variance_scaling: the scale is -2, but must be above 0 and finite");

    let normal = |std| refusal(&init::normal(std), &[3]);
    assert_eq!(normal(-1.0), "normal: the standard deviation is -1, but must be at least 0 and finite");
    assert_eq!(normal(f64::NAN), "normal: the standard deviation is NaN, but must be at least 0 and finite");
    assert!(normal(1e-50).contains("0 or in the range of f32"));
    assert!(refusal(&init::normal(1.0).with_mean(f64::NAN), &[3]).contains("normal: the mean is NaN"));
    assert_eq!(refusal(&init::residual(0.02, 0), &[3]), "residual: the number of layers is 0, but must be at least 1");
    assert!(refusal(&init::orthogonal(Gain::Custom(-1.0)), &[2, 2]).contains("orthogonal: the gain is -1"));
    assert!(refusal(&init::mup_output(Gain::Linear, 0), &[2, 2]).contains("the fan_in of the base model is 0"));
    assert!(refusal(&init::constant(f64::NAN), &[2]).contains("constant: the value is NaN"));
    // A standard deviation of 0 is asked for, and given.
    let zeros: Tensor = init::normal(0.0).init(&Shape::from([3]), &mut rng(1)).unwrap();
    assert_eq!(zeros, Tensor::zeros([3]));
}

#[test]
fn intervals() {
    let message = refusal(&init::uniform(1.0, -1.0), &[3]);
    assert_eq!(message, "uniform: the lower end a is 1, but must be at most the upper end b, -1");
    assert!(refusal(&init::uniform(f64::NAN, 1.0), &[3]).contains("the lower end a is NaN, but must be finite in f32"));
    assert!(refusal(&init::uniform(0.0, 1e39), &[3]).contains("the upper end b is"));
    assert!(refusal(&init::uniform(-3e38, 3e38), &[3]).contains("the distance b − a is"));
    for (a, b) in [(-1e-50, 1e-50), (1.0, 1.0 + 1e-9)] {
        assert!(refusal(&init::uniform(a, b), &[3]).contains("wide enough for f32 to hold both ends"));
        let w: Tensor<f64> = init::uniform(a, b).init(&Shape::from([3]), &mut rng(1)).unwrap();
        assert!(w.iter().all(|x| x != 0.0 && (a..=b).contains(&x)));
    }
    let trunc = |mean, std, a, b| refusal(&init::trunc_normal(mean, std, a, b), &[3]);
    assert!(trunc(0.0, 1.0, 2.0, -2.0).contains("trunc_normal: the lower end a is 2"));
    assert!(trunc(0.0, 1.0, 2.0, 2.0).contains("below the upper end b, 2"));
    assert!(trunc(0.0, 0.0, -2.0, 2.0).contains("the standard deviation is 0, but must be above 0"));
    assert!(trunc(0.0, -1.0, -2.0, 2.0).contains("the standard deviation is -1"));
    assert!(trunc(0.0, 1.0, 40.0, 50.0).contains("the lower end a is 40, but must be at most 37 standard deviations"));
    assert!(trunc(100.0, 1.0, 40.0, 50.0).contains("the upper end b is 50"));
}

#[test]
fn shapes() {
    for shape in [&[5_usize] as &[usize], &[], &[0, 5], &[5, 0], &[3, 4, 0]] {
        let message = refusal(&init::kaiming_normal(Gain::Linear), shape);
        let shape = Shape::try_new(shape).unwrap();
        assert!(message.starts_with(&format!("kaiming_normal: the shape is {shape}, but must have ")), "{message}");
        assert!(init::fans(&shape, FanAxes::Standard).is_err());
        assert!(refusal(&init::orthogonal(Gain::Linear), shape.dims()).contains("orthogonal: the shape is"));
    }
    assert_eq!(refusal(&init::eye(), &[2, 2, 2]), "eye: the shape is [2, 2, 2], but must be a matrix");
    assert_eq!(refusal(&init::sparse(0.5, 1.0), &[9]), "sparse: the shape is [9], but must be a matrix");
    assert!(
        refusal(&init::dirac(1), &[3, 3]).starts_with("dirac: the shape is [3, 3], but must be that of a convolution")
    );
    let message = refusal(&init::dirac(3), &[4, 2, 3]);
    assert_eq!(
        message,
        "dirac: the number of groups is 3, but must be a divisor of the outputs, of which [4, 2, 3] has 4"
    );
    assert!(refusal(&init::dirac(0), &[4, 2, 3]).contains("the number of groups is 0"));
}

#[test]
fn sparsity() {
    for sparsity in [-0.1, 1.1, f64::NAN] {
        let message = refusal(&init::sparse(sparsity, 1.0), &[3, 3]);
        assert_eq!(message, format!("sparse: the sparsity is {sparsity}, but must be in 0..=1"));
    }
    assert!(refusal(&init::sparse(0.5, f64::NAN), &[3, 3]).contains("the standard deviation is NaN"));
}

#[test]
fn more_than_there_is_memory_for() {
    // The number of elements fits into a usize, that of their bytes does not.
    let shape = [1 << 31, 1 << 31];
    for (name, scheme) in [
        ("kaiming_normal", &init::kaiming_normal(Gain::Linear) as &dyn Initializer),
        ("xavier_uniform", &init::xavier_uniform(Gain::Linear)),
        ("lecun_normal", &init::lecun_normal(Gain::Linear)),
        ("constant", &init::zeros()),
        ("eye", &init::eye()),
        ("sparse", &init::sparse(0.5, 1.0)),
        ("orthogonal", &init::orthogonal(Gain::Linear)),
    ] {
        let message = refusal(scheme, &shape);
        assert!(message.starts_with(&format!("{name}: ")) && message.contains("[2147483648, 2147483648]"), "{message}");
    }
}
