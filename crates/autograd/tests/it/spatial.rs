//! Convolutions, pools and what else works on spatial axes, beside PyTorch: random cases of `golden/spatial.py`.

use std::collections::BTreeMap;
use std::path::Path;
use std::str::FromStr;

use autograd::{Tape, Var};
use tensor::{Conv, ConvTranspose, Interpolation, Pad, Pool, Resize, Tensor};

/// An element of a tensor follows from its place.
fn by_place(dims: &[usize], of: impl Fn(i64) -> f64) -> Tensor<f64> {
    let mut i = 0;
    Tensor::from_fn(dims, |_| {
        i += 1;
        of(i)
    })
}

fn numbers(dims: &[usize], seed: i64) -> Tensor<f64> {
    by_place(dims, |i| ((i + seed * 1009) * 7919 % 1013) as f64 / 507.0 - 1.0)
}

/// No two are equal.
fn distinct(dims: &[usize], seed: i64) -> Tensor<f64> {
    by_place(dims, |i| ((i + seed) * 7919 % 10007) as f64 / 5003.0 - 1.0)
}

fn list<N: FromStr>(text: &str) -> Vec<N>
where
    N::Err: std::fmt::Debug,
{
    text.split(',').filter(|number| !number.is_empty()).map(|number| number.parse().unwrap()).collect()
}

struct Case<'a> {
    name: &'a str,
    options: BTreeMap<&'a str, &'a str>,
    shapes: Vec<Vec<usize>>,
    result: Vec<usize>,
    sums: Vec<f64>,
}

impl<'a> Case<'a> {
    fn new(line: &'a str) -> Self {
        let [name, options, shapes, result, sums] = line.split('\t').collect::<Vec<_>>().try_into().unwrap();
        Case {
            name,
            options: options.split(' ').map(|option| option.split_once('=').unwrap()).collect(),
            shapes: shapes.split(';').map(list).collect(),
            result: list(result),
            sums: sums.split(' ').map(|sum| sum.parse().unwrap()).collect(),
        }
    }

    fn axes<const D: usize>(&self, option: &str) -> [usize; D] {
        list(self.options[option]).try_into().unwrap()
    }

    fn is(&self, option: &str) -> bool {
        self.options[option] == "true"
    }

    fn number(&self, option: &str) -> usize {
        self.options[option].parse().unwrap()
    }

    fn conv<const D: usize>(&self) -> Conv<D> {
        let groups = self.options.get("groups").map_or(1, |groups| groups.parse().unwrap());
        Conv {
            stride: self.axes("stride"),
            padding: self.axes("padding").into(),
            dilation: self.axes("dilation"),
            groups,
        }
    }

    fn transposed<const D: usize>(&self) -> ConvTranspose<D> {
        ConvTranspose {
            stride: self.axes("stride"),
            padding: self.axes("padding"),
            output_padding: self.axes("output_padding"),
            dilation: self.axes("dilation"),
            groups: self.number("groups"),
        }
    }

    fn pool<const D: usize>(&self) -> Pool<D> {
        Pool {
            stride: self.axes("stride"),
            padding: self.axes("padding").into(),
            dilation: if self.options.contains_key("dilation") { self.axes("dilation") } else { [1; D] },
            ceil_mode: self.is("ceil_mode"),
            count_include_pad: self.options.get("count_include_pad").is_none_or(|&counted| counted == "true"),
            ..Pool::new(self.axes("kernel"))
        }
    }

    fn resize<const D: usize>(&self) -> Resize<D> {
        let mode = match self.options["mode"] {
            "nearest" => Interpolation::Nearest,
            "nearest-exact" => Interpolation::NearestExact,
            "linear" => Interpolation::Linear,
            "cubic" => Interpolation::Cubic,
            "area" => Interpolation::Area,
            mode => panic!("{mode}"),
        };
        let resize = match self.options.get("factor") {
            Some(factor) => Resize::by(factor.parse().unwrap(), mode),
            None => Resize::to(self.axes::<D>("to"), mode),
        };
        if self.is("align_corners") { resize.align_corners() } else { resize }
    }

    fn on<'t>(&self, x: &[Var<'t, f64>]) -> Var<'t, f64> {
        match self.name {
            "conv1d" => x[0].conv1d(x[1], x[2], self.conv()),
            "conv2d" => x[0].conv2d(x[1], x[2], self.conv()),
            "conv3d" => x[0].conv3d(x[1], x[2], self.conv()),
            "conv_transpose1d" => x[0].conv_transpose1d(x[1], x[2], self.transposed()),
            "conv_transpose2d" => x[0].conv_transpose2d(x[1], x[2], self.transposed()),
            "conv_transpose3d" => x[0].conv_transpose3d(x[1], x[2], self.transposed()),
            "im2col" => x[0].im2col(self.axes::<2>("kernel"), self.conv()),
            "col2im" => x[0].col2im(self.axes::<2>("to"), self.axes("kernel"), self.conv()),
            "pixel_shuffle" => x[0].pixel_shuffle(self.number("r")),
            "pixel_unshuffle" => x[0].pixel_unshuffle(self.number("r")),
            "pad" => {
                let mode = match self.options["mode"] {
                    "reflect" => Pad::Reflect,
                    "replicate" => Pad::Replicate,
                    _ => Pad::Circular,
                };
                let sides = list(self.options["before"]).into_iter().zip(list(self.options["after"]));
                let widths: Vec<_> = [(0, 0); 2].into_iter().chain(sides).collect();
                x[0].pad(&widths, mode)
            }
            _ => match self.shapes[0].len() - 2 {
                1 => self.on_axes::<1>(x[0]),
                2 => self.on_axes::<2>(x[0]),
                _ => self.on_axes::<3>(x[0]),
            },
        }
    }

    fn on_axes<'t, const D: usize>(&self, x: Var<'t, f64>) -> Var<'t, f64> {
        match self.name {
            "max_pool" => x.max_pool(self.pool::<D>()),
            "avg_pool" => x.avg_pool(self.pool::<D>()),
            "adaptive_avg_pool" => x.adaptive_avg_pool(self.axes::<D>("to")),
            "adaptive_max_pool" => x.adaptive_max_pool(self.axes::<D>("to")),
            "interpolate" => x.interpolate(self.resize::<D>()),
            name => panic!("{name}"),
        }
    }
}

/// What differs from PyTorch: the shape, or a sum.
fn difference(case: &Case<'_>) -> Option<String> {
    let tape = Tape::default();
    let make = if case.name.contains("max") { distinct } else { numbers };
    let inputs: Vec<_> = case.shapes.iter().enumerate().map(|(i, dims)| tape.leaf(make(dims, i as i64))).collect();
    let y = case.on(&inputs);
    if y.shape().dims() != case.result {
        return Some(format!("a result of {}, not {:?}", y.shape(), case.result));
    }
    let gradients = y.backward_with(numbers(&case.result, 7));
    let sum = |x: &Tensor<f64>, seed| (x * numbers(x.dims(), seed)).sum(..).item();
    let of_inputs = inputs.iter().map(|&x| sum(gradients.get(x).unwrap(), 9));
    let got = std::iter::once(sum(&y.value(), 8)).chain(of_inputs);
    let close = |(got, want): (f64, &f64)| (got - want).abs() <= 1e-10 * want.abs().max(1.0);
    let got: Vec<f64> = got.collect();
    (!got.iter().copied().zip(&case.sums).all(close)).then(|| format!("{got:?}, not {:?}", case.sums))
}

#[test]
fn random_cases_are_as_in_pytorch() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/spatial.txt");
    let text = std::fs::read_to_string(path).unwrap();
    let cases: Vec<&str> = text.lines().collect();
    let differs = |line: &&str| difference(&Case::new(line)).map(|what| format!("{line}\n  {what}"));
    let wrong: Vec<String> = cases.iter().filter_map(differs).collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    assert!(cases.len() >= 700, "{}", cases.len());
    // And a wrong one is found: with another stride, or another number.
    let line = cases.iter().find(|line| line.starts_with("conv2d\tstride=2,2")).unwrap();
    assert!(difference(&Case::new(&line.replace("stride=2,2", "stride=2,1"))).is_some());
    let (rest, last) = line.rsplit_once(' ').unwrap();
    let off = format!("{rest} {}", last.parse::<f64>().unwrap() + 1e-8);
    assert!(difference(&Case::new(&off)).is_some());
}
