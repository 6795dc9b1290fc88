//! Three spirals: a classifier, looked at before it is trained, and its decision drawn.
//!
//! cargo run --release --example 04_spirals -- --svg spirals.svg

use std::fmt::Write;
use std::path::PathBuf;

use clap::Parser;
use evenkeel::nn::split_stratified;
use evenkeel::prelude::*;

#[derive(Parser)]
struct Args {
    /// Where to draw the decision
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Steps of training
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u64).range(1..))]
    steps: u64,
}

/// Points [n, 2] on three arms, and the arm of each.
fn spirals(n: usize, rng: &mut ChaCha8Rng) -> evenkeel::Result<(Tensor, Tensor<i64>)> {
    let noise: Tensor = init::randn([n], rng)?;
    let arms = Tensor::from_fn([n], |i| (i[0] % 3) as i64);
    let points = Tensor::from_fn([n, 2], |i| {
        let radius = (i[0] / 3) as f32 / (n / 3) as f32;
        let angle = 4.0 * radius + 2.1 * (i[0] % 3) as f32 + 0.15 * noise.get(&i[..1]).unwrap_or(0.0);
        radius * if i[1] == 0 { angle.sin() } else { angle.cos() }
    });
    Ok((points, arms))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args = Args::parse();
    let mut rng = ChaCha8Rng::seed_from_u64(42);
    let (x, y) = spirals(900, &mut rng)?;
    let mut layer = |from, to, gain| Linear::new(from, to, &init::kaiming_normal(gain), &mut rng);
    let mut model: Sequential =
        seq![layer(2, 64, Gain::Relu)?, Activation::Relu, layer(64, 64, Gain::Relu)?, Activation::Relu];
    model.push(Linear::new(64, 3, &init::normal(0.01), &mut rng)?);
    let report = diagnose::inspect(&model, |model, tape| model.forward(tape.constant(x.clone())).cross_entropy(&y));
    println!("{}", report.verdict());

    let (train, held_out) = split_stratified(&y, 0.8, 42)?;
    let mut batches = Batches::new(train, 64)?.shuffled(42);
    let mut adamw = Optimizer::new(AdamW::default(), Schedule::cosine(1e-2, args.steps))?;
    let mut tape = Tape::new();
    for step in 0..args.steps {
        let rows = batches.rows(step);
        let logits = model.forward(tape.constant(x.index_select(0, rows)));
        let mut gradients = logits.cross_entropy(&y.index_select(0, rows)).backward();
        tape.reset();
        gradients.clip_norm(&model, 1.0)?;
        adamw.step(&mut model, &gradients);
    }
    let predict = |points: &Tensor| nn::predict(&model, points).argmax(1);
    let right = predict(&x.index_select(0, &held_out)).eq(y.index_select(0, &held_out));
    let right = right.count_nonzero(..).item() as f64 / held_out.numel() as f64;
    println!("{:.1} % of the held-out points are on the right arm", 100.0 * right);
    if let Some(file) = args.svg {
        std::fs::write(&file, draw(&x, &y, &predict))?;
        println!("the decision is drawn in {}", file.display());
    }
    Ok(())
}

/// What is predicted at each place of a grid, and the points.
fn draw(x: &Tensor, y: &Tensor<i64>, predict: &dyn Fn(&Tensor) -> Tensor<i64>) -> String {
    const SIDE: usize = 100;
    const COLORS: [&str; 3] = ["#4477aa", "#ee6677", "#228833"];
    let place = |i: usize| (i as f32 + 0.5) / SIDE as f32 * 2.4 - 1.2;
    let grid = Tensor::from_fn([SIDE * SIDE, 2], |i| place(if i[1] == 0 { i[0] % SIDE } else { i[0] / SIDE }));
    let mut svg = String::from("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 100 100\" width=\"600\">");
    for (i, class) in predict(&grid).iter().enumerate() {
        let color = COLORS[class as usize];
        let (column, row) = (i % SIDE, i / SIDE);
        let _ = write!(svg, "<path d=\"M{column} {row}h1v1h-1z\" fill=\"{color}\" fill-opacity=\".3\"/>");
    }
    for (i, class) in y.iter().enumerate() {
        let at = |axis| x.get(&[i, axis]).map_or(0.0, |at| (at + 1.2) / 2.4 * SIDE as f32);
        let _ = write!(
            svg,
            "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\".6\" fill=\"{}\"/>",
            at(0),
            at(1),
            COLORS[class as usize]
        );
    }
    svg + "</svg>\n"
}
