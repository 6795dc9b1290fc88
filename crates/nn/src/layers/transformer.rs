//! A block of a transformer.

use autograd::Var;
use init::Initializer;
use rand::Rng;
use tensor::{Activation, Float};

use super::{AttentionMask, Dropout, LayerNorm, Linear, MultiheadAttention, in_f32};
use crate::{Error, Layer, module};

/// A block of a transformer that normalizes first (Xiong et al., 2020, *On Layer Normalization in the Transformer
/// Architecture*): x ← x + attention(norm(x)), then x ← x + f(norm(x)) W₂ + b₂ with f(z) = gelu(z W₁ + b₁). PyTorch's
/// `nn.TransformerEncoderLayer(norm_first=True, activation="gelu", batch_first=True)`; without dropout, unless it is
/// given any.
///
/// # Example
/// ```
/// use autograd::Tape;
/// use nn::{Layer, TransformerBlock};
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
/// use tensor::Tensor;
///
/// let mut rng = ChaCha8Rng::seed_from_u64(42);
/// let block = TransformerBlock::new(16, 4, 64, &init::normal(0.02), &mut rng)?.causal();
/// let tape = Tape::new();
/// let y = block.forward(tape.constant(Tensor::ones([2, 3, 16])));
/// assert_eq!(y.shape().dims(), [2, 3, 16]);
/// # Ok::<(), nn::Error>(())
/// ```
#[doc(alias = "TransformerEncoderLayer")]
#[derive(Clone)]
pub struct TransformerBlock<T: Float = f32> {
    /// What comes before the attention
    pub norm1: LayerNorm<T>,
    /// The attention
    pub self_attn: MultiheadAttention<T>,
    /// What comes before the linear layers
    pub norm2: LayerNorm<T>,
    /// W₁ and b₁
    pub linear1: Linear<T>,
    /// W₂ and b₂
    pub linear2: Linear<T>,
    activation: Activation,
    dropout: Dropout,
}

module!(impl<T> TransformerBlock<T> { norm1, self_attn, norm2, linear1, linear2, .. });

in_f32!(
    TransformerBlock,
    /// Makes a block in f32 for `width` features, with `heads` heads and `hidden` units between the linear layers. Its
    /// weights are drawn by `weight`; the biases are 0. For another float there is
    /// [`try_new`](TransformerBlock::try_new).
    ///
    /// # Errors
    /// The heads do not divide the width, or the initializer returns an error.
    new => try_new(width: usize, heads: usize, hidden: usize, weight: &dyn Initializer, rng: &mut impl Rng)
);

in_f32!(
    TransformerBlock,
    /// A block in f32 with PyTorch's default for each of its layers.
    ///
    /// # Errors
    /// As [`new`](TransformerBlock::new).
    new_torch => try_torch(width: usize, heads: usize, hidden: usize, rng: &mut impl Rng)
);

impl<T: Float> TransformerBlock<T> {
    /// A block for any float; see [`new`](TransformerBlock::new).
    ///
    /// # Errors
    /// As [`new`](TransformerBlock::new).
    pub fn try_new(
        width: usize,
        heads: usize,
        hidden: usize,
        weight: &dyn Initializer<T>,
        rng: &mut impl Rng,
    ) -> Result<Self, Error> {
        let self_attn = MultiheadAttention::try_new(width, heads, weight, rng)?;
        let linear1 = Linear::try_new(width, hidden, weight, rng)?;
        TransformerBlock::of(self_attn, linear1, Linear::try_new(hidden, width, weight, rng)?)
    }

    /// A block for any float; see [`new_torch`](TransformerBlock::new_torch).
    ///
    /// # Errors
    /// As [`new`](TransformerBlock::new).
    pub fn try_torch(width: usize, heads: usize, hidden: usize, rng: &mut impl Rng) -> Result<Self, Error> {
        let self_attn = MultiheadAttention::try_torch(width, heads, rng)?;
        let linear1 = Linear::try_torch(width, hidden, rng)?;
        TransformerBlock::of(self_attn, linear1, Linear::try_torch(hidden, width, rng)?)
    }

    fn of(self_attn: MultiheadAttention<T>, linear1: Linear<T>, linear2: Linear<T>) -> Result<Self, Error> {
        let width = linear2.weight.value().size(1);
        let (norm1, norm2) = (LayerNorm::try_new(width)?, LayerNorm::try_new(width)?);
        let (activation, dropout) = (Activation::Gelu, Dropout::none());
        Ok(TransformerBlock { norm1, self_attn, norm2, linear1, linear2, activation, dropout })
    }

    /// Hides from each step the steps after it.
    #[must_use]
    pub fn causal(self) -> Self {
        TransformerBlock { self_attn: self.self_attn.causal(), ..self }
    }

    /// Sets the activation: gelu by default.
    #[must_use]
    pub fn with_activation(self, activation: Activation) -> Self {
        TransformerBlock { activation, ..self }
    }

    /// Drops with probability `p` in training: weights of the attention, what the attention gives,
    /// what the activation gives, and what the second linear layer gives.
    ///
    /// # Errors
    /// `p` is not in 0..=1.
    pub fn with_dropout(self, p: f64) -> Result<Self, Error> {
        Ok(TransformerBlock { self_attn: self.self_attn.with_dropout(p)?, dropout: Dropout::new(p)?, ..self })
    }

    /// `[N, L, E]` gives `[N, L, E]`, each step seeing those that it may.
    ///
    /// # Panics
    /// The shapes do not fit.
    #[track_caller]
    pub fn attend<'t>(&self, x: Var<'t, T>, how: AttentionMask<'_>) -> Var<'t, T> {
        let normal = self.norm1.forward(x);
        let x = x + self.dropped(self.self_attn.attend(normal, normal, how));
        let h = self.linear1.forward(self.norm2.forward(x)).activation(self.activation);
        x + self.dropped(self.linear2.forward(self.dropped(h)))
    }

    #[track_caller]
    fn dropped<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        // Nothing is drawn, and no seed needed, where nothing is dropped.
        if self.dropout == Dropout::none() { x } else { self.dropout.forward(x) }
    }
}

impl<T: Float> Layer<T> for TransformerBlock<T> {
    /// `[N, L, E]` gives `[N, L, E]`.
    ///
    /// # Panics
    /// The input has another rank, or another number of features.
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        self.attend(x, AttentionMask::default())
    }
}
