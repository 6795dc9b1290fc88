//! The format of the family's files: `.safetensors` that says what it holds, in which version, and its checksum.

use std::io::{self, Write};
use std::path::Path;

use tensor::safetensors::{self, Contents};

use crate::Error;

/// The version of the format that is written, and the last that is read.
const VERSION: u64 = 3;
/// The texts that say what a file is.
pub(super) const FORMAT: &str = "evenkeel";
const KIND: &str = "evenkeel.holds";
const CHECKSUM: &str = "evenkeel.checksum";

/// What a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileKind {
    /// A model, by the bare names of its parameters.
    Model,
    /// All of a training.
    Checkpoint,
}

pub(crate) fn write(path: &Path, mut contents: Contents, kind: FileKind) -> Result<(), Error> {
    let kind = if kind == FileKind::Model { "model" } else { "checkpoint" };
    contents.metadata.insert(FORMAT.into(), VERSION.to_string());
    contents.metadata.insert(KIND.into(), kind.into());
    Ok(safetensors::write_with_checksum(path, &contents.tensors, &contents.metadata, CHECKSUM)?)
}

/// Reads a file, and what it is for; one that another program wrote holds a model. The sum is right, where there is one.
pub(crate) fn read(path: &Path) -> Result<(Contents, FileKind), Error> {
    checked(path, safetensors::read(path)?)
}

/// What was read of a file, if it is one of ours and as it was written.
fn checked(path: &Path, mut contents: Contents) -> Result<(Contents, FileKind), Error> {
    let unfit = |why: String| Error::Unfit { path: path.to_owned(), differences: vec![why], remedy: None };
    let Some(version) = contents.metadata.get(FORMAT) else { return Ok((contents, FileKind::Model)) };
    let version = match version.parse::<u64>() {
        Ok(known @ 1..=VERSION) => known,
        Ok(newer) if newer > VERSION => {
            let why = format!("is of version {newer} of the format; this is for {VERSION}: take a newer Evenkeel");
            return Err(unfit(why));
        }
        _ => return Err(unfit(format!("says that it is of version {version:?} of the format, which is none"))),
    };
    let Some(said) = contents.metadata.remove(CHECKSUM) else { return Err(unfit("has lost its checksum".into())) };
    let found = match version {
        1 => checksum_1(&contents).map_err(|error| unfit(format!("is damaged: {error}")))?,
        _ => contents.checksum(CHECKSUM),
    };
    if said != found {
        let why = format!(
            "does not hold what was written: its checksum is {found}, where it says {said:?}; if it is damaged, take an earlier one; if \
             another program has changed it, let that leave out the texts that begin with {FORMAT:?}"
        );
        return Err(unfit(why));
    }
    match contents.metadata.get(KIND).map(String::as_str) {
        Some("model") => Ok((contents, FileKind::Model)),
        Some("checkpoint") => Ok((contents, FileKind::Checkpoint)),
        other => Err(unfit(format!("says that it holds {other:?}, which is neither a model nor a checkpoint"))),
    }
}

/// Reads a checkpoint.
pub(crate) fn read_checkpoint(path: &Path) -> Result<Contents, Error> {
    checkpoint_of(path, read(path)?)
}

/// What is in the bytes of a checkpoint, which another process has read at this path.
pub(crate) fn read_checkpoint_from(path: &Path, bytes: &[u8]) -> Result<Contents, Error> {
    checkpoint_of(path, checked(path, safetensors::read_from(bytes).map_err(|error| error.at(path))?)?)
}

fn checkpoint_of(path: &Path, read: (Contents, FileKind)) -> Result<Contents, Error> {
    match read {
        (contents, FileKind::Checkpoint) => Ok(contents),
        (_, FileKind::Model) => {
            let why = "is a model alone, which `nn::load` reads, and no checkpoint".to_owned();
            Err(Error::Unfit { path: path.to_owned(), differences: vec![why], remedy: None })
        }
    }
}

/// The checksum of version 1: the CRC-32 of the file as it would be written without it.
fn checksum_1(contents: &Contents) -> Result<String, Error> {
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
    safetensors::write_to(&mut crc, &contents.tensors, &contents.metadata)?;
    Ok(format!("{:08x}", crc.0.finalize()))
}
