//! Filling a matrix with standard normal numbers, each library with its own generator.

use burn::tensor::{Device, Distribution};
use candle_core::Device::Cpu;
use init::Initializer;
use ndarray::Array2;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use tensor::{Shape, Tensor};

use crate::bench::{Bound, Contender, Row};
use crate::data::{Burn, Candle, Values};
use crate::peak::Stream;

pub fn rows() -> Vec<Row> {
    let dims = [1024, 1024];
    vec![Row::new("randn 1Mi".into(), Bound::Elements(Stream::Copy, dims[0] * dims[1]), move |_| {
        let (mut ours, mut others) = (ChaCha8Rng::seed_from_u64(1), StdRng::seed_from_u64(1));
        let shape = Shape::from(dims);
        vec![
            Contender::drawing("evenkeel", move || -> Tensor { init::normal(1.0).init(&shape, &mut ours).unwrap() }),
            // By the crates that its users take for it.
            Contender::drawing("ndarray", move || {
                Array2::from_shape_simple_fn(dims, || others.sample::<f32, _>(StandardNormal))
            }),
            Contender::drawing("candle", move || Candle::randn(0.0_f32, 1.0, &dims, &Cpu)),
            Contender::drawing("burn", move || Burn::random(dims, Distribution::Normal(0.0, 1.0), &Device::flex())),
        ]
    })]
}

/// Mean and standard deviation to one decimal, which is all that fills by different generators have in common.
pub fn moments(numbers: &impl Values) -> Vec<f32> {
    let numbers = numbers.values();
    let mean = |numbers: &mut dyn Iterator<Item = f64>| {
        let (sum, n) = numbers.fold((0.0, 0.0), |(sum, n), x| (sum + x, n + 1.0));
        sum / n
    };
    let centre = mean(&mut numbers.iter().map(|&x| f64::from(x)));
    let variance = mean(&mut numbers.iter().map(|&x| (f64::from(x) - centre).powi(2)));
    [centre, variance.sqrt()].map(|x| ((x * 10.0).round() / 10.0) as f32).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_distribution_is_told_from_the_normal_one() {
        let zeros = Tensor::<f32>::zeros([2]);
        assert_eq!(moments(&zeros), [0.0, 0.0]);
        assert_eq!(moments(&Tensor::from([3.0, 5.0])), [4.0, 1.0]);
    }
}
