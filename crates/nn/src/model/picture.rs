//! A model as a picture in text, as PyTorch prints it: a line for each layer.

use std::fmt::{self, Formatter};

use tensor::{Float, Shape};

use crate::model::Kind;
use crate::model::Layer;
use crate::model::Module;
use crate::model::ParamPath;

/// Writes a model: the name of each layer, the shapes of its parameters, and how many numbers these are.
#[allow(clippy::missing_errors_doc, reason = "those of the formatter")]
pub fn picture<T: Float>(module: &(impl Module<T> + ?Sized), f: &mut Formatter<'_>) -> fmt::Result {
    // What is generic in the float ends here, since that is compiled in the user's crate.
    let (mut outline, mut parameters) = (Vec::new(), Vec::new());
    module.outline(ParamPath::root(), &mut |path, name| outline.push(Entry { path: path.to_string(), name }));
    module.visit(ParamPath::root(), &mut |path, param| {
        let shape = param.value().shape().clone();
        parameters.push(Parameter { path: path.to_string(), shape, kind: param.kind() });
    });
    Model::new(outline, parameters).write(f)
}

/// A module that is shown by its name.
struct Entry {
    path: String,
    name: String,
}

struct Parameter {
    path: String,
    shape: Shape,
    kind: Kind,
}

struct Model {
    /// Each before its own parts.
    parts: Vec<Entry>,
    parameters: Vec<Parameter>,
}

/// Whether a path leads to something within `part`.
fn is_within(path: &str, part: &str) -> bool {
    part.is_empty() && !path.is_empty() || path.strip_prefix(part).is_some_and(|rest| rest.starts_with('.'))
}

impl Model {
    /// A part that is nothing but a parameter is told with its owner.
    fn new(mut parts: Vec<Entry>, parameters: Vec<Parameter>) -> Self {
        parts.retain(|part| part.path.is_empty() || parameters.iter().all(|parameter| parameter.path != part.path));
        Model { parts, parameters }
    }

    fn write(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        self.draw(0, 0, &mut text);
        let count = self.count("", |kind| kind != Kind::State);
        let plural = if count == 1 { "parameter" } else { "parameters" };
        write!(f, "{text}, {} {plural}", grouped(count as u64))?;
        let frozen = self.count("", |kind| kind == Kind::Frozen);
        if frozen > 0 { write!(f, ", {} of them frozen", grouped(frozen as u64)) } else { Ok(()) }
    }

    /// The elements of the parameters of a part.
    fn count(&self, part: &str, of: fn(Kind) -> bool) -> usize {
        let own = self.parameters.iter().filter(|own| part.is_empty() || is_within(&own.path, part));
        own.filter(|own| of(own.kind)).map(|own| own.shape.numel()).sum()
    }

    /// Draws a part, and returns where the parts after it begin.
    fn draw(&self, index: usize, depth: usize, text: &mut String) -> usize {
        let part = &self.parts[index];
        let end = self.parts[index + 1..].iter().position(|other| !is_within(&other.path, &part.path));
        let end = end.map_or(self.parts.len(), |count| index + 1 + count);
        let inner = &self.parts[index + 1..end];
        let is_own = |parameter: &&Parameter| {
            (parameter.path == part.path || is_within(&parameter.path, &part.path))
                && !inner.iter().any(|inner| is_within(&parameter.path, &inner.path))
        };
        let own: Vec<String> = self.parameters.iter().filter(is_own).map(|own| own.tell(&part.path)).collect();
        text.push_str(&part.name);
        if inner.is_empty() {
            if !own.is_empty() {
                *text += &format!("({})", own.join(", "));
            }
            return end;
        }
        let indent = "  ".repeat(depth + 1);
        text.push_str("(\n");
        for parameter in own {
            *text += &format!("{indent}{parameter}\n");
        }
        let mut next = index + 1;
        while next < end {
            let path = &self.parts[next].path;
            *text += &format!("{indent}({}): ", path.rsplit('.').next().unwrap_or(path));
            next = self.draw(next, depth + 1, text);
            let count = self.count(path, |kind| kind != Kind::State);
            *text += &if count > 0 { format!(", {}\n", grouped(count as u64)) } else { "\n".into() };
        }
        *text += &format!("{})", "  ".repeat(depth));
        end
    }
}

impl Parameter {
    /// What it is called by its owner, its shape, and what is special about it.
    fn tell(&self, owner: &str) -> String {
        let name = self.path.strip_prefix(owner).map_or(self.path.as_str(), |name| name.trim_start_matches('.'));
        let kind = match self.kind {
            Kind::Weight => "",
            Kind::Frozen => " frozen",
            Kind::State => " state",
        };
        let space = if name.is_empty() { "" } else { " " };
        format!("{name}{space}{}{kind}", self.shape)
    }
}

/// 11897 as 11,897.
pub(crate) fn grouped(count: u64) -> String {
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
    use crate::Param;
    use crate::{BatchNorm1d, Dropout, Embedding, Linear, func, module};

    struct Block {
        linear: Linear,
        norm: Option<BatchNorm1d>,
        dropout: Dropout,
    }
    module!(Block { linear, norm, dropout });

    struct Net {
        embedding: Embedding,
        blocks: Vec<Block>,
        scale: Param,
        rest: Vec<Box<dyn Layer>>,
    }
    module!(Net { embedding, blocks, scale, rest });

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
        let mut model = Net { embedding, blocks, scale: Param::new(Tensor::ones([1])), rest };
        model.freeze("embedding*").unwrap();
        let want = "\
Net(
  scale [1]
  (embedding): Embedding(weight [27, 10] frozen), 270
  (blocks): Sequential(
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
  (rest): Sequential(
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
