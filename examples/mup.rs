//! μP: a wide network learns like a narrow one, so that a learning rate that was found on the narrow one holds for the wide
//! (Yang et al., 2022). First the coordinate check, how far each layer's values have moved after some steps; then which
//! learning rate is best at each width; both as usual, and by μP.
//!
//! cargo run --release --example mup -- --svg mup.svg

use std::fmt::Write;
use std::path::PathBuf;

use clap::Parser;
use evenkeel::prelude::*;

#[derive(Parser)]
struct Args {
    /// Where to draw the losses by learning rate and width
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Steps of each training
    #[arg(long, default_value_t = 100)]
    steps: u64,
    /// The widest network
    #[arg(long, default_value_t = 1024, value_parser = clap::value_parser!(u64).range(64..))]
    most: u64,
}

const BASE: usize = 64;
const IN: usize = 32;
const CLASSES: usize = 10;

/// A network, and an optimizer whose learning rates are those of the widths: the table is in the docs of `init::mup_input`.
fn start(width: usize, lr: f64, mup: bool) -> Result<(Vec<Linear>, Optimizer), nn::Error> {
    let rng = &mut ChaCha8Rng::seed_from_u64(7);
    let (first, hidden) = (init::mup_input(Gain::Relu), init::mup_hidden(Gain::Relu));
    let (usual, by_width) = (init::kaiming_normal(Gain::Linear), init::mup_output(Gain::Linear, BASE));
    let model = vec![
        Linear::new(IN, width, &first, rng)?,
        Linear::new(width, width, &hidden, rng)?,
        Linear::new(width, CLASSES, if mup { &by_width } else { &usual }, rng)?,
    ];
    let factor = if mup { BASE as f64 / width as f64 } else { 1.0 };
    let adam = Optimizer::new(nn::Adam::default(), lr)?;
    Ok((model, adam.group("1.weight", |g| g.lr_scale(factor))?.group("2.weight", |g| g.lr_scale(factor))?))
}

/// What the layers give.
fn layers<'t>(model: &[Linear], x: Var<'t>) -> [Var<'t>; 3] {
    let first = model[0].forward(x);
    let second = model[1].forward(first.relu());
    [first, second, model[2].forward(second.relu())]
}

/// The mean of the last tenth of the losses, and how far the layers' values have moved, as the root mean square.
fn train(
    data: &[(Tensor, Tensor<i64>)],
    width: usize,
    lr: f64,
    steps: u64,
    mup: bool,
) -> Result<(f64, [f32; 3]), nn::Error> {
    let (mut model, mut adam) = start(width, lr, mup)?;
    let values =
        |model: &[Linear]| layers(model, Tape::no_grad().constant(data[0].0.clone())).map(|layer| layer.value());
    let before = values(&model);
    let (mut tape, mut last) = (Tape::new(), Vec::new());
    for step in 0..steps {
        let (x, y) = &data[step as usize % data.len()];
        let loss = layers(&model, tape.constant(x.clone()))[2].cross_entropy(y);
        if step >= steps - (steps / 10).max(1) {
            last.push(f64::from(loss.item()));
        }
        let gradients = loss.backward();
        tape.reset();
        adam.step(&mut model, &gradients);
    }
    let (mut moved, after) = ([0.0; 3], values(&model));
    for (moved, (before, after)) in moved.iter_mut().zip(before.iter().zip(&after)) {
        *moved = (after - before).square().mean(..).item().sqrt();
    }
    Ok((last.iter().sum::<f64>() / last.len() as f64, moved))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args = Args::parse();
    let rng = &mut ChaCha8Rng::seed_from_u64(1);
    // Classes by a network that is not ours to see.
    let teacher = Linear::new(IN, CLASSES, &init::normal(1.0), rng)?;
    let mut batch = || -> Result<_, nn::Error> {
        let x: Tensor = init::randn([64, IN], rng)?;
        let y = teacher.forward(Tape::no_grad().constant(x.sin())).value().argmax(1);
        Ok((x, y))
    };
    let data = (0..16).map(|_| batch()).collect::<Result<Vec<_>, _>>()?;
    let widths: Vec<usize> = [64, 128, 256, 512, 1024].into_iter().filter(|&width| width as u64 <= args.most).collect();
    let lrs: Vec<f64> = (-12..=-3).map(|k| 2_f64.powi(k)).collect();
    let mut svg = String::from(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 640 300\" font-family=\"sans-serif\" font-size=\"12\">",
    );
    for (panel, mup) in [false, true].into_iter().enumerate() {
        let name = if mup { "by μP" } else { "as usual" };
        println!("{name}\nwidth   moved after 5 steps: first, second, output   best lr  loss");
        let left = 30 + 310 * panel;
        write!(svg, "<text x=\"{left}\" y=\"20\">{name}: loss by log2 of the learning rate</text>")?;
        for (index, &width) in widths.iter().enumerate() {
            let (_, moved) = train(&data, width, 2_f64.powi(-8), 5, mup)?;
            let losses = lrs.iter().map(|&lr| Ok(train(&data, width, lr, args.steps, mup)?.0));
            let losses = losses.collect::<Result<Vec<f64>, nn::Error>>()?;
            let best = (0..lrs.len()).min_by(|&a, &b| losses[a].total_cmp(&losses[b])).unwrap_or(0);
            let [first, second, output] = moved;
            println!(
                "{width:5}   {first:26.3}{second:8.3}{output:8.3}   {:>9}  {:.3}",
                format!("2^{}", lrs[best].log2()),
                losses[best]
            );
            let y = |loss: f64| 270.0 - 100.0 * loss.min(2.4);
            let points: Vec<String> =
                losses.iter().enumerate().map(|(i, &loss)| format!("{},{:.1}", left + 28 * i, y(loss))).collect();
            let (x, shade) = (left + 28 * best, 75 - 15 * index);
            write!(svg, "<polyline points=\"{}\" fill=\"none\" stroke=\"hsl(210,70%,{shade}%)\"/>", points.join(" "))?;
            write!(
                svg,
                "<circle cx=\"{x}\" cy=\"{:.1}\" r=\"4\" fill=\"hsl(210,70%,{shade}%)\"><title>{width}</title></circle>",
                y(losses[best])
            )?;
        }
        for (i, lr) in lrs.iter().enumerate() {
            write!(svg, "<text x=\"{}\" y=\"290\" text-anchor=\"middle\">{}</text>", left + 28 * i, lr.log2())?;
        }
    }
    if let Some(file) = args.svg {
        std::fs::write(file, svg + "</svg>\n")?;
    }
    Ok(())
}
