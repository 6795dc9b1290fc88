//! Every op at four shapes and six layouts, on one thread: a line of JSON for each, for `ops.py`, which sets PyTorch beside it.

mod data;
mod rows;

use std::cell::LazyCell;
use std::hint::black_box;
use std::time::{Duration, Instant};

use evenkeel::autograd::Tape;
use evenkeel::prelude::*;

use data::{Data, LAYOUTS, SHAPES};
use rows::{On, Op, rows};

/// A turn lasts at least this long, or one call.
const TURN: Duration = Duration::from_micros(300);
const TURNS: usize = 5;

/// The least time of a call among some turns, in nanoseconds.
fn measure(mut work: impl FnMut()) -> f64 {
    let mut turn = |calls: u32| {
        let start = Instant::now();
        for _ in 0..calls {
            work();
        }
        start.elapsed()
    };
    let (mut calls, mut first) = (1, turn(1));
    while first < TURN && calls < 1 << 20 {
        calls *= 2;
        first = turn(calls);
    }
    (0..TURNS).map(|_| turn(calls).as_nanos() as f64 / f64::from(calls)).fold(f64::INFINITY, f64::min)
}

/// An op of the tape, and its way back where `back` is the gradient of its result.
fn step(tape: &mut Tape, data: &Data, f: &dyn for<'t> Fn(&On<'t>) -> Var<'t>, back: Option<&Tensor>) -> Tensor {
    let value = {
        let tape = &*tape;
        tape.seed(1, 1);
        let put = |x: &Tensor| if back.is_some() { tape.leaf(x.clone()) } else { tape.constant(x.clone()) };
        let [x, y, share, row, column] = [&data.x, &data.y, &data.share, &data.row, &data.column].map(put);
        let [w_ih, w_hh] = data.cell.each_ref().map(put);
        let result = f(&On { x, y, share, row, column, w_ih, w_hh, data });
        if let Some(seed) = back {
            black_box(result.backward_with(seed.clone()));
        }
        result.value()
    };
    tape.reset();
    value
}

fn main() {
    let mut only = String::new();
    let mut threads = 1;
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--only" => only = args.next().unwrap_or_default(),
            "--threads" => threads = args.next().and_then(|n| n.parse().ok()).expect("--threads N"),
            _ => {}
        }
    }
    evenkeel::tensor::with_threads(threads, || run(&only)).unwrap();
}

fn run(only: &str) {
    let rows = rows();
    for layout in LAYOUTS {
        for shape @ [r, c] in SHAPES {
            let data = LazyCell::new(|| Data::new(shape, layout));
            for row in &rows {
                let name = &row.name;
                if layout == "permuted" && row.matrix || !format!("{name} {r}x{c} {layout}").contains(only) {
                    continue;
                }
                let key = format!("{name}\\t{r}x{c}\\t{layout}");
                let print = |way: &str, ns: f64| println!("{{\"op\": \"{key}\\t{way}\", \"ns\": {ns:.0}}}");
                match &row.op {
                    Op::OfTensors(f) => print("forward", measure(|| f(&data))),
                    Op::OfTape(f) => {
                        let mut tape = Tape::new();
                        print("forward", measure(|| _ = black_box(step(&mut tape, &data, f, None))));
                        // Laid out as the result is, as `ones_like` does.
                        let seed = step(&mut tape, &data, f, None).map(|_| 1.0);
                        print("there and back", measure(|| _ = step(&mut tape, &data, f, Some(&seed))));
                    }
                }
            }
        }
    }
}
