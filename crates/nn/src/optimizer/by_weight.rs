//! What is kept of each weight of a model from step to step, such as its moments or its average.

use std::collections::{HashMap, HashSet};

use autograd::Id;
use tensor::Float;

use crate::error::{list, named};
use crate::model::Module;
use crate::model::ParamPath;
use crate::{Error, Param};

/// Something for each weight, found by the weight's name.
///
/// A clone of a model has other names, and is meant to go on in its place: `model = best.clone()`. What was kept of a weight goes over to
/// its clone at the same path; should the weight it has left come back, that is refused, as both would go on with the same.
#[derive(Clone, Debug)]
pub(crate) struct ByWeight<V> {
    entries: HashMap<Id, Entry<V>>,
    /// The weights whose entries have gone over to clones.
    left: HashSet<Id>,
}

#[derive(Clone, Debug)]
struct Entry<V> {
    /// The first of the weights that are clones of each other.
    root: Id,
    path: String,
    kept: V,
}

impl<V> ByWeight<V> {
    pub(crate) fn new() -> Self {
        ByWeight { entries: HashMap::new(), left: HashSet::new() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn has(&self, id: Id) -> bool {
        self.entries.contains_key(&id)
    }

    pub(crate) fn get(&self, id: Id) -> Option<&V> {
        self.entries.get(&id).map(|entry| &entry.kept)
    }

    pub(crate) fn get_mut(&mut self, id: Id) -> Option<&mut V> {
        self.entries.get_mut(&id).map(|entry| &mut entry.kept)
    }

    /// That of a weight, or of the one that it is a clone of and takes the place of.
    #[cfg(feature = "checkpoint")]
    pub(crate) fn of<T: Float>(&self, path: &str, param: &Param<T>) -> Option<&V> {
        let is_its = |entry: &&Entry<V>| entry.root == param.root() && entry.path == path;
        self.get(param.id()).or_else(|| self.entries.values().find(is_its).map(|entry| &entry.kept))
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.entries.values().map(|entry| &entry.kept)
    }

    pub(crate) fn insert<T: Float>(&mut self, path: String, param: &Param<T>, kept: V) {
        self.entries.insert(param.id(), Entry { root: param.root(), path, kept });
    }

    /// Lets go of what is kept of weights that `keep` does not name.
    pub(crate) fn retain(&mut self, keep: impl Fn(Id) -> bool) {
        self.entries.retain(|&id, _| keep(id));
    }

    /// Gives the weights of a clone of the model what was kept of those that they are clones of.
    ///
    /// # Errors
    /// A weight is back whose entry has gone over to a clone; nothing is changed.
    pub(crate) fn follow<T: Float>(
        &mut self,
        model: &(impl Module<T> + ?Sized),
        what: &'static str,
    ) -> Result<(), Error> {
        let mut new: HashMap<(Id, String), Id> = HashMap::new();
        let mut back = Vec::new();
        model.visit(ParamPath::root(), &mut |path, param| {
            let id = param.id();
            if self.left.contains(&id) {
                back.push(named(&path.to_string()).to_owned());
            } else if !self.has(id) {
                new.insert((param.root(), path.to_string()), id);
            }
        });
        if !back.is_empty() {
            let why = format!(
                "of {} has gone over to a clone of the model, which was used in between: two models need one each",
                list(&back)
            );
            return Err(Error::Invalid { what, why });
        }
        // Where the model still has the weight itself, its clone is another one.
        let mut own = HashSet::new();
        model.visit(ParamPath::root(), &mut |_, param| _ = own.insert(param.id()));
        let moves: Vec<(Id, Id)> = self
            .entries
            .iter()
            .filter(|(id, _)| !own.contains(id))
            .filter_map(|(&id, entry)| Some((id, *new.get(&(entry.root, entry.path.clone()))?)))
            .collect();
        for (from, to) in moves {
            if let Some(entry) = self.entries.remove(&from) {
                self.entries.insert(to, entry);
                self.left.insert(from);
            }
        }
        Ok(())
    }
}
