"""Whole steps of training as PyTorch does them, in the JSON lines of this benchmark.

    python -m venv /tmp/torch && /tmp/torch/bin/pip install torch numpy
    /tmp/torch/bin/python torch_step.py > torch.jsonl
    cargo run --release -- --only step --torch torch.jsonl

Modules and functions are PyTorch's own; a rule is fused where PyTorch has that for the device. With `--device cuda`, every step is
waited for in the end of a turn only.
"""

import torch
import torch.nn.functional as F

import steps
from steps import EPS, HEADS, HIDDEN, LENGTH, WIDTH


def logits(kind, widths, w, x, cells):
    """The model, which takes its weights one after the other; a linear layer's is [fan_out, fan_in], as torch.nn.Linear keeps it."""
    w = iter(w)

    def linear(x):
        weight = next(w)
        return F.linear(x, weight, next(w))

    if kind == "dense":
        for _ in widths[2:]:
            x = torch.tanh(linear(x))
        return linear(x)
    if kind in ("lenet", "residual"):
        return linear(features(kind, widths, w, x, linear))
    x = F.embedding(x, next(w))
    if kind == "lecture":
        x = x.flatten(1)
        for _ in widths:
            x = torch.tanh(linear(x))
    elif kind == "hierarchical":
        for places in (4, 2, 1):
            x = F.linear(x.reshape(x.shape[0], places, -1), next(w)).flatten(0, 1)
            x = F.batch_norm(x, None, None, next(w), next(w), training=True, eps=EPS)
            x = torch.tanh(x).view(-1, places, HIDDEN)
        x = x.flatten(1)
    elif kind == "gru":
        x = cells(x)[1][0]
        for _ in range(4):
            next(w)
    else:
        h = linear(F.layer_norm(x, (WIDTH,), next(w), next(w), EPS))
        q, k, v = (p.unflatten(-1, (HEADS, -1)).transpose(1, 2) for p in h.chunk(3, -1))
        seen = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2)
        x = x + linear(seen)
        h = linear(F.layer_norm(x, (WIDTH,), next(w), next(w), EPS))
        x = x + linear(F.gelu(h))
        x = x.flatten(0, 1)
    return linear(x)


def features(kind, widths, w, x, linear):
    """What a net of convolutions gives to its last layer."""
    convolutions = iter(steps.convolutions(kind, widths))

    def conv(x, bias):
        _, _, _, stride, padding = next(convolutions)
        weight = next(w)
        return F.conv2d(x, weight, next(w) if bias else None, stride, padding)

    if kind == "lenet":
        for _ in range(2):
            x = F.max_pool2d(F.relu(conv(x, True)), 2)
        x = x.flatten(1)
        for _ in range(2):
            x = F.relu(linear(x))
        return x

    def normal(x):
        return F.batch_norm(conv(x, False), None, None, next(w), next(w), training=True, eps=EPS)

    x = F.relu(normal(x))
    for block in range(3 * widths[0]):
        y = normal(F.relu(normal(x)))
        shortcut = normal(x) if block > 0 and block % widths[0] == 0 else x
        x = F.relu(y + shortcut)
    return x.mean((2, 3))


def stepper(kind, widths, batch, rule, device):
    """A function that makes a step and returns its loss as a tensor."""
    made = steps.weights(kind, widths)
    first_is_table = kind not in ("dense", "lenet", "residual")
    w = []
    for i, array in enumerate(made):
        value = torch.from_numpy(array)
        if value.dim() == 2 and not (first_is_table and i == 0):
            value = value.t().contiguous()
        w.append(torch.nn.Parameter(value.to(device)))
    cells = None
    if kind == "gru":
        cells = torch.nn.GRU(WIDTH, WIDTH, batch_first=True, device=device)
        cells.weight_ih_l0, cells.bias_ih_l0, cells.weight_hh_l0, cells.bias_hh_l0 = w[1:5]
    name, rate = rule
    if name == "sgd":
        optimizer = torch.optim.SGD(w, lr=rate, fused=True)
    else:
        optimizer = torch.optim.AdamW(w, lr=rate, fused=True)
    inputs, targets = (torch.from_numpy(array).to(device) for array in steps.data(kind, widths))
    batches = [torch.from_numpy(rows).to(device) for rows in steps.batches(kind, batch)]
    taken = 0

    def step():
        nonlocal taken
        rows = batches[taken % len(batches)]
        taken += 1
        loss = F.cross_entropy(logits(kind, widths, w, inputs[rows], cells), targets[rows].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step


def main():
    args = steps.arguments("Whole steps of training as PyTorch does them.").parse_args()
    for threads in map(int, args.threads.split(",")):
        torch.set_num_threads(threads)
        for work, (kind, widths, batch, rule) in steps.rows(args.only):
            step = stepper(kind, widths, batch, rule, args.device)
            losses = [step().item() for _ in range(steps.COMPARED)]

            def run(count):
                for _ in range(count):
                    loss = step()
                loss.item()

            peer = "torch" if args.device == "cpu" else f"torch on {args.device}"
            steps.report(work, threads, peer, losses, steps.measure(run, args.rounds))


if __name__ == "__main__":
    main()
