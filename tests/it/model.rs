//! A model of a user's own, with state and with randomness: it trains, evaluates, repeats its bits, and can be read.

use evenkeel::prelude::*;

/// A layer of its own: linear, batch norm, tanh and dropout.
struct Block {
    linear: Linear,
    norm: BatchNorm1d,
    dropout: Dropout,
}

module!(Block { linear, norm, dropout });

impl Layer for Block {
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        self.dropout.forward(self.norm.forward(self.linear.forward(x)).tanh())
    }
}

struct Model {
    embedding: Embedding,
    layers: Vec<Block>,
    output: Linear,
}

module!(Model { embedding, layers, output });

impl Model {
    fn new(width: usize) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut block = |fan_in| Block {
            linear: Linear::new(fan_in, width, &init::kaiming_normal(Gain::Tanh), &mut rng).unwrap().without_bias(),
            norm: BatchNorm1d::new(width),
            dropout: Dropout::new(0.2).unwrap(),
        };
        let layers = vec![block(3 * 10), block(width)];
        Model {
            embedding: Embedding::new(27, 10, &init::normal(1.0), &mut rng).unwrap(),
            layers,
            output: Linear::new(width, 27, &init::normal(0.01), &mut rng).unwrap(),
        }
    }

    fn forward<'t>(&self, tape: &'t Tape, contexts: &Tensor<i64>) -> Var<'t> {
        let x = self.embedding.forward(tape, contexts).flatten(1);
        self.output.forward(self.layers.iter().fold(x, |x, block| block.forward(x)))
    }
}

/// Symbols whose sum says which comes next.
fn batch(size: i64) -> (Tensor<i64>, Tensor<i64>) {
    let contexts = Tensor::from_fn([size as usize, 3], |i| ((i[0] * 7 + i[1] * 5) % 27) as i64);
    let next = (0..size).map(|i| (3 * i) % 27).collect();
    (contexts, next)
}

fn bits(x: &Tensor) -> Vec<u32> {
    x.iter().map(f32::to_bits).collect()
}

/// The first and the last loss, the loss in evaluation, and the bits of everything that the model owns.
fn train(steps: usize) -> (f32, f32, f32, Vec<u32>) {
    let mut model = Model::new(256);
    let (contexts, next) = batch(540);
    let mut sgd = Optimizer::new(Sgd::default(), 0.1).unwrap();
    let mut tape = Tape::new().with_rng(ChaCha8Rng::seed_from_u64(2));
    let mut losses = vec![];
    for _ in 0..steps {
        let loss = model.forward(&tape, &contexts).cross_entropy(&next);
        losses.push(loss.item());
        let gradients = loss.backward();
        tape.reset();
        sgd.step(&mut model, &gradients);
    }
    let evaluated = model.forward(&Tape::no_grad(), &contexts).cross_entropy(&next).item();
    let everything = model.state_dict().into_iter().flat_map(|(_, param)| bits(param.value())).collect();
    (losses[0], losses[steps - 1], evaluated, everything)
}

#[test]
fn it_trains_and_evaluates() {
    let (first, last, evaluated, _) = train(60);
    assert!((first - 27_f32.ln()).abs() < 0.1, "{first}");
    assert!(last < 1.0 && evaluated < last, "{last} in training, {evaluated} without dropout");
}

#[test]
fn its_bits_are_the_same_at_any_number_of_threads_and_another_stream_gives_others() {
    let run = |threads| evenkeel::tensor::with_threads(threads, || train(3)).unwrap();
    let want = run(1);
    for threads in [2, 3] {
        assert!(run(threads) == want, "{threads} threads differ from one");
    }
    let (model, (contexts, _)) = (Model::new(16), batch(20));
    let pass = |seed| {
        let tape = Tape::new().with_rng(ChaCha8Rng::seed_from_u64(seed));
        bits(&model.forward(&tape, &contexts).value())
    };
    assert_eq!(pass(1), pass(1));
    assert_ne!(pass(1), pass(2));
}

#[test]
fn evaluation_leaves_no_trace_and_each_example_is_by_itself() {
    let (model, (contexts, _)) = (Model::new(16), batch(20));
    let evaluate = |contexts| model.forward(&Tape::no_grad(), contexts).value();
    let (all, one) = (evaluate(&contexts), evaluate(&contexts.slice(0, 7..8)));
    assert_eq!(all.slice(0, 7..8), one);
    assert!(model.state().iter().all(|(path, state)| {
        state.value() == &if path.ends_with("mean") { Tensor::zeros([16]) } else { Tensor::ones([16]) }
    }));
}

#[test]
fn its_tape_names_every_activation() {
    let model = Model::new(16);
    let tape = Tape::new().with_rng(ChaCha8Rng::seed_from_u64(1));
    model.label(&tape);
    let (contexts, next) = batch(4);
    let _ = model.forward(&tape, &contexts).cross_entropy(&next);
    let want = "\
Tape of 21 values, training
 0  embedding.weight        leaf [27, 10]
 1  embedding               embedding(0) [4, 3, 10]
 2  embedding               flatten(1) [4, 30]
 3  layers.0.linear.weight  leaf [30, 16]
 4  layers.0.linear         linear(2, 3) [4, 16]
 5  layers.0.norm.weight    leaf [16]
 6  layers.0.norm.bias      leaf [16]
 7  layers.0.norm           batch_norm(4, 5, 6) [4, 16]
 8  layers.0.norm           tanh(7) [4, 16]
 9  layers.0.norm           dropout(8) [4, 16]
10  layers.1.linear.weight  leaf [16, 16]
11  layers.1.linear         linear(9, 10) [4, 16]
12  layers.1.norm.weight    leaf [16]
13  layers.1.norm.bias      leaf [16]
14  layers.1.norm           batch_norm(11, 12, 13) [4, 16]
15  layers.1.norm           tanh(14) [4, 16]
16  layers.1.norm           dropout(15) [4, 16]
17  output.weight           leaf [16, 27]
18  output.bias             leaf [27]
19  output                  linear(16, 17, 18) [4, 27]
20  output                  cross_entropy(19) []
";
    assert_eq!(format!("{tape:?}"), want);
}

#[test]
fn an_inspection_reads_norm_and_dropout_and_leaves_the_state_alone() {
    let model = Model::new(16);
    let (contexts, next) = batch(64);
    let look = || diagnose::inspect(&model, |model, tape| model.forward(tape, &contexts).cross_entropy(&next));
    let report = look();
    let places: Vec<&str> = report.activations.iter().map(|a| a.place.as_str()).collect();
    assert_eq!(places, ["layers.0.norm", "layers.1.norm"]);
    assert!(report.findings.is_empty(), "{report}");
    assert_eq!(report, look(), "dropout draws the same each time");
    assert!(model.state().iter().all(|(path, state)| {
        state.value() == &if path.ends_with("mean") { Tensor::zeros([16]) } else { Tensor::ones([16]) }
    }));
}

/// As in the README: not a line of the model is there for the report.
mod own {
    use evenkeel::prelude::*;

    struct Mine {
        first: Linear,
        norm: LayerNorm,
        second: Linear,
        head: Linear,
    }

    module!(Mine { first, norm, second, head });

    impl Mine {
        fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
            let h = self.norm.forward(self.first.forward(x)).relu();
            self.head.forward(self.second.forward(h).gelu())
        }
    }

    #[test]
    fn its_report_names_every_activation_by_its_path() {
        let mut rng = ChaCha8Rng::seed_from_u64(42);
        let (first, second) = (init::kaiming_normal(Gain::Relu), init::kaiming_normal(Gain::Gelu));
        let model = Mine {
            first: Linear::new(20, 64, &first, &mut rng).unwrap(),
            norm: LayerNorm::new(64),
            second: Linear::new(64, 64, &second, &mut rng).unwrap(),
            head: Linear::new(64, 5, &init::normal(0.01), &mut rng).unwrap(),
        };
        let x: Tensor = init::normal(1.0).init(&Shape::from([32, 20]), &mut rng).unwrap();
        let classes = Tensor::from_fn([32], |i| (i[0] % 5) as i64);
        let report =
            diagnose::inspect(&model, |model, tape| model.forward(tape.constant(x.clone())).cross_entropy(&classes));
        let named: Vec<(&str, &str)> = report.activations.iter().map(|a| (a.place.as_str(), a.kind)).collect();
        assert_eq!(named, [("norm", "relu"), ("second", "gelu")]);
        let layers: Vec<(&str, bool)> =
            report.signal.iter().map(|layer| (layer.place.as_str(), layer.normalized)).collect();
        assert_eq!(layers, [("first", true), ("second", false), ("head", false)]);
        assert!(report.findings.is_empty(), "{report}");
    }
}
