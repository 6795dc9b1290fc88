//! Batch normalization as a layer, with its running statistics.

use autograd::{RunningWeight, Var};
use tensor::{Float, Shape, Tensor, ensure};

use super::of_size;
use crate::{Error, Layer, Param, module};

/// Batch normalization of `[N, C]`, `[N, C, L]`, `[N, C, H, W]`, … (Ioffe and Szegedy, 2015, *Batch Normalization: Accelerating Deep
/// Network Training by Reducing Internal Covariate Shift*): y = w (x − μ) / √(σ² + eps) + b for each of C channels.
///
/// The conventions are those of PyTorch's `nn.BatchNorm1d`, `2d` and `3d`, which are one layer here:
/// - In training, μ and σ² are those of the batch, σ² divided by its number n of values per channel, which must be at
///   least 2. The running statistics move towards them: r ← (1 − momentum) r + momentum · found. What the running variance
///   moves towards is the unbiased one, divided by n − 1.
/// - In evaluation, μ and σ² are the running statistics.
/// - It begins with w = 1, b = 0, a running mean of 0 and a running variance of 1; eps is 1e-5 and momentum 0.1.
///
/// The running statistics change when an optimizer makes its step, or by [`Module::apply`](crate::Module::apply); a layer
/// that is used twice in a pass moves them twice.
///
/// # Example
/// ```
/// use autograd::Tape;
/// use nn::{BatchNorm1d, Layer, Module};
/// use tensor::Tensor;
///
/// let mut norm = BatchNorm1d::new(2);
/// let x = Tensor::from([[1.0, 10.0], [3.0, 30.0]]);
/// let tape = Tape::new();
/// let y = norm.forward(tape.constant(x));
/// assert!(y.value().iter().all(|y| (y.abs() - 1.0).abs() < 1e-4));
/// norm.apply(&tape.updates());
/// assert_eq!(norm.running_mean.unwrap().value(), &Tensor::from([0.2, 2.0])); // a tenth of the way to [2, 20]
/// ```
#[doc(alias = "BatchNormalization")]
#[derive(Clone)]
pub struct BatchNorm1d<T: Float = f32> {
    /// w, `[C]`, if it is [affine](Self::without_affine)
    pub weight: Option<Param<T>>,
    /// b, `[C]`, if it is affine
    pub bias: Option<Param<T>>,
    /// What μ is in evaluation, `[C]`: state, if there are [running statistics](Self::without_running_statistics)
    pub running_mean: Option<Param<T>>,
    /// What σ² is in evaluation, `[C]`: state, if there are running statistics
    pub running_var: Option<Param<T>>,
    /// How many batches the running statistics are the mean of, a number: state, if they are
    /// [cumulative](Self::cumulative). Beyond 2²⁴ it is counted exactly, and rounded to the layer's float where it is read or saved.
    pub num_batches_tracked: Option<Param<T>>,
    channels: usize,
    channels_last: bool,
    synchronized: bool,
    momentum: f64,
    eps: f64,
}

/// [`BatchNorm1d`] of images `[N, C, H, W]`: the same layer.
pub type BatchNorm2d<T = f32> = BatchNorm1d<T>;

/// [`BatchNorm1d`] of volumes `[N, C, D, H, W]`: the same layer.
pub type BatchNorm3d<T = f32> = BatchNorm1d<T>;

module!(impl<T> BatchNorm1d<T> { weight, bias, running_mean, running_var, num_batches_tracked, .. });

of_size!(
    BatchNorm1d,
    /// A layer in f32 of `channels` channels. For another float there is [`try_new`](BatchNorm1d::try_new).
    ///
    /// # Panics
    /// There are more channels than memory can hold.
    channels
);

impl<T: Float> BatchNorm1d<T> {
    /// A layer for any float, such as `BatchNorm1d::<f64>::try_new(200)?`; see [`new`](BatchNorm1d::new).
    ///
    /// # Errors
    /// There are more channels than memory can hold.
    pub fn try_new(channels: usize) -> Result<Self, Error> {
        let shape = Shape::try_new(&[channels])?;
        let (zeros, ones) = (Tensor::try_full(&shape, T::ZERO)?, Tensor::try_full(&shape, T::ONE)?);
        Ok(BatchNorm1d {
            weight: Some(Param::new(ones.clone())),
            bias: Some(Param::new(zeros.clone())),
            running_mean: Some(Param::state(zeros)),
            running_var: Some(Param::state(ones)),
            num_batches_tracked: None,
            channels,
            channels_last: false,
            synchronized: false,
            momentum: 0.1,
            eps: 1e-5,
        })
    }

    /// Sets the momentum: how far the running statistics move towards those of a batch. 0 leaves them.
    ///
    /// # Errors
    /// It is not in 0..=1.
    pub fn with_momentum(self, momentum: f64) -> Result<Self, Error> {
        if (0.0..=1.0).contains(&momentum) {
            return Ok(BatchNorm1d { momentum, ..self });
        }
        Err(Error::Range { what: "the momentum of batch norm", value: momentum, rule: "in 0..=1" })
    }

    /// Makes the running statistics plain means over all batches so far: PyTorch's `momentum=None`.
    #[must_use]
    pub fn cumulative(self) -> Self {
        let count = self.running_mean.as_ref().map(|_| Param::counter());
        BatchNorm1d { num_batches_tracked: count, ..self }
    }

    /// Leaves out w and b: PyTorch's `affine=False`.
    #[doc(alias = "affine")]
    #[must_use]
    pub fn without_affine(self) -> Self {
        BatchNorm1d { weight: None, bias: None, ..self }
    }

    /// Leaves out the running statistics: in evaluation too, μ and σ² are those of the batch. PyTorch's
    /// `track_running_stats=False`.
    #[doc(alias = "track_running_stats")]
    #[must_use]
    pub fn without_running_statistics(self) -> Self {
        BatchNorm1d { running_mean: None, running_var: None, num_batches_tracked: None, ..self }
    }

    /// Takes the last axis as the channels, `[…, C]`: of a sequence `[N, L, C]` as of a batch `[N, C]`.
    #[must_use]
    pub fn channels_last(self) -> Self {
        BatchNorm1d { channels_last: true, ..self }
    }

    /// Goes by the statistics of the whole batch in training, where [ranks](crate::ranks) share it: each tells the others the sums of its
    /// shard, forward and backward. Each rank must have one shard then. Otherwise, the statistics are those of the shard. PyTorch's
    /// `SyncBatchNorm`.
    #[doc(alias = "SyncBatchNorm")]
    #[must_use]
    pub fn synchronized(self) -> Self {
        BatchNorm1d { synchronized: true, ..self }
    }

    /// Sets eps, which is added to the variance.
    ///
    /// # Errors
    /// It is negative or not finite.
    pub fn with_eps(self, eps: f64) -> Result<Self, Error> {
        Error::unless_at_least_0("the eps of batch norm", eps)?;
        Ok(BatchNorm1d { eps, ..self })
    }
}

impl<T: Float> Layer<T> for BatchNorm1d<T> {
    /// `[N, C, …]`, normalized, in the same shape; or `[…, C]`, with [channels last](Self::channels_last).
    ///
    /// # Panics
    /// The input has no axis 1, or another number of channels, or in training fewer than two values per channel.
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        let shape = x.shape();
        if self.channels_last {
            let width = shape.dims().last().copied();
            ensure!(
                width == Some(self.channels),
                "batch_norm: needs an input [..., {}], its channels last, got {shape}",
                self.channels
            );
            let rows = shape.numel() / self.channels.max(1);
            return self.normalized(x.reshape([rows, self.channels])).reshape(&shape);
        }
        ensure!(shape.rank() >= 2, "batch_norm: needs an input [N, C, ...], got {shape}");
        self.normalized(x)
    }
}

impl<T: Float> BatchNorm1d<T> {
    #[track_caller]
    fn normalized<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        const CALL: &str = "BatchNorm1d::forward";
        let (tape, shape) = (x.tape(), x.shape());
        let used = |param: &Option<Param<T>>, name: &str, otherwise: T| match param {
            Some(param) => param.used_by(CALL, name, tape),
            None => tape.constant(Tensor::full([self.channels], otherwise)),
        };
        let (weight, bias) = (used(&self.weight, "weight", T::ONE), used(&self.bias, "bias", T::ZERO));
        let running = self.running_mean.as_ref().zip(self.running_var.as_ref());
        if let Some((mean, var)) = running.filter(|_| !tape.is_training()) {
            let (mean, var) = (mean.used_by(CALL, "running_mean", tape), var.used_by(CALL, "running_var", tape));
            return x.batch_norm_by(mean, var, weight, bias, self.eps);
        }
        let mut n = shape.numel() / shape.dims()[1].max(1);
        if self.synchronized {
            // In two parts, which are exact in f32 too.
            const PART: usize = 1 << 12;
            let parts = Tensor::from_vec([n / PART, n % PART].map(|part| T::from_f64(part as f64)).into(), [2]);
            let sums = tape.constant(parts).sum_over_shards().value().to_vec();
            n = sums[0].to_f64() as usize * PART + sums[1].to_f64() as usize;
        }
        ensure!(
            n != 1,
            "batch_norm: {shape} has 1 value per channel: by the statistics of a batch, in training or where there are no running ones, it \
             needs at least 2; to predict a row, take `Tape::no_grad()` or `nn::predict`, which go by the running ones; `Batches::drop_last` leaves \
             out a last batch that is too small"
        );
        let (y, mean, var) = match self.synchronized {
            true => synchronized(x, weight, bias, n, self.eps),
            false => x.batch_norm(weight, bias, self.eps),
        };
        if let Some((running_mean, running_var)) = running {
            let n = n as f64;
            let share = match &self.num_batches_tracked {
                Some(count) => {
                    tape.defer_update(count.id(), 1.0, Tensor::scalar(T::ONE));
                    RunningWeight::Mean { seen: count.count() }
                }
                None => RunningWeight::Momentum(self.momentum),
            };
            tape.defer_running(running_mean.id(), share, mean);
            tape.defer_running(running_var.id(), share, var * T::from_f64(n / (n - 1.0)));
        }
        y
    }
}

/// As [`Var::batch_norm`], by the mean and the variance of n values per channel in all shards of the batch.
#[track_caller]
fn synchronized<'t, T: Float>(
    x: Var<'t, T>,
    weight: Var<'t, T>,
    bias: Var<'t, T>,
    n: usize,
    eps: f64,
) -> (Var<'t, T>, Tensor<T>, Tensor<T>) {
    let mut axes: Vec<isize> = (0..x.shape().rank() as isize).collect();
    axes.remove(1);
    let channels = x.shape().dims()[1];
    let mut by_channel = vec![1; x.shape().rank()];
    by_channel[1] = channels;
    let mean_of = |x: Var<'t, T>| x.sum(&axes[..]).sum_over_shards().scale(T::from_f64(1.0 / n as f64));
    let mean = mean_of(x);
    let centred = x - mean.reshape(&by_channel[..]);
    let var = mean_of(centred.square());
    let scale = (weight / (var + T::from_f64(eps)).sqrt()).reshape(&by_channel[..]);
    let y = centred * scale + bias.reshape(&by_channel[..]);
    (y, mean.value(), var.value())
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;
    use autograd::{Mode, Tape, check};
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    use super::*;
    use crate::Module;

    fn batch(seed: usize) -> Tensor<f64> {
        Tensor::from_fn([6, 3], |i| ((i[0] * 7 + i[1] * 5 + seed * 3) % 11) as f64 / 3.0)
    }

    #[test]
    fn its_gradients_are_right_in_training_and_in_evaluation() {
        let mut norm: BatchNorm1d<f64> = BatchNorm1d::try_new(3).unwrap();
        *norm.running_mean.as_mut().unwrap().value_mut() = Tensor::from([0.5, -1.0, 2.0]);
        *norm.running_var.as_mut().unwrap().value_mut() = Tensor::from([0.5, 2.0, 1.0]);
        *norm.weight.as_mut().unwrap().value_mut() = Tensor::from([1.5, -0.5, 1.0]);
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for mode in [Mode::Train, Mode::Eval] {
            for x in [batch(0), Tensor::from_fn([2, 3, 4], |i| ((i[0] * 5 + i[1] * 4 + i[2] * i[2]) % 7) as f64)] {
                let tape = || Tape::default().with_mode(mode);
                assert_eq!(check::gradients_on(tape, &[x], &mut rng, |x| norm.forward(x[0]).tanh()), Ok(()));
            }
        }
    }

    #[test]
    fn running_statistics_move_towards_those_of_the_batches() {
        let mut norm: BatchNorm1d<f64> = BatchNorm1d::try_new(3).unwrap().with_momentum(0.25).unwrap();
        let (mut mean, mut var) = (Tensor::zeros([3]), Tensor::ones([3]));
        let mut tape = Tape::default();
        for step in 0..4 {
            let before = norm.running_mean.as_ref().unwrap().value().clone();
            norm.forward(tape.constant(batch(step)));
            assert_eq!(norm.running_mean.as_ref().unwrap().value(), &before, "a pass changes nothing");
            norm.apply(&tape.updates());
            tape.reset();
            mean = &mean * 0.75 + batch(step).mean(0) * 0.25;
            var = &var * 0.75 + batch(step).var(0, 1) * 0.25;
            for (got, want) in [(&norm.running_mean, &mean), (&norm.running_var, &var)] {
                for (got, want) in got.as_ref().unwrap().value().iter().zip(want.iter()) {
                    assert_relative_eq!(got, want, max_relative = 1e-14);
                }
            }
        }
        // A pass that nobody applies leaves no trace in the next.
        norm.forward(tape.constant(batch(9)));
        tape.reset();
        assert!(tape.updates().is_empty());
    }

    #[test]
    fn cumulative_statistics_are_the_means_of_all_passes_however_they_are_applied() {
        let norm = || BatchNorm1d::<f64>::try_new(3).unwrap().cumulative();
        let of = |norm: &BatchNorm1d<f64>| {
            [&norm.running_mean, &norm.running_var].map(|p| p.as_ref().unwrap().value().clone())
        };
        fn pass<'t>(norm: &BatchNorm1d<f64>, tape: &'t Tape<f64>, seed: usize) -> Var<'t, f64> {
            norm.forward(tape.constant(batch(seed)))
        }
        let mean =
            |f: fn(Tensor<f64>) -> Tensor<f64>| (0..4).map(|seed| f(batch(seed))).reduce(|a, b| a + b).unwrap() / 4.0;
        let want = [mean(|x| x.mean(0)), mean(|x| x.var(0, 1))];
        // After each pass; two passes on a tape; and all four, as of micro-batches, before they are applied.
        for together in [1, 2, 4] {
            let mut norm = norm();
            let mut tape = Tape::default();
            for first in (0..4).step_by(together) {
                tape.reset();
                (first..first + together).for_each(|seed| omit(pass(&norm, &tape, seed)));
                norm.apply(&tape.updates());
            }
            assert!(of(&norm).iter().zip(&want).all(|(got, want)| got.allclose(want, 1e-14, 1e-14)), "{together}");
            assert_eq!(norm.num_batches_tracked.as_ref().unwrap().value().item(), 4.0);
        }
        let (mut norm, mut all) = (norm(), None);
        for seed in 0..4 {
            let mut gradients = pass(&norm, &Tape::default(), seed).sum(..).backward();
            if let Some(before) = all {
                gradients += before;
            }
            all = Some(gradients);
        }
        norm.apply(all.unwrap().updates());
        assert!(of(&norm).iter().zip(&want).all(|(got, want)| got.allclose(want, 1e-14, 1e-14)));
    }

    fn omit<X>(_: X) {}

    #[test]
    fn parts_may_be_left_out_and_channels_be_last() {
        let norm = || BatchNorm1d::<f64>::try_new(3).unwrap();
        let tape = Tape::default();
        let x = tape.constant(batch(1));
        let plain = norm().without_affine().without_running_statistics();
        assert_eq!((plain.parameter_count(), plain.state().len()), (0, 0));
        assert_eq!(plain.forward(x).value(), norm().forward(x).value());
        let eval = Tape::in_mode(Mode::Eval);
        assert_eq!(plain.forward(eval.constant(batch(1))).value(), norm().forward(x).value());
        let (sequence, last) = (x.reshape([2, 3, 3]), norm().channels_last());
        assert_eq!(last.forward(sequence).value(), norm().forward(x).value().reshape([2, 3, 3]));
        assert_eq!(last.forward(x).value(), norm().forward(x).value());
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        let norm = || BatchNorm1d::new(3);
        for bad in [-0.1, f64::NAN, 1.5] {
            assert!(norm().with_momentum(bad).is_err(), "{bad}");
        }
        for bad in [-1e-5, f64::NAN, f64::INFINITY] {
            assert!(norm().with_eps(bad).is_err(), "{bad}");
        }
        assert!(BatchNorm1d::<f32>::try_new(usize::MAX).is_err());
    }

    #[test]
    #[should_panic(expected = "batch_norm: needs an input [N, C, ...], got [3]")]
    fn an_input_of_another_rank_is_refused() {
        let norm = BatchNorm1d::new(3);
        norm.forward(Tape::new().constant(Tensor::zeros([3])));
    }
}
