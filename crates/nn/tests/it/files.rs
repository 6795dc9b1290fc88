//! Models in files, and what can happen to these.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use autograd::Tape;
use nn::{
    Adam, BatchNorm1d, Checkpoint, Layer, Lbfgs, Linear, ModelFile, Module, Optimizer, Param, RMSprop, Sgd,
    WeightAverage, module,
};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use tensor::{Float, Tensor, safetensors};

/// A folder of a test's own, empty.
pub(crate) fn folder(test: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("evenkeel-nn-{}-{test}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

struct Mlp<T: Float = f32> {
    hidden: Linear<T>,
    norm: BatchNorm1d<T>,
    output: Linear<T>,
}

module!(impl<T> Mlp<T> { hidden, norm, output });

fn mlp<T: Float>(inputs: usize, hidden: usize, outputs: usize) -> Mlp<T> {
    let rng = &mut ChaCha8Rng::seed_from_u64(1);
    Mlp {
        hidden: Linear::try_torch(inputs, hidden, rng).unwrap(),
        norm: BatchNorm1d::try_new(hidden).unwrap(),
        output: Linear::try_torch(hidden, outputs, rng).unwrap(),
    }
}

fn values<T: Float>(model: &Mlp<T>) -> Vec<Tensor<T>> {
    model.state_dict().into_iter().map(|(_, param)| param.value().clone()).collect()
}

/// A model, an optimizer that has made a step, and their checkpoint.
fn trained(path: &Path) -> (Mlp, Optimizer) {
    let (mut model, mut adam) = (mlp(3, 4, 2), Optimizer::new(Adam::default(), 0.1).unwrap());
    let tape = Tape::new();
    let x = tape.constant(Tensor::from_fn([5, 3], |i| (i[0] * 3 + i[1]) as f32));
    let h = model.norm.forward(model.hidden.forward(x)).tanh();
    let gradients = model.output.forward(h).square().mean(..).backward();
    drop(tape);
    adam.step(&mut model, &gradients);
    Checkpoint::new(&mut model).optimizer(&mut adam).note("who", "me").save(path).unwrap();
    (model, adam)
}

fn why<X: std::fmt::Debug>(result: Result<X, nn::Error>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn what_is_saved_is_what_python_calls_it() {
    let path = folder("names").join("x.safetensors");
    let (model, _) = trained(&path);
    let names: Vec<String> = safetensors::read(&path).unwrap().tensors.into_keys().collect();
    let weights = ["hidden.bias", "hidden.weight", "norm.bias", "norm.weight", "output.bias", "output.weight"];
    let mut want: Vec<String> = ["hidden.bias", "hidden.weight", "norm.bias", "norm.running_mean", "norm.running_var"]
        .iter()
        .chain(&["norm.weight", "output.bias", "output.weight"])
        .map(|name| format!("model.{name}"))
        .collect();
    for slot in ["m", "t", "v"] {
        want.extend(weights.map(|name| format!("optimizer.{slot}.{name}")));
    }
    assert_eq!(names, want);
    nn::save(&path, &model).unwrap();
    let file = safetensors::read(&path).unwrap();
    assert_eq!(file.tensors.len(), 8);
    assert_eq!(file.tensors["hidden.weight"].get(), Some(model.hidden.weight.value()));
    // The same model gives the same file.
    let bytes = std::fs::read(&path).unwrap();
    nn::save(&path, &model).unwrap();
    assert!(std::fs::read(&path).unwrap() == bytes);
}

#[test]
fn all_differences_are_said_at_once_and_nothing_is_changed() {
    let path = folder("differences").join("x.safetensors");
    nn::save(&path, &mlp::<f32>(3, 4, 2)).unwrap();
    let mut other = mlp::<f32>(3, 5, 2);
    other.output = other.output.without_bias();
    let before = values(&other);
    let want = format!(
        "{}: does not fit, in 8 ways:
  hidden.weight is [3, 4] in the file, and must be [3, 5]
  hidden.bias is [4] in the file, and must be [5]
  norm.weight is [4] in the file, and must be [5]
  norm.bias is [4] in the file, and must be [5]
  norm.running_mean is [4] in the file, and must be [5]
  norm.running_var is [4] in the file, and must be [5]
  output.weight is [4, 2] in the file, and must be [5, 2]
  output.bias [2] is in the file, and nothing here is called so",
        path.display()
    );
    assert_eq!(why(nn::load(&path, &mut other)), want);
    assert_eq!(values(&other), before);

    let mut in_f64 = mlp::<f64>(3, 4, 2);
    let said = why(nn::load(&path, &mut in_f64));
    assert!(said.contains("hidden.weight is of f32 in the file, and must be of f64"), "{said}");
    assert!(
        said.ends_with("`convert()` rounds floats to the model's, or make the model one of the file's floats"),
        "{said}"
    );
    ModelFile::at(&path).convert().load(&mut in_f64).unwrap();
    let own = mlp::<f32>(3, 4, 2);
    assert_eq!(in_f64.hidden.weight.value(), &own.hidden.weight.value().cast::<f64>());
    nn::save(&path, &in_f64).unwrap();
    let mut in_f32 = mlp::<f32>(3, 4, 2);
    assert!(why(nn::load(&path, &mut in_f32)).contains("is of f64 in the file, and must be of f32"));
    ModelFile::at(&path).convert().load(&mut in_f32).unwrap();
    assert_eq!(values(&in_f32), values(&own));

    // A name that would control a terminal.
    safetensors::write(&path, [("\u{1b}[2J", Tensor::<f32>::zeros([2]))], &BTreeMap::new()).unwrap();
    assert!(!why(nn::load(&path, &mut vec![Param::<f32>::new(Tensor::ones([2]))])).contains('\u{1b}'));

    // Labels in a weight's place are no floats of another size.
    safetensors::write(&path, [("0", Tensor::<i64>::zeros([2]))], &BTreeMap::new()).unwrap();
    let mut one = vec![Param::<f32>::new(Tensor::ones([2]))];
    let said = why(ModelFile::at(&path).convert().load(&mut one));
    assert!(said.ends_with("0 is of i64 in the file, and must be of f32"), "{said}");
}

#[test]
fn a_part_may_be_loaded_and_what_was_left_out_is_said() {
    let path = folder("partial").join("x.safetensors");
    let source = mlp::<f32>(3, 4, 2);
    nn::save(&path, &source).unwrap();
    let mut other = mlp::<f32>(3, 4, 7);
    let head = other.output.weight.value().clone();
    *other.hidden.weight.value_mut() *= 2.0;
    let left_out = ModelFile::at(&path).partial().load(&mut other).unwrap();
    let want =
        ["output.weight is [4, 2] in the file, and must be [4, 7]", "output.bias is [2] in the file, and must be [7]"];
    assert_eq!(left_out, want);
    assert_eq!((other.hidden.weight.value(), other.output.weight.value()), (source.hidden.weight.value(), &head));
    let mut nothing = vec![Param::<f32>::new(Tensor::ones([2]))];
    assert!(why(ModelFile::at(&path).partial().load(&mut nothing)).contains("has no 0"));
}

#[test]
fn a_checkpoint_of_something_else_is_refused_and_nothing_is_changed() {
    let path = folder("refused").join("x.safetensors");
    let (model, adam) = trained(&path);
    let (mut other, mut sgd) = (mlp::<f32>(3, 4, 2), Optimizer::new(Sgd::default(), 0.1).unwrap());
    let before = values(&other);
    let said = why(Checkpoint::new(&mut other).optimizer(&mut sgd).load(&path));
    assert_eq!(said, format!("{}: the optimizer is adam in the file, and sgd here", path.display()));
    let mut lbfgs = Lbfgs::new(0.1).unwrap();
    let said = why(Checkpoint::new(&mut other).lbfgs(&mut lbfgs).load(&path));
    assert!(said.ends_with("the optimizer is adam in the file, and lbfgs here"), "{said}");
    let said = why(Checkpoint::new(&mut other).load(&path));
    assert!(
        said.ends_with(
            "keeps the state of optimizer, and there is none here: add it as it was when the file was written"
        ),
        "{said}"
    );
    assert_eq!((values(&other), sgd.step_number()), (before.clone(), 0));

    // Another rule for some of the weights, and a model of which a weight is called otherwise.
    let group = |g: nn::Group| g.rule(RMSprop::default());
    let mut grouped = Optimizer::new(Adam::default(), 0.1).unwrap().group("*.bias", group).unwrap();
    let said = why(Checkpoint::new(&mut other).optimizer(&mut grouped).load(&path));
    assert!(said.contains("hidden.bias is moved by adam in the file, and by rmsprop here"), "{said}");
    assert!(said.contains("in 3 ways"), "{said}");
    let mut renamed = vec![mlp::<f32>(3, 4, 2)];
    let said =
        why(Checkpoint::new(&mut renamed).optimizer(&mut Optimizer::new(Adam::default(), 0.1).unwrap()).load(&path));
    assert!(said.contains("has no model.0.hidden.weight"), "{said}");

    // A model where a checkpoint is wanted, and a checkpoint where a model is.
    let mut plain = Checkpoint::new(&mut other).optimizer(&mut sgd);
    plain = plain.seed(1);
    nn::save(path.with_extension("model"), &model).unwrap();
    let said = why(plain.load(path.with_extension("model")));
    assert!(said.ends_with("is a model alone, which `nn::load` reads, and no checkpoint"), "{said}");
    nn::load(&path, &mut other).unwrap();
    assert_eq!(values(&other), values(&model));

    // What is loaded can be trained on at once, and has its notes.
    let mut again = Optimizer::new(Adam::default(), 0.1).unwrap();
    let loaded = Checkpoint::new(&mut other).optimizer(&mut again).seed(1).load(&path).unwrap();
    assert_eq!((loaded.step, loaded.seed, &*loaded.notes["who"]), (1, None, "me"));
    assert_eq!(again.step_number(), adam.step_number());
    Checkpoint::new(&mut other).optimizer(&mut again).seed(1).save(&path).unwrap();
    let said = why(Checkpoint::new(&mut other).optimizer(&mut again).seed(2).load(&path));
    assert!(said.ends_with("the seed is 1 in the file, and 2 here"), "{said}");

    // An average in the model's place would be taken for the weights.
    let mut average = WeightAverage::mean();
    average.update(&other);
    average.swap(&mut other).unwrap();
    let said = why(Checkpoint::new(&mut other).average(&mut average).save(&path));
    assert!(said.starts_with("the average is in the model's place"), "{said}");
}

/// The file with another text in its metadata.
fn with_text(path: &Path, name: &str, text: Option<&str>) {
    let mut file = safetensors::read(path).unwrap();
    match text {
        Some(text) => file.metadata.insert(name.into(), text.into()),
        None => file.metadata.remove(name),
    };
    safetensors::write(path, &file.tensors, &file.metadata).unwrap();
}

#[test]
fn a_file_of_a_newer_format_or_of_another_kind_is_called_so() {
    let path = folder("newer").join("x.safetensors");
    let mut model = mlp::<f32>(3, 4, 2);
    nn::save(&path, &model).unwrap();
    with_text(&path, "evenkeel", Some("4"));
    let said = why(nn::load(&path, &mut model));
    assert!(said.ends_with("is of version 4 of the format; this is for 3: take a newer Evenkeel"), "{said}");
    for version in ["0", "one", "-1", "18446744073709551616"] {
        with_text(&path, "evenkeel", Some(version));
        assert!(why(nn::load(&path, &mut model)).contains("which is none"));
    }
    with_text(&path, "evenkeel", Some("3"));
    nn::load(&path, &mut model).unwrap();
    with_text(&path, "mine", Some("note"));
    let said = why(nn::load(&path, &mut model));
    assert!(said.contains("does not hold what was written: its checksum is"), "{said}");
    assert!(
        said.contains("if another program has changed it, let that leave out the texts that begin with \"evenkeel\""),
        "{said}"
    );
    with_text(&path, "mine", None);
    with_text(&path, "evenkeel.checksum", None);
    assert!(why(nn::load(&path, &mut model)).ends_with("has lost its checksum"));
    // What another program has written has none.
    with_text(&path, "evenkeel", None);
    nn::load(&path, &mut model).unwrap();

    let pt = [b"PK\x03\x04\0\0\x08\x08".as_slice(), &[0; 60]].concat();
    for (bytes, what) in [
        (&*pt, "this is a zip archive, as torch.save writes"),
        (b"\x93NUMPY\x01\0v\0{'descr': '<f4'", "this is an array of NumPy's (.npy)"),
        (b"", "the length of the header takes 8 bytes; 0 are there"),
        (b"hidden.weight,1.0,2.0\n", "this is text"),
        (&[0xff; 40], "no .safetensors file: its header would have"),
    ] {
        std::fs::write(&path, bytes).unwrap();
        let said = why(nn::load(&path, &mut model));
        assert!(said.contains(what), "{said}");
        let mut sgd = Optimizer::new(Sgd::default(), 0.1).unwrap();
        assert!(why(Checkpoint::new(&mut model).optimizer(&mut sgd).load(&path)).contains(what));
    }
}

#[test]
fn a_damaged_file_is_an_error_or_as_it_was() {
    let path = folder("damaged").join("x.safetensors");
    let (model, _) = trained(&path);
    let whole = std::fs::read(&path).unwrap();
    let rng = &mut ChaCha8Rng::seed_from_u64(2);
    let below = |rng: &mut ChaCha8Rng, n: usize| (rng.next_u64() % n as u64) as usize;
    let (mut errors, mut fine) = (0, 0);
    for round in 0..3000 {
        let mut bytes = whole.clone();
        match round % 3 {
            // One byte, a cut, and a run of bytes of something else.
            0 => bytes[below(rng, whole.len())] ^= 1 + below(rng, 255) as u8,
            1 => bytes.truncate(below(rng, whole.len())),
            _ => {
                let at = below(rng, whole.len());
                let end = (at + 1 + below(rng, 40)).min(whole.len());
                bytes[at..end].iter_mut().for_each(|byte| *byte = below(rng, 256) as u8);
            }
        }
        std::fs::write(&path, &bytes).unwrap();
        let (mut other, mut adam) = (mlp::<f32>(3, 4, 2), Optimizer::new(Adam::default(), 0.1).unwrap());
        let before = values(&other);
        match Checkpoint::new(&mut other).optimizer(&mut adam).load(&path) {
            Err(error) => {
                errors += 1;
                assert!(error.to_string().starts_with(&path.display().to_string()), "{error}");
                assert_eq!((values(&other), adam.step_number()), (before, 0));
            }
            // The sum is right, and so is what was loaded: the damage was in a space.
            Ok(loaded) => {
                fine += 1;
                assert_eq!((values(&other), loaded.step, &*loaded.notes["who"]), (values(&model), 1, "me"));
            }
        }
    }
    assert!(errors > 2900, "{errors} errors, {fine} loads");
}

/// Where a process of this test's saves until it is killed.
const SAVES_TO: &str = "EVENKEEL_SAVES_TO";

/// A model whose every number is `value`, of 1 MB.
fn constant(value: f32) -> Vec<Param> {
    vec![Param::new(Tensor::full([500, 500], value)), Param::new(Tensor::full([7], value))]
}

#[test]
#[ignore = "it is the process that the next test kills"]
fn saves_until_it_is_killed() {
    let path = std::env::var_os(SAVES_TO).expect("the other test says where");
    for number in 1_u16.. {
        nn::save(&path, &constant(f32::from(number))).unwrap();
    }
}

/// This test's program, to run one of its tests that is ignored.
fn own(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", test]).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

#[test]
fn a_process_that_is_killed_while_it_saves_leaves_a_whole_file() {
    let folder = folder("killed_while_it_saves");
    let path = folder.join("x.safetensors");
    nn::save(&path, &constant(0.0)).unwrap();
    let rng = &mut ChaCha8Rng::seed_from_u64(3);
    let (mut new, mut left, mut old) = (0, 0, 0.0);
    for _ in 0..200 {
        let mut child = own("files::saves_until_it_is_killed").env(SAVES_TO, &path).spawn().unwrap();
        // Long enough for some saves after the start, which takes a few milliseconds.
        std::thread::sleep(Duration::from_micros(3_000 + rng.next_u64() % 12_000));
        child.kill().unwrap();
        child.wait().unwrap();
        let mut model = constant(-1.0);
        nn::load(&path, &mut model).unwrap();
        let value = model[0].value().get(&[0, 0]).unwrap();
        assert!(model.iter().all(|param| param.value().iter().all(|x| x == value)));
        new += i32::from(value != old);
        old = value;
        let others = std::fs::read_dir(&folder).unwrap().count() - 1;
        assert!(others <= 1, "{others} temporary files");
        left += others;
    }
    // Otherwise nothing was tested.
    assert!(new > 20 && left > 20, "{new} files were new, {left} were cut off");
    nn::save(&path, &constant(0.0)).unwrap();
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
}

#[test]
#[ignore = "it is the process that the next test gives little room"]
fn saves_once() {
    let path = std::env::var_os(SAVES_TO).expect("the other test says where");
    let error = nn::save(&path, &constant(2.0)).unwrap_err();
    assert!(matches!(error, nn::Error::File(_)), "{error}");
}

/// A file system of 600 KiB in memory, where the system lets us have one.
#[cfg(target_os = "linux")]
struct Small(PathBuf);

#[cfg(target_os = "linux")]
impl Small {
    fn mount(at: PathBuf) -> Option<Self> {
        std::fs::create_dir_all(&at).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=600k", "none"]).arg(&at).stdout(Stdio::null()).stderr(Stdio::null());
        mount.status().is_ok_and(|status| status.success()).then_some(Small(at))
    }

    fn read_only(&self) {
        assert!(Command::new("mount").args(["-o", "remount,ro"]).arg(&self.0).status().unwrap().success());
    }
}

#[cfg(target_os = "linux")]
impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn where_there_is_no_room_or_no_permission_the_old_file_stays() {
    let folder = folder("no_room");
    let files_in = |folder: &Path| std::fs::read_dir(folder).unwrap().count();
    let old = |path: &Path| {
        let mut model = vec![Param::<f32>::new(Tensor::zeros([3]))];
        nn::load(path, &mut model).unwrap();
        assert_eq!(model[0].value(), &Tensor::from([1.0, 2.0, 3.0]));
    };
    let small = vec![Param::<f32>::new(Tensor::from([1.0, 2.0, 3.0]))];

    // A limit of the process, which everybody may set.
    let path = folder.join("limited");
    nn::save(&path, &small).unwrap();
    let limited = format!(
        "trap '' XFSZ; ulimit -f 300; exec '{}' --ignored --exact files::saves_once",
        std::env::current_exe().unwrap().display()
    );
    let mut shell = Command::new("sh");
    let status = shell.args(["-c", &limited]).env(SAVES_TO, &path).stdout(Stdio::null()).stderr(Stdio::null()).status();
    assert!(status.unwrap().success());
    old(&path);
    assert_eq!(files_in(&folder), 1);

    // A path that is a folder, or leads through a file, or to none.
    for path in [folder.clone(), path.join("x"), folder.join("none/x")] {
        assert!(matches!(nn::save(&path, &small), Err(nn::Error::File(_))));
        assert!(matches!(nn::load(&path, &mut constant(0.0)), Err(nn::Error::File(_))));
    }

    // A full disk and a folder that cannot be written, of which root alone can make one that root cannot.
    let Some(disk) = Small::mount(folder.join("disk")) else {
        eprintln!("passed over: no file system can be mounted here");
        return;
    };
    let path = disk.0.join("x");
    nn::save(&path, &small).unwrap();
    assert!(why(nn::save(&path, &constant(2.0))).contains("No space left"));
    old(&path);
    assert_eq!(files_in(&disk.0), 1);
    disk.read_only();
    assert!(why(nn::save(&path, &small)).contains("Read-only"));
    old(&path);
}

/// What a folder holds, sorted.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn numbered_files_are_those_that_would_be_written_and_no_others() {
    let folder = folder("numbered_names");
    let write = |name: &str| std::fs::write(folder.join(name), "mine").unwrap();
    let others = [
        "digits-2024.safetensors",
        "digits-000000002024.safetensors",
        "digits-00000001.safetensors.bak",
        "digits-00000001",
        "digits-0000000x.safetensors",
        "digits-+0000001.safetensors",
        "digits-00000001-00000001.safetensors",
        "exp-digits-00000001.safetensors",
    ];
    others.iter().for_each(|name| write(name));
    std::fs::create_dir(folder.join("digits-99999999.safetensors")).unwrap();
    let files = nn::Numbered::new(folder.join("digits.safetensors")).keep(2);
    assert_eq!(files.latest().unwrap(), None);
    let mut w = vec![Param::new(Tensor::from([1.0]))];
    for step in [1, 2, 3, 123_456_789] {
        files.save(&Checkpoint::new(&mut w), step).unwrap();
        assert_eq!(files.latest().unwrap(), Some(files.at(step)));
    }
    let own = ["digits-00000003.safetensors", "digits-123456789.safetensors"];
    let mut want: Vec<&str> = others.iter().copied().chain(own).chain(["digits-99999999.safetensors"]).collect();
    want.sort_unstable();
    assert_eq!(names(&folder), want);
}

#[test]
fn the_file_that_was_written_is_kept_and_another_writer_is_no_error() {
    let folder = folder("numbered_kept");
    let files = nn::Numbered::new(folder.join("run.safetensors")).keep(3);
    let mut w = vec![Param::new(Tensor::from([1.0]))];
    for step in [500, 600, 700, 100] {
        files.save(&Checkpoint::new(&mut w), step).unwrap();
        assert!(files.at(step).exists());
    }
    assert_eq!(names(&folder), ["run-00000100.safetensors", "run-00000600.safetensors", "run-00000700.safetensors"]);
    // Two that write and remove the same files.
    std::thread::scope(|scope| {
        for writer in 0..2 {
            let files = files.clone();
            scope.spawn(move || {
                let mut w = vec![Param::new(Tensor::from([1.0]))];
                (0..40).for_each(|step| files.save(&Checkpoint::new(&mut w), 1000 + 2 * step + writer).unwrap());
            });
        }
    });
    assert!(names(&folder).len() <= 5, "{:?}", names(&folder));
    // The path of a folder has no name to put a number into.
    for path in [folder.join(""), folder.join("runs/"), "/".into(), "..".into(), "".into()] {
        let said = nn::Numbered::new(&path).save(&Checkpoint::new(&mut w), 1).unwrap_err().to_string();
        assert!(
            said.starts_with("numbered files have the path of a folder") && said.contains("run.safetensors"),
            "{said}"
        );
        assert!(nn::Numbered::new(&path).latest().is_err());
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_prefix_need_not_be_utf_8_and_what_cannot_be_removed_ends_no_training() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let folder = folder("numbered_bytes");
    let name = OsStr::from_bytes(b"r\xffn.safetensors");
    let files = nn::Numbered::new(folder.join(name)).keep(1);
    let mut w = vec![Param::new(Tensor::from([1.0]))];
    for step in [1, 2] {
        files.save(&Checkpoint::new(&mut w), step).unwrap();
    }
    let want = folder.join(OsStr::from_bytes(b"r\xffn-00000002.safetensors"));
    assert_eq!((files.latest().unwrap(), files.at(2)), (Some(want.clone()), want));
    assert_eq!(names(&folder).len(), 1);

    // A file that something is mounted on cannot be removed, not even by root.
    let pinned = folder.join("run-00000002.safetensors");
    let fit = |steps: u64| {
        let mut sgd = Optimizer::new(Sgd::default(), 0.1).unwrap();
        let fit = nn::Fit::steps(steps).batches(nn::Batches::new(0..4, 2).unwrap());
        let fit = fit.checkpoint(nn::Numbered::new(folder.join("run.safetensors")).keep(1), 2);
        fit.run(&mut Param::new(Tensor::from([1.0])), &mut sgd, |w, tape, _| w.on(tape).square().sum(..)).unwrap()
    };
    assert_eq!(fit(2).unremoved, [""; 0]);
    let mut mount = Command::new("mount");
    mount.args(["--bind"]).arg(&pinned).arg(&pinned).stdout(Stdio::null()).stderr(Stdio::null());
    if !mount.status().is_ok_and(|status| status.success()) {
        eprintln!("passed over: nothing can be mounted here");
        return;
    }
    let report = fit(6);
    assert!(Command::new("umount").arg(&pinned).status().unwrap().success());
    assert_eq!((report.steps, report.unremoved.len()), (6, 1), "{:?}", report.unremoved);
    assert!(report.to_string().contains(&format!("; {} cannot be removed: ", pinned.display())), "{report}");
    // And the next one does.
    assert_eq!(fit(8).unremoved, [""; 0]);
    assert_eq!(names(&folder).len(), 2);
}

#[test]
fn an_embeddings_padding_is_0_after_a_load_too() {
    let folder = folder("padding");
    let path = folder.join("x.safetensors");
    let rng = &mut ChaCha8Rng::seed_from_u64(3);
    let full = nn::Embedding::new_torch(4, 2, rng).unwrap();
    nn::save(&path, &full).unwrap();
    let mut padded = nn::Embedding::new_torch(4, 2, rng).unwrap().with_padding(1).unwrap();
    nn::load(&path, &mut padded).unwrap();
    for table in [&padded, &padded.clone()] {
        assert_eq!(table.weight.value().select(0, 1), Tensor::zeros([2]));
        assert_eq!(table.weight.value().select(0, 2), full.weight.value().select(0, 2));
    }
    let mut clone = padded.clone();
    nn::load(&path, &mut clone).unwrap();
    assert_eq!(clone.weight.value().select(0, 1), Tensor::zeros([2]));
    Checkpoint::new(&mut vec![full.weight.clone()]).save(&path).unwrap();
    let mut parts = vec![padded.weight];
    Checkpoint::new(&mut parts).load(&path).unwrap();
    assert_eq!(parts[0].value().select(0, 1), Tensor::zeros([2]));
}

#[test]
fn words_say_what_is_so_and_what_would_be_right() {
    let folder = folder("words");
    let path = folder.join("x.safetensors");
    let mut w = Param::<f32>::new(Tensor::from([1.0]));
    let step = |w: &mut Param, optimizer: &mut Optimizer| {
        let gradients = w.on(&autograd::Tape::new()).square().sum(..).backward();
        optimizer.step(w, &gradients);
    };
    let momentum = |momentum| Optimizer::new(Sgd { momentum, ..Sgd::default() }, 0.1).unwrap();
    let mut sgd = momentum(0.9);
    step(&mut w, &mut sgd);
    Checkpoint::new(&mut w).optimizer(&mut sgd).save(&path).unwrap();

    // Parts that are new on resume.
    let mut plateau = nn::ReduceOnPlateau::new(0.5, 1).unwrap();
    let said = why(Checkpoint::new(&mut w).optimizer(&mut sgd).plateau(&mut plateau).load(&path));
    assert!(
        said.ends_with("keeps no plateau, and there is one here: it was written without; leave it out, or begin anew"),
        "{said}"
    );
    let mut average = WeightAverage::mean();
    let said = why(Checkpoint::new(&mut w).optimizer(&mut sgd).average(&mut average).load(&path));
    assert!(said.contains("keeps no average, and there is one here"), "{said}");
    let mut stopping = nn::EarlyStopping::after(3);
    let said = why(Checkpoint::new(&mut w).optimizer(&mut sgd).stopping(&mut stopping).load(&path));
    assert!(said.contains("keeps no stopping, and there is one here"), "{said}");

    // Momentum that is no longer used.
    let mut without = momentum(0.0);
    let said = why(Checkpoint::new(&mut w).optimizer(&mut without).load(&path));
    assert!(said.contains("keeps `m` of the weight, which sgd does not use as it is set here"), "{said}");

    // A model that is a parameter.
    fn fit<'a, M: Module>() -> nn::Fit<'a, M> {
        nn::Fit::steps(2).batches(nn::Batches::new(0..4, 2).unwrap())
    }
    let said = why(fit().run(&mut w, &mut momentum(0.0), |w, tape, _| {
        let infinite = (w.on(tape) - w.value().item()).sqrt();
        infinite.sum(..)
    }));
    assert!(said.contains("the gradient of the weight holds NaN or infinity"), "{said}");
    let said = why(fit()
        .clip_norm(1.0)
        .run(&mut w, &mut momentum(0.0), |w, tape, _| (w.on(tape) - w.value().item()).sqrt().sum(..)));
    assert!(said.contains("the gradient of the weight holds NaN or infinity"), "{said}");
    let mut lost = Param::new(Tensor::from([f32::NAN]));
    let said = why(fit().run(&mut lost, &mut momentum(0.0), |w, tape, _| w.on(tape).sum(..)));
    assert!(said.contains("the loss is NaN, as the weight [1] holds NaN"), "{said}");

    // Targets of which none counts.
    let mut head = Linear::new_torch(2, 3, &mut ChaCha8Rng::seed_from_u64(1)).unwrap();
    let options = autograd::CrossEntropy { ignore_index: Some(-100), ..autograd::CrossEntropy::default() };
    let said = why(fit().run(&mut head, &mut momentum(0.0), |head, tape, rows| {
        let x = tape.constant(Tensor::ones([rows.numel(), 2]));
        head.forward(x).cross_entropy_with(&Tensor::full([rows.numel()], -100), options)
    }));
    assert!(said.contains("`mean over targets that are all ignored or without weight`"), "{said}");

    // Batch norm by the statistics of a batch in evaluation: the last part of the held-out rows is not one row alone.
    let mut norm = BatchNorm1d::new(1).without_running_statistics();
    let evaluated = fit().evaluate(0..257, 1).run(&mut norm, &mut momentum(0.0), |norm, tape, rows| {
        let x: Tensor = rows.iter().map(|row| row as f32).collect();
        norm.forward(tape.constant(x.unsqueeze(1))).square().mean(..)
    });
    assert!(evaluated.unwrap().best.is_some());
    let alone = std::panic::catch_unwind(|| {
        let tape = autograd::Tape::no_grad();
        BatchNorm1d::new(1).without_running_statistics().forward(tape.constant(Tensor::ones([1, 1])));
    });
    let said = alone.unwrap_err().downcast::<String>().unwrap();
    assert!(said.contains("by the statistics of a batch, in training or where there are no running ones"), "{said}");
}
