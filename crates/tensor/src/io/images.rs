//! Images in the files of two data sets: IDX, of MNIST and its kin, and the binary files of CIFAR. Feature `images`.
//!
//! ```
//! use tensor::images;
//!
//! let path = std::env::temp_dir().join(format!("evenkeel-{}-idx1-ubyte", std::process::id()));
//! std::fs::write(&path, [0, 0, 8, 1, 0, 0, 0, 3, 7, 2, 1]).unwrap(); // bytes along one axis: the labels 7, 2, 1
//! let labels = images::read_idx(&path)?;
//! assert_eq!(labels, tensor::Tensor::from([7_u8, 2, 1]));
//! # std::fs::remove_file(&path).unwrap();
//! # Ok::<(), tensor::io::Error>(())
//! ```

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use super::error::{Error, Reason};
use super::foreign;
use crate::{Shape, Tensor};

/// What a reader takes at once: memory is taken for what is there, not for what a header claims.
const PIECE: u64 = 1 << 20;

/// Reads an IDX file of bytes, such as MNIST's `train-images-idx3-ubyte`: `[60000, 28, 28]`. It may be compressed by gzip, as those files
/// are handed out.
///
/// # Errors
/// The file cannot be read, is none of its format, holds other elements than bytes, or is cut short or too long; with the path.
///
/// # Example
/// ```no_run
/// use tensor::{Tensor, images};
///
/// let pixels = images::read_idx("mnist/train-images-idx3-ubyte.gz")?; // [60000, 28, 28]
/// let x: Tensor = pixels.cast::<f32>().unsqueeze(1) / 255.0; // [60000, 1, 28, 28]
/// # Ok::<(), tensor::io::Error>(())
/// ```
#[doc(alias = "MNIST")]
#[doc(alias = "datasets")]
#[doc(alias = "torchvision")]
pub fn read_idx(path: impl AsRef<Path>) -> Result<Tensor<u8>, Error> {
    let path = path.as_ref();
    File::open(path)
        .map_err(Error::from)
        .and_then(|file| read_idx_from(BufReader::new(file)))
        .map_err(|error| error.at(path))
}

/// The same from a reader, which is read to its end.
///
/// # Errors
/// As [`read_idx`], without a path.
pub fn read_idx_from(reader: impl Read) -> Result<Tensor<u8>, Error> {
    let mut reader = BufReader::new(reader);
    let mut start = [0; foreign::ENOUGH];
    let len = fill(&mut reader, &mut start)?;
    let start = &start[..len];
    let what = foreign::described(start).map_or(String::new(), |what| format!(": it is {what}"));
    let all = start.chain(reader);
    if start.starts_with(&[0x1f, 0x8b]) { idx(MultiGzDecoder::new(all), "") } else { idx(all, &what) }
}

/// Reads what is not compressed; `what` says what it is, if it is something else.
fn idx(mut reader: impl Read, what: &str) -> Result<Tensor<u8>, Error> {
    let mut magic = [0; 4];
    let len = fill(&mut reader, &mut magic)?;
    let [0, 0, element, rank] = magic else {
        return Err(Error::malformed(format!("no IDX file, which begins with two zeros{what}")));
    };
    if len < 4 {
        return Err(Error::malformed("an IDX file begins with four bytes, of which some are missing"));
    }
    if element != 8 {
        let name = match element {
            9 => "signed bytes",
            11 => "i16",
            12 => "i32",
            13 => "f32",
            14 => "f64",
            _ => return Err(Error::malformed(format!("no IDX file: {element} is none of its types of element"))),
        };
        return Err(Error::malformed(format!("holds {name}, and not bytes, which images and labels are")));
    }
    let mut dims = vec![0; usize::from(rank)];
    for (axis, size) in dims.iter_mut().enumerate() {
        let mut bytes = [0; 4];
        if fill(&mut reader, &mut bytes)? < 4 {
            return Err(Error::malformed(format!(
                "is cut short within its header: the size of axis {axis} of {rank} is missing"
            )));
        }
        *size = u32::from_be_bytes(bytes) as usize;
    }
    let shape = Shape::try_new(&dims).map_err(Error::malformed)?;
    let data = exactly(reader, shape.numel())?;
    Ok(Tensor::from_vec(data, shape))
}

/// A file of CIFAR-10 or of CIFAR-100.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cifar {
    /// A class of ten before each image.
    Ten,
    /// One of 20 coarse classes and one of 100 before each image, of which the latter is read.
    Hundred,
}

/// Reads a binary file of CIFAR's, such as `data_batch_1.bin`: images `[n, 3, 32, 32]` and classes `[n]`.
///
/// # Errors
/// The file cannot be read, does not hold a whole number of images, or a class is too large; with the path.
///
/// # Example
/// ```no_run
/// use tensor::images::{self, Cifar};
///
/// let (pixels, classes) = images::read_cifar("cifar-10-batches-bin/data_batch_1.bin", Cifar::Ten)?;
/// assert_eq!((pixels.dims(), classes.dims()), (&[10000, 3, 32, 32][..], &[10000][..]));
/// # Ok::<(), tensor::io::Error>(())
/// ```
#[doc(alias = "CIFAR10")]
pub fn read_cifar(path: impl AsRef<Path>, kind: Cifar) -> Result<(Tensor<u8>, Tensor<i64>), Error> {
    let path = path.as_ref();
    let read = |file| read_cifar_from(BufReader::new(file), kind);
    File::open(path).map_err(Error::from).and_then(read).map_err(|error| error.at(path))
}

/// The same from a reader, which is read to its end.
///
/// # Errors
/// As [`read_cifar`], without a path.
pub fn read_cifar_from(mut reader: impl Read, kind: Cifar) -> Result<(Tensor<u8>, Tensor<i64>), Error> {
    const PIXELS: usize = 3 * 32 * 32;
    let (labels, classes) = match kind {
        Cifar::Ten => (1, 10),
        Cifar::Hundred => (2, 100),
    };
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes)?;
    let row = labels + PIXELS;
    if bytes.is_empty() || !bytes.len().is_multiple_of(row) {
        let what = foreign::described(&bytes).map_or(String::new(), |what| format!(", and is {what}"));
        let why = format!("has {} bytes, which are no images of {row} bytes each{what}", bytes.len());
        return Err(Error::malformed(why));
    }
    let n = bytes.len() / row;
    let classes_read: Tensor<i64> = bytes.chunks_exact(row).map(|image| i64::from(image[labels - 1])).collect();
    if let Some((image, class)) = classes_read.iter().enumerate().find(|&(_, class)| class >= classes) {
        return Err(Error::malformed(format!("image {image} is of class {class}, where there are {classes}")));
    }
    let pixels = bytes.chunks_exact(row).flat_map(|image| &image[labels..]).copied().collect();
    Ok((Tensor::from_vec(pixels, [n, 3, 32, 32]), classes_read))
}

/// Reads until `out` is full or nothing is left; returns how much there was.
fn fill(reader: &mut impl Read, out: &mut [u8]) -> Result<usize, Error> {
    let mut len = 0;
    while len < out.len() {
        match reader.read(&mut out[len..]) {
            Ok(0) => break,
            Ok(more) => len += more,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(len)
}

/// All that is left, if it is so many bytes.
fn exactly(mut reader: impl Read, count: usize) -> Result<Vec<u8>, Error> {
    let mut data = Vec::new();
    while data.len() < count {
        let more = (count - data.len()).min(PIECE as usize);
        let before = data.len();
        if data.try_reserve(more).is_err() {
            return Err(Reason::Memory { dtype: "u8", elements: count }.into());
        }
        reader.by_ref().take(more as u64).read_to_end(&mut data)?;
        if data.len() == before {
            let (bytes, holds) = (count as u128, data.len() as u64);
            return Err(Reason::Truncated { dtype: "u8", elements: count, bytes, holds }.into());
        }
    }
    if fill(&mut reader, &mut [0])? > 0 {
        return Err(Error::malformed(format!("goes on after the {count} elements that its header claims")));
    }
    Ok(data)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn idx_file() -> Vec<u8> {
        let mut file = vec![0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4];
        file.extend(0..24);
        file
    }

    fn zipped(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn a_file_of_bytes_is_read_zipped_or_not() {
        let want: Tensor<u8> = (0..24).map(|i| i as u8).collect::<Tensor<u8>>().reshape([2, 3, 4]);
        assert_eq!(read_idx_from(&idx_file()[..]).unwrap(), want);
        assert_eq!(read_idx_from(&zipped(&idx_file())[..]).unwrap(), want);
    }

    #[test]
    fn a_file_that_is_cut_or_of_another_kind_is_an_error_wherever_it_ends() {
        for file in [idx_file(), zipped(&idx_file())] {
            for len in 0..file.len() {
                assert!(read_idx_from(&file[..len]).is_err(), "{len} of {}", file.len());
            }
        }
        let message = |bytes: &[u8]| read_idx_from(bytes).unwrap_err().to_string();
        assert!(message(&[idx_file(), vec![1]].concat()).contains("goes on after the 24 elements"));
        assert!(message(b"\x89PNG\r\n").contains("no IDX file"));
        assert!(message(b"PK\x03\x04....").contains("zip archive"));
        assert!(message(&[0, 0, 13, 1, 0, 0, 0, 1, 0, 0, 0, 0]).contains("holds f32, and not bytes"));
        // What a header claims is not taken.
        assert!(message(&[0, 0, 8, 2, 255, 255, 255, 255, 255, 255, 255, 255, 1]).contains("elements"));
        let missing = read_idx("no such file").unwrap_err();
        assert!(missing.to_string().starts_with("no such file: "), "{missing}");
    }

    #[test]
    fn images_of_cifar_come_with_their_classes() {
        let ten: Vec<u8> = [7, 9]
            .into_iter()
            .flat_map(|class| std::iter::once(class).chain(std::iter::repeat_n(class, 3072)))
            .collect();
        let (x, y) = read_cifar_from(&ten[..], Cifar::Ten).unwrap();
        assert_eq!((x.dims(), y, x.get(&[1, 2, 31, 31])), (&[2, 3, 32, 32][..], Tensor::from([7, 9]), Some(9)));
        let hundred: Vec<u8> = [3, 80].into_iter().chain(std::iter::repeat_n(5, 3072)).collect();
        assert_eq!(read_cifar_from(&hundred[..], Cifar::Hundred).unwrap().1, Tensor::from([80]));
        let message = |bytes: &[u8]| read_cifar_from(bytes, Cifar::Ten).unwrap_err().to_string();
        assert!(message(&ten[..6000]).contains("no images of 3073 bytes each"));
        assert!(message(&[]).contains("has 0 bytes"));
        assert!(message(&[200; 3073]).contains("image 0 is of class 200, where there are 10"));
    }
}
