//! Values and gradients against PyTorch's, written by `tests/golden/make.py`.

use approx::assert_relative_eq;
use evenkeel::prelude::*;
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
    training_run: TrainingRun,
    normalized_run: NormalizedRun,
}

#[derive(Deserialize)]
struct Case {
    op: String,
    inputs: Vec<Values>,
    seed: Values,
    output: Values,
    gradients: Vec<Values>,
}

#[derive(Deserialize)]
struct TrainingRun {
    contexts: Vec<i64>,
    targets: Vec<i64>,
    start: Vec<Values>,
    losses: Vec<f32>,
    end: Vec<Values>,
}

#[derive(Deserialize)]
struct NormalizedRun {
    weight: Values,
    seed: Values,
    steps: Vec<NormalizedStep>,
}

#[derive(Deserialize)]
struct NormalizedStep {
    x: Values,
    loss: f32,
    running_mean: Values,
    running_var: Values,
    evaluation: Values,
}

#[derive(Deserialize)]
struct Values {
    shape: Vec<usize>,
    data: Vec<f32>,
}

impl Values {
    fn tensor(&self) -> Tensor {
        Tensor::from_vec(self.data.clone(), &self.shape)
    }
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("../golden/values.json")).expect("written by make.py")
}

/// PyTorch's relative tolerance for f32.
const TOLERANCE: f32 = 1.3e-6;

/// Whether each element is right to within the tolerance, relative to the largest of all: a sum that nearly cancels is as
/// wrong as its terms.
fn close(got: &Tensor, want: &Values) -> bool {
    let largest = want.data.iter().fold(0.0, |largest: f32, x| largest.max(x.abs()));
    got.dims() == want.shape && got.iter().zip(&want.data).all(|(got, want)| (got - want).abs() <= TOLERANCE * largest)
}

#[track_caller]
fn assert_close(got: &Tensor, want: &Values) {
    assert!(close(got, want), "{got:?} is not {:?}", want.tensor());
}

#[test]
fn the_measure_rejects_what_is_a_little_off_however_small_it_is() {
    for size in [1.0, 1e-3, 1e-6] {
        let want = Values { shape: vec![3], data: vec![size, -0.5 * size, 0.0] };
        assert!(close(&want.tensor(), &want));
        for wrong in [[1.00001, -0.5, 0.0], [1.0, -0.50001, 0.0], [1.0, -0.5, 1e-5], [f32::NAN, -0.5, 0.0]] {
            assert!(!close(&(Tensor::from(wrong) * size), &want), "{wrong:?} times {size}");
        }
        assert!(!close(&want.tensor().unsqueeze(0), &want));
    }
}

fn apply<'t>(op: &str, x: &[Var<'t>]) -> Var<'t> {
    match op {
        "add" => x[0] + x[1],
        "sub" => x[0] - x[1],
        "mul" => x[0] * x[1],
        "neg" => -x[0],
        "scale" => x[0].scale(2.5),
        "div" => x[0] / x[1],
        "softmax 0" => x[0].softmax(0),
        "softmax 1" => x[0].softmax(1),
        "log_softmax 0" => x[0].log_softmax(0),
        "log_softmax 1" => x[0].log_softmax(-1),
        "layer_norm" => x[0].layer_norm(x[1], x[2], 1e-5),
        "matmul" => x[0].matmul(x[1]),
        "linear" => x[0].linear(x[1], x[2]),
        "reshape" => x[0].reshape([3, 4]),
        "flatten" => x[0].flatten(1),
        "sum" => x[0].sum(0),
        "mean" => x[0].mean([0, 2]),
        "embedding" => x[0].embedding(&Tensor::from([[1, 3], [1, 0]])),
        "batch_norm" => x[0].batch_norm(x[1], x[2], 1e-5).0,
        "batch_norm_by" => {
            let constant = |values: [f32; 3]| x[0].tape().constant(Tensor::from(values));
            x[0].batch_norm_by(constant([0.5, -1.0, 2.0]), constant([0.5, 2.0, 1.0]), x[1], x[2], 1e-5)
        }
        "cross_entropy" => x[0].cross_entropy(&Tensor::from([2, 0, 3])),
        other => match Activation::ALL.iter().find(|activation| activation.name() == other) {
            Some(&activation) => x[0].scale(3.0).activation(activation),
            None => panic!("make.py has a case for `{other}`, this test has not"),
        },
    }
}

#[test]
fn every_op_agrees_with_pytorch() {
    let cases = golden().cases;
    assert!(cases.len() >= 38, "only {} cases", cases.len());
    for activation in Activation::ALL {
        assert!(cases.iter().any(|case| case.op == activation.name()), "make.py has no case for {activation:?}");
    }
    for case in cases {
        let tape = Tape::new();
        let inputs: Vec<Var<'_>> = case.inputs.iter().map(|x| tape.leaf(x.tensor())).collect();
        let result = apply(&case.op, &inputs);
        println!("{} {:?}", case.op, inputs);
        assert_close(&result.value(), &case.output);
        let gradients = result.backward_with(case.seed.tensor());
        for (input, want) in inputs.iter().zip(&case.gradients) {
            assert_close(gradients.get(*input).expect("every input has a gradient"), want);
        }
    }
}

#[test]
fn ten_steps_of_training_agree_with_pytorch() {
    let run = golden().training_run;
    let contexts = Tensor::from_vec(run.contexts, [32, 3]);
    let targets = Tensor::from_vec(run.targets, 32);
    let mut params: Vec<Param> = run.start.iter().map(|p| Param::new(p.tensor())).collect();
    let mut sgd = Sgd::new(0.1).unwrap();
    let mut tape = Tape::new();
    for want in run.losses {
        let on = |i: usize| params[i].on(&tape);
        let hidden = on(0).embedding(&contexts).flatten(1).linear(on(1), on(2)).tanh();
        let loss = hidden.linear(on(3), on(4)).cross_entropy(&targets);
        assert_relative_eq!(loss.item(), want, max_relative = TOLERANCE);
        let gradients = loss.backward();
        tape.reset();
        sgd.step(&mut params, &gradients);
    }
    for (param, want) in params.iter().zip(&run.end) {
        assert_close(param.value(), want);
    }
}

#[test]
fn batch_norm_agrees_with_pytorch_over_ten_steps_in_training_and_in_evaluation() {
    struct Model {
        weight: Param,
        norm: BatchNorm1d,
    }
    module!(Model { weight, norm });
    impl Model {
        fn forward<'t>(&self, tape: &'t Tape, x: &Tensor) -> Var<'t> {
            self.norm.forward(tape.constant(x.clone()).matmul(self.weight.on(tape)))
        }
    }

    let run = golden().normalized_run;
    let mut model = Model { weight: Param::new(run.weight.tensor()), norm: BatchNorm1d::new(5) };
    let mut sgd = Sgd::new(0.1).unwrap();
    let mut tape = Tape::new();
    assert_eq!(run.steps.len(), 10);
    for step in run.steps {
        let y = model.forward(&tape, &step.x.tensor()).tanh();
        let loss = (y * tape.constant(run.seed.tensor())).sum(..);
        assert_relative_eq!(loss.item(), step.loss, max_relative = 1e-5);
        let gradients = loss.backward();
        tape.reset();
        sgd.step(&mut model, &gradients);
        assert_close(model.norm.running_mean.value(), &step.running_mean);
        assert_close(model.norm.running_var.value(), &step.running_var);
        assert_close(&model.forward(&Tape::no_grad(), &step.x.tensor()).value(), &step.evaluation);
    }
}
