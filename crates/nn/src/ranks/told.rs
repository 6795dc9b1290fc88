//! What ranks tell each other beside gradients, as bytes: numbers, texts, and changes of state.

use autograd::{RunningWeight, Update};
use tensor::{Float, Shape, Tensor};

/// Bytes that are put together.
#[derive(Default)]
pub(crate) struct Writer(pub(crate) Vec<u8>);

impl Writer {
    pub(crate) fn number(&mut self, number: usize) {
        self.0.extend((number as u64).to_le_bytes());
    }

    pub(crate) fn float(&mut self, float: f64) {
        self.0.extend(float.to_le_bytes());
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.number(text.len());
        self.0.extend(text.as_bytes());
    }

    /// A change of a state. Every float is one in f64 too, so nothing is lost.
    pub(crate) fn update<T: Float>(&mut self, update: &Update<T>) {
        let value = match update {
            Update::Affine { keep, add } => {
                self.number(0);
                self.float(*keep);
                add
            }
            Update::Running { share: RunningWeight::Momentum(share), found } => {
                self.number(1);
                self.float(*share);
                found
            }
            Update::Running { share: RunningWeight::Mean { seen }, found } => {
                self.number(2);
                self.number(*seen as usize);
                found
            }
        };
        value.to_vec().into_iter().for_each(|x| self.float(x.to_f64()));
    }
}

/// What is left to be taken of bytes that a [`Writer`] has put together in another process of the same program.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at_checked(len).expect("a rank tells what the others expect");
        self.0 = rest;
        taken
    }

    pub(crate) fn number(&mut self) -> usize {
        u64::from_le_bytes(self.take(8).try_into().expect("eight")) as usize
    }

    pub(crate) fn float(&mut self) -> f64 {
        f64::from_le_bytes(self.take(8).try_into().expect("eight"))
    }

    pub(crate) fn text(&mut self) -> String {
        let len = self.number();
        String::from_utf8_lossy(self.take(len)).into_owned()
    }

    /// A change of a state of this shape.
    pub(crate) fn update<T: Float>(&mut self, shape: &Shape) -> Update<T> {
        let kind = self.number();
        let (keep, seen) = if kind == 2 { (0.0, self.number() as u64) } else { (self.float(), 0) };
        let value = (0..shape.numel()).map(|_| T::from_f64(self.float())).collect::<Tensor<T>>().reshape(shape);
        match kind {
            0 => Update::Affine { keep, add: value },
            1 => Update::Running { share: RunningWeight::Momentum(keep), found: value },
            _ => Update::Running { share: RunningWeight::Mean { seen }, found: value },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_what_is_heard() {
        let x = Tensor::from([[0.1_f32, -0.0], [f32::INFINITY, 1e-45]]);
        let updates = [
            Update::Affine { keep: 0.25, add: x.clone() },
            Update::Running { share: RunningWeight::Momentum(0.1), found: x.clone() },
            Update::Running { share: RunningWeight::Mean { seen: 1 << 40 }, found: x.clone() },
        ];
        let mut told = Writer::default();
        told.text("ä rank");
        updates.iter().for_each(|update| told.update(update));
        told.float(-0.5);
        let mut heard = Reader(&told.0);
        assert_eq!(heard.text(), "ä rank");
        updates.iter().for_each(|update| assert_eq!(&heard.update(x.shape()), update));
        assert_eq!((heard.float(), heard.0.len()), (-0.5, 0));
    }
}
