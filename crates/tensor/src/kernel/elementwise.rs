//! Elementwise loops over one row. Rows of stride 1 and repeated elements get loops that the compiler vectorizes.

/// One row of an operand: `len` elements of `data` from `at` on, `stride` apart.
#[derive(Clone, Copy)]
pub(crate) enum Row<'a, T> {
    /// Neighbours in memory.
    Contiguous(&'a [T]),
    /// One element, repeated.
    Splat(T),
    /// Any other stride.
    Strided { data: &'a [T], at: usize, stride: isize },
}

impl<'a, T: Copy> Row<'a, T> {
    /// The row of a non-empty walk; `len` is at least 1.
    #[inline]
    pub(crate) fn new(data: &'a [T], at: usize, stride: isize, len: usize) -> Self {
        match stride {
            1 => Row::Contiguous(&data[at..][..len]),
            0 => Row::Splat(data[at]),
            _ => Row::Strided { data, at, stride },
        }
    }

    #[inline(always)]
    pub(crate) fn get(&self, i: usize) -> T {
        match *self {
            Row::Contiguous(row) => row[i],
            Row::Splat(x) => x,
            Row::Strided { data, at, stride } => data[at.wrapping_add_signed(i as isize * stride)],
        }
    }
}

/// out\[i] = f(x\[i])
#[inline]
pub(crate) fn map<T: Copy, U>(x: Row<'_, T>, out: &mut [U], f: impl Fn(T) -> U) {
    match x {
        Row::Contiguous(x) => {
            for (out, &x) in out.iter_mut().zip(x) {
                *out = f(x);
            }
        }
        x => {
            for (i, out) in out.iter_mut().enumerate() {
                *out = f(x.get(i));
            }
        }
    }
}

/// out\[i] = f(x\[i], y\[i])
#[inline]
pub(crate) fn zip<T: Copy, U: Copy, V>(x: Row<'_, T>, y: Row<'_, U>, out: &mut [V], f: impl Fn(T, U) -> V) {
    match (x, y) {
        (Row::Contiguous(x), Row::Contiguous(y)) => {
            for ((out, &x), &y) in out.iter_mut().zip(x).zip(y) {
                *out = f(x, y);
            }
        }
        (Row::Splat(x), y) => map(y, out, |y| f(x, y)),
        (x, Row::Splat(y)) => map(x, out, |x| f(x, y)),
        (x, y) => {
            for (i, out) in out.iter_mut().enumerate() {
                *out = f(x.get(i), y.get(i));
            }
        }
    }
}

/// x\[i] = f(x\[i], y\[i])
#[inline]
pub(crate) fn zip_assign<T: Copy, U: Copy>(x: &mut [T], y: Row<'_, U>, f: impl Fn(T, U) -> T) {
    match y {
        Row::Contiguous(y) => {
            for (x, &y) in x.iter_mut().zip(y) {
                *x = f(*x, y);
            }
        }
        Row::Splat(y) => {
            for x in x {
                *x = f(*x, y);
            }
        }
        y => {
            for (i, x) in x.iter_mut().enumerate() {
                *x = f(*x, y.get(i));
            }
        }
    }
}
