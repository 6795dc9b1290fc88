//! What a [`Watch`](crate::Watch) has seen.

use std::fmt::Write as _;

/// The course of a training: the loss of each step, and samples of activations and weights.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct History {
    /// The step of the training at which it began: 0, or where a training was resumed.
    pub first_step: u64,
    /// The loss of every step from there on.
    pub loss: Vec<f64>,
    /// What was sampled, in order.
    pub samples: Vec<Sample>,
}

/// Activations and weights at one step.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Sample {
    /// The step of the training, from 0.
    pub step: u64,
    /// In the order of the pass.
    pub activations: Vec<ActivationSample>,
    /// In the model's order.
    pub weights: Vec<WeightSample>,
}

/// An activation at one step; the figures are those of [`Activation`](crate::Activation).
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ActivationSample {
    /// The module that it belongs to.
    pub place: String,
    /// Its op.
    pub kind: String,
    /// The mean of the output.
    pub mean: f64,
    /// The standard deviation of the output.
    pub std: f64,
    /// The share that is saturated.
    pub saturated: f64,
    /// How many units there are.
    pub units: usize,
    /// How many are saturated for every example.
    pub dead: usize,
    /// Whether another layer comes after it: it is not the output.
    pub hidden: bool,
    /// Whether its units are flat on one side only.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub(crate) one_sided: bool,
}

/// A weight or bias at one step.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct WeightSample {
    /// Its path.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// The standard deviation of its elements before the step.
    pub std: f64,
    /// The standard deviation of its gradient.
    pub gradient_std: Option<f64>,
    /// log₁₀ of std(update) / std(data); `None` where it did not move, or does not vary.
    pub update_data_log10: Option<f64>,
}

impl History {
    /// All series in one table of four columns, `step,series,place,value`: a line for each figure that there is. The series
    /// are `loss`, `mean`, `std`, `saturated`, `dead`, `weight_std`, `gradient_std` and `update_data_log10`.
    ///
    /// # Example
    /// ```
    /// assert_eq!(diagnose::Watch::<f32>::new().history().to_csv(), "step,series,place,value\n");
    /// ```
    pub fn to_csv(&self) -> String {
        let mut csv = String::from("step,series,place,value\n");
        let mut line = |step: u64, series: &str, place: &str, value: f64| {
            if value.is_finite() {
                let _ = writeln!(csv, "{step},{series},{},{value}", quoted(place));
            }
        };
        for (step, &loss) in self.loss.iter().enumerate() {
            line(self.first_step + step as u64, "loss", "", loss);
        }
        for sample in &self.samples {
            for a in &sample.activations {
                for (series, value) in
                    [("mean", a.mean), ("std", a.std), ("saturated", a.saturated), ("dead", a.dead as f64)]
                {
                    line(sample.step, series, &a.place, value);
                }
            }
            for w in &sample.weights {
                line(sample.step, "weight_std", &w.name, w.std);
                line(sample.step, "gradient_std", &w.name, w.gradient_std.unwrap_or(f64::NAN));
                line(sample.step, "update_data_log10", &w.name, w.update_data_log10.unwrap_or(f64::NAN));
            }
        }
        csv
    }
}

/// A field as RFC 4180 wants it.
fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_figure_that_there_is_has_a_line_and_the_others_none() {
        let weight = WeightSample {
            name: "a,b".into(),
            shape: vec![2],
            std: 0.5,
            gradient_std: Some(2.0),
            update_data_log10: None,
        };
        let sample = Sample { step: 1, activations: vec![], weights: vec![weight] };
        let history = History { first_step: 0, loss: vec![3.0, f64::NAN, 2.5], samples: vec![sample] };
        let want =
            "step,series,place,value\n0,loss,,3\n2,loss,,2.5\n1,weight_std,\"a,b\",0.5\n1,gradient_std,\"a,b\",2\n";
        assert_eq!(history.to_csv(), want);
    }
}
