//! The same bits, as a contract: `table.txt` has a hash of the bits of every op's results, and of its gradients, and each
//! instruction set and number of threads must give these hashes.
//!
//! A hash that moves is a change that users see: it belongs into the changelog. One command writes the table anew:
//!
//! ```sh
//! EVENKEEL_WRITE_BITS=1 cargo test --package evenkeel-autograd --test bits
//! ```
//!
//! Of a NaN, only that it is one is promised: IEEE 754 leaves its sign and its other bits to the processor.

mod rows;
/// The table of the tape's ops that their gradients are proven by.
#[path = "../it/table.rs"]
mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use autograd::Var;
use rows::rows;
use tensor::{Activation, Element, Float, Tensor};

/// A row of the table: the op's name, and what hashes its results for two tensors of one shape.
type Row<T> = (String, Box<dyn Fn(&Tensor<T>, &Tensor<T>) -> u64 + Send + Sync>);

/// An element's bits.
trait Bits: Element {
    fn bits(self) -> u64;
}

macro_rules! bits {
    ($($t:ident |$x:ident| $bits:expr;)*) => {
        $(impl Bits for $t {
            fn bits(self) -> u64 {
                let $x = self;
                $bits
            }
        })*
    };
}

bits! {
    f32 |x| if x.is_nan() { f32::NAN.to_bits().into() } else { x.to_bits().into() };
    f64 |x| if x.is_nan() { f64::NAN.to_bits() } else { x.to_bits() };
    i64 |x| x as u64;
    bool |x| x.into();
}

/// The hash of Fowler, Noll and Vo over whole words, with what is carried out of them brought back in.
fn mixed(hash: u64, word: u64) -> u64 {
    (hash ^ word).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(23)
}

/// What a row gives.
trait Hashed {
    fn add_to(&self, hash: u64) -> u64;
}

impl<T: Bits> Hashed for Tensor<T> {
    fn add_to(&self, hash: u64) -> u64 {
        let hash = self.dims().iter().fold(hash, |hash, &size| mixed(hash, size as u64));
        self.iter().fold(hash, |hash, x| mixed(hash, x.bits()))
    }
}

impl<A: Hashed, B: Hashed> Hashed for (A, B) {
    fn add_to(&self, hash: u64) -> u64 {
        self.1.add_to(self.0.add_to(hash))
    }
}

impl<A: Hashed> Hashed for Vec<A> {
    fn add_to(&self, hash: u64) -> u64 {
        self.iter().fold(hash, |hash, x| x.add_to(hash))
    }
}

fn hash(x: &impl Hashed) -> u64 {
    x.add_to(0xcbf2_9ce4_8422_2325)
}

/// Numbers of all digits between −3 and 3, by a congruential generator (Knuth, MMIX).
fn numbers<T: Float>(dims: [usize; 2], seed: u64) -> Tensor<T> {
    let mut state = seed;
    Tensor::from_fn(dims, |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        T::from_f64((state >> 11) as f64 / (1_u64 << 53) as f64 * 6.0 - 3.0)
    })
}

/// On both sides of vectors, lanes, blocks of rows and of columns, and of tiles.
const SIZES: [[usize; 2]; 9] = [[1, 1], [3, 5], [2, 31], [5, 33], [70, 3], [3, 65], [65, 70], [2, 257], [2, 2049]];

/// Shared among threads, and cut into pieces along rows and along columns.
const LARGE: [[usize; 2]; 2] = [[2, 135_000], [700, 200]];

/// What the layouts are called in the table.
const LAYOUTS: [&str; 7] = ["rows", "transposed", "stepped", "flipped", "repeated", "special", "large"];

/// The pairs of tensors of a layout.
fn pairs<T: Float>(layout: &str) -> Vec<[Tensor<T>; 2]> {
    let sizes: &[[usize; 2]] = match layout {
        "rows" => &SIZES,
        "large" => &LARGE,
        "special" => &[[4, 40], [40, 4]],
        _ => &[[5, 33], [3, 65], [70, 66]],
    };
    let of = |[rows, columns]: [usize; 2], seed: u64| match layout {
        "transposed" => numbers([columns, rows], seed).t(),
        "stepped" => numbers([rows, 2 * columns + 1], seed).slice_step(1, 1.., 2),
        "flipped" => numbers([rows, columns], seed).flip(&[0, 1]),
        "repeated" => numbers([1, columns], seed).expand([rows, columns]),
        "special" => special(numbers([rows, columns], seed), seed as usize),
        _ => numbers([rows, columns], seed),
    };
    sizes.iter().map(|&size| [of(size, 1), of(size, 2)]).collect()
}

/// With zeros, infinities, NaN, and the largest and least numbers among the others.
fn special<T: Float>(x: Tensor<T>, seed: usize) -> Tensor<T> {
    let (zero, inf) = (T::ZERO, T::INFINITY);
    let least = T::MIN_POSITIVE * T::EPSILON;
    let all = [zero, -zero, inf, -inf, T::from_f64(f64::NAN), T::MAX, -T::MAX, least, -least, T::MIN_POSITIVE, T::ONE];
    let columns = x.size(1);
    Tensor::from_fn(x.shape(), |i| {
        let at = i[0] * columns + i[1];
        // NaN is rare, since it hides what else would be told apart.
        match at * seed % 7 {
            0 if at.is_multiple_of(97) => all[4],
            0 => all[[0, 1, 2, 5, 7, 9, 10, 3, 6, 8][at / 7 % 10]],
            _ => x.get(i).expect("within"),
        }
    })
}

/// The hash of each layout of each row.
type Hashes = BTreeMap<(String, &'static str), u32>;

fn computed<T: Float + Bits>(layouts: &[&'static str]) -> Hashes {
    let (rows, of_tape) = (rows::<T>(), table::rows::<T>());
    let mut hashes = BTreeMap::new();
    for &layout in layouts {
        for row in &of_tape {
            let of_all = row.shapes.iter().fold(0, |hash, shapes| mixed(hash, both_ways(row, shapes, layout)));
            hashes.insert((name_in_table(row), layout), (of_all ^ of_all >> 32) as u32);
        }
        let pairs = pairs::<T>(layout);
        for (name, row) in &rows {
            let of_all = pairs.iter().fold(0, |hash, [x, y]| mixed(hash, row(x, y)));
            hashes.insert((name.clone(), layout), (of_all ^ of_all >> 32) as u32);
        }
    }
    hashes
}

/// A row of the tape's table, as one word.
fn name_in_table<T: Float>(row: &table::Row<T>) -> String {
    format!("tape.{}", row.name.replace(' ', "_"))
}

/// The result of a row of the tape's table, and the gradients of all inputs, for one of the result that varies.
fn both_ways<T: Float + Bits>(row: &table::Row<T>, shapes: &[&[usize]], layout: &str) -> u64 {
    let tape = table::tape();
    let inputs: Vec<Var<'_, T>> = shapes
        .iter()
        .enumerate()
        .map(|(place, dims)| tape.leaf(laid(place, dims, row.domain(place), layout)))
        .collect();
    let y = (row.function)(&inputs);
    let seed = numbers([1, y.shape().numel()], 99).reshape(y.shape());
    let gradients = y.backward_with(seed);
    hash(&(y.value(), inputs.into_iter().filter_map(|x| gradients.get(x).cloned()).collect::<Vec<_>>()))
}

/// Numbers of a domain in a shape and a layout.
fn laid<T: Float>(place: usize, dims: &[usize], domain: table::Domain, layout: &str) -> Tensor<T> {
    let of = |dims: &[usize]| {
        let x = numbers::<T>([1, dims.iter().product()], place as u64 + 1).reshape(dims);
        match domain {
            table::Domain::Real | table::Domain::Distinct => x,
            table::Domain::Positive => x.abs() + T::from_f64(0.1),
            table::Domain::Share => x.sigmoid(),
        }
    };
    let axes: Vec<isize> = (0..dims.len() as isize).collect();
    match layout {
        _ if dims.is_empty() => of(dims),
        "transposed" => {
            let back: Vec<isize> = axes.into_iter().rev().collect();
            of(dims).permute(&back).contiguous().permute(&back)
        }
        "stepped" => {
            let mut wide = dims.to_vec();
            *wide.last_mut().expect("an axis") *= 2;
            of(&wide).slice_step(-1, .., 2)
        }
        "flipped" => of(dims).flip(&axes),
        "repeated" if dims[0] > 0 => of(dims).slice(0, ..1).expand(dims),
        "special" if domain == table::Domain::Real => {
            let some = special(numbers([1, dims.iter().product()], 3), place + 1);
            some.reshape(dims)
        }
        _ => of(dims),
    }
}

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bits/table.txt")
}

/// A line for each op and type: the name, the type, a hash for each layout.
fn table(of: &[(&str, Hashes)]) -> String {
    let mut text = format!("op dtype {}\n", LAYOUTS.join(" "));
    for (dtype, hashes) in of {
        let names: BTreeSet<&String> = hashes.keys().map(|(name, _)| name).collect();
        for name in names {
            text += &format!("{name} {dtype}");
            for layout in LAYOUTS {
                text += &format!(" {:08x}", hashes[&(name.clone(), layout)]);
            }
            text.push('\n');
        }
    }
    text
}

/// What differs from the table, in words.
fn differences(want: &str, got: &str) -> Vec<String> {
    let lines = |text: &str| -> BTreeMap<String, Vec<String>> {
        let split = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        text.lines().skip(1).map(split).map(|words| (words[..2].join(" of "), words[2..].to_vec())).collect()
    };
    let (want, got) = (lines(want), lines(got));
    let mut moved = Vec::new();
    for (op, hashes) in &got {
        match want.get(op) {
            None => moved.push(format!("{op} is not in the table")),
            Some(old) => {
                let layouts = LAYOUTS.iter().zip(old.iter().zip(hashes)).filter(|(_, (old, new))| old != new);
                let layouts: Vec<&str> = layouts.map(|(layout, _)| *layout).collect();
                if !layouts.is_empty() {
                    moved.push(format!("{op} has other bits: {}", layouts.join(", ")));
                }
            }
        }
    }
    moved.extend(want.keys().filter(|op| !got.contains_key(*op)).map(|op| format!("{op} is in the table only")));
    moved
}

#[test]
fn every_result_has_the_bits_of_the_table() {
    let text =
        tensor::with_threads(1, || table(&[("f32", computed::<f32>(&LAYOUTS)), ("f64", computed::<f64>(&LAYOUTS))]));
    let text = text.unwrap();
    if env::var_os("EVENKEEL_WRITE_BITS").is_some() {
        fs::write(path(), &text).unwrap();
        return;
    }
    let want = fs::read_to_string(path()).unwrap();
    let moved = differences(&want, &text);
    assert!(moved.is_empty(), "on {:?}:\n{}", tensor::isa(), moved.join("\n"));
}

#[test]
fn no_number_of_threads_leaves_a_trace() {
    let of =
        |threads| tensor::with_threads(threads, || (computed::<f32>(&["large"]), computed::<f64>(&["large"]))).unwrap();
    let alone = of(1);
    for threads in [2, 3, 8] {
        assert!(of(threads) == alone, "{threads} threads");
    }
}

/// The test of the table in a process of its own for each instruction set that this processor has.
#[test]
#[cfg(target_arch = "x86_64")]
fn every_instruction_set_gives_the_same_bits() {
    let mut sets = vec!["baseline"];
    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        sets.push("avx2");
        if is_x86_feature_detected!("avx512f") {
            sets.push("avx512");
        }
    }
    let on = |set: &str| {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["every_result_has_the_bits_of_the_table", "--exact"]);
        let output = command.env("EVENKEEL_ISA", set).env_remove("EVENKEEL_WRITE_BITS").output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    for set in sets {
        let (success, output) = on(set);
        assert!(success, "{set}:\n{output}");
    }
    // The set does reach that process: one that does not exist is a panic.
    let (success, output) = on("avx9");
    assert!(!success && output.contains("EVENKEEL_ISA is \"avx9\", but must be baseline, avx2 or avx512"), "{output}");
}

/// What takes a closure, computes no elements, is what ops of the tape are made of, or compares what the tables compare anyway.
const WITHOUT: [&str; 37] = [
    "keepdim",
    "reduced",
    "map",
    "map_assign",
    "zip",
    "zip_assign",
    "update_by",
    "all_finite",
    "allclose",
    "check_classes",
    "elementwise_loss",
    "elementwise_loss_slope",
    "prelu_slope",
    "standardized",
    "affine",
    "normalized",
    "centered",
    "weighted_centered",
    "$method",
    "$name",
    "conv",
    "conv_input",
    "conv_weight",
    "conv_moves",
    "conv_transpose_moves",
    "resampled",
    "back",
    "adaptive",
    "adaptive_windows",
    "interpolation",
    "indices",
    "shapes",
    "skips",
    // Of a recurrence, which is measured as the ops of the tape that go through it.
    "new",
    "gates",
    "states",
    "states_before",
];

/// The public methods in the sources below a folder, but for those that are no ops.
fn ops(folder: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for source in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)) {
        for line in source.lines().map(str::trim) {
            if let Some(after) = line.strip_prefix("pub fn ") {
                found.insert(after.split(['(', '<']).next().unwrap().to_owned());
            }
            // A row of the list of methods: `method Name;`.
            if let Some((method, name)) = line.strip_suffix(';').and_then(|row| row.split_once(' '))
                && method.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
                && name.chars().all(char::is_alphanumeric)
                && name.starts_with(char::is_uppercase)
                && method != "return"
            {
                found.insert(method.to_owned());
            }
        }
    }
    found.retain(|name| !WITHOUT.contains(&name.as_str()));
    found
}

/// The public methods of `tensor`'s ops: each is a row. (That every op of the tape is in its own table is tested there.)
#[test]
fn no_op_is_missing_from_the_table() {
    let names: BTreeSet<String> = rows::<f32>().into_iter().map(|(name, _)| name).collect();
    let ops = ops("../tensor/src/ops");
    let missing: Vec<_> = ops.difference(&names).collect();
    assert!(missing.is_empty(), "not in the table: {missing:?}");
    assert!(ops.len() >= 130, "{} ops are found in the sources", ops.len());
}

/// Each op is measured beside PyTorch's, by the bench `ops`.
#[test]
fn no_op_is_missing_from_the_bench() {
    let benches = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../benches");
    let read = |name: &str| fs::read_to_string(benches.join(name)).unwrap();
    let quoted = |text: &str| -> BTreeSet<String> {
        let rows = text.lines().filter_map(|line| line.trim().strip_prefix('"')?.split('"').next());
        rows.map(|name| name.split(':').next().unwrap().to_owned()).collect()
    };
    let [ours, torch] = [quoted(&read("ops/rows.rs")), quoted(&read("ops.py"))];
    let activations = Activation::ALL.iter().map(|f| f.name().to_owned());
    let measured: BTreeSet<String> = ours.iter().cloned().chain(activations).collect();
    for folder in ["../tensor/src/ops", "src/ops"] {
        let ops = ops(folder);
        let missing: Vec<_> = ops.difference(&measured).collect();
        assert!(missing.is_empty() && ops.len() > 80, "not measured: {missing:?} of {}", ops.len());
    }
    let missing: Vec<_> = measured.difference(&torch).collect();
    assert!(missing.is_empty(), "not beside PyTorch: {missing:?}");
}

/// The text of all files below a folder, but for their tests.
fn sources(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            found.extend(sources(&entry));
        } else {
            let text = fs::read_to_string(&entry).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap();
            let documented = |line: &&str| !line.trim_start().starts_with("//");
            found.push(code.lines().filter(documented).collect::<Vec<_>>().join("\n"));
        }
    }
    found
}

#[test]
fn another_order_of_summation_is_noticed() {
    let [x, _] = &pairs::<f32>("rows")[8];
    let in_turn = Tensor::scalar(x.iter().fold(0.0, |sum, x| sum + x));
    assert!((in_turn.item() - x.sum(..).item()).abs() < 1e-2);
    assert_ne!(hash(&in_turn), hash(&x.sum(..)));
    let want = "op dtype\nsum f32 1 2 3\nold f32 1\n";
    let got = "op dtype\nsum f32 1 4 3\nnew f32 1\n";
    assert_eq!(
        differences(want, got),
        ["new of f32 is not in the table", "sum of f32 has other bits: transposed", "old of f32 is in the table only"]
    );
}
