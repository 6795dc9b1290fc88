//! Tensors in files: what other programs wrote, what comes back, and what is broken.

mod broken;
mod golden;
mod meter;
mod places;
mod replace;
mod round_trip;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use tensor::io::{AnyTensor, Error};
use tensor::{Tensor, npy, safetensors};

/// A file that Python made.
fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/io/golden").join(name)
}

/// A folder for one test, which is empty at the start.
fn folder(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// The tensors of a file of any format, by name; the only one of a `.npy` file has none.
fn read(path: &Path) -> Result<BTreeMap<String, AnyTensor>, Error> {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("npy") => npy::read_any(path).map(|x| BTreeMap::from([(String::new(), x)])),
        Some("npz") => npy::read_npz(path),
        _ => safetensors::read(path).map(|contents| contents.tensors),
    }
}

/// The same from memory.
fn read_bytes(format: &str, bytes: &[u8]) -> Result<BTreeMap<String, AnyTensor>, Error> {
    match format {
        "npy" => npy::read_from(bytes).map(|x| BTreeMap::from([(String::new(), x)])),
        "npz" => npy::read_npz_from(std::io::Cursor::new(bytes)),
        _ => safetensors::read_from(bytes).map(|contents| contents.tensors),
    }
}

/// −2.5, −1.5, … in row-major order; integers without the half, bytes from 0, truth in turns: as in `make.py`.
fn numbers(dtype: &str, dims: &[usize]) -> AnyTensor {
    let count = Tensor::<i64>::arange(dims.iter().product());
    match dtype {
        "float32" => count.iter().map(|i| i as f32 - 2.5).collect::<Tensor<_>>().reshape(dims).into(),
        "float64" => count.iter().map(|i| i as f64 - 2.5).collect::<Tensor<_>>().reshape(dims).into(),
        "int32" => count.iter().map(|i| i as i32 - 2).collect::<Tensor<_>>().reshape(dims).into(),
        "int64" => count.iter().map(|i| i - 2).collect::<Tensor<_>>().reshape(dims).into(),
        "uint8" => count.iter().map(|i| i as u8).collect::<Tensor<_>>().reshape(dims).into(),
        "bool" => count.iter().map(|i| i % 2 == 1).collect::<Tensor<_>>().reshape(dims).into(),
        _ => panic!("{dtype}"),
    }
}

const DTYPES: [&str; 6] = ["float32", "float64", "int32", "int64", "uint8", "bool"];
