//! What an expert tries before a training.

use autograd::{Attention, CrossEntropy, Tape, Var};
use diagnose::{Evidence, Fault, Inspector, Recipe, Severity};
use init::{Gain, Initializer, kaiming_normal, normal, xavier_uniform, zeros};
use nn::{Adam, BatchNorm1d, Embedding, LSTM, Layer, Linear, Optimizer, Sgd};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use tensor::{Shape, Tensor};

const SEEDS: u64 = 5;

#[derive(Default)]
struct Net {
    l: Vec<Linear>,
    batch: Vec<BatchNorm1d>,
    table: Vec<Embedding>,
    lstm: Vec<LSTM>,
}

nn::module!(Net { l, batch, table, lstm });

struct Draw(ChaCha8Rng);

impl Draw {
    fn x(&mut self, dims: impl Into<Shape>) -> Tensor {
        normal(1.0).init(&dims.into(), &mut self.0).unwrap()
    }

    fn y(&mut self, dims: impl Into<Shape>, classes: usize) -> Tensor<i64> {
        self.x(dims).map(|x| ((x.abs() * 1000.0) as i64) % classes as i64)
    }

    fn stack(&mut self, widths: &[usize]) -> Net {
        let layer = |pair: &[usize]| Linear::new(pair[0], pair[1], &kaiming_normal(Gain::Relu), &mut self.0).unwrap();
        Net { l: widths.windows(2).map(layer).collect(), ..Net::default() }
    }
}

fn mlp<'t>(net: &Net, x: Var<'t>) -> Var<'t> {
    let (last, hidden) = net.l.split_last().unwrap();
    last.forward(hidden.iter().fold(x, |h, layer| layer.forward(h).relu()))
}

fn look(net: &mut Net, lr: f64, forward: impl for<'t> Fn(&Net, &'t Tape) -> Var<'t>) -> Recipe {
    let before = net.l.iter().map(|layer| layer.weight.value().clone()).collect::<Vec<_>>();
    let recipe = Inspector::new().recipe(net, || Optimizer::new(Adam::default(), lr), forward).unwrap();
    assert!(net.l.iter().zip(&before).all(|(layer, before)| layer.weight.value() == before), "the model is as it was");
    assert!(recipe.to_string().lines().all(|line| line.chars().count() <= 80), "{recipe}");
    recipe
}

fn serious(recipe: &Recipe) -> Vec<(Severity, Fault)> {
    let serious = recipe.findings.iter().filter(|finding| finding.severity > Severity::Note);
    serious.map(|finding| (finding.severity, finding.fault)).collect()
}

/// Networks by what is found of them.
fn check(name: &str, want: &[(Severity, Fault)], look: impl Fn(&mut Draw) -> Recipe) {
    for seed in 0..SEEDS {
        let recipe = look(&mut Draw(ChaCha8Rng::seed_from_u64(seed)));
        assert_eq!(serious(&recipe), want, "{name}, seed {seed}: {recipe}");
    }
}

/// One head of attention over `[N, T, W]`.
fn attend<'t>(net: &Net, x: Var<'t>, causal: bool) -> Var<'t> {
    let [q, k, v] = [0, 1, 2].map(|at| net.l[at].forward(x));
    x + q.attention(k, v, Attention { causal, ..Attention::default() })
}

fn attention(d: &mut Draw) -> Net {
    let mut net = Net { table: vec![Embedding::new(9, 16, &normal(1.0), &mut d.0).unwrap()], ..Net::default() };
    for width in [16, 16, 16, 9] {
        net.l.push(Linear::new(16, width, &xavier_uniform(Gain::Linear), &mut d.0).unwrap());
    }
    net
}

#[test]
fn what_is_well_is_let_alone() {
    check("a classifier", &[], |d| {
        let (mut net, x, y) = (d.stack(&[10, 32, 4]), d.x([16, 10]), d.y([16], 4));
        look(&mut net, 1e-2, |net, tape| mlp(net, tape.constant(x.clone())).cross_entropy(&y))
    });
    check("a regression with pixels", &[], |d| {
        let (mut net, x, y) = (d.stack(&[64, 32, 1]), d.x([16, 8, 8]), d.x([16, 1]));
        look(&mut net, 1e-2, |net, tape| mlp(net, tape.constant(x.clone()).reshape([16, 64])).mse_loss(&y))
    });
    check("yes and no by sigmoid, with dropout", &[], |d| {
        let (mut net, x, y) = (d.stack(&[10, 64, 1]), d.x([16, 10]), d.y([16, 1], 2).map(|c| c as f32));
        look(&mut net, 1e-2, |net, tape| {
            let h = net.l[0].forward(tape.constant(x.clone())).relu().dropout(0.1);
            net.l[1].forward(h).sigmoid().bce_loss(&y)
        })
    });
    check("batch norm, which mixes a batch in training alone", &[], |d| {
        let (mut net, x, y) = (d.stack(&[10, 32, 4]), d.x([16, 10]), d.y([16], 4));
        net.batch.push(BatchNorm1d::new(32));
        look(&mut net, 1e-2, |net, tape| {
            let h = net.batch[0].forward(net.l[0].forward(tape.constant(x.clone()))).relu();
            net.l[1].forward(h).cross_entropy(&y)
        })
    });
    check("a recurrent net", &[], |d| {
        let mut net = d.stack(&[16, 4]);
        net.lstm.push(LSTM::new_torch(5, 16, &mut d.0).unwrap());
        let (x, y) = (d.x([16, 6, 5]), d.y([16], 4));
        look(&mut net, 2e-2, |net, tape| {
            net.l[0].forward(net.lstm[0].run(tape.constant(x.clone()), None).1.hidden).cross_entropy(&y)
        })
    });
    check("the next symbol by causal attention", &[], |d| {
        let (mut net, text) = (attention(d), d.y([8, 7], 9));
        let (x, y) = (text.slice(1, 0..6).contiguous(), text.slice(1, 1..7).contiguous());
        look(&mut net, 1e-2, |net, tape| {
            net.l[3].forward(attend(net, net.table[0].forward(tape, &x), true)).cross_entropy(&y)
        })
    });
    check("tags by attention in both directions", &[], |d| {
        let (mut net, x, y) = (attention(d), d.y([8, 6], 9), d.y([8, 6], 9));
        look(&mut net, 1e-2, |net, tape| {
            net.l[3].forward(attend(net, net.table[0].forward(tape, &x), false)).cross_entropy(&y)
        })
    });
}

const NOTHING: &[(Severity, Fault)] = &[(Severity::Error, Fault::NotLearning)];
const LEAK: &[(Severity, Fault)] = &[(Severity::Error, Fault::Leak)];

#[test]
fn what_learns_nothing_fails() {
    check("labels smoothed by 1", NOTHING, |d| {
        let (mut net, x, y) = (d.stack(&[10, 32, 4]), d.x([16, 10]), d.y([16], 4));
        let options = || CrossEntropy { label_smoothing: 1.0, ..CrossEntropy::default() };
        look(&mut net, 1e-2, |net, tape| mlp(net, tape.constant(x.clone())).cross_entropy_with(&y, options()))
    });
    check("weights of zero", NOTHING, |d| {
        let (mut net, x, y) = (d.stack(&[10, 32, 4]), d.x([16, 10]), Tensor::from_fn([16], |i| i[0] as i64 % 4));
        for layer in &mut net.l {
            *layer.weight.value_mut() = zeros().init(layer.weight.value().shape(), &mut d.0).unwrap();
        }
        look(&mut net, 1e-2, |net, tape| mlp(net, tape.constant(x.clone())).cross_entropy(&y))
    });
    check("[16, 1] − [16]", NOTHING, |d| {
        let (mut net, x, y) = (d.stack(&[10, 32, 1]), d.x([16, 10]), d.x([16]));
        look(&mut net, 1e-2, |net, tape| {
            (mlp(net, tape.constant(x.clone())) - tape.constant(y.clone())).square().mean(..)
        })
    });
    check("softmax of one value", NOTHING, |d| {
        let (mut net, x, y) = (d.stack(&[10, 32, 1]), d.x([16, 10]), Tensor::from_fn([16, 1], |i| (i[0] % 2) as f32));
        look(&mut net, 1e-2, |net, tape| mlp(net, tape.constant(x.clone())).softmax(-1).mse_loss(&y))
    });
    check("a rate of nothing", NOTHING, |d| {
        let (mut net, x, y) = (d.stack(&[10, 32, 4]), d.x([16, 10]), Tensor::from_fn([16], |i| i[0] as i64 % 4));
        look(&mut net, 1e-9, |net, tape| mlp(net, tape.constant(x.clone())).cross_entropy(&y))
    });
    check("XOR by the absolute error", NOTHING, |d| {
        let mut net = d.stack(&[2, 4, 1]);
        let (x, y) = (
            Tensor::from([[1.0, 1.0], [1.0, 0.0], [0.0, 0.0], [0.0, 1.0]]),
            Tensor::from([[0.0], [1.0], [0.0], [1.0]]),
        );
        let sgd = || Optimizer::new(Sgd::default(), 0.05);
        Inspector::new()
            .recipe(&mut net, sgd, |net: &Net, tape: &Tape| {
                net.l[1].forward(net.l[0].forward(tape.constant(x.clone())).sigmoid()).sigmoid().l1_loss(&y)
            })
            .unwrap()
    });
}

#[test]
fn what_depends_on_what_it_should_not_see_is_told() {
    check("a view where a transpose is meant", LEAK, |d| {
        let (mut net, x, y) = (d.stack(&[10, 32, 4]), d.x([16, 10]), d.y([16], 4));
        look(&mut net, 1e-2, |net, tape| {
            let h = tape.constant(x.clone()).t().reshape([16, 10]);
            mlp(net, h).cross_entropy(&y)
        })
    });
    check("a mean over the batch", LEAK, |d| {
        let (mut net, x, y) = (d.stack(&[10, 32, 4]), d.x([16, 10]), d.y([16], 4));
        look(&mut net, 1e-2, |net, tape| {
            let h = net.l[0].forward(tape.constant(x.clone()));
            net.l[1].forward((h - h.mean(0)).relu()).cross_entropy(&y)
        })
    });
    check("a softmax over the batch", &[LEAK[0], NOTHING[0]], |d| {
        let (mut net, x, y) = (d.stack(&[10, 32, 4]), d.x([16, 10]), d.x([16, 4]).softmax(1));
        look(&mut net, 1e-2, |net, tape| mlp(net, tape.constant(x.clone())).softmax(0).mse_loss(&y))
    });
    check("the next symbol by attention in both directions", LEAK, |d| {
        let (mut net, text) = (attention(d), d.y([8, 7], 9));
        let (x, y) = (text.slice(1, 0..6).contiguous(), text.slice(1, 1..7).contiguous());
        look(&mut net, 1e-2, |net, tape| {
            net.l[3].forward(attend(net, net.table[0].forward(tape, &x), false)).cross_entropy(&y)
        })
    });
}

#[test]
fn inputs_that_make_no_difference_are_told() {
    // A table that knows the examples by their places in the batch needs no inputs.
    let mut d = Draw(ChaCha8Rng::seed_from_u64(1));
    let (net, x, y) = (d.stack(&[10, 32, 4]), d.x([16, 10]), d.y([16], 4));
    let mut both = Both { each: nn::Param::new(Tensor::zeros([16, 4])), l: net.l };
    let recipe = Inspector::new()
        .recipe(
            &mut both,
            || Optimizer::new(Adam::default(), 0.1),
            |both: &Both, tape: &Tape| {
                let h = both.l[1].forward(both.l[0].forward(tape.constant(x.clone())).relu());
                (both.each.on(tape) + h.scale(1e-6)).cross_entropy(&y)
            },
        )
        .unwrap();
    assert!(
        recipe.findings.iter().any(|finding| matches!(finding.evidence, Evidence::InputsUnused { .. })),
        "{recipe}"
    );
}

struct Both {
    each: nn::Param,
    l: Vec<Linear>,
}

nn::module!(Both { each, l });
