//! A model that several processes train together, each with a part of every batch: data parallelism.
//!
//! A process has a *rank* among them, from 0. Each has the whole model and the data, computes some of the [shards](crate::Shards) of each
//! batch, and makes the step of all. [`Fit::ranks`](crate::Fit::ranks) does so by itself; [`Ranks::backward`] is for loops of one's own. How
//! processes reach each other is a [`Communicator`]'s business: `evenkeel-mpi` has one.
//!
//! # The same bits at any number of ranks
//! A batch is cut into K shards by its size alone. Each shard's gradient is computed by itself, as that of its share of the mean, and they
//! are added by one binary tree over K: neighbours, then neighbours of those. A rank has neighbouring shards, so it adds up whole subtrees by
//! itself, and only the top of the tree is between ranks: each adds up, in the order of the tree, what all have of its own part of the
//! gradients, and then tells the others the sum. Nobody's result depends on who comes first.
//!
//! # While the backward pass goes on
//! Gradients are packed into [buckets](Ranks::bucket_bytes) as they are finished, the last layer's first. A full bucket goes to a thread that
//! waits for the other ranks while the pass goes on, where there is [a core for it](Ranks::overlap).

mod agree;
mod buckets;
mod exchange;
mod link;
mod session;
mod told;
pub(crate) mod tree;
mod worker;

use std::ops::Range;
use std::sync::Arc;

use autograd::{Gradients, Tape, Var};
pub(crate) use exchange::share_parts;
pub(crate) use link::Link;
pub(crate) use session::{Found, Gathered, Item, Session};
use tensor::{Float, Tensor};
pub(crate) use told::{Reader, Writer};
use tree::{Fold, Node};

use crate::{Error, Module};

/// How a process reaches the others that train with it. Every method is called by all of them, in the same order: a call returns when all
/// that is asked for has come.
///
/// # Errors
/// What went wrong, as [`Error::Ranks`]: a sentence that names the rank. Or it ends the process, if the others could not go on either.
pub trait Communicator<T: Float = f32>: Send {
    /// The number of this process, from 0.
    fn rank(&self) -> usize;

    /// How many there are.
    fn size(&self) -> usize;

    /// Sends each part to the rank beside it, and fills each other part with what that rank sends. Of several to one rank, the first that
    /// is sent is the first to be filled. `yields` says that this process computes on another thread, which has no core but this one's.
    #[allow(clippy::missing_errors_doc, reason = "they are those of the trait")]
    fn exchange(&mut self, send: &[(usize, &[T])], receive: Vec<(usize, &mut [T])>, yields: bool) -> Result<(), Error>;

    /// What each rank has given, one after the other: as many bytes of each.
    #[allow(clippy::missing_errors_doc, reason = "they are those of the trait")]
    fn all_gather(&mut self, mine: &[u8]) -> Result<Vec<u8>, Error>;

    /// What rank 0 has given. The others' bytes do not count.
    #[allow(clippy::missing_errors_doc, reason = "they are those of the trait")]
    fn broadcast(&mut self, bytes: Vec<u8>) -> Result<Vec<u8>, Error>;

    /// Puts the sum over all ranks in the place of the values, added in an order of its own choice.
    #[allow(clippy::missing_errors_doc, reason = "they are those of the trait")]
    fn all_reduce(&mut self, values: &mut [T], yields: bool) -> Result<(), Error>;
}

/// How a training is shared among processes: by which [`Communicator`], and with what set. Clones are for one training after the other.
///
/// # Example
/// A communicator of one process, which has nobody to tell anything:
/// ```
/// use nn::ranks::Ranks;
/// use nn::{Batches, Fit, Optimizer, Param, Sgd};
/// use tensor::Tensor;
///
/// let mut w = Param::new(Tensor::from([1.0]));
/// Fit::steps(10)
///     .batches(Batches::new(0..100, 20)?)
///     .shards(5)
///     .ranks(Ranks::alone().bucket_bytes(1 << 20).shard_moments(true))
///     .run(&mut w, &mut Optimizer::new(Sgd::default(), 0.1)?, |w, tape, _| w.on(tape).square().sum(..))?;
/// # Ok::<(), nn::Error>(())
/// ```
#[doc(alias = "DistributedDataParallel")]
#[doc(alias = "ProcessGroup")]
pub struct Ranks<T: Float = f32> {
    pub(crate) link: Link<T>,
    pub(crate) settings: Settings,
    /// What a loop of one's own goes on with from step to step.
    own_loop: Option<(Session<T>, Tape<T>)>,
}

impl<T: Float> Clone for Ranks<T> {
    fn clone(&self) -> Self {
        Ranks { link: self.link.clone(), settings: self.settings, own_loop: None }
    }
}

/// What is set of a training on ranks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) bucket_bytes: usize,
    /// `None` where it depends on who looks at gradients.
    pub(crate) shards_moments: Option<bool>,
    pub(crate) any_order: bool,
    /// `None` where it depends on the machine.
    pub(crate) overlaps: Option<bool>,
}

impl<T: Float> Ranks<T> {
    /// Of the processes that a communicator reaches.
    pub fn new(communicator: impl Communicator<T> + 'static) -> Self {
        let settings = Settings { bucket_bytes: 4 << 20, shards_moments: None, any_order: false, overlaps: None };
        Ranks { link: Link::new(Box::new(communicator)), settings, own_loop: None }
    }

    /// Of this process alone.
    pub fn alone() -> Self {
        Ranks::new(Alone)
    }

    /// The number of this process among the ranks, from 0.
    pub fn rank(&self) -> usize {
        self.link.rank()
    }

    /// How many ranks there are.
    pub fn size(&self) -> usize {
        self.link.size()
    }

    /// Sets how many bytes of gradients are sent at once at most, though each at least that of one weight: 4 MiB, unless this is said.
    #[doc(alias = "bucket_cap_mb")]
    #[must_use]
    pub fn bucket_bytes(mut self, bytes: usize) -> Self {
        self.settings.bucket_bytes = bytes;
        self
    }

    /// Whether each of n ranks keeps 1/n of what the optimizer has of each weight, such as Adam's moments, moves its own part of the weights
    /// and tells the others (Rajbhandari et al., 2020, *ZeRO: Memory Optimizations Toward Training Trillion Parameter Models*, stage 1): the
    /// same bits. Unless this is said, it does so where that costs nothing: each rank then needs its own part of the gradients alone, so as
    /// much is sent, and each has 1/n of the moving to do. Where somebody asks for all gradients (clipping by their norm, a hook, an observer,
    /// or a rule that is not [elementwise](crate::Rule::is_elementwise), whose weights are moved whole, by a rank each), half as much again is
    /// sent.
    ///
    /// After a fit, every rank has all that the optimizer keeps.
    #[doc(alias = "ZeroRedundancyOptimizer")]
    #[must_use]
    pub fn shard_moments(mut self, shards: bool) -> Self {
        self.settings.shards_moments = Some(shards);
        self
    }

    /// Lets the communicator add up in the order that it likes best. **Other bits** with another number of ranks, and perhaps from run to run.
    #[must_use]
    pub fn any_order(mut self) -> Self {
        self.settings.any_order = true;
        self
    }

    /// Whether gradients are sent while the backward pass goes on, by a thread of its own, or when it is over: the same bits. Unless this is
    /// said, they are where the process has a core to spare for that thread. Of two ranks on two cores, it takes 1 ms more of a step of 13 ms;
    /// over a slow network, it may be worth that.
    #[must_use]
    pub fn overlap(mut self, overlaps: bool) -> Self {
        self.settings.overlaps = Some(overlaps);
        self
    }

    /// The mean loss over `rows` and its gradients, the same on every rank: as [`Shards::backward`](crate::Shards::backward), which gives the
    /// same bits in one process. `loss` computes the mean over the rows of a shard; it is called for those of this rank, one after the other.
    /// `draws` is the seed and the step that shards draw by, as [`Tape::seed`].
    ///
    /// # Errors
    /// What went wrong between ranks; at the first call, that they have other models or settings.
    ///
    /// # Panics
    /// There are no rows, `rows` is no vector, `shard` is 0, or `loss` panics.
    ///
    /// # Example
    /// ```
    /// use nn::ranks::Ranks;
    /// use nn::{Batches, Optimizer, Param, Sgd};
    /// use tensor::Tensor;
    ///
    /// let (mut w, mut sgd) = (Param::new(Tensor::from([1.0])), Optimizer::new(Sgd::default(), 0.1)?);
    /// let (mut ranks, mut batches) = (Ranks::alone(), Batches::new(0..100, 20)?);
    /// for step in 0..10 {
    ///     let rows = batches.rows(step);
    ///     let (_, gradients) = ranks.backward(&w, rows, 5, [42, step], |w, tape, _| w.on(tape).square().sum(..))?;
    ///     sgd.step(&mut w, &gradients);
    /// }
    /// # Ok::<(), nn::Error>(())
    /// ```
    #[track_caller]
    pub fn backward<M: Module<T> + ?Sized>(
        &mut self,
        model: &M,
        rows: &Tensor<i64>,
        shard: usize,
        [seed, step]: [u64; 2],
        mut loss: impl for<'t> FnMut(&M, &'t Tape<T>, &Tensor<i64>) -> Var<'t, T>,
    ) -> Result<(f64, Gradients<T>), Error> {
        assert!(
            rows.rank() == 1 && rows.numel() > 0 && shard > 0,
            "Ranks::backward: needs the numbers of some rows, and a row at least in a shard, got {} and {shard}",
            rows.shape()
        );
        let len = rows.numel() as f64;
        let parts = (0..).zip(rows.split(0, shard));
        let items: Vec<Item> =
            parts.map(|(shard, rows)| Item::new(step, shard, rows.numel() as f64 / len, rows)).collect();
        let link = self.link.clone();
        if self.own_loop.is_none() {
            let told =
                [("the rows of a shard", shard.to_string()), ("the set of ranks", format!("{:?}", self.settings))];
            link.agree(told.map(|(name, text)| (name.to_owned(), text)).into(), model)?;
        }
        let begin = || (Session::new(link.clone(), self.settings), Tape::default());
        let (session, tape) = self.own_loop.get_or_insert_with(begin);
        let sum = session.sum(model, &items, Gathered::Whole, |item, finished| {
            tape.reset();
            tape.seed_shard(seed, item.pass, item.shard);
            link.reach_shards(tape, items.len());
            let loss = loss(model, tape, &item.rows);
            let gradients = loss.backward_handing(Tensor::full(loss.shape(), T::from_f64(item.share)), finished);
            Found { loss: loss.item().to_f64(), why: None, gradients }
        })?;
        // Lets go of the values, so that a step changes them in place.
        tape.reset();
        let mut loss = Fold::new(items.len());
        for (at, (item, value)) in items.iter().zip(&sum.losses).enumerate() {
            loss.push(Node::leaf(at), value * item.share, |a, b| a + b);
        }
        Ok((loss.sum().expect("there are shards"), sum.gradients))
    }
}

/// The communicator of one process.
struct Alone;

impl<T: Float> Communicator<T> for Alone {
    fn rank(&self) -> usize {
        0
    }

    fn size(&self) -> usize {
        1
    }

    fn exchange(&mut self, _: &[(usize, &[T])], _: Vec<(usize, &mut [T])>, _: bool) -> Result<(), Error> {
        Ok(())
    }

    fn all_gather(&mut self, mine: &[u8]) -> Result<Vec<u8>, Error> {
        Ok(mine.to_vec())
    }

    fn broadcast(&mut self, bytes: Vec<u8>) -> Result<Vec<u8>, Error> {
        Ok(bytes)
    }

    fn all_reduce(&mut self, _: &mut [T], _: bool) -> Result<(), Error> {
        Ok(())
    }
}

/// Which of so many things the rank `rank` of `size` has.
pub(crate) fn part(things: usize, rank: usize, size: usize) -> Range<usize> {
    things * rank / size..things * (rank + 1) / size
}

/// Which shards each rank has, and the tops of the subtrees over them.
pub(crate) struct Parts {
    pub(crate) shards: usize,
    pub(crate) ranges: Vec<Range<usize>>,
    pub(crate) tops: Vec<Vec<Node>>,
}

impl Parts {
    pub(crate) fn of(shards: usize, size: usize) -> Arc<Self> {
        let ranges: Vec<_> = (0..size).map(|rank| part(shards, rank, size)).collect();
        let tops = ranges.iter().map(|range| tree::tops(shards, range.clone())).collect();
        Arc::new(Parts { shards, ranges, tops })
    }
}
