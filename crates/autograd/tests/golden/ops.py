"""Writes ops.txt and ops.npy, special.txt and special.npy: inputs, results and gradients of every row of the table of ops, by PyTorch.

    python -m venv /tmp/venv && /tmp/venv/bin/pip install torch torchvision numpy
    EVENKEEL_WRITE_CASES=1 cargo test --package evenkeel-autograd --test it golden
    /tmp/venv/bin/python crates/autograd/tests/golden/ops.py

The second command writes cases.txt, the names, domains and shapes of the table, which this script reads. ops.txt says what is
where in the numbers of ops.npy: for each case the row, and the shapes of its inputs, which are followed by the seed and the
gradients of the inputs (or a dash). The special ones are of kinks, ties, zeros and infinities. Made with PyTorch 2.15.0.
"""

import pathlib

import numpy as np
import torch
import torch.nn.functional as F
from torchvision.ops import sigmoid_focal_loss
from torch.utils.checkpoint import checkpoint

HERE = pathlib.Path(__file__).parent


# What the table's rows are made of, as they have it.


def places(shape, size):
    return (torch.arange(torch.Size(shape).numel()) * 3 % max(size, 1)).reshape(shape)


def classes(x):
    return places(x.shape[:-1], x.shape[-1])


def some_ignored(x):
    t = classes(x)
    i = torch.arange(t.numel()).reshape(t.shape) + 1
    return torch.where(i % 3 == 1, -100, t)


def weights(x):
    return 0.5 + 0.25 * (torch.arange(x.shape[-1]) % 5).float()


def mask(shape):
    return ((torch.arange(torch.Size(shape).numel()) + 1) % 2 == 0).reshape(shape)


def signs(shape):
    i = torch.arange(torch.Size(shape).numel()) + 1
    return torch.where(i % 3 == 1, 1.0, -1.0).reshape(shape)


def wide(x):
    return mask((2, *x.shape))


def channels_first(x):
    """PyTorch's classes are axis 1."""
    return x.movedim(-1, 1) if x.dim() > 1 else x


def entropy(x, t, **options):
    return F.cross_entropy(channels_first(x), t, **options)


def by_cell(kind, x, h, w_ih, w_hh, b_ih, b_hh):
    weights = [w_ih.t(), w_hh.t(), b_ih, b_hh]
    return getattr(torch, kind)(x, h, *weights)


def by_steps(kind, x, state, w_ih, w_hh, b_ih, b_hh, lengths=None, backwards=False):
    """What each step gives, and the last state: cell by cell, each example for as long as it goes on."""
    n, steps = x.shape[:2]
    lengths = lengths or [steps] * n
    outputs = [None] * steps
    for t in reversed(range(steps)) if backwards else range(steps):
        new = by_cell(kind, x[:, t], state, w_ih, w_hh, b_ih, b_hh)
        goes_on = torch.tensor([t < length for length in lengths]).reshape(n, 1)
        if isinstance(state, tuple):
            state = tuple(torch.where(goes_on, a, b) for a, b in zip(new, state))
        else:
            state = torch.where(goes_on, new, state)
        h = state[0] if isinstance(state, tuple) else state
        outputs[t] = torch.where(goes_on, h, torch.zeros_like(h))
    return torch.stack(outputs, 1), state


def lengths(x):
    return [1 + 2 * i % x.shape[1] for i in range(x.shape[0])]


def lstm_all(x, h, c, *w):
    outputs, (last, memory) = by_steps("lstm_cell", x, (h, c), *w, lengths=lengths(x))
    return outputs + (last * memory).unsqueeze(1)


def negative_binomial(x, t, r):
    return -torch.distributions.NegativeBinomial(r, logits=x, validate_args=False).log_prob(t)


def spoken(x):
    return torch.tensor([[1 + (i + i * j) % (x.shape[2] - 1) for j in range(2)] for i in range(len(x))])


def ctc(log_p, targets, blank, lengths, counts, reduction):
    return F.ctc_loss(log_p.transpose(0, 1), targets, torch.tensor(lengths), torch.tensor(counts), blank, reduction)


def ctc_lengths(x):
    """PyTorch's gradient is that of log-probabilities that add up to 1, and has p more where they do not: only γ is asked for."""
    blank = x.shape[2] - 1
    targets = (spoken(x) - 1).clamp(max=blank - 1)
    lengths, counts = [5 - i % 2 for i in range(len(x))], [i % 3 for i in range(len(x))]
    read = torch.arange(5).reshape(1, 5, 1) < torch.tensor(lengths).reshape(-1, 1, 1)
    return ctc(x, targets, blank, lengths, counts, "sum") - ((x.exp() - x.exp().detach()) * read).sum()


def soft(x, t, **options):
    return F.cross_entropy(x, t, **options)


def attention(q, k, v, **options):
    return F.scaled_dot_product_attention(q, k.expand(*q.shape[:-2], *k.shape[-2:]), v.expand(*q.shape[:-2], *v.shape[-2:]), **options)


def by_statistics(x, mean, var, weight, bias):
    wide = lambda p: p.reshape(-1, *[1] * (x.dim() - 2))
    return (x - wide(mean)) / torch.sqrt(wide(var) + 1e-2) * wide(weight) + wide(bias)


def roll_axes(x):
    return x.permute([(i + 1) % x.dim() for i in range(x.dim())])


def around(x, mode):
    flat = x.reshape(-1, *x.shape[-3:])
    return F.pad(flat, (3, 1, 1, 2), mode=mode).reshape(*x.shape[:-2], x.shape[-2] + 3, x.shape[-1] + 4)


def groups(w, b):
    return b.numel() // w.shape[1]


def of_signal(x, f):
    """Modes that PyTorch has for a batch only."""
    return f(x) if x.dim() == 3 else f(x[None])[0]


def of_image(x, f):
    return f(x) if x.dim() == 4 else f(x[None])[0]


def empty_or(x, f, like):
    """PyTorch refuses some ops on nothing, of which this is the result."""
    return f(x) if x.numel() else x.new_zeros(0, *like(x)) + x.sum()


SEEN = torch.tensor([[True, False, True], [False, False, False], [True, True, True]])
C = 0.7

ROWS = {
    "add": lambda x, y: x + y,
    "add: number": lambda x: x + C,
    "add: tensor": lambda x: torch.full((1, 1), C) + (x + C),
    "sub": lambda x, y: x - y,
    "sub: number": lambda x: x - C,
    "sub: tensor": lambda x: torch.full((1, 1), C) - (x - C),
    "mul": lambda x, y: x * y,
    "mul: itself": lambda x: x * x,
    "mul: tensor": lambda x: torch.full((1, 1), C) * (x * C),
    "div": lambda x, y: x / y,
    "div: number": lambda x: x / C,
    "div: itself": lambda x: x / (x + 3.0),
    "div: tensor": lambda x: torch.full((1, 1), C) / (x / C),
    "neg": lambda x: -x,
    "scale": lambda x: x * 2.5,
    "square": torch.square,
    "powi: 3": lambda x: x**3,
    "powi: -2": lambda x: x**-2,
    "powi: 0": lambda x: x**0,
    "powf: 2.5": lambda x: x**2.5,
    "powf: -0.5": lambda x: x**-0.5,
    "powf: 0": lambda x: x**0.0,
    "pow": torch.pow,
    "sqrt": torch.sqrt,
    "rsqrt": torch.rsqrt,
    "recip": torch.reciprocal,
    "exp": torch.exp,
    "chain": lambda x: torch.tanh(3.0 * torch.tanh(2.0 * x)),
    "scoped": lambda x: torch.tanh(x) * x,
    "recomputed": lambda x: checkpoint(lambda x: x.tanh() * x.sin(), x, use_reentrant=False),
    "exp_m1": torch.expm1,
    "ln": torch.log,
    "ln_1p": torch.log1p,
    "sin": torch.sin,
    "cos": torch.cos,
    "erf": torch.erf,
    "abs": torch.abs,
    "clamp": lambda x: x.clamp(-0.5, 0.8),
    "maximum": torch.maximum,
    "maximum: number": lambda x: torch.maximum(x, torch.tensor(0.01)),
    "minimum": torch.minimum,
    "where_cond": lambda x, y: torch.where(mask((x + y).shape), x, y),
    "where_cond: wider mask": lambda x: torch.where(wide(x), x, x),
    "masked_fill": lambda x: x.masked_fill(mask(x.shape), 7.0),
    "masked_fill: wider mask": lambda x: x.expand(2, *x.shape).masked_fill(wide(x), 7.0),
    "detach": lambda x: x + x.detach(),
    "prelu": lambda x, w: F.prelu(x, w),
    "glu": lambda x: F.glu(x, -1),
    "sum": lambda x: x.sum(),
    "sum: first": lambda x: x.sum(0),
    "sum: last, kept": lambda x: x.sum(-1, keepdim=True),
    "sum: several": lambda x: x.sum((1, 0)),
    "mean": lambda x: x.mean(),
    "mean: last": lambda x: x.mean(-1),
    "mean: several, kept": lambda x: x.mean((0, -1), keepdim=True),
    "var": lambda x: x.var(),
    "var: last": lambda x: x.var(-1),
    "var: ends, of all, kept": lambda x: x.var((0, -1), correction=0, keepdim=True),
    "std": lambda x: x.std(),
    "std: last": lambda x: x.std(-1),
    "std: last, of all, kept": lambda x: x.std(-1, correction=0, keepdim=True),
    "max: last": lambda x: x.amax(-1),
    "max: last, kept": lambda x: x.amax(-1, keepdim=True),
    "min: last": lambda x: x.amin(-1),
    "prod": lambda x: (x * 1.3).prod(),
    "prod: first": lambda x: x.prod(0),
    "prod: ends, kept": lambda x: x.prod(0, keepdim=True).prod(-1, keepdim=True),
    "norm": lambda x: torch.linalg.vector_norm(x, 2),
    "norm: last": lambda x: torch.linalg.vector_norm(x, 2, -1),
    "norm: 1": lambda x: torch.linalg.vector_norm(x, 1, 0, keepdim=True),
    "norm: 3": lambda x: torch.linalg.vector_norm(x, 3, -1),
    "norm: 1.5": lambda x: torch.linalg.vector_norm(x, 1.5, -1),
    "norm: 0": lambda x: torch.linalg.vector_norm(x, 0, -1),
    "norm: infinity": lambda x: torch.linalg.vector_norm(x, float("inf"), -1),
    "logsumexp": lambda x: x.flatten().logsumexp(0),
    "logsumexp: last": lambda x: x.logsumexp(-1),
    "logsumexp: ends, kept": lambda x: x.logsumexp((0, -1), keepdim=True),
    "cumsum: first": lambda x: x.cumsum(0),
    "cumsum: last": lambda x: x.cumsum(-1),
    "softmax: last": lambda x: x.softmax(-1),
    "softmax: first": lambda x: x.softmax(0),
    "log_softmax: last": lambda x: x.log_softmax(-1),
    "log_softmax: first": lambda x: x.log_softmax(0),
    "normalize": lambda x: F.normalize(x, dim=-1),
    "normalize: short ones": lambda x: F.normalize(x, dim=0, eps=10.0),
    "cosine_similarity": lambda x, y: F.cosine_similarity(x, y, dim=-1),
    "reshape": lambda x: x.reshape(x.numel(), 1),
    "flatten": lambda x: x.flatten(),
    "t": lambda x: x.mT,
    "transpose": lambda x: x.transpose(0, -1),
    "permute": roll_axes,
    "slice": lambda x: x[..., 1:3],
    "slice_step": lambda x: x[..., 1::2],
    "slice_step: one": lambda x: x[..., -1::5],
    "narrow": lambda x: x.narrow(-1, 2, 2),
    "select": lambda x: x.select(-1, -2),
    "select: first": lambda x: x.select(-1, 0),
    "unsqueeze": lambda x: x.unsqueeze(-1),
    "squeeze": lambda x: x.squeeze(-1),
    "expand": lambda x: x.expand(2, *x.shape[:-1], 3),
    "flip": lambda x: x.flip(0, -1),
    "diagonal": lambda x: x.diagonal(0, -2, -1),
    "diagonal: above": lambda x: x.diagonal(1, -1, 0),
    "roll": lambda x: x.roll(3, -1),
    "roll: back": lambda x: x.roll(-1, 0),
    "repeat": lambda x: x.repeat(2, 3, *[1] * (x.dim() - 2), 2),
    "pad": lambda x: F.pad(x, [0, 2] + [0, 0] * (x.dim() - 2) + [1, 0], value=7.0),
    "cat": lambda x, y: torch.cat([x, y, x], -1),
    "cat: other sizes": lambda x, y: torch.cat([x, y]),
    "stack": lambda x, y: torch.stack([x, y], 1),
    "split": lambda x: torch.mul(*x.split([1, x.shape[-1] - 1], -1)),
    "chunk": lambda x: torch.mul(*x.chunk(2, -1)),
    "embedding_with_padding": lambda w: torch.nn.functional.embedding(
        torch.zeros(0).long() if len(w) == 0 else places((2, 5), len(w)), w, padding_idx=0
    ),
    "embedding": lambda w: w[torch.zeros(0).long() if len(w) == 0 else places((2, 5), len(w))],
    "index_select": lambda x: x.index_select(-1, places((7,), x.shape[-1])),
    "gather": lambda x: x.gather(-1, places((*x.shape[:-1], 5), x.shape[-1])),
    # Of a larger source, PyTorch has no gradient.
    "scatter_add": lambda x, y: x.scatter_add(0, places((4, x.shape[-1]), 3), y[:4]),
    "masked_select": lambda x: x.masked_select(mask(x.shape)),
    "masked_select: wider mask": lambda x: x.masked_select(wide(x)),
    "tril": lambda x: x.tril(),
    "tril: above": lambda x: x.tril(1),
    "triu": lambda x: x.triu(-1),
    "sort": lambda x: x.sort(-1).values,
    "sort: down": lambda x: x.sort(-1, descending=True).values,
    "topk": lambda x: x.topk(2).values,
    "topk: smallest": lambda x: x.topk(3, largest=False).values,
    "matmul": torch.matmul,
    "linear": lambda x, w, b: F.linear(x, w.t(), b),
    "linear: no bias": lambda x, w, b: F.linear(x, w.t()) + b,
    "dot": torch.dot,
    "outer": torch.outer,
    "einsum: itself": lambda x: torch.einsum("ijk,ijl->kl", x, x),
    "conv1d": F.conv1d,
    "conv1d: causal": lambda x, w, b: F.conv1d(F.pad(x, (2 * (w.shape[-1] - 1), 0)), w, b, dilation=2),
    "conv1d: same": lambda x, w, b: F.conv1d(x, w, padding="same") + b.sum(),
    "conv2d": F.conv2d,
    "conv2d: padding": lambda x, w, b: F.conv2d(x, w, b, padding=1),
    "conv2d: stride": lambda x, w, b: F.conv2d(x, w, b, stride=2, padding=(2, 1)),
    "conv2d: dilation": lambda x, w, b: F.conv2d(x, w, dilation=(1, 2), padding=2) + b.sum(),
    "conv2d: groups": lambda x, w, b: F.conv2d(x, w, b, groups=2, padding=1),
    "conv2d: groups, stride": lambda x, w, b: F.conv2d(x, w, b, groups=2, stride=(1, 3)),
    "conv3d": F.conv3d,
    "conv3d: all": lambda x, w, b: F.conv3d(x, w, b, stride=(1, 2, 2), padding=1),
    "conv_transpose1d": F.conv_transpose1d,
    "conv_transpose1d: stride": lambda x, w, b: F.conv_transpose1d(x, w, b, stride=3, padding=1, output_padding=1),
    "conv_transpose2d": lambda x, w, b: F.conv_transpose2d(x, w, b, groups=groups(w, b)),
    "conv_transpose2d: all": lambda x, w, b: F.conv_transpose2d(
        x, w, b, stride=(2, 1), padding=(1, 0), output_padding=(1, 0), dilation=(1, 2), groups=groups(w, b)
    ),
    "conv_transpose3d": lambda x, w, b: F.conv_transpose3d(x, w, b, stride=(2, 1, 1)),
    "max_pool": lambda x: F.max_pool2d(x, 2),
    "max_pool: overlapping": lambda x: F.max_pool2d(x, 3, stride=(2, 1), padding=1),
    "max_pool: 1, ceil": lambda x: F.max_pool1d(x, 3, ceil_mode=True),
    "max_pool: dilation": lambda x: F.max_pool1d(x, 2, stride=1, dilation=3),
    "avg_pool": lambda x: F.avg_pool2d(x, 2),
    "avg_pool: padding": lambda x: F.avg_pool2d(x, 3, stride=2, padding=1),
    "avg_pool: without padding": lambda x: F.avg_pool2d(
        x, 3, stride=2, padding=1, ceil_mode=True, count_include_pad=False
    ),
    "avg_pool: 1, divisor": lambda x: F.avg_pool2d(x[..., None, :], (1, 3), divisor_override=5)[..., 0, :],
    "adaptive_avg_pool": lambda x: F.adaptive_avg_pool2d(x, (2, 3)),
    "adaptive_avg_pool: 1": lambda x: F.adaptive_avg_pool2d(x, 1),
    "adaptive_max_pool": lambda x: F.adaptive_max_pool2d(x, (2, 3)),
    "interpolate: nearest": lambda x: of_image(x, lambda x: F.interpolate(x, (7, 3))),
    "interpolate: nearest exact": lambda x: of_image(x, lambda x: F.interpolate(x, (7, 3), mode="nearest-exact")),
    "interpolate: linear": lambda x: of_image(x, lambda x: F.interpolate(x, (7, 3), mode="bilinear")),
    "interpolate: linear, corners": lambda x: of_image(
        x, lambda x: F.interpolate(x, (7, 3), mode="bilinear", align_corners=True)
    ),
    "interpolate: linear, factor": lambda x: of_image(x, lambda x: F.interpolate(x, scale_factor=1.5, mode="bilinear")),
    "interpolate: cubic": lambda x: of_image(x, lambda x: F.interpolate(x, (7, 3), mode="bicubic")),
    "interpolate: cubic, corners": lambda x: of_image(
        x, lambda x: F.interpolate(x, (7, 3), mode="bicubic", align_corners=True)
    ),
    "interpolate: area": lambda x: of_image(x, lambda x: F.interpolate(x, (2, 4), mode="area")),
    "interpolate: 1": lambda x: of_signal(x, lambda x: F.interpolate(x, scale_factor=2.0, mode="linear")),
    "pixel_shuffle": lambda x: F.pixel_shuffle(x, 2),
    "pixel_unshuffle": lambda x: F.pixel_unshuffle(x, 2),
    "im2col": lambda x: F.unfold(
        (x if x.dim() == 3 else x[None])[:, :, None], (1, 3), padding=(0, 1), stride=(1, 2)
    ),
    "col2im": lambda x: F.fold(x, (4, x.shape[-1] // 3 + 1), 2),
    "pad: reflect": lambda x: around(x, "reflect"),
    "pad: replicate": lambda x: around(x, "replicate"),
    "pad: circular": lambda x: around(x, "circular"),
    "batch_norm": lambda x, w, b: F.batch_norm(x, None, None, w, b, training=True, eps=1e-2),
    # Statistics have no gradients in PyTorch's own.
    "batch_norm_by": lambda x, w, b: by_statistics(x, w, b.square(), b, w),
    "layer_norm": lambda x, w, b: F.layer_norm(x, w.shape, w, b, eps=1e-2),
    "rms_norm": lambda x, w, b: F.rms_norm(x, w.shape, w, eps=1e-2) + b,
    "group_norm": lambda x, w, b: F.group_norm(x, 2, w, b, eps=1e-2),
    "attention": attention,
    "attention: causal": lambda q, k, v: attention(q, k, v, is_causal=True),
    "attention: mask and scale": lambda q, k, v: attention(q, k, v, attn_mask=SEEN[: q.shape[-2], : k.shape[-2]], scale=0.7),
    "rnn_cell": lambda *x: by_cell("rnn_tanh_cell", *x),
    "gru_cell": lambda *x: by_cell("gru_cell", *x),
    "lstm_cell": lambda x, h, c, *w: by_cell("lstm_cell", x, (h, c), *w)[0],
    "lstm_cell: memory": lambda x, h, c, *w: by_cell("lstm_cell", x, (h, c), *w)[1],
    "lstm_cell: no bias": lambda x, h, c, w, u, a, b: torch.lstm_cell(x, (h, c), w.t(), u.t())[0] + a.sum() + b.sum(),
    "rnn_relu_cell": lambda *x: by_cell("rnn_relu_cell", *x),
    "rnn_tanh": lambda *x: by_steps("rnn_tanh_cell", *x)[0],
    "rnn_tanh: lengths, last": lambda x, *w: by_steps("rnn_tanh_cell", x, *w, lengths=lengths(x))[1],
    "rnn_relu": lambda *x: by_steps("rnn_relu_cell", *x)[0],
    "gru": lambda *x: by_steps("gru_cell", *x)[0],
    "gru: lengths, reversed": lambda x, *w: by_steps("gru_cell", x, *w, lengths=lengths(x), backwards=True)[0],
    "gru: lengths, last": lambda x, *w: by_steps("gru_cell", x, *w, lengths=lengths(x))[1],
    "lstm": lambda x, h, c, *w: by_steps("lstm_cell", x, (h, c), *w)[0],
    "lstm: reversed": lambda x, h, c, *w: by_steps("lstm_cell", x, (h, c), *w, backwards=True)[0],
    "lstm: lengths, all": lstm_all,
    "lstm: no bias": lambda x, h, c, w, u, a, b: by_steps("lstm_cell", x, (h, c), w, u, 0 * a, 0 * b)[1][1] + a.sum() + b.sum(),
    "cross_entropy": lambda x: entropy(x, classes(x)),
    "cross_entropy: far": lambda x: entropy(3 * x, classes(x)),
    "cross_entropy_with: none": lambda x: entropy(x, classes(x), reduction="none"),
    "cross_entropy_with: sum": lambda x: entropy(x, classes(x), reduction="sum"),
    "cross_entropy_with: weight": lambda x: entropy(x, classes(x), weight=weights(x)),
    "cross_entropy_with: ignored": lambda x: entropy(x, some_ignored(x), weight=weights(x)),
    "cross_entropy_with: smoothing": lambda x: entropy(x, some_ignored(x), weight=weights(x), label_smoothing=0.1),
    "cross_entropy_with: smoothing, none": lambda x: entropy(x, classes(x), label_smoothing=0.3, reduction="none"),
    "soft_cross_entropy": lambda x, y: soft(x, y.softmax(-1)),
    "soft_cross_entropy: weight": lambda x, y: soft(x, y, weight=weights(x), label_smoothing=0.2),
    "nll_loss": lambda x: F.nll_loss(channels_first(x), classes(x)),
    "nll_loss_with": lambda x: F.nll_loss(channels_first(x), some_ignored(x), weight=weights(x)),
    "nll_loss_with: sum": lambda x: F.nll_loss(channels_first(x), classes(x), reduction="sum"),
    "mse_loss": F.mse_loss,
    "mse_loss_with: none": lambda x, y: F.mse_loss(x, y, reduction="none"),
    "mse_loss_with: sum": lambda x, y: F.mse_loss(x, y, reduction="sum"),
    "l1_loss": lambda x, y: F.l1_loss(x, y + 4.0),
    "l1_loss_with: batch": lambda x, y: F.l1_loss(x, y + 4.0, reduction="sum") / len(x),
    "huber_loss": lambda x, y: F.huber_loss(x, y, delta=0.7),
    "smooth_l1_loss": lambda x, y: F.smooth_l1_loss(x, y, beta=0.7, reduction="none"),
    "smooth_l1_loss: 0": lambda x, y: F.smooth_l1_loss(x, y + 4.0, beta=0.0, reduction="sum"),
    "bce_loss": F.binary_cross_entropy,
    "bce_loss_with": lambda x, y: F.binary_cross_entropy(x, y, weight=weights(x).expand_as(x), reduction="none"),
    "bce_with_logits_loss": lambda x, y: F.binary_cross_entropy_with_logits(3 * x, y),
    "bce_with_logits_loss_with": lambda x, y: F.binary_cross_entropy_with_logits(
        x, y, weight=weights(x).flip(0), pos_weight=weights(x)
    ),
    "kl_div": lambda x, y: F.kl_div(x.softmax(-1).log(), y, reduction="mean"),
    "kl_div: logarithms": lambda x, y: F.kl_div(x, y, log_target=True, reduction="batchmean"),
    # PyTorch has no hinge of its own: that of margins of two, the other of which is 0, is one.
    "hinge_loss": lambda x: F.margin_ranking_loss(x, torch.zeros_like(x), signs(x.shape), margin=1.0),
    "hinge_embedding_loss": lambda x: F.hinge_embedding_loss(x, signs(x.shape), margin=1.01),
    "cosine_embedding_loss": lambda x, y: F.cosine_embedding_loss(
        x.reshape(-1, x.shape[-1]), y.reshape(-1, x.shape[-1]), signs(x.shape[:-1]).reshape(-1), margin=-0.9
    ),
    "gaussian_nll_loss": lambda x, t, v: F.gaussian_nll_loss(x, t, v),
    "gaussian_nll_loss: full": lambda x, t, v: F.gaussian_nll_loss(x, t, v, full=True, reduction="sum"),
    "pairwise_distance": F.pairwise_distance,
    "pairwise_distance: 1": lambda x, y: F.pairwise_distance(x, y, p=1.0, eps=0.01),
    "triplet_margin_loss": lambda x, y: F.triplet_margin_loss(x, y, y.flip(-1)),
    "triplet_margin_loss: swapped": lambda x, y: F.triplet_margin_loss(
        x, y, y.flip(-1), margin=0.3, p=3.0, eps=0.01, swap=True, reduction="sum"
    ),
    "poisson_nll_loss": lambda x, t: F.poisson_nll_loss(x, t),
    "poisson_nll_loss: full": lambda x, t: F.poisson_nll_loss(x, 3 * t, full=True, reduction="sum") / len(x),
    "poisson_nll_loss: rates": lambda x, t: F.poisson_nll_loss(x, t, log_input=False, eps=0.01, reduction="none"),
    "negative_binomial_nll_loss": lambda x, t: negative_binomial(x, 3 * t, torch.tensor(2.5)).mean(),
    "negative_binomial_nll_loss: learned": negative_binomial,
    "sigmoid_focal_loss": lambda x, t: sigmoid_focal_loss(x, t).mean(),
    "sigmoid_focal_loss: unbalanced": lambda x, t: sigmoid_focal_loss(x, t, alpha=-1, gamma=1.5),
    "ctc_loss": lambda x: ctc(x.log_softmax(-1), spoken(x), 0, [5] * len(x), [2] * len(x), "mean"),
    "ctc_loss: lengths": ctc_lengths,
}

OTHER_NAMES = {"hard_sigmoid": "hardsigmoid", "hard_swish": "hardswish", "log_sigmoid": "logsigmoid"}

# What draws, draws other numbers there.
WITHOUT = [
    "dropout", "dropout_channels", "attention: bias and dropout", "randn", "uniform", "bernoulli", "multinomial",
]


def function(name):
    if name in ROWS:
        return ROWS[name]
    op, _, more = name.partition(": ")
    if op == "einsum":
        return lambda *x: torch.einsum(more, *x)
    factor = 4.0 if more == "far" else 1.0
    if op == "gelu_tanh":
        return lambda x: F.gelu(factor * x, approximate="tanh")
    return lambda x: getattr(F, OTHER_NAMES.get(op, op))(factor * x)


def drawn(shape, domain, place, rng):
    count = int(np.prod(shape))
    size = 0.2 + 0.02 * rng.integers(0, 70, count) + 0.003 * (place + 1)
    values = {
        "Real": size * np.where(rng.random(count) < 0.5, 1.0, -1.0),
        "Positive": size,
        "Share": rng.uniform(0.05, 0.95, count),
        "Distinct": (rng.permutation(count) - count / 2) * 0.1 + 0.03,
    }[domain]
    return torch.tensor(values.astype(np.float32).reshape(shape)).requires_grad_()


INF, NAN = float("inf"), float("nan")

# Kinks and ends, for each element by itself.
ELEMENTS = [[-30.0, -3.0, -1.0, -0.5, 0.0, 0.5, 0.8, 1.0, 3.0, 20.0, 1e-30, -1e-30], [-INF, -0.0, 1.0, INF, NAN]]

# Ties, zeros, infinities and what is not a number, for rows of several.
SEVERAL = [
    [[2.0, 2.0, 1.0, 2.0], [0.0, 0.0, 0.0, 0.0]],
    [[2.0, 0.0, 3.0, 1.0], [0.0, 0.0, 3.0, 1.0]],
    [[-INF, -INF, -INF, -INF], [1.0, -INF, 2.0, 2.0]],
    [[INF, 1.0, 2.0, 3.0], [NAN, 1.0, 2.0, 3.0]],
]

# Pairs of elements.
PAIRS = [
    ([0.0, 0.0, 0.0, 1.0, 2.0, -0.0, INF, -INF, NAN, 1.0, 0.5, 0.0], [0.0, 2.0, -1.0, 1.0, 2.0, 0.0, INF, 1.0, 1.0, NAN, 0.0, 1.0])
]


def cases():
    for line in (HERE / "cases.txt").read_text().splitlines():
        name, domains, shapes = line.split("\t")
        if name not in WITHOUT:
            yield name, domains.split(), [tuple(map(int, s.split(",") if s else [])) for s in shapes.split(";")]


def ordinary(rng):
    for name, domains, shapes in cases():
        yield name, [drawn(s, domains[min(i, len(domains) - 1)], i, rng) for i, s in enumerate(shapes)]


def special():
    ranks = {}
    for name, _, shapes in cases():
        ranks.setdefault(name, []).append([len(s) for s in shapes])
    for name, ranks in ranks.items():
        of = lambda values: torch.tensor(values).requires_grad_()
        if name in ["squeeze", "expand"]:
            continue
        if ranks[0] == [2]:
            elementwise = [0] in ranks
            for values in (ELEMENTS if elementwise else []) + SEVERAL:
                yield name, [of(values)]
        elif ranks[0] == [2, 2] and name.split(":")[0] not in MIXING:
            for x, y in PAIRS:
                yield name, [of([x]), of([y])]


# Of two, what is no op of pairs, or what takes no such numbers.
MIXING = ["matmul", "einsum", "scatter_add", "prelu", "soft_cross_entropy", "bce_loss", "bce_loss_with", "cat", "stack", "poisson_nll_loss", "negative_binomial_nll_loss", "sigmoid_focal_loss"]


def write(name, some, rng):
    lines, numbers = [], []
    for row, inputs in some:
        try:
            y = function(row)(*inputs)
        except (RuntimeError, IndexError, AssertionError):
            continue  # of other shapes
        seed = torch.tensor(rng.uniform(-1.0, 1.0, y.shape).astype(np.float32))
        if y.requires_grad:
            y.backward(seed)
        words = lambda shape: ",".join(map(str, shape))
        gradients = "".join("-" if x.grad is None else "g" for x in inputs)
        lines.append("\t".join([row, ";".join(words(x.shape) for x in inputs), words(y.shape), gradients]))
        numbers += [x.detach() for x in inputs] + [y.detach(), seed] + [x.grad for x in inputs if x.grad is not None]
    (HERE / f"{name}.txt").write_text("\n".join(lines) + "\n")
    np.save(HERE / f"{name}.npy", torch.cat([x.reshape(-1) for x in numbers]).numpy())


if __name__ == "__main__":
    rng = np.random.default_rng(42)
    write("ops", ordinary(rng), rng)
    write("special", special(), rng)
