//! Filling a matrix with standard normal numbers, each library with its own generator.

use burn::tensor::{Device, Distribution};
use candle_core::Device::Cpu;
use init::Initializer;
use ndarray::Array2;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use tensor::{Shape, Tensor};

use crate::bench::{Bound, Contender, Row, Stream};
use crate::data::{Burn, Candle};

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
