//! Attention with several heads.

use autograd::{Attention, Var};
use init::{Gain, Initializer};
use rand::Rng;
use tensor::{Float, Tensor, ensure};

use super::{Linear, in_f32};
use crate::{Error, Layer, module};

/// Attention with several heads (Vaswani et al., 2017, *Attention Is All You Need*): queries, keys and values are
/// linear in the inputs, each head [attends](Var::attention) with its share of them, and what all give goes through one
/// more linear layer. PyTorch's `nn.MultiheadAttention(batch_first=True)`.
///
/// As a [`Layer`] it attends to itself: `[N, L, E]` gives `[N, L, E]`.
///
/// # Example
/// ```
/// use autograd::Tape;
/// use nn::{AttentionMask, MultiheadAttention};
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
/// use tensor::Tensor;
///
/// let mut rng = ChaCha8Rng::seed_from_u64(42);
/// let attention = MultiheadAttention::new(16, 4, &init::normal(0.02), &mut rng)?;
/// let tape = Tape::new();
/// let x = tape.constant(Tensor::ones([2, 3, 16]));
/// let seen = Tensor::from([[true, true, false], [true, true, true]]); // the first example has two steps
/// let y = attention.attend(x, x, AttentionMask { causal: true, seen: Some(&seen) });
/// assert_eq!(y.shape().dims(), [2, 3, 16]);
/// # Ok::<(), nn::Error>(())
/// ```
#[derive(Clone)]
pub struct MultiheadAttention<T: Float = f32> {
    /// Queries, keys and values, in this order, with a weight `[E, 3 E]`
    pub in_proj: Linear<T>,
    /// What joins the heads, with a weight `[E, E]`
    pub out_proj: Linear<T>,
    heads: usize,
    causal: bool,
    dropout: f64,
}

module!(impl<T> MultiheadAttention<T> { in_proj as "in_proj_", out_proj, .. });

/// Which keys may be seen.
///
/// # Example
/// ```
/// let causal = nn::AttentionMask { causal: true, ..nn::AttentionMask::default() };
/// ```
#[doc(alias = "attn_mask")]
#[doc(alias = "key_padding_mask")]
#[derive(Clone, Copy, Debug, Default)]
pub struct AttentionMask<'a> {
    /// Whether query i sees the keys 0..=i only.
    pub causal: bool,
    /// Which keys of each example may be seen at all, `[N, S]`: true where they may. PyTorch's `key_padding_mask` is
    /// true where they may not.
    pub seen: Option<&'a Tensor<bool>>,
}

in_f32!(
    MultiheadAttention,
    /// Makes a layer in f32 of `heads` heads for inputs of `width` features. Its weights are drawn by `weight`, queries,
    /// keys and values each by itself; the biases are 0. For another float there is
    /// [`try_new`](MultiheadAttention::try_new).
    ///
    /// # Errors
    /// The heads do not divide the width, or the initializer returns an error.
    new => try_new(width: usize, heads: usize, weight: &dyn Initializer, rng: &mut impl Rng)
);

in_f32!(
    MultiheadAttention,
    /// A layer in f32 with PyTorch's default: the weight of queries, keys and values uniform within ±√(6 / (E + 3 E)),
    /// which is Xavier's of all three; that of the output uniform within ±1 / √E; biases 0.
    ///
    /// # Errors
    /// As [`new`](MultiheadAttention::new).
    new_torch => try_torch(width: usize, heads: usize, rng: &mut impl Rng)
);

impl<T: Float> MultiheadAttention<T> {
    /// A layer for any float; see [`new`](MultiheadAttention::new).
    ///
    /// # Errors
    /// As [`new`](MultiheadAttention::new).
    pub fn try_new(width: usize, heads: usize, weight: &dyn Initializer<T>, rng: &mut impl Rng) -> Result<Self, Error> {
        let part = |rng: &mut _| Linear::try_new(width, width, weight, rng);
        let parts = [part(rng)?, part(rng)?, part(rng)?];
        let mut in_proj = Linear::try_new(width, 3 * width, &init::zeros(), rng)?;
        *in_proj.weight.value_mut() = Tensor::cat(&parts.each_ref().map(|part| part.weight.value()), 1);
        MultiheadAttention::of(in_proj, part(rng)?, heads)
    }

    /// A layer for any float; see [`new_torch`](MultiheadAttention::new_torch).
    ///
    /// # Errors
    /// As [`new`](MultiheadAttention::new).
    pub fn try_torch(width: usize, heads: usize, rng: &mut impl Rng) -> Result<Self, Error> {
        let in_proj = Linear::try_new(width, 3 * width, &init::xavier_uniform(Gain::Linear), rng)?;
        let out_proj = Linear::try_new(width, width, &init::torch_linear(), rng)?;
        MultiheadAttention::of(in_proj, out_proj, heads)
    }

    fn of(in_proj: Linear<T>, out_proj: Linear<T>, heads: usize) -> Result<Self, Error> {
        let width = out_proj.weight.value().size(0);
        if heads == 0 || !width.is_multiple_of(heads) {
            let why = format!("has {heads} heads, which do not divide its width of {width}");
            return Err(Error::Invalid { what: "the attention", why });
        }
        Ok(MultiheadAttention { in_proj, out_proj, heads, causal: false, dropout: 0.0 })
    }

    /// Hides from each query the keys after it, as a [`Layer`] too.
    #[must_use]
    pub fn causal(self) -> Self {
        MultiheadAttention { causal: true, ..self }
    }

    /// Drops each weight of attention with probability `p` in training.
    ///
    /// # Errors
    /// `p` is not in 0..=1.
    pub fn with_dropout(self, p: f64) -> Result<Self, Error> {
        super::Dropout::new(p)?;
        Ok(MultiheadAttention { dropout: p, ..self })
    }

    /// Queries `[N, L, E]` attend to keys `[N, S, E]`: `[N, L, E]`. Where a query may see no key, its heads give 0.
    ///
    /// # Panics
    /// The shapes do not fit.
    #[track_caller]
    pub fn attend<'t>(&self, queries: Var<'t, T>, keys: Var<'t, T>, how: AttentionMask<'_>) -> Var<'t, T> {
        let (of_queries, of_keys) = (queries.shape(), keys.shape());
        let width = self.out_proj.weight.value().size(0);
        let (&[examples, len, of_query], &[others, count, of_key]) = (of_queries.dims(), of_keys.dims()) else {
            panic!(
                "MultiheadAttention::attend: needs [N, L, {width}] and [N, S, {width}], got {of_queries} and {of_keys}"
            )
        };
        ensure!(
            of_query == width && of_key == width && examples == others,
            "MultiheadAttention::attend: needs [N, L, {width}] and [N, S, {width}], got {of_queries} and {of_keys}"
        );
        if let Some(seen) = how.seen {
            ensure!(
                seen.dims() == [examples, count],
                "MultiheadAttention::attend: keys {of_keys} need a mask of [{examples}, {count}], got {}",
                seen.shape()
            );
        }
        // [N, L, n E] to n tensors [N, heads, L, E / heads].
        let by_head = |x: Var<'t, T>, len: usize, parts: usize| {
            let x = x.reshape([examples, len, parts, self.heads, width / self.heads]).permute(&[2, 0, 3, 1, 4]);
            (0..parts).map(|part| x.select(0, part)).collect::<Vec<_>>()
        };
        let all = if std::ptr::eq(queries.tape(), keys.tape()) && queries.index() == keys.index() {
            by_head(self.in_proj.forward(queries), len, 3)
        } else {
            let part = |x: Var<'t, T>, from: usize, parts: usize| {
                let tape = x.tape();
                let weight = self.in_proj.weight.used_by("MultiheadAttention::attend", "in_proj.weight", tape);
                let bias = self.in_proj.bias.as_ref();
                let bias = bias.map(|bias| bias.used_by("MultiheadAttention::attend", "in_proj.bias", tape));
                let [from, len] = [from * width, parts * width];
                x.linear(weight.narrow(1, from, len), bias.map(|bias| bias.narrow(0, from, len)))
            };
            [by_head(part(queries, 0, 1), len, 1), by_head(part(keys, 1, 2), count, 2)].concat()
        };
        let mask = how.seen.map(|seen| seen.unsqueeze(1).unsqueeze(1));
        let causal = how.causal || self.causal;
        let options = Attention { mask: mask.as_ref(), causal, dropout: self.dropout, ..Attention::default() };
        let heads = all[0].attention(all[1], all[2], options);
        self.out_proj.forward(heads.transpose(1, 2).reshape([examples, len, width]))
    }
}

impl<T: Float> Layer<T> for MultiheadAttention<T> {
    /// Attends to itself: `[N, L, E]` gives `[N, L, E]`.
    ///
    /// # Panics
    /// The input has another rank, or another number of features.
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        self.attend(x, x, AttentionMask::default())
    }
}
