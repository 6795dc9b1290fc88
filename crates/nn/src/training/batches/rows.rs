//! Which rows of a data set are meant.

use std::ops::Range;

use tensor::Tensor;

use crate::Error;

/// Rows of a data set by number: `0..n` for all of n, or a vector of indices, such as a part of a [`split`](super::split()). A number alone
/// is none, as it would not say which: after a split, the rows of a part are not the first ones.
///
/// # Example
/// ```
/// use nn::Batches;
///
/// let (train, _) = nn::split(1000, 0.8, 42)?;
/// let of_a_part = Batches::new(&train, 64)?;
/// let of_all = Batches::new(0..1000, 64)?;
/// assert_eq!((of_a_part.len(), of_all.len()), (800, 1000));
/// # Ok::<(), nn::Error>(())
/// ```
///
/// ```compile_fail
/// # use nn::Batches;
/// # let (train, _) = nn::split(1000, 0.8, 42)?;
/// Batches::new(train.numel(), 64)?; // error: the rows 0 to 799, held-out ones among them, would be trained with
/// # Ok::<(), nn::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Rows(Which);

#[derive(Clone, Debug)]
enum Which {
    Range(Range<usize>),
    Listed(Tensor<i64>),
}

impl Rows {
    /// Their number.
    pub(crate) fn len(&self) -> usize {
        match &self.0 {
            Which::Range(range) => range.len(),
            Which::Listed(rows) => rows.numel(),
        }
    }

    /// Their indices, unless they are the first ones.
    pub(super) fn names(self) -> Option<Tensor<i64>> {
        match &self.0 {
            Which::Range(range) if range.start == 0 => None,
            Which::Range(_) => Some(self.indices()),
            Which::Listed(rows) => Some(rows.contiguous()),
        }
    }

    /// Their indices.
    pub(crate) fn indices(&self) -> Tensor<i64> {
        match &self.0 {
            Which::Range(range) => range.clone().map(|row| row as i64).collect(),
            Which::Listed(rows) => rows.clone(),
        }
    }

    /// Makes sure that they are a vector, in a sentence that begins so.
    pub(crate) fn check(&self, what: &'static str, begins: &str) -> Result<(), Error> {
        match &self.0 {
            Which::Listed(rows) if rows.rank() != 1 => {
                let why = format!("{begins} rows {}, but these must be a vector of indices", rows.shape());
                Err(Error::Invalid { what, why })
            }
            _ => Ok(()),
        }
    }
}

impl From<Range<usize>> for Rows {
    fn from(range: Range<usize>) -> Self {
        Rows(Which::Range(range))
    }
}

impl From<Tensor<i64>> for Rows {
    fn from(rows: Tensor<i64>) -> Self {
        Rows(Which::Listed(rows))
    }
}

impl From<&Tensor<i64>> for Rows {
    fn from(rows: &Tensor<i64>) -> Self {
        Rows(Which::Listed(rows.clone()))
    }
}
