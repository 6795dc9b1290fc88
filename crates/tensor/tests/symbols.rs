//! No function of floats comes from the system's library, which differs between machines: this program calls every op that
//! computes one, and must not ask the dynamic linker for any.
//!
//! Without the test harness, whose statistics have needs of their own.

#[cfg(target_os = "linux")]
fn main() {
    use object::{NameOrOrdinal, Object};

    call_everything::<f32>();
    call_everything::<f64>();
    let program = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    let program = object::File::parse(&program[..]).unwrap();
    let imports: Vec<_> = program.imports().unwrap().map(|import| import.unwrap().name()).collect();
    let imported = |name: &str| imports.contains(&NameOrOrdinal::Name(name.as_bytes()));
    // The control: what is imported is found.
    assert!(imported("malloc") && imported("free"), "this program imports nothing that is known");
    let found: Vec<&str> = FUNCTIONS.into_iter().filter(|name| imported(name)).collect();
    assert!(found.is_empty(), "taken from the system's library: {found:?}");
    println!("test no_function_is_the_systems ... ok");
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("passed over: what a program imports is looked up in files of Linux only");
}

/// The functions of C's `math.h` whose results may be rounded one way or another; not fma, which is exact.
#[cfg(target_os = "linux")]
const FUNCTIONS: [&str; 42] = [
    "acos", "acosf", "asin", "asinf", "atan", "atan2", "atan2f", "atanf", "cbrt", "cbrtf", "cos", "cosf", "cosh",
    "coshf", "erf", "erff", "exp", "exp2", "exp2f", "expf", "expm1", "expm1f", "hypot", "hypotf", "lgamma", "log",
    "log10", "log10f", "log1p", "log1pf", "log2", "log2f", "logf", "pow", "powf", "sin", "sinf", "sincos", "sinh",
    "tan", "tanh", "tanhf",
];

#[cfg(target_os = "linux")]
fn call_everything<T: tensor::Float>() {
    use std::hint::black_box;

    use tensor::Tensor;

    type Op<T> = fn(&Tensor<T>) -> Tensor<T>;
    let number = |i: usize| T::from_f64(i as f64 / 7.0 - 3.0);
    let x = black_box(Tensor::from_fn([6, 7], |i| number(i[0] * 7 + i[1])));
    let classes = Tensor::from([0, 3, 6, 1, 2, 5]);
    let elementwise: [Op<T>; 19] = [
        Tensor::exp,
        Tensor::exp_m1,
        Tensor::ln,
        Tensor::ln_1p,
        Tensor::sqrt,
        Tensor::rsqrt,
        Tensor::recip,
        Tensor::sin,
        Tensor::cos,
        Tensor::tanh,
        Tensor::sigmoid,
        Tensor::erf,
        Tensor::gelu,
        |x| x.powi(black_box(5)),
        |x| x.powi(black_box(-5)),
        |x| x.powf(black_box(T::from_f64(1.7))),
        |x| x.softmax(1),
        |x| x.log_softmax(0),
        |x| x.logsumexp(1),
    ];
    for f in elementwise {
        black_box(f(&x));
    }
    for p in black_box([0.0, 0.5, 1.0, 2.0, 3.0, f64::INFINITY]) {
        black_box(x.norm(p, 1));
    }
    black_box((x.var_mean(0, 1), x.std(.., 1), x.mean(1), x.prod(0), x.cumprod(1)));
    black_box((x.cross_entropy(&classes), x.matmul(&x.t()), x.sort(1, true), x.topk(3, 1, true)));
    black_box((Tensor::linspace(T::ZERO, T::ONE, 9), Tensor::arange_step(T::ZERO, T::ONE, T::from_f64(0.3))));
    black_box((x.to_string(), format!("{x:?}")));
}
