//! The gradient of the weights of few channels: for each weight Σ x ȳ over all windows.
//!
//! Neither side is copied into panels: of both, 16 neighbours are read at once, x from a strip and ȳ where it lies, and go to 16 sums of a
//! weight, which are added by halves in the end. The sums of a tile of weights stay in registers while it goes through some planes.
//!
//! Window i of a row goes to sum i mod 16, rows one after the other, or window i of a strip, where its copy has no gaps; all planes are cut into pieces as their number and their size say, whose
//! sums are added in order. So neither threads nor the instruction set leave a trace.

use std::ops::Range;

use super::{STRIP, Strips};
use crate::buffer::Buffer;
use crate::kernel::conv::Channels;
use crate::kernel::conv::windows::Windows;
use crate::kernel::matmul::Vectorized;
use crate::kernel::simd::{self, Simd, Vector, VectorKernel, run_for_each_set};
use crate::par::{self, Hands, Shared};

/// In how many parts the sum of a weight is kept.
const PARTS: usize = 16;

/// The most pieces, and the fewest multiply-adds of one.
const PIECES: usize = 32;
const PIECE: usize = 1 << 21;

/// The most weights of a group: with more, their sums do not stay in the L2 cache.
const WEIGHTS: usize = 1 << 13;

/// How the gradient of the weights of one group is computed here, for so many output channels, if that is faster than by a product.
fn strips<T>(outputs: usize, windows: &Windows<'_, T>) -> Option<Strips> {
    let [_, of_y, of_x] = windows.counts();
    if windows.taps() == 1 || outputs * windows.rows() > WEIGHTS || windows.rows() == 0 || windows.columns() == 0 {
        return None;
    }
    // Lanes that are computed for nothing: here beyond the end of a row of windows or of a plane, there beyond the last output.
    let padded = |len: usize| len.next_multiple_of(PARTS) as f64 / len as f64;
    let (sparse, dense) = (padded(of_x), padded(of_y * of_x) + DENSE / outputs as f64);
    let best = if sparse <= dense { Strips::sparse(windows) } else { Strips::dense(windows) };
    // How much longer each takes than arithmetic without a pause; here strips are copied and read beside it, longer where they skip.
    let step = windows.axes()[2].step as f64;
    let product = padded(outputs) * (1.0 + WINDOWS / outputs as f64 + GRADIENT / windows.rows() as f64);
    (sparse.min(dense) * (1.0 + step) < product).then_some(best)
}

/// What a product copies: windows, of which a copy serves all outputs, and ȳ, of which it serves all rows. Fitted, as what strips take, to
/// images of 14 to 320 pixels a side, steps of 1 and 2, 1 to 32 channels in and 6 to 64 out (Zen 5, AVX-512, one thread).
const WINDOWS: f64 = 20.0;
const GRADIENT: f64 = 100.0;

/// What a copy for each tap along x costs, by the output channels that use it.
const DENSE: f64 = 1.0;

/// Whether the gradient of the weights of one group is computed here, for so many output channels.
pub(in crate::kernel::conv) fn gradient_pays<T>(outputs: usize, windows: &Windows<'_, T>) -> bool {
    strips(outputs, windows).is_some()
}

/// The gradient of the weights of all groups, `[groups · out, in · taps]` in row-major order, where [`gradient_pays`] has said so. Windows and
/// ȳ are those of the first group.
pub(in crate::kernel::conv) fn weight_gradient<T: Vectorized>(
    windows: &Windows<'_, T>,
    gradient: &Channels<'_, T>,
    groups: usize,
    out: &mut [T],
) {
    let len = windows.rows() * gradient.channels;
    let [of_z, of_y, of_x] = windows.counts();
    assert!(
        out.len() == groups * len && gradient.len == of_z * of_y * of_x && gradient.fits(groups),
        "a gradient for each window"
    );
    let strips = strips(gradient.channels, windows).unwrap_or_else(|| Strips::sparse(windows));
    let cuts = Cuts::new(windows, &strips, gradient.channels);
    let pieces = cuts.pieces;
    let all = [strips.offsets(windows, cuts.rows), strips.offsets(windows, of_y - (cuts.of_plane - 1) * cuts.rows)];
    // Each piece has sums of its own.
    let mut more = Buffer::<T>::stale((pieces - 1) * out.len());
    let (first, rest) = (Shared::new(out), Shared::new(&mut more));
    let cost = (groups * len * windows.columns()) as f64 * par::MULTIPLY_ADD;
    Hands::for_work(cost).each(groups * pieces, &|task| {
        let (group, piece) = (task / pieces, task % pieces);
        let to = match piece {
            0 => first.pointer().wrapping_add(group * len),
            _ => rest.pointer().wrapping_add(((piece - 1) * groups + group) * len),
        };
        // SAFETY: there are `len` sums of each group in `out`, and of each further piece in `more`; no other task has these.
        let out = unsafe { std::slice::from_raw_parts_mut(to, len) };
        simd::dispatch(Piece {
            windows: windows.group(group),
            gradient: gradient.group(group),
            strips: &strips,
            offsets: [&all[0], &all[1]],
            units: cuts.units(piece),
            cuts: &cuts,
            out,
        });
    });
    let whole = out.len();
    if pieces > 1 {
        par::split(out, 1, pieces as f64 * par::READ, |start, out| {
            for more in more.chunks_exact(whole) {
                out.iter_mut().zip(&more[start..]).for_each(|(sum, &more)| *sum += more);
            }
        });
    }
}

/// How the windows of a group are gone through.
struct Cuts {
    /// Rows of windows of a strip.
    rows: usize,
    /// Strips of a plane.
    of_plane: usize,
    /// Strips of all planes.
    units: usize,
    /// Runs of strips that have sums of their own.
    pieces: usize,
    /// Strips that a tile of weights goes through: those of several planes where they are small.
    at_once: usize,
}

impl Cuts {
    fn new<T>(windows: &Windows<'_, T>, strips: &Strips, outputs: usize) -> Self {
        let [_, of_y, of_x] = windows.counts();
        let a_row = strips.row(windows) + outputs * of_x * size_of::<T>();
        let rows = of_y.div_ceil(of_y.div_ceil((STRIP / a_row).clamp(1, of_y)));
        let of_plane = of_y.div_ceil(rows);
        let units = windows.planes() * of_plane;
        let pieces = (windows.rows() * outputs * windows.columns() / PIECE).clamp(1, PIECES).min(units);
        let at_once = if of_plane == 1 { (STRIP / (a_row * of_y)).max(1) } else { 1 };
        Cuts { rows, of_plane, units, pieces, at_once }
    }

    /// The strips of a piece.
    fn units(&self, piece: usize) -> Range<usize> {
        self.units * piece / self.pieces..self.units * (piece + 1) / self.pieces
    }
}

/// Some planes, or strips of them, which are the work of one task.
struct Piece<'a, T> {
    windows: Windows<'a, T>,
    gradient: Channels<'a, T>,
    strips: &'a Strips,
    /// Of strips of `rows` rows of windows, and of the last one of a plane.
    offsets: [&'a [usize]; 2],
    cuts: &'a Cuts,
    units: Range<usize>,
    out: &'a mut [T],
}

impl<T: Vectorized> VectorKernel for Piece<'_, T> {
    type Output = ();

    run_for_each_set!();

    #[inline(always)]
    unsafe fn run_with<S: Simd>(self) {
        let Piece { windows, gradient, strips, offsets: all, cuts, units, out } = self;
        let (&Cuts { rows, of_plane, at_once, .. }, [of_z, of_y, of_x]) = (cuts, windows.counts());
        let width = windows.rows();
        let blocks = const { Blocks::new(S::TILES, <T::Vector<S> as Vector<T>>::LANES) };
        let mut sums = vec![T::ZERO; blocks.sums(gradient.channels, width)];
        let mut copy = Buffer::<T>::stale(at_once.min(units.len()) * strips.plane(&windows, rows));
        let (sums, copy, mut places) = (&mut *sums, &mut *copy, Vec::with_capacity(at_once));
        let mut unit = units.start;
        while unit < units.end {
            let (plane, first) = (unit / of_plane, unit % of_plane * rows);
            let planes = at_once.min(units.end - unit);
            let rows_of_strip = first..of_y.min(first + rows);
            let offsets = all[usize::from(rows_of_strip.len() < rows)];
            let strip = strips.plane(&windows, rows_of_strip.len());
            places.clear();
            for (plane, copy) in (plane..plane + planes).zip(copy.chunks_exact_mut(strip)) {
                strips.copy(&windows, plane, rows_of_strip.clone(), copy);
                let (image, z) = (plane / of_z, plane % of_z);
                places.push(gradient.at + image * gradient.image + (z * of_y + first) * of_x);
            }
            // Rows that follow each other are one.
            let (of_rows, of_width) = match strips.is_dense(&windows) {
                true => (1, rows_of_strip.len() * of_x),
                false => (rows_of_strip.len(), of_x),
            };
            let mut at = 0;
            blocks.each(gradient.channels, |channels| {
                let per_tile = blocks.rows[channels.len()];
                for row in (0..width).step_by(per_tile) {
                    let tile = Tile {
                        x: copy.as_ptr(),
                        // Beyond the last row it is computed again.
                        offsets: std::array::from_fn(|i| offsets[(row + i).min(width - 1)]),
                        plane: strip,
                        part: strips.part,
                        gradient: gradient.data.as_ptr().wrapping_add(channels.start * gradient.len),
                        channel: gradient.len,
                        places: &places,
                        rows: of_rows,
                        width: of_width,
                        sums: sums[at..][..channels.len() * per_tile * PARTS].as_mut_ptr(),
                    };
                    // SAFETY: the caller has the instructions. x is the copy of `planes` strips, where an offset leads to the first window of a
                    // row in the first one; the places are those of as many planes and rows of ȳ, which are within it
                    // (`Channels::fits`); the sums are those of this tile.
                    unsafe { tile.compute::<S>(channels.len(), per_tile) }
                    at += channels.len() * per_tile * PARTS;
                }
            });
            unit += planes;
        }
        let mut sums = sums.as_chunks::<PARTS>().0.iter();
        blocks.each(gradient.channels, |channels| {
            let per_tile = blocks.rows[channels.len()];
            for row in (0..width).step_by(per_tile) {
                for channel in channels.clone() {
                    for i in 0..per_tile {
                        let sum = by_halves(sums.next().expect("one for each weight of a tile"));
                        if row + i < width {
                            out[channel * width + row + i] = sum;
                        }
                    }
                }
            }
        });
    }
}

/// The sum of all parts.
#[inline(always)]
fn by_halves<T: Vectorized>(parts: &[T; PARTS]) -> T {
    /// In arrays whose length is known, else the compiler adds one by one.
    #[inline(always)]
    fn half<T: Vectorized, const N: usize, const HALF: usize>(x: [T; N]) -> [T; HALF] {
        std::array::from_fn(|i| x[i] + x[HALF + i])
    }
    let [sum] = half(half::<T, 4, 2>(half::<T, 8, 4>(half::<T, PARTS, 8>(*parts))));
    sum
}

/// How weights are cut into tiles, for an instruction set.
struct Blocks {
    /// How many rows of windows a tile has, by its output channels; none for more than an even block may have.
    rows: [usize; 5],
}

impl Blocks {
    /// As many sums as a product's largest tile has accumulators. So the 9 taps of 3 × 3 windows are one tile of 24 registers.
    const fn new(tiles: &[usize], lanes: usize) -> Self {
        let (mut registers, mut vectors) = (0, 1);
        while vectors <= tiles.len() {
            if tiles[vectors - 1] * vectors > registers {
                registers = tiles[vectors - 1] * vectors;
            }
            vectors += 1;
        }
        let rows = match registers * lanes / PARTS {
            24.. => [0, 9, 9, 8, 6],
            12.. => [0, 9, 6, 4, 3],
            6.. => [0, 6, 3, 0, 0],
            3.. => [0, 3, 0, 0, 0],
            _ => [0, 1, 0, 0, 0],
        };
        Blocks { rows }
    }

    /// Whether there is such a tile.
    const fn has(&self, outputs: usize, rows: usize) -> bool {
        self.rows[outputs] == rows
    }

    /// Calls `f` with the output channels of each block, about as many in each.
    #[inline(always)]
    fn each(&self, outputs: usize, mut f: impl FnMut(Range<usize>)) {
        let most = self.rows.iter().rposition(|&rows| rows > 0).expect("a tile of one output");
        let blocks = outputs.div_ceil(most);
        for block in 0..blocks {
            f(outputs * block / blocks..outputs * (block + 1) / blocks);
        }
    }

    /// How many parts of sums there are in all tiles.
    fn sums(&self, outputs: usize, rows: usize) -> usize {
        let mut sums = 0;
        self.each(outputs, |channels| {
            sums += channels.len() * rows.next_multiple_of(self.rows[channels.len()]) * PARTS;
        });
        sums
    }
}

/// The most rows of a tile.
const ROWS: usize = 9;

/// Σ x ȳ for some rows of the windows' matrix and some output channels.
#[derive(Clone, Copy)]
struct Tile<'a, T> {
    x: *const T,
    /// Where the first window of each row lies.
    offsets: [usize; ROWS],
    /// From one plane of x to the next.
    plane: usize,
    /// From one row of windows to the next, in x.
    part: usize,
    gradient: *const T,
    /// From one channel of ȳ to the next.
    channel: usize,
    /// Where the first window of each plane lies in ȳ, where rows follow each other.
    places: &'a [usize],
    /// Rows of windows, and how many there are in a row.
    rows: usize,
    width: usize,
    /// `[outputs, rows, PARTS]`
    sums: *mut T,
}

impl<T: Vectorized> Tile<'_, T> {
    /// # Safety
    /// The processor has the instructions of `S`; x, ȳ and the sums are valid where the tile reaches.
    #[inline(always)]
    unsafe fn compute<S: Simd>(&self, outputs: usize, rows: usize) {
        macro_rules! of_size {
            ($($outputs:literal x $rows:literal),*) => {
                match (outputs, rows) {
                    $(($outputs, $rows) if const {
                        Blocks::new(S::TILES, <T::Vector<S> as Vector<T>>::LANES).has($outputs, $rows)
                    // SAFETY: this function's caller ensures it.
                    } => unsafe { S::call(OfSize::<T, $outputs, $rows>(self)) },)*
                    _ => unreachable!("a tile of {outputs} outputs and {rows} rows"),
                }
            };
        }
        of_size!(4 x 6, 3 x 8, 2 x 9, 1 x 9, 4 x 3, 3 x 4, 2 x 6, 2 x 3, 1 x 6, 1 x 3, 1 x 1)
    }
}

/// A tile whose size the compiler knows: its sums stay in registers.
struct OfSize<'a, T, const O: usize, const R: usize>(&'a Tile<'a, T>);

type Of<T, S> = <T as Vectorized>::Vector<S>;

/// The parts of a sum: as many vectors as they take, at most so many.
const VECTORS: usize = PARTS / 2;

impl<T: Vectorized, const O: usize, const R: usize> VectorKernel for OfSize<'_, T, O, R> {
    type Output = ();

    run_for_each_set!();

    #[inline(always)]
    #[allow(
        clippy::needless_range_loop,
        reason = "a zipped iterator may come from another codegen unit, and not be inlined"
    )]
    unsafe fn run_with<S: Simd>(self) {
        let OfSize(tile) = self;
        let lanes = <Of<T, S> as Vector<T>>::LANES;
        let vectors = PARTS / lanes;
        let whole = tile.width - tile.width % PARTS;
        // SAFETY: what is read of x and ȳ lies within a row of windows, for o < O and r < R: the caller vouches for it, as for the sums.
        unsafe {
            let mut sums = [[[Of::<T, S>::splat(T::ZERO); VECTORS]; R]; O];
            for o in 0..O {
                for r in 0..R {
                    for v in 0..vectors {
                        sums[o][r][v] = Of::<T, S>::load(tile.sums.add((o * R + r) * PARTS + v * lanes));
                    }
                }
            }
            for (plane, &place) in tile.places.iter().enumerate() {
                for row in 0..tile.rows {
                    let x = tile.x.add(plane * tile.plane + row * tile.part);
                    let gradient = tile.gradient.add(place + row * tile.width);
                    let mut at = 0;
                    while at < whole {
                        for v in 0..vectors {
                            let at = at + v * lanes;
                            let mut along = [Of::<T, S>::splat(T::ZERO); O];
                            for o in 0..O {
                                along[o] = Of::<T, S>::load(gradient.add(o * tile.channel + at));
                            }
                            for r in 0..R {
                                let x = Of::<T, S>::load(x.add(tile.offsets[r] + at));
                                for o in 0..O {
                                    sums[o][r][v] = sums[o][r][v].add_product(x, along[o]);
                                }
                            }
                        }
                        at += PARTS;
                    }
                    if whole < tile.width {
                        for v in 0..vectors {
                            let at = whole + v * lanes;
                            let count = tile.width.saturating_sub(at).min(lanes);
                            let mut along = [Of::<T, S>::splat(T::ZERO); O];
                            for o in 0..O {
                                along[o] = Of::<T, S>::load_first(gradient.wrapping_add(o * tile.channel + at), count);
                            }
                            for r in 0..R {
                                // What is beyond the row of windows may be infinite.
                                let x = Of::<T, S>::load_first(x.wrapping_add(tile.offsets[r] + at), count);
                                for o in 0..O {
                                    sums[o][r][v] = sums[o][r][v].add_product(x, along[o]);
                                }
                            }
                        }
                    }
                }
            }
            for o in 0..O {
                for r in 0..R {
                    for v in 0..vectors {
                        sums[o][r][v].store(tile.sums.add((o * R + r) * PARTS + v * lanes));
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::conv::{WindowAxis, copy_windows};

    /// The sums that the head of this file describes, weight by weight.
    fn by_definition<T: Vectorized>(windows: &Windows<'_, T>, gradient: &Channels<'_, T>, groups: usize) -> Vec<T> {
        let strips = strips(gradient.channels, windows).unwrap_or_else(|| Strips::sparse(windows));
        let cuts = Cuts::new(windows, &strips, gradient.channels);
        let [_, of_y, of_x] = windows.counts();
        let mut all = Vec::new();
        for group in 0..groups {
            let (windows, gradient) = (windows.group(group), gradient.group(group));
            let mut matrix = vec![T::ZERO; windows.rows() * windows.columns()];
            copy_windows(&windows, &mut matrix);
            for channel in 0..gradient.channels {
                for x in matrix.chunks_exact(windows.columns()) {
                    let mut total = None;
                    for piece in 0..cuts.pieces {
                        let mut parts = [T::ZERO; PARTS];
                        for unit in cuts.units(piece) {
                            let (plane, first) = (unit / cuts.of_plane, unit % cuts.of_plane * cuts.rows);
                            let rows = plane * of_y + first..plane * of_y + of_y.min(first + cuts.rows);
                            for column in rows.start * of_x..rows.end * of_x {
                                let (image, position) = (column / gradient.len, column % gradient.len);
                                let at = gradient.at + image * gradient.image + channel * gradient.len + position;
                                let first =
                                    if strips.is_dense(&windows) { rows.start * of_x } else { column / of_x * of_x };
                                let part = &mut parts[(column - first) % PARTS];
                                *part = x[column].mul_add(gradient.data[at], *part);
                            }
                        }
                        let sum = by_halves(&parts);
                        total = Some(total.map_or(sum, |total| total + sum));
                    }
                    all.push(total.expect("a piece"));
                }
            }
        }
        all
    }

    /// Images, channels in and out of a group, sizes, taps along each axis, steps, groups; and how many pieces there are.
    fn check<T: Vectorized>(
        [images, of_in, of_out, groups]: [usize; 4],
        sizes: [usize; 3],
        taps: [usize; 3],
        step: usize,
        pieces: usize,
    ) {
        let axes: [WindowAxis; 3] = std::array::from_fn(|axis| WindowAxis {
            size: sizes[axis],
            windows: (sizes[axis] + 2 - taps[axis]) / step + 1,
            step,
            taps: (0..taps[axis]).map(|tap| tap as isize - 1).collect(),
        });
        let number = |i: usize| T::from_f64(((i * 7919) % 1013) as f64 / 507.0 - 1.0);
        let (plane, len) = (sizes.iter().product::<usize>(), axes.iter().map(|axis| axis.windows).product());
        let x: Vec<T> = (0..images * groups * of_in * plane).map(number).collect();
        let strides = [groups * of_in * plane, plane, sizes[1] * sizes[2], sizes[2]];
        let windows = Windows::new((&x, 0), [images, of_in], strides, &axes);
        let image = groups * of_out * len;
        let y: Vec<T> = (0..images * image).map(|i| number(i + 7)).collect();
        let gradient = Channels { data: &y, at: 0, images, channels: of_out, len, image };
        let strips = strips(of_out, &windows).unwrap_or_else(|| Strips::sparse(&windows));
        assert_eq!(Cuts::new(&windows, &strips, of_out).pieces, pieces);
        let mut out = vec![T::ZERO; groups * of_out * windows.rows()];
        let right = by_definition(&windows, &gradient, groups);
        for threads in [1, 2, 3] {
            out.fill(T::INFINITY);
            par::with_threads(threads, || weight_gradient(&windows, &gradient, groups, &mut out)).expect("threads");
            assert!(out == right, "{images} {of_in} {of_out} {groups} {sizes:?} {taps:?} {step} {threads}");
        }
    }

    #[test]
    fn sums_are_those_that_are_described() {
        // Every number of outputs of a block, rows that fill no tile, rows of windows that fill no vector.
        for outputs in 1..=9 {
            check::<f32>([3, 2, outputs, 1], [1, 5, 20], [1, 3, 3], 1, 1);
            check::<f64>([3, 2, outputs, 1], [1, 5, 20], [1, 3, 3], 1, 1);
        }
        // Groups, steps, volumes.
        check::<f32>([2, 1, 1, 7], [1, 9, 40], [1, 3, 3], 1, 1);
        check::<f32>([2, 2, 3, 2], [4, 9, 17], [3, 1, 2], 1, 1);
        check::<f32>([2, 1, 2, 3], [5, 8, 33], [2, 3, 3], 2, 1);
        check::<f64>([2, 3, 2, 1], [1, 1, 70], [1, 1, 4], 3, 1);
        // Pieces of whole planes, and of strips.
        check::<f32>([33, 4, 10, 1], [1, 20, 20], [1, 5, 5], 1, 15);
        check::<f32>([1, 3, 16, 1], [1, 220, 180], [1, 3, 3], 1, 24);
        check::<f64>([2, 3, 5, 2], [1, 160, 240], [1, 3, 3], 2, 2);
    }
}
