//! Broken files are errors: never a panic, and no memory is taken for what a file only claims.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;

use tensor::io::{AnyTensor, Error};
use tensor::{Tensor, npy};

use crate::meter::largest_piece;
use crate::{folder, golden, read, read_bytes};

/// More than the small files of these tests need in one piece: the buffers in which files are read included.
const ENOUGH: usize = 512 << 10;

/// Reads bytes from memory and as a file, with little memory and the same result.
#[track_caller]
fn read_both_ways(path: &Path, bytes: &[u8]) -> Result<BTreeMap<String, AnyTensor>, Error> {
    let format = path.extension().unwrap().to_str().unwrap();
    // Cut, not emptied: file systems write at once what replaces an emptied file, and this is done often.
    let mut file = fs::OpenOptions::new().create(true).truncate(false).write(true).open(path).unwrap();
    file.set_len(bytes.len() as u64).unwrap();
    file.write_all(bytes).unwrap();
    drop(file);
    let (from_file, piece) = largest_piece(|| read(path));
    assert!(piece <= ENOUGH, "{piece} bytes at once");
    let (from_memory, piece) = largest_piece(|| read_bytes(format, bytes));
    assert!(piece <= ENOUGH, "{piece} bytes at once");
    match (&from_file, &from_memory) {
        // NaN equals nothing.
        (Ok(file), Ok(memory)) => assert_eq!(format!("{file:?}"), format!("{memory:?}")),
        (Err(error), _) => assert!(error.to_string().starts_with(&path.display().to_string()), "{error}"),
        (Ok(_), Err(error)) => panic!("only from memory: {error}"),
    }
    from_file
}

/// Every file that Python made, sound or not.
fn goldens() -> impl Iterator<Item = (String, Vec<u8>)> {
    let files = fs::read_dir(golden("")).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().unwrap() != "py").map(|path| {
        let bytes = fs::read(&path).unwrap();
        (path.file_name().unwrap().to_str().unwrap().to_owned(), bytes)
    })
}

#[test]
fn a_file_that_ends_too_early_is_an_error_wherever_it_ends() {
    let folder = folder("a_file_that_ends_too_early");
    let mut sound = 0;
    for (name, bytes) in goldens() {
        sound += usize::from(read_both_ways(&folder.join(&name), &bytes).is_ok());
        for len in 0..bytes.len() {
            assert!(read_both_ways(&folder.join(&name), &bytes[..len]).is_err(), "{name} cut to {len} bytes");
        }
    }
    assert_eq!(sound, 38);
}

#[test]
fn a_byte_that_is_wrong_is_an_error_or_another_tensor() {
    let folder = folder("a_byte_that_is_wrong");
    let (mut errors, mut tensors) = (0, 0);
    for (name, mut bytes) in goldens() {
        for at in 0..bytes.len() {
            let right = bytes[at];
            for wrong in [right ^ 1, right ^ 0x80, 0, 0xff, b'9', b'('] {
                bytes[at] = wrong;
                match read_both_ways(&folder.join(&name), &bytes) {
                    Err(_) => errors += 1,
                    Ok(named) => {
                        tensors += 1;
                        named.values().for_each(valid);
                    }
                }
            }
            bytes[at] = right;
        }
    }
    assert!(errors > 10_000 && tensors > 10_000, "{errors} errors, {tensors} without");
}

/// Every element can be reached.
fn valid(x: &AnyTensor) {
    let len = match x {
        AnyTensor::F32(x) => x.to_vec().len(),
        AnyTensor::F64(x) => x.to_vec().len(),
        AnyTensor::I32(x) => x.to_vec().len(),
        AnyTensor::I64(x) => x.to_vec().len(),
        AnyTensor::U8(x) => x.to_vec().len(),
        AnyTensor::Bool(x) => x.iter().filter(|&x| x).count() + x.iter().filter(|&x| !x).count(),
        AnyTensor::Other { shape, .. } => shape.numel(),
    };
    assert_eq!(len, x.shape().numel());
}

/// A `.npy` file with any header and twelve bytes of elements.
fn with_header(header: &str) -> Vec<u8> {
    let len = u16::try_from(header.len()).unwrap();
    [b"\x93NUMPY\x01\x00", &len.to_le_bytes()[..], header.as_bytes(), &[0; 12]].concat()
}

#[track_caller]
fn fails(path: &Path, bytes: &[u8], why: &str) {
    let error = read_both_ways(path, bytes).unwrap_err();
    assert!(error.to_string().contains(why), "{error}");
}

#[test]
fn headers_of_npy_that_lie_are_found_out() {
    let path = folder("headers_of_npy").join("x.npy");
    let shape = |shape: &str| with_header(&format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}}}"));
    assert!(read_both_ways(&path, &shape("(3,)")).is_ok());
    assert!(read_both_ways(&path, &shape("[3]")).is_err());
    assert!(read_both_ways(&path, &shape(" ( 3L , 1, ) ")).is_ok());
    for (dims, why) in [
        (
            "(1000000000000000,)",
            "the header claims 1000000000000000 elements of f32, which take 4000000000000000 bytes; 12 bytes are there",
        ),
        ("(4,)", "claims 4 elements of f32, which take 16 bytes; 12 bytes are there"),
        ("(9223372036854775807,)", "36893488147419103228 bytes"),
        ("(9223372036854775808,)", "more elements than can be addressed"),
        ("(4294967296, 4294967296, 2)", "more elements than can be addressed"),
        ("(0, 4294967296, 4294967296)", "more elements than can be addressed"),
        ("(18446744073709551616,)", "in place of a size"),
        ("(-3,)", "in place of a size"),
        ("(3.0,)", "in place of"),
        ("(True,)", "in place of a size"),
        ("(3", "in place of ')'"),
        ("((((((((((3,),),),),),),),),),)", "in place of a size"),
        ("3", "in place of '('"),
    ] {
        fails(&path, &shape(dims), why);
    }
    for (header, why) in [
        ("", "in place of '{'"),
        ("{}", "no key \"descr\""),
        ("{'descr': '<f4', 'shape': (3,)}", "no key \"fortran_order\""),
        ("{'descr': '<f4', 'fortran_order': 0, 'shape': (3,)}", "in place of True or False"),
        ("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (3,)}", "the key \"descr\" twice"),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (3,), 'more': 1}", "a key \"more\""),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (3,)} {", "goes on with '{'"),
        ("{'descr': <f4, 'fortran_order': False, 'shape': (3,)}", "in place of a type in quotes"),
        ("{'descr': '<f4, 'fortran_order': False, 'shape': (3,)}", "in place of"),
        ("{'descr': '', 'fortran_order': False, 'shape': (3,)}", "holds \"\", which is none of"),
        ("{'descr': '|f5', 'fortran_order': False, 'shape': (3,)}", "holds \"|f5\", which is none of"),
        // In Latin-1, as NumPy reads version 1.
        ("{'descr': 'é4', 'fortran_order': False, 'shape': (3,)}", "holds \"Ã©4\", which is none of"),
        ("{'descr': [('a]', '<f4'), 'fortran_order': False, 'shape': (3,)}", "in place of a list that ends"),
        ("{'descr': [('a', '<f4')', 'fortran_order': False, 'shape': (3,)}", "in place of a list that ends"),
    ] {
        fails(&path, &with_header(header), why);
    }
    fails(&path, &with_header(&"(".repeat(65_535)), "in place of '{'");
    fails(&path, &with_header(&format!("{{'shape': ({}", "1,".repeat(30_000))), "in place of a size");
    fails(&path, b"\x93NUMPY\x02\x00\xff\xff\xff\xff{'descr'", "a header of 4294967295 bytes");
    fails(&path, b"\x93NUMPY\x02\x00\x00\x00\x01\x00{'descr'", "the header takes 65536 bytes; 8 are there");
    fails(&path, b"\x93NUMPY\x04\x00\x00\x00\x01\x00{'descr'", "version 4.0");
    fails(&path, b"\x93NUMPY\x03\x00\x01\x00\x00\x00\xff", "the header is not text");
    fails(&path, b"\x93NUMPY\x01\x00\x01\x00\xff", "\"ÿ\" in place of '{'");
    fails(&path, b"PK\x03\x04 and so on", "does not begin with");

    // A file ends with its array; a stream may go on.
    fs::write(&path, shape("(2,)")).unwrap();
    let error = npy::read_any(&path).unwrap_err();
    assert!(error.to_string().ends_with("4 bytes follow where the file should end"), "{error}");
    assert!(npy::read_from(&shape("(2,)")[..]).is_ok());
}

/// A file may really be as long as its header claims, of bytes that take no room on the disk.
#[test]
fn what_is_more_than_the_memory_is_an_error() {
    let path = folder("what_is_more_than_the_memory").join("sparse.npy");
    let bytes = with_header("{'descr': '<f4', 'fortran_order': False, 'shape': (2199023255552,)}");
    fs::write(&path, &bytes).unwrap();
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    if file.set_len(bytes.len() as u64 - 12 + (8 << 40)).is_err() {
        println!("passed over: this file system has no files of 8 TiB");
        return;
    }
    let error = npy::read_any(&path).unwrap_err();
    let why = "holds 2199023255552 elements of f32, which are more than the system has memory for";
    assert_eq!(error.to_string(), format!("{}: {why}", path.display()));
}

#[test]
fn a_bool_is_0_or_1() {
    let path = folder("a_bool").join("x.npy");
    let mut bytes = fs::read(golden("c-bool.npy")).unwrap();
    *bytes.last_mut().unwrap() = 2;
    fails(&path, &bytes, "holds 2 as a bool, which is 0 or 1");
    let (bytes, at) = patched("all.safetensors", &[0, 1, 0, 1, 0, 1], &[0, 1, 0, 255, 0, 1]);
    assert!(at > 0);
    fails(&path.with_extension("safetensors"), &bytes, "bool: holds 255 as a bool");
}

/// A golden file with the last place that reads `old` changed to `new`, and that place.
fn patched(file: &str, old: &[u8], new: &[u8]) -> (Vec<u8>, usize) {
    let mut bytes = fs::read(golden(file)).unwrap();
    let at = bytes.windows(old.len()).rposition(|window| window == old).expect("the file holds it");
    bytes[at..][..new.len()].copy_from_slice(new);
    (bytes, at)
}

/// A `.safetensors` file with any header and some bytes of elements.
fn with_json(json: &str, elements: usize) -> Vec<u8> {
    [&(json.len() as u64).to_le_bytes()[..], json.as_bytes(), &vec![0; elements]].concat()
}

#[test]
fn headers_of_safetensors_that_lie_are_found_out() {
    let path = folder("headers_of_safetensors").join("x.safetensors");
    let one = r#"{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}}"#;
    assert!(read_both_ways(&path, &with_json(one, 12)).is_ok());
    for (json, why) in [
        (
            r#"{"a":{"dtype":"F32","shape":[1000000000000000],"data_offsets":[0,4000000000000000]}}"#,
            "12 bytes are there",
        ),
        (r#"{"a":{"dtype":"F32","shape":[4294967296,4294967296,2],"data_offsets":[0,12]}}"#, "overflow"),
        (r#"{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,12]}}"#, "invalid shape, data type, or offset"),
        (r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}"#, "invalid offset"),
        (r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}"#, "invalid offset"),
        (r#"{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}"#, "invalid value"),
        (r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#, "bytes follow where the file should end"),
        (
            r#"{"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},"b":{"dtype":"U8","shape":[8],"data_offsets":[4,12]}}"#,
            "invalid offset",
        ),
        (
            r#"{"a":{"dtype":"U8","shape":[12],"data_offsets":[0,12]},"a":{"dtype":"U8","shape":[12],"data_offsets":[0,12]}}"#,
            "\"a\" is there twice",
        ),
        (r#"{"__metadata__":{"k":"1","k":"2"}}"#, "\"k\" is there twice in \"__metadata__\""),
        (r#"{"__metadata__":{"k":1}}"#, "invalid type"),
        (r#"{"__metadata__":null,"__metadata__":{}}"#, "\"__metadata__\" is there twice"),
        (r#"{"a":{"dtype":"F33","shape":[3],"data_offsets":[0,12]}}"#, "unknown variant"),
        (r#"{"a":{"dtype":"F32","data_offsets":[0,12]}}"#, "missing field"),
        (r#"[]"#, "expected tensors by name"),
        ("", "EOF"),
        ("{", "EOF"),
    ] {
        fails(&path, &with_json(json, 12), why);
    }
    fails(&path, &with_json(&"[".repeat(100_000), 0), "invalid type");
    fails(&path, &with_json(&format!("{{\"a\":{}", "[".repeat(100_000)), 0), "the header is not that");
    fails(&path, &with_json(&format!("{{\"a\":{{\"b\":{}", "[".repeat(100_000)), 0), "the header is not that");
    fails(&path, &[[255; 8], [0; 8]].concat(), "its header would have 18446744073709551615 bytes");
    fails(&path, &[99_999_999_u64.to_le_bytes(), [0; 8]].concat(), "the header takes 99999999 bytes; 8 are there");
    let mut latin = with_json(one, 12);
    latin[10] = 0xe4;
    fails(&path, &latin, "the header is not that of a .safetensors file");
}

#[test]
fn archives_that_lie_are_found_out() {
    let path = folder("archives").join("x.npz");
    assert!(read_both_ways(&path, &fs::read(golden("paths.npz")).unwrap()).is_ok());
    fails(&path, &fs::read(golden("twice.npz")).unwrap(), "a: two members have this name");
    fails(&path, &fs::read(golden("rank-1.npy")).unwrap(), "not a sound zip archive");
    fails(&path, b"", "not a sound zip archive");

    let local = b"PK\x03\x04";
    let directory = b"PK\x01\x02";
    let change = |file: &str, from_end: usize, field: usize, new: &[u8]| {
        let mut bytes = fs::read(golden(file)).unwrap();
        let starts: Vec<usize> = (0..bytes.len() - 4).filter(|&at| bytes[at..].starts_with(directory)).collect();
        let at = starts[starts.len() - from_end] + field;
        bytes[at..][..new.len()].copy_from_slice(new);
        bytes
    };
    // Fields of an entry of the directory, by their place.
    fails(&path, &change("paths.npz", 1, 8, &[1]), "is encrypted");
    fails(&path, &change("paths.npz", 1, 10, &[12]), "is compressed by");
    fails(&path, &change("paths.npz", 1, 16, &[0; 4]), "Invalid checksum");
    fails(&path, &change("paths.npz", 1, 20, &[255, 255, 255, 127]), "claims more bytes than the archive has");
    fails(&path, &change("paths.npz", 1, 24, &[255, 255, 255, 127]), "Invalid size");
    fails(&path, &change("deflated.npz", 1, 24, &[255, 255, 255, 127]), "Invalid size");
    fails(&path, &change("paths.npz", 1, 24, &[150, 0, 0, 0]), "Invalid size");
    fails(&path, &change("paths.npz", 1, 42, &[255, 255, 255, 127]), "failed to fill whole buffer");
    fails(&path, &change("paths.npz", 1, 42, &[0; 4]), "shares bytes with another entry");
    fails(&path, &change("paths.npz", 2, 46, b"\0"), "the name has a NUL");
    let mut marked = change("paths.npz", 2, 46, b"\xff");
    let at = marked.windows(4).rposition(|window| window == directory).unwrap();
    let at = marked[..at].windows(4).rposition(|window| window == directory).unwrap();
    // The bit that says that it is.
    marked[at + 9] |= 8;
    fails(&path, &marked, "the name is not UTF-8");

    // A count of entries that is not that of the directory.
    let (bytes, _) = patched("paths.npz", b"\x04\0\x04\0", b"\x05\0\x05\0");
    fails(&path, &bytes, "claims 5 entries; its directory has 4");
    let (bytes, _) = patched("paths.npz", local, b"PK\0\0");
    fails(&path, &bytes, "not a sound zip archive");

    // What a deflated array claims in its own header, of which the archive knows nothing.
    fails(
        &path,
        &deflated(&with_header("{'descr': '<f4', 'fortran_order': False, 'shape': (10000000,)}")),
        "12 bytes are there",
    );
    fails(&path, &deflated(&with_header("{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}")), "bytes follow");
    assert!(
        read_both_ways(&path, &deflated(&with_header("{'descr': '<f4', 'fortran_order': False, 'shape': (3,)}")))
            .is_ok()
    );
}

/// An archive of one deflated file, with the right sums.
fn deflated(file: &[u8]) -> Vec<u8> {
    let mut archive = rawzip::ZipArchiveWriter::new(Vec::new());
    let builder = archive.new_file("x.npy").compression_method(rawzip::CompressionMethod::DEFLATE);
    let (mut entry, config) = builder.start().unwrap();
    let mut out = config.wrap(flate2::write::DeflateEncoder::new(&mut entry, flate2::Compression::default()));
    out.write_all(file).unwrap();
    let (encoder, sums) = out.finish().unwrap();
    encoder.finish().unwrap();
    entry.finish(sums).unwrap();
    archive.finish().unwrap()
}

#[test]
fn no_more_memory_is_asked_for_than_is_allowed() {
    let path = folder("allowed").join("x.npz");
    let mut file = Vec::new();
    npy::write_to(&mut file, Tensor::<f32>::zeros([5_000_000])).unwrap();
    let file = deflated(&file);
    assert!(file.len() < 40_000, "{} bytes that become 20 MB", file.len());
    fs::write(&path, &file).unwrap();
    let (result, piece) = largest_piece(|| npy::read_npz_within(&path, 19_999_999));
    assert!(result.unwrap_err().to_string().ends_with("x: takes 20000000 bytes, where 19999999 are allowed"));
    assert!(piece <= ENOUGH, "{piece}");
    assert!(npy::read_npz_within(&path, 20_000_000).is_ok());
    // All arrays count, together; halves as the singles that they become.
    let archive = fs::read(golden("stored.npz")).unwrap();
    let whole = |most| npy::read_npz_from_within(std::io::Cursor::new(&archive), most);
    let bytes: u64 = whole(u64::MAX).unwrap().values().map(|x| x.shape().numel() as u64 * size(x.dtype())).sum();
    assert!(whole(bytes).is_ok() && whole(bytes - 1).is_err());
}

fn size(dtype: &str) -> u64 {
    match dtype {
        "f64" | "i64" => 8,
        "f32" | "i32" => 4,
        _ => 1,
    }
}

#[test]
fn memory_is_asked_for_as_elements_come() {
    // A negative control for the tests above: a tensor as large as those headers claim would be seen.
    let (_, piece) = largest_piece(|| Tensor::<f32>::zeros([1000, 1000]));
    assert!(piece > ENOUGH);

    // From a stream nobody knows the length of; what came was 4 MB, and vectors double.
    let x = Tensor::<f32>::ones([1000, 1000]);
    let mut bytes = Vec::new();
    npy::write_to(&mut bytes, &x).unwrap();
    let claim = bytes.windows(12).position(|window| window == b"(1000, 1000)").unwrap();
    bytes[claim..][..12].copy_from_slice(b"(999999999,)");
    let (result, piece) = largest_piece(|| npy::read_from(&bytes[..]));
    assert!(result.unwrap_err().to_string().ends_with("4000000 bytes are there"));
    assert!((1 << 20..9 << 20).contains(&piece), "{piece}");
}

#[test]
fn a_file_of_another_format_is_called_by_its_name() {
    let path = folder("a_file_of_another_format").join("x");
    let why = |format: &str, bytes: &[u8]| {
        let path = path.with_extension(format);
        fs::write(&path, bytes).unwrap();
        read(&path).unwrap_err().to_string()
    };
    let x = Tensor::from([1.0_f32]);
    let (mut npy, mut npz, mut safetensors) = (Vec::new(), Vec::new(), Vec::new());
    tensor::npy::write_to(&mut npy, &x).unwrap();
    tensor::npy::write_npz_to(&mut npz, [("x", &x)]).unwrap();
    tensor::safetensors::write_to(&mut safetensors, [("x", &x)], &Default::default()).unwrap();
    // PyTorch's archives have flags that ours have not.
    let pt = [b"PK\x03\x04\0\0\x08\x08".as_slice(), &[0; 40]].concat();
    for zip in [&npz, &pt] {
        let why = why("safetensors", zip);
        assert!(why.contains(": this is a zip archive, as torch.save writes (.pt), and NumPy's savez"), "{why}");
    }
    assert!(why("safetensors", &npy).contains(": this is an array of NumPy's (.npy), which `tensor::npy` reads"));
    assert!(why("safetensors", b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.").contains("this is a pickle of Python's"));
    assert!(why("safetensors", b"version https://git-lfs.github.com/spec/v1\n").contains("`git lfs pull`"));
    assert!(
        why("safetensors", b"\xff\xff\xff\xff\xff\xff\xff\xff")
            .contains("no .safetensors file: its header would have 18446744073709551615 bytes")
    );
    assert!(why("npy", &safetensors).ends_with("this is a .safetensors file, which `tensor::safetensors` reads"));
    assert!(why("npy", &npz).contains("this is a zip archive"));
    assert!(why("safetensors", b"weight,0.1\n").contains("this is text; what is read here"));
    assert!(why("npy", b"1,2,3\n").ends_with("it does not begin with \\x93NUMPY; this is text"));
    assert!(why("npy", b"\x01\x02").ends_with("it does not begin with \\x93NUMPY"));
}
