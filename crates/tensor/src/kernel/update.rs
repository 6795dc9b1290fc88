//! One step of an optimizer over the elements of a weight: each rule's formula, and the one loop that runs them.

#![allow(unreachable_pub, reason = "re-exported at the root, or in the trait that keeps the public `Float` sealed")]

use super::isa::kernel;
use crate::kernel::Real;

/// What an optimizer does to one element, with N numbers that it keeps for it from step to step.
pub trait Step<T, const N: usize>: Sync {
    /// Which of the numbers is a sum or a mean of squares, which a large gradient makes infinite.
    const SQUARE: Option<usize> = None;

    /// The element after the step, and what is kept of it.
    fn step(&self, w: T, g: T, kept: [T; N]) -> (T, [T; N]);
}

/// One step of an optimizer over a weight w with the gradient g, element by element and in one pass: what
/// [`Tensor::update`](crate::Tensor::update) carries out.
///
/// Each variant has the formula that a family of optimizers has in common. What depends on the number of the step, such
/// as a correction of bias, is in its coefficients, which the optimizer computes. `l2` λ adds λ w to the gradient
/// first: weight decay by the loss. Where a formula squares it, a finite gradient is taken to be no larger than the root of the largest
/// number, 1.8e19 in f32: its square would be infinite, and the weight not move again.
/// `decay` is what w is multiplied by first: 1, or 1 − lr · λ, which is weight decay apart from the loss (Loshchilov and Hutter, 2019,
/// *Decoupled Weight Decay Regularization*).
///
/// # Example
/// ```
/// use tensor::{Tensor, Update};
///
/// let mut w = Tensor::from([3.0, -1.0]);
/// w.update(&Tensor::from([2.0, 2.0]), &mut [], Update::Descent { lr: 0.5, l2: 0.0 });
/// assert_eq!(w, Tensor::from([2.0, -2.0]));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Update<T> {
    /// w ← w − lr · (g + l2 · w). Nothing is kept.
    Descent {
        /// The learning rate.
        lr: T,
        /// λ
        l2: T,
    },
    /// m ← momentum · m + (1 − dampening) · g; w ← w − lr · m, or, by Nesterov, w − lr · (g + momentum · m). Kept: m.
    Momentum {
        /// The learning rate.
        lr: T,
        /// λ
        l2: T,
        /// Decay rate of m.
        momentum: T,
        /// What of g is added to m: 1 − dampening.
        one_minus_dampening: T,
        /// Whether by Nesterov.
        nesterov: bool,
    },
    /// m ← m + (1 − β₁)(g − m), v ← β₂ v + (1 − β₂) g²; w ← decay · w − (m_scale · m + g_scale · g) / (v_scale · √v + eps). Kept:
    /// m, v; and the largest v so far, which then stands under the root (AMSGrad), if there are three.
    Moments {
        /// 1 − β₁ and 1 − β₂
        one_minus_betas: [T; 2],
        /// β₂
        beta_2: T,
        /// λ
        l2: T,
        /// What w is multiplied by: 1 − lr · λ for decoupled weight decay, else 1.
        decay: T,
        /// The factor of m.
        m_scale: T,
        /// The factor of g.
        g_scale: T,
        /// The factor of √v.
        v_scale: T,
        /// Added to the divisor.
        eps: T,
    },
    /// v ← α v + (1 − α) g²; w ← w − lr · g / (√v + eps). Kept: v. With three kept, v, b and a: if `centered`, a ← a
    /// + (1 − α)(g − a) and √(v − a²) in the place of √v; b ← momentum · b + g / (√v + eps) and w ← w − lr · b.
    MeanSquare {
        /// The learning rate.
        lr: T,
        /// λ
        l2: T,
        /// α
        alpha: T,
        /// 1 − α
        one_minus_alpha: T,
        /// Added to the root.
        eps: T,
        /// Decay rate of b.
        momentum: T,
        /// Whether the mean is subtracted: by the variance.
        centered: bool,
    },
    /// s ← s + g²; w ← w − lr · g / (√s + eps). Kept: s.
    SumOfSquares {
        /// The learning rate.
        lr: T,
        /// λ
        l2: T,
        /// Added to the root.
        eps: T,
    },
    /// v ← ρ v + (1 − ρ) g², d = g √(u + eps) / √(v + eps), u ← ρ u + (1 − ρ) d²; w ← w − lr · d. Kept: v, u.
    Ratio {
        /// The learning rate.
        lr: T,
        /// λ
        l2: T,
        /// ρ
        rho: T,
        /// 1 − ρ
        one_minus_rho: T,
        /// Added under the roots.
        eps: T,
    },
    /// w ← decay · w − lr · sign(m + (1 − β₁)(g − m)), then m ← m + (1 − β₂)(g − m), with sign 0 = 0. Kept: m.
    Sign {
        /// The learning rate.
        lr: T,
        /// What w is multiplied by: 1 − lr · λ.
        decay: T,
        /// 1 − β₁ and 1 − β₂
        one_minus_betas: [T; 2],
    },
}

/// A variant of [`Update`] as the formula of one element; the name is the variant's.
macro_rules! formula {
    (
        $Name:ident { $($field:ident),* }, [$($kept:ident),*] of $N:literal $(, squares in $square:literal)?,
        |$w:ident, $g:ident| $body:block
    ) => {
        pub(crate) struct $Name<T> { $(pub(crate) $field: T),* }

        impl<T: Real> Step<T, $N> for $Name<T> {
            $(const SQUARE: Option<usize> = Some($square);)?

            #[inline(always)]
            fn step(&self, $w: T, $g: T, [$($kept),*]: [T; $N]) -> (T, [T; $N]) {
                let &$Name { $($field),* } = self;
                $body
            }
        }
    };
}

formula!(Descent { lr, l2 }, [] of 0, |w, g| { (w - lr * (g + l2 * w), []) });

formula!(Momentum { lr, l2, momentum, one_minus_dampening, ahead, now }, [m] of 1, |w, g| {
    let g = g + l2 * w;
    let m = momentum * m + one_minus_dampening * g;
    // One of both is 0: g + momentum · m by Nesterov, else m.
    (w - lr * (now * g + ahead * m), [m])
});

formula!(Moments { one_minus_beta_1, one_minus_beta_2, beta_2, l2, decay, m_scale, g_scale, v_scale, eps }, [m, v] of 2, squares in 1, |w, g| {
    let g = g + l2 * w;
    let (m, v) = (m + one_minus_beta_1 * (g - m), beta_2 * v + one_minus_beta_2 * (g * g));
    (decay * w - (m_scale * m + g_scale * g) / (v_scale * v.sqrt() + eps), [m, v])
});

pub(crate) struct LargestMoments<T>(pub(crate) Moments<T>);

impl<T: Real> Step<T, 3> for LargestMoments<T> {
    const SQUARE: Option<usize> = Some(1);

    #[inline(always)]
    fn step(&self, w: T, g: T, [m, v, most]: [T; 3]) -> (T, [T; 3]) {
        let &LargestMoments(Moments {
            one_minus_beta_1,
            one_minus_beta_2,
            beta_2,
            l2,
            decay,
            m_scale,
            g_scale,
            v_scale,
            eps,
        }) = self;
        let g = g + l2 * w;
        let (m, v) = (m + one_minus_beta_1 * (g - m), beta_2 * v + one_minus_beta_2 * (g * g));
        // A v that is NaN is the largest.
        let most = if most > v { most } else { v };
        (decay * w - (m_scale * m + g_scale * g) / (v_scale * most.sqrt() + eps), [m, v, most])
    }
}

formula!(MeanSquare { lr, l2, alpha, one_minus_alpha, eps }, [v] of 1, squares in 0, |w, g| {
    let g = g + l2 * w;
    let v = alpha * v + one_minus_alpha * (g * g);
    (w - lr * (g / (v.sqrt() + eps)), [v])
});

formula!(MeanSquareMomentum { lr, l2, alpha, one_minus_alpha, eps, momentum, centered }, [v, b, a] of 3, squares in 0, |w, g| {
    let g = g + l2 * w;
    let (v, a) = (alpha * v + one_minus_alpha * (g * g), a + one_minus_alpha * (g - a));
    // By rounding the difference may be below 0, where there is no root.
    let variance = v - centered * (a * a);
    let variance = if variance < T::ZERO { T::ZERO } else { variance };
    let b = momentum * b + g / (variance.sqrt() + eps);
    (w - lr * b, [v, b, a])
});

formula!(SumOfSquares { lr, l2, eps }, [s] of 1, squares in 0, |w, g| {
    let g = g + l2 * w;
    let s = s + g * g;
    (w - lr * (g / (s.sqrt() + eps)), [s])
});

formula!(Ratio { lr, l2, rho, one_minus_rho, eps }, [v, u] of 2, squares in 0, |w, g| {
    let g = g + l2 * w;
    let v = rho * v + one_minus_rho * (g * g);
    let d = (u + eps).sqrt() / (v + eps).sqrt() * g;
    (w - lr * d, [v, rho * u + one_minus_rho * (d * d)])
});

formula!(Sign { lr, decay, one_minus_beta_1, one_minus_beta_2 }, [m] of 1, |w, g| {
    let c = m + one_minus_beta_1 * (g - m);
    // NaN stays.
    let sign = if c > T::ZERO { lr } else if c < T::ZERO { -lr } else { lr * c };
    (decay * w - sign, [m + one_minus_beta_2 * (g - m)])
});

/// Elements that are worked on at once: read into arrays, which nothing else can point to, so that the loop over them
/// becomes vectors however many numbers are kept.
const BLOCK: usize = 64;

kernel! {
    /// Takes the step for each element. All slices are as long as `w`.
    pub(crate) fn update[T: Real, F: Step<T, N>, const N: usize](f: &F, w: &mut [T], g: &[T], kept: [&mut [T]; N]), memory {
        let mut kept = kept;
        if F::SQUARE.is_some() && is_any_large(g) {
            for i in 0..w.len() {
                let (new, now) = careful(f, w[i], g[i], std::array::from_fn(|slot| kept[slot][i]));
                w[i] = new;
                for slot in 0..N {
                    kept[slot][i] = now[slot];
                }
            }
            return;
        }
        let mut at = 0_usize;
        while let Some(end) = at.checked_add(BLOCK).filter(|&end| end <= w.len()) {
            block::<T, F, N>(f, &mut w[at..end], &g[at..end], kept.each_mut().map(|kept| &mut kept[at..end]));
            at = end;
        }
        for i in at..w.len() {
            let (new, now) = f.step(w[i], g[i], std::array::from_fn(|slot| kept[slot][i]));
            w[i] = new;
            for slot in 0..N {
                kept[slot][i] = now[slot];
            }
        }
    }
}

#[inline(always)]
fn block<T: Real, F: Step<T, N>, const N: usize>(f: &F, w: &mut [T], g: &[T], kept: [&mut [T]; N]) {
    let (mut ws, mut gs, mut all) = ([T::ZERO; BLOCK], [T::ZERO; BLOCK], [[T::ZERO; BLOCK]; N]);
    ws.copy_from_slice(w);
    gs.copy_from_slice(g);
    for slot in 0..N {
        all[slot].copy_from_slice(kept[slot]);
    }
    for i in 0..BLOCK {
        let mut numbers = [T::ZERO; N];
        for slot in 0..N {
            numbers[slot] = all[slot][i];
        }
        let (new, now) = f.step(ws[i], gs[i], numbers);
        ws[i] = new;
        for slot in 0..N {
            all[slot][i] = now[slot];
        }
    }
    w.copy_from_slice(&ws);
    for slot in 0..N {
        kept[slot].copy_from_slice(&all[slot]);
    }
}

/// Whether a gradient is so large that its square, or a sum of many such, may be infinite. A comparison for each element that is counted,
/// and not a chain of decisions, takes a twentieth of a step.
#[inline(always)]
fn is_any_large<T: Real>(g: &[T]) -> bool {
    // A sum of 2⁴⁰ squares of what is below is finite.
    let most = T::MAX.sqrt() * T::from_f64(1.0 / f64::from(1 << 20));
    g.iter().map(|g| u32::from(g.abs() > most)).fold(0, |count: u32, large| count | large) > 0
}

/// A step where the square of a finite gradient may be infinite, after which the weight would not move again: the gradient is then taken
/// to be as large as can be squared, and a sum of squares ends at the largest number.
#[inline(always)]
fn careful<T: Real, F: Step<T, N>, const N: usize>(f: &F, w: T, g: T, kept: [T; N]) -> (T, [T; N]) {
    let (new, now) = f.step(w, g, kept);
    match F::SQUARE {
        Some(slot) if now[slot] > T::MAX && g.abs() <= T::MAX => {
            let most = T::MAX.sqrt();
            let g = if g > most {
                most
            } else if g < -most {
                -most
            } else {
                g
            };
            let (new, mut now) = f.step(w, g, kept);
            if now[slot] > T::MAX {
                now[slot] = T::MAX;
            }
            (new, now)
        }
        _ => (new, now),
    }
}
