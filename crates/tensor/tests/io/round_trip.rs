//! What is written comes back the same.

use std::collections::BTreeMap;

use tensor::io::AnyTensor;
use tensor::{Tensor, npy, safetensors};

use crate::{DTYPES, folder, numbers};

/// Tensors of all types, as they are and as views.
fn varied() -> BTreeMap<String, AnyTensor> {
    let mut named = BTreeMap::new();
    for dtype in DTYPES {
        for dims in [&[][..], &[1], &[7], &[0], &[3, 0, 2], &[2, 3], &[2, 3, 4], &[1, 2, 1, 2, 1, 2, 1, 2]] {
            named.insert(format!("{dtype} {dims:?}"), numbers(dtype, dims));
        }
    }
    let x = numbers("float32", &[2, 3, 4]);
    let x: &Tensor<f32> = x.get().unwrap();
    named.insert("transposed".into(), x.transpose(0, 2).into());
    named.insert("sliced".into(), x.slice_step(2, 1.., 2).into());
    named.insert("selected".into(), x.select(1, 2).into());
    named.insert("expanded".into(), x.narrow(0, 1, 1).expand([5, 3, 4]).into());
    named.insert("empty view".into(), x.narrow(1, 3, 0).into());
    // Several runs of bytes, and one that is not full.
    named.insert("long".into(), Tensor::<f64>::arange(100_001).into());
    named.insert("long columns".into(), Tensor::<i32>::arange(100_000).reshape([250, 400]).t().into());
    named
}

#[test]
fn npy() {
    let path = folder("npy").join("x.npy");
    for (name, x) in varied() {
        npy::write(&path, &x).unwrap();
        assert_eq!(npy::read_any(&path).unwrap(), x, "{name}");
        let mut bytes = Vec::new();
        npy::write_to(&mut bytes, &x).unwrap();
        assert_eq!(npy::read_from(&bytes[..]).unwrap(), x, "{name}");
        // The elements are aligned, as NumPy wants it.
        assert_eq!((bytes.len() - x.shape().numel() * size(&x)) % 64, 0, "{name}");
    }
}

fn size(x: &AnyTensor) -> usize {
    match x.dtype() {
        "f64" | "i64" => 8,
        "f32" | "i32" => 4,
        _ => 1,
    }
}

#[test]
fn npz() {
    let path = folder("npz").join("x.npz");
    let named = varied();
    npy::write_npz(&path, &named).unwrap();
    assert_eq!(npy::read_npz(&path).unwrap(), named);
    let nothing = BTreeMap::<String, AnyTensor>::new();
    npy::write_npz(&path, &nothing).unwrap();
    assert_eq!(npy::read_npz(&path).unwrap(), nothing);
}

#[test]
fn names_in_an_archive_stay_as_they_are_or_are_refused() {
    let x = Tensor::from([1_u8]);
    for name in ["", "a", "a/b.c", "/a", "../a", "a\\b", "c:\\a", "a//b", ".", "a.npy", "κ", "ä/é", &"n".repeat(65_531)]
    {
        let mut bytes = Vec::new();
        npy::write_npz_to(&mut bytes, [(name, &x)]).unwrap();
        assert!(npy::read_npz_from(std::io::Cursor::new(bytes)).unwrap().keys().eq([name]), "{name}");
    }
    for name in ["a\0b", "/ä", "../ä", "ä\\b", "ä//b", &"n".repeat(65_532)] {
        let error = npy::write_npz_to(Vec::new(), [(name, &x)]).unwrap_err();
        assert_eq!(error.name(), Some(name));
    }
    let error = npy::write_npz_to(Vec::new(), [("a", &x), ("a", &x)]).unwrap_err();
    assert_eq!(error.to_string(), "a: a second tensor of this name");
}

#[test]
fn a_rank_that_numpy_does_not_take_is_refused() {
    let most = numbers("uint8", &[1; 64]);
    let mut bytes = Vec::new();
    npy::write_to(&mut bytes, &most).unwrap();
    assert_eq!(npy::read_from(&bytes[..]).unwrap(), most);
    let error = npy::write_to(Vec::new(), numbers("uint8", &[1; 65])).unwrap_err();
    assert_eq!(error.to_string(), "65 axes; NumPy takes at most 64");
}

#[test]
fn safetensors() {
    let path = folder("safetensors").join("x.safetensors");
    let metadata: BTreeMap<String, String> =
        [("a", "1"), ("b", ""), ("κ", "\"\\\n")].map(|(key, text)| (key.to_owned(), text.to_owned())).into();
    let mut tensors = varied();
    tensors.insert("\"quoted\"\n\0κ".into(), numbers("bool", &[3]));
    safetensors::write(&path, &tensors, &metadata).unwrap();
    let contents = safetensors::read(&path).unwrap();
    assert_eq!(contents, safetensors::Contents { tensors: tensors.clone(), metadata: metadata.clone() });

    // The same bytes whatever order they are given in.
    let mut bytes = Vec::new();
    safetensors::write_to(&mut bytes, tensors.iter().rev(), &metadata).unwrap();
    assert!(bytes == std::fs::read(&path).unwrap());
    assert_eq!(safetensors::read_from(&bytes[..]).unwrap(), contents);
}

#[test]
fn names_that_safetensors_cannot_hold_are_refused() {
    let (x, none) = (Tensor::from([1_u8]), BTreeMap::new());
    let error = safetensors::write_to(Vec::new(), [("__metadata__", &x)], &none).unwrap_err();
    assert_eq!(error.to_string(), "__metadata__: the format needs this name for itself");
    let error = safetensors::write_to(Vec::new(), [("a", &x), ("b", &x), ("a", &x)], &none).unwrap_err();
    assert_eq!(error.to_string(), "a: a second tensor of this name");
}
