//! Opening files, and replacing them whole.

use std::fs::{self, File};
use std::io::{BufWriter, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::bytes::Source;
use super::error::Error;

/// Opens a file for reading; its length is known unless it is a pipe or the like.
pub(super) fn open(path: &Path) -> Result<Source<File>, Error> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    Ok(Source::new(file, metadata.is_file().then_some(metadata.len())))
}

/// Gives `path` the contents that `write` writes, or leaves it as it was.
///
/// They go to another file in the same folder, which is renamed once they are on disk. A file that is replaced hands on
/// its permissions; a symbolic link stays one, even if what it leads to is still to be made. Once this returns, the file is there
/// after a crash of the system too.
pub(super) fn replace(path: &Path, write: impl FnOnce(&mut BufWriter<File>) -> Result<(), Error>) -> Result<(), Error> {
    let target = followed(path)?;
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let (temporary, file) = Temporary::create(folder)?;
    let mut out = BufWriter::new(file);
    write(&mut out)?;
    let file = out.into_inner().map_err(|error| error.into_error())?;
    if let Ok(old) = fs::metadata(&target) {
        file.set_permissions(old.permissions())?;
    }
    file.sync_all()?;
    // Some systems do not rename what is open.
    drop(file);
    fs::rename(&temporary.0, &target)?;
    // The new name is an entry of the folder, and must be on disk as well. Elsewhere, folders cannot be opened.
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    Ok(())
}

/// Where a chain of symbolic links ends, which need not exist.
fn followed(path: &Path) -> Result<PathBuf, Error> {
    /// As many as Linux follows.
    const MOST: usize = 40;
    let mut path = path.to_owned();
    for _ in 0..=MOST {
        if !fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_symlink()) {
            return Ok(path);
        }
        let target = fs::read_link(&path)?;
        // A relative one begins where the link is; an absolute one replaces the path.
        path = path.parent().unwrap_or(Path::new("")).join(target);
    }
    Err(Error::refused("too many symbolic links, or a circle of them"))
}

/// A file that is removed again; once it has been renamed, there is nothing left to remove.
struct Temporary(PathBuf);

impl Temporary {
    fn create(folder: &Path) -> Result<(Self, File), Error> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        loop {
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let path = folder.join(format!(".evenkeel-{}-{count}.tmp", std::process::id()));
            match File::create_new(&path) {
                Ok(file) => return Ok((Temporary(path), file)),
                // Left behind by an earlier process of the same number.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => (),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}
