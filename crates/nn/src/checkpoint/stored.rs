//! What a file of the family holds: named tensors, texts, a version, and a checksum.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::io::{self, Write};
use std::path::Path;
use std::str::FromStr;

use tensor::io::AnyTensor;
use tensor::{Element, Float, Shape, Tensor, safetensors};

use crate::Error;

/// The version of the format that is written, and the last that is read.
const VERSION: u64 = 1;
/// The texts that say what a file is.
pub(super) const FORMAT: &str = "evenkeel";
const HOLDS: &str = "evenkeel.holds";
const CHECKSUM: &str = "evenkeel.checksum";

/// Named tensors and texts, to be written or as they were read.
#[derive(Default)]
pub(crate) struct Stored {
    pub(crate) tensors: BTreeMap<String, AnyTensor>,
    pub(crate) texts: BTreeMap<String, String>,
}

/// What a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holds {
    /// A model, by the bare names of its parameters.
    Model,
    /// All of a training.
    Checkpoint,
}

impl Stored {
    pub(crate) fn put(&mut self, name: String, x: impl Into<AnyTensor>) -> Result<(), Error> {
        match self.tensors.insert(name.clone(), x.into()) {
            None => Ok(()),
            Some(_) => {
                Err(Error::Invalid { what: "the file", why: format!("would hold {name:?} twice; rename one of them") })
            }
        }
    }

    pub(crate) fn say(&mut self, name: impl Into<String>, text: impl Display) {
        self.texts.insert(name.into(), text.to_string());
    }

    /// A text that says a number without loss.
    pub(crate) fn say_f64(&mut self, name: impl Into<String>, value: f64) {
        self.texts.insert(name.into(), format!("{value:?}"));
    }

    pub(crate) fn write(mut self, path: &Path, holds: Holds) -> Result<(), Error> {
        self.say(FORMAT, VERSION);
        self.say(HOLDS, if holds == Holds::Model { "model" } else { "checkpoint" });
        self.say(CHECKSUM, self.checksum()?);
        Ok(safetensors::write(path, &self.tensors, &self.texts)?)
    }

    /// Reads a file, and what it is for; one that another program wrote holds a model. The sum is right, where there is one.
    pub(crate) fn read(path: &Path) -> Result<(Self, Holds), Error> {
        let safetensors::Contents { tensors, metadata } = safetensors::read(path)?;
        let mut stored = Stored { tensors, texts: metadata };
        let unfit = |why: String| Error::Unfit { path: path.to_owned(), differences: vec![why], remedy: None };
        let Some(version) = stored.texts.get(FORMAT) else { return Ok((stored, Holds::Model)) };
        match version.parse::<u64>() {
            Ok(1..=VERSION) => {}
            Ok(newer) if newer > VERSION => {
                let why = format!("is of version {newer} of the format; this is for {VERSION}: take a newer Evenkeel");
                return Err(unfit(why));
            }
            _ => return Err(unfit(format!("says that it is of version {version:?} of the format, which is none"))),
        }
        let Some(said) = stored.texts.remove(CHECKSUM) else { return Err(unfit("has lost its checksum".into())) };
        let found = stored.checksum().map_err(|error| unfit(format!("is damaged: {error}")))?;
        if said != found {
            let why = format!(
                "does not hold what was written: its checksum is {found}, where it says {said:?}; if it is damaged, take an earlier one; if \
                 another program has changed it, let that leave out the texts that begin with {FORMAT:?}"
            );
            return Err(unfit(why));
        }
        match stored.texts.get(HOLDS).map(String::as_str) {
            Some("model") => Ok((stored, Holds::Model)),
            Some("checkpoint") => Ok((stored, Holds::Checkpoint)),
            other => Err(unfit(format!("says that it holds {other:?}, which is neither a model nor a checkpoint"))),
        }
    }

    /// Reads a checkpoint.
    pub(crate) fn read_checkpoint(path: &Path) -> Result<Self, Error> {
        match Stored::read(path)? {
            (stored, Holds::Checkpoint) => Ok(stored),
            (_, Holds::Model) => {
                let why = "is a model alone, which `nn::load` reads, and no checkpoint".to_owned();
                Err(Error::Unfit { path: path.to_owned(), differences: vec![why], remedy: None })
            }
        }
    }

    /// The CRC-32 of the file as it would be without this text.
    fn checksum(&self) -> Result<String, Error> {
        struct Crc(crc32fast::Hasher);

        impl Write for Crc {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.update(bytes);
                Ok(bytes.len())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }

        let mut crc = Crc(crc32fast::Hasher::new());
        safetensors::write_to(&mut crc, &self.tensors, &self.texts)?;
        Ok(format!("{:08x}", crc.0.finalize()))
    }
}

/// The text without what controls a terminal: names and texts come from files.
fn printable(text: String) -> String {
    match text.chars().any(char::is_control) {
        true => {
            text.chars().map(|c| if c.is_control() { c.escape_debug().to_string() } else { c.to_string() }).collect()
        }
        false => text,
    }
}

/// Takes what is asked for out of a file, and remembers everything that differs.
pub(crate) struct Reader<'a> {
    path: &'a Path,
    stored: &'a Stored,
    /// The tensors that nobody has asked for yet.
    left: BTreeSet<&'a str>,
    differences: Vec<String>,
    /// Whether floats of another type are converted.
    converts: bool,
    remedy: Option<&'static str>,
    fit: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(path: &'a Path, stored: &'a Stored, converts: bool) -> Self {
        let left = stored.tensors.keys().map(String::as_str).collect();
        Reader { path, stored, left, differences: Vec::new(), converts, remedy: None, fit: 0 }
    }

    pub(crate) fn differs(&mut self, how: impl Into<String>) {
        self.differences.push(printable(how.into()));
    }

    /// Takes note that a part is here, and none in the file.
    pub(crate) fn lacks(&mut self, part: &str) {
        self.differs(format!(
            "keeps no {part}, and there is one here: it was written without; leave it out, or begin anew"
        ));
    }

    /// Takes note that a part is in the file, and none here.
    pub(crate) fn has_more(&mut self, part: &str) {
        self.differs(format!(
            "keeps the state of {part}, and there is none here: add it as it was when the file was written"
        ));
        self.pass_over(&format!("{part}."));
    }

    pub(crate) fn advise(&mut self, remedy: &'static str) {
        self.remedy.get_or_insert(remedy);
    }

    /// Whether no more differs than so many things.
    pub(crate) fn differs_only_in(&self, things: usize) -> bool {
        self.differences.len() == things && self.left.is_empty()
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.stored.tensors.contains_key(name)
    }

    pub(crate) fn says(&self, name: &str) -> Option<&'a str> {
        self.stored.texts.get(name).map(String::as_str)
    }

    /// A number or the like that the file says.
    pub(crate) fn parsed<X: FromStr>(&mut self, name: &str) -> Option<X> {
        let Some(text) = self.says(name) else {
            self.differs(format!("does not say {name}"));
            return None;
        };
        let parsed = text.parse().ok();
        if parsed.is_none() {
            self.differs(format!("says {name} is {text:?}, which cannot be read"));
        }
        parsed
    }

    /// Does not mind the tensors whose names begin so.
    pub(crate) fn pass_over(&mut self, prefix: &str) {
        self.left.retain(|name| !name.starts_with(prefix));
    }

    /// Does not mind the tensors whose names do not begin so.
    pub(crate) fn pass_over_all_but(&mut self, prefix: &str) {
        self.left.retain(|name| name.starts_with(prefix));
    }

    /// Does not mind what an optimizer has kept of the weight with this path.
    pub(crate) fn pass_over_slots(&mut self, path: &str) {
        self.left.retain(|name| !(name.starts_with("optimizer.") && name.ends_with(&format!(".{path}"))));
    }

    /// What an optimizer has kept of the weight with this path beside `slots` and its count of steps, by name; nobody will ask for it any more.
    pub(crate) fn slots_of(&mut self, path: &str, slots: &[&str]) -> Vec<&'a str> {
        let slot = |name: &'a str| name.strip_prefix("optimizer.")?.strip_suffix(path)?.strip_suffix('.');
        let is_other = |slot: &str| slot != "t" && !slot.contains('.') && !slots.contains(&slot);
        let others: Vec<(&str, &str)> = self.left.iter().filter_map(|name| Some((*name, slot(name)?))).collect();
        let others: Vec<(&str, &str)> = others.into_iter().filter(|(_, slot)| is_other(slot)).collect();
        self.left.retain(|left| !others.iter().any(|(name, _)| name == left));
        others.into_iter().map(|(_, slot)| slot).collect()
    }

    /// The names of all tensors.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.stored.tensors.keys().map(String::as_str)
    }

    /// The tensor of this name, whatever it is.
    pub(crate) fn any(&mut self, name: &str) -> Option<&'a AnyTensor> {
        self.left.remove(name);
        let any = self.stored.tensors.get(name);
        if any.is_none() {
            self.differs(format!("has no {name}"));
        }
        any
    }

    /// The tensor of this name if it is as it must be.
    pub(crate) fn tensor<T: Element>(&mut self, name: &str, shape: &Shape) -> Option<Tensor<T>> {
        let any = self.any(name)?;
        let found = self.of_shape(name, any, shape) && self.of_type::<T>(name, any);
        self.fit += usize::from(found);
        any.get().filter(|_| found).cloned()
    }

    /// The floats of this name if they are as they must be, or can be converted.
    pub(crate) fn floats<T: Float>(&mut self, name: &str, shape: &Shape) -> Option<Tensor<T>> {
        let any = self.any(name)?;
        let converted = match any {
            AnyTensor::F32(x) if self.converts => Some(x.cast()),
            AnyTensor::F64(x) if self.converts => Some(x.cast()),
            _ => None,
        };
        let found = self.of_shape(name, any, shape) && (converted.is_some() || self.of_type::<T>(name, any));
        self.fit += usize::from(found);
        converted.or_else(|| any.get().cloned()).filter(|_| found)
    }

    fn of_shape(&mut self, name: &str, any: &AnyTensor, shape: &Shape) -> bool {
        let got = any.shape();
        if got == shape {
            return true;
        }
        if got.rank() > 1 && got.dims().iter().rev().eq(shape.dims()) {
            self.advise(
                "if the file is one of PyTorch's, `ModelFile::at(path).torch()` knows how its axes are ordered",
            );
        }
        self.differs(format!("{name} is {got} in the file, and must be {shape}"));
        false
    }

    fn of_type<T: Element>(&mut self, name: &str, any: &AnyTensor) -> bool {
        if any.get::<T>().is_some() {
            return true;
        }
        let want = T::DTYPE.name();
        if matches!(any, AnyTensor::F32(_) | AnyTensor::F64(_)) && want.starts_with('f') {
            self.advise("`convert()` rounds floats to the model's, or make the model one of the file's floats");
        }
        self.differs(format!("{name} is of {} in the file, and must be of {want}", any.dtype()));
        false
    }

    /// An error with all differences, and with what is left in the file.
    pub(crate) fn finish(&mut self) -> Result<(), Error> {
        let differences = self.all();
        if differences.is_empty() {
            return Ok(());
        }
        Err(Error::Unfit { path: self.path.to_owned(), differences, remedy: self.remedy })
    }

    /// All differences, if anything fits.
    pub(crate) fn partial(&mut self) -> Result<Vec<String>, Error> {
        if self.fit == 0 { self.finish().map(|()| Vec::new()) } else { Ok(self.all()) }
    }

    fn all(&mut self) -> Vec<String> {
        let mut all = std::mem::take(&mut self.differences);
        for name in std::mem::take(&mut self.left) {
            let shape = self.stored.tensors[name].shape();
            all.push(printable(format!("{name} {shape} is in the file, and nothing here is called so")));
        }
        all
    }
}
