//! What a training loop asks for beyond the four lines: frozen weights, clipping, micro-batches, layers in a list, and a run that
//! goes on where it was.

use evenkeel::prelude::*;

struct Model {
    embedding: Embedding,
    layers: Vec<Box<dyn Layer>>,
}

module!(Model { embedding, layers });

impl Model {
    fn new(dropout: f64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut linear = |from, to| Linear::new(from, to, &init::kaiming_normal(Gain::Silu), &mut rng).unwrap();
        let layers: Vec<Box<dyn Layer>> = vec![
            Box::new(linear(30, 48)),
            Box::new(LayerNorm::new(48)),
            Box::new(Activation::Silu),
            Box::new(Dropout::new(dropout).unwrap()),
            Box::new(linear(48, 27)),
            Box::new(nn::func(|logits| 1.0 * logits)),
        ];
        let embedding = Embedding::new(27, 10, &init::normal(1.0), &mut rng).unwrap();
        Model { embedding, layers }
    }

    fn loss<'t>(&self, tape: &'t Tape, (contexts, next): &(Tensor<i64>, Tensor<i64>)) -> Var<'t> {
        self.layers.forward(self.embedding.forward(tape, contexts).flatten(1)).cross_entropy(next)
    }
}

/// Examples from `start` on.
fn batch(start: usize, size: usize) -> (Tensor<i64>, Tensor<i64>) {
    let contexts = Tensor::from_fn([size, 3], |i| (((start + i[0]) * 7 + i[1] * 5) % 27) as i64);
    (contexts, (start..start + size).map(|i| (3 * i as i64) % 27).collect())
}

fn bits(model: &Model) -> Vec<u32> {
    let state = model.state_dict();
    state.iter().flat_map(|(_, param)| param.value().iter().map(f32::to_bits).collect::<Vec<_>>()).collect()
}

#[test]
fn four_micro_batches_are_one_batch_of_four_times_the_size() {
    let model = Model::new(0.0);
    let mut tape = Tape::new();
    let mut backward = |start, size| {
        tape.reset();
        tape.seed(1, 0);
        model.loss(&tape, &batch(start, size)).backward()
    };
    let whole = backward(0, 64);
    let mut sum = backward(0, 16);
    for start in [16, 32, 48] {
        sum += backward(start, 16);
    }
    sum.scale(0.25);
    // And of unequal sizes, each by its share.
    let mut unequal = backward(0, 40);
    unequal.scale(40.0 / 64.0);
    unequal.add_weighted(&backward(40, 24), 24.0 / 64.0);
    for (path, want) in whole.by_path(&model) {
        for got in [&sum, &unequal] {
            let got = got.of(&model, &path).unwrap();
            assert!(got.allclose(want, 1e-4, 1e-7), "{path}: {got} is not {want}");
        }
    }
    assert!((sum.norm() / whole.norm() - 1.0).abs() < 1e-5);
}

#[test]
fn running_statistics_of_micro_batches_follow_each_other_and_of_shards_the_first_counts() {
    let norm = BatchNorm1d::new(3);
    let part = |step: usize| Tensor::from_fn([4, 3], |i| ((i[0] * 7 + i[1] * 5 + step * 3) % 11) as f32);
    let backward = |x: Tensor| {
        let tape = Tape::new();
        (norm.forward(tape.constant(x)) * norm.weight.as_ref().unwrap().on(&tape)).sum(..).backward()
    };
    // One after the other, applied at once or all together.
    let (mut one_by_one, mut together) = (norm.clone(), norm.clone());
    let running = |norm: &BatchNorm1d| [&norm.running_mean, &norm.running_var].map(|p| p.as_ref().unwrap().clone());
    let ids = |norm: &BatchNorm1d| [&norm.running_mean, &norm.running_var].map(|p| p.as_ref().unwrap().id());
    let statistics = |norm: &BatchNorm1d| running(norm).map(|p| p.value().clone());
    let copy = |from: &BatchNorm1d, to: &mut BatchNorm1d, updates: &autograd::Updates| {
        // The clone has names of its own; its statistics go through those that the pass knows.
        let mut state = statistics(to);
        for (id, value) in ids(from).into_iter().zip(&mut state) {
            updates.apply(id, value);
        }
        let [mean, var] = [&mut to.running_mean, &mut to.running_var].map(|p| p.as_mut().unwrap().value_mut());
        [*mean, *var] = state;
    };
    let mut sum = backward(part(0));
    copy(&norm, &mut one_by_one, sum.updates());
    for step in [1, 2] {
        let next = backward(part(step));
        copy(&norm, &mut one_by_one, next.updates());
        sum += next;
    }
    copy(&norm, &mut together, sum.updates());
    assert_eq!(statistics(&one_by_one), statistics(&together));
    assert_eq!(sum.updates().len(), 6);

    let mut shards = backward(part(0));
    shards.add_shard(&backward(part(1)), 1.0);
    let mut first = norm.clone();
    copy(&norm, &mut first, backward(part(0)).updates());
    let mut of_shards = norm.clone();
    copy(&norm, &mut of_shards, shards.updates());
    assert_eq!(statistics(&of_shards), statistics(&first));
}

#[test]
fn a_frozen_embedding_stays_and_the_rest_learns() {
    let mut model = Model::new(0.0);
    assert_eq!(model.freeze("embedding*").unwrap(), 1);
    let before = model.embedding.weight.value().clone();
    let (mut sgd, mut tape) = (Optimizer::new(Sgd::default(), 0.5).unwrap(), Tape::new());
    let mut losses = Vec::new();
    for step in 0..40 {
        tape.seed(1, step);
        let loss = model.loss(&tape, &batch(0, 64));
        losses.push(loss.item());
        let mut gradients = loss.backward();
        tape.reset();
        // Nothing is missing, though the embedding has no gradient.
        assert!(gradients.missing(&model).is_empty() && gradients.of(&model, "embedding.weight").is_none());
        let norm = gradients.clip_norm(&model, 0.5).unwrap();
        assert!((gradients.norm() - norm.min(0.5)).abs() < 1e-6);
        sgd.step(&mut model, &gradients);
    }
    assert!(losses[39] < 0.5 * losses[0], "{losses:?}");
    assert_eq!(model.embedding.weight.value(), &before);
    model.unfreeze("*").unwrap();
    tape.seed(1, 0);
    assert!(model.loss(&tape, &batch(0, 8)).backward().of(&model, "embedding.weight").is_some());
}

#[test]
fn a_run_with_dropout_goes_on_where_it_was_with_the_same_bits() {
    let train = |model: &mut Model, steps: std::ops::Range<u64>| {
        let (mut sgd, mut tape) = (Optimizer::new(Sgd::default(), 0.1).unwrap(), Tape::new());
        for step in steps {
            tape.seed(42, step);
            let gradients = model.loss(&tape, &batch(step as usize, 32)).backward();
            tape.reset();
            sgd.step(model, &gradients);
        }
    };
    let mut whole = Model::new(0.3);
    train(&mut whole, 0..6);
    let mut parts = Model::new(0.3);
    train(&mut parts, 0..2);
    train(&mut parts, 2..6);
    assert_eq!(bits(&whole), bits(&parts));
    // Another step draws other masks.
    let mut other = Model::new(0.3);
    train(&mut other, 1..7);
    assert_ne!(bits(&whole), bits(&other));
}

#[test]
fn an_error_of_any_crate_is_one_and_prints_a_sentence() {
    fn fails(which: usize) -> evenkeel::Result {
        match which {
            0 => drop(Shape::try_new(&[usize::MAX, 2])?),
            1 => {
                drop(init::normal(-1.0).init(&Shape::from([2]), &mut ChaCha8Rng::seed_from_u64(1)).map(|x: Tensor| x)?)
            }
            2 => Dropout::new(2.0).map(|_| ())?,
            3 => drop(diagnose::calibrate_output(&mut Model::new(0.0), -1.0, |m, tape| m.loss(tape, &batch(0, 2)))?),
            _ => autograd::check::gradients(&[Tensor::from([0.5])], &mut ChaCha8Rng::seed_from_u64(1), |x| {
                x[0].record("wrong", x[0].value()).wrt(x[0], |g| g * 2.0).done()
            })?,
        }
        Ok(())
    }
    let sentences = [
        "a shape of [18446744073709551615, 2]",
        "standard deviation",
        "the probability of dropout is 2",
        "the tolerance of a start is -1",
        "the gradient of input 0 is wrong",
    ];
    for (which, part) in sentences.into_iter().enumerate() {
        let error = fails(which).unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
        assert_eq!(format!("{error:?}"), error.to_string());
    }
}
