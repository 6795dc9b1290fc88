//! Einstein's sums.

use tensor::{Float, Shape, Tensor, ensure};

use super::view::on_diagonal;
use crate::{Op, Role, Var};

impl<'t, T: Float> Var<'t, T> {
    /// Sums of products by Einstein's notation, such as `"bij,bjk->bik"`: an axis is a letter, `...` stands for any number of axes that
    /// broadcast, and what is not in the result is summed over. Without `->`, the result has the letters that occur once, in the order of
    /// the alphabet.
    ///
    /// The gradient of an operand is the sum of products of ȳ and the other operands, with its own letters as the result.
    ///
    /// # Panics
    /// The equation is malformed or does not fit the operands, or they are on different tapes.
    ///
    /// # Example
    /// ```
    /// use autograd::{Tape, Var};
    /// use tensor::Tensor;
    ///
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([[1.0, 2.0], [3.0, 4.0]]));
    /// let y = Var::einsum("ij,jk->ik", &[x, x]);
    /// assert_eq!(y.value(), x.matmul(x).value());
    /// ```
    #[track_caller]
    pub fn einsum(equation: &str, operands: &[Self]) -> Self {
        let values: Vec<Tensor<T>> = operands.iter().map(|x| x.value()).collect();
        let y = Tensor::einsum(equation, &values.iter().collect::<Vec<_>>());
        let terms = Terms::of(equation, &values);
        let role = match (operands, terms.is_product_with_matrix()) {
            ([_, weight], true) if weight.is_parameter() => Role::Affine { weight: 1, bias: None },
            _ => Role::Other,
        };
        operands[0]
            .record(Op::new("einsum", role), y)
            .joint(operands, move |g, shares| {
                for place in 0..values.len() {
                    shares.give(place, || terms.pull(place, &g, &values));
                }
            })
            .done()
    }
}

/// An equation with a letter for each axis.
struct Terms {
    inputs: Vec<Vec<char>>,
    output: Vec<char>,
}

impl Terms {
    /// Of an equation that the tensor's op has taken.
    fn of<T: Float>(equation: &str, operands: &[Tensor<T>]) -> Self {
        let written: String = equation.chars().filter(|c| !c.is_whitespace()).collect();
        let (inputs, output) = written.split_once("->").map_or((&written[..], None), |(a, b)| (a, Some(b)));
        // Letters for the axes behind the dots, from the last one.
        let spare: Vec<char> = ('A'..='Z').chain('a'..='z').filter(|&letter| !written.contains(letter)).collect();
        let hidden = |term: &str, rank: usize| rank - term.replace("...", "").chars().count();
        let letters = |term: &str, hidden: usize| -> Vec<char> {
            let dots: String = spare[..hidden].iter().rev().collect();
            term.replace("...", &dots).chars().collect()
        };
        let terms = || inputs.split(',').zip(operands);
        let most = terms().map(|(term, x)| hidden(term, x.rank())).max().unwrap_or(0);
        ensure!(most <= spare.len(), "einsum: {equation:?}: more axes behind \"...\" than there are letters left");
        let named: Vec<Vec<char>> = terms().map(|(term, x)| letters(term, hidden(term, x.rank()))).collect();
        let output = match output {
            Some(output) => letters(output, most),
            None => {
                let all = named.concat();
                let is_dot = |letter: &char| spare[..most].contains(letter);
                let mut once: Vec<char> = all.iter().copied().filter(|letter| !is_dot(letter)).collect();
                once.retain(|letter| all.iter().filter(|other| *other == letter).count() == 1);
                once.sort_unstable();
                spare[..most].iter().rev().copied().chain(once).collect()
            }
        };
        Terms { inputs: named, output }
    }

    /// Whether it is x · W, with the matrix W as the second operand: its rows are summed, its columns are the result's last axis.
    fn is_product_with_matrix(&self) -> bool {
        match &self.inputs[..] {
            [x, weight] if weight.len() == 2 && x.last() == weight.first() => {
                let batch = &x[..x.len() - 1];
                let (columns, rows) =
                    self.output.split_last().map_or((None, &[][..]), |(last, rest)| (Some(last), rest));
                columns == weight.last() && rows == batch && !batch.contains(&weight[0]) && !batch.contains(&weight[1])
            }
            _ => false,
        }
    }

    /// The gradient of the operand at a place.
    fn pull<T: Float>(&self, place: usize, g: &Tensor<T>, operands: &[Tensor<T>]) -> Tensor<T> {
        let others = || (0..operands.len()).filter(|&other| other != place);
        let own = &self.inputs[place];
        let mut distinct: Vec<char> = Vec::with_capacity(own.len());
        own.iter().for_each(|letter| {
            if !distinct.contains(letter) {
                distinct.push(*letter)
            }
        });
        let is_known =
            |letter: &char| self.output.contains(letter) || others().any(|other| self.inputs[other].contains(letter));
        let known: Vec<char> = distinct.iter().copied().filter(is_known).collect();
        let term = |letters: &[char]| letters.iter().collect::<String>();
        let terms: Vec<String> =
            [term(&self.output)].into_iter().chain(others().map(|other| term(&self.inputs[other]))).collect();
        let factors: Vec<&Tensor<T>> = [g].into_iter().chain(others().map(|other| &operands[other])).collect();
        let mut share = Tensor::einsum(&format!("{}->{}", terms.join(","), term(&known)), &factors);
        // What only this operand has was summed over: the gradient is the same for all.
        let x = &operands[place];
        let size = |letter: &char| x.dims()[own.iter().position(|other| other == letter).expect("its own")];
        for (axis, letter) in distinct.iter().enumerate() {
            if !known.contains(letter) {
                share = share.unsqueeze(axis as isize);
            }
        }
        // So it is where the others have broadcast; and over what was of size 1 here, it is summed.
        let own_shape = Shape::from(distinct.iter().map(size).collect::<Vec<_>>());
        let wide = share.dims().iter().zip(own_shape.dims());
        let wide: Vec<usize> = wide.map(|(&given, &own)| if given == 1 { own } else { given }).collect();
        let share = share.expand(wide).sum_to(&own_shape);
        embed(share, own, x.shape())
    }
}

/// A gradient with one axis for each letter, in the shape of an operand in which a letter may be that of several: there it lies on
/// their diagonal.
fn embed<T: Float>(share: Tensor<T>, own: &[char], shape: &Shape) -> Tensor<T> {
    let Some(second) = (1..own.len()).find(|&i| own[..i].contains(&own[i])) else { return share };
    let first = own.iter().position(|letter| *letter == own[second]).expect("found before");
    // Without the second of the two axes, and on the way from there to the shape.
    let mut fewer = own.to_vec();
    let letter = fewer.remove(second);
    let mut dims = shape.dims().to_vec();
    dims.remove(second);
    let share = embed(share, &fewer, &Shape::from(&dims[..]));
    let at = fewer.iter().position(|other| *other == letter).expect("the first of the two");
    // The diagonal is the last axis of its view.
    let last = share.movedim(at as isize, -1);
    on_diagonal(last, shape, 0, first as isize, second as isize)
}
