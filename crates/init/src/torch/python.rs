//! Python's `random`, for what a script has shuffled.

use rand_mt::Mt;

/// `random.Random(seed)` of Python 3, seeded with a whole number.
///
/// # Example
/// ```
/// use init::torch::PythonRandom;
///
/// let mut names = ["emma", "olivia", "ava", "isabella", "sophia"];
/// PythonRandom::seed(42).shuffle(&mut names); // random.seed(42); random.shuffle(names)
/// assert_eq!(names, ["isabella", "olivia", "ava", "sophia", "emma"]);
/// ```
#[derive(Clone, Debug)]
pub struct PythonRandom {
    mt: Mt,
}

impl PythonRandom {
    /// `random.seed(seed)`.
    pub fn seed(seed: u64) -> Self {
        let (low, high) = (seed as u32, (seed >> 32) as u32);
        let digits = if high == 0 { vec![low] } else { vec![low, high] };
        PythonRandom { mt: Mt::new_with_key(digits) }
    }

    /// `random.random()`: uniform in 0..1, a multiple of 2⁻⁵³.
    pub fn random(&mut self) -> f64 {
        let (high, low) = (self.mt.next_u32() >> 5, self.mt.next_u32() >> 6);
        (f64::from(high) * f64::from(1 << 26) + f64::from(low)) / (1_u64 << 53) as f64
    }

    /// `random.randrange(n)`: a whole number below `n`.
    ///
    /// # Panics
    /// `n` is 0, or above 2³² − 1.
    #[track_caller]
    pub fn randrange(&mut self, n: usize) -> usize {
        let Some(n) = u32::try_from(n).ok().filter(|&n| n > 0) else {
            panic!("randrange: n is {n}, but must be from 1 to {}", u32::MAX);
        };
        loop {
            let number = self.mt.next_u32() >> n.leading_zeros();
            if number < n {
                return number as usize;
            }
        }
    }

    /// `random.shuffle(x)`.
    ///
    /// # Panics
    /// There are more than 2³² − 1 elements.
    #[track_caller]
    pub fn shuffle<T>(&mut self, x: &mut [T]) {
        for i in (1..x.len()).rev() {
            x.swap(i, self.randrange(i + 1));
        }
    }
}
