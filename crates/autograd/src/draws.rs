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

/// Random keys, recorded on a recomputed segment's first run and replayed on its second.
#[derive(Default)]
pub(crate) struct KeyLog {
    keys: Vec<[u8; 32]>,
    /// How many are drawn.
    drawn: usize,
    mode: Recording,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum Recording {
    /// Nobody will ask for them.
    #[default]
    Off,
    /// A first run, to be replayed.
    Record,
    /// A second run.
    Replay,
}

impl KeyLog {
    /// Those of a pass that computes a segment again.
    pub(crate) fn repeated(keys: Vec<[u8; 32]>) -> Self {
        KeyLog { keys, drawn: 0, mode: Recording::Replay }
    }

    /// Those of a tape within.
    pub(crate) fn within(&self) -> Self {
        match self.mode {
            Recording::Replay => KeyLog::repeated(self.keys[self.drawn..].to_vec()),
            Recording::Off | Recording::Record => KeyLog { mode: Recording::Record, ..KeyLog::default() },
        }
    }

    /// What has been drawn.
    pub(crate) fn keys(&self) -> &[[u8; 32]] {
        &self.keys[..self.drawn]
    }

    /// What has been drawn within counts as drawn here.
    pub(crate) fn join(&mut self, inner: &Self) {
        match self.mode {
            Recording::Off => return,
            Recording::Record => self.keys.extend(inner.keys()),
            Recording::Replay => {}
        }
        self.drawn += inner.drawn;
    }

    pub(crate) fn replay(&mut self) -> Option<[u8; 32]> {
        if self.mode != Recording::Replay {
            return None;
        }
        self.drawn += 1;
        Some(*self.keys.get(self.drawn - 1).expect("a segment draws as much again as at first"))
    }

    pub(crate) fn record(&mut self, key: [u8; 32]) {
        if self.mode == Recording::Record {
            self.keys.push(key);
            self.drawn += 1;
        }
    }
}
