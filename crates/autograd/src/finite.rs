//! Where a number was lost: the first NaN or infinity of a pass, forward or back.

use tensor::{Float, Tensor};

use crate::{Gradients, Role, Var};

/// Which a tensor holds that are no finite numbers: NaN, positive or negative infinity, or none of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NonFinite {
    /// NaN.
    pub nan: bool,
    /// +∞.
    pub positive: bool,
    /// −∞.
    pub negative: bool,
}

impl NonFinite {
    /// What a tensor holds.
    ///
    /// # Example
    /// ```
    /// use autograd::NonFinite;
    /// use tensor::Tensor;
    ///
    /// let found = NonFinite::of(&Tensor::from([1.0, f32::INFINITY]));
    /// assert_eq!((found.any(), found.what()), (true, "infinity"));
    /// ```
    pub fn of<T: Float>(values: &Tensor<T>) -> Self {
        if values.all_finite() {
            return NonFinite::default();
        }
        let any = |is: fn(f64) -> bool| values.iter().any(|x| is(x.to_f64()));
        NonFinite {
            nan: any(f64::is_nan),
            positive: any(|x| x == f64::INFINITY),
            negative: any(|x| x == f64::NEG_INFINITY),
        }
    }

    /// Whether it holds any of them.
    pub fn any(self) -> bool {
        self != NonFinite::default()
    }

    /// `"NaN"`, if it holds one, or else `"infinity"`.
    pub fn what(self) -> &'static str {
        if self.nan { "NaN" } else { "infinity" }
    }
}

/// The first value on the tape of a loss that is not finite where what it was computed from is, and what it holds. A mask holds −∞ on
/// purpose, and so does what it masks.
///
/// # Example
/// ```
/// use autograd::{Tape, first_not_finite};
/// use tensor::Tensor;
///
/// let tape = Tape::new();
/// let x = tape.leaf(Tensor::from([1.0, 0.0]));
/// let loss = x.ln().square().mean(..);
/// let (first, found) = first_not_finite(loss).unwrap();
/// assert_eq!((first.op(), found.what()), ("ln", "infinity"));
/// ```
pub fn first_not_finite<T: Float>(loss: Var<'_, T>) -> Option<(Var<'_, T>, NonFinite)> {
    let vars: Vec<Var<'_, T>> = loss.tape().vars().take(loss.index() + 1).collect();
    let held: Vec<NonFinite> = vars.iter().map(|var| NonFinite::of(&var.value())).collect();
    let is_made = |var: &Var<'_, T>| {
        let own = held[var.index()];
        if !own.any() {
            return false;
        }
        let inputs = var.inputs();
        let none_given = |of: fn(&NonFinite) -> bool| !inputs.iter().any(|input| of(&held[input.index()]));
        let made = own.nan && none_given(|given| given.nan)
            || (own.positive || own.negative) && none_given(|given| given.any())
            // Of a mask, a loss may be infinite: an example's class is one of those that are left out.
            || matches!(var.role(), Role::Loss { .. }) && none_given(|given| given.nan || given.positive);
        // What goes into anything but a sum is no mask.
        let masks = |user: &Var<'_, T>| {
            matches!(user.role(), Role::Adding | Role::Keeping)
                || user.inputs().iter().all(|input| input.index() != var.index())
        };
        let is_mask = match var.role() {
            Role::Constant => !own.positive && vars.iter().all(masks),
            Role::Masking => true,
            _ => false,
        };
        made && (own.nan || !is_mask)
    };
    vars.iter().find(|var| is_made(var)).map(|var| (*var, held[var.index()]))
}

/// The op whose pullback gives the first part of a gradient that is not finite, going back from the loss, and what that holds. The
/// gradients of intermediate values must have been [retained](crate::Tape::retain_gradients); what comes to no leaf does no harm.
///
/// # Example
/// ```
/// use autograd::{Tape, first_not_finite_gradient};
/// use tensor::Tensor;
///
/// let tape = Tape::new();
/// tape.retain_gradients(true);
/// let loss = tape.leaf(Tensor::from([4.0, 0.0])).sqrt().sum(..); // whose slope at 0 is infinite
/// let (op, found) = first_not_finite_gradient(loss, &loss.backward()).unwrap();
/// assert_eq!((op.op(), found.what()), ("sqrt", "infinity"));
/// ```
pub fn first_not_finite_gradient<'t, T: Float>(
    loss: Var<'t, T>,
    gradients: &Gradients<T>,
) -> Option<(Var<'t, T>, NonFinite)> {
    let vars: Vec<Var<'t, T>> = loss.tape().vars().take(loss.index() + 1).collect();
    let mut leaves = vars.iter().filter(|var| matches!(var.role(), Role::Leaf)).filter_map(|var| gradients.get(*var));
    if leaves.all(Tensor::all_finite) {
        return None;
    }
    let of = |gradient: &Tensor<T>| Some(NonFinite::of(gradient)).filter(|held| held.any());
    let (first, whole) = vars.iter().rev().find_map(|var| Some((*var, of(gradients.get(*var)?)?)))?;
    // Several ops may share the value: it is the one whose own part is not finite.
    let part = |user: &Var<'t, T>| {
        let uses = user.inputs().iter().any(|input| input.index() == first.index());
        let parts = user.pull(uses.then(|| gradients.get(*user))??);
        let parts = parts.iter().filter(|(input, _)| input.index() == first.index());
        Some((*user, parts.filter_map(|(_, part)| of(part)).next()?))
    };
    Some(vars.iter().rev().find_map(part).unwrap_or((first, whole)))
}
