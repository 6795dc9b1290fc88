"""The rows of convolutions and pools as JAX does them, each function compiled, in the same JSON lines.

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
    keys = iter(jax.random.split(jax.random.key(1), 100))

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

    for name, of in shapes.CONVS.items():
        yield f"conv {name}", lambda of=of: conv(*of, False)
        yield f"conv {name}, and back", lambda of=of: conv(*of, True)
    yield "conv1d 64-128 9, dilation 4, on 1024, batch 8", conv1d
    yield "max pool 2x2 of 64 on 56, batch 8", lambda: pool(2, 2, 0)
    yield "max pool 3x3 stride 2 of 64 on 56, batch 8", lambda: pool(3, 2, 1)


def main():
    parser = shapes.arguments("Convolutions and pools as JAX does them.")
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
