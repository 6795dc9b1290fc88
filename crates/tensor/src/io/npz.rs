//! Several arrays in a zip archive: `.npz`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::Path;

use flate2::read::DeflateDecoder;
use rawzip::path::{EntryPath, ZipFilePath};
use rawzip::{
    CompressionMethod, MAX_CENTRAL_DIRECTORY_RECORD_SIZE, ReaderAt, ZipArchive, ZipArchiveEntryWayfinder,
    ZipArchiveWriter, ZipFileHeaderRecord,
};

use super::any::AnyTensor;
use super::bytes::Source;
use super::error::Error;
use super::npy::{member, not_read, write_to};
use crate::file::replace_file;

/// The arrays in a `.npz` file, by name; stored or deflated, as `savez` and `savez_compressed` write them.
///
/// What is no array, as are a note or a folder, is [`AnyTensor::Other`], and so is an array of a type that no tensor has; neither is
/// kept. As NumPy does, it goes by the first bytes and not by the name, of which a final `.npy` is cut off.
///
/// A deflated array may take a thousand times the bytes of its file. For a file that you do not trust there is
/// [`read_npz_within`].
///
/// # Errors
/// The file cannot be read, is broken, or has two members of one name.
///
/// # Example
/// See the [module](super::npy).
pub fn read_npz(path: impl AsRef<Path>) -> Result<BTreeMap<String, AnyTensor>, Error> {
    read_npz_within(path, u64::MAX)
}

/// As [`read_npz`], if the elements of all arrays take no more than `most` bytes of memory; no more are asked for.
///
/// # Errors
/// As there, and where it would be more.
///
/// # Example
/// ```
/// use tensor::{Tensor, npy};
///
/// let path = std::env::temp_dir().join(format!("evenkeel-within-{}.npz", std::process::id()));
/// npy::write_npz(&path, [("x", Tensor::<f32>::zeros([1000]))])?;
/// assert!(npy::read_npz_within(&path, 4000).is_ok());
/// let error = npy::read_npz_within(&path, 3999).unwrap_err();
/// assert!(error.to_string().ends_with("x: takes 4000 bytes, where 3999 are allowed"));
/// # std::fs::remove_file(&path).unwrap();
/// # Ok::<(), tensor::io::Error>(())
/// ```
pub fn read_npz_within(path: impl AsRef<Path>, most: u64) -> Result<BTreeMap<String, AnyTensor>, Error> {
    let path = path.as_ref();
    let read = |file| arrays(ZipArchive::from_file(file, &mut directory_buffer()).map_err(Error::from)?, most);
    File::open(path).map_err(Error::from).and_then(read).map_err(|error| error.at(path))
}

/// The arrays in what would be a `.npz` file.
///
/// # Errors
/// As for [`read_npz`].
///
/// # Example
/// ```
/// use tensor::{Tensor, npy};
///
/// let mut file = Vec::new();
/// npy::write_npz_to(&mut file, [("labels", Tensor::from([3_i64, 1]))])?;
/// let arrays = npy::read_npz_from(std::io::Cursor::new(file))?;
/// assert_eq!(arrays["labels"].dtype(), "i64");
/// # Ok::<(), tensor::io::Error>(())
/// ```
pub fn read_npz_from(reader: impl Read + Seek) -> Result<BTreeMap<String, AnyTensor>, Error> {
    read_npz_from_within(reader, u64::MAX)
}

/// As [`read_npz_within`], of what would be a `.npz` file.
///
/// # Errors
/// As there.
///
/// # Example
/// See [`read_npz_within`].
pub fn read_npz_from_within(reader: impl Read + Seek, most: u64) -> Result<BTreeMap<String, AnyTensor>, Error> {
    arrays(ZipArchive::from_seekable(reader, &mut directory_buffer())?, most)
}

/// Makes a `.npz` file of named tensors, in the order given and not compressed, as NumPy's `savez` does.
///
/// What [`read_npz`] returns can be passed as it is.
///
/// # Errors
/// The file cannot be written; two tensors have the same name; a name has a NUL or more than 65,531 bytes; a name
/// beyond ASCII has a backslash, a drive, or parts between slashes that are empty, `.` or `..`; a tensor has more axes
/// than NumPy takes.
///
/// # Example
/// See the [module](super::npy).
pub fn write_npz<N: AsRef<str>, X: Into<AnyTensor>>(
    path: impl AsRef<Path>,
    arrays: impl IntoIterator<Item = (N, X)>,
) -> Result<(), Error> {
    let path = path.as_ref();
    replace_file(path, |out| write_npz_to(out, arrays)).map_err(|error| error.at(path))
}

/// Writes what a `.npz` file of named tensors consists of.
///
/// # Errors
/// As for [`write_npz`].
///
/// # Example
/// See [`read_npz_from`].
pub fn write_npz_to<N: AsRef<str>, X: Into<AnyTensor>>(
    writer: impl Write,
    arrays: impl IntoIterator<Item = (N, X)>,
) -> Result<(), Error> {
    let mut archive = ZipArchiveWriter::new(writer);
    let mut names = BTreeSet::new();
    for (name, x) in arrays {
        let name = name.as_ref();
        if !names.insert(name.to_owned()) {
            return Err(Error::refused("a second tensor of this name").named(name));
        }
        write_entry(&mut archive, name, x.into()).map_err(|error| error.named(name))?;
    }
    archive.finish()?;
    Ok(())
}

fn write_entry(archive: &mut ZipArchiveWriter<impl Write>, name: &str, x: AnyTensor) -> Result<(), Error> {
    let file = format!("{name}.npy");
    if name.contains('\0') {
        return Err(Error::refused("a NUL, at which NumPy would cut the name"));
    }
    // Only names that are changed by nothing are marked as UTF-8 by the writer; ASCII needs no mark.
    let entry = if name.is_ascii() {
        EntryPath::verbatim(file.as_bytes())
    } else if ZipFilePath::from_str(&file).as_str() == file {
        EntryPath::conformant(&file[..])
    } else {
        return Err(Error::refused("a name beyond ASCII that is not a plain path within an archive"));
    };
    let (mut entry, config) = archive.new_file(entry).start()?;
    let mut out = config.wrap(&mut entry);
    write_to(&mut out, x)?;
    let (_, sums) = out.finish()?;
    entry.finish(sums)?;
    Ok(())
}

/// Room for any entry of the directory.
fn directory_buffer() -> Vec<u8> {
    vec![0; MAX_CENTRAL_DIRECTORY_RECORD_SIZE]
}

/// An entry of the directory.
struct Entry {
    /// With `.npy`, if it has that.
    path: String,
    /// Whether it is deflated; or why it cannot be read.
    deflated: Result<bool, String>,
    place: ZipArchiveEntryWayfinder,
}

impl Entry {
    /// The path without `.npy`.
    fn name(&self) -> &str {
        self.path.strip_suffix(".npy").unwrap_or(&self.path)
    }
}

fn arrays<R: ReaderAt>(archive: ZipArchive<R>, most: u64) -> Result<BTreeMap<String, AnyTensor>, Error> {
    let entries = directory(&archive)?;
    refuse_overlaps(&archive, &entries)?;
    let paths: BTreeSet<&str> = entries.iter().map(|entry| &entry.path[..]).collect();
    let (mut arrays, mut allowed) = (BTreeMap::new(), most);
    for entry in &entries {
        // Beside `x`, `x.npy` keeps its whole name.
        let name = if paths.contains(entry.name()) { &entry.path } else { entry.name() };
        let x = array(&archive, entry, &mut allowed).map_err(|error| error.named(name))?;
        if arrays.insert(name.to_owned(), x).is_some() {
            return Err(Error::malformed("two members have this name").named(name));
        }
    }
    Ok(arrays)
}

fn directory<R: ReaderAt>(archive: &ZipArchive<R>) -> Result<Vec<Entry>, Error> {
    let mut buffer = directory_buffer();
    let (mut records, mut entries) = (archive.entries(&mut buffer), Vec::new());
    while let Some(record) = records.next_entry()? {
        entries.push(entry(&record)?);
    }
    if entries.len() as u64 != archive.entries_hint() {
        let claimed = archive.entries_hint();
        let why = format!("the archive claims {claimed} entries; its directory has {}", entries.len());
        return Err(Error::malformed(why));
    }
    Ok(entries)
}

fn entry(record: &ZipFileHeaderRecord<'_>) -> Result<Entry, Error> {
    let bytes = record.file_path().as_bytes();
    let path = match str::from_utf8(bytes) {
        Ok(path) => path.to_owned(),
        Err(_) if record.flags().is_utf8() => {
            return Err(Error::malformed("the name is not UTF-8").named(&String::from_utf8_lossy(bytes)));
        }
        // What zip was made for: the characters of the IBM PC.
        Err(_) => bytes.iter().map(|&byte| code_page_437(byte)).collect(),
    };
    if path.contains('\0') {
        return Err(Error::malformed("the name has a NUL").named(&path));
    }
    let deflated = match record.compression_method() {
        _ if record.flags().is_encrypted() => Err("is encrypted".to_owned()),
        CompressionMethod::STORE => Ok(false),
        CompressionMethod::DEFLATE => Ok(true),
        other => Err(format!("is compressed by {other}, not by deflate")),
    };
    Ok(Entry { path, deflated, place: record.wayfinder() })
}

fn code_page_437(byte: u8) -> char {
    const UPPER: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}";
    match byte {
        0..128 => byte.into(),
        _ => UPPER.chars().nth(usize::from(byte) - 128).expect("of 128"),
    }
}

/// An archive whose entries share bytes could expand to many times what its size allows.
fn refuse_overlaps<R: ReaderAt>(archive: &ZipArchive<R>, entries: &[Entry]) -> Result<(), Error> {
    let mut ranges = Vec::with_capacity(entries.len());
    for entry in entries {
        let found = archive.get_entry(entry.place).map_err(|error| Error::from(error).named(entry.name()))?;
        let (start, end) = found.compressed_data_range();
        if end > archive.directory_offset() {
            return Err(Error::malformed("claims more bytes than the archive has").named(entry.name()));
        }
        ranges.push((start, end, entry.name()));
    }
    ranges.sort_unstable();
    match ranges.windows(2).find(|pair| pair[0].1 > pair[1].0) {
        Some(pair) => Err(Error::malformed("shares bytes with another entry").named(pair[1].2)),
        None => Ok(()),
    }
}

/// What the entry holds; what its elements take is taken off what is `allowed`.
fn array<R: ReaderAt>(archive: &ZipArchive<R>, entry: &Entry, allowed: &mut u64) -> Result<AnyTensor, Error> {
    let found = archive.get_entry(entry.place)?;
    let (start, end) = found.compressed_data_range();
    // Both readers check the length and the checksum when they come to the end.
    match &entry.deflated {
        Ok(true) => member(Source::new(found.verifying_reader(DeflateDecoder::new(found.reader())), None), allowed),
        Ok(false) => member(Source::new(found.verifying_reader(found.reader()), Some(end - start)), allowed),
        Err(why) if entry.path.ends_with(".npy") => Err(Error::malformed(why)),
        Err(why) => not_read(format!("something that {why}"), end - start),
    }
}

impl From<rawzip::Error> for Error {
    fn from(error: rawzip::Error) -> Self {
        match error.into_kind() {
            rawzip::ErrorKind::IO(error) => error.into(),
            kind => Error::malformed(format_args!("not a sound zip archive: {kind}")),
        }
    }
}
