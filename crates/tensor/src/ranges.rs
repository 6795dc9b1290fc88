//! Vectors of numbers at equal distances.

use crate::create::{from_fn, room};
use crate::element::{Element, Float, Number};
use crate::error::{Error, OrPanic, Reason};
use crate::kernel;
use crate::shape::Shape;
use crate::tensor::Tensor;

impl<T: Number> Tensor<T> {
    /// The vector 0, 1, 2, … of `len` elements, by counting up: past the last whole number that `T` holds, integers
    /// follow Rust's rules of overflow and floats stand still.
    ///
    /// # Panics
    /// The system has no memory for `len` elements.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::arange(4), Tensor::from([0, 1, 2, 3]));
    /// ```
    #[track_caller]
    pub fn arange(len: usize) -> Self {
        let mut next = T::ZERO;
        let count = |i: usize| {
            // Not one further than asked: it may not exist.
            if i > 0 {
                next += T::ONE;
            }
            next
        };
        vector("arange", len, count).or_panic()
    }

    /// The vector start, start + step, start + 2 step, … up to but without `end`; PyTorch's `arange(start, end, step)`.
    /// There are ⌈(end − start) / step⌉ elements, and none where `end` is `start`.
    ///
    /// The number of floats, and each of them, is computed in f64 and rounded: no error adds up, but where the step is
    /// not exact, such as 0.1, an element close to `end` may appear. [`linspace`](Self::linspace) has no such doubt.
    ///
    /// # Panics
    /// The step is 0 or leads away from `end`, a number is infinite or NaN, or the system has no memory for so many
    /// elements.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::arange_step(2, 9, 3), Tensor::from([2, 5, 8]));
    /// assert_eq!(Tensor::arange_step(1.0, 0.0, -0.25), Tensor::from([1.0, 0.75, 0.5, 0.25]));
    /// ```
    #[doc(alias = "arange")]
    #[track_caller]
    pub fn arange_step(start: T, end: T, step: T) -> Self {
        arange_step(start, end, step).or_panic()
    }
}

impl<T: Float> Tensor<T> {
    /// The vector of `steps` numbers at equal distances from `start` to `end`, both of them included: one step is
    /// `start`.
    ///
    /// Computed in f64 and rounded, the first half from `start` upwards and the second from `end` downwards, as in
    /// PyTorch: the ends are exact and the distances symmetric. All between an infinite end and another number are infinite,
    /// and all between −∞ and ∞ are NaN.
    ///
    /// # Panics
    /// The system has no memory for `steps` elements.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::linspace(-1.0, 1.0, 5), Tensor::from([-1.0, -0.5, 0.0, 0.5, 1.0]));
    /// ```
    #[track_caller]
    pub fn linspace(start: T, end: T, steps: usize) -> Self {
        let (first, last) = (start.to_f64(), end.to_f64());
        let parts = steps.saturating_sub(1).max(1) as f64;
        let whole = last - first;
        // The distance between two f64 may be none.
        let distance = if whole.is_finite() { whole / parts } else { last / parts - first / parts };
        let (half, most) = ((steps / 2) as f64, (steps as f64) - 1.0);
        let number = move |i: f64| {
            let between = if i < half { first + distance * i } else { last - distance * (most - i) };
            let between = if distance.is_finite() { T::from_f64(between) } else { start + end };
            let between = if i < most { between } else { end };
            if i == 0.0 { start } else { between }
        };
        vector_of_floats("linspace", steps, number).or_panic()
    }
}

/// The vector of what `element` gives for each index below `len`, as the op `op`.
fn vector<T: Element>(op: &'static str, len: usize, mut element: impl FnMut(usize) -> T) -> Result<Tensor<T>, Error> {
    from_fn(op, len, |index| element(index[0]))
}

/// As [`vector`], of functions of the index as a float, which are computed in vectors.
fn vector_of_floats<T: Element>(
    op: &'static str,
    len: usize,
    element: impl Fn(f64) -> T + Copy,
) -> Result<Tensor<T>, Error> {
    /// So few that their numbers are i32, which become f64 in vectors.
    const BLOCK: usize = 1024;
    let shape = Shape::try_new(&[len]).map_err(|error| error.of(op))?;
    let mut out = room(op, &shape)?;
    for (block, out) in out.chunks_mut(BLOCK).enumerate() {
        let first = (block * BLOCK) as f64;
        kernel::map_counted(out, move |i| element(first + f64::from(i)));
    }
    Ok(Tensor::from_buffer(out, shape))
}

fn arange_step<T: Number>(start: T, end: T, step: T) -> Result<Tensor<T>, Error> {
    let refused = || {
        let why = format!("no step of {step} leads from {start} to {end}");
        let right = "a finite one that is not 0 and has the sign of end − start would";
        Error::new("arange_step", Reason::Argument { why: format!("{why}: {right}") })
    };
    if T::DTYPE.is_float() {
        let (first, end, by): (f64, f64, f64) = (start.convert(), end.convert(), step.convert());
        let leads = first == end || (first < end) == (by > 0.0);
        if !(leads && first.is_finite() && by.is_finite() && by != 0.0 && end.is_finite()) {
            return Err(refused());
        }
        let whole = end - first;
        // The distance between two f64 may be none; its half is one.
        let count = if whole.is_finite() { whole / by } else { 2.0 * ((end / 2.0 - first / 2.0) / by) };
        let count = count.ceil();
        if (by * count).is_finite() {
            return vector_of_floats("arange_step", count as usize, move |i| T::of_f64(first + by * i));
        }
        let element = |i: usize| match by * i as f64 {
            way if way.is_finite() => first + way,
            _ => 2.0 * (by / 2.0).mul_add(i as f64, first / 2.0),
        };
        return vector("arange_step", count as usize, |i| T::of_f64(element(i)));
    }
    let (first, end, by): (i64, i64, i64) = (start.convert(), end.convert(), step.convert());
    // The distance between two i64 may be none.
    let distance = i128::from(end) - i128::from(first);
    if by == 0 || distance.signum() * i128::from(by).signum() < 0 {
        return Err(refused());
    }
    let count = distance.unsigned_abs().div_ceil(u128::from(by.unsigned_abs()));
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    // The last is below the end; one step further may be no i64.
    vector("arange_step", count, |i| T::of_i64(first.wrapping_add((i as i64).wrapping_mul(by))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_lead_up_and_down_and_stop_before_the_end() {
        assert_eq!(Tensor::arange_step(5, -6, -4), Tensor::from([5, 1, -3]));
        assert_eq!(Tensor::arange_step(5, -7, -4), Tensor::from([5, 1, -3]));
        assert_eq!(Tensor::arange_step(3_u8, 3, 1).dims(), [0]);
        assert_eq!(Tensor::arange_step(0_u8, 255, 100), Tensor::from([0, 100, 200]));
        assert_eq!(Tensor::arange_step(i64::MIN, i64::MAX, i64::MAX), Tensor::from([i64::MIN, -1, i64::MAX - 1]));
        // torch.arange(0, 1, 0.1) has 10 elements, and this is each of them
        let tenths = Tensor::arange_step(0.0, 1.0, 0.1_f64);
        assert_eq!(tenths.to_vec(), (0..10).map(|i| 0.1 * f64::from(i)).collect::<Vec<_>>());
        assert_eq!(Tensor::arange_step(0.0, 1.0, 0.1_f32).numel(), 10);
        assert_eq!(Tensor::arange_step(1.0, 1.3, 0.1_f64).numel(), 4); // 1.3000000000000003 < 1.3 + 0.1
    }

    #[test]
    fn a_step_that_leads_nowhere_is_refused() {
        for (start, end, step) in [(0.0, 1.0, 0.0), (0.0, 0.0, 0.0), (0.0, 1.0, -1.0), (0.0, f64::INFINITY, 1.0)] {
            assert!(arange_step(start, end, step).is_err(), "{start} {end} {step}");
        }
        for (start, end, step) in [(f64::NAN, 1.0, 1.0), (0.0, f64::NAN, 1.0), (0.0, 1.0, f64::NAN), (0.0, 1.0, 1e-300)]
        {
            assert!(arange_step(start, end, step).is_err(), "{start} {end} {step}");
        }
        // The quotient of these is above −1, and so is rounded up to −0.
        for (start, end, step) in [(0.0, -0.5, 1.0), (0.0, 0.5, -1.0), (0.0, -1e-300, 1e300)] {
            assert!(arange_step(start, end, step).is_err(), "{start} {end} {step}");
            assert!(arange_step(start as f32, -0.5, 1.0).is_err());
        }
        for (start, end, step) in [(0, 1, 0), (0, 1, -1), (1, 0, 1), (0, 0, 0)] {
            assert!(arange_step(start, end, step).is_err(), "{start} {end} {step}");
        }
    }

    #[test]
    fn distances_that_no_float_holds_are_stepped_through() {
        let want = Tensor::from([-1.7e308, -0.7e308, 0.3e308, 1.3e308]);
        assert!(Tensor::arange_step(-1.7e308, 1.7e308, 1e308).allclose(&want, 1e-15, 0.0));
        assert!(Tensor::arange_step(1.7e308, -1.7e308, -1e308).allclose(&-want, 1e-15, 0.0));
        assert_eq!(Tensor::linspace(-1e308, 1e308, 5), Tensor::from([-1e308, -0.5e308, 0.0, 0.5e308, 1e308]));
        let most = Tensor::linspace(f64::MAX, -f64::MAX, 101);
        assert_eq!((most.flip(&[0]), most.to_vec()[50]), (-&most, 0.0));
        assert!(most.iter().all(f64::is_finite));
        assert_eq!(Tensor::linspace(-3e38_f32, 3e38, 5), Tensor::from([-3e38, -1.5e38, 0.0, 1.5e38, 3e38]));
        assert_eq!(Tensor::linspace(-f64::MAX, f64::MAX, 2), Tensor::from([-f64::MAX, f64::MAX]));
    }

    #[test]
    fn all_between_an_infinite_end_and_a_number_is_infinite() {
        fn check<T: Float>() {
            let (inf, two) = (T::INFINITY, T::from_f64(2.0));
            assert_eq!(Tensor::linspace(inf, inf, 4), Tensor::full([4], inf));
            assert_eq!(Tensor::linspace(-inf, -inf, 5), Tensor::full([5], -inf));
            assert_eq!(Tensor::linspace(two, inf, 4), Tensor::from([two, inf, inf, inf]));
            assert_eq!(Tensor::linspace(-inf, two, 4), Tensor::from([-inf, -inf, -inf, two]));
            let both = Tensor::linspace(-inf, inf, 4);
            assert_eq!((both.to_vec()[0], both.to_vec()[3]), (-inf, inf));
            assert!(both.slice(0, 1..3).isnan().all(..).item());
        }
        check::<f32>();
        check::<f64>();
    }

    #[test]
    fn the_ends_are_exact_and_the_distances_symmetric() {
        assert_eq!(Tensor::linspace(3.0_f32, 9.0, 0).dims(), [0]);
        assert_eq!(Tensor::linspace(3.0_f32, 9.0, 1), Tensor::from([3.0]));
        assert_eq!(Tensor::linspace(3.0_f32, 9.0, 2), Tensor::from([3.0, 9.0]));
        assert_eq!(Tensor::linspace(9.0_f32, 3.0, 4), Tensor::from([9.0, 7.0, 5.0, 3.0]));
        for steps in 2..40 {
            let x = Tensor::linspace(-0.1_f32, 0.1, steps);
            assert_eq!((x.to_vec()[0], x.to_vec()[steps - 1]), (-0.1, 0.1));
            assert_eq!(x.flip(&[0]), -&x);
            assert!(x.as_slice().unwrap().is_sorted());
        }
    }
}
