//! Printing a tensor as PyTorch does: four decimals in columns, and only the edges of what is large.

use std::fmt;

use crate::element::Element;
use crate::kernel::Dtype;
use crate::tensor::Tensor;

const PREFIX: &str = "tensor(";
const LINE_WIDTH: usize = 80;
/// Decimals of a float, for people.
const DECIMALS: usize = 4;
/// Tensors of more elements show only their edges.
const THRESHOLD: usize = 1000;
/// Elements at either end of an axis that is cut.
const EDGE: usize = 3;

impl<T: Element> fmt::Display for Tensor<T> {
    /// The elements in brackets as PyTorch prints them; the dtype where it is neither `f32`, `i64` nor `bool`. Booleans are
    /// spelled as in Rust, `true` and `false`, and tensors without elements have no dtype, but their size.
    ///
    /// A precision shows as many decimals instead of four: `{x:.8}`.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let x = Tensor::from([[1.0_f32, -0.5], [0.25, 100.0]]);
    /// assert_eq!(x.to_string(), "\
    /// tensor([[  1.0000,  -0.5000],
    ///         [  0.2500, 100.0000]])");
    /// ```
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.print(f, DECIMALS, true)
    }
}

impl<T: Element> Tensor<T> {
    /// Prints the elements, with `decimals` where the caller asks for no other precision, and the dtype where it is not
    /// obvious and `with_dtype`.
    pub(crate) fn print(&self, f: &mut fmt::Formatter<'_>, decimals: usize, with_dtype: bool) -> fmt::Result {
        f.write_str(PREFIX)?;
        if self.numel() == 0 {
            f.write_str("[]")?;
            if self.rank() != 1 {
                write!(f, ", size={}", self.shape())?;
            }
        } else {
            let printer = Printer::new(self, f.precision().unwrap_or(decimals));
            printer.write(f, self, PREFIX.len())?;
        }
        if with_dtype && !matches!(T::DTYPE, Dtype::F32 | Dtype::I64 | Dtype::Bool) {
            write!(f, ", dtype={}", T::DTYPE)?;
        }
        f.write_str(")")
    }
}

/// How every element of one tensor is written.
struct Printer {
    style: Style,
    /// Each element is padded to this.
    width: usize,
    /// Whether only the edges are shown.
    cut: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Style {
    /// As Rust writes it: integers, booleans.
    Plain,
    /// Floats that are all whole: `3.`
    Whole,
    /// So many decimals.
    Fixed(usize),
    /// So many decimals and an exponent.
    Scientific(usize),
}

impl Printer {
    fn new<T: Element>(x: &Tensor<T>, decimals: usize) -> Self {
        let cut = x.numel() > THRESHOLD;
        let mut shown = Vec::new();
        visit_shown(x, cut, &mut |x| shown.push(x));
        if !T::DTYPE.is_float() {
            let width = shown.iter().map(|x| x.to_string().len()).max().unwrap_or(0);
            return Printer { style: Style::Plain, width, cut };
        }
        // Zeros, infinities and NaN have no say in the style.
        let telling: Vec<f64> =
            shown.iter().map(|x| x.convert::<f64>()).filter(|x| x.is_finite() && *x != 0.0).collect();
        let least = telling.iter().fold(f64::INFINITY, |least, x| least.min(x.abs()));
        let most = telling.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
        let whole = telling.iter().all(|x| x.fract() == 0.0);
        let style = if telling.is_empty() {
            Style::Whole
        } else if most / least > 1000.0 || most > 1e8 || (!whole && least < 1e-4) {
            Style::Scientific(decimals)
        } else if whole {
            Style::Whole
        } else {
            Style::Fixed(decimals)
        };
        let width = telling.iter().map(|&x| written(x, style).len()).max().unwrap_or(1);
        Printer { style, width, cut }
    }

    fn write<T: Element>(&self, f: &mut fmt::Formatter<'_>, x: &Tensor<T>, indent: usize) -> fmt::Result {
        match x.rank() {
            0 => f.write_str(&self.element(x.item())),
            1 => self.write_vector(f, x, indent),
            rank => {
                f.write_str("[")?;
                for (i, index) in shown_indices(x.dims()[0], self.cut).into_iter().enumerate() {
                    if i > 0 {
                        write!(f, ",{}{}", "\n".repeat(rank - 1), " ".repeat(indent + 1))?;
                    }
                    match index {
                        Some(index) => self.write(f, &x.select(0, index), indent + 1)?,
                        None => f.write_str("...")?,
                    }
                }
                f.write_str("]")
            }
        }
    }

    fn write_vector<T: Element>(&self, f: &mut fmt::Formatter<'_>, x: &Tensor<T>, indent: usize) -> fmt::Result {
        let per_line = (LINE_WIDTH.saturating_sub(indent) / (self.width + 2)).max(1);
        let entries: Vec<String> = shown_indices(x.dims()[0], self.cut)
            .into_iter()
            .map(|index| index.map_or(" ...".into(), |index| self.element(x.select(0, index).item())))
            .collect();
        let lines: Vec<String> = entries.chunks(per_line).map(|line| line.join(", ")).collect();
        write!(f, "[{}]", lines.join(&format!(",\n{}", " ".repeat(indent + 1))))
    }

    fn element<T: Element>(&self, x: T) -> String {
        let text = if T::DTYPE.is_float() { written(x.convert(), self.style) } else { x.to_string() };
        format!("{text:>width$}", width = self.width)
    }
}

fn written(x: f64, style: Style) -> String {
    if x.is_nan() {
        return "nan".into();
    }
    if x.is_infinite() {
        return if x > 0.0 { "inf".into() } else { "-inf".into() };
    }
    match style {
        Style::Plain => x.to_string(),
        Style::Whole => format!("{x:.0}."),
        Style::Fixed(decimals) => format!("{x:.decimals$}"),
        Style::Scientific(decimals) => {
            let text = format!("{x:.decimals$e}");
            let (digits, exponent) = text.split_once('e').expect("scientific notation has an exponent");
            let exponent: i32 = exponent.parse().expect("the exponent is a number");
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", exponent.abs())
        }
    }
}

/// The indices of an axis that are shown; `None` stands for those left out.
fn shown_indices(size: usize, cut: bool) -> Vec<Option<usize>> {
    if cut && size > 2 * EDGE {
        let (head, tail) = ((0..EDGE).map(Some), (size - EDGE..size).map(Some));
        head.chain([None]).chain(tail).collect()
    } else {
        (0..size).map(Some).collect()
    }
}

/// Calls `visit` with each element that is shown.
fn visit_shown<T: Element>(x: &Tensor<T>, cut: bool, visit: &mut impl FnMut(T)) {
    if x.rank() == 0 {
        return visit(x.item());
    }
    for index in shown_indices(x.dims()[0], cut).into_iter().flatten() {
        visit_shown(&x.select(0, index), cut, visit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn prints<T: Element>(x: &Tensor<T>, want: &str) {
        assert_eq!(x.to_string(), want);
    }

    // Each text is what PyTorch 2.15 prints for the same tensor.
    #[test]
    fn floats_choose_one_style_for_all() {
        prints(&Tensor::scalar(2.34567_f32), "tensor(2.3457)");
        prints(&Tensor::from([1.0_f32, -2.0, 30.0]), "tensor([ 1., -2., 30.])");
        prints(&Tensor::from([0.0_f32, 0.0]), "tensor([0., 0.])");
        prints(&Tensor::from([1.0_f32, 0.5, f32::NAN]), "tensor([1.0000, 0.5000,    nan])");
        prints(&Tensor::from([1.0_f32, f32::INFINITY, f32::NEG_INFINITY]), "tensor([1., inf, -inf])");
        prints(&Tensor::from([1e-5_f32, 1.0]), "tensor([1.0000e-05, 1.0000e+00])");
        prints(&Tensor::from([1.0_f32, 2000.5]), "tensor([1.0000e+00, 2.0005e+03])");
        prints(&Tensor::from([0.0_f32, 1e9]), "tensor([0.0000e+00, 1.0000e+09])");
    }

    #[test]
    fn integers_and_booleans_line_up() {
        prints(&Tensor::from([[1_i64, 20], [300, -4]]), "tensor([[  1,  20],\n        [300,  -4]])");
        prints(&Tensor::from([1_u8, 2]), "tensor([1, 2], dtype=u8)");
        prints(&Tensor::from([true, false]), "tensor([ true, false])");
    }

    #[test]
    fn matrices_in_a_stack_are_set_apart() {
        prints(&Tensor::from([[[1.0_f32, 2.0]], [[3.0, 4.0]]]), "tensor([[[1., 2.]],\n\n        [[3., 4.]]])");
    }

    #[test]
    fn long_vectors_wrap_and_large_tensors_show_their_edges() {
        prints(
            &Tensor::<i64>::arange(30),
            "tensor([ 0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14, 15, 16, 17,\n        \
             18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29])",
        );
        prints(&Tensor::<i64>::arange(1001), "tensor([   0,    1,    2,  ...,  998,  999, 1000])");
        prints(
            &Tensor::<f32>::zeros([2000, 2]),
            "tensor([[0., 0.],\n        [0., 0.],\n        [0., 0.],\n        ...,\n        [0., 0.],\n        \
             [0., 0.],\n        [0., 0.]])",
        );
    }

    #[test]
    fn empty_tensors_say_their_size() {
        prints(&Tensor::<f32>::zeros([0]), "tensor([])");
        prints(&Tensor::<f32>::zeros([0, 3]), "tensor([], size=[0, 3])");
    }

    #[test]
    fn debug_tells_neighbours_apart_and_says_the_dtype_once() {
        for x in [0.75_f32, 1.5, 3.0, 1e-6, 1e20] {
            let next = f32::from_bits(x.to_bits() + 1);
            // Beside one that is not whole.
            let show = |x: f32| format!("{:?}", Tensor::from([x, 0.3 * x]));
            assert_ne!(show(x), show(next), "{x}");
            let (x, next) = (f64::from(x), f64::from_bits(f64::from(x).to_bits() + 1));
            let show = |x: f64| format!("{:?}", Tensor::from([x, 0.3 * x]));
            assert_ne!(show(x), show(next), "{x}");
        }
        let x = Tensor::from([0.5_f64, 0.25]);
        assert_eq!(format!("{x:.3?}"), "tensor([0.500, 0.250]) [2] f64");
        assert_eq!(format!("{x:.1}"), "tensor([0.5, 0.2], dtype=f64)");
        assert_eq!(format!("{:?}", Tensor::from([0.5_f32])), "tensor([0.50000000]) [1] f32");
        assert_eq!(format!("{:.8?}", Tensor::from([7_i64])), "tensor([7]) [1] i64");
    }
}
