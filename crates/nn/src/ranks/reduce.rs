//! The sum of all shards' gradients: the subtrees of this rank, and the top of the tree between ranks.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use autograd::{Gradients, Id, Update, Updates};
use tensor::{Float, Shape, Tensor};

use super::buckets::{Filling, Plan};
use super::tree::{Fold, Node};
use super::{Communicator, Link, Parts, Reader, Settings, Writer, part};
use crate::{Error, Module};

/// A shard of a step.
pub(crate) struct Item {
    /// The pass that it is a part of, by which it draws.
    pub(crate) pass: u64,
    /// Which of the pass's shards it is.
    pub(crate) shard: u32,
    /// Its share of the step's loss.
    pub(crate) share: f64,
    pub(crate) rows: Tensor<i64>,
}

impl Item {
    pub(crate) fn new(pass: u64, shard: u32, share: f64, rows: Tensor<i64>) -> Self {
        Item { pass, shard, share, rows }
    }
}

/// What a shard gives.
pub(crate) struct Found<T: Float> {
    pub(crate) loss: f64,
    /// What is wrong with the loss, if it is not finite.
    pub(crate) why: Option<String>,
    /// Those of its share of the loss.
    pub(crate) gradients: Gradients<T>,
}

/// What all shards of a step give, the same on each rank.
pub(crate) struct Sum<T: Float> {
    /// Of each shard.
    pub(crate) losses: Vec<f64>,
    /// What is wrong with the first that is not finite.
    pub(crate) why: Option<String>,
    /// Of weights that were sent by themselves, this rank's own part alone, where no more was asked for.
    pub(crate) gradients: Gradients<T>,
    /// The weight whose gradient is not finite, if one is not and that was looked for.
    pub(crate) lost: Option<Id>,
}

/// How much of the gradients each rank is to have in the end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Gathered {
    /// All of them.
    Whole,
    /// What it needs to move its own part of each weight. That they are finite is looked at by each rank for its part.
    Parts,
}

/// What is done with the gradient of a weight that is finished, as [`autograd::Var::backward_handing`] has it.
pub(crate) type Finished<'f, T> = &'f mut dyn FnMut(Id, Tensor<T>) -> Option<Tensor<T>>;

/// A training on ranks, from step to step.
pub(crate) struct Session<T: Float> {
    link: Link<T>,
    settings: Settings,
    gathered: Gathered,
    /// Whether a thread sends gradients while the pass goes on, and whether it has a core of its own.
    overlaps: bool,
    has_core: bool,
    plan: Plan,
    /// Which gradients of the step are there, by bucket.
    filling: Vec<Option<Filling<T>>>,
    /// Of which weights this rank has a gradient.
    present: Vec<bool>,
    /// Of each bucket, the elements of the sum.
    summed: Vec<Option<Tensor<T>>>,
    /// The bucket to be sent next: each rank sends them in this order.
    next: usize,
    worker: Option<Worker<T>>,
    scratch: Vec<T>,
}

impl<T: Float> Session<T> {
    pub(crate) fn new(link: Link<T>, settings: Settings) -> Self {
        let (plan, filling, present, summed) = (Plan::default(), Vec::new(), Vec::new(), Vec::new());
        let gathered = Gathered::Whole;
        let has_core = std::thread::available_parallelism().is_ok_and(|cores| cores.get() > tensor::threads());
        let overlaps = settings.overlaps.unwrap_or(has_core);
        Session {
            link,
            settings,
            gathered,
            overlaps,
            has_core,
            plan,
            filling,
            present,
            summed,
            next: 0,
            worker: None,
            scratch: Vec::new(),
        }
    }

    /// The losses of all items and the gradients of their sum, where each item counts by its share. `compute` is called for those of this
    /// rank, in their order, and hands out what is finished.
    pub(crate) fn sum<M: Module<T> + ?Sized>(
        &mut self,
        model: &M,
        items: &[Item],
        gathered: Gathered,
        mut compute: impl FnMut(&Item, Finished<'_, T>) -> Found<T>,
    ) -> Result<Sum<T>, Error> {
        let parts = Parts::of(items.len(), self.link.size());
        let (mine, tops) = (parts.ranges[self.link.rank()].clone(), &parts.tops[self.link.rank()]);
        let mut fold = Fold::new(items.len());
        let mut told = Told { losses: Vec::new(), why: None, updates: Vec::new() };
        let mut others = Vec::new();
        if self.link.size() > 1 {
            self.begin(model, gathered);
        }
        for at in mine.clone() {
            let is_last = at + 1 == mine.end && self.link.size() > 1;
            if !is_last {
                let found = compute(&items[at], &mut |_, gradient| Some(gradient));
                let gradients = told.take(&items[at], found);
                fold.push(Node::leaf(at), gradients, |mut sum: Gradients<T>, more| {
                    sum.add_shard(&more, 1.0);
                    sum
                });
                continue;
            }
            // The last leaf joins some of the subtrees before: so what it hands out is the sum of those, finished.
            let (rest, joined) = fold.tops.split_at(tops.len() - 1);
            let top = |id, last: Option<Tensor<T>>| {
                joined.iter().rev().fold(last, |sum, (_, earlier)| match (sum, earlier.named(id)) {
                    (Some(mut sum), Some(earlier)) => {
                        sum += earlier;
                        Some(sum)
                    }
                    (sum, earlier) => sum.or_else(|| earlier.cloned()),
                })
            };
            let all = |id, last| {
                let rest = rest.iter().map(|(_, sum)| sum.named(id).cloned());
                rest.chain([top(id, last)]).collect::<Vec<_>>()
            };
            let mut outcome = Ok(());
            let found = compute(&items[at], &mut |id, gradient| {
                if self.plan.place(id).is_none() {
                    return Some(gradient);
                }
                if outcome.is_ok() {
                    outcome = self.finished(id, all(id, Some(gradient)), &parts);
                }
                None
            });
            outcome?;
            // What is of no weight of the model, for whoever makes the step to refuse.
            others = told.take(&items[at], found).into_named().0;
            let missing = (0..self.plan.weights.len()).rev().map(|weight| self.plan.weights[weight].0);
            for id in missing.collect::<Vec<_>>() {
                let (bucket, place) = self.plan.place(id).expect("it is of the plan");
                if self.filling.get(bucket).is_some_and(|filling| filling.as_ref().is_some_and(|of| !of.has(place))) {
                    self.finished(id, all(id, None), &parts)?;
                }
            }
        }
        if self.link.size() == 1 {
            let (mut named, _) = fold.sum().expect("a step has shards").into_named();
            let places: HashMap<Id, usize> = (0..).zip(states(model)).map(|(place, (id, _))| (id, place)).collect();
            named.sort_by_key(|(id, _)| places.get(id).copied().unwrap_or(usize::MAX));
            let gradients = Gradients::of_named(named, Updates::from_iter(told.updates));
            return Ok(Sum { losses: told.losses, why: told.why, gradients, lost: None });
        }
        self.collect(&parts)?;
        let lost = self.first_lost();
        let Heard { losses, why, updates, present, lost } = self.tell(model, told, lost, &parts)?;
        let named = self.weights_of_buckets(&present);
        let gradients = Gradients::of_named(named.into_iter().chain(others), Updates::from_iter(updates));
        let lost = lost.map(|weight| self.plan.weights[weight].0);
        Ok(Sum { losses, why, gradients, lost })
    }

    /// Before the first gradient of a step.
    fn begin<M: Module<T> + ?Sized>(&mut self, model: &M, gathered: Gathered) {
        self.gathered = gathered;
        if !self.plan.is_of(model) {
            self.plan = Plan::of(model, self.settings.bucket_bytes);
        }
        self.filling = self.plan.buckets.iter().map(|bucket| Some(Filling::of(bucket))).collect();
        self.summed = self.plan.buckets.iter().map(|_| None).collect();
        self.present = vec![false; self.plan.weights.len()];
        self.next = 0;
    }

    /// Takes the sums over this rank's subtrees of the gradient of a weight, and sends the buckets that are full.
    fn finished(&mut self, id: Id, sums: Vec<Option<Tensor<T>>>, parts: &Arc<Parts>) -> Result<(), Error> {
        let (bucket, place) = self.plan.place(id).expect("it is of the plan");
        self.present[self.plan.buckets[bucket].weights[place]] |= sums.iter().any(Option::is_some);
        if let Some(filling) = &mut self.filling[bucket] {
            filling.set(place, sums);
        }
        // Behind the last, nothing goes on meanwhile.
        while self.overlaps
            && !self.link.reaches_shards()
            && self.next + 1 < self.filling.len()
            && self.filling[self.next].as_ref().is_some_and(Filling::is_full)
        {
            let job = self.job(self.next, parts);
            let worker =
                self.worker.get_or_insert_with(|| Worker::new(self.link.clone(), self.settings, !self.has_core));
            worker.send(job)?;
            self.next += 1;
        }
        Ok(())
    }

    fn job(&mut self, at: usize, parts: &Arc<Parts>) -> Job<T> {
        let bucket = &self.plan.buckets[at];
        let filling = self.filling[at].take().expect("each bucket is sent once");
        let tops = parts.tops[self.link.rank()].len();
        let sums = filling.packed(bucket, &self.plan.weights, tops);
        let stays_apart = self.gathered == Gathered::Parts && bucket.weights.len() == 1;
        Job { bucket: at, elements: bucket.elements, sums, parts: Arc::clone(parts), stays_apart }
    }

    /// Waits for the buckets that were sent, and sends the others.
    fn collect(&mut self, parts: &Arc<Parts>) -> Result<(), Error> {
        for _ in 0..self.next {
            let (bucket, sum) = self.worker.as_mut().expect("it has been sent some").receive()?;
            self.summed[bucket] = Some(sum);
        }
        for bucket in self.next..self.filling.len() {
            let job = self.job(bucket, parts);
            self.summed[bucket] = Some(job.reduce(&self.link, self.settings, &mut self.scratch, false)?);
        }
        Ok(())
    }

    /// The first weight of whose gradient this rank's own part is not finite, where nobody else will look at that.
    fn first_lost(&self) -> Option<usize> {
        if self.gathered == Gathered::Whole {
            return None;
        }
        let mut first = None;
        for (bucket, sum) in self.plan.buckets.iter().zip(&self.summed) {
            let (sum, mut start) = (sum.as_ref().expect("all have been summed"), 0);
            // Of several weights, all of each.
            let own = match bucket.weights.len() {
                1 => part(bucket.elements, self.link.rank(), self.link.size()),
                _ => 0..bucket.elements,
            };
            for &weight in &bucket.weights {
                let end = start + self.plan.weights[weight].1.numel();
                if !sum.slice(0, start.max(own.start)..end.min(own.end)).all_finite() {
                    first = Some(first.map_or(weight, |first: usize| first.min(weight)));
                }
                start = end;
            }
        }
        first
    }

    /// The sums of the weights that any rank has a gradient of, in the model's order.
    fn weights_of_buckets(&mut self, present: &[bool]) -> Vec<(Id, Tensor<T>)> {
        let mut named = Vec::new();
        for (bucket, sum) in self.plan.buckets.iter().zip(&mut self.summed) {
            let (sum, mut start) = (sum.take().expect("all have been summed"), 0);
            for &weight in &bucket.weights {
                let (id, shape) = &self.plan.weights[weight];
                let end = start + shape.numel();
                if present[weight] {
                    named.push((weight, *id, sum.slice(0, start..end).reshape(shape)));
                }
                start = end;
            }
        }
        named.sort_by_key(|(weight, ..)| *weight);
        named.into_iter().map(|(_, id, sum)| (id, sum)).collect()
    }

    /// Tells all ranks what this one has found beside gradients, and hears what they have.
    fn tell<M: Module<T> + ?Sized>(
        &mut self,
        model: &M,
        told: Told<T>,
        lost: Option<usize>,
        parts: &Parts,
    ) -> Result<Heard<T>, Error> {
        let most = parts.ranges.iter().map(Range::len).max().unwrap_or(0);
        let mut more = Writer::default();
        if told.why.is_some() || !told.updates.is_empty() {
            more.text(told.why.as_deref().unwrap_or(""));
            let places = states(model);
            for (id, update) in &told.updates {
                // What is of no state of the model changes nothing.
                if let Some(place) = places.iter().position(|(of, _)| of == id) {
                    more.number(place);
                    more.update(update);
                }
            }
        }
        let mut all = Writer::default();
        (0..most).for_each(|at| all.float(told.losses.get(at).copied().unwrap_or(0.0)));
        all.number(more.0.len());
        all.number(lost.unwrap_or(usize::MAX));
        all.0.extend(self.present.iter().map(|&present| u8::from(present)));
        let heard = self.link.gather_alike(&all.0)?;
        let (mut losses, mut present, mut is_more) = (Vec::new(), vec![false; self.present.len()], false);
        let mut first_lost = usize::MAX;
        for (bytes, range) in heard.iter().zip(&parts.ranges) {
            let mut reader = Reader(bytes);
            let own: Vec<f64> = (0..most).map(|_| reader.float()).collect();
            losses.extend(&own[..range.len()]);
            is_more |= reader.number() > 0;
            first_lost = first_lost.min(reader.number());
            present.iter_mut().zip(reader.0).for_each(|(present, &more)| *present |= more > 0);
        }
        let (mut why, mut updates) = (None, Vec::new());
        if is_more {
            let states = states(model);
            for bytes in self.link.gather(&more.0)?.iter().filter(|bytes| !bytes.is_empty()) {
                let mut reader = Reader(bytes);
                let said = reader.text();
                why = why.or(Some(said).filter(|said| !said.is_empty()));
                while !reader.0.is_empty() {
                    let (id, shape) = &states[reader.number()];
                    updates.push((*id, reader.update(shape)));
                }
            }
        }
        let lost = Some(first_lost).filter(|lost| *lost < present.len());
        Ok(Heard { losses, why, updates, present, lost })
    }
}

/// The names of all that a model lists, and their shapes.
fn states<T: Float, M: Module<T> + ?Sized>(model: &M) -> Vec<(Id, Shape)> {
    model.state_dict().into_iter().map(|(_, param)| (param.id(), param.value().shape().clone())).collect()
}

/// What this rank has found beside gradients.
struct Told<T: Float> {
    losses: Vec<f64>,
    why: Option<String>,
    updates: Vec<(Id, Update<T>)>,
}

impl<T: Float> Told<T> {
    /// Takes note of a shard, of which the gradients are left. Of the changes of state, those of the first shard of each pass count.
    fn take(&mut self, item: &Item, found: Found<T>) -> Gradients<T> {
        self.losses.push(found.loss);
        self.why = self.why.take().or(found.why);
        if item.shard == 0 {
            self.updates.extend(found.gradients.updates().iter().map(|(id, update)| (id, update.clone())));
        }
        found.gradients
    }
}

/// What all ranks have found.
struct Heard<T: Float> {
    losses: Vec<f64>,
    why: Option<String>,
    updates: Vec<(Id, Update<T>)>,
    /// Of which weights there is a gradient.
    present: Vec<bool>,
    /// The first whose gradient is not finite.
    lost: Option<usize>,
}

/// A bucket to be summed over the ranks.
struct Job<T: Float> {
    bucket: usize,
    elements: usize,
    /// Over each of this rank's subtrees.
    sums: Vec<Tensor<T>>,
    parts: Arc<Parts>,
    /// Whether each rank is to have no more than its own part of it.
    stays_apart: bool,
}

/// Up to so many bytes, each rank sends all that it has to all others, and adds up everything: one round of messages in place of two. Between
/// two ranks by shared memory, 64 KiB took 8 µs, and a half of it there and the sum back 2 × 6 (AMD EPYC).
const SENT_WHOLE: usize = 1 << 16;

impl<T: Float> Job<T> {
    fn reduce(
        self,
        link: &Link<T>,
        settings: Settings,
        scratch: &mut Vec<T>,
        yields: bool,
    ) -> Result<Tensor<T>, Error> {
        let communicator = &mut **link.lock();
        if settings.any_order {
            return self.in_any_order(communicator, yields);
        }
        if self.elements * size_of::<T>() <= SENT_WHOLE {
            return self.by_all(communicator, scratch, yields);
        }
        self.by_parts(communicator, scratch, yields)
    }

    fn in_any_order(self, communicator: &mut dyn Communicator<T>, yields: bool) -> Result<Tensor<T>, Error> {
        let own = self.sums.into_iter().reduce(|mut sum, more| {
            sum += &more;
            sum
        });
        let mut sum = own.unwrap_or_else(|| Tensor::full([self.elements], T::from_f64(-0.0)));
        communicator.all_reduce(sum.as_mut_slice(), yields)?;
        Ok(sum)
    }

    /// Everybody adds up everything.
    fn by_all(
        mut self,
        communicator: &mut dyn Communicator<T>,
        scratch: &mut Vec<T>,
        yields: bool,
    ) -> Result<Tensor<T>, Error> {
        let (rank, size) = (communicator.rank(), communicator.size());
        let received = Received::of(&self.parts, rank, self.elements, scratch);
        let own: Vec<&[T]> = self.sums.iter().map(|sum| sum.as_slice().expect("packed")).collect();
        let send: Vec<_> =
            (0..size).filter(|to| *to != rank).flat_map(|to| own.iter().map(move |sum| (to, *sum))).collect();
        let mut received = received;
        communicator.exchange(&send, received.waiting(), yields)?;
        let own = self.sums.iter_mut().map(Tensor::as_mut_slice).collect();
        if let Some(elsewhere) = received.sum(&self.parts, rank, own) {
            return Ok(Tensor::from_vec(elsewhere, [self.elements]));
        }
        Ok(self.sums.swap_remove(0))
    }

    /// Everybody adds up its own part, and tells the others the sum.
    fn by_parts(
        mut self,
        communicator: &mut dyn Communicator<T>,
        scratch: &mut Vec<T>,
        yields: bool,
    ) -> Result<Tensor<T>, Error> {
        let (rank, size, elements) = (communicator.rank(), communicator.size(), self.elements);
        let mine = part(elements, rank, size);
        let mut received = Received::of(&self.parts, rank, mine.len(), scratch);
        let own: Vec<&[T]> = self.sums.iter().map(|sum| sum.as_slice().expect("packed")).collect();
        let others = (0..size).filter(|to| *to != rank);
        let to = |to| own.iter().map(move |sum| (to, &sum[part(elements, to, size)]));
        communicator.exchange(&others.flat_map(to).collect::<Vec<_>>(), received.waiting(), yields)?;
        let own = self.sums.iter_mut().map(|sum| &mut sum.as_mut_slice()[mine.clone()]).collect();
        let elsewhere = received.sum(&self.parts, rank, own);
        if self.sums.is_empty() {
            self.sums.push(Tensor::zeros([elements]));
        }
        let mut sum = self.sums.swap_remove(0);
        if let Some(elsewhere) = elsewhere {
            sum.as_mut_slice()[mine].copy_from_slice(&elsewhere);
        }
        if !self.stays_apart {
            share_parts(communicator, sum.as_mut_slice(), yields)?;
        }
        Ok(sum)
    }
}

/// Fills all but this rank's own part of the elements with what the other ranks have there.
pub(crate) fn share_parts<T: Float>(
    communicator: &mut dyn Communicator<T>,
    elements: &mut [T],
    yields: bool,
) -> Result<(), Error> {
    let (rank, size, len) = (communicator.rank(), communicator.size(), elements.len());
    let (mut rest, mut own, mut receive) = (elements, &[][..], Vec::new());
    for of in 0..size {
        let (here, behind) = rest.split_at_mut(part(len, of, size).len());
        rest = behind;
        if of == rank {
            own = here;
        } else {
            receive.push((of, here));
        }
    }
    let send: Vec<_> = (0..size).filter(|to| *to != rank).map(|to| (to, own)).collect();
    communicator.exchange(&send, receive, yields)
}

/// What the other ranks have sent of their subtrees: of each as many elements, one after the other.
struct Received<'s, T> {
    /// The ranks that they are of.
    from: Vec<usize>,
    each: usize,
    elements: &'s mut [T],
}

impl<'s, T: Float> Received<'s, T> {
    /// Room for what will come.
    fn of(parts: &Parts, rank: usize, each: usize, scratch: &'s mut Vec<T>) -> Self {
        let from: Vec<usize> = (0..parts.tops.len())
            .filter(|of| *of != rank)
            .flat_map(|of| std::iter::repeat_n(of, parts.tops[of].len()))
            .collect();
        let needed = from.len() * each;
        if scratch.len() < needed {
            scratch.resize(needed, T::ZERO);
        }
        Received { from, each, elements: &mut scratch[..needed] }
    }

    fn waiting(&mut self) -> Vec<(usize, &mut [T])> {
        // Of nothing there are no pieces, and yet a message each.
        let pieces = self.elements.chunks_mut(self.each.max(1)).chain(std::iter::repeat_with(|| &mut [][..]));
        self.from.iter().copied().zip(pieces).collect()
    }

    /// The sum with this rank's own, in the order of the tree: in the place of the first of these, or, where there is none, by itself.
    fn sum(self, parts: &Parts, rank: usize, own: Vec<&mut [T]>) -> Option<Vec<T>> {
        let (mut own, mut others) = (own.into_iter().enumerate(), self.elements.chunks_mut(self.each.max(1)));
        let mut fold = Fold::new(parts.shards);
        for (of, tops) in parts.tops.iter().enumerate() {
            for &top in tops {
                let (stays, elements) = match of == rank {
                    true => own.next().map(|(at, elements)| (at == 0, elements)).expect("one for each subtree"),
                    false => (false, others.next().unwrap_or(&mut [])),
                };
                // Either may have the sum: a + b is b + a.
                fold.push(top, (stays, elements), |(a_stays, a), (b_stays, b)| match b_stays {
                    true => (true, added(b, a)),
                    false => (a_stays, added(a, b)),
                });
            }
        }
        let (stays, sum) = fold.sum().expect("a step has shards");
        (!stays).then(|| sum.to_vec())
    }
}

fn added<'a, T: Float>(sum: &'a mut [T], more: &[T]) -> &'a mut [T] {
    sum.iter_mut().zip(more).for_each(|(sum, &more)| *sum += more);
    sum
}

/// A thread that sums buckets while the backward pass goes on.
struct Worker<T: Float> {
    jobs: Option<Sender<Job<T>>>,
    done: Receiver<Result<(usize, Tensor<T>), Error>>,
    thread: Option<JoinHandle<()>>,
}

impl<T: Float> Worker<T> {
    fn new(link: Link<T>, settings: Settings, yields: bool) -> Self {
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

    fn send(&self, job: Job<T>) -> Result<(), Error> {
        self.jobs.as_ref().expect("until it is dropped").send(job).map_err(|_| gone())
    }

    fn receive(&mut self) -> Result<(usize, Tensor<T>), Error> {
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
