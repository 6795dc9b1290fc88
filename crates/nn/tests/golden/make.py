"""What PyTorch does: trajectories of its optimizers, schedules and averages, and its layers both ways.

    python3 -m venv venv && venv/bin/pip install torch numpy
    venv/bin/python make.py

writes golden.json, which the tests of `it` compare with. All in f64. PyTorch 2.15.
"""

import copy
import json
from pathlib import Path

import torch
from torch import nn
from torch.optim import lr_scheduler, swa_utils

torch.set_default_dtype(torch.float64)


def fill(shape, k):
    """Numbers that the tests compute too, exactly: multiples of a sixteenth from -11/16 to 11/16."""
    n = int(torch.tensor(shape).prod()) if len(shape) else 1
    return (((torch.arange(n) * 37 + k * 11) % 23 - 11).double() / 16).reshape(shape)


def flat(x):
    return x.detach().double().flatten().tolist()


# Optimizers: ten steps of two parameters, with gradients that the tests compute too.

STEPS = 10


def gradients(step):
    return [fill((3, 4), 3 * step + 5), fill((4,), 5 * step + 1)]


class Lion(torch.optim.Optimizer):
    """By the formula of Chen et al., 2023: PyTorch has none."""

    def __init__(self, params, lr, betas=(0.9, 0.99), weight_decay=0.0):
        super().__init__(params, dict(lr=lr, betas=betas, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            b1, b2 = group["betas"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                m = self.state[p].setdefault("m", torch.zeros_like(p))
                c = b1 * m + (1 - b1) * p.grad
                p.mul_(1 - group["lr"] * group["weight_decay"]).add_(torch.sign(c), alpha=-group["lr"])
                m.mul_(b2).add_(p.grad, alpha=1 - b2)


class Muon(torch.optim.Optimizer):
    """As torch.optim.Muon, but not in bfloat16, of a weight [in, out], and with AdamW for what is no matrix."""

    def __init__(self, params, lr, weight_decay=0.1, momentum=0.95, nesterov=True, adjust="original"):
        params = list(params)
        super().__init__(params, dict(lr=lr, weight_decay=weight_decay, momentum=momentum, nesterov=nesterov, adjust=adjust))
        self.rest = torch.optim.AdamW([p for p in params if p.ndim != 2], lr=lr)

    @torch.no_grad()
    def step(self):
        self.rest.step()
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None or p.ndim != 2:
                    continue
                g, mu = p.grad.T, group["momentum"]
                m = self.state[p].setdefault("m", torch.zeros_like(g))
                m.lerp_(g, 1 - mu)
                x = g.lerp(m, mu) if group["nesterov"] else m.clone()
                rows, columns = x.shape
                x = x.T if rows > columns else x
                x = x / x.norm().clamp(min=1e-7)
                for _ in range(5):
                    a = x @ x.T
                    x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
                x = x.T if rows > columns else x
                factor = max(1, rows / columns) ** 0.5 if group["adjust"] == "original" else 0.2 * max(rows, columns) ** 0.5
                p.mul_(1 - group["lr"] * group["weight_decay"]).add_(x.T, alpha=-group["lr"] * factor)


O = torch.optim
OPTIMIZERS = {
    "sgd": (O.SGD, dict(lr=0.1)),
    "sgd: weight decay": (O.SGD, dict(lr=0.1, weight_decay=0.3)),
    "sgd: momentum": (O.SGD, dict(lr=0.1, momentum=0.9)),
    "sgd: dampening": (O.SGD, dict(lr=0.1, momentum=0.8, dampening=0.3, weight_decay=0.1)),
    "sgd: nesterov": (O.SGD, dict(lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.1)),
    "adam": (O.Adam, dict(lr=0.05)),
    "adam: weight decay": (O.Adam, dict(lr=0.05, weight_decay=0.3, eps=1e-3)),
    "adam: amsgrad": (O.Adam, dict(lr=0.05, betas=(0.5, 0.6), amsgrad=True)),
    "adam: betas of 0": (O.Adam, dict(lr=0.05, betas=(0.0, 0.0))),
    "adamw": (O.AdamW, dict(lr=0.05)),
    "adamw: weight decay": (O.AdamW, dict(lr=0.05, weight_decay=0.5, betas=(0.8, 0.9))),
    "adamw: amsgrad": (O.AdamW, dict(lr=0.05, betas=(0.5, 0.6), amsgrad=True)),
    "rmsprop": (O.RMSprop, dict(lr=0.01)),
    "rmsprop: centered": (O.RMSprop, dict(lr=0.01, centered=True, alpha=0.9)),
    "rmsprop: momentum": (O.RMSprop, dict(lr=0.01, momentum=0.9)),
    "rmsprop: both": (O.RMSprop, dict(lr=0.01, momentum=0.9, centered=True, weight_decay=0.1, eps=1e-4)),
    "adagrad": (O.Adagrad, dict(lr=0.1)),
    "adagrad: all": (O.Adagrad, dict(lr=0.1, lr_decay=0.2, initial_accumulator_value=0.5, weight_decay=0.1, eps=1e-5)),
    "adadelta": (O.Adadelta, dict(lr=1.0)),
    "adadelta: all": (O.Adadelta, dict(lr=0.7, rho=0.8, eps=1e-3, weight_decay=0.1)),
    "nadam": (O.NAdam, dict(lr=0.05)),
    "nadam: weight decay": (O.NAdam, dict(lr=0.05, weight_decay=0.2, momentum_decay=0.1)),
    "nadam: decoupled": (O.NAdam, dict(lr=0.05, weight_decay=0.2, decoupled_weight_decay=True)),
    "radam": (O.RAdam, dict(lr=0.05)),
    "radam: weight decay": (O.RAdam, dict(lr=0.05, betas=(0.8, 0.9), weight_decay=0.2)),
    "radam: decoupled": (O.RAdam, dict(lr=0.05, weight_decay=0.2, decoupled_weight_decay=True)),
    "lion": (Lion, dict(lr=0.05)),
    "lion: weight decay": (Lion, dict(lr=0.05, betas=(0.8, 0.9), weight_decay=0.3)),
    "muon": (Muon, dict(lr=0.05)),
    "muon: all": (Muon, dict(lr=0.05, momentum=0.5, nesterov=False, weight_decay=0.5, adjust="match_rms_adamw")),
}


def trajectory(make, options, late=False, zero=False):
    parameters = [nn.Parameter(fill((3, 4), 1)), nn.Parameter(fill((4,), 2))]
    optimizer = make(parameters, **options)
    path = []
    for step in range(STEPS):
        for i, (p, g) in enumerate(zip(parameters, gradients(step))):
            # The second parameter's first gradient comes with the fifth step.
            p.grad = None if late and i == 1 and step < 4 else (torch.zeros_like(g) if zero else g)
        optimizer.step()
        path.append([x for p in parameters for x in flat(p)])
    return path


def optimizers():
    found = {}
    for name, (make, options) in OPTIMIZERS.items():
        found[name] = trajectory(make, options)
        if ":" not in name:
            found[name + ", late"] = trajectory(make, options, late=True)
            found[name + ", zero gradients"] = trajectory(make, options, zero=True)
    return found


def muon_of_torch():
    """How far bfloat16 takes PyTorch's own."""
    p = nn.Parameter(fill((3, 4), 1).T.contiguous())
    optimizer = O.Muon([p], lr=0.05)
    for step in range(STEPS):
        p.grad = gradients(step)[0].T.contiguous()
        optimizer.step()
    ours = torch.tensor(trajectory(Muon, dict(lr=0.05))[-1][:12]).reshape(3, 4)
    return float((p.detach().T - ours).abs().max())


def valley(p, q):
    """Rosenbrock's, and a bowl of four numbers."""
    x, y = p[0, 0], p[0, 1]
    return (1 - x) ** 2 + 5 * (y - x**2) ** 2 + ((p - 0.5) ** 2).sum() + (q * fill((4,), 3)).sum() + (q**4).sum()


def lbfgs():
    found = {}
    for name, options in {
        "default": dict(lr=0.3),
        "short": dict(lr=0.1, max_iter=3, history_size=2),
        "few": dict(lr=0.2, max_iter=10, max_eval=4),
    }.items():
        p, q = nn.Parameter(fill((3, 4), 1)), nn.Parameter(fill((4,), 2))
        optimizer = O.LBFGS([p, q], **options)

        def closure():
            optimizer.zero_grad()
            loss = valley(p, q)
            loss.backward()
            return loss

        found[name] = []
        for _ in range(4):
            optimizer.step(closure)
            found[name].append(flat(p) + flat(q))
    return found


# Schedules: the rate of each step.


def rates(count, make, lr=0.5):
    optimizer = O.SGD([nn.Parameter(torch.zeros(1))], lr=lr)
    scheduler = make(optimizer)
    found = []
    for _ in range(count):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return found


def warmed(optimizer, warm, then):
    first = lr_scheduler.LinearLR(optimizer, start_factor=1 / warm, end_factor=1.0, total_iters=warm - 1)
    return lr_scheduler.SequentialLR(optimizer, [first, then(optimizer)], milestones=[warm])


def schedules():
    S = lr_scheduler
    return {
        "constant": rates(10, lambda o: S.ConstantLR(o, factor=1.0)),
        "constant, then": rates(10, lambda o: S.ConstantLR(o, factor=0.25, total_iters=4)),
        "steps": rates(20, lambda o: S.MultiStepLR(o, [3, 8, 15], 0.1)),
        "every": rates(20, lambda o: S.StepLR(o, 6, 0.3)),
        "exponential": rates(20, lambda o: S.ExponentialLR(o, 0.9)),
        "polynomial": rates(20, lambda o: S.PolynomialLR(o, total_iters=15, power=2.5)),
        "linear": rates(20, lambda o: S.LinearLR(o, start_factor=0.2, end_factor=0.9, total_iters=12)),
        # Beyond its end, PyTorch's rises again.
        "cosine": rates(21, lambda o: S.CosineAnnealingLR(o, T_max=20, eta_min=0.05)),
        "cosine with restarts": rates(60, lambda o: S.CosineAnnealingWarmRestarts(o, T_0=7, T_mult=2, eta_min=0.05)),
        "cosine with equal restarts": rates(30, lambda o: S.CosineAnnealingWarmRestarts(o, T_0=7)),
        "one cycle": rates(20, lambda o: S.OneCycleLR(o, max_lr=0.5, total_steps=21)),
        "one cycle: all": rates(
            25,
            lambda o: S.OneCycleLR(
                o, max_lr=0.5, total_steps=26, pct_start=0.4, anneal_strategy="linear", div_factor=5, final_div_factor=50
            ),
        ),
        "cosine with warm-up": rates(26, lambda o: warmed(o, 5, lambda o: S.CosineAnnealingLR(o, T_max=20))),
        "linear with warm-up": rates(30, lambda o: warmed(o, 5, lambda o: S.LinearLR(o, 1.0, 0.1, total_iters=20))),
        "exponential with warm-up": rates(30, lambda o: warmed(o, 5, lambda o: S.ExponentialLR(o, 0.9))),
        "closure": rates(10, lambda o: S.LambdaLR(o, lambda k: 1 / (1 + k))),
    }


def plateaus():
    metrics = [1.0, 0.9, 0.95, 0.9, 0.89999, 0.91, 0.8, float("nan"), 0.8, 0.8, 0.9, 0.9, 0.7, 0.69, 0.7, 0.7, 0.7, 0.7, 0.7]
    found = {"metrics": [None if m != m else m for m in metrics]}
    for name, options in {
        "default": dict(factor=0.1, patience=2),
        "cooldown": dict(factor=0.5, patience=1, cooldown=2),
        "maximize": dict(factor=0.5, patience=1, mode="max"),
        "threshold": dict(factor=0.5, patience=1, threshold=0.2, min_lr=0.2),
    }.items():
        optimizer = O.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
        scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, eps=0.0, **options)
        found[name] = []
        for metric in metrics:
            scheduler.step(metric)
            found[name].append(optimizer.param_groups[0]["lr"])
    return found


def averages():
    found = {}
    kinds = {
        "exponential": swa_utils.get_ema_multi_avg_fn(0.9),
        "mean": swa_utils.get_swa_multi_avg_fn(),
    }
    for name, average in kinds.items():
        model = nn.Linear(4, 3)
        averaged = swa_utils.AveragedModel(model, multi_avg_fn=average)
        found[name] = []
        for step in range(STEPS):
            with torch.no_grad():
                model.weight.copy_(fill((3, 4), step))
            averaged.update_parameters(model)
            found[name].append(flat(averaged.module.weight))
    norm = nn.BatchNorm1d(4)
    swa_utils.update_bn([fill((6, 4), k) for k in range(3)], norm)
    found["statistics"] = [flat(norm.running_mean), flat(norm.running_var)]
    return found


# Layers: the result, and the gradients of the inputs and of each parameter, for the sum of the result times numbers.


def both_ways(outputs, leaves):
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    loss = sum((y * fill(tuple(y.shape), 7 + i)).sum() for i, y in enumerate(outputs))
    grads = torch.autograd.grad(loss, leaves)
    return [flat(y) for y in outputs] + [flat(g) for g in grads]


def leaf(shape, k):
    return fill(shape, k).requires_grad_()


def layers():
    F = nn.functional
    found = {}

    def case(name, function, *shapes):
        inputs = [leaf(shape, k) for k, shape in enumerate(shapes)]
        found[name] = both_ways(function(*inputs), inputs)

    case("Linear", lambda x, w, b: F.linear(x, w.T, b), (2, 5, 3), (3, 4), (4,))
    case(
        "Bilinear",
        lambda a, c, w, b: F.bilinear(a, c, w.permute(2, 0, 1), b),
        (2, 5, 3), (2, 5, 4), (3, 4, 6), (6,),
    )
    rows = torch.tensor([[4, 0, 1], [1, 2, 2]])
    case("Embedding", lambda w: F.embedding(rows, w), (5, 3))
    case("PRelu", lambda x, w: F.prelu(x, w), (2, 3, 4), (1,))
    case("PRelu: channels", lambda x, w: F.prelu(x, w), (2, 3, 4), (3,))
    case("LayerNorm", lambda x, w, b: F.layer_norm(x, (4,), w, b, 1e-3), (2, 3, 4), (4,), (4,))
    case("RMSNorm", lambda x, w: F.rms_norm(x, (4,), w), (2, 3, 4), (4,))
    case("GroupNorm", lambda x, w, b: F.group_norm(x, 2, w, b, 1e-3), (2, 4, 3), (4,), (4,))
    for name, norm, shape in [
        ("BatchNorm1d", nn.BatchNorm1d(4), (6, 4)),
        ("BatchNorm1d: sequences", nn.BatchNorm1d(4, eps=1e-3, momentum=0.3), (6, 4, 3)),
        ("BatchNorm1d: without affine", nn.BatchNorm1d(4, affine=False), (6, 4)),
        ("BatchNorm1d: without statistics", nn.BatchNorm1d(4, track_running_stats=False), (6, 4)),
        ("BatchNorm1d: cumulative", nn.BatchNorm1d(4, momentum=None), (6, 4)),
    ]:
        parameters = list(norm.parameters())
        with torch.no_grad():
            for k, p in enumerate(parameters):
                p.copy_(fill(tuple(p.shape), k + 1))
        found[name] = []
        for step in range(3):
            x = leaf(shape, step)
            found[name] += both_ways(norm(x), [x, *parameters])
        norm.eval()
        x = leaf(shape, 4)
        found[name] += both_ways(norm(x), [x, *parameters])
        if norm.running_mean is not None:
            found[name] += [flat(norm.running_mean), flat(norm.running_var)]

    def recurrent(name, kind, gates, states):
        layer = kind(3, 4, batch_first=True)
        leaves = [leaf((3, 4 * gates), 1), leaf((4, 4 * gates), 2), leaf((4 * gates,), 3), leaf((4 * gates,), 4)]
        weights = dict(zip(["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"], leaves))
        weights = {k: v.T if v.ndim == 2 else v for k, v in weights.items()}
        for rest in [True, False]:
            x = leaf((2, 5, 3), 0)
            given = [leaf((2, 4), 5 + i) for i in range(states)]
            state = tuple(s.unsqueeze(0) for s in given)
            state = state if states > 1 else state[0]
            out, last = torch.func.functional_call(layer, weights, (x,) if rest else (x, state))
            last = last if isinstance(last, tuple) else (last,)
            own = [] if rest else given
            found[name + (": at rest" if rest else "")] = both_ways((out, *[s.squeeze(0) for s in last]), [x, *leaves, *own])

    recurrent("RNN", nn.RNN, 1, 1)
    recurrent("GRU", nn.GRU, 3, 1)
    recurrent("LSTM", nn.LSTM, 4, 2)

    def attention_weights(first):
        return [leaf((8, 24), first), leaf((24,), first + 1), leaf((8, 8), first + 2), leaf((8,), first + 3)]

    def attend(q, k, weights, **options):
        layer = nn.MultiheadAttention(8, 2, batch_first=True)
        w, b, out, out_b = weights
        names = {"in_proj_weight": w.T, "in_proj_bias": b, "out_proj.weight": out.T, "out_proj.bias": out_b}
        return torch.func.functional_call(layer, names, (q, k, k), dict(need_weights=False, **options))[0]

    past = torch.ones(3, 3, dtype=torch.bool).triu(1)
    hidden = torch.tensor([[False, False, True], [False, False, False]])
    for name, options in {
        "MultiheadAttention": {},
        "MultiheadAttention: causal": dict(attn_mask=past),
        "MultiheadAttention: keys": dict(key_padding_mask=hidden),
        "MultiheadAttention: both": dict(attn_mask=past, key_padding_mask=hidden),
    }.items():
        x, weights = leaf((2, 3, 8), 0), attention_weights(1)
        found[name] = both_ways(attend(x, x, weights, **options), [x, *weights])
    q, k, weights = leaf((2, 5, 8), 0), leaf((2, 3, 8), 9), attention_weights(1)
    found["MultiheadAttention: others"] = both_ways(attend(q, k, weights, key_padding_mask=hidden), [q, k, *weights])

    for name, options in {"TransformerBlock": {}, "TransformerBlock: causal": dict(src_mask=past)}.items():
        block = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, activation="gelu", batch_first=True, norm_first=True)
        x = leaf((2, 3, 8), 0)
        n1, attention = [leaf((8,), 1), leaf((8,), 2)], attention_weights(3)
        n2, l1, l2 = [leaf((8,), 7), leaf((8,), 8)], [leaf((8, 16), 9), leaf((16,), 10)], [leaf((16, 8), 11), leaf((8,), 12)]
        w, b, out, out_b = attention
        names = {
            "norm1.weight": n1[0], "norm1.bias": n1[1],
            "self_attn.in_proj_weight": w.T, "self_attn.in_proj_bias": b,
            "self_attn.out_proj.weight": out.T, "self_attn.out_proj.bias": out_b,
            "norm2.weight": n2[0], "norm2.bias": n2[1],
            "linear1.weight": l1[0].T, "linear1.bias": l1[1], "linear2.weight": l2[0].T, "linear2.bias": l2[1],
        }
        y = torch.func.functional_call(block, names, (x,), options)
        found[name] = both_ways(y, [x, *n1, *attention, *n2, *l1, *l2])
    return found


def distributions():
    from torch.distributions import Bernoulli, Categorical, Normal, kl_divergence

    def all_of(p, q, x, leaves):
        return both_ways((p.log_prob(x), p.entropy(), kl_divergence(p, q)), leaves)

    found = {}
    mean, log_std, x, other, other_log_std = [leaf(shape, k) for k, shape in enumerate([(3, 4), (4,), (3, 4), (4,), (3, 4)])]
    p, q = Normal(mean, log_std.exp()), Normal(other, other_log_std.exp())
    found["Normal"] = all_of(p, q, x, [mean, log_std, x, other, other_log_std])
    a, b = leaf((3, 4), 0), leaf((3, 4), 1)
    x = (fill((3, 4), 2) > 0).double()
    found["Bernoulli"] = all_of(Bernoulli(logits=a * 8), Bernoulli(logits=b * 8), x, [a, b])
    x = torch.tensor([2, 0, 3])
    found["Categorical"] = all_of(Categorical(logits=a * 8), Categorical(logits=b * 8), x, [a, b])
    return found


print("muon, f64 and bfloat16:", muon_of_torch())
golden = {
    "optimizers": optimizers(),
    "lbfgs": lbfgs(),
    "schedules": schedules(),
    "plateaus": plateaus(),
    "averages": averages(),
    "layers": layers(),
    "distributions": distributions(),
}
Path(__file__).with_name("golden.json").write_text(json.dumps(golden) + "\n")
