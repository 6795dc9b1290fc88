//! The networks.

use evenkeel::nn::{AdaptiveAvgPool2d, BatchNorm2d, Conv2d, Error, MaxPool2d};
use evenkeel::prelude::*;
use evenkeel::tensor::Conv;

fn relu() -> impl Initializer {
    init::kaiming_normal(Gain::Relu)
}

/// LeNet-5, with relu and the largest of each four in place of tanh and means: its shapes and its 61,706 parameters for images of 28 × 28.
pub fn lenet([channels, side]: [usize; 2], classes: usize, rng: &mut ChaCha8Rng) -> Result<Sequential, Error> {
    let features = 16 * ((side / 2 - 4) / 2).pow(2);
    Ok(seq![
        Conv2d::new(channels, 6, 5, Conv::default().padding(2), &relu(), rng)?,
        Activation::Relu,
        MaxPool2d::new(2),
        Conv2d::new(6, 16, 5, Conv::default(), &relu(), rng)?,
        Activation::Relu,
        MaxPool2d::new(2),
        Flatten,
        Linear::new(features, 120, &relu(), rng)?,
        Activation::Relu,
        Linear::new(120, 84, &relu(), rng)?,
        Activation::Relu,
        Linear::new(84, classes, &init::normal(0.01), rng)?,
    ])
}

/// Two convolutions beside a shortcut: relu(x + f(x)).
pub struct Block {
    conv1: Conv2d,
    norm1: BatchNorm2d,
    conv2: Conv2d,
    norm2: BatchNorm2d,
    shortcut: Option<Conv2d>,
}

module!(Block { conv1, norm1, conv2, norm2, shortcut });

impl Block {
    fn new(inputs: usize, width: usize, stride: usize, rng: &mut ChaCha8Rng) -> Result<Self, Error> {
        let how = Conv::<2>::default();
        let mut conv = |inputs, size: usize, stride| {
            Ok::<_, Error>(
                Conv2d::new(inputs, width, size, how.stride(stride).padding(size / 2), &relu(), rng)?.without_bias(),
            )
        };
        Ok(Block {
            conv1: conv(inputs, 3, stride)?,
            norm1: BatchNorm2d::new(width),
            conv2: conv(width, 3, 1)?,
            norm2: BatchNorm2d::new(width),
            shortcut: if stride > 1 || inputs != width { Some(conv(inputs, 1, stride)?) } else { None },
        })
    }
}

impl Layer for Block {
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let h = self.norm1.forward(self.conv1.forward(x)).relu();
        let h = self.norm2.forward(self.conv2.forward(h));
        (h + self.shortcut.forward(x)).relu()
    }
}

/// A residual network of eight layers: three stages of 16, 32 and 64 channels, a block each.
pub fn resnet(channels: usize, classes: usize, rng: &mut ChaCha8Rng) -> Result<Sequential, Error> {
    Ok(seq![
        Conv2d::new(channels, 16, 3, Conv::default().padding(1), &relu(), rng)?.without_bias(),
        BatchNorm2d::new(16),
        Activation::Relu,
        Block::new(16, 16, 1, rng)?,
        Block::new(16, 32, 2, rng)?,
        Block::new(32, 64, 2, rng)?,
        AdaptiveAvgPool2d::new(1)?,
        Flatten,
        Linear::new(64, classes, &init::normal(0.01), rng)?,
    ])
}
