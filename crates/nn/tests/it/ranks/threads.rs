//! Ranks that are threads of one process: what `Ranks` does, without what carries the messages.

use std::sync::mpsc::{Receiver, Sender, channel};

use nn::Error;
use nn::ranks::{Communicator, Ranks};
use tensor::Float;

/// A rank's ends of the channels to all ranks and from them.
pub(super) struct Threads<T> {
    rank: usize,
    to: Vec<Sender<Message<T>>>,
    from: Vec<Receiver<Message<T>>>,
}

enum Message<T> {
    Values(Vec<T>),
    Bytes(Vec<u8>),
}

impl<T: Float> Threads<T> {
    fn send(&self, to: usize, message: Message<T>) -> Result<(), Error> {
        self.to[to].send(message).map_err(|_| gone(to))
    }

    fn values(&self, from: usize) -> Result<Vec<T>, Error> {
        match self.from[from].recv().map_err(|_| gone(from))? {
            Message::Values(values) => Ok(values),
            Message::Bytes(_) => panic!("rank {from} has sent bytes where values are due"),
        }
    }

    fn bytes(&self, from: usize) -> Result<Vec<u8>, Error> {
        match self.from[from].recv().map_err(|_| gone(from))? {
            Message::Bytes(bytes) => Ok(bytes),
            Message::Values(_) => panic!("rank {from} has sent values where bytes are due"),
        }
    }
}

fn gone(rank: usize) -> Error {
    Error::Ranks(format!("rank {rank} is gone"))
}

impl<T: Float> Communicator<T> for Threads<T> {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.to.len()
    }

    fn exchange(&mut self, send: &[(usize, &[T])], receive: Vec<(usize, &mut [T])>, _: bool) -> Result<(), Error> {
        send.iter().try_for_each(|(to, values)| self.send(*to, Message::Values(values.to_vec())))?;
        for (from, values) in receive {
            values.copy_from_slice(&self.values(from)?);
        }
        Ok(())
    }

    fn all_gather(&mut self, mine: &[u8]) -> Result<Vec<u8>, Error> {
        (0..self.size()).try_for_each(|to| self.send(to, Message::Bytes(mine.to_vec())))?;
        let all: Vec<Vec<u8>> = (0..self.size()).map(|from| self.bytes(from)).collect::<Result<_, _>>()?;
        assert!(all.iter().all(|bytes| bytes.len() == mine.len()), "all give as many bytes");
        Ok(all.concat())
    }

    fn broadcast(&mut self, bytes: Vec<u8>) -> Result<Vec<u8>, Error> {
        if self.rank > 0 {
            return self.bytes(0);
        }
        (1..self.size()).try_for_each(|to| self.send(to, Message::Bytes(bytes.clone())))?;
        Ok(bytes)
    }

    fn all_reduce(&mut self, values: &mut [T], _: bool) -> Result<(), Error> {
        (0..self.size()).try_for_each(|to| self.send(to, Message::Values(values.to_vec())))?;
        // In another order than that of the tree.
        values.fill(T::ZERO);
        for from in (0..self.size()).rev() {
            values.iter_mut().zip(self.values(from)?).for_each(|(sum, more)| *sum += more);
        }
        Ok(())
    }
}

/// What each rank of so many gives, by rank.
pub(super) fn on_ranks<T: Float, R: Send>(size: usize, rank: impl Fn(Ranks<T>) -> R + Sync) -> Vec<R> {
    let (mut to, mut from) =
        ((0..size).map(|_| vec![]).collect::<Vec<_>>(), (0..size).map(|_| vec![]).collect::<Vec<_>>());
    for sender in &mut to {
        for receivers in &mut from {
            let (send, receive) = channel();
            sender.push(send);
            receivers.push(receive);
        }
    }
    std::thread::scope(|scope| {
        let ends = to.into_iter().zip(from).enumerate();
        let start = |(at, (to, from))| {
            let rank = &rank;
            scope.spawn(move || rank(Ranks::new(Threads { rank: at, to, from })))
        };
        let threads: Vec<_> = ends.map(start).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}
