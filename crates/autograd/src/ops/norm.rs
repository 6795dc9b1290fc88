//! Normalizing the features of a batch, or of an example. All gradients use the sums over the elements that are normalized
//! together: so there is one joint pullback.

use tensor::{Float, Shape, Tensor, ensure, keepdim};

use crate::{Op, Role, Var};

/// The weight and the bias come after the input.
const FEATURES: Role = Role::Normalizing { weight: 1, bias: Some(2) };
const CHANNELS: Role = Role::NormalizingChannels { weight: 1, bias: 2 };

impl<T: Float> Var<'_, T> {
    /// Batch normalization of `[N, C, …]` by the statistics of the batch itself, with a weight and a bias of `[C]`
    /// (Ioffe and Szegedy, 2015, *Batch Normalization*). Also returns these: each channel's mean and variance.
    ///
    /// y = w x̂ + b with x̂ = (x − μ) / √(σ² + eps), where μ and σ² are over all axes but 1, and σ² is divided by their
    /// number of elements n. No x is so large or so small that x̂ is lost, though the variance that is returned may be ∞ or 0.
    ///
    /// b̄ = Σ ȳ,  w̄ = Σ ȳ x̂,  x̄ = w (ȳ − b̄/n − x̂ w̄/n) / √(σ² + eps): the statistics depend on x too.
    ///
    /// # Panics
    /// The input has fewer than two axes or fewer than two values per channel, the weight or the bias is not `[C]`, or the
    /// three are on different tapes.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.constant(Tensor::from([[1.0, 10.0], [3.0, 30.0]]));
    /// let (weight, bias) = (tape.leaf(Tensor::ones([2])), tape.leaf(Tensor::zeros([2])));
    /// let (y, mean, var) = x.batch_norm(weight, bias, 0.0);
    /// assert_eq!(y.value(), Tensor::from([[-1.0, -1.0], [1.0, 1.0]]));
    /// assert_eq!((mean, var), (Tensor::from([2.0, 20.0]), Tensor::from([1.0, 100.0])));
    /// ```
    #[track_caller]
    pub fn batch_norm(self, weight: Self, bias: Self, eps: f64) -> (Self, Tensor<T>, Tensor<T>) {
        let (x, w, b) = (self.value(), weight.value(), bias.value());
        let Channels { axes, wide, n } = Channels::of("batch_norm", x.shape(), &[("weight", &w), ("bias", &b)]);
        ensure!(
            n >= 2,
            "batch_norm: {} has {n} values per channel: by the statistics of a batch, in training or where there are no running ones, it \
             needs at least 2",
            x.shape()
        );
        let of_batch = Standardized::new(x, &axes, eps);
        let (var, mean) = (of_batch.var.clone(), of_batch.mean.clone());
        let y = of_batch.affine(&w.reshape(&wide), &b.reshape(&wide));
        let share = T::from_f64(1.0 / n as f64);
        let record = self.record(Op::new("batch_norm", CHANNELS), y).joint(&[self, weight, bias], move |g, shares| {
            let normal = of_batch.normal();
            let (b, w_share) = (g.sum(&axes[..]), (&g * &normal).sum(&axes[..]));
            shares.give(0, || {
                let [mean, along] = [&b, &w_share].map(|sum| (sum * share).reshape(&wide));
                let slope = w.reshape(&wide) * &of_batch.rstd;
                g.centered(&mean, &normal, &along, &slope)
            });
            shares.give(1, || w_share);
            shares.give(2, || b);
        });
        (record.done(), mean.reshape(b.shape()), var.reshape(b.shape()))
    }

    /// Batch normalization of `[N, C, …]` by given statistics of `[C]`, such as the running ones of an evaluation: each
    /// element by itself.
    ///
    /// y = w x̂ + b with x̂ = (x − μ) r and r = 1 / √(σ² + eps), for the mean μ and the variance σ². Where that is ∞, as the variance of
    /// f32 beyond 1e19 is, x̂ is 0.
    ///
    /// b̄ = Σ ȳ,  w̄ = Σ ȳ x̂,  x̄ = ȳ w r,  μ̄ = −b̄ w r,  σ̄² = −½ w̄ w r².
    ///
    /// # Panics
    /// The input has fewer than two axes, one of the others is not `[C]`, or they are on different tapes.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::no_grad();
    /// let x = tape.constant(Tensor::from([[1.0, 30.0]]));
    /// let [mean, var, weight, bias] =
    ///     [[2.0, 20.0], [1.0, 100.0], [1.0, 1.0], [0.0, 0.0]].map(|x| tape.constant(Tensor::from(x)));
    /// let y = x.batch_norm_by(mean, var, weight, bias, 0.0);
    /// assert_eq!(y.value(), Tensor::from([[-1.0, 1.0]]));
    /// ```
    #[track_caller]
    pub fn batch_norm_by(self, mean: Self, var: Self, weight: Self, bias: Self, eps: f64) -> Self {
        let (x, w) = (self.value(), weight.value());
        let rest = [("mean", &mean.value()), ("variance", &var.value()), ("weight", &w), ("bias", &bias.value())];
        let Channels { axes, wide, .. } = Channels::of("batch_norm_by", x.shape(), &rest);
        let rstd = (var.value() + T::from_f64(eps)).rsqrt();
        let [center, factor, weights, biases] = [&mean.value(), &rstd, &w, &bias.value()].map(|x| x.reshape(&wide));
        let y = x.normalized(&center, &factor, &weights, &biases);
        let half = T::from_f64(-0.5);
        // Statistics of the batch stand between its input and its weight.
        self.record(Op::new("batch_norm_by", Role::NormalizingChannels { weight: 3, bias: 4 }), y)
            .joint(&[self, mean, var, weight, bias], move |g, shares| {
                let normal = x.standardized(&center, &factor);
                let (b, w_share, slope) = (g.sum(&axes[..]), (&g * &normal).sum(&axes[..]), &w * &rstd);
                shares.give(0, || g * slope.reshape(&wide));
                shares.give(1, || -(&b * &slope));
                shares.give(2, || &w_share * &slope * &rstd * half);
                shares.give(3, || w_share);
                shares.give(4, || b);
            })
            .done()
    }

    /// Layer normalization: each example by the statistics of its own last axes, with a weight and a bias of the shape of these
    /// axes (Ba, Kiros and Hinton, 2016, *Layer Normalization*). In training and in evaluation alike.
    ///
    /// y = w x̂ + b with x̂ = (x − μ) r and r = 1 / √(σ² + eps), where μ and σ² are over the axes of the weight, and σ² is divided
    /// by their number of elements n.
    ///
    /// With ĝ = ȳ w:  x̄ = r (ĝ − Σ ĝ/n − x̂ Σ ĝ x̂/n), summed over these axes;  w̄ = Σ ȳ x̂ and b̄ = Σ ȳ, over all others.
    ///
    /// # Panics
    /// The weight is a scalar, the input's last axes are not those of the weight, the bias has another shape, or the three are
    /// on different tapes.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.constant(Tensor::from([[1.0, 3.0], [10.0, 30.0]]));
    /// let (weight, bias) = (tape.leaf(Tensor::ones([2])), tape.leaf(Tensor::zeros([2])));
    /// assert_eq!(x.layer_norm(weight, bias, 0.0).value(), Tensor::from([[-1.0, 1.0], [-1.0, 1.0]]));
    /// ```
    #[track_caller]
    pub fn layer_norm(self, weight: Self, bias: Self, eps: f64) -> Self {
        let (x, w, b) = (self.value(), weight.value(), bias.value());
        let (rank, inner) = (x.rank(), w.rank());
        ensure!(
            inner > 0 && x.dims().ends_with(w.dims()) && b.dims() == w.dims(),
            "layer_norm: the input {} needs a weight and a bias of the shape of its last axes, got {} and {}",
            x.shape(),
            w.shape(),
            b.shape()
        );
        let (examples, features) = ends(rank, inner);
        let of_example = Standardized::new(x, &features, eps);
        let y = of_example.affine(&w, &b);
        self.record(Op::new("layer_norm", FEATURES), y)
            .joint(&[self, weight, bias], move |g, shares| {
                let normal = of_example.normal();
                let along = &g * &normal;
                shares.give(0, || {
                    let rstd = &of_example.rstd;
                    let [mean, along] = [&g, &along].map(|x| mean_of_products(x, &w, rstd));
                    g.weighted_centered(&w, &mean, &normal, &along, rstd)
                });
                shares.give(1, || along.sum(&examples[..]));
                shares.give(2, || g.sum(&examples[..]));
            })
            .done()
    }

    /// Normalization by the root mean square of the last axes, with a weight of the shape of these axes and no bias (Zhang and Sennrich,
    /// 2019, *Root Mean Square Layer Normalization*). In training and in evaluation alike.
    ///
    /// y = w x̂ with x̂ = x r and r = 1 / √(Σ x²/n + eps), summed over the n elements of these axes. PyTorch's default eps is the float's
    /// distance from 1 to the next number.
    ///
    /// With ĝ = ȳ w:  x̄ = r (ĝ − x̂ Σ ĝ x̂/n), summed over these axes;  w̄ = Σ ȳ x̂, over all others.
    ///
    /// # Panics
    /// The weight is a scalar, the input's last axes are not those of the weight, or the two are on different tapes.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.constant(Tensor::from([[1.0, -1.0], [10.0, 10.0]]));
    /// let weight = tape.leaf(Tensor::ones([2]));
    /// assert_eq!(x.rms_norm(weight, 0.0).value(), Tensor::from([[1.0, -1.0], [1.0, 1.0]]));
    /// ```
    #[track_caller]
    pub fn rms_norm(self, weight: Self, eps: f64) -> Self {
        let (x, w) = (self.value(), weight.value());
        let (rank, inner) = (x.rank(), w.rank());
        ensure!(
            inner > 0 && x.dims().ends_with(w.dims()),
            "rms_norm: the input {} needs a weight of the shape of its last axes, got {}",
            x.shape(),
            w.shape()
        );
        let (examples, features) = ends(rank, inner);
        let (normal, rstd) = by_root_mean_square(x, &features, eps);
        self.record(Op::new("rms_norm", Role::Normalizing { weight: 1, bias: None }), &normal * &w)
            .joint(&[self, weight], move |g, shares| {
                shares.give(0, || {
                    let g = &g * &w;
                    let along = (&g * &normal).mean(keepdim(&features[..]));
                    (g - &normal * along) * &rstd
                });
                shares.give(1, || (g * &normal).sum(&examples[..]));
            })
            .done()
    }

    /// Normalization of `[N, C, …]` by the statistics of each example's groups of C / `groups` channels, with a weight and a bias of `[C]`
    /// (Wu and He, 2018, *Group Normalization*). With as many groups as channels it is instance normalization.
    ///
    /// y = w x̂ + b with x̂ = (x − μ) r and r = 1 / √(σ² + eps), where μ and σ² are over the n elements of a group, and σ² is divided by n.
    ///
    /// With ĝ = ȳ w:  x̄ = r (ĝ − Σ ĝ/n − x̂ Σ ĝ x̂/n), summed over the group;  w̄ = Σ ȳ x̂ and b̄ = Σ ȳ, over all axes but the channels'.
    ///
    /// # Panics
    /// The input has fewer than two axes, `groups` does not divide the number of channels, the weight or the bias is not `[C]`, or the
    /// three are on different tapes.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.constant(Tensor::from([[1.0, 3.0, 10.0, 30.0]]));
    /// let (weight, bias) = (tape.leaf(Tensor::ones([4])), tape.leaf(Tensor::zeros([4])));
    /// assert_eq!(x.group_norm(2, weight, bias, 0.0).value(), Tensor::from([[-1.0, 1.0, -1.0, 1.0]]));
    /// ```
    #[track_caller]
    pub fn group_norm(self, groups: usize, weight: Self, bias: Self, eps: f64) -> Self {
        let (x, w, b) = (self.value(), weight.value(), bias.value());
        let Channels { axes, wide, .. } = Channels::of("group_norm", x.shape(), &[("weight", &w), ("bias", &b)]);
        let (examples, channels) = (x.dims()[0], x.dims()[1]);
        ensure!(
            groups > 0 && channels.is_multiple_of(groups),
            "group_norm: {groups} groups do not divide the {channels} channels of {}",
            x.shape()
        );
        let shape = x.shape().clone();
        let size = shape.dims()[1..].iter().product::<usize>() / groups;
        let by_group = [examples, groups, size];
        let of_group = Standardized::new(x.reshape(by_group), &[2], eps);
        let (normal, rstd) = (of_group.normal(), of_group.rstd);
        let y = normal.reshape(&shape).affine(&w.reshape(&wide), &b.reshape(&wide));
        self.record(Op::new("group_norm", CHANNELS), y)
            .joint(&[self, weight, bias], move |g, shares| {
                shares.give(0, || {
                    let g = (&g * w.reshape(&wide)).reshape(by_group);
                    let share = T::from_f64(1.0 / size as f64);
                    let [mean, along] = [&g, &(&g * &normal)].map(|x| x.sum(keepdim(2)) * share);
                    g.centered(&mean, &normal, &along, &rstd).reshape(&shape)
                });
                shares.give(1, || (&g * normal.reshape(&shape)).sum(&axes[..]));
                shares.give(2, || g.sum(&axes[..]));
            })
            .done()
    }
}

/// The axes before the last `inner`, and these.
fn ends(rank: usize, inner: usize) -> (Vec<isize>, Vec<isize>) {
    ((0..(rank - inner) as isize).collect(), ((rank - inner) as isize..rank as isize).collect())
}

/// Σ x w/n, summed over the n elements of the last axes, those of w; in the shape of `wide`, which has them with a size of 1.
fn mean_of_products<T: Float>(x: &Tensor<T>, w: &Tensor<T>, wide: &Tensor<T>) -> Tensor<T> {
    let (examples, n) = (wide.numel(), w.numel());
    (x.reshape([examples, n]).matmul(&w.reshape(n)) * T::from_f64(1.0 / n as f64)).reshape(wide.shape())
}

/// x̂ = (x − μ) r with r = 1 / √(σ² + eps), which is computed where it is read. The statistics keep the axes that they are over, with a
/// size of 1.
struct Standardized<T: Float> {
    /// In a unit in which all of it is in range, with its own mean and r.
    x: Tensor<T>,
    center: Tensor<T>,
    factor: Tensor<T>,
    /// x̂, where it is not simply that.
    far: Option<Tensor<T>>,
    rstd: Tensor<T>,
    var: Tensor<T>,
    mean: Tensor<T>,
}

impl<T: Float> Standardized<T> {
    fn new(x: Tensor<T>, axes: &[isize], eps: f64) -> Self {
        let (var, mean) = x.var_mean(keepdim(axes), 0);
        let shifted = &var + T::from_f64(eps);
        let (x, near, center, factor, rstd) = if shifted.iter().all(in_range) {
            let rstd = shifted.rsqrt();
            (x, var.clone(), mean.clone(), rstd.clone(), rstd)
        } else {
            let scale = scale(&shifted, &x.std(keepdim(axes), 0));
            let x = x * &scale;
            let (near, center) = x.var_mean(keepdim(axes), 0);
            let factor = (&near + scaled(eps, &scale)).rsqrt();
            let rstd = &factor * scale;
            (x, near, center, factor, rstd)
        };
        let far = far(&x, &center, &near, &factor, axes);
        Standardized { x, center, factor, far, rstd, var, mean }
    }

    fn normal(&self) -> Tensor<T> {
        self.far.clone().unwrap_or_else(|| self.x.standardized(&self.center, &self.factor))
    }

    /// x̂ w + b
    fn affine(&self, w: &Tensor<T>, b: &Tensor<T>) -> Tensor<T> {
        match &self.far {
            Some(normal) => normal.affine(w, b),
            None => self.x.normalized(&self.center, &self.factor, w, b),
        }
    }
}

/// (x − μ) r, if the numbers are so far from 0 that the mean is rounded by more than they differ: what the deviations then have in common
/// is taken from them too.
fn far<T: Float>(
    x: &Tensor<T>,
    mean: &Tensor<T>,
    var: &Tensor<T>,
    rstd: &Tensor<T>,
    axes: &[isize],
) -> Option<Tensor<T>> {
    /// Beyond this many standard deviations, the square of a mean is rounded by 4 ulp of a deviation.
    const FAR: f64 = 64.0;
    let is_far = |(mean, var): (T, T)| mean.to_f64() * mean.to_f64() > FAR * var.to_f64();
    let far: Vec<bool> = mean.iter().zip(var.iter()).map(is_far).collect();
    if !far.contains(&true) {
        return None;
    }
    let x = x - mean;
    let near = Tensor::from_slice(&far).logical_not().reshape(mean.shape());
    let rest = x.mean(keepdim(axes)).masked_fill(&near, T::ZERO);
    Some((x - rest) * rstd)
}

/// x̂ = x r with r = 1 / √(x² + eps), the mean of x² being over the axes; and r, which keeps these with a size of 1.
fn by_root_mean_square<T: Float>(x: Tensor<T>, axes: &[isize], eps: f64) -> (Tensor<T>, Tensor<T>) {
    let shifted = x.square().mean(keepdim(axes)) + T::from_f64(eps);
    if shifted.iter().all(in_range) {
        let rstd = shifted.rsqrt();
        return (x * &rstd, rstd);
    }
    let norm = x.norm(2.0, keepdim(axes));
    let scale = scale(&shifted, &(&norm / T::from_f64((x.numel() as f64 / norm.numel() as f64).sqrt())));
    let x = x * &scale;
    let rstd = (x.square().mean(keepdim(axes)) + scaled(eps, &scale)).rsqrt();
    (x * &rstd, rstd * scale)
}

fn in_range<T: Float>(x: T) -> bool {
    x >= T::MIN_POSITIVE && x < T::INFINITY
}

/// Where a square is no normal number, its root is one. What is normalized by it is brought near 1 first, by a power of two.
fn scale<T: Float>(square: &Tensor<T>, root: &Tensor<T>) -> Tensor<T> {
    let most = 1.0 / T::MIN_POSITIVE.to_f64();
    square.zip(root, |square, root| match in_range(square) || root == T::ZERO || !root.is_finite() {
        true => T::ONE,
        false => T::from_f64(power_of_two((1.0 / root.to_f64()).clamp(1.0 / most, most))),
    })
}

/// eps beside a square of what was multiplied by `scale`.
fn scaled<T: Float>(eps: f64, scale: &Tensor<T>) -> Tensor<T> {
    scale.map(|scale| T::from_f64(eps * scale.to_f64() * scale.to_f64()))
}

/// That at or below a normal number.
fn power_of_two(x: f64) -> f64 {
    f64::from_bits(x.to_bits() & f64::INFINITY.to_bits())
}

/// How an input `[N, C, …]` is normalized.
struct Channels {
    /// All axes but that of the channels.
    axes: Vec<isize>,
    /// What is `[C]`, so that it broadcasts to the input.
    wide: Vec<usize>,
    /// Values per channel.
    n: usize,
}

impl Channels {
    #[track_caller]
    fn of<T: Float>(op: &str, x: &Shape, others: &[(&str, &Tensor<T>)]) -> Self {
        ensure!(x.rank() >= 2, "{op}: needs an input [N, C, …], got {x}");
        let channels = x.dims()[1];
        for (name, other) in others {
            ensure!(
                other.dims() == [channels],
                "{op}: the input {x} needs a {name} of [{channels}], got {}",
                other.shape()
            );
        }
        let mut wide = vec![1; x.rank() - 1];
        wide[0] = channels;
        Channels {
            axes: (0..x.rank() as isize).filter(|&axis| axis != 1).collect(),
            wide,
            n: x.dims().iter().enumerate().filter(|&(axis, _)| axis != 1).map(|(_, &size)| size).product(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tape;

    #[test]
    #[should_panic(
        expected = "layer_norm: the input [4, 3] needs a weight and a bias of the shape of its last axes, got [4] and [4]"
    )]
    fn a_weight_of_the_first_axis_is_refused() {
        let tape = Tape::new();
        let leaf = |dims: &[usize]| tape.leaf(Tensor::zeros(dims));
        let _ = leaf(&[4, 3]).layer_norm(leaf(&[4]), leaf(&[4]), 1e-5);
    }

    #[test]
    fn by_its_own_statistics_both_are_the_same() {
        let tape = Tape::default();
        let x = tape.constant(Tensor::from_fn([5, 3], |i| ((i[0] * 7 + i[1] * 5) % 11) as f64));
        let leaf = |x: [f64; 3]| tape.leaf(Tensor::from(x));
        let (weight, bias) = (leaf([1.0, -2.0, 0.5]), leaf([0.0, 3.0, 1.0]));
        let (y, mean, var) = x.batch_norm(weight, bias, 1e-5);
        let [mean, var] = [mean, var].map(|x| tape.constant(x));
        assert_eq!(y.value(), x.batch_norm_by(mean, var, weight, bias, 1e-5).value());
    }

    /// Of an input, a weight and a bias.
    type Norm<T> = for<'t> fn(Var<'t, T>, Var<'t, T>, Var<'t, T>) -> Var<'t, T>;

    /// What a norm makes of `x`, and the gradients of `x` and of the weight for one that varies.
    fn both_ways<T: Float>(x: &Tensor<T>, norm: Norm<T>) -> [Tensor<f64>; 3] {
        let tape = Tape::default();
        let x = tape.leaf(x.clone());
        let [weight, bias] = [Tensor::ones([3]), Tensor::zeros([3])].map(|x| tape.leaf(x));
        let y = norm(x, weight, bias);
        let seed = Tensor::from_fn(y.shape(), |i| T::from_f64(((i[0] * 5 + i[1] * 3) % 7) as f64 - 2.5));
        let gradients = y.backward_with(seed);
        [y.value(), gradients.get(x).unwrap().clone(), gradients.get(weight).unwrap().clone()].map(|x| x.cast())
    }

    #[test]
    fn no_scale_is_so_large_or_so_small_that_its_deviations_are_lost() {
        fn check<T: Float>(scales: &[f64], epsilon: f64) {
            let pattern = Tensor::from([[1.0, -0.5, 0.25], [-0.5, 0.25, 1.0], [0.25, 1.0, -1.0], [0.75, 0.5, 0.125]]);
            let norms: [Norm<T>; 2] = [|x, w, b| x.batch_norm(w, b, 0.0).0, |x, w, b| x.layer_norm(w, b, 0.0)];
            for norm in norms {
                let [y, x_bar, w_bar] = both_ways(&pattern.cast::<T>(), norm);
                for &scale in scales {
                    let scaled = both_ways(&(&pattern * scale).cast::<T>(), norm);
                    assert!(scaled[0].allclose(&y, 0.0, epsilon), "{scale:e}: {:?}", scaled[0]);
                    assert!(scaled[2].allclose(&w_bar, 0.0, epsilon * 10.0), "{scale:e}: {:?}", scaled[2]);
                    // x̄ is as small as x is large. The least numbers have few digits.
                    let want = (&x_bar / scale).cast::<T>().cast::<f64>();
                    let least = T::MIN_POSITIVE.to_f64() * T::EPSILON.to_f64();
                    let off = epsilon * want.abs().max(..).item() + 8.0 * least;
                    assert!(scaled[1].allclose(&want, 0.0, off), "{scale:e}: {:?}", scaled[1]);
                }
                // One channel or example of each scale; eps counts where it is not small.
                let mixed = Tensor::from([[1e30, 1.0, -1e30], [1.0, 1e-3, 2.0], [1e30, 2.0, 3e30]]).cast::<T>();
                let [y, ..] = both_ways(&mixed, norm);
                assert!(y.iter().all(f64::is_finite), "{y:?}");
                assert!(y.max(..).item() > 1.2 && y.min(..).item() < -1.2, "{y:?}");
            }
        }
        check::<f32>(&[1e-37, 1e-30, 1e-25, 1e-20, 1e-18, 1e18, 1e20, 1e25, 1e30, 3e38], 1e-6);
        check::<f64>(&[1e-300, 1e-200, 1e-160, 1e-30, 1e30, 1e160, 1e200, 1.7e308], 1e-14);
    }

    #[test]
    fn eps_counts_where_it_is_not_small_and_one_number_has_no_deviation() {
        let tape = Tape::new();
        let [weight, bias] = [Tensor::ones([2]), Tensor::zeros([2])].map(|x| tape.leaf(x));
        let of = |x: [[f32; 2]; 2], eps| tape.leaf(Tensor::from(x)).layer_norm(weight, bias, eps).value();
        // (1e-10 / √(1e-20 + 1e-10)) ≈ 1e-5, beside an example that is far larger.
        let y = of([[1e-10, -1e-10], [1e30, -1e30]], 1e-10);
        assert!(y.allclose(&Tensor::from([[1e-5, -1e-5], [1.0, -1.0]]), 1e-6, 0.0), "{y:?}");
        assert_eq!(of([[1e30, 1e30], [0.0, 0.0]], 1e-5), Tensor::zeros([2, 2]));
        assert!(of([[2.0, 2.0], [0.0, 0.0]], 0.0).isnan().all(..).item());
        assert!(of([[f32::NAN, 2.0], [f32::INFINITY, 0.0]], 0.0).isnan().all(..).item());
    }

    #[test]
    #[should_panic(
        expected = "batch_norm: [1, 3] has 1 values per channel: by the statistics of a batch, in training or where"
    )]
    fn a_single_example_has_no_variance() {
        let tape = Tape::new();
        let [w, b] = [1.0, 0.0].map(|x| tape.leaf(Tensor::full([3], x)));
        let _ = tape.leaf(Tensor::zeros([1, 3])).batch_norm(w, b, 1e-5);
    }

    #[test]
    #[should_panic(expected = "batch_norm: the input [4, 3] needs a bias of [3], got [4]")]
    fn a_bias_of_another_size_is_refused() {
        let tape = Tape::new();
        let leaf = |dims: &[usize]| tape.leaf(Tensor::zeros(dims));
        let _ = leaf(&[4, 3]).batch_norm(leaf(&[3]), leaf(&[4]), 1e-5);
    }
}
