//! From a list of names to examples: a few symbols, and the one that follows.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use evenkeel::tensor::Tensor;

/// How many symbols there are: `.`, which begins and ends a name, and the letters.
pub const SYMBOLS: usize = 27;

/// The fewest names that leave some for validation and test.
const FEWEST: usize = 10;

/// The list that comes with the example, written for it: common first names from many languages, in a–z.
const BUILT_IN: &str = include_str!("names.txt");

/// The names in a file, on standard input if that is `-`, or the list that comes with the example.
pub fn names(file: Option<&Path>) -> Result<Vec<String>, String> {
    let Some(file) = file else { return parse(BUILT_IN, "the built-in list") };
    let (source, bytes) = if file == Path::new("-") {
        let mut bytes = Vec::new();
        ("standard input".to_owned(), io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes))
    } else {
        (file.display().to_string(), fs::read(file))
    };
    let bytes = bytes.map_err(|why| format!("cannot read {source}: {why}; give a file of names to --data"))?;
    let text = String::from_utf8(bytes).map_err(|why| {
        let line = 1 + why.as_bytes()[..why.utf8_error().valid_up_to()].iter().filter(|&&b| b == b'\n').count();
        format!("{source}, line {line}: not text in UTF-8; save the file as plain text")
    })?;
    parse(&text, &source)
}

/// One name per line, lower-cased; blank lines and Windows line endings are passed over.
fn parse(text: &str, source: &str) -> Result<Vec<String>, String> {
    let mut names = Vec::new();
    for (number, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let name = line.trim().to_ascii_lowercase();
        if let Some(other) = name.chars().find(|c| !c.is_ascii_lowercase()) {
            let line = number + 1;
            return Err(format!(
                "{source}, line {line}: {other:?} is not a letter a-z; spell one name per line in a-z"
            ));
        }
        if !name.is_empty() {
            names.push(name);
        }
    }
    if names.len() < FEWEST {
        let found = counted(names.len(), "name");
        return Err(format!(
            "{source} has {found}, too few to set some aside for validation and test; give at least {FEWEST}"
        ));
    }
    Ok(names)
}

/// A number of things: `1 name`, `2 names`.
pub fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// The name of a symbol.
pub fn letter(symbol: usize) -> char {
    if symbol == 0 { '.' } else { char::from(b'a' + symbol as u8 - 1) }
}

fn symbol(letter: u8) -> i64 {
    i64::from(letter - b'a') + 1
}

/// Names as sequences of equal length `[N, L]`: `.` and the letters of each, and what follows each of these; behind its end, `nothing` follows.
pub fn sequences(names: &[String], nothing: i64) -> (Tensor<i64>, Tensor<i64>) {
    let len = 1 + names.iter().map(String::len).max().unwrap_or(0);
    let at = |name: usize, place: usize| names[name].as_bytes().get(place).map(|&letter| symbol(letter));
    let inputs = |i: &[usize]| i[1].checked_sub(1).and_then(|place| at(i[0], place)).unwrap_or(0);
    let next = |i: &[usize]| match i[1].cmp(&names[i[0]].len()) {
        std::cmp::Ordering::Less => at(i[0], i[1]).unwrap_or(0),
        std::cmp::Ordering::Equal => 0,
        std::cmp::Ordering::Greater => nothing,
    };
    (Tensor::from_fn([names.len(), len], inputs), Tensor::from_fn([names.len(), len], next))
}

/// Examples: `context` symbols each, and the symbol that follows them.
pub struct Examples {
    context: usize,
    contexts: Vec<i64>,
    targets: Vec<i64>,
}

impl Examples {
    /// The examples of each name: one for each of its letters, and one for its end.
    pub fn new(names: &[String], context: usize) -> Self {
        let mut examples = Examples { context, contexts: Vec::new(), targets: Vec::new() };
        for name in names {
            let mut window = vec![0; context];
            for target in name.bytes().map(symbol).chain([0]) {
                examples.contexts.extend_from_slice(&window);
                examples.targets.push(target);
                window.rotate_left(1);
                window[context - 1] = target;
            }
        }
        examples
    }

    pub fn len(&self) -> usize {
        self.targets.len()
    }

    /// The examples with these indices: contexts `[size, context]` and targets `[size]`.
    pub fn batch(&self, indices: &[usize]) -> (Tensor<i64>, Tensor<i64>) {
        let size = indices.len();
        let mut contexts = Vec::with_capacity(size * self.context);
        let mut targets = Vec::with_capacity(size);
        for &i in indices {
            contexts.extend_from_slice(&self.contexts[i * self.context..][..self.context]);
            targets.push(self.targets[i]);
        }
        (Tensor::from_vec(contexts, [size, self.context]), Tensor::from_vec(targets, size))
    }

    /// All examples in order, up to `size` at a time.
    pub fn chunks(&self, size: usize) -> impl Iterator<Item = (Tensor<i64>, Tensor<i64>)> {
        self.contexts.chunks(size * self.context).zip(self.targets.chunks(size)).map(|(contexts, targets)| {
            let shape = [targets.len(), self.context];
            (Tensor::from_vec(contexts.to_vec(), shape), Tensor::from_slice(targets))
        })
    }
}

/// What is learned from, what choices are made by, and what is left for the last word.
pub struct Split {
    pub train: Examples,
    pub validation: Examples,
    pub test: Examples,
}

impl Split {
    /// All examples.
    pub fn len(&self) -> usize {
        self.train.len() + self.validation.len() + self.test.len()
    }

    /// 80, 10 and 10 percent of the names, which have been shuffled.
    pub fn new(names: &[String], context: usize) -> Self {
        let (first, second) = (names.len() * 8 / 10, names.len() * 9 / 10);
        Split {
            train: Examples::new(&names[..first], context),
            validation: Examples::new(&names[first..second], context),
            test: Examples::new(&names[second..], context),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_list_is_large_distinct_and_in_order() {
        let names = names(None).unwrap();
        assert!(names.len() >= 1500, "{}", names.len());
        assert!(names.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn windows_line_endings_blank_lines_and_capitals_are_accepted() {
        let text = "\u{feff}Anna\r\n\r\n  BEN \n\nc\nd\ne\nf\ng\nh\ni\nj";
        let want = ["anna", "ben", "c", "d", "e", "f", "g", "h", "i", "j"];
        assert_eq!(parse(text, "test").unwrap(), want);
    }

    #[test]
    fn other_characters_are_named_with_their_line() {
        let error = parse("anna\nzoë\n", "list.txt").unwrap_err();
        assert_eq!(error, "list.txt, line 2: 'ë' is not a letter a-z; spell one name per line in a-z");
        assert!(parse("anna maria", "list.txt").unwrap_err().contains("line 1: ' '"));
    }

    #[test]
    fn an_example_is_a_window_and_what_follows() {
        let examples = Examples::new(&["emma".into()], 3);
        let (contexts, targets) = examples.chunks(100).next().unwrap();
        let want = Tensor::from([[0, 0, 0], [0, 0, 5], [0, 5, 13], [5, 13, 13], [13, 13, 1]]);
        assert_eq!((contexts, targets), (want, Tensor::from([5, 13, 13, 1, 0])));
        assert_eq!((0..3).map(letter).collect::<String>(), ".ab");
    }
}
