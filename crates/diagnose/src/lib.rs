#![forbid(unsafe_code)]
//! See how a neural network starts, what is wrong with it, and what cures it.
//!
//! [`inspect`] runs one pass forward and backward with a batch and reads everything off the tape; a model needs no line of
//! code for it. The [`Report`] has figures, and findings: each with the place, the rule that it breaks, and the remedy.
//!
//! ```
//! use diagnose::{Fault, inspect};
//! use init::{Initializer, normal};
//! use nn::{Layer, Linear};
//! use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
//! use tensor::{Shape, Tensor};
//!
//! struct Mlp {
//!     hidden: Linear,
//!     output: Linear,
//! }
//!
//! nn::module!(Mlp { hidden, output });
//!
//! let mut rng = ChaCha8Rng::seed_from_u64(42);
//! let mut layer = |fan_in, fan_out| Linear::new(fan_in, fan_out, &normal(1.0), &mut rng);
//! let mut model = Mlp { hidden: layer(30, 200)?, output: layer(200, 27)? };
//!
//! let x: Tensor = normal(1.0).init(&Shape::from([32, 30]), &mut rng)?;
//! let classes = Tensor::from_fn([32], |i| (i[0] % 27) as i64);
//! let look = |model: &Mlp| {
//!     inspect(model, |model, tape| {
//!         model.output.forward(model.hidden.forward(tape.constant(x.clone())).tanh()).cross_entropy(&classes)
//!     })
//! };
//! let report = look(&model);
//! assert!(report.has(Fault::Loss) && report.has(Fault::Saturation));
//! println!("{report}\n{}", report.cure(&mut model));
//! assert!(look(&model).is_healthy());
//! # Ok::<(), nn::Error>(())
//! ```
//!
//! # The three classic faults
//!
//! | fault | how it shows | why | remedy |
//! |---|---|---|---|
//! | [`Fault::Loss`] | the first loss is far above ln C | the logits are large and random: confidently wrong | a small output weight, a zero bias |
//! | [`Fault::Saturation`] | most units are where their activation is flat, which passes no gradient | the weights before it are too large | weights of gain / √fan_in |
//! | [`Fault::Signal`], [`Fault::Gradient`] | the standard deviation grows or fades with each layer | x·W multiplies it by √fan_in times that of W | weights of gain / √fan_in |
//!
//! And the rest: units that are all alike ([`Fault::Symmetry`]) or saturated for every example ([`Fault::Dead`]), the first
//! value that is no number ([`Fault::NotFinite`], with the op that made it), data that want scaling ([`Fault::Data`]), an output that cannot be
//! what the targets or the loss want ([`Fault::Output`], [`Fault::Targets`], [`Fault::Logits`], [`Fault::Objective`]), predictions broadcast
//! against targets, parameters without a share in the loss ([`Fault::Unused`]).
//! [`Limits`] says where each begins, and why there; [`Saturation`] what is flat. An error is what ends clearly worse than mended, as trainings
//! of thousands of random networks have shown; a warning does so in half of them.
//!
//! # What is judged
//!
//! The way of the signal from the inputs to each end of the network ([`Report::paths`]). Where a branch is added to a trunk, the
//! sum counts; before a normalization, the scale does not; a weight that is used at each step of a sequence is one weight. So a
//! branch or a head of zeros, a gate, a mask and a good prior are let alone. A remedy is offered only if an inspection of a copy
//! confirms it: fewer faults, and no higher loss, or a lower one after a short training of both.
//!
//! # What there is
//!
//! - [`inspect`], [`inspect_graph`] for a graph without a model, and [`Inspector`] with the settings
//! - [`Report::cure`] applies the remedies that need no human choice
//! - [`Inspector::recipe`] tries what an expert tries first: one batch by heart, the same without inputs, who depends on whom
//! - [`Watch`] looks on while a model trains, and keeps a [`History`]
//! - [`lsuv`] and [`calibrate_output`] find a start by data
//! - [`Comparison`] puts reports side by side
//! - with the feature `html`: `Page`, one page that needs nothing but itself, and its pictures one by one
//! - with the feature `serde`: reports and histories are `Serialize`. [`History::to_csv`] needs no feature.

mod inspect;
mod judge;
#[cfg(feature = "html")]
mod page;
mod read;
mod report;
mod say;
mod trial;
mod watch;

pub use inspect::{Inspector, inspect, inspect_graph};
pub use judge::limits::Limits;
#[cfg(feature = "html")]
pub use page::{Page, Picture, WriteError};
pub use read::anomaly::{Anomaly, Direction};
pub use read::saturation::Saturation;
pub use report::finding::{Action, Column, Evidence, Fault, Finding, Severity};
pub use report::history::{ActivationSample, History, Sample, WeightSample};
pub use report::stats::{BINS, Histogram, Stats};
pub use report::{Activation, Depth, Loss, Map, Report, Signal, SignalPath, Stage, Weight};
pub use say::compare::Comparison;
pub use trial::cure::Cure;
pub use trial::recipe::Recipe;
pub use trial::start::{Calibrated, Lsuv, Tuned, calibrate_output, lsuv};
pub use watch::Watch;
