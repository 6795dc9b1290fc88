//! PyTorch's generator against PyTorch: `golden/make.py` has made the values.

use std::sync::LazyLock;

use init::torch::{Generator, PythonRandom};
use init::{FanAxes, FanMode, Gain, Scheme};
use serde_json::Value;
use tensor::{Float, Shape, Tensor};

static GOLDEN: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../golden/torch.json")).expect("the golden file is JSON"));

fn floats(value: &Value) -> Vec<f64> {
    value.as_array().expect("a list").iter().map(|x| x.as_f64().expect("a number")).collect()
}

fn integers(value: &Value) -> Vec<i64> {
    value.as_array().expect("a list").iter().map(|x| x.as_i64().expect("a whole number")).collect()
}

/// Each seed's list of calls.
fn by_seed(name: &str) -> Vec<(u64, &Vec<Value>)> {
    let seeds = GOLDEN[name].as_object().expect("an object");
    seeds.iter().map(|(seed, calls)| (seed.parse().unwrap(), calls.as_array().unwrap())).collect()
}

/// Where PyTorch's code is scalar, the bits; where it uses vectors, 1e-6 of 1, or of the number if that is larger.
fn assert_same<T: Float>(got: &Tensor<T>, want: &Value, exact: bool, what: &str) {
    let (got, want): (Vec<f64>, _) = (got.iter().map(T::to_f64).collect(), floats(want));
    assert_eq!(got.len(), want.len(), "{what}");
    for (i, (got, want)) in got.iter().zip(&want).enumerate() {
        let same = if exact { got == want } else { (got - want).abs() <= 1e-6 * want.abs().max(1.0) };
        assert!(same, "{what}, element {i}: {got:e} is not {want:e}");
    }
}

/// The calls of `sequence` in the script, one after the other with one generator.
fn sequence<T: Float>(name: &str) {
    for (seed, calls) in by_seed(name) {
        let mut g = Generator::manual_seed(seed);
        for (i, call) in calls.iter().enumerate() {
            let (op, size) = (call[0].as_str().unwrap(), call[1].as_u64().unwrap() as usize);
            let mut w = Tensor::<T>::zeros([size]);
            let trunc = |g: &mut Generator, [mean, std, a, b]: [f64; 4]| {
                g.init(&init::trunc_normal(mean, std, a, b), &Shape::from([size])).unwrap()
            };
            match op {
                "randn" => w = g.randn(size).unwrap(),
                "rand" => w = g.rand([size]).unwrap(),
                "normal_" => g.normal_(&mut w, -1.5, 0.25).unwrap(),
                "uniform_" => g.uniform_(&mut w, -0.3, 0.7).unwrap(),
                "trunc_normal_" => w = trunc(&mut g, [0.1, 0.5, -0.4, 0.9]),
                "trunc_normal_tail" => w = trunc(&mut g, [0.0, 1.0, 1.5, 4.0]),
                "bernoulli" => w = g.bernoulli(&Tensor::full([size], T::from_f64(0.3))).unwrap(),
                _ => panic!("{op} is not known"),
            }
            // A single normal number is made by scalar code, but for logarithm, sine and cosine, which are the system's.
            let exact = !op.contains("normal") && op != "randn";
            assert_same(&w, &call[2], exact, &format!("seed {seed}, call {i}: {op} of {size} {}", T::DTYPE));
        }
    }
}

#[test]
fn what_rounds_to_the_upper_end_is_the_lower_one_as_in_pytorch() {
    // torch.empty(24, dtype=…).uniform_(1, 1 + 3 ε, generator=g), in ulps above 1.
    fn ulps<T: Float>() -> Vec<f64> {
        let epsilon = T::EPSILON.to_f64();
        let mut x = Tensor::<T>::zeros([24]);
        Generator::manual_seed(1).uniform_(&mut x, 1.0, 1.0 + 3.0 * epsilon).unwrap();
        x.iter().map(|x| (x.to_f64() - 1.0) / epsilon).collect()
    }
    let single = [2, 1, 1, 2, 0, 2, 1, 2, 2, 1, 2, 2, 2, 1, 1, 1, 2, 1, 0, 2, 1, 1, 1, 1];
    let double = [0, 1, 1, 1, 2, 0, 1, 2, 2, 1, 2, 1, 2, 1, 0, 0, 2, 1, 2, 2, 0, 0, 0, 0];
    assert_eq!(ulps::<f32>(), single.map(f64::from));
    assert_eq!(ulps::<f64>(), double.map(f64::from));
}

#[test]
fn uniform_and_normal_numbers_are_pytorchs() {
    sequence::<f32>("f32");
    sequence::<f64>("f64");
}

#[test]
fn long_tensors_are_too() {
    let check = |name: &str, x: Tensor<f32>, exact| {
        let x: Tensor<f64> = x.map(f64::from);
        let n = x.numel();
        assert_same(&x.slice(0, ..20), &GOLDEN[name]["first"], exact, name);
        assert_same(&x.slice(0, n - 20..), &GOLDEN[name]["last"], exact, name);
        let sum: f64 = x.iter().enumerate().map(|(i, x)| x * (i as f64 % 7.0 - 3.0)).sum();
        assert!((sum - GOLDEN[name]["sum"].as_f64().unwrap()).abs() < 1e-2, "{name}: {sum}");
    };
    check("long_rand", Generator::manual_seed(7).rand([100_003]).unwrap(), true);
    check("long_randn", Generator::manual_seed(7).randn([100_003]).unwrap(), false);
}

#[test]
fn another_seed_or_one_number_more_is_told_apart() {
    let differ = |x: &Tensor, y: &Tensor| x.iter().zip(y.iter()).filter(|(x, y)| x != y).count();
    let [x, y]: [Tensor; 2] = [1, 2].map(|seed| Generator::manual_seed(seed).randn([100]).unwrap());
    assert!(differ(&x, &y) > 90);
    let mut g = Generator::manual_seed(1);
    g.randint(0, 2, [1]).unwrap();
    assert!(differ(&x, &g.randn([100]).unwrap()) > 90);
}

#[test]
fn whole_numbers_and_orders_are_pytorchs() {
    for (seed, calls) in by_seed("integers") {
        let mut g = Generator::manual_seed(seed);
        for call in calls {
            let got = match call[0].as_str().unwrap() {
                "randint" => {
                    let ends = integers(&call[1]);
                    g.randint(ends[0], ends[1], [9]).unwrap()
                }
                _ => g.randperm(call[1].as_u64().unwrap() as usize),
            };
            assert_eq!(got.to_vec(), integers(&call[2]), "seed {seed}: {} {}", call[0], call[1]);
        }
    }
}

fn multinomial<T: Float>(name: &str) {
    let rows = [[0.1, 0.0, 3.0, 0.4, 0.5], [1.0; 5], [0.0, 0.0, 0.2, 0.0, 0.9]];
    let rows: Tensor<T> = Tensor::from(rows).map(T::from_f64);
    for (seed, calls) in by_seed(name) {
        let mut g = Generator::manual_seed(seed);
        for (i, call) in calls.iter().enumerate() {
            let weights = match i {
                4 => rows.select(0, 0) + T::from_f64(0.1),
                5 => rows.select(0, 2),
                _ => rows.clone(),
            };
            let (count, replacement) = (call[0][0].as_u64().unwrap() as usize, call[0][1].as_bool().unwrap());
            let got = g.multinomial(&weights, count, replacement).unwrap();
            assert_eq!(got.to_vec(), integers(&call[1]), "seed {seed}: {count} of {weights}");
        }
    }
}

#[test]
fn choices_are_pytorchs() {
    multinomial::<f32>("multinomial_f32");
    multinomial::<f64>("multinomial_f64");
}

fn shape(value: &Value) -> Shape {
    Shape::try_new(&integers(value).into_iter().map(|size| size as usize).collect::<Vec<_>>()).unwrap()
}

#[test]
fn schemes_take_pytorchs_numbers() {
    fn draw(scheme: &impl Scheme, shape: &Shape) -> Tensor {
        Generator::manual_seed(5).init(scheme, shape).unwrap()
    }
    for case in GOLDEN["schemes"].as_array().unwrap() {
        let (name, shape) = (case[0].as_str().unwrap(), shape(&case[1]));
        let scheme = match name {
            "kaiming_normal" => init::kaiming_normal(Gain::Relu),
            "kaiming_uniform" => init::kaiming_uniform(Gain::Tanh),
            "kaiming_normal_fan_out" => init::kaiming_normal(Gain::Linear).mode(FanMode::Out),
            "xavier_normal" => init::xavier_normal(Gain::Tanh),
            "xavier_uniform" => init::xavier_uniform(Gain::Linear),
            _ => panic!("{name} is not known"),
        };
        assert_same(&draw(&scheme.fan_axes(FanAxes::OutIn), &shape), &case[2], false, name);
    }
    for case in GOLDEN["orthogonal"].as_array().unwrap() {
        let w: Tensor = Generator::manual_seed(3).init(&init::orthogonal(Gain::Custom(1.5)), &shape(&case[0])).unwrap();
        let want: Tensor = floats(&case[1]).into_iter().map(|x| x as f32).collect();
        assert!(w.reshape([w.numel()]).allclose(&want, 0.0, 1e-5), "{w}");
    }
}

#[test]
fn the_identity_of_a_convolution_is_pytorchs() {
    for (key, want) in GOLDEN["dirac"].as_object().unwrap() {
        let key: Value = serde_json::from_str(key).unwrap();
        let scheme = init::dirac(key[1].as_u64().unwrap() as usize);
        let w: Tensor = Generator::manual_seed(0).init(&scheme, &shape(&key[0])).unwrap();
        assert_same(&w, want, true, "dirac");
    }
}

#[test]
fn a_shuffled_list_is_pythons() {
    for case in GOLDEN["shuffle"].as_array().unwrap() {
        let mut random = PythonRandom::seed(case["seed"].as_u64().unwrap());
        let mut order: Vec<i64> = (0..case["n"].as_i64().unwrap()).collect();
        random.shuffle(&mut order);
        assert_eq!(order, integers(&case["order"]));
        assert_eq!(random.random(), case["random"].as_f64().unwrap());
    }
}

#[test]
fn bad_requests_are_refused() {
    let mut g = Generator::manual_seed(0);
    let mut w: Tensor = Tensor::zeros([2]);
    let vector = |x: &[f32]| Tensor::from_slice(x);
    let messages = [
        (g.randint(3, 3, [1]).err(), "torch::randint: the lower end is 3, but must be below the upper end, 3"),
        (g.normal_(&mut w, 0.0, -1.0).err(), "torch::normal_: the standard deviation is -1, but must be at least 0"),
        (g.normal_(&mut w, f64::NAN, 1.0).err(), "torch::normal_: the mean is NaN"),
        (g.uniform_(&mut w, 1.0, 0.0).err(), "the lower end a is 1, but must be at most the upper end b, 0"),
        (g.bernoulli(&vector(&[0.5, 1.5])).err(), "torch::bernoulli: a probability is 1.5, but must be in 0..=1"),
        (g.bernoulli(&vector(&[f32::NAN])).err(), "a probability is NaN"),
        (g.multinomial(&vector(&[1.0, -1.0]), 1, true).err(), "a weight is -1, but must be at least 0 and finite"),
        (g.multinomial(&vector(&[0.0, 0.0]), 1, true).err(), "positive weights in a row is 0, but must be at least 1"),
        (g.multinomial(&vector(&[1.0, 0.0]), 2, false).err(), "positive weights in a row is 1, but must be at least 2"),
        (g.multinomial(&vector(&[3e38, 3e38]), 2, true).err(), "the sum of a row is inf, but must be finite in f32"),
        (g.multinomial(&Tensor::<f32>::ones([1, 1, 1]), 1, true).err(), "have one axis, or two"),
        (g.rand::<f32>([1 << 40, 1 << 20]).err(), "torch::rand: "),
    ];
    for (error, want) in messages {
        let message = error.expect(want).to_string();
        assert!(message.contains(want), "{message} does not say: {want}");
    }
    assert!(g.multinomial(&Tensor::<f32>::ones([0, 3]), 2, true).unwrap().is_empty());
}
