//! What does not count is left out, and not multiplied by 0: 0 · ∞ is NaN. And numbers at the ends of what a float can hold.

#![allow(clippy::cloned_ref_to_slice_refs, reason = "some calls have one input and others several")]

use autograd::{Attention, Bce, CrossEntropy, Id, KlDiv, NllLoss, Reduction, RunningWeight, Tape, Var};
use tensor::{Float, Tensor};

const INF: f64 = f64::INFINITY;

/// A value and the gradients of its sum with respect to each input.
fn pass<T: Float>(
    inputs: &[Tensor<f64>],
    f: impl for<'t> Fn(&[Var<'t, T>]) -> Var<'t, T>,
) -> (Vec<f64>, Vec<Vec<f64>>) {
    let tape = Tape::<T>::default();
    let leaves: Vec<_> = inputs.iter().map(|x| tape.leaf(x.cast())).collect();
    let y = f(&leaves);
    let gradients = y.backward_with(Tensor::ones(y.shape()));
    let of = |x: &Tensor<T>| x.cast::<f64>().to_vec();
    let zeros = |leaf: &Var<'_, T>| vec![0.0; leaf.shape().numel()];
    (of(&y.value()), leaves.iter().map(|leaf| gradients.get(*leaf).map_or_else(|| zeros(leaf), of)).collect())
}

/// Stamps a test for both floats.
macro_rules! for_floats {
    ($($name:ident<$T:ident> $body:block)*) => {$(
        #[test]
        fn $name() {
            fn of<$T: Float>() $body
            of::<f32>();
            of::<f64>();
        }
    )*};
}

for_floats! {
    bce_with_logits_is_right_at_infinity<T> {
        let none = Bce { reduction: Reduction::None, ..Bce::default() };
        let logits = Tensor::from([INF, -INF, INF, -INF, 0.0]);
        let targets = Tensor::from([1.0, 0.0, 0.0, 1.0, 1.0]);
        let ln_2 = T::from_f64(std::f64::consts::LN_2).to_f64();
        let (losses, slopes) = pass::<T>(&[logits.clone()], |x| x[0].bce_with_logits_loss_with(targets.cast(), none));
        assert_eq!(losses, [0.0, 0.0, INF, INF, ln_2]);
        assert_eq!(slopes[0], [0.0, 0.0, 1.0, -1.0, -0.5]);
        // Those of no weight, of one class too.
        let weight = Tensor::from([0.0, 0.0, 0.0, 0.0, 2.0]).cast::<T>();
        let weighted = Bce { weight: Some(&weight), ..none };
        let (losses, slopes) = pass::<T>(&[logits.clone(), targets.clone()], |x| x[0].bce_with_logits_loss_with(x[1], weighted));
        assert_eq!(losses, [0.0, 0.0, 0.0, 0.0, 2.0 * ln_2]);
        assert_eq!(slopes[0], [0.0, 0.0, 0.0, 0.0, -1.0]);
        assert_eq!(slopes[1][..4], [0.0; 4]);
        let positive = Tensor::from([3.0, 3.0, 3.0, 0.0, 3.0]).cast::<T>();
        let weighted = Bce { pos_weight: Some(&positive), ..none };
        let (losses, slopes) = pass::<T>(&[logits], |x| x[0].bce_with_logits_loss_with(targets.cast(), weighted));
        assert_eq!(losses[..4], [0.0, 0.0, INF, 0.0]);
        assert_eq!(slopes[0][..4], [0.0, 0.0, 1.0, 0.0]);
        // NaN is hidden by no weight but 0.
        let lost = Tensor::from([f64::NAN, f64::NAN]);
        let weight = Tensor::from([0.0, 1.0]).cast::<T>();
        let options = Bce { weight: Some(&weight), ..none };
        for with_logits in [true, false] {
            let (losses, slopes) = pass::<T>(&[lost.clone()], |x| match with_logits {
                true => x[0].bce_with_logits_loss_with(Tensor::ones([2]), options),
                false => x[0].bce_loss_with(Tensor::ones([2]), options),
            });
            assert_eq!((losses[0], slopes[0][0]), (0.0, 0.0));
            assert!(losses[1].is_nan() && slopes[0][1].is_nan());
        }
    }

    an_attention_bias_that_hides_all_leaves_nothing<T> {
        let [q, k, v] = [0, 1, 2].map(|seed| Tensor::from_fn([3, 2], |i| ((i[0] * 5 + i[1] * 3 + seed * 7) % 11) as f64 / 5.0 - 1.0));
        let bias = Tensor::from([[-INF, -INF, -INF], [0.5, -INF, 0.0], [0.0, 0.0, 0.0]]);
        let (y, slopes) = pass::<T>(&[q.clone(), k.clone(), v.clone(), bias.clone()], |x| {
            x[0].attention(x[1], x[2], Attention { bias: Some(x[3]), ..Attention::default() })
        });
        assert_eq!(y[..2], [0.0, 0.0]);
        assert!(y.iter().chain(slopes.iter().flatten()).all(|x| x.is_finite()), "{y:?} {slopes:?}");
        // What is hidden by the bias is what a mask hides.
        let mask = bias.isfinite();
        let open = bias.clone().masked_fill(&mask.logical_not(), 0.0);
        let (by_mask, of_mask) = pass::<T>(&[q, k, v, open], |x| {
            x[0].attention(x[1], x[2], Attention { mask: Some(&mask), bias: Some(x[3]), ..Attention::default() })
        });
        assert_eq!(y, by_mask);
        assert_eq!(slopes, of_mask);
    }

    rows_that_do_not_count_have_no_gradient<T> {
        for lost in [f64::NAN, INF, -INF] {
            let logits = Tensor::from([[lost, 0.0, 0.0], [0.0, 1.0, 0.0]]);
            let classes = Tensor::from([0, 1]);
            let weight = Tensor::from([0.0, 1.0, 1.0]).cast::<T>();
            for smoothing in [0.0, 0.1] {
                for (options, what) in [
                    (CrossEntropy { ignore_index: Some(0), label_smoothing: smoothing, ..CrossEntropy::default() }, "ignored"),
                    (CrossEntropy { weight: Some(&weight), label_smoothing: 0.0, ..CrossEntropy::default() }, "weightless"),
                ] {
                    let (loss, slopes) = pass::<T>(&[logits.clone()], |x| x[0].cross_entropy_with(&classes, options));
                    assert!(loss[0].is_finite(), "{what} {lost}: {loss:?}");
                    assert_eq!(slopes[0][..3], [0.0; 3], "{what} {lost} {smoothing}");
                    assert!(slopes[0][3..].iter().all(|x| x.is_finite() && *x != 0.0), "{what}: {slopes:?}");
                }
            }
            let targets = Tensor::from([[0.0, 0.0, 0.0], [0.0, 1.0, 0.0]]);
            let (loss, slopes) = pass::<T>(&[logits.clone()], |x| x[0].soft_cross_entropy(targets.cast(), CrossEntropy::default()));
            assert!(loss[0].is_finite() && slopes[0][..3] == [0.0; 3], "{lost}: {loss:?} {slopes:?}");
            let options = NllLoss { ignore_index: Some(0), ..NllLoss::default() };
            let (loss, slopes) = pass::<T>(&[logits], |x| x[0].nll_loss_with(&classes, options));
            assert!(loss[0].is_finite() && slopes[0][..3] == [0.0; 3], "{lost}: {loss:?} {slopes:?}");
        }
    }

    a_target_that_is_impossible_has_no_divergence<T> {
        let (x, t) = (Tensor::from([-1.0, -2.0]), Tensor::from([-INF, 0.0]));
        let options = KlDiv { log_target: true, reduction: Reduction::None };
        let (losses, slopes) = pass::<T>(&[x, t], |x| x[0].kl_div(x[1], options));
        assert_eq!((losses, slopes), (vec![0.0, 2.0], vec![vec![0.0, -1.0], vec![0.0, 3.0]]));
    }

    smooth_l1_is_l1_where_its_bend_is_below_the_float<T> {
        let (x, t) = (Tensor::from([0.0, 3.0, -1e-30, INF]), Tensor::<T>::zeros([4]));
        for beta in [1e-320, 1e-300, 1e-50, 1e-45, 1e-40, 1e-38, 1e-36] {
            let (losses, slopes) = pass::<T>(&[x.clone()], |x| x[0].smooth_l1_loss(t.clone(), beta, Reduction::None));
            let want = x.abs().cast::<T>().cast::<f64>().to_vec();
            for (got, want) in losses.iter().zip(&want) {
                assert!(got == want || (got - want).abs() <= 1e-5 * want, "{beta}: {got} and {want}");
            }
            assert_eq!(slopes[0], [0.0, 1.0, -1.0, 1.0], "{beta}");
        }
        // And all of it is the square where it bends nowhere.
        let (losses, slopes) = pass::<T>(&[Tensor::from([3.0, INF])], |x| x[0].huber_loss(Tensor::zeros([2]), INF, Reduction::None));
        assert_eq!((losses, slopes[0][0]), (vec![4.5, INF], 3.0));
    }

    an_infinite_gradient_goes_to_the_chosen_one_alone<T> {
        let x = Tensor::from([[1.0, 3.0, -3.0], [2.0, 2.0, 0.0]]);
        let grown = |y: Var<'_, T>| -> Vec<f64> {
            let tape = y.tape();
            let leaf = tape.vars().next().unwrap();
            let seed = Tensor::from([INF, 1.0]).cast::<T>();
            y.backward_with(seed).get(leaf).unwrap().cast::<f64>().to_vec()
        };
        let tape = Tape::<T>::default();
        assert_eq!(grown(tape.leaf(x.cast()).max(1)), [0.0, INF, 0.0, 0.5, 0.5, 0.0]);
        let tape = Tape::<T>::default();
        assert_eq!(grown(tape.leaf(x.cast()).min(1)), [0.0, 0.0, INF, 0.0, 0.0, 1.0]);
        let tape = Tape::<T>::default();
        assert_eq!(grown(tape.leaf(x.cast()).norm(INF, 1)), [0.0, INF, -INF, 0.5, 0.5, 0.0]);
        let tape = Tape::<T>::default();
        let y = tape.leaf(x.cast());
        let seed = Tensor::full([2, 3], T::from_f64(INF));
        let of_max = y.maximum(T::from_f64(2.5)).backward_with(seed.clone()).get(y).unwrap().cast::<f64>().to_vec();
        assert_eq!(of_max, [0.0, INF, 0.0, 0.0, 0.0, 0.0]);
        let clamped = y.clamp(T::ZERO, T::from_f64(2.5)).backward_with(seed).get(y).unwrap().cast::<f64>().to_vec();
        assert_eq!(clamped, [INF, 0.0, 0.0, INF, INF, 0.0]);
    }

    at_the_margin_there_is_no_gradient<T> {
        let signs = Tensor::full([2], -T::ONE);
        let (losses, slopes) = pass::<T>(&[Tensor::from([1.0, 0.5])], |x| x[0].hinge_embedding_loss(&signs, 1.0, Reduction::None));
        assert_eq!((losses, &slopes[0]), (vec![0.0, 0.5], &vec![0.0, -1.0]));
        // Two at right angles, whose cosine is 0.
        let (x, y) = (Tensor::from([[1.0, 0.0]]), Tensor::from([[0.0, 1.0]]));
        let signs = Tensor::full([1], -T::ONE);
        let (_, slopes) = pass::<T>(&[x, y], |x| x[0].cosine_embedding_loss(x[1], &signs, 0.0, Reduction::None));
        assert_eq!(slopes, [[0.0, 0.0], [0.0, 0.0]]);
    }

    weights_of_0_add_nothing<T> {
        let (id, w) = (Id::new(), Tensor::<T>::ones([2]));
        let pass = |by: f64| {
            let tape = Tape::<T>::default();
            (tape.named_leaf(id, &w) * tape.constant(Tensor::full([2], T::from_f64(by)))).sum(..).backward()
        };
        let mut sum = pass(1.0);
        sum.add_weighted(&pass(INF), 0.0);
        assert_eq!(sum.named(id), Some(&Tensor::ones([2])));
        let mut all = pass(INF);
        all.scale(0.0);
        assert_eq!(all.named(id), Some(&Tensor::zeros([2])));
    }

    running_averages_choose<T> {
        let id = Id::new();
        for lost in [f64::NAN, INF] {
            let run = |share: f64, found: [f64; 3]| {
                let mut state = Tensor::<T>::ones([1]);
                for found in found {
                    let tape = Tape::<T>::default();
                    tape.defer_running(id, RunningWeight::Momentum(share), Tensor::from([T::from_f64(found)]));
                    tape.updates().apply(id, &mut state);
                }
                state.item().to_f64()
            };
            assert_eq!((run(1.0, [lost, 2.0, 3.0]), run(0.0, [lost, 2.0, 3.0])), (3.0, 1.0));
            let mut state = Tensor::<T>::full([1], T::from_f64(lost));
            let tape = Tape::<T>::default();
            tape.defer_update(id, 0.0, Tensor::ones([1]));
            tape.updates().apply(id, &mut state);
            assert_eq!(state.item(), T::ONE);
        }
    }
}

/// Far from 0, by the true numbers: of 1000 + i/1000 the first is −7.5 / √21.25, if eps is not to count.
#[test]
fn norms_are_right_far_from_0() {
    type Norm = fn(Var<'_, f32>) -> Var<'_, f32>;
    fn ones<'t>(x: Var<'t, f32>, n: usize) -> [Var<'t, f32>; 2] {
        [Tensor::ones([n]), Tensor::zeros([n])].map(|w| x.tape().constant(w))
    }
    let norms: [(&str, [usize; 2], Norm); 3] = [
        ("layer", [1, 16], |x| {
            let [w, b] = ones(x, 16);
            x.layer_norm(w, b, 0.0)
        }),
        ("batch", [16, 1], |x| {
            let [w, b] = ones(x, 1);
            x.batch_norm(w, b, 0.0).0
        }),
        ("group", [1, 16], |x| {
            let [w, b] = ones(x, 16);
            x.group_norm(1, w, b, 0.0)
        }),
    ];
    for (offset, step) in [(1000.0, 1e-3), (-1000.0, 1e-3), (1e6, 1.0), (12345.0, 0.1), (0.0, 1e-3), (1e30, 1e24)] {
        let x = Tensor::from_fn([16], |i| (offset + i[0] as f64 * step) as f32);
        let wide = x.cast::<f64>();
        let (var, mean) = wide.var_mean(.., 0);
        let want = (&wide - mean) / var.sqrt();
        for (name, shape, norm) in &norms {
            let tape = Tape::new();
            let leaf = tape.leaf(x.reshape(*shape));
            let y = norm(leaf);
            let got = y.value().cast::<f64>().reshape([16]);
            let off = (&got - &want).abs().max(..).item();
            assert!(off < 2e-6, "{name} of {offset} + i {step}: {off}");
            // The gradient uses the same deviations.
            let seed = Tensor::from_fn([16], |i| ((i[0] * 5) % 7) as f64 - 3.0);
            let gradient =
                y.backward_with(seed.cast::<f32>().reshape(*shape)).get(leaf).unwrap().cast::<f64>().reshape([16]);
            let along = (&seed * &want).mean(..);
            let exact = (&seed - seed.mean(..) - &want * along) / var.sqrt();
            let off = ((&gradient - &exact).abs().max(..) / exact.abs().max(..)).item();
            assert!(off < 2e-6, "{name}'s gradient of {offset} + i {step}: {off}");
        }
    }
    // A constant is 0 deviations, however large.
    let tape = Tape::new();
    let x = tape.leaf(Tensor::full([1, 7], 1234.567_f32));
    let [w, b] = ones(x, 7);
    assert_eq!(x.layer_norm(w, b, 1e-5).value(), Tensor::zeros([1, 7]));
}
