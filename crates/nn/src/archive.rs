//! One walk over what is kept of a training, by which a file is written, and read.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::str::FromStr;

use tensor::io::AnyTensor;
use tensor::safetensors::Contents;
use tensor::{Element, Float, Shape, Tensor};

use crate::{Error, Module};

/// What a training goes on with from step to step, such as the counters of a [`ReduceOnPlateau`](crate::ReduceOnPlateau): a type that
/// implements this is kept by [`Checkpoint::with_state`](crate::Checkpoint::with_state) and [`Fit::with_state`](crate::Fit::with_state).
/// Feature `checkpoint`.
///
/// One function writes and reads: it hands each field to an [`Archive`] and takes back the value to go on with, which is the same when a
/// file is written, and that of the file when one is read. So a field that is written and not read does not compile.
///
/// # Example
/// ```
/// use nn::{Archive, Checkpoint, Param, Stateful};
/// use tensor::Tensor;
///
/// /// Counts the tokens that were seen.
/// #[derive(Debug, PartialEq)]
/// struct Tokens {
///     seen: u64,
///     limit: u64, // the program's, and not a part of the state
/// }
///
/// impl Stateful for Tokens {
///     fn walk(&self, at: &mut Archive<'_>) -> Self {
///         Tokens { seen: at.number("seen", self.seen), ..*self }
///     }
/// }
///
/// let path = std::env::temp_dir().join(format!("evenkeel-stateful-{}.safetensors", std::process::id()));
/// let mut w = Param::new(Tensor::from([1.0]));
/// let mut tokens = Tokens { seen: 4096, limit: 10_000 };
/// Checkpoint::new(&mut w).with_state("tokens", &mut tokens).save(&path)?;
///
/// let mut again = Tokens { seen: 0, limit: 20_000 };
/// Checkpoint::new(&mut w).with_state("tokens", &mut again).load(&path)?;
/// assert_eq!(again, Tokens { seen: 4096, limit: 20_000 });
/// # std::fs::remove_file(&path).unwrap();
/// # Ok::<(), nn::Error>(())
/// ```
pub trait Stateful<T: Float = f32>: Sized {
    /// Hands every field of the state to `at`, under a name of its own, and returns the state that comes back.
    #[must_use]
    fn walk(&self, at: &mut Archive<'_, T>) -> Self;
}

/// A file that is written or read by [`Stateful::walk`]: each method takes the name and the value of a field, and returns the value to go
/// on with. When a file is read and does not fit, that is the value given; all mismatches together become one error, and nothing is
/// changed. Feature `checkpoint`.
pub struct Archive<'a, T: Float = f32> {
    /// `None` where a model alone is written or read.
    model: Option<&'a dyn Module<T>>,
    /// What stands before each name.
    prefix: String,
    way: Way<'a>,
}

enum Way<'a> {
    /// And the first thing that keeps it from being written.
    Write {
        contents: &'a mut Contents,
        error: Option<Error>,
    },
    Read(Reading<'a>),
}

struct Reading<'a> {
    contents: &'a Contents,
    /// The tensors that nobody has asked for yet.
    left: BTreeSet<&'a str>,
    mismatches: Vec<String>,
    /// Whether floats of another type are converted.
    converts: bool,
    remedy: Option<&'static str>,
    /// How many tensors fit.
    fit: usize,
}

impl<'a, T: Float> Archive<'a, T> {
    pub(crate) fn writing(model: Option<&'a dyn Module<T>>, contents: &'a mut Contents) -> Self {
        Archive { model, prefix: String::new(), way: Way::Write { contents, error: None } }
    }

    pub(crate) fn reading(model: Option<&'a dyn Module<T>>, contents: &'a Contents, converts: bool) -> Self {
        let left = contents.tensors.keys().map(String::as_str).collect();
        let reading = Reading { contents, left, mismatches: Vec::new(), converts, remedy: None, fit: 0 };
        Archive { model, prefix: String::new(), way: Way::Read(reading) }
    }

    /// The model of the training.
    pub(crate) fn model(&self) -> &'a dyn Module<T> {
        self.model.expect("a training has a model")
    }

    /// Whether a file is read, and not written.
    pub fn is_reading(&self) -> bool {
        matches!(self.way, Way::Read(_))
    }

    /// A whole number, a float or a truth value.
    pub fn number<X: FromStr + Debug + Copy>(&mut self, name: &str, x: X) -> X {
        let said = self.text(name, &format!("{x:?}"));
        let Some(text) = said else {
            self.mismatch(format!("does not say {}{name}", self.prefix));
            return x;
        };
        text.parse().unwrap_or_else(|_| {
            self.mismatch(format!("says {}{name} is {text:?}, which cannot be read", self.prefix));
            x
        })
    }

    /// A number that there may be.
    pub fn optional<X: FromStr + Debug + Copy>(&mut self, name: &str, x: Option<X>) -> Option<X> {
        match (&self.way, x) {
            (Way::Write { .. }, Some(x)) => Some(self.number(name, x)),
            (Way::Write { .. }, None) => None,
            (Way::Read(reading), _) => {
                let text = reading.contents.metadata.get(&format!("{}{name}", self.prefix))?;
                let parsed = text.parse().ok();
                if parsed.is_none() {
                    let why = format!("says {}{name} is {text:?}, which cannot be read", self.prefix);
                    self.mismatch(why);
                }
                parsed
            }
        }
    }

    /// A text; `None` where a file that is read has none.
    pub fn text(&mut self, name: &str, text: &str) -> Option<String> {
        let name = self.prefix.clone() + name;
        match &mut self.way {
            Way::Write { contents, .. } => {
                contents.metadata.insert(name, text.to_owned());
                Some(text.to_owned())
            }
            Way::Read(reading) => reading.contents.metadata.get(&name).cloned(),
        }
    }

    /// Any number of texts, which are one in the file: a line for each.
    pub fn texts(&mut self, name: &str, texts: &[String]) -> Vec<String> {
        let line = |text: &String| text.replace('\\', "\\\\").replace('\n', "\\n") + "\n";
        let Some(said) = self.text(name, &texts.iter().map(line).collect::<String>()) else {
            self.mismatch(format!("does not say {}{name}", self.prefix));
            return texts.to_vec();
        };
        let unescaped = |line: &str| {
            let parts: Vec<String> = line.split("\\\\").map(|part| part.replace("\\n", "\n")).collect();
            parts.join("\\")
        };
        said.split_terminator('\n').map(unescaped).collect()
    }

    /// Any number of numbers.
    pub fn vector<E: Element>(&mut self, name: &str, x: &[E]) -> Vec<E> {
        let shape = match &self.way {
            Way::Read(reading) => reading.contents.tensors.get(&format!("{}{name}", self.prefix)).map(AnyTensor::shape),
            Way::Write { .. } => None,
        };
        let shape = shape.filter(|shape| shape.rank() == 1).cloned().unwrap_or(Shape::from([x.len()]));
        let own = (!self.is_reading()).then(|| x.iter().copied().collect());
        self.tensor(name, &shape, own.as_ref()).map_or_else(|| x.to_vec(), |found| found.to_vec())
    }

    /// A tensor of this shape; `None` where it does not fit, or there is none to be written.
    pub fn tensor<E: Element>(&mut self, name: &str, shape: &Shape, x: Option<&Tensor<E>>) -> Option<Tensor<E>> {
        self.exchange(name, shape, x, |any, _| any.get().cloned())
    }

    /// As [`tensor`](Self::tensor), of the model's floats, into which others may be converted.
    pub(crate) fn floats(&mut self, name: &str, shape: &Shape, x: Option<&Tensor<T>>) -> Option<Tensor<T>> {
        self.exchange(name, shape, x, |any, converts| match any {
            AnyTensor::F32(x) if converts => Some(x.cast()),
            AnyTensor::F64(x) if converts => Some(x.cast()),
            _ => any.get().cloned(),
        })
    }

    fn exchange<E: Element>(
        &mut self,
        name: &str,
        shape: &Shape,
        x: Option<&Tensor<E>>,
        get: impl Fn(&AnyTensor, bool) -> Option<Tensor<E>>,
    ) -> Option<Tensor<E>> {
        let name = self.prefix.clone() + name;
        let reading = match &mut self.way {
            Way::Read(reading) => reading,
            Way::Write { contents, .. } => {
                if contents.tensors.insert(name.clone(), x?.into()).is_some() {
                    let why = format!("would hold {name:?} twice; rename one of them");
                    self.refuse(Error::Invalid { what: "the file", why });
                }
                return x.cloned();
            }
        };
        reading.left.remove(&*name);
        let Some(any) = reading.contents.tensors.get(&name) else {
            self.mismatch(format!("has no {name}"));
            return None;
        };
        if any.shape() != shape {
            if any.shape().rank() > 1 && any.shape().dims().iter().rev().eq(shape.dims()) {
                let torch =
                    "if the file is one of PyTorch's, `ModelFile::at(path).torch()` knows how its axes are ordered";
                reading.remedy.get_or_insert(torch);
            }
            self.mismatch(format!("{name} is {} in the file, and must be {shape}", any.shape()));
            return None;
        }
        let found = get(any, reading.converts);
        if found.is_some() {
            reading.fit += 1;
            return found;
        }
        let want = E::DTYPE.name();
        if matches!(any, AnyTensor::F32(_) | AnyTensor::F64(_)) && want.starts_with('f') {
            let convert = "`convert()` rounds floats to the model's, or make the model one of the file's floats";
            reading.remedy.get_or_insert(convert);
        }
        self.mismatch(format!("{name} is of {} in the file, and must be of {want}", any.dtype()));
        None
    }

    /// Walks a part whose names begin with that of the part and a dot.
    pub(crate) fn within<R>(&mut self, part: &str, walk: impl FnOnce(&mut Self) -> R) -> R {
        let length = self.prefix.len();
        self.prefix += part;
        self.prefix.push('.');
        let result = walk(self);
        self.prefix.truncate(length);
        result
    }

    /// Walks a part, unless a file that is read has none.
    pub(crate) fn part<S: Stateful<T>>(&mut self, name: &str, state: &S) -> Option<S> {
        if self.is_reading() && !self.parts().contains(name) {
            self.mismatch(format!(
                "keeps no {name}, and there is one here: it was written without; leave it out, or begin anew"
            ));
            return None;
        }
        Some(self.within(name, |at| state.walk(at)))
    }

    /// The first words of all names in a file that is read.
    pub(crate) fn parts(&self) -> BTreeSet<String> {
        let Way::Read(reading) = &self.way else { return BTreeSet::new() };
        let names = reading.contents.metadata.keys().chain(reading.contents.tensors.keys());
        names.filter_map(|name| Some(name.split_once('.')?.0.to_owned())).collect()
    }

    /// Says that a file that is read has a part that is not here.
    pub(crate) fn has_more(&mut self, part: &str) {
        self.mismatch(format!(
            "keeps the state of {part}, and there is none here: add it as it was when the file was written"
        ));
        let prefix = format!("{part}.");
        self.ignore(|name| name.starts_with(&prefix));
    }

    /// Whether a file that is read has a tensor of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        matches!(&self.way, Way::Read(reading) if reading.contents.tensors.contains_key(&format!("{}{name}", self.prefix)))
    }

    /// Does not ask for the tensors whose names, after the prefix, are such; returns those that nobody had asked for.
    pub(crate) fn ignore(&mut self, is_ignored: impl Fn(&str) -> bool) -> Vec<String> {
        let Way::Read(reading) = &mut self.way else { return Vec::new() };
        let rest = |name: &'a str| name.strip_prefix(&*self.prefix).filter(|rest| is_ignored(rest));
        let ignored: Vec<&str> = reading.left.iter().copied().filter(|name| rest(name).is_some()).collect();
        ignored.iter().for_each(|name| _ = reading.left.remove(name));
        ignored.into_iter().filter_map(|name| rest(name).map(str::to_owned)).collect()
    }

    /// Says that a file that is read does not fit, and how.
    pub fn mismatch(&mut self, how: impl Into<String>) {
        if let Way::Read(reading) = &mut self.way {
            reading.mismatches.push(printable(how.into()));
        }
    }

    /// Says why a file cannot be written.
    pub(crate) fn refuse(&mut self, why: Error) {
        if let Way::Write { error, .. } = &mut self.way {
            error.get_or_insert(why);
        }
    }

    /// Says what could be done, unless that was said.
    pub(crate) fn advise(&mut self, remedy: &'static str) {
        if let Way::Read(reading) = &mut self.way {
            reading.remedy.get_or_insert(remedy);
        }
    }

    /// Whether there are exactly `n` mismatches.
    pub(crate) fn has_mismatches(&self, n: usize) -> bool {
        matches!(&self.way, Way::Read(reading) if reading.mismatches.len() == n && reading.left.is_empty())
    }

    /// An error with all mismatches, and with what is left in the file; or that the file would hold a name twice.
    pub(crate) fn finish(&mut self, path: &std::path::Path) -> Result<(), Error> {
        match &mut self.way {
            Way::Write { error, .. } => error.take().map_or(Ok(()), Err),
            Way::Read(reading) => {
                let differences = reading.all();
                if differences.is_empty() {
                    return Ok(());
                }
                Err(Error::Unfit { path: path.to_owned(), differences, remedy: reading.remedy })
            }
        }
    }

    /// All mismatches, if anything fits.
    pub(crate) fn partial(&mut self, path: &std::path::Path) -> Result<Vec<String>, Error> {
        match &mut self.way {
            Way::Read(reading) if reading.fit > 0 => Ok(reading.all()),
            _ => self.finish(path).map(|()| Vec::new()),
        }
    }
}

impl Reading<'_> {
    fn all(&mut self) -> Vec<String> {
        let mut all = std::mem::take(&mut self.mismatches);
        for name in std::mem::take(&mut self.left) {
            let shape = self.contents.tensors[name].shape();
            all.push(printable(format!("{name} {shape} is in the file, and nothing here is called so")));
        }
        all
    }
}

/// The text without what controls a terminal: names and texts come from files.
fn printable(text: String) -> String {
    let escaped = |c: char| if c.is_control() { c.escape_debug().to_string() } else { c.to_string() };
    if text.chars().any(char::is_control) { text.chars().map(escaped).collect() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Param;

    #[test]
    fn texts_of_any_kind_come_back() {
        let texts = ["", "a\nb", "\\n", "\\\\", "c\r", "", "\n"].map(str::to_owned).to_vec();
        let (model, mut contents) = (Param::<f32>::new(Tensor::zeros([1])), Contents::default());
        for texts in [&texts[..], &[]] {
            assert_eq!(Archive::writing(Some(&model), &mut contents).texts("x", texts), texts);
            assert_eq!(Archive::reading(Some(&model), &contents, false).texts("x", &["other".into()]), texts);
        }
    }
}
