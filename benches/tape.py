"""The rows of benches/tape.rs as PyTorch does them, and beside them what that has measured.

    python -m venv /tmp/torch && /tmp/torch/bin/pip install torch numpy
    cargo bench --package evenkeel-benches --bench tape
    /tmp/torch/bin/python benches/tape.py --threads 1

The two programs are to run one after the other, with the same number of threads (RAYON_NUM_THREADS).
"""

import argparse
import json
import pathlib
import statistics
import time

import torch
import torch.nn.functional as F

SHAPES = [(32, 64), (512, 512)]
CRITERION = pathlib.Path(__file__).parents[1] / "target/criterion/tape"


def classes(x):
    return torch.arange(x.shape[0]) * 7 % x.shape[1]


def gru(x, y):
    weight = y[:1].expand(x.shape[1], -1).repeat(3, 1)
    return torch.gru_cell(x, x, weight, weight)


ROWS = {
    "mul": lambda x, y: x * y,
    "sqrt": lambda x, y: x.sqrt(),
    "exp": lambda x, y: x.exp(),
    "maximum": torch.maximum,
    "gelu": lambda x, y: F.gelu(x),
    "silu": lambda x, y: F.silu(x),
    "var": lambda x, y: x.var(1),
    "max": lambda x, y: x.amax(1),
    "logsumexp": lambda x, y: x.logsumexp(1),
    "norm": lambda x, y: torch.linalg.vector_norm(x, 2, 1, keepdim=True),
    "slice": lambda x, y: x[:, 8:24],
    "cat": lambda x, y: torch.cat([x, y], 1),
    "index_select": lambda x, y: x.index_select(0, torch.tensor([3, 1, 2, 3])),
    "linear": F.linear,
    "einsum": lambda x, y: torch.einsum("ij,kj->ik", x, y),
    "softmax": lambda x, y: x.softmax(1),
    "layer_norm": lambda x, y: F.layer_norm(x, x.shape[1:], y[0], y[0]),
    "rms_norm": lambda x, y: F.rms_norm(x, x.shape[1:], y[0], 1e-5),
    "group_norm": lambda x, y: F.group_norm(x, 8, y[0], y[0]),
    "attention": lambda x, y: F.scaled_dot_product_attention(x[None, None], y[None, None], y[None, None]),
    "gru_cell": gru,
    "cross_entropy": lambda x, y: F.cross_entropy(x, classes(x)),
    "smoothed cross_entropy": lambda x, y: F.cross_entropy(x, classes(x), label_smoothing=0.1),
    "mse_loss": F.mse_loss,
    "bce_with_logits_loss": F.binary_cross_entropy_with_logits,
}


def microseconds(work):
    calls = 1
    while True:
        start = time.perf_counter()
        for _ in range(calls):
            work()
        if time.perf_counter() - start > 2e-3:
            break
        calls *= 2

    def turn():
        start = time.perf_counter()
        for _ in range(calls):
            work()
        return (time.perf_counter() - start) / calls

    return statistics.median(turn() for _ in range(25)) * 1e6


def ours(name, size):
    path = CRITERION / name / size / "new/estimates.json"
    return json.loads(path.read_text())["median"]["point_estimate"] / 1e3 if path.exists() else float("nan")


def main():
    parser = argparse.ArgumentParser(description="The rows of the bench of the tape as PyTorch does them.")
    parser.add_argument("--threads", type=int, default=1)
    torch.set_num_threads(parser.parse_args().threads)
    torch.manual_seed(1)
    print("| op | size | tensor | tape | there and back | PyTorch | there and back | ratio | ratio |")
    print("|---|---|--:|--:|--:|--:|--:|--:|--:|")
    for rows, columns in SHAPES:
        x = (torch.randn(rows, columns).abs() + 0.1).requires_grad_()
        y = torch.randn(rows, columns).abs().clamp(max=0.9).requires_grad_()
        size = f"{rows}x{columns}"
        for name, op in ROWS.items():
            seed = torch.ones_like(op(x, y))

            def both():
                x.grad = y.grad = None
                op(x, y).backward(seed)

            there, back = microseconds(lambda: op(x, y)), microseconds(both)
            own = [ours(f"{name} {what}", size) for what in ("tensor", "forward", "both")]
            words = ["" if t != t else f"{t:.2f}" for t in own] + [f"{there:.2f}", f"{back:.2f}"]
            print(f"| {name} | {size} | {' | '.join(words)} | {own[1] / there:.2f} | {own[2] / back:.2f} |")


if __name__ == "__main__":
    main()
