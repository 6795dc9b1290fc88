"""A state dict of each layer of PyTorch's that there is here too, and what the layers give.

    python3 -m venv venv && venv/bin/pip install torch numpy safetensors
    venv/bin/python torch_files.py

writes torch.safetensors, as `safetensors.torch.save_file` does, with the layers' outputs beside the weights; the tests of
`it` load it. And the other way,

    EVENKEEL_WRITE_TORCH=ours.safetensors cargo test --package evenkeel-nn --features checkpoint --test it torch_files
    venv/bin/python torch_files.py ours.safetensors

loads what Evenkeel has written of the same model, strictly, into a model with other weights, and compares what the layers
give. PyTorch 2.15.
"""

import sys
from pathlib import Path

import torch
from safetensors.numpy import load_file as load_numpy
from safetensors.torch import load_file, save_file
from torch import nn

OUTPUT = "output."


def model():
    return nn.ModuleDict(
        {
            "embedding": nn.Embedding(7, 6),
            "linear": nn.Linear(6, 4),
            "plain": nn.Linear(6, 3, bias=False),
            "bilinear": nn.Bilinear(6, 6, 5),
            "layer_norm": nn.LayerNorm(6),
            "batch_norm": nn.BatchNorm1d(6),
            "cumulative": nn.BatchNorm1d(6, momentum=None),
            "group_norm": nn.GroupNorm(2, 6),
            "rms_norm": nn.RMSNorm(6),
            "prelu": nn.PReLU(6),
            "rnn": nn.RNN(6, 4, batch_first=True),
            "gru": nn.GRU(6, 4, batch_first=True),
            "lstm": nn.LSTM(6, 4, batch_first=True),
            "attention": nn.MultiheadAttention(6, 2, batch_first=True),
            "block": nn.TransformerEncoderLayer(
                6, 2, 8, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
            ),
            "conv1d": nn.Conv1d(3, 4, 3, dilation=2, padding=2),
            "conv2d": nn.Conv2d(2, 4, (3, 2), stride=2, padding=1, groups=2),
            "conv3d": nn.Conv3d(1, 2, 2, bias=False),
            "transposed": nn.ConvTranspose1d(4, 6, 3, stride=2, output_padding=1, groups=2),
            "turned": nn.ConvTranspose2d(2, 3, 3, stride=2, padding=1),
            "batch_norm2d": nn.BatchNorm2d(4),
            "stack": nn.Sequential(nn.Linear(6, 4), nn.Tanh(), nn.Linear(4, 2)),
        }
    )


@torch.no_grad()
def outputs(m):
    m.eval()
    symbols = torch.tensor([[0, 3, 6, 1], [2, 2, 5, 4], [1, 0, 3, 3]])
    x = m["embedding"](symbols)  # [3, 4, 6]
    flat = x.reshape(-1, 6)
    out = {name: m[name](flat) for name in ["linear", "plain", "layer_norm", "batch_norm", "cumulative", "rms_norm"]}
    out |= {name: m[name](flat) for name in ["group_norm", "prelu", "stack"]}
    out |= {name: m[name](x)[0] for name in ["rnn", "gru", "lstm"]}
    out |= {
        "embedding": x,
        "bilinear": m["bilinear"](flat, flat.flip(0)),
        "attention": m["attention"](x, x, x, need_weights=False)[0],
        "block": m["block"](x),
    }
    waves, images = x.transpose(1, 2)[:, :3], x.reshape(2, 2, 3, 6)  # [3, 3, 4], [2, 2, 3, 6]
    features = m["conv2d"](images)
    out |= {
        "conv1d": m["conv1d"](waves),
        "conv2d": features,
        "conv3d": m["conv3d"](images[:, None]),
        "transposed": m["transposed"](m["conv1d"](waves)),
        "turned": m["turned"](images),
        "batch_norm2d": m["batch_norm2d"](features),
        "max_pool": nn.MaxPool2d(2)(images),
        "avg_pool": nn.AvgPool2d(3, stride=2, padding=1, count_include_pad=False)(images),
        "adaptive": nn.AdaptiveAvgPool2d((2, 4))(images),
        "upsample": nn.Upsample(scale_factor=2, mode="bilinear")(images),
        "shuffle": nn.PixelShuffle(2)(m["conv1d"](waves)[..., None]),
    }
    return {OUTPUT + name: value.contiguous() for name, value in out.items()}


def main():
    torch.manual_seed(1)
    m = model()
    with torch.no_grad():
        # What begins as 0 or 1 could be anything.
        for p in m.parameters():
            if p.dim() == 1:
                p.add_(torch.randn_like(p) * 0.3)
    m.train()
    for _ in range(5):
        for name in ["batch_norm", "cumulative"]:
            m[name](torch.randn(8, 6) * 2 + 1)
    if len(sys.argv) == 1:
        state = {name: value.contiguous() for name, value in m.state_dict().items()}
        save_file(state | outputs(m), Path(__file__).with_name("torch.safetensors"))
        return
    torch.manual_seed(2)
    other, theirs = model(), load_file(sys.argv[1])
    other.load_state_dict(theirs)
    worst = 0.0
    for name, want in outputs(m).items():
        difference = (outputs(other)[name] - want).abs().max().item()
        print(f"{name:20} {difference:.1e}")
        worst = max(worst, difference)
    arrays = load_numpy(sys.argv[1])
    for name, value in m.state_dict().items():
        # It has no meaning where there is a momentum, and Evenkeel does not count.
        assert name == "batch_norm.num_batches_tracked" or (arrays[name] == value.numpy()).all(), name
    assert worst < 1e-6, worst
    print("all weights are the same, and so is what the layers give, to 1e-6")


main()
