"""Whole steps of training as JAX does them, in the JSON lines of this benchmark: compiled step by step, and with their loop.

    python -m venv /tmp/jax && /tmp/jax/bin/pip install jax numpy
    /tmp/jax/bin/python jax_step.py > jax.jsonl
    cargo run --release -- --only step --torch jax.jsonl

JAX has no setting for its number of threads: it takes as many as there are processors it may run on, so each number is measured in a
process that is bound to as many (Linux).
"""

import os
import subprocess
import sys

import steps
from steps import EPS, HEADS, LENGTH, WIDTH


def logits(jax, kind, widths, w, x):
    jnp = jax.numpy
    w = iter(w)

    def linear(x):
        weight = next(w)
        return x @ weight + next(w)

    def norm(x, axis):
        mean = x.mean(axis, keepdims=True)
        var = jnp.square(x - mean).mean(axis, keepdims=True)
        return (x - mean) * jax.lax.rsqrt(var + EPS) * next(w) + next(w)

    if kind == "dense":
        for _ in widths[2:]:
            x = jnp.tanh(linear(x))
        return linear(x)
    if kind in ("lenet", "residual"):
        return linear(features(jax, kind, widths, w, x, linear))
    batch = x.shape[0]
    x = next(w)[x]
    if kind == "lecture":
        x = x.reshape(batch, -1)
        for _ in widths:
            x = jnp.tanh(linear(x))
    elif kind == "hierarchical":
        for places in (4, 2, 1):
            x = jnp.tanh(norm(x.reshape(batch * places, -1) @ next(w), 0))
    elif kind == "gru":
        w_ih, b_ih, w_hh, b_hh = (next(w) for _ in range(4))
        inputs = jnp.swapaxes(x @ w_ih + b_ih, 0, 1)

        def cell(h, of_input):
            of_state = h @ w_hh + b_hh
            r, z = jnp.split(jax.nn.sigmoid(of_input[:, : 2 * WIDTH] + of_state[:, : 2 * WIDTH]), 2, 1)
            n = jnp.tanh(of_input[:, 2 * WIDTH :] + r * of_state[:, 2 * WIDTH :])
            return n + z * (h - n), None

        x = jax.lax.scan(cell, jnp.zeros((batch, WIDTH)), inputs)[0]
    else:
        h = linear(norm(x, -1)).reshape(batch, LENGTH, 3, HEADS, WIDTH // HEADS)
        seen = jax.nn.dot_product_attention(h[:, :, 0], h[:, :, 1], h[:, :, 2], is_causal=True)
        x = x + linear(seen.reshape(batch, LENGTH, WIDTH))
        x = x + linear(jax.nn.gelu(linear(norm(x, -1)), approximate=False))
        x = x.reshape(batch * LENGTH, WIDTH)
    return linear(x)


def features(jax, kind, widths, w, x, linear):
    """What a net of convolutions gives to its last layer."""
    jnp = jax.numpy
    convolutions = iter(steps.convolutions(kind, widths))

    def conv(x):
        _, _, _, stride, padding = next(convolutions)
        return convolve(jax, x, next(w), stride, padding)

    if kind == "lenet":
        for _ in range(2):
            x = jax.nn.relu(conv(x) + next(w)[:, None, None])
            x = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")
        x = x.reshape(x.shape[0], -1)
        for _ in range(2):
            x = jax.nn.relu(linear(x))
        return x

    def normal(x):
        x = conv(x)
        mean = x.mean((0, 2, 3), keepdims=True)
        var = jnp.square(x - mean).mean((0, 2, 3), keepdims=True)
        gain, bias = (next(w)[:, None, None] for _ in range(2))
        return (x - mean) * jax.lax.rsqrt(var + EPS) * gain + bias

    x = jax.nn.relu(normal(x))
    for block in range(3 * widths[0]):
        y = normal(jax.nn.relu(normal(x)))
        shortcut = normal(x) if block > 0 and block % widths[0] == 0 else x
        x = jax.nn.relu(y + shortcut)
    return x.mean((2, 3))


def convolve(jax, x, w, stride, padding):
    return jax.lax.conv_general_dilated(x, w, (stride,) * 2, [(padding,) * 2] * 2)


def adamw(jnp, w, g, state, rate):
    """With PyTorch's defaults."""
    m, v, t = state
    t = t + 1
    m = [0.9 * m + 0.1 * g for m, g in zip(m, g)]
    v = [0.999 * v + 0.001 * g * g for v, g in zip(v, g)]
    c, d = 1 - 0.9**t, jnp.sqrt(1 - 0.999**t)
    w = [(1 - 0.01 * rate) * w - rate / c * m / (jnp.sqrt(v) / d + 1e-8) for w, m, v in zip(w, m, v)]
    return w, (m, v, t)


def measure(args, threads):
    os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[:threads]))
    import jax

    jnp = jax.numpy
    for work, (kind, widths, batch, (rule, rate)) in steps.rows(args.only):
        inputs, targets = map(jnp.asarray, steps.data(kind, widths))
        batches = jnp.stack([jnp.asarray(rows) for rows in steps.batches(kind, batch)])

        def loss(w, rows):
            logs = jax.nn.log_softmax(logits(jax, kind, widths, w, inputs[rows]))
            return -jnp.take_along_axis(logs, targets[rows].reshape(-1, 1), 1).mean()

        def step(taken, carried):
            w, state, _ = carried
            value, g = jax.value_and_grad(loss)(w, batches[taken % steps.BATCHES])
            if rule == "sgd":
                return [w - rate * g for w, g in zip(w, g)], state, value
            w, state = adamw(jnp, w, g, state, rate)
            return w, state, value

        def begin():
            w = [jnp.asarray(array) for array in steps.weights(kind, widths)]
            # A buffer each: they are given away.
            m, v = ([jnp.zeros_like(array) for array in w] for _ in range(2))
            return w, (m, v, jnp.zeros(())), jnp.zeros(())

        one = jax.jit(step, donate_argnums=1)
        loop = jax.jit(lambda count, carried: jax.lax.fori_loop(0, count, step, carried), donate_argnums=1)
        carried, losses = begin(), []
        for taken in range(steps.COMPARED):
            carried = one(taken, carried)
            losses.append(carried[2])

        def by_step(count):
            nonlocal carried
            for taken in range(count):
                carried = one(taken, carried)
            carried[2].block_until_ready()

        def in_a_loop(count):
            nonlocal carried
            carried = loop(count, carried)
            carried[2].block_until_ready()

        on = "" if args.device == "cpu" else f" on {args.device}"
        steps.report(work, threads, f"jax{on}", losses, steps.measure(by_step, args.rounds))
        carried = begin()
        steps.report(work, threads, f"jax loop{on}", losses, steps.measure(in_a_loop, args.rounds))


def main():
    parser = steps.arguments("Whole steps of training as JAX does them.")
    parser.add_argument("--child", action="store_true", help="measure here, at the one number of threads")
    args = parser.parse_args()
    if args.child:
        return measure(args, int(args.threads))
    for threads in args.threads.split(","):
        options = ["--only", args.only, "--rounds", str(args.rounds), "--device", args.device]
        environment = {**os.environ, "JAX_PLATFORMS": args.device}
        command = [sys.executable, __file__, "--child", "--threads", threads, *options]
        subprocess.run(command, check=True, env=environment)


if __name__ == "__main__":
    main()
