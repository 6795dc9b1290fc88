//! Files of other formats, told by how they begin.

/// What a file is that begins so, if it is of a format that is often taken for another.
pub(super) fn described(start: &[u8]) -> Option<&'static str> {
    const FORMATS: [(&[u8], &str); 11] = [
        (b"PK\x03\x04", "a zip archive, as torch.save writes (.pt), and NumPy's savez (.npz)"),
        (b"PK\x05\x06", "an empty zip archive"),
        (b"\x93NUMPY", "an array of NumPy's (.npy), which `tensor::npy` reads"),
        (b"\x89HDF\r\n\x1a\n", "an HDF5 file, as Keras writes"),
        (b"\x1f\x8b", "compressed by gzip, and must be decompressed first"),
        (b"\x28\xb5\x2f\xfd", "compressed by Zstandard, and must be decompressed first"),
        (b"\xfd7zXZ\0", "compressed by xz, and must be decompressed first"),
        (b"GGUF", "a GGUF file, as llama.cpp reads"),
        (b"version https://git-lfs", "a pointer of Git LFS, in whose place `git lfs pull` fetches the file"),
        (b"<!DOCTYPE", "a page of HTML, and not what was to be downloaded"),
        (b"<html", "a page of HTML, and not what was to be downloaded"),
    ];
    // A pickle: its version, and what it begins with.
    if let [0x80, 2..=5, b'}' | b']' | b'(' | b'c' | 0x8a | 0x95, ..] = start {
        return Some("a pickle of Python's, as torch.save once wrote");
    }
    // The length of a header below 4 GiB, and then its text.
    if start.get(4..9) == Some(b"\0\0\0\0{") {
        return Some("a .safetensors file, which `tensor::safetensors` reads");
    }
    let known = FORMATS.iter().find(|(magic, _)| start.starts_with(magic)).map(|&(_, what)| what);
    let is_text = |byte: &u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    known.or_else(|| (!start.is_empty() && start.iter().all(is_text)).then_some("text"))
}

/// Bytes by which all of them are told.
pub(super) const ENOUGH: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_other_formats_are_told_by_how_they_begin() {
        let tells =
            |start: &[u8], word: &str| assert!(described(start).is_some_and(|what| what.contains(word)), "{word}");
        tells(b"PK\x03\x04\x00\x00\x08\x08", "torch.save");
        tells(b"\x93NUMPY\x01\x00v\x00", "npy");
        tells(b"\x80\x02\x8a\x0al\xfc\x9c", "pickle");
        tells(b"\x80\x04\x95\x10\0\0\0", "pickle");
        tells(b"\x58\0\0\0\0\0\0\0{\"a", "safetensors");
        tells(b"version https://git-lfs.github.com/spec/v1", "git lfs pull");
        assert_eq!((described(b""), described(b"a\0"), described(&[0; 16])), (None, None, None));
        tells(b"hidden.weight,0.25\r\n", "text");
    }
}
