//! Functions of each element, over rows whose elements are neighbours or all the same.

use std::mem::MaybeUninit;

use super::copy::{Lines, copy_rows};
use super::isa::kernel;
use super::simd::prefetch;
use crate::kernel::Scalar;
use crate::par;

/// One row of an operand.
#[derive(Clone, Copy)]
pub(crate) enum Row<'a, T> {
    /// Neighbours in memory.
    Contiguous(&'a [T]),
    /// One element, repeated.
    Splat(T),
}

impl<'a, T: Copy> Row<'a, T> {
    /// `len` elements, at least 1, of `data` from `at` on, `stride` apart.
    ///
    /// # Panics
    /// The stride is neither 0 nor 1: operands with another one are copied before (`Tensor::readable`).
    #[inline]
    pub(crate) fn new(data: &'a [T], at: usize, stride: isize, len: usize) -> Self {
        match stride {
            1 => Row::Contiguous(&data[at..][..len]),
            0 => Row::Splat(data[at]),
            _ => unreachable!("a row with a stride of {stride}"),
        }
    }

    /// `len` of its elements, from `start` on.
    #[inline(always)]
    pub(crate) fn part(&self, start: usize, len: usize) -> Self {
        match *self {
            Row::Contiguous(row) => Row::Contiguous(&row[start..][..len]),
            Row::Splat(x) => Row::Splat(x),
        }
    }

    #[inline(always)]
    pub(crate) fn get(&self, i: usize) -> T {
        match *self {
            Row::Contiguous(row) => row[i],
            Row::Splat(x) => x,
        }
    }
}

/// Block length, used only where an operand is one repeated element or memory is asked for ahead; else a row is one call.
const REPEATED: usize = 256;

/// How many elements of an operand are brought together where they lie apart, as in short rows: of so many, what a call of a loop costs
/// no longer matters, and they stay in the L1 cache.
pub(crate) const GATHERED: usize = 512;

/// Whether memory is to be asked for ahead by a function that writes so many bytes, at so many nanoseconds an element: where they are
/// more than caches hold; or more than the L2 cache holds, and the function computes so long that the processor does not get to the
/// loads of the next elements by itself.
///
/// The processor itself looks ahead within a page of 4 KiB, but not into the next page. Asking saved an Emerald Rapids 17 % of a
/// relu of 64 MiB (39 % on two threads), but 1 to 3 % of one of 4 MiB. To an AMD EPYC it was a loss: 5 to 15 % of one of 4 MiB. Of a
/// tanh, an exp or a sigmoid of 4 MiB it saved a Granite Rapids 6 to 8 %.
pub(crate) fn asks_ahead(bytes: usize, cost: f64) -> bool {
    let computes = (par::TRANSCENDENTAL..=par::POWER).contains(&cost);
    bytes >= if computes { 4 << 20 } else { 32 << 20 }
}

/// How far ahead memory is asked for, in bytes. 1 or 2 KiB were no better.
const AHEAD: usize = 4096;

/// Asks for the memory that lies [`AHEAD`] of this block, line by line.
fn ask_ahead<T>(block: &[T]) {
    const LINE: usize = 64;
    for line in (0..size_of_val(block)).step_by(LINE) {
        prefetch(block.as_ptr().wrapping_byte_add(AHEAD + line));
    }
}

kernel! {
    fn fill[T: Copy](room: &mut [MaybeUninit<T>], x: T), memory {
        room.fill(MaybeUninit::new(x));
    }
}

/// Room for a block of one element, repeated.
pub(crate) struct Block<T>([MaybeUninit<T>; REPEATED]);

impl<T: Copy> Block<T> {
    pub(crate) fn new() -> Self {
        Block([MaybeUninit::uninit(); REPEATED])
    }

    /// The element, `len` times, or as often as there is room for it.
    pub(crate) fn repeat(&mut self, x: T, len: usize) -> &[T] {
        let room = &mut self.0[..len.min(REPEATED)];
        fill(room, x);
        // SAFETY: `fill` has written every element.
        unsafe { std::slice::from_raw_parts(room.as_ptr().cast::<T>(), room.len()) }
    }

    /// The row, if it is one of neighbours; else as many of its elements as are read at once, which are written here. So
    /// functions read neighbours only. The block is in the L1 cache, from which a processor loads two vectors while it
    /// stores one.
    fn operand<'a>(&'a mut self, row: Row<'a, T>, len: usize) -> Operand<'a, T> {
        match row {
            Row::Contiguous(row) => Operand { elements: row, step: 1 },
            Row::Splat(x) => Operand { elements: self.repeat(x, len), step: 0 },
        }
    }
}

/// An operand of which blocks of whole rows, or pieces of one row, are read as a single row.
pub(crate) struct Reader<'a, T> {
    data: &'a [T],
    stride: isize,
    /// From one row to the next.
    pitch: isize,
    room: [T; GATHERED],
    /// What the room holds: where it begins, how many rows, and of how many elements.
    held: Option<(usize, usize, usize)>,
}

impl<'a, T: Scalar> Reader<'a, T> {
    pub(crate) fn new(data: &'a [T], stride: isize, pitch: isize) -> Self {
        Reader { data, stride, pitch, room: [T::default(); GATHERED], held: None }
    }

    /// `rows` rows of `len` elements, at least one each, the first of which lies at `at`; at most `GATHERED` elements, unless it is one
    /// row with a stride of 0 or 1.
    #[inline]
    pub(crate) fn read(&mut self, at: usize, rows: usize, len: usize) -> Row<'_, T> {
        match self.stride {
            1 if rows == 1 || self.pitch == len as isize => Row::Contiguous(&self.data[at..][..rows * len]),
            0 if rows * len > GATHERED || rows == 1 && self.pitch != 0 => Row::Splat(self.data[at]),
            _ => Row::Contiguous(self.gathered(at, rows, len)),
        }
    }

    /// As [`read`](Self::read), of at most `GATHERED` elements, which are written out where they are all the same.
    #[inline]
    pub(crate) fn read_elements(&mut self, at: usize, rows: usize, len: usize) -> &[T] {
        match self.stride {
            1 if rows == 1 || self.pitch == len as isize => &self.data[at..][..rows * len],
            _ => self.gathered(at, rows, len),
        }
    }

    fn gathered(&mut self, at: usize, rows: usize, len: usize) -> &[T] {
        // The same again, of an operand that is broadcast.
        let same = |held: (usize, usize, usize)| held.0 == at && held.2 == len;
        let again = self.held.is_some_and(|held| same(held) && (rows == held.1 || rows < held.1 && self.pitch == 0));
        if !again {
            let from = Lines { at, pitch: self.pitch, stride: self.stride };
            copy_rows(self.data, from, &mut self.room, Lines::of(len), rows, len);
            self.held = Some((at, rows, len));
        }
        &self.room[..rows * len]
    }
}

/// An operand that is read block by block.
#[derive(Clone, Copy)]
struct Operand<'a, T> {
    elements: &'a [T],
    /// 1 if blocks follow each other, 0 if all of them are the first.
    step: usize,
}

impl<'a, T> Operand<'a, T> {
    /// `len` elements from `start` on.
    fn block(self, start: usize, len: usize, ahead: bool) -> &'a [T] {
        let block = &self.elements[start * self.step..][..len];
        if ahead && self.step == 1 {
            ask_ahead(block);
        }
        block
    }
}

/// The blocks of an output, each with where it begins: the output as a whole, if it is not to be `cut`.
fn blocks<V>(out: &mut [V], cut: bool, ahead: bool) -> impl Iterator<Item = (usize, &mut [V])> {
    let len = if cut || ahead { REPEATED } else { out.len().max(1) };
    out.chunks_mut(len).enumerate().map(move |(i, block)| {
        if ahead {
            ask_ahead(block);
        }
        (i * len, block)
    })
}

/// A function of one element, by its loop.
pub(crate) trait Unary<T>: Sync {
    type Output;

    /// What an element costs, in nanoseconds.
    fn cost(&self) -> f64;

    /// out\[i] = f(x\[i])
    fn map(&self, x: &[T], out: &mut [Self::Output]);
}

/// A function of two elements, by its loop.
pub(crate) trait Binary<T, U>: Sync {
    type Output;

    /// What a pair costs, in nanoseconds.
    fn cost(&self) -> f64;

    /// out\[i] = f(x\[i], y\[i])
    fn zip(&self, x: &[T], y: &[U], out: &mut [Self::Output]);
}

/// A function of N elements, by its loop.
pub(crate) trait Several<T, const N: usize>: Sync {
    /// out\[i] = f(x\[0]\[i], x\[1]\[i], …)
    fn map(&self, x: [&[T]; N], out: &mut [T]);

    /// As [`map`](Self::map), if the operands that are one number are those for which it is compiled; else false.
    fn map_row(&self, _: [Row<'_, T>; N], _: &mut [T]) -> bool {
        false
    }
}

/// A function of two elements whose result may take the place of the first.
pub(crate) trait BinaryAssign<T, U>: Binary<T, U, Output = T> {
    /// x\[i] = f(x\[i], y\[i])
    fn zip_assign(&self, x: &mut [T], y: &[U]);
}

/// A user's closure, whose loops are compiled in the user's crate. The functions that have a name are in `functions`.
pub(crate) struct Closure<'a, F>(pub(crate) &'a F);

impl<T: Copy, U, F: Fn(T) -> U + Sync> Unary<T> for Closure<'_, F> {
    type Output = U;

    /// Nobody knows what a closure costs.
    fn cost(&self) -> f64 {
        par::STREAM
    }

    fn map(&self, x: &[T], out: &mut [U]) {
        kernel! {
            fn closure[T: Copy, U, F: Fn(T) -> U](x: &[T], out: &mut [U], f: &F), closure {
                for (out, &x) in out.iter_mut().zip(x) {
                    *out = f(x);
                }
            }
        }
        closure(x, out, self.0);
    }
}

impl<T: Copy, U: Copy, V, F: Fn(T, U) -> V + Sync> Binary<T, U> for Closure<'_, F> {
    type Output = V;

    fn cost(&self) -> f64 {
        par::STREAM
    }

    fn zip(&self, x: &[T], y: &[U], out: &mut [V]) {
        kernel! {
            fn closure[T: Copy, U: Copy, V, F: Fn(T, U) -> V](x: &[T], y: &[U], out: &mut [V], f: &F), closure {
                for ((out, &x), &y) in out.iter_mut().zip(x).zip(y) {
                    *out = f(x, y);
                }
            }
        }
        closure(x, y, out, self.0);
    }
}

impl<T: Copy, U: Copy, F: Fn(T, U) -> T + Sync> BinaryAssign<T, U> for Closure<'_, F> {
    fn zip_assign(&self, x: &mut [T], y: &[U]) {
        kernel! {
            fn closure[T: Copy, U: Copy, F: Fn(T, U) -> T](x: &mut [T], y: &[U], f: &F), closure {
                for (x, &y) in x.iter_mut().zip(y) {
                    *x = f(*x, y);
                }
            }
        }
        closure(x, y, self.0);
    }
}

kernel! {
    /// x\[i] = f(x\[i])
    pub(crate) fn map_assign[T: Copy, F: Fn(T) -> T](x: &mut [T], f: F), closure {
        for x in x {
            *x = f(*x);
        }
    }
}

kernel! {
    /// out\[i] = f(i)
    pub(crate) fn map_counted[T, F: Fn(i32) -> T](out: &mut [T], f: F), closure {
        for (i, out) in (0..).zip(out) {
            *out = f(i);
        }
    }
}

// What follows is compiled once for each type of element, and not for each function: a function is called once for a block.

/// out\[i] = f(x\[i])
pub(crate) fn map<T: Copy, U>(f: &dyn Unary<T, Output = U>, x: Row<'_, T>, out: &mut [U], ahead: bool) {
    if let (Row::Contiguous(x), false) = (x, ahead) {
        return f.map(x, out);
    }
    let mut room = Block::new();
    let x = room.operand(x, out.len());
    for (start, out) in blocks(out, x.step == 0, ahead) {
        f.map(x.block(start, out.len(), ahead), out);
    }
}

/// out\[i] = f(x\[i], y\[i])
pub(crate) fn zip<T: Copy, U: Copy, V>(
    f: &dyn Binary<T, U, Output = V>,
    x: Row<'_, T>,
    y: Row<'_, U>,
    out: &mut [V],
    ahead: bool,
) {
    if let (Row::Contiguous(x), Row::Contiguous(y), false) = (x, y, ahead) {
        return f.zip(x, y, out);
    }
    let (mut room_x, mut room_y) = (Block::new(), Block::new());
    let (x, y) = (room_x.operand(x, out.len()), room_y.operand(y, out.len()));
    for (start, out) in blocks(out, x.step == 0 || y.step == 0, ahead) {
        f.zip(x.block(start, out.len(), ahead), y.block(start, out.len(), ahead), out);
    }
}

/// x\[i] = f(x\[i], y\[i])
pub(crate) fn zip_assign<T: Copy, U: Copy>(
    f: &dyn BinaryAssign<T, U, Output = T>,
    x: &mut [T],
    y: Row<'_, U>,
    ahead: bool,
) {
    if let (Row::Contiguous(y), false) = (y, ahead) {
        return f.zip_assign(x, y);
    }
    let mut room = Block::new();
    let y = room.operand(y, x.len());
    for (start, x) in blocks(x, y.step == 0, ahead) {
        f.zip_assign(x, y.block(start, x.len(), ahead));
    }
}

kernel! {
    /// x\[i] = value where mask\[i]
    pub(crate) fn fill_where[T: Scalar](x: &mut [T], mask: &[bool], value: T), memory {
        for (x, &mask) in x.iter_mut().zip(mask) {
            *x = std::hint::select_unpredictable(mask, value, *x);
        }
    }
}

/// out\[i] = x\[i] where mask\[i], else y\[i]
pub(crate) fn choose<T: Scalar>(mask: Row<'_, bool>, x: Row<'_, T>, y: Row<'_, T>, out: &mut [T]) {
    kernel! {
        fn choose[T: Scalar](mask: &[bool], x: &[T], y: &[T], out: &mut [T]), memory {
            for (((out, &mask), &x), &y) in out.iter_mut().zip(mask).zip(x).zip(y) {
                // With an `if`, the address is chosen and then loaded from, one element after the other: 3 times slower.
                *out = std::hint::select_unpredictable(mask, x, y);
            }
        }
    }
    let (mut room_mask, mut room_x, mut room_y) = (Block::new(), Block::new(), Block::new());
    let mask = room_mask.operand(mask, out.len());
    let (x, y) = (room_x.operand(x, out.len()), room_y.operand(y, out.len()));
    for (start, out) in blocks(out, mask.step * x.step * y.step == 0, false) {
        let len = out.len();
        choose(mask.block(start, len, false), x.block(start, len, false), y.block(start, len, false), out);
    }
}
