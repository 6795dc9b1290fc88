//! The surface where its parts meet: shapes too long for their inline storage, and a program's own parallel loops.

use rayon::prelude::*;
use tensor::{Tensor, keepdim};

/// Of so many axes that shapes and strides are on the heap.
const DIMS: [usize; 8] = [2, 1, 3, 2, 1, 2, 3, 2];

fn numbers(dims: &[usize]) -> Tensor<f64> {
    let len: usize = dims.iter().product();
    Tensor::from_vec((0..len).map(|i| ((i * 37 + 11) % 101) as f64 / 20.0 - 2.5).collect(), dims)
}

/// Each op on many axes against itself on three, to which they are joined.
#[test]
fn ops_on_eight_axes_agree_with_those_on_three() {
    let x = numbers(&DIMS);
    let joined = |x: &Tensor<f64>| x.reshape([6, 4, 6]);
    let y = joined(&x);
    assert_eq!(joined(&x.tanh()), y.tanh());
    assert_eq!(joined(&(&x + &x.slice(0, 1..2))), joined(&(&x + x.slice(0, 1..2).expand(DIMS))));
    assert_eq!(joined(&(&x * 2.0 - &x)), &y * 2.0 - &y);
    assert_eq!(x.sum([0, 1, 2]).reshape([4, 6]), y.sum(0));
    assert_eq!(x.sum(keepdim([3, 4, 5])).dims(), [2, 1, 3, 1, 1, 1, 3, 2]);
    assert_eq!(x.max([6, 7]).reshape([6, 4]), y.max(2));
    assert_eq!(x.var_mean([-1, -2], 1).0.reshape([6, 4]), y.var_mean(2, 1).0);
    assert_eq!(x.argmax(..), y.argmax(..));
    assert_eq!(joined(&x.flip(&[6, 7])), y.flip(&[2]));
    assert_eq!(joined(&x.flatten(0).softmax(0).reshape(DIMS)), y.flatten(0).softmax(0).reshape([6, 4, 6]));
    assert_eq!(x.softmax(-1).sum(-1).map(|x| (x * 1e9).round()), Tensor::full(&DIMS[..7], 1e9));
    assert_eq!(Tensor::cat(&[&x, &x], 0).reshape([12, 4, 6]), Tensor::cat(&[&y, &y], 0));
    assert_eq!(Tensor::stack(&[&x, &x], 0).dims().len(), 9);
    assert_eq!(joined(&x.cumsum(7)), joined(&x.flatten(0).reshape([72, 2]).cumsum(1).reshape(DIMS)));
    assert_eq!(x.slice(6, 1..).reshape([6, 4, 4]), y.slice(2, 2..));
    assert_eq!(x.gt(0.0).count_nonzero(..), y.gt(0.0).count_nonzero(..));
    // Any order of the axes and back.
    let order = [7, 3, 0, 5, 2, 6, 1, 4];
    let mut back = [0; 8];
    order.iter().enumerate().for_each(|(i, &axis)| back[axis as usize] = i as isize);
    let moved = x.permute(&order);
    assert_eq!(moved.permute(&back), x);
    assert_eq!(moved.contiguous().permute(&back), x);
    assert_eq!((&moved + 1.0).permute(&back), &x + 1.0);
    assert_eq!(moved.sum(..).item(), moved.contiguous().sum(..).item());
    // Batches of products.
    let product = x.matmul(&x.transpose(6, 7));
    assert_eq!(product.dims(), [2, 1, 3, 2, 1, 2, 3, 3]);
    let flat = x.reshape([24, 3, 2]);
    assert_eq!(product.reshape([24, 3, 3]), flat.matmul(&flat.transpose(1, 2)));
    // By indices.
    let last = Tensor::<i64>::full(&DIMS[..], 1);
    assert_eq!(x.gather(7, &last), x.slice(7, 1..2).expand(DIMS));
    assert_eq!(x.index_select(2, &Tensor::from([2, 0])).slice(2, 1..2), x.slice(2, 0..1));
    assert!(format!("{x:?}").ends_with("[2, 1, 3, 2, 1, 2, 3, 2] f64"));
    assert!(std::panic::catch_unwind(|| &x + &Tensor::zeros([3; 8])).is_err());
}

/// Each is large enough to be shared among threads by itself.
fn work(i: usize) -> Vec<u64> {
    let x = numbers(&[300, 301]) * (1.0 + i as f64);
    let results = [
        x.tanh(),
        x.t().matmul(&x),
        x.sum(0),
        x.t().softmax(1),
        Tensor::cat(&[&x, &x], 1),
        x.sort(1, true).0,
        x.map(|y| y * 0.5),
    ];
    results.iter().flat_map(|x| x.iter().map(f64::to_bits).collect::<Vec<_>>()).collect()
}

#[test]
fn ops_within_a_parallel_loop_of_the_programs_have_the_same_bits() {
    let want: Vec<_> = (0..8).map(|i| tensor::with_threads(1, || work(i)).unwrap()).collect();
    let in_loop = || (0..8).into_par_iter().map(work).collect::<Vec<_>>();
    assert!(in_loop() == want);
    for threads in [1, 2, 5] {
        assert!(tensor::with_threads(threads, in_loop).unwrap() == want, "{threads} threads");
    }
    // A loop within a loop, and a pool within it.
    let nested: Vec<Vec<_>> = (0..2)
        .into_par_iter()
        .map(|half| (0..4).into_par_iter().map(|i| tensor::with_threads(2, || work(4 * half + i)).unwrap()).collect())
        .collect();
    assert!(nested.concat() == want);
}
