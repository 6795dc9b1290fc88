//! What each cell does with the gates of one example, and the way back.
//!
//! In place of loops over all gates at once there are several, which the compiler turns into vectors whatever it can prove of the slices;
//! a row is in the L1 cache. The order of operations is that of the cells of the tape, which are written with its ops: so the bits are
//! theirs.

use crate::kernel::Real;
use crate::kernel::isa::kernel;

kernel! {
    /// h = tanh(a + z), where h is z before.
    pub(super) fn tanh[T: Real](a: &[T], h: &mut [T]), TRANSCENDENTAL T {
        for (h, &a) in h.iter_mut().zip(a) {
            *h = (a + *h).tanh();
        }
    }
}

kernel! {
    /// h = max(0, a + z), where h is z before.
    pub(super) fn relu[T: Real](a: &[T], h: &mut [T]), STREAM T {
        for (h, &a) in h.iter_mut().zip(a) {
            let x = a + *h;
            *h = if x <= T::ZERO { T::ZERO } else { x };
        }
    }
}

kernel! {
    /// ā = h̄ (1 − h²)
    pub(super) fn tanh_back[T: Real](g: &[T], h: &[T], a: &mut [T]), STREAM T {
        for ((a, &g), &h) in a.iter_mut().zip(g).zip(h) {
            *a = g * (T::ONE - h * h);
        }
    }
}

kernel! {
    /// ā = h̄ where h is above 0.
    pub(super) fn relu_back[T: Real](g: &[T], h: &[T], a: &mut [T]), STREAM T {
        for ((a, &g), &h) in a.iter_mut().zip(g).zip(h) {
            *a = if h <= T::ZERO { T::ZERO } else { g };
        }
    }
}

kernel! {
    /// The next state of a GRU. Of `gates`, r, z and hₙ are what the state gives before; afterwards r, z, hₙ and n.
    pub(super) fn gru[T: Real](a: &[T], before: &[T], gates: &mut [T], h: &mut [T]), TRANSCENDENTAL T {
        let width = h.len();
        let (rz, rest) = gates.split_at_mut(2 * width);
        for (gate, &a) in rz.iter_mut().zip(a) {
            *gate = (a + *gate).sigmoid();
        }
        let (of_state, n) = rest.split_at_mut(width);
        let (r, z) = rz.split_at(width);
        for (((n, &a), &r), &of_state) in n.iter_mut().zip(&a[2 * width..]).zip(r).zip(&*of_state) {
            *n = (a + r * of_state).tanh();
        }
        for (((h, &n), &z), &before) in h.iter_mut().zip(&*n).zip(z).zip(before) {
            *h = n + z * (before - n);
        }
    }
}

kernel! {
    /// The gradients of what input and state give to the gates of a GRU; h̄ becomes the part that goes to the state past the gates.
    pub(super) fn gru_back[T: Real](g: &mut [T], before: &[T], gates: &[T], a: &mut [T], of_state: &mut [T]), arithmetic T {
        let width = g.len();
        let (r, rest) = gates.split_at(width);
        let (z, rest) = rest.split_at(width);
        let (from_state, n) = rest.split_at(width);
        let (ar, rest) = a.split_at_mut(width);
        let (az, an) = rest.split_at_mut(width);
        for (((an, &g), &z), &n) in an.iter_mut().zip(&*g).zip(z).zip(n) {
            *an = g * (T::ONE - z) * (T::ONE - n * n);
        }
        for ((((az, &g), &z), &n), &before) in az.iter_mut().zip(&*g).zip(z).zip(n).zip(before) {
            *az = g * (before - n) * z * (T::ONE - z);
        }
        for (((ar, &an), &r), &from_state) in ar.iter_mut().zip(&*an).zip(r).zip(from_state) {
            *ar = an * from_state * r * (T::ONE - r);
        }
        of_state[..2 * width].copy_from_slice(&a[..2 * width]);
        for ((of_state, &an), &r) in of_state[2 * width..].iter_mut().zip(&a[2 * width..]).zip(r) {
            *of_state = an * r;
        }
        for (g, &z) in g.iter_mut().zip(z) {
            *g *= z;
        }
    }
}

kernel! {
    /// The next state of an LSTM. Of `gates`, i, f, g and o are what the state gives before; afterwards i, f, g, o and tanh c.
    pub(super) fn lstm[T: Real](a: &[T], before: &[T], gates: &mut [T], c: &mut [T], h: &mut [T]), TRANSCENDENTAL T {
        let width = h.len();
        let (i, rest) = gates.split_at_mut(width);
        let (f, rest) = rest.split_at_mut(width);
        let (g, rest) = rest.split_at_mut(width);
        let (o, tanh) = rest.split_at_mut(width);
        for (gate, &a) in i.iter_mut().zip(a) {
            *gate = (a + *gate).sigmoid();
        }
        for (gate, &a) in f.iter_mut().zip(&a[width..]) {
            *gate = (a + *gate).sigmoid();
        }
        for (gate, &a) in g.iter_mut().zip(&a[2 * width..]) {
            *gate = (a + *gate).tanh();
        }
        for (gate, &a) in o.iter_mut().zip(&a[3 * width..]) {
            *gate = (a + *gate).sigmoid();
        }
        for ((((c, &before), &i), &f), &g) in c.iter_mut().zip(before).zip(&*i).zip(&*f).zip(&*g) {
            *c = f * before + i * g;
        }
        for (tanh, &c) in tanh.iter_mut().zip(&*c) {
            *tanh = c.tanh();
        }
        for ((h, &o), &tanh) in h.iter_mut().zip(&*o).zip(&*tanh) {
            *h = o * tanh;
        }
    }
}

kernel! {
    /// The gradients of what input and state give to the gates of an LSTM; c̄ becomes that of the memory before.
    pub(super) fn lstm_back[T: Real](gh: &[T], before: &[T], gates: &[T], gc: &mut [T], a: &mut [T]), arithmetic T {
        let width = gh.len();
        let (i, rest) = gates.split_at(width);
        let (f, rest) = rest.split_at(width);
        let (g, rest) = rest.split_at(width);
        let (o, tanh) = rest.split_at(width);
        let (ai, rest) = a.split_at_mut(width);
        let (af, rest) = rest.split_at_mut(width);
        let (ag, ao) = rest.split_at_mut(width);
        for (((gc, &gh), &o), &tanh) in gc.iter_mut().zip(gh).zip(o).zip(tanh) {
            *gc += gh * o * (T::ONE - tanh * tanh);
        }
        for (((ao, &gh), &o), &tanh) in ao.iter_mut().zip(gh).zip(o).zip(tanh) {
            *ao = gh * tanh * o * (T::ONE - o);
        }
        for (((ai, &gc), &i), &g) in ai.iter_mut().zip(&*gc).zip(i).zip(g) {
            *ai = gc * g * i * (T::ONE - i);
        }
        for (((ag, &gc), &i), &g) in ag.iter_mut().zip(&*gc).zip(i).zip(g) {
            *ag = gc * i * (T::ONE - g * g);
        }
        for (((af, &gc), &f), &before) in af.iter_mut().zip(&*gc).zip(f).zip(before) {
            *af = gc * before * f * (T::ONE - f);
        }
        for (gc, &f) in gc.iter_mut().zip(f) {
            *gc *= f;
        }
    }
}
