"""Writes torch.json: what PyTorch's generator gives on the CPU, and Python's `random`.

    python -m venv /tmp/venv && /tmp/venv/bin/pip install torch numpy
    /tmp/venv/bin/python make.py > torch.json

Made with PyTorch 2.15.0 and Python 3.11.
"""

import json
import random

import torch

SEEDS = [42, 2147483647, 0x1_2345_6789]


def generator(seed):
    return torch.Generator().manual_seed(seed)


def values(x):
    return x.flatten().tolist()


def long(x):
    """The ends of a long tensor, and a sum that any other order of its elements would change."""
    x = x.double().flatten()
    weights = torch.arange(x.numel()).double() % 7 - 3
    return {"first": values(x[:20]), "last": values(x[-20:]), "sum": (x * weights).sum().item()}


def sequence(seed, dtype):
    """One call after the other: of normal numbers below 16 the generator keeps a second one."""
    g = generator(seed)
    w = torch.empty(3, 7, dtype=dtype)
    calls = []
    for size in [1, 2, 5, 15, 16, 17, 31, 32, 100, 3]:
        calls.append(["randn", size, values(torch.randn(size, generator=g, dtype=dtype))])
        calls.append(["rand", size, values(torch.rand(size, generator=g, dtype=dtype))])
    calls.append(["normal_", 21, values(w.normal_(-1.5, 0.25, generator=g))])
    calls.append(["uniform_", 21, values(w.uniform_(-0.3, 0.7, generator=g))])
    calls.append(["normal_", 5, values(torch.empty(5, dtype=dtype).normal_(-1.5, 0.25, generator=g))])
    calls.append(["trunc_normal_", 21, values(torch.nn.init.trunc_normal_(w, 0.1, 0.5, -0.4, 0.9, generator=g))])
    calls.append(["trunc_normal_tail", 21, values(torch.nn.init.trunc_normal_(w, 0.0, 1.0, 1.5, 4.0, generator=g))])
    calls.append(["bernoulli", 21, values(torch.bernoulli(torch.full((21,), 0.3, dtype=dtype), generator=g))])
    calls.append(["rand", 2, values(torch.rand(2, generator=g, dtype=dtype))])
    return calls


def integers(seed):
    g = generator(seed)
    calls = []
    for low, high in [(0, 2), (0, 10), (-5, 6), (0, 182625), (0, (1 << 28) - 1), (0, 1 << 28), (0, (1 << 28) + 1),
                      (0, 1 << 31), (0, 1 << 32), (0, (1 << 32) + 1), (0, 1 << 40), (-(1 << 62), 1 << 62)]:
        calls.append(["randint", [low, high], values(torch.randint(low, high, (9,), generator=g))])
    for n in [0, 1, 2, 10, 33]:
        calls.append(["randperm", n, values(torch.randperm(n, generator=g))])
    return calls


def multinomial(seed, dtype):
    g = generator(seed)
    rows = torch.tensor([[0.1, 0.0, 3.0, 0.4, 0.5], [1.0, 1.0, 1.0, 1.0, 1.0], [0.0, 0.0, 0.2, 0.0, 0.9]], dtype=dtype)
    calls = []
    for count, replacement in [(1, True), (1, False), (2, False), (7, True)]:
        calls.append([[count, replacement], values(torch.multinomial(rows, count, replacement, generator=g))])
    calls.append([[5, False], values(torch.multinomial(rows[0] + 0.1, 5, False, generator=g))])
    calls.append([[12, True], values(torch.multinomial(rows[2], 12, True, generator=g))])
    return calls


def orthogonal(seed):
    cases = []
    for shape in [(5, 3), (3, 5), (4, 4), (4, 3, 2, 2)]:
        w = torch.nn.init.orthogonal_(torch.empty(shape), 1.5, generator=generator(seed))
        cases.append([list(shape), values(w)])
    return cases


def schemes(seed):
    """Matrices as PyTorch stores them, [out, in], and convolutions; seven digits, which is what an f32 has."""
    init, cases = torch.nn.init, []
    for shape in [(20, 30), (6, 5, 3, 3)]:
        for name, fill in [
            ("kaiming_normal", lambda w, g: init.kaiming_normal_(w, nonlinearity="relu", generator=g)),
            ("kaiming_uniform", lambda w, g: init.kaiming_uniform_(w, nonlinearity="tanh", generator=g)),
            ("kaiming_normal_fan_out", lambda w, g: init.kaiming_normal_(w, mode="fan_out", nonlinearity="linear", generator=g)),
            ("xavier_normal", lambda w, g: init.xavier_normal_(w, 5 / 3, generator=g)),
            ("xavier_uniform", lambda w, g: init.xavier_uniform_(w, generator=g)),
        ]:
            cases.append([name, list(shape), values(fill(torch.empty(shape), generator(seed)))])
    return cases


def shuffled(seed, n):
    names = list(range(n))
    random.seed(seed)
    random.shuffle(names)
    return {"seed": seed, "n": n, "order": names, "random": random.random()}


def main():
    dirac = {}
    for shape, groups in [((4, 3, 3), 1), ((6, 2, 3, 4), 3), ((2, 5, 2, 2, 2), 1)]:
        dirac[json.dumps([list(shape), groups])] = values(torch.nn.init.dirac_(torch.empty(shape), groups))
    print(json.dumps({
        "f32": {str(seed): sequence(seed, torch.float32) for seed in SEEDS},
        "f64": {str(seed): sequence(seed, torch.float64) for seed in SEEDS},
        "integers": {str(seed): integers(seed) for seed in SEEDS},
        "multinomial_f32": {str(seed): multinomial(seed, torch.float32) for seed in SEEDS},
        "multinomial_f64": {str(seed): multinomial(seed, torch.float64) for seed in SEEDS},
        "long_randn": long(torch.randn(100_003, generator=generator(7))),
        "long_rand": long(torch.rand(100_003, generator=generator(7))),
        "orthogonal": orthogonal(3),
        "schemes": schemes(5),
        "dirac": dirac,
        "shuffle": [shuffled(42, 1000), shuffled(0, 7), shuffled((1 << 40) + 3, 33), shuffled(1, 1)],
    }))


if __name__ == "__main__":
    main()
