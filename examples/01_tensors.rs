//! Tensors: made, viewed, computed with. Each line prints what it says.
//!
//! cargo run --release --example 01_tensors

use evenkeel::prelude::*;
use evenkeel::tensor::keepdim;

fn main() -> evenkeel::Result {
    // Made of literals, of a function of the index, or of random numbers by a seed.
    let x: Tensor = Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    let squares: Tensor = Tensor::from_fn([4], |i| (i[0] * i[0]) as f32);
    let noise: Tensor = init::randn([2, 3], &mut ChaCha8Rng::seed_from_u64(42))?;
    println!("x = {x}\nsquares = {squares}\nnoise = {noise}");

    // Views copy nothing: they share the storage, with other strides.
    let (t, row, part) = (x.t(), x.select(0, -1), x.slice(1, 1..));
    println!("x.t() = {t}\nthe last row = {row}\nthe last columns = {part}");
    assert!(t.shares_storage(&x) && row.shares_storage(&x) && part.shares_storage(&x));

    // Shapes broadcast: [2, 3] − [1, 3].
    let centred = &x - x.mean(keepdim(0));
    println!("x less the mean of its columns = {centred}");

    // Products, reductions, comparisons, elements by index.
    println!("x · xᵀ = {}", x.matmul(&x.t()));
    println!("row sums = {}, the largest = {}", x.sum(1), x.max(..));
    println!("above 2: {}", x.gt(2.0));
    println!("columns 2, 0 = {}", x.index_select(1, &Tensor::from([2, 0])));

    // In place, where nobody else holds the storage; else what the others hold stays as it is.
    let mut y = x.clone();
    y += 10.0;
    println!("y = {y}, and x is still {x}");
    Ok(())
}
