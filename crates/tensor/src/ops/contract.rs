//! Sums of products over any axes: each comes down to one product of batches of matrices, or of elements.

use crate::element::Float;
use crate::error::{Error, OrPanic, Reason};
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// The sum of products over pairs of axes, `axes` of this tensor and `other_axes` of the other one; the result has the
    /// remaining axes of both.
    ///
    /// # Panics
    /// There are not as many axes of one as of the other, an axis is out of range or named twice, or sizes differ.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let (x, y) = (Tensor::<f32>::ones([2, 3, 4]), Tensor::ones([4, 3, 5]));
    /// assert_eq!(x.tensordot(&y, &[1, 2], &[1, 0]), Tensor::full([2, 5], 12.0));
    /// ```
    #[track_caller]
    pub fn tensordot(&self, other: &Self, axes: &[isize], other_axes: &[isize]) -> Self {
        tensordot(self, other, axes, other_axes).or_panic()
    }

    /// Einstein's sum: axes have letters, as in `"bij,bjk->bik"`; axes with the same letter run together, and those whose letter
    /// is not in the result are summed over. Without `->` the result has the letters that occur once, in alphabetical order. `...`
    /// stands for any further axes. An axis of size 1 broadcasts, as in NumPy and PyTorch.
    ///
    /// Operands are multiplied from left to right.
    ///
    /// # Panics
    /// The equation is malformed or does not fit the operands.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(Tensor::einsum("ij,jk->ik", &[&x, &x]), x.matmul(&x));
    /// assert_eq!(Tensor::einsum("ii", &[&x]).item(), 5.0);
    /// assert_eq!(Tensor::einsum("ij,j->ij", &[&x, &x.select(0, 0)]), &x * x.select(0, 0));
    /// assert_eq!(Tensor::einsum("...i->i...", &[&x]), x.t());
    /// ```
    #[track_caller]
    pub fn einsum(equation: &str, operands: &[&Self]) -> Self {
        einsum(equation, operands).or_panic()
    }
}

fn tensordot<T: Float>(x: &Tensor<T>, y: &Tensor<T>, x_axes: &[isize], y_axes: &[isize]) -> Result<Tensor<T>, Error> {
    let refused = |why: String| Error::new("tensordot", Reason::Argument { why });
    if x_axes.len() != y_axes.len() {
        return Err(refused(format!("axes {x_axes:?} and {y_axes:?}: as many of one as of the other would do")));
    }
    // A label for each axis: those that run together share one.
    let mut labels = [vec![], vec![]];
    for ((labels, operand), axes) in labels.iter_mut().zip([x, y]).zip([x_axes, y_axes]) {
        let mut named = Vec::with_capacity(axes.len());
        for &axis in axes {
            named.push(operand.shape().axis("tensordot", axis)?);
        }
        if (1..named.len()).any(|i| named[..i].contains(&named[i])) {
            let (axes, shape) = (axes.to_vec(), operand.shape().clone());
            return Err(Error::new("tensordot", Reason::Axes { axes, shape, rule: "name each axis at most once" }));
        }
        *labels = named;
    }
    let [x_named, y_named] = labels;
    for (&a, &b) in x_named.iter().zip(&y_named) {
        if x.dims()[a] != y.dims()[b] {
            let why = format!("axis {a} of {} and axis {b} of {}: equal sizes would do", x.shape(), y.shape());
            return Err(refused(why));
        }
    }
    let x_labels: Vec<usize> = (0..x.rank()).collect();
    let own = |b: usize| y_named.iter().position(|&named| named == b).map_or(x.rank() + b, |i| x_named[i]);
    let y_labels: Vec<usize> = (0..y.rank()).map(own).collect();
    let kept: Vec<usize> = x_labels.iter().filter(|label| !y_labels.contains(label)).copied().collect();
    let kept: Vec<usize> =
        kept.into_iter().chain(y_labels.iter().filter(|&&label| label >= x.rank()).copied()).collect();
    Ok(contract(Labelled { x: x.clone(), labels: x_labels }, Labelled { x: y.clone(), labels: y_labels }, &kept)
        .in_order(&kept))
}

/// A tensor with a label for each axis, no two of which are equal.
struct Labelled<T: Float> {
    x: Tensor<T>,
    labels: Vec<usize>,
}

impl<T: Float> Labelled<T> {
    /// Summed over the axes whose labels are not wanted.
    fn without(self, wanted: impl Fn(usize) -> bool) -> Self {
        let gone: Vec<isize> =
            (0..self.labels.len()).filter(|&i| !wanted(self.labels[i])).map(|i| i as isize).collect();
        if gone.is_empty() {
            return self;
        }
        Labelled { x: self.x.sum(&gone[..]), labels: self.labels.into_iter().filter(|&label| wanted(label)).collect() }
    }

    /// The axes in the order of `labels`, which are all of its own.
    fn in_order(&self, labels: &[usize]) -> Tensor<T> {
        let place =
            |label: &usize| self.labels.iter().position(|own| own == label).expect("a label of its own") as isize;
        self.x.permute(&labels.iter().map(place).collect::<Vec<_>>())
    }

    /// The axes in the order of `labels`, of which those that are not its own have a size of 1.
    fn among(&self, labels: &[usize]) -> Tensor<T> {
        let own: Vec<usize> = labels.iter().copied().filter(|label| self.labels.contains(label)).collect();
        let mut x = self.in_order(&own);
        for (axis, label) in labels.iter().enumerate() {
            if !self.labels.contains(label) {
                x = x.unsqueeze(axis as isize);
            }
        }
        x
    }

    fn size(&self, label: usize) -> usize {
        self.labels.iter().position(|&own| own == label).map_or(1, |axis| self.x.dims()[axis])
    }
}

/// A product of two vectors of a batch takes 45 ns, and a product of elements that are summed then 0.4 ns an element (Emerald Rapids,
/// one thread).
const WORTH_A_PRODUCT: usize = 128;

/// The product, summed over the labels that are not `kept`.
fn contract<T: Float>(a: Labelled<T>, b: Labelled<T>, kept: &[usize]) -> Labelled<T> {
    let (a_labels, b_labels) = (a.labels.clone(), b.labels.clone());
    let shared = |label: usize| a_labels.contains(&label) && b_labels.contains(&label);
    let wanted = |label: usize| kept.contains(&label);
    let needed = |label: usize| shared(label) || wanted(label);
    let (a, b) = (a.without(needed), b.without(needed));
    let of = |labels: &[usize], choose: &dyn Fn(usize) -> bool| -> Vec<usize> {
        labels.iter().copied().filter(|&label| choose(label)).collect()
    };
    let batch = of(&a_labels, &|label| shared(label) && wanted(label));
    let summed = of(&a_labels, &|label| shared(label) && !wanted(label));
    let rows = of(&a_labels, &|label| !shared(label) && wanted(label));
    let columns = of(&b_labels, &|label| !shared(label) && wanted(label));
    let sizes = |x: &Labelled<T>, labels: &[usize]| labels.iter().map(|&label| x.size(label)).collect::<Vec<usize>>();
    let mut dims = [sizes(&a, &batch), sizes(&a, &rows)].concat();
    dims.extend(sizes(&b, &columns));
    let count = |sizes: Vec<usize>| sizes.iter().product::<usize>();
    let [batches, k, m, n] =
        [count(sizes(&a, &batch)), count(sizes(&a, &summed)), count(sizes(&a, &rows)), count(sizes(&b, &columns))];
    if summed.is_empty() || rows.is_empty() && columns.is_empty() && k < WORTH_A_PRODUCT {
        let labels = [kept, &summed].concat();
        let product = Labelled { x: a.among(&labels) * b.among(&labels), labels };
        return product.without(wanted);
    }
    let labels = [&batch[..], &rows, &columns].concat();
    let left = a.in_order(&[&batch[..], &rows, &summed].concat()).reshape([batches, m, k]);
    let right = b.in_order(&[&batch[..], &summed, &columns].concat()).reshape([batches, k, n]);
    Labelled { x: left.matmul(&right).reshape(dims), labels }
}

/// Labels of letters are their code points; those of the axes behind `...` come before, counted from the last axis.
const ELLIPSIS: usize = 0;

/// The labels of one operand or of the result; `rank` is how many axes `...` stands for.
fn labels(term: &str, ellipsis: usize) -> Result<Vec<usize>, String> {
    let mut labels = vec![];
    let mut rest = term;
    while let Some(letter) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix("...") {
            labels.extend((ELLIPSIS..ELLIPSIS + ellipsis).rev());
            rest = after;
        } else if letter.is_ascii_alphabetic() {
            labels.push(letter as usize);
            rest = &rest[1..];
        } else {
            return Err(format!("{letter:?} in {term:?} is neither a letter nor \"...\""));
        }
    }
    Ok(labels)
}

fn einsum<T: Float>(equation: &str, operands: &[&Tensor<T>]) -> Result<Tensor<T>, Error> {
    let refused = |why: String| Error::new("einsum", Reason::Argument { why: format!("{equation:?}: {why}") });
    let written: String = equation.chars().filter(|c| !c.is_whitespace()).collect();
    let (inputs, output) = match written.split_once("->") {
        Some((inputs, output)) => (inputs, Some(output)),
        None => (&written[..], None),
    };
    let terms: Vec<&str> = inputs.split(',').collect();
    if terms.len() != operands.len() || operands.is_empty() {
        return Err(refused(format!("{} operands for {} terms", operands.len(), terms.len())));
    }
    for term in terms.iter().copied().chain(output) {
        if term.matches("...").count() > 1 {
            return Err(refused(format!("{term:?} has more than one \"...\"")));
        }
    }
    // How many axes `...` stands for in each operand, and in the result.
    let mut hidden = Vec::with_capacity(terms.len());
    for (term, x) in terms.iter().zip(operands) {
        let letters = term.replace("...", "").chars().count();
        match x.rank().checked_sub(letters) {
            Some(rank) if rank == 0 || term.contains("...") => hidden.push(rank),
            _ => return Err(refused(format!("{term:?} does not fit {}", x.shape()))),
        }
    }
    let most = hidden.iter().copied().max().unwrap_or(0);
    // The size of each label; an axis of size 1 broadcasts, but not along another of its own tensor.
    let mut sizes: Vec<(usize, usize)> = vec![];
    let mut named = Vec::with_capacity(terms.len());
    for ((term, x), &rank) in terms.iter().zip(operands).zip(&hidden) {
        let own = labels(term, rank).map_err(refused)?;
        for (axis, (&label, &size)) in own.iter().zip(x.dims()).enumerate() {
            let name = || if label < most { "...".to_owned() } else { char::from(label as u8).to_string() };
            if let Some(other) = own[..axis].iter().position(|&other| other == label).map(|i| x.dims()[i])
                && other != size
            {
                return Err(refused(format!(
                    "{:?} is {other} and {size} of one operand: equal sizes would do",
                    name()
                )));
            }
            match sizes.iter_mut().find(|(known, _)| *known == label) {
                None => sizes.push((label, size)),
                Some((_, known)) if *known == size || size == 1 => {}
                Some((_, known)) if *known == 1 => *known = size,
                Some((_, known)) => {
                    let why = format!("{:?} is {known} and {size}: equal sizes would do, or one of 1", name());
                    return Err(refused(why));
                }
            }
        }
        named.push(own);
    }
    let all: Vec<usize> = named.iter().flatten().copied().collect();
    let wanted = match output {
        Some(output) => labels(output, most).map_err(refused)?,
        None => {
            let mut once: Vec<usize> = all.iter().copied().filter(|label| *label >= most).collect();
            once.retain(|label| all.iter().filter(|other| *other == label).count() == 1);
            once.sort_unstable();
            (ELLIPSIS..most).rev().chain(once).collect()
        }
    };
    if let Some(twice) = (1..wanted.len()).find(|&i| wanted[..i].contains(&wanted[i])) {
        return Err(refused(format!("{:?} occurs twice in the result", char::from(wanted[twice] as u8))));
    }
    if let Some(unknown) = wanted.iter().find(|label| !all.contains(label)) {
        return Err(refused(format!("{:?} of the result is in no operand", char::from(*unknown as u8))));
    }
    let size = |label: usize| sizes.iter().find(|(known, _)| *known == label).map_or(1, |&(_, size)| size);
    let mut left: Option<Labelled<T>> = None;
    for (i, (x, own)) in operands.iter().zip(&named).enumerate() {
        let next = distinct(x, own, &size)?;
        let later = |label: usize| wanted.contains(&label) || named[i + 1..].iter().any(|own| own.contains(&label));
        left = Some(match left {
            None => next.without(later),
            Some(left) => {
                let others = next.labels.iter().filter(|label| !left.labels.contains(label));
                let both = left.labels.iter().chain(others).copied();
                let kept: Vec<usize> = both.filter(|&label| later(label)).collect();
                // The last product is made in the order of the result.
                contract(left, next, if i + 1 == operands.len() { &wanted } else { &kept })
            }
        });
    }
    Ok(left.expect("there are operands").in_order(&wanted))
}

/// An operand in which each label is that of one axis: where it was of several, their diagonal. Axes grow to their label's size.
fn distinct<T: Float>(x: &Tensor<T>, labels: &[usize], size: &dyn Fn(usize) -> usize) -> Result<Labelled<T>, Error> {
    let dims: Vec<usize> = labels.iter().map(|&label| size(label)).collect();
    let (mut x, mut labels) = (x.expand(dims), labels.to_vec());
    while let Some(second) = (1..labels.len()).find(|&i| labels[..i].contains(&labels[i])) {
        let label = labels[second];
        let first = labels.iter().position(|&other| other == label).expect("found before");
        x = x.diagonal(0, first as isize, second as isize);
        labels.remove(second);
        labels.remove(first);
        labels.push(label);
    }
    Ok(Labelled { x, labels })
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;

    use super::*;

    /// By the definition: over all values of all letters.
    fn naive(inputs: &[&str], output: &str, operands: &[&Tensor<f64>]) -> Tensor<f64> {
        let mut letters: Vec<char> = inputs.concat().chars().collect();
        letters.sort_unstable();
        letters.dedup();
        let size = |letter: char| {
            let of = inputs.iter().zip(operands).flat_map(|(term, x)| term.chars().zip(x.dims().iter().copied()));
            of.filter(|&(other, _)| other == letter).map(|(_, size)| size).fold(1, |a, b| if a == 1 { b } else { a })
        };
        let dims: Vec<usize> = letters.iter().map(|&letter| size(letter)).collect();
        let mut out = Tensor::zeros(output.chars().map(size).collect::<Vec<_>>());
        Tensor::from_fn(dims, |index| {
            let at = |term: &str, dims: &[usize]| -> Vec<usize> {
                let place = |letter: char| index[letters.iter().position(|&other| other == letter).unwrap()];
                term.chars().zip(dims).map(|(letter, &size)| if size == 1 { 0 } else { place(letter) }).collect()
            };
            let product: f64 =
                inputs.iter().zip(operands).map(|(term, x)| x.get(&at(term, x.dims())).unwrap()).product();
            let to = at(output, out.dims());
            let place = to.iter().zip(out.dims()).fold(0, |place, (&at, &size)| place * size + at);
            out.as_mut_slice()[place] += product;
            0_u8
        });
        out
    }

    fn numbers(dims: &[usize]) -> Tensor<f64> {
        let mut i = 0;
        Tensor::from_fn(dims, |_| {
            i += 1;
            f64::from(i * 37 % 23) / 7.0 - 1.5
        })
    }

    #[test]
    fn agrees_with_the_definition_whatever_is_summed_carried_or_broadcast() {
        let sizes = |term: &str| -> Vec<usize> { term.chars().map(|c| 2 + (c as usize - 'i' as usize) % 4).collect() };
        for (inputs, output) in [
            (&["i", "i"][..], "i"),
            (&["ij", "ij"], "ij"),
            (&["ij", "ij"], "ji"),
            (&["ij", "j"], "ij"),
            (&["j", "ij"], "ji"),
            (&["i", "j"], "ij"),
            (&["i", "j"], "ji"),
            (&["ij", "ij"], "i"),
            (&["ij", "ij"], ""),
            (&["ij", "k"], "ki"),
            (&["ij", "jk"], "ik"),
            (&["ijk", "ikl"], "ijl"),
            (&["ijk", "jk"], "ij"),
            (&["ij", "ijk"], "ik"),
            (&["ijk", "kj", "i"], "j"),
            (&["ij", "ij", "ij"], "ij"),
            (&["ii", "i"], "i"),
            (&["iij", "jk"], "k"),
            (&["ij", "jk", "kl"], "li"),
            (&["", "ij"], "ji"),
        ] {
            // All of their sizes; and with each axis of each operand of size 1 in turn, in which it broadcasts.
            let full: Vec<Vec<usize>> = inputs.iter().map(|term| sizes(term)).collect();
            let mut trials = vec![full.clone()];
            for operand in 0..full.len() {
                for axis in 0..full[operand].len() {
                    let letter = inputs[operand].as_bytes()[axis];
                    let mut dims = full.clone();
                    let of_letter = inputs[operand].bytes().zip(&mut dims[operand]);
                    of_letter.filter(|(other, _)| *other == letter).for_each(|(_, size)| *size = 1);
                    trials.push(dims);
                }
            }
            for dims in trials {
                let operands: Vec<Tensor<f64>> = dims.iter().map(|dims| numbers(dims)).collect();
                let operands: Vec<&Tensor<f64>> = operands.iter().collect();
                let equation = format!("{}->{output}", inputs.join(","));
                let (got, want) = (Tensor::einsum(&equation, &operands), naive(inputs, output, &operands));
                assert_eq!(got.dims(), want.dims(), "{equation} of {dims:?}");
                for (got, want) in got.iter().zip(want.iter()) {
                    assert_relative_eq!(got, want, max_relative = 1e-13, epsilon = 1e-13);
                }
            }
        }
    }

    #[test]
    fn a_letter_of_two_sizes_is_refused() {
        let of =
            |equation, x: &[usize], y: &[usize]| einsum(equation, &[&numbers(x), &numbers(y)]).unwrap_err().to_string();
        assert!(of("ij,ij->ij", &[4, 3], &[2, 3]).contains("\"i\" is 4 and 2: equal sizes would do, or one of 1"));
        // Along a diagonal nothing broadcasts, as in NumPy and PyTorch.
        assert!(of("ii,i->i", &[1, 4], &[4]).contains("\"i\" is 1 and 4 of one operand: equal sizes would do"));
    }
}
