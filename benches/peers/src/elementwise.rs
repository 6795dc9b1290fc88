//! One function of each element.

use ndarray::{Array2, Zip};
use tensor::Tensor;

use crate::bench::{Bound, Contender, Row};
use crate::data::Everywhere;
use crate::peak::Stream;

/// A hidden layer of the lecture's model, in cache, beyond the cache of one core, beyond all caches.
const SIZES: [(&str, [usize; 2]); 4] =
    [("6400", [32, 200]), ("65536", [256, 256]), ("1Mi", [1024, 1024]), ("16Mi", [4096, 4096])];

pub fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for (size, dims) in SIZES {
        rows.push(map("tanh", size, dims, Tensor::tanh, f32::tanh, |x| x.tanh(), |x| x.tanh()));
    }
    for (size, dims) in &SIZES[1..] {
        rows.push(tanh_backward(size, *dims));
    }
    let (size, dims) = SIZES[2];
    rows.push(map("exp", size, dims, |x| x.map(f32::exp), f32::exp, |x| x.exp(), |x| x.exp()));
    rows.push(map(
        "sigmoid",
        size,
        dims,
        |x| x.map(sigmoid),
        sigmoid,
        candle_nn::ops::sigmoid,
        burn::tensor::activation::sigmoid,
    ));
    let relu = |x: f32| x.max(0.0);
    rows.push(map("relu", size, dims, move |x| x.map(relu), relu, |x| x.relu(), burn::tensor::activation::relu));
    rows.push(bias_add(dims));
    rows.push(transposed_copy(dims));
    rows
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

/// A function that every library has under its name, into a fresh result.
fn map(
    name: &str,
    size: &str,
    dims: [usize; 2],
    evenkeel: impl Fn(&Tensor) -> Tensor + Copy + 'static,
    ndarray: impl Fn(f32) -> f32 + Copy + Send + Sync + 'static,
    candle: impl Fn(&candle_core::Tensor) -> candle_core::Result<candle_core::Tensor> + Copy + 'static,
    burn: impl Fn(burn::Tensor<2>) -> burn::Tensor<2> + Copy + 'static,
) -> Row {
    let bound = Bound::Elements(Stream::Copy, dims[0] * dims[1]);
    Row::new(format!("{name} {size}"), bound, move |threads| {
        let x = Everywhere::normals(dims, 1);
        vec![
            Contender::new("evenkeel", move || evenkeel(&x.evenkeel)),
            Contender::new("ndarray", move || match threads {
                1 => x.ndarray.mapv(ndarray),
                _ => Zip::from(&x.ndarray).par_map_collect(|&x| ndarray(x)),
            }),
            Contender::new("candle", move || candle(&x.candle)),
            Contender::new("burn", move || burn(x.burn.clone())),
        ]
    })
}

/// x̄ = ȳ (1 − y²), as each library's own backward pass does it.
fn tanh_backward(size: &str, dims: [usize; 2]) -> Row {
    let bound = Bound::Elements(Stream::Update, dims[0] * dims[1]);
    Row::new(format!("tanh backward {size}"), bound, move |threads| {
        let x = Everywhere::normals(dims, 1);
        let y = Everywhere::of(dims, x.evenkeel.tanh().to_vec());
        let g = Everywhere::normals(dims, 2);
        // A gradient that nobody else owns is changed in place; each call gets its own, as changing the same one over
        // and over would end in denormal numbers.
        let ours = move || g.evenkeel.map(|g| g);
        let theirs = move || g.ndarray.clone();
        let slope = |g: &mut f32, &y: &f32| *g *= 1.0 - y * y;
        vec![
            Contender::consuming("evenkeel", ours, move |g| g.tanh_backward(&y.evenkeel)),
            // It has no backward pass: what one would write by hand.
            Contender::consuming("ndarray", theirs, move |mut g: Array2<f32>| {
                let pairs = Zip::from(&mut g).and(&y.ndarray);
                if threads == 1 {
                    pairs.for_each(slope)
                } else {
                    pairs.par_for_each(slope)
                }
                g
            }),
            Contender::new("candle", move || {
                let sum = y.candle.zeros_like()?;
                sum.sub(&(&g.candle * (y.candle.sqr()? - 1.0)?)?)
            }),
            // It keeps x, not y.
            Contender::new("burn", move || {
                let slope = x.burn.clone().tanh().powi_scalar(2).neg().add_scalar(1.0);
                g.burn.clone().mul(slope)
            }),
        ]
    })
}

fn bias_add(dims: [usize; 2]) -> Row {
    let bound = Bound::Elements(Stream::Copy, dims[0] * dims[1]);
    Row::new(format!("bias add {}x{}", dims[0], dims[1]), bound, move |threads| {
        let (x, b) = (Everywhere::normals(dims, 1), Everywhere::normals([1, dims[1]], 2));
        vec![
            Contender::new("evenkeel", move || &x.evenkeel + &b.evenkeel),
            Contender::new("ndarray", move || match threads {
                1 => &x.ndarray + &b.ndarray,
                _ => Zip::from(&x.ndarray).and_broadcast(&b.ndarray).par_map_collect(|x, b| x + b),
            }),
            Contender::new("candle", move || x.candle.broadcast_add(&b.candle)),
            Contender::new("burn", move || x.burn.clone() + b.burn.clone()),
        ]
    })
}

fn transposed_copy([rows, columns]: [usize; 2]) -> Row {
    let bound = Bound::Elements(Stream::Copy, rows * columns);
    Row::new(format!("transposed copy {rows}x{columns}"), bound, move |_| {
        let x = Everywhere::normals([rows, columns], 1);
        vec![
            Contender::new("evenkeel", move || x.evenkeel.t().contiguous()),
            Contender::new("ndarray", move || x.ndarray.t().as_standard_layout().into_owned()),
            Contender::new("candle", move || x.candle.t()?.contiguous()),
            // Transposing is a view; only another shape makes it copy.
            Contender::new("burn", move || x.burn.clone().transpose().reshape([rows * columns])),
        ]
    })
}
