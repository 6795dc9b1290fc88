//! Recurrent layers beside PyTorch: random cases of `golden/recurrent.py`; and what only some of them can do.

use std::collections::BTreeMap;

use autograd::{Tape, Var};
use nn::{GRU, LSTM, Layer, LstmState, Module, Optimizer, ParamPath, RNN, Recurrent, Sgd};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use tensor::Tensor;

fn rng() -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(1)
}

/// As the script's: an element follows from its place.
fn numbers(dims: &[usize], seed: usize) -> Tensor<f64> {
    let mut i = seed * 1009;
    Tensor::from_fn(dims, |_| {
        i += 1;
        (i * 7919 % 1013) as f64 / 507.0 - 1.0
    })
}

enum Net {
    Rnn(RNN<f64>),
    Gru(GRU<f64>),
    Lstm(LSTM<f64>),
}

impl Net {
    fn new(kind: &str, inputs: usize, how: Recurrent) -> Self {
        let rng = &mut rng();
        match kind {
            "rnn" => Net::Rnn(RNN::try_torch(inputs, how, rng).unwrap()),
            "relu" => Net::Rnn(RNN::try_torch(inputs, how, rng).unwrap().with_relu()),
            "gru" => Net::Gru(GRU::try_torch(inputs, how, rng).unwrap()),
            _ => Net::Lstm(LSTM::try_torch(inputs, how, rng).unwrap()),
        }
    }

    fn module(&self) -> &dyn Module<f64> {
        match self {
            Net::Rnn(net) => net,
            Net::Gru(net) => net,
            Net::Lstm(net) => net,
        }
    }

    fn module_mut(&mut self) -> &mut dyn Module<f64> {
        match self {
            Net::Rnn(net) => net,
            Net::Gru(net) => net,
            Net::Lstm(net) => net,
        }
    }

    /// The outputs, and the last states.
    fn run<'t>(&self, x: Var<'t, f64>, states: &[Var<'t, f64>], lengths: Option<&[usize]>) -> Vec<Var<'t, f64>> {
        let state = states.first().copied();
        let both = |(outputs, last)| vec![outputs, last];
        match (self, lengths) {
            (Net::Rnn(net), None) => both(net.run(x, state)),
            (Net::Rnn(net), Some(lengths)) => both(net.run_padded(x, state, lengths)),
            (Net::Gru(net), None) => both(net.run(x, state)),
            (Net::Gru(net), Some(lengths)) => both(net.run_padded(x, state, lengths)),
            (Net::Lstm(net), _) => {
                let state = state.map(|hidden| LstmState { hidden, memory: states[1] });
                let (y, LstmState { hidden, memory }) = match lengths {
                    None => net.run(x, state),
                    Some(lengths) => net.run_padded(x, state, lengths),
                };
                vec![y, hidden, memory]
            }
        }
    }
}

struct Case<'a> {
    kind: &'a str,
    options: BTreeMap<&'a str, &'a str>,
    found: Vec<(&'a str, f64)>,
}

fn cases(what: &str) -> Vec<Case<'static>> {
    const LINES: &str = include_str!("../golden/recurrent.txt");
    let pairs = |text: &'static str| text.split(' ').map(|pair| pair.split_once('=').unwrap());
    let case = |line: &'static str| {
        let [_, kind, options, found] = line.split('\t').collect::<Vec<_>>().try_into().unwrap();
        let found = pairs(found).map(|(name, value)| (name, value.parse().unwrap())).collect();
        Case { kind, options: pairs(options).collect(), found }
    };
    LINES.lines().filter(|line| line.starts_with(what)).map(case).collect()
}

impl Case<'_> {
    fn size(&self, name: &str) -> usize {
        self.options[name].parse().unwrap()
    }

    fn is(&self, name: &str) -> bool {
        self.options[name] == "true"
    }

    fn lengths(&self) -> Option<Vec<usize>> {
        let text = self.options["lengths"];
        (!text.is_empty()).then(|| text.split(',').map(|length| length.parse().unwrap()).collect())
    }

    /// PyTorch's layer of the same weights, which are filled by their names and axes there.
    fn net(&self) -> Net {
        let how = Recurrent::new(self.size("hidden")).layers(self.size("layers"));
        let how = if self.is("both") { how.bidirectional() } else { how };
        let mut net = Net::new(self.kind, self.size("inputs"), how);
        let names: Vec<&str> = self
            .found
            .iter()
            .map(|(name, _)| *name)
            .filter(|name| name.contains("weight_") || name.contains("bias_"))
            .collect();
        let mut seen = 0;
        net.module_mut().visit_mut(ParamPath::root(), &mut |path, param| {
            let place = names.iter().position(|name| *name == path.name_in_torch()).expect("PyTorch has it");
            let theirs = numbers(in_torch(&path, param.value()).dims(), place) * 0.5;
            *param.value_mut() = in_torch(&path, &theirs).contiguous();
            seen += 1;
        });
        assert_eq!(seen, names.len());
        net
    }

    /// What was once `[N, L, E]`, in the order of the case.
    fn ordered<'t>(&self, x: Var<'t, f64>) -> Var<'t, f64> {
        if self.is("batch_first") { x } else { x.transpose(0, 1) }
    }

    fn x(&self) -> Tensor<f64> {
        let (n, steps, inputs) = (self.size("n"), self.size("steps"), self.size("inputs"));
        numbers(&if self.is("batch_first") { [n, steps, inputs] } else { [steps, n, inputs] }, 20)
    }

    fn states(&self, net: &Net) -> Vec<Tensor<f64>> {
        let count = if !self.is("state") { 0 } else { 1 + usize::from(matches!(net, Net::Lstm(_))) };
        let cells = self.size("layers") * if self.is("both") { 2 } else { 1 };
        let dims = [cells, self.size("n"), self.size("hidden")];
        // Where there is one, it has no axis for them.
        let own = if cells == 1 { &dims[1..] } else { &dims[..] };
        (0..count).map(|i| numbers(&dims, 21 + i).reshape(own)).collect()
    }

    #[track_caller]
    fn assert_found(&self, found: &BTreeMap<String, f64>) {
        for (name, want) in &self.found {
            let got = found[*name];
            assert!(
                (got - want).abs() <= 1e-9 * want.abs().max(1.0),
                "{} {:?}: {name} is {got}, not {want}",
                self.kind,
                self.options
            );
        }
        assert_eq!(found.len(), self.found.len());
    }
}

fn in_torch(path: &ParamPath<'_>, x: &Tensor<f64>) -> Tensor<f64> {
    let axes: Vec<isize> = path.axes_in_torch().iter().map(|&axis| axis as isize).collect();
    if axes.is_empty() { x.clone() } else { x.permute(&axes) }
}

/// The sum of all elements, each times a number.
fn total(x: &Tensor<f64>) -> f64 {
    (x * numbers(x.dims(), 5)).sum(..).item()
}

/// The total of each weight, or of what `of` makes of it.
fn by_name(net: &Net, of: impl Fn(&nn::Param<f64>) -> Tensor<f64>) -> BTreeMap<String, f64> {
    let mut found = BTreeMap::new();
    net.module().visit(ParamPath::root(), &mut |path, param| {
        found.insert(path.name_in_torch(), total(&in_torch(&path, &of(param))));
    });
    found
}

/// What the script finds, of one pass.
fn once(case: &Case<'_>, read: bool) -> BTreeMap<String, f64> {
    let net = case.net();
    let tape = Tape::default();
    tape.keep_segments(read);
    let x = tape.leaf(case.x());
    let states: Vec<Var<'_, f64>> = case.states(&net).into_iter().map(|state| tape.leaf(state)).collect();
    let mut outputs = net.run(case.ordered(x), &states, case.lengths().as_deref());
    outputs[0] = case.ordered(outputs[0]);
    let loss = outputs.iter().enumerate().map(|(i, y)| (*y * tape.constant(numbers(y.shape().dims(), 30 + i))).sum(..));
    let gradients = loss.reduce(|a, b| a + b).unwrap().backward();
    let mut found = by_name(&net, |param| gradients.named(param.id()).unwrap().clone());
    found.insert("outputs".into(), total(&outputs[0].value()));
    found.insert("x".into(), total(gradients.get(x).unwrap()));
    for (i, last) in outputs[1..].iter().enumerate() {
        found.insert(format!("last{i}"), total(&last.value()));
    }
    for (i, state) in states.iter().enumerate() {
        found.insert(format!("state{i}"), total(gradients.get(*state).unwrap()));
    }
    found
}

#[test]
fn random_layers_are_as_in_pytorch() {
    let cases = cases("once");
    assert_eq!(cases.len(), 200);
    for case in &cases {
        case.assert_found(&once(case, false));
    }
}

#[test]
fn to_be_read_they_are_the_same_step_by_step() {
    for case in cases("once").iter().step_by(3) {
        case.assert_found(&once(case, true));
    }
}

#[test]
fn a_wrong_number_is_found() {
    let case = &cases("once")[0];
    let mut found = once(case, false);
    *found.get_mut("x").unwrap() += 1e-8;
    assert!(std::panic::catch_unwind(|| case.assert_found(&found)).is_err());
}

#[test]
fn ten_steps_of_training_are_pytorchs() {
    let cases = cases("train");
    assert_eq!(cases.len(), 20);
    for case in &cases {
        let mut net = case.net();
        let mut sgd = Optimizer::new(Sgd::default(), 0.05).unwrap();
        let mut losses = Vec::new();
        for _ in 0..10 {
            let tape = Tape::default();
            let states: Vec<_> = case.states(&net).into_iter().map(|state| tape.constant(state)).collect();
            let y = net.run(case.ordered(tape.constant(case.x())), &states, case.lengths().as_deref())[0];
            let y = case.ordered(y);
            let loss = y.mse_loss(numbers(y.shape().dims(), 40));
            losses.push(loss.item());
            let gradients = loss.backward();
            match &mut net {
                Net::Rnn(net) => sgd.step(net, &gradients),
                Net::Gru(net) => sgd.step(net, &gradients),
                Net::Lstm(net) => sgd.step(net, &gradients),
            }
        }
        let mut found = by_name(&net, |param| param.value().clone());
        found.extend(losses.into_iter().enumerate().map(|(i, loss)| (format!("loss{i}"), loss)));
        case.assert_found(&found);
    }
}

fn deep() -> LSTM<f64> {
    LSTM::try_torch(3, Recurrent::new(4).layers(2).bidirectional().dropout(0.5), &mut rng()).unwrap()
}

#[test]
fn computed_again_it_has_the_same_bits_and_draws_the_same_dropout() {
    let x = numbers(&[5, 6, 3], 1);
    let gradients = |net: &dyn Layer<f64>| {
        let tape = Tape::default();
        tape.seed(1, 2);
        let y = net.forward(tape.constant(x.clone()));
        let gradients = (y * y).sum(..).backward();
        let of = net.parameters().into_iter().map(|(_, param)| gradients.named(param.id()).unwrap().clone());
        (y.value(), of.collect::<Vec<_>>())
    };
    let (y, of) = gradients(&deep());
    let (y_again, of_again) = gradients(&nn::Recomputed::new(deep()));
    assert!(y == y_again && of == of_again);
    // Between the layers some is dropped, in training alone.
    let tape = Tape::in_mode(autograd::Mode::Eval);
    assert_ne!(deep().forward(tape.constant(x.clone())).value(), y);
}

#[test]
fn what_is_frozen_has_no_gradient_and_the_others_theirs() {
    let x = numbers(&[5, 6, 3], 1);
    let run = |patterns: &[&str]| {
        let mut net = LSTM::<f64>::try_torch(3, Recurrent::new(4).layers(2), &mut rng()).unwrap();
        patterns.iter().for_each(|pattern| assert!(net.freeze(pattern).unwrap() > 0));
        let tape = Tape::default();
        let gradients = net.forward(tape.constant(x.clone())).square().sum(..).backward();
        let of = net.parameters().into_iter().map(|(path, param)| (path, gradients.named(param.id()).cloned()));
        of.collect::<Vec<_>>()
    };
    let all = run(&[]);
    for pattern in ["weight_hh*", "*_l1", "bias*", "weight_ih"] {
        for ((path, frozen), (_, gradient)) in run(&[pattern]).into_iter().zip(&all) {
            let (start, end) = pattern.split_once('*').unwrap_or((pattern, ""));
            let is_frozen =
                path.starts_with(start) && path.ends_with(end) && (pattern.contains('*') || path == pattern);
            assert_eq!(frozen.as_ref(), gradient.as_ref().filter(|_| !is_frozen), "{path}, of {pattern} frozen");
        }
    }
}

#[test]
fn a_state_that_goes_on_is_that_of_the_whole() {
    let net = LSTM::<f64>::try_torch(3, Recurrent::new(4).layers(3), &mut rng()).unwrap();
    let tape = Tape::default();
    let x = tape.constant(numbers(&[2, 7, 3], 1));
    let (whole, end) = net.run(x, None);
    let (first, state) = net.run(x.slice(1, ..3), None);
    let (rest, state) = net.run(x.slice(1, 3..), state.detach());
    assert_eq!(Tensor::cat(&[first.value(), rest.value()], 1), whole.value());
    assert_eq!((state.hidden.value(), state.memory.value()), (end.hidden.value(), end.memory.value()));
    assert_eq!(state.hidden.shape(), net.state_shape(2));
}

#[test]
fn the_forget_gates_begin_where_they_are_told_to() {
    let net = deep().with_forget_bias(1.5);
    for cell in &net.cells {
        let sum = cell.bias_ih.value() + cell.bias_hh.value();
        assert_eq!(sum.slice(0, 4..8), Tensor::full([4], 1.5));
        assert_ne!(sum.slice(0, ..4), Tensor::full([4], 1.5));
    }
    let picture = format!("{net:?}");
    assert!(picture.starts_with("LSTM[2 layers, bidirectional, dropout 0.5]("), "{picture}");
    assert!(
        picture.contains("weight_hh_l1_reverse [4, 16]") && picture.contains("weight_ih_reverse [3, 16]"),
        "{picture}"
    );
    let why = |how: Recurrent| RNN::new_torch(3, how, &mut rng()).map(|_| ()).unwrap_err().to_string();
    assert_eq!(why(Recurrent::new(4).layers(0)), "the number of recurrent layers is 0, but must be at least 1");
    assert_eq!(why(Recurrent::new(4).dropout(1.5)), "the probability of dropout is 1.5, but must be in 0..=1");
}

#[cfg(feature = "checkpoint")]
#[test]
fn its_state_dict_goes_to_pytorch_and_back() {
    use nn::ModelFile;

    let folder = std::env::temp_dir().join(format!("evenkeel-nn-{}-recurrent", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("lstm.safetensors");
    let (net, mut other) = (deep(), deep().with_forget_bias(3.0));
    ModelFile::at(&path).torch().save(&net).unwrap();
    ModelFile::at(&path).torch().load(&mut other).unwrap();
    for (a, b) in net.parameters().iter().zip(other.parameters()) {
        assert_eq!((&a.0, a.1.value()), (&b.0, b.1.value()));
    }
    // As PyTorch lists it: `nn.LSTM(3, 4, 2, bidirectional=True).state_dict()`.
    let bytes = std::fs::read(&path).unwrap();
    let header = String::from_utf8_lossy(&bytes[8..]);
    for (name, shape) in
        [("weight_ih_l0", "[16,3]"), ("weight_ih_l1_reverse", "[16,8]"), ("bias_hh_l0_reverse", "[16]")]
    {
        assert!(header.contains(&format!("\"{name}\"")) && header.contains(&format!("\"shape\":{shape}")), "{header}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}
