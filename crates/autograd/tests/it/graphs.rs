//! Graphs that nobody has thought of: values that are used often, parts of values, segments that are computed again, two losses. Each is a
//! function of its number, and `EVENKEEL_FUZZ` says how many there are.

use autograd::{Gradients, Id, Tape, Var, check};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use tensor::Tensor;

use crate::gradients::input;
use crate::table::Domain;

/// How many graphs each test tries.
fn count() -> u64 {
    std::env::var("EVENKEEL_FUZZ").map_or(3000, |text| text.parse().expect("EVENKEEL_FUZZ is a number"))
}

/// The numbers of the graphs, on two threads.
fn each(test: impl Fn(u64) + Sync) {
    std::thread::scope(|scope| {
        for half in 0..2 {
            let test = &test;
            scope.spawn(move || (0..count()).filter(|number| number % 2 == half).for_each(test));
        }
    });
}

/// What else may be in a graph.
#[derive(Clone, Copy)]
struct Kinds {
    /// What draws numbers, and what no gradient passes.
    chance: bool,
    segments: bool,
}

/// A value made of others by an op that a number chooses, and scaled so that nothing grows; all have the shape `[3, 4]`.
fn next<'t>(known: &[Var<'t, f64>], kinds: Kinds, rng: &mut ChaCha8Rng) -> Var<'t, f64> {
    let pick = |rng: &mut ChaCha8Rng| known[rng.random_range(0..known.len())];
    let (a, b) = (pick(rng), pick(rng));
    let most = if kinds.chance { 36 } else { 34 };
    let y = match rng.random_range(0..most) {
        0 => a + b,
        1 => a - b,
        2 => a * b,
        3 => a / (b.square() + 1.0),
        4 => a.tanh(),
        5 => a.sigmoid() * b,
        6 => a.gelu(),
        7 => (-a.square()).exp(),
        8 => (a.square() + 0.5).ln(),
        9 => (a.square() + 0.5).sqrt(),
        10 => a.softmax(-1),
        11 => a.log_softmax(0),
        12 => a.matmul(b.t()).matmul(a).scale(0.2),
        13 => a.layer_norm(b.select(0, 0), b.select(0, 1), 0.1),
        14 => a.sum(tensor::keepdim(0)) * b,
        15 => a.var(tensor::keepdim(-1), 1) + b,
        16 => Var::cat(&[a, b], 0).slice_step(0, .., 2),
        17 => a.permute(&[1, 0]).reshape([3, 4]),
        18 => a.roll(1, 1) + b.flip(&[0]),
        19 => a.index_select(0, &Tensor::from([2, 0, 2])) + b.cumsum(1),
        20 => Var::cat(&[a.narrow(1, 1, 3), b.narrow(1, 0, 1)], 1),
        21 => a.slice(0, 1..).sum(tensor::keepdim(0)) + b,
        22 => Var::stack(&[a.select(0, 2), b.select(0, 0), a.select(0, 2)], 0),
        23 => a.silu() * b.tanh().sin(),
        24 => a.softplus() - b.tanh().cos(),
        25 => a.logsumexp(tensor::keepdim(-1)) * b,
        26 => (a.tanh() + 1.5).normalize(-1, 1e-3),
        27 => a.rms_norm(b.select(0, 2), 0.1),
        28 => Var::cat(&[a, b], 1).glu(1),
        29 => a.mean(tensor::keepdim(..)) + b.scale(2.0),
        // Not the deviation itself, which has a kink where it is 0.
        30 => (a.var(tensor::keepdim(0), 0) + 0.1).sqrt() * b.tanh(),
        31 => (a.tanh() * 0.3 + 1.0).powf(1.7) + (b.square() + 0.5).rsqrt(),
        32 => (a.square() + 1.0).recip() - b.erf().scale(0.1),
        33 if kinds.segments => {
            // Dropout too, where there is chance, and a segment within a segment.
            let p = if kinds.chance { 0.3 } else { 0.0 };
            a.recomputed(move |x| {
                let h = if p > 0.0 { x.tanh().dropout(p) } else { x.tanh() };
                // Its input is used once: the shares of several uses are added before those of uses outside.
                h.recomputed(move |x| if p > 0.0 { x.dropout(p).sin() } else { x.sin() })
            }) * b
        }
        33 => a.tanh().sin() * b,
        34 => a.dropout(0.4) + b,
        _ => a.detach() * b,
    };
    y.scale(0.5)
}

/// The values of a graph, the inputs first.
fn graph<'t>(number: u64, kinds: Kinds, inputs: &[Var<'t, f64>]) -> Vec<Var<'t, f64>> {
    let mut rng = ChaCha8Rng::seed_from_u64(number);
    let mut known = inputs.to_vec();
    for _ in 0..rng.random_range(1..16) {
        known.push(next(&known, kinds, &mut rng));
    }
    known
}

fn inputs(number: u64) -> Vec<Tensor<f64>> {
    let mut rng = ChaCha8Rng::seed_from_u64(!number);
    (0..3).map(|place| input(place, &[3, 4], Domain::Real, &mut rng)).collect()
}

#[test]
fn gradients_are_those_of_differences() {
    each(|number| {
        for segments in [false, true] {
            let kinds = Kinds { chance: false, segments };
            let result = check::gradients(&inputs(number), &mut ChaCha8Rng::seed_from_u64(number), |x| {
                // All of them count: none is without a gradient.
                graph(number, kinds, x).into_iter().reduce(|sum, x| sum + x).unwrap()
            });
            assert_eq!(result, Ok(()), "graph {number}");
        }
    });
}

/// A pass over a graph whose first input has a name, and of whose values some are retained.
fn pass<'t>(number: u64, tape: &'t Tape<f64>, id: Id, values: &[Tensor<f64>]) -> Vec<Var<'t, f64>> {
    tape.seed(7, number);
    let inputs = [tape.named_leaf(id, &values[0]), tape.leaf(values[1].clone()), tape.leaf(values[2].clone())];
    let known = graph(number, Kinds { chance: true, segments: true }, &inputs);
    known.iter().skip(3).step_by(3).for_each(|x| _ = x.retain_gradient());
    known
}

#[test]
fn the_sum_of_two_passes_is_the_pass_of_the_sum() {
    each(|number| {
        let (tape, id, values) = (Tape::default(), Id::new(), inputs(number));
        let known = pass(number, &tape, id, &values);
        let mut rng = ChaCha8Rng::seed_from_u64(number ^ 0x5eed);
        let mut loss = || {
            let terms = (0..rng.random_range(1..4)).map(|_| known[rng.random_range(0..known.len())]);
            terms.reduce(|a, b| a + b).unwrap().sum(..)
        };
        let losses = [loss(), loss(), loss()];
        let graded: Vec<Gradients<f64>> = losses.iter().filter(|x| x.needs_gradient()).map(|x| x.backward()).collect();
        let Some(whole) = losses.into_iter().reduce(|a, b| a + b).filter(|x| x.needs_gradient()) else { return };
        let want = whole.backward();
        // Weighted, and with one that is there twice.
        let mut sum = graded[0].clone();
        graded[1..].iter().for_each(|other| sum.add_weighted(other, 1.0));
        sum += &graded[0];
        sum.add_weighted(&graded[0], -1.0);
        let same = |got: Option<&Tensor<f64>>, want: Option<&Tensor<f64>>| match (got, want) {
            (Some(got), Some(want)) => {
                let size = want.abs().max(..).item() + got.abs().max(..).item() + 1e-3;
                (got - want).abs().max(..).item() <= 1e-12 * size
            }
            (got, want) => got.is_none() && want.is_none(),
        };
        let kept = known.iter().take(3).chain(known.iter().skip(3).step_by(3));
        for x in kept {
            assert!(same(sum.get(*x), want.get(*x)), "graph {number}: {x:?}: {:?} and {:?}", sum.get(*x), want.get(*x));
        }
        assert!(same(sum.named(id), want.named(id)), "graph {number}");
        assert!((sum.norm() - want.norm()).abs() <= 1e-10 * (want.norm() + 1e-3), "graph {number}");
    });
}

#[test]
fn what_is_computed_again_has_the_bits_of_what_is_kept() {
    each(|number| {
        let (id, values) = (Id::new(), inputs(number));
        let run = |keep: bool| {
            let tape = Tape::default();
            tape.keep_segments(keep);
            let known = pass(number, &tape, id, &values);
            let y = known.into_iter().reduce(|a, b| a + b).unwrap();
            let gradients = y.backward_with(Tensor::ones([3, 4]));
            let leaves: Vec<_> = tape.vars().take(3).map(|leaf| gradients.get(leaf).cloned()).collect();
            (y.value(), leaves, gradients.named(id).cloned())
        };
        let (kept, again) = (run(true), run(false));
        assert_eq!(kept.0, again.0, "graph {number}");
        assert!(kept.1 == again.1 && kept.2 == again.2, "graph {number}");
    });
}
