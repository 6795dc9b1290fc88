//! A thread that sums buckets while the backward pass goes on.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use tensor::{Float, Tensor};

use super::exchange::Job;
use super::{Link, Settings};
use crate::Error;

/// The thread, and the ways to it and from it.
pub(super) struct Worker<T: Float> {
    jobs: Option<Sender<Job<T>>>,
    done: Receiver<Result<(usize, Tensor<T>), Error>>,
    thread: Option<JoinHandle<()>>,
}

impl<T: Float> Worker<T> {
    pub(super) fn new(link: Link<T>, settings: Settings, yields: bool) -> Self {
        let ((jobs, to_do), (finished, done)) = (channel::<Job<T>>(), channel());
        let work = move || {
            let mut scratch = Vec::new();
            for job in to_do {
                let bucket = job.bucket;
                let sum = job.reduce(&link, settings, &mut scratch, yields).map(|sum| (bucket, sum));
                if finished.send(sum).is_err() {
                    break;
                }
            }
        };
        let thread = std::thread::Builder::new().name("evenkeel-ranks".into()).spawn(work);
        Worker { jobs: Some(jobs), done, thread: Some(thread.expect("the system has a thread to give")) }
    }

    pub(super) fn send(&self, job: Job<T>) -> Result<(), Error> {
        self.jobs.as_ref().expect("until it is dropped").send(job).map_err(|_| gone())
    }

    pub(super) fn receive(&mut self) -> Result<(usize, Tensor<T>), Error> {
        self.done.recv().map_err(|_| gone())?
    }
}

fn gone() -> Error {
    Error::Ranks("the thread that sends gradients has panicked; what it said is above".into())
}

impl<T: Float> Drop for Worker<T> {
    fn drop(&mut self) {
        self.jobs = None;
        // One that waits for other ranks would keep a panic of this one from being heard.
        if let Some(thread) = self.thread.take().filter(|_| !std::thread::panicking()) {
            // It has said why it panicked, if it has.
            let _ = thread.join();
        }
    }
}
