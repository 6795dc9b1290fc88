//! A training on ranks has the bits of one process, with each feature of a training.

mod threads;

use std::path::Path;

use autograd::{Tape, Var};
use nn::ranks::Ranks;
use nn::{
    Adam, AdamW, BatchNorm1d, Batches, Dropout, Embedding, Fit, FitReport, Flow, Layer, Linear, Module, Muon,
    Optimizer, Param, Rule, Schedule, Sgd, Shards, Stopped, WeightAverage, metrics, module,
};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use tensor::{Float, Tensor};
use threads::on_ranks;

/// A net with a table, batch norm with running means, dropout, and a weight that only some rows reach.
struct Net<T: Float> {
    table: Embedding<T>,
    hidden: Linear<T>,
    norm: BatchNorm1d<T>,
    dropout: Dropout,
    seldom: Param<T>,
    output: Linear<T>,
}

module!(impl<T> Net<T> { table, hidden, norm, seldom, output, .. });

const ROWS: usize = 90;

impl<T: Float> Net<T> {
    fn new(seed: u64) -> Self {
        let rng = &mut ChaCha8Rng::seed_from_u64(seed);
        Net {
            table: Embedding::try_torch(9, 4, rng).unwrap(),
            hidden: Linear::try_torch(8, 13, rng).unwrap(),
            norm: BatchNorm1d::try_new(13).unwrap().cumulative(),
            dropout: Dropout::new(0.2).unwrap(),
            seldom: Param::new(Tensor::ones([5])),
            output: Linear::try_torch(13, 5, rng).unwrap(),
        }
    }

    fn logits<'t>(&self, tape: &'t Tape<T>, rows: &Tensor<i64>) -> Var<'t, T> {
        let x = Tensor::from_fn([ROWS, 2], |i| ((i[0] * 7 + i[1] * 5) % 9) as i64).index_select(0, rows);
        let h = self.hidden.forward(self.table.forward(tape, &x).reshape([rows.numel(), 8]));
        let logits = self.output.forward(self.dropout.forward(self.norm.forward(h).tanh()));
        // Which shards have one depends on how they are cut.
        if self.seldom.is_trained() && rows.iter().any(|row| row % 8 == 3) {
            logits * self.seldom.on(tape)
        } else {
            logits
        }
    }

    fn labels(rows: &Tensor<i64>) -> Tensor<i64> {
        rows.map(|row| row * row % 5)
    }

    fn loss<'t>(&self, tape: &'t Tape<T>, rows: &Tensor<i64>) -> Var<'t, T> {
        self.logits(tape, rows).cross_entropy(&Self::labels(rows))
    }

    fn bits(&self) -> Vec<u64> {
        let bits = |x: T| x.to_f64().to_bits();
        self.state_dict().into_iter().flat_map(|(_, param)| param.value().to_vec().into_iter().map(bits)).collect()
    }
}

type Set<T> = fn(Fit<'static, Net<T>, T>) -> Fit<'static, Net<T>, T>;
type SetRanks<T> = fn(Ranks<T>) -> Ranks<T>;

/// The model, the report and the optimizer of a fit of so many steps, by shards of 3 rows.
fn trained<T: Float>(
    steps: u64,
    rule: impl Rule<T> + 'static,
    set: Set<T>,
    ranks: Ranks<T>,
) -> (Net<T>, FitReport, Optimizer<T>) {
    let mut model = Net::new(7);
    let has_matrices = rule.name() == "adamw";
    let mut optimizer =
        Optimizer::new(rule, Schedule::cosine(0.02, 30)).unwrap().group("*bias", |g| g.weight_decay(0.0)).unwrap();
    if has_matrices {
        // A rule that goes by whole matrices.
        optimizer = optimizer.group("hidden.weight", |g| g.rule(Muon::default())).unwrap();
    }
    optimizer = optimizer.allow_missing();
    let fit = Fit::steps(steps).batches(Batches::new(0..70, 17).unwrap().shuffled(3)).shards(3).seed(5).quiet();
    let report = set(fit.ranks(ranks)).run(&mut model, &mut optimizer, Net::loss).unwrap();
    (model, report, optimizer)
}

/// Makes sure that any number of ranks comes to the bits of one.
fn alike<T: Float, R: Rule<T> + 'static>(name: &str, rule: impl Fn() -> R + Sync, set: Set<T>, set_ranks: SetRanks<T>) {
    let (want, report, _) = trained(14, rule(), set, Ranks::alone());
    for size in [1, 2, 3, 4, 8] {
        for (model, other, _) in on_ranks(size, |ranks| trained(14, rule(), set, set_ranks(ranks))) {
            assert!(model.bits() == want.bits(), "{name}, {size} ranks: other weights");
            assert_eq!(other, report, "{name}, {size} ranks");
        }
    }
}

#[test]
fn each_feature_gives_the_bits_of_one_process_at_any_number_of_ranks() {
    let sets: &[(&str, Set<f32>)] = &[
        ("plain", |fit| fit),
        ("clipped", |fit| fit.clip_norm(0.3)),
        ("accumulated", |fit| fit.accumulate(3)),
        ("weighed", |fit| fit.accumulate(2).weigh(|rows| rows.iter().map(|row| (row % 4 + 1) as f64).sum())),
        ("averaged", |fit| fit.average_by(WeightAverage::exponential(0.9).unwrap(), 3)),
        ("evaluated", |fit| fit.evaluate(70..90, 4).stop_after(2)),
        ("judged", |fit| {
            fit.evaluate_by(0..90, 3, |model: &Net<f32>, tape, rows| {
                let (logits, y) = (model.logits(tape, rows), Net::<f32>::labels(rows));
                let loss = metrics::mean(logits.cross_entropy(&y).item(), y.numel());
                [("f1", metrics::f1(&logits.value(), &y)), ("loss", loss)]
            })
        }),
    ];
    let of_ranks: [SetRanks<f32>; 3] = [
        |ranks| ranks.overlap(false).shard_moments(false),
        |ranks| ranks.bucket_bytes(100).shard_moments(true),
        |ranks| ranks.bucket_bytes(0).overlap(true),
    ];
    for (name, set) in sets {
        for set_ranks in of_ranks {
            alike(name, AdamW::default, *set, set_ranks);
        }
    }
    // Where nobody looks at gradients, each rank has those of its own part of the weights alone.
    let unseen: Set<f32> = |fit| fit.accumulate(2).average(0.9).evaluate(70..90, 5);
    for set_ranks in of_ranks {
        alike("by parts", || Sgd { momentum: 0.9, ..Sgd::default() }, unseen, set_ranks);
    }
    alike("by parts, unless it is said", Adam::default, unseen, |ranks| ranks.bucket_bytes(100));
    let all: Set<f32> = |fit| fit.clip_norm(0.5).accumulate(2).average(0.9).evaluate(70..90, 5);
    alike("all, by momentum", || Sgd { momentum: 0.9, ..Sgd::default() }, all, |ranks| ranks.shard_moments(true));
    alike("in f64", Adam::default, |fit: Fit<'_, Net<f64>, f64>| fit.clip_norm(0.5).accumulate(2), |ranks| ranks);
}

/// A folder of its own, which is gone in the end.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("evenkeel-ranks-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_checkpoint_is_that_of_one_process_and_goes_on_at_any_number_of_ranks() {
    let folder = Folder::new("resumed");
    let fit = |steps, path: &Path, ranks| {
        let mut model = Net::<f32>::new(7);
        let mut optimizer = Optimizer::new(AdamW::default(), Schedule::cosine(0.02, 30)).unwrap().allow_missing();
        let fit = Fit::steps(steps).batches(Batches::new(0..70, 17).unwrap().shuffled(3)).shards(3).seed(5).quiet();
        let fit = fit.accumulate(2).clip_norm(0.4).average(0.9).evaluate(70..90, 3).checkpoint(path, 4).ranks(ranks);
        let report = fit.run(&mut model, &mut optimizer, Net::loss).unwrap();
        (model.bits(), report.history, report.resumed_at)
    };
    let whole = folder.0.join("whole.st");
    let (want, history, _) = fit(12, &whole, Ranks::alone());
    let want_file = std::fs::read(&whole).unwrap();
    for (before, after) in [(1, 4), (2, 4), (4, 1), (3, 2)] {
        for shard_moments in [false, true] {
            let path = folder.0.join(format!("{before}-{after}-{shard_moments}.st"));
            let ranks = |ranks: Ranks| ranks.shard_moments(shard_moments);
            on_ranks(before, |link| fit(5, &path, ranks(link)));
            for (bits, rows, resumed_at) in on_ranks(after, |link| fit(12, &path, ranks(link))) {
                assert!(bits == want, "from {before} ranks to {after}");
                assert_eq!((&rows, resumed_at), (&history, 5));
            }
            assert!(std::fs::read(&path).unwrap() == want_file, "from {before} ranks to {after}: another file");
        }
    }
}

#[test]
fn after_a_fit_every_rank_has_the_whole_optimizer() {
    let one_more = |(mut model, _, mut optimizer): (Net<f32>, FitReport, Optimizer)| {
        let tape = Tape::new();
        tape.seed(1, 2);
        let gradients = model.loss(&tape, &(0..20).collect()).backward();
        drop(tape);
        optimizer.step(&mut model, &gradients);
        model.bits()
    };
    let want = one_more(trained(5, AdamW::default(), |fit| fit, Ranks::alone()));
    let parts = on_ranks(3, |ranks| trained(5, AdamW::default(), |fit| fit, ranks.shard_moments(true)));
    parts.into_iter().for_each(|part| assert!(one_more(part) == want));
}

#[test]
fn a_loop_of_ones_own_has_the_gradients_of_shards_in_one_process() {
    let (model, rows) = (Net::<f32>::new(7), (0..26).map(|row| row * 7 % 90).collect::<Tensor<i64>>());
    let mut shards = Shards::of(3).unwrap();
    shards.seed(4, 9);
    let (loss, want) = shards.backward(&rows, |tape, rows| model.loss(tape, rows));
    let bits = |gradients: &autograd::Gradients| {
        let of = |(_, param): (String, &Param)| gradients.named(param.id()).map(Tensor::to_vec);
        model.parameters().into_iter().map(of).collect::<Vec<_>>()
    };
    let mean = model.norm.running_mean.as_ref().unwrap().id();
    for size in [1, 2, 5, 8, 12] {
        for any_order in [false, true] {
            let found = on_ranks(size, |ranks| {
                let mut ranks = if any_order { ranks.any_order() } else { ranks };
                ranks.backward(&model, &rows, 3, [4, 9], Net::loss).unwrap()
            });
            for (found, gradients) in found {
                assert_eq!((found, gradients.updates().len()), (loss, want.updates().len()));
                assert_eq!(gradients.updates().found(mean).next(), want.updates().found(mean).next());
                if !any_order || size == 1 {
                    assert!(bits(&gradients) == bits(&want), "{size} ranks");
                    continue;
                }
                // Another order, and so nearly the same.
                for (id, gradient) in gradients.iter() {
                    let apart = (gradient - want.named(id).unwrap()).abs().max(..).item();
                    assert!(apart < 1e-6, "{size} ranks: {apart}");
                }
            }
        }
    }
}

/// What each of three ranks says of a fit that is otherwise on rank 2.
fn differing(set: impl Fn(&mut Net<f32>, Fit<'static, Net<f32>>, usize) -> Fit<'static, Net<f32>> + Sync) -> String {
    let said = on_ranks(3, |ranks| {
        let (mut model, rank) = (Net::new(7), ranks.rank());
        let fit = Fit::steps(3).batches(Batches::new(0..70, 17).unwrap()).shards(3).quiet().ranks(ranks);
        let mut optimizer = Optimizer::new(Sgd::default(), 0.1).unwrap().allow_missing();
        set(&mut model, fit, rank).run(&mut model, &mut optimizer, Net::loss).unwrap_err().to_string()
    });
    assert!(said.windows(2).all(|pair| pair[0] == pair[1]), "{said:?}");
    said[0].clone()
}

#[test]
fn ranks_of_another_training_are_named_before_the_first_step() {
    let says = |text: String, want: &str| {
        let whole = format!("rank 2 is in another training than rank 0: {want}; start all ranks with the same program");
        assert!(text.starts_with(&whole), "{text}");
    };
    says(differing(|_, fit, rank| fit.seed(if rank == 2 { 9 } else { 1 })), "seed is 9 there, and 1 at rank 0");
    says(differing(|_, fit, rank| if rank == 2 { fit.shards(4) } else { fit }), "shards is 4 there, and 3 at rank 0");
    says(
        differing(|_, fit, rank| if rank == 2 { fit.batches(Batches::new(0..70, 7).unwrap()) } else { fit }),
        "batches is 7 of 70 rows, in order there, and 17 of 70 rows, in order at rank 0",
    );
    says(
        differing(|_, fit, rank| fit.data("x", &Tensor::from([1.0, if rank == 2 { 3.0 } else { 2.0 }]))),
        "data x is [2] of f64 (sum b37a0357) there, and [2] of f64 (sum 7ba3895f) at rank 0",
    );
    says(
        differing(|_, fit, rank| if rank == 2 { fit.clip_norm(1.0) } else { fit }),
        "clip_norm is 1 there, and none at rank 0",
    );
    says(
        differing(|model, fit, rank| {
            if rank == 2 {
                model.seldom = Param::new(Tensor::ones([6]));
            }
            fit
        }),
        "seldom in the model is [6] there, and [5] at rank 0",
    );
    let text = differing(|model, fit, rank| {
        if rank == 2 {
            model.output.weight.value_mut().as_mut_slice()[3] += 1e-6;
        }
        fit
    });
    assert!(text.contains("rank 2 is in another training than rank 0: the values of output.weight is "), "{text}");
}

#[test]
fn what_goes_wrong_on_one_rank_is_an_error_of_all() {
    let run = |set: &(dyn Fn(Fit<'static, Net<f32>>) -> Fit<'static, Net<f32>> + Sync), lost: bool| {
        let said = on_ranks(3, |ranks| {
            let mut model = Net::<f32>::new(7);
            let fit = Fit::steps(9).batches(Batches::new(0..70, 17).unwrap()).shards(3).seed(5).quiet().ranks(ranks);
            let mut optimizer = Optimizer::new(Sgd::default(), 0.1).unwrap().allow_missing();
            let error = set(fit)
                .run(&mut model, &mut optimizer, |model, tape, rows| {
                    let loss = model.loss(tape, rows);
                    // In the third step, of rank 1 alone.
                    if lost && rows.iter().any(|row| row == 42) {
                        loss * tape.constant(Tensor::scalar(f32::NAN))
                    } else {
                        loss
                    }
                })
                .unwrap_err();
            (error.to_string(), model.bits())
        });
        assert!(
            said.windows(2).all(|pair| pair[1].0.ends_with(&pair[0].0) && pair[0].1 == pair[1].1),
            "{:?}",
            said.iter().map(|of| &of.0).collect::<Vec<_>>()
        );
        said[0].0.clone()
    };
    let text = run(&|fit| fit, true);
    assert!(text.starts_with("step 2 was not made: the loss is NaN, as the data hold NaN: the constant"), "{text}");
    // Rank 0 alone writes.
    let text = run(&|fit| fit.checkpoint("/no/such/folder/run.st", 2), false);
    assert!(text.contains("/no/such/folder/run.st"), "{text}");
    let text = run(&|fit| fit.log("/no/such/folder/run.csv"), false);
    assert!(text.contains("/no/such/folder/run.csv"), "{text}");
    let text = run(&|fit| fit.evaluate_by(0..900, 2, |_, _, _| [("x", metrics::mean(f64::NAN, 1))]), false);
    assert!(text.contains("has no value to be judged by: x is NaN"), "{text}");
}

#[test]
fn hooks_are_called_on_rank_0_and_end_the_training_of_all() {
    let calls = std::sync::atomic::AtomicUsize::new(0);
    let count = |by| calls.fetch_add(by, std::sync::atomic::Ordering::SeqCst);
    let reports = on_ranks(3, |ranks: Ranks| {
        let rank = ranks.rank();
        let mut model = Net::<f32>::new(7);
        let fit = Fit::steps(9).batches(Batches::new(0..70, 17).unwrap()).shards(3).seed(5).ranks(ranks).quiet();
        let fit = fit.on_gradients(|pass| {
            assert_eq!((rank, pass.loss.shape().numel()), (0, 1));
            let weight = model_leaf(pass.loss.tape(), pass.model);
            assert_eq!(pass.gradients.get(weight), pass.gradients.named(pass.model.output.weight.id()));
            count(1);
        });
        let fit = fit.on_step(|progress| {
            assert_eq!(rank, 0);
            count(100);
            if progress.step == 4 { Flow::Stop } else { Flow::Continue }
        });
        let mut optimizer = Optimizer::new(Sgd::default(), 0.1).unwrap().allow_missing();
        let report = fit.run(&mut model, &mut optimizer, Net::loss).unwrap();
        (report.steps, report.stopped, model.bits())
    });
    assert!(reports.iter().all(|report| *report == reports[0]));
    assert_eq!((reports[0].0, reports[0].1, count(0)), (4, Stopped::Asked, 404));
}

fn model_leaf<'t>(tape: &'t Tape, model: &Net<f32>) -> Var<'t> {
    model.output.weight.on(tape)
}

#[test]
fn what_ranks_cannot_share_is_refused_with_what_would_be_right() {
    let run = |set: Set<f32>| {
        let errors = on_ranks(2, |ranks| {
            let mut optimizer = Optimizer::new(Sgd::default(), 0.1).unwrap();
            let fit = Fit::steps(3).batches(Batches::new(0..70, 17).unwrap()).quiet().ranks(ranks);
            set(fit).run(&mut Net::new(7), &mut optimizer, Net::loss).unwrap_err()
        });
        errors[1].to_string()
    };
    assert_eq!(
        run(|fit| fit),
        "the fit is shared among ranks by shards, and has none; add `shards(rows)`, such as an eighth of a batch"
    );
    assert_eq!(run(|fit| fit.shards(0)), "the fit cuts batches into shards of 0 rows, but each must have at least 1");
}

#[test]
fn batch_norm_that_is_synchronized_goes_by_the_whole_batch() {
    let train = |synchronized: bool, shard: usize, ranks: Ranks<f64>| {
        let mut model = Net::<f64>::new(7);
        model.dropout = Dropout::new(0.0).unwrap();
        model.freeze("seldom").unwrap();
        model.norm = BatchNorm1d::try_new(13).unwrap();
        if synchronized {
            model.norm = model.norm.synchronized();
        }
        let mut optimizer = Optimizer::new(Sgd { momentum: 0.5, ..Sgd::default() }, 0.3).unwrap().allow_missing();
        let fit =
            Fit::steps(6).batches(Batches::new(0..72, 24).unwrap().shuffled(3)).shards(shard).quiet().ranks(ranks);
        fit.run(&mut model, &mut optimizer, Net::loss).unwrap();
        model.state_dict().into_iter().flat_map(|(_, param)| param.value().to_vec()).collect::<Vec<f64>>()
    };
    let apart = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    let whole = train(false, 24, Ranks::alone());
    for size in [1, 2, 3, 4] {
        for weights in on_ranks(size, |ranks| train(true, 24 / size, ranks.overlap(true).bucket_bytes(300))) {
            assert!(apart(&weights, &whole) < 1e-12, "{size} ranks: {}", apart(&weights, &whole));
        }
    }
    // By shards, it is another thing.
    assert!(apart(&on_ranks(2, |ranks| train(false, 12, ranks))[0], &whole) > 1e-3);
    let panic = std::panic::catch_unwind(|| train(true, 6, Ranks::alone())).unwrap_err();
    let said = panic.downcast_ref::<String>().unwrap();
    assert!(
        said.starts_with("to be synchronized, each rank must have one shard at a time, and 1 ranks have 4"),
        "{said}"
    );
}

#[test]
fn ranks_have_all_rows_of_a_batch_between_them_and_those_of_their_shards() {
    let whole = Batches::new(0..70, 17).unwrap().shuffled(3);
    for (size, shard) in [(1, 3), (2, 3), (3, 4), (5, 1), (8, 17), (9, 2)] {
        // What a loss is asked for on each rank, step by step.
        let asked = on_ranks(size, |mut ranks: Ranks| {
            let (mut batches, model) = (whole.clone(), Net::<f32>::new(7));
            let steps = (0..7).map(|step| {
                let mut rows = Vec::new();
                let backward = ranks.backward(&model, batches.rows(step), shard, [1, step], |model, tape, shard| {
                    rows.extend(shard.to_vec());
                    model.output.weight.on(tape).sum(..)
                });
                backward.unwrap();
                rows
            });
            steps.collect::<Vec<_>>()
        });
        for (rank, asked) in asked.iter().enumerate() {
            let mut own = whole.clone().of_rank(rank, size, shard).unwrap();
            (0..7).for_each(|step| assert_eq!(own.rows(step).to_vec(), asked[step as usize], "rank {rank} of {size}"));
        }
        for step in 0..7 {
            let all: Vec<i64> = asked.iter().flat_map(|of| of[step].clone()).collect();
            assert_eq!(all, whole.clone().rows(step as u64).to_vec());
        }
    }
    let error = whole.clone().of_rank(2, 2, 3).unwrap_err().to_string();
    assert!(error.starts_with("the batches cannot be of rank 2 of 2"), "{error}");
    let fit = Fit::steps(1).batches(whole.of_rank(0, 2, 3).unwrap());
    let error = fit.run(&mut Net::new(7), &mut Optimizer::new(Sgd::default(), 0.1).unwrap(), Net::<f32>::loss);
    assert!(error.unwrap_err().to_string().contains("leave out `of_rank`"));
}

#[test]
fn a_gradient_that_is_lost_is_named_on_every_rank() {
    for shard_moments in [false, true] {
        for size in [1, 2, 4] {
            let said = on_ranks(size, |ranks: Ranks| {
                let ranks = ranks.shard_moments(shard_moments);
                let mut model = Net::<f32>::new(7);
                model.hidden.weight = Param::new(Tensor::from_fn([8, 13], |i| i[0] as f32 * 0.01));
                let fit = Fit::steps(9).batches(Batches::new(0..70, 17).unwrap()).shards(3).quiet();
                let mut optimizer = Optimizer::new(Adam::default(), 0.1).unwrap().allow_missing();
                let error = fit.seed(1).ranks(ranks).run(&mut model, &mut optimizer, |model, tape, rows| {
                    // The root of 0: a loss of 0, and a gradient of infinity.
                    let root = (model.hidden.weight.on(tape).select(0, 0).square().sum(..)).sqrt();
                    model.loss(tape, rows) + if rows.iter().any(|row| row == 60) { root } else { root.scale(0.0) }
                });
                (error.unwrap_err().to_string(), model.bits())
            });
            assert!(said.windows(2).all(|pair| pair[0] == pair[1]));
            let want =
                "step 0 was not made: the gradient of hidden.weight holds NaN or infinity; the last good weights stay";
            assert_eq!(said[0].0, want, "{size} ranks, {shard_moments}");
        }
    }
}

#[test]
fn a_file_that_rank_0_cannot_write_later_is_an_error_of_all_and_leaves_a_part_of_the_moments() {
    let folder = Folder::new("unwritable");
    let said = on_ranks(3, |ranks: Ranks| {
        let (mut model, path) = (Net::<f32>::new(7), folder.0.join("run.st"));
        let mut optimizer = Optimizer::new(Adam::default(), 0.1).unwrap().allow_missing();
        let fit = Fit::steps(9).batches(Batches::new(0..70, 17).unwrap()).shards(3).seed(5).quiet();
        let fit = fit.ranks(ranks.shard_moments(true)).checkpoint(path, 4).on_step(|progress| {
            if progress.step == 3 {
                std::fs::remove_dir_all(&folder.0).unwrap();
            }
        });
        let error = fit.run(&mut model, &mut optimizer, Net::loss).unwrap_err().to_string();
        let tape = Tape::new();
        let gradients = model.output.weight.on(&tape).sum(..).backward();
        let step = std::panic::AssertUnwindSafe(|| optimizer.step(&mut model, &gradients));
        let panic = std::panic::catch_unwind(step).unwrap_err();
        (error, panic.downcast_ref::<&str>().map_or(String::new(), |said| (*said).to_owned()))
    });
    for (rank, (error, panic)) in said.iter().enumerate() {
        assert!(error.contains("run.st"), "rank {rank}: {error}");
        assert!(panic.starts_with("step: the optimizer keeps a part of the moments"), "rank {rank}: {panic}");
    }
}

#[test]
fn a_training_with_shards_does_not_go_on_without_or_with_others() {
    let folder = Folder::new("other_shards");
    let run = |steps, shards: Option<usize>| {
        let mut optimizer = Optimizer::new(Sgd::default(), 0.1).unwrap().allow_missing();
        let fit = Fit::steps(steps).batches(Batches::new(0..70, 17).unwrap()).seed(5).quiet();
        let fit = if let Some(rows) = shards { fit.shards(rows) } else { fit };
        fit.checkpoint(folder.0.join("run.st"), 4).run(&mut Net::<f32>::new(7), &mut optimizer, Net::loss)
    };
    run(4, Some(3)).unwrap();
    for (shards, here) in [(None, "none"), (Some(4), "4")] {
        let error = run(8, shards).unwrap_err().to_string();
        assert!(error.contains(&format!("shards: 3 in the file, and {here} here")), "{error}");
    }
}
