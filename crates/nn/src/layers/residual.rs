//! A layer beside its input.

use autograd::Var;
use tensor::{Float, ensure};

use crate::{Layer, Module, Param, ParamPath};

/// x + f(x), for a layer f whose result has the shape of its input (He et al., 2016, *Deep Residual Learning for Image
/// Recognition*).
///
/// # Example
/// ```
/// use autograd::Tape;
/// use nn::{Layer, Residual, func};
/// use tensor::Tensor;
///
/// let double = Residual { inner: func(|x| x) };
/// assert_eq!(double.forward(Tape::new().constant(Tensor::from([3.0]))).value(), Tensor::from([6.0]));
/// ```
#[derive(Clone)]
pub struct Residual<L> {
    /// f
    pub inner: L,
}

// The macro takes one float, and f may be a layer of several.
impl<T: Float, L: Module<T>> Module<T> for Residual<L> {
    fn visit<'a>(&'a self, path: ParamPath<'_>, visit: &mut dyn FnMut(ParamPath<'_>, &'a Param<T>)) {
        self.inner.visit(path.field("inner"), visit);
    }

    fn visit_mut<'a>(&'a mut self, path: ParamPath<'_>, visit: &mut dyn FnMut(ParamPath<'_>, &'a mut Param<T>)) {
        self.inner.visit_mut(path.field("inner"), visit);
    }

    fn outline(&self, path: ParamPath<'_>, tell: &mut dyn FnMut(ParamPath<'_>, String)) {
        tell(path, "Residual".into());
        self.inner.outline(path.field("inner"), tell);
    }
}

impl<T: Float, L: Layer<T>> Layer<T> for Residual<L> {
    /// x + f(x).
    ///
    /// # Panics
    /// f changes the shape.
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        let branch = self.inner.forward(x);
        let (of_x, of_branch) = (x.shape(), branch.shape());
        ensure!(
            of_x == of_branch,
            "Residual::forward: the layer makes {of_branch} of {of_x}, and both are to be added"
        );
        x + branch
    }
}
