//! Values and gradients against PyTorch's, written by `tests/golden/make.py`.

use approx::assert_relative_eq;
use evenkeel::prelude::*;
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
    training_run: TrainingRun,
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

/// PyTorch's own tolerances for f32.
#[track_caller]
fn assert_close(got: &Tensor, want: &Values) {
    assert_eq!(got.dims(), want.shape);
    for (got, &want) in got.iter().zip(&want.data) {
        assert_relative_eq!(got, want, max_relative = 1.3e-6, epsilon = 1e-5);
    }
}

fn apply<'t>(op: &str, x: &[Var<'t>]) -> Var<'t> {
    match op {
        "add" => x[0] + x[1],
        "sub" => x[0] - x[1],
        "mul" => x[0] * x[1],
        "neg" => -x[0],
        "scale" => x[0].scale(2.5),
        "tanh" => x[0].tanh(),
        "matmul" => x[0].matmul(x[1]),
        "linear" => x[0].linear(x[1], x[2]),
        "reshape" => x[0].reshape([3, 4]),
        "flatten" => x[0].flatten(1),
        "sum" => x[0].sum(0),
        "mean" => x[0].mean([0, 2]),
        "embedding" => x[0].embedding(&Tensor::from([[1, 3], [1, 0]])),
        "cross_entropy" => x[0].cross_entropy(&Tensor::from([2, 0, 3])),
        other => panic!("make.py has a case for `{other}`, this test has not"),
    }
}

#[test]
fn every_op_agrees_with_pytorch() {
    let cases = golden().cases;
    assert!(cases.len() >= 24, "only {} cases", cases.len());
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
    let sgd = Sgd::new(0.1).unwrap();
    let mut tape = Tape::new();
    for want in run.losses {
        let on = |i: usize| params[i].on(&tape);
        let hidden = on(0).embedding(&contexts).flatten(1).linear(on(1), on(2)).tanh();
        let loss = hidden.linear(on(3), on(4)).cross_entropy(&targets);
        assert_relative_eq!(loss.item(), want, max_relative = 1.3e-6, epsilon = 1e-5);
        let gradients = loss.backward();
        tape.reset();
        sgd.step(&mut params, &gradients);
    }
    for (param, want) in params.iter().zip(&run.end) {
        assert_close(param.value(), want);
    }
}
