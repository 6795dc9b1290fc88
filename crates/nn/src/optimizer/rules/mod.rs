//! The rules by which optimizers move weights: a file for each family.

mod adagrad;
mod adam;
mod lbfgs;
mod lion;
mod muon;
mod rmsprop;
mod sgd;

pub use adagrad::{Adadelta, Adagrad};
pub use adam::{Adam, AdamW, NAdam, RAdam};
pub use lbfgs::Lbfgs;
pub use lion::Lion;
pub use muon::{Muon, MuonLr};
pub use rmsprop::RMSprop;
pub use sgd::Sgd;

use crate::Error;

/// A share that is forgotten less than wholly: in [0, 1).
fn check_beta(what: &'static str, value: f64) -> Result<(), Error> {
    if (0.0..1.0).contains(&value) {
        return Ok(());
    }
    Err(Error::Range { what, value, rule: "at least 0 and below 1" })
}

fn check_betas((beta_1, beta_2): (f64, f64)) -> Result<(), Error> {
    check_beta("the first beta", beta_1)?;
    check_beta("the second beta", beta_2)
}

/// What keeps a quotient of zeros from being none: above 0, in f32 too.
fn check_eps(value: f64) -> Result<(), Error> {
    if value.is_finite() && value >= f64::from(f32::MIN_POSITIVE) {
        return Ok(());
    }
    Err(Error::Range { what: "the eps", value, rule: "above 0 and finite, in f32 too" })
}

fn check_decay(value: f64) -> Result<(), Error> {
    Error::unless_at_least_0("the weight decay", value)
}
