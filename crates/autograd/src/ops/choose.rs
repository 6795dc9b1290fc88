//! One of several values for each element.

use tensor::{Float, Tensor};

use super::arithmetic::Operand;
use crate::{Op, Role, Var};

impl<'t, T: Float> Var<'t, T> {
    /// Each element, but at least `least` and at most `most`: x̄ = ȳ between them, else 0, also at both ends, as in PyTorch. NaN stays, and
    /// its gradient is 0.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([-2.0, 1.0, 0.5]));
    /// let y = x.clamp(-1.0, 1.0);
    /// assert_eq!(y.value(), Tensor::from([-1.0, 1.0, 0.5]));
    /// assert_eq!(y.sum(..).backward().get(x), Some(&Tensor::from([0.0, 0.0, 1.0])));
    /// ```
    pub fn clamp(self, least: T, most: T) -> Self {
        let x = self.value();
        self.record("clamp", x.clamp(least, most))
            .wrt(self, move |g| {
                let within = x.gt(least).logical_and(&x.lt(most));
                g.masked_fill(&within.logical_not(), T::ZERO)
            })
            .done()
    }

    /// The larger one of each pair: y = max(a, b); the shapes broadcast. The gradient goes to the larger, and half to each of equals, as in
    /// PyTorch. NaN if either is.
    ///
    /// # Panics
    /// The shapes do not broadcast, or the two are on different tapes.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([1.0, 3.0]));
    /// assert_eq!(x.maximum(2.0).value(), Tensor::from([2.0, 3.0]));
    /// ```
    #[track_caller]
    pub fn maximum(self, other: impl Operand<'t, T>) -> Self {
        let other = other.into_operand(self.tape()).into_var(self.tape());
        let y = self.peek().maximum(other.value());
        extreme("maximum", self, other, y, |a, b| a.lt(b))
    }

    /// The smaller one of each pair: y = min(a, b), as [`maximum`](Self::maximum).
    ///
    /// # Panics
    /// The shapes do not broadcast, or the two are on different tapes.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([1.0, 3.0]));
    /// assert_eq!(x.minimum(2.0).value(), Tensor::from([1.0, 2.0]));
    /// ```
    #[track_caller]
    pub fn minimum(self, other: impl Operand<'t, T>) -> Self {
        let other = other.into_operand(self.tape()).into_var(self.tape());
        let y = self.peek().minimum(other.value());
        extreme("minimum", self, other, y, |a, b| a.gt(b))
    }

    /// The elements of this value where the mask is true, and those of the other where it is not: x̄ = ȳ where the mask is, else 0, and the
    /// other way round. The shapes broadcast.
    ///
    /// # Panics
    /// The shapes do not broadcast, or the two are on different tapes.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let (x, y) = (tape.leaf(Tensor::from([1.0, 2.0])), tape.leaf(Tensor::from([3.0, 4.0])));
    /// let mask = Tensor::from([true, false]);
    /// assert_eq!(x.where_cond(&mask, y).value(), Tensor::from([1.0, 4.0]));
    /// ```
    #[track_caller]
    pub fn where_cond(self, mask: &Tensor<bool>, other: impl Operand<'t, T>) -> Self {
        let other = other.into_operand(self.tape()).into_var(self.tape());
        let (x, y) = (self.value(), other.value());
        let (x_shape, y_shape, mask) = (x.shape().clone(), y.shape().clone(), mask.clone());
        self.record("where_cond", mask.where_cond(&x, &y))
            .wrt(self, {
                let mask = mask.clone();
                move |g| g.masked_fill(&mask.logical_not(), T::ZERO).sum_to(&x_shape)
            })
            .wrt(other, move |g| g.masked_fill(&mask, T::ZERO).sum_to(&y_shape))
            .done()
    }

    /// This value with `value` wherever the mask is true, such as −∞ before a softmax: x̄ = 0 there, else ȳ. The shapes broadcast.
    ///
    /// # Panics
    /// The shapes do not broadcast.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([1.0, 2.0]));
    /// let y = x.masked_fill(&Tensor::from([true, false]), f32::NEG_INFINITY).softmax(0);
    /// assert_eq!(y.value(), Tensor::from([0.0, 1.0]));
    /// ```
    #[track_caller]
    pub fn masked_fill(self, mask: &Tensor<bool>, value: T) -> Self {
        let (shape, mask) = (self.shape(), mask.clone());
        self.record(Op::new("masked_fill", Role::Masking), self.value().masked_fill(&mask, value))
            .wrt(self, move |g| g.masked_fill(&mask, T::ZERO).sum_to(&shape))
            .done()
    }
}

/// Records what was chosen of each pair; `loses(x, y)` is where x was not.
#[track_caller]
fn extreme<'t, T: Float>(
    name: &'static str,
    x: Var<'t, T>,
    other: Var<'t, T>,
    y: Tensor<T>,
    loses: fn(&Tensor<T>, &Tensor<T>) -> Tensor<bool>,
) -> Var<'t, T> {
    let (a, b) = (x.value(), other.value());
    // What a pair of equals hands on to each.
    let share = move |g: Tensor<T>, own: &Tensor<T>, other: &Tensor<T>| {
        let half = own.eq(other).where_cond(T::from_f64(0.5), T::ONE);
        (g * half).masked_fill(&loses(own, other), T::ZERO).sum_to(own.shape())
    };
    x.record(name, y)
        .wrt(x, {
            let (a, b) = (a.clone(), b.clone());
            move |g| share(g, &a, &b)
        })
        .wrt(other, move |g| share(g, &b, &a))
        .done()
}
