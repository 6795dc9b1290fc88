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
/// after a crash of the system too. What a process that was killed has left of earlier writes of this path is removed.
pub(super) fn replace(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<&File>) -> Result<(), Error>,
) -> Result<(), Error> {
    let target = followed(path)?;
    if target.is_dir() {
        return Err(std::io::Error::from(ErrorKind::IsADirectory).into());
    }
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let prefix = Temporary::prefix(&target);
    Temporary::sweep(folder, &prefix);
    let mut temporary = Temporary::create(folder, &prefix)?;
    let mut out = BufWriter::new(&temporary.file);
    write(&mut out)?;
    out.into_inner().map_err(|error| error.into_error())?;
    if let Ok(old) = fs::metadata(&target) {
        temporary.file.set_permissions(old.permissions())?;
    }
    temporary.file.sync_all()?;
    fs::rename(&temporary.path, &target)?;
    temporary.is_left = false;
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

/// A file that is removed again, unless it has been renamed. It is locked while it is written: the system lets go of the
/// lock of a process that was killed, whose files can so be told from those of others.
struct Temporary {
    path: PathBuf,
    file: File,
    /// Whether it is still there to be removed. By its name, another machine's of the same folder could be meant later.
    is_left: bool,
}

impl Temporary {
    /// How the names of a target's temporary files begin.
    fn prefix(target: &Path) -> String {
        /// Bytes of the target's name: a name may have 255, and a process and a count are still to come.
        const MOST: usize = 200;
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        let end = (0..=MOST.min(name.len())).rev().find(|&end| name.is_char_boundary(end)).unwrap_or(0);
        format!(".{}.tmp-", &name[..end])
    }

    /// Removes what is left of writes that have ended. What cannot be removed, or locked, is in nobody's way.
    fn sweep(folder: &Path, prefix: &str) {
        let Ok(entries) = fs::read_dir(folder) else { return };
        for entry in entries.flatten() {
            if Temporary::is_named(&entry.file_name().to_string_lossy(), prefix)
                && let Ok(file) = File::open(entry.path())
                && file.try_lock().is_ok()
            {
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    /// Whether a name is one that `create` gives: the prefix, the process, and a count.
    fn is_named(name: &str, prefix: &str) -> bool {
        let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let numbers = name.strip_prefix(prefix).and_then(|rest| rest.split_once('-'));
        numbers.is_some_and(|(process, count)| number(process) && number(count))
    }

    fn create(folder: &Path, prefix: &str) -> Result<Self, Error> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        loop {
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let path = folder.join(format!("{prefix}{}-{count}", std::process::id()));
            match File::create_new(&path) {
                Ok(file) => {
                    // Where the system has no locks, nobody sweeps either.
                    let _ = file.lock();
                    // Another's sweep may have come between.
                    if path.exists() {
                        return Ok(Temporary { path, file, is_left: true });
                    }
                }
                // Left behind by an earlier process of the same number.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => (),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if self.is_left {
            let _ = fs::remove_file(&self.path);
        }
    }
}
