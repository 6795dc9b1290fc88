"""What torch_ops.py and jax_ops.py have in common: the shapes of convolutions and recurrent layers, the options, which are those of whole steps too, and the clock."""

import argparse
import json
import statistics
import time

TURN = 2e-3  # seconds: a turn lasts at least this long, or one call

# name: shape of the input, output channels, kernel, options
CONVS = {
    "1-6 5x5 on 28, batch 64": ((64, 1, 28, 28), 6, 5, {}),
    "6-16 5x5 on 14, batch 64": ((64, 6, 14, 14), 16, 5, {}),
    "3-16 3x3 on 320, batch 2": ((2, 3, 320, 320), 16, 3, {"padding": 1}),
    "3-64 7x7 stride 2 on 224, batch 4": ((4, 3, 224, 224), 64, 7, {"padding": 3, "stride": 2}),
    "64-64 3x3 on 56, batch 8": ((8, 64, 56, 56), 64, 3, {"padding": 1}),
    "128-128 3x3 on 28, batch 8": ((8, 128, 28, 28), 128, 3, {"padding": 1}),
    "256-256 3x3 on 14, batch 8": ((8, 256, 14, 14), 256, 3, {"padding": 1}),
    "512-512 3x3 on 7, batch 8": ((8, 512, 7, 7), 512, 3, {"padding": 1}),
    "256-64 1x1 on 56, batch 8": ((8, 256, 56, 56), 64, 1, {}),
    "depthwise 96 3x3 on 56, batch 8": ((8, 96, 56, 56), 96, 3, {"padding": 1, "groups": 96}),
}


# name: kind, gates, width, steps, batch
RECURRENT = {
    f"{kind} of {width}, {steps} steps, batch {batch}, and back": (kind, gates, width, steps, batch)
    for kind, gates in (("rnn", 1), ("gru", 3), ("lstm", 4))
    for width in (64, 128, 256)
    for steps in (16, 64, 256)
    for batch in (1, 32)
}


def arguments(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", action="store_true", help="print one JSON object per row; there is no other way")
    parser.add_argument("--only", default="", metavar="SUBSTRING", help="measure only rows whose name contains this")
    parser.add_argument("--rounds", type=int, default=15, metavar="N")
    parser.add_argument("--threads", default="1,2", metavar="N,N", help="numbers of threads, one after the other")
    return parser


def seconds(work, calls):
    start = time.perf_counter()
    for _ in range(calls):
        work()
    return time.perf_counter() - start


def measure(work, rounds):
    """The median time of a call, in seconds."""
    calls = 1
    while seconds(work, calls) < TURN:
        calls *= 2

    def turn():
        seconds(work, 1)
        return seconds(work, calls) / calls

    return statistics.median(turn() for _ in range(rounds))


def report(name, threads, peer, work, rounds):
    """Measures a row and prints its line."""
    microseconds = float(f"{measure(work, rounds) * 1e6:.3e}")
    print(json.dumps({"work": name, "threads": threads, "unit": "us", "peers": {peer: microseconds}}), flush=True)
