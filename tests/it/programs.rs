//! Programs as a user writes them, outside of the family: what the compiler says of a mistake, and in which float the README's
//! models are.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A package of one program that depends on the family. Its target folder is shared, so that the family is compiled once.
struct Program {
    folder: PathBuf,
    source: String,
}

impl Program {
    fn new(name: &str, source: &str) -> Self {
        Program::beside(name, source, "")
    }

    /// One that depends on other crates too.
    fn beside(name: &str, source: &str, others: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("programs").join(name);
        fs::create_dir_all(&folder).unwrap();
        let family = env!("CARGO_MANIFEST_DIR");
        let manifest = format!(
            "[workspace]\n[package]\nname = {name:?}\nversion = \"0.1.0\"\nedition = \"2024\"\n\
             [[bin]]\nname = {name:?}\npath = \"main.rs\"\n\
             [dependencies]\nevenkeel = {{ path = {family:?}, features = [\"checkpoint\", \"csv\", \"html\", \"npy\", \"serde\"] }}\n\
             {others}"
        );
        fs::write(folder.join("Cargo.toml"), manifest).unwrap();
        fs::write(folder.join("main.rs"), source).unwrap();
        Program { folder, source: source.to_owned() }
    }

    fn cargo(&self, command: &str) -> Output {
        Command::new(env!("CARGO"))
            .args([command, "--quiet", "--color", "never"])
            .env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("programs-target"))
            // What the tests themselves are built with is none of the program's business.
            .env_remove("RUSTFLAGS")
            .current_dir(&self.folder)
            .output()
            .unwrap()
    }

    /// What the compiler says, which refuses the program.
    #[track_caller]
    fn refused(&self) -> String {
        let output = self.cargo("check");
        assert!(!output.status.success(), "the program compiles");
        String::from_utf8(output.stderr).unwrap()
    }
}

#[test]
fn the_compiler_names_what_a_model_forgets() {
    let forgotten = Program::new(
        "forgotten",
        "use evenkeel::prelude::*;
         pub struct Mlp { hidden: Linear, output: Linear }
         module!(Mlp { hidden });
         pub struct Pair(Param, Param);
         module!(Pair { 0 });
         pub struct Generic<T: Float> { first: Param<T>, second: Option<Param<T>> }
         module!(impl<T> Generic<T> { second });
         fn main() {}",
    );
    let said = forgotten.refused();
    for field in ["missing field `output`", "missing field `1`", "missing field `first`"] {
        assert!(said.contains(field), "{said}");
    }
    assert!(!said.contains("ignore"), "it advises the mistake: {said}");

    let no_module = Program::new(
        "no-module",
        "use evenkeel::prelude::*;
         struct Mlp { hidden: Linear }
         fn main() {
             let mut rng = ChaCha8Rng::seed_from_u64(1);
             let mlp = Mlp { hidden: Linear::new(2, 2, &init::normal(1.0), &mut rng).unwrap() };
             println!(\"{}\", mlp.hidden.parameter_count());
             diagnose::inspect(&mlp, |mlp, tape| mlp.hidden.forward(tape.constant(Tensor::ones([1, 2]))));
         }",
    );
    let said = no_module.refused();
    assert!(said.contains("`Mlp` is not a module") && said.contains("module!(Mlp { hidden, output })"), "{said}");
}

/// The programs of the README that make a model.
fn readmes_models() -> Vec<&'static str> {
    let blocks = include_str!("../../README.md").split("```rust").skip(1);
    let programs = blocks.filter_map(|block| block.split_once('\n')?.1.split("```").next());
    programs.filter(|program| program.contains("fn main()") && program.contains("Linear")).collect()
}

#[test]
fn every_model_of_the_readme_is_in_f32() {
    // Each of these names is a model, an optimizer, a tape or a value on one.
    const NAMES: [&str; 5] = ["model", "adamw", "tape", "loss", "gradients"];
    let programs = readmes_models();
    assert!(programs.len() >= 2, "the README has {} models", programs.len());
    let mut told = 0;
    let mut source = String::new();
    let mut calls = String::new();
    for (number, program) in programs.iter().enumerate() {
        // At the end of `main`, where all of its names are known. To name a type does not decide what it is.
        let (before, after) = program.rsplit_once("    Ok(())").expect("a model ends with Ok");
        let main = before.split("fn main()").nth(1).unwrap();
        let is_made = |name: &&&str| {
            ["let NAME =", "let mut NAME =", "let mut NAME:", "mut NAME)"].iter().any(|form| {
                main.lines().any(|line| line.starts_with("    let") && line.contains(&form.replace("NAME", name)))
            })
        };
        let names: Vec<&&str> = NAMES.iter().filter(is_made).collect();
        told += names.len();
        let tell: String = names
            .iter()
            .map(|name| format!("    println!(\"type of {name}: {{}}\", std::any::type_name_of_val(&{name}));\n"))
            .collect();
        source += &format!("mod program_{number} {{\n{before}{tell}    Ok(())\n}}\n}}\n")
            .replace("fn main()", "pub fn main()");
        assert_eq!(after.trim(), "}");
        calls += &format!("    program_{number}::main()?;\n");
    }
    // What is in f64 is told to be.
    calls += "    let tape = evenkeel::autograd::Tape::<f64>::default();\n";
    calls += "    println!(\"in f64: {}\", std::any::type_name_of_val(&tape));\n";
    source += &format!("fn main() -> evenkeel::Result {{\n{calls}    Ok(())\n}}\n");
    let output = Program::new("readme", &source).cargo("run");
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let types: Vec<&str> = said.lines().filter(|line| line.starts_with("type of ")).collect();
    assert!(types.len() == told && told >= 3, "{types:?}");
    assert!(said.lines().any(|line| line.starts_with("in f64: ") && line.contains("Tape<f64>")), "{said}");
    assert!(types.iter().all(|of| !of.contains("f64")), "{types:?}");
    // A default such as f32 is not spelled out in a type's name.
    assert!(
        types.iter().any(|of| of.ends_with("::Optimizer")) && types.iter().any(|of| of.ends_with("::Sequential")),
        "{types:?}"
    );
}

#[test]
fn the_readmes_training_is_short_and_goes_on_where_it_was() {
    let all = ["module!", "AdamW", "cosine", "warmup", "Batches", "evaluate", "stop_after", "checkpoint(\""];
    let models = readmes_models();
    let program = models.into_iter().find(|program| all.iter().all(|part| program.contains(part)));
    let program = program.expect("the README has one");
    let lines = program.lines().filter(|line| !line.trim().is_empty()).count();
    assert!(lines < 40, "{lines} lines");

    let program = Program::new("training", program);
    let _ = fs::remove_file(program.folder.join("ring.safetensors"));
    let run = || {
        let output = program.cargo("run");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let first = run();
    let lowest: f64 = first.split("lowest, ").nth(1).unwrap().split(',').next().unwrap().parse().unwrap();
    assert!(lowest < 0.15 && first.contains("whose weights the model has"), "{first}");
    assert!(program.folder.join("ring.safetensors").exists());
    // The lines that load it and predict, in a program of their own.
    let readme = include_str!("../../README.md");
    let lines = readme
        .split("these lines load it and predict:\n\n```rust,ignore\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next());
    let lines = lines.expect("the README has them");
    assert!(lines.lines().count() <= 5, "{lines}");
    let model = program.source.split("fn main()").next().unwrap();
    let main = format!(
        "fn main() -> evenkeel::Result {{\nlet x = Tensor::from([[0.0, 0.0], [0.6, 0.1]]);\n{lines}Ok(())\n}}\n"
    );
    let predicts = Program::new("predicts", &format!("{model}{main}"));
    fs::copy(program.folder.join("ring.safetensors"), predicts.folder.join("ring.safetensors")).unwrap();
    let output = predicts.cargo("run");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout).trim(),
        "tensor([0, 1])",
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    // It has come to its end, makes no further step, and says so.
    let again = run();
    let said =
        "no step was made, as ring.safetensors has made 2,000 steps already: the loss on held-out rows was lowest, ";
    assert!(again.starts_with(said) && again.contains(&format!("lowest, {lowest:.4}, at step ")), "{again}");
    // With another rate it says that too, and goes on where there are more steps.
    let other = program.source.replace("Schedule::cosine(3e-2, 2000)", "Schedule::cosine(1e-2, 2000)");
    assert!(other != program.source);
    let more = Program::new("training", &other.replace("Fit::steps(2000)", "Fit::steps(2100)"));
    let said = String::from_utf8(more.cargo("run").stdout).unwrap();
    let rate = "changed since then: rate: cosine(0.03, 2000).warmup(100) then, and cosine(0.01, 2000).warmup(100) now";
    assert!(
        said.starts_with("2,100 steps, the first 2,000 of them from ring.safetensors: ") && said.contains(rate),
        "{said}"
    );
    // Other data are refused, and the file stays.
    let before = fs::read(program.folder.join("ring.safetensors")).unwrap();
    let other = Program::new("training", &program.source.replace("seed_from_u64(42)", "seed_from_u64(43)"));
    let output = other.cargo("run");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("data x: [2000, 2] of f32 (sum "), "{said}");
    assert!(said.contains("`resume(Resume::Changed)` goes on all the same"), "{said}");
    assert!(fs::read(program.folder.join("ring.safetensors")).unwrap() == before);
}

/// The code of each example on the pages of the crates, as a reader sees and copies it, with its place.
fn examples() -> Vec<(String, String)> {
    fn read(folder: &Path, all: &mut Vec<(String, String)>) {
        for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                read(&entry, all);
            } else if entry.extension().is_some_and(|extension| extension == "rs") {
                of_source(&entry, all);
            }
        }
    }
    fn of_source(path: &Path, all: &mut Vec<(String, String)>) {
        let (source, mut open) = (fs::read_to_string(path).unwrap(), None::<(bool, String)>);
        for (line, text) in source.lines().enumerate() {
            let Some(text) = text.trim_start().strip_prefix("//").and_then(|text| text.strip_prefix(['/', '!'])) else {
                open = None;
                continue;
            };
            let text = text.strip_prefix(' ').unwrap_or(text);
            open = match (text.strip_prefix("```"), open) {
                (Some(kind), None) => Some((["", "no_run", "should_panic"].contains(&kind.trim()), String::new())),
                (Some(_), Some((is_rust, code))) => {
                    if is_rust {
                        all.push((format!("{}:{}", path.display(), line + 1), code));
                    }
                    None
                }
                // What begins with `# ` is hidden, and not copied.
                (None, Some((is_rust, code))) if text == "#" || text.starts_with("# ") => Some((is_rust, code)),
                (None, Some((is_rust, code))) => Some((is_rust, code + text + "\n")),
                (None, None) => None,
            };
        }
    }
    let (family, mut all) = (Path::new(env!("CARGO_MANIFEST_DIR")), Vec::new());
    for crates in ["crates/tensor", "crates/autograd", "crates/init", "crates/nn", "crates/diagnose", "."] {
        read(&family.join(crates).join("src"), &mut all);
    }
    all
}

/// What is copied from a page compiles below one line, in a project that depends on `evenkeel` alone.
#[test]
fn every_example_of_the_docs_can_be_pasted() {
    let (examples, mut source) = (examples(), String::new());
    assert!(examples.len() > 500, "{} examples", examples.len());
    for (number, (place, code)) in examples.iter().enumerate() {
        let code = if code.contains("fn main()") {
            code.clone()
        } else {
            format!("fn main() -> Result<(), Box<dyn std::error::Error>> {{\n{code}\nOk(())\n}}\n")
        };
        source += &format!("// {place}\nmod example_{number} {{\nuse evenkeel::prelude::*;\n{code}}}\n");
    }
    source = format!("#![allow(warnings)]\n{source}fn main() {{}}\n");
    // Some show what goes to and comes from other crates.
    let others = "ndarray = \"0.17\"\napprox = \"0.5\"\n\
                  [features]\nothers = [\"evenkeel/ndarray\", \"evenkeel/approx\", \"evenkeel/images\"]\ndefault = [\"others\"]\n";
    let output = Program::beside("pasted", &source, others).cargo("check");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// All sources of the crates.
fn sources() -> String {
    fn read(folder: &std::path::Path, all: &mut String) {
        for entry in std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            if entry.is_dir() {
                read(&entry, all);
            } else if entry.extension().is_some_and(|extension| extension == "rs") {
                *all += &std::fs::read_to_string(&entry).expect("it is text");
            }
        }
    }
    let mut all = String::new();
    for name in ["tensor", "autograd", "init", "nn", "diagnose"] {
        read(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("crates").join(name).join("src"), &mut all);
    }
    all
}

/// The words in the left column of the README's table that name something of PyTorch's.
fn words_of_pytorch() -> Vec<String> {
    /// What is a user's, or stands for an argument.
    const OTHERS: [&str; 15] = [
        "torch",
        "optim",
        "logits",
        "model",
        "path",
        "loss",
        "optimizer",
        "with",
        "class",
        "Net",
        "False",
        "True",
        "relu",
        "autograd",
        "swa_utils",
    ];
    let readme = include_str!("../../README.md");
    let table =
        readme.split("| PyTorch | Evenkeel |").nth(1).and_then(|rest| rest.split("\n\n").next()).expect("the table");
    let left = table
        .lines()
        .filter_map(|line| line.split(" | ").next())
        .flat_map(|cell| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>());
    let words = left.flat_map(|code| {
        // Neither numbers nor texts are names.
        let code: Vec<&str> = code.split('"').step_by(2).collect();
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        code.concat().split(|c| !is_part(c)).map(str::to_owned).collect::<Vec<_>>()
    });
    words.filter(|word| word.len() > 3 && !OTHERS.contains(&word.as_str())).collect()
}

/// Whether rustdoc's search would find a word: as an alias, or as a public name.
fn is_found(word: &str, sources: &str) -> bool {
    let defined = ["fn ", "struct ", "enum ", "trait ", "macro_rules! ", "mod ", "pub ", "Activation::"];
    let is_defined = |keyword: &&str| {
        let name = format!("{keyword}{word}");
        sources
            .match_indices(&name)
            .any(|(at, _)| !sources[at + name.len()..].starts_with(|c: char| c.is_alphanumeric() || c == '_'))
    };
    // A macro stamps some names for each number of axes: `conv2d 2`.
    let is_stamped = (1..=3).any(|axes| sources.contains(&format!(" {word} {axes}")));
    is_stamped || sources.contains(&format!("doc(alias = \"{word}\")")) || defined.iter().any(is_defined)
}

#[test]
fn the_docs_search_finds_every_word_of_the_readmes_table() {
    let (words, sources) = (words_of_pytorch(), sources());
    let lost: Vec<&String> = words.iter().filter(|word| !is_found(word, &sources)).collect();
    assert!(words.len() > 40 && lost.is_empty(), "no `#[doc(alias = …)]` for {lost:?}");
    for word in ["DataLoader", "clip_grad_norm", "accuracy", "early_stopping", "predict", "read_csv", "StandardScaler"]
    {
        assert!(is_found(word, &sources), "{word}");
    }
    assert!(is_found("ReduceLROnPlateau", &sources) && !is_found("ReduceLROnPlateaus", &sources));
}
