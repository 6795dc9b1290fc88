//! Files of every version that was ever written: each loads, and whole.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use autograd::{Tape, Var};
use nn::{
    AdamW, BatchNorm1d, Batches, Checkpoint, EarlyStopping, Fit, Layer, Lbfgs, Linear, ModelFile, Module, Muon,
    Optimizer, ReduceOnPlateau, module,
};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use tensor::{Tensor, safetensors};

use crate::files::folder;
use crate::golden::{fill, names};
use crate::optimizers::optimizer;
use crate::training::Training;

struct Net {
    hidden: Linear,
    norm: BatchNorm1d,
    output: Linear,
}

module!(Net { hidden, norm, output });

const ROWS: usize = 12;

impl Net {
    fn new() -> Self {
        let rng = &mut ChaCha8Rng::seed_from_u64(7);
        Net {
            hidden: Linear::new_torch(2, 4, rng).unwrap(),
            norm: BatchNorm1d::new(4).cumulative(),
            output: Linear::new_torch(4, 3, rng).unwrap(),
        }
    }

    fn loss<'t>(&self, tape: &'t Tape, rows: &Tensor<i64>) -> Var<'t> {
        let classes = Tensor::from_fn([ROWS], |i| (i[0] % 3) as i64);
        let x = tape.constant(fill([ROWS, 2], 1).index_select(0, rows));
        let h = self.norm.forward(self.hidden.forward(x)).tanh();
        self.output.forward(h).cross_entropy(&classes.index_select(0, rows))
    }
}

fn by_rule(rule: &str) -> Training<Net> {
    let optimizer = match rule {
        "muon" => {
            let muon = Optimizer::new(Muon::default(), 0.02).unwrap();
            let by_adamw = |pattern| move |of: Optimizer| of.group(pattern, |g| g.rule(AdamW::default())).unwrap();
            by_adamw("norm.*")(by_adamw("*.bias")(muon))
        }
        _ => optimizer(rule),
    };
    Training::new(Net::new(), optimizer)
}

fn train(training: &mut Training<Net>, steps: u64) {
    let (mut tape, all) = (Tape::new(), (0..ROWS as i64).collect());
    for _ in 0..steps {
        let loss = training.net.loss(&tape, &all);
        let (value, gradients) = (f64::from(loss.item()), loss.backward());
        tape.reset();
        training.step(&gradients, value);
    }
}

fn lbfgs(steps: usize) -> (Net, Lbfgs) {
    let (mut net, mut lbfgs) = (Net::new(), Lbfgs::new(0.3).unwrap());
    (lbfgs.iterations, lbfgs.history) = (2, 3);
    for _ in 0..steps {
        let look = |net: &Net| {
            let tape = Tape::new();
            let loss = net.loss(&tape, &(0..ROWS as i64).collect());
            (loss.item(), loss.backward())
        };
        lbfgs.step(&mut net, look).unwrap();
    }
    (net, lbfgs)
}

/// A fit of which a checkpoint has all that it can have.
fn fit(steps: u64, path: &Path) {
    let (mut net, mut adamw) = (Net::new(), Optimizer::new(AdamW::default(), 0.1).unwrap());
    let rows = |range: std::ops::Range<i64>| range.collect::<Tensor<i64>>();
    Fit::steps(steps)
        .batches(Batches::new(rows(0..8), 4).unwrap().shuffled(3))
        .evaluate(rows(8..12), 2)
        .stop_after(4)
        .plateau(ReduceOnPlateau::new(0.5, 1).unwrap())
        .average(0.8)
        .seed(5)
        .checkpoint(path, 3)
        .run(&mut net, &mut adamw, |net, tape, rows| net.loss(tape, rows))
        .unwrap();
}

/// The rules that there are, each with the options that give it something more to keep.
fn rules() -> Vec<String> {
    names("optimizers").into_iter().filter(|name| !name.contains(", ") && name != "muon: all").collect()
}

fn rule_file(rule: &str) -> String {
    format!("{}.safetensors", rule.replace([':', ' '], "_"))
}

/// The files of a version.
fn version(number: u32) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/files/version{number}"))
}

#[test]
#[ignore = "it writes the files of a new version, into a folder that is named by EVENKEEL_GOLDEN"]
fn golden_files_are_written() {
    let folder = PathBuf::from(std::env::var_os("EVENKEEL_GOLDEN").expect("a folder"));
    for rule in rules() {
        let mut training = by_rule(&rule);
        train(&mut training, 3);
        training.checkpoint().save(folder.join(rule_file(&rule))).unwrap();
    }
    let (mut net, mut lbfgs) = lbfgs(3);
    Checkpoint::new(&mut net).lbfgs(&mut lbfgs).save(folder.join("lbfgs.safetensors")).unwrap();
    nn::save(folder.join("model.safetensors"), &net).unwrap();
    ModelFile::at(folder.join("model_torch.safetensors")).torch().save(&net).unwrap();
    fit(7, &folder.join("fit.safetensors"));
}

/// What a file holds, without what says how it was written.
fn contents(path: &Path) -> safetensors::Contents {
    let mut contents = safetensors::read(path).unwrap();
    contents.metadata.retain(|name, _| !matches!(&**name, "evenkeel" | "evenkeel.checksum"));
    contents
}

#[track_caller]
fn assert_same(a: &Path, b: &Path) {
    assert_same_contents(contents(a), contents(b));
}

#[track_caller]
fn assert_same_contents(a: safetensors::Contents, b: safetensors::Contents) {
    assert_eq!(a.metadata, b.metadata);
    assert!(a.tensors.keys().eq(b.tensors.keys()), "{:?} and {:?}", a.tensors.keys(), b.tensors.keys());
    let differs: BTreeMap<_, _> = a.tensors.iter().filter(|(name, x)| b.tensors[*name] != **x).collect();
    assert!(differs.is_empty(), "{differs:?}");
}

/// What was loaded is written again: nothing may be missing, and nothing more.
#[test]
fn files_of_every_version_load_whole() {
    let folder = folder("every_version");
    let again = folder.join("again.safetensors");
    for version in [1, 2].map(version) {
        for rule in rules() {
            let (path, mut training) = (version.join(rule_file(&rule)), by_rule(&rule));
            let loaded = training.checkpoint().load(&path).unwrap();
            assert_eq!((loaded.step, loaded.seed, &*loaded.notes["data"]), (3, Some(5), "v3"), "{rule}");
            training.checkpoint().save(&again).unwrap();
            assert_same(&path, &again);
            // And it goes on as if it had not ended.
            train(&mut training, 2);
            training.checkpoint().save(&again).unwrap();
            let mut whole = by_rule(&rule);
            train(&mut whole, 5);
            whole.checkpoint().save(folder.join("whole.safetensors")).unwrap();
            assert_same(&folder.join("whole.safetensors"), &again);
        }
        let (mut net, mut own) = lbfgs(0);
        Checkpoint::new(&mut net).lbfgs(&mut own).load(version.join("lbfgs.safetensors")).unwrap();
        Checkpoint::new(&mut net).lbfgs(&mut own).save(&again).unwrap();
        assert_same(&version.join("lbfgs.safetensors"), &again);
        let mut other = Net::new();
        nn::load(version.join("model.safetensors"), &mut other).unwrap();
        assert_eq!(other.hidden.weight.value(), net.hidden.weight.value());
        let mut other = Net::new();
        ModelFile::at(version.join("model_torch.safetensors")).torch().load(&mut other).unwrap();
        assert_eq!(other.output.weight.value(), net.output.weight.value());
        assert!(other.state_dict().len() == 9, "a count of batches is a part of it");
    }
    for number in 1..=3 {
        let [part, whole] = ["part", "whole"].map(|name| folder.join(format!("{name}.safetensors")));
        std::fs::copy(version(number).join("fit.safetensors"), &part).unwrap();
        let _ = std::fs::remove_file(&whole);
        fit(12, &part);
        fit(12, &whole);
        let (mut part, whole) = (contents(&part), contents(&whole));
        if number < 3 {
            // Learning rates were not kept then.
            let [kept, all] = [&part, &whole].map(|file| {
                let lrs: Tensor<f64> = file.tensors["history.lr"].get().unwrap().clone();
                lrs.to_vec()
            });
            let known = kept.iter().position(|lr| !lr.is_nan()).unwrap();
            assert!(known == 3 && kept[known..] == all[known..], "{kept:?}");
            part.tensors.insert("history.lr".into(), whole.tensors["history.lr"].clone());
        }
        assert_same_contents(part, whole);
    }
}

#[test]
fn a_damaged_file_of_an_older_version_is_found_out() {
    let (path, folder) = (version(1).join("adam.safetensors"), folder("older_damaged"));
    let whole = std::fs::read(path).unwrap();
    for at in (8..whole.len()).step_by(37) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        let path = folder.join("x.safetensors");
        std::fs::write(&path, &bytes).unwrap();
        let mut training = by_rule("adam");
        assert!(training.checkpoint().load(&path).is_err(), "byte {at}");
    }
}

#[test]
fn a_state_by_a_name_that_is_taken_is_refused() {
    let path = folder("taken").join("x.safetensors");
    for name in ["", "model", "history", "a.b", "plateau"] {
        let (mut net, [mut one, mut other]) = (Net::new(), [(); 2].map(|()| ReduceOnPlateau::new(0.5, 1).unwrap()));
        let checkpoint = Checkpoint::new(&mut net).plateau(&mut one).with_state(name, &mut other);
        let why = checkpoint.save(&path).unwrap_err().to_string();
        assert!(why.contains(&format!("by the name {name:?}, which is taken or has a dot")), "{why}");
        assert!(checkpoint.load(&path).unwrap_err().to_string() == why && !path.exists());
    }
}

/// What is in the file alone, or here alone, is said; and what does not fit leaves the rest as it was.
#[test]
fn a_state_that_is_missing_on_one_side_is_said() {
    let path = folder("one_side").join("x.safetensors");
    let (mut net, mut state) = (Net::new(), EarlyStopping::after(3));
    state.observe(2.0);
    Checkpoint::new(&mut net).with_state("mine", &mut state).save(&path).unwrap();
    let why = Checkpoint::new(&mut net).load(&path).unwrap_err().to_string();
    assert!(
        why.ends_with("keeps the state of mine, and there is none here: add it as it was when the file was written"),
        "{why}"
    );
    let mut other = EarlyStopping::after(3);
    let both = Checkpoint::new(&mut net).with_state("mine", &mut other);
    let why = both.with_state("yours", &mut EarlyStopping::after(1)).load(&path).unwrap_err().to_string();
    assert!(why.contains("keeps no yours, and there is one here"), "{why}");
    assert_eq!(other.best(), None);
    Checkpoint::new(&mut net).with_state("mine", &mut other).load(&path).unwrap();
    assert_eq!(other.best(), Some(2.0));
}
