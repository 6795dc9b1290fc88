//! Checkpoints of one training under numbered names.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf, is_separator};

use tensor::Float;

use super::Checkpoint;
use crate::Error;

/// Files of one training, numbered by the step: `run.safetensors` stands for `run-00000500.safetensors` and so on. Feature
/// `checkpoint`.
///
/// # Example
/// ```
/// use nn::{Checkpoint, Numbered, Optimizer, Param, Sgd};
/// use tensor::Tensor;
///
/// let folder = std::env::temp_dir().join(format!("evenkeel-numbered-{}", std::process::id()));
/// std::fs::create_dir_all(&folder).unwrap();
/// let files = Numbered::new(folder.join("run.safetensors")).keep(2);
/// let (mut w, mut sgd) = (Param::new(Tensor::from([1.0])), Optimizer::new(Sgd::default(), 0.1)?);
/// for step in [100, 200, 300] {
///     files.save(&Checkpoint::new(&mut w).optimizer(&mut sgd), step)?;
/// }
/// assert_eq!(files.latest()?, Some(files.at(300))); // 100 has been removed
/// assert!(!files.at(100).exists() && files.at(200).exists());
/// # std::fs::remove_dir_all(&folder).unwrap();
/// # Ok::<(), nn::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Numbered {
    path: PathBuf,
    keep: usize,
}

impl Numbered {
    /// The files whose names are that of `path` with a number of eight digits or more before its extension, and no others. All are kept.
    pub fn new(path: impl AsRef<Path>) -> Self {
        Numbered { path: path.as_ref().to_owned(), keep: usize::MAX }
    }

    /// Sets how many files are kept, at least one: older ones are removed once a newer is on disk. The file that was written last is kept
    /// in any case.
    #[must_use]
    pub fn keep(self, files: usize) -> Self {
        Numbered { keep: files.max(1), ..self }
    }

    /// The file of a step.
    pub fn at(&self, step: u64) -> PathBuf {
        let (mut name, extension) = self.parts();
        name.push(number(step));
        name.push(extension);
        self.path.with_file_name(name)
    }

    /// The file of the latest step, if there is one.
    ///
    /// # Errors
    /// The folder cannot be read, or the path is that of a folder.
    pub fn latest(&self) -> Result<Option<PathBuf>, Error> {
        Ok(self.files()?.pop().map(|(_, path)| path))
    }

    /// Writes a checkpoint as the file of a step, and removes the files that are not to be kept. One that cannot be removed stays, which is
    /// no error: the next save tries again.
    ///
    /// # Errors
    /// The file cannot be written, or the path is that of a folder.
    pub fn save<T: Float>(&self, checkpoint: &Checkpoint<'_, T>, step: u64) -> Result<(), Error> {
        self.check()?;
        checkpoint.save(self.at(step))?;
        self.prune(step);
        Ok(())
    }

    /// Makes sure that the path has a name to put numbers into.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let text = self.path.as_os_str().as_encoded_bytes();
        let is_folder = self.path.file_name().is_none() || text.last().is_some_and(|&byte| is_separator(byte.into()));
        if !is_folder {
            return Ok(());
        }
        let example = self.path.join("run.safetensors");
        let why = format!("have the path of a folder, {:?}, and need that of a file, such as {example:?}", self.path);
        Err(Error::Invalid { what: "numbered files", why })
    }

    /// Removes the files that are not to be kept beside that of this step; says which cannot be removed.
    pub(crate) fn prune(&self, step: u64) -> Vec<String> {
        let mut others = self.files().unwrap_or_default();
        others.retain(|(of, _)| *of != step);
        others.truncate(others.len().saturating_sub(self.keep - 1));
        others.iter().filter_map(|(_, path)| remove(path)).collect()
    }

    /// Removes the files of all other steps: those of a training that was begun anew; says which cannot be removed.
    pub(crate) fn keep_only(&self, step: u64) -> Vec<String> {
        let files = self.files().unwrap_or_default();
        files.iter().filter(|(of, _)| *of != step).filter_map(|(_, path)| remove(path)).collect()
    }

    /// What stands before the number, and after it.
    fn parts(&self) -> (OsString, OsString) {
        let mut before = self.path.file_stem().unwrap_or_default().to_owned();
        before.push("-");
        let mut after = OsString::new();
        if let Some(extension) = self.path.extension() {
            after.push(".");
            after.push(extension);
        }
        (before, after)
    }

    /// The files that there are, by rising step.
    pub(crate) fn files(&self) -> Result<Vec<(u64, PathBuf)>, Error> {
        self.check()?;
        let (before, after) = self.parts();
        let step = |name: &OsStr| {
            let rest = name.as_encoded_bytes().strip_prefix(before.as_encoded_bytes())?;
            let digits = std::str::from_utf8(rest.strip_suffix(after.as_encoded_bytes())?).ok()?;
            // Only as it would be written: `run-2024` is somebody else's.
            digits.parse().ok().filter(|&step| number(step) == digits)
        };
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let unread = |error: std::io::Error| {
            let why = format!("are in the folder {}, which cannot be read: {error}", folder.display());
            Error::Invalid { what: "numbered files", why }
        };
        let entries = match fs::read_dir(folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(unread)?,
        };
        let mut files = Vec::new();
        for entry in entries {
            let entry = entry.map_err(unread)?;
            if let Some(step) = step(&entry.file_name())
                && fs::metadata(entry.path()).is_ok_and(|metadata| metadata.is_file())
            {
                files.push((step, entry.path()));
            }
        }
        files.sort();
        Ok(files)
    }
}

/// The number of a step in a name.
fn number(step: u64) -> String {
    format!("{step:08}")
}

/// Why a file cannot be removed, if it is still there.
fn remove(path: &Path) -> Option<String> {
    match fs::remove_file(path) {
        // Another writer has been faster.
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Some(format!("{} cannot be removed: {error}", path.display()))
        }
        _ => None,
    }
}
