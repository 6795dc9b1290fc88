//! Images that are moved and mirrored at random, so that no two epochs see the same ones.

use rand_chacha::rand_core::Rng;
use tensor::{Element, Tensor, ensure};

use super::batches::stream;

/// Changes of a batch of images `[N, C, H, W]`, drawn for each image by itself, as a function of a seed and the step: a training that is
/// resumed sees what it would have seen.
///
/// # Example
/// ```
/// use nn::Augment;
/// use tensor::Tensor;
///
/// let x = Tensor::from_fn([2, 1, 4, 4], |i| (4 * i[2] + i[3]) as f32);
/// let augment = Augment::default().shifted(1).flipped();
/// let step = 7;
/// assert_eq!(augment.apply(&x, 42, step), augment.apply(&x, 42, step));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Augment {
    shift: usize,
    flip: bool,
    crop: Option<[usize; 2]>,
}

impl Augment {
    /// Moves each image by up to `most` pixels along both axes; what comes in from outside is 0. PyTorch's `RandomCrop(size, padding=most)`.
    #[doc(alias = "RandomCrop")]
    #[must_use]
    pub fn shifted(self, most: usize) -> Self {
        Augment { shift: most, ..self }
    }

    /// Mirrors every other image, left to right. PyTorch's `RandomHorizontalFlip()`.
    #[doc(alias = "RandomHorizontalFlip")]
    #[must_use]
    pub fn flipped(self) -> Self {
        Augment { flip: true, ..self }
    }

    /// Cuts a part of this height and width out of each image, at a place of its own. PyTorch's `RandomCrop(size)`.
    #[must_use]
    pub fn cropped(self, size: [usize; 2]) -> Self {
        Augment { crop: Some(size), ..self }
    }

    /// The images of a step, changed.
    ///
    /// # Panics
    /// They are not `[N, C, H, W]`, or smaller than what is to be cut out.
    #[track_caller]
    pub fn apply<T: Element>(&self, images: &Tensor<T>, seed: u64, step: u64) -> Tensor<T> {
        let &[n, channels, h, w] = images.dims() else {
            panic!("Augment::apply: needs images [N, C, H, W], got {}", images.shape())
        };
        let [height, width] = self.crop.unwrap_or([h, w]);
        ensure!(
            height <= h && width <= w,
            "Augment::apply: {height} × {width} cannot be cut out of {}",
            images.shape()
        );
        let data = images.to_vec();
        let mut out = vec![T::default(); n * channels * height * width];
        let mut rng = stream(seed, step, b"augmented images");
        let mut below = |count: usize| (rng.next_u64() % count as u64) as usize;
        for image in 0..n {
            // Every image draws as often, whatever comes of it.
            let mut offset = |room: usize| (below(room + 2 * self.shift + 1)) as isize - self.shift as isize;
            let (top, left) = (offset(h - height), offset(w - width));
            let mirrored = self.flip && below(2) == 1;
            for channel in 0..channels {
                for y in 0..height {
                    let row = top + y as isize;
                    if row < 0 || row >= h as isize {
                        continue;
                    }
                    let from = &data[((image * channels + channel) * h + row as usize) * w..][..w];
                    let to = &mut out[((image * channels + channel) * height + y) * width..][..width];
                    for (x, to) in to.iter_mut().enumerate() {
                        let x = if mirrored { width - 1 - x } else { x };
                        if let Some(&pixel) = usize::try_from(left + x as isize).ok().and_then(|x| from.get(x)) {
                            *to = pixel;
                        }
                    }
                }
            }
        }
        Tensor::from_vec(out, [n, channels, height, width])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn images() -> Tensor {
        Tensor::from_fn([40, 2, 3, 4], |i| (1 + i[1] * 100 + i[2] * 10 + i[3]) as f32)
    }

    #[test]
    fn each_image_is_moved_by_itself_and_as_often_as_said() {
        let x = images();
        assert_eq!(Augment::default().apply(&x, 1, 2), x);
        let flipped = Augment::default().flipped().apply(&x, 1, 2);
        let count = (0..40).filter(|&i| flipped.select(0, i) == x.select(0, i).flip(&[-1])).count();
        let same = (0..40).filter(|&i| flipped.select(0, i) == x.select(0, i)).count();
        assert!(count + same == 40 && (10..30).contains(&count), "{count}");
        assert_ne!(flipped, Augment::default().flipped().apply(&x, 1, 3));

        let shifted = Augment::default().shifted(1).apply(&x, 1, 2);
        let mut seen = std::collections::BTreeSet::new();
        for i in 0..40 {
            let image = x.select(0, i).pad(&[(0, 0), (1, 1), (1, 1)], 0.0);
            let places: Vec<_> = (0..3)
                .flat_map(|y| (0..3).map(move |x| (y, x)))
                .filter(|&(y, x)| image.narrow(1, y, 3).narrow(2, x, 4) == shifted.select(0, i))
                .collect();
            assert_eq!(places.len(), 1);
            seen.extend(places);
        }
        assert_eq!(seen.len(), 9);

        let cut = Augment::default().cropped([2, 2]).apply(&x, 1, 2);
        assert_eq!(cut.dims(), [40, 2, 2, 2]);
        let within = |i: isize| {
            (0..2).any(|y| (0..3).any(|left| x.select(0, i).narrow(1, y, 2).narrow(2, left, 2) == cut.select(0, i)))
        };
        assert!((0..40).all(within));
    }

    #[test]
    #[should_panic(expected = "Augment::apply: 5 × 2 cannot be cut out of [40, 2, 3, 4]")]
    fn more_than_there_is_cannot_be_cut_out() {
        Augment::default().cropped([5, 2]).apply(&images(), 1, 2);
    }
}
