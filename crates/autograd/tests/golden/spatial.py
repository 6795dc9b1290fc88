"""Writes spatial.txt: 700 random cases of convolutions, pools and what else works on spatial axes, as PyTorch computes them in f64.

    python -m venv /tmp/venv && /tmp/venv/bin/pip install torch numpy
    /tmp/venv/bin/python crates/autograd/tests/golden/spatial.py

A line is an op, its options, and sums: of the result and of the gradient of each input, each element times a number. Inputs and these
numbers follow from the place of an element, so that both sides make them. Made with PyTorch 2.15.0.
"""

import pathlib
import random

import torch
import torch.nn.functional as F

HERE = pathlib.Path(__file__).parent


def numbers(shape, seed):
    count = torch.Size(shape).numel()
    i = torch.arange(1, count + 1, dtype=torch.int64) + seed * 1009
    return (((i * 7919) % 1013).double() / 507.0 - 1.0).reshape(shape)


def distinct(shape, seed):
    """No two are equal: a product with a number that has no factor in common with a prime above all counts."""
    count = torch.Size(shape).numel()
    i = torch.arange(1, count + 1, dtype=torch.int64) + seed
    return (((i * 7919) % 10007).double() / 5003.0 - 1.0).reshape(shape)


def words(numbers):
    return ",".join(map(str, numbers))


class Case:
    def __init__(self, rng):
        self.rng = rng
        self.axes = rng.choice([1, 2, 2, 2, 3])

    def each(self, low, high):
        return [self.rng.randint(low, high) for _ in range(self.axes)]

    def batch(self):
        return [] if self.rng.random() < 0.1 else [self.rng.randint(1, 3)]


def conv(c):
    groups = c.rng.choice([1, 1, 2, 3])
    if c.rng.random() < 0.25:
        groups, of_in, of_out = c.rng.randint(2, 5), 1, c.rng.randint(1, 2)
    else:
        of_in, of_out = c.rng.randint(1, 3), c.rng.randint(1, 9)
    most = {1: 40, 2: 12, 3: 6}[c.axes]
    x = c.batch() + [groups * of_in] + c.each(1, most)
    w = [groups * of_out, of_in] + c.each(1, 4)
    o = dict(stride=c.each(1, 3), padding=c.each(0, 3), dilation=c.each(1, 2), groups=groups)
    f = [F.conv1d, F.conv2d, F.conv3d][c.axes - 1]
    return f"conv{c.axes}d", o, [x, w, [w[0]]], lambda x, w, b: f(x, w, b, **o)


def conv_transpose(c):
    groups = c.rng.choice([1, 1, 2, 3])
    of_in, of_out = c.rng.randint(1, 3), c.rng.randint(1, 4)
    most = {1: 20, 2: 7, 3: 4}[c.axes]
    x = c.batch() + [groups * of_in] + c.each(1, most)
    w = [groups * of_in, of_out] + c.each(1, 4)
    stride = c.each(1, 3)
    o = dict(stride=stride, padding=c.each(0, 2), dilation=c.each(1, 2), groups=groups)
    o["output_padding"] = [c.rng.randint(0, s - 1) for s in stride]
    f = [F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d][c.axes - 1]
    return f"conv_transpose{c.axes}d", o, [x, w, [groups * of_out]], lambda x, w, b: f(x, w, b, **o)


def pool(c, largest):
    most = {1: 40, 2: 14, 3: 6}[c.axes]
    x = [c.rng.randint(1, 3), c.rng.randint(1, 3)] + c.each(1, most)
    kernel = c.each(1, 4)
    o = dict(stride=c.each(1, 3), padding=[c.rng.randint(0, k // 2) for k in kernel], ceil_mode=c.rng.random() < 0.5)
    if largest:
        # With both, PyTorch writes outside of its memory.
        o["dilation"] = [1] * c.axes if o["ceil_mode"] else c.each(1, 2)
        f = [F.max_pool1d, F.max_pool2d, F.max_pool3d][c.axes - 1]
    else:
        o["count_include_pad"] = c.rng.random() < 0.5
        f = [F.avg_pool1d, F.avg_pool2d, F.avg_pool3d][c.axes - 1]
    return ("max_pool" if largest else "avg_pool"), dict(o, kernel=kernel), [x], lambda x: f(x, kernel, **o)


def adaptive(c, largest):
    x = [c.rng.randint(1, 3), c.rng.randint(1, 3)] + c.each(1, 9)
    to = c.each(1, 7)
    name = "adaptive_max_pool" if largest else "adaptive_avg_pool"
    return name, dict(to=to), [x], lambda x: getattr(F, f"{name}{c.axes}d")(x, to)


def interpolate(c):
    mode = c.rng.choice(["nearest", "nearest-exact", "linear", "linear", "cubic", "area"])
    if mode == "cubic":
        c.axes = 2
    x = [c.rng.randint(1, 2), c.rng.randint(1, 3)] + c.each(1, 7)
    theirs = {"linear": {1: "linear", 2: "bilinear", 3: "trilinear"}[c.axes], "cubic": "bicubic"}.get(mode, mode)
    o = dict(mode=mode, align_corners=mode in ["linear", "cubic"] and c.rng.random() < 0.5)
    align = o["align_corners"] if mode in ["linear", "cubic"] else None
    if mode != "area" and c.rng.random() < 0.4:
        o["factor"] = c.rng.choice([0.5, 1.25, 1.5, 2.0, 3.0])
        return "interpolate", o, [x], lambda x: F.interpolate(x, scale_factor=o["factor"], mode=theirs, align_corners=align)
    o["to"] = c.each(1, 9)
    return "interpolate", o, [x], lambda x: F.interpolate(x, size=o["to"], mode=theirs, align_corners=align)


def pad(c):
    mode = c.rng.choice(["reflect", "replicate", "circular"])
    x = [c.rng.randint(1, 2), c.rng.randint(1, 3)] + c.each(2, 6)
    most = {"reflect": lambda s: s - 1, "replicate": lambda s: 5, "circular": lambda s: s}[mode]
    before, after = [[c.rng.randint(0, most(s)) for s in x[2:]] for _ in range(2)]
    theirs = [n for pair in zip(before[::-1], after[::-1]) for n in pair]
    return "pad", dict(mode=mode, before=before, after=after), [x], lambda x: F.pad(x, theirs, mode=mode)


def columns(c):
    c.axes = 2
    x = [c.rng.randint(1, 2), c.rng.randint(1, 3)] + c.each(2, 7)
    kernel = c.each(1, 3)
    o = dict(stride=c.each(1, 3), padding=c.each(0, 2), dilation=c.each(1, 2))
    unfold = lambda x: F.unfold(x, kernel, **o)
    if c.rng.random() < 0.5:
        return "im2col", dict(o, kernel=kernel), [x], unfold
    shape = list(unfold(torch.zeros(x)).shape)
    return "col2im", dict(o, kernel=kernel, to=x[2:]), [shape], lambda y: F.fold(y, x[2:], kernel, **o)


def shuffle(c):
    r, many = c.rng.randint(1, 3), c.rng.randint(1, 3)
    if c.rng.random() < 0.5:
        return "pixel_shuffle", dict(r=r), [[2, many * r * r, 3, 2]], lambda x: F.pixel_shuffle(x, r)
    return "pixel_unshuffle", dict(r=r), [[2, many, 3 * r, 2 * r]], lambda x: F.pixel_unshuffle(x, r)


KINDS = [
    (220, conv),
    (120, conv_transpose),
    (90, lambda c: pool(c, True)),
    (80, lambda c: pool(c, False)),
    (30, lambda c: adaptive(c, True)),
    (30, lambda c: adaptive(c, False)),
    (60, interpolate),
    (30, pad),
    (30, columns),
    (10, shuffle),
]


def text(value):
    return words(value) if isinstance(value, list) else str(value).lower()


def main():
    rng = random.Random(42)
    lines = []
    for count, kind in KINDS:
        made = 0
        while made < count:
            try:
                name, options, shapes, f = kind(Case(rng))
                make = distinct if "max" in name else numbers
                inputs = [make(shape, i).requires_grad_() for i, shape in enumerate(shapes)]
                y = f(*inputs)
            except (RuntimeError, ValueError):
                continue  # a window that is larger than its input
            # A window within the padding alone has no largest element.
            if y.numel() == 0 or not y.isfinite().all() or max(x.numel() for x in [*inputs, y]) > 9000:
                continue
            seed = numbers(y.shape, 7)
            y.backward(seed)
            # Of some volumes, PyTorch's way back from the nearest element is not that of its way there.
            if name == "interpolate" and not torch.isclose((y * seed).sum(), (inputs[0] * inputs[0].grad).sum()):
                continue
            sums = [(y * numbers(y.shape, 8)).sum()] + [(x.grad * numbers(x.shape, 9)).sum() for x in inputs]
            told = " ".join(f"{key}={text(value)}" for key, value in options.items())
            shapes = ";".join(map(words, shapes))
            lines.append("\t".join([name, told, shapes, words(y.shape), " ".join(f"{s.item():.17g}" for s in sums)]))
            made += 1
    (HERE / "spatial.txt").write_text("\n".join(lines) + "\n")


main()
