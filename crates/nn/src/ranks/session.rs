//! A step on ranks: the sum of all shards' gradients, and what else all of them must know of it.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use autograd::{Finished, Gradients, Id, Update, Updates};
use tensor::{Float, Shape, Tensor};

use super::buckets::{Filling, Plan};
use super::exchange::Job;
use super::tree::{Fold, Node};
use super::worker::Worker;
use super::{Link, Parts, Reader, Settings, Writer, part};
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
        let mine = parts.ranges[self.link.rank()].clone();
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
            others = self.last_shard(&items[at], &fold, &parts, &mut told, &mut compute)?;
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

    /// Computes the last of this rank's shards, whose gradients are sent as they are finished. What is of no weight of the model comes back.
    fn last_shard(
        &mut self,
        item: &Item,
        fold: &Fold<Gradients<T>>,
        parts: &Arc<Parts>,
        told: &mut Told<T>,
        compute: &mut impl FnMut(&Item, Finished<'_, T>) -> Found<T>,
    ) -> Result<Vec<(Id, Tensor<T>)>, Error> {
        let tops = &parts.tops[self.link.rank()];
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
        let found = compute(item, &mut |id, gradient| {
            if self.plan.place(id).is_none() {
                return Some(gradient);
            }
            if outcome.is_ok() {
                outcome = self.finished(id, all(id, Some(gradient)), parts);
            }
            None
        });
        outcome?;
        // What is of no weight of the model, for whoever makes the step to refuse.
        let others = told.take(item, found).into_named().0;
        let missing = (0..self.plan.weights.len()).rev().map(|weight| self.plan.weights[weight].0);
        for id in missing.collect::<Vec<_>>() {
            let (bucket, place) = self.plan.place(id).expect("it is of the plan");
            if self.filling.get(bucket).is_some_and(|filling| filling.as_ref().is_some_and(|of| !of.has(place))) {
                self.finished(id, all(id, None), parts)?;
            }
        }
        Ok(others)
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
