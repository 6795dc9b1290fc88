"""The rows of benches/training.rs as PyTorch does them, and beside them what that has measured.

    python -m venv /tmp/torch && /tmp/torch/bin/pip install torch numpy
    cargo bench --package evenkeel-benches --bench training
    /tmp/torch/bin/python benches/training.py --threads 1

The two programs are to run one after the other, with the same number of threads (RAYON_NUM_THREADS).
"""

import argparse
import json
import pathlib

import torch
import torch.nn.functional as F

from tape import microseconds

CRITERION = pathlib.Path(__file__).parents[1] / "target/criterion/training"
O = torch.optim
# Fused where PyTorch has that for the CPU, else its default.
OPTIMIZERS = {
    "adamw of a lecture's layer": (O.AdamW, (30, 200), dict(fused=True)),
    "adamw": (O.AdamW, (1 << 20,), dict(fused=True)),
    "sgd": (O.SGD, (1 << 20,), dict(fused=True)),
    "sgd with momentum": (O.SGD, (1 << 20,), dict(fused=True, momentum=0.9)),
    "adam": (O.Adam, (1 << 20,), dict(fused=True)),
    "rmsprop": (O.RMSprop, (1 << 20,), {}),
    "adagrad": (O.Adagrad, (1 << 20,), dict(fused=True)),
    "adadelta": (O.Adadelta, (1 << 20,), {}),
    "nadam": (O.NAdam, (1 << 20,), {}),
    "radam": (O.RAdam, (1 << 20,), {}),
    "muon": (O.Muon, (1024, 1024), {}),
}


def ours(name):
    path = CRITERION / name / "new/estimates.json"
    return json.loads(path.read_text())["median"]["point_estimate"] / 1e3 if path.exists() else float("nan")


def row(name, theirs):
    own = ours(name)
    print(f"| {name} | {own:.1f} | {theirs:.1f} | {theirs / own:.2f} |")


def main():
    parser = argparse.ArgumentParser(description="The rows of the bench of training as PyTorch does them.")
    parser.add_argument("--threads", type=int, default=1)
    torch.set_num_threads(parser.parse_args().threads)
    torch.manual_seed(1)
    print("| step | ours, us | PyTorch, us | ratio |")
    print("|---|--:|--:|--:|")
    for name, (make, shape, options) in OPTIMIZERS.items():
        w = torch.nn.Parameter(torch.randn(shape))
        w.grad = torch.randn(shape)
        row(name, microseconds(make([w], lr=1e-9, **options).step))
    for name, shape in {"dropout of 12288": (64, 192), "dropout of a million": (1024, 1024)}.items():
        x, seed = torch.randn(shape, requires_grad=True), torch.randn(shape)

        def back():
            x.grad = None
            F.dropout(x, 0.5).backward(seed)

        row(name, microseconds(lambda: F.dropout(x, 0.5)))
        row(f"{name} and back", microseconds(back))


if __name__ == "__main__":
    main()
