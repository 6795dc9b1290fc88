//! Files from PyTorch and to it; `tests/golden/torch_files.py` makes the one, and reads the other.

use std::path::{Path, PathBuf};

use autograd::{Tape, Var};
use nn::activations::Tanh;
use nn::{
    AdaptiveAvgPool2d, AvgPool, BatchNorm1d, BatchNorm2d, Bilinear, Conv1d, Conv2d, Conv3d, ConvTranspose1d,
    ConvTranspose2d, Embedding, GRU, GroupNorm, LSTM, Layer, LayerNorm, Linear, MaxPool2d, ModelFile,
    MultiheadAttention, PRelu, PixelShuffle, RMSNorm, RNN, Sequential, TransformerBlock, Upsample, module, seq,
};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use tensor::io::AnyTensor;
use tensor::{Activation, Conv, ConvTranspose, Interpolation, Pool, Resize, Tensor, safetensors};

use crate::files::folder;

struct Model {
    embedding: Embedding,
    linear: Linear,
    plain: Linear,
    bilinear: Bilinear,
    layer_norm: LayerNorm,
    batch_norm: BatchNorm1d,
    cumulative: BatchNorm1d,
    group_norm: GroupNorm,
    rms_norm: RMSNorm,
    prelu: PRelu,
    rnn: RNN,
    gru: GRU,
    lstm: LSTM,
    attention: MultiheadAttention,
    block: TransformerBlock,
    conv1d: Conv1d,
    conv2d: Conv2d,
    conv3d: Conv3d,
    transposed: ConvTranspose1d,
    turned: ConvTranspose2d,
    batch_norm2d: BatchNorm2d,
    stack: Sequential,
}

module!(Model {
    embedding,
    linear,
    plain,
    bilinear,
    layer_norm,
    batch_norm,
    cumulative,
    group_norm,
    rms_norm,
    prelu,
    rnn,
    gru,
    lstm,
    attention,
    block,
    conv1d,
    conv2d,
    conv3d,
    transposed,
    turned,
    batch_norm2d,
    stack,
});

fn model() -> Result<Model, nn::Error> {
    let rng = &mut ChaCha8Rng::seed_from_u64(1);
    Ok(Model {
        embedding: Embedding::new_torch(7, 6, rng)?,
        linear: Linear::new_torch(6, 4, rng)?,
        plain: Linear::new_torch(6, 3, rng)?.without_bias(),
        bilinear: Bilinear::new_torch([6, 6], 5, rng)?,
        layer_norm: LayerNorm::new(6),
        batch_norm: BatchNorm1d::new(6),
        cumulative: BatchNorm1d::new(6).cumulative(),
        group_norm: GroupNorm::new(2, 6)?,
        rms_norm: RMSNorm::new(6),
        prelu: PRelu::of_channels(6)?,
        rnn: RNN::new_torch(6, 4, rng)?,
        gru: GRU::new_torch(6, 4, rng)?,
        lstm: LSTM::new_torch(6, 4, rng)?,
        attention: MultiheadAttention::new_torch(6, 2, rng)?,
        block: TransformerBlock::new_torch(6, 2, 8, rng)?.with_activation(Activation::Gelu),
        conv1d: Conv1d::new_torch(3, 4, 3, Conv::default().dilation(2).padding(2), rng)?,
        conv2d: Conv2d::new_torch(2, 4, [3, 2], Conv::default().stride(2).padding(1).groups(2), rng)?,
        conv3d: Conv3d::new_torch(1, 2, 2, Conv::default(), rng)?.without_bias(),
        transposed: ConvTranspose1d::new_torch(
            4,
            6,
            3,
            ConvTranspose::default().stride(2).output_padding(1).groups(2),
            rng,
        )?,
        turned: ConvTranspose2d::new_torch(2, 3, 3, ConvTranspose::default().stride(2).padding(1), rng)?,
        batch_norm2d: BatchNorm2d::new(4),
        stack: seq![Linear::new_torch(6, 4, rng)?, Tanh, Linear::new_torch(4, 2, rng)?],
    })
}

/// What each layer gives, by its name.
fn outputs(model: &Model) -> Vec<(&'static str, Tensor)> {
    let tape = Tape::no_grad();
    let x = model.embedding.forward(&tape, &Tensor::from([[0, 3, 6, 1], [2, 2, 5, 4], [1, 0, 3, 3]]));
    let flat = x.reshape([12, 6]);
    let of = |name, y: Var<'_>| (name, y.value());
    let (waves, images) = (x.transpose(1, 2).narrow(1, 0, 3), x.reshape([2, 2, 3, 6]));
    let features = model.conv2d.forward(images);
    vec![
        of("conv1d", model.conv1d.forward(waves)),
        of("conv2d", features),
        of("conv3d", model.conv3d.forward(images.unsqueeze(1))),
        of("transposed", model.transposed.forward(model.conv1d.forward(waves))),
        of("turned", model.turned.forward(images)),
        of("batch_norm2d", model.batch_norm2d.forward(features)),
        of("max_pool", MaxPool2d::new(2).forward(images)),
        of("avg_pool", AvgPool(Pool::<2>::new(3).stride(2).padding(1).without_padding()).forward(images)),
        of("adaptive", AdaptiveAvgPool2d::new([2, 4]).unwrap().forward(images)),
        of("upsample", Upsample(Resize::<2>::by(2.0, Interpolation::Linear)).forward(images)),
        of("shuffle", PixelShuffle::new(2).unwrap().forward(model.conv1d.forward(waves).unsqueeze(-1))),
        of("embedding", x),
        of("linear", model.linear.forward(flat)),
        of("plain", model.plain.forward(flat)),
        of("bilinear", model.bilinear.forward(flat, flat.flip(&[0]))),
        of("layer_norm", model.layer_norm.forward(flat)),
        of("batch_norm", model.batch_norm.forward(flat)),
        of("cumulative", model.cumulative.forward(flat)),
        of("group_norm", model.group_norm.forward(flat)),
        of("rms_norm", model.rms_norm.forward(flat)),
        of("prelu", model.prelu.forward(flat)),
        of("rnn", model.rnn.forward(x)),
        of("gru", model.gru.forward(x)),
        of("lstm", model.lstm.forward(x)),
        of("attention", model.attention.forward(x)),
        of("block", model.block.forward(x)),
        of("stack", model.stack.forward(flat)),
    ]
}

fn theirs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/torch.safetensors")
}

#[test]
fn a_state_dict_of_pytorchs_gives_what_it_gives_there_and_goes_back_as_it_came() {
    let mut model = model().unwrap();
    let wrong = nn::load(theirs(), &mut model).unwrap_err().to_string();
    assert!(wrong.contains("linear.weight is [4, 6] in the file, and must be [6, 4]"), "{wrong}");
    assert!(wrong.contains("`ModelFile::at(path).torch()`"), "{wrong}");

    let left_out = ModelFile::at(theirs()).torch().partial().load(&mut model).unwrap();
    let golden = safetensors::read(theirs()).unwrap().tensors;
    let want: Vec<&str> = golden.keys().filter_map(|name| name.strip_prefix("output.")).collect();
    assert_eq!(left_out.len(), want.len(), "{left_out:#?}");
    let got = outputs(&model);
    assert_eq!(got.len(), want.len());
    for (name, got) in got {
        let want: &Tensor = golden[&format!("output.{name}")].get().unwrap();
        assert!(got.allclose(want, 0.0, 1e-6), "{name}: {got} and {want}");
    }

    let path = folder("torch_files").join("ours.safetensors");
    let file = ModelFile::at(&path).torch();
    file.save(&model).unwrap();
    let ours = safetensors::read(&path).unwrap();
    assert_eq!(ours.metadata["format"], "pt");
    let mut weights = golden.into_iter().filter(|(name, _)| !name.starts_with("output.")).collect::<Vec<_>>();
    for (name, value) in &mut weights {
        if name == "batch_norm.num_batches_tracked" {
            // It has no meaning where there is a momentum, and is not counted.
            *value = AnyTensor::from(Tensor::<i64>::scalar(0));
        }
    }
    assert_eq!(ours.tensors.into_iter().collect::<Vec<_>>(), weights);
    file.load(&mut self::model().unwrap()).unwrap();
    if let Some(to) = std::env::var_os("EVENKEEL_WRITE_TORCH") {
        std::fs::copy(&path, to).unwrap();
    }
}

#[test]
fn a_square_weight_is_not_taken_for_its_transpose() {
    let rng = &mut ChaCha8Rng::seed_from_u64(2);
    let square = Linear::new_torch(4, 4, rng).unwrap();
    let mut other = Linear::new_torch(4, 4, rng).unwrap();
    let path = folder("square").join("square.safetensors");
    let (plain, torch) = (ModelFile::at(&path), ModelFile::at(&path).torch());
    for (write, wrong, right, whose) in [(&torch, &plain, &torch, "PyTorch's"), (&plain, &torch, &plain, "Evenkeel's")]
    {
        write.save(&square).unwrap();
        let before = other.weight.value().clone();
        for wrong in [wrong.clone(), wrong.clone().partial()] {
            let why = wrong.load(&mut other).unwrap_err().to_string();
            assert!(why.contains(&format!("has {whose} names and order of axes")), "{why}");
        }
        assert_eq!(other.weight.value(), &before);
        right.load(&mut other).unwrap();
        assert_eq!(other.weight.value(), square.weight.value());
        *other.weight.value_mut() *= 2.0;
    }
    // What another program has written says it too, or says nothing, and is read as asked.
    let weights = [("weight", square.weight.value().t()), ("bias", square.bias.as_ref().unwrap().value().clone())];
    safetensors::write(&path, weights.clone(), &[("format".into(), "pt".into())].into()).unwrap();
    assert!(plain.load(&mut other).is_err());
    torch.load(&mut other).unwrap();
    assert_eq!(other.weight.value(), square.weight.value());
    safetensors::write(&path, weights, &Default::default()).unwrap();
    torch.load(&mut other).unwrap();
    assert_eq!(other.weight.value(), square.weight.value());
    // A model of which nothing is otherwise there is read both ways.
    let mut norm = LayerNorm::new(4);
    torch.save(&norm).unwrap();
    plain.load(&mut norm).unwrap();
}

/// A file as `safetensors.torch.save_file` writes it: without a word of whose it is.
fn unsigned(path: &Path, tensors: &[(&str, Tensor)]) {
    let tensors = tensors.iter().map(|(name, x)| (*name, x));
    safetensors::write(path, tensors, &std::collections::BTreeMap::new()).unwrap();
}

#[test]
fn a_file_that_does_not_say_whose_it_is_and_could_be_either_is_refused() {
    let path = std::env::temp_dir().join(format!("evenkeel-nn-{}-unsigned.safetensors", std::process::id()));
    let rng = &mut ChaCha8Rng::seed_from_u64(1);
    let square = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    unsigned(&path, &[("weight", square.clone()), ("bias", Tensor::zeros([2]))]);
    let mut layer = Linear::new_torch(2, 2, rng).unwrap();
    let before = layer.weight.value().clone();
    for file in [ModelFile::at(&path), ModelFile::at(&path).partial(), ModelFile::at(&path).convert()] {
        let said = file.load(&mut layer).unwrap_err().to_string();
        assert!(said.contains("`ModelFile::torch()`") && said.contains("`ModelFile::evenkeel()`"), "{said}");
        assert_eq!(layer.weight.value(), &before);
    }
    ModelFile::at(&path).torch().load(&mut layer).unwrap();
    assert_eq!(layer.weight.value(), &square.t());
    ModelFile::at(&path).evenkeel().load(&mut layer).unwrap();
    assert_eq!(layer.weight.value(), &square);

    // Another part shows whose it is.
    let mut stack = seq![Linear::new_torch(2, 2, rng).unwrap(), Linear::new_torch(2, 3, rng).unwrap()];
    let parts = |last: Tensor| {
        [
            ("0.weight", square.clone()),
            ("0.bias", Tensor::zeros([2])),
            ("1.weight", last),
            ("1.bias", Tensor::zeros([3])),
        ]
    };
    unsigned(&path, &parts(Tensor::zeros([2, 3])));
    nn::load(&path, &mut stack).unwrap();
    unsigned(&path, &parts(Tensor::zeros([3, 2])));
    let said = nn::load(&path, &mut stack).unwrap_err().to_string();
    assert!(said.contains("1.weight is [3, 2] in the file, and must be [2, 3]"), "{said}");
    let said = ModelFile::at(&path).partial().load(&mut stack).unwrap_err().to_string();
    assert!(said.contains("it could be either"), "{said}");
    ModelFile::at(&path).torch().load(&mut stack).unwrap();

    // What is the same in both is in no doubt, and our own files say whose they are.
    let mut norm = LayerNorm::new(2);
    unsigned(&path, &[("weight", Tensor::ones([2])), ("bias", Tensor::zeros([2]))]);
    nn::load(&path, &mut norm).unwrap();
    nn::save(&path, &layer).unwrap();
    nn::load(&path, &mut layer).unwrap();
    ModelFile::at(&path).evenkeel().load(&mut layer).unwrap();
    ModelFile::at(&path).torch().save(&layer).unwrap();
    assert!(nn::load(&path, &mut layer).is_err() && ModelFile::at(&path).evenkeel().load(&mut layer).is_err());
    std::fs::remove_file(path).unwrap();
}

#[test]
fn two_parts_of_one_name_in_pytorch_are_refused_when_loading_too() {
    struct Twice {
        first: nn::Param,
        second: nn::Param,
    }
    nn::module!(Twice { first as "same", second as "same" });
    let path = std::env::temp_dir().join(format!("evenkeel-nn-{}-twice.safetensors", std::process::id()));
    let mut model = Twice { first: nn::Param::new(Tensor::zeros([2])), second: nn::Param::new(Tensor::zeros([2])) };
    assert!(ModelFile::at(&path).torch().save(&model).is_err());
    unsigned(&path, &[("same", Tensor::ones([2]))]);
    let said = ModelFile::at(&path).torch().load(&mut model).unwrap_err().to_string();
    assert!(said.contains("first and second of the model are both called \"same\" in PyTorch"), "{said}");
    assert_eq!(model.first.value(), &Tensor::zeros([2]));
    std::fs::remove_file(path).unwrap();
}
