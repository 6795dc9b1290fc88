//! Files are replaced whole or not at all.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use tensor::io::Reason;
use tensor::{Tensor, npy};

use crate::folder;

#[track_caller]
fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_write_that_fails_leaves_the_old_file_and_nothing_else() {
    let folder = folder("a_write_that_fails");
    let path = folder.join("x.npz");
    let x = Tensor::from([1.0_f32, 2.0]);
    npy::write_npz(&path, [("x", &x)]).unwrap();
    let old = fs::read(&path).unwrap();

    // The first array has been written when the second is refused.
    let error = npy::write_npz(&path, [("y", &x), ("y", &x)]).unwrap_err();
    assert_eq!(error.to_string(), format!("{}: y: a second tensor of this name", path.display()));
    assert_eq!((fs::read(&path).unwrap(), names_in(&folder)), (old.clone(), vec!["x.npz".to_owned()]));

    // The same when the program, not the writing, gives up.
    let unwinding = std::panic::AssertUnwindSafe(|| {
        npy::write_npz(&path, (0..3).map(|i| if i < 2 { (i.to_string(), &x) } else { panic!("no third") }))
    });
    assert!(std::panic::catch_unwind(unwinding).is_err());
    assert_eq!((fs::read(&path).unwrap(), names_in(&folder)), (old, vec!["x.npz".to_owned()]));
}

#[test]
fn a_path_that_cannot_be_written_is_named() {
    let folder = folder("a_path_that_cannot_be_written");
    let x = Tensor::from([1_u8]);
    fs::create_dir(folder.join("folder")).unwrap();
    for path in [folder.join("missing").join("x.npy"), folder.join("folder"), folder.join("folder").join("..")] {
        let error = npy::write(&path, &x).unwrap_err();
        assert!(error.to_string().starts_with(&format!("{}: ", path.display())), "{error}");
        assert!(matches!(error.reason(), Reason::Io(_)) && error.path() == Some(&path), "{error:?}");
    }
    assert_eq!(names_in(&folder), ["folder"]);
    assert!(names_in(&folder.join("folder")).is_empty());
}

#[test]
fn a_writer_that_is_full_is_an_error_at_whatever_byte() {
    /// Takes some bytes and no more.
    struct Full(usize);

    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            match bytes.len().min(self.0) {
                0 => Err(io::ErrorKind::StorageFull.into()),
                taken => {
                    self.0 -= taken;
                    Ok(taken)
                }
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let (x, none) = (Tensor::from([1.0_f32, 2.0]), Default::default());
    type Format<'a> = &'a dyn Fn(&mut dyn io::Write) -> Result<(), tensor::io::Error>;
    let safetensors = |out: &mut dyn Write| tensor::safetensors::write_to(out, [("x", &x)], &none);
    let formats: [Format<'_>; 3] =
        [&|out| npy::write_to(out, &x), &|out| npy::write_npz_to(out, [("x", &x)]), &safetensors];
    for write in formats {
        let mut whole = Vec::new();
        write(&mut whole).unwrap();
        for len in 0..whole.len() {
            let error = write(&mut Full(len)).unwrap_err();
            let full = matches!(error.reason(), Reason::Io(error) if error.kind() == io::ErrorKind::StorageFull);
            assert!(full, "{error}");
        }
        assert!(write(&mut Full(whole.len())).is_ok());
    }
}

#[cfg(unix)]
#[test]
fn a_file_that_is_replaced_hands_on_its_permissions_and_a_link_stays_a_link() {
    use std::os::unix::fs::{PermissionsExt, symlink};

    let folder = folder("a_file_that_is_replaced");
    let (path, link) = (folder.join("x.npy"), folder.join("link.npy"));
    npy::write(&path, Tensor::from([1_u8])).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    symlink("x.npy", &link).unwrap();
    npy::write(&link, Tensor::from([2_u8])).unwrap();
    assert_eq!(npy::read::<u8>(&path).unwrap(), Tensor::from([2]));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(names_in(&folder), ["link.npy", "x.npy"]);
}

#[cfg(unix)]
#[test]
fn a_link_to_what_is_still_to_be_made_stays_a_link() {
    use std::os::unix::fs::symlink;

    let folder = folder("a_link_to_what_is_still");
    fs::create_dir_all(folder.join("real")).unwrap();
    // A chain, relative to the folder of each link; and one that is absolute.
    symlink("real/second.npy", folder.join("first.npy")).unwrap();
    symlink("x.npy", folder.join("real/second.npy")).unwrap();
    symlink(folder.join("real/y.npy"), folder.join("absolute.npy")).unwrap();
    npy::write(folder.join("first.npy"), Tensor::from([1_u8])).unwrap();
    npy::write(folder.join("absolute.npy"), Tensor::from([2_u8])).unwrap();
    assert_eq!(npy::read::<u8>(folder.join("real/x.npy")).unwrap(), Tensor::from([1]));
    assert_eq!(npy::read::<u8>(folder.join("real/y.npy")).unwrap(), Tensor::from([2]));
    for link in ["first.npy", "real/second.npy", "absolute.npy"] {
        assert!(fs::symlink_metadata(folder.join(link)).unwrap().is_symlink(), "{link}");
    }
    // One into a folder that is not there, and one that leads to itself.
    symlink("nowhere/x.npy", folder.join("nowhere.npy")).unwrap();
    symlink("circle.npy", folder.join("circle.npy")).unwrap();
    for link in ["nowhere.npy", "circle.npy"] {
        assert!(npy::write(folder.join(link), Tensor::from([3_u8])).is_err(), "{link}");
        assert!(fs::symlink_metadata(folder.join(link)).unwrap().is_symlink(), "{link}");
    }
}

#[test]
fn what_a_killed_process_has_left_is_removed_and_what_others_write_is_not() {
    let folder = folder("what_a_killed_process_has_left");
    let path = folder.join("x.npy");
    let others = [".x.npy.tmp-backup", ".x.npy.tmp-1-", ".y.npy.tmp-1-0", "x.npy.tmp-1-0"];
    for name in [".x.npy.tmp-1-0", ".x.npy.tmp-4000000000-17"].iter().chain(&others) {
        fs::write(folder.join(name), "half").unwrap();
    }
    // Another process is about to write this one.
    let held = fs::File::create(folder.join(".x.npy.tmp-2-0")).unwrap();
    held.lock().unwrap();
    npy::write(&path, Tensor::from([1_u8])).unwrap();
    let mut want: Vec<&str> = others.iter().copied().chain([".x.npy.tmp-2-0", "x.npy"]).collect();
    want.sort_unstable();
    assert_eq!(names_in(&folder), want);
    drop(held);
    npy::write(&path, Tensor::from([2_u8])).unwrap();
    assert!(!folder.join(".x.npy.tmp-2-0").exists());
}

#[test]
fn threads_that_write_one_path_do_not_disturb_each_other() {
    let folder = folder("threads_that_write_one_path");
    let path = folder.join("x.npy");
    std::thread::scope(|scope| {
        for i in 0..4_u8 {
            let path = &path;
            scope.spawn(move || (0..50).for_each(|_| npy::write(path, Tensor::full([1000], i)).unwrap()));
        }
    });
    let x = npy::read::<u8>(&path).unwrap();
    assert!(x.numel() == 1000 && x.iter().all(|value| Some(value) == x.get(&[0])));
    assert_eq!(names_in(&folder), ["x.npy"]);
}

#[test]
fn a_name_may_be_as_long_as_the_system_takes() {
    let folder = folder("a_name_may_be_as_long");
    for name in ["x".repeat(251), "ü".repeat(125)] {
        let path = folder.join(name + ".npy");
        npy::write(&path, Tensor::from([1_u8])).unwrap();
        assert_eq!(npy::read::<u8>(&path).unwrap(), Tensor::from([1]));
    }
    assert_eq!(names_in(&folder).len(), 2);
}
