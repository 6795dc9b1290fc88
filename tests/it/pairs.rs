//! Every feature with every other. One training has all of them, each in one of two ways: by the feature, or by the same computed another way.
//! A cell of the table trains with two features, and must come to what the training without any comes to. A feature that is new has to say
//! its other way ([`other_way`]), and is then tried with all that are there; a cell that cannot be has its reason ([`NONE`]).

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Mutex;

use evenkeel::autograd::{Gradients, Id, Mode, Tape, Var};
use evenkeel::diagnose::{self, Action, Watch};
use evenkeel::nn::{
    AdamW, BatchNorm1d, Batches, Checkpoint, Fit, Flow, Layer, ModelGradients, Module, Optimizer, Param, Progress,
    Schedule, Shards, WeightAverage, module,
};
use evenkeel::tensor::{Conv, Float, Tensor, keepdim, with_threads};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Feature {
    Named,
    Unnamed,
    Retained,
    Bind,
    Scope,
    Recomputed,
    Detach,
    Dropout,
    RunningState,
    Shards,
    Accumulation,
    Clip,
    Freeze,
    Groups,
    Clone,
    Average,
    Schedule,
    Resume,
    Fit,
    Watch,
    Inspect,
    Cure,
    Double,
    Threads,
    Convolution,
}

use Feature::*;

const ALL: [Feature; 25] = [
    Named,
    Unnamed,
    Retained,
    Bind,
    Scope,
    Recomputed,
    Detach,
    Dropout,
    RunningState,
    Shards,
    Accumulation,
    Clip,
    Freeze,
    Groups,
    Clone,
    Average,
    Schedule,
    Resume,
    Fit,
    Watch,
    Inspect,
    Cure,
    Double,
    Threads,
    Convolution,
];

/// How the same is computed without the feature: the oracle of each of its cells.
fn other_way(feature: Feature) -> &'static str {
    match feature {
        Named => "a weight that is used twice is put on the tape once",
        Unnamed => "the gradient of the input is that of a leaf with a name",
        Retained => "a leaf of zeros is added, and its gradient asked for",
        Bind => "the value is used where the parameter would be",
        Scope => "what is computed in a scope is computed outside, and detached",
        Recomputed => "the block stays on the tape",
        Detach => "a constant of the same value",
        Dropout => "a mask by the same key, multiplied by an op of one's own",
        RunningState => "the statistics of each pass are noted, and moved by hand",
        Shards => "a pass for each shard, one after the other",
        Accumulation => "gradients are added tensor by tensor",
        Clip => "norm and factor by hand",
        Freeze => "the weight is a constant on the tape",
        Groups => "half of the step is taken back",
        Clone => "the model stays itself",
        Average => "the average by hand, in f64",
        Schedule => "a rate of 1, scaled before each step",
        Resume => "the training is not interrupted",
        Fit => "the loop by hand",
        Watch | Inspect => "nobody looks",
        Cure => "the actions by hand",
        Double => "in f32",
        Threads => "on one thread",
        Convolution => "a product: the middle one of three windows is the whole signal",
    }
}

/// Pairs that are none.
const NONE: [(Feature, Feature, &str); 3] = [
    (Fit, Shards, "a fit makes each pass on a tape of its own"),
    (Fit, Clone, "a fit has borrowed the model"),
    (Shards, Watch, "a watch looks at a loss on its tape, and those of shards are gone"),
];

/// The features that are on; the others are computed the other way.
#[derive(Clone, Copy)]
struct On(Option<[Feature; 2]>);

impl On {
    fn has(self, feature: Feature) -> bool {
        self.0.is_some_and(|pair| pair.contains(&feature))
    }
}

struct Net<T: Float> {
    a: Param<T>,
    m: Param<T>,
    norm: BatchNorm1d<T>,
    still: Param<T>,
    /// Stands for a value that is made of `b` in each pass; its own is never right.
    made: Param<T>,
    b: Param<T>,
}

module!(impl<T> Net<T> { a, m, norm, still, made, b });

impl<T: Float> std::clone::Clone for Net<T> {
    fn clone(&self) -> Self {
        let Net { a, m, norm, still, made, b } = self;
        Net { a: a.clone(), m: m.clone(), norm: norm.clone(), still: still.clone(), made: made.clone(), b: b.clone() }
    }
}

/// The first layer.
fn first_layer<'t, T: Float>(x: Var<'t, T>, a: Var<'t, T>, by_convolution: bool) -> Var<'t, T> {
    if !by_convolution {
        return x.matmul(a);
    }
    let (signals, kernels) = (x.reshape([x.shape().dims()[0], 2, 2]), a.t().reshape([6, 2, 2]));
    signals.conv1d(kernels, None, Conv::default().padding(1)).select(2, 1)
}

const ROWS: usize = 16;
const STEPS: u64 = 6;
const RATE: f64 = 0.05;
const MOMENTUM: f64 = 0.2;

fn numbers<T: Float>(dims: &[usize], by: usize, scale: f64) -> Tensor<T> {
    Tensor::from_fn(dims, |i| T::from_f64((((i[0] * 7 + i.get(1).unwrap_or(&3) * by) % 13) as f64 / 6.0 - 1.0) * scale))
}

/// What a training leaves; what a way of training does not see is not compared.
#[derive(Clone, Default)]
struct Outcome {
    numbers: BTreeMap<String, Vec<f64>>,
}

impl Outcome {
    fn note<T: Float>(&mut self, name: impl Into<String>, x: &Tensor<T>) {
        self.numbers.insert(name.into(), x.iter().map(T::to_f64).collect());
    }

    /// Where two differ by more than a share of their size.
    fn difference(&self, other: &Outcome, share: f64) -> Option<String> {
        let both = self.numbers.iter().filter_map(|(name, one)| Some((name, one, other.numbers.get(name)?)));
        let mut compared = 0;
        for (name, one, other) in both {
            compared += 1;
            let size = one.iter().chain(other).fold(1e-2, |size: f64, x| size.max(x.abs()));
            let off = one.iter().zip(other).map(|(x, y)| (x - y).abs()).fold(0.0, f64::max);
            if one.len() != other.len() || off.is_nan() || off > share * size {
                return Some(format!("{name}: {one:.5?} and {other:.5?}"));
            }
        }
        assert!(compared >= 8, "only {compared} things were compared");
        None
    }
}

/// What passes have noted beside their losses: by pass and shard, the statistics of the batch.
type Noted<T> = Mutex<Vec<((u64, usize), [Tensor<T>; 2])>>;

struct Run<T: Float> {
    on: On,
    x: Tensor<T>,
    classes: Tensor<i64>,
    /// The name of the input, where it has one.
    input: Id,
    noted: Noted<T>,
}

impl<T: Float> Run<T> {
    fn new(on: On) -> Self {
        let classes = (0..ROWS).map(|i| (i * 5 % 3) as i64).collect();
        Run { on, x: numbers(&[ROWS, 4], 5, 1.0), classes, input: Id::new(), noted: Mutex::default() }
    }

    fn net(&self) -> Net<T> {
        let mut net = Net {
            a: Param::new(numbers(&[4, 6], 3, 0.6)),
            m: Param::new(numbers(&[6, 6], 4, 0.4)),
            norm: BatchNorm1d::try_new(6).unwrap().with_momentum(MOMENTUM).unwrap(),
            still: Param::new(numbers(&[6], 2, 0.8)),
            made: Param::new(Tensor::full([1, 6], T::from_f64(-9.0))),
            // Far too large, so that there is something to cure.
            b: Param::new(numbers(&[6, 3], 5, 6.0)),
        };
        net.freeze("made").unwrap();
        if self.on.has(Freeze) {
            net.freeze("still").unwrap();
        }
        let look =
            diagnose::inspect(&net, |net: &Net<T>, tape| self.forward(net, tape, &self.rows(), (0, 0), &mut None));
        if self.on.has(Cure) {
            let cure = look.cure(&mut net);
            assert!(!cure.applied.is_empty(), "{look}");
        } else {
            let actions = look.cure(&mut net.clone()).applied;
            for (path, param) in net.parameters_mut() {
                for action in actions.iter().filter(|action| action.parameter() == path) {
                    match action {
                        Action::Scale { factor, .. } => *param.value_mut() *= T::from_f64(*factor),
                        _ => *param.value_mut() = Tensor::zeros(param.value().shape()),
                    }
                }
            }
        }
        self.noted.lock().unwrap().clear();
        net
    }

    fn rows(&self) -> Tensor<i64> {
        (0..ROWS as i64).collect()
    }

    fn drop<'t>(&self, x: Var<'t, T>, by_feature: bool) -> Var<'t, T> {
        if by_feature {
            return x.dropout(0.25);
        }
        let key = x.tape().draw_key("dropout");
        let mask = Tensor::keyed_mask(&key, x.shape(), 0.25).unwrap();
        x.record("mask", x.value().masked_mul(&mask)).wrt(x, move |g| g.masked_mul(&mask)).done()
    }

    /// The loss of some rows in a pass; `seen` takes the leaf of the input and the value whose gradient is asked for.
    fn forward<'t>(
        &self,
        net: &Net<T>,
        tape: &'t Tape<T>,
        rows: &Tensor<i64>,
        pass: (u64, usize),
        seen: &mut Option<[Var<'t, T>; 2]>,
    ) -> Var<'t, T> {
        let on = |feature| self.on.has(feature);
        let x = self.x.index_select(0, rows);
        let x = if on(Unnamed) { tape.leaf(x) } else { tape.named_leaf(self.input, &x) };
        let b = net.b.on(tape);
        let made = b.mean(1).tanh().unsqueeze(0);
        // A segment reaches a value of the tape by a name alone.
        let bound = on(Bind) || on(Recomputed);
        if bound {
            tape.bind(net.made.id(), made);
        }
        let made_on = |tape: &'t Tape<T>| if bound { net.made.on(tape) } else { made };

        let h = if on(Recomputed) {
            let (a, a_value) = (net.a.id(), net.a.value().clone());
            let (id, stale, by_feature) = (net.made.id(), net.made.value().clone(), on(Dropout));
            let by_convolution = on(Convolution);
            x.recomputed(move |x| {
                let tape = x.tape();
                let x = match by_feature {
                    true => x.dropout(0.25),
                    false => {
                        let mask = Tensor::keyed_mask(&tape.draw_key("dropout"), x.shape(), 0.25).unwrap();
                        x.record("mask", x.value().masked_mul(&mask)).wrt(x, move |g| g.masked_mul(&mask)).done()
                    }
                };
                let h = first_layer(x, tape.named_leaf(a, &a_value), by_convolution).tanh();
                h * tape.named_by(id, &stale, false, ["test", "made"])
            })
        } else {
            let x = self.drop(x, on(Dropout));
            first_layer(x, net.a.on(tape), on(Convolution)).tanh() * made_on(tape)
        };

        let (h, asked) = match on(Retained) {
            true => (h, h.retain_gradient()),
            false => {
                let probe = tape.leaf(Tensor::zeros(h.shape()));
                (h + probe, probe)
            }
        };
        *seen = Some([x, asked]);

        let h = if on(RunningState) || on(Fit) {
            net.norm.forward(h)
        } else {
            let [weight, bias] = [&net.norm.weight, &net.norm.bias].map(|param| param.as_ref().unwrap().on(tape));
            let (y, mean, var) = h.batch_norm(weight, bias, 1e-5);
            let n = rows.numel() as f64;
            self.noted.lock().unwrap().push((pass, [mean, var * T::from_f64(n / (n - 1.0))]));
            y
        };
        let [first, second] = match on(Named) {
            true => [net.m.on(tape), net.m.on(tape)],
            false => [net.m.on(tape); 2],
        };
        let h = (h.matmul(first).tanh() + h).matmul(second).tanh();
        let still = match on(Freeze) {
            true => net.still.on(tape),
            false => tape.constant(net.still.value().clone()),
        };
        let beside = if on(Detach) { h.detach() } else { tape.constant(h.value()) };
        let in_scope = if on(Scope) {
            let made_value = made.value();
            tape.scope(|tape| {
                let made = if bound { net.made.on(tape) } else { tape.constant(made_value) };
                (tape.constant(h.value()) * made).sigmoid().mean(keepdim(1)).value()
            })
        } else {
            (h * made).sigmoid().mean(keepdim(1)).detach().value()
        };
        let logits = (h * still + beside * h.scale(T::from_f64(0.3)) + tape.constant(in_scope)).matmul(b);
        logits.cross_entropy(&self.classes.index_select(0, rows))
    }

    fn optimizer(&self) -> Optimizer<T> {
        let rule = AdamW { eps: 1e-3, weight_decay: 0.0, ..AdamW::default() };
        let schedule = if self.on.has(Schedule) || self.on.has(Fit) { schedule() } else { 1.0.into() };
        let optimizer = Optimizer::new(rule, schedule).unwrap().allow_missing();
        // What a group does can be taken back by hand in a loop by hand alone.
        if self.on.has(Groups) || self.on.has(Fit) {
            optimizer.group("b", |g| g.lr_scale(0.5)).unwrap()
        } else {
            optimizer
        }
    }

    /// The gradients of a pass over some rows, in two shards or one.
    fn gradients(
        &self,
        net: &Net<T>,
        rows: &Tensor<i64>,
        pass: u64,
        shards: usize,
        outcome: &mut Outcome,
    ) -> Gradients<T> {
        if self.on.has(Shards) {
            let mut by_feature = Shards::of(rows.numel().div_ceil(shards)).unwrap();
            by_feature.seed(5, pass);
            return by_feature
                .backward(rows, |tape, part| {
                    let shard = usize::from(part.get(&[0]) != rows.get(&[0]));
                    self.forward(net, tape, part, (pass, shard), &mut None)
                })
                .1;
        }
        let mut sum = None::<Gradients<T>>;
        for (shard, part) in rows.split(0, rows.numel().div_ceil(shards)).iter().enumerate() {
            let tape = Tape::in_mode(Mode::Train);
            tape.seed_shard(5, pass, shard as u32);
            let mut seen = None;
            let loss = self.forward(net, &tape, part, (pass, shard), &mut seen);
            let mut gradients = loss.backward();
            let [x, asked] = seen.unwrap();
            if shard == 0 {
                outcome.note("gradient of x", gradients.get(x).unwrap());
                outcome.note("gradient of h", gradients.get(asked).unwrap());
            }
            gradients.scale(1.0 / shards as f64);
            match &mut sum {
                Some(sum) => sum.add_shard(&gradients, 1.0),
                None => sum = Some(gradients),
            }
        }
        sum.unwrap()
    }

    fn by_hand(&self, shards: usize) -> Outcome {
        let on = |feature| self.on.has(feature);
        let (mut net, mut optimizer) = (self.net(), self.optimizer());
        let mut outcome = Outcome::default();
        let mut average = WeightAverage::exponential(0.9).unwrap().with_warmup();
        let mut average_by_hand: Vec<Vec<f64>> = Vec::new();
        let mut watch = Watch::new().every(1);
        let rows = self.rows();
        let halves = rows.split(0, ROWS / 2);
        for step in 0..STEPS {
            if on(Clone) && step == 3 {
                net = net.clone();
            }
            if on(Resume) && step == 3 {
                let path = file(self.on);
                let seen = watch.history().to_csv();
                let checkpoint = Checkpoint::new(&mut net).optimizer(&mut optimizer).average(&mut average);
                checkpoint.with_state("watch", &mut watch).save(&path).unwrap();
                (net, optimizer, watch) = (self.net(), self.optimizer(), Watch::new().every(1));
                average = WeightAverage::exponential(0.9).unwrap().with_warmup();
                let checkpoint = Checkpoint::new(&mut net).optimizer(&mut optimizer).average(&mut average);
                checkpoint.with_state("watch", &mut watch).load(&path).unwrap();
                assert_eq!(watch.history().to_csv(), seen);
                std::fs::remove_file(path).unwrap();
            }
            if on(Inspect) && step == 2 {
                let look = diagnose::inspect(&net, |net: &Net<T>, tape| {
                    self.forward(net, tape, &rows, (u64::MAX, 0), &mut None)
                });
                assert!(look.loss.value.is_finite());
                self.noted.lock().unwrap().retain(|((pass, _), _)| *pass != u64::MAX);
            }
            // Two passes, each over a half of the rows.
            let passes = [0, 1].map(|i| self.gradients(&net, &halves[i as usize], 2 * step + i, shards, &mut outcome));
            let mut gradients = if on(Accumulation) {
                let [mut sum, other] = passes;
                sum += &other;
                sum.scale(0.5);
                sum
            } else {
                let halves = passes.each_ref().map(|of| of.by_path(&net).into_iter().collect::<BTreeMap<_, _>>());
                let mean = |path: &String| (halves[0][path] + halves[1][path]) * T::from_f64(0.5);
                let gradients = given(&net, &mean, halves[0].keys().cloned().collect());
                passes.iter().for_each(|of| net.apply(of.updates()));
                gradients
            };
            if on(Watch) {
                let tape = Tape::in_mode(Mode::Train);
                tape.seed(5, 99);
                let loss = self.forward(&net, &tape, &rows, (u64::MAX, 0), &mut None);
                watch.before_step(&net, loss, &gradients);
                self.noted.lock().unwrap().retain(|((pass, _), _)| *pass != u64::MAX);
            }
            if on(Clip) {
                gradients.clip_norm(&net, 0.1).unwrap();
            } else {
                let squares = |(_, g): (String, &Tensor<T>)| g.iter().map(|x| x.to_f64() * x.to_f64()).sum::<f64>();
                let norm = gradients.by_path(&net).into_iter().map(squares).sum::<f64>().sqrt();
                if norm > 0.1 {
                    gradients.map_assign(|g| *g *= T::from_f64(0.1 / norm));
                }
            }
            let before = net.b.value().clone();
            if !on(Schedule) {
                optimizer.set_scale(schedule().at(step)).unwrap();
            }
            optimizer.step(&mut net, &gradients);
            if !on(Groups) {
                let half = (net.b.value() - &before) * T::from_f64(0.5);
                *net.b.value_mut() = before + half;
            }
            if !on(RunningState) {
                let mut noted = self.noted.lock().unwrap();
                noted.sort_by_key(|(pass, _)| *pass);
                // Of a pass, the first shard's.
                for (_, [mean, var]) in noted.drain(..).filter(|((_, shard), _)| *shard == 0) {
                    for (param, found) in [(&mut net.norm.running_mean, mean), (&mut net.norm.running_var, var)] {
                        let value = param.as_mut().unwrap().value_mut();
                        *value = &*value * T::from_f64(1.0 - MOMENTUM) + found * T::from_f64(MOMENTUM);
                    }
                }
            }
            if on(Watch) {
                watch.after_step(&net);
            }
            average.update(&net);
            let decay = f64::min(0.9, (1 + step) as f64 / (10 + step) as f64);
            for (place, (_, param)) in net.parameters().into_iter().enumerate() {
                let new = param.value().iter().map(T::to_f64);
                match average_by_hand.get_mut(place) {
                    Some(old) => old.iter_mut().zip(new).for_each(|(old, new)| *old += (1.0 - decay) * (new - *old)),
                    None => average_by_hand.push(new.collect()),
                }
            }
        }
        assert_eq!(watch.history().loss.len() as u64, if on(Watch) { STEPS } else { 0 });
        for (place, (path, param)) in net.parameters().into_iter().enumerate() {
            let by_feature = average.of(param).unwrap().iter().map(T::to_f64).collect();
            let average = if on(Average) { by_feature } else { average_by_hand[place].clone() };
            outcome.numbers.insert(format!("average of {path}"), average);
        }
        net.state_dict().iter().for_each(|(path, param)| outcome.note(path, param.value()));
        outcome
    }

    /// The same by a fit. What is not its own to do is done by its hooks.
    fn by_fit(&self) -> Outcome {
        let on = |feature| self.on.has(feature);
        let (mut net, outcome) = (self.net(), RefCell::new(Outcome::default()));
        let rows = self.rows();
        let (mut watch, path) = (Watch::new().every(1), file(self.on));
        let legs: &[u64] = if on(Resume) { &[3, STEPS] } else { &[STEPS] };
        for steps in legs {
            let mut optimizer = self.optimizer();
            if on(Resume) {
                (net, watch) = (self.net(), Watch::new().every(1));
            }
            let mut fit = Fit::steps(*steps)
                .batches(Batches::new(rows.clone(), ROWS / 2).unwrap())
                .accumulate(2)
                .clip_norm(0.1)
                .average(0.9)
                .seed(5)
                .on_step(|p: &Progress<'_, Net<T>, T>| {
                    let mut outcome = outcome.borrow_mut();
                    p.model.state_dict().iter().for_each(|(path, param)| outcome.note(path, param.value()));
                    Flow::Continue
                });
            if on(Watch) {
                fit = fit.watch(&mut watch);
            }
            if on(Resume) {
                fit = fit.checkpoint(&path, 3);
            }
            fit.run(&mut net, &mut optimizer, |net, tape, rows| self.forward(net, tape, rows, (0, 0), &mut None))
                .unwrap();
        }
        let _ = std::fs::remove_file(path);
        assert_eq!(watch.history().loss.len() as u64, if on(Watch) { STEPS } else { 0 });
        let mut outcome = outcome.into_inner();
        net.parameters().iter().for_each(|(path, param)| outcome.note(format!("average of {path}"), param.value()));
        outcome
    }
}

/// Gradients of these numbers.
fn given<T: Float>(net: &Net<T>, of: &dyn Fn(&String) -> Tensor<T>, paths: Vec<String>) -> Gradients<T> {
    let tape = Tape::in_mode(Mode::Train);
    let term = |(path, param): (String, &Param<T>)| (param.on(&tape) * tape.constant(of(&path))).sum(..);
    let with = net.parameters().into_iter().filter(|(path, _)| paths.contains(path));
    let loss = with.map(term).reduce(|a, b| a + b).unwrap();
    loss.backward()
}

fn schedule() -> Schedule {
    Schedule::cosine(RATE, STEPS + 2).warmup(2)
}

fn file(on: On) -> std::path::PathBuf {
    std::env::temp_dir().join(format!("evenkeel-pairs-{}-{:?}.safetensors", std::process::id(), on.0))
}

/// What the features of a cell come to, with so many shards.
fn outcome(on: On, shards: usize) -> Outcome {
    fn run<T: Float>(on: On, shards: usize) -> Outcome {
        let run = Run::<T>::new(on);
        if on.has(Fit) { run.by_fit() } else { run.by_hand(shards) }
    }
    let threads = if on.has(Threads) { 3 } else { 1 };
    let run = || if on.has(Double) { run::<f64>(on, shards) } else { run::<f32>(on, shards) };
    with_threads(threads, run).unwrap()
}

#[test]
fn a_training_that_is_another_is_found_out() {
    let want = outcome(On(None), 2);
    let mut other = Run::<f32>::new(On(None));
    other.x *= 1.01;
    assert!(other.by_hand(2).difference(&want, 2e-4).is_some());
    assert!(outcome(On(None), 1).difference(&want, 2e-4).is_some());
}

#[test]
fn every_feature_goes_with_every_other() {
    let [one, two] = [1, 2].map(|shards| outcome(On(None), shards));
    let mut wrong = Vec::new();
    let mut cells = 0;
    for (i, &a) in ALL.iter().enumerate() {
        assert!(a as usize == i && !other_way(a).is_empty());
        for &b in &ALL[..=i] {
            if NONE.iter().any(|(c, d, _)| [(a, b), (b, a)].contains(&(*c, *d))) {
                continue;
            }
            cells += 1;
            let on = On(Some([a, b]));
            // A fit has no shards; elsewhere each pass has two.
            let shards = if on.has(Fit) { 1 } else { 2 };
            let want = if shards == 1 { &one } else { &two };
            let share = if on.has(Double) { 2e-3 } else { 2e-4 };
            let result = std::panic::catch_unwind(|| outcome(on, shards));
            match result {
                Err(_) => wrong.push(format!("{a:?} × {b:?} panics")),
                Ok(got) => wrong.extend(got.difference(want, share).map(|how| format!("{a:?} × {b:?}: {how}"))),
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {cells} cells:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(cells, 25 * 26 / 2 - NONE.len());
}
