//! What the ops are measured on.

use evenkeel::prelude::*;

/// Square ones within the first and the second cache, and long ones of short and of few rows.
pub(crate) const SHAPES: [[usize; 2]; 4] = [[64, 64], [512, 512], [4096, 16], [16, 4096]];

/// How x, y and what else has their shape lie in memory.
pub(crate) const LAYOUTS: [&str; 6] = ["contiguous", "transposed", "cut out", "every second", "expanded", "permuted"];

pub(crate) struct Data {
    pub(crate) x: Tensor,
    pub(crate) y: Tensor,
    pub(crate) share: Tensor,
    pub(crate) row: Tensor,
    pub(crate) column: Tensor,
    pub(crate) ones: Tensor,
    pub(crate) signs: Tensor,
    pub(crate) signs_of_rows: Tensor,
    pub(crate) sorted: Tensor,
    pub(crate) cell: [Tensor; 2],
    pub(crate) mask: Tensor<bool>,
    pub(crate) other_mask: Tensor<bool>,
    /// A class for each row.
    pub(crate) classes: Tensor<i64>,
    /// As many places as there are rows and columns, among them.
    pub(crate) rows: Tensor<i64>,
    pub(crate) columns: Tensor<i64>,
    /// The same, for each element of x.
    pub(crate) at_rows: Tensor<i64>,
    pub(crate) at_columns: Tensor<i64>,
}

/// A tensor of this shape that lies so; "permuted" has three axes.
fn laid(mut fill: impl FnMut(&Shape) -> Tensor, [r, c]: [usize; 2], layout: &str) -> Tensor {
    let mut of = |dims: &[usize]| fill(&Shape::from(dims));
    match layout {
        "contiguous" => of(&[r, c]),
        "transposed" => of(&[c, r]).t(),
        "cut out" => of(&[r, c + 8]).slice(1, 4..c + 4),
        "every second" => of(&[r, 2 * c]).slice_step(1, .., 2),
        "expanded" => of(&[1, c]).expand([r, c]),
        "permuted" => of(&[4, r / 4, c]).permute(&[1, 2, 0]),
        _ => unreachable!("{layout}"),
    }
}

impl Data {
    pub(crate) fn new(dims: [usize; 2], layout: &str) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut normal = |shape: &Shape| init::normal(1.0).init(shape, &mut rng).unwrap();
        let [x, y] = [(); 2].map(|()| laid(&mut normal, dims, layout));
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let mut shares = |shape: &Shape| init::uniform(0.1, 0.9).init(shape, &mut rng).unwrap();
        let share = laid(&mut shares, dims, layout);
        let last = x.size(-1);
        let mut first = x.dims().to_vec();
        *first.last_mut().unwrap() = 1;
        let places = |dims: &[usize], below: usize| {
            let mut i = 0;
            Tensor::from_fn(dims, |_| {
                i += 1;
                (i * 7919 % below) as i64
            })
        };
        let mask = x.gt(0.0);
        Data {
            row: shares(&[last].into()),
            column: shares(&first[..].into()),
            ones: mask.cast(),
            signs: x.sign(),
            signs_of_rows: Tensor::from_fn([x.size(0)], |i| if i[0] % 2 == 0 { 1.0 } else { -1.0 }),
            sorted: Tensor::linspace(-2.0, 2.0, 1000),
            cell: [(); 2].map(|()| normal(&[16, 64].into())),
            other_mask: y.gt(0.0),
            classes: places(&first[..first.len() - 1], last),
            rows: places(&[x.size(0)], x.size(0)),
            columns: places(&[last], last),
            at_rows: places(x.dims(), x.size(0)),
            at_columns: places(x.dims(), last),
            mask,
            share,
            x,
            y,
        }
    }
}
