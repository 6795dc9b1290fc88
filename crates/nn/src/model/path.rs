//! Where in a model a parameter is.

use std::fmt;

/// Where in a model a parameter is, such as `layers.1.weight`. It lives on the stack and is spelled out only when asked.
#[derive(Clone, Copy)]
pub struct ParamPath<'a> {
    above: Option<&'a ParamPath<'a>>,
    part: Segment<'a>,
    in_torch: Option<&'a InTorch<'a>>,
}

/// What a part is called in PyTorch, and how its axes are ordered there, where that differs.
#[derive(Clone, Copy, Debug)]
pub struct InTorch<'a> {
    /// A name that ends in `_` is joined with what follows, and not set apart by a dot.
    pub name: Option<&'a str>,
    /// PyTorch's tensor is ours with its axes in this order. None are as they are.
    pub axes: &'static [usize],
}

#[derive(Clone, Copy)]
enum Segment<'a> {
    Root,
    Field(&'a str),
    Index(usize),
}

impl<'a> ParamPath<'a> {
    /// The model itself.
    pub fn root() -> Self {
        ParamPath { above: None, part: Segment::Root, in_torch: None }
    }

    /// The part of this one that has this name.
    pub fn field(&'a self, name: &'a str) -> ParamPath<'a> {
        ParamPath { above: Some(self), part: Segment::Field(name), in_torch: None }
    }

    /// The part of this one that has this number.
    pub fn index(&'a self, index: usize) -> ParamPath<'a> {
        ParamPath { above: Some(self), part: Segment::Index(index), in_torch: None }
    }

    /// The same part with its name and its order of axes in PyTorch; for the macro
    /// [`module!`](crate::module!).
    #[doc(hidden)]
    pub fn in_torch(self, in_torch: &'a InTorch<'a>) -> Self {
        ParamPath { in_torch: Some(in_torch), ..self }
    }

    /// How PyTorch orders the axes of the parameter: its tensor is ours, permuted so. None are as they are.
    pub fn axes_in_torch(&self) -> &'static [usize] {
        self.in_torch.map_or(&[], |in_torch| in_torch.axes)
    }

    /// What the part alone is called in PyTorch, if that is another name.
    fn own_in_torch(&self) -> Option<&str> {
        self.in_torch.and_then(|in_torch| in_torch.name)
    }

    /// The name that the parameter has in a state dict of PyTorch's.
    ///
    /// # Example
    /// ```
    /// use nn::{Module, MultiheadAttention, ParamPath};
    /// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
    ///
    /// let mut rng = ChaCha8Rng::seed_from_u64(42);
    /// let attention = MultiheadAttention::new_torch(8, 2, &mut rng)?;
    /// let mut names = Vec::new();
    /// attention.visit(ParamPath::root(), &mut |path, _| names.push((path.name_in_torch(), path.axes_in_torch())));
    /// assert_eq!(names[0], ("in_proj_weight".to_owned(), &[1, 0][..])); // here `in_proj.weight`
    /// # Ok::<(), nn::Error>(())
    /// ```
    pub fn name_in_torch(&self) -> String {
        let mut name = self.above.map_or(String::new(), ParamPath::name_in_torch);
        if !name.is_empty() && !self.above.and_then(ParamPath::own_in_torch).is_some_and(|own| own.ends_with('_')) {
            name.push('.');
        }
        match (self.own_in_torch(), self.part) {
            (Some(own), _) => name + own,
            (None, Segment::Root) => String::new(),
            (None, Segment::Field(field)) => name + field,
            (None, Segment::Index(index)) => name + &index.to_string(),
        }
    }
}

impl fmt::Display for ParamPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(above) = self.above {
            above.fmt(f)?;
            if !matches!(above.part, Segment::Root) {
                f.write_str(".")?;
            }
        }
        match self.part {
            Segment::Root => Ok(()),
            Segment::Field(name) => f.write_str(name),
            Segment::Index(index) => write!(f, "{index}"),
        }
    }
}

/// Whether a path matches a pattern, in which `*` matches any text, or none: `embedding*`, `*.bias`.
pub(crate) fn matches(pattern: &str, path: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == path };
    let Some(mut path) = path.strip_prefix(start) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let end = parts.pop().unwrap_or("");
    for part in parts {
        // The first place is the best: it leaves the most for the parts that follow.
        let Some(at) = path.find(part) else { return false };
        path = &path[at + part.len()..];
    }
    path.ends_with(end)
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    use super::*;
    use crate::{LSTM, Module, MultiheadAttention};

    #[test]
    fn a_path_has_the_name_that_pytorch_gives_it() {
        struct Model {
            lstms: Vec<LSTM>,
            attention: MultiheadAttention,
        }
        crate::module!(Model { lstms, attention as "self_attn" });
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let model = Model {
            lstms: vec![LSTM::new_torch(2, 3, &mut rng).unwrap()],
            attention: MultiheadAttention::new_torch(4, 2, &mut rng).unwrap(),
        };
        let mut got = Vec::new();
        model.visit(ParamPath::root(), &mut |path, _| got.push((path.name_in_torch(), path.axes_in_torch().len())));
        let want = [
            ("lstms.0.weight_ih_l0", 2),
            ("lstms.0.weight_hh_l0", 2),
            ("lstms.0.bias_ih_l0", 0),
            ("lstms.0.bias_hh_l0", 0),
            ("self_attn.in_proj_weight", 2),
            ("self_attn.in_proj_bias", 0),
            ("self_attn.out_proj.weight", 2),
            ("self_attn.out_proj.bias", 0),
        ];
        assert_eq!(got, want.map(|(name, axes)| (name.to_owned(), axes)));
    }

    #[test]
    fn a_star_is_any_characters_or_none() {
        let yes = [
            ("a.b", "a.b"),
            ("*", ""),
            ("*", "a.b"),
            ("a*", "a"),
            ("a*", "a.b"),
            ("*.bias", "layers.0.bias"),
            ("layers.*.bias", "layers.10.bias"),
            ("*a*a*", "aa"),
            ("a*b*c", "aXbYbc"),
            ("**", "x"),
        ];
        let no =
            [("a", "a.b"), ("", "a"), ("*.bias", "bias"), ("a*a", "a"), ("layers.*.bias", "layers.bias"), ("A*", "a")];
        assert!(yes.iter().all(|(pattern, path)| matches(pattern, path)));
        assert!(no.iter().all(|(pattern, path)| !matches(pattern, path)));
    }
}
