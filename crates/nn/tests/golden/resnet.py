"""Writes resnet.txt: what torchvision's ResNet-18 is made of and gives, and ten steps of a small one, both of weights made by formula.

    python3 -m venv venv && venv/bin/pip install torch torchvision safetensors
    venv/bin/python resnet.py

Lines: the name and the shape of each tensor of the state dict; then `logits` in evaluation; then `losses`, in f64. And the other way,

    EVENKEEL_WRITE_TORCH=ours.safetensors cargo test --package evenkeel-nn --features checkpoint --test it resnet
    venv/bin/python resnet.py ours.safetensors

loads what Evenkeel has written of the same model, strictly, and compares its logits. PyTorch 2.15, torchvision 0.29.
"""

import sys
from pathlib import Path

import torch
import torchvision
from torch import nn


def numbers(shape, seed):
    count = torch.Size(shape).numel()
    i = torch.arange(1, count + 1, dtype=torch.int64) + seed * 1009
    return (((i * i % 10007 * 7919) % 10007).double() / 5003.0 - 1.0).reshape(shape)


def made(name, shape, seed):
    """Weights of variance 2 / fan_in; norms that do something."""
    u = numbers(shape, seed)
    if len(shape) > 1:
        return u * (6.0 / shape[1:].numel()) ** 0.5
    return 1.0 + 0.3 * u if name.endswith(("running_var", "bn1.weight", "bn2.weight", "downsample.1.weight")) else 0.2 * u


def fill(model):
    with torch.no_grad():
        for seed, (name, tensor) in enumerate(model.state_dict().items()):
            if not name.endswith("num_batches_tracked"):
                tensor.copy_(made(name, tensor.shape, seed))


class Block(nn.Module):
    """As torchvision's BasicBlock, with a head for four classes."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(6)
        self.conv2 = nn.Conv2d(6, 6, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(6)
        self.downsample = nn.Sequential(nn.Conv2d(3, 6, 1, stride=2, bias=False), nn.BatchNorm2d(6))
        self.fc = nn.Linear(6, 4)

    def forward(self, x):
        h = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
        return self.fc((h + self.downsample(x)).relu().mean((2, 3)))


def images(n, side):
    return numbers((n, 3, side, side), 77)


def losses():
    model = Block().double()
    fill(model)
    x, y = images(8, 9), torch.arange(8) * 3 % 4
    sgd = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-3)
    for _ in range(10):
        loss = nn.functional.cross_entropy(model(x), y)
        sgd.zero_grad()
        loss.backward()
        sgd.step()
        yield loss.item()


def main():
    model = torchvision.models.resnet18().eval()
    fill(model)
    with torch.no_grad():
        logits = model(images(2, 64).float())
    if len(sys.argv) > 1:
        from safetensors.torch import load_file

        other = torchvision.models.resnet18().eval()
        other.load_state_dict(load_file(sys.argv[1]))
        with torch.no_grad():
            far = (other(images(2, 64).float()) - logits).abs().max().item()
        print(f"loaded strictly; logits differ by {far:.1e}")
        assert far < 1e-4
        return
    words = lambda all: " ".join(f"{x:.17g}" for x in all)
    lines = [f"{name} {','.join(map(str, tensor.shape))}" for name, tensor in model.state_dict().items()]
    lines += ["logits " + words(logits.reshape(-1).tolist()), "losses " + words(losses())]
    (Path(__file__).parent / "resnet.txt").write_text("\n".join(lines) + "\n")


main()
