//! NumPy's files: `.npy` for one array, `.npz` for several with names. Feature `npy`.
//!
//! ```
//! use tensor::{Tensor, npy};
//!
//! let x = Tensor::from([[1.0_f32, 2.0], [3.0, 4.0]]);
//! let folder = std::env::temp_dir().join(format!("evenkeel-npy-{}", std::process::id()));
//! std::fs::create_dir_all(&folder).unwrap();
//! let (weights, both) = (folder.join("weights.npy"), folder.join("both.npz"));
//! npy::write(&weights, &x)?;
//! assert_eq!(npy::read::<f32>(&weights)?, x);
//!
//! npy::write_npz(&both, [("x", &x), ("x.T", &x.t())])?;
//! let arrays = npy::read_npz(&both)?;
//! assert_eq!(arrays["x.T"].get(), Some(&x.t()));
//! # std::fs::remove_dir_all(&folder).unwrap();
//! # Ok::<(), tensor::io::Error>(())
//! ```
//!
//! NumPy's `float32`, `float64`, `int32`, `int64`, `uint8` and `bool` are read, and `float16` as f32, of either endianness
//! and in either order: an array in Fortran's order becomes a transposed view. Of the format's versions, 1 to 3 are read and
//! 1 is written. All other types, among them Python objects, which would run code when loaded, are an error in a `.npy`
//! file, and [`AnyTensor::Other`] beside the arrays of a `.npz` file, as is what is no array.

use std::io::{Read, Write};
use std::path::Path;

use super::any::AnyTensor;
use super::bytes::{Encoded, Source, dtype, write_elements};
use super::error::{Error, NO_ARRAY, Reason};
use super::foreign;
use crate::dims::Dims;
use crate::element::Element;
use crate::file::replace_file;
use crate::kernel::Dtype;
use crate::shape::Shape;
use crate::tensor::Tensor;

pub use super::npz::{read_npz, read_npz_from, read_npz_from_within, read_npz_within, write_npz, write_npz_to};

const MAGIC: &[u8] = b"\x93NUMPY";
/// No array of plain numbers needs more; the format allows 4 GiB.
const LONGEST_HEADER: usize = 1 << 16;
/// The elements begin at a multiple of this, for those who map files into memory.
const ALIGNMENT: usize = 64;
/// NumPy's own limit, since its version 2.
const MOST_AXES: usize = 64;

/// The array in a `.npy` file.
///
/// # Errors
/// The file cannot be read, is broken, goes on after the array, or has elements of another type.
///
/// # Example
/// See the [module](self).
pub fn read<T: Element>(path: impl AsRef<Path>) -> Result<Tensor<T>, Error> {
    let path = path.as_ref();
    read_any(path)?.try_into().map_err(|error: Error| error.at(path))
}

/// The array in a `.npy` file, whatever the type of its elements.
///
/// # Errors
/// The file cannot be read, is broken, goes on after the array, or has elements of a type that no tensor has.
///
/// # Example
/// ```no_run
/// use tensor::{io::AnyTensor, npy};
///
/// match npy::read_any("labels.npy")? {
///     AnyTensor::I64(labels) => println!("{labels}"),
///     other => println!("labels should be i64, not {}", other.dtype()),
/// }
/// # Ok::<(), tensor::io::Error>(())
/// ```
pub fn read_any(path: impl AsRef<Path>) -> Result<AnyTensor, Error> {
    let path = path.as_ref();
    Source::open(path).and_then(whole).map_err(|error| error.at(path))
}

/// The array that begins where the reader stands; what follows it is left to be read.
///
/// # Errors
/// As for [`read_any`], but for what follows.
///
/// # Example
/// ```
/// use tensor::{Tensor, npy};
///
/// let (x, y) = (Tensor::<i64>::arange(3), Tensor::from([true, false]));
/// let mut file = Vec::new();
/// npy::write_to(&mut file, &x)?;
/// npy::write_to(&mut file, &y)?;
/// let mut file = &file[..];
/// assert_eq!(npy::read_from(&mut file)?, x.into());
/// assert_eq!(npy::read_from(&mut file)?, y.into());
/// # Ok::<(), tensor::io::Error>(())
/// ```
pub fn read_from(reader: impl Read) -> Result<AnyTensor, Error> {
    array(&mut Source::new(reader, None))
}

/// Makes a `.npy` file of a tensor.
///
/// # Errors
/// The file cannot be written, the tensor has more axes than NumPy takes, which is 64, or a shape that NumPy does not take:
/// an empty one whose other axes are too large together.
///
/// # Example
/// See the [module](self).
pub fn write(path: impl AsRef<Path>, x: impl Into<AnyTensor>) -> Result<(), Error> {
    let path = path.as_ref();
    replace_file(path, |out| write_to(out, x)).map_err(|error| error.at(path))
}

/// Writes what a `.npy` file of a tensor consists of.
///
/// # Errors
/// As for [`write()`].
///
/// # Example
/// See [`read_from`].
pub fn write_to(mut writer: impl Write, x: impl Into<AnyTensor>) -> Result<(), Error> {
    let x = x.into();
    writer.write_all(&header(&x)?)?;
    write_elements(&mut writer, &x)
}

/// The array in a source, which must end after it.
fn whole(mut source: Source<impl Read>) -> Result<AnyTensor, Error> {
    let x = array(&mut source)?;
    source.finish()?;
    Ok(x)
}

/// A member of an archive: as [`whole`], or `Other` for what is no array or has a type that no tensor has. What the elements take is
/// taken off what is `allowed`.
pub(super) fn member(mut source: Source<impl Read>, allowed: &mut u64) -> Result<AnyTensor, Error> {
    let start = source.at_most(MAGIC.len())?;
    if start != MAGIC {
        // To the end, where the checksum is.
        return not_read(NO_ARRAY, start.len() as u64 + source.pass_over()?);
    }
    let x = after_magic(&mut source, allowed)?;
    if !matches!(x, AnyTensor::Other { .. }) {
        source.finish()?;
    }
    Ok(x)
}

/// A member of so many bytes that is no array, or cannot be read as one.
pub(super) fn not_read(what: impl Into<String>, bytes: u64) -> Result<AnyTensor, Error> {
    let bytes = usize::try_from(bytes).map_err(Error::malformed)?;
    Ok(AnyTensor::Other { dtype: what.into(), shape: Shape::try_new(&[bytes]).map_err(Error::malformed)? })
}

fn array(source: &mut Source<impl Read>) -> Result<AnyTensor, Error> {
    let mut start = source.at_most(MAGIC.len())?;
    if start != MAGIC {
        start.extend(source.at_most(foreign::ENOUGH)?);
        let why = foreign::described(&start).map(|what| format!("; this is {what}")).unwrap_or_default();
        return Err(Error::malformed(format_args!("not a .npy file: it does not begin with \\x93NUMPY{why}")));
    }
    let mut unlimited = u64::MAX;
    match after_magic(source, &mut unlimited)? {
        AnyTensor::Other { dtype, .. } => Err(Reason::Unsupported(dtype).into()),
        x => Ok(x),
    }
}

/// The array whose first bytes have been read; for a type that no tensor has, it is `Other`, and the elements are left in the
/// source.
fn after_magic(source: &mut Source<impl Read>, allowed: &mut u64) -> Result<AnyTensor, Error> {
    let version = source.bytes(2, "the version of .npy")?;
    let len = match version[..] {
        [1, 0] => source.bytes(2, "the length of the header")?,
        [2 | 3, 0] => source.bytes(4, "the length of the header")?,
        _ => return Err(Error::malformed(format_args!("version {}.{} of .npy is not known", version[0], version[1]))),
    };
    let len = len.iter().rev().fold(0, |len, &byte| len << 8 | usize::from(byte));
    if len > LONGEST_HEADER {
        return Err(Error::malformed(format_args!("a header of {len} bytes; none needs more than {LONGEST_HEADER}")));
    }
    let text = source.bytes(len, "the header")?;
    let text = match version[0] {
        3 => String::from_utf8(text).map_err(|_| Error::malformed("the header is not text"))?,
        // In Latin-1 a byte is a character.
        _ => text.into_iter().map(char::from).collect(),
    };
    let Header { dtype, fortran, mut dims } = Header::parse(&text)?;
    let (dtype, big_endian) = match dtype {
        Ok(known) => known,
        Err(dtype) => return Ok(AnyTensor::Other { dtype, shape: Shape::try_new(&dims).map_err(Error::malformed)? }),
    };
    if fortran {
        dims.reverse();
    }
    let shape = Shape::try_new(&dims).map_err(Error::malformed)?;
    let bytes = shape.numel() as u128 * dtype.size_in_memory() as u128;
    if bytes > u128::from(*allowed) {
        return Err(Reason::Limit { bytes, allowed: *allowed }.into());
    }
    *allowed -= bytes as u64;
    let x = source.tensor(dtype, shape, big_endian)?;
    Ok(if fortran { reversed(&x) } else { x })
}

/// The same elements with the axes in the reverse order.
fn reversed(x: &AnyTensor) -> AnyTensor {
    fn reversed<T: Element>(x: &Tensor<T>) -> Tensor<T> {
        let order: Dims<usize> = (0..x.rank()).rev().collect();
        x.view(x.layout().reorder(&order))
    }
    super::any::with_tensor!(x, x => reversed(x).into(), (_, _) => x.clone())
}

/// Magic, version, length and text, so long that the elements after it are aligned.
fn header(x: &AnyTensor) -> Result<Vec<u8>, Error> {
    let dims = x.shape().dims();
    if dims.len() > MOST_AXES {
        return Err(Error::refused(format_args!("{} axes; NumPy takes at most {MOST_AXES}", dims.len())));
    }
    let dtype = dtype(x)?;
    let descr = match dtype {
        Dtype::F32 => "<f4",
        Dtype::F64 => "<f8",
        Dtype::I32 => "<i4",
        Dtype::I64 => "<i8",
        Dtype::U8 => "|u1",
        Dtype::Bool => "|b1",
    };
    // NumPy multiplies the sizes other than 0, even those of an empty array.
    let most = dims
        .iter()
        .filter(|&&dim| dim > 0)
        .try_fold(dtype.size() as i64, |bytes, &dim| bytes.checked_mul(dim.try_into().ok()?));
    if most.is_none() {
        return Err(Error::refused(format_args!("the shape {} is larger than NumPy takes", x.shape())));
    }
    // A tuple of one ends in a comma.
    let shape = match dims {
        [dim] => format!("{dim},"),
        dims => dims.iter().map(usize::to_string).collect::<Vec<_>>().join(", "),
    };
    let text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({shape}), }}");
    let before = MAGIC.len() + 4;
    let len = (before + text.len() + 1).next_multiple_of(ALIGNMENT) - before;
    let short = u16::try_from(len).expect("64 numbers of 20 digits are far from 64 KiB");
    let mut header = [MAGIC, &[1, 0], &short.to_le_bytes(), text.as_bytes()].concat();
    header.resize(before + len - 1, b' ');
    header.push(b'\n');
    Ok(header)
}

/// What a header says.
#[derive(Debug, PartialEq)]
struct Header {
    /// The type, and whether it is big-endian; or the type's name, if no tensor has it.
    dtype: Result<(Encoded, bool), String>,
    fortran: bool,
    dims: Vec<usize>,
}

impl Header {
    /// Reads `{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }`: a literal of Python with these three keys.
    fn parse(text: &str) -> Result<Self, Error> {
        let mut text = Literal(text);
        let (mut descr, mut fortran, mut dims) = (None, None, None);
        text.expect('{')?;
        while !text.eat('}') {
            let key = text.string("a key in quotes")?;
            text.expect(':')?;
            let twice = match key {
                "descr" if matches!(text.next(), Some('[' | '(')) => {
                    text.pass_over_brackets()?;
                    descr.replace(Err("records of several fields".to_owned())).is_some()
                }
                "descr" => descr.replace(parse_descr(text.string("a type in quotes")?)).is_some(),
                "fortran_order" => fortran.replace(text.truth()?).is_some(),
                "shape" => dims.replace(text.tuple()?).is_some(),
                _ => {
                    return Err(Error::malformed(format_args!(
                        "the header has a key {key:?}, which is none of .npy's"
                    )));
                }
            };
            if twice {
                return Err(Error::malformed(format_args!("the header has the key {key:?} twice")));
            }
            if !text.eat(',') {
                text.expect('}')?;
                break;
            }
        }
        // Some writers fill up with NUL, where NumPy has spaces.
        text.0 = text.0.trim_end_matches(['\0', '\n', ' ']);
        if let Some(rest) = text.next() {
            return Err(Error::malformed(format_args!("the header goes on with {rest:?} where it should end")));
        }
        let missing = |key| Error::malformed(format_args!("the header has no key {key:?}"));
        let dtype = descr.ok_or_else(|| missing("descr"))?;
        let fortran = fortran.ok_or_else(|| missing("fortran_order"))?;
        Ok(Header { dtype, fortran, dims: dims.ok_or_else(|| missing("shape"))? })
    }
}

/// `<f4` and the like, or another of NumPy's names of a type, and whether it is big-endian. What no tensor has is named.
fn parse_descr(descr: &str) -> Result<(Encoded, bool), String> {
    let whole_name = match descr {
        "float16" | "half" => Some(Encoded::F16),
        "float32" | "single" => Some(Encoded::As(Dtype::F32)),
        "float64" | "double" | "float" => Some(Encoded::As(Dtype::F64)),
        "int32" | "intc" => Some(Encoded::As(Dtype::I32)),
        "int64" | "longlong" | "int" | "int_" | "long" | "intp" => Some(Encoded::As(Dtype::I64)),
        "uint8" | "ubyte" => Some(Encoded::As(Dtype::U8)),
        "bool" | "bool_" => Some(Encoded::As(Dtype::Bool)),
        _ => None,
    };
    let native = cfg!(target_endian = "big");
    if let Some(dtype) = whole_name {
        return Ok((dtype, native));
    }
    let (big_endian, kind) = match descr.split_at_checked(1) {
        Some(("<", kind)) => (false, kind),
        Some((">", kind)) => (true, kind),
        // Of a single byte there is no order; of several it is that of the machine.
        Some(("|" | "=", kind)) => (native, kind),
        _ => (native, descr),
    };
    let dtype = match kind {
        "f2" | "e" => Encoded::F16,
        "f4" | "f" => Encoded::As(Dtype::F32),
        "f8" | "d" => Encoded::As(Dtype::F64),
        "i4" | "i" => Encoded::As(Dtype::I32),
        "i8" | "q" | "l" | "p" => Encoded::As(Dtype::I64),
        "u1" | "B" => Encoded::As(Dtype::U8),
        "b1" | "?" => Encoded::As(Dtype::Bool),
        _ => return Err(format!("{descr:?}")),
    };
    Ok((dtype, big_endian))
}

/// What is left of the text of a literal.
struct Literal<'a>(&'a str);

impl<'a> Literal<'a> {
    /// The next character that is not white space.
    fn next(&mut self) -> Option<char> {
        self.0 = self.0.trim_ascii_start();
        self.0.chars().next()
    }

    fn eat(&mut self, token: char) -> bool {
        let eaten = self.next() == Some(token);
        if eaten {
            self.0 = &self.0[token.len_utf8()..];
        }
        eaten
    }

    fn expect(&mut self, token: char) -> Result<(), Error> {
        if self.eat(token) { Ok(()) } else { Err(self.misfit(format_args!("{token:?}"))) }
    }

    fn string(&mut self, what: &str) -> Result<&'a str, Error> {
        let quote = self.next().filter(|quote| ['\'', '"'].contains(quote)).ok_or_else(|| self.misfit(what))?;
        let (string, rest) = self.0[1..].split_once(quote).ok_or_else(|| self.misfit(what))?;
        // None of the strings that may stand here needs an escape.
        if string.contains('\\') {
            return Err(self.misfit(what));
        }
        self.0 = rest;
        Ok(string)
    }

    fn truth(&mut self) -> Result<bool, Error> {
        self.next();
        for (word, truth) in [("True", true), ("False", false)] {
            if let Some(rest) = self.0.strip_prefix(word) {
                self.0 = rest;
                return Ok(truth);
            }
        }
        Err(self.misfit("True or False"))
    }

    /// Whatever stands in brackets, which may be nested, and hold strings of any characters.
    fn pass_over_brackets(&mut self) -> Result<(), Error> {
        let (mut depth, mut quote) = (0_usize, None);
        let mut characters = self.0.char_indices();
        while let Some((at, character)) = characters.next() {
            match (character, quote) {
                ('\\', Some(_)) => {
                    characters.next();
                }
                (_, Some(open)) if character == open => quote = None,
                (_, Some(_)) => (),
                ('\'' | '"', None) => quote = Some(character),
                ('[' | '(', None) => depth += 1,
                (']' | ')', None) => depth -= 1,
                _ => (),
            }
            if depth == 0 {
                self.0 = &self.0[at + 1..];
                return Ok(());
            }
        }
        Err(self.misfit("a list that ends"))
    }

    /// Sizes in parentheses.
    fn tuple(&mut self) -> Result<Vec<usize>, Error> {
        let mut sizes = Vec::new();
        self.expect('(')?;
        while !self.eat(')') {
            self.next();
            let digits = self.0.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.0.len());
            let (number, rest) = self.0.split_at(digits);
            sizes.push(number.parse().map_err(|_| self.misfit("a size"))?);
            // What Python 2 wrote behind a long integer.
            self.0 = rest.strip_prefix('L').unwrap_or(rest);
            if !self.eat(',') {
                self.expect(')')?;
                break;
            }
        }
        Ok(sizes)
    }

    #[cold]
    fn misfit(&self, want: impl std::fmt::Display) -> Error {
        let got: String = self.0.chars().take(24).collect();
        Error::malformed(format_args!("the header has {got:?} in place of {want}"))
    }
}
