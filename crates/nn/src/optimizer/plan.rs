//! How an optimizer treats each weight, as a table.

use std::fmt;

use tensor::Shape;

/// How every weight of a model is treated; [`Optimizer::plan`](super::Optimizer::plan) makes it, and it prints as a
/// table.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The weights in the model's order.
    pub weights: Vec<Planned>,
}

/// How a weight is treated.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Planned {
    /// Where in the model it is.
    pub path: String,
    /// Its shape.
    pub shape: Shape,
    /// The name of its rule.
    pub rule: &'static str,
    /// The learning rate of its next step.
    pub lr: f64,
    /// Its weight decay.
    pub weight_decay: f64,
    /// Whether it stays.
    pub frozen: bool,
}

impl fmt::Display for Plan {
    /// A row for each weight, in columns.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = ["weight", "shape", "rule", "lr", "weight decay"].map(String::from);
        let rows = self.weights.iter().map(|weight| {
            let number = |x: f64| if x == 0.0 || (1e-3..1e4).contains(&x) { format!("{x}") } else { format!("{x:e}") };
            let lr = if weight.frozen { "frozen".into() } else { number(weight.lr) };
            let decay = if weight.frozen { String::new() } else { number(weight.weight_decay) };
            [weight.path.clone(), weight.shape.to_string(), weight.rule.into(), lr, decay]
        });
        let rows: Vec<[String; 5]> = std::iter::once(head).chain(rows).collect();
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: [usize; 5] = std::array::from_fn(width);
        for (index, row) in rows.iter().enumerate() {
            let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
            let end = if index + 1 < rows.len() { "\n" } else { "" };
            write!(f, "{}{end}", cells.join("  ").trim_end())?;
        }
        Ok(())
    }
}
