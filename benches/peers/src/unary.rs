//! Ops of one matrix.

use candle_core::Result;
use ndarray::Array2;
use tensor::Tensor;

use crate::bench::{Bound, Contender, Row};
use crate::data::{Burn, Candle, Everywhere, Values};

/// A row for an op of one matrix that everyone has; ndarray is told the number of threads, as its methods differ.
pub fn unary<N: Values, B: Values>(
    work: String,
    dims: [usize; 2],
    bound: Bound,
    evenkeel: impl Fn(&Tensor) -> Tensor + Copy + 'static,
    ndarray: impl Fn(&Array2<f32>, usize) -> N + Copy + 'static,
    candle: impl Fn(&Candle) -> Result<Candle> + Copy + 'static,
    burn: impl Fn(Burn) -> B + Copy + 'static,
) -> Row {
    Row::new(work, bound, move |threads| {
        let x = Everywhere::normals(dims, 1);
        vec![
            Contender::new("evenkeel", move || evenkeel(&x.evenkeel)),
            Contender::new("ndarray", move || ndarray(&x.ndarray, threads)),
            Contender::new("candle", move || candle(&x.candle)),
            Contender::new("burn", move || burn(x.burn.clone())),
        ]
    })
}
