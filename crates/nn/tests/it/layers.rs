//! Every layer forward and backward against PyTorch's; proven by differences; and what each refuses.

use autograd::{Mode, Tape, Var};
use nn::*;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use tensor::{Activation, Tensor};

use crate::golden::{assert_close, fill, names, rows};

fn rng() -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(1)
}

/// Gives the parameters of a module the script's numbers, from `first` on.
fn filled<M: Module<f64>>(mut module: M, first: usize) -> M {
    for (k, (_, param)) in module.parameters_mut().into_iter().enumerate() {
        *param.value_mut() = fill(param.value().shape(), first + k);
    }
    module
}

/// The results, and the gradients of the inputs and of the parameters, of the results times the script's numbers.
fn both_ways<'t>(outputs: &[Var<'t, f64>], inputs: &[Var<'t, f64>], module: &dyn Module<f64>) -> Vec<Vec<f64>> {
    let weighted = |(i, y): (usize, &Var<'t, f64>)| (*y * y.tape().constant(fill(y.shape(), 7 + i))).sum(..);
    let loss = outputs.iter().enumerate().map(weighted).reduce(|a, b| a + b).unwrap();
    let gradients = loss.backward();
    let values = outputs.iter().map(|y| y.value().to_vec());
    let of_inputs = inputs.iter().map(|x| gradients.get(*x).expect("of an input").to_vec());
    let parameters = module.parameters();
    let of_weights = parameters.iter().map(|(path, param)| gradients.named(param.id()).expect(path).to_vec());
    values.chain(of_inputs).chain(of_weights).collect()
}

fn check_rows(name: &str, got: &[Vec<f64>], want: &[Vec<f64>]) {
    assert_eq!(got.len(), want.len(), "{name}");
    for (i, (got, want)) in got.iter().zip(want).enumerate() {
        assert_close(&format!("{name}, row {i}"), got, want, 1e-11);
    }
}

/// A golden case, and by differences.
fn check<M: Module<f64>>(name: &str, module: &M, inputs: &[Tensor<f64>], forward: Forward<M>) {
    let tape = Tape::default();
    let leaves: Vec<Var<'_, f64>> = inputs.iter().map(|x| tape.leaf(x.clone())).collect();
    let outputs = forward(module, &leaves);
    check_rows(name, &both_ways(&outputs, &leaves, module), &rows("layers", name));
    let proven = nn::check::module(module, inputs, &mut rng(), |module, x| {
        let outputs = forward(module, x);
        outputs.into_iter().map(|y| y.tanh().sum(..)).reduce(|a, b| a + b).unwrap()
    });
    assert_eq!(proven, Ok(()), "{name}");
}

type Forward<M> = for<'t> fn(&M, &[Var<'t, f64>]) -> Vec<Var<'t, f64>>;

/// The parts of the test below, by the name of the case.
fn check_case(name: &str) {
    let mut rng = rng();
    let x = |shape: &[usize], k: usize| fill::<f64>(shape, k);
    let normal = init::normal(1.0);
    match name {
        "Linear" => {
            let layer = filled(Linear::try_new(3, 4, &normal, &mut rng).unwrap(), 1);
            check(name, &layer, &[x(&[2, 5, 3], 0)], |layer, x| vec![layer.forward(x[0])]);
        }
        "Bilinear" => {
            let layer = filled(Bilinear::try_new([3, 4], 6, &normal, &mut rng).unwrap(), 2);
            check(name, &layer, &[x(&[2, 5, 3], 0), x(&[2, 5, 4], 1)], |layer, x| vec![layer.forward(x[0], x[1])]);
        }
        "Embedding" => {
            let layer = filled(Embedding::try_new(5, 3, &normal, &mut rng).unwrap(), 0);
            let tape = Tape::default();
            let y = layer.forward(&tape, &Tensor::from([[4, 0, 1], [1, 2, 2]]));
            check_rows(name, &both_ways(&[y], &[], &layer), &rows("layers", name));
            let proven = nn::check::module(&layer, &[x(&[2, 3, 3], 1)], &mut rng, |layer, x| {
                (layer.forward(x[0].tape(), &Tensor::from([[4, 0, 1], [1, 2, 2]])) * x[0]).tanh()
            });
            assert_eq!(proven, Ok(()), "{name}");
        }
        "PRelu" | "PRelu: channels" => {
            let layer = filled(PRelu::of_channels(if name == "PRelu" { 1 } else { 3 }).unwrap(), 1);
            let tape = Tape::default();
            // Away from its kink.
            let smooth = x(&[2, 3, 4], 0) + 0.03;
            let proven = nn::check::module(&layer, &[smooth], &mut rng, |layer, x| layer.forward(x[0]).square());
            assert_eq!(proven, Ok(()), "{name}");
            let x = tape.leaf(x(&[2, 3, 4], 0));
            check_rows(name, &both_ways(&[layer.forward(x)], &[x], &layer), &rows("layers", name));
        }
        "LayerNorm" => {
            let layer = filled(LayerNorm::try_new(4).unwrap().with_eps(1e-3).unwrap(), 1);
            check(name, &layer, &[x(&[2, 3, 4], 0)], |layer, x| vec![layer.forward(x[0])]);
        }
        "RMSNorm" => {
            let layer = filled(RMSNorm::try_new(4).unwrap(), 1);
            check(name, &layer, &[x(&[2, 3, 4], 0)], |layer, x| vec![layer.forward(x[0])]);
        }
        "GroupNorm" => {
            let layer = filled(GroupNorm::try_new(2, 4).unwrap().with_eps(1e-3).unwrap(), 1);
            check(name, &layer, &[x(&[2, 4, 3], 0)], |layer, x| vec![layer.forward(x[0])]);
        }
        "RNN" | "RNN: at rest" => {
            let layer = filled(RNN::try_torch(3, 4, &mut rng).unwrap(), 1);
            check_recurrent(name, layer, 1, |layer, x, state| {
                let (y, state) = layer.run(x, state.first().copied());
                vec![y, state]
            });
        }
        "GRU" | "GRU: at rest" => {
            let layer = filled(GRU::try_torch(3, 4, &mut rng).unwrap(), 1);
            check_recurrent(name, layer, 1, |layer, x, state| {
                let (y, state) = layer.run(x, state.first().copied());
                vec![y, state]
            });
        }
        "LSTM" | "LSTM: at rest" => {
            let layer = filled(LSTM::try_torch(3, 4, &mut rng).unwrap(), 1);
            check_recurrent(name, layer, 2, |layer, x, state| {
                let given = (!state.is_empty()).then(|| LstmState { hidden: state[0], memory: state[1] });
                let (y, LstmState { hidden, memory }) = layer.run(x, given);
                vec![y, hidden, memory]
            });
        }
        "TransformerBlock" | "TransformerBlock: causal" => {
            let block = filled(TransformerBlock::try_torch(8, 2, 16, &mut rng).unwrap(), 1);
            let block = if name.ends_with("causal") { block.causal() } else { block };
            check(name, &block, &[x(&[2, 3, 8], 0)], |block, x| vec![block.forward(x[0])]);
        }
        _ if name.starts_with("BatchNorm1d") => check_batch_norm(name),
        _ if name.starts_with("MultiheadAttention") => check_attention(name),
        _ => panic!("no layer for {name}"),
    }
}

#[allow(clippy::type_complexity, reason = "a name for it would have to be looked up")]
fn check_recurrent<M: Module<f64>>(
    name: &str,
    layer: M,
    states: usize,
    run: for<'t> fn(&M, Var<'t, f64>, &[Var<'t, f64>]) -> Vec<Var<'t, f64>>,
) {
    let given = if name.ends_with("at rest") { 0 } else { states };
    let inputs: Vec<Tensor<f64>> =
        [fill([2, 5, 3], 0)].into_iter().chain((0..given).map(|i| fill([2, 4], 5 + i))).collect();
    let tape = Tape::default();
    let leaves: Vec<_> = inputs.iter().map(|x| tape.leaf(x.clone())).collect();
    let outputs = run(&layer, leaves[0], &leaves[1..]);
    // PyTorch's order: the input, the weights, the state.
    let mut got = both_ways(&outputs, &leaves, &layer);
    let state: Vec<_> = got.drain(outputs.len() + 1..outputs.len() + 1 + given).collect();
    got.extend(state);
    check_rows(name, &got, &rows("layers", name));
    let proven = nn::check::module(&layer, &inputs, &mut rng(), |layer, x| {
        run(layer, x[0], &x[1..]).into_iter().map(|y| y.sin().sum(..)).reduce(|a, b| a + b).unwrap()
    });
    assert_eq!(proven, Ok(()), "{name}");
}

fn check_batch_norm(name: &str) {
    let new = || BatchNorm1d::<f64>::try_new(4).unwrap();
    let (norm, shape) = match name {
        "BatchNorm1d" => (new(), &[6, 4][..]),
        "BatchNorm1d: sequences" => (new().with_eps(1e-3).unwrap().with_momentum(0.3).unwrap(), &[6, 4, 3][..]),
        "BatchNorm1d: without affine" => (new().without_affine(), &[6, 4][..]),
        "BatchNorm1d: without statistics" => (new().without_running_statistics(), &[6, 4][..]),
        "BatchNorm1d: cumulative" => (new().cumulative(), &[6, 4][..]),
        _ => panic!("no layer for {name}"),
    };
    let mut norm = filled(norm, 1);
    let mut got = Vec::new();
    for k in [0, 1, 2, 4] {
        let tape = Tape::default().with_mode(if k == 4 { Mode::Eval } else { Mode::Train });
        let x = tape.leaf(fill(shape, k));
        got.extend(both_ways(&[norm.forward(x)], &[x], &norm));
        norm.apply(&tape.updates());
    }
    let running = [&norm.running_mean, &norm.running_var];
    got.extend(running.into_iter().flatten().map(|param| param.value().to_vec()));
    check_rows(name, &got, &rows("layers", name));
    let proven = nn::check::module(&norm, &[fill(shape, 0)], &mut rng(), |norm, x| norm.forward(x[0]).tanh());
    assert_eq!(proven, Ok(()), "{name}");
}

fn check_attention(name: &str) {
    let seen = Tensor::from([[true, true, false], [true, true, true]]);
    let layer = filled(MultiheadAttention::try_torch(8, 2, &mut rng()).unwrap(), 1);
    let others = name.ends_with("others");
    let how = AttentionMask {
        causal: name.ends_with("causal") || name.ends_with("both"),
        seen: ["keys", "both", "others"].iter().any(|end| name.ends_with(end)).then_some(&seen),
    };
    let inputs: Vec<Tensor<f64>> = match others {
        true => vec![fill([2, 5, 8], 0), fill([2, 3, 8], 9)],
        false => vec![fill([2, 3, 8], 0)],
    };
    let tape = Tape::default();
    let leaves: Vec<_> = inputs.iter().map(|x| tape.leaf(x.clone())).collect();
    let y = layer.attend(leaves[0], *leaves.last().unwrap(), how);
    check_rows(name, &both_ways(&[y], &leaves, &layer), &rows("layers", name));
    let proven = nn::check::module(&layer, &inputs, &mut rng(), |layer, x| layer.attend(x[0], x[x.len() - 1], how));
    assert_eq!(proven, Ok(()), "{name}");
}

#[test]
fn layers_are_those_of_pytorch_both_ways_and_proven() {
    assert!(names("layers").len() >= 25);
    names("layers").iter().for_each(|name| check_case(name));
}

#[test]
fn those_without_parameters_and_those_that_hold_others_are_proven_too() {
    let linear = || Linear::try_new(4, 4, &init::normal(0.5), &mut rng()).unwrap();
    let mut nets: Vec<(&str, Sequential<f64>)> = vec![
        ("flatten", seq![FlattenConsecutive::new(2).unwrap(), FlattenConsecutive::new(2).unwrap(), Flatten]),
        ("residual", seq![Residual { inner: seq![linear(), Activation::Tanh, linear()] }]),
        ("dropout", seq![linear(), Dropout::new(0.5).unwrap(), func(|x| x.square())]),
        ("last", seq![BatchNorm1d::try_new(4).unwrap().channels_last()]),
        ("attention with dropout", {
            let attention = MultiheadAttention::try_torch(4, 2, &mut rng()).unwrap();
            seq![attention.with_dropout(0.3).unwrap()]
        }),
        ("block with dropout", {
            let block = TransformerBlock::try_torch(4, 2, 8, &mut rng()).unwrap();
            seq![block.with_activation(Activation::Silu).with_dropout(0.3).unwrap()]
        }),
    ];
    for &f in Activation::ALL {
        nets.push((f.name(), seq![linear(), f]));
    }
    for (name, net) in nets {
        let x = fill([3, 4, 4], 2) * 1.7;
        let proven = nn::check::module(&net, &[x], &mut rng(), |net, x| net.forward(x[0]));
        assert_eq!(proven, Ok(()), "{name}");
    }
}

#[test]
fn padding_stands_for_nothing() {
    let table = Embedding::<f64>::try_torch(5, 3, &mut rng()).unwrap().with_padding(1).unwrap();
    let tape = Tape::default();
    let y = table.forward(&tape, &Tensor::from([[1, 0], [4, 1]]));
    assert_eq!(y.value().select(0, 0).select(0, 0), Tensor::zeros([3]));
    let gradients = y.sum(..).backward();
    let counts = gradients.named(table.weight.id()).unwrap().select(1, 0);
    assert_eq!(counts, Tensor::from([1.0, 0.0, 0.0, 0.0, 1.0]));
    let why = Embedding::new_torch(5, 3, &mut rng()).unwrap().with_padding(5).map(|_| ()).unwrap_err().to_string();
    assert_eq!(why, "the embedding has no symbol 5 for padding: there are 5");
}

#[test]
fn a_sequence_in_two_parts_is_the_whole() {
    let gru = GRU::<f64>::try_torch(3, 4, &mut rng()).unwrap();
    let lstm = LSTM::<f64>::try_torch(3, 4, &mut rng()).unwrap();
    let tape = Tape::default();
    let x = tape.constant(fill([2, 7, 3], 0));
    let (first, rest) = (x.slice(1, ..3), x.slice(1, 3..));
    let (whole, end) = gru.run(x, None);
    let (_, state) = gru.run(first, None);
    let (outputs, state) = gru.run(rest, state);
    assert!(outputs.value().allclose(&whole.value().slice(1, 3..), 1e-14, 1e-14));
    assert!(state.value().allclose(&end.value(), 1e-14, 1e-14));
    let (whole, _) = lstm.run(x, None);
    let (_, state) = lstm.run(first, None);
    assert!(lstm.run(rest, state).0.value().allclose(&whole.value().slice(1, 3..), 1e-14, 1e-14));
}

#[test]
fn pytorchs_defaults_have_its_distributions() {
    let rng = &mut rng();
    /// Within the bound, and with the deviation of a uniform distribution.
    #[track_caller]
    fn uniform(param: &Param, bound: f64) {
        let (x, n) = (param.value(), param.value().numel() as f64);
        let (most, std) = (f64::from(x.abs().max(..).item()), f64::from(x.std(.., 0).item()));
        let want = bound / 3.0_f64.sqrt();
        assert!(most <= bound * 1.000_001 && (std / want - 1.0).abs() < 4.0 / n.sqrt(), "{most}, {std} for {want}");
    }
    let linear = Linear::new_torch(64, 300, rng).unwrap();
    uniform(&linear.weight, 0.125);
    uniform(linear.bias.as_ref().unwrap(), 0.125);
    let bilinear = Bilinear::new_torch([16, 20], 30, rng).unwrap();
    uniform(&bilinear.weight, 0.25);
    uniform(bilinear.bias.as_ref().unwrap(), 0.25);
    let gru = GRU::new_torch(10, 64, rng).unwrap();
    let cell = &gru.cells[0];
    for param in [&cell.weight_ih, &cell.weight_hh, &cell.bias_ih, &cell.bias_hh] {
        uniform(param, 0.125);
    }
    let attention = MultiheadAttention::new_torch(64, 4, rng).unwrap();
    uniform(&attention.in_proj.weight, (6.0_f64 / 256.0).sqrt());
    uniform(&attention.out_proj.weight, 0.125);
    assert_eq!(attention.in_proj.bias.unwrap().value(), &Tensor::zeros([192]));
    let std = Embedding::new_torch(100, 100, rng).unwrap().weight.value().std(.., 0).item();
    assert!((std - 1.0).abs() < 0.04);
}

#[test]
fn paths_and_pictures_name_the_parts() {
    let block = TransformerBlock::new_torch(8, 2, 16, &mut rng()).unwrap();
    let model: Sequential = seq![Linear::new_torch(4, 8, &mut rng()).unwrap(), Residual { inner: block }];
    let paths: Vec<String> = model.parameters().into_iter().map(|(path, _)| path).collect();
    assert_eq!(paths[..2], ["0.weight", "0.bias"]);
    assert!(paths.contains(&"1.inner.self_attn.in_proj.weight".to_owned()), "{paths:?}");
    let picture = format!("{model:?}");
    assert!(
        picture.starts_with("Sequential(\n  (0): Linear(weight [4, 8], bias [8]), 40\n  (1): Residual(\n"),
        "{picture}"
    );
}

#[test]
fn a_sequence_of_unknown_float_takes_that_of_its_layers() {
    let model = seq![Linear::new_torch(4, 8, &mut rng()).unwrap(), Activation::Tanh, func(|x: Var<'_>| 2.0 * x)];
    let tape = Tape::new();
    assert_eq!(model.forward(tape.constant(Tensor::zeros([2, 4]))).shape().dims(), [2, 8]);
    let mut empty: Sequential = seq![];
    empty.push(Flatten);
    assert_eq!((empty.len(), empty.parameter_count()), (1, 0));
}

#[test]
fn what_cannot_be_made_is_refused() {
    let rng = &mut rng();
    let why = MultiheadAttention::new_torch(10, 3, rng).unwrap_err().to_string();
    assert_eq!(why, "the attention has 3 heads, which do not divide its width of 10");
    assert!(MultiheadAttention::new_torch(10, 0, rng).is_err());
    assert!(TransformerBlock::new_torch(10, 4, 20, rng).is_err());
    assert_eq!(
        GroupNorm::new(3, 4).unwrap_err().to_string(),
        "the group norm has 3 groups, which do not divide its 4 channels"
    );
    assert!(GroupNorm::new(0, 4).is_err());
    for bad in [-0.1, f64::NAN] {
        assert!(GroupNorm::new(2, 4).unwrap().with_eps(bad).is_err() && RMSNorm::new(2).with_eps(bad).is_err());
        assert!(MultiheadAttention::new_torch(4, 2, rng).unwrap().with_dropout(bad).is_err());
    }
    assert!(GRU::new(usize::MAX, 3, &init::zeros(), &init::zeros(), rng).is_err());
}
