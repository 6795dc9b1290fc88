"""Writes recurrent.txt: 200 random recurrent layers, as PyTorch computes them in f64, and ten steps of training of some more.

    python -m venv /tmp/venv && /tmp/venv/bin/pip install torch numpy
    /tmp/venv/bin/python crates/nn/tests/golden/recurrent.py

A line is a kind, its options, and what it gives by name: of the outputs, the last states, and the gradients of the input, the first states
and each weight, the sum of all elements, each times a number. Inputs, weights and these numbers follow from the place of an element, so that
both sides make them. A line of training has its losses too. Made with PyTorch 2.15.0.
"""

import pathlib
import random

import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

HERE = pathlib.Path(__file__).parent
STEPS, RATE = 10, 0.05
KINDS = {"rnn": torch.nn.RNN, "relu": torch.nn.RNN, "gru": torch.nn.GRU, "lstm": torch.nn.LSTM}


def numbers(shape, seed):
    count = torch.Size(shape).numel()
    i = torch.arange(1, count + 1, dtype=torch.int64) + seed * 1009
    return (((i * 7919) % 1013).double() / 507.0 - 1.0).reshape(shape)


def total(x):
    return (x * numbers(x.shape, 5)).sum().item()


class Case:
    def __init__(self, rng):
        self.kind = rng.choice(list(KINDS))
        self.layers, self.both = rng.choice([1, 1, 2, 3]), rng.random() < 0.4
        self.batch_first, self.has_state = rng.random() < 0.5, rng.random() < 0.5
        self.n, self.steps, self.inputs, self.hidden = rng.randint(1, 5), rng.randint(1, 7), rng.randint(1, 6), rng.randint(1, 6)
        self.lengths = [rng.randint(1, self.steps) for _ in range(self.n)] if rng.random() < 0.5 else None
        more = {"nonlinearity": "relu"} if self.kind == "relu" else {}
        self.layer = KINDS[self.kind](
            self.inputs, self.hidden, self.layers, bidirectional=self.both, batch_first=self.batch_first, dtype=torch.float64, **more
        )
        for seed, (_, weight) in enumerate(self.layer.named_parameters()):
            weight.data = numbers(weight.shape, seed) * 0.5

    def words(self):
        words = dict(layers=self.layers, both=self.both, batch_first=self.batch_first, state=self.has_state)
        words |= dict(n=self.n, steps=self.steps, inputs=self.inputs, hidden=self.hidden)
        words["lengths"] = ",".join(map(str, self.lengths or []))
        return " ".join(f"{key}={str(value).lower()}" for key, value in words.items())

    def run(self, x, state):
        """Outputs in the order of the input, and the last states."""
        if self.lengths is None:
            outputs, last = self.layer(x, state)
        else:
            packed = pack_padded_sequence(x, torch.tensor(self.lengths), self.batch_first, enforce_sorted=False)
            outputs, last = self.layer(packed, state)
            outputs, _ = pad_packed_sequence(outputs, self.batch_first, total_length=self.steps)
        return outputs, last if isinstance(last, tuple) else (last,)

    def start(self):
        """The input, and the first states."""
        dims = [self.n, self.steps] if self.batch_first else [self.steps, self.n]
        x = numbers(dims + [self.inputs], 20).requires_grad_()
        if not self.has_state:
            return x, (), None
        count = 2 if self.kind == "lstm" else 1
        dims = [self.layers * (2 if self.both else 1), self.n, self.hidden]
        states = tuple(numbers(dims, 21 + i).requires_grad_() for i in range(count))
        return x, states, states if count == 2 else states[0]


def once(case):
    x, states, given = case.start()
    outputs, last = case.run(x, given)
    found = [("outputs", outputs)] + [(f"last{i}", state) for i, state in enumerate(last)]
    sum(total_of(y, 30 + i) for i, (_, y) in enumerate(found)).backward()
    found += [("x", x.grad)] + [(f"state{i}", state.grad) for i, state in enumerate(states)]
    found += [(name, weight.grad) for name, weight in case.layer.named_parameters()]
    return [(name, total(value)) for name, value in found]


def total_of(y, seed):
    return (y * numbers(y.shape, seed)).sum()


def train(case):
    x, _, given = case.start()
    x = x.detach()
    given = None if given is None else tuple(g.detach() for g in given) if isinstance(given, tuple) else given.detach()
    optimizer, losses = torch.optim.SGD(case.layer.parameters(), lr=RATE), []
    for _ in range(STEPS):
        outputs, _ = case.run(x, given)
        loss = ((outputs - numbers(outputs.shape, 40)) ** 2).mean()
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return [(f"loss{i}", loss) for i, loss in enumerate(losses)] + [(name, total(w)) for name, w in case.layer.named_parameters()]


if __name__ == "__main__":
    rng, lines = random.Random(42), []
    for what, count, run in (("once", 200, once), ("train", 20, train)):
        for _ in range(count):
            case = Case(rng)
            found = " ".join(f"{name}={value!r}" for name, value in run(case))
            lines.append("\t".join([what, case.kind, case.words(), found]))
    (HERE / "recurrent.txt").write_text("\n".join(lines) + "\n")
