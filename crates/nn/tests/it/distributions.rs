//! Distributions beside `torch.distributions`, their gradients by differences, and what is drawn of them.

use autograd::{Mode, Tape, Var, check};
use nn::distributions::{Bernoulli, Categorical, Normal, gumbel_softmax};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use tensor::Tensor;

use crate::golden::{assert_close, fill, rows};

type Results = for<'t> fn(&[Var<'t, f64>]) -> [Var<'t, f64>; 3];

/// The three results and the gradients of their sum by the script's weights; and those by differences.
fn agrees(name: &str, inputs: &[Tensor<f64>], results: Results) {
    let tape = Tape::default();
    let leaves: Vec<Var<'_, f64>> = inputs.iter().map(|x| tape.leaf(x.clone())).collect();
    let y = results(&leaves);
    let terms = y.iter().enumerate().map(|(i, y)| (*y * tape.constant(fill(y.shape(), 7 + i))).sum(..));
    let gradients = terms.reduce(|a, b| a + b).unwrap().backward();
    let values = y.iter().map(|y| y.value().to_vec());
    let got: Vec<Vec<f64>> = values.chain(leaves.iter().map(|x| gradients.get(*x).unwrap().to_vec())).collect();
    let want = rows("distributions", name);
    assert_eq!(got.len(), want.len(), "{name}");
    for (i, (got, want)) in got.iter().zip(&want).enumerate() {
        assert_close(&format!("{name}, row {i}"), got, want, 1e-12);
    }
    for i in 0..3 {
        let proven = check::gradients(inputs, &mut ChaCha8Rng::seed_from_u64(1), |x| results(x)[i].tanh());
        assert_eq!(proven, Ok(()), "{name}, result {i}");
    }
}

#[test]
fn densities_entropies_and_divergences_are_pytorchs() {
    let inputs: Vec<_> =
        [&[3, 4][..], &[4], &[3, 4], &[4], &[3, 4]].iter().enumerate().map(|(k, &dims)| fill(dims, k)).collect();
    agrees("Normal", &inputs, |x| {
        let (p, q) = (Normal::new(x[0], x[1].exp()), Normal::new(x[3], x[4].exp()));
        [p.log_prob(x[2]), p.entropy(), p.kl(&q)]
    });
    let logits = [fill([3, 4], 0), fill([3, 4], 1)];
    agrees("Bernoulli", &logits, |x| {
        let (p, q) = (Bernoulli::new(x[0] * 8.0), Bernoulli::new(x[1] * 8.0));
        let ones = fill::<f64>([3, 4], 2).gt(0.0).cast();
        [p.log_prob(x[0].tape().constant(ones)), p.entropy(), p.kl(&q)]
    });
    agrees("Categorical", &logits, |x| {
        let (p, q) = (Categorical::new(x[0] * 8.0), Categorical::new(x[1] * 8.0));
        [p.log_prob(&Tensor::from([2, 0, 3])), p.entropy(), p.kl(&q)]
    });
}

#[test]
fn what_never_comes_has_no_part() {
    const NEVER: f64 = f64::NEG_INFINITY;
    let tape = Tape::default();
    let [a, b, c] = [[0.0, NEVER, 1.0], [0.5, NEVER, 0.0], [0.0, 0.0, NEVER]].map(|row| tape.leaf(Tensor::from([row])));
    let [p, q, r] = [a, b, c].map(Categorical::new);
    let two = |x: f64, y: f64| [x.exp() / (x.exp() + y.exp()), y.exp() / (x.exp() + y.exp())];
    let ([p0, p2], [q0, q2]) = (two(0.0, 1.0), two(0.5, 0.0));
    let results =
        [(p.entropy(), -(p0 * p0.ln() + p2 * p2.ln())), (p.kl(&q), p0 * (p0 / q0).ln() + p2 * (p2 / q2).ln())];
    for (got, want) in results {
        assert!((got.value().sum(..).item() - want).abs() < 1e-14);
        let gradients = got.sum(..).backward();
        assert!(gradients.get(a).unwrap().iter().all(f64::is_finite), "{:?}", gradients.get(a));
    }
    assert_eq!(p.kl(&r).value().to_vec(), [f64::INFINITY]);
    // Sure of one, without a NaN.
    let sure = Bernoulli::new(tape.constant(Tensor::from([800.0, -800.0])));
    assert_eq!(sure.entropy().value().to_vec(), [0.0, 0.0]);
    // Nearly sure, to the last digits: ln σ(20.5) = −e^−20.5 but for its square.
    let nearly = Bernoulli::new(tape.constant(Tensor::from([-20.5])));
    let log_prob = nearly.log_prob(tape.constant(Tensor::from([0.0]))).item();
    assert!((log_prob / -(-20.5_f64).exp() - 1.0).abs() < 1e-8, "{log_prob:e}");
}

#[test]
fn samples_come_by_their_probabilities_and_bring_gradients_where_they_say_so() {
    const N: usize = 20_000;
    // Of χ² with 2 degrees of freedom, what one in 10⁴ exceeds.
    const OF_2: f64 = 18.4;
    let tape = Tape::<f64>::in_mode(Mode::Train);
    tape.seed(5, 6);
    let row = [0.0, 1.0, -0.5];
    let logits = tape.leaf(Tensor::from([row]).expand([N, 3]).contiguous());
    let chi_square = |classes: &Tensor<i64>, row: [f64; 3]| -> f64 {
        let sum: f64 = row.iter().map(|x| x.exp()).sum();
        let term = |class: i64| {
            let (found, want) =
                (classes.iter().filter(|&c| c == class).count() as f64, N as f64 * row[class as usize].exp() / sum);
            (found - want).powi(2) / want
        };
        (0..3).map(term).sum()
    };
    let other = [0.0, 1.1, -0.5];
    let hard = gumbel_softmax(logits, 0.7, true);
    for classes in [Categorical::new(logits).sample(), hard.value().argmax(-1)] {
        assert_eq!(classes.dims(), [N]);
        assert!(chi_square(&classes, row) < OF_2 && chi_square(&classes, other) > OF_2);
    }
    assert!(hard.value().iter().all(|x| x.abs() < 1e-12 || (x - 1.0).abs() < 1e-12));

    let seeded = || {
        let tape = Tape::<f64>::default();
        tape.seed(7, 8);
        tape
    };
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let inputs = [fill([3, 4], 0), fill([3, 4], 1)];
    let proven = check::gradients_on(seeded, &inputs, &mut rng, |x| Normal::new(x[0], x[1].exp()).rsample().tanh());
    assert_eq!(proven, Ok(()));
    assert_eq!(check::gradients_on(seeded, &inputs[..1], &mut rng, |x| gumbel_softmax(x[0], 0.5, false)), Ok(()));
    // The same numbers, with a gradient and without.
    let sample = |gradient: bool| {
        let tape = seeded();
        let normal = Normal::new(tape.leaf(inputs[0].clone()), tape.leaf(inputs[1].exp()));
        let x = if gradient { normal.rsample() } else { normal.sample() };
        assert_eq!(x.needs_gradient(), gradient);
        x.value()
    };
    assert_eq!(sample(true), sample(false));
}

#[test]
fn what_is_no_distribution_is_refused_with_its_place() {
    let said = |make: fn(&Tape)| {
        let error = std::panic::catch_unwind(|| make(&Tape::new())).unwrap_err();
        error.downcast_ref::<String>().expect("a sentence").clone()
    };
    let sentences = [
        said(|t| _ = Normal::new(t.constant(Tensor::zeros([2])), t.constant(Tensor::from([1.0, 0.0])))),
        said(|t| _ = Normal::new(t.constant(Tensor::zeros([2])), t.constant(Tensor::ones([3])))),
        said(|t| _ = Bernoulli::new(t.constant(Tensor::from([0.0, f32::NAN])))),
        said(|t| _ = Bernoulli::new(t.constant(Tensor::from([f32::NEG_INFINITY])))),
        said(|t| _ = Categorical::new(t.constant(Tensor::from([[0.0], [f32::NEG_INFINITY]])))),
        said(|t| _ = Categorical::new(t.constant(Tensor::from([f32::INFINITY])))),
        said(|t| _ = Categorical::new(t.constant(Tensor::zeros([2, 3]))).log_prob(&Tensor::from([1]))),
        said(|t| _ = gumbel_softmax(t.constant(Tensor::zeros([2])), 0.0, false)),
    ];
    let wanted = [
        "normal: standard deviation 1 of [2] is 0, but must be above 0",
        "normal: ",
        "bernoulli: logit 1 of [2] is NaN, but must be finite",
        "bernoulli: logit 0 of [1] is -inf, but must be finite",
        "categorical: row 1 of [2, 1] has no finite logit",
        "categorical: logit 0 of [1] is inf, but must be below infinity",
        "categorical: logits of shape [2, 3] need a class for each row, got classes of shape [1]",
        "gumbel_softmax: the temperature is 0, but must be above 0",
    ];
    assert_eq!(sentences.len(), wanted.len());
    for (said, wanted) in sentences.iter().zip(wanted) {
        assert!(said.starts_with(wanted), "{said}");
    }
}
