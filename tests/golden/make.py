"""Writes tests/golden/values.json: ten steps of training of four models, by PyTorch.

    python -m venv /tmp/venv && /tmp/venv/bin/pip install torch numpy
    /tmp/venv/bin/python tests/golden/make.py > tests/golden/values.json

Made with PyTorch 2.15.0.
"""

import json

import torch
import torch.nn.functional as F


def varied(*shape, step=37):
    """Numbers in -1.25..1.25 that no two inputs share."""
    count = torch.Size(shape).numel()
    return ((torch.arange(count) * step % 101 - 50) / 40).reshape(shape).float().requires_grad_()


def tensor(x):
    return {"shape": list(x.shape), "data": x.detach().flatten().tolist()}


def normalized_run():
    """A linear layer and batch norm: ten steps of plain gradient descent, and the evaluation after each."""
    linear = torch.nn.Linear(6, 5, bias=False)
    norm = torch.nn.BatchNorm1d(5)
    linear.weight.data = varied(6, 5, step=41).detach().t()
    steps = []
    for i in range(10):
        x = varied(8, 6, step=37 + 2 * i).detach()
        norm.train()
        loss = (torch.tanh(norm(linear(x))) * varied(8, 5, step=29)).sum()
        for p, gradient in zip([linear.weight, norm.weight, norm.bias],
                               torch.autograd.grad(loss, [linear.weight, norm.weight, norm.bias])):
            p.data -= 0.1 * gradient
        norm.eval()
        steps.append({
            "x": tensor(x),
            "loss": loss.item(),
            "running_mean": tensor(norm.running_mean),
            "running_var": tensor(norm.running_var),
            "evaluation": tensor(norm(linear(x))),
        })
    return {"weight": tensor(varied(6, 5, step=41)), "seed": tensor(varied(8, 5, step=29)), "steps": steps}


def run(start, forward):
    """Ten steps of plain gradient descent of parameters by a function of them that gives the loss."""
    params = [p.detach().clone().requires_grad_() for p in start]
    losses = []
    for _ in range(10):
        loss = forward(*params)
        losses.append(loss.item())
        for p, gradient in zip(params, torch.autograd.grad(loss, params)):
            p.data -= 0.1 * gradient
    return {"start": [tensor(p) for p in start], "losses": losses, "end": [tensor(p) for p in params]}


CONTEXTS = (torch.arange(96) * 7 % 27).reshape(32, 3)
TARGETS = torch.arange(32) * 11 % 27


def starts(*shapes, scale=1.0):
    return [scale * varied(*shape, step=step).detach() for shape, step in zip(shapes, [37, 41, 43, 47, 53, 59, 61, 67, 71])]


def training_run():
    """The lecture's model, smaller."""

    def forward(c, w1, b1, w2, b2):
        h = torch.tanh(F.embedding(CONTEXTS, c).view(32, 30) @ w1 + b1)
        return F.cross_entropy(h @ w2 + b2, TARGETS)

    return run(starts((27, 10), (30, 20), (20,), (20, 27), (27,)), forward)


def modern_run():
    """Two layers with layer norm and gelu around a residual connection, and smoothed labels."""

    def forward(c, g, b, w1, b1, w2, w3):
        x = F.embedding(CONTEXTS, c).view(32, 30)
        h = x + F.gelu(F.layer_norm(x, (30,), g, b) @ w1 + b1) @ w2
        return F.cross_entropy(h @ w3, TARGETS, label_smoothing=0.1)

    return run(starts((27, 10), (30,), (30,), (30, 20), (20,), (20, 30), (30, 27), scale=0.2), forward)


def recurrent_run():
    """A network of gated recurrent units over the three letters, whose loss is a mean of squares."""

    def forward(c, w_ih, w_hh, b_ih, b_hh, w):
        h = torch.zeros(32, 8)
        for t in range(3):
            h = torch.gru_cell(F.embedding(CONTEXTS[:, t], c), h, w_ih.t(), w_hh.t(), b_ih, b_hh)
        return F.mse_loss((h @ w).squeeze(1), TARGETS / 27)

    return run(starts((27, 10), (10, 24), (8, 24), (24,), (24,), (8, 1), scale=0.2), forward)


if __name__ == "__main__":
    whole = {"contexts": CONTEXTS.flatten().tolist(), "targets": TARGETS.tolist()}
    for f in [training_run, modern_run, recurrent_run, normalized_run]:
        whole[f.__name__] = f()
    # One run a line, so that a change can be read.
    print("{" + ",\n".join(f'"{name}": {json.dumps(run)}' for name, run in whole.items()) + "}")
