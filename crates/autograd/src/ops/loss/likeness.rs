//! Losses of distributions and of directions.

use tensor::{ElementwiseLoss, Float, Tensor, ensure};

use super::{Reduction, broadcasts, signs, targets};
use crate::ops::Operand;
use crate::{Baseline, Distance, Op, Role, Var};

/// Options of [`Var::kl_div`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KlDiv {
    /// Whether the targets are logarithms of probabilities.
    pub log_target: bool,
    /// What is made of the terms. PyTorch's default is the mean over all of them, and [`BatchMean`](Reduction::BatchMean) is the divergence
    /// of an example.
    pub reduction: Reduction,
}

/// Options of [`Var::gaussian_nll_loss`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GaussianNll {
    /// Whether ½ ln 2π, which changes no gradient, is in the loss.
    pub full: bool,
    /// The least variance; smaller ones count as that, and keep their gradient, as in PyTorch.
    pub eps: f64,
    /// What is made of the losses.
    pub reduction: Reduction,
}

impl Default for GaussianNll {
    fn default() -> Self {
        GaussianNll { full: false, eps: 1e-6, reduction: Reduction::Mean }
    }
}

/// Options of [`Var::triplet_margin_loss`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TripletMargin {
    /// How much farther the other one is to be.
    pub margin: f64,
    /// Of which norm the distance is.
    pub p: f64,
    /// What is added to each difference, so that the gradient of a distance of 0 is one.
    pub eps: f64,
    /// Whether the other one's distance is that from the one that is alike, where it is nearer to that (Balntas et al., 2016, *Learning Local
    /// Feature Descriptors with Triplets and Shallow Convolutional Neural Networks*).
    pub swap: bool,
    /// What is made of the losses.
    pub reduction: Reduction,
}

impl Default for TripletMargin {
    fn default() -> Self {
        TripletMargin { margin: 1.0, p: 2.0, eps: 1e-6, swap: false, reduction: Reduction::Mean }
    }
}

impl<'t, T: Float> Var<'t, T> {
    /// The divergence of Kullback and Leibler (1951, *On Information and Sufficiency*) of logarithms of probabilities x from target
    /// probabilities t of the same shape: of each element t (ln t − x), which is 0 where t is;  x̄ = −ȳ t,  t̄ = ȳ (ln t + 1 − x).
    ///
    /// # Panics
    /// The targets have another shape, or the two are on different tapes.
    ///
    /// # Example
    /// ```
    /// use autograd::{KlDiv, Reduction, Tape};
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::<f32>::zeros([1, 2])).log_softmax(-1);
    /// let options = KlDiv { reduction: Reduction::BatchMean, ..KlDiv::default() };
    /// let loss = x.kl_div(&Tensor::from([[0.0, 1.0]]), options);
    /// assert!((loss.item() - 2.0_f32.ln()).abs() < 1e-6);
    /// ```
    #[track_caller]
    pub fn kl_div(self, target: impl Operand<'t, T>, options: KlDiv) -> Self {
        let target = targets("kl_div", self, target);
        let (x, t) = (self.value(), target.value());
        let (p, ln) = if options.log_target { (t.exp(), t) } else { (t.clone(), t.ln()) };
        // Where p is 0, its logarithm has no weight.
        let terms = (&p * (&ln - &x)).masked_fill(&p.eq(T::ZERO), T::ZERO);
        let baseline = match options.log_target {
            true => Baseline::Unknown,
            false => Baseline::Constant { targets: 1, distance: Distance::Divergence },
        };
        let record = self.record(Op::new("kl_div", Role::Loss { predictions: 0, baseline }), terms).joint(
            &[self, target],
            move |g, shares| {
                shares.give(1, || {
                    let slope = &ln - &x + T::ONE;
                    &g * if options.log_target { slope.masked_mul(&p) } else { slope }
                });
                shares.give(0, || -(g * &p));
            },
        );
        options.reduction.of(record.done())
    }

    /// The negative logarithm of the density of targets t under normal distributions with means x and variances v (Nix and Weigend, 1994,
    /// *Estimating the Mean and Variance of the Target Probability Distribution*): ½ (ln v + (x − t)²/v);
    /// x̄ = ȳ (x − t)/v = −t̄,  v̄ = ½ ȳ (1/v − (x − t)²/v²). The variances broadcast to the means.
    ///
    /// # Panics
    /// The targets have another shape, a variance is negative, the variances do not broadcast to the means, or the three are on different
    /// tapes.
    ///
    /// # Example
    /// ```
    /// use autograd::{GaussianNll, Tape};
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let (mean, variance) = (tape.leaf(Tensor::from([1.0, 3.0])), tape.leaf(Tensor::from([1.0, 1.0])));
    /// let loss = mean.gaussian_nll_loss(&Tensor::from([0.0, 3.0]), variance, GaussianNll::default());
    /// assert_eq!(loss.item(), 0.25);
    /// ```
    #[track_caller]
    pub fn gaussian_nll_loss(self, target: impl Operand<'t, T>, variance: Self, options: GaussianNll) -> Self {
        let target = targets("gaussian_nll_loss", self, target);
        let v = variance.value();
        let given = v.shape().clone();
        ensure!(
            broadcasts(given.dims(), self.shape().dims()),
            "gaussian_nll_loss: variances {given} do not broadcast to the means {}",
            self.shape()
        );
        if let Some(negative) = v.iter().find(|v| *v < T::ZERO) {
            panic!("gaussian_nll_loss: a variance is {}, but none may be negative", negative.to_f64());
        }
        let v = v.maximum(T::from_f64(options.eps));
        let (d, half) = (self.value() - target.value(), T::from_f64(0.5));
        let more = if options.full { 0.5 * std::f64::consts::TAU.ln() } else { 0.0 };
        let losses = (d.square() / &v + v.ln()) * half + T::from_f64(more);
        let baseline = Baseline::Constant { targets: 1, distance: Distance::Gaussian(more) };
        let record = self.record(Op::new("gaussian_nll_loss", Role::Loss { predictions: 0, baseline }), losses).joint(
            &[self, target, variance],
            move |g, shares| {
                shares.give(2, || {
                    let part = v.recip();
                    (&g * half * (&part - d.square() * part.square())).sum_to(&given)
                });
                let share = g * &d / &v;
                if shares.wants(1) {
                    shares.give(1, || -&share);
                }
                shares.give(0, || share);
            },
        );
        options.reduction.of(record.done())
    }

    /// Each vector along an axis, divided by its length: y = x / max(‖x‖, eps),  x̄ = (ȳ − y Σ ȳ y) / ‖x‖, and ȳ / eps for vectors that
    /// are no longer than eps. PyTorch's default eps is 1e-12.
    ///
    /// # Panics
    /// The axis is out of range.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// assert_eq!(tape.leaf(Tensor::from([3.0, 4.0])).normalize(0, 1e-12).value(), Tensor::from([0.6, 0.8]));
    /// ```
    #[track_caller]
    pub fn normalize(self, axis: isize, eps: f64) -> Self {
        let x = self.value();
        let length = x.norm(2.0, tensor::keepdim(axis));
        let least = T::from_f64(eps);
        let divisor = length.maximum(least);
        let y = x / &divisor;
        self.record("normalize", y.clone())
            .wrt(self, move |g| {
                let along = (&g * &y).sum(tensor::keepdim(axis)).masked_fill(&length.le(least), T::ZERO);
                (g - &y * along) / &divisor
            })
            .done()
    }

    /// The cosine of the angle between vectors along an axis, which is counted from the last if it is negative: the sum of products of
    /// both, [normalized](Self::normalize). The shapes broadcast. PyTorch's default eps is 1e-8.
    ///
    /// # Panics
    /// The shapes do not broadcast, the axis is out of range, or the two are on different tapes.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let (x, y) = (tape.leaf(Tensor::from([1.0, 0.0])), tape.leaf(Tensor::from([3.0, 4.0])));
    /// assert_eq!(x.cosine_similarity(y, 0, 1e-8).item(), 0.6);
    /// ```
    #[track_caller]
    pub fn cosine_similarity(self, other: impl Operand<'t, T>, axis: isize, eps: f64) -> Self {
        let other = other.into_operand(self.tape()).into_var(self.tape());
        let product = self.normalize(axis, eps) * other.normalize(axis, eps);
        product.sum(axis)
    }

    /// Of pairs of vectors along the last axis, alike if their label is 1 and different if it is −1: one less their
    /// [cosine](Self::cosine_similarity), or what that is above the margin. PyTorch's default margin is 0.
    ///
    /// # Panics
    /// The two have different shapes, there is not a label for each pair, one is neither 1 nor −1, or the two are on different tapes.
    ///
    /// # Example
    /// ```
    /// use autograd::{Reduction, Tape};
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let (x, y) = (tape.leaf(Tensor::from([[1.0, 0.0]])), tape.leaf(Tensor::from([[3.0, 4.0]])));
    /// let loss = |label| x.cosine_embedding_loss(y, &Tensor::from([label]), 0.0, Reduction::Mean).item();
    /// assert_eq!((loss(1.0), loss(-1.0)), (1.0 - 0.6, 0.6));
    /// ```
    #[track_caller]
    pub fn cosine_embedding_loss(
        self,
        other: impl Operand<'t, T>,
        labels: &Tensor<T>,
        margin: f64,
        reduction: Reduction,
    ) -> Self {
        let other = targets("cosine_embedding_loss", self, other);
        let shape = self.shape();
        let pairs = shape.dims().split_last().map_or(&[][..], |(_, pairs)| pairs);
        signs("cosine_embedding_loss", pairs, labels);
        let cosine = self.cosine_similarity(other, -1, 1e-8);
        // max(0, cos − margin) of those that differ, 1 − cos of those that are alike.
        let (alike, zero) = (labels.eq(T::ONE), T::ZERO);
        let over = (cosine.value() - T::from_f64(margin)).maximum(zero);
        let losses = alike.where_cond(&(-cosine.value() + T::ONE), &over);
        let role = Role::Loss { predictions: 0, baseline: Baseline::Unknown };
        let slope = alike.where_cond(-T::ONE, cosine.value().gt(T::from_f64(margin)).cast::<T>());
        let record = cosine.record(Op::new("cosine_embedding_loss", role), losses).wrt(cosine, move |g| g * &slope);
        reduction.of(record.done())
    }

    /// How far vectors along the last axis are from each other: ‖x − y + eps‖ₚ. The shapes broadcast. PyTorch's defaults are a p of 2 and an
    /// eps of 1e-6.
    ///
    /// # Panics
    /// The shapes do not broadcast, they have no axis, or the two are on different tapes.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let (x, y) = (tape.leaf(Tensor::from([[3.0, 0.0]])), tape.leaf(Tensor::from([[0.0, 4.0]])));
    /// assert_eq!(x.pairwise_distance(y, 2.0, 0.0).value(), Tensor::from([5.0]));
    /// ```
    #[doc(alias = "PairwiseDistance")]
    #[track_caller]
    pub fn pairwise_distance(self, other: impl Operand<'t, T>, p: f64, eps: f64) -> Self {
        let other = other.into_operand(self.tape()).into_var(self.tape());
        ensure!(
            self.shape().rank().max(other.shape().rank()) > 0,
            "pairwise_distance: needs vectors along the last axis, got {} and {}",
            self.shape(),
            other.shape()
        );
        (self - other + T::from_f64(eps)).norm(p, -1)
    }

    /// Of anchors, vectors along the last axis, one each that is alike, and another: how much nearer than the
    /// [distance](Self::pairwise_distance) of the one that is alike and a margin the other one is, max(0, d₊ − d₋ + margin) (Schroff et al.,
    /// 2015, *FaceNet: A Unified Embedding for Face Recognition and Clustering*).
    ///
    /// # Panics
    /// The three have different shapes, they have no axis, the margin is not above 0, or they are on different tapes.
    ///
    /// # Example
    /// ```
    /// use autograd::{Tape, TripletMargin};
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let anchor = tape.leaf(Tensor::from([[0.0, 0.0]]));
    /// let (alike, other) = (Tensor::from([[3.0, 4.0]]), Tensor::from([[0.0, 5.5]]));
    /// let options = TripletMargin { eps: 0.0, ..TripletMargin::default() };
    /// assert_eq!(anchor.triplet_margin_loss(&alike, &other, options).item(), 0.5);
    /// ```
    #[doc(alias = "TripletMarginLoss")]
    #[track_caller]
    pub fn triplet_margin_loss(
        self,
        positive: impl Operand<'t, T>,
        negative: impl Operand<'t, T>,
        options: TripletMargin,
    ) -> Self {
        let TripletMargin { margin, p, eps, swap, reduction } = options;
        ensure!(margin > 0.0, "triplet_margin_loss: the margin is {margin}, but must be above 0");
        let [positive, negative] =
            [targets("triplet_margin_loss", self, positive), targets("triplet_margin_loss", self, negative)];
        let mut farther = self.pairwise_distance(negative, p, eps);
        if swap {
            farther = farther.minimum(positive.pairwise_distance(negative, p, eps));
        }
        let nearer = self.pairwise_distance(positive, p, eps) - farther;
        let losses = (nearer.value() + T::from_f64(margin)).maximum(T::ZERO);
        let slope = nearer.value().gt(T::from_f64(-margin)).cast::<T>();
        // All vectors the same: of none is anything known.
        let role = Role::Loss { predictions: 0, baseline: Baseline::Value(margin) };
        let record = nearer.record(Op::new("triplet_margin_loss", role), losses).wrt(nearer, move |g| g * &slope);
        reduction.of(record.done())
    }

    /// The hinge of scores x with labels t of 1 and −1 (Cortes and Vapnik, 1995, *Support-Vector Networks*): max(0, 1 − t x) of each;
    /// x̄ = −ȳ t where t x < 1, else 0.
    ///
    /// # Panics
    /// The labels have another shape, or one is neither 1 nor −1.
    ///
    /// # Example
    /// ```
    /// use autograd::{Reduction, Tape};
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([0.5, 0.5]));
    /// assert_eq!(x.hinge_loss(&Tensor::from([1.0, -1.0]), Reduction::None).value(), Tensor::from([0.5, 1.5]));
    /// ```
    #[track_caller]
    pub fn hinge_loss(self, labels: &Tensor<T>, reduction: Reduction) -> Self {
        signs("hinge_loss", self.shape().dims(), labels);
        let role = Role::Loss { predictions: 0, baseline: Baseline::Value(1.0) };
        reduction.of(self.by_labels(Op::new("hinge_loss", role), labels, ElementwiseLoss::Hinge))
    }

    /// Of distances x of pairs, alike if their label is 1 and different if it is −1: x, or what it lacks of the margin, max(0, margin − x).
    /// PyTorch's default margin is 1; at it, the gradient is −ȳ, as there.
    ///
    /// # Panics
    /// The labels have another shape, or one is neither 1 nor −1.
    ///
    /// # Example
    /// ```
    /// use autograd::{Reduction, Tape};
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([0.25, 0.25]));
    /// let losses = x.hinge_embedding_loss(&Tensor::from([1.0, -1.0]), 1.0, Reduction::None);
    /// assert_eq!(losses.value(), Tensor::from([0.25, 0.75]));
    /// ```
    #[track_caller]
    pub fn hinge_embedding_loss(self, labels: &Tensor<T>, margin: f64, reduction: Reduction) -> Self {
        signs("hinge_embedding_loss", self.shape().dims(), labels);
        let role = Role::Loss { predictions: 0, baseline: Baseline::Unknown };
        let loss = ElementwiseLoss::HingeEmbedding { margin: T::from_f64(margin) };
        reduction.of(self.by_labels(Op::new("hinge_embedding_loss", role), labels, loss))
    }

    /// The loss of each element and its label.
    #[track_caller]
    fn by_labels(self, op: Op, labels: &Tensor<T>, loss: ElementwiseLoss<T>) -> Self {
        let (x, labels) = (self.value(), labels.clone());
        self.record(op, x.elementwise_loss(&labels, loss))
            .wrt(self, move |g| g * x.elementwise_loss_slope(&labels, loss))
            .done()
    }
}
