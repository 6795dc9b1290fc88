//! A model as a picture in text, as PyTorch prints it: a line for each layer.

use std::fmt::{self, Formatter, Write as _};

use tensor::Float;

use crate::layer::Layer;
use crate::module::Module;
use crate::param::{Kind, Param};
use crate::path::Path;

/// Writes a model: the name of each layer, the shapes of its parameters, and how many numbers these are.
#[allow(clippy::missing_errors_doc, reason = "those of the formatter")]
pub fn picture<T: Float>(module: &dyn Module<T>, f: &mut Formatter<'_>) -> fmt::Result {
    let mut text = String::new();
    draw(module, Path::root(), 0, &mut text);
    let count = module.parameter_count();
    let frozen = || module.parameters().into_iter().filter(|(_, param)| param.kind() == Kind::Frozen);
    let frozen: usize = frozen().map(|(_, param)| param.value().numel()).sum();
    let plural = if count == 1 { "parameter" } else { "parameters" };
    write!(f, "{text}, {} {plural}", grouped(count))?;
    if frozen > 0 { write!(f, ", {} of them frozen", grouped(frozen)) } else { Ok(()) }
}

fn draw<T: Float>(module: &dyn Module<T>, path: Path<'_>, depth: usize, text: &mut String) {
    let (own, mut parts) = (path.to_string(), Vec::new());
    let mut parameters: Vec<(String, &Param<T>)> = Vec::new();
    module.visit(path, &mut |path, param| parameters.push((path.to_string(), param)));
    // A part that is nothing but a parameter is told with its owner.
    module.parts(path, &mut |path, part| {
        let path = path.to_string();
        if !parameters.iter().any(|(at, _)| *at == path) {
            parts.push((path, part));
        }
    });
    let within =
        |at: &str| parts.iter().any(|(part, _)| at.strip_prefix(part.as_str()).is_some_and(|at| at.starts_with('.')));
    let told: Vec<String> =
        parameters.iter().filter(|(at, _)| !within(at)).map(|(at, param)| tell(at, &own, param)).collect();
    // What an option leaves out has neither parts nor a name to show.
    parts.retain(|(_, part)| part.describe() != "None");
    *text += &module.describe();
    if parts.is_empty() {
        let _ = if told.is_empty() { Ok(()) } else { write!(text, "({})", told.join(", ")) };
        return;
    }
    let indent = "  ".repeat(depth + 1);
    text.push_str("(\n");
    for parameter in told {
        let _ = writeln!(text, "{indent}{parameter}");
    }
    for (at, part) in parts {
        let name = at.rsplit('.').next().unwrap_or(&at).to_owned();
        let _ = write!(text, "{indent}({name}): ");
        nested(part, &at, depth + 1, text);
        let count = part.parameter_count();
        let _ = if count > 0 { writeln!(text, ", {}", grouped(count)) } else { writeln!(text) };
    }
    let _ = write!(text, "{})", "  ".repeat(depth));
}

/// Draws a part, whose path is spelled out already.
fn nested<T: Float>(part: &dyn Module<T>, at: &str, depth: usize, text: &mut String) {
    let root = Path::root();
    draw(part, root.field(at), depth, text);
}

/// A parameter: what it is called by its owner, its shape, and what is special about it.
fn tell<T: Float>(at: &str, owner: &str, param: &Param<T>) -> String {
    let name = at.strip_prefix(owner).map_or(at, |name| name.trim_start_matches('.'));
    let kind = match param.kind() {
        Kind::Weight => "",
        Kind::Frozen => " frozen",
        Kind::State => " state",
    };
    let space = if name.is_empty() { "" } else { " " };
    format!("{name}{space}{}{kind}", param.value().shape())
}

/// 11897 as 11,897.
fn grouped(count: usize) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

impl<T: Float> fmt::Debug for dyn Module<T> + '_ {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        picture(self, f)
    }
}

impl<T: Float> fmt::Debug for dyn Layer<T> + '_ {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        picture::<T>(self, f)
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;
    use tensor::{Activation, Tensor};

    use super::*;
    use crate::{BatchNorm1d, Dropout, Embedding, Linear, func, module};

    struct Block {
        linear: Linear,
        norm: Option<BatchNorm1d>,
        dropout: Dropout,
    }
    module!(Block { linear, norm, dropout });

    struct Model {
        embedding: Embedding,
        blocks: Vec<Block>,
        scale: Param,
        rest: Vec<Box<dyn Layer>>,
    }
    module!(Model { embedding, blocks, scale, rest });

    #[test]
    fn a_model_is_shown_a_line_for_each_layer() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut linear = |fan_in, fan_out| Linear::new(fan_in, fan_out, &init::normal(1.0), &mut rng).unwrap();
        let block = |linear: Linear, norm| Block { linear, norm, dropout: Dropout::new(0.2).unwrap() };
        let blocks =
            vec![block(linear(30, 200).without_bias(), Some(BatchNorm1d::new(200))), block(linear(200, 200), None)];
        let rest: Vec<Box<dyn Layer>> =
            vec![Box::new(linear(200, 27)), Box::new(Activation::Tanh), Box::new(func(|x| 2.0 * x))];
        let embedding = Embedding::new(27, 10, &init::normal(1.0), &mut rng).unwrap();
        let mut model = Model { embedding, blocks, scale: Param::new(Tensor::ones([1])), rest };
        model.freeze("embedding*").unwrap();
        let want = "\
Model(
  scale [1]
  (embedding): Embedding(weight [27, 10] frozen), 270
  (blocks): Vec(
    (0): Block(
      (linear): Linear(weight [30, 200]), 6,000
      (norm): BatchNorm1d(weight [200], bias [200], running_mean [200] state, running_var [200] state), 400
      (dropout): Dropout(0.2)
    ), 6,400
    (1): Block(
      (linear): Linear(weight [200, 200], bias [200]), 40,200
      (dropout): Dropout(0.2)
    ), 40,200
  ), 46,600
  (rest): Vec(
    (0): Linear(weight [200, 27], bias [27]), 5,427
    (1): Tanh
    (2): Func
  ), 5,427
), 52,298 parameters, 270 of them frozen";
        assert_eq!(format!("{model:?}"), want);
        assert_eq!(format!("{:?}", &model as &dyn Module), want);
        assert_eq!(format!("{:?}", model.rest[0]), "Linear(weight [200, 27], bias [27]), 5,427 parameters");
        assert_eq!(format!("{:?}", model.rest[1]), "Tanh, 0 parameters");
    }
}
