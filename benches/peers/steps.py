"""What torch_step.py and jax_step.py have in common: the models' numbers, which are those of the Rust program bit for bit, and the clock."""

import json
import statistics
import time

import numpy as np

import shapes

SYMBOLS, HIDDEN, WIDTH, LENGTH, HEADS = 27, 128, 64, 16, 4
BATCHES, COMPARED = 100, 10
EPS = 1e-5

# name: kind, its widths (of a residual net the blocks of a stage), batch, rule and rate
MODELS = {
    "lecture 30-200-27, batch 32": ("lecture", (200,), 32, ("sgd", 0.1)),
    "wide 30-1024-27, batch 512": ("lecture", (1024,), 512, ("sgd", 0.1)),
    "dense 784-1024-1024-10, batch 256, AdamW": ("dense", (784, 1024, 1024, 10), 256, ("adamw", 1e-3)),
    "deep 30-5x100-27, batch 32": ("lecture", (100,) * 5, 32, ("sgd", 0.1)),
    "hierarchical, batch 32": ("hierarchical", (), 32, ("sgd", 0.1)),
    "gru 64, 16 steps, batch 32": ("gru", (), 32, ("sgd", 0.1)),
    "transformer block 64, batch 32, AdamW": ("transformer", (), 32, ("adamw", 1e-3)),
    "lenet-5, batch 64": ("lenet", (), 64, ("sgd", 0.1)),
    "lenet-5, batch 1": ("lenet", (), 1, ("sgd", 0.01)),
    "resnet-20, batch 128": ("residual", (3,), 128, ("sgd", 0.01)),
}


def convolutions(kind, widths):
    """Channels, output channels, kernel, stride and padding of each, in the order in which their weights come."""
    if kind == "lenet":
        return [(1, 6, 5, 1, 2), (6, 16, 5, 1, 0)]
    made = [(3, 16, 3, 1, 1)]
    for width in (16, 32, 64):
        for block in range(widths[0]):
            is_new = block == 0 and width > 16
            channels, stride = (width // 2, 2) if is_new else (width, 1)
            made += [(channels, width, 3, stride, 1), (width, width, 3, 1, 1)]
            if is_new:
                made.append((channels, width, 1, stride, 0))
    return made


def examples(kind):
    """How many there are to choose from."""
    return 2_000 if kind == "residual" else 20_000


def mixed(seed, count):
    """MurmurHash3's last step over a seed and the numbers from 0."""
    with np.errstate(over="ignore"):
        x = np.arange(count, dtype=np.uint32) * np.uint32(0x9E3779B1) + np.uint32(seed * 0x85EBCA77 % 2**32)
        x = (x ^ x >> np.uint32(16)) * np.uint32(0x85EBCA6B)
        x = (x ^ x >> np.uint32(13)) * np.uint32(0xC2B2AE35)
        return x ^ x >> np.uint32(16)


def uniform(seed, shape, bound):
    x = (mixed(seed, int(np.prod(shape))).astype(np.float64) / 2**31 - 1.0) * bound
    return x.astype(np.float32).reshape(shape)


def whole(seed, shape, end):
    return (mixed(seed, int(np.prod(shape))) % np.uint32(end)).astype(np.int64).reshape(shape)


def weights(kind, widths):
    """Arrays in the order in which the model uses them; a weight is [fan_in, fan_out], that of a convolution [out, in, side, side]."""
    made, seed = [], 0

    def linear(fan_in, fan_out):
        nonlocal seed
        seed += 1
        made.extend([uniform(seed, (fan_in, fan_out), fan_in**-0.5), np.zeros(fan_out, np.float32)])

    def norm(width):
        made.extend([np.ones(width, np.float32), np.zeros(width, np.float32)])

    def table(width):
        made.append(uniform(100, (SYMBOLS, width), 1.0))

    if kind == "lecture":
        table(10)
        widths = (30, *widths, SYMBOLS)
        for pair in zip(widths, widths[1:]):
            linear(*pair)
    elif kind == "dense":
        for pair in zip(widths, widths[1:]):
            linear(*pair)
    elif kind in ("lenet", "residual"):
        for channels, out, kernel, _, _ in convolutions(kind, widths):
            seed += 1
            made.append(uniform(seed, (out, channels, kernel, kernel), (channels * kernel**2) ** -0.5))
            if kind == "residual":
                made.append(np.ones(out, np.float32))
            made.append(np.zeros(out, np.float32))
        widths = (400, 120, 84, 10) if kind == "lenet" else (64, 10)
        for pair in zip(widths, widths[1:]):
            linear(*pair)
    elif kind == "hierarchical":
        table(24)
        for fan_in in (48, 2 * HIDDEN, 2 * HIDDEN):
            linear(fan_in, HIDDEN)
            made.pop()
            norm(HIDDEN)
        linear(HIDDEN, SYMBOLS)
    elif kind == "gru":
        table(WIDTH)
        linear(WIDTH, 3 * WIDTH)
        linear(WIDTH, 3 * WIDTH)
        linear(WIDTH, SYMBOLS)
    else:
        table(WIDTH)
        norm(WIDTH)
        linear(WIDTH, 3 * WIDTH)
        linear(WIDTH, WIDTH)
        norm(WIDTH)
        linear(WIDTH, 4 * WIDTH)
        linear(4 * WIDTH, WIDTH)
        linear(WIDTH, SYMBOLS)
    return made


def data(kind, widths):
    """The examples, and their targets."""
    count = examples(kind)
    images = {"lenet": (1, 28, 28), "residual": (3, 32, 32)}
    if kind in images:
        return uniform(102, (count, *images[kind]), 1.0), whole(103, (count,), 10)
    width = {"lecture": 3, "hierarchical": 8, "gru": LENGTH, "transformer": LENGTH}.get(kind)
    if kind == "dense":
        return uniform(102, (count, widths[0]), 1.0), whole(103, (count,), widths[-1])
    targets = (count, LENGTH) if kind == "transformer" else (count,)
    return whole(101, (count, width), SYMBOLS), whole(103, targets, SYMBOLS)


def batches(kind, size):
    return [whole(1000 + step, (size,), examples(kind)) for step in range(BATCHES)]


def arguments(description):
    parser = shapes.arguments(description)
    parser.add_argument("--device", default="cpu", help="cpu, or cuda where there is one")
    return parser


def rows(only):
    """What is to be measured: the row's name and its model."""
    return [(f"step {name}", model) for name, model in MODELS.items() if only in f"step {name}"]


def measure(run, rounds):
    """The median time of a step, in microseconds, where run(n) makes n of them."""

    def seconds(steps):
        start = time.perf_counter()
        run(steps)
        return time.perf_counter() - start

    run(COMPARED)
    steps = max(1, int(0.05 / (seconds(COMPARED) / COMPARED)))
    return statistics.median(seconds(steps) / steps for _ in range(rounds)) * 1e6


def report(work, threads, peer, losses, microseconds):
    """A line for the row; the Rust program compares the losses of the first steps with its own."""
    losses = [float(loss) for loss in losses]
    peers = {peer: float(f"{microseconds:.3e}")}
    print(json.dumps({"work": work, "threads": threads, "unit": "us", "losses": losses, "peers": peers}), flush=True)
