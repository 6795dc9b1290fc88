"""Writes the files in this folder: arrays by NumPy and safetensors, some as their writers write them, some broken.

    python -m venv /tmp/venv && /tmp/venv/bin/pip install numpy safetensors torch
    /tmp/venv/bin/python crates/tensor/tests/io/golden/make.py

Made with NumPy 2.4.6 and safetensors 0.8.0. `golden.rs` says what the arrays hold.
"""

import zipfile
from pathlib import Path

import numpy as np
import torch
from numpy.lib import format
from safetensors.numpy import save_file
from safetensors.torch import save_file as save_torch

here = Path(__file__).parent

DTYPES = ["float32", "float64", "int32", "int64", "uint8", "bool"]


def numbers(dtype, shape):
    """-2.5, -1.5, … in row-major order; integers without the half, bytes from 0, truth in turns."""
    count = np.arange(np.prod(shape, dtype=int))
    if dtype == "bool":
        values = count % 2 == 1
    elif dtype == "uint8":
        values = count
    else:
        values = count - (2.5 if dtype.startswith("float") else 2)
    return values.astype(dtype).reshape(shape)


def npy(name, array, version=None):
    with open(here / f"{name}.npy", "wb") as file:
        format.write_array(file, array, version=version)


for dtype in DTYPES:
    npy(f"c-{dtype}", numbers(dtype, (2, 3)))
    npy(f"fortran-{dtype}", np.asfortranarray(numbers(dtype, (2, 3))))
    if np.dtype(dtype).itemsize > 1:
        npy(f"big-{dtype}", numbers(dtype, (2, 3)).astype(np.dtype(dtype).newbyteorder(">")))
npy("big-fortran-float64", np.asfortranarray(numbers("float64", (2, 3, 2)).astype(">f8")))
npy("rank-0", numbers("float32", ()))
npy("rank-1", numbers("int64", (3,)))
npy("rank-3-fortran", np.asfortranarray(numbers("int64", (2, 3, 2))))
npy("empty", numbers("float32", (0, 3)))
npy("empty-fortran", np.asfortranarray(numbers("float32", (3, 0, 2))))
npy("version-2", numbers("int32", (2, 2)), (2, 0))
npy("version-3", numbers("int32", (2, 2)), (3, 0))
npy("special", np.array([np.nan, np.inf, -np.inf, -0.0, 1e-45, 3.4028235e38], "float32"))
# Types that no tensor has.
npy("half", np.arange(3, dtype="float16"))
npy("text", np.array(["a", "bc"]))
npy("records", np.array([(1, 2.0)], dtype=[("a", "<i4"), ("b", "<f4")]))
npy("objects", np.array([{}], dtype=object))

arrays = {dtype: numbers(dtype, (2, 3)) for dtype in DTYPES}
arrays |= {"t": numbers("float32", (2, 3)).T, "scalar": numbers("float64", ()), "none": numbers("float32", (0, 3))}
np.savez(here / "stored.npz", **arrays, **{"ünï/κ": numbers("int64", (2,))})
np.savez_compressed(here / "deflated.npz", **arrays, zeros=np.zeros((100, 100), "float32"))
np.savez(here / "no-arrays.npz")

save_file({name: x.copy(order="C") for name, x in arrays.items()}, here / "all.safetensors", {"from": "NumPy"})
save_file({}, here / "no-tensors.safetensors")
save_file({"half": np.arange(3, dtype="float16")}, here / "half.safetensors")


# Types that no tensor has beside others, and halves.
mixed = {"x": numbers("float32", (2, 3)), "u2": np.ones((2, 2), "uint16"), "y": numbers("int64", (2,))}
np.savez(here / "mixed.npz", **mixed, objects=np.array([[{}, {}], [{}, {}]], dtype=object),
         records=np.ones((2, 2), dtype=[("a", "<i4"), ("b", "<f4", (2,))]))
halves = {"f16": torch.tensor([[1, -2.5, 2**-14], [2**-24, 65504, torch.inf]], dtype=torch.float16),
          "bf16": torch.tensor([1, -2.5, 3.3895e38], dtype=torch.bfloat16)}
save_torch({name: torch.from_numpy(x) for name, x in mixed.items()} | halves, here / "mixed.safetensors")


def archive(name, *entries, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(here / f"{name}.npz", "w", compression) as file:
        for path, data in entries:
            file.writestr(zipfile.ZipInfo(path), data)


array = (here / "rank-1.npy").read_bytes()
archive("twice", ("a.npy", array), ("a.npy", array))
archive("paths", ("../../up.npy", array), ("/root.npy", array), ("c:\\windows.npy", array), (".npy", array))
archive("other", ("a.npy", array), ("read.me", b"not an array"))

# What people and systems put beside arrays, and fields of records with any names.
with zipfile.ZipFile(here / "beside.npz", "w", zipfile.ZIP_DEFLATED) as file:
    file.comment = b"PK, a comment of the archive"
    file.mkdir("folder")
    file.writestr("folder/x.npy", array)
    file.writestr("meta.json", '{"epoch": 3}')
    file.writestr("__MACOSX/._x.npy", b"\0\x05\x16\x07" + bytes(100))
    file.writestr("empty.npy", b"")
    file.writestr("array.dat", array)
    file.writestr("twin", b"beside twin.npy")
    file.writestr("twin.npy", array)
for i, field in enumerate(["\xe9", "a]b", "a[b", "a'b", 'a"b', "a'\"]b", "a\\", "\u65e5"]):
    with zipfile.ZipFile(here / "beside.npz", "a") as file, file.open(f"field {i}.npy", "w") as entry:
        format.write_array(entry, np.ones(2, [(field, "<i4"), ("b", "<f4", (2,))]))
# A name in the characters of the IBM PC, as older writers of zip have it.
old = (here / "paths.npz").read_bytes().replace(b"root.npy", b"r\x94\x94t.npy")
(here / "code-page.npz").write_bytes(old)
