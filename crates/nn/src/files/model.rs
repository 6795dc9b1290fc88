//! A model as tensors by name, of ours or of PyTorch's.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use tensor::safetensors::Contents;
use tensor::{Float, Tensor};

use super::format::{self, FORMAT, FileKind};
use crate::archive::Archive;
use crate::{Error, Module, ParamPath};

/// What stands before the names of a model's parameters in a checkpoint.
pub(crate) const MODEL: &str = "model.";

/// Writes the weights and the state of a model to a `.safetensors` file, by their paths. Feature `checkpoint`.
///
/// The file is replaced whole or not at all, and is on disk when this returns; [`ModelFile`] has the choices.
///
/// # Errors
/// The file cannot be written; what was there before is still there.
///
/// # Example
/// ```
/// use init::{Gain, kaiming_normal};
/// use nn::{Linear, Module};
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
///
/// let mut rng = ChaCha8Rng::seed_from_u64(42);
/// let path = std::env::temp_dir().join(format!("evenkeel-save-{}.safetensors", std::process::id()));
/// let trained = Linear::new(30, 200, &kaiming_normal(Gain::Tanh), &mut rng)?;
/// nn::save(&path, &trained)?;
///
/// let mut other = Linear::new(30, 200, &init::zeros(), &mut rng)?;
/// nn::load(&path, &mut other)?;
/// assert_eq!(other.weight.value(), trained.weight.value());
///
/// let mut narrow = Linear::new(30, 100, &init::zeros(), &mut rng)?;
/// let error = nn::load(&path, &mut narrow).unwrap_err();
/// assert!(error.to_string().contains("weight is [30, 200] in the file, and must be [30, 100]"));
/// # std::fs::remove_file(&path).unwrap();
/// # Ok::<(), nn::Error>(())
/// ```
pub fn save<T: Float>(path: impl AsRef<Path>, model: &(impl Module<T> + ?Sized)) -> Result<(), Error> {
    ModelFile::at(path).save(model)
}

/// Reads the weights and the state of a model from a `.safetensors` file, which may be a
/// [`Checkpoint`](crate::Checkpoint) too. Feature `checkpoint`.
///
/// Everything is compared before anything is changed. Tensors in half precision become f32.
///
/// # Errors
/// The file cannot be read, is damaged, or does not fit the model: all that differs is listed. The model is as it was.
///
/// # Example
/// See [`save`].
#[doc(alias = "load_state_dict")]
pub fn load<T: Float>(path: impl AsRef<Path>, model: &mut (impl Module<T> + ?Sized)) -> Result<(), Error> {
    ModelFile::at(path).load(model).map(|_| ())
}

/// A file of a model, with choices of how it is read and written. Feature `checkpoint`.
///
/// # Example
/// ```
/// use nn::{Embedding, Linear, ModelFile, Module};
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
///
/// struct Model {
///     embedding: Embedding,
///     head: Linear,
/// }
/// nn::module!(Model { embedding, head });
///
/// let mut rng = ChaCha8Rng::seed_from_u64(42);
/// let path = std::env::temp_dir().join(format!("evenkeel-file-{}.safetensors", std::process::id()));
/// let mut model = |classes| {
///     let embedding = Embedding::new_torch(27, 8, &mut rng)?;
///     Ok::<_, nn::Error>(Model { embedding, head: Linear::new_torch(8, classes, &mut rng)? })
/// };
/// let (old, mut new) = (model(10)?, model(3)?);
/// let file = ModelFile::at(&path).torch(); // as PyTorch names and orders it: head.weight is [10, 8]
/// file.save(&old)?;
/// let left_out = file.partial().load(&mut new)?; // all but the head, which is for other classes
/// assert_eq!(left_out[0], "head.weight is [10, 8] in the file, and must be [3, 8]");
/// assert_eq!(new.embedding.weight.value(), old.embedding.weight.value());
/// # std::fs::remove_file(&path).unwrap();
/// # Ok::<(), nn::Error>(())
/// ```
#[doc(alias = "load_state_dict")]
#[derive(Clone, Debug)]
pub struct ModelFile {
    path: PathBuf,
    names: Option<Names>,
    partial: bool,
    converts: bool,
}

/// Whose names and order of axes a file has.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Names {
    Evenkeel,
    Torch,
}

impl ModelFile {
    /// The file at this path.
    pub fn at(path: impl AsRef<Path>) -> Self {
        ModelFile { path: path.as_ref().to_owned(), names: None, partial: false, converts: false }
    }

    /// Reads and writes a state dict of PyTorch's, as `safetensors.torch.load_file` and `save_file` do there: PyTorch's names
    /// where these differ (`weight_ih_l0`, `in_proj_weight`), PyTorch's order of axes for the weights of linear, bilinear and
    /// recurrent layers, and the `num_batches_tracked` of batch norms. A file that says that it is the other kind is refused,
    /// with and without this choice.
    #[doc(alias = "load_file")]
    #[doc(alias = "save_file")]
    #[must_use]
    pub fn torch(self) -> Self {
        ModelFile { names: Some(Names::Torch), ..self }
    }

    /// Reads this crate's names and order of axes from a file that does not say whose it is, such as one that NumPy wrote. Without this
    /// choice, such a file is refused where it could be PyTorch's too: a square matrix has the same shape in both.
    #[must_use]
    pub fn evenkeel(self) -> Self {
        ModelFile { names: Some(Names::Evenkeel), ..self }
    }

    /// Loads what fits, and leaves the rest as it is. PyTorch's `strict=False`.
    #[doc(alias = "strict")]
    #[must_use]
    pub fn partial(self) -> Self {
        ModelFile { partial: true, ..self }
    }

    /// Converts floats to the model's type: f64 are rounded to f32, f32 become f64.
    #[must_use]
    pub fn convert(self) -> Self {
        ModelFile { converts: true, ..self }
    }

    /// Writes the model; see [`save`].
    ///
    /// # Errors
    /// As there.
    pub fn save<T: Float>(&self, model: &(impl Module<T> + ?Sized)) -> Result<(), Error> {
        let (mut contents, torch) = (Contents::default(), self.names == Some(Names::Torch));
        let mut at = Archive::writing(None, &mut contents);
        let _ = walk(&mut at, model, "", torch);
        at.finish(&self.path)?;
        if torch {
            contents.metadata.insert(ORDER.into(), "pt".into());
            let tracked: Vec<String> = contents.tensors.keys().filter_map(|name| tracked_beside(name)).collect();
            for name in tracked {
                contents.tensors.entry(name).or_insert_with(|| Tensor::<i64>::scalar(0).into());
            }
        }
        format::write(&self.path, contents, FileKind::Model)
    }

    /// Reads the model, see [`load`], and says what was left out, which is nothing unless it is [partial](Self::partial).
    ///
    /// # Errors
    /// As there; of a partial one, that nothing fits.
    pub fn load<T: Float>(&self, model: &mut (impl Module<T> + ?Sized)) -> Result<Vec<String>, Error> {
        let (contents, kind) = format::read(&self.path)?;
        // A square matrix does not show how its axes are ordered, so the file is believed, where it says.
        let is_torch = contents.metadata.get(ORDER).is_some_and(|order| order == "pt");
        let is_ours = contents.metadata.contains_key(FORMAT) && !is_torch;
        let torch = self.names == Some(Names::Torch);
        let is_other = if torch { is_ours } else { is_torch };
        let unfit =
            |why: &str| Error::Unfit { path: self.path.clone(), differences: vec![why.to_owned()], remedy: None };
        if is_other && differs_in_torch(model) {
            return Err(unfit(match is_torch {
                true => "has PyTorch's names and order of axes: read it with `ModelFile::torch()`",
                false => "has Evenkeel's names and order of axes: read it without `ModelFile::torch()`",
            }));
        }
        if self.names.is_none() && !is_torch && !is_ours && is_in_doubt(model, &contents, self.partial) {
            return Err(unfit(
                "does not say whether its names and its order of axes are PyTorch's, and it could be either: read it with \
                 `ModelFile::torch()` if PyTorch wrote it, or with `ModelFile::evenkeel()`",
            ));
        }
        let mut at = Archive::reading(None, &contents, self.converts);
        let prefix = match kind {
            FileKind::Model => "",
            FileKind::Checkpoint => {
                at.ignore(|name| !name.starts_with(MODEL));
                MODEL
            }
        };
        let values = walk(&mut at, model, prefix, torch);
        if torch {
            let tracked: Vec<String> = contents.tensors.keys().filter_map(|name| tracked_beside(name)).collect();
            at.ignore(|name| tracked.iter().any(|tracked| tracked == name));
        }
        let left_out =
            if self.partial { at.partial(&self.path)? } else { at.finish(&self.path).map(|()| Vec::new())? };
        model.assign(&values);
        Ok(left_out)
    }
}

/// The text that says whose names and order of axes a file has: `pt` are PyTorch's, by which Python's libraries go too.
const ORDER: &str = "format";

/// Whether any part of a model has another name or another order of axes in PyTorch.
fn differs_in_torch<T: Float>(model: &(impl Module<T> + ?Sized)) -> bool {
    let mut differs = false;
    model.visit(ParamPath::root(), &mut |path, _| {
        differs |= !path.axes_in_torch().is_empty() || path.name_in_torch() != path.to_string();
    });
    differs
}

/// Whether a file that does not say whose it is could be PyTorch's as well: a matrix has the same shape in both orders of its axes, and no
/// other shows that it is ours. One that shows that it is PyTorch's does not fit, and is an error, unless parts are passed over.
fn is_in_doubt<T: Float>(model: &(impl Module<T> + ?Sized), contents: &Contents, partial: bool) -> bool {
    let (mut both, mut ours_alone, mut torch_alone) = (false, false, false);
    model.visit(ParamPath::root(), &mut |path, param| {
        let (name, axes) = named(&path, "", true);
        let dims = param.value().dims();
        let has = |name: &str, dims: &[usize]| contents.tensors.get(name).is_some_and(|x| x.shape().dims() == dims);
        let in_torch: Vec<usize> = axes.iter().map(|&axis| dims[axis]).collect();
        if !axes.is_empty() {
            let (ours, torch) = (has(&path.to_string(), dims), has(&name, &in_torch));
            both |= ours && torch;
            ours_alone |= ours && !torch;
            torch_alone |= torch && !ours;
        }
    });
    both && if torch_alone { partial } else { !ours_alone }
}

/// The batches that a batch norm of PyTorch's has seen, beside its running mean.
const TRACKED: &str = "num_batches_tracked";

fn tracked_beside(name: &str) -> Option<String> {
    name.strip_suffix("running_mean")
        .filter(|rest| rest.is_empty() || rest.ends_with('.'))
        .map(|rest| rest.to_owned() + TRACKED)
}

/// What a parameter is called in a file, and the order of its axes there; none are as they are.
fn named(path: &ParamPath<'_>, prefix: &str, torch: bool) -> (String, &'static [usize]) {
    match torch {
        true => (prefix.to_owned() + &path.name_in_torch(), path.axes_in_torch()),
        false => (format!("{prefix}{path}"), &[]),
    }
}

/// The values of a model's weights and state, in its order.
pub(crate) fn walk<T: Float>(
    at: &mut Archive<'_, T>,
    model: &(impl Module<T> + ?Sized),
    prefix: &str,
    torch: bool,
) -> Vec<Tensor<T>> {
    let mut taken: HashMap<String, String> = HashMap::new();
    let mut found = Vec::new();
    model.visit(ParamPath::root(), &mut |path, param| {
        let own = param.value();
        let (name, axes) = named(&path, prefix, torch);
        if torch && let Some(other) = taken.insert(name.clone(), path.to_string()) {
            at.mismatch(format!(
                "{other} and {path} of the model are both called {name:?} in PyTorch; rename one of them"
            ));
        }
        let value = if torch && name.ends_with(TRACKED) {
            at.tensor::<i64>(&name, own.shape(), Some(&own.cast())).map(|count| count.cast())
        } else if axes.is_empty() {
            at.floats(&name, own.shape(), Some(own))
        } else {
            let there: Vec<isize> = axes.iter().map(|&axis| axis as isize).collect();
            let back: Vec<isize> = (0..axes.len())
                .map(|axis| axes.iter().position(|&a| a == axis).expect("each axis is named once") as isize)
                .collect();
            let theirs = own.permute(&there);
            at.floats(&name, theirs.shape(), Some(&theirs)).map(|x| x.permute(&back).contiguous())
        };
        found.push(value.unwrap_or_else(|| own.clone()));
    });
    found
}
