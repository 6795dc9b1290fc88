//! Which rows of the data each step is made with.

mod prefetch;
mod rows;
mod split;

pub use prefetch::Prefetch;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
pub use rows::Rows;
pub use split::{folds, folds_stratified, split, split_stratified};
use tensor::Tensor;

use crate::Error;
use crate::ranks::part;

/// The rows of each step's batch as a function of the number of the step: indices for [`Tensor::index_select`], for
/// losses, or for a closure that reads files. PyTorch's `DataLoader` and its samplers.
///
/// Steps are grouped into epochs of [`steps_per_epoch`](Self::steps_per_epoch). Each epoch has an order of its own,
/// which follows from the seed and the number of the epoch alone: step 1000 has the same rows in a training that is
/// resumed there. Rows come in the order of the data unless it is [shuffled](Self::shuffled), and the last batch of an
/// epoch may be smaller.
///
/// # Example
/// ```
/// use nn::Batches;
/// use tensor::Tensor;
///
/// let x = Tensor::from([[0.0], [10.0], [20.0], [30.0], [40.0]]);
/// let mut batches = Batches::new(0..5, 2)?.shuffled(42);
/// let mut sum = 0.0;
/// for step in 0..batches.steps_per_epoch() {
///     let rows = batches.rows(step); // [2], and at last [1]
///     sum += x.index_select(0, rows).sum(..).item();
/// }
/// assert_eq!(sum, 100.0);
/// # Ok::<(), nn::Error>(())
/// ```
#[doc(alias = "DataLoader")]
#[derive(Clone, Debug)]
pub struct Batches {
    /// What the rows are called, if they are not the first numbers.
    names: Option<Tensor<i64>>,
    len: usize,
    size: usize,
    order: Order,
    drops_last: bool,
    /// Of which of so many ranks they are, and the rows of a shard.
    of_rank: Option<[usize; 3]>,
    /// The epoch whose order is at hand.
    epoch: Option<u64>,
    rows: Tensor<i64>,
    /// A part of `rows`.
    batch: Tensor<i64>,
}

#[derive(Clone, Debug)]
enum Order {
    AsTheyAre,
    Shuffled {
        seed: u64,
    },
    Replaced {
        seed: u64,
    },
    /// The places of the rows of each class.
    Balanced {
        seed: u64,
        classes: Vec<Vec<i64>>,
    },
}

/// A stream for a seed, an epoch, and what it is drawn for.
pub(in crate::training) fn stream(seed: u64, epoch: u64, what: &[u8; 16]) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&epoch.to_le_bytes());
    key[16..].copy_from_slice(what);
    ChaCha8Rng::from_seed(key)
}

/// The places of each class's rows, in the order of the classes.
fn by_class(labels: &Tensor<i64>) -> Result<Vec<Vec<i64>>, Error> {
    if labels.rank() != 1 {
        let why = format!("are {}, but must be one for each row: [n]", labels.shape());
        return Err(Error::Invalid { what: "the labels", why });
    }
    let mut classes = std::collections::BTreeMap::<i64, Vec<i64>>::new();
    for (place, label) in (0..).zip(labels.iter()) {
        classes.entry(label).or_default().push(place);
    }
    Ok(classes.into_values().collect())
}

impl Batches {
    /// Makes batches of `size` of these [`Rows`]: `0..n`, or those of a [`split()`].
    ///
    /// # Errors
    /// There are no rows, the size is 0, or larger than the number of rows; or the rows are a tensor that is no vector.
    #[doc(alias = "batch_size")]
    pub fn new(rows: impl Into<Rows>, size: usize) -> Result<Self, Error> {
        let rows = rows.into();
        rows.check("the batches", "are of")?;
        let len = rows.len();
        if len > 0 && size > len {
            let why = format!(
                "are of {size} rows, but there are {len} and each comes once in an epoch; take {len} at most, or draw them \
                 with replacement: `Batches::drawn`"
            );
            return Err(Error::Invalid { what: "the batches", why });
        }
        Batches::any(rows, size)
    }

    /// Makes batches of `size` of these rows, which may be more than there are: each is drawn from all by itself, as
    /// [`with_replacement`](Self::with_replacement).
    ///
    /// # Errors
    /// There are no rows, or the size is 0; or the rows are a tensor that is no vector.
    ///
    /// # Example
    /// ```
    /// let mut batches = nn::Batches::drawn(0..3, 100, 42)?;
    /// assert_eq!(batches.rows(0).numel(), 100);
    /// # Ok::<(), nn::Error>(())
    /// ```
    pub fn drawn(rows: impl Into<Rows>, size: usize, seed: u64) -> Result<Self, Error> {
        let rows = rows.into();
        rows.check("the batches", "are of")?;
        Ok(Batches::any(rows, size)?.with_replacement(seed))
    }

    fn any(rows: Rows, size: usize) -> Result<Self, Error> {
        let invalid = |why: &str| Err(Error::Invalid { what: "the batches", why: why.into() });
        let len = rows.len();
        if len == 0 {
            return invalid("are of an empty data set: there are no rows");
        }
        if size == 0 {
            return invalid("are of 0 rows, but must be of at least 1");
        }
        let (names, rows, batch) = (rows.names(), Tensor::zeros([0]), Tensor::zeros([0]));
        let (order, drops_last, of_rank, epoch) = (Order::AsTheyAre, false, None, None);
        Ok(Batches { names, len, size, order, drops_last, of_rank, epoch, rows, batch })
    }

    fn ordered(self, order: Order) -> Self {
        Batches { order, epoch: None, ..self }
    }

    /// Takes the rows in another random order in each epoch; all orders are equally likely. PyTorch's `shuffle=True`.
    #[doc(alias = "shuffle")]
    #[must_use]
    pub fn shuffled(self, seed: u64) -> Self {
        self.ordered(Order::Shuffled { seed })
    }

    /// Draws each row from all by itself, so that it may come several times or not at all. All batches are full.
    #[must_use]
    pub fn with_replacement(self, seed: u64) -> Self {
        self.ordered(Order::Replaced { seed })
    }

    /// Takes as many rows of each class as of the others, however many there are in the data: of C classes, each C rows in a
    /// row have each class once, in another order. The rows of a class come in random orders of all of them, those of a
    /// small class several times in an epoch. All batches are full. `labels` has the class of each row that is
    /// [batched](Self::new).
    ///
    /// # Errors
    /// There are not as many labels as rows.
    ///
    /// # Example
    /// ```
    /// use nn::Batches;
    /// use tensor::Tensor;
    ///
    /// let labels = Tensor::from([0, 0, 0, 0, 0, 1]);
    /// let mut batches = Batches::new(0..6, 2)?.balanced(&labels, 42)?;
    /// assert!((0..30).all(|step| labels.index_select(0, batches.rows(step)).sum(..).item() == 1));
    /// # Ok::<(), nn::Error>(())
    /// ```
    pub fn balanced(self, labels: &Tensor<i64>, seed: u64) -> Result<Self, Error> {
        let classes = by_class(labels)?;
        if labels.numel() != self.len {
            let why = format!("are {}, but there are {} rows", labels.numel(), self.len);
            return Err(Error::Invalid { what: "the labels", why });
        }
        Ok(self.ordered(Order::Balanced { seed, classes }))
    }

    /// Leaves out the last batch of each epoch if it is smaller than the others. PyTorch's `drop_last=True`.
    #[must_use]
    pub fn drop_last(self) -> Self {
        Batches { drops_last: true, ..self }
    }

    /// Leaves of each batch what one of `size` [ranks](crate::ranks) has of it, which is cut into shards of so many rows: for a closure that
    /// reads files ahead, by [`prefetch`](Self::prefetch), or a loop of one's own. No two ranks have a row in common, and all of them
    /// together have the batch; of a batch of few shards, some have none. [`Fit::ranks`](crate::Fit::ranks) and
    /// [`Ranks::backward`](crate::ranks::Ranks::backward) are given whole batches. PyTorch's `DistributedSampler`.
    ///
    /// # Errors
    /// There is no such rank, or a shard has no rows.
    ///
    /// # Example
    /// ```
    /// use nn::Batches;
    ///
    /// let all = Batches::new(0..100, 20)?.shuffled(42);
    /// let mut parts: Vec<Batches> =
    ///     (0..3).map(|rank| all.clone().of_rank(rank, 3, 4)).collect::<Result<_, _>>()?;
    /// let own: Vec<usize> = parts.iter_mut().map(|part| part.rows(7).numel()).collect();
    /// assert_eq!(own, [4, 8, 8]); // of five shards
    /// # Ok::<(), nn::Error>(())
    /// ```
    #[doc(alias = "DistributedSampler")]
    pub fn of_rank(self, rank: usize, size: usize, shard: usize) -> Result<Self, Error> {
        if rank >= size || shard == 0 {
            let why = format!(
                "cannot be of rank {rank} of {size} with {shard} rows in a shard: ranks count from 0, and a shard has a row"
            );
            return Err(Error::Invalid { what: "the batches", why });
        }
        Ok(Batches { of_rank: Some([rank, size, shard]), ..self })
    }

    /// Whether they are of one of several ranks alone.
    pub(crate) fn is_of_rank(&self) -> bool {
        self.of_rank.is_some()
    }

    /// The rows that batches are made of.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none, which there never are.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The rows of a batch that is full.
    pub fn size(&self) -> usize {
        self.size
    }

    /// What they are, in words by which others can be told from them.
    #[cfg(feature = "checkpoint")]
    pub(crate) fn described(&self) -> String {
        let order = match &self.order {
            Order::AsTheyAre => "in order".to_owned(),
            Order::Shuffled { seed } => format!("shuffled by seed {seed}"),
            Order::Replaced { seed } => format!("drawn by seed {seed}"),
            Order::Balanced { seed, classes } => {
                let places: Tensor<i64> = classes.iter().flat_map(|rows| rows.iter().copied().chain([-1])).collect();
                format!("balanced by seed {seed} among {} classes ({})", classes.len(), sum_of(&places))
            }
        };
        let names = self.names.as_ref().map_or(String::new(), |names| format!(" ({})", sum_of(names)));
        let last = if self.drops_last { ", without a smaller last one" } else { "" };
        let part = self.of_rank.map_or(String::new(), |[rank, size, _]| format!(", of rank {rank} of {size}"));
        format!("{} of {} rows{names}, {order}{last}{part}", self.size, self.len)
    }

    /// The steps of an epoch.
    pub fn steps_per_epoch(&self) -> u64 {
        let steps = if self.drops_last { self.len / self.size } else { self.len.div_ceil(self.size) };
        steps.max(1) as u64
    }

    /// The rows of a step, a vector. It is a view of the epoch's order, which is drawn when the first of its steps is
    /// asked for.
    pub fn rows(&mut self, step: u64) -> &Tensor<i64> {
        let steps = self.steps_per_epoch();
        let (epoch, place) = (step / steps, (step % steps) as usize);
        if self.epoch != Some(epoch) {
            // So that the memory of the last order can be used again.
            self.batch = Tensor::zeros([0]);
            self.rows = Tensor::zeros([0]);
            let places = self.places(epoch);
            self.rows = match &self.names {
                Some(names) => names.index_select(0, &places),
                None => places,
            };
            self.epoch = Some(epoch);
        }
        let start = place * self.size;
        let mut range = start..(start + self.size).min(self.rows.numel());
        if let Some([rank, size, shard]) = self.of_rank {
            let shards = part(range.len().div_ceil(shard), rank, size);
            range = (start + shards.start * shard).min(range.end)..(start + shards.end * shard).min(range.end);
        }
        self.batch = self.rows.slice(0, range);
        &self.batch
    }

    /// The places of the rows in the order of an epoch.
    fn places(&self, epoch: u64) -> Tensor<i64> {
        let full = self.steps_per_epoch() as usize * self.size;
        match &self.order {
            Order::AsTheyAre => (0..self.len as i64).collect(),
            Order::Shuffled { seed } => init::randperm(self.len, &mut stream(*seed, epoch, b"evenkeel: epoch.")),
            Order::Replaced { seed } => {
                let mut rng = stream(*seed, epoch, b"evenkeel: drawn.");
                init::randint(self.len as i64, [full], &mut rng).expect("there are rows")
            }
            Order::Balanced { seed, classes } => {
                let mut rng = stream(*seed, epoch, b"evenkeel: class.");
                let mut decks: Vec<Deck<'_>> = classes.iter().map(|rows| Deck::new(rows)).collect();
                let all: Vec<i64> = (0..classes.len() as i64).collect();
                let mut turns = Deck::new(&all);
                (0..full).map(|_| decks[turns.next(&mut rng) as usize].next(&mut rng)).collect()
            }
        }
    }

    /// Computes `make` of the rows of each step on this many threads of their own, which work ahead: what reads files or
    /// changes pictures while the calling thread trains. It is given the step and its rows, and what it makes comes in
    /// the order of the steps: the number of threads changes no result.
    ///
    /// # Example
    /// ```
    /// use nn::Batches;
    ///
    /// let batches = Batches::new(0..100, 10)?.shuffled(42);
    /// let sums: Vec<i64> = batches.prefetch(0..20, 2, |_, rows| rows.sum(..).item()).collect();
    /// assert_eq!(sums[..10].iter().sum::<i64>(), 4950);
    /// # Ok::<(), nn::Error>(())
    /// ```
    pub fn prefetch<X: Send + 'static>(
        self,
        steps: std::ops::Range<u64>,
        threads: usize,
        make: impl Fn(u64, &Tensor<i64>) -> X + Send + Sync + 'static,
    ) -> Prefetch<X> {
        Prefetch::new(self, steps, threads, make)
    }
}

/// A checksum by which some rows can be told from others.
#[cfg(feature = "checkpoint")]
pub(crate) fn sum_of(rows: &Tensor<i64>) -> String {
    let mut sum = crc32fast::Hasher::new();
    rows.iter().for_each(|row| sum.update(&row.to_le_bytes()));
    format!("sum {:08x}", sum.finalize())
}

/// Things that come in a random order of all of them, and then in another.
struct Deck<'a> {
    all: &'a [i64],
    left: Vec<i64>,
}

impl<'a> Deck<'a> {
    fn new(all: &'a [i64]) -> Self {
        Deck { all, left: Vec::new() }
    }

    fn next(&mut self, rng: &mut dyn Rng) -> i64 {
        if self.left.is_empty() {
            let order = init::randperm(self.all.len(), rng);
            self.left.extend(order.iter().map(|place| self.all[place as usize]));
        }
        self.left.pop().expect("no class is without rows")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epoch(batches: &mut Batches, epoch: u64) -> Vec<Vec<i64>> {
        let steps = batches.steps_per_epoch();
        (epoch * steps..(epoch + 1) * steps).map(|step| batches.rows(step).to_vec()).collect()
    }

    #[test]
    fn each_row_comes_once_in_an_epoch_in_another_order() {
        let mut plain = Batches::new(0..7, 3).unwrap();
        assert_eq!(epoch(&mut plain, 5), [vec![0, 1, 2], vec![3, 4, 5], vec![6]]);
        let mut batches = Batches::new(0..7, 3).unwrap().shuffled(1);
        let orders: Vec<Vec<i64>> = (0..20).map(|e| epoch(&mut batches, e).concat()).collect();
        for order in &orders {
            let mut sorted = order.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, [0, 1, 2, 3, 4, 5, 6]);
        }
        assert!(orders.windows(2).any(|pair| pair[0] != pair[1]));
        // A step's rows do not depend on what was asked before.
        let mut again = Batches::new(0..7, 3).unwrap().shuffled(1);
        assert_eq!(again.rows(3 * 19 + 2).to_vec(), orders[19][6..]);
        assert_eq!(again.rows(0).to_vec(), orders[0][..3]);
        assert_ne!(epoch(&mut Batches::new(0..7, 3).unwrap().shuffled(2), 0).concat(), orders[0]);
        let mut dropped = Batches::new(0..7, 3).unwrap().shuffled(1).drop_last();
        assert_eq!((dropped.steps_per_epoch(), epoch(&mut dropped, 0).concat()), (2, orders[0][..6].to_vec()));
        // The first orders of a seed are a contract.
        assert_eq!(orders[0], CONTRACT);
    }

    const CONTRACT: [i64; 7] = [1, 5, 6, 2, 4, 3, 0];

    #[test]
    fn rows_may_have_other_names_and_be_drawn_with_replacement() {
        let names = Tensor::from([10, 20, 30]);
        let mut batches = Batches::new(names.clone(), 2).unwrap();
        assert_eq!(epoch(&mut batches, 0), [vec![10, 20], vec![30]]);
        let mut drawn = Batches::new(0..3, 2).unwrap().with_replacement(1);
        assert!((0..100).all(|step| drawn.rows(step).numel() == 2));
        let mut counts = [0; 3];
        let mut drawn = Batches::new(names, 3).unwrap().with_replacement(1);
        for step in 0..1000 {
            drawn.rows(step).iter().for_each(|row| counts[row as usize / 10 - 1] += 1);
        }
        assert!(counts.iter().all(|count| (900..1100).contains(count)), "{counts:?}");
    }

    #[test]
    fn classes_come_equally_often_and_each_row_of_a_class_too() {
        let labels = Tensor::from([7, 7, 7, 7, 7, 7, -1, -1, 3]);
        let mut batches = Batches::new(0..9, 3).unwrap().balanced(&labels, 5).unwrap();
        let mut counts = [0; 9];
        for step in 0..600 {
            let rows = batches.rows(step).clone();
            let mut classes = labels.index_select(0, &rows).to_vec();
            classes.sort_unstable();
            assert_eq!(classes, [-1, 3, 7]);
            rows.iter().for_each(|row| counts[row as usize] += 1);
        }
        assert_eq!((counts[8], counts[6] + counts[7]), (600, 600));
        assert!(counts[..6].iter().all(|count| (60..140).contains(count)), "{counts:?}");
    }

    #[test]
    fn what_cannot_be_batched_is_refused() {
        let why = |result: Result<Batches, Error>| result.unwrap_err().to_string();
        assert_eq!(why(Batches::new(0..0, 1)), "the batches are of an empty data set: there are no rows");
        assert_eq!(why(Batches::new(0..5, 0)), "the batches are of 0 rows, but must be of at least 1");
        assert!(
            why(Batches::new(0..5, 6)).starts_with("the batches are of 6 rows, but there are 5 and each comes once")
        );
        assert!(Batches::new(Tensor::zeros([2, 2]), 1).is_err() && Batches::new(Tensor::zeros([0]), 1).is_err());
        assert!(Batches::drawn(0..0, 3, 1).is_err() && Batches::drawn(0..3, 0, 1).is_err());
        let mut more = Batches::drawn(0..3, 8, 1).unwrap();
        assert_eq!((more.steps_per_epoch(), more.rows(5).numel()), (1, 8));
        assert!(more.rows(5).iter().all(|row| (0..3).contains(&row)));
        let batches = || Batches::new(0..3, 1).unwrap();
        assert_eq!(why(batches().balanced(&Tensor::from([1, 2]), 0)), "the labels are 2, but there are 3 rows");
        assert!(batches().balanced(&Tensor::zeros([3, 1]), 0).is_err());
    }
}
