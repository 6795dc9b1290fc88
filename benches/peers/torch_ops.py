"""The rows of this benchmark as PyTorch does them, in the same JSON lines.

    python -m venv /tmp/torch && /tmp/torch/bin/pip install torch numpy
    /tmp/torch/bin/python torch_ops.py > torch.jsonl
    cargo run --release -- --torch torch.jsonl

On Linux, PyTorch is a download of several gigabytes. The two programs are to run one after the other.
"""

import torch
import torch.nn.functional as F

import shapes
from shapes import CONVS, RECURRENT

MATMULS = [
    (32, 30, 200),
    (32, 200, 27),
    (64, 64, 64),
    (128, 128, 128),
    (256, 256, 256),
    (512, 512, 512),
    (1024, 1024, 1024),
    (2048, 2048, 2048),
    (128, 784, 512),
    (4096, 64, 64),
    (64, 4096, 64),
]
SIZES = {"6400": (32, 200), "65536": (256, 256), "1Mi": (1024, 1024), "16Mi": (4096, 4096)}


def conv(x, out, kernel, options, back):
    x, w = torch.randn(x), torch.randn(out, x[1] // options.get("groups", 1), kernel, kernel)
    if not back:
        return lambda: F.conv2d(x, w, **options)
    x.requires_grad_(), w.requires_grad_()
    g = torch.randn_like(F.conv2d(x, w, **options))

    def step():
        x.grad = w.grad = None
        F.conv2d(x, w, **options).backward(g)

    return step


def conv1d():
    x, w = torch.randn(8, 64, 1024), torch.randn(128, 64, 9)
    return lambda: F.conv1d(x, w, padding=16, dilation=4)


def recurrent(kind, gates, width, steps, batch):
    """To the gradients of the input and of all weights."""
    layer = {"rnn": torch.nn.RNN, "gru": torch.nn.GRU, "lstm": torch.nn.LSTM}[kind](width, width, batch_first=True)
    x, g = torch.randn(batch, steps, width, requires_grad=True), torch.randn(batch, steps, width)

    def step():
        layer.zero_grad()
        x.grad = None
        layer(x)[0].backward(g)

    return step


def matmul(m, k, n):
    x, w = torch.randn(m, k), torch.randn(k, n)
    return lambda: x @ w


def unary(f, *shape):
    x = torch.randn(*shape)
    return lambda: f(x)


def tanh_backward(*shape):
    """What autograd calls: a fresh result each time."""
    g, y = torch.randn(*shape), torch.randn(*shape).tanh()
    return lambda: torch.ops.aten.tanh_backward(g, y)


def axpy(*shape):
    w, x = torch.randn(*shape), torch.randn(*shape)
    return lambda: w.add_(x, alpha=-1e-6)


def bias_add(rows, columns):
    x, b = torch.randn(rows, columns), torch.randn(columns)
    return lambda: x + b


def cross_entropy(batch, classes):
    """Forward and backward, to the gradient of the logits."""
    x = torch.randn(batch, classes, requires_grad=True)
    targets = torch.randint(classes, (batch,))

    def step():
        x.grad = None
        F.cross_entropy(x, targets).backward()
        return x.grad

    return step


def rows():
    """Names, which are those of the Rust program, and what makes the work; made only when its turn comes."""
    for m, k, n in MATMULS:
        yield f"matmul {m}x{k}x{n}", lambda m=m, k=k, n=n: matmul(m, k, n)
    for name, of in CONVS.items():
        yield f"conv {name}", lambda of=of: conv(*of, False)
        yield f"conv {name}, and back", lambda of=of: conv(*of, True)
    for name, of in RECURRENT.items():
        yield name, lambda of=of: recurrent(*of)
    images = (8, 64, 56, 56)
    yield "conv1d 64-128 9, dilation 4, on 1024, batch 8", conv1d
    yield "max pool 2x2 of 64 on 56, batch 8", lambda: unary(lambda x: F.max_pool2d(x, 2), *images)
    yield "max pool 3x3 stride 2 of 64 on 56, batch 8", lambda: unary(lambda x: F.max_pool2d(x, 3, 2, 1), *images)
    for size, shape in SIZES.items():
        yield f"tanh {size}", lambda shape=shape: unary(torch.tanh, *shape)
    for size, shape in list(SIZES.items())[1:]:
        yield f"tanh backward {size}", lambda shape=shape: tanh_backward(*shape)
    for size, shape in list(SIZES.items())[:2]:
        yield f"axpy {size}", lambda shape=shape: axpy(*shape)
    square = SIZES["1Mi"]
    yield "exp 1Mi", lambda: unary(torch.exp, *square)
    yield "sigmoid 1Mi", lambda: unary(torch.sigmoid, *square)
    yield "relu 1Mi", lambda: unary(torch.relu, *square)
    yield "bias add 1024x1024", lambda: bias_add(*square)
    yield "transposed copy 1024x1024", lambda: unary(lambda x: x.t().contiguous(), *square)
    yield "sum axis 0 1024x1024", lambda: unary(lambda x: x.sum(0), *square)
    yield "sum axis 1 1024x1024", lambda: unary(lambda x: x.sum(1), *square)
    yield "sum of all 1024x1024", lambda: unary(torch.sum, *square)
    yield "std 1Mi", lambda: unary(torch.std, *square)
    yield "softmax 1024x1024", lambda: unary(lambda x: x.softmax(-1), *square)
    yield "cross-entropy 32x27", lambda: cross_entropy(32, 27)
    yield "cross-entropy 512x1000", lambda: cross_entropy(512, 1000)
    yield "randn 1Mi", lambda: lambda: torch.randn(*square)


def main():
    args = shapes.arguments("The rows of this benchmark as PyTorch does them.").parse_args()
    torch.manual_seed(1)
    for threads in map(int, args.threads.split(",")):
        torch.set_num_threads(threads)
        for name, make in rows():
            if args.only in name:
                shapes.report(name, threads, "torch", make(), args.rounds)


if __name__ == "__main__":
    main()
