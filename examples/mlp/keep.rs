//! What the example keeps in files: the training with its settings, so that another process can go on, or print names.

use std::path::Path;

use evenkeel::nn::{Checkpoint, Loaded, ModelFile};
use evenkeel::prelude::*;
use serde::{Deserialize, Serialize};

use crate::cli::Scheme;
use crate::common::failure::Failure;
use crate::common::random::{Numbers, Random};
use crate::model::Mlp;

/// All that a training follows from, besides its names.
#[derive(Clone, Serialize, Deserialize)]
pub struct Settings {
    pub init: Scheme,
    pub batch: usize,
    pub lr: f64,
    /// The step from which the learning rate is a tenth.
    pub decay: u64,
    pub hidden: usize,
    pub embedding: usize,
    pub context: usize,
    pub rng: Numbers,
    pub seed: u64,
    /// The file of names, if it is not the list that comes with the example.
    pub data: Option<std::path::PathBuf>,
    /// The names, in short.
    pub names: String,
}

/// What the settings are called in a file.
const NOTE: &str = "mlp";

impl Settings {
    fn text(&self) -> String {
        serde_json::to_string(self).expect("numbers, names and a path")
    }

    /// Those in a file.
    pub fn read(file: &Path) -> Result<Self, Failure> {
        let kept = Loaded::peek(file)?;
        let text = kept.notes.get(NOTE).ok_or_else(|| {
            Failure::Input(format!("{} has no settings of this example; give a file that --save wrote", file.display()))
        })?;
        serde_json::from_str(text)
            .map_err(|why| Failure::Input(format!("{}: its settings cannot be read: {why}", file.display())))
    }

    /// Says what differs from those of a file.
    pub fn differences(&self, kept: &Settings) -> Vec<String> {
        let [own, kept] = [self, kept].map(|of| serde_json::to_value(of).expect("they are values"));
        let [Some(own), Some(kept)] = [own.as_object(), kept.as_object()] else { return Vec::new() };
        let differs = own.iter().filter(|(name, value)| *name != "data" && kept.get(*name) != Some(value));
        differs.map(|(name, value)| format!("{name} is {} in the file, and {value} here", kept[name])).collect()
    }
}

/// What tells one list of names from another: how many, and a hash of all (FNV-1a).
pub fn in_short(names: &[String]) -> String {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in names.iter().flat_map(|name| name.bytes().chain([b'\n'])) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    format!("{} names, {hash:016x}", names.len())
}

/// Writes the training.
pub fn save(file: &Path, model: &mut Mlp, sgd: &mut Optimizer, settings: &Settings) -> Result<(), Failure> {
    Ok(Checkpoint::new(model).optimizer(sgd).seed(settings.seed).note(NOTE, settings.text()).save(file)?)
}

/// Goes on from a training.
pub fn load(file: &Path, model: &mut Mlp, sgd: &mut Optimizer) -> Result<(), Failure> {
    Checkpoint::new(model).optimizer(sgd).load(file)?;
    Ok(())
}

/// The model that is in a file.
pub fn model(file: &Path, settings: &Settings) -> Result<Mlp, Failure> {
    let mut model = Mlp::new(settings, &mut Random::new(settings.rng, settings.seed))?;
    ModelFile::at(file).load(&mut model)?;
    Ok(model)
}
