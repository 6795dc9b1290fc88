//! Trainings on ranks that `mpirun` starts: the bits of one process, and what is said when one of them fails.
//!
//! A test here starts its own program again, as ranks: each plays the part that [`rank`] has for it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use evenkeel::nn::FitReport;
use evenkeel::nn::ranks::Ranks;
use evenkeel::prelude::rand_chacha::rand_core::Rng;
use evenkeel::prelude::*;
use evenkeel_mpi::World;

/// The part that a rank is to play.
const PART: &str = "EVENKEEL_PART";
/// How long a test waits before it says that something hangs.
const HANGS: Duration = Duration::from_secs(60);

fn mpirun(ranks: usize) -> Command {
    let mut command = Command::new("mpirun");
    command.args(["--oversubscribe", "--bind-to", "none", "-n", &ranks.to_string()]);
    // In a container, tests run as root.
    command.envs([("OMPI_ALLOW_RUN_AS_ROOT", "1"), ("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1"), ("RUST_BACKTRACE", "0")]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// What a program says that must come to its end.
fn ended(mut child: Child) -> Output {
    let began = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if began.elapsed() > HANGS {
            let _ = Command::new("pkill").args(["-KILL", "-P", &child.id().to_string()]).status();
            let _ = child.kill();
            panic!("it hangs: {:?}", child.wait_with_output());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    child.wait_with_output().unwrap()
}

/// The ranks of this program, each in this part.
fn play(ranks: usize, part: &str) -> Output {
    let mut command = mpirun(ranks);
    command.arg(std::env::current_exe().unwrap()).args(["--exact", "rank", "--ignored", "--nocapture"]).env(PART, part);
    ended(command.spawn().unwrap())
}

fn text(output: &Output) -> String {
    [&output.stdout[..], &output.stderr[..]].map(String::from_utf8_lossy).concat()
}

/// An example, which stands beside the tests.
fn example(name: &str) -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let path = tests.parent().unwrap().parent().unwrap().join("examples").join(name);
    assert!(path.is_file(), "{} is not there: `cargo test` builds it with the tests", path.display());
    path
}

/// The hash of the weights that an example comes to.
fn weights(ranks: usize, name: &str, args: &[&str]) -> String {
    let output = ended(mpirun(ranks).arg(example(name)).args(args).spawn().unwrap());
    let said = text(&output);
    assert!(output.status.success(), "{ranks} ranks, {args:?}: {said}");
    let (_, hash) = said.split_once("weights ").unwrap_or_else(|| panic!("no weights: {said}"));
    hash[..16].to_owned()
}

/// A file of its own, which is gone in the end.
struct File(PathBuf);

impl File {
    fn new(name: &str) -> Self {
        File(std::env::temp_dir().join(format!("evenkeel-mpi-{}-{name}.safetensors", std::process::id())))
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn any_number_of_ranks_and_threads_comes_to_the_weights_of_one_process() {
    let hard = "--clip 0.5 --accumulate 2 --dropout 0.3 --shard-moments --bucket 3000";
    for args in ["--steps 100", hard, &format!("{hard} --overlap true"), "--shard 3 --batch 50 --overlap true"] {
        let args: Vec<&str> = args.split(' ').chain(["--quiet", "--patience", "30"]).collect();
        let with = |threads| [&args[..], &["--threads", threads]].concat();
        let want = weights(1, "mlp", &with("1"));
        for (ranks, threads) in [(1, "3"), (2, "1"), (2, "2"), (3, "1"), (4, "1"), (4, "3")] {
            assert_eq!(weights(ranks, "mlp", &with(threads)), want, "{ranks} ranks with {threads} threads, {args:?}");
        }
    }
    let args = ["--steps", "12", "--batch", "60", "--shard", "10", "--quiet", "--threads", "1", "--clip", "1"];
    let want = weights(1, "wide", &args);
    for more in [&["--overlap", "true"][..], &["--shard-moments", "--bucket", "100000"]] {
        assert_eq!(weights(4, "wide", &[&args[..], more].concat()), want, "{more:?}");
    }
}

#[test]
fn a_training_goes_on_at_another_number_of_ranks() {
    let file = File::new("resumed");
    let args =
        ["--clip", "0.5", "--dropout", "0.3", "--accumulate", "2", "--shard-moments", "--quiet", "--threads", "1"];
    let with = |steps, save: &[&str]| {
        [&args[..], &["--steps", steps], save].concat().into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let run = |ranks, args: Vec<String>| weights(ranks, "mlp", &args.iter().map(String::as_str).collect::<Vec<_>>());
    let want = run(1, with("500", &[]));
    run(2, with("250", &["--save", file.path()]));
    assert_eq!(run(4, with("500", &["--save", file.path()])), want);
}

/// The processes that a process has started.
fn children(of: u32) -> Vec<u32> {
    let output = Command::new("pgrep").args(["-P", &of.to_string()]).output().expect("procps is installed");
    String::from_utf8_lossy(&output.stdout).lines().filter_map(|line| line.trim().parse().ok()).collect()
}

fn signal(signal: &str, to: u32) {
    Command::new("kill").args([signal, &to.to_string()]).status().unwrap();
}

#[test]
fn a_rank_that_is_killed_ends_all_and_the_last_checkpoint_goes_on_to_the_same_weights() {
    // More of them, where they are asked for: EVENKEEL_KILLS=50.
    let kills = std::env::var("EVENKEEL_KILLS").map_or(4, |kills| kills.parse().expect("EVENKEEL_KILLS is a number"));
    let (file, steps) = (File::new("killed"), "3000");
    let args =
        ["--dropout", "0.3", "--shard-moments", "--quiet", "--threads", "1", "--steps", steps, "--patience", "20"];
    let args = [&args[..], &["--save-every", "20"]].concat();
    let whole = File::new("whole");
    let began = Instant::now();
    let want = weights(3, "mlp", &[&args[..], &["--save", whole.path()]].concat());
    let time = began.elapsed();
    let saving = [&args[..], &["--save", file.path()]].concat();
    let mut draws = ChaCha8Rng::seed_from_u64(7);
    let mut draw = |below: u64| draws.next_u64() % below;
    let (mut killed, mut resumed) = (0, 0);
    for attempt in 0.. {
        assert!(attempt < 10 * kills, "trainings end before anybody is killed");
        if killed == kills {
            break;
        }
        let _ = std::fs::remove_file(&file.0);
        let ranks = [2, 3, 4][killed % 3];
        let child = mpirun(ranks).arg(example("mlp")).args(&saving).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(draw(time.as_millis() as u64)));
        let all = children(child.id());
        if !all.is_empty() {
            signal("-KILL", all[draw(all.len() as u64) as usize]);
        }
        let output = ended(child);
        if all.is_empty() || output.status.success() {
            // It had not begun, or was over.
            continue;
        }
        killed += 1;
        let said = text(&output);
        assert!(said.contains("rank"), "nobody is named: {said}");
        resumed += usize::from(file.0.exists());
        assert_eq!(weights([4, 1, 3, 2][killed % 4], "mlp", &saving), want, "kill {killed}, of {ranks} ranks");
    }
    println!("{killed} ranks killed, {resumed} times with a checkpoint to go on from");
}

/// What is said of a rank that fails so, and how long that takes.
fn fails(part: &str, ranks: usize) -> (String, Duration) {
    let began = Instant::now();
    let output = play(ranks, part);
    assert!(!output.status.success(), "{part}: {}", text(&output));
    (text(&output), began.elapsed())
}

#[test]
fn a_rank_that_fails_is_named_and_ends_all() {
    let (said, _) = fails("panics", 3);
    assert!(said.contains("rank 1: ") && said.contains("it panics in step 3"), "{said}");
    let (said, took) = fails("is late", 3);
    assert!(said.contains("rank 1 has not come within 2s, while rank 0 waits to"), "{said}");
    assert!(took < Duration::from_secs(15), "{took:?}");
    let (said, _) = fails("is gone", 3);
    assert!(said.contains("rank 1"), "{said}");
    let (said, _) = fails("has another seed", 3);
    assert!(said.contains("rank 2 is in another training than rank 0: seed is 2 there, and 0 at rank 0"), "{said}");
    let (said, _) = fails("has other data", 3);
    assert!(said.contains("rank 2 is in another training than rank 0: data x is [3] of f32"), "{said}");
    let (said, _) = fails("finds no file", 2);
    assert!(said.contains("rank 1: no/such/file cannot be read"), "{said}");
    let (said, took) = fails("asks for more than it gets", 2);
    assert!(said.contains("has not come within 2s") || said.contains("wait for each other"), "{said}");
    assert!(took < Duration::from_secs(15), "{took:?}");
}

#[test]
fn a_rank_that_is_stopped_is_named() {
    let mut command = mpirun(2);
    command.arg(example("mlp")).args(["--steps", "1000000", "--quiet", "--patience", "2"]);
    let child = command.spawn().unwrap();
    std::thread::sleep(Duration::from_secs(2));
    let all = children(child.id());
    assert_eq!(all.len(), 2);
    // Which of them is rank 1 is said in what it was started with.
    let is_second = |of: &&u32| {
        let bytes = std::fs::read(Path::new("/proc").join(of.to_string()).join("environ")).unwrap();
        bytes.split(|byte| *byte == 0).any(|word| word == b"OMPI_COMM_WORLD_RANK=1")
    };
    signal("-STOP", *all.iter().find(is_second).expect("Open MPI says which rank a process is"));
    let said = text(&ended(child));
    assert!(said.contains("rank 1 has not come within 2s"), "{said}");
}

#[test]
fn the_sums_of_ranks_are_those_of_one_process_for_large_and_small_gradients() {
    let output = play(4, "adds up");
    assert!(output.status.success(), "{}", text(&output));
}

/// The net of the parts: w² over all rows of a shard.
fn train(ranks: Ranks, seed: u64, data: f32, mut at: impl FnMut(u64)) -> Result<FitReport, nn::Error> {
    let mut w = Param::new(Tensor::from([1.0, 2.0, 3.0]));
    let mut calls = 0;
    Fit::steps(9)
        .batches(Batches::new(0..64, 8)?)
        .shards(1)
        .ranks(ranks)
        .seed(seed)
        .data("x", &Tensor::from([1.0_f32, 2.0, data]))
        .quiet()
        .run(&mut w, &mut Optimizer::new(Sgd::default(), 0.01)?, |w, tape, _| {
            calls += 1;
            at(calls);
            w.on(tape).square().sum(..)
        })
}

#[test]
#[ignore = "it is a rank of the others"]
fn rank() {
    let part = std::env::var(PART).expect("the other tests start it");
    let world = World::init().unwrap().patience(Duration::from_secs(2));
    let (rank, ranks) = (world.rank(), world.ranks());
    // A shard of a row, and so 8 / ranks calls in a step, of which the last may be those of another.
    let fails = |calls| rank == 1 && calls == 10;
    let result = match &part[..] {
        "panics" => train(ranks, 0, 3.0, |calls| assert!(!fails(calls), "it panics in step 3")),
        "is late" => train(ranks, 0, 3.0, |calls| {
            if fails(calls) {
                std::thread::sleep(Duration::from_secs(600));
            }
        }),
        "is gone" => train(ranks, 0, 3.0, |calls| {
            if fails(calls) {
                std::process::exit(0);
            }
        }),
        "has another seed" => train(ranks, rank as u64 / 2 * 2, 3.0, |_| {}),
        "has other data" => train(ranks, 0, if rank == 2 { 4.0 } else { 3.0 }, |_| {}),
        "finds no file" => {
            if rank == 1 {
                world.end_all("no/such/file cannot be read");
            }
            train(ranks, 0, 3.0, |_| {})
        }
        "asks for more than it gets" => {
            let _ = train(ranks.clone(), 0, 3.0, |_| {});
            if rank == 0 {
                train(ranks, 0, 3.0, |_| {})
            } else {
                loop {
                    std::thread::park()
                }
            }
        }
        "adds up" => {
            adds_up(&world);
            return;
        }
        part => panic!("nobody plays {part:?}"),
    };
    if let Err(why) = result {
        world.end_all(why);
    }
}

fn adds_up(world: &World) {
    let rng = &mut ChaCha8Rng::seed_from_u64(3);
    let sizes = [1, 3, 1000, 200_000, 7, 65_537];
    let model: Vec<Param> = sizes.into_iter().map(|n| Param::new(init::randn([n], rng).unwrap())).collect();
    let rows: Tensor<i64> = (0..37).collect();
    let mut alone: Ranks = Ranks::alone();
    let (want_loss, want) = alone.backward(&model[..], &rows, 3, [1, 2], loss_of).unwrap();
    let each: [Ranks; 5] = [
        world.ranks(),
        world.ranks().overlap(true),
        world.ranks().overlap(true).bucket_bytes(0),
        world.ranks().bucket_bytes(usize::MAX),
        world.ranks().any_order(),
    ];
    for (at, mut ranks) in each.into_iter().enumerate() {
        for _ in 0..3 {
            let (loss, gradients) = ranks.backward(&model[..], &rows, 3, [1, 2], loss_of).unwrap();
            assert_eq!(loss, want_loss);
            for param in &model {
                let (got, want) = (gradients.named(param.id()).unwrap(), want.named(param.id()).unwrap());
                if at < 4 {
                    assert_eq!(got, want);
                } else {
                    assert!(((got - want).abs().max(..).item()) < 1e-4);
                }
            }
        }
    }
    // In f64 too.
    let x = Param::<f64>::new(Tensor::from([1.0, 2.0]));
    let mut ranks: Ranks<f64> = world.ranks();
    let (_, gradients) = ranks.backward(&x, &rows, 1, [1, 2], |x, tape, _| x.on(tape).square().sum(..)).unwrap();
    let two = gradients.named(x.id()).unwrap() / &Tensor::from([2.0, 4.0]) - 1.0;
    assert!(two.abs().max(..).item() < 1e-12);
}

fn loss_of<'t>(model: &[Param], tape: &'t Tape, rows: &Tensor<i64>) -> Var<'t> {
    let by = rows.sum(..).item() as f32 * 0.1;
    model.iter().map(|w| (w.on(tape) * by).sin().mean(..)).reduce(|a, b| a + b).expect("there are weights")
}
