//! Running sums and products.

#![allow(unreachable_pub, reason = "a supertrait of the public `Number`, which keeps it sealed")]

use super::isa::kernel;
use crate::kernel::Arithmetic;

/// An element whose running sum is kept in a type with more digits, where there is one.
pub trait Carried: Arithmetic {
    #[doc(hidden)]
    type Carry: Copy + std::ops::Add<Output = Self::Carry> + std::ops::Mul<Output = Self::Carry>;

    #[doc(hidden)]
    fn carry(self) -> Self::Carry;

    #[doc(hidden)]
    fn rounded(carry: Self::Carry) -> Self;
}

/// Stamps the conversion.
macro_rules! carried {
    ($($t:ident as $carry:ident)*) => {$(
        impl Carried for $t {
            type Carry = $carry;

            #[inline(always)]
            fn carry(self) -> $carry {
                self.into()
            }

            #[inline(always)]
            fn rounded(carry: $carry) -> Self {
                carry as $t
            }
        }
    )*};
}

carried!(f32 as f64 f64 as f64 i32 as i32 i64 as i64 u8 as u8);

/// How the running value takes in the next element. `join` is `#[inline(always)]`.
pub(crate) trait Join<T: Carried>: Copy + Sync {
    fn join(self, a: T::Carry, b: T::Carry) -> T::Carry;
}

/// Their sum.
#[derive(Clone, Copy)]
pub(crate) struct RunningSum;

impl<T: Carried> Join<T> for RunningSum {
    #[inline(always)]
    fn join(self, a: T::Carry, b: T::Carry) -> T::Carry {
        a + b
    }
}

/// Their product.
#[derive(Clone, Copy)]
pub(crate) struct RunningProduct;

impl<T: Carried> Join<T> for RunningProduct {
    #[inline(always)]
    fn join(self, a: T::Carry, b: T::Carry) -> T::Carry {
        a * b
    }
}

/// Lines that are scanned at once: each addition waits only for the one before in its own line.
const LINES_AT_ONCE: usize = 4;

/// x\[i] = join(x\[i − 1], x\[i]) in each line of `width` neighbours, one after the other.
pub(crate) fn scan_rows<T: Carried>(x: &mut [T], width: usize, join: impl Join<T>) {
    for rows in x.chunks_mut(LINES_AT_ONCE * width) {
        if rows.len() < LINES_AT_ONCE * width {
            for row in rows.chunks_mut(width) {
                scan_together([row], join);
            }
            continue;
        }
        let mut rows = rows.chunks_mut(width);
        let rows: [&mut [T]; LINES_AT_ONCE] = std::array::from_fn(|_| rows.next().expect("as many as that"));
        scan_together(rows, join);
    }
}

fn scan_together<T: Carried, const N: usize>(x: [&mut [T]; N], join: impl Join<T>) {
    let mut carry = std::array::from_fn::<_, N, _>(|k| x[k][0].carry());
    for i in 1..x[0].len() {
        for k in 0..N {
            carry[k] = join.join(carry[k], x[k][i].carry());
            x[k][i] = T::rounded(carry[k]);
        }
    }
}

kernel! {
    /// As [`scan_rows`], along the first axis of x of shape [len, width].
    pub(crate) fn scan_columns[T: Carried, J: Join<T>](x: &mut [T], width: usize, join: J), memory {
        let (first, rows) = x.split_at_mut(width);
        let mut carries: Vec<T::Carry> = first.iter().map(|x| x.carry()).collect();
        for row in rows.chunks_exact_mut(width) {
            for (x, carry) in row.iter_mut().zip(&mut carries) {
                *carry = join.join(*carry, x.carry());
                *x = T::rounded(*carry);
            }
        }
    }
}
