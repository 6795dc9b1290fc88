//! Recurrent layers beside PyTorch: random cases of `golden/recurrent.py`; and what only some of them can do.

use std::collections::BTreeMap;

use autograd::{Tape, Var};
use nn::{GRU, LSTM, LstmState, Module, Optimizer, ParamPath, RNN, Recurrent, Sgd};
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
