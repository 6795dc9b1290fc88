//! Scaled dot-product attention.

use tensor::{Float, Tensor, ensure};

use crate::Var;

/// Options of [`Var::attention`].
///
/// # Example
/// ```
/// use autograd::Attention;
///
/// let options: Attention = Attention { causal: true, ..Attention::default() };
/// ```
#[derive(Clone, Copy)]
pub struct Attention<'a, 't, T: Float = f32> {
    /// Which keys each query may look at: true where it may. It broadcasts to `[…, L, S]`.
    pub mask: Option<&'a Tensor<bool>>,
    /// Whether query i looks at keys 0..=i only.
    pub causal: bool,
    /// By what the products of queries and keys are multiplied; else by 1/√E.
    pub scale: Option<f64>,
    /// What is added to the scaled products, such as a learned bias by distance. It broadcasts to `[…, L, S]`.
    pub bias: Option<Var<'t, T>>,
    /// The probability that a weight is [dropped](Var::dropout) in training.
    pub dropout: f64,
}

impl<T: Float> Default for Attention<'_, '_, T> {
    fn default() -> Self {
        Attention { mask: None, causal: false, scale: None, bias: None, dropout: 0.0 }
    }
}

impl<'t, T: Float> Var<'t, T> {
    /// Attention of queries q `[…, L, E]` to keys k `[…, S, E]` with values v `[…, S, V]` (Vaswani et al., 2017, *Attention Is All You
    /// Need*): y = softmax(q kᵀ / √E) v of shape `[…, L, V]`, the softmax over the keys; the batches broadcast.
    ///
    /// Where a query may look at no key, y is 0, and so are its gradients.
    ///
    /// # Panics
    /// The shapes do not fit, or the values are on different tapes.
    ///
    /// # Example
    /// ```
    /// use autograd::{Attention, Tape};
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let [q, k] = [[1.0, 0.0], [0.0, 1.0]].map(|row| tape.leaf(Tensor::from([row, [0.0, 0.0]])));
    /// let v = tape.leaf(Tensor::from([[1.0, 2.0], [3.0, 4.0]]));
    /// let options = Attention { causal: true, ..Attention::default() };
    /// let y = q.attention(k, v, options).value();
    /// assert_eq!(y, Tensor::from([[1.0, 2.0], [2.0, 3.0]])); // the first sees itself, the second sees both alike
    /// ```
    #[track_caller]
    pub fn attention(self, keys: Self, values: Self, options: Attention<'_, 't, T>) -> Self {
        let (q, k, v) = (self.shape(), keys.shape(), values.shape());
        let fits = |a: &[usize], b: &[usize], axis: usize| a[a.len() - axis] == b[b.len() - axis];
        let ranks = [&q, &k, &v].iter().all(|shape| shape.rank() >= 2);
        ensure!(
            ranks && fits(q.dims(), k.dims(), 1) && fits(k.dims(), v.dims(), 2),
            "attention: queries [..., L, E], keys [..., S, E] and values [..., S, V] are needed, got {q}, {k} and {v}"
        );
        let [queries, width, count] = [q.dims()[q.rank() - 2], q.dims()[q.rank() - 1], k.dims()[k.rank() - 2]];
        let scale = options.scale.unwrap_or(1.0 / (width as f64).sqrt());
        let mut scores = self.matmul(keys.t()).scale(T::from_f64(scale));
        let mut hidden_by_bias = None;
        if let Some(bias) = options.bias {
            // A bias of −∞ is a mask: it is taken for one, so that it leaves a query that sees nothing at all without a word.
            let hides = bias.value().eq(T::from_f64(f64::NEG_INFINITY));
            if hides.any(..).item() {
                scores = scores + bias.masked_fill(&hides, T::ZERO);
                hidden_by_bias = Some(hides.logical_not());
            } else {
                scores = scores + bias;
            }
        }
        let past = options.causal.then(|| Tensor::full([queries, count], true).tril(0));
        let seen = match (options.mask, past) {
            (Some(mask), Some(past)) => Some(mask.logical_and(&past)),
            (mask, past) => mask.cloned().or(past),
        };
        let seen = match (seen, hidden_by_bias) {
            (Some(seen), Some(by_bias)) => Some(seen.logical_and(&by_bias)),
            (seen, by_bias) => seen.or(by_bias),
        };
        let mut weights = match seen {
            None => scores.softmax(-1),
            Some(seen) => {
                // A query that sees nothing would have no softmax: for its sake it sees all, and what it sees counts for nothing.
                let blind = seen.any(tensor::keepdim(-1)).logical_not();
                let hidden = seen.logical_or(&blind).logical_not();
                let weights = scores.masked_fill(&hidden, T::from_f64(f64::NEG_INFINITY)).softmax(-1);
                if blind.any(..).item() { weights.masked_fill(&blind, T::ZERO) } else { weights }
            }
        };
        if options.dropout > 0.0 {
            weights = weights.dropout(options.dropout);
        }
        weights.matmul(values)
    }
}
