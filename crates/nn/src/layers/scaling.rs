//! Columns of data brought to one scale, by what the training's rows have shown: a part of the model, and saved with it.

use autograd::Var;
use tensor::{Float, INFER, Shape, Tensor, ensure};

use crate::{Error, Layer, Param, module};

/// Stamps a layer y = (x − shift) / scale for each column, whose shift and scale are found in data.
macro_rules! scaling {
    ($(#[$doc:meta])* $Layer:ident { $(#[$shift_doc:meta])* $shift:ident, $(#[$scale_doc:meta])* $scale:ident }, $op:literal, $found:expr) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $Layer<T: Float = f32> {
            $(#[$shift_doc])*
            pub $shift: Param<T>,
            $(#[$scale_doc])*
            pub $scale: Param<T>,
        }

        module!(impl<T> $Layer<T> { $shift, $scale });

        impl $Layer {
            /// A layer in f32 of `columns` columns that is not fitted yet: for a model whose values are to come from a file.
            ///
            /// # Panics
            /// There are more columns than memory can hold.
            #[track_caller]
            pub fn new(columns: usize) -> Self {
                match $Layer::try_new(columns) {
                    Ok(layer) => layer,
                    Err(error) => panic!(concat!(stringify!($Layer), "::new: {}"), error),
                }
            }
        }

        impl<T: Float> $Layer<T> {
            /// As [`new`](Self::new), for any float.
            ///
            /// # Errors
            /// There are more columns than memory can hold.
            pub fn try_new(columns: usize) -> Result<Self, Error> {
                let zeros = Tensor::try_full(&Shape::try_new(&[columns])?, T::ZERO)?;
                Ok($Layer { $shift: Param::state(zeros.clone()), $scale: Param::state(zeros) })
            }

            /// A layer fitted to data `[…, columns]`: of the rows to train with, and not of those that are held out.
            ///
            /// # Errors
            /// There are no rows; or a column is the same in all of them, or holds NaN or infinity.
            pub fn fit(data: &Tensor<T>) -> Result<Self, Error> {
                let columns = columns(data)?;
                let find: fn(&Tensor<T>) -> (Tensor<T>, Tensor<T>) = $found;
                let (shift, scale) = find(&columns);
                Ok($Layer { $shift: Param::state(shift), $scale: Param::state(scale) })
            }

            /// Back to the scale of the data: x = y · scale + shift, of what a model predicts by scaled targets.
            ///
            /// # Panics
            /// As [`forward`](Layer::forward).
            #[track_caller]
            pub fn inverse<'t>(&self, y: Var<'t, T>) -> Var<'t, T> {
                let (shift, scale) = self.fitted(concat!(stringify!($Layer), "::inverse"), y);
                let by = scale.clone();
                y.record(concat!($op, "_inverse"), y.value() * scale + shift).wrt(y, move |g| g * &by).done()
            }

            /// Shift and scale, after a look at what is to be scaled.
            #[track_caller]
            fn fitted(&self, call: &str, x: Var<'_, T>) -> (Tensor<T>, Tensor<T>) {
                let (shift, scale, shape) = (self.$shift.value(), self.$scale.value(), x.shape());
                let width = scale.numel();
                ensure!(
                    shape.dims().last() == Some(&width),
                    "{call}: needs an input […, {width}], as it was fitted to {width} columns, got {shape}"
                );
                let (is_fitted, layer) = (scale.iter().all(|scale| scale > T::ZERO), stringify!($Layer));
                ensure!(
                    is_fitted,
                    "{call}: is not fitted: `{layer}::fit(&rows)` of the rows to train with, or load the model that it is a part of"
                );
                (shift.clone(), scale.clone())
            }
        }

        impl<T: Float> Layer<T> for $Layer<T> {
            /// `[…, columns]`, scaled, in the same shape.
            ///
            /// # Panics
            /// The input has another number of columns, or the layer was not fitted.
            #[track_caller]
            fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
                let (shift, scale) = self.fitted(concat!(stringify!($Layer), "::forward"), x);
                let by = scale.clone();
                x.record($op, (x.value() - shift) / scale).wrt(x, move |g| g / &by).done()
            }
        }
    };
}

scaling!(
    /// Each column less its mean and divided by its standard deviation, as the rows to train with have them: y = (x − mean) / std. Mean
    /// and deviation are state, which is saved and loaded with the model, so that whoever predicts needs nothing else. scikit-learn's
    /// `StandardScaler`.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use nn::{Layer, Linear, Sequential, Standardize, seq};
    /// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
    /// use tensor::Tensor;
    ///
    /// let mut rng = ChaCha8Rng::seed_from_u64(42);
    /// let x = Tensor::from([[20.0, 1000.0], [40.0, 3000.0], [60.0, 2000.0]]); // ages and incomes
    /// let model: Sequential = seq![Standardize::fit(&x)?, Linear::new(2, 1, &init::normal(0.1), &mut rng)?];
    /// let scaled = model[0].forward(Tape::no_grad().constant(x)).value();
    /// assert!(scaled.mean(0).iter().all(|mean| mean.abs() < 1e-6));
    /// assert!(scaled.std(0, 0).iter().all(|std| (std - 1.0).abs() < 1e-6));
    /// # Ok::<(), nn::Error>(())
    /// ```
    #[doc(alias = "StandardScaler")]
    #[doc(alias = "Normalize")]
    Standardize {
        /// The mean of each column, `[columns]`: state
        mean,
        /// The standard deviation of each column, `[columns]`, by n: state
        std
    },
    "standardize",
    |x| {
        let (var, mean) = x.var_mean(0, 0);
        (mean, var.sqrt())
    }
);

scaling!(
    /// Each column from 0, the smallest value among the rows to train with, to 1, the largest: y = (x − min) / (max − min). What it was
    /// fitted to is state, which is saved and loaded with the model. scikit-learn's `MinMaxScaler`.
    ///
    /// # Example
    /// ```
    /// use autograd::Tape;
    /// use nn::{Layer, MinMaxScale};
    /// use tensor::Tensor;
    ///
    /// let scale = MinMaxScale::fit(&Tensor::from([[20.0, 1000.0], [40.0, 3000.0], [60.0, 2000.0]]))?;
    /// let tape = Tape::no_grad();
    /// let y = scale.forward(tape.constant(Tensor::from([[30.0, 2000.0]])));
    /// assert_eq!(y.value(), Tensor::from([[0.25, 0.5]]));
    /// assert_eq!(scale.inverse(y).value(), Tensor::from([[30.0, 2000.0]]));
    /// # Ok::<(), nn::Error>(())
    /// ```
    #[doc(alias = "MinMaxScaler")]
    MinMaxScale {
        /// The smallest value of each column, `[columns]`: state
        min,
        /// What the largest value is above the smallest, `[columns]`: state
        range
    },
    "min_max_scale",
    |x| {
        let min = x.min(0);
        let range = x.max(0) - &min;
        (min, range)
    }
);

/// Data as rows of columns, each of which varies and is finite.
fn columns<T: Float>(data: &Tensor<T>) -> Result<Tensor<T>, Error> {
    let invalid = |why: String| Err(Error::Invalid { what: "the data", why });
    let width = data.shape().dims().last().copied().unwrap_or(0);
    if data.is_empty() || data.rank() < 2 {
        return invalid(format!(
            "are {}, but must be rows of columns, […, columns], and at least one of each",
            data.shape()
        ));
    }
    let columns = data.reshape([INFER, width]);
    let (min, max) = (columns.min(0), columns.max(0));
    for (at, (min, max)) in min.iter().zip(max.iter()).enumerate() {
        if !(max - min).to_f64().is_finite() {
            return invalid(format!("hold NaN or infinity in column {at}: leave the rows out, or put a value there"));
        }
        if min == max {
            let n = columns.size(0);
            return invalid(format!(
                "are {min} in column {at} of all {n} rows, which cannot be scaled and says nothing: leave it out"
            ));
        }
    }
    Ok(columns)
}

#[cfg(test)]
mod tests {
    use autograd::{Tape, check};
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    use super::*;
    use crate::Module;

    fn data() -> Tensor<f64> {
        Tensor::from_fn([4, 5, 3], |i| 1e3 * i[2] as f64 + ((i[0] * 7 + i[1] * 3) % 11) as f64 * (1.0 + i[2] as f64))
    }

    #[test]
    fn it_scales_and_scales_back_and_its_gradients_are_right() {
        let (standard, ends) = (Standardize::fit(&data()).unwrap(), MinMaxScale::fit(&data()).unwrap());
        let tape = Tape::<f64>::default();
        let x = tape.constant(data());
        let (a, b) = (standard.forward(x), ends.forward(x));
        let flat = a.value().reshape([INFER, 3]);
        assert!(
            flat.mean(0).iter().all(|mean| mean.abs() < 1e-12)
                && flat.std(0, 0).iter().all(|std| (std - 1.0).abs() < 1e-12)
        );
        let flat = b.value().reshape([INFER, 3]);
        assert!(flat.min(0).iter().all(|min| min == 0.0) && flat.max(0).iter().all(|max| max == 1.0));
        for back in [standard.inverse(a), ends.inverse(b)] {
            assert!(back.value().iter().zip(data().iter()).all(|(a, b)| (a - b).abs() < 1e-9));
        }
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        check::gradients(&[data()], &mut rng, |x| standard.forward(x[0]).tanh()).unwrap();
        check::gradients(&[data() * 1e-3], &mut rng, |x| ends.inverse(x[0]).tanh()).unwrap();
        // It is saved with the model, and no optimizer moves it.
        assert_eq!(standard.state().into_iter().map(|(name, _)| name).collect::<Vec<_>>(), ["mean", "std"]);
        assert!(standard.parameters().is_empty());
    }

    #[test]
    fn what_cannot_be_scaled_is_said() {
        let why = |data: Tensor| Standardize::fit(&data).map(|_| ()).unwrap_err().to_string();
        assert_eq!(
            why(Tensor::from([[1.0, 0.5], [2.0, 0.5]])),
            "the data are 0.5 in column 1 of all 2 rows, which cannot be scaled and says nothing: leave it out"
        );
        let said = why(Tensor::from([[1.0, f32::NAN], [2.0, 0.5]]));
        assert_eq!(said, "the data hold NaN or infinity in column 1: leave the rows out, or put a value there");
        assert!(why(Tensor::zeros([0, 3])).starts_with("the data are [0, 3], but must be rows of columns"));
        assert!(MinMaxScale::fit(&Tensor::from([1.0, 2.0])).is_err());
    }

    #[test]
    #[should_panic(
        expected = "Standardize::forward: is not fitted: `Standardize::fit(&rows)` of the rows to train with, or load the model"
    )]
    fn it_is_fitted_before_it_is_used() {
        Standardize::new(2).forward(Tape::no_grad().constant(Tensor::ones([1, 2])));
    }

    #[test]
    #[should_panic(expected = "MinMaxScale::forward: needs an input […, 2], as it was fitted to 2 columns, got [1, 3]")]
    fn columns_are_those_that_it_was_fitted_to() {
        let scale = MinMaxScale::fit(&Tensor::from([[1.0, 2.0], [2.0, 5.0]])).unwrap();
        scale.forward(Tape::no_grad().constant(Tensor::ones([1, 3])));
    }
}
