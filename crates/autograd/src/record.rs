//! A result on its way onto the tape, and its pullbacks.

use tensor::{Float, Tensor};

use crate::op::Op;
use crate::tape::{PartGradient, Place, Pullbacks, PulledGradients, Tape, Var};

/// A result on its way onto the tape; [`Var::record`] begins one.
///
/// Each `wrt` wraps the record so far in a new type. A finished record therefore needs one box for all its pullbacks, and one
/// that is not [`done`](Self::done) is simply dropped.
#[doc(alias = "Function")]
#[doc(alias = "custom_gradient")]
#[must_use = "nothing is on the tape before `done`"]
pub struct Record<'t, T: Float, P = ()> {
    tape: &'t Tape<T>,
    op: Op,
    value: Tensor<T>,
    pullbacks: P,
}

impl<'t, T: Float> Var<'t, T> {
    /// Begins to record `value` as the result of the op `op`, on this handle's tape; see the
    /// [crate's page](crate#writing-an-op). An op is a name, or an [`Op`] with a role.
    pub fn record(self, op: impl Into<Op>, value: Tensor<T>) -> Record<'t, T> {
        Record::new(self.tape, op.into(), value)
    }
}

impl<T: Float> Tape<T> {
    /// Panics, and says where in the model that is.
    #[cold]
    #[track_caller]
    fn refuse(&self, why: String, inputs: &[u32]) -> ! {
        let at = inputs.iter().rev().find_map(|&index| Var { tape: self, index }.path());
        match at.filter(|path| !path.is_empty()) {
            Some(path) => panic!("{why} (at {path}){}", tensor::Whereabouts),
            None => panic!("{why}{}", tensor::Whereabouts),
        }
    }
}

impl<'t, T: Float> Record<'t, T> {
    fn new(tape: &'t Tape<T>, op: Op, value: Tensor<T>) -> Self {
        Record { tape, op, value, pullbacks: () }
    }
}

impl<'t, T: Float, P: Pullbacks<T>> Record<'t, T, P> {
    /// Gives the pullback of one input: from the gradient of the result to that of the input, in the input's shape. The
    /// gradient comes by value: its buffer can be reused when this is its last use.
    ///
    /// It is dropped at once where the input needs no gradient. An op that uses an input twice gives two pullbacks.
    ///
    /// # Panics
    /// The input is on another tape.
    #[track_caller]
    pub fn wrt<F>(self, input: Var<'t, T>, pullback: F) -> Record<'t, T, impl Pullbacks<T> + use<T, P, F>>
    where
        F: Fn(Tensor<T>) -> Tensor<T> + Send + 'static,
    {
        let give = move |g, input, given: &mut PulledGradients<T>| given.shares.push((input, pullback(g)));
        let give = self.needs_gradient(input).then_some(give);
        self.and(|before| Single { before, input: input.index, give })
    }

    /// Gives one pullback for several inputs whose gradients share work. It puts them into [`InputGradients`], by the inputs'
    /// places in `inputs`.
    ///
    /// It is dropped at once where none of the inputs needs a gradient.
    ///
    /// # Panics
    /// An input is on another tape. `backward` panics if the pullback leaves out an input that needs a gradient.
    ///
    /// # Example
    /// ```
    /// use autograd::{Var, check};
    /// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
    /// use tensor::{Float, Tensor};
    ///
    /// /// y = sin(a) b,  ā = ȳ b cos a,  b̄ = ȳ sin a
    /// fn sine_times<'t, T: Float>(a: Var<'t, T>, b: Var<'t, T>) -> Var<'t, T> {
    ///     let (x, y) = (a.value(), b.value());
    ///     let sine = x.sin();
    ///     a.record("sine_times", &sine * &y)
    ///         .joint(&[a, b], move |g, shares| {
    ///             shares.give(0, || &g * &y * x.cos());
    ///             shares.give(1, || &g * &sine);
    ///         })
    ///         .done()
    /// }
    ///
    /// let mut rng = ChaCha8Rng::seed_from_u64(1);
    /// let inputs = [Tensor::from([0.3, -1.5]), Tensor::from([2.0, 0.7])];
    /// check::gradients(&inputs, &mut rng, |x| sine_times(x[0], x[1]))?;
    /// # Ok::<(), check::GradientError>(())
    /// ```
    #[track_caller]
    pub fn joint<F>(self, inputs: &[Var<'t, T>], pullback: F) -> Record<'t, T, impl Pullbacks<T> + use<T, P, F>>
    where
        F: Fn(Tensor<T>, &mut InputGradients<'_, T>) + Send + 'static,
    {
        // A loop, since a panic in a closure would be at its own line and not at the caller's.
        let mut listed = Vec::with_capacity(inputs.len());
        for &input in inputs {
            listed.push((input.index, self.needs_gradient(input)));
        }
        let inputs = listed.into_boxed_slice();
        let pullback = inputs.iter().any(|&(_, needed)| needed).then_some(pullback);
        self.and(|before| Joint { before, inputs, pullback })
    }

    /// Gives the pullback of an input that the result is a part of: what it returns is the gradient of the elements at this place.
    #[track_caller]
    pub(crate) fn wrt_part<F>(
        self,
        input: Var<'t, T>,
        place: Place,
        pullback: F,
    ) -> Record<'t, T, impl Pullbacks<T> + use<T, P, F>>
    where
        F: Fn(Tensor<T>) -> Tensor<T> + Send + 'static,
    {
        let give = move |g, input, given: &mut PulledGradients<T>| {
            given.parts.push((input, PartGradient { gradient: pullback(g), place: place.clone() }));
        };
        let give = self.needs_gradient(input).then_some(give);
        self.and(|before| Single { before, input: input.index, give })
    }

    /// Names an input to which no gradient goes back.
    #[track_caller]
    pub(crate) fn without(self, input: Var<'t, T>) -> Record<'t, T, impl Pullbacks<T> + use<T, P>> {
        self.needs_gradient(input);
        self.and(|before| Single::<_, fn(Tensor<T>, u32, &mut PulledGradients<T>)> {
            before,
            input: input.index,
            give: None,
        })
    }

    /// Puts the result on the tape.
    ///
    /// # Panics
    /// The op's role names a place at which it has no input; nothing is then on the tape.
    #[track_caller]
    pub fn done(self) -> Var<'t, T> {
        if let Some(why) = self.op.misfit(self.pullbacks.count()) {
            let mut inputs = Vec::new();
            self.pullbacks.list_inputs(&mut inputs);
            self.tape.refuse(why, &inputs);
        }
        self.tape.push(self.op, self.value, self.pullbacks)
    }

    /// Whether an input needs a gradient.
    #[track_caller]
    fn needs_gradient(&self, input: Var<'t, T>) -> bool {
        assert!(
            std::ptr::eq(self.tape, input.tape),
            "{}: its inputs are on two tapes; put them on one with `leaf` or `constant`",
            self.op.name
        );
        input.needs_gradient()
    }

    fn and<Q>(self, more: impl FnOnce(P) -> Q) -> Record<'t, T, Q> {
        Record { tape: self.tape, op: self.op, value: self.value, pullbacks: more(self.pullbacks) }
    }
}

impl<T: Float> Pullbacks<T> for () {
    fn count(&self) -> usize {
        0
    }

    fn list_inputs(&self, _: &mut Vec<u32>) {}

    fn needed(&self) -> bool {
        false
    }

    fn pull(&self, _: Tensor<T>, _: &mut PulledGradients<T>) {}
}

/// The pullback of one input, after others.
struct Single<P, F> {
    before: P,
    input: u32,
    /// Hands the input's share on, if it needs one.
    give: Option<F>,
}

impl<T, P, F> Pullbacks<T> for Single<P, F>
where
    T: Float,
    P: Pullbacks<T>,
    F: Fn(Tensor<T>, u32, &mut PulledGradients<T>) + Send + 'static,
{
    fn count(&self) -> usize {
        self.before.count() + 1
    }

    fn list_inputs(&self, to: &mut Vec<u32>) {
        self.before.list_inputs(to);
        to.push(self.input);
    }

    fn needed(&self) -> bool {
        self.give.is_some() || self.before.needed()
    }

    fn pull(&self, gradient: Tensor<T>, given: &mut PulledGradients<T>) {
        let own = pull_before(&self.before, self.give.is_some(), gradient, given);
        if let (Some(give), Some(own)) = (&self.give, own) {
            give(own, self.input, given);
        }
    }
}

/// The pullback of several inputs, after others.
struct Joint<P, F> {
    before: P,
    /// Each with whether it needs a gradient.
    inputs: Box<[(u32, bool)]>,
    pullback: Option<F>,
}

impl<T, P, F> Pullbacks<T> for Joint<P, F>
where
    T: Float,
    P: Pullbacks<T>,
    F: Fn(Tensor<T>, &mut InputGradients<'_, T>) + Send + 'static,
{
    fn count(&self) -> usize {
        self.before.count() + self.inputs.len()
    }

    fn list_inputs(&self, to: &mut Vec<u32>) {
        self.before.list_inputs(to);
        to.extend(self.inputs.iter().map(|&(input, _)| input));
    }

    fn needed(&self) -> bool {
        self.pullback.is_some() || self.before.needed()
    }

    fn pull(&self, gradient: Tensor<T>, given: &mut PulledGradients<T>) {
        let own = pull_before(&self.before, self.pullback.is_some(), gradient, given);
        if let (Some(pullback), Some(own)) = (&self.pullback, own) {
            let mut shares = InputGradients { inputs: self.inputs.clone(), given };
            pullback(own, &mut shares);
            let left_out = shares.inputs.iter().find(|&&(_, still_needed)| still_needed);
            given.missing = given.missing.or(left_out.map(|&(input, _)| input));
        }
    }
}

/// Hands a gradient to the pullbacks before one, and returns it if that one needs it too: the last pullback to use it
/// gets it without a clone, and with it the buffer.
fn pull_before<T: Float>(
    before: &impl Pullbacks<T>,
    needed_after: bool,
    gradient: Tensor<T>,
    given: &mut PulledGradients<T>,
) -> Option<Tensor<T>> {
    match (before.needed(), needed_after) {
        (true, true) => before.pull(gradient.clone(), given),
        (true, false) => {
            before.pull(gradient, given);
            return None;
        }
        (false, _) => {}
    }
    Some(gradient)
}

/// Where a joint pullback puts the gradients of its inputs; see [`Record::joint`].
pub struct InputGradients<'a, T: Float> {
    /// Each with whether its gradient is still to be given.
    inputs: Box<[(u32, bool)]>,
    given: &'a mut PulledGradients<T>,
}

impl<T: Float> InputGradients<'_, T> {
    /// Whether the input at this place needs a gradient that it has not been given yet.
    ///
    /// # Panics
    /// There are not as many inputs.
    #[track_caller]
    pub fn wants(&self, input: usize) -> bool {
        assert!(input < self.inputs.len(), "input {input} of a joint pullback of {} inputs", self.inputs.len());
        self.inputs[input].1
    }

    /// Gives the gradient of the input at this place, in its shape; it is computed only where it is needed.
    ///
    /// # Panics
    /// There are not as many inputs.
    #[track_caller]
    pub fn give(&mut self, input: usize, gradient: impl FnOnce() -> Tensor<T>) {
        if self.wants(input) {
            self.inputs[input].1 = false;
            self.given.shares.push((self.inputs[input].0, gradient()));
        }
    }

    /// Says that no gradient goes to the input at this place, though it could need one.
    pub(crate) fn give_none(&mut self, input: usize) {
        self.inputs[input].1 = false;
    }
}
