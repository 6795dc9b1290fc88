//! Whether all ranks are in the same training, before its first step.

use tensor::Float;

use super::{Link, Reader, Writer};
use crate::{Error, Module};

/// A hash of some bytes: FNV-1a of 64 bits.
fn hash(bytes: impl IntoIterator<Item = u8>) -> u64 {
    bytes.into_iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

impl<T: Float> Link<T> {
    /// Makes sure that all ranks have the same settings and the same model.
    ///
    /// # Errors
    /// They have not: the sentence names the first rank that differs from rank 0, and says in what.
    pub(crate) fn agree(
        &self,
        mut settings: Vec<(String, String)>,
        model: &(impl Module<T> + ?Sized),
    ) -> Result<(), Error> {
        if self.size() == 1 {
            return Ok(());
        }
        settings.insert(0, ("the version".into(), env!("CARGO_PKG_VERSION").into()));
        for (path, param) in model.state_dict() {
            let what = format!("{} {}", param.value().shape(), if param.is_trained() { "" } else { "not trained" });
            settings.push((format!("{path} in the model"), what.trim_end().to_owned()));
        }
        // What they begin with, by a hash of each: of the first that differs.
        for (path, param) in model.state_dict() {
            let bytes = param.value().to_vec().into_iter().flat_map(|x| x.to_f64().to_bits().to_le_bytes());
            settings.push((format!("the values of {path}"), format!("{:016x}", hash(bytes))));
        }
        let mut told = Writer::default();
        for (name, text) in &settings {
            told.text(name);
            told.text(text);
        }
        // In most trainings, all have the same: a hash is enough to see that.
        let hashes = self.gather_alike(&hash(told.0.iter().copied()).to_le_bytes())?;
        if hashes.iter().all(|other| *other == hashes[0]) {
            return Ok(());
        }
        let all: Vec<_> = self.gather(&told.0)?.iter().map(|bytes| heard(bytes)).collect();
        let other = all.iter().position(|of| *of != all[0]).unwrap_or(0);
        let none = || "none".to_owned();
        let text = |of: &[(String, String)], name: &str| {
            of.iter().find(|(known, _)| known == name).map_or_else(none, |(_, text)| text.clone())
        };
        let names = all[0].iter().chain(&all[other]).map(|(name, _)| name);
        let differs = |name: &&String| text(&all[0], name) != text(&all[other], name);
        let name = names.clone().find(differs).expect("one differs");
        Err(Error::Ranks(format!(
            "rank {other} is in another training than rank 0: {name} is {} there, and {} at rank 0; start all ranks with the same \
             program, arguments, data and seeds",
            text(&all[other], name),
            text(&all[0], name)
        )))
    }
}

fn heard(bytes: &[u8]) -> Vec<(String, String)> {
    let (mut reader, mut all) = (Reader(bytes), Vec::new());
    while !reader.0.is_empty() {
        all.push((reader.text(), reader.text()));
    }
    all
}
