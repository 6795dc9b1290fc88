//! The table of ops: each with its options, and with the shapes and numbers on which it is tried. To add an op is to add a row.

use autograd::{
    Attention, Bce, CellParams, CrossEntropy, Ctc, Focal, GaussianNll, KlDiv, NllLoss, PoissonNll, Reduction, Steps,
    Tape, TripletMargin, Var,
};
use tensor::{
    Activation, Conv, ConvTranspose, Float, Interpolation, Pad, Padding, Pool, Resize, Shape, Tensor, keepdim,
};

/// From what the numbers of an input are drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Domain {
    /// From −1.6 to 1.6, not near 0.
    Real,
    /// From 0.2 to 1.6.
    Positive,
    /// From 0.05 to 0.95.
    Share,
    /// No two of one tensor are near each other.
    Distinct,
}

pub(crate) type Function<T> = Box<dyn for<'t> Fn(&[Var<'t, T>]) -> Var<'t, T>>;

/// The shapes of all inputs.
pub(crate) type Shapes = &'static [&'static [usize]];

pub(crate) struct Row<T: Float> {
    /// The name of the method, and what more there is to say behind a colon.
    pub(crate) name: String,
    /// That of each input; the last is that of all others.
    pub(crate) domains: &'static [Domain],
    pub(crate) shapes: &'static [Shapes],
    pub(crate) function: Function<T>,
}

impl<T: Float> Row<T> {
    pub(crate) fn domain(&self, input: usize) -> Domain {
        self.domains[input.min(self.domains.len() - 1)]
    }
}

/// Lets the compiler see that the function is one for every lifetime.
fn function<T: Float>(f: impl for<'t> Fn(&[Var<'t, T>]) -> Var<'t, T> + 'static) -> Function<T> {
    Box::new(f)
}

/// Stamps rows: `"name" SHAPES [domains] result;`, of the inputs `x`.
macro_rules! rows {
    ($T:ident, $x:ident: $($name:literal $shapes:ident [$($domain:ident)*] $result:expr;)*) => {
        vec![$(Row {
            name: $name.to_owned(),
            domains: &[$(Domain::$domain),*],
            shapes: $shapes,
            function: function::<$T>(|$x| $result),
        }),*]
    };
}

// Each list has a shape of 64 columns or more, and an empty one.
const ONE: &[Shapes] = &[&[&[3, 4]], &[&[]], &[&[0, 4]], &[&[2, 70]]];
const SOME: &[Shapes] = &[&[&[3, 4]], &[&[]], &[&[2, 70]]];
const MATRIX: &[Shapes] = &[&[&[3, 4]], &[&[2, 3, 4]], &[&[0, 4]], &[&[2, 70]]];
const TWO: &[Shapes] = &[
    &[&[2, 3], &[2, 3]],
    &[&[2, 3], &[3]],
    &[&[3], &[2, 3]],
    &[&[2, 1], &[1, 3]],
    &[&[], &[2, 3]],
    &[&[4, 1, 3], &[2, 1]],
    &[&[0, 3], &[3]],
    &[&[], &[]],
    &[&[2, 70], &[70]],
];
const SAME: &[Shapes] = &[&[&[3, 4], &[3, 4]], &[&[0, 4], &[0, 4]], &[&[2, 70], &[2, 70]]];
const VECTORS: &[Shapes] = &[&[&[3], &[3]], &[&[0], &[0]], &[&[70], &[70]]];
const LOGITS: &[Shapes] = &[&[&[3, 4]], &[&[2, 3, 4]], &[&[5, 70]]];
const PRODUCTS: &[Shapes] = &[
    &[&[2, 3], &[3, 4]],
    &[&[3], &[3, 4]],
    &[&[2, 3], &[3]],
    &[&[3], &[3]],
    &[&[5, 2, 3], &[3, 4]],
    &[&[2, 3], &[5, 3, 4]],
    &[&[5, 1, 2, 3], &[2, 3, 2]],
    &[&[5, 2, 3], &[3]],
    &[&[0, 3], &[3, 4]],
    &[&[2, 0], &[0, 4]],
    &[&[2, 65], &[65, 70]],
];
const LINEAR: &[Shapes] = &[
    &[&[2, 3], &[3, 4], &[4]],
    &[&[3], &[3, 4], &[4]],
    &[&[5, 2, 3], &[3, 4], &[4]],
    &[&[0, 3], &[3, 4], &[4]],
    &[&[3, 65], &[65, 70], &[70]],
];
const CHANNELS: &[Shapes] = &[
    &[&[4, 6], &[6], &[6]],
    &[&[3, 4, 5], &[4], &[4]],
    &[&[2, 2, 2, 2], &[2], &[2]],
    &[&[3, 70], &[70], &[70]],
    &[&[4, 0], &[0], &[0]],
];
const FEATURES: &[Shapes] = &[
    &[&[4, 3], &[3], &[3]],
    &[&[3], &[3], &[3]],
    &[&[2, 3, 4], &[4], &[4]],
    &[&[2, 3, 4], &[3, 4], &[3, 4]],
    &[&[0, 3], &[3], &[3]],
    &[&[3, 70], &[70], &[70]],
];
const PRELU: &[Shapes] =
    &[&[&[3, 4], &[4]], &[&[2, 3, 4], &[3]], &[&[5], &[1]], &[&[3, 4], &[1]], &[&[0, 4], &[4]], &[&[2, 70], &[70]]];
const EVEN: &[Shapes] = &[&[&[3, 4]], &[&[2, 3, 6]], &[&[0, 4]], &[&[2, 70]]];
const ATTENTION: &[Shapes] = &[
    &[&[3, 4], &[3, 4], &[3, 2]],
    &[&[2, 3, 4], &[2, 3, 4], &[2, 3, 5]],
    &[&[2, 2, 3, 4], &[3, 4], &[2, 1, 3, 5]],
    &[&[0, 3, 4], &[0, 3, 4], &[0, 3, 2]],
    &[&[3, 66], &[3, 66], &[3, 70]],
];
const RNN: &[Shapes] = &[
    &[&[5, 3], &[5, 2], &[3, 2], &[2, 2], &[2], &[2]],
    &[&[0, 3], &[0, 2], &[3, 2], &[2, 2], &[2], &[2]],
    &[&[2, 3], &[2, 64], &[3, 64], &[64, 64], &[64], &[64]],
];
const GRU: &[Shapes] = &[
    &[&[5, 3], &[5, 2], &[3, 6], &[2, 6], &[6], &[6]],
    &[&[0, 3], &[0, 2], &[3, 6], &[2, 6], &[6], &[6]],
    &[&[2, 3], &[2, 22], &[3, 66], &[22, 66], &[66], &[66]],
];
const LSTM: &[Shapes] = &[
    &[&[5, 3], &[5, 2], &[5, 2], &[3, 8], &[2, 8], &[8], &[8]],
    &[&[0, 3], &[0, 2], &[0, 2], &[3, 8], &[2, 8], &[8], &[8]],
    &[&[2, 3], &[2, 16], &[2, 16], &[3, 64], &[16, 64], &[64], &[64]],
];
const THREE_SAME: &[Shapes] = &[
    &[&[3, 4], &[3, 4], &[3, 4]],
    &[&[3, 4], &[3, 4], &[4]],
    &[&[0, 4], &[0, 4], &[4]],
    &[&[2, 70], &[2, 70], &[2, 70]],
];
const SPOKEN: &[Shapes] = &[&[&[3, 5, 4]], &[&[1, 5, 70]], &[&[0, 5, 4]]];
const RNN_STEPS: &[Shapes] = &[
    &[&[3, 4, 3], &[3, 2], &[3, 2], &[2, 2], &[2], &[2]],
    &[&[0, 4, 3], &[0, 2], &[3, 2], &[2, 2], &[2], &[2]],
    &[&[2, 3, 3], &[2, 64], &[3, 64], &[64, 64], &[64], &[64]],
];
const GRU_STEPS: &[Shapes] = &[
    &[&[3, 4, 3], &[3, 2], &[3, 6], &[2, 6], &[6], &[6]],
    &[&[0, 4, 3], &[0, 2], &[3, 6], &[2, 6], &[6], &[6]],
    &[&[2, 3, 3], &[2, 22], &[3, 66], &[22, 66], &[66], &[66]],
];
const LSTM_STEPS: &[Shapes] = &[
    &[&[3, 4, 3], &[3, 2], &[3, 2], &[3, 8], &[2, 8], &[8], &[8]],
    &[&[0, 4, 3], &[0, 2], &[0, 2], &[3, 8], &[2, 8], &[8], &[8]],
    &[&[2, 3, 3], &[2, 16], &[2, 16], &[3, 64], &[16, 64], &[64], &[64]],
];
const GAUSS: &[Shapes] = &[
    &[&[3, 4], &[3, 4], &[3, 4]],
    &[&[3, 4], &[3, 4], &[3, 1]],
    &[&[0, 4], &[0, 4], &[0, 4]],
    &[&[2, 70], &[2, 70], &[2, 70]],
];
const SOURCE: &[Shapes] = &[&[&[3, 4], &[5, 4]], &[&[3, 70], &[5, 70]], &[&[3, 0], &[5, 0]]];
const PAIRS: &[Shapes] = &[&[&[3, 4], &[3, 4]], &[&[2, 3, 4], &[2, 3, 4]], &[&[0, 4], &[0, 4]], &[&[2, 70], &[2, 70]]];
const COSINE: &[Shapes] =
    &[&[&[3, 4], &[3, 4]], &[&[3, 1, 4], &[5, 4]], &[&[4], &[2, 4]], &[&[0, 4], &[0, 4]], &[&[2, 70], &[2, 70]]];
const DOT_DOT: &[Shapes] = &[
    &[&[2, 3], &[3, 4]],
    &[&[2, 3], &[5, 3, 4]],
    &[&[5, 2, 3], &[1, 3, 4]],
    &[&[0, 3], &[3, 4]],
    &[&[2, 65], &[65, 70]],
];
const IJ_JK: &[Shapes] = &[&[&[2, 3], &[3, 4]], &[&[0, 3], &[3, 4]], &[&[2, 65], &[65, 70]], &[&[2, 1], &[3, 4]]];
const BIJ_BJ: &[Shapes] = &[&[&[2, 3, 4], &[2, 4]], &[&[1, 3, 4], &[2, 4]], &[&[2, 0, 4], &[2, 4]]];
const SQUARE_AND_VECTOR: &[Shapes] = &[&[&[4, 4], &[4]], &[&[1, 1], &[1]], &[&[0, 0], &[0]]];
const CUBE: &[Shapes] = &[&[&[3, 3, 3]], &[&[1, 1, 1]]];
const THREE: &[Shapes] = &[&[&[3, 4], &[4, 2], &[3, 2]], &[&[3, 4], &[1, 2], &[3, 2]]];
const PLANES: &[Shapes] = &[&[&[3, 4]], &[&[4, 3]], &[&[2, 3, 3]], &[&[0, 4]], &[&[3, 70]]];
const COLUMN: &[Shapes] = &[&[&[3, 1]], &[&[2, 3, 1]], &[&[0, 1]], &[&[70, 1]]];
const NARROW: &[Shapes] = &[&[&[3, 4]], &[&[0, 4]], &[&[2, 70]], &[&[4]]];

const SIGNALS: &[Shapes] = &[
    &[&[2, 2, 7], &[4, 2, 3], &[4]],
    &[&[2, 9], &[2, 2, 2], &[2]],
    &[&[0, 2, 7], &[3, 2, 3], &[3]],
    &[&[1, 1, 70], &[2, 1, 5], &[2]],
];
const IMAGES: &[Shapes] = &[
    &[&[2, 3, 5, 6], &[4, 3, 3, 2], &[4]],
    &[&[2, 5, 5], &[3, 2, 3, 3], &[3]],
    &[&[0, 2, 5, 5], &[3, 2, 3, 3], &[3]],
    &[&[1, 1, 5, 66], &[1, 1, 3, 3], &[1]],
    &[&[3, 2, 4, 4], &[5, 2, 4, 4], &[5]],
];
const GROUPED: &[Shapes] = &[
    &[&[1, 4, 4, 4], &[4, 2, 2, 2], &[4]],
    &[&[2, 4, 5, 6], &[4, 2, 3, 2], &[4]],
    &[&[2, 2, 6, 5], &[4, 1, 3, 3], &[4]],
    &[&[0, 4, 5, 5], &[2, 2, 3, 3], &[2]],
    &[&[1, 2, 3, 66], &[2, 1, 2, 3], &[2]],
];
const VOLUMES: &[Shapes] = &[
    &[&[1, 2, 2, 3, 3], &[2, 2, 2, 2, 2], &[2]],
    &[&[2, 2, 3, 4, 3], &[3, 2, 2, 2, 2], &[3]],
    &[&[0, 1, 3, 3, 3], &[2, 1, 2, 2, 2], &[2]],
    &[&[1, 1, 2, 2, 66], &[1, 1, 2, 1, 3], &[1]],
];
const TRANSPOSED_SIGNALS: &[Shapes] =
    &[&[&[2, 4, 5], &[4, 2, 3], &[2]], &[&[0, 2, 7], &[2, 3, 3], &[3]], &[&[1, 1, 70], &[1, 2, 5], &[2]]];
const TRANSPOSED_IMAGES: &[Shapes] = &[
    &[&[2, 4, 3, 4], &[4, 2, 3, 2], &[4]],
    &[&[2, 3, 3], &[2, 1, 3, 3], &[2]],
    &[&[0, 2, 5, 5], &[2, 2, 3, 3], &[4]],
    &[&[1, 2, 3, 66], &[2, 1, 2, 3], &[2]],
];
const TRANSPOSED_VOLUMES: &[Shapes] = &[
    &[&[1, 2, 2, 2, 2], &[2, 1, 2, 2, 2], &[1]],
    &[&[2, 2, 3, 2, 3], &[2, 3, 2, 2, 2], &[3]],
    &[&[0, 1, 3, 3, 3], &[1, 2, 2, 2, 2], &[2]],
    &[&[1, 1, 2, 2, 66], &[1, 1, 2, 1, 3], &[1]],
];
const PICTURES: &[Shapes] = &[&[&[2, 3, 5, 6]], &[&[1, 4, 7]], &[&[0, 1, 4, 4]], &[&[1, 1, 3, 70]]];
const WAVES: &[Shapes] = &[&[&[2, 3, 8]], &[&[1, 5]], &[&[0, 1, 4]], &[&[1, 1, 70]]];
const SHUFFLED: &[Shapes] = &[&[&[2, 8, 2, 3]], &[&[4, 3, 3]], &[&[0, 4, 2, 2]], &[&[1, 4, 1, 70]]];
const EVEN_PICTURES: &[Shapes] = &[&[&[2, 2, 4, 6]], &[&[1, 2, 2]], &[&[0, 1, 4, 4]], &[&[1, 2, 2, 70]]];
const WINDOWS: &[Shapes] = &[&[&[1, 4, 12]], &[&[2, 8, 12]], &[&[0, 4, 12]], &[&[1, 4, 66]]];

/// `0, 3, 2, 1, 0, 3, …` below `size`, in this shape.
pub(crate) fn places(shape: &[usize], size: usize) -> Tensor<i64> {
    let mut i = 0;
    Tensor::from_fn(shape, |_| {
        i += 3;
        (i - 3) as i64 % size as i64
    })
}

/// Class numbers of logits.
pub(crate) fn classes<T: Float>(logits: Var<'_, T>) -> Tensor<i64> {
    let shape = logits.shape();
    let (&size, batch) = shape.dims().split_last().unwrap();
    places(batch, size)
}

/// The same, of which some are −100.
pub(crate) fn some_ignored<T: Float>(logits: Var<'_, T>) -> Tensor<i64> {
    let classes = classes(logits);
    let mut i = 0;
    classes.zip(
        &Tensor::from_fn(classes.shape(), |_| {
            i += 1;
            i % 3 == 1
        }),
        |class, ignored| if ignored { -100 } else { class },
    )
}

/// 0.5, 0.75, 1, … for each class.
pub(crate) fn weights<T: Float>(logits: Var<'_, T>) -> Tensor<T> {
    Tensor::from_fn([*logits.shape().dims().last().unwrap()], |i| number(0.5 + 0.25 * (i[0] % 5) as f64))
}

/// Every other one, beginning with the second.
pub(crate) fn mask(shape: &Shape) -> Tensor<bool> {
    let mut i = 0;
    Tensor::from_fn(shape, |_| {
        i += 1;
        i % 2 == 0
    })
}

/// 1, −1, −1, 1, …
pub(crate) fn signs<T: Float>(shape: &[usize]) -> Tensor<T> {
    let mut i = 0;
    Tensor::from_fn(shape, |_| {
        i += 1;
        number(if i % 3 == 1 { 1.0 } else { -1.0 })
    })
}

fn number<T: Float>(x: f64) -> T {
    T::from_f64(x)
}

/// A row of one element, which broadcasts to all.
fn row<T: Float>() -> Tensor<T> {
    Tensor::full([1, 1], number(0.7))
}

fn last<T: Float>(x: Var<'_, T>) -> usize {
    *x.shape().dims().last().unwrap()
}

fn cell<'t, T: Float>(x: &[Var<'t, T>]) -> CellParams<'t, T> {
    CellParams { w_ih: x[0], w_hh: x[1], b_ih: Some(x[2]), b_hh: Some(x[3]) }
}

/// How many steps of a sequence each example has: not as many.
fn lengths<T: Float>(x: Var<'_, T>) -> Vec<usize> {
    (0..x.shape().dims()[0]).map(|i| 1 + 2 * i % x.shape().dims()[1]).collect()
}

/// Two classes for each sequence, none of them 0; some are the same twice.
fn spoken<T: Float>(x: Var<'_, T>) -> Tensor<i64> {
    let (examples, classes) = (x.shape().dims()[0], x.shape().dims()[2] as i64);
    Tensor::from_fn([examples, 2], |i| 1 + (i[0] as i64 + (i[0] * i[1]) as i64) % (classes - 1))
}

/// As targets, shares that add up to 1.
fn shares<'t, T: Float>(x: Var<'t, T>) -> Var<'t, T> {
    x.softmax(-1)
}

pub(crate) fn rows<T: Float>() -> Vec<Row<T>> {
    let mut all = elementwise::<T>();
    all.extend(whole());
    all.extend(by_place());
    all.extend(images());
    all.extend(products());
    all.extend(networks());
    all.extend(losses());
    for &f in Activation::ALL {
        for (more, factor) in [("", 1.0), (": far", 4.0)] {
            all.push(Row {
                name: format!("{}{more}", f.name()),
                domains: &[Domain::Real],
                shapes: ONE,
                function: function::<T>(move |x| x[0].scale(number(factor)).activation(f)),
            });
        }
    }
    all
}

fn elementwise<T: Float>() -> Vec<Row<T>> {
    rows! { T, x:
        "add" TWO [Real] x[0] + x[1];
        "add: number" ONE [Real] x[0] + number::<T>(0.7);
        "sub" TWO [Real] x[0] - x[1];
        "sub: number" ONE [Real] x[0] - number::<T>(0.7);
        "mul" TWO [Real] x[0] * x[1];
        "mul: itself" ONE [Real] x[0] * x[0];
        "div" TWO [Real] x[0] / x[1];
        "div: number" ONE [Real] x[0] / number::<T>(0.7);
        "div: itself" ONE [Real] x[0] / (x[0] + number::<T>(3.0));
        "add: tensor" ONE [Real] &row::<T>() + (x[0] + row::<T>());
        "sub: tensor" ONE [Real] &row::<T>() - (x[0] - &row::<T>());
        "mul: tensor" ONE [Real] &row::<T>() * (x[0] * row::<T>());
        "div: tensor" ONE [Real] &row::<T>() / (x[0] / &row::<T>());
        "neg" ONE [Real] -x[0];
        "scale" ONE [Real] x[0].scale(number(2.5));
        "square" ONE [Real] x[0].square();
        "powi: 3" ONE [Real] x[0].powi(3);
        "powi: -2" ONE [Real] x[0].powi(-2);
        "powi: 0" ONE [Real] x[0].powi(0);
        "powf: 2.5" ONE [Positive] x[0].powf(number(2.5));
        "powf: -0.5" ONE [Positive] x[0].powf(number(-0.5));
        "powf: 0" ONE [Positive] x[0].powf(number(0.0));
        "pow" TWO [Positive Real] x[0].pow(x[1]);
        "sqrt" ONE [Positive] x[0].sqrt();
        "rsqrt" ONE [Positive] x[0].rsqrt();
        "recip" ONE [Real] x[0].recip();
        "exp" ONE [Real] x[0].exp();
        "exp_m1" ONE [Real] x[0].exp_m1();
        "ln" ONE [Positive] x[0].ln();
        "ln_1p" ONE [Positive] x[0].ln_1p();
        "sin" ONE [Real] x[0].sin();
        "cos" ONE [Real] x[0].cos();
        "erf" ONE [Real] x[0].erf();
        "abs" ONE [Real] x[0].abs();
        "clamp" ONE [Real] x[0].clamp(number(-0.5), number(0.8));
        "maximum" TWO [Real] x[0].maximum(x[1]);
        "maximum: number" ONE [Real] x[0].maximum(number::<T>(0.01));
        "minimum" TWO [Real] x[0].minimum(x[1]);
        "where_cond" TWO [Real] x[0].where_cond(&mask((x[0] + x[1]).value().shape()), x[1]);
        "where_cond: wider mask" ONE [Real] {
            let wide = [&[2][..], x[0].shape().dims()].concat();
            x[0].where_cond(&mask(&Shape::from(&wide[..])), x[0])
        };
        "masked_fill" ONE [Real] x[0].masked_fill(&mask(&x[0].shape()), number(7.0));
        "masked_fill: wider mask" ONE [Real] {
            let wide = [&[2][..], x[0].shape().dims()].concat();
            x[0].masked_fill(&mask(&Shape::from(&wide[..])), number(7.0))
        };
        "chain" ONE [Real] x[0].chain([2.0, 3.0], |by, h| (h * T::from_f64(by)).tanh());
        "scoped" ONE [Real] x[0].scoped(|x| x.tanh() * x);
        "recomputed" ONE [Real] x[0].recomputed(|x| x.tanh() * x.sin());
        "dropout" ONE [Real] x[0].dropout(0.3);
        "randn" ONE [Real] x[0] * x[0].tape().randn(x[0].shape());
        "uniform" ONE [Real] x[0] * x[0].tape().uniform(x[0].shape(), 0.5, 2.0);
        "bernoulli" ONE [Real] x[0].tanh() * x[0].tape().bernoulli(&Tensor::full(x[0].shape(), T::from_f64(0.5)));
        "multinomial" ONE [Real] {
            let weights = Tensor::from_slice(&[1.0, 2.0, 3.0].map(T::from_f64));
            let drawn = x[0].tape().multinomial(&weights, 5, true);
            x[0].scale(T::from_f64((1 + drawn.iter().sum::<i64>()) as f64))
        };
        "detach" ONE [Real] x[0] + x[0].detach();
        "prelu" PRELU [Real Positive] x[0].prelu(x[1]);
        "glu" EVEN [Real] x[0].glu(-1);
    }
}

fn whole<T: Float>() -> Vec<Row<T>> {
    rows! { T, x:
        "sum" ONE [Real] x[0].sum(..);
        "sum: first" MATRIX [Real] x[0].sum(0);
        "sum: last, kept" MATRIX [Real] x[0].sum(keepdim(-1));
        "sum: several" MATRIX [Real] x[0].sum([1, 0]);
        "mean" ONE [Real] x[0].mean(..);
        "mean: last" MATRIX [Real] x[0].mean(-1);
        "mean: several, kept" MATRIX [Real] x[0].mean(keepdim([0, -1]));
        "var" MATRIX [Real] x[0].var(.., 1);
        "var: last" MATRIX [Real] x[0].var(-1, 1);
        "var: ends, of all, kept" MATRIX [Real] x[0].var(keepdim([0, -1]), 0);
        "std" MATRIX [Distinct] x[0].std(.., 1);
        "std: last" MATRIX [Real] x[0].std(-1, 1);
        "std: last, of all, kept" MATRIX [Real] x[0].std(keepdim(-1), 0);
        "max: last" MATRIX [Distinct] x[0].max(-1);
        "max: last, kept" MATRIX [Distinct] x[0].max(keepdim(-1));
        "min: last" MATRIX [Distinct] x[0].min(-1);
        "prod" ONE [Real] x[0].scale(number(1.3)).prod(..);
        "prod: first" MATRIX [Real] x[0].prod(0);
        "prod: ends, kept" MATRIX [Real] x[0].prod(keepdim([0, -1]));
        "norm" ONE [Real] x[0].norm(2.0, ..);
        "norm: last" MATRIX [Real] x[0].norm(2.0, -1);
        "norm: 1" MATRIX [Real] x[0].norm(1.0, keepdim(0));
        "norm: 3" MATRIX [Real] x[0].norm(3.0, -1);
        "norm: 1.5" MATRIX [Real] x[0].norm(1.5, -1);
        "norm: 0" MATRIX [Real] x[0].norm(0.0, -1);
        "norm: infinity" MATRIX [Distinct] x[0].norm(f64::INFINITY, -1);
        "logsumexp" SOME [Real] x[0].logsumexp(..);
        "logsumexp: last" MATRIX [Real] x[0].logsumexp(-1);
        "logsumexp: ends, kept" LOGITS [Real] x[0].logsumexp(keepdim([0, -1]));
        "cumsum: first" MATRIX [Real] x[0].cumsum(0);
        "cumsum: last" MATRIX [Real] x[0].cumsum(-1);
        "softmax: last" MATRIX [Real] x[0].softmax(-1);
        "softmax: first" MATRIX [Real] x[0].softmax(0);
        "log_softmax: last" MATRIX [Real] x[0].log_softmax(-1);
        "log_softmax: first" MATRIX [Real] x[0].log_softmax(0);
        "normalize" MATRIX [Real] x[0].normalize(-1, 1e-12);
        "normalize: short ones" MATRIX [Real] x[0].normalize(0, 10.0);
        "cosine_similarity" COSINE [Real] x[0].cosine_similarity(x[1], -1, 1e-8);
    }
}

fn by_place<T: Float>() -> Vec<Row<T>> {
    rows! { T, x:
        "reshape" ONE [Real] x[0].reshape([x[0].shape().numel(), 1]);
        "flatten" MATRIX [Real] x[0].flatten(0);
        "t" MATRIX [Real] x[0].t();
        "transpose" MATRIX [Real] x[0].transpose(0, -1);
        "permute" MATRIX [Real] {
            let rank = x[0].shape().rank() as isize;
            x[0].permute(&(0..rank).map(|axis| (axis + 1) % rank - rank).collect::<Vec<_>>())
        };
        "slice" MATRIX [Real] x[0].slice(-1, 1..3);
        "slice_step" MATRIX [Real] x[0].slice_step(-1, 1.., 2);
        "slice_step: one" MATRIX [Real] x[0].slice_step(-1, -1.., 5);
        "narrow" MATRIX [Real] x[0].narrow(-1, 2, 2);
        "select" MATRIX [Real] x[0].select(-1, -2);
        "select: first" NARROW [Real] x[0].select(-1, 0);
        "unsqueeze" ONE [Real] x[0].unsqueeze(-1);
        "squeeze" COLUMN [Real] x[0].squeeze(-1);
        "expand" COLUMN [Real] {
            let mut dims = x[0].shape().dims().to_vec();
            *dims.last_mut().unwrap() = 3;
            x[0].expand([&[2][..], &dims].concat())
        };
        "flip" MATRIX [Real] x[0].flip(&[0, -1]);
        "diagonal" PLANES [Real] x[0].diagonal(0, -2, -1);
        "diagonal: above" PLANES [Real] x[0].diagonal(1, -1, 0);
        "roll" MATRIX [Real] x[0].roll(3, -1);
        "roll: back" MATRIX [Real] x[0].roll(-1, 0);
        "repeat" MATRIX [Real] x[0].repeat(&[&[2, 3][..], &vec![1; x[0].shape().rank() - 2], &[2]].concat());
        "pad" MATRIX [Real] {
            let mut widths = vec![(0, 0); x[0].shape().rank()];
            (widths[0], *widths.last_mut().unwrap()) = ((1, 0), (0, 2));
            x[0].pad(&widths, number::<T>(7.0))
        };
        "cat" SAME [Real] Var::cat(&[x[0], x[1], x[0]], -1);
        "cat: other sizes" SOURCE [Real] Var::cat(&[x[0], x[1]], 0);
        "stack" SAME [Real] Var::stack(&[x[0], x[1]], 1);
        "split" MATRIX [Real] {
            let parts = x[0].split(&[1, last(x[0]) - 1], -1);
            parts[0] * parts[1]
        };
        "chunk" EVEN [Real] {
            let parts = x[0].chunk(2, -1);
            parts[0] * parts[1]
        };
        "embedding" MATRIX [Real] match x[0].shape().dims()[0] {
            0 => x[0].embedding(&Tensor::zeros([0])),
            rows => x[0].embedding(&places(&[2, 5], rows)),
        };
        "embedding_with_padding" MATRIX [Real] match x[0].shape().dims()[0] {
            0 => x[0].embedding(&Tensor::zeros([0])),
            rows => x[0].embedding_with_padding(&places(&[2, 5], rows), 0),
        };
        "index_select" MATRIX [Real] x[0].index_select(-1, &places(&[7], last(x[0])));
        "gather" MATRIX [Real] {
            let mut dims = x[0].shape().dims().to_vec();
            *dims.last_mut().unwrap() = 5;
            x[0].gather(-1, &places(&dims, last(x[0])))
        };
        "scatter_add" SOURCE [Real] x[0].scatter_add(0, &places(&[4, last(x[0])], 3), x[1]);
        "masked_select" ONE [Real] x[0].masked_select(&mask(&x[0].shape()));
        "masked_select: wider mask" ONE [Real] {
            let wide = [&[2][..], x[0].shape().dims()].concat();
            x[0].masked_select(&mask(&Shape::from(&wide[..])))
        };
        "tril" PLANES [Real] x[0].tril(0);
        "tril: above" PLANES [Real] x[0].tril(1);
        "triu" PLANES [Real] x[0].triu(-1);
        "sort" MATRIX [Distinct] x[0].sort(-1, false).0;
        "sort: down" MATRIX [Distinct] x[0].sort(-1, true).0;
        "topk" MATRIX [Distinct] x[0].topk(2, -1, true).0;
        "topk: smallest" MATRIX [Distinct] x[0].topk(3, -1, false).0;
    }
}

fn products<T: Float>() -> Vec<Row<T>> {
    rows! { T, x:
        "matmul" PRODUCTS [Real] x[0].matmul(x[1]);
        "linear" LINEAR [Real] x[0].linear(x[1], x[2]);
        "linear: no bias" LINEAR [Real] x[0].linear(x[1], None) + x[2];
        "dot" VECTORS [Real] x[0].dot(x[1]);
        "outer" VECTORS [Real] x[0].outer(x[1]);
        "einsum: ij,jk->ik" IJ_JK [Real] Var::einsum("ij,jk->ik", x);
        "einsum: ij,jk" IJ_JK [Real] Var::einsum("ij,jk", x);
        "einsum: ij,jk->k" IJ_JK [Real] Var::einsum("ij,jk->k", x);
        "einsum: ...ij,...jk->...ki" DOT_DOT [Real] Var::einsum("...ij,...jk->...ki", x);
        "einsum: ...ij,...jk->ik" DOT_DOT [Real] Var::einsum("...ij,...jk->ik", x);
        "einsum: bij,bj->ib" BIJ_BJ [Real] Var::einsum("bij,bj->ib", x);
        "einsum: ii,i->i" SQUARE_AND_VECTOR [Real] Var::einsum("ii,i->i", x);
        "einsum: ii,i" SQUARE_AND_VECTOR [Real] Var::einsum("ii,i", x);
        "einsum: iii->i" CUBE [Real] Var::einsum("iii->i", x);
        "einsum: iij->j" CUBE [Real] Var::einsum("iij->j", x);
        "einsum: iji->" CUBE [Real] Var::einsum("iji->", x);
        "einsum: ij,jk,ik->ij" THREE [Real] Var::einsum("ij,jk,ik->ij", x);
        "einsum: itself" CUBE [Real] Var::einsum("ijk,ijl->kl", &[x[0], x[0]]);
    }
}

fn images<T: Float>() -> Vec<Row<T>> {
    rows! { T, x:
        "conv1d" SIGNALS [Real] x[0].conv1d(x[1], x[2], Conv::default());
        "conv1d: causal" SIGNALS [Real] x[0].conv1d(x[1], x[2], Conv::default().dilation(2).padding(Padding::Causal));
        "conv1d: same" SIGNALS [Real] x[0].conv1d(x[1], None, Conv::default().padding(Padding::Same)) + x[2].sum(..);
        "conv2d" IMAGES [Real] x[0].conv2d(x[1], x[2], Conv::default());
        "conv2d: padding" IMAGES [Real] x[0].conv2d(x[1], x[2], Conv::default().padding(1));
        "conv2d: stride" IMAGES [Real] x[0].conv2d(x[1], x[2], Conv::default().stride(2).padding([2, 1]));
        "conv2d: dilation" IMAGES [Real] x[0].conv2d(x[1], None, Conv::default().dilation([1, 2]).padding(2)) + x[2].sum(..);
        "conv2d: groups" GROUPED [Real] x[0].conv2d(x[1], x[2], Conv::default().groups(2).padding(1));
        "conv2d: groups, stride" GROUPED [Real] x[0].conv2d(x[1], x[2], Conv::default().groups(2).stride([1, 3]));
        "conv3d" VOLUMES [Real] x[0].conv3d(x[1], x[2], Conv::default());
        "conv3d: all" VOLUMES [Real] x[0].conv3d(x[1], x[2], Conv::default().stride([1, 2, 2]).padding(1));
        "conv_transpose1d" TRANSPOSED_SIGNALS [Real] x[0].conv_transpose1d(x[1], x[2], ConvTranspose::default());
        "conv_transpose1d: stride" TRANSPOSED_SIGNALS [Real] {
            x[0].conv_transpose1d(x[1], x[2], ConvTranspose::default().stride(3).padding(1).output_padding(1))
        };
        "conv_transpose2d" TRANSPOSED_IMAGES [Real] {
            let groups = x[2].shape().numel() / x[1].shape().dims()[1];
            x[0].conv_transpose2d(x[1], x[2], ConvTranspose::default().groups(groups))
        };
        "conv_transpose2d: all" TRANSPOSED_IMAGES [Real] {
            let groups = x[2].shape().numel() / x[1].shape().dims()[1];
            let how = ConvTranspose::default().stride([2, 1]).padding([1, 0]).output_padding([1, 0]).dilation([1, 2]);
            x[0].conv_transpose2d(x[1], x[2], how.groups(groups))
        };
        "conv_transpose3d" TRANSPOSED_VOLUMES [Real] x[0].conv_transpose3d(x[1], x[2], ConvTranspose::default().stride([2, 1, 1]));
        "dropout_channels" PICTURES [Real] x[0].dropout_channels(0.4);
        "max_pool" PICTURES [Distinct] x[0].max_pool(Pool::<2>::new([2, 2]));
        "max_pool: overlapping" PICTURES [Distinct] x[0].max_pool(Pool::<2>::new(3).stride([2, 1]).padding(1));
        "max_pool: 1, ceil" WAVES [Distinct] x[0].max_pool(Pool::<1>::new(3).ceil_mode());
        "max_pool: dilation" WAVES [Distinct] x[0].max_pool(Pool::<1>::new(2).stride(1).dilation(3));
        "avg_pool" PICTURES [Real] x[0].avg_pool(Pool::<2>::new(2));
        "avg_pool: padding" PICTURES [Real] x[0].avg_pool(Pool::<2>::new(3).stride(2).padding(1));
        "avg_pool: without padding" PICTURES [Real] x[0].avg_pool(Pool::<2>::new(3).stride(2).padding(1).ceil_mode().without_padding());
        "avg_pool: 1, divisor" WAVES [Real] x[0].avg_pool(Pool::<1> { divisor: Some(5), ..Pool::new(3) });
        "adaptive_avg_pool" PICTURES [Real] x[0].adaptive_avg_pool([2, 3]);
        "adaptive_avg_pool: 1" PICTURES [Real] x[0].adaptive_avg_pool([1, 1]);
        "adaptive_max_pool" PICTURES [Distinct] x[0].adaptive_max_pool([2, 3]);
        "interpolate: nearest" PICTURES [Real] x[0].interpolate(Resize::to([7, 3], Interpolation::Nearest));
        "interpolate: nearest exact" PICTURES [Real] x[0].interpolate(Resize::to([7, 3], Interpolation::NearestExact));
        "interpolate: linear" PICTURES [Real] x[0].interpolate(Resize::to([7, 3], Interpolation::Linear));
        "interpolate: linear, corners" PICTURES [Real] x[0].interpolate(Resize::to([7, 3], Interpolation::Linear).align_corners());
        "interpolate: linear, factor" PICTURES [Real] x[0].interpolate(Resize::<2>::by(1.5, Interpolation::Linear));
        "interpolate: cubic" PICTURES [Real] x[0].interpolate(Resize::to([7, 3], Interpolation::Cubic));
        "interpolate: cubic, corners" PICTURES [Real] x[0].interpolate(Resize::to([7, 3], Interpolation::Cubic).align_corners());
        "interpolate: area" PICTURES [Real] x[0].interpolate(Resize::to([2, 4], Interpolation::Area));
        "interpolate: 1" WAVES [Real] x[0].interpolate(Resize::<1>::by(2.0, Interpolation::Linear));
        "pixel_shuffle" SHUFFLED [Real] x[0].pixel_shuffle(2);
        "pixel_unshuffle" EVEN_PICTURES [Real] x[0].pixel_unshuffle(2);
        "im2col" WAVES [Real] match x[0].shape().rank() {
            3 => x[0].im2col([3], Conv::default().padding(1).stride(2)),
            _ => x[0].unsqueeze(0).im2col([3], Conv::default().padding(1).stride(2)),
        };
        "col2im" WINDOWS [Real] x[0].col2im([4, last(x[0]) / 3 + 1], 2, Conv::default());
        "pad: reflect" PICTURES [Real] x[0].pad(&around(x[0]), Pad::Reflect);
        "pad: replicate" PICTURES [Real] x[0].pad(&around(x[0]), Pad::Replicate);
        "pad: circular" PICTURES [Real] x[0].pad(&around(x[0]), Pad::Circular);
    }
}

/// Widths around the last two axes.
fn around<T: Float>(x: Var<'_, T>) -> Vec<(usize, usize)> {
    let mut widths = vec![(0, 0); x.shape().rank()];
    let last = widths.len() - 2;
    (widths[last], widths[last + 1]) = ((1, 2), (3, 1));
    widths
}

fn networks<T: Float>() -> Vec<Row<T>> {
    rows! { T, x:
        "batch_norm" CHANNELS [Real] x[0].batch_norm(x[1], x[2], 1e-2).0;
        "batch_norm_by" CHANNELS [Real] {
            // A variance is positive.
            x[0].batch_norm_by(x[1], x[2].square(), x[2], x[1], 1e-2)
        };
        "layer_norm" FEATURES [Real] x[0].layer_norm(x[1], x[2], 1e-2);
        "rms_norm" FEATURES [Real] x[0].rms_norm(x[1], 1e-2) + x[2];
        "group_norm" CHANNELS [Real] x[0].group_norm(2, x[1], x[2], 1e-2);
        "attention" ATTENTION [Real] x[0].attention(x[1], x[2], Attention::default());
        "attention: causal" ATTENTION [Real] x[0].attention(x[1], x[2], Attention { causal: true, ..Attention::default() });
        "attention: mask and scale" ATTENTION [Real] {
            // The second query sees nothing.
            let mask = Tensor::from([[true, false, true], [false, false, false], [true, true, true]]);
            x[0].attention(x[1], x[2], Attention { mask: Some(&mask), scale: Some(0.7), ..Attention::default() })
        };
        "attention: bias and dropout" ATTENTION [Real] {
            let bias = Some(x[1].select(-1, 0).unsqueeze(-2));
            x[0].attention(x[1], x[2], Attention { bias, dropout: 0.2, ..Attention::default() })
        };
        "rnn_cell" RNN [Real] x[0].rnn_cell(x[1], cell(&x[2..]));
        "gru_cell" GRU [Real] x[0].gru_cell(x[1], cell(&x[2..]));
        "lstm_cell" LSTM [Real] x[0].lstm_cell((x[1], x[2]), cell(&x[3..])).0;
        "lstm_cell: memory" LSTM [Real] x[0].lstm_cell((x[1], x[2]), cell(&x[3..])).1;
        "lstm_cell: no bias" LSTM [Real] {
            let cell = CellParams { w_ih: x[3], w_hh: x[4], b_ih: None, b_hh: None };
            x[0].lstm_cell((x[1], x[2]), cell).0 + x[5].sum(..) + x[6].sum(..)
        };
        "rnn_relu_cell" RNN [Real] x[0].rnn_relu_cell(x[1], cell(&x[2..]));
        "rnn_tanh" RNN_STEPS [Real] x[0].rnn_tanh(x[1], cell(&x[2..]), Steps::default()).0;
        "rnn_tanh: lengths, last" RNN_STEPS [Real] {
            x[0].rnn_tanh(x[1], cell(&x[2..]), Steps { lengths: Some(&lengths(x[0])), ..Steps::default() }).1
        };
        "rnn_relu" RNN_STEPS [Real] x[0].rnn_relu(x[1], cell(&x[2..]), Steps::default()).0;
        "gru" GRU_STEPS [Real] x[0].gru(x[1], cell(&x[2..]), Steps::default()).0;
        "gru: lengths, reversed" GRU_STEPS [Real] {
            x[0].gru(x[1], cell(&x[2..]), Steps { lengths: Some(&lengths(x[0])), reversed: true }).0
        };
        "gru: lengths, last" GRU_STEPS [Real] {
            x[0].gru(x[1], cell(&x[2..]), Steps { lengths: Some(&lengths(x[0])), ..Steps::default() }).1
        };
        "lstm" LSTM_STEPS [Real] x[0].lstm((x[1], x[2]), cell(&x[3..]), Steps::default()).0;
        "lstm: reversed" LSTM_STEPS [Real] {
            x[0].lstm((x[1], x[2]), cell(&x[3..]), Steps { reversed: true, ..Steps::default() }).0
        };
        "lstm: lengths, all" LSTM_STEPS [Real] {
            let steps = Steps { lengths: Some(&lengths(x[0])), ..Steps::default() };
            let (outputs, (last, memory)) = x[0].lstm((x[1], x[2]), cell(&x[3..]), steps);
            outputs + (last * memory).unsqueeze(1)
        };
        "lstm: no bias" LSTM_STEPS [Real] {
            let cell = CellParams { w_ih: x[3], w_hh: x[4], b_ih: None, b_hh: None };
            let (_, (_, memory)) = x[0].lstm((x[1], x[2]), cell, Steps::default());
            memory + x[5].sum(..) + x[6].sum(..)
        };
    }
}

fn losses<T: Float>() -> Vec<Row<T>> {
    use Reduction::{BatchMean, Sum};
    const NONE: Reduction = Reduction::None;
    rows! { T, x:
        "cross_entropy" LOGITS [Real] x[0].cross_entropy(&classes(x[0]));
        "cross_entropy: far" LOGITS [Real] x[0].scale(number(3.0)).cross_entropy(&classes(x[0]));
        "cross_entropy_with: none" LOGITS [Real] x[0].cross_entropy_with(&classes(x[0]), CrossEntropy { reduction: NONE, ..CrossEntropy::default() });
        "cross_entropy_with: sum" LOGITS [Real] x[0].cross_entropy_with(&classes(x[0]), CrossEntropy { reduction: Sum, ..CrossEntropy::default() });
        "cross_entropy_with: weight" LOGITS [Real] x[0].cross_entropy_with(&classes(x[0]), CrossEntropy { weight: Some(&weights(x[0])), ..CrossEntropy::default() });
        "cross_entropy_with: ignored" LOGITS [Real] {
            let options = CrossEntropy { ignore_index: Some(-100), weight: Some(&weights(x[0])), ..CrossEntropy::default() };
            x[0].cross_entropy_with(&some_ignored(x[0]), options)
        };
        "cross_entropy_with: smoothing" LOGITS [Real] {
            let options = CrossEntropy { label_smoothing: 0.1, ignore_index: Some(-100), weight: Some(&weights(x[0])), ..CrossEntropy::default() };
            x[0].cross_entropy_with(&some_ignored(x[0]), options)
        };
        "cross_entropy_with: smoothing, none" LOGITS [Real] {
            let options = CrossEntropy { label_smoothing: 0.3, reduction: NONE, ..CrossEntropy::default() };
            x[0].cross_entropy_with(&classes(x[0]), options)
        };
        "soft_cross_entropy" SAME [Real Share] x[0].soft_cross_entropy(shares(x[1]), CrossEntropy::default());
        "soft_cross_entropy: weight" SAME [Real Share] {
            let options = CrossEntropy { weight: Some(&weights(x[0])), label_smoothing: 0.2, ..CrossEntropy::default() };
            x[0].soft_cross_entropy(x[1], options)
        };
        "nll_loss" LOGITS [Real] x[0].nll_loss(&classes(x[0]));
        "nll_loss_with" LOGITS [Real] {
            let options = NllLoss { ignore_index: Some(-100), weight: Some(&weights(x[0])), ..NllLoss::default() };
            x[0].nll_loss_with(&some_ignored(x[0]), options)
        };
        "nll_loss_with: sum" LOGITS [Real] x[0].nll_loss_with(&classes(x[0]), NllLoss { reduction: Sum, ..NllLoss::default() });
        "mse_loss" SAME [Real] x[0].mse_loss(x[1]);
        "mse_loss_with: none" SAME [Real] x[0].mse_loss_with(x[1], NONE);
        "mse_loss_with: sum" SAME [Real] x[0].mse_loss_with(x[1], Sum);
        "l1_loss" SAME [Real] x[0].l1_loss(x[1] + number::<T>(4.0));
        "l1_loss_with: batch" SAME [Real] x[0].l1_loss_with(x[1] + number::<T>(4.0), BatchMean);
        "huber_loss" SAME [Real] x[0].huber_loss(x[1], 0.7, Reduction::Mean);
        "smooth_l1_loss" SAME [Real] x[0].smooth_l1_loss(x[1], 0.7, NONE);
        "smooth_l1_loss: 0" SAME [Real] x[0].smooth_l1_loss(x[1] + number::<T>(4.0), 0.0, Sum);
        "bce_loss" SAME [Share] x[0].bce_loss(x[1]);
        "bce_loss_with" SAME [Share] {
            let weight = weights(x[0]);
            x[0].bce_loss_with(x[1], Bce { weight: Some(&weight), reduction: NONE, ..Bce::default() })
        };
        "bce_with_logits_loss" SAME [Real Share] x[0].scale(number(3.0)).bce_with_logits_loss(x[1]);
        "bce_with_logits_loss_with" SAME [Real Share] {
            let weight = weights(x[0]);
            let options = Bce { weight: Some(&weight.flip(&[0])), pos_weight: Some(&weight), ..Bce::default() };
            x[0].bce_with_logits_loss_with(x[1], options)
        };
        "kl_div" SAME [Real Share] shares(x[0]).ln().kl_div(x[1], KlDiv::default());
        "kl_div: logarithms" SAME [Real Real] x[0].kl_div(x[1], KlDiv { log_target: true, reduction: BatchMean });
        "hinge_loss" ONE [Real] x[0].hinge_loss(&signs(x[0].shape().dims()), Reduction::Mean);
        "hinge_embedding_loss" ONE [Real] x[0].hinge_embedding_loss(&signs(x[0].shape().dims()), 1.01, Reduction::Mean);
        "cosine_embedding_loss" PAIRS [Real] {
            let shape = x[0].shape();
            x[0].cosine_embedding_loss(x[1], &signs(&shape.dims()[..shape.rank() - 1]), -0.9, Reduction::Mean)
        };
        "gaussian_nll_loss" GAUSS [Real Real Positive] x[0].gaussian_nll_loss(x[1], x[2], GaussianNll::default());
        "gaussian_nll_loss: full" GAUSS [Real Real Positive] {
            x[0].gaussian_nll_loss(x[1], x[2], GaussianNll { full: true, reduction: Sum, ..GaussianNll::default() })
        };
        "pairwise_distance" PAIRS [Real] x[0].pairwise_distance(x[1], 2.0, 1e-6);
        "pairwise_distance: 1" PAIRS [Real] x[0].pairwise_distance(x[1], 1.0, 0.01);
        "triplet_margin_loss" PAIRS [Real] x[0].triplet_margin_loss(x[1], x[1].flip(&[-1]), TripletMargin::default());
        "triplet_margin_loss: swapped" PAIRS [Real] {
            let options = TripletMargin { margin: 0.3, p: 3.0, eps: 0.01, swap: true, reduction: Sum };
            x[0].triplet_margin_loss(x[1], x[1].flip(&[-1]), options)
        };
        "poisson_nll_loss" SAME [Real Positive] x[0].poisson_nll_loss(x[1], PoissonNll::default());
        "poisson_nll_loss: full" SAME [Real Positive] {
            let t = x[1] * number::<T>(3.0);
            x[0].poisson_nll_loss(t, PoissonNll { full: true, reduction: BatchMean, ..PoissonNll::default() })
        };
        "poisson_nll_loss: rates" SAME [Positive Positive] {
            x[0].poisson_nll_loss(x[1], PoissonNll { log_input: false, eps: 0.01, reduction: NONE, ..PoissonNll::default() })
        };
        "negative_binomial_nll_loss" SAME [Real Positive] x[0].negative_binomial_nll_loss(x[1] * number::<T>(3.0), number::<T>(2.5), Reduction::Mean);
        "negative_binomial_nll_loss: learned" THREE_SAME [Real Positive Positive] x[0].negative_binomial_nll_loss(x[1], x[2], NONE);
        "sigmoid_focal_loss" SAME [Real Share] x[0].sigmoid_focal_loss(x[1], Focal::default());
        "sigmoid_focal_loss: unbalanced" SAME [Real Share] x[0].sigmoid_focal_loss(x[1], Focal { alpha: None, gamma: 1.5, reduction: NONE });
        "ctc_loss" SPOKEN [Real] x[0].log_softmax(-1).ctc_loss(&spoken(x[0]), Ctc::default());
        "ctc_loss: lengths" SPOKEN [Real] {
            let (n, most) = (x[0].shape().dims()[0], x[0].shape().dims()[2] as i64 - 1);
            let (lengths, counts): (Vec<usize>, Vec<usize>) = (0..n).map(|i| (5 - i % 2, i % 3)).unzip();
            let targets = spoken(x[0]).map(|class| class - 1).minimum(most - 1);
            let options = Ctc { blank: most as usize, lengths: Some(&lengths), target_lengths: Some(&counts), reduction: Sum, ..Ctc::default() };
            x[0].ctc_loss(&targets, options)
        };
    }
}

/// A tape on which everything that draws draws the same.
pub(crate) fn tape<T: Float>() -> Tape<T> {
    let tape = Tape::default();
    tape.seed(42, 0);
    tape
}
