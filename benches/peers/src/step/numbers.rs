//! Numbers that Python can make too, bit for bit: `steps.py` has the same functions.

/// A well mixed number of 32 bits for each index (MurmurHash3's last step; Appleby, 2011).
fn mixed(seed: u32, index: u32) -> u32 {
    let mut x = index.wrapping_mul(0x9e37_79b1).wrapping_add(seed.wrapping_mul(0x85eb_ca77));
    x = (x ^ x >> 16).wrapping_mul(0x85eb_ca6b);
    x = (x ^ x >> 13).wrapping_mul(0xc2b2_ae35);
    x ^ x >> 16
}

/// Uniform between -bound and bound.
pub fn uniform(seed: u32, len: usize, bound: f64) -> Vec<f32> {
    (0..len as u32).map(|i| ((f64::from(mixed(seed, i)) / 2_f64.powi(31) - 1.0) * bound) as f32).collect()
}

/// Whole numbers below `end`.
pub fn whole(seed: u32, len: usize, end: usize) -> Vec<i64> {
    (0..len as u32).map(|i| i64::from(mixed(seed, i) % end as u32)).collect()
}

/// The numbers of a step's examples, of so many.
pub fn batch(step: usize, size: usize, examples: usize) -> Vec<i64> {
    whole(1000 + step as u32, size, examples)
}
