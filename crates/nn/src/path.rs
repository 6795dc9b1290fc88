//! Where in a model a parameter is.

use std::fmt;

/// Where in a model a parameter is, such as `layers.1.weight`. It lives on the stack and is spelled out only when asked.
#[derive(Clone, Copy)]
pub struct Path<'a> {
    above: Option<&'a Path<'a>>,
    part: Part<'a>,
}

#[derive(Clone, Copy)]
enum Part<'a> {
    Root,
    Field(&'a str),
    Index(usize),
}

impl<'a> Path<'a> {
    /// The model itself.
    pub fn root() -> Self {
        Path { above: None, part: Part::Root }
    }

    /// The part of this one that has this name.
    pub fn field(&'a self, name: &'a str) -> Path<'a> {
        Path { above: Some(self), part: Part::Field(name) }
    }

    /// The part of this one that has this number.
    pub fn index(&'a self, index: usize) -> Path<'a> {
        Path { above: Some(self), part: Part::Index(index) }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(above) = self.above {
            above.fmt(f)?;
            if !matches!(above.part, Part::Root) {
                f.write_str(".")?;
            }
        }
        match self.part {
            Part::Root => Ok(()),
            Part::Field(name) => f.write_str(name),
            Part::Index(index) => write!(f, "{index}"),
        }
    }
}

/// Whether a path is one that a pattern means, in which `*` stands for any characters, or none: `embedding*`, `*.bias`.
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
    use super::*;

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
