"""Writes tests/golden/values.json: inputs, results and gradients of every op, and a short training run, by PyTorch.

    python -m venv /tmp/venv && /tmp/venv/bin/pip install torch numpy
    /tmp/venv/bin/python tests/golden/make.py > tests/golden/values.json

Made with PyTorch 2.15.0.
"""

import json
import pathlib
import re

import torch
import torch.nn.functional as F


def varied(*shape, step=37):
    """Numbers in -1.25..1.25 that no two inputs share."""
    count = torch.Size(shape).numel()
    return ((torch.arange(count) * step % 101 - 50) / 40).reshape(shape).float().requires_grad_()


def tensor(x):
    return {"shape": list(x.shape), "data": x.detach().flatten().tolist()}


def case(op, f, *inputs):
    y = f(*inputs)
    seed = varied(*y.shape, step=29).detach()
    y.backward(seed)
    return {
        "op": op,
        "inputs": [tensor(x) for x in inputs],
        "seed": tensor(seed),
        "output": tensor(y),
        "gradients": [tensor(x.grad) for x in inputs],
    }


def activations():
    """Their names, in PyTorch's words, as their rows have them."""
    rows = pathlib.Path(__file__).parents[2] / "crates/tensor/src/kernel/activation.rs"
    return re.findall(r'^    [A-Z]\w*(?:\(.*\))? "(\w+)" \{$', rows.read_text(), re.M)


def cases():
    for a, b in [((2, 3), (2, 3)), ((2, 3), (3,)), ((2, 1), (1, 3))]:
        yield case("add", lambda x, y: x + y, varied(*a), varied(*b, step=41))
        yield case("sub", lambda x, y: x - y, varied(*a), varied(*b, step=41))
        yield case("mul", lambda x, y: x * y, varied(*a), varied(*b, step=41))
    yield case("neg", lambda x: -x, varied(2, 3))
    yield case("scale", lambda x: x * 2.5, varied(2, 3))
    for op in activations():
        yield case(op, lambda x: getattr(F, op)(x * 3), varied(5, 7))
    yield case("div", lambda x, y: x / y, varied(2, 3), varied(3, step=41))
    for axis in [0, 1]:
        yield case(f"softmax {axis}", lambda x: x.softmax(axis), varied(5, 6))
        yield case(f"log_softmax {axis}", lambda x: x.log_softmax(axis), varied(5, 6))
    for x, w in [((4, 3), (3,)), ((2, 3, 5), (3, 5))]:
        yield case("layer_norm", lambda x, w, b: F.layer_norm(x, w.shape, w, b), varied(*x), varied(*w, step=41),
                   varied(*w, step=43))
    for a, b in [((2, 3), (3, 4)), ((5, 2, 3), (3, 4)), ((2, 1, 2, 3), (4, 3, 2)), ((3,), (3, 4)), ((3,), (3,))]:
        yield case("matmul", torch.matmul, varied(*a), varied(*b, step=41))
    for a in [(2, 3), (5, 2, 3)]:
        linear = lambda x, w, b: F.linear(x, w.t(), b)
        yield case("linear", linear, varied(*a), varied(3, 4, step=41), varied(4, step=43))
    yield case("reshape", lambda x: x.reshape(3, 4), varied(2, 6))
    yield case("flatten", lambda x: x.flatten(1), varied(2, 3, 2))
    yield case("sum", lambda x: x.sum(0), varied(2, 3))
    yield case("mean", lambda x: x.mean((0, 2)), varied(2, 3, 4))
    yield case("embedding", lambda w: F.embedding(torch.tensor([[1, 3], [1, 0]]), w), varied(4, 2))
    yield case("cross_entropy", lambda x: F.cross_entropy(x, torch.tensor([2, 0, 3])), varied(3, 4))


    for a in [(4, 3), (2, 3, 5)]:
        train = lambda x, w, b: F.batch_norm(x, None, None, w, b, training=True)
        yield case("batch_norm", train, varied(*a), varied(3, step=41), varied(3, step=43))
        evaluate = lambda x, w, b: F.batch_norm(x, torch.tensor([0.5, -1.0, 2.0]), torch.tensor([0.5, 2.0, 1.0]), w, b)
        yield case("batch_norm_by", evaluate, varied(*a), varied(3, step=41), varied(3, step=43))


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


def training_run():
    """The lecture's model, smaller: ten steps of plain gradient descent."""
    shapes = [((27, 10), 37), ((30, 20), 41), ((20,), 43), ((20, 27), 47), ((27,), 53)]
    start = [varied(*shape, step=step) for shape, step in shapes]
    params = [p.detach().clone().requires_grad_() for p in start]
    contexts = (torch.arange(96) * 7 % 27).reshape(32, 3)
    targets = torch.arange(32) * 11 % 27
    losses = []
    for _ in range(10):
        c, w1, b1, w2, b2 = params
        h = torch.tanh(F.embedding(contexts, c).view(32, 30) @ w1 + b1)
        loss = F.cross_entropy(h @ w2 + b2, targets)
        losses.append(loss.item())
        for p, gradient in zip(params, torch.autograd.grad(loss, params)):
            p.data -= 0.1 * gradient
    return {
        "contexts": contexts.flatten().tolist(),
        "targets": targets.tolist(),
        "start": [tensor(p) for p in start],
        "losses": losses,
        "end": [tensor(p) for p in params],
    }


if __name__ == "__main__":
    # One case a line, so that a change can be read.
    print('{"cases": [')
    print(",\n".join(json.dumps(c) for c in cases()))
    print('],\n"training_run":', json.dumps(training_run()), ",")
    print('"normalized_run":', json.dumps(normalized_run()), "}")
