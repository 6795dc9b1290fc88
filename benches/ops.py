"""Every op beside PyTorch's: four shapes, six layouts, forward, and there and back.

    python -m venv /tmp/venv && /tmp/venv/bin/pip install torch torchvision numpy
    /tmp/venv/bin/python benches/ops.py

Builds and runs the bench `ops`, and PyTorch, in turns; prints one line for each that takes more than 1.1 times PyTorch's time, the
worst first, and at the end the geometric means. `--only` takes a part of a line, `--save` writes all of them.
"""

import argparse
import json
import math
import pathlib
import subprocess
import time

import torch
import torch.nn.functional as F
from torchvision.ops import sigmoid_focal_loss
from torch.utils.checkpoint import checkpoint

ROOT = pathlib.Path(__file__).parent.parent
SHAPES = [(64, 64), (512, 512), (4096, 16), (16, 4096)]
LAYOUTS = ["contiguous", "transposed", "cut out", "every second", "expanded", "permuted"]
TURN, TURNS = 300e-6, 5  # as in ops/main.rs


def laid(fill, r, c, layout):
    return {
        "contiguous": lambda: fill(r, c),
        "transposed": lambda: fill(c, r).t(),
        "cut out": lambda: fill(r, c + 8)[:, 4 : c + 4],
        "every second": lambda: fill(r, 2 * c)[:, ::2],
        "expanded": lambda: fill(1, c).expand(r, c),
        "permuted": lambda: fill(4, r // 4, c).permute(1, 2, 0),
    }[layout]()


class Data:
    """What the ops are given, as in ops/data.rs; of the tape's, what has a gradient."""

    def __init__(self, r, c, layout):
        torch.manual_seed(1)
        shares = lambda *shape: torch.rand(*shape) * 0.8 + 0.1
        places = lambda shape, below: (torch.arange(math.prod(shape)) * 7919 % below).reshape(shape)
        self.x, self.y = (laid(torch.randn, r, c, layout) for _ in range(2))
        self.share = laid(shares, r, c, layout)
        shape = tuple(self.x.shape)
        self.row, self.column = shares(shape[-1]), shares(*shape[:-1], 1)
        self.mask, self.other_mask = self.x > 0, self.y > 0
        self.ones, self.signs = self.mask.float(), self.x.sign()
        self.signs_of_rows = 1.0 - 2.0 * (torch.arange(shape[0]) % 2)
        self.sorted = torch.linspace(-2, 2, 1000)
        self.cell = torch.randn(64, 16), torch.randn(64, 16)
        self.classes = places(shape[:-1], shape[-1])
        self.rows, self.columns = places((shape[0],), shape[0]), places((shape[-1],), shape[-1])
        self.at_rows, self.at_columns = places(shape, shape[0]), places(shape, shape[-1])
        self.leaves = [self.x, self.y, self.share, self.row, self.column, *self.cell]

    def train(self, on):
        for leaf in self.leaves:
            leaf.requires_grad_(on)
            leaf.grad = None


def chained(x):
    for by in [2.0, 3.0]:
        x = torch.tanh(x * by)
    return x


def by_statistics(o):
    return (o.x - o.row) / torch.sqrt(o.row + 1e-5) * o.row + o.row


def attention(o):
    q, k = o.x[:16], o.y[:16]
    return F.scaled_dot_product_attention(q, k, k)


def cell(kind, o, gates, state):
    return getattr(torch, kind)(o.x[:, :16], state, *(w[:gates] for w in o.cell))


def sequence(kind, o, gates, states=1):
    state = torch.zeros(1, 1, 16)
    state = state if states == 1 else [state] * states
    weights = [w[:gates] for w in o.cell]
    return getattr(torch, kind)(o.x[:, :16].unsqueeze(0), state, weights, False, 1, 0.0, True, False, True)[0]


def image(x):
    return x.reshape(-1, 4, 32, 32)


def signal(x):
    return x.reshape(-1, 4, 1024)


def filters(x, *shape):
    return x.flatten()[: math.prod(shape)].reshape(shape)


def of_pool(o, f):
    planes = o.x.numel() // 1024
    x, g = o.x.reshape(planes, 32, 32), o.y.flatten()[: planes * 256].reshape(planes, 16, 16)
    return f(x, g)


def max_pool_backward(x, g):
    places = torch.arange(0, 32, 2)[:, None] * 32 + torch.arange(0, 32, 2)
    return torch.ops.aten.max_pool2d_with_indices_backward(
        g, x, [2, 2], [2, 2], [0, 0], [1, 1], False, places.expand(g.shape).contiguous()
    )


OF_TAPE = {
    "conv1d": lambda o: F.conv1d(signal(o.x), filters(o.y, 8, 4, 9), padding=4),
    "conv2d": lambda o: F.conv2d(image(o.x), filters(o.y, 4, 4, 3, 3), padding=1),
    "conv2d: depthwise": lambda o: F.conv2d(image(o.x), filters(o.y, 4, 1, 3, 3), padding=1, groups=4),
    "conv2d: stride": lambda o: F.conv2d(image(o.x), filters(o.y, 8, 4, 3, 3), padding=1, stride=2),
    "conv3d": lambda o: F.conv3d(image(o.x)[:, None], filters(o.y, 2, 1, 3, 3, 3), padding=1),
    "conv_transpose1d": lambda o: F.conv_transpose1d(signal(o.x), filters(o.y, 4, 4, 4), stride=2),
    "conv_transpose2d": lambda o: F.conv_transpose2d(image(o.x), filters(o.y, 4, 4, 2, 2), stride=2),
    "conv_transpose3d": lambda o: F.conv_transpose3d(image(o.x)[:, None], filters(o.y, 1, 2, 3, 3, 3)),
    "dropout_channels": lambda o: F.dropout2d(image(o.x), 0.3),
    "max_pool": lambda o: F.max_pool2d(image(o.x), 2),
    "max_pool: overlapping": lambda o: F.max_pool2d(image(o.x), 3, 2, 1),
    "avg_pool": lambda o: F.avg_pool2d(image(o.x), 2),
    "adaptive_avg_pool": lambda o: F.adaptive_avg_pool2d(image(o.x), 7),
    "adaptive_avg_pool: one": lambda o: F.adaptive_avg_pool2d(image(o.x), 1),
    "adaptive_max_pool": lambda o: F.adaptive_max_pool2d(image(o.x), 7),
    "interpolate: nearest": lambda o: F.interpolate(image(o.x), scale_factor=2.0),
    "interpolate: linear": lambda o: F.interpolate(image(o.x), scale_factor=2.0, mode="bilinear"),
    "pixel_shuffle": lambda o: F.pixel_shuffle(image(o.x), 2),
    "pixel_unshuffle": lambda o: F.pixel_unshuffle(image(o.x), 2),
    "im2col": lambda o: F.unfold(image(o.x), 3, padding=1),
    "col2im": lambda o: F.fold(signal(o.x), (64, 64), 2, stride=2),
    "pad: reflect": lambda o: F.pad(image(o.x), [1] * 4, mode="reflect"),
    "add": lambda o: o.x + o.y,
    "add: row": lambda o: o.x + o.row,
    "add: column": lambda o: o.x + o.column,
    "add: number": lambda o: o.x + 0.7,
    "sub": lambda o: o.x - o.y,
    "sub: row": lambda o: o.x - o.row,
    "mul": lambda o: o.x * o.y,
    "mul: row": lambda o: o.x * o.row,
    "mul: column": lambda o: o.x * o.column,
    "div": lambda o: o.x / o.share,
    "div: row": lambda o: o.x / o.row,
    "div: column": lambda o: o.x / o.column,
    "neg": lambda o: -o.x,
    "scale": lambda o: o.x * 2.5,
    "square": lambda o: o.x.square(),
    "powi: 3": lambda o: o.x**3,
    "powi: -2": lambda o: o.share**-2,
    "powf: 2.5": lambda o: o.share**2.5,
    "pow": lambda o: o.share**o.y,
    "sqrt": lambda o: o.share.sqrt(),
    "rsqrt": lambda o: o.share.rsqrt(),
    "recip": lambda o: o.share.reciprocal(),
    "exp": lambda o: o.x.exp(),
    "exp_m1": lambda o: o.x.expm1(),
    "ln": lambda o: o.share.log(),
    "ln_1p": lambda o: o.share.log1p(),
    "sin": lambda o: o.x.sin(),
    "cos": lambda o: o.x.cos(),
    "erf": lambda o: o.x.erf(),
    "abs": lambda o: o.x.abs(),
    "clamp": lambda o: o.x.clamp(-0.5, 0.8),
    "maximum": lambda o: o.x.maximum(o.y),
    "maximum: number": lambda o: o.x.clamp(min=0.01),
    "minimum": lambda o: o.x.minimum(o.y),
    "where_cond": lambda o: torch.where(o.mask, o.x, o.y),
    "masked_fill": lambda o: o.x.masked_fill(o.mask, 7.0),
    "chain": lambda o: chained(o.x),
    "scoped": lambda o: o.x.tanh() * o.x,
    "recomputed": lambda o: checkpoint(lambda x: x.tanh() * x.sin(), o.x, use_reentrant=False),
    "dropout": lambda o: F.dropout(o.x, 0.3),
    "randn": lambda o: o.x * torch.randn_like(o.x),
    "uniform": lambda o: o.x * torch.empty_like(o.x).uniform_(-1, 1),
    "bernoulli": lambda o: o.x * torch.bernoulli(o.share.detach()),
    "multinomial": lambda o: o.x.flatten().gather(0, torch.multinomial(o.share.detach().flatten(), 64, True)),
    "multinomial: no class twice": lambda o: o.x.flatten().gather(0, torch.multinomial(o.share.detach().flatten(), 64)),
    "detach": lambda o: o.x + o.x.detach(),
    "activation": lambda o: o.x.tanh(),
    "glu": lambda o: F.glu(o.x, -1),
    "softmax: last": lambda o: o.x.softmax(-1),
    "softmax: first": lambda o: o.x.softmax(0),
    "softmax: second": lambda o: o.x.softmax(1),
    "log_softmax: last": lambda o: o.x.log_softmax(-1),
    "log_softmax: first": lambda o: o.x.log_softmax(0),
    "normalize: last": lambda o: F.normalize(o.x, dim=-1),
    "normalize: first": lambda o: F.normalize(o.x, dim=0),
    "layer_norm": lambda o: F.layer_norm(o.x, o.row.shape, o.row, o.row),
    "rms_norm": lambda o: F.rms_norm(o.x, o.row.shape, o.row),
    "sum": lambda o: o.x.sum(),
    "sum: first": lambda o: o.x.sum(0),
    "sum: last": lambda o: o.x.sum(-1),
    "mean": lambda o: o.x.mean(),
    "mean: first": lambda o: o.x.mean(0),
    "mean: last, kept": lambda o: o.x.mean(-1, keepdim=True),
    "var": lambda o: o.x.var(),
    "var: first": lambda o: o.x.var(0),
    "var: last": lambda o: o.x.var(-1),
    "std": lambda o: o.x.std(),
    "std: last": lambda o: o.x.std(-1),
    "max: first": lambda o: o.x.amax(0),
    "max: last": lambda o: o.x.amax(-1),
    "min: last": lambda o: o.x.amin(-1),
    "prod: first": lambda o: o.x.prod(0),
    "prod: last": lambda o: o.x.prod(-1),
    "norm": lambda o: torch.linalg.vector_norm(o.x, 2),
    "norm: last": lambda o: torch.linalg.vector_norm(o.x, 2, -1),
    "norm: first": lambda o: torch.linalg.vector_norm(o.x, 2, 0),
    "norm: 1": lambda o: torch.linalg.vector_norm(o.x, 1, -1),
    "norm: 3": lambda o: torch.linalg.vector_norm(o.x, 3, -1),
    "norm: infinity": lambda o: torch.linalg.vector_norm(o.x, math.inf, -1),
    "logsumexp: first": lambda o: o.x.logsumexp(0),
    "logsumexp: last": lambda o: o.x.logsumexp(-1),
    "cumsum: first": lambda o: o.x.cumsum(0),
    "cumsum: last": lambda o: o.x.cumsum(-1),
    "cosine_similarity": lambda o: F.cosine_similarity(o.x, o.y, dim=-1),
    "reshape": lambda o: o.x.reshape(-1),
    "flatten": lambda o: o.x.flatten(),
    "t": lambda o: o.x.mT,
    "transpose": lambda o: o.x.transpose(0, -1),
    "permute": lambda o: o.x.permute(1, 0) if o.x.dim() == 2 else o.x.permute(2, 0, 1),
    "slice": lambda o: o.x[..., 1:3],
    "slice: rows": lambda o: o.x[1:3],
    "slice_step": lambda o: o.x[..., 1::2],
    "narrow": lambda o: o.x.narrow(-1, 1, 2),
    "select": lambda o: o.x.select(-1, 1),
    "unsqueeze": lambda o: o.x.unsqueeze(-1),
    "squeeze": lambda o: o.column.squeeze(-1),
    "expand: row": lambda o: o.row.expand(o.x.shape),
    "expand: column": lambda o: o.column.expand(o.x.shape),
    "flip": lambda o: o.x.flip(0, -1),
    "roll: last": lambda o: o.x.roll(3, -1),
    "roll: first": lambda o: o.x.roll(3, 0),
    "pad": lambda o: F.pad(o.x, [1, 2] * o.x.dim(), value=7.0),
    "cat: first": lambda o: torch.cat([o.x, o.y], 0),
    "cat: last": lambda o: torch.cat([o.x, o.y], -1),
    "stack": lambda o: torch.stack([o.x, o.y], 1),
    "split": lambda o: o.x.split([1, o.x.shape[-1] - 1], -1)[1],
    "chunk": lambda o: torch.mul(*o.x.chunk(2, -1)),
    "index_select: first": lambda o: o.x.index_select(0, o.rows),
    "index_select: last": lambda o: o.x.index_select(-1, o.columns),
    "gather: first": lambda o: o.x.gather(0, o.at_rows),
    "gather: last": lambda o: o.x.gather(-1, o.at_columns),
    "scatter_add: first": lambda o: o.x.scatter_add(0, o.at_rows, o.y),
    "scatter_add: last": lambda o: o.x.scatter_add(-1, o.at_columns, o.y),
    "masked_select": lambda o: o.x.masked_select(o.mask),
    "tril": lambda o: o.x.tril(),
    "triu": lambda o: o.x.triu(1),
    "sort: last": lambda o: o.x.sort(-1).values,
    "topk": lambda o: o.x.topk(2).values,
    "mse_loss": lambda o: F.mse_loss(o.x, o.y),
    "mse_loss_with": lambda o: F.mse_loss(o.x, o.y, reduction="none"),
    "l1_loss": lambda o: F.l1_loss(o.x, o.y),
    "l1_loss_with": lambda o: F.l1_loss(o.x, o.y, reduction="sum"),
    "huber_loss": lambda o: F.huber_loss(o.x, o.y, delta=0.7),
    "smooth_l1_loss": lambda o: F.smooth_l1_loss(o.x, o.y, beta=0.7),
    "bce_loss": lambda o: F.binary_cross_entropy(o.share, o.share.detach()),
    "bce_with_logits_loss": lambda o: F.binary_cross_entropy_with_logits(o.x, o.share.detach()),
    "bce_loss_with": lambda o: F.binary_cross_entropy(o.share, o.share.detach(), weight=o.row.detach().expand(o.x.shape)),
    "bce_with_logits_loss_with": lambda o: F.binary_cross_entropy_with_logits(o.x, o.share.detach(), pos_weight=o.row.detach()),
    "kl_div": lambda o: F.kl_div(o.x, o.share.detach(), reduction="mean"),
    # PyTorch has no hinge of its own: that of margins of two, the other of which is 0, is one.
    "hinge_loss": lambda o: F.margin_ranking_loss(o.x, torch.zeros_like(o.x), o.signs, margin=1.0),
    "hinge_embedding_loss": lambda o: F.hinge_embedding_loss(o.x, o.signs, margin=1.0),
    "gaussian_nll_loss": lambda o: F.gaussian_nll_loss(o.x, o.y.detach(), o.share),
    "pairwise_distance": lambda o: F.pairwise_distance(o.x, o.y.detach()),
    "triplet_margin_loss": lambda o: F.triplet_margin_loss(o.x, o.y.detach(), o.share.detach()),
    "negative_binomial_nll_loss": lambda o: -torch.distributions.NegativeBinomial(2.5, logits=o.x, validate_args=False).log_prob(o.share.detach()).mean(),
    "sigmoid_focal_loss": lambda o: sigmoid_focal_loss(o.x, o.share.detach(), reduction="mean"),
    "ctc_loss": lambda o: F.ctc_loss(o.x.unsqueeze(1).log_softmax(-1), torch.tensor([[1, 2]]), torch.tensor([len(o.x)]), torch.tensor([2])),
    "poisson_nll_loss": lambda o: F.poisson_nll_loss(o.x, o.share.detach()),
    # Of matrices alone.
    "prelu": lambda o: F.prelu(o.x, o.row),
    "batch_norm": lambda o: F.batch_norm(o.x, None, None, o.row, o.row, training=True),
    "batch_norm_by": by_statistics,
    "group_norm": lambda o: F.group_norm(o.x, 4, o.row, o.row),
    "diagonal": lambda o: o.x.diagonal(),
    "repeat": lambda o: o.x.repeat(2, 3),
    "embedding": lambda o: F.embedding(o.rows, o.x),
    "embedding_with_padding": lambda o: F.embedding(o.rows, o.x, padding_idx=0),
    "dot": lambda o: o.row.dot(o.row),
    "outer": lambda o: torch.outer(o.row, o.row[:16]),
    "matmul": lambda o: o.x @ o.y[:16].t(),
    "matmul: turned": lambda o: o.x.t() @ o.y[:, :16],
    "matmul: vector": lambda o: o.x @ o.row,
    "matmul: vector, turned": lambda o: o.x.t() @ o.column.squeeze(-1),
    "linear": lambda o: F.linear(o.x, o.y[:16], o.row[:16]),
    "einsum": lambda o: torch.einsum("ij,ij->i", o.x, o.y),
    "attention": attention,
    "rnn_cell": lambda o: cell("rnn_tanh_cell", o, 16, o.y[:, :16]),
    "gru_cell": lambda o: cell("gru_cell", o, 48, o.y[:, :16]),
    "lstm_cell": lambda o: cell("lstm_cell", o, 64, (o.y[:, :16], o.y[:, :16]))[0],
    "rnn_relu_cell": lambda o: cell("rnn_relu_cell", o, 16, o.y[:, :16]),
    "rnn_tanh": lambda o: sequence("rnn_tanh", o, 16),
    "rnn_relu": lambda o: sequence("rnn_relu", o, 16),
    "gru": lambda o: sequence("gru", o, 48),
    "lstm": lambda o: sequence("lstm", o, 64, 2),
    "cross_entropy": lambda o: F.cross_entropy(o.x, o.classes),
    "cross_entropy_with: smoothing": lambda o: F.cross_entropy(o.x, o.classes, label_smoothing=0.1),
    "cross_entropy_with: weight": lambda o: F.cross_entropy(o.x, o.classes, weight=o.row.detach()),
    "soft_cross_entropy": lambda o: F.cross_entropy(o.x, o.share.detach()),
    "nll_loss": lambda o: F.nll_loss(o.x, o.classes),
    "nll_loss_with": lambda o: F.nll_loss(o.x, o.classes, weight=o.row.detach()),
    "cosine_embedding_loss": lambda o: F.cosine_embedding_loss(o.x, o.y, o.signs_of_rows, margin=0.1),
}

ACTIVATIONS = {
    name: lambda o, f=f: f(o.x)
    for name, f in {
        "tanh": torch.tanh,
        "sigmoid": torch.sigmoid,
        "relu": torch.relu,
        "gelu": F.gelu,
        "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
        "silu": F.silu,
        "leaky_relu": F.leaky_relu,
        "softplus": F.softplus,
        "elu": F.elu,
        "selu": F.selu,
        "mish": F.mish,
        "hardtanh": F.hardtanh,
        "hard_sigmoid": F.hardsigmoid,
        "hard_swish": F.hardswish,
        "log_sigmoid": F.logsigmoid,
    }.items()
}

OF_TENSORS = {
    "contiguous": lambda o: o.x.contiguous(),
    "contiguous: flipped": lambda o: o.x.flip(0, -1).contiguous(),
    "contiguous: turned": lambda o: o.x.transpose(0, -1).contiguous(),
    "exp2": lambda o: o.x.exp2(),
    "log2": lambda o: o.share.log2(),
    "tan": lambda o: o.x.tan(),
    "floor": lambda o: o.x.floor(),
    "ceil": lambda o: o.x.ceil(),
    "trunc": lambda o: o.x.trunc(),
    "round": lambda o: o.x.round(),
    "sign": lambda o: o.x.sign(),
    "isnan": lambda o: o.x.isnan(),
    "isinf": lambda o: o.x.isinf(),
    "isfinite": lambda o: o.x.isfinite(),
    "nan_to_num": lambda o: o.x.nan_to_num(0.0, 1.0, -1.0),
    "atan2": lambda o: o.x.atan2(o.y),
    "remainder": lambda o: o.x.remainder(o.share),
    "eq": lambda o: o.x.eq(o.y),
    "ne": lambda o: o.x.ne(o.y),
    "lt": lambda o: o.x.lt(o.y),
    "lt: row": lambda o: o.x.lt(o.row),
    "le": lambda o: o.x.le(o.y),
    "gt": lambda o: o.x.gt(o.y),
    "gt: number": lambda o: o.x.gt(0.0),
    "ge": lambda o: o.x.ge(o.y),
    "logical_and": lambda o: o.mask.logical_and(o.other_mask),
    "logical_or": lambda o: o.mask.logical_or(o.other_mask),
    "logical_xor": lambda o: o.mask.logical_xor(o.other_mask),
    "logical_not": lambda o: o.mask.logical_not(),
    "masked_mul": lambda o: o.x * o.ones,
    "cast: f64": lambda o: o.x.double(),
    "cast: i64": lambda o: o.x.long(),
    "cast: of truth values": lambda o: o.mask.float(),
    "axpy": lambda o: o.x.add(o.y, alpha=0.7),
    "lerp_assign": lambda o: o.x.lerp(o.y, 0.3),
    "sum_to": lambda o: o.x.sum_to_size(o.row.shape),
    "var_mean": lambda o: torch.var_mean(o.x, -1),
    "argmin": lambda o: o.x.argmin(-1),
    "argmax: first": lambda o: o.x.argmax(0),
    "argmax: last": lambda o: o.x.argmax(-1),
    "max: all": lambda o: o.x.amax(),
    "min_with_indices": lambda o: o.x.min(-1),
    "max_with_indices": lambda o: o.x.max(0),
    "any": lambda o: o.mask.any(-1),
    "all": lambda o: o.mask.all(0),
    "count_nonzero": lambda o: o.x.count_nonzero(-1),
    "norm_f64": lambda o: torch.linalg.vector_norm(o.x, dtype=torch.float64),
    "cumprod": lambda o: o.x.cumprod(-1),
    "cumprod: first": lambda o: o.x.cumprod(0),
    "median": lambda o: o.x.median(-1),
    "quantile": lambda o: o.x.quantile(0.3, -1),
    "argsort": lambda o: o.x.argsort(-1),
    "sort: first": lambda o: o.x.sort(0),
    "pullback": lambda o: torch.ops.aten._softmax_backward_data(o.y, o.share, -1, torch.float32),
    "slice_assign": lambda o: o.x.clone()[..., 1:3].fill_(7.0),
    "slice_add": lambda o: o.x.clone()[1:3].add_(7.0),
    "index_copy": lambda o: o.x.index_copy(0, o.rows, o.y),
    "index_add": lambda o: o.x.index_add(0, o.rows, o.y),
    "index_put": lambda o: o.x.index_put((o.rows,), torch.tensor(7.0)),
    "masked_scatter": lambda o: o.x.masked_scatter(o.mask, o.x),
    "scatter": lambda o: o.x.scatter(-1, o.at_columns, o.y),
    "take": lambda o: o.x.take(o.at_columns),
    "repeat_interleave": lambda o: o.x.repeat_interleave(2, 0),
    "repeat_interleave: last": lambda o: o.x.repeat_interleave(2, -1),
    "nonzero": lambda o: o.mask.nonzero(),
    "max_pool_with_indices": lambda o: of_pool(o, lambda x, g: F.max_pool2d(x, 2, return_indices=True)),
    "max_pool_backward": lambda o: of_pool(o, max_pool_backward),
    "avg_pool_backward": lambda o: of_pool(
        o, lambda x, g: torch.ops.aten.avg_pool2d_backward(g, x, [2, 2], [2, 2], [0, 0], False, True, None)
    ),
    "unfold": lambda o: o.x.unfold(0, 4, 2).contiguous(),
    # Of matrices alone.
    "tile": lambda o: o.x.tile(2),
    "one_hot": lambda o: F.one_hot(o.classes, o.x.shape[1]).float(),
    "diag": lambda o: o.row.diag(),
    "trace": lambda o: o.x.trace(),
    "meshgrid": lambda o: [g.contiguous() for g in torch.meshgrid(o.row, o.row[:16], indexing="ij")],
    "tensordot": lambda o: torch.tensordot(o.x, o.y[:16], ([1], [1])),
    "matmul_into": lambda o: torch.zeros(len(o.x), 16).addmm_(o.x, o.y[:16].t()),
    "bincount": lambda o: o.rows.bincount(),
    "unique": lambda o: o.rows.unique(),
    "unique_with_counts": lambda o: o.rows.unique(return_counts=True),
    "searchsorted": lambda o: torch.searchsorted(o.sorted, o.y),
    "linspace": lambda o: torch.linspace(0, 1, o.x.numel()),
    "arange_step": lambda o: torch.arange(0.0, o.x.numel(), 1.0),
    "keyed_uniform": lambda o: torch.rand(o.x.shape),
    "keyed_normal": lambda o: torch.randn(o.x.shape),
    "keyed_mask": lambda o: torch.empty(o.x.shape).bernoulli_(0.7),
    "add_assign": lambda o: o.x + o.row,
    "update": lambda o: o.x.add(o.y, alpha=-0.1),
}


def measure(work):
    def turn(calls):
        start = time.perf_counter()
        for _ in range(calls):
            work()
        return time.perf_counter() - start

    calls = 1
    while turn(calls) < TURN:
        calls *= 2
    return min(turn(calls) / calls for _ in range(TURNS)) * 1e9


def torch_times(keys):
    """What PyTorch takes for each line that ours has printed."""
    times, data, last = {}, None, None
    for key in keys:
        name, shape, layout, way = key.split("\t")
        if (shape, layout) != last:
            last, data = (shape, layout), Data(*map(int, shape.split("x")), layout)
        f = {**OF_TAPE, **ACTIVATIONS, **OF_TENSORS}[name]
        back = way == "there and back"
        data.train(back)
        with torch.set_grad_enabled(back):
            try:
                result = f(data)
            except (RuntimeError, ValueError):
                continue  # what PyTorch does not have: a median of several axes, an expanded tensor that is written to
            if back and not result.requires_grad:
                continue
            if back:
                seed = torch.ones_like(result)

                def step():
                    for leaf in data.leaves:
                        leaf.grad = None
                    f(data).backward(seed)

                times[key] = measure(step)
            else:
                times[key] = measure(lambda: f(data))
    return times


def our_times(only, threads):
    command = ["cargo", "bench", "--quiet", "--package", "evenkeel-benches", "--bench", "ops", "--"]
    command += ["--only", only, "--threads", str(threads)]
    lines = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    return {line["op"]: line["ns"] for line in map(json.loads, lines)}


def main():
    parser = argparse.ArgumentParser(description="Every op beside PyTorch's.")
    parser.add_argument("--only", default="", help="measure only lines that contain this: an op, 4096x16, transposed")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--save", help="write every line to this file")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    ours, theirs = {}, {}
    least = lambda times, more: {key: min(ns, times.get(key, math.inf)) for key, ns in more.items()}
    for _ in range(args.rounds):
        ours = least(ours, our_times(args.only, args.threads))
        theirs = least(theirs, torch_times(ours))
    report(ours, theirs, args.save)


def report(ours, theirs, save):
    rows = sorted(((ours[key] / theirs[key], key) for key in theirs), reverse=True)
    line = lambda ratio, key: f"{ratio:6.2f}  {ours[key] / 1e3:10.2f} µs  {theirs[key] / 1e3:10.2f} µs  {key}"
    if save:
        pathlib.Path(save).write_text("\n".join(line(*row) for row in rows) + "\n")
    print("\n".join(line(*row) for row in rows if row[0] > 1.1))
    mean = lambda ratios: math.exp(sum(map(math.log, ratios)) / len(ratios))
    for layout in LAYOUTS:
        for way in ["forward", "there and back"]:
            some = [ratio for ratio, key in rows if key.endswith(f"{layout}\t{way}")]
            if some:
                slower = [sum(ratio > limit for ratio in some) for limit in [1.1, 1.2]]
                print(f"{layout}, {way}: {mean(some):.2f} of PyTorch's time; of {len(some)}, {slower[0]} above 1.1, {slower[1]} above 1.2")
    print(f"all: {mean([ratio for ratio, _ in rows]):.2f}; of {len(rows)}, {sum(r > 1.1 for r, _ in rows)} above 1.1, {sum(r > 1.2 for r, _ in rows)} above 1.2")


if __name__ == "__main__":
    main()
