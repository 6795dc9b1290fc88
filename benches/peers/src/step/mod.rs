//! Whole steps of training: a batch is taken from the data, goes forward and backward, and the weights are moved.
//!
//! A model is written once (`models`), over what the libraries have in common (`ops`); each does that by its own best means.
//! Weights and data are the same numbers everywhere, here and in `steps.py`; so the losses of the first ten steps are too, or the row
//! is refused.

mod burn;
mod candle;
mod evenkeel;
mod library;
mod models;
mod numbers;
mod ops;

use std::time::Instant;

use self::library::Library;
use self::models::Model;
use crate::bench::{Bound, Contender, Row};

/// So many losses are compared.
const COMPARED: usize = 10;

/// So many batches are gone through in turn.
const BATCHES: usize = 100;

pub fn rows() -> Vec<Row> {
    models::all().into_iter().map(row).collect()
}

fn row(model: Model) -> Row {
    Row::new(format!("step {}", model.name), Bound::Step(model.flops()), move |_| {
        vec![
            contender::<evenkeel::Evenkeel>(model),
            contender::<candle::Candles>(model),
            contender::<burn::Burns>(model),
        ]
    })
}

fn contender<L: Library + 'static>(model: Model) -> Contender {
    let mut library = L::new(model);
    let batches: Vec<Vec<i64>> = (0..BATCHES).map(|step| numbers::batch(step, model.batch, model.net.examples())).collect();
    let mut batches = (0..BATCHES).cycle().map(move |step| batches[step].clone());
    let mut step = move || library.step(&batches.next().expect("they begin again"));
    let losses = (0..COMPARED).map(|_| step()).collect();
    Contender::timed(L::NAME, losses, move |calls| {
        let start = Instant::now();
        for _ in 0..calls {
            step();
        }
        start.elapsed()
    })
}
