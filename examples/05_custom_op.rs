//! An op of one's own: its value, its pullback, the proof that they belong together, and what it tells of itself.
//!
//! cargo run --release --example 05_custom_op

use evenkeel::autograd::{Op, Role};
use evenkeel::prelude::*;
use evenkeel::tensor::Saved;

/// Snake (Ziyin et al., 2020): y = x + sin² x,  x̄ = (1 + sin 2x) ȳ. It can learn what repeats.
fn snake<'t, T: Float>(x: Var<'t, T>) -> Var<'t, T> {
    let value = x.value();
    let sin = value.sin();
    let y = &value + &sin * &sin;
    // By its role, `diagnose` knows what it is: a function of each element.
    let (f, slope) = (|x: f64| x + x.sin().powi(2), |x: f64| 1.0 + (2.0 * x).sin());
    let op = Op::new("snake", Role::Function { f, slope, saves: Saved::Input });
    x.record(op, y).wrt(x, move |g| g * ((&value * T::from_f64(2.0)).sin() + T::ONE)).done()
}

fn main() -> evenkeel::Result {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    // Along random directions, in f64, against finite differences: a wrong pullback is named with the element.
    let at: Tensor<f64> = init::randn([5, 7], &mut rng)?;
    autograd::check::gradients(&[at], &mut rng, |x| snake(x[0]))?;
    println!("the pullback of snake agrees with finite differences");

    // In a model it is a function like any other: here it learns a wave, and goes on with it for a while where nothing
    // was shown.
    let x = Tensor::linspace(-6.0, 6.0, 240).reshape([240, 1]);
    let y = x.map(|x: f32| (2.0 * x).sin());
    let gain = init::gain_of(|x: f64| x + x.sin().powi(2)).forward()?;
    let mut model: Sequential = seq![
        Linear::new(1, 64, &init::normal(1.5), &mut rng)?.with_bias(&init::normal(1.0), &mut rng)?,
        nn::func(snake),
        Linear::new(64, 1, &init::kaiming_normal(Gain::Custom(gain)), &mut rng)?,
    ];
    let mut adamw = Optimizer::new(AdamW::default(), Schedule::cosine(1e-2, 3000))?;
    let mut tape = Tape::new();
    let mut loss = f32::NAN;
    for _ in 0..3000 {
        let error = model.forward(tape.constant(x.clone())).mse_loss(tape.constant(y.clone()));
        loss = error.item();
        let gradients = error.backward();
        tape.reset();
        adamw.step(&mut model, &gradients);
    }
    println!("loss {loss:.5} where it was shown, from -6 to 6");
    let beyond = Tensor::linspace(6.0, 8.0, 5).reshape([5, 1]);
    let learned = nn::predict(&model, &beyond);
    println!("beyond it:\n    x     wave    model");
    for (x, y) in beyond.iter().zip(learned.iter()) {
        println!("{x:5.1}  {:7.3}  {y:7.3}", (2.0 * x).sin());
    }
    assert!(loss < 0.01);
    Ok(())
}
