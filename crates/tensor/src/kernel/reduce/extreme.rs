//! The smallest and the largest element, and where they are.

/// The larger one, the first if they are equal; a NaN, the first if both are.
#[inline(always)]
#[allow(clippy::eq_op, reason = "a NaN is what differs from itself")]
pub(crate) fn larger<T: Copy + PartialOrd>(a: T, b: T) -> T {
    if b > a || (b != b && a == a) { b } else { a }
}

/// The smaller one, the first if they are equal; a NaN, the first if both are.
#[inline(always)]
#[allow(clippy::eq_op, reason = "a NaN is what differs from itself")]
pub(crate) fn smaller<T: Copy + PartialOrd>(a: T, b: T) -> T {
    if b < a || (b != b && a == a) { b } else { a }
}
