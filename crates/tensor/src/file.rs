//! Replacing files whole.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Gives `path` the contents that `write` writes, or leaves it as it was.
///
/// They go to another file in the same folder, which is renamed once they are on disk. A file that is replaced hands on
/// its permissions, and what is written in its stead can be read by no one else meanwhile; a symbolic link stays one, even if what it leads
/// to is still to be made. Once this returns, the file is there after a crash of the system too, where the file system can promise that.
/// What a process that was killed has left of earlier writes of this path is removed.
///
/// Only files are replaced: into a pipe, a terminal or `/dev/null`, the contents are written as they come.
///
/// # Errors
/// `write` returns one; or the file cannot be written, or is read-only; or there is something that is neither a file nor can be written to,
/// such as a folder, a socket or a disk.
///
/// # Example
/// ```
/// use std::io::Write;
///
/// let path = std::env::temp_dir().join(format!("evenkeel-replace-{}.txt", std::process::id()));
/// for text in ["first", "second"] {
///     tensor::replace_file(&path, |out| out.write_all(text.as_bytes()))?;
/// }
/// assert_eq!(std::fs::read_to_string(&path)?, "second");
/// # std::fs::remove_file(&path)?;
/// # std::io::Result::Ok(())
/// ```
pub fn replace_file<E: From<io::Error>>(
    path: impl AsRef<Path>,
    write: impl FnOnce(&mut BufWriter<&File>) -> Result<(), E>,
) -> Result<(), E> {
    let path = path.as_ref();
    let old = match fs::metadata(path) {
        Ok(there) if there.is_file() => Some(there),
        Ok(there) => return write_to(&written_as_it_comes(path, &there)?, write),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(error.into()),
    };
    if old.as_ref().is_some_and(|old| old.permissions().readonly()) {
        let why = "the file is read-only; make it writable, or choose another path";
        return Err(io::Error::new(ErrorKind::PermissionDenied, why).into());
    }
    let target = followed(path)?;
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let prefix = Temporary::prefix(&target);
    Temporary::sweep(folder, &prefix);
    let mut temporary = Temporary::create(folder, &prefix, old.as_ref())?;
    write_to(&temporary.file, write)?;
    if let Some(old) = &old {
        hand_on(old, &temporary.file);
    }
    unless_it_cannot(temporary.file.sync_all())?;
    fs::rename(&temporary.path, &target)?;
    temporary.is_left = false;
    // The new name is an entry of the folder, and must be on disk as well. Not every folder can be opened, or brought to disk.
    #[cfg(unix)]
    if let Ok(folder) = File::open(folder) {
        unless_it_cannot(folder.sync_all())?;
    }
    Ok(())
}

fn write_to<E: From<io::Error>>(
    file: &File,
    write: impl FnOnce(&mut BufWriter<&File>) -> Result<(), E>,
) -> Result<(), E> {
    let mut out = BufWriter::new(file);
    write(&mut out)?;
    Ok(out.flush()?)
}

/// Opens what is not to be replaced, if it can be written to.
fn written_as_it_comes(path: &Path, there: &Metadata) -> io::Result<File> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        let kind = there.file_type();
        if kind.is_char_device() || kind.is_fifo() {
            return OpenOptions::new().write(true).open(path);
        }
    }
    if there.is_dir() {
        return Err(ErrorKind::IsADirectory.into());
    }
    Err(io::Error::new(ErrorKind::InvalidInput, "it is there, and is no file: neither replaced nor written to"))
}

/// Gives a file the permissions of the one that it replaces, and its owner. On some file systems all files have the same, and cannot be
/// given others: these it has already, or they are none that could be kept.
fn hand_on(old: &Metadata, to: &File) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt, fchown};
        let is_another = |new: Metadata| (new.uid(), new.gid()) != (old.uid(), old.gid());
        if to.metadata().is_ok_and(is_another) {
            // Root alone may.
            let _ = fchown(to, Some(old.uid()), Some(old.gid()));
        }
    }
    let _ = to.set_permissions(old.permissions());
}

/// Ignores that a file system has no such operation.
fn unless_it_cannot(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::InvalidInput | ErrorKind::Unsupported | ErrorKind::PermissionDenied
            ) =>
        {
            Ok(())
        }
        result => result,
    }
}

/// Where a chain of symbolic links ends, which need not exist.
fn followed(path: &Path) -> io::Result<PathBuf> {
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
    Err(io::Error::new(ErrorKind::InvalidInput, "too many symbolic links, or a circle of them"))
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

    /// Makes a file that at most those can read who can read the `old` one.
    fn create(folder: &Path, prefix: &str, old: Option<&Metadata>) -> io::Result<Self> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        loop {
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let path = folder.join(format!("{prefix}{}-{count}", std::process::id()));
            let mut options = OpenOptions::new();
            options.write(true).create_new(true);
            #[cfg(unix)]
            if let Some(old) = old {
                use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
                options.mode(old.mode() & 0o777);
            }
            match options.open(&path) {
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
                Err(error) => return Err(error),
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
