//! Checkpoints of one training under numbered names.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

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
/// # let folder = std::env::temp_dir().join(format!("evenkeel-numbered-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder).unwrap();
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
    /// The files whose names are that of `path` with a number before its extension. All are kept.
    pub fn new(path: impl AsRef<Path>) -> Self {
        Numbered { path: path.as_ref().to_owned(), keep: usize::MAX }
    }

    /// The same, of which the last so many are kept, at least one: older ones are removed once a newer is on disk.
    #[must_use]
    pub fn keep(self, files: usize) -> Self {
        Numbered { keep: files.max(1), ..self }
    }

    /// The file of a step.
    pub fn at(&self, step: u64) -> PathBuf {
        let (stem, extension) = self.parts();
        self.path.with_file_name(format!("{stem}-{step:08}{extension}"))
    }

    /// The file of the latest step, if there is one.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn latest(&self) -> Result<Option<PathBuf>, Error> {
        Ok(self.files()?.pop().map(|(_, path)| path))
    }

    /// Writes a checkpoint as the file of a step, and removes the files that are not to be kept.
    ///
    /// # Errors
    /// The file cannot be written, or an old one not be removed.
    pub fn save<T: Float>(&self, checkpoint: &Checkpoint<'_, T>, step: u64) -> Result<(), Error> {
        checkpoint.save(self.at(step))?;
        self.prune()
    }

    pub(crate) fn prune(&self) -> Result<(), Error> {
        let files = self.files()?;
        let old = files.len().saturating_sub(self.keep);
        files[..old].iter().try_for_each(|(_, path)| remove(path))
    }

    /// Removes the files of all other steps: those of a training that was begun anew.
    pub(crate) fn keep_only(&self, step: u64) -> Result<(), Error> {
        self.files()?.iter().filter(|(of, _)| *of != step).try_for_each(|(_, path)| remove(path))
    }

    fn parts(&self) -> (String, String) {
        let text = |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
        let extension = self.path.extension().map(|extension| format!(".{}", extension.to_string_lossy()));
        (text(self.path.file_stem()), extension.unwrap_or_default())
    }

    /// The files that there are, by rising step.
    fn files(&self) -> Result<Vec<(u64, PathBuf)>, Error> {
        let (stem, extension) = self.parts();
        let step = |name: &str| {
            let digits = name.strip_prefix(&*stem)?.strip_prefix('-')?.strip_suffix(&*extension)?;
            digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse::<u64>().ok())?
        };
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let entries = match fs::read_dir(folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(refused)?,
        };
        let mut files = Vec::new();
        for entry in entries {
            let entry = entry.map_err(refused)?;
            if let Some(step) = step(&entry.file_name().to_string_lossy()) {
                files.push((step, entry.path()));
            }
        }
        files.sort();
        Ok(files)
    }
}

fn remove(path: &Path) -> Result<(), Error> {
    fs::remove_file(path).map_err(refused)
}

fn refused(error: std::io::Error) -> Error {
    tensor::io::Error::from(error).into()
}
