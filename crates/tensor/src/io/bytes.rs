//! Elements as the bytes of a file, in runs that stay in the cache.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::path::Path;

use super::any::{AnyTensor, with_tensor};
use super::error::{Error, Reason};
use crate::buffer::Buffer;
use crate::element::Element;
use crate::kernel::{Dtype, Scalar};
use crate::shape::Shape;
use crate::tensor::Tensor;

/// Bytes in a run. Below 64 KiB the system calls begin to show: reading 64 MiB of f32 from the page cache took 42 ms in
/// runs of 16 KiB, 28 ms of 64 KiB and 22 ms of 256 KiB, on two shared cores of an AMD EPYC.
const RUN: usize = 256 << 10;

/// The element types of files that a tensor can hold, as they are or converted without loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoded {
    /// IEEE's half precision, which becomes f32.
    F16,
    /// The upper half of an f32, which becomes one.
    #[cfg(feature = "safetensors")]
    BF16,
    /// As tensors hold it.
    As(Dtype),
}

impl Encoded {
    /// The bytes of an element once it is read.
    #[cfg(feature = "npy")]
    pub(super) const fn size_in_memory(self) -> usize {
        match self {
            Encoded::As(dtype) => dtype.size(),
            _ => size_of::<f32>(),
        }
    }
}

/// Little-endian bytes of a file as elements.
trait Encoding {
    type Element: Element;

    /// What a file calls it.
    const NAME: &'static str;

    /// Bytes of an element.
    const SIZE: usize;

    fn from_le(bytes: &[u8]) -> Self::Element;

    /// A byte that belongs to no value of this type.
    fn invalid(_bytes: &[u8]) -> Option<u8> {
        None
    }
}

/// An element type that is stored as it is.
trait Stored: Element + Encoding<Element = Self> {
    fn to_le(self, bytes: &mut [u8]);
}

/// Half precision: a sign, 5 bits of exponent and 10 of fraction.
struct F16;

impl Encoding for F16 {
    type Element = f32;

    const NAME: &'static str = "f16";

    const SIZE: usize = 2;

    #[inline(always)]
    fn from_le(bytes: &[u8]) -> f32 {
        /// The least half above 0, 2⁻²⁴.
        const LEAST: f32 = f32::from_bits((127 - 24) << 23);
        let bits = u32::from(u16::from_le_bytes(bytes.try_into().expect("cut to the type's size")));
        let (sign, exponent, fraction) = (bits >> 15 << 31, bits >> 10 & 0x1f, bits & 0x3ff);
        let size = match exponent {
            // Below the normal numbers of f16, and not of f32.
            0 => (fraction as f32 * LEAST).to_bits(),
            0x1f => 0xff << 23 | fraction << 13,
            // From a bias of 15 to one of 127.
            _ => (exponent + 112) << 23 | fraction << 13,
        };
        f32::from_bits(sign | size)
    }
}

#[cfg(feature = "safetensors")]
/// The upper half of an f32.
struct Bf16;

#[cfg(feature = "safetensors")]
impl Encoding for Bf16 {
    type Element = f32;

    const NAME: &'static str = "bf16";

    const SIZE: usize = 2;

    #[inline(always)]
    fn from_le(bytes: &[u8]) -> f32 {
        let bits = u16::from_le_bytes(bytes.try_into().expect("cut to the type's size"));
        f32::from_bits(u32::from(bits) << 16)
    }
}

/// Stamps the forwarding to the numbers' own methods.
macro_rules! stored {
    ($($t:ident)*) => {$(
        impl Encoding for $t {
            type Element = $t;

            const NAME: &'static str = <$t>::DTYPE.name();

            const SIZE: usize = size_of::<$t>();

            #[inline(always)]
            fn from_le(bytes: &[u8]) -> Self {
                <$t>::from_le_bytes(bytes.try_into().expect("cut to the type's size"))
            }
        }

        impl Stored for $t {
            #[inline(always)]
            fn to_le(self, bytes: &mut [u8]) {
                bytes.copy_from_slice(&self.to_le_bytes());
            }
        }
    )*};
}

stored!(f32 f64 i32 i64 u8);

impl Stored for bool {
    fn to_le(self, bytes: &mut [u8]) {
        bytes[0] = self.into();
    }
}

impl Encoding for bool {
    type Element = bool;

    const NAME: &'static str = bool::DTYPE.name();

    const SIZE: usize = 1;

    fn from_le(bytes: &[u8]) -> Self {
        bytes[0] != 0
    }

    fn invalid(bytes: &[u8]) -> Option<u8> {
        // Without an early exit, the loop is faster.
        let largest = bytes.iter().fold(0, |largest, &byte| largest.max(byte));
        (largest > 1).then_some(largest)
    }
}

/// What is still to be read of a file.
pub(super) struct Source<R> {
    reader: R,
    /// How many bytes are left, where that is known.
    left: Option<u64>,
}

impl Source<File> {
    /// Opens a file; its length is known unless it is a pipe or the like.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        Ok(Source::new(file, metadata.is_file().then_some(metadata.len())))
    }
}

impl<R: Read> Source<R> {
    pub(super) fn new(reader: R, left: Option<u64>) -> Self {
        Source { reader, left }
    }

    /// The next `len` bytes; `what` they are is said in an error.
    pub(super) fn bytes(&mut self, len: usize, what: &str) -> Result<Vec<u8>, Error> {
        let short = |holds| Error::malformed(format_args!("{what} takes {len} bytes; {holds} are there"));
        if let Some(left) = self.left.filter(|&left| left < len as u64) {
            return Err(short(left));
        }
        let bytes = self.at_most(len)?;
        if bytes.len() < len { Err(short(bytes.len() as u64)) } else { Ok(bytes) }
    }

    /// The next `len` bytes, or all that are left.
    pub(super) fn at_most(&mut self, len: usize) -> Result<Vec<u8>, Error> {
        // Grows as it reads.
        let mut bytes = Vec::new();
        self.reader.by_ref().take(len as u64).read_to_end(&mut bytes)?;
        self.left = self.left.map(|left| left.saturating_sub(bytes.len() as u64));
        Ok(bytes)
    }

    #[cfg(feature = "npy")]
    /// Passes over all that is left, and says how many bytes that were.
    pub(super) fn pass_over(&mut self) -> Result<u64, Error> {
        self.left = self.left.map(|_| 0);
        Ok(std::io::copy(&mut self.reader, &mut std::io::sink())?)
    }

    #[cfg(feature = "safetensors")]
    /// Passes over the next `len` bytes; `what` they are is said in an error.
    pub(super) fn skip(&mut self, len: u64, what: &str) -> Result<(), Error> {
        let passed = std::io::copy(&mut self.reader.by_ref().take(len), &mut std::io::sink())?;
        if passed < len {
            return Err(Error::malformed(format_args!("{what} takes {len} bytes; {passed} are there")));
        }
        self.left = self.left.map(|left| left.saturating_sub(len));
        Ok(())
    }

    /// The next elements, in row-major order.
    pub(super) fn tensor(&mut self, encoded: Encoded, shape: Shape, big_endian: bool) -> Result<AnyTensor, Error> {
        Ok(match encoded {
            Encoded::F16 => AnyTensor::F32(self.elements::<F16>(shape, big_endian)?),
            #[cfg(feature = "safetensors")]
            Encoded::BF16 => AnyTensor::F32(self.elements::<Bf16>(shape, big_endian)?),
            Encoded::As(Dtype::F32) => AnyTensor::F32(self.elements::<f32>(shape, big_endian)?),
            Encoded::As(Dtype::F64) => AnyTensor::F64(self.elements::<f64>(shape, big_endian)?),
            Encoded::As(Dtype::I32) => AnyTensor::I32(self.elements::<i32>(shape, big_endian)?),
            Encoded::As(Dtype::I64) => AnyTensor::I64(self.elements::<i64>(shape, big_endian)?),
            Encoded::As(Dtype::U8) => AnyTensor::U8(self.elements::<u8>(shape, big_endian)?),
            Encoded::As(Dtype::Bool) => AnyTensor::Bool(self.elements::<bool>(shape, big_endian)?),
        })
    }

    fn elements<E: Encoding>(&mut self, shape: Shape, big_endian: bool) -> Result<Tensor<E::Element>, Error> {
        let (size, elements) = (E::SIZE, shape.numel());
        let bytes = elements as u128 * size as u128;
        let short = |holds| Reason::Truncated { dtype: E::NAME, elements, bytes, holds };
        let memory = || Reason::Memory { dtype: E::NAME, elements };
        if let Some(left) = self.left.filter(|&left| u128::from(left) < bytes) {
            return Err(short(left).into());
        }
        // Where the bytes are known to be there, room for all is taken at once; where a header only claims them, it grows as
        // they come.
        let mut whole = match self.left {
            Some(_) => Some(Buffer::try_stale(elements).ok_or_else(memory)?),
            None => None,
        };
        let mut grown: Vec<E::Element> = Vec::new();
        let mut run = vec![0; bytes.min(RUN as u128) as usize];
        for start in (0..elements).step_by(RUN / size) {
            let end = elements.min(start + RUN / size);
            let run = &mut run[..(end - start) * size];
            let got = self.fill(run)?;
            if got < run.len() {
                return Err(short((start * size + got) as u64).into());
            }
            if big_endian {
                run.chunks_exact_mut(size).for_each(<[u8]>::reverse);
            }
            if let Some(byte) = E::invalid(run) {
                return Err(Error::malformed(format_args!("holds {byte} as a {}, which is 0 or 1", E::NAME)));
            }
            let values = run.chunks_exact(size).map(E::from_le);
            match &mut whole {
                Some(whole) => whole[start..end].iter_mut().zip(values).for_each(|(out, x)| *out = x),
                None => {
                    grown.try_reserve(end - start).map_err(|_| memory())?;
                    grown.extend(values);
                }
            }
        }
        self.left = self.left.map(|left| left - bytes as u64);
        Ok(Tensor::from_buffer(whole.unwrap_or_else(|| Buffer::from(grown)), shape))
    }

    /// Reads until `out` is full or nothing is left, and says how many bytes came.
    fn fill(&mut self, out: &mut [u8]) -> Result<usize, Error> {
        let mut got = 0;
        while got < out.len() {
            match self.reader.read(&mut out[got..]) {
                Ok(0) => break,
                Ok(more) => got += more,
                Err(error) if error.kind() == ErrorKind::Interrupted => (),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(got)
    }

    /// An error unless everything has been read. An archive checks its sums when it comes to an end.
    pub(super) fn finish(&mut self) -> Result<(), Error> {
        if let Some(left) = self.left.filter(|&left| left > 0) {
            return Err(Error::malformed(format_args!("{left} bytes follow where the file should end")));
        }
        match self.fill(&mut [0])? {
            0 => Ok(()),
            _ => Err(Error::malformed("bytes follow where the file should end")),
        }
    }
}

/// Writes the elements in row-major order, little endian.
pub(super) fn write_elements(out: &mut impl Write, x: &AnyTensor) -> Result<(), Error> {
    fn write<T: Stored>(out: &mut impl Write, x: &Tensor<T>) -> Result<(), Error> {
        let x = x.contiguous();
        let elements = x.as_slice().expect("made contiguous");
        let size = size_of::<T>();
        let mut bytes = vec![0; RUN.min(size_of_val(elements))];
        for run in elements.chunks(RUN / size) {
            let bytes = &mut bytes[..size_of_val(run)];
            bytes.chunks_exact_mut(size).zip(run).for_each(|(bytes, x)| x.to_le(bytes));
            out.write_all(bytes)?;
        }
        Ok(())
    }
    with_tensor!(x, x => write(out, x), (other, _) => Err(unread(other)))
}

fn unread(dtype: &str) -> Error {
    Error::refused(format_args!("was {dtype} in its file, which no tensor has, and was not read"))
}

/// The type of a tensor's elements.
///
/// # Errors
/// They were not read.
pub(super) fn dtype(x: &AnyTensor) -> Result<Dtype, Error> {
    Ok(match x {
        AnyTensor::Other { dtype, .. } => return Err(unread(dtype)),
        AnyTensor::F32(_) => Dtype::F32,
        AnyTensor::F64(_) => Dtype::F64,
        AnyTensor::I32(_) => Dtype::I32,
        AnyTensor::I64(_) => Dtype::I64,
        AnyTensor::U8(_) => Dtype::U8,
        AnyTensor::Bool(_) => Dtype::Bool,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_half_is_the_float_that_it_says() {
        for bits in 0..=u16::MAX {
            let got = F16::from_le(&bits.to_le_bytes());
            let (exponent, fraction) = (i32::from(bits >> 10 & 0x1f), f64::from(bits & 0x3ff) / 1024.0);
            let size = match exponent {
                0 => fraction * 2_f64.powi(-14),
                31 if fraction == 0.0 => f64::INFINITY,
                31 => f64::NAN,
                _ => (1.0 + fraction) * 2_f64.powi(exponent - 15),
            };
            assert!(f64::from(got.abs()) == size || got.is_nan() && size.is_nan(), "{bits:#x}: {got}");
            assert_eq!(got.is_sign_negative(), bits >> 15 == 1, "{bits:#x}");
        }
    }

    #[test]
    #[cfg(feature = "safetensors")]
    fn a_brain_float_is_the_upper_half_of_a_float() {
        let bf16 = |bits: u16| Bf16::from_le(&bits.to_le_bytes());
        assert_eq!([bf16(0x3f80), bf16(0xc040), bf16(0x7f80), bf16(0x0001)], [1.0, -3.0, f32::INFINITY, 9.183_55e-41]);
    }
}
