//! Networks that must be let alone.

use autograd::Var;
use diagnose::Inspector;
use init::{
    Gain, constant, eye, kaiming_normal, lecun_normal, normal, orthogonal, residual, torch_linear, xavier_normal, zeros,
};
use nn::{BatchNorm1d, Dropout, Layer, LayerNorm};
use tensor::Tensor;

use super::nets::{Draw, Net, Outcome, attend, bce, bce_of_shares, cat, causal, exp, huber, mse, step, t, widths};

/// A network by its name.
pub(super) type Case = (&'static str, fn(&mut Draw) -> Outcome);

/// A plain stack for ten classes, with an activation.
macro_rules! plain {
    ($depth:expr, $gain:expr, $f:expr) => {
        |d| {
            let (net, x, y) = (d.deep($depth, $gain), d.x([64, 100]), d.y(64, 10));
            d.look(net, |net, tape| net.mlp(tape.constant(x.clone()), $f).cross_entropy(&y))
        }
    };
}

/// A stack of these widths, for a batch of so many examples.
macro_rules! sized {
    ($widths:expr, $batch:expr) => {
        |d| {
            let widths = $widths;
            let net = d.stack(&widths, &kaiming_normal(Gain::Tanh), &normal(0.01));
            let (x, y) = (d.x([$batch, widths[0]]), d.y($batch, widths[widths.len() - 1]));
            d.look(net, |net, tape| net.mlp(tape.constant(x.clone()), |h| h.tanh()).cross_entropy(&y))
        }
    };
}

/// Residual blocks `x + W₂ relu(W₁ norm(x))`, or without the norm, with a head.
fn blocks<'t>(net: &Net, mut x: Var<'t>, count: usize) -> Var<'t> {
    for block in 0..count {
        let h = net.norm.get(block).map_or(x, |norm| norm.forward(x));
        x = x + net.l[2 * block + 1].forward(net.l[2 * block].forward(h).relu());
    }
    let x = net.norm.get(count).map_or(x, |norm| norm.forward(x));
    net.l[2 * count].forward(x)
}

/// Weights for `blocks`.
fn residual_net(d: &mut Draw, count: usize, first: f64, second: &dyn init::Initializer, norms: bool, head: f64) -> Net {
    let mut net = Net::default();
    for _ in 0..count {
        net.l.push(d.linear(64, 64, &normal(first)));
        net.l.push(d.linear(64, 64, second));
    }
    net.l.push(d.linear(64, 10, &normal(head)));
    if norms {
        net.norm = (0..=count).map(|_| LayerNorm::new(64)).collect();
    }
    net
}

macro_rules! residual {
    ($count:expr, $first:expr, $second:expr, $norms:expr, $head:expr) => {
        |d| {
            let net = residual_net(d, $count, $first, &$second, $norms, $head);
            let (x, y) = (d.x([64, 64]), d.y(64, 10));
            d.look(net, |net, tape| blocks(net, tape.constant(x.clone()), $count).cross_entropy(&y))
        }
    };
}

/// GPT-2's own start: embeddings, and weights of 0.02, the last of each branch divided by √(2 layers).
fn gpt2(d: &mut Draw, layers: usize) -> Outcome {
    let (places, width, symbols) = (32, 64, 27);
    let small = normal(0.02);
    let mut net =
        Net { table: vec![d.table(symbols, width, &small), d.table(places, width, &small)], ..Net::default() };
    for _ in 0..layers {
        for _ in 0..3 {
            net.l.push(d.linear(width, width, &small));
        }
        net.l.push(d.linear(width, width, &residual(0.02, 2 * layers)));
        net.l.push(d.linear(width, 4 * width, &small));
        net.l.push(d.linear(4 * width, width, &residual(0.02, 2 * layers)));
    }
    net.l.push(d.linear(width, symbols, &small));
    net.norm = (0..=2 * layers).map(|_| LayerNorm::new(width)).collect();
    let (x, y) = (d.y(places, symbols), d.y(places, symbols));
    let (mask, scale) = (causal(places), 1.0 / (width as f32).sqrt());
    d.look(net, |net, tape| {
        let place = Tensor::from_fn([places], |i| i[0] as i64);
        let mut h = net.table[0].forward(tape, &x) + net.table[1].forward(tape, &place);
        for layer in 0..layers {
            h = h + attend(net, net.norm[2 * layer].forward(h), 6 * layer, scale, Some(&mask));
            let wide = net.l[6 * layer + 4].forward(net.norm[2 * layer + 1].forward(h)).gelu();
            h = h + net.l[6 * layer + 5].forward(wide);
        }
        net.l[6 * layers].forward(net.norm[2 * layers].forward(h)).cross_entropy(&y)
    })
}

/// A recurrent network with one weight for all steps; the loss is that of the last step, or of every step.
fn recurrent(d: &mut Draw, steps: usize, each: bool) -> Outcome {
    let width = 64;
    let mut net = Net { l: vec![d.linear(20, width, &lecun_normal(Gain::Linear))], ..Net::default() };
    net.l.push(d.linear(width, width, &orthogonal(Gain::Linear)));
    net.l.push(d.linear(width, 10, &normal(0.01)));
    let (x, y): (Tensor, _) = (d.x([steps, 32, 20]), d.y(32, 10));
    d.reversed = false;
    d.look(net, |net, tape| {
        let mut h = tape.constant(Tensor::zeros([32, width]));
        let mut losses = Vec::new();
        for at in 0..steps {
            h = (net.l[1].forward(h) + net.l[0].forward(tape.constant(step(&x, at)))).tanh();
            if each || at + 1 == steps {
                losses.push(net.l[2].forward(h).cross_entropy(&y));
            }
        }
        let count = losses.len() as f32;
        losses.into_iter().reduce(|sum, loss| sum + loss).expect("there is a step") / count
    })
}

/// A gated cell: h ← z h + (1 − z) tanh(…), as in a GRU.
fn gated(d: &mut Draw, steps: usize) -> Outcome {
    let width = 32;
    let mut net = Net::default();
    for _ in 0..2 {
        net.l.push(d.linear(20, width, &xavier_normal(Gain::Linear)));
        net.l.push(d.linear(width, width, &orthogonal(Gain::Linear)));
    }
    net.l.push(d.linear(width, 10, &normal(0.01)));
    let (x, y): (Tensor, _) = (d.x([steps, 32, 20]), d.y(32, 10));
    d.look(net, |net, tape| {
        let mut h = tape.constant(Tensor::zeros([32, width]));
        for at in 0..steps {
            let x = tape.constant(step(&x, at));
            let z = (net.l[0].forward(x) + net.l[1].forward(h)).sigmoid();
            let new = (net.l[2].forward(x) + net.l[3].forward(h)).tanh();
            h = h + z * (new - h);
        }
        net.l[4].forward(h).cross_entropy(&y)
    })
}

pub(super) const CASES: &[Case] = &[
    ("tanh × 1", plain!(1, Gain::Tanh, |h| h.tanh())),
    ("tanh × 5", plain!(5, Gain::Tanh, |h| h.tanh())),
    ("tanh × 5, gain 1", plain!(5, Gain::Linear, |h| h.tanh())),
    ("tanh × 30", plain!(30, Gain::Tanh, |h| h.tanh())),
    ("relu × 1", plain!(1, Gain::Relu, |h| h.relu())),
    ("relu × 5", plain!(5, Gain::Relu, |h| h.relu())),
    ("relu × 30", plain!(30, Gain::Relu, |h| h.relu())),
    ("gelu × 5", plain!(5, Gain::Gelu, |h| h.gelu())),
    ("silu × 5", plain!(5, Gain::Silu, |h| h.silu())),
    ("leaky relu × 5", plain!(5, Gain::Relu, |h| h.leaky_relu(0.01))),
    ("softplus × 2", plain!(2, Gain::Linear, |h| h.softplus())),
    ("sigmoid × 1", plain!(1, Gain::Linear, |h| h.sigmoid())),
    ("linear × 1", plain!(0, Gain::Linear, |h| h)),
    ("linear × 200, orthogonal", |d| {
        let net = d.stack(&widths(50, 200), &orthogonal(Gain::Linear), &normal(0.01));
        let (x, y) = (d.x([64, 50]), d.y(64, 10));
        d.look(net, |net, tape| net.mlp(tape.constant(x.clone()), |h| h).cross_entropy(&y))
    }),
    ("relu × 200, width 200", |d| {
        let net = d.stack(&widths(200, 200), &kaiming_normal(Gain::Relu), &normal(0.01));
        let (x, y) = (d.x([32, 200]), d.y(32, 10));
        d.look(net, |net, tape| net.mlp(tape.constant(x.clone()), |h| h.relu()).cross_entropy(&y))
    }),
    ("batch of 1", sized!([30, 100, 100, 27], 1)),
    ("batch of 2", sized!([30, 100, 100, 27], 2)),
    ("batch of 8", sized!([30, 100, 100, 27], 8)),
    ("batch of 512", sized!([30, 100, 100, 27], 512)),
    ("width 1", sized!([10, 1, 3], 32)),
    ("width 4", sized!([10, 4, 4, 3], 32)),
    ("width 1000", sized!([30, 1000, 27], 32)),
    ("two classes, PyTorch's weights", |d| {
        let net = d.stack(&[20, 64, 2], &torch_linear(), &torch_linear());
        let (x, y) = (d.x([512, 20]), d.y(512, 2));
        d.look(net, |net, tape| net.mlp(tape.constant(x.clone()), |h| h.relu()).cross_entropy(&y))
    }),
    ("in f64", |d| {
        let net = d.stack_of::<f64>(&[30, 100, 100, 27], &kaiming_normal(Gain::Relu), &normal(0.01));
        let (x, y) = (d.x([32, 30]), d.y(32, 27));
        d.look(net, |net, tape| net.mlp(tape.constant(x.clone()), |h| h.relu()).cross_entropy(&y))
    }),
    ("residual, last weight of each branch zero", residual!(4, 0.18, zeros(), false, 0.01)),
    ("residual, zero branches and a zero head", residual!(4, 0.18, zeros(), false, 0.0)),
    ("residual, branches divided by √blocks", residual!(16, 0.18, normal(0.125 / 4.0), false, 0.01)),
    ("residual, identity in the branches", residual!(3, 0.18, normal(0.06), false, 0.01)),
    ("pre-norm, weights of 0.02", residual!(8, 0.02, residual(0.02, 16), true, 0.02)),
    ("pre-norm at Kaiming's scale", residual!(8, 0.18, normal(0.125), true, 0.01)),
    ("pre-norm × 50", residual!(50, 0.18, normal(0.125), true, 0.01)),
    ("GPT-2 × 1", |d| gpt2(d, 1)),
    ("GPT-2 × 6", |d| gpt2(d, 6)),
    ("post-norm", |d| {
        let mut net = residual_net(d, 6, 0.18, &normal(0.125), true, 0.01);
        net.norm.truncate(6);
        let (x, y) = (d.x([64, 64]), d.y(64, 10));
        d.look(net, |net, tape| {
            let mut h = tape.constant(x.clone());
            for block in 0..6 {
                let branch = net.l[2 * block + 1].forward(net.l[2 * block].forward(h).relu());
                h = net.norm[block].forward(h + branch);
            }
            net.l[12].forward(h).cross_entropy(&y)
        })
    }),
    ("ReZero", |d| {
        let mut net = residual_net(d, 6, 0.18, &normal(0.125), false, 0.01);
        net.p = (0..6).map(|_| d.param([1], &zeros())).collect();
        let (x, y) = (d.x([64, 64]), d.y(64, 10));
        d.look(net, |net, tape| {
            let mut h = tape.constant(x.clone());
            for block in 0..6 {
                let branch = net.l[2 * block + 1].forward(net.l[2 * block].forward(h).relu());
                h = h + branch * net.p[block].on(tape);
            }
            net.l[12].forward(h).cross_entropy(&y)
        })
    }),
    ("highway", |d| {
        let mut net = residual_net(d, 5, 0.15, &normal(0.1), false, 0.01);
        for gate in 0..5 {
            *net.l[2 * gate + 1].bias.as_mut().unwrap().value_mut() = Tensor::full([64], -3.0);
        }
        let (x, y) = (d.x([64, 64]), d.y(64, 10));
        d.look(net, |net, tape| {
            let mut h = tape.constant(x.clone());
            for block in 0..5 {
                let gate = net.l[2 * block + 1].forward(h).sigmoid();
                h = gate * net.l[2 * block].forward(h).tanh() + (1.0_f32 - gate) * h;
            }
            net.l[10].forward(h).cross_entropy(&y)
        })
    }),
    ("batch norm × 5", |d| {
        let mut net = d.deep(5, Gain::Tanh);
        net.batch = (0..5).map(|_| BatchNorm1d::new(100)).collect();
        let (x, y) = (d.x([64, 100]), d.y(64, 10));
        d.look(net, |net, tape| {
            let x = tape.constant(x.clone());
            let h = net.batch.iter().zip(&net.l).fold(x, |x, (norm, layer)| norm.forward(layer.forward(x)).tanh());
            net.l[5].forward(h).cross_entropy(&y)
        })
    }),
    ("layer norm × 5, weights of any scale", |d| {
        let mut net = d.stack(&widths(100, 5), &normal(1.0), &normal(0.01));
        net.norm = (0..5).map(|_| LayerNorm::new(100)).collect();
        let (x, y) = (d.x([64, 100]), d.y(64, 10));
        d.look(net, |net, tape| {
            let x = tape.constant(x.clone());
            let h = net.norm.iter().zip(&net.l).fold(x, |x, (norm, layer)| norm.forward(layer.forward(x)).relu());
            net.l[5].forward(h).cross_entropy(&y)
        })
    }),
    ("channels of [N, C, L]", |d| {
        let mut net = d.stack(&[48, 48, 10], &kaiming_normal(Gain::Linear), &normal(0.01));
        net.batch = vec![BatchNorm1d::new(6)];
        let (x, y) = (d.x([64, 48]), d.y(64, 10));
        d.look(net, |net, tape| {
            let h = net.l[0].forward(tape.constant(x.clone())).reshape([64, 6, 8]);
            net.l[1].forward(net.batch[0].forward(h).relu().flatten(1)).cross_entropy(&y)
        })
    }),
    ("dropout", |d| {
        let (net, x, y) = (d.deep(4, Gain::Relu), d.x([64, 100]), d.y(64, 10));
        let dropout = Dropout::new(0.5).unwrap();
        d.look(net, |net, tape| net.mlp(tape.constant(x.clone()), |h| dropout.forward(h.relu())).cross_entropy(&y))
    }),
    ("recurrent, 16 steps", |d| recurrent(d, 16, false)),
    ("recurrent, a loss at each step", |d| recurrent(d, 16, true)),
    ("recurrent, 60 steps", |d| recurrent(d, 60, false)),
    ("recurrent, one step of thirty loud", |d| {
        let mut net = d.stack(&[20, 64, 10], &lecun_normal(Gain::Linear), &normal(0.01));
        net.l.push(d.linear(64, 64, &orthogonal(Gain::Linear)));
        let (x, y): (Tensor, _) = (d.x([30, 32, 20]), d.y(32, 10));
        d.look(net, |net, tape| {
            let mut h = tape.constant(Tensor::zeros([32, 64]));
            for at in 0..30 {
                let x = step(&x, at) * if at == 10 { 20.0 } else { 1.0 };
                h = (net.l[2].forward(h) + net.l[0].forward(tape.constant(x))).tanh();
            }
            net.l[1].forward(h).cross_entropy(&y)
        })
    }),
    ("gated, 10 steps", |d| gated(d, 10)),
    ("one layer used eight times", |d| {
        let net = d.stack(&[64, 64, 10], &orthogonal(Gain::Linear), &normal(0.01));
        let (x, y) = (d.x([64, 64]), d.y(64, 10));
        d.look(net, |net, tape| {
            let h = (0..8).fold(tape.constant(x.clone()), |h, _| net.l[0].forward(h).tanh());
            net.l[1].forward(h).cross_entropy(&y)
        })
    }),
    ("siamese", |d| {
        let net = d.stack(&[30, 64, 64, 2], &kaiming_normal(Gain::Relu), &normal(0.01));
        let (a, b, y): (Tensor, Tensor, _) = (d.x([32, 30]), d.x([32, 30]), d.y(32, 2));
        d.look(net, |net, tape| {
            let [a, b] = [&a, &b].map(|x| net.l[1].forward(net.l[0].forward(tape.constant(x.clone())).relu()).relu());
            net.l[2].forward(a - b).cross_entropy(&y)
        })
    }),
    ("autoencoder", |d| {
        let net = d.stack(&[40, 16, 4, 16, 40], &kaiming_normal(Gain::Tanh), &xavier_normal(Gain::Linear));
        let x: Tensor = d.x([64, 40]);
        d.look(net, |net, tape| mse(net.mlp(tape.constant(x.clone()), |h| h.tanh()), &x))
    }),
    ("tied autoencoder", |d| {
        let layer = d.linear(40, 10, &lecun_normal(Gain::Linear)).without_bias();
        let net = Net { l: vec![layer], ..Net::default() };
        let x: Tensor = d.x([64, 40]);
        d.look(net, |net, tape| {
            let w = net.l[0].weight.on(tape);
            mse(tape.constant(x.clone()).matmul(w).tanh().matmul(t(w)), &x)
        })
    }),
    ("embedding tied to the output", |d| {
        let mut net = d.stack(&[32, 32], &kaiming_normal(Gain::Tanh), &kaiming_normal(Gain::Tanh));
        net.table = vec![d.table(27, 32, &normal(0.05))];
        let (x, y) = (d.y(64, 27), d.y(64, 27));
        d.look(net, |net, tape| {
            let h = net.l[0].forward(net.table[0].forward(tape, &x)).tanh();
            h.matmul(t(net.table[0].weight.on(tape))).cross_entropy(&y)
        })
    }),
    ("regression", |d| {
        let net = d.stack(&[20, 64, 64, 1], &kaiming_normal(Gain::Relu), &lecun_normal(Gain::Linear));
        let (x, y): (Tensor, Tensor) = (d.x([64, 20]), d.x([64, 1]));
        d.look(net, |net, tape| mse(net.mlp(tape.constant(x.clone()), |h| h.relu()), &y))
    }),
    ("regression by Huber's loss", |d| {
        let net = d.stack(&[20, 64, 3], &kaiming_normal(Gain::Relu), &lecun_normal(Gain::Linear));
        let (x, y): (Tensor, Tensor) = (d.x([64, 20]), d.x([64, 3]) + 2.0);
        d.look(net, |net, tape| huber(net.mlp(tape.constant(x.clone()), |h| h.relu()), &y))
    }),
    ("two classes by one logit", |d| {
        let net = d.stack(&[20, 64, 1], &kaiming_normal(Gain::Relu), &normal(0.05));
        let (x, y): (Tensor, _) = (d.x([64, 20]), d.bits([64, 1], 0.5));
        d.look(net, |net, tape| bce(net.mlp(tape.constant(x.clone()), |h| h.relu()), &y))
    }),
    ("two classes by one probability", |d| {
        let net = d.stack(&[20, 64, 1], &kaiming_normal(Gain::Relu), &normal(0.05));
        let (x, y): (Tensor, _) = (d.x([64, 20]), d.bits([64, 1], 0.5));
        d.look(net, |net, tape| bce_of_shares(net.mlp(tape.constant(x.clone()), |h| h.relu()).sigmoid(), &y))
    }),
    ("many labels", |d| {
        let net = d.stack(&[20, 64, 12], &kaiming_normal(Gain::Relu), &normal(0.05));
        let (x, y): (Tensor, _) = (d.x([64, 20]), d.bits([64, 12], 0.2));
        d.look(net, |net, tape| bce(net.mlp(tape.constant(x.clone()), |h| h.relu()), &y))
    }),
    ("uneven classes, zero bias", |d| {
        let net = d.stack(&[20, 64, 2], &kaiming_normal(Gain::Relu), &normal(0.01));
        let (x, y) = (d.x([64, 20]), d.bits([64], 0.1).cast::<i64>());
        d.look(net, |net, tape| net.mlp(tape.constant(x.clone()), |h| h.relu()).cross_entropy(&y))
    }),
    ("uneven classes, log frequencies as the bias", |d| {
        let mut net = d.stack(&[20, 64, 2], &kaiming_normal(Gain::Relu), &normal(0.01));
        *net.l[1].bias.as_mut().unwrap().value_mut() = Tensor::from([0.9_f32.ln(), 0.1_f32.ln()]);
        let (x, y) = (d.x([64, 20]), d.bits([64], 0.1).cast::<i64>());
        d.look(net, |net, tape| net.mlp(tape.constant(x.clone()), |h| h.relu()).cross_entropy(&y))
    }),
    ("classes masked by −∞", |d| {
        let (net, x, y) = (d.deep(2, Gain::Relu), d.x([64, 100]), d.y(64, 4));
        let mask = Tensor::from_fn([10], |i| if i[0] < 4 { 0.0 } else { f32::NEG_INFINITY });
        d.look(net, |net, tape| {
            (net.mlp(tape.constant(x.clone()), |h| h.relu()) + tape.constant(mask.clone())).cross_entropy(&y)
        })
    }),
    ("attention with a causal mask", |d| {
        let net = Net { l: (0..5).map(|_| d.linear(32, 32, &lecun_normal(Gain::Linear))).collect(), ..Net::default() };
        let (x, y) = (d.x([24, 32]), d.y(24, 32));
        let scale = 1.0 / 32_f32.sqrt();
        d.look(net, |net, tape| {
            let h = attend(net, tape.constant(x.clone()), 0, scale, Some(&causal(24)));
            net.l[4].forward(h).cross_entropy(&y)
        })
    }),
    ("two heads", |d| {
        let mut net = d.stack(&[30, 64, 10], &kaiming_normal(Gain::Relu), &normal(0.01));
        net.l.push(d.linear(64, 5, &normal(0.01)));
        let (x, y, z) = (d.x([32, 30]), d.y(32, 10), d.y(32, 5));
        d.look(net, |net, tape| {
            let h = net.l[0].forward(tape.constant(x.clone())).relu();
            net.l[1].forward(h).cross_entropy(&y) + net.l[2].forward(h).cross_entropy(&z)
        })
    }),
    ("two heads, the first of zeros", |d| {
        let mut net = d.stack(&[30, 64, 10], &kaiming_normal(Gain::Relu), &zeros());
        net.l.push(d.linear(64, 5, &normal(0.01)));
        let (x, y, z) = (d.x([32, 30]), d.y(32, 10), d.y(32, 5));
        d.look(net, |net, tape| {
            let h = net.l[0].forward(tape.constant(x.clone())).relu();
            net.l[1].forward(h).cross_entropy(&y) + net.l[2].forward(h).cross_entropy(&z)
        })
    }),
    ("classes and numbers together", |d| {
        let mut net = d.stack(&[30, 64, 10], &kaiming_normal(Gain::Relu), &normal(0.01));
        net.l.push(d.linear(64, 1, &normal(0.05)));
        let (x, y, z): (_, _, Tensor) = (d.x([32, 30]), d.y(32, 10), d.x([32, 1]));
        d.look(net, |net, tape| {
            let h = net.l[0].forward(tape.constant(x.clone())).relu();
            net.l[1].forward(h).cross_entropy(&y) + mse(net.l[2].forward(h), &z).scale(0.5)
        })
    }),
    ("a loss × 32", |d| {
        let (net, x, y) = (d.deep(2, Gain::Relu), d.x([64, 100]), d.y(64, 10));
        d.look(net, |net, tape| net.mlp(tape.constant(x.clone()), |h| h.relu()).cross_entropy(&y).scale(32.0))
    }),
    ("a penalty on the weights", |d| {
        let (net, x, y) = (d.deep(2, Gain::Relu), d.x([64, 100]), d.y(64, 10));
        d.look(net, |net, tape| {
            let w = net.l[0].weight.on(tape);
            net.mlp(tape.constant(x.clone()), |h| h.relu()).cross_entropy(&y) + (w * w).sum(..).scale(0.01)
        })
    }),
    ("a zero head", |d| {
        let net = d.stack(&[30, 100, 27], &kaiming_normal(Gain::Tanh), &zeros());
        let (x, y) = (d.x([32, 30]), d.y(32, 27));
        d.look(net, |net, tape| net.mlp(tape.constant(x.clone()), |h| h.tanh()).cross_entropy(&y))
    }),
    ("a positional embedding of zeros", |d| {
        let mut net = d.stack(&[32, 64, 27], &kaiming_normal(Gain::Relu), &normal(0.01));
        net.table = vec![d.table(27, 32, &normal(1.0)), d.table(16, 32, &zeros())];
        let (x, y) = (d.y(16, 27), d.y(16, 27));
        d.look(net, |net, tape| {
            let place = Tensor::from_fn([16], |i| i[0] as i64);
            let x = net.table[0].forward(tape, &x) + net.table[1].forward(tape, &place);
            net.mlp(x, |h| h.relu()).cross_entropy(&y)
        })
    }),
    ("one-hot input", |d| {
        let net = d.stack(&[27, 32, 64, 64, 27], &normal(1.0), &normal(0.01));
        let mut net = net;
        for layer in 1..3 {
            net.l[layer] = d.linear([32, 64][layer - 1], 64, &kaiming_normal(Gain::Tanh));
        }
        let (x, y) = (d.y(64, 27), d.y(64, 27));
        let one_hot: Tensor =
            Tensor::from_fn([64, 27], |i| if x.get(&[i[0]]) == Some(i[1] as i64) { 1.0 } else { 0.0 });
        d.look(net, |net, tape| {
            let h = net.l[0].forward(tape.constant(one_hot.clone()));
            let h = net.l[2].forward(net.l[1].forward(h).tanh()).tanh();
            net.l[3].forward(h).cross_entropy(&y)
        })
    }),
    ("pixels in [0, 1]", |d| {
        let net = d.stack(&[64, 100, 10], &kaiming_normal(Gain::Relu), &normal(0.01));
        let (x, y) = (d.shares([64, 64]), d.y(64, 10));
        d.look(net, |net, tape| net.mlp(tape.constant(x.clone()), |h| h.relu()).cross_entropy(&y))
    }),
    ("pixels up to 255, before batch norm", |d| {
        let mut net = d.stack(&[64, 100, 10], &kaiming_normal(Gain::Relu), &normal(0.01));
        net.batch = vec![BatchNorm1d::new(100)];
        let (x, y) = (d.shares([64, 64]) * 255.0, d.y(64, 10));
        d.look(net, |net, tape| {
            let h = net.batch[0].forward(net.l[0].forward(tape.constant(x.clone()))).relu();
            net.l[1].forward(h).cross_entropy(&y)
        })
    }),
    ("a low-rank adapter whose second factor is zero", |d| {
        let mut net = d.stack(&[30, 64, 10], &kaiming_normal(Gain::Relu), &normal(0.01));
        net.l.push(d.linear(30, 4, &lecun_normal(Gain::Linear)).without_bias());
        net.l.push(d.linear(4, 64, &zeros()).without_bias());
        net.l[0].weight.set_frozen(true);
        let (x, y) = (d.x([32, 30]), d.y(32, 10));
        d.look(net, |net, tape| {
            let x = tape.constant(x.clone());
            let h = net.l[0].forward(x) + net.l[3].forward(net.l[2].forward(x));
            net.l[1].forward(h.relu()).cross_entropy(&y)
        })
    }),
    ("a gate of one number", |d| {
        let mut net = d.deep(2, Gain::Relu);
        net.p = vec![d.param([1], &constant(6.0))];
        let (x, y) = (d.x([64, 100]), d.y(64, 10));
        d.look(net, |net, tape| {
            let x = tape.constant(x.clone());
            let h = net.l[0].forward(x).relu() * net.p[0].on(tape).sigmoid();
            net.l[2].forward(net.l[1].forward(h).relu()).cross_entropy(&y)
        })
    }),
    ("a gate for each example, nearly shut", |d| {
        let mut net = d.deep(2, Gain::Relu);
        net.l.push(d.linear(100, 1, &normal(0.1)));
        *net.l[3].bias.as_mut().unwrap().value_mut() = Tensor::from([-8.0]);
        let (x, y) = (d.x([64, 100]), d.y(64, 10));
        d.look(net, |net, tape| {
            let x = tape.constant(x.clone());
            let h = x + net.l[0].forward(x).relu() * net.l[3].forward(x).sigmoid();
            net.l[2].forward(net.l[1].forward(h).relu()).cross_entropy(&y)
        })
    }),
    ("[64, 1] as [64] before tanh", |d| {
        let net = d.stack(&[20, 64, 1], &kaiming_normal(Gain::Relu), &kaiming_normal(Gain::Linear));
        let (x, y): (Tensor, Tensor) = (d.x([64, 20]), d.x([64]));
        d.look(net, |net, tape| mse(net.mlp(tape.constant(x.clone()), |h| h.relu()).reshape([64]).tanh(), &y))
    }),
    ("trained, and not said to be", |d| {
        let (mut net, x, y): (_, Tensor, _) = (d.deep(5, Gain::Tanh), d.x([32, 100]), d.y(32, 10));
        let (mut tape, mut sgd) = (autograd::Tape::new(), nn::Optimizer::new(nn::Sgd::default(), 0.1).unwrap());
        for _ in 0..300 {
            let gradients = net.mlp(tape.constant(x.clone()), |h| h.tanh()).cross_entropy(&y).backward();
            tape.reset();
            sgd.step(&mut net, &gradients);
        }
        d.look(net, |net, tape| net.mlp(tape.constant(x.clone()), |h| h.tanh()).cross_entropy(&y))
    }),
    ("trained, and not said to be", |d| {
        let (mut net, x, y): (_, Tensor, _) = (d.deep(5, Gain::Tanh), d.x([32, 100]), d.y(32, 10));
        let (mut tape, mut sgd) = (autograd::Tape::new(), nn::Optimizer::new(nn::Sgd::default(), 0.1).unwrap());
        for _ in 0..300 {
            let gradients = net.mlp(tape.constant(x.clone()), |h| h.tanh()).cross_entropy(&y).backward();
            tape.reset();
            sgd.step(&mut net, &gradients);
        }
        d.look(net, |net, tape| net.mlp(tape.constant(x.clone()), |h| h.tanh()).cross_entropy(&y))
    }),
    ("a trained model that is sure of itself", |d| {
        let mut net = d.stack(&[20, 64, 1], &kaiming_normal(Gain::Relu), &zeros());
        *net.l[1].bias.as_mut().unwrap().value_mut() = Tensor::from([-9.0]);
        let (x, y): (Tensor, _) = (d.x([64, 20]), Tensor::zeros([64, 1]));
        d.step = 1000;
        d.look(net, |net, tape| bce_of_shares(net.mlp(tape.constant(x.clone()), |h| h.relu()).sigmoid(), &y))
    }),
    ("the same, not told that it is trained", |d| {
        let mut net = d.stack(&[20, 64, 1], &kaiming_normal(Gain::Relu), &zeros());
        *net.l[1].bias.as_mut().unwrap().value_mut() = Tensor::from([-9.0]);
        let (x, y): (Tensor, _) = (d.x([64, 20]), Tensor::zeros([64, 1]));
        d.look(net, |net, tape| bce_of_shares(net.mlp(tape.constant(x.clone()), |h| h.relu()).sigmoid(), &y))
    }),
    ("an objective of one's own", |d| {
        let (net, x): (_, Tensor) = (d.deep(2, Gain::Relu), d.x([64, 100]));
        d.look(net, |net, tape| -net.mlp(tape.constant(x.clone()), |h| h.relu()).mean(..))
    }),
    ("a loss that is said to be expected", |d| {
        d.inspector = Inspector::new().with_expected_loss(0.0);
        let (net, x): (_, Tensor) = (d.stack(&[30, 64, 1], &kaiming_normal(Gain::Relu), &zeros()), d.x([64, 30]));
        d.look(net, |net, tape| net.mlp(tape.constant(x.clone()), |h| h.relu()).mean(..))
    }),
    ("a mean over a context of embeddings", |d| {
        let mut net = d.stack(&[32, 64, 27], &kaiming_normal(Gain::Relu), &normal(0.01));
        net.table = vec![d.table(27, 32, &normal(1.0))];
        let (x, y) = (d.y(64 * 3, 27).reshape([64, 3]), d.y(64, 27));
        d.look(net, |net, tape| net.mlp(net.table[0].forward(tape, &x).mean(1), |h| h.relu()).cross_entropy(&y))
    }),
    ("a mixture of experts", |d| {
        let mut net = d.stack(&[30, 64, 64, 10], &kaiming_normal(Gain::Relu), &normal(0.01));
        net.l.push(d.linear(30, 64, &lecun_normal(Gain::Linear)));
        let (x, y) = (d.x([32, 30]), d.y(32, 10));
        d.look(net, |net, tape| {
            let x = tape.constant(x.clone());
            let h = net.l[1].forward(net.l[0].forward(x).relu()) * net.l[3].forward(x).softmax(-1);
            net.l[2].forward(h.scale(64.0)).cross_entropy(&y)
        })
    }),
    ("an identity layer", |d| {
        let net = d.stack(&[30, 30, 10], &eye(), &normal(0.01));
        let (x, y) = (d.x([32, 30]), d.y(32, 10));
        d.look(net, |net, tape| net.mlp(tape.constant(x.clone()), |h| h.tanh()).cross_entropy(&y))
    }),
    ("a variational autoencoder", |d| {
        let mut net = d.stack(&[40, 64, 8], &kaiming_normal(Gain::Relu), &lecun_normal(Gain::Linear));
        net.l.push(d.linear(64, 8, &normal(0.01)));
        net.l.push(d.linear(8, 64, &kaiming_normal(Gain::Relu)));
        net.l.push(d.linear(64, 40, &lecun_normal(Gain::Linear)));
        let (x, eps): (Tensor, Tensor) = (d.x([64, 40]), d.x([64, 8]));
        d.look(net, |net, tape| {
            let h = net.l[0].forward(tape.constant(x.clone())).relu();
            let (mu, logvar) = (net.l[1].forward(h), net.l[2].forward(h));
            let z = mu + exp(logvar.scale(0.5)) * tape.constant(eps.clone());
            let out = net.l[4].forward(net.l[3].forward(z).relu());
            let kl = (mu * mu + exp(logvar) - logvar - 1.0).mean(..).scale(0.5);
            mse(out, &x) + kl
        })
    }),
    ("a discriminator", |d| {
        let net = d.stack(&[20, 64, 64, 1], &kaiming_normal(Gain::LeakyRelu(0.2)), &normal(0.02));
        let (real, fake): (Tensor, Tensor) = (d.x([32, 20]), d.x([32, 20]));
        d.look(net, |net, tape| {
            let [a, b] = [&real, &fake].map(|x| net.mlp(tape.constant(x.clone()), |h| h.leaky_relu(0.2)));
            bce(a, &Tensor::ones([32, 1])) + bce(b, &Tensor::zeros([32, 1]))
        })
    }),
    ("a gated linear unit", |d| {
        let mut net = d.stack(&[30, 64, 64, 10], &kaiming_normal(Gain::Linear), &normal(0.01));
        net.l.push(d.linear(30, 64, &kaiming_normal(Gain::Linear)));
        let (x, y) = (d.x([32, 30]), d.y(32, 10));
        d.look(net, |net, tape| {
            let x = tape.constant(x.clone());
            let h = net.l[0].forward(x) * net.l[3].forward(x).sigmoid();
            net.l[2].forward(net.l[1].forward(h).tanh()).cross_entropy(&y)
        })
    }),
    ("pre-norm, gated by silu", |d| {
        let mut net: Net = Net::default();
        for _ in 0..6 {
            for _ in 0..2 {
                net.l.push(d.linear(32, 64, &normal(0.02)));
            }
            net.l.push(d.linear(64, 32, &normal(0.02)));
        }
        net.l.push(d.linear(32, 10, &normal(0.02)));
        net.norm = (0..7).map(|_| LayerNorm::new(32)).collect();
        net.table = vec![d.table(50, 32, &normal(0.02))];
        let (x, y) = (d.y(64, 50), d.y(64, 10));
        d.look(net, |net, tape| {
            let mut h = net.table[0].forward(tape, &x);
            for b in 0..6 {
                let n = net.norm[b].forward(h);
                h = h + net.l[3 * b + 2].forward(net.l[3 * b].forward(n).silu() * net.l[3 * b + 1].forward(n));
            }
            net.l[18].forward(net.norm[6].forward(h)).cross_entropy(&y)
        })
    }),
    ("an LSTM, 20 steps", |d| {
        let mut net: Net = Net::default();
        for _ in 0..4 {
            net.l.push(d.linear(16, 32, &xavier_normal(Gain::Linear)));
            net.l.push(d.linear(32, 32, &orthogonal(Gain::Linear)));
        }
        *net.l[2].bias.as_mut().unwrap().value_mut() = Tensor::ones([32]);
        net.l.push(d.linear(32, 5, &normal(0.01)));
        let (x, y): (Tensor, _) = (d.x([20, 32, 16]), d.y(32, 5));
        d.look(net, |net, tape| {
            let (mut h, mut c) = (tape.constant(Tensor::zeros([32, 32])), tape.constant(Tensor::zeros([32, 32])));
            for at in 0..20 {
                let x = tape.constant(step(&x, at));
                let g = |i: usize| net.l[2 * i].forward(x) + net.l[2 * i + 1].forward(h);
                let (i, f, o, n) = (g(0).sigmoid(), g(1).sigmoid(), g(2).sigmoid(), g(3).tanh());
                c = f * c + i * n;
                h = o * c.tanh();
            }
            net.l[8].forward(h).cross_entropy(&y)
        })
    }),
    ("a policy gradient", |d| {
        let net = d.stack(&[8, 64, 4], &kaiming_normal(Gain::Tanh), &normal(0.01));
        let (x, a, adv): (Tensor, _, Tensor) = (d.x([64, 8]), d.y(64, 4), d.x([64, 1]));
        let one: Tensor = Tensor::from_fn([64, 4], |i| if a.get(&[i[0]]) == Some(i[1] as i64) { 1.0 } else { 0.0 });
        d.look(net, |net, tape| {
            let lp = net.mlp(tape.constant(x.clone()), |h| h.tanh()).log_softmax(-1);
            -(lp * tape.constant(&one * &adv)).sum(..).scale(1.0 / 64.0)
        })
    }),
    ("branches scaled by 1e-6", |d| {
        let mut net: Net = Net::default();
        for _ in 0..8 {
            net.l.push(d.linear(32, 32, &kaiming_normal(Gain::Gelu)));
            net.l.push(d.linear(32, 32, &lecun_normal(Gain::Linear)));
        }
        net.l.push(d.linear(32, 10, &normal(0.02)));
        net.p = (0..8).map(|_| d.param([32], &constant(1e-6))).collect();
        let (x, y) = (d.x([64, 32]), d.y(64, 10));
        d.look(net, |net, tape| {
            let mut h = tape.constant(x.clone());
            for b in 0..8 {
                h = h + net.l[2 * b + 1].forward(net.l[2 * b].forward(h).gelu()) * net.p[b].on(tape);
            }
            net.l[16].forward(h).cross_entropy(&y)
        })
    }),
    ("a sequence, reshaped", |d| {
        let mut net = d.stack(&[16, 32, 27], &kaiming_normal(Gain::Relu), &normal(0.01));
        net.table = vec![d.table(27, 16, &normal(1.0))];
        let (x, y) = (d.y(8 * 12, 27).reshape([8, 12]), d.y(96, 27));
        d.look(net, |net, tape| {
            net.mlp(net.table[0].forward(tape, &x).reshape([96, 16]), |h| h.relu()).cross_entropy(&y)
        })
    }),
    ("a long skip connection", |d| {
        let mut net: Net = Net::default();
        for (i, o) in [(32, 32), (32, 16), (16, 16), (16, 32), (64, 32), (32, 32)] {
            net.l.push(d.linear(i, o, &kaiming_normal(Gain::Relu)));
        }
        net.l.push(d.linear(64, 32, &lecun_normal(Gain::Linear)));
        let (x, y): (Tensor, Tensor) = (d.x([64, 32]), d.x([64, 32]));
        d.look(net, |net, tape| {
            let a = net.l[0].forward(tape.constant(x.clone())).relu();
            let b = net.l[1].forward(a).relu();
            let c = net.l[2].forward(b).relu();
            let e = net.l[3].forward(c).relu();
            let f = net.l[4].forward(cat(a, e)).relu();
            mse(net.l[6].forward(cat(net.l[5].forward(f).relu(), a)), &y)
        })
    }),
    ("each layer sees all before", |d| {
        let mut net: Net = Net::default();
        for b in 0..6 {
            net.l.push(d.linear(16 + 16 * b, 16, &kaiming_normal(Gain::Relu)));
        }
        net.l.push(d.linear(16 * 7, 10, &normal(0.01)));
        let (x, y) = (d.x([64, 16]), d.y(64, 10));
        d.look(net, |net, tape| {
            let mut h = tape.constant(x.clone());
            for b in 0..6 {
                h = cat(h, net.l[b].forward(h).relu());
            }
            net.l[6].forward(h).cross_entropy(&y)
        })
    }),
    ("frozen layers", |d| {
        let mut net = d.stack(&[30, 64, 64, 10], &kaiming_normal(Gain::Relu), &normal(0.01));
        for l in 0..2 {
            net.l[l].weight.set_frozen(true);
            net.l[l].bias.as_mut().unwrap().set_frozen(true);
        }
        let (x, y) = (d.x([32, 30]), d.y(32, 10));
        d.look(net, |net, tape| net.mlp(tape.constant(x.clone()), |h| h.relu()).cross_entropy(&y))
    }),
    ("tanh × 2, PyTorch's weights", |d| {
        let net = d.stack(&[20, 64, 64, 10], &torch_linear(), &torch_linear());
        let (x, y) = (d.x([64, 20]), d.y(64, 10));
        d.look(net, |net, tape| net.mlp(tape.constant(x.clone()), |h| h.tanh()).cross_entropy(&y))
    }),
    ("relu × 2, PyTorch's weights", |d| {
        let net = d.stack(&[20, 64, 64, 10], &torch_linear(), &torch_linear());
        let (x, y) = (d.x([64, 20]), d.y(64, 10));
        d.look(net, |net, tape| net.mlp(tape.constant(x.clone()), |h| h.relu()).cross_entropy(&y))
    }),
    ("regression, PyTorch's weights", |d| {
        let net = d.stack(&[20, 64, 64, 1], &torch_linear(), &torch_linear());
        let (x, y): (Tensor, Tensor) = (d.x([64, 20]), d.x([64, 1]));
        d.look(net, |net, tape| mse(net.mlp(tape.constant(x.clone()), |h| h.relu()), &y))
    }),
    ("logistic regression from zero", |d| {
        let net = d.stack(&[20, 2], &zeros(), &zeros());
        let (x, y) = (d.x([64, 20]), d.y(64, 2));
        d.look(net, |net, tape| net.mlp(tape.constant(x.clone()), |h| h).cross_entropy(&y))
    }),
    ("linear regression from zero", |d| {
        let net = d.stack(&[20, 1], &zeros(), &zeros());
        let (x, y): (Tensor, Tensor) = (d.x([64, 20]), d.x([64, 1]));
        d.look(net, |net, tape| mse(net.mlp(tape.constant(x.clone()), |h| h), &y))
    }),
    ("logits straight from a table of zeros", |d| {
        let net = Net { table: vec![d.table(27, 27, &zeros())], ..Net::default() };
        let (x, y) = (d.y(64, 27), d.y(64, 27));
        d.look(net, |net, tape| net.table[0].forward(tape, &x).cross_entropy(&y))
    }),
    ("logits straight from a small table", |d| {
        let net = Net { table: vec![d.table(27, 27, &normal(0.01))], ..Net::default() };
        let (x, y) = (d.y(64, 27), d.y(64, 27));
        d.look(net, |net, tape| net.table[0].forward(tape, &x).cross_entropy(&y))
    }),
    ("residual, batch norms of weight zero", |d| {
        let mut net: Net = Net::default();
        for _ in 0..6 {
            net.l.push(d.linear(32, 32, &kaiming_normal(Gain::Relu)));
            net.batch.push(BatchNorm1d::new(32));
        }
        for b in 0..6 {
            *net.batch[b].weight.as_mut().unwrap().value_mut() = Tensor::zeros([32]);
        }
        net.l.push(d.linear(32, 10, &normal(0.01)));
        let (x, y) = (d.x([64, 32]), d.y(64, 10));
        d.look(net, |net, tape| {
            let mut h = tape.constant(x.clone());
            for b in 0..6 {
                h = (h + net.batch[b].forward(net.l[b].forward(h))).relu();
            }
            net.l[6].forward(h).cross_entropy(&y)
        })
    }),
    ("residual, with layers on the trunk", |d| {
        let mut net: Net = Net::default();
        for (i, o) in [(32, 48), (48, 48), (32, 48), (48, 64), (64, 64), (48, 64)] {
            net.l.push(d.linear(i, o, &kaiming_normal(Gain::Linear)));
        }
        net.l.push(d.linear(64, 10, &normal(0.01)));
        let (x, y) = (d.x([64, 32]), d.y(64, 10));
        d.look(net, |net, tape| {
            let x = tape.constant(x.clone());
            let h = (net.l[1].forward(net.l[0].forward(x).relu()) + net.l[2].forward(x)).scale(0.7);
            let h = (net.l[4].forward(net.l[3].forward(h).relu()) + net.l[5].forward(h)).scale(0.7);
            net.l[6].forward(h.relu()).cross_entropy(&y)
        })
    }),
    ("recurrent in both directions", |d| {
        let mut net = d.stack(&[16, 32, 5], &lecun_normal(Gain::Linear), &normal(0.01));
        net.l.push(d.linear(32, 32, &orthogonal(Gain::Linear)));
        net.l.push(d.linear(16, 32, &lecun_normal(Gain::Linear)));
        net.l.push(d.linear(32, 32, &orthogonal(Gain::Linear)));
        let (x, y): (Tensor, _) = (d.x([8, 32, 16]), d.y(32, 5));
        d.look(net, |net, tape| {
            let run = |a: usize, b: usize, rev: bool| {
                let mut h = tape.constant(Tensor::zeros([32, 32]));
                for at in 0..8 {
                    let at = if rev { 7 - at } else { at };
                    h = (net.l[b].forward(h) + net.l[a].forward(tape.constant(step(&x, at)))).tanh();
                }
                h
            };
            net.l[1].forward(run(0, 2, false) + run(3, 4, true)).cross_entropy(&y)
        })
    }),
    ("four heads of attention", |d| {
        let mut net =
            Net { l: (0..12).map(|_| d.linear(32, 8, &lecun_normal(Gain::Linear))).collect(), ..Net::default() };
        net.p = (0..4).map(|_| d.param([8, 32], &lecun_normal(Gain::Linear))).collect();
        net.l.push(d.linear(32, 10, &normal(0.01)));
        let (x, y) = (d.x([24, 32]), d.y(24, 10));
        d.look(net, |net, tape| {
            let x = tape.constant(x.clone());
            let mut h = x;
            for head in 0..4 {
                let [q, k, v] = [0, 1, 2].map(|i| net.l[3 * head + i].forward(x));
                h = h + q
                    .matmul(t(k))
                    .scale(1.0 / 8_f32.sqrt())
                    .softmax(-1)
                    .matmul(v)
                    .matmul(net.p[head].on(tape))
                    .scale(0.5);
            }
            net.l[12].forward(h).cross_entropy(&y)
        })
    }),
    ("an input around 0.5", |d| {
        let net = d.stack(&[30, 64, 64, 10], &kaiming_normal(Gain::Relu), &normal(0.01));
        let (x, y): (Tensor, _) = (d.x([64, 30]) * 0.05 + 0.5, d.y(64, 10));
        d.look(net, |net, tape| net.mlp(tape.constant(x.clone()), |h| h.relu()).cross_entropy(&y))
    }),
    ("counts from 0 to 9", |d| {
        let net = d.stack(&[30, 64, 64, 10], &kaiming_normal(Gain::Relu), &normal(0.01));
        let (x, y): (Tensor, _) = (d.shares([64, 30]).map(|u| (u * u * 10.0).floor()), d.y(64, 10));
        d.look(net, |net, tape| net.mlp(tape.constant(x.clone()), |h| h.relu()).cross_entropy(&y))
    }),
    ("three classes in the plane", |d| {
        let net = d.stack(&[2, 64, 64, 3], &kaiming_normal(Gain::Relu), &normal(0.05));
        let (x, y): (Tensor, _) = (d.x([100, 2]) * 0.5, d.y(100, 3));
        d.look(net, |net, tape| net.mlp(tape.constant(x.clone()), |h| h.relu()).cross_entropy(&y))
    }),
    ("exclusive or", |d| {
        let net = d.stack(&[2, 8, 1], &xavier_normal(Gain::Tanh), &xavier_normal(Gain::Linear));
        let x = Tensor::from([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]);
        let y = Tensor::from([[0.0], [1.0], [1.0], [0.0]]);
        d.look(net, |net, tape| bce(net.mlp(tape.constant(x.clone()), |h| h.tanh()), &y))
    }),
    ("a sine", |d| {
        let net = d.stack(&[1, 64, 64, 1], &kaiming_normal(Gain::Tanh), &xavier_normal(Gain::Linear));
        let x: Tensor = d.x([128, 1]);
        let y = x.sin();
        d.look(net, |net, tape| mse(net.mlp(tape.constant(x.clone()), |h| h.tanh()), &y))
    }),
];
