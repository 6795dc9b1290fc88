"""The rows of convolutions, pools and recurrent layers as JAX does them, each function compiled, in the same JSON lines.

    python -m venv /tmp/jax && /tmp/jax/bin/pip install jax numpy
    /tmp/jax/bin/python jax_ops.py > jax.jsonl
    cargo run --release -- --only conv --torch jax.jsonl

Each number of threads is measured in a process of its own, as in jax_step.py.
"""

import os
import subprocess
import sys

import shapes


def rows(jax):
    """Names, which are those of the Rust program, and what makes the work; made only when its turn comes."""
    keys = iter(jax.random.split(jax.random.key(1), 1000))

    def normal(*shape):
        return jax.random.normal(next(keys), shape)

    def waiting(f, *inputs):
        f = jax.jit(f)
        return lambda: jax.block_until_ready(f(*inputs))

    def conv(x, out, kernel, options, back):
        stride, padding, groups = (options.get(key, or_else) for key, or_else in (("stride", 1), ("padding", 0), ("groups", 1)))
        x, w = normal(*x), normal(out, x[1] // groups, kernel, kernel)

        def forward(x, w):
            sides = [(padding,) * 2] * 2
            return jax.lax.conv_general_dilated(x, w, (stride,) * 2, sides, feature_group_count=groups)

        if not back:
            return waiting(forward, x, w)
        g = normal(*jax.eval_shape(forward, x, w).shape)

        def there_and_back(x, w, g):
            y, pullback = jax.vjp(forward, x, w)
            return y, pullback(g)

        return waiting(there_and_back, x, w, g)

    def conv1d():
        x, w = normal(8, 64, 1024), normal(128, 64, 9)
        return waiting(lambda x, w: jax.lax.conv_general_dilated(x, w, (1,), [(16, 16)], rhs_dilation=(4,)), x, w)

    def pool(kernel, stride, padding):
        window, strides, sides = ((1, 1) + (size,) * 2 for size in (kernel, stride, padding))
        sides = [(side, side) for side in sides]
        sides[:2] = [(0, 0)] * 2
        largest = lambda x: jax.lax.reduce_window(x, -jax.numpy.inf, jax.lax.max, window, strides, sides)
        return waiting(largest, normal(8, 64, 56, 56))

    def recurrent(kind, gates, width, steps, batch):
        """One product for all inputs, and a scan over the steps; to the gradients of the input and of all weights."""
        scale = 0.5 / width**0.5
        w_ih, w_hh, b_ih, b_hh = (scale * normal(*dims, gates * width) for dims in ((width,), (width,), (), ()))
        x, g = normal(batch, steps, width), normal(batch, steps, width)
        sigmoid, tanh = jax.nn.sigmoid, jax.numpy.tanh

        def cell(state, a, w_hh, b_hh):
            h, c = state
            s = h @ w_hh + b_hh
            if kind == "rnn":
                h = tanh(a + s)
            elif kind == "gru":
                (ar, az, an), (sr, sz, sn) = (jax.numpy.split(each, 3, -1) for each in (a, s))
                n = tanh(an + sigmoid(ar + sr) * sn)
                h = n + sigmoid(az + sz) * (h - n)
            else:
                i, f, new, o = jax.numpy.split(a + s, 4, -1)
                c = sigmoid(f) * c + sigmoid(i) * tanh(new)
                h = sigmoid(o) * tanh(c)
            return (h, c), h

        def forward(x, w_ih, w_hh, b_ih, b_hh):
            inputs = jax.numpy.swapaxes(x @ w_ih + b_ih, 0, 1)
            zeros = jax.numpy.zeros((batch, width))
            _, y = jax.lax.scan(lambda state, a: cell(state, a, w_hh, b_hh), (zeros, zeros), inputs)
            return jax.numpy.swapaxes(y, 0, 1)

        def there_and_back(x, w_ih, w_hh, b_ih, b_hh, g):
            y, pullback = jax.vjp(forward, x, w_ih, w_hh, b_ih, b_hh)
            return y, pullback(g)

        return waiting(there_and_back, x, w_ih, w_hh, b_ih, b_hh, g)

    for name, of in shapes.RECURRENT.items():
        yield name, lambda of=of: recurrent(*of)
    for name, of in shapes.CONVS.items():
        yield f"conv {name}", lambda of=of: conv(*of, False)
        yield f"conv {name}, and back", lambda of=of: conv(*of, True)
    yield "conv1d 64-128 9, dilation 4, on 1024, batch 8", conv1d
    yield "max pool 2x2 of 64 on 56, batch 8", lambda: pool(2, 2, 0)
    yield "max pool 3x3 stride 2 of 64 on 56, batch 8", lambda: pool(3, 2, 1)


def main():
    parser = shapes.arguments("Convolutions, pools and recurrent layers as JAX does them.")
    parser.add_argument("--child", action="store_true", help="measure here, at the one number of threads")
    args = parser.parse_args()
    if args.child:
        threads = int(args.threads)
        os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[:threads]))
        import jax

        for name, make in rows(jax):
            if args.only in name:
                shapes.report(name, threads, "jax", make(), args.rounds)
        return
    for threads in args.threads.split(","):
        options = ["--only", args.only, "--rounds", str(args.rounds), "--threads", threads]
        subprocess.run([sys.executable, __file__, "--child", *options], check=True)


if __name__ == "__main__":
    main()
