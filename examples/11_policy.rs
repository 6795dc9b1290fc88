//! A policy that learns to balance a pole on a cart (Barto, Sutton and Anderson, 1983, *Neuronlike Adaptive Elements That Can Solve Difficult
//! Learning Control Problems*), by REINFORCE (Williams, 1992): what it did is made likelier by how much better than usual it went on. From
//! about 20 steps an episode to 500, the most there are, in half a second.
//!
//! cargo run --release --example 11_policy

use std::process::ExitCode;

use clap::Parser;
use evenkeel::nn::distributions::Categorical;
use evenkeel::prelude::*;

#[path = "common/mod.rs"]
mod common;
use common::failure::{Failure, exit};

#[derive(Parser)]
struct Args {
    /// Rounds of 16 episodes
    #[arg(long, default_value_t = 100)]
    rounds: u64,
    #[arg(long, default_value_t = 42)]
    seed: u64,
}

const EPISODES: usize = 16;
const MOST: usize = 500;

/// Place, speed, angle and its speed.
type Cart = [f32; 4];

/// A fiftieth of a second later, pushed to the right or to the left; `None` where the pole has fallen or the cart left its track.
fn pushed([x, v, angle, turning]: Cart, right: bool) -> Option<Cart> {
    let (sin, cos) = (angle.sin(), angle.cos());
    let push = if right { 10.0 } else { -10.0 };
    let of_pole = (push + 0.05 * turning * turning * sin) / 1.1;
    let turn = (9.8 * sin - cos * of_pole) / (0.5 * (4.0 / 3.0 - 0.1 * cos * cos / 1.1));
    let next =
        [x + 0.02 * v, v + 0.02 * (of_pole - 0.05 * turn * cos / 1.1), angle + 0.02 * turning, turning + 0.02 * turn];
    (next[0].abs() < 2.4 && next[2].abs() < 0.209).then_some(next)
}

/// What was seen, what was done, and how long it went on from there, of some episodes side by side.
fn play(policy: &Sequential, seed: u64, round: u64) -> (Vec<Cart>, Vec<i64>, Vec<f32>) {
    let mut tape = Tape::no_grad();
    tape.seed(seed, round << 32);
    let start = tape.uniform([EPISODES, 4], -0.05, 0.05).value().to_vec();
    let mut carts: Vec<(usize, Cart)> = start.as_chunks::<4>().0.iter().copied().enumerate().collect();
    let (mut seen, mut done, mut whose, mut lengths) = (Vec::new(), Vec::new(), Vec::new(), [0; EPISODES]);
    for step in 0..MOST as u64 {
        tape.reset();
        tape.seed(seed, round << 32 | (step + 1));
        let states: Vec<f32> = carts.iter().flat_map(|(_, cart)| *cart).collect();
        let states = tape.constant(Tensor::from_slice(&states).reshape([carts.len(), 4]));
        let actions = Categorical::new(policy.forward(states)).sample().to_vec();
        let mut going = Vec::new();
        for (&(episode, cart), &action) in carts.iter().zip(&actions) {
            seen.push(cart);
            done.push(action);
            whose.push((episode, lengths[episode]));
            lengths[episode] += 1;
            going.extend(pushed(cart, action == 1).map(|cart| (episode, cart)));
        }
        carts = going;
        if carts.is_empty() {
            break;
        }
    }
    // Of steps that are yet to come, each counts by a hundredth less than the one before.
    let left = whose.iter().map(|&(episode, at)| (1.0 - 0.99_f32.powi(lengths[episode] - at)) / 0.01).collect();
    (seen, done, left)
}

fn run() -> Result<(), Failure> {
    let Some(args) = common::args::parse::<Args>()? else { return Ok(()) };
    let mut rng = ChaCha8Rng::seed_from_u64(args.seed);
    let mut policy = seq![
        Linear::new(4, 64, &init::kaiming_normal(init::Gain::Tanh), &mut rng)?,
        nn::activations::Tanh,
        Linear::new(64, 2, &init::normal(0.01), &mut rng)?,
    ];
    let mut adam = Optimizer::new(Adam::default(), 0.01)?;
    for round in 0..args.rounds {
        let (seen, done, left) = play(&policy, args.seed, round);
        let left = Tensor::from_slice(&left);
        let advantage = (&left - left.mean(..)) / (left.std(.., 0) + 1e-6);
        let tape = Tape::new();
        let actions = Categorical::new(
            policy.forward(tape.constant(Tensor::from_slice(seen.as_flattened()).reshape([seen.len(), 4]))),
        );
        let likelier = actions.log_prob(&Tensor::from_slice(&done)) * tape.constant(advantage);
        let gradients = (-(likelier + actions.entropy() * 0.01)).mean(0).backward();
        drop(tape);
        adam.step(&mut policy, &gradients);
        if round % 10 == 0 || round + 1 == args.rounds {
            println!("round {round:4}: {:5.1} steps an episode", seen.len() as f64 / EPISODES as f64);
        }
    }
    Ok(())
}

fn main() -> ExitCode {
    exit(run())
}
