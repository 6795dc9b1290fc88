//! One function of each element, into a fresh result unless the library changes its input in place.

use burn::tensor::activation;
use ndarray::{Array2, Zip};
use tensor::{Activation, Tensor};

use crate::bench::{Bound, Contender, Row, Stream};
use crate::data::Everywhere;
use crate::unary::unary;

/// A hidden layer of the lecture's model, in cache, beyond the cache of one core, beyond all caches.
const SIZES: [(&str, [usize; 2]); 4] =
    [("6400", [32, 200]), ("65536", [256, 256]), ("1Mi", [1024, 1024]), ("16Mi", [4096, 4096])];

pub fn rows() -> Vec<Row> {
    let copy = |dims: [usize; 2]| Bound::Elements(Stream::Copy, dims[0] * dims[1]);
    let tanh = |(size, dims)| {
        unary(format!("tanh {size}"), dims, copy(dims), Tensor::tanh, map(f32::tanh), |x| x.tanh(), |x| x.tanh())
    };
    let (_, dims) = SIZES[2];
    let bound = copy(dims);
    let relu = |x: f32| x.max(0.0);
    let transposed = |x: &Array2<f32>, _| x.t().as_standard_layout().into_owned();
    let mut rows: Vec<Row> = SIZES.map(tanh).into();
    rows.extend(SIZES[1..].iter().map(|&(size, dims)| tanh_backward(size, dims)));
    rows.extend(SIZES[..2].iter().map(|&(size, dims)| axpy(size, dims)));
    rows.extend([
        unary("exp 1Mi".into(), dims, bound, Tensor::exp, map(f32::exp), |x| x.exp(), |x| x.exp()),
        unary(
            "sigmoid 1Mi".into(),
            dims,
            bound,
            Tensor::sigmoid,
            map(sigmoid),
            candle_nn::ops::sigmoid,
            activation::sigmoid,
        ),
        unary("relu 1Mi".into(), dims, bound, Tensor::relu, map(relu), |x| x.relu(), activation::relu),
        bias_add(dims, bound),
        // burn's transpose is a view; only another shape makes it copy.
        unary(
            "transposed copy 1024x1024".into(),
            dims,
            bound,
            |x| x.t().contiguous(),
            transposed,
            |x| x.t()?.contiguous(),
            move |x| x.transpose().reshape([dims[0] * dims[1]]),
        ),
    ]);
    rows
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

/// ndarray's way to apply a function.
fn map(f: impl Fn(f32) -> f32 + Copy + Sync + Send) -> impl Fn(&Array2<f32>, usize) -> Array2<f32> + Copy {
    move |x, threads| if threads == 1 { x.mapv(f) } else { Zip::from(x).par_map_collect(|&x| f(x)) }
}

/// x̄ = ȳ (1 − y²), as each library's own backward pass does it.
fn tanh_backward(size: &str, dims: [usize; 2]) -> Row {
    let bound = Bound::Elements(Stream::Update, dims[0] * dims[1]);
    Row::new(format!("tanh backward {size}"), bound, move |threads| {
        let x = Everywhere::normals(dims, 1);
        let y = Everywhere::of(dims, x.evenkeel.tanh().to_vec());
        let g = Everywhere::normals(dims, 2);
        // A gradient that nobody else owns is changed in place. Each call gets its own: changing the same one over and
        // over would end in denormal numbers.
        let (ours, ndarrays) = (move || g.evenkeel.map(|g| g), move || g.ndarray.clone());
        let slope = |g: &mut f32, &y: &f32| *g *= 1.0 - y * y;
        vec![
            Contender::consuming("evenkeel", ours, move |g| g.pullback(Activation::Tanh, &y.evenkeel)),
            // It has no backward pass: what one would write by hand.
            Contender::consuming("ndarray", ndarrays, move |mut g| {
                let pairs = Zip::from(&mut g).and(&y.ndarray);
                if threads == 1 {
                    pairs.for_each(slope)
                } else {
                    pairs.par_for_each(slope)
                }
                g
            }),
            Contender::new("candle", move || y.candle.zeros_like()?.sub(&(&g.candle * (y.candle.sqr()? - 1.0)?)?)),
            // It keeps x, not y.
            Contender::new("burn", move || {
                g.burn.clone().mul(x.burn.clone().tanh().powi_scalar(2).neg().add_scalar(1.0))
            }),
        ]
    })
}

/// w + α x, in place where the library can: what a step of gradient descent does to each weight.
fn axpy(size: &str, dims: [usize; 2]) -> Row {
    const ALPHA: f32 = -0.1;
    let bound = Bound::Elements(Stream::Update, dims[0] * dims[1]);
    Row::new(format!("axpy {size}"), bound, move |threads| {
        let (w, x) = (Everywhere::normals(dims, 1), Everywhere::normals(dims, 2));
        let (ours, ndarrays) = (move || w.evenkeel.map(|w| w), move || w.ndarray.clone());
        vec![
            Contender::consuming("evenkeel", ours, move |mut w| {
                w.axpy(ALPHA, &x.evenkeel);
                w
            }),
            Contender::consuming("ndarray", ndarrays, move |mut w| {
                match threads {
                    1 => w.scaled_add(ALPHA, &x.ndarray),
                    _ => Zip::from(&mut w).and(&x.ndarray).par_for_each(|w, &x| *w += ALPHA * x),
                }
                w
            }),
            Contender::new("candle", move || w.candle.add(&(&x.candle * f64::from(ALPHA))?)),
            Contender::new("burn", move || w.burn.clone() + x.burn.clone() * ALPHA),
        ]
    })
}

fn bias_add(dims: [usize; 2], bound: Bound) -> Row {
    Row::new("bias add 1024x1024".into(), bound, move |threads| {
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
