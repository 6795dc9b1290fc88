//! The ops of a library, as far as the models need them.

/// Values of rank two, and ops on them. A vector is a matrix of one row.
pub trait Ops {
    type Value: Clone;
    /// Whole numbers.
    type Symbols;

    /// Rows of a table, those of one example side by side: `[batch, context · width]`.
    fn embedding(table: &Self::Value, symbols: &Self::Symbols) -> Self::Value;
    fn linear(x: &Self::Value, weight: &Self::Value, bias: Option<&Self::Value>) -> Self::Value;
    fn reshape(x: &Self::Value, dims: [usize; 2]) -> Self::Value;
    fn tanh(x: &Self::Value) -> Self::Value;
    fn gelu(x: &Self::Value) -> Self::Value;
    fn add(x: &Self::Value, y: &Self::Value) -> Self::Value;
    /// By the statistics of the batch.
    fn batch_norm(x: &Self::Value, gain: &Self::Value, bias: &Self::Value) -> Self::Value;
    fn layer_norm(x: &Self::Value, gain: &Self::Value, bias: &Self::Value) -> Self::Value;
    /// The last state `[batch, width]` after so many steps of x `[batch, steps · width]`, beginning with zeros. The weights are
    /// PyTorch's, transposed.
    fn gru(x: &Self::Value, steps: usize, weights: [&Self::Value; 4]) -> Self::Value;
    /// Causal, of queries, keys and values side by side in x `[batch · length, 3 · width]`; the result is `[batch · length, width]`.
    fn attention(x: &Self::Value, length: usize, heads: usize) -> Self::Value;
    fn relu(x: &Self::Value) -> Self::Value;
    /// Of images `[batch, channels · side²]`, with a weight `[out, channels · kernel²]`.
    fn convolution(x: &Self::Value, weight: &Self::Value, bias: Option<&Self::Value>, of: Convolution) -> Self::Value;
    /// The largest of each 2 × 2.
    fn max_pool(x: &Self::Value, channels: usize, side: usize) -> Self::Value;
    /// By the statistics of each channel of the batch.
    fn channel_norm(x: &Self::Value, gain: &Self::Value, bias: &Self::Value) -> Self::Value;
    /// `[batch, channels]`
    fn channel_mean(x: &Self::Value, channels: usize) -> Self::Value;
}

/// What a convolution of square images is like.
#[derive(Clone, Copy)]
pub struct Convolution {
    pub channels: usize,
    pub out: usize,
    pub side: usize,
    pub kernel: usize,
    pub stride: usize,
    pub padding: usize,
}

impl Convolution {
    pub fn out_side(self) -> usize {
        (self.side + 2 * self.padding - self.kernel) / self.stride + 1
    }
}

/// What goes into a model: numbers of symbols `[batch, context]`, or features `[batch, width]`.
pub enum Input<O: Ops> {
    Symbols(O::Symbols),
    Features(O::Value),
}

/// Constants of [`Ops`] and of the rules, which are PyTorch's defaults.
pub const EPS: f64 = 1e-5;
pub const DECAY: f64 = 0.01;
