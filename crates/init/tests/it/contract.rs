//! The first values for a seed: a contract. A change of them is a change of the version.

use init::{Distribution, FanAxes, FanMode, Gain, Initializer};
use tensor::{Shape, Tensor};

use crate::rng;

/// The first two values of a tensor of 600, 512 of which are whole groups, and the last two.
fn values(scheme: &dyn Initializer, shape: &[usize]) -> [f32; 4] {
    let w: Tensor = scheme.init(&Shape::try_new(shape).unwrap(), &mut rng(7)).unwrap();
    let w = w.to_vec();
    [w[0], w[1], w[w.len() - 2], w[w.len() - 1]]
}

#[test]
fn first_values_for_a_seed() {
    let matrix: &[usize] = &[20, 30];
    let scaling = init::variance_scaling(3.0, FanMode::Out, Distribution::TruncatedNormal);
    let contract: [(&dyn Initializer, &[usize], [f32; 4]); 23] = [
        (&init::normal(1.0), &[600], [-0.21212614, -0.033324882, 0.54712236, 1.400856]),
        (&init::residual(0.02, 8).with_mean(1.0), &[600], [0.9989394, 0.9998334, 1.0027356, 1.0070043]),
        (&init::uniform(-1.0, 3.0), &[600], [2.534295, -0.5177473, 1.9297843, 0.36461985]),
        (&init::trunc_normal(0.1, 1.0, -2.0, 2.0), &[600], [1.1815803, -1.0131983, 0.6715672, -0.303941]),
        (&init::trunc_normal(0.0, 1.0, 1.0, 2.0), &[600], [1.0676805, 1.76081, 1.1635989, 1.4824159]),
        (&init::kaiming_normal(Gain::Tanh), matrix, [-0.079054736, -0.01241945, 0.20390046, 0.5220682]),
        (
            &init::kaiming_normal(Gain::Tanh).fan_axes(FanAxes::OutIn),
            matrix,
            [-0.064547926, -0.0101404395, 0.16648404, 0.42626694],
        ),
        (
            &init::kaiming_uniform(Gain::Relu).mode(FanMode::Out),
            matrix,
            [0.3430788, -0.3393786, 0.20790608, -0.14207532],
        ),
        (
            &init::kaiming_uniform(Gain::LeakyRelu(0.01)),
            &[10, 3, 4, 5],
            [0.24258122, -0.2399649, 0.14700444, -0.10045739],
        ),
        (&init::xavier_normal(Gain::Selu), matrix, [-0.031818923, -0.0049987324, 0.082068354, 0.21012841]),
        (&init::xavier_uniform(Gain::Linear), matrix, [0.2657477, -0.26288155, 0.16104336, -0.110051066]),
        (&init::lecun_normal(Gain::Gelu), matrix, [0.43202972, -0.4249701, 0.22938007, -0.15191482]),
        (&init::lecun_uniform(Gain::Silu), matrix, [0.49812287, -0.49275047, 0.30186296, -0.20628196]),
        (&scaling, matrix, [0.39841548, -0.39190513, 0.21153307, -0.14009503]),
        (&init::torch_linear(), matrix, [0.1715394, -0.1696893, 0.10395304, -0.07103766]),
        (&init::torch_linear_bias(30), &[600], [0.14006133, -0.13855073, 0.084877305, -0.058002006]),
        (&init::candle_linear(), matrix, [-0.06708017, -0.010538253, 0.17301528, 0.44298956]),
        (&init::mup_input(Gain::Relu), matrix, [-0.06708017, -0.010538253, 0.17301528, 0.44298956]),
        (&init::mup_hidden(Gain::Relu), matrix, [-0.06708017, -0.010538253, 0.17301528, 0.44298956]),
        (&init::mup_output(Gain::Relu, 5), matrix, [-0.033540085, -0.0052691265, 0.08650764, 0.22149478]),
        (&init::orthogonal(Gain::Linear), matrix, [-0.034213237, -0.0053748777, -0.05892806, -0.0194334]),
        (&init::orthogonal(Gain::Relu), &[30, 5, 4], [-0.048115574, -0.019355776, 0.21997064, 0.42824152]),
        (&init::sparse(0.4, 1.0), matrix, [0.0, 0.0, 0.54712236, 0.0]),
    ];
    for (i, (scheme, shape, want)) in contract.into_iter().enumerate() {
        let got = values(scheme, shape);
        assert_eq!(got.map(f32::to_bits), want.map(f32::to_bits), "scheme {i}: {got:?}");
    }
}

/// A scheme without random numbers takes none from the stream.
#[test]
fn fixed_schemes_leave_the_stream_alone() {
    let next = |scheme: &dyn Initializer, shape: &[usize]| {
        let mut stream = rng(7);
        let _: Tensor = scheme.init(&Shape::try_new(shape).unwrap(), &mut stream).unwrap();
        rand::Rng::next_u64(&mut stream)
    };
    let untouched = rand::Rng::next_u64(&mut rng(7));
    for scheme in [&init::constant(0.5) as &dyn Initializer, &init::zeros(), &init::ones(), &init::eye()] {
        assert_eq!(next(scheme, &[3, 4]), untouched);
    }
    assert_eq!(next(&init::dirac(1), &[3, 4, 5]), untouched);
    assert_ne!(next(&init::normal(1.0), &[3]), untouched);
}
