//! A checksum of what a file holds, which does not depend on how it is laid out.

use std::collections::BTreeMap;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;

use crc32fast::Hasher;

use super::{Contents, header, sorted};
use crate::file::replace_file;
use crate::io::any::AnyTensor;
use crate::io::bytes::write_elements;
use crate::io::error::Error;

/// The bytes of a tensor on their way to a file, and their sum.
struct Summed<W> {
    out: W,
    sum: Hasher,
}

impl<W: Write> Write for Summed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.out.write(bytes)?;
        self.sum.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// The CRC-32 of the elements' bytes; that of none where they were not read.
fn elements_to(out: impl Write, x: &AnyTensor) -> Result<u32, Error> {
    let mut summed = Summed { out, sum: Hasher::new() };
    write_elements(&mut summed, x)?;
    Ok(summed.sum.finalize())
}

impl AnyTensor {
    /// A checksum of the elements, the CRC-32 of their bytes in the order of the axes, by which data can be told from others. Feature
    /// `safetensors`.
    ///
    /// # Example
    /// ```
    /// use tensor::{Tensor, io::AnyTensor};
    ///
    /// let sum = |x: Tensor| AnyTensor::from(&x).checksum();
    /// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// assert!(sum(x.t()) != sum(x.clone()) && sum(x.t().t()) == sum(x));
    /// ```
    pub fn checksum(&self) -> u32 {
        // A sink takes everything.
        elements_to(io::sink(), self).unwrap_or_default()
    }
}

/// The sum of names, types, shapes, and the sums of elements; and of texts. Each part begins with its length, so that none can pass for
/// another.
fn sum<'a>(
    tensors: impl Iterator<Item = (&'a str, &'a AnyTensor, u32)>,
    texts: &BTreeMap<String, String>,
    but: &str,
) -> String {
    let mut all = Hasher::new();
    let part = |all: &mut Hasher, bytes: &[u8]| {
        all.update(&(bytes.len() as u64).to_le_bytes());
        all.update(bytes);
    };
    for (name, x, elements) in tensors {
        part(&mut all, name.as_bytes());
        part(&mut all, x.dtype().as_bytes());
        let dims = x.shape().dims();
        part(&mut all, &dims.iter().flat_map(|&dim| (dim as u64).to_le_bytes()).collect::<Vec<_>>());
        all.update(&elements.to_le_bytes());
    }
    for (name, text) in texts.iter().filter(|(name, _)| *name != but) {
        part(&mut all, name.as_bytes());
        part(&mut all, text.as_bytes());
    }
    format!("{:08x}", all.finalize())
}

impl Contents {
    /// The CRC-32 of all that the file holds, as eight hexadecimal digits: names, types, shapes and elements of the tensors, and the
    /// metadata, but for the text `but`, in which the checksum itself may be. It does not depend on the order of the tensors in the file,
    /// nor on how its header is written.
    ///
    /// # Example
    /// ```
    /// use std::collections::BTreeMap;
    /// use tensor::{Tensor, safetensors};
    ///
    /// let path = std::env::temp_dir().join(format!("evenkeel-checksum-{}.safetensors", std::process::id()));
    /// safetensors::write_with_checksum(&path, [("x", Tensor::from([1.0_f32, 2.0]))], &BTreeMap::new(), "sum")?;
    /// let mut file = safetensors::read(&path)?;
    /// assert_eq!(file.checksum("sum"), file.metadata["sum"]);
    /// file.tensors.insert("x".into(), Tensor::from([1.0_f32, 2.5]).into());
    /// assert_ne!(file.checksum("sum"), file.metadata["sum"]);
    /// # std::fs::remove_file(&path).unwrap();
    /// # Ok::<(), tensor::io::Error>(())
    /// ```
    pub fn checksum(&self, but: &str) -> String {
        let tensors = self.tensors.iter().map(|(name, x)| (name.as_str(), x, elements_to(io::sink(), x).unwrap_or(0)));
        sum(tensors, &self.metadata, but)
    }
}

/// Makes a `.safetensors` file as [`write`](super::write()) does, whose text `key` is the [checksum](Contents::checksum) of all the rest.
/// It goes through the elements once.
///
/// # Errors
/// As for [`write`](super::write()).
///
/// # Example
/// See [`Contents::checksum`].
pub fn write_with_checksum<N: AsRef<str>, X: Into<AnyTensor>>(
    path: impl AsRef<Path>,
    tensors: impl IntoIterator<Item = (N, X)>,
    metadata: &BTreeMap<String, String>,
    key: &str,
) -> Result<(), Error> {
    let path = path.as_ref();
    let named = sorted(tensors)?;
    let by_name = |sums: &[u32]| {
        let mut all: Vec<_> = named.iter().zip(sums).map(|((name, x, _), &sum)| (name.as_str(), x, sum)).collect();
        all.sort_by_key(|(name, ..)| *name);
        sum(all.into_iter(), metadata, key)
    };
    let with = |sum: String| {
        let mut texts = metadata.clone();
        texts.insert(key.to_owned(), sum);
        header(&named, &texts)
    };
    replace_file(path, |out| -> Result<(), Error> {
        // A pipe cannot be gone back in: there, the sum comes first.
        let start = out.stream_position().ok();
        let before = match start {
            Some(_) => by_name(&vec![0; named.len()]),
            None => by_name(&named.iter().map(|(_, x, _)| elements_to(io::sink(), x)).collect::<Result<Vec<_>, _>>()?),
        };
        out.write_all(&with(before)?)?;
        let sums = named.iter().map(|(_, x, _)| elements_to(&mut *out, x)).collect::<Result<Vec<_>, _>>()?;
        if let Some(start) = start {
            // As long as the one before: the sum alone is another.
            out.seek(SeekFrom::Start(start))?;
            out.write_all(&with(by_name(&sums))?)?;
        }
        Ok(())
    })
    .map_err(|error| error.at(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Tensor;

    fn contents() -> Contents {
        let tensors = [("a", Tensor::from([1.0_f32, 2.0]).into()), ("b", Tensor::<i64>::arange(2).into())];
        Contents {
            tensors: tensors.map(|(name, x): (&str, AnyTensor)| (name.to_owned(), x)).into(),
            metadata: [("k".to_owned(), "v".to_owned()), ("sum".to_owned(), "anything".to_owned())].into(),
        }
    }

    #[test]
    fn the_sum_is_a_contract() {
        // By Python's zlib.crc32.
        assert_eq!(contents().checksum("sum"), "21f246b1");
    }

    #[test]
    fn whatever_differs_has_another_sum_but_the_sum_itself() {
        let (one, whole) = (contents().checksum("sum"), contents());
        let put = |name: &str, x: AnyTensor| {
            let mut other = whole.clone();
            other.tensors.insert(name.into(), x);
            other
        };
        let say = |name: &str, text: &str| {
            let mut other = whole.clone();
            other.metadata.insert(name.into(), text.into());
            other
        };
        let swapped = {
            let mut other = whole.clone();
            let (a, b) = (other.tensors["a"].clone(), other.tensors["b"].clone());
            other.tensors = [("a".to_owned(), b), ("b".to_owned(), a)].into();
            other
        };
        let others = [
            put("a", Tensor::from([1.0_f32, 2.5]).into()),
            put("a", Tensor::from([[1.0_f32, 2.0]]).into()),
            put("a", Tensor::from([1.0_f32.to_bits() as i32, 2.0_f32.to_bits() as i32]).into()),
            put("c", Tensor::<u8>::zeros([0]).into()),
            say("k", "w"),
            say("kv", ""),
            swapped,
        ];
        for (number, other) in others.iter().enumerate() {
            assert_ne!(other.checksum("sum"), one, "{number}");
        }
        assert_eq!(say("sum", "something else").checksum("sum"), one);
    }
}
