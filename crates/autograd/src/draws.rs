//! What a pass draws its numbers by, and what it has drawn.

use std::fmt;

/// What a pass draws by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Seed {
    pub(crate) seed: u64,
    pub(crate) step: u64,
    pub(crate) shard: u32,
}

impl fmt::Display for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Seed { seed, step, shard } = self;
        write!(f, "seed {seed} and step {step}")?;
        if *shard == 0 { Ok(()) } else { write!(f, " of shard {shard}") }
    }
}

/// The finalizer of SplitMix64 (Steele, Lea and Flood, 2014, *Fast Splittable Pseudorandom Number Generators*).
pub(crate) fn mixed(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ x >> 31
}

/// The keys that a segment of a pass draws, which is computed twice.
#[derive(Default)]
pub(crate) struct Draws {
    keys: Vec<[u8; 32]>,
    /// How many are drawn.
    drawn: usize,
    mode: Drawing,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum Drawing {
    /// Nobody will ask.
    #[default]
    Once,
    /// For the first time.
    Kept,
    /// Again.
    Again,
}

impl Draws {
    /// Those of a pass that computes a segment again.
    pub(crate) fn repeated(keys: Vec<[u8; 32]>) -> Self {
        Draws { keys, drawn: 0, mode: Drawing::Again }
    }

    /// Those of a tape within.
    pub(crate) fn within(&self) -> Self {
        match self.mode {
            Drawing::Again => Draws::repeated(self.keys[self.drawn..].to_vec()),
            Drawing::Once | Drawing::Kept => Draws { mode: Drawing::Kept, ..Draws::default() },
        }
    }

    /// What has been drawn.
    pub(crate) fn keys(&self) -> &[[u8; 32]] {
        &self.keys[..self.drawn]
    }

    /// What has been drawn within counts as drawn here.
    pub(crate) fn join(&mut self, inner: &Self) {
        match self.mode {
            Drawing::Once => return,
            Drawing::Kept => self.keys.extend(inner.keys()),
            Drawing::Again => {}
        }
        self.drawn += inner.drawn;
    }

    pub(crate) fn again(&mut self) -> Option<[u8; 32]> {
        if self.mode != Drawing::Again {
            return None;
        }
        self.drawn += 1;
        Some(*self.keys.get(self.drawn - 1).expect("a segment draws as much again as at first"))
    }

    pub(crate) fn keep(&mut self, key: [u8; 32]) {
        if self.mode == Drawing::Kept {
            self.keys.push(key);
            self.drawn += 1;
        }
    }
}
