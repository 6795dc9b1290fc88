"""Writes tests/golden/ops.json: results of the tensor's ops by PyTorch and NumPy.

    python -m venv /tmp/venv && /tmp/venv/bin/pip install torch numpy
    /tmp/venv/bin/python tests/golden/ops.py > tests/golden/ops.json

Made with PyTorch 2.15.0 and NumPy 2.4.
"""

import json
import math

import numpy as np
import torch


def varied(*shape, step=37, scale=10):
    """Numbers in -50 / scale..50 / scale."""
    count = torch.Size(shape).numel()
    return ((torch.arange(count) * step % 101 - 50) / scale).reshape(shape).double()


def whole(*shape, step=7, modulus=5):
    return (torch.arange(torch.Size(shape).numel()) * step % modulus).reshape(shape)


def number(x):
    """JSON has no infinities and no NaN."""
    return x if not isinstance(x, float) or math.isfinite(x) else str(x)


def tensor(x):
    x = torch.as_tensor(x)
    return {"shape": list(x.shape), "data": [number(x) for x in x.flatten().tolist()]}


def case(op, inputs, outputs):
    outputs = outputs if isinstance(outputs, (tuple, list)) else [outputs]
    return {"op": op, "inputs": [tensor(x) for x in inputs], "outputs": [tensor(y) for y in outputs]}


def cases():
    nan, inf = math.nan, math.inf
    odd = torch.tensor([[nan, inf, -inf], [0.0, -0.0, 2.5]], dtype=torch.float64)
    for x in [varied(3, 4), odd, varied(0, 3)]:
        for op in ["isnan", "isinf", "isfinite", "floor", "ceil", "round", "trunc", "tan", "log2", "exp2"]:
            yield case(op, [x], getattr(torch, op)(x))
        yield case("nan_to_num", [x], torch.nan_to_num(x, 1.5, 7.0, -8.0))
    for a, b in [((3, 4), (3, 4)), ((3, 4), (4,)), ((3, 1), (1, 4)), ((0, 4), (4,))]:
        x, y = varied(*a), varied(*b, step=41)
        yield case("pow", [x.abs(), y], torch.pow(x.abs(), y))
        yield case("atan2", [x, y], torch.atan2(x, y))
        yield case("remainder", [x, y + 0.05], torch.remainder(x, y + 0.05))
        yield case("remainder_int", [whole(*a) - 2, whole(*b) - 7], torch.remainder(whole(*a) - 2, whole(*b) - 7))
    for axis in [0, 1, 2]:
        x = varied(3, 4, 5, step=11)
        yield case(f"max_with_indices {axis}", [x], list(torch.max(x, axis)))
        yield case(f"min_with_indices {axis}", [x], list(torch.min(x, axis)))
        yield case(f"median {axis}", [x], torch.median(x, axis).values)
        yield case(f"quantile {axis}", [x], torch.quantile(x, 0.3, axis))
    yield case("max_with_indices 0", [varied(3, 0)], list(torch.max(varied(3, 0), 0)))
    yield case("median 0", [varied(3, 0)], torch.median(varied(3, 0), 0).values)
    yield case("median 1", [odd], torch.median(odd, 1).values)
    yield case("quantile 1", [odd], torch.quantile(odd, 0.3, 1))
    yield case("median all", [varied(3, 4)], torch.median(varied(3, 4)))
    yield case("quantile all", [varied(3, 4)], torch.quantile(varied(3, 4), 0.3))
    for shape in [(3, 4), (0, 4)]:
        yield case("unique", [whole(*shape)], list(torch.unique(whole(*shape), return_counts=True)))
        yield case("bincount", [whole(*shape)], torch.bincount(whole(*shape).flatten(), minlength=3))
        for side in ["left", "right"]:
            edges = torch.tensor([0, 1, 1, 3])
            yield case(f"searchsorted {side}", [edges, whole(*shape)], torch.searchsorted(edges, whole(*shape), side=side))
    for shape in [(3, 4), (0, 4)]:
        x = varied(*shape)
        yield case("pad", [x], np.pad(x.numpy(), [(1, 0), (2, 3)], constant_values=9.5))
        y = x.clone()
        y[:, 1:3] = varied(shape[0], 2, step=41)
        yield case("slice_assign", [x, varied(shape[0], 2, step=41)], y)
    x, rows = varied(4, 3), varied(2, 3, step=41)
    yield case("index_copy", [x, torch.tensor([3, 1]), rows], x.index_copy(0, torch.tensor([3, 1]), rows))
    at = (torch.tensor([[0, 3], [1, 2]]), torch.tensor([2, 0]))
    yield case("index_put", [x, *at, varied(2, 2, step=41)], x.index_put(at, varied(2, 2, step=41)))
    mask = whole(4, 3) > 2
    yield case("masked_scatter", [x, mask, varied(12, step=41)], x.masked_scatter(mask, varied(12, step=41)))
    yield case("masked_scatter", [x, torch.zeros(4, 3) > 0, varied(0)], x)
    for offset in [-1, 0, 2]:
        yield case(f"diag {offset}", [varied(3)], torch.diag(varied(3), offset))
        yield case(f"diag {offset}", [varied(3, 4)], torch.diag(varied(3, 4), offset))
    yield case("diag 0", [varied(0)], torch.diag(varied(0)))
    for shape in [(3, 4), (0, 4)]:
        yield case("trace", [varied(*shape)], torch.trace(varied(*shape)))
    yield case("meshgrid", [varied(3), varied(2), varied(4)], list(torch.meshgrid(varied(3), varied(2), varied(4), indexing="ij")))
    x, y = varied(2, 3, 4), varied(4, 3, 5, step=41)
    yield case("tensordot", [x, y], torch.tensordot(x, y, ([1, 2], [1, 0])))
    yield case("tensordot", [varied(2, 0, 4), varied(4, 0, 5)], torch.zeros(2, 5))
    for equation, *shapes in [
        ("ij,jk->ik", (2, 3), (3, 4)),
        ("ij,jk", (2, 3), (3, 4)),
        ("bij,bjk->bik", (2, 3, 4), (2, 4, 5)),
        ("bij,bjk->ikb", (2, 3, 4), (2, 4, 5)),
        ("ii", (3, 3)),
        ("ii->i", (3, 3)),
        ("iji->j", (3, 2, 3)),
        ("ij->ji", (2, 3)),
        ("ij->", (2, 3)),
        ("i,j->ij", (2,), (3,)),
        ("ij,ij->ij", (2, 3), (2, 3)),
        ("ij,kl->il", (2, 3), (4, 5)),
        ("ij,jk,kl->il", (2, 3), (3, 4), (4, 5)),
        ("...ij,...jk->...ik", (2, 1, 3, 4), (5, 4, 2)),
        ("...i->i...", (2, 3, 4)),
        ("ba", (2, 3)),
        ("ij,jk->ik", (2, 0), (0, 3)),
        # Axes of size 1 broadcast.
        ("ij,ij->ij", (4, 3), (1, 3)),
        ("ij,ij->ij", (4, 1), (1, 3)),
        ("ij,jk->ik", (2, 1), (3, 4)),
        ("bij,bjk->bik", (1, 3, 4), (2, 4, 5)),
        ("ij,j->ij", (2, 3), (3,)),
        ("ij,ij->i", (2, 3), (2, 3)),
        ("i,i->i", (1,), (5,)),
    ]:
        operands = [varied(*shape, step=37 + 4 * i) for i, shape in enumerate(shapes)]
        yield case(f"einsum {equation}", operands, torch.einsum(equation, *operands))


print(json.dumps(list(cases()), separators=(",", ":")))
