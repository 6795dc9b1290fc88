//! Named tensors in the format of Hugging Face: `.safetensors`. Feature `safetensors`.
//!
//! ```
//! use tensor::{Tensor, safetensors};
//!
//! let (w, b) = (Tensor::<f32>::ones([3, 2]), Tensor::from([0.5_f32, -0.5]));
//! let path = std::env::temp_dir().join(format!("evenkeel-{}.safetensors", std::process::id()));
//! let metadata = [("steps".to_owned(), "4000".to_owned())].into();
//! safetensors::write(&path, [("w", &w), ("b", &b)], &metadata)?;
//!
//! let file = safetensors::read(&path)?;
//! assert!(file.tensors.keys().eq(["b", "w"]));
//! assert_eq!(file.tensors["w"].get(), Some(&w));
//! assert_eq!(file.metadata["steps"], "4000");
//! # std::fs::remove_file(&path).unwrap();
//! # Ok::<(), tensor::io::Error>(())
//! ```
//!
//! Its `F32`, `F64`, `I32`, `I64`, `U8` and `BOOL` are read, and `F16` and `BF16` as f32; a tensor of another type is
//! [`AnyTensor::Other`], without its elements. Names are sorted: as text where they are read, and by
//! decreasing size of the elements and then as text in a file, which is how all writers of the format do it. The same
//! tensors give the same bytes.

mod checksum;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{Read, Write};
use std::path::Path;

use ::safetensors::Dtype as Stored;
use ::safetensors::tensor::{Metadata, TensorInfo};
pub use checksum::write_with_checksum;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::any::AnyTensor;
use super::bytes::{Encoded, Source, dtype, write_elements};
use super::error::Error;
use super::foreign;
use crate::file::replace_file;
use crate::kernel::Dtype;
use crate::shape::Shape;

/// The format's own limit.
const LONGEST_HEADER: u64 = 100_000_000;
/// The elements begin at a multiple of this.
const ALIGNMENT: usize = 8;
/// Where a header keeps what is not a tensor.
const METADATA: &str = "__metadata__";

/// What a `.safetensors` file holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Contents {
    /// The tensors by name.
    pub tensors: BTreeMap<String, AnyTensor>,
    /// Whatever else the writer wanted to be known.
    pub metadata: BTreeMap<String, String>,
}

/// The tensors and the metadata in a `.safetensors` file.
///
/// # Errors
/// The file cannot be read, is broken, has two tensors of one name, or is more than the system has memory for.
///
/// # Example
/// See the [module](self).
pub fn read(path: impl AsRef<Path>) -> Result<Contents, Error> {
    let path = path.as_ref();
    Source::open(path).and_then(contents).map_err(|error| error.at(path))
}

/// The metadata in a `.safetensors` file, without its tensors.
///
/// # Errors
/// As for [`read`], as far as the header goes.
///
/// # Example
/// ```
/// use tensor::{Tensor, safetensors};
///
/// let path = std::env::temp_dir().join(format!("evenkeel-metadata-{}.safetensors", std::process::id()));
/// let metadata = [("steps".to_owned(), "4000".to_owned())].into();
/// safetensors::write(&path, [("w", Tensor::<f32>::ones([3, 2]))], &metadata)?;
/// assert_eq!(safetensors::read_metadata(&path)?, metadata);
/// # std::fs::remove_file(&path).unwrap();
/// # Ok::<(), tensor::io::Error>(())
/// ```
pub fn read_metadata(path: impl AsRef<Path>) -> Result<BTreeMap<String, String>, Error> {
    let path = path.as_ref();
    let header = Source::open(path).and_then(|mut source| read_header(&mut source));
    header.map(|header| header.metadata).map_err(|error| error.at(path))
}

/// The tensors and the metadata in what would be a `.safetensors` file, read to its end.
///
/// # Errors
/// As for [`read`].
///
/// # Example
/// ```
/// use std::collections::BTreeMap;
/// use tensor::{Tensor, safetensors};
///
/// let x = Tensor::from([1.0_f32, 2.0]);
/// let mut file = Vec::new();
/// safetensors::write_to(&mut file, [("x", &x)], &BTreeMap::new())?;
/// assert_eq!(safetensors::read_from(&file[..])?.tensors["x"].get(), Some(&x));
/// # Ok::<(), tensor::io::Error>(())
/// ```
pub fn read_from(reader: impl Read) -> Result<Contents, Error> {
    contents(Source::new(reader, None))
}

/// Makes a `.safetensors` file of named tensors and metadata.
///
/// The parts of what [`read`] returns can be passed as they are.
///
/// # Errors
/// The file cannot be written; two tensors have the same name; a tensor is called `__metadata__`; the names and the
/// metadata take more than 100 MB.
///
/// # Example
/// See the [module](self).
pub fn write<N: AsRef<str>, X: Into<AnyTensor>>(
    path: impl AsRef<Path>,
    tensors: impl IntoIterator<Item = (N, X)>,
    metadata: &BTreeMap<String, String>,
) -> Result<(), Error> {
    let path = path.as_ref();
    replace_file(path, |out| write_to(out, tensors, metadata)).map_err(|error| error.at(path))
}

/// Writes what a `.safetensors` file of named tensors and metadata consists of.
///
/// # Errors
/// As for [`write()`].
///
/// # Example
/// See [`read_from`].
pub fn write_to<N: AsRef<str>, X: Into<AnyTensor>>(
    mut writer: impl Write,
    tensors: impl IntoIterator<Item = (N, X)>,
    metadata: &BTreeMap<String, String>,
) -> Result<(), Error> {
    let named = sorted(tensors)?;
    writer.write_all(&header(&named, metadata)?)?;
    named.iter().try_for_each(|(_, x, _)| write_elements(&mut writer, x))
}

/// Tensors in the order of a file, with their types.
fn sorted<N: AsRef<str>, X: Into<AnyTensor>>(
    tensors: impl IntoIterator<Item = (N, X)>,
) -> Result<Vec<(String, AnyTensor, Stored)>, Error> {
    let mut named = BTreeMap::new();
    for (name, x) in tensors {
        let name = name.as_ref();
        if name == METADATA {
            return Err(Error::refused("the format needs this name for itself").named(name));
        }
        if named.insert(name.to_owned(), x.into()).is_some() {
            return Err(Error::refused("a second tensor of this name").named(name));
        }
    }
    let typed = |(name, x): (String, AnyTensor)| match dtype(&x) {
        Ok(dtype) => Ok((name, x, stored(dtype))),
        Err(error) => Err(error.named(&name)),
    };
    let mut named: Vec<(String, AnyTensor, Stored)> = named.into_iter().map(typed).collect::<Result<_, _>>()?;
    // By size of the elements first, so that all of them are aligned; the sort is stable.
    named.sort_by_key(|&(_, _, dtype)| std::cmp::Reverse(dtype));
    Ok(named)
}

fn header(named: &[(String, AnyTensor, Stored)], metadata: &BTreeMap<String, String>) -> Result<Vec<u8>, Error> {
    let mut end = 0;
    let infos = named.iter().map(|&(ref name, ref x, dtype)| {
        let start = end;
        end += x.shape().numel() * (dtype.bitsize() / 8);
        (name.as_str(), TensorInfo { dtype, shape: x.shape().dims().to_vec(), data_offsets: (start, end) })
    });
    let header = Writing { metadata, infos: infos.collect() };
    let mut text = serde_json::to_vec(&header).map_err(Error::refused)?;
    text.resize(text.len().next_multiple_of(ALIGNMENT), b' ');
    if text.len() as u64 > LONGEST_HEADER {
        let why = format_args!("the header takes {} bytes; the format allows {LONGEST_HEADER}", text.len());
        return Err(Error::refused(why));
    }
    Ok([&(text.len() as u64).to_le_bytes()[..], &text].concat())
}

fn read_header(source: &mut Source<impl Read>) -> Result<Reading, Error> {
    let mut start = source.bytes(8, "the length of the header")?;
    let len = u64::from_le_bytes(start[..].try_into().expect("eight bytes were asked for"));
    if len > LONGEST_HEADER {
        start.extend(source.at_most(foreign::ENOUGH)?);
        return Err(Error::malformed(match foreign::described(&start) {
            Some(what) => format!("this is {what}; what is read here, safetensors' `save_file` writes in Python"),
            None => format!(
                "no .safetensors file: its header would have {len} bytes, where the format allows {LONGEST_HEADER}"
            ),
        }));
    }
    let header = source.bytes(len as usize, "the header")?;
    serde_json::from_slice(&header)
        .map_err(|error| Error::malformed(format_args!("the header is not that of a .safetensors file: {error}")))
}

fn contents(mut source: Source<impl Read>) -> Result<Contents, Error> {
    let Reading { metadata, mut infos } = read_header(&mut source)?;
    infos.sort_by_key(|(_, info)| info.data_offsets);
    // That each tensor begins where the one before it ends, and is as long as its shape says.
    Metadata::new(None, infos.clone()).map_err(Error::malformed)?;
    let mut tensors = BTreeMap::new();
    for (name, info) in infos {
        let x = tensor(&mut source, &info).map_err(|error| error.named(&name))?;
        tensors.insert(name, x);
    }
    source.finish()?;
    Ok(Contents { tensors, metadata })
}

fn tensor(source: &mut Source<impl Read>, info: &TensorInfo) -> Result<AnyTensor, Error> {
    let shape = Shape::try_new(&info.shape).map_err(Error::malformed)?;
    let encoded = match info.dtype {
        Stored::F16 => Encoded::F16,
        Stored::BF16 => Encoded::BF16,
        Stored::F32 => Encoded::As(Dtype::F32),
        Stored::F64 => Encoded::As(Dtype::F64),
        Stored::I32 => Encoded::As(Dtype::I32),
        Stored::I64 => Encoded::As(Dtype::I64),
        Stored::U8 => Encoded::As(Dtype::U8),
        Stored::BOOL => Encoded::As(Dtype::Bool),
        other => {
            let (start, end) = info.data_offsets;
            source.skip((end - start) as u64, "the tensor")?;
            return Ok(AnyTensor::Other { dtype: other.to_string(), shape });
        }
    };
    source.tensor(encoded, shape, false)
}

fn stored(dtype: Dtype) -> Stored {
    match dtype {
        Dtype::F32 => Stored::F32,
        Dtype::F64 => Stored::F64,
        Dtype::I32 => Stored::I32,
        Dtype::I64 => Stored::I64,
        Dtype::U8 => Stored::U8,
        Dtype::Bool => Stored::BOOL,
    }
}

/// A header to be written, in one order always. The format's own crate would write the metadata in another order each time.
struct Writing<'a> {
    metadata: &'a BTreeMap<String, String>,
    infos: Vec<(&'a str, TensorInfo)>,
}

impl Serialize for Writing<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if !self.metadata.is_empty() {
            map.serialize_entry(METADATA, self.metadata)?;
        }
        for (name, info) in &self.infos {
            map.serialize_entry(name, info)?;
        }
        map.end()
    }
}

/// A header that was read. The format's own crate would silently keep the last of two tensors of one name.
struct Reading {
    metadata: BTreeMap<String, String>,
    infos: Vec<(String, TensorInfo)>,
}

impl<'de> Deserialize<'de> for Reading {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Reading { metadata: BTreeMap::new(), infos: Vec::new() })
    }
}

impl<'de> Visitor<'de> for Reading {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tensors by name")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self, A::Error> {
        let mut names = BTreeSet::new();
        while let Some(name) = map.next_key::<String>()? {
            if !names.insert(name.clone()) {
                return Err(A::Error::custom(format_args!("{name:?} is there twice")));
            }
            if name == METADATA {
                self.metadata = map.next_value::<Option<Unique>>()?.unwrap_or_default().0;
            } else {
                self.infos.push((name, map.next_value()?));
            }
        }
        Ok(self)
    }
}

/// Texts by name, no name twice.
#[derive(Default)]
struct Unique(BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Unique::default())
    }
}

impl<'de> Visitor<'de> for Unique {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("texts by name")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self, A::Error> {
        while let Some((name, text)) = map.next_entry::<String, String>()? {
            if self.0.contains_key(&name) {
                return Err(A::Error::custom(format_args!("{name:?} is there twice in {METADATA:?}")));
            }
            self.0.insert(name, text);
        }
        Ok(self)
    }
}
