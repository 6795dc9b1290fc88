//! The communicator, as the parts of a training share it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use autograd::Tape;
use tensor::{Float, Tensor};

use super::tree::{Fold, Node};
use super::{Communicator, Reader, Writer};
use crate::Error;

/// The way to the other ranks. Clones are the same way, which one of them uses at a time.
pub(crate) struct Link<T: Float> {
    communicator: Arc<Mutex<Box<dyn Communicator<T>>>>,
    rank: usize,
    size: usize,
    /// Whether passes have reached those over other shards, from when on nothing else may be sent meanwhile.
    reaches_shards: Arc<AtomicBool>,
}

impl<T: Float> Clone for Link<T> {
    fn clone(&self) -> Self {
        let (communicator, reaches_shards) = (Arc::clone(&self.communicator), Arc::clone(&self.reaches_shards));
        Link { communicator, reaches_shards, ..*self }
    }
}

impl<T: Float> Link<T> {
    pub(super) fn new(communicator: Box<dyn Communicator<T>>) -> Self {
        let (rank, size) = (communicator.rank(), communicator.size());
        Link { communicator: Arc::new(Mutex::new(communicator)), rank, size, reaches_shards: Arc::default() }
    }

    pub(crate) fn rank(&self) -> usize {
        self.rank
    }

    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// Whether this is the rank that prints and saves.
    pub(crate) fn is_first(&self) -> bool {
        self.rank == 0
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Box<dyn Communicator<T>>> {
        self.communicator.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What each rank has given, by rank: of any lengths.
    pub(crate) fn gather(&self, mine: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
        let lens = self.lens(mine.len())?;
        let most = lens.iter().copied().max().unwrap_or(0);
        if most == 0 {
            return Ok(vec![Vec::new(); self.size]);
        }
        let mut padded = mine.to_vec();
        padded.resize(most, 0);
        let mut all = self.gather_alike(&padded)?;
        all.iter_mut().zip(lens).for_each(|(bytes, len)| bytes.truncate(len));
        Ok(all)
    }

    /// How much each rank has.
    pub(crate) fn lens(&self, mine: usize) -> Result<Vec<usize>, Error> {
        let mut told = Writer::default();
        told.number(mine);
        Ok(self.gather_alike(&told.0)?.iter().map(|bytes| Reader(bytes).number()).collect())
    }

    /// What each rank has given, by rank: as many bytes of each.
    pub(crate) fn gather_alike(&self, mine: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
        if self.size == 1 {
            return Ok(vec![mine.to_vec()]);
        }
        let all = self.lock().all_gather(mine)?;
        Ok(all.chunks_exact(mine.len()).map(<[u8]>::to_vec).collect())
    }

    /// What each rank has given, by rank: of each as many elements as `lens` has.
    pub(crate) fn exchange_all(&self, mine: &[T], lens: &[usize]) -> Result<Vec<Vec<T>>, Error> {
        let mut all: Vec<Vec<T>> = lens.iter().map(|&len| vec![T::ZERO; len]).collect();
        all[self.rank].copy_from_slice(mine);
        let others = (0..self.size).filter(|of| *of != self.rank);
        let send: Vec<_> = others.map(|to| (to, mine)).collect();
        let receive = all.iter_mut().enumerate().filter(|(of, _)| *of != self.rank);
        let receive = receive.map(|(of, part)| (of, &mut part[..])).collect();
        self.lock().exchange(&send, receive, false)?;
        Ok(all)
    }

    /// What rank 0 has given.
    pub(crate) fn told_by_first(&self, bytes: Vec<u8>) -> Result<Vec<u8>, Error> {
        if self.size == 1 { Ok(bytes) } else { self.lock().broadcast(bytes) }
    }

    /// Whether passes have reached those over other shards.
    pub(super) fn reaches_shards(&self) -> bool {
        self.reaches_shards.load(Ordering::Relaxed)
    }

    /// Says how a pass over one of so many shards reaches the others, where it is not all of its batch.
    pub(crate) fn reach_shards(&self, tape: &Tape<T>, shards: usize) {
        if shards == 1 && self.size == 1 {
            return;
        }
        let link = self.clone();
        tape.reach_shards(move |value| {
            assert!(
                shards == link.size,
                "to be synchronized, each rank must have one shard at a time, and {} ranks have {shards}: cut a batch into {} shards, which fill                  all batches alike, and accumulate none",
                link.size,
                link.size
            );
            link.reaches_shards.store(true, Ordering::Relaxed);
            let value = value.contiguous();
            let own = value.as_slice().expect("contiguous");
            let all = link.exchange_all(own, &vec![own.len(); link.size]).unwrap_or_else(|error| panic!("{error}"));
            let mut tree = Fold::new(link.size);
            for (rank, values) in all.into_iter().enumerate() {
                let values = Tensor::from_vec(values, value.shape());
                tree.push(Node::leaf(rank), values, |a, b| a + b);
            }
            tree.sum().expect("there are ranks")
        });
    }

    /// What has become of something that rank 0 alone has done: an error of it is one of all.
    pub(crate) fn outcome_of_first(&self, outcome: Result<(), Error>) -> Result<(), Error> {
        let said = outcome.as_ref().err().map_or(String::new(), |error| format!("rank 0: {error}"));
        let said = self.told_by_first(said.into_bytes())?;
        match outcome {
            Ok(()) if !said.is_empty() => Err(Error::Ranks(String::from_utf8_lossy(&said).into_owned())),
            outcome => outcome,
        }
    }
}
