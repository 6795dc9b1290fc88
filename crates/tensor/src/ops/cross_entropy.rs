//! Cross-entropy fused with softmax, and its pullback.

use crate::buffer::Buffer;
use crate::element::Float;
use crate::error::{Error, OrPanic, Reason};
use crate::kernel::{self, Normalize, Softmax};
use crate::par;
use crate::shape::Shape;
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// The cross-entropy of each row of logits with its class, −ln softmax(x)ₜ = ln Σₖ exp xₖ − xₜ, and the softmax
    /// that its pullback needs.
    ///
    /// Logits `[…, C]` and `classes` `[…]` give losses `[…]`, in nats, and probabilities `[…, C]`. Nothing overflows.
    ///
    /// # Panics
    /// The shapes do not fit, or a class is negative or not below C.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let logits = Tensor::from([[0.0, 0.0], [1000.0, 0.0]]);
    /// let (losses, p) = logits.cross_entropy(&Tensor::from([1, 0]));
    /// assert_eq!(losses, Tensor::from([2.0_f64.ln(), 0.0]));
    /// assert_eq!(p, Tensor::from([[0.5, 0.5], [1.0, 0.0]]));
    /// ```
    #[track_caller]
    pub fn cross_entropy(&self, classes: &Tensor<i64>) -> (Self, Self) {
        T::cross_entropy(self, classes).or_panic()
    }

    /// How many classes C logits `[…, C]` tell apart, if each of `classes` `[…]` is one of them.
    #[doc(hidden)]
    #[track_caller]
    pub fn check_classes(&self, op: &'static str, classes: &Tensor<i64>) -> usize {
        check(op, self.shape(), classes).or_panic()
    }
}

/// The losses, and the probabilities.
pub(crate) fn cross_entropy<T: Float>(x: &Tensor<T>, classes: &Tensor<i64>) -> Result<(Tensor<T>, Tensor<T>), Error> {
    let (x, classes) = (x.contiguous(), classes.contiguous());
    let width = check("cross_entropy", x.shape(), &classes)?;
    let (x_data, class) = (x.as_slice().expect("made contiguous"), classes.as_slice().expect("made contiguous"));
    let mut p = Buffer::stale(x.numel());
    let mut losses = Buffer::stale(classes.numel());
    if !p.is_empty() {
        par::split_rows(
            (&mut p[..], &mut losses[..]),
            [width, 1],
            width as f64 * <Softmax as Normalize<T>>::COST,
            &|start, p, losses| {
                let x = &x_data[start * width..][..p.len()];
                let mut sums = Buffer::stale(losses.len());
                let sums = &mut *sums;
                kernel::normalize_rows(p, x, width, Softmax, &mut |i, largest, sum| {
                    losses[i] = largest - x[i * width + class[start + i] as usize];
                    sums[i] = sum;
                });
                // Apart, since their sum would round the logarithm away where the largest is large.
                kernel::add_logarithms(losses, sums);
            },
        );
    }
    Ok((Tensor::from_buffer(losses, classes.shape().clone()), Tensor::from_buffer(p, x.shape().clone())))
}

pub(crate) fn cross_entropy_backward<T: Float>(
    p: &Tensor<T>,
    classes: &Tensor<i64>,
    gradient: &Tensor<T>,
) -> Result<Tensor<T>, Error> {
    let classes = classes.contiguous();
    let width = check("cross_entropy_backward", p.shape(), &classes)?;
    gradient.expect_shape("cross_entropy_backward", classes.shape())?;
    let (p, gradient) = (p.contiguous(), gradient.contiguous());
    let (p_data, gradient) = (p.as_slice().expect("made contiguous"), gradient.as_slice().expect("made contiguous"));
    let class = classes.as_slice().expect("made contiguous");
    let mut x = Buffer::stale(p.numel());
    if !x.is_empty() {
        par::split(&mut x, width, par::STREAM, |start, x| {
            let rows = start / width..(start + x.len()) / width;
            let (gradient, class) = (&gradient[rows.clone()], &class[rows]);
            kernel::scale_rows(x, &p_data[start..][..x.len()], gradient);
            for ((row, &class), &gradient) in x.chunks_exact_mut(width).zip(class).zip(gradient) {
                row[class as usize] -= gradient;
            }
        });
    }
    Ok(Tensor::from_buffer(x, p.shape().clone()))
}

/// The number of classes, if each of `classes` is one of them.
fn check(op: &'static str, logits: &Shape, classes: &Tensor<i64>) -> Result<usize, Error> {
    let Some((&size, batch)) = logits.dims().split_last() else {
        return Err(Error::new(op, Reason::Rank { want: "at least one axis", got: logits.clone() }));
    };
    if classes.dims() != batch {
        let why = format!("logits {logits} need classes of the shape {batch:?}, got {}", classes.shape());
        return Err(Error::new(op, Reason::Argument { why }));
    }
    match classes.iter().enumerate().find(|&(_, class)| usize::try_from(class).map_or(true, |class| class >= size)) {
        Some((example, class)) => {
            let last = size.saturating_sub(1);
            let hint = if class == -100 { "; to ignore it, as PyTorch does, give it as `ignore_index`" } else { "" };
            let why =
                format!("the class of example {example} is {class}, but of {size} each must be in 0..={last}{hint}");
            Err(Error::new(op, Reason::Argument { why }))
        }
        None => Ok(size),
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::Pullback;
    use approx::assert_relative_eq;

    use super::*;

    #[test]
    fn agrees_with_the_definition_for_any_batch_and_strides() {
        let x = Tensor::from_fn([4, 2, 3], |i| (i[0] * 5 + i[1] * 3 + i[2]) as f64 / 3.0 - 2.0).permute(&[1, 2, 0]);
        let classes = Tensor::from([[0, 3, 1], [2, 2, 0]]);
        let (losses, p) = x.cross_entropy(&classes);
        assert_eq!(p, x.softmax(-1));
        for i in 0..2 {
            for j in 0..3 {
                let class = classes.get(&[i, j]).unwrap() as usize;
                assert_relative_eq!(
                    losses.get(&[i, j]).unwrap(),
                    -p.get(&[i, j, class]).unwrap().ln(),
                    max_relative = 1e-13
                );
            }
        }
    }

    #[test]
    fn confident_mistakes_stay_finite() {
        let (losses, _) = Tensor::from([[1e4_f32, -1e4]]).cross_entropy(&Tensor::from([1]));
        assert_eq!(losses.item(), 2e4);
    }

    #[test]
    fn large_logits_keep_their_digits() {
        for (logits, want) in [([1000.0_f32, 990.0], 4.539_889_9e-5_f32), ([100_001.0, 100_000.0], 0.313_261_7)] {
            let (losses, _) = Tensor::from([logits]).cross_entropy(&Tensor::from([0]));
            // 1 + e⁻¹⁰ has but three digits beyond the 1.
            assert_relative_eq!(losses.item(), want, max_relative = 2e-3);
        }
    }

    #[test]
    fn threads_leave_no_trace() {
        let x = Tensor::from_fn([1001, 300], |i| ((i[0] * 7919 + i[1] * 31) % 1013) as f32 / 100.0);
        let classes: Tensor<i64> = (0..1001).map(|i| i * 7 % 300).collect();
        let both = || {
            let (losses, p) = x.cross_entropy(&classes);
            let gradient = losses.clone().pullback(Pullback::CrossEntropy(&classes), &p);
            (losses, p, gradient)
        };
        let want = crate::with_threads(1, both).unwrap();
        for threads in [2, 3, 8] {
            assert_eq!(crate::with_threads(threads, both).unwrap(), want);
        }
    }

    #[test]
    fn no_examples_have_no_losses() {
        let classes = Tensor::from_vec(vec![], 0);
        let (losses, p) = Tensor::<f32>::zeros([0, 5]).cross_entropy(&classes);
        assert_eq!((losses.dims(), p.dims()), (&[0][..], &[0, 5][..]));
        assert_eq!(losses.clone().pullback(Pullback::CrossEntropy(&classes), &p).dims(), [0, 5]);
    }

    #[test]
    #[should_panic(expected = "cross_entropy: the class of example 1 is 5, but of 5 each must be in 0..=4")]
    fn a_class_out_of_range_is_named_with_its_example() {
        Tensor::<f32>::zeros([2, 5]).cross_entropy(&Tensor::from([4, 5]));
    }

    #[test]
    #[should_panic(expected = "cross_entropy: logits [2, 5] need classes of the shape [2], got [3]")]
    fn as_many_classes_as_rows_are_needed() {
        Tensor::<f32>::zeros([2, 5]).cross_entropy(&Tensor::from([0, 1, 2]));
    }
}
