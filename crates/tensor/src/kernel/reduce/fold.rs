//! Reductions that take one element after the other.

use super::{Reduction, Rows};

/// A reduction by single elements: a few closures, short enough to be inlined wherever they are called.
pub(crate) struct Fold<O, S, F, J, E> {
    /// Of nothing, if that has a value.
    pub(crate) empty: Option<O>,
    /// What a part begins as, given one of its elements. That is folded too, and more than once.
    pub(crate) start: S,
    /// A part and one more element.
    pub(crate) fold: F,
    /// A part and the part of later elements.
    pub(crate) join: J,
    /// The result.
    pub(crate) finish: E,
}

impl<T, P, O, S, F, J, E> Reduction<T> for Fold<O, S, F, J, E>
where
    T: Copy,
    P: Copy + Send + Sync,
    O: Copy + Sync,
    S: Fn(T) -> P + Sync,
    F: Fn(P, T) -> P + Sync,
    J: Fn(P, P) -> P + Sync,
    E: Fn(P) -> O + Sync,
{
    type Part = P;
    type Output = O;

    #[inline(always)]
    fn empty(&self) -> Option<O> {
        self.empty
    }

    #[inline(always)]
    fn block(&self, x: &[T]) -> P {
        if x.len() < SHORT {
            return x.iter().fold((self.start)(x[0]), |part, &x| (self.fold)(part, x));
        }
        // As many lanes as fill four of the widest vectors, the latency of an addition.
        match size_of::<P>() > 4 {
            _ if x.len() < 128 => self.lanes::<16, T, P>(x),
            true => self.lanes::<32, T, P>(x),
            false => self.lanes::<64, T, P>(x),
        }
    }

    #[inline(always)]
    fn columns(&self, rows: &Rows<'_, T>, parts: &mut [P]) {
        for (part, &x) in parts.iter_mut().zip(rows.row(0)) {
            *part = (self.start)(x);
        }
        let whole = rows.len() - rows.len() % TOGETHER;
        for i in (0..whole).step_by(TOGETHER) {
            let rows: [&[T]; TOGETHER] = std::array::from_fn(|k| &rows.row(i + k)[..parts.len()]);
            for (j, part) in parts.iter_mut().enumerate() {
                *part = rows.iter().fold(*part, |part, row| (self.fold)(part, row[j]));
            }
        }
        for i in whole..rows.len() {
            for (part, &x) in parts.iter_mut().zip(rows.row(i)) {
                *part = (self.fold)(*part, x);
            }
        }
    }

    #[inline(always)]
    fn join(&self, a: P, b: P) -> P {
        (self.join)(a, b)
    }

    #[inline(always)]
    fn finish(&self, part: P) -> O {
        (self.finish)(part)
    }
}

/// Below this many elements, one after the other is as fast as lanes that are joined in the end.
const SHORT: usize = 16;

/// Rows that are folded at once: each part is loaded and stored but once for all of them.
const TOGETHER: usize = 8;

impl<O, S, F, J, E> Fold<O, S, F, J, E> {
    /// Elements, of which there are some, in independent lanes.
    #[inline(always)]
    fn lanes<const LANES: usize, T, P>(&self, x: &[T]) -> P
    where
        T: Copy,
        P: Copy,
        S: Fn(T) -> P,
        F: Fn(P, T) -> P,
        J: Fn(P, P) -> P,
    {
        let mut lanes = [(self.start)(x[0]); LANES];
        let (rows, rest) = x.as_chunks::<LANES>();
        let (whole, rows) = rows.as_chunks::<TOGETHER>();
        // Lane by lane, which the compiler turns into vectors; row by row, it would keep the lanes in memory.
        for rows in whole {
            for (j, lane) in lanes.iter_mut().enumerate() {
                *lane = rows.iter().fold(*lane, |lane, row| (self.fold)(lane, row[j]));
            }
        }
        for row in rows {
            for (lane, &x) in lanes.iter_mut().zip(row) {
                *lane = (self.fold)(*lane, x);
            }
        }
        for (lane, &x) in lanes.iter_mut().zip(rest) {
            *lane = (self.fold)(*lane, x);
        }
        halve::<32, P>(&mut lanes, &self.join);
        halve::<16, P>(&mut lanes, &self.join);
        halve::<8, P>(&mut lanes, &self.join);
        halve::<4, P>(&mut lanes, &self.join);
        halve::<2, P>(&mut lanes, &self.join);
        halve::<1, P>(&mut lanes, &self.join);
        lanes[0]
    }
}

/// Joins twice HALF lanes to HALF, where there are as many. The number is constant, for the sake of vectors.
#[inline(always)]
fn halve<const HALF: usize, P: Copy>(lanes: &mut [P], join: &impl Fn(P, P) -> P) {
    if lanes.len() > HALF {
        for j in 0..HALF {
            lanes[j] = join(lanes[j], lanes[j + HALF]);
        }
    }
}
