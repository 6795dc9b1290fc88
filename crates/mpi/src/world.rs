//! The processes that `mpirun` has started, and how they reach each other.

use std::fmt::Display;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ferrompi::{Communicator as Comm, Mpi, MpiDatatype, ReduceOp, Request, Scope, ThreadLevel, scope};
use nn::Error;
use nn::ranks::{Communicator, Ranks};

use crate::patience::{LATE, Patience};

/// What gradients are made of: `f32` or `f64`.
pub trait Float: tensor::Float + MpiDatatype {}

impl Float for f32 {}
impl Float for f64 {}

/// The processes that `mpirun` has started with this one. There is one in a program, made by [`init`](Self::init) at its begin; when it goes,
/// MPI is left. Where that is because this process panics, all others are ended too.
///
/// # Example
/// ```no_run
/// use evenkeel::prelude::*;
/// use evenkeel_mpi::World;
///
/// let world = World::init()?;
/// let mut w = Param::new(Tensor::from([1.0, 2.0]));
/// Fit::steps(100)
///     .batches(Batches::new(0..1000, 64)?)
///     .shards(16) // up to 4 ranks share a batch of 64
///     .ranks(&world)
///     .run(&mut w, &mut Optimizer::new(Sgd::default(), 0.1)?, |w, tape, _| w.on(tape).square().sum(..))?;
/// if world.is_first() {
///     println!("{}", w.value());
/// }
/// # Ok::<(), evenkeel::nn::Error>(())
/// ```
pub struct World {
    shared: Arc<Mutex<Shared>>,
    rank: usize,
    size: usize,
    /// Goes last: MPI is left.
    mpi: Mpi,
}

/// What all ways to the other ranks have in common: one of them calls MPI at a time.
struct Shared {
    comm: Comm,
    patience: Patience,
}

/// How long another rank is waited for, unless something else is said.
const PATIENCE: Duration = Duration::from_secs(300);

impl World {
    /// Joins the processes that `mpirun` has started. Without `mpirun`, this process is the only one.
    ///
    /// From now on, the sentence of a panic says which rank has panicked.
    ///
    /// # Errors
    /// MPI cannot be started, or was before; or it is one that no two threads may call.
    pub fn init() -> Result<Self, Error> {
        let mpi = Mpi::init_thread(ThreadLevel::Serialized).map_err(|why| failed("cannot start MPI", why))?;
        let comm = mpi.world();
        let [rank, size] = [comm.rank(), comm.size()].map(|number| usize::try_from(number).unwrap_or(0));
        if mpi.thread_level() < ThreadLevel::Serialized {
            let why =
                "this MPI allows one thread alone to call it; take one that was built with threads, as Open MPI is";
            return Err(Error::Ranks(why.into()));
        }
        if size > 1 {
            let before = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                eprint!("rank {rank}: ");
                before(panic);
            }));
        }
        let shared = Shared { comm, patience: Patience::of(PATIENCE) };
        Ok(World { shared: Arc::new(Mutex::new(shared)), rank, size, mpi })
    }

    /// Sets how long another rank is waited for: 5 minutes, unless this is said. One that has not come by then is named, and all are ended.
    #[must_use]
    pub fn patience(self, time: Duration) -> Self {
        lock(&self.shared).patience = Patience::of(time);
        self
    }

    /// The number of this process, from 0.
    pub fn rank(&self) -> usize {
        self.rank
    }

    /// How many processes there are.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Whether this is rank 0, which prints and saves.
    pub fn is_first(&self) -> bool {
        self.rank == 0
    }

    /// The ranks of a training, which may go to another thread, as into [`tensor::with_threads`]; the world stays where it is. Or to set more: `world.ranks().bucket_bytes(1 << 20)`. [`Fit::ranks`](nn::Fit::ranks) takes the world itself too.
    pub fn ranks<T: Float>(&self) -> Ranks<T> {
        Ranks::new(Peer { shared: Arc::clone(&self.shared), rank: self.rank, size: self.size })
    }

    /// Ends all ranks, with a sentence that says why: for what goes wrong on this one, such as a file that is not there. Where it goes wrong
    /// on all, rank 0 says so alone.
    pub fn end_all(&self, why: impl Display) -> ! {
        if !self.is_first() {
            std::thread::sleep(Duration::from_millis(500));
        }
        eprintln!("rank {}: {why}", self.rank);
        lock(&self.shared).comm.abort(1)
    }

    /// What the MPI calls itself.
    pub fn library(&self) -> String {
        Mpi::library_version().unwrap_or_else(|_| "an unknown MPI".into())
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() && self.size > 1 {
            // The others would wait for this one. The lock may be with a thread that waits for them.
            self.mpi.world().abort(101);
        }
    }
}

impl<T: Float> From<&World> for Ranks<T> {
    fn from(world: &World) -> Self {
        world.ranks()
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn failed(what: &str, why: ferrompi::Error) -> Error {
    Error::Ranks(format!("{what}: {why}"))
}

/// The way of a training to the other ranks.
struct Peer {
    shared: Arc<Mutex<Shared>>,
    rank: usize,
    size: usize,
}

/// What gradients and bytes are sent as: between two ranks, what is sent first comes first.
const DATA: i32 = 1;
/// The most bytes of one broadcast: counts of MPI have 31 bits.
const MOST_BYTES: usize = 1 << 30;

impl Peer {
    /// Starts some calls of MPI and waits until they are done.
    fn call<'env>(
        &self,
        what: &str,
        yields: bool,
        start: impl for<'s> FnOnce(&'s Scope<'s, 'env>, &Comm) -> ferrompi::Result<Vec<Request<'s>>>,
    ) -> Result<(), Error> {
        let shared = lock(&self.shared);
        let Shared { comm, patience } = &*shared;
        scope(|s| {
            let mut requests = start(s, comm)?;
            patience.wait(comm, what, &mut requests, yields)
        })
        .map_err(|why| failed(&format!("rank {} could not {what}", self.rank), why))
    }
}

impl<T: Float> Communicator<T> for Peer {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    fn exchange(&mut self, send: &[(usize, &[T])], receive: Vec<(usize, &mut [T])>, yields: bool) -> Result<(), Error> {
        self.call("exchange gradients", yields, |s, comm| {
            let mut requests = Vec::with_capacity(send.len() + receive.len());
            for (from, values) in receive {
                requests.push(comm.irecv(s, values, from as i32, DATA)?);
            }
            for (to, values) in send {
                requests.push(comm.isend(s, values, *to as i32, DATA)?);
            }
            Ok(requests)
        })
    }

    fn all_gather(&mut self, mine: &[u8]) -> Result<Vec<u8>, Error> {
        let mut all = vec![0; mine.len() * self.size];
        self.call("tell what it has found", false, |s, comm| Ok(vec![comm.iallgather(s, mine, &mut all)?]))?;
        Ok(all)
    }

    fn broadcast(&mut self, mut bytes: Vec<u8>) -> Result<Vec<u8>, Error> {
        let mut len = [bytes.len() as u64];
        self.call("hear from rank 0", false, |s, comm| Ok(vec![comm.ibroadcast(s, &mut len, 0)?]))?;
        bytes.resize(len[0] as usize, 0);
        for part in bytes.chunks_mut(MOST_BYTES) {
            self.call("hear from rank 0", false, |s, comm| Ok(vec![comm.ibroadcast(s, part, 0)?]))?;
        }
        Ok(bytes)
    }

    fn all_reduce(&mut self, values: &mut [T], yields: bool) -> Result<(), Error> {
        self.call("add up gradients", yields, |s, comm| Ok(vec![comm.iallreduce_inplace(s, values, ReduceOp::Sum)?]))
    }
}

const _: () = assert!(DATA != LATE);
