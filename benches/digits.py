"""The training of examples/digits.rs with PyTorch: the same sizes, initialization, optimizer, batches per epoch and share held out.

    python -m venv /tmp/torch && /tmp/torch/bin/pip install torch numpy scikit-learn
    /tmp/torch/bin/python benches/digits.py --write /tmp     # writes x.npy and y.npy
    cargo run --release --features npy --example digits -- --data /tmp/x.npy /tmp/y.npy --seeds 5
    /tmp/torch/bin/python benches/digits.py --threads 1
"""

import argparse
import pathlib
import time

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn


def train(x, y, seed, epochs=30):
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10))
    for layer in [model[0], model[2]]:
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        nn.init.zeros_(layer.bias)
    nn.init.normal_(model[4].weight, std=0.01)
    nn.init.zeros_(model[4].bias)
    rows, held_out = train_test_split(np.arange(len(y)), train_size=0.8, stratify=y, random_state=seed)
    rows = torch.tensor(rows)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
    start = time.perf_counter()
    for _ in range(epochs):
        for batch in rows[torch.randperm(len(rows))].split(32):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[batch]), y[batch]).backward()
            optimizer.step()
    seconds = (time.perf_counter() - start) / epochs
    with torch.no_grad():
        right = (model(x[held_out]).argmax(1) == y[held_out]).double().mean().item()
    return right, seconds


def main():
    parser = argparse.ArgumentParser(description="The training of examples/digits.rs with PyTorch.")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--write", type=pathlib.Path, help="writes the data there, and ends")
    args = parser.parse_args()
    digits = load_digits()
    if args.write:
        np.save(args.write / "x.npy", digits.data.astype("f4"))
        np.save(args.write / "y.npy", digits.target)
        return
    torch.set_num_threads(args.threads)
    x, y = torch.tensor(digits.data.astype("f4")) / 16, torch.tensor(digits.target)
    for seed in range(args.seeds):
        right, seconds = train(x, y, seed)
        print(f"seed {seed}: {100 * right:.2f} % right, {1e3 * seconds:.2f} ms an epoch")


if __name__ == "__main__":
    main()
