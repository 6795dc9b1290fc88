//! Every layer of `nn`: let alone at a good start, with a row for each of its parameters; and found at fault where it is far too large.

use diagnose::Report;
use init::{Gain, Initializer, kaiming_normal, lecun_normal, normal, orthogonal};
use nn::activations::{Relu, Tanh};
use nn::{
    BatchNorm1d, Bilinear, Dropout, Embedding, Flatten, FlattenConsecutive, GRU, GroupNorm, LSTM, Layer, LayerNorm,
    Linear, Module, MultiheadAttention, PRelu, RMSNorm, RNN, Residual, Sequential, TransformerBlock, func, seq,
};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use tensor::{Shape, Tensor};

/// What is looked at: `[64, 8, 32]`, of five classes.
fn look(net: &Sequential, seed: u64) -> Report {
    let rng = &mut ChaCha8Rng::seed_from_u64(seed + 100);
    let x: Tensor = normal(1.0).init(&Shape::from([64, 8, 32]), rng).unwrap();
    let y = Tensor::from_fn([64], |i| (i[0] * 7 % 5) as i64);
    diagnose::inspect(net, |net, tape| net.forward(tape.constant(x.clone())).cross_entropy(&y))
}

type Build = fn(&mut ChaCha8Rng) -> Result<Sequential, nn::Error>;

/// A layer between others that are well.
const NETS: [(&str, Build); 16] = [
    ("prelu", |rng| {
        Ok(seq![Flatten, wide(256, 64, rng)?, PRelu::new(), wide(64, 64, rng)?, PRelu::new(), head(64, rng)?])
    }),
    ("batch norm", |rng| Ok(seq![Flatten, wide(256, 64, rng)?, BatchNorm1d::new(64), Tanh, head(64, rng)?])),
    ("batch norm without affine", |rng| {
        Ok(seq![Flatten, wide(256, 64, rng)?, BatchNorm1d::new(64).without_affine(), Tanh, head(64, rng)?])
    }),
    ("batch norm, cumulative", |rng| {
        Ok(seq![Flatten, wide(256, 64, rng)?, BatchNorm1d::new(64).cumulative(), Tanh, head(64, rng)?])
    }),
    ("batch norm of the last axis", |rng| {
        let norm = BatchNorm1d::new(64).channels_last();
        Ok(seq![FlattenConsecutive::new(2)?, wide(64, 64, rng)?, norm, Tanh, Flatten, head(256, rng)?])
    }),
    ("layer norm", |rng| Ok(seq![Flatten, wide(256, 64, rng)?, LayerNorm::new(64), Relu, head(64, rng)?])),
    ("rms norm", |rng| Ok(seq![Flatten, wide(256, 64, rng)?, RMSNorm::new(64), Relu, head(64, rng)?])),
    ("group norm", |rng| Ok(seq![Flatten, wide(256, 64, rng)?, GroupNorm::new(4, 64)?, Relu, head(64, rng)?])),
    ("dropout", |rng| Ok(seq![Flatten, wide(256, 64, rng)?, Relu, Dropout::new(0.2)?, head(64, rng)?])),
    ("residual", |rng| {
        let branch = seq![LayerNorm::new(64), wide(64, 64, rng)?, Relu, wide(64, 64, rng)?];
        Ok(seq![Flatten, wide(256, 64, rng)?, Residual { inner: branch }, LayerNorm::new(64), head(64, rng)?])
    }),
    ("flatten consecutive", |rng| {
        let mut net = Sequential(Vec::new());
        for from in [64, 128, 128] {
            net.push(FlattenConsecutive::new(2)?);
            net.push(Linear::new(from, 64, &kaiming_normal(Gain::Relu), rng)?);
            net.push(Relu);
        }
        net.push(head(64, rng)?);
        Ok(net)
    }),
    ("rnn", |rng| {
        let rnn = RNN::new(32, 64, &lecun_normal(Gain::Linear), &orthogonal(Gain::Linear), rng)?;
        Ok(seq![rnn, func(|x| x.select(1, -1)), head(64, rng)?])
    }),
    ("gru", |rng| {
        let mut gru = GRU::new(32, 64, &lecun_normal(Gain::Linear), &orthogonal(Gain::Linear), rng)?;
        // A gate that keeps most of the state: else the first steps are as good as forgotten, as the diagnosis says.
        gru.cells[0].bias_ih.value_mut().as_mut_slice()[64..128].fill(2.0);
        Ok(seq![gru, func(|x| x.select(1, -1)), head(64, rng)?])
    }),
    ("lstm", |rng| {
        let lstm = LSTM::new(32, 64, &lecun_normal(Gain::Linear), &orthogonal(Gain::Linear), rng)?;
        Ok(seq![lstm.with_forget_bias(2.0), func(|x| x.select(1, -1)), head(64, rng)?])
    }),
    ("attention", |rng| {
        let attention = MultiheadAttention::new(32, 4, &lecun_normal(Gain::Linear), rng)?;
        Ok(seq![Residual { inner: attention.causal() }, LayerNorm::new(32), Flatten, head(256, rng)?])
    }),
    ("transformer", |rng| {
        let mut block = || TransformerBlock::new(32, 4, 128, &lecun_normal(Gain::Linear), rng);
        Ok(seq![block()?, block()?.causal(), LayerNorm::new(32), Flatten, head(256, rng)?])
    }),
];

fn wide(from: usize, to: usize, rng: &mut ChaCha8Rng) -> Result<Linear, nn::Error> {
    Linear::new(from, to, &kaiming_normal(Gain::Relu), rng)
}

fn head(from: usize, rng: &mut ChaCha8Rng) -> Result<Linear, nn::Error> {
    Linear::new(from, 5, &normal(0.01), rng)
}

#[test]
fn every_layer_is_read() {
    let mut wrong = Vec::new();
    for (name, build) in NETS {
        for seed in 0..3 {
            let mut net = build(&mut ChaCha8Rng::seed_from_u64(seed)).unwrap();
            let good = look(&net, seed);
            if !good.is_healthy() {
                wrong.push(format!("{name}, seed {seed}: {good}"));
            }
            let rows: Vec<&str> = good.weights.iter().map(|row| row.name.as_str()).collect();
            let paths = net.parameters().into_iter().map(|(path, _)| path);
            let without: Vec<String> = paths.filter(|path| !rows.contains(&path.as_str())).collect();
            if !without.is_empty() {
                wrong.push(format!("{name} has no row for {without:?}"));
            }
            if let Some((_, weight)) = net.parameters_mut().into_iter().rev().nth(1) {
                *weight.value_mut() *= 1000.0;
            }
            if look(&net, seed).is_healthy() {
                wrong.push(format!("{name}, seed {seed}: a head that is far too large is not seen"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
}

/// Two inputs are no layer of a sequence.
struct Pair {
    table: Embedding,
    join: Bilinear,
    output: Linear,
}

nn::module!(Pair { table, join, output });

#[test]
fn those_of_other_inputs_are_read_too() {
    for seed in 0..3 {
        let rng = &mut ChaCha8Rng::seed_from_u64(seed);
        let mut pair = Pair {
            table: Embedding::new_torch(20, 16, rng).unwrap().with_padding(0).unwrap(),
            join: Bilinear::new([16, 16], 32, &kaiming_normal(Gain::Linear), rng).unwrap(),
            output: head(32, rng).unwrap(),
        };
        let [a, c] = [3, 11].map(|k| Tensor::from_fn([64], |i| (1 + i[0] * k % 19) as i64));
        let y = Tensor::from_fn([64], |i| (i[0] * 7 % 5) as i64);
        let look = |pair: &Pair| {
            diagnose::inspect(pair, |pair, tape| {
                let [a, c] = [&a, &c].map(|symbols| pair.table.forward(tape, symbols));
                pair.output.forward(pair.join.forward(a, c).tanh()).cross_entropy(&y)
            })
        };
        let report = look(&pair);
        assert!(report.is_healthy(), "{report}");
        assert_eq!(report.weights.len(), pair.parameters().len());
        *pair.join.weight.value_mut() *= 30.0;
        let report = look(&pair);
        assert!(report.findings.iter().any(|finding| finding.place == "join"), "{report}");
    }
}
