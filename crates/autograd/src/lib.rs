#![forbid(unsafe_code)]
//! Reverse-mode automatic differentiation on a tape.
//!
//! A [`Tape`] is an arena of values in the order in which they were computed. A [`Var`] is a `Copy` handle to one of
//! them; operators and methods on it compute a new value and record, for each input that needs a gradient, a
//! *pullback*: a closure that turns the gradient of the result into the gradient of that input.
//! [`Var::backward`] walks the tape from the end to the beginning and returns the [`Gradients`].
//!
//! ```
//! use autograd::Tape;
//! use tensor::Tensor;
//!
//! let tape = Tape::new();
//! let x = tape.constant(Tensor::from([[1.0, 2.0]]));
//! let w = tape.leaf(Tensor::from([[0.5], [0.25]]));
//! let y = x.matmul(w).tanh().sum(..);
//! let gradients = y.backward();
//! let slope = 1.0 - 1.0_f32.tanh().powi(2); // tanh'(1·0.5 + 2·0.25)
//! let want = Tensor::from([[slope], [2.0 * slope]]);
//! assert!(gradients.get(w).unwrap().allclose(&want, 1e-6, 0.0));
//! ```
//!
//! `Tape::new()` is a tape in f32, as a model has it; for another float there is `Tape::<f64>::default()`.
//!
//! # What is here
//!
//! All ops are methods of [`Var`], in PyTorch's names where it has one:
//!
//! | | |
//! |---|---|
//! | element by element | `+ - * /`, [`pow`](Var::pow) and its kin, [`exp`](Var::exp), [`ln`](Var::ln), [`sin`](Var::sin), [`erf`](Var::erf), [`abs`](Var::abs), [`clamp`](Var::clamp), [`maximum`](Var::maximum), [`where_cond`](Var::where_cond) |
//! | activations | [`activation`](Var::activation) with a method for each, [`prelu`](Var::prelu), [`glu`](Var::glu) |
//! | over axes | [`sum`](Var::sum), [`mean`](Var::mean), [`var`](Var::var), [`std`](Var::std), [`max`](Var::max), [`min`](Var::min), [`prod`](Var::prod), [`norm`](Var::norm), [`logsumexp`](Var::logsumexp), [`cumsum`](Var::cumsum), [`softmax`](Var::softmax) |
//! | products | [`matmul`](Var::matmul), [`linear`](Var::linear), [`dot`](Var::dot), [`outer`](Var::outer), [`einsum`](Var::einsum) |
//! | shapes | [`reshape`](Var::reshape), [`permute`](Var::permute), [`slice`](Var::slice), [`select`](Var::select), [`expand`](Var::expand), [`flip`](Var::flip), [`diagonal`](Var::diagonal), [`cat`](Var::cat), [`stack`](Var::stack), [`split`](Var::split), [`repeat`](Var::repeat), [`pad`](Var::pad) and others |
//! | by number | [`embedding`](Var::embedding), [`index_select`](Var::index_select), [`gather`](Var::gather), [`scatter_add`](Var::scatter_add), [`masked_select`](Var::masked_select), [`sort`](Var::sort), [`topk`](Var::topk), [`tril`](Var::tril) |
//! | parts of networks | [`batch_norm`](Var::batch_norm), [`layer_norm`](Var::layer_norm), [`rms_norm`](Var::rms_norm), [`group_norm`](Var::group_norm), [`dropout`](Var::dropout), [`attention`](Var::attention), [`rnn_cell`](Var::rnn_cell), [`rnn_relu_cell`](Var::rnn_relu_cell), [`gru_cell`](Var::gru_cell), [`lstm_cell`](Var::lstm_cell), [`rnn_tanh`](Var::rnn_tanh), [`rnn_relu`](Var::rnn_relu), [`gru`](Var::gru), [`lstm`](Var::lstm) |
//! | losses | [`cross_entropy`](Var::cross_entropy), [`nll_loss`](Var::nll_loss), [`mse_loss`](Var::mse_loss), [`l1_loss`](Var::l1_loss), [`huber_loss`](Var::huber_loss), [`bce_with_logits_loss`](Var::bce_with_logits_loss), [`kl_div`](Var::kl_div), [`hinge_loss`](Var::hinge_loss), [`cosine_embedding_loss`](Var::cosine_embedding_loss), [`gaussian_nll_loss`](Var::gaussian_nll_loss), [`poisson_nll_loss`](Var::poisson_nll_loss), [`negative_binomial_nll_loss`](Var::negative_binomial_nll_loss), [`sigmoid_focal_loss`](Var::sigmoid_focal_loss), [`ctc_loss`](Var::ctc_loss), [`triplet_margin_loss`](Var::triplet_margin_loss) and others, with a [`Reduction`] |
//!
//! A [`Tape`] draws: [`randn`](Tape::randn), [`uniform`](Tape::uniform), [`bernoulli`](Tape::bernoulli), [`multinomial`](Tape::multinomial),
//! each a function of the [seed](Tape::seed), the step and the place on the tape.
//!
//! What has no gradient is no `Var`: class numbers and indices are a `Tensor<i64>`, masks a `Tensor<bool>`. At kinks and ties the gradient
//! is PyTorch's, as each op's page says.
//!
//! [`Tape::no_grad`] evaluates, [`Tape::scope`] does so in memory that stays flat, [`Var::detach`] ends a gradient's way.
//!
//! # Reading a pass
//!
//! Every value of a pass can be read, with its op, its inputs and its path in a model; a tape prints as a table, and
//! [`Tape::to_dot`] draws it with Graphviz. Gradients of what is no leaf are kept on request:
//!
//! ```
//! use autograd::Tape;
//! use tensor::Tensor;
//!
//! let tape = Tape::new();
//! let w = tape.leaf(Tensor::from([[0.5_f32], [0.25]]));
//! let h = tape.constant(Tensor::from([[1.0, 2.0]])).matmul(w).tanh().retain_gradient();
//! let gradients = (h * h).sum(..).backward();
//! assert_eq!(gradients.get(h).unwrap(), &(h.value() * 2.0));
//! let table = "\
//! Tape of 6 values, training
//! 0    leaf [2, 1]
//! 1    constant [1, 2]
//! 2    matmul(1, 0) [1, 1]
//! 3    tanh(2) [1, 1]
//! 4    mul(3, 3) [1, 1]
//! 5    sum(4) []
//! ";
//! assert_eq!(format!("{tape:?}"), table);
//! ```
//!
//! # Writing an op
//!
//! An op of your own takes the same few lines as ours: compute the value, [`record`](Var::record) it, and give a
//! pullback for each input, or [one for several](Record::joint) whose gradients share work. [`check::gradients`] then
//! proves the pullbacks against finite differences. An [`Op`] with a [`Role`] instead of a name says what the op does to a
//! signal, so that diagnoses see through it.
//!
//! ```
//! use autograd::{Var, check};
//! use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
//! use tensor::{Float, Tensor};
//!
//! /// y = x²,  x̄ = 2 x ȳ
//! fn square<'t, T: Float>(x: Var<'t, T>) -> Var<'t, T> {
//!     let value = x.value();
//!     x.record("square", &value * &value)
//!         .wrt(x, move |g| g * &value * (T::ONE + T::ONE))
//!         .done()
//! }
//!
//! let mut rng = ChaCha8Rng::seed_from_u64(1);
//! check::gradients(&[Tensor::from([0.3, -1.5])], &mut rng, |x| square(x[0]))?;
//! # Ok::<(), check::GradientError>(())
//! ```

mod backward;
pub mod check;
mod draws;
mod finite;
mod gradients;
mod id;
mod mode;
mod op;
mod ops;
mod pass;
mod read;
mod record;
mod shards;
mod state;
mod tape;

pub use backward::Finished;
pub use finite::{NonFinite, first_not_finite, first_not_finite_gradient};
pub use gradients::Gradients;
pub use id::Id;
pub use mode::Mode;
pub use op::{Baseline, Distance, Op, Role};
#[doc(hidden)]
pub use ops::OperandValue;
pub use ops::{
    Attention, Bce, CellParams, CrossEntropy, Ctc, Focal, GaussianNll, KlDiv, NllLoss, Operand, PoissonNll, Reduction,
    Steps, TripletMargin,
};
pub use record::{InputGradients, Record};
pub use state::{RunningWeight, Update, Updates};
pub use tape::{Tape, Var};
pub use tensor::Saved;
