//! What can be wrong with a call, in words.

/// Makes `Debug` of an error the sentence that `Display` says: it is what a `main` that returns the error prints.
#[doc(hidden)]
#[macro_export]
macro_rules! debug_as_display {
    ($Error:ty) => {
        impl ::std::fmt::Debug for $Error {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                ::std::fmt::Display::fmt(self, f)
            }
        }
    };
}

use std::fmt;

use crate::{Dtype, Shape};

/// A call that the tensors at hand do not allow: the op, what is wrong, and what would be right.
///
/// Operators and the plain methods panic with this message at the caller's line; the `try_` methods return it.
///
/// # Example
/// ```
/// use tensor::Tensor;
///
/// let error = Tensor::<f32>::zeros([2, 3]).try_reshape([4, 2]).unwrap_err();
/// assert_eq!(error.to_string(), "reshape: [2, 3] has 6 elements, [4, 2] has 8");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Error {
    op: &'static str,
    // Boxed: results travel on the hot path, errors do not.
    reason: Box<Reason>,
}

/// What exactly is wrong; see [`Error::reason`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// Two shapes that do not broadcast to one.
    Broadcast {
        /// The left operand's shape.
        left: Shape,
        /// The right operand's shape.
        right: Shape,
    },
    /// A shape that does not broadcast to a given one.
    Expand {
        /// The shape at hand.
        from: Shape,
        /// The shape asked for.
        to: Shape,
    },
    /// Two shapes that should be the same.
    Differ {
        /// The shape that the op needs.
        want: Shape,
        /// The shape that it got.
        got: Shape,
    },
    /// A product whose inner dimensions differ.
    Inner {
        /// The left operand's shape.
        left: Shape,
        /// The right operand's shape.
        right: Shape,
    },
    /// A product of batches of matrices that do not broadcast.
    Batches {
        /// The left operand's shape.
        left: Shape,
        /// The right operand's shape.
        right: Shape,
    },
    /// A rank that the op does not take.
    Rank {
        /// What the op takes, in words.
        want: &'static str,
        /// The shape that it got.
        got: Shape,
    },
    /// An axis that the tensor does not have.
    Axis {
        /// The axis asked for.
        axis: isize,
        /// The tensor's shape.
        shape: Shape,
    },
    /// A new axis at a place that the result would not have.
    NewAxis {
        /// The axis asked for.
        axis: isize,
        /// The tensor's shape, without it.
        shape: Shape,
    },
    /// A list of axes that is not a permutation, or names one twice.
    Axes {
        /// The axes asked for.
        axes: Vec<isize>,
        /// The tensor's shape.
        shape: Shape,
        /// What would be right, in words.
        rule: &'static str,
    },
    /// A number of elements that does not fit the shape.
    Length {
        /// How many there are.
        len: usize,
        /// The shape asked for.
        shape: Shape,
    },
    /// A reshape to another number of elements.
    Reshape {
        /// The shape at hand.
        from: Shape,
        /// The shape asked for.
        to: Shape,
    },
    /// A range that leaves its axis, runs backwards, or has step zero.
    Slice {
        /// The first index, as it was given: a negative one counts from the end.
        start: isize,
        /// One past the last index, as it was given.
        end: isize,
        /// The step.
        step: usize,
        /// The axis, counted from the first.
        axis: usize,
        /// The tensor's shape.
        shape: Shape,
    },
    /// An index that is not below the size of its axis.
    Index {
        /// The index.
        index: i64,
        /// Which entry of the index tensor it is, in row-major order.
        position: usize,
        /// The size of the axis.
        size: usize,
    },
    /// An index of one axis that is not below its size.
    Select {
        /// The index.
        index: isize,
        /// The size of the axis.
        size: usize,
    },
    /// A choice among no elements.
    Nothing {
        /// The tensor's shape.
        shape: Shape,
    },
    /// Another number of elements than one.
    Elements {
        /// The tensor's shape.
        got: Shape,
    },
    /// A squeeze of an axis whose size is not 1.
    Squeeze {
        /// The axis, counted from the first.
        axis: usize,
        /// The tensor's shape.
        shape: Shape,
    },
    /// A reshape whose inferred axis cannot be found.
    Infer {
        /// How many elements there are.
        numel: usize,
        /// The dimensions asked for.
        dims: Vec<usize>,
    },
    /// A shape whose number of elements does not fit an `isize`.
    TooLarge {
        /// The dimensions asked for.
        dims: Vec<usize>,
    },
    /// More memory than the system has.
    Memory {
        /// The shape asked for.
        shape: Shape,
        /// The type of its elements.
        dtype: Dtype,
        /// What they take, in bytes.
        bytes: u128,
    },
    /// An argument that the op does not take.
    Argument {
        /// What is wrong and what would be right, in words.
        why: String,
    },
    /// A number of threads that cannot be had.
    Threads {
        /// What the system said.
        why: String,
    },
}

impl Error {
    pub(crate) fn new(op: &'static str, reason: Reason) -> Self {
        Error { op, reason: Box::new(reason) }
    }

    /// The same of another op, which called this one.
    pub(crate) fn of(self, op: &'static str) -> Self {
        Error { op, ..self }
    }

    /// The op that was called, such as `"matmul"`.
    pub fn op(&self) -> &'static str {
        self.op
    }

    /// What exactly is wrong.
    pub fn reason(&self) -> &Reason {
        &self.reason
    }
}

impl std::error::Error for Error {}

crate::debug_as_display!(Error);

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.op)?;
        match &*self.reason {
            Reason::Broadcast { left, right } => {
                write!(f, "shapes do not broadcast: {left} and {right}")?;
                match last_misfit(left, right, |l, r| l == r || l == 1 || r == 1) {
                    Some((axis, l, r)) => write!(f, " (axis -{axis}: {l} and {r}; equal sizes, or 1, would fit)"),
                    None => Ok(()),
                }
            }
            Reason::Expand { from, to } => {
                write!(f, "{from} does not broadcast to {to}")?;
                match last_misfit(from, to, |l, r| l == r || l == 1) {
                    Some((axis, l, r)) => write!(f, " (axis -{axis}: {l} and {r}; only an axis of size 1 can grow)"),
                    None => write!(f, " (it has more axes)"),
                }
            }
            Reason::Infer { numel, dims } => {
                let shown = dims.iter().map(|&dim| if dim == crate::INFER { "_".to_owned() } else { dim.to_string() });
                write!(f, "{numel} elements cannot be [{}]: ", shown.collect::<Vec<_>>().join(", "))?;
                let known: Vec<usize> = dims.iter().copied().filter(|&dim| dim != crate::INFER).collect();
                match known.iter().product() {
                    _ if dims.len() - known.len() > 1 => f.write_str("only one axis can be inferred"),
                    0 => f.write_str("any size would do"),
                    known => write!(f, "they are no multiple of {known}"),
                }
            }
            Reason::Differ { want, got } => write!(f, "needs the shape {want}, got {got}"),
            Reason::Inner { left, right } => {
                // A vector's only axis is the inner one on either side.
                let k = left.dims()[left.rank() - 1];
                let l = right.dims()[right.rank().saturating_sub(2)];
                write!(f, "inner dimensions differ: {left} × {right} ({k} ≠ {l})")
            }
            Reason::Batches { left, right } => {
                let batch = |shape: &Shape| shape.dims()[..shape.rank().saturating_sub(2)].to_vec();
                let (l, r) = (batch(left), batch(right));
                write!(f, "batches do not broadcast: {left} × {right} ({l:?} and {r:?}; equal sizes, or 1, would fit)")
            }
            Reason::Rank { want, got } => write!(f, "needs {want}, got {got} of rank {}", got.rank()),
            Reason::Axis { axis, shape } => match shape.rank() as isize {
                0 => write!(f, "axis {axis} of a scalar, which has none"),
                rank => write!(f, "axis {axis} is out of range for {shape}: it has {}..={}", -rank, rank - 1),
            },
            Reason::NewAxis { axis, shape } => {
                let rank = shape.rank() as isize;
                write!(f, "a new axis {axis} is out of range for {shape}: it may be {}..={rank}", -rank - 1)
            }
            Reason::Axes { axes, shape, rule } => {
                write!(f, "the axes {axes:?} do not fit {shape}: {rule}")
            }
            Reason::Length { len, shape } => {
                write!(f, "{len} elements do not fill {shape}, which takes {}", shape.numel())
            }
            Reason::Reshape { from, to } => {
                write!(f, "{from} has {} elements, {to} has {}", from.numel(), to.numel())
            }
            Reason::Slice { start, end, step, axis, shape } => {
                let size = shape.dims()[*axis];
                write!(
                    f,
                    "{start}..{end} by {step} does not fit axis {axis} of {shape}: \
                     0 ≤ start ≤ end ≤ {size} and a step of at least 1 would, where -1 is the last index"
                )
            }
            Reason::Index { index, position, size } => {
                write!(f, "index {index} (entry {position} of the indices) is out of range: 0 ≤ index < {size}")
            }
            Reason::Squeeze { axis, shape } => {
                write!(f, "axis {axis} of {shape} has size {}, not 1", shape.dims()[*axis])
            }
            Reason::TooLarge { dims } => {
                write!(f, "a shape of {dims:?} has more elements than can be addressed")
            }
            Reason::Memory { shape, dtype, bytes } => {
                write!(f, "{shape} of {dtype} takes {bytes} bytes, which the system does not have")
            }
            Reason::Select { index, size } => write!(f, "index {index} is out of range: -{size} ≤ index < {size}"),
            Reason::Nothing { shape } => {
                write!(f, "nothing to choose from in {shape}: needs at least one element for each result")
            }
            Reason::Elements { got } => write!(f, "needs exactly one element, got {got} of {}", got.numel()),
            Reason::Argument { why } => f.write_str(why),
            Reason::Threads { why } => write!(f, "{why}; give at least 1, and no more than the system can start"),
        }
    }
}

/// The last axis, counted from the end, at which two shapes do not fit each other.
fn last_misfit(left: &Shape, right: &Shape, fits: fn(usize, usize) -> bool) -> Option<(usize, usize, usize)> {
    let pairs = left.dims().iter().rev().zip(right.dims().iter().rev());
    let mut axes = pairs.enumerate().map(|(i, (&l, &r))| (i + 1, l, r));
    axes.find(|&(_, l, r)| !fits(l, r))
}

/// A shape mistake in an operator is a bug in the program: panic where the program made it.
pub(crate) trait OrPanic<V> {
    /// The value, or a panic at the caller's line.
    #[track_caller]
    fn or_panic(self) -> V;
}

impl<V> OrPanic<V> for Result<V, Error> {
    #[inline]
    #[track_caller]
    fn or_panic(self) -> V {
        match self {
            Ok(value) => value,
            Err(error) => fail(&error),
        }
    }
}

#[cold]
#[track_caller]
fn fail(error: &Error) -> ! {
    panic!("{error}{}", crate::Whereabouts)
}
