//! Images of three sources: drawn here, MNIST's files, CIFAR-10's files.

use std::path::Path;

use evenkeel::prelude::*;
use rand::Rng;

/// Images `[n, channels, side, side]` of about mean 0 and standard deviation 1, with their classes.
pub struct Set {
    pub x: Tensor,
    pub y: Tensor<i64>,
    pub held_out: (Tensor, Tensor<i64>),
    pub classes: Vec<String>,
    /// Whether a mirror image is one of the same class.
    pub mirrors: bool,
}

pub fn read(folder: Option<&Path>, seed: u64) -> Result<Set, String> {
    match folder {
        None => Ok(drawn(seed)),
        Some(folder) => files::read(folder),
    }
}

/// The strokes of each digit, through these points of a square.
const STROKES: [&[(f32, f32)]; 10] = [
    &[(0.5, 0.1), (0.3, 0.25), (0.25, 0.5), (0.3, 0.75), (0.5, 0.9), (0.7, 0.75), (0.75, 0.5), (0.7, 0.25), (0.5, 0.1)],
    &[(0.35, 0.28), (0.55, 0.1), (0.55, 0.9)],
    &[(0.27, 0.3), (0.38, 0.12), (0.62, 0.12), (0.74, 0.3), (0.6, 0.55), (0.25, 0.88), (0.78, 0.88)],
    &[(0.26, 0.14), (0.72, 0.14), (0.46, 0.45), (0.74, 0.62), (0.62, 0.86), (0.26, 0.84)],
    &[(0.65, 0.9), (0.65, 0.1), (0.22, 0.64), (0.82, 0.64)],
    &[(0.74, 0.12), (0.32, 0.12), (0.29, 0.46), (0.62, 0.43), (0.75, 0.66), (0.6, 0.87), (0.26, 0.84)],
    &[(0.66, 0.12), (0.36, 0.4), (0.27, 0.68), (0.45, 0.9), (0.69, 0.78), (0.66, 0.56), (0.31, 0.6)],
    &[(0.23, 0.12), (0.78, 0.12), (0.43, 0.9)],
    &[
        (0.5, 0.48),
        (0.29, 0.3),
        (0.5, 0.1),
        (0.71, 0.3),
        (0.5, 0.48),
        (0.26, 0.7),
        (0.5, 0.9),
        (0.74, 0.7),
        (0.5, 0.48),
    ],
    &[(0.7, 0.42), (0.42, 0.5), (0.3, 0.3), (0.5, 0.1), (0.71, 0.25), (0.7, 0.5), (0.6, 0.9)],
];

/// How far a point is from a stretch of line.
fn distance((px, py): (f32, f32), [(ax, ay), (bx, by)]: [(f32, f32); 2]) -> f32 {
    let ((dx, dy), (x, y)) = ((bx - ax, by - ay), (px - ax, py - ay));
    let t = ((x * dx + y * dy) / (dx * dx + dy * dy)).clamp(0.0, 1.0);
    (x - t * dx).hypot(y - t * dy)
}

/// 4,000 digits of 28 × 28, each turned, moved, sheared and inked in its own way, and 1,000 more to judge by.
fn drawn(seed: u64) -> Set {
    const SIDE: usize = 28;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut some = |count: usize| {
        let mut pixels = Vec::with_capacity(count * SIDE * SIDE);
        let y = Tensor::from_fn([count], |i| (i[0] % 10) as i64);
        for i in 0..count {
            let mut draw = |low: f32, high: f32| low + (high - low) * (rng.next_u32() as f32 / u32::MAX as f32);
            let (angle, shear, size) = (draw(-0.3, 0.3), draw(-0.25, 0.25), draw(0.75, 1.1));
            let (moved, ink) = ((draw(-0.1, 0.1), draw(-0.1, 0.1)), draw(0.03, 0.075));
            let (sin, cos) = angle.sin_cos();
            let place = |&(x, y): &(f32, f32)| {
                let (x, y) = (x - 0.5 + shear * (y - 0.5), y - 0.5);
                (0.5 + moved.0 + size * (cos * x - sin * y), 0.5 + moved.1 + size * (sin * x + cos * y))
            };
            // Points shake, as a hand does.
            let points: Vec<_> = STROKES[i % 10]
                .iter()
                .map(place)
                .map(|(x, y)| (x + draw(-0.03, 0.03), y + draw(-0.03, 0.03)))
                .collect();
            for row in 0..SIDE {
                for column in 0..SIDE {
                    let at = ((column as f32 + 0.5) / SIDE as f32, (row as f32 + 0.5) / SIDE as f32);
                    let near = points.windows(2).map(|pair| distance(at, [pair[0], pair[1]])).fold(1.0, f32::min);
                    let light = (1.5 - near / ink).clamp(0.0, 1.0) + draw(-0.05, 0.05);
                    pixels.push((light - 0.13) / 0.31);
                }
            }
        }
        (Tensor::from_vec(pixels, [count, 1, SIDE, SIDE]), y)
    };
    let ((x, y), held_out) = (some(4000), some(1000));
    Set { x, y, held_out, classes: (0..10).map(|digit| digit.to_string()).collect(), mirrors: false }
}

#[cfg(not(feature = "images"))]
mod files {
    pub fn read(_: &std::path::Path) -> Result<super::Set, String> {
        Err("to read MNIST's or CIFAR's files, build with --features images".into())
    }
}

#[cfg(feature = "images")]
mod files {
    use std::path::{Path, PathBuf};

    use evenkeel::tensor::images::{self, Cifar};

    use super::*;

    pub fn read(folder: &Path) -> Result<Set, String> {
        let batches: Vec<PathBuf> =
            (1..=5).map(|i| folder.join(format!("data_batch_{i}.bin"))).filter(|path| path.exists()).collect();
        if batches.is_empty() { mnist(folder) } else { cifar(folder, &batches) }
    }

    /// Pixels of about mean 0 and standard deviation 1, by the mean and the deviation of those that are trained with.
    fn scaled(x: &Tensor<u8>, by: (f32, f32)) -> Tensor {
        (x.cast::<f32>() - by.0) / by.1
    }

    fn spread(x: &Tensor<u8>) -> (f32, f32) {
        let x = x.cast::<f32>();
        (x.mean(..).item(), x.std(.., 1).item().max(1.0))
    }

    fn mnist(folder: &Path) -> Result<Set, String> {
        let idx = |name: &str| {
            let path = [name.to_owned(), format!("{name}.gz")].map(|name| folder.join(name));
            let path = path.iter().find(|path| path.exists()).unwrap_or(&path[0]);
            images::read_idx(path).map_err(|why| why.to_string())
        };
        let pair = |what: &str| {
            let (x, y) = (idx(&format!("{what}-images-idx3-ubyte"))?, idx(&format!("{what}-labels-idx1-ubyte"))?);
            let fits =
                x.rank() == 3 && y.dims() == [x.size(0)] && x.size(1) == x.size(2) && x.size(1) >= 12 && y.numel() > 0;
            let why = format!(
                "{}: images {} and labels {} do not fit: [n, side, side] and [n] would",
                folder.display(),
                x.shape(),
                y.shape()
            );
            if fits { Ok((x.unsqueeze(1), y.cast::<i64>())) } else { Err(why) }
        };
        let ((x, y), held_out) = (pair("train")?, pair("t10k")?);
        let (by, count) = (spread(&x), 1 + y.max(..).item().max(held_out.1.max(..).item()));
        let classes = (0..count).map(|class| class.to_string()).collect();
        Ok(Set { x: scaled(&x, by), y, held_out: (scaled(&held_out.0, by), held_out.1), classes, mirrors: false })
    }

    fn cifar(folder: &Path, batches: &[PathBuf]) -> Result<Set, String> {
        let read = |path: &PathBuf| images::read_cifar(path, Cifar::Ten).map_err(|why| why.to_string());
        let all = batches.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let (x, y): (Vec<_>, Vec<_>) = all.iter().map(|(x, y)| (x, y)).unzip();
        let (x, y) = (Tensor::cat(&x, 0), Tensor::cat(&y, 0));
        let held_out = read(&folder.join("test_batch.bin"))?;
        let by = spread(&x);
        let names = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];
        let classes = names.map(str::to_owned).to_vec();
        Ok(Set { x: scaled(&x, by), y, held_out: (scaled(&held_out.0, by), held_out.1), classes, mirrors: true })
    }
}
