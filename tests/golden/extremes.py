"""Writes tests/golden/extremes.json: what PyTorch and NumPy make of random draws from the extremes of the floats.

    python -m venv /tmp/venv && /tmp/venv/bin/pip install torch numpy mpmath
    /tmp/venv/bin/python tests/golden/extremes.py > tests/golden/extremes.json

Made with PyTorch 2.15.0 and NumPy 2.4. Everything is computed in f64, also for inputs that are f32. Where PyTorch gives NaN for a
limit that exists, as for silu of -inf, the limit stands here; where its squares overflow, exact sums of fractions do.
"""

import json
import math
import random
from fractions import Fraction

import mpmath
import numpy as np
import torch

mpmath.mp.dps = 50
F32 = [0.0, -0.0, math.inf, -math.inf, math.nan, 3.4028234663852886e38, -3.4028234663852886e38, 1.1754943508222875e-38,
       -1.401298464324817e-45, 1e30, -1e-30, 1e-20, 1e20, -1e10, 88.5, -103.5, 1.0, -1.0, 0.5, -0.25, 3.0, -7.5, 20.0, 1e-7]
F64 = [0.0, -0.0, math.inf, -math.inf, math.nan, 1.7976931348623157e308, -1.7976931348623157e308, 2.2250738585072014e-308,
       -5e-324, 1e200, -1e-200, 1e-150, 1e160, -1e20, 709.5, -744.5, 1.0, -1.0, 0.5, -0.25, 3.0, -7.5, 40.0, 1e-15]


def limit(f):
    """Of x f(x), to 50 digits: in the tail, f64 would lose some of its own."""
    def of(v):
        if not abs(v) < 1e3:
            return 0.0 if v < 0.0 else v
        return float(v * f(mpmath.mpf(v)))
    return lambda x: torch.tensor([of(v) for v in x.tolist()], dtype=torch.float64)


gelu = limit(lambda v: mpmath.erfc(-v / mpmath.sqrt(2)) / 2)
silu = limit(lambda v: 1 / (1 + mpmath.exp(-v)))


def power(x, y):
    """C's pow: for some exponents PyTorch takes another way, with other results at the ends."""
    return torch.pow(x, torch.full_like(x, y))


OF_ONE = {
    "exp": torch.exp, "exp2": torch.exp2, "exp_m1": torch.expm1, "ln": torch.log, "ln_1p": torch.log1p, "log2": torch.log2,
    "sqrt": torch.sqrt, "rsqrt": torch.rsqrt, "recip": torch.reciprocal, "sin": torch.sin, "cos": torch.cos,
    "tanh": torch.tanh, "sigmoid": torch.sigmoid, "relu": torch.relu, "gelu": gelu, "silu": silu,
    "softplus": lambda x: torch.logaddexp(x, torch.zeros_like(x)), "square": torch.square, "abs": torch.abs, "sign": torch.sign,
    "floor": torch.floor, "ceil": torch.ceil, "trunc": torch.trunc, "round": torch.round, "erf": torch.erf,
    "powi 3": lambda x: power(x, 3.0), "powi -2": lambda x: power(x, -2.0), "powf 0.5": lambda x: power(x, 0.5),
    "powf -1.5": lambda x: power(x, -1.5),
    "nan_to_num": lambda x: torch.nan_to_num(x, 1.5, 7.0, -8.0), "clamp": lambda x: torch.clamp(x, -1.0, 1.0),
}
OF_TWO = {
    "add": torch.add, "sub": torch.sub, "mul": torch.mul, "div": torch.div, "pow": torch.pow, "atan2": torch.atan2,
    "maximum": torch.maximum, "minimum": torch.minimum,
    "remainder": lambda x, y: torch.from_numpy(np.remainder(x.numpy(), y.numpy())),
}


def exact(x):
    """None where there is an infinity or NaN."""
    return [Fraction(v) for v in x.tolist()] if torch.isfinite(x).all() else None


def root(x):
    """The square root of a fraction, scaled so that it is a normal number on the way."""
    if x == 0:
        return 0.0
    shift = (x.numerator.bit_length() - x.denominator.bit_length()) // 2
    near = math.sqrt(x / Fraction(4) ** shift)
    try:
        return math.ldexp(near, shift)
    except OverflowError:
        return math.inf


def std(x):
    parts = exact(x)
    if parts is None:
        return math.nan
    mean = sum(parts) / len(parts)
    return root(sum((v - mean) ** 2 for v in parts) / len(parts))


def norm(x):
    parts = exact(x)
    return torch.linalg.vector_norm(x).item() if parts is None else root(sum(v * v for v in parts))


def median(x):
    return torch.median(x)


OF_MANY = {
    "std": std, "norm": norm, "max": torch.max, "min": torch.min, "median": median,
    "logsumexp": lambda x: torch.logsumexp(x, 0), "argmax": lambda x: float(torch.argmax(x)),
    "softmax": lambda x: torch.softmax(x, 0), "log_softmax": lambda x: torch.log_softmax(x, 0),
    "sort": lambda x: torch.sort(x).values, "cumprod": lambda x: torch.cumprod(x, 0),
}


def numbers(x):
    return [v if math.isfinite(v) else str(v) for v in torch.as_tensor(x, dtype=torch.float64).flatten().tolist()]


def case(op, dtype, inputs, output):
    return {"op": op, "dtype": dtype, "inputs": [numbers(x) for x in inputs], "output": numbers(output)}


def cases():
    draw = random.Random(1)
    for dtype, extremes in [("f32", F32), ("f64", F64)]:
        def tensor(values):
            """As the type holds them."""
            x = torch.tensor(values, dtype=torch.float64)
            return x.float().double() if dtype == "f32" else x
        every = tensor(extremes)
        for op, f in OF_ONE.items():
            yield case(op, dtype, [every], f(every))
        for op, f in OF_TWO.items():
            x, y = [tensor([draw.choice(extremes) for _ in range(100)]) for _ in range(2)]
            yield case(op, dtype, [x, y], f(x, y))
        for op, f in OF_MANY.items():
            for length in [1, 2, 5, 17]:
                # Infinities and NaN hide everything else: they are few.
                for odd in [0.0, 0.0, 0.1]:
                    finite = [v for v in extremes if math.isfinite(v)]
                    chosen = [draw.choice(extremes if draw.random() < odd else finite) for _ in range(length)]
                    near = draw.choice(finite)
                    if draw.random() < 0.5:
                        # All of one size.
                        chosen = [v if not math.isfinite(v) else near * draw.choice([1.0, -0.5, 0.25]) for v in chosen]
                    x = tensor(chosen)
                    yield case(op, dtype, [x], f(x))


print(json.dumps(list(cases()), separators=(",", ":")))
