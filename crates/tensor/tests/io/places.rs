//! Places to write to that are no plain files, or that misbehave.

#![cfg(unix)]

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tensor::io::Error;
use tensor::{Tensor, npy, safetensors};

use crate::folder;

type Writer = fn(&Path) -> Result<(), Error>;

/// What writes a file, one for each format.
const WRITERS: [(&str, Writer); 4] = [
    ("npy", |path| npy::write(path, Tensor::from([1.0_f32, 2.0]))),
    ("npz", |path| npy::write_npz(path, [("x", &Tensor::from([1.0_f32, 2.0]))])),
    ("safetensors", |path| safetensors::write(path, [("x", &Tensor::from([1.0_f32, 2.0]))], &BTreeMap::new())),
    ("safetensors with a checksum", |path| {
        safetensors::write_with_checksum(path, [("x", &Tensor::from([1.0_f32, 2.0]))], &BTreeMap::new(), "sum")
    }),
];

fn run(program: &str, args: &[&Path]) -> bool {
    let mut command = Command::new(program);
    command.args(args).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

#[test]
fn what_is_no_file_is_written_to_or_refused_and_stays_what_it_is() {
    for (format, write) in WRITERS {
        let folder = folder(&format!("no_file_{format}"));
        let whole = folder.join("whole");
        write(&whole).unwrap();
        let whole = fs::read(whole).unwrap();

        // A device: the contents are gone, and it is still one.
        write(Path::new("/dev/null")).unwrap();
        assert!(fs::metadata("/dev/null").unwrap().file_type().is_char_device());
        let link = folder.join("link-to-null");
        symlink("/dev/null", &link).unwrap();
        write(&link).unwrap();
        assert!(fs::metadata("/dev/null").unwrap().file_type().is_char_device());

        // A pipe, and one by way of a link.
        let (pipe, link) = (folder.join("pipe"), folder.join("link-to-pipe"));
        symlink("pipe", &link).unwrap();
        assert!(run("mkfifo", &[&pipe]));
        for path in [&pipe, &link] {
            let reader = std::thread::spawn({
                let pipe = pipe.clone();
                move || {
                    let mut bytes = Vec::new();
                    fs::File::open(pipe).unwrap().read_to_end(&mut bytes).unwrap();
                    bytes
                }
            });
            write(path).unwrap();
            assert!(reader.join().unwrap() == whole, "{format}");
            assert!(fs::symlink_metadata(&pipe).unwrap().file_type().is_fifo());
        }

        // A socket, and a folder, cannot be written to.
        let socket = folder.join("socket");
        let _listener = UnixListener::bind(&socket).unwrap();
        fs::create_dir(folder.join("folder")).unwrap();
        symlink("socket", folder.join("link-to-socket")).unwrap();
        for name in ["socket", "folder", "link-to-socket"] {
            let path = folder.join(name);
            let error = write(&path).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{}: ", path.display())), "{error}");
        }
        assert!(fs::symlink_metadata(&socket).unwrap().file_type().is_socket());

        // A file that must not be written, even by root.
        let (fixed, link) = (folder.join("fixed"), folder.join("link-to-fixed"));
        fs::write(&fixed, "fixed").unwrap();
        fs::set_permissions(&fixed, fs::Permissions::from_mode(0o444)).unwrap();
        symlink("fixed", &link).unwrap();
        for path in [&fixed, &link] {
            let error = write(path).unwrap_err().to_string();
            assert!(error.ends_with("the file is read-only; make it writable, or choose another path"), "{error}");
            assert_eq!(fs::read(&fixed).unwrap(), b"fixed");
        }
        let mut names: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        names.retain(|path| path.file_name().unwrap().to_string_lossy().starts_with('.'));
        assert!(names.is_empty(), "{names:?}");
    }
}

#[test]
fn what_is_written_in_a_private_files_stead_is_private_from_the_start() {
    let folder = folder("private");
    let path = folder.join("x");
    fs::write(&path, "old").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    tensor::replace_file(&path, |_| {
        let temporary = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).find(|other| *other != path);
        assert_eq!(mode(&temporary.expect("it is there")), 0o600);
        std::io::Result::Ok(())
    })
    .unwrap();
    assert_eq!(mode(&path), 0o600);
}

/// What stands between this program and the system: calls that fail as they do on some file systems. `FAULT` names the call and the number of
/// the error.
const SHIM: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int fails(const char *call) {
    const char *fault = getenv("FAULT");
    size_t n = strlen(call);
    if (!fault || strncmp(fault, call, n) || fault[n] != ':') return 0;
    errno = atoi(fault + n + 1);
    return 1;
}

int fsync(int fd) {
    struct stat s;
    int folder = !fstat(fd, &s) && S_ISDIR(s.st_mode);
    if (fails(folder ? "fsync-folder" : "fsync-file")) return -1;
    return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(fd);
}

int fchmod(int fd, mode_t mode) {
    if (fails("fchmod")) return -1;
    return ((int (*)(int, mode_t))dlsym(RTLD_NEXT, "fchmod"))(fd, mode);
}

int fchown(int fd, uid_t user, gid_t group) {
    if (fails("fchown")) return -1;
    return ((int (*)(int, uid_t, gid_t))dlsym(RTLD_NEXT, "fchown"))(fd, user, group);
}

int flock(int fd, int how) {
    if (fails("flock")) return -1;
    return ((int (*)(int, int))dlsym(RTLD_NEXT, "flock"))(fd, how);
}

int rename(const char *from, const char *to) {
    if (fails("rename")) return -1;
    return ((int (*)(const char *, const char *))dlsym(RTLD_NEXT, "rename"))(from, to);
}
"#;

/// Where the process below writes.
const WRITES_TO: &str = "EVENKEEL_WRITES_TO";

#[test]
#[ignore = "it is the process that the next test lets fail"]
fn writes_twice() {
    let path = PathBuf::from(std::env::var_os(WRITES_TO).expect("the other test says where"));
    for (number, (_, write)) in WRITERS.iter().enumerate() {
        let path = path.join(number.to_string());
        write(&path).and_then(|()| write(&path)).unwrap_or_else(|error| panic!("{error}"));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn on_a_file_system_that_lacks_a_call_what_is_written_is_ok_and_what_fails_is_said() {
    let folder = folder("misbehaves");
    let (source, shim) = (folder.join("shim.c"), folder.join("shim.so"));
    fs::write(&source, SHIM).unwrap();
    let build = [Path::new("-shared"), Path::new("-fPIC"), Path::new("-o"), &shim, &source, Path::new("-ldl")];
    if !run("cc", &build) {
        eprintln!("passed over: no C compiler makes what would stand between");
        return;
    }
    let [not_permitted, failed, full, invalid, no_call, not_supported] = [1, 5, 28, 22, 38, 95];
    let with = |fault: String| {
        let files = folder.join("files");
        let _ = fs::remove_dir_all(&files);
        fs::create_dir(&files).unwrap();
        let mut own = Command::new(std::env::current_exe().unwrap());
        own.args(["--ignored", "--exact", "places::writes_twice"]).env(WRITES_TO, &files).env("FAULT", &fault);
        let output = own.env("LD_PRELOAD", &shim).output().unwrap();
        let left = fs::read_dir(&files).unwrap().count();
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        (output.status.success(), left, said)
    };
    assert!(with("nothing:0".into()).0);
    // Mounts that have no permissions, no locks, or cannot bring a folder to disk.
    let lacks = [
        ("fsync-folder", &[invalid, no_call, not_supported, not_permitted][..]),
        ("fsync-file", &[invalid, no_call, not_supported]),
        ("fchmod", &[not_permitted, no_call, not_supported, invalid]),
        ("fchown", &[not_permitted]),
        ("flock", &[no_call, not_supported]),
    ];
    for (call, errors) in lacks {
        for error in errors {
            let (fine, left, said) = with(format!("{call}:{error}"));
            assert!(fine && left == WRITERS.len(), "{call} {error}: {said}");
        }
    }
    // A disk that fails or is full: an error that names the file, and nothing is left beside it.
    for (call, error) in [
        ("fsync-file", failed),
        ("fsync-folder", failed),
        ("fsync-file", full),
        ("rename", not_permitted),
        ("rename", failed),
    ] {
        let (fine, left, said) = with(format!("{call}:{error}"));
        assert!(!fine && said.contains(&format!("{}: ", folder.join("files/0").display())), "{call} {error}: {said}");
        assert_eq!(left, usize::from(call == "fsync-folder"), "{call} {error}");
    }
}
