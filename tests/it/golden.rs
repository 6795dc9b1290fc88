//! Ten steps of training of four models against PyTorch's, written by `tests/golden/make.py`. (Of each op, the numbers are compared in
//! `crates/autograd/tests/it`.)

use approx::assert_relative_eq;
use evenkeel::autograd::{CellParams, CrossEntropy};
use evenkeel::prelude::*;
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    contexts: Vec<i64>,
    targets: Vec<i64>,
    training_run: Run,
    modern_run: Run,
    recurrent_run: Run,
    normalized_run: NormalizedRun,
}

#[derive(Deserialize)]
struct Run {
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

/// Trains by plain gradient descent, and compares all losses and the parameters at the end.
fn compare(run: &Run, forward: impl for<'t> Fn(&'t Tape, &[Var<'t>]) -> Var<'t>) {
    let mut params: Vec<Param> = run.start.iter().map(|p| Param::new(p.tensor())).collect();
    let mut sgd = Optimizer::new(Sgd::default(), 0.1).unwrap();
    let mut tape = Tape::new();
    assert_eq!(run.losses.len(), 10);
    for &want in &run.losses {
        let on_tape: Vec<Var<'_>> = params.iter().map(|param| param.on(&tape)).collect();
        let loss = forward(&tape, &on_tape);
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
fn ten_steps_of_training_agree_with_pytorch() {
    let Golden { contexts, targets, training_run, modern_run, recurrent_run, .. } = golden();
    let contexts = Tensor::from_vec(contexts, [32, 3]);
    let targets = Tensor::from_vec(targets, 32);
    compare(&training_run, |_, p| {
        let hidden = p[0].embedding(&contexts).flatten(1).linear(p[1], p[2]).tanh();
        hidden.linear(p[3], p[4]).cross_entropy(&targets)
    });
    compare(&modern_run, |_, p| {
        let x = p[0].embedding(&contexts).flatten(1);
        let h = x + x.layer_norm(p[1], p[2], 1e-5).linear(p[3], p[4]).gelu().linear(p[5], None);
        let options = CrossEntropy { label_smoothing: 0.1, ..CrossEntropy::default() };
        h.linear(p[6], None).cross_entropy_with(&targets, options)
    });
    compare(&recurrent_run, |tape, p| {
        let cell = CellParams { w_ih: p[1], w_hh: p[2], b_ih: Some(p[3]), b_hh: Some(p[4]) };
        let state = tape.constant(Tensor::zeros([32, 8]));
        let last = (0..3).fold(state, |h, t| p[0].embedding(&contexts.select(1, t)).gru_cell(h, cell));
        last.linear(p[5], None).squeeze(1).mse_loss(&(targets.cast::<f32>() / 27.0))
    });
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
    let mut sgd = Optimizer::new(Sgd::default(), 0.1).unwrap();
    let mut tape = Tape::new();
    assert_eq!(run.steps.len(), 10);
    for step in run.steps {
        let y = model.forward(&tape, &step.x.tensor()).tanh();
        let loss = (y * tape.constant(run.seed.tensor())).sum(..);
        assert_relative_eq!(loss.item(), step.loss, max_relative = 1e-5);
        let gradients = loss.backward();
        tape.reset();
        sgd.step(&mut model, &gradients);
        assert_close(model.norm.running_mean.as_ref().unwrap().value(), &step.running_mean);
        assert_close(model.norm.running_var.as_ref().unwrap().value(), &step.running_var);
        assert_close(&model.forward(&Tape::no_grad(), &step.x.tensor()).value(), &step.evaluation);
    }
}
