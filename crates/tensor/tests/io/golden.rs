//! Files that Python made, and ours against theirs.

use std::fs;

use tensor::io::{AnyTensor, Reason};
use tensor::{Dtype, Tensor, npy, safetensors};

use crate::{DTYPES, golden, numbers};

#[track_caller]
fn holds(file: &str, want: &AnyTensor) {
    assert_eq!(&npy::read_any(golden(file)).unwrap(), want, "{file}");
    assert_eq!(&npy::read_from(fs::File::open(golden(file)).unwrap()).unwrap(), want, "{file}");
}

#[test]
fn arrays_of_every_type_order_and_endianness_are_read() {
    for dtype in DTYPES {
        holds(&format!("c-{dtype}.npy"), &numbers(dtype, &[2, 3]));
        holds(&format!("fortran-{dtype}.npy"), &numbers(dtype, &[2, 3]));
    }
    for dtype in &DTYPES[..4] {
        holds(&format!("big-{dtype}.npy"), &numbers(dtype, &[2, 3]));
    }
    holds("big-fortran-float64.npy", &numbers("float64", &[2, 3, 2]));
    holds("rank-3-fortran.npy", &numbers("int64", &[2, 3, 2]));
}

#[test]
fn arrays_of_every_rank_and_version_are_read() {
    holds("rank-0.npy", &numbers("float32", &[]));
    holds("rank-1.npy", &numbers("int64", &[3]));
    holds("empty.npy", &numbers("float32", &[0, 3]));
    holds("empty-fortran.npy", &numbers("float32", &[3, 0, 2]));
    holds("version-2.npy", &numbers("int32", &[2, 2]));
    holds("version-3.npy", &numbers("int32", &[2, 2]));
}

#[test]
fn fortran_order_is_a_transposed_view() {
    let x = npy::read::<f32>(golden("fortran-float32.npy")).unwrap();
    assert_eq!((x.layout().strides(), x.t().is_contiguous()), (&[1, 2][..], true));
}

#[test]
fn floats_come_with_all_their_bits() {
    let x = npy::read::<f32>(golden("special.npy")).unwrap();
    let bits: Vec<u32> = x.iter().map(f32::to_bits).collect();
    assert_eq!(bits, [0x7fc0_0000, 0x7f80_0000, 0xff80_0000, 0x8000_0000, 1, 0x7f7f_ffff]);
}

#[test]
fn archives_are_read_stored_and_deflated() {
    for (file, extra) in [("stored.npz", "ünï/κ"), ("deflated.npz", "zeros")] {
        let mut arrays = npy::read_npz(golden(file)).unwrap();
        match arrays.remove(extra).unwrap() {
            AnyTensor::I64(x) => assert_eq!(x, Tensor::from([-2, -1])),
            zeros => assert_eq!(zeros, Tensor::<f32>::zeros([100, 100]).into()),
        }
        for dtype in DTYPES {
            assert_eq!(arrays.remove(dtype).unwrap(), numbers(dtype, &[2, 3]), "{file}");
        }
        assert_eq!(arrays.remove("t").unwrap().get(), Some(&numbers("float32", &[2, 3]).get::<f32>().unwrap().t()));
        assert_eq!(arrays.remove("scalar").unwrap(), numbers("float64", &[]));
        assert_eq!(arrays.remove("none").unwrap(), numbers("float32", &[0, 3]));
        assert!(arrays.is_empty(), "{arrays:?}");
    }
    assert!(npy::read_npz(golden("no-arrays.npz")).unwrap().is_empty());
}

#[test]
fn names_are_only_names_whatever_path_they_look_like() {
    let arrays = npy::read_npz(golden("paths.npz")).unwrap();
    assert!(arrays.keys().eq(["", "../../up", "/root", "c:\\windows"]), "{:?}", arrays.keys());
}

#[test]
fn safetensors_are_read_with_their_metadata() {
    let contents = safetensors::read(golden("all.safetensors")).unwrap();
    assert_eq!(contents.metadata, [("from".to_owned(), "NumPy".to_owned())].into());
    assert_eq!(contents.tensors.len(), DTYPES.len() + 3);
    for dtype in DTYPES {
        assert_eq!(contents.tensors[dtype], numbers(dtype, &[2, 3]));
    }
    assert_eq!(contents.tensors["t"].get(), Some(&numbers("float32", &[2, 3]).get::<f32>().unwrap().t()));
    assert_eq!(contents.tensors["scalar"], numbers("float64", &[]));
    assert_eq!(contents.tensors["none"], numbers("float32", &[0, 3]));
    assert_eq!(safetensors::read(golden("no-tensors.safetensors")).unwrap(), safetensors::Contents::default());
}

#[test]
fn our_bytes_are_those_of_python() {
    let mut files: Vec<String> = DTYPES.iter().map(|dtype| format!("c-{dtype}.npy")).collect();
    files.extend(["rank-0.npy", "rank-1.npy", "empty.npy", "special.npy"].map(str::to_owned));
    for file in files {
        let mut bytes = Vec::new();
        npy::write_to(&mut bytes, npy::read_any(golden(&file)).unwrap()).unwrap();
        assert!(bytes == fs::read(golden(&file)).unwrap(), "{file}");
    }
    for file in ["all.safetensors", "no-tensors.safetensors"] {
        let contents = safetensors::read(golden(file)).unwrap();
        let mut bytes = Vec::new();
        safetensors::write_to(&mut bytes, &contents.tensors, &contents.metadata).unwrap();
        assert!(bytes == fs::read(golden(file)).unwrap(), "{file}");
    }
}

#[test]
fn another_type_than_asked_for_is_an_error_that_names_both() {
    let path = golden("c-float64.npy");
    let error = npy::read::<f32>(&path).unwrap_err();
    assert_eq!(error.to_string(), format!("{}: holds f64, not f32", path.display()));
    assert!(matches!(error.reason(), Reason::Dtype { want: Dtype::F32, got: Dtype::F64 }));
}

#[test]
fn types_that_no_tensor_has_are_named() {
    for (file, dtype) in
        [("text.npy", "\"<U2\""), ("objects.npy", "\"|O\""), ("records.npy", "records of several fields")]
    {
        let path = golden(file);
        let error = crate::read(&path).unwrap_err();
        assert!(matches!(error.reason(), Reason::Unsupported(_)), "{error}");
        assert!(error.to_string().starts_with(&path.display().to_string()), "{error}");
        assert!(error.to_string().contains(&format!("holds {dtype}, which is none of f32, f64")), "{error}");
    }
}

#[test]
fn halves_become_singles() {
    let want = Tensor::<f32>::from([0.0, 1.0, 2.0]);
    holds("half.npy", &want.clone().into());
    let mixed = safetensors::read(golden("mixed.safetensors")).unwrap().tensors;
    assert_eq!(safetensors::read(golden("half.safetensors")).unwrap().tensors["half"].get(), Some(&want));
    let numbers = Tensor::from([[1.0_f32, -2.5, 6.103_515_6e-5], [5.960_464_5e-8, 65_504.0, f32::INFINITY]]);
    assert_eq!(mixed["f16"].get(), Some(&numbers));
    assert_eq!(mixed["bf16"].get(), Some(&Tensor::from([1.0_f32, -2.5, 3.389_531_4e38])));
}

#[test]
fn a_tensor_of_another_type_does_not_hide_those_beside_it() {
    let archive = npy::read_npz(golden("mixed.npz")).unwrap();
    let contents = safetensors::read(golden("mixed.safetensors")).unwrap();
    for (tensors, other, dtype) in [
        (&archive, "u2", "\"<u2\""),
        (&archive, "records", "records of several fields"),
        (&archive, "objects", "\"|O\""),
        (&contents.tensors, "u2", "U16"),
    ] {
        assert_eq!(tensors["x"], numbers("float32", &[2, 3]));
        assert_eq!(tensors["y"], numbers("int64", &[2]));
        let x = &tensors[other];
        assert_eq!((x.dtype(), x.shape().dims()), (dtype, &[2, 2][..]));
        let error = Tensor::<i64>::try_from(x).unwrap_err();
        assert!(error.to_string().starts_with(&format!("holds {dtype}, which is none of f32")), "{error}");
        // What was not read is not written, not even as nothing.
        let errors = [
            npy::write_to(&mut Vec::new(), x).unwrap_err(),
            npy::write_npz_to(&mut Vec::new(), [("x", x)]).unwrap_err(),
            safetensors::write_to(&mut Vec::new(), [("x", x)], &Default::default()).unwrap_err(),
        ];
        assert!(errors.iter().all(|error| error.to_string().contains("was not read")), "{errors:?}");
    }
}

#[test]
fn what_is_no_array_does_not_hide_those_beside_it() {
    let archive = npy::read_npz(golden("beside.npz")).unwrap();
    let other = |name: &str, bytes: usize| {
        let x = &archive[name];
        assert_eq!((x.dtype(), x.shape().dims()), ("no array", &[bytes][..]), "{name}");
        assert_eq!(Tensor::<f32>::try_from(x).unwrap_err().to_string(), "holds no array");
    };
    other("folder/", 0);
    other("meta.json", 12);
    other("__MACOSX/._x", 104);
    other("empty", 0);
    other("twin", 15);
    for name in ["folder/x", "array.dat", "twin.npy"] {
        assert_eq!(archive[name], numbers("int64", &[3]), "{name}");
    }
    for i in 0..8 {
        let x = &archive[&format!("field {i}")];
        assert_eq!((x.dtype(), x.shape().dims()), ("records of several fields", &[2][..]), "{i}");
    }
    assert_eq!(archive.len(), 16);
    let archive = npy::read_npz(golden("other.npz")).unwrap();
    assert_eq!((&archive["a"], archive["read.me"].dtype()), (&numbers("int64", &[3]), "no array"));
    assert!(npy::read_npz(golden("code-page.npz")).unwrap().contains_key("/rööt"));
}

#[test]
fn a_type_has_all_the_names_that_numpy_takes() {
    // Each by numpy.load of a file with this header.
    let names: [(&str, &[&str]); 7] = [
        ("f32", &["<f4", "f4", "=f4", "|f4", "f", "<f", "float32", "single"]),
        ("f64", &["<f8", "f8", "=f8", "|f8", "d", "<d", "float64", "double", "float"]),
        ("i32", &["<i4", "i4", "=i4", "|i4", "i", "<i", "int32", "intc"]),
        ("i64", &["<i8", "i8", "=i8", "q", "l", "p", "int64", "int", "int_", "long", "longlong", "intp"]),
        ("u8", &["|u1", "u1", "<u1", ">u1", "=u1", "B", "uint8", "ubyte"]),
        ("bool", &["|b1", "b1", "<b1", ">b1", "?", "|?", "<?", ">?", "bool", "bool_"]),
        ("f32", &["<f2", "f2", "=f2", "e", "float16", "half"]),
    ];
    for (dtype, names) in names {
        for name in names {
            let header = format!("{{'descr': '{name}', 'fortran_order': False, 'shape': (1,), }}");
            let read = npy::read_from(&with_header_and(&header, &[1, 0, 0, 0, 0, 0, 0, 0])[..]);
            assert_eq!(read.unwrap().dtype(), dtype, "{name}");
        }
    }
    for name in ["<float32", "Float32", "f4 ", " f4", "F32", "i1", "u8", "c8", "?1", "", "f", "<"] {
        let header = format!("{{'descr': '{name}', 'fortran_order': False, 'shape': (1,), }}");
        let read = npy::read_from(&with_header_and(&header, &[0; 8])[..]);
        assert_eq!(read.is_ok(), name == "f", "{name}");
    }
    // One in the other order of bytes.
    let header = "{'descr': '>f4', 'fortran_order': False, 'shape': (1,), }";
    assert_eq!(
        npy::read_from(&with_header_and(header, &[0x3f, 0x80, 0, 0])[..]).unwrap(),
        Tensor::from([1_f32]).into()
    );
}

#[test]
fn a_header_may_be_filled_up_with_nul() {
    for fill in ["\0\0\0\n", "\0", "\n\0\0", " \0 \n"] {
        let header = format!("{{'descr': '<i8', 'fortran_order': False, 'shape': (1,), }}{fill}");
        let read = npy::read_from(&with_header_and(&header, &[7, 0, 0, 0, 0, 0, 0, 0])[..]);
        assert_eq!(read.unwrap(), Tensor::from([7_i64]).into());
    }
    // A further key is refused, as by NumPy.
    let header = "{'descr': '<i8', 'fortran_order': False, 'shape': (1,), 'more': 1}";
    let error = npy::read_from(&with_header_and(header, &[0; 8])[..]).unwrap_err();
    assert!(error.to_string().contains("a key \"more\", which is none of .npy's"), "{error}");
}

/// A file of version 1 with this header and these elements.
fn with_header_and(header: &str, elements: &[u8]) -> Vec<u8> {
    let len = (header.len() as u16).to_le_bytes();
    [b"\x93NUMPY\x01\0", &len[..], header.as_bytes(), elements].concat()
}

#[test]
fn shapes_that_numpy_does_not_load_are_not_written() {
    for dims in [[0, 1 << 62], [1 << 61, 0]] {
        let error = npy::write_to(&mut Vec::new(), Tensor::<f32>::zeros(dims)).unwrap_err();
        assert_eq!(error.to_string(), format!("the shape {dims:?} is larger than NumPy takes"));
        assert!(npy::write_to(&mut Vec::new(), Tensor::<u8>::zeros(dims)).is_ok());
    }
}
