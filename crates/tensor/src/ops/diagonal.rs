//! Matrices and their diagonals, and grids.

use crate::element::{Element, Number};
use crate::error::{Error, OrPanic, Reason};
use crate::shape::Shape;
use crate::tensor::Tensor;

impl<T: Element> Tensor<T> {
    /// Of a vector, the square matrix that has it on a diagonal and zeros elsewhere; of a matrix, that diagonal. `offset` is
    /// 0 for the main diagonal, above it positive, below it negative.
    ///
    /// # Panics
    /// The tensor is neither, or the matrix has more elements than can be addressed.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let x = Tensor::from([1, 2]);
    /// assert_eq!(x.diag(0), Tensor::from([[1, 0], [0, 2]]));
    /// assert_eq!(x.diag(-1), Tensor::from([[0, 0, 0], [1, 0, 0], [0, 2, 0]]));
    /// assert_eq!(x.diag(0).diag(0), x);
    /// ```
    #[track_caller]
    pub fn diag(&self, offset: isize) -> Self {
        match self.rank() {
            1 => diagonal_matrix(self, offset).or_panic(),
            2 => self.diagonal(offset, 0, 1),
            _ => {
                let got = self.shape().clone();
                Err(Error::new("diag", Reason::Rank { want: "a vector or a matrix", got })).or_panic()
            }
        }
    }

    /// The coordinates of a grid: of vectors of sizes m, n, …, as many tensors of shape [m, n, …], each of which repeats its
    /// vector along the axes of the others. Views; the order is that of PyTorch's `indexing="ij"`.
    ///
    /// # Panics
    /// One of the tensors is no vector, or the grid has more points than can be addressed.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// let grid = Tensor::meshgrid(&[&Tensor::from([1, 2]), &Tensor::from([3, 4])]);
    /// assert_eq!(grid, [Tensor::from([[1, 1], [2, 2]]), Tensor::from([[3, 4], [3, 4]])]);
    /// ```
    #[track_caller]
    pub fn meshgrid(vectors: &[&Self]) -> Vec<Self> {
        for x in vectors {
            if x.rank() != 1 {
                let got = x.shape().clone();
                Err(Error::new("meshgrid", Reason::Rank { want: "vectors", got })).or_panic()
            }
        }
        let dims: Vec<usize> = vectors.iter().map(|x| x.numel()).collect();
        let shape = Shape::try_new(&dims).map_err(|error| error.of("meshgrid")).or_panic();
        let along = |(axis, x): (usize, &&Self)| {
            let mut own = vec![1; dims.len()];
            own[axis] = dims[axis];
            x.reshape(own).expand(&shape)
        };
        vectors.iter().enumerate().map(along).collect()
    }
}

impl<T: Number> Tensor<T> {
    /// The sum of a matrix's main diagonal.
    ///
    /// # Panics
    /// The tensor is no matrix.
    ///
    /// # Example
    /// ```
    /// use tensor::Tensor;
    ///
    /// assert_eq!(Tensor::from([[1, 2], [3, 4]]).trace().item(), 5);
    /// ```
    #[track_caller]
    pub fn trace(&self) -> Self {
        if self.rank() != 2 {
            Err(Error::new("trace", Reason::Rank { want: "a matrix", got: self.shape().clone() })).or_panic()
        }
        self.diagonal(0, 0, 1).sum(..)
    }
}

fn diagonal_matrix<T: Element>(x: &Tensor<T>, offset: isize) -> Result<Tensor<T>, Error> {
    let size = x.numel().saturating_add(offset.unsigned_abs());
    let shape = Shape::try_new(&[size, size]).map_err(|error| error.of("diag"))?;
    let mut out = crate::create::room("diag", &shape)?;
    let elements = &mut out[..];
    elements.fill(T::default());
    // The first element's place, and from one to the next.
    let first = if offset < 0 { offset.unsigned_abs() * size } else { offset.unsigned_abs() };
    for (i, x) in x.iter().enumerate() {
        elements[first + i * (size + 1)] = x;
    }
    Ok(Tensor::from_buffer(out, shape))
}
