//! Residual networks beside torchvision's and PyTorch's: `tests/golden/resnet.py` has written what they are made of and give. Weights are
//! made by the same formula on both sides.

use std::collections::BTreeMap;
use std::path::Path;

use autograd::{Tape, Var};
use nn::{
    BatchNorm2d, Conv2d, Layer, Linear, MaxPool, ModelFile, Module, Optimizer, Param, Sequential, Sgd, module, seq,
};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use tensor::io::AnyTensor;
use tensor::{Conv, Float, Pool, Tensor, safetensors};

fn numbers<T: Float>(dims: &[usize], seed: i64) -> Tensor<T> {
    let mut i = seed * 1009;
    Tensor::from_fn(dims, |_| {
        i += 1;
        T::from_f64((i * i % 10007 * 7919 % 10007) as f64 / 5003.0 - 1.0)
    })
}

/// Weights of variance 2 / fan_in; norms that do something.
fn made<T: Float>(name: &str, dims: &[usize], seed: i64) -> Tensor<T> {
    let u: Tensor<T> = numbers(dims, seed);
    if let [_, inputs @ ..] = dims
        && !inputs.is_empty()
    {
        return u * T::from_f64((6.0 / inputs.iter().product::<usize>() as f64).sqrt());
    }
    let scales = ["running_var", "bn1.weight", "bn2.weight", "downsample.1.weight"];
    match scales.iter().any(|end| name.ends_with(end)) {
        true => u * T::from_f64(0.3) + T::ONE,
        false => u * T::from_f64(0.2),
    }
}

struct Block<T: Float = f32> {
    conv1: Conv2d<T>,
    bn1: BatchNorm2d<T>,
    conv2: Conv2d<T>,
    bn2: BatchNorm2d<T>,
    downsample: Option<Shortcut<T>>,
}

module!(impl<T> Block<T> { conv1, bn1, conv2, bn2, downsample });

/// A convolution and a norm, which PyTorch numbers.
struct Shortcut<T: Float>(Conv2d<T>, BatchNorm2d<T>);

module!(impl<T> Shortcut<T> { 0, 1 });

fn conv<T: Float>(channels: [usize; 2], size: usize, stride: usize) -> Conv2d<T> {
    let how = Conv::default().stride(stride).padding(size / 2);
    let rng = &mut ChaCha8Rng::seed_from_u64(1);
    Conv2d::try_torch(channels[0], channels[1], size, how, rng).unwrap().without_bias()
}

impl<T: Float> Block<T> {
    fn new(inputs: usize, width: usize, stride: usize) -> Self {
        let norm = || BatchNorm2d::try_new(width).unwrap();
        let shortcut = || Shortcut(conv([inputs, width], 1, stride), norm());
        Block {
            conv1: conv([inputs, width], 3, stride),
            bn1: norm(),
            conv2: conv([width, width], 3, 1),
            bn2: norm(),
            downsample: (stride != 1 || inputs != width).then(shortcut),
        }
    }
}

impl<T: Float> Layer<T> for Block<T> {
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        let h = self.bn1.forward(self.conv1.forward(x)).relu();
        let h = self.bn2.forward(self.conv2.forward(h));
        let shortcut = self.downsample.as_ref().map_or(x, |way| way.1.forward(way.0.forward(x)));
        (h + shortcut).relu()
    }
}

struct ResNet18 {
    conv1: Conv2d,
    bn1: BatchNorm2d,
    layer1: Sequential,
    layer2: Sequential,
    layer3: Sequential,
    layer4: Sequential,
    fc: Linear,
}

module!(ResNet18 { conv1, bn1, layer1, layer2, layer3, layer4, fc });

impl ResNet18 {
    fn new() -> Self {
        let stage = |inputs: usize, width: usize, stride: usize| -> Sequential {
            seq![Block::new(inputs, width, stride), Block::new(width, width, 1)]
        };
        ResNet18 {
            conv1: conv([3, 64], 7, 2),
            bn1: BatchNorm2d::new(64),
            layer1: stage(64, 64, 1),
            layer2: stage(64, 128, 2),
            layer3: stage(128, 256, 2),
            layer4: stage(256, 512, 2),
            fc: Linear::new_torch(512, 1000, &mut ChaCha8Rng::seed_from_u64(1)).unwrap(),
        }
    }
}

impl Layer for ResNet18 {
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let pool = MaxPool(Pool::<2>::new(3).stride(2).padding(1));
        let h = pool.forward(self.bn1.forward(self.conv1.forward(x)).relu());
        let h =
            [&self.layer1, &self.layer2, &self.layer3, &self.layer4].into_iter().fold(h, |h, stage| stage.forward(h));
        self.fc.forward(h.mean([2, 3]))
    }
}

/// The lines of the golden file by their first word.
fn golden() -> Vec<(String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/resnet.txt");
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| line.split_once(' ').unwrap()).map(|(a, b)| (a.to_owned(), b.to_owned())).collect()
}

fn words(golden: &[(String, String)], name: &str) -> Vec<f64> {
    let line = &golden.iter().find(|(first, _)| first == name).unwrap().1;
    line.split(' ').map(|word| word.parse().unwrap()).collect()
}

#[test]
fn a_state_dict_of_resnet18_loads_gives_its_logits_and_goes_back() {
    let golden = golden();
    let tensors: BTreeMap<String, AnyTensor> = (golden.iter().take_while(|(name, _)| name != "logits").zip(0..))
        .map(|((name, dims), seed)| {
            let dims: Vec<usize> =
                dims.split(',').filter(|size| !size.is_empty()).map(|size| size.parse().unwrap()).collect();
            let tensor = match name.ends_with("num_batches_tracked") {
                true => AnyTensor::from(Tensor::<i64>::scalar(0)),
                false => AnyTensor::from(made::<f32>(name, &dims, seed)),
            };
            (name.clone(), tensor)
        })
        .collect();
    assert_eq!(tensors.len(), 122);
    let folder = crate::files::folder("resnet");
    let (theirs, ours) = (folder.join("theirs.safetensors"), folder.join("ours.safetensors"));
    safetensors::write(&theirs, tensors.iter().map(|(name, x)| (name, x.clone())), &BTreeMap::new()).unwrap();

    let mut model = ResNet18::new();
    assert_eq!(model.parameter_count(), 11_689_512);
    ModelFile::at(&theirs).torch().load(&mut model).unwrap();
    let logits = nn::predict(&model, &numbers(&[2, 3, 64, 64], 77));
    let want = words(&golden, "logits");
    let far = logits.iter().zip(&want).map(|(got, want)| (f64::from(got) - want).abs()).fold(0.0, f64::max);
    assert!(want.len() == 2000 && far < 1e-4, "{far}");

    ModelFile::at(&ours).torch().save(&model).unwrap();
    assert_eq!(safetensors::read(&ours).unwrap().tensors, tensors);
    if let Some(to) = std::env::var_os("EVENKEEL_WRITE_TORCH") {
        std::fs::copy(&ours, to).unwrap();
    }
}

struct Small<T: Float> {
    block: Block<T>,
    fc: Linear<T>,
}

module!(impl<T> Small<T> { block, fc });

#[test]
fn ten_steps_of_a_block_have_pytorchs_losses() {
    let golden = golden();
    let rng = &mut ChaCha8Rng::seed_from_u64(1);
    let mut model = Small { block: Block::new(3, 6, 2), fc: Linear::try_torch(6, 4, rng).unwrap() };
    // In the order of PyTorch's state dict, which counts the batches of each norm too, and has the linear weight transposed.
    let mut seed = 0;
    let mut fill = |name: &str, param: &mut Param<f64>| {
        *param.value_mut() = made(name, param.value().dims(), seed);
        seed += 1;
    };
    let Block { conv1, bn1, conv2, bn2, downsample } = &mut model.block;
    let Shortcut(conv3, bn3) = downsample.as_mut().unwrap();
    for (conv, norm, name) in [(conv1, bn1, "bn1"), (conv2, bn2, "bn2"), (conv3, bn3, "downsample.1")] {
        fill("conv.weight", &mut conv.weight);
        fill(&format!("{name}.weight"), norm.weight.as_mut().unwrap());
        fill("bias", norm.bias.as_mut().unwrap());
        fill("running_mean", norm.running_mean.as_mut().unwrap());
        fill("running_var", norm.running_var.as_mut().unwrap());
        fill("", &mut Param::new(Tensor::zeros([1])));
    }
    *model.fc.weight.value_mut() = made::<f64>("fc.weight", &[4, 6], 18).t().contiguous();
    *model.fc.bias.as_mut().unwrap().value_mut() = made("fc.bias", &[4], 19);

    let (x, y) = (numbers(&[8, 3, 9, 9], 77), Tensor::from_fn([8], |i| (i[0] * 3 % 4) as i64));
    let mut sgd = Optimizer::new(Sgd { momentum: 0.9, weight_decay: 1e-3, ..Sgd::default() }, 0.1).unwrap();
    for (step, want) in words(&golden, "losses").into_iter().enumerate() {
        let tape = Tape::default();
        let h = model.block.forward(tape.constant(x.clone()));
        let loss = model.fc.forward(h.mean([2, 3])).cross_entropy(&y);
        assert!((loss.item() - want).abs() < 1e-9, "step {step}: {} is not {want}", loss.item());
        let gradients = loss.backward();
        sgd.step(&mut model, &gradients);
    }
}
