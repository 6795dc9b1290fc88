//! Every op that goes through unsafe code, on few elements: for Miri to watch, which takes a thousand times as long.

use std::sync::Arc;

use tensor::{Accum, Activation, Cell, Conv, ConvTranspose, Pool, Recurrence, Tensor, Update};

fn numbers(dims: &[usize]) -> Tensor {
    let mut i = 0;
    Tensor::from_fn(dims, |_| {
        i += 1;
        (i * 37 % 23) as f32 / 7.0 - 1.5
    })
}

/// By three loops, in f64.
fn product(a: &Tensor, b: &Tensor) -> Tensor {
    Tensor::from_fn([a.size(0), b.size(1)], |i| {
        let terms =
            (0..a.size(1)).map(|k| f64::from(a.get(&[i[0], k]).unwrap()) * f64::from(b.get(&[k, i[1]]).unwrap()));
        terms.sum::<f64>() as f32
    })
}

#[test]
fn products() {
    for (m, k, n) in [(40, 8, 20), (9, 3, 1), (1, 3, 9), (5, 0, 4), (3, 5, 33)] {
        // By rows and by columns, each of both.
        let (a, b) = (numbers(&[m, k]), numbers(&[k, n]));
        let (a_t, b_t) = (a.t().contiguous().t(), b.t().contiguous().t());
        let want = product(&a, &b);
        for a in [&a, &a_t] {
            for b in [&b, &b_t] {
                assert!(a.matmul(b).allclose(&want, 1e-5, 1e-5), "{m} × {k} × {n}");
                let mut out = Tensor::zeros([m, n]);
                a.matmul_into(b, &mut out, Accum::Add);
                assert!(out.allclose(&want, 1e-5, 1e-5), "{m} × {k} × {n}, added");
            }
        }
    }
    // A batch, and one that broadcasts.
    let (a, b) = (numbers(&[2, 3, 4]), numbers(&[4, 5]));
    assert!(a.matmul(&b).select(0, 1).allclose(&product(&a.select(0, 1), &b), 1e-5, 1e-5));
    // B is so large that the first tile copies its panels, ahead of the next.
    let (a, b) = (numbers(&[25, 32]), numbers(&[32, 260]));
    let some = |x: &Tensor| x.slice(1, 255..);
    assert!(some(&a.matmul(&b)).allclose(&product(&a, &some(&b)), 1e-4, 1e-4));
}

#[test]
fn along_rows_and_columns() {
    for x in [numbers(&[3, 70]), numbers(&[70, 3]).t(), numbers(&[3, 140]).slice_step(1, .., 2)] {
        for axis in [0, 1] {
            let p = x.softmax(axis);
            assert!(p.sum(axis).allclose(&Tensor::ones(p.sum(axis).shape()), 1e-5, 0.0));
            assert!(x.log_softmax(axis).allclose(&p.ln(), 1e-5, 1e-5));
            assert!(x.var(axis, 1).allclose(&x.std(axis, 1).square(), 1e-5, 1e-7));
            let (most, _) = x.max_with_indices(axis);
            assert_eq!((x.cumsum(axis).dims(), most), (x.dims(), x.max(axis)));
            assert!(x.norm(2.0, axis).square().allclose(&x.square().sum(axis), 1e-5, 1e-6));
            assert_eq!(x.sort(axis, false).0.narrow(axis, 0, 1).squeeze(axis), x.min(axis));
        }
        let classes = Tensor::from_fn([x.size(0)], |i| (i[0] % x.size(1)) as i64);
        let (losses, p) = x.cross_entropy(&classes);
        assert!(losses.iter().all(|loss| loss > 0.0) && p.dims() == x.dims());
        assert!((x.sum(..).item() - x.t().contiguous().sum(..).item()).abs() < 1e-3);
    }
}

#[test]
fn elements_and_rows_in_place_and_by_index() {
    let mut x = numbers(&[12, 5]);
    let y = numbers(&[5]);
    x += &y;
    x = x.slice_assign(0, 2..4, numbers(&[2, 5]));
    for &f in Activation::ALL {
        assert_eq!(x.activation(f).dims(), x.dims());
    }
    let indices = Tensor::from([3_i64, 0, 3, 11]);
    let rows = x.index_select(0, &indices);
    assert_eq!(rows.select(0, 2), x.select(0, 3));
    assert_eq!(x.clone().index_add(0, &indices, &rows).select(0, 1), x.select(0, 1));
    assert_eq!(Tensor::cat(&[&x, &rows], 0).size(0), 16);
    assert_eq!(x.gt(0.0).where_cond(&x, x.t().contiguous().t()), x);
    let drawn = Tensor::<f32>::keyed_normal(&[7; 32], [20], 0.0, 1.0).unwrap();
    assert_eq!(drawn.numel(), 20);
}

/// With several threads, whose tasks are parts of one slice.
#[test]
fn shared_among_threads() {
    let x = numbers(&[if cfg!(miri) { 3_000 } else { 300_000 }]);
    let of =
        |threads| tensor::with_threads(threads, || (x.gelu(), x.sum(..), x.reshape([10, x.numel() / 10]).softmax(1)));
    assert_eq!(of(1).unwrap(), of(2).unwrap());
    // A weight and all that is kept of it.
    let x = numbers(&[if cfg!(miri) { 13_500 } else { 300_000 }]);
    let updated = |threads| {
        let (mut w, mut kept) = (x.clone(), [x.abs(), x.square()]);
        let [lr, l2, rho, one_minus_rho, eps] = [0.1, 0.01, 0.9, 0.1, 1e-3];
        tensor::with_threads(threads, || w.update(&x, &mut kept, Update::Ratio { lr, l2, rho, one_minus_rho, eps }))
            .unwrap();
        (w, kept)
    };
    assert_eq!(updated(1), updated(2));
}

/// Windows that reach beyond the input, of several images in one panel, by every second and third element, and channels by themselves.
#[test]
fn convolutions_and_pools() {
    for (x, w, how) in [
        (numbers(&[2, 3, 5, 4]), numbers(&[4, 3, 3, 3]), Conv::<2>::default().padding(1)),
        (numbers(&[1, 2, 6, 7]), numbers(&[3, 2, 2, 2]), Conv::default().stride([2, 3]).padding([[0, 1], [1, 0]])),
        (numbers(&[2, 2, 5, 20]), numbers(&[2, 1, 3, 3]), Conv::default().padding(1).groups(2)),
    ] {
        let y = x.conv2d(&w, None, how);
        let columns = x.im2col([w.size(2), w.size(3)], how);
        if how.groups == 1 {
            let product = w.reshape([w.size(0), w.numel() / w.size(0)]).matmul(&columns);
            assert!(product.reshape(y.shape()).allclose(&y, 1e-4, 1e-4));
        } else {
            let one = x.slice(1, 1..2).conv2d(&w.slice(0, 1..2), None, how.groups(1));
            assert!(one.allclose(&y.slice(1, 1..2), 1e-4, 1e-4));
        }
    }
    let (x, w) = (numbers(&[2, 4, 3, 3]), numbers(&[4, 2, 2, 3]));
    assert_eq!(x.conv_transpose2d(&w, None, ConvTranspose::default().stride(2)).dims(), [2, 2, 6, 7]);
    let x = numbers(&[2, 5, 7]);
    let pool = Pool::<2>::new(3).stride(2).padding(1);
    let (largest, places) = x.max_pool_with_indices(pool);
    assert_eq!(x.reshape([2, 35]).gather(1, &places.reshape([2, 12])), largest.reshape([2, 12]));
    assert!(largest.ge(x.avg_pool(pool)).all(..).item());
    assert_eq!(x.avg_pool(pool).avg_pool_backward(x.shape(), pool).dims(), x.dims());
}

#[test]
fn recurrences() {
    for cell in [Cell::Tanh, Cell::Relu, Cell::Gru, Cell::Lstm] {
        for reversed in [false, true] {
            let (width, lengths) = (cell.gates() * 3, Arc::from([2, 1, 2]));
            let (inputs, w) = (numbers(&[2, 3, width]), numbers(&[3, width]));
            let run = |keeps| {
                let steps = (reversed, Some(Arc::clone(&lengths)));
                Recurrence::new(
                    cell,
                    &inputs,
                    (&w, Some(&numbers(&[width]))),
                    [Some(&numbers(&[3, 3])), None],
                    steps,
                    keeps,
                )
            };
            let of = run(true);
            assert_eq!(of.states(), run(false).states());
            // Of the one example that is over, nothing comes back from the padding.
            let gradients = of.pullback(&Tensor::ones(of.states().shape()));
            assert_eq!(gradients.inputs.select(0, 1).select(0, 1), Tensor::zeros([width]));
            assert!(gradients.state.iter().chain(gradients.of_states.iter()).all(f32::is_finite));
        }
    }
}
