use proptest::prelude::*;

use super::*;
use crate::shape::Shape;
use crate::spatial::Padding;

/// The oracle: the sum of the definition, term by term.
fn naive<const D: usize>(x: &Tensor<f64>, w: &Tensor<f64>, how: Conv<D>) -> Tensor<f64> {
    let moves = Moves::of_conv("conv", x.shape(), w.shape(), None, how).unwrap();
    let mut y = Tensor::zeros(&moves.shapes[2]);
    each_term(&moves, |[x_at, w_at, y_at]| {
        let product = x.get(&x_at).unwrap() * w.get(&w_at).unwrap();
        let at = position(&y, &y_at);
        y.as_mut_slice()[at] += product;
    });
    y
}

fn position(x: &Tensor<f64>, index: &[usize]) -> usize {
    index.iter().zip(x.dims()).fold(0, |at, (&i, &size)| at * size + i)
}

/// Calls `f` with the places of each product in x, w and y.
fn each_term(moves: &Moves, mut f: impl FnMut([Vec<usize>; 3])) {
    let [x, w, y] = &moves.shapes;
    let axes = w.rank() - 2;
    for flat in 0..y.numel() * w.numel() / w.dims()[0].max(1) {
        let per = w.numel() / w.dims()[0];
        let index = |mut flat: usize, dims: &[usize]| {
            let mut index = vec![0; dims.len()];
            for (at, &size) in index.iter_mut().zip(dims).rev() {
                (*at, flat) = (flat % size, flat / size);
            }
            index
        };
        let (y_at, of_w) = (index(flat / per, y.dims()), index(flat % per, &w.dims()[1..]));
        let o = y_at[y_at.len() - axes - 1];
        let group = o / moves.channels[1];
        let mut x_at = y_at.clone();
        let channel = y_at.len() - axes - 1;
        x_at[channel] = group * moves.channels[0] + of_w[0];
        let mut inside = true;
        for axis in 0..axes {
            let three = 3 - axes + axis;
            let place = (y_at[channel + 1 + axis] * moves.stride[three] + of_w[1 + axis] * moves.dilation[three])
                as isize
                - moves.before[three] as isize;
            inside &= place >= 0 && (place as usize) < x.dims()[channel + 1 + axis];
            x_at[channel + 1 + axis] = place.max(0) as usize;
        }
        if inside {
            f([x_at, [vec![o], of_w].concat(), y_at]);
        }
    }
}

fn numbers(dims: &[usize], seed: usize) -> Tensor<f64> {
    let mut i = seed;
    Tensor::from_fn(dims, |_| {
        i += 1;
        ((i * 7919) % 1013) as f64 / 507.0 - 1.0
    })
}

fn close(got: &Tensor<f64>, want: &Tensor<f64>) {
    assert_eq!(got.dims(), want.dims());
    for (got, want) in got.iter().zip(want.iter()) {
        assert!((got - want).abs() < 1e-10, "{got} and not {want}");
    }
}

/// All three products against the definition.
fn check<const D: usize>(x: &Tensor<f64>, w: &Tensor<f64>, how: Conv<D>) {
    let moves = Moves::of_conv("conv", x.shape(), w.shape(), None, how).unwrap();
    close(&T_conv(x, w, &moves), &naive(x, w, how));
    let g = numbers(moves.shapes[2].dims(), 3);
    let (mut of_x, mut of_w) = (Tensor::zeros(x.shape()), Tensor::zeros(w.shape()));
    each_term(&moves, |[x_at, w_at, y_at]| {
        let gradient = g.get(&y_at).unwrap();
        let (at_x, at_w) = (position(&of_x, &x_at), position(&of_w, &w_at));
        of_x.as_mut_slice()[at_x] += gradient * w.get(&w_at).unwrap();
        of_w.as_mut_slice()[at_w] += gradient * x.get(&x_at).unwrap();
    });
    close(&g.conv_input(w, None, &moves), &of_x);
    close(&g.conv_weight(x, &moves), &of_w);
    // With a bias, and what lies in another order.
    let bias = numbers(&[w.dims()[0]], 5);
    let axes = vec![1; D];
    let wide = bias.reshape([vec![w.dims()[0]], axes].concat());
    close(&x.conv(w, Some(&bias), &moves), &(naive(x, w, how) + wide));
    let turned = x.transpose(-1, -3).contiguous().transpose(-1, -3);
    close(&turned.conv(&w.transpose(0, 1).contiguous().transpose(0, 1), None, &moves), &naive(x, w, how));
}

#[allow(non_snake_case)]
fn T_conv(x: &Tensor<f64>, w: &Tensor<f64>, moves: &Moves) -> Tensor<f64> {
    x.conv(w, None, moves)
}

proptest! {
    // Options have so many values that few cases leave pairs untried.
    #![proptest_config(ProptestConfig::with_cases(700))]
    #[test]
    fn equals_its_definition(
        (images, groups, [of_in, of_out]) in (0..4usize, 1..4usize, [1..4usize, 1..10usize]),
        sizes in [1..9usize, 1..9usize, 1..20usize],
        kernel in [1..4usize, 1..4usize, 1..6usize],
        stride in [1..4usize, 1..4usize, 1..4usize],
        dilation in [1..3usize, 1..3usize, 1..3usize],
        padding in [[0..4usize, 0..4usize], [0..4usize, 0..4usize], [0..4usize, 0..4usize]],
        axes in 1..4usize,
    ) {
        let fits = |axis: usize| dilation[axis] * (kernel[axis] - 1) < sizes[axis] + padding[axis][0] + padding[axis][1];
        prop_assume!((3 - axes..3).all(fits));
        let dims = |first: [usize; 2], sizes: &[usize]| [&first[..], &sizes[3 - axes..]].concat();
        let x = numbers(&dims([images, groups * of_in], &sizes), 1);
        let w = numbers(&dims([groups * of_out, of_in], &kernel), 2);
        match axes {
            1 => check(&x, &w, Conv {
                stride: [stride[2]], padding: Padding::Zeros([padding[2]]), dilation: [dilation[2]], groups,
            }),
            2 => check(&x, &w, Conv {
                stride: [stride[1], stride[2]], padding: Padding::Zeros([padding[1], padding[2]]),
                dilation: [dilation[1], dilation[2]], groups,
            }),
            _ => check(&x, &w, Conv { stride, padding: Padding::Zeros(padding), dilation, groups }),
        }
    }
}

/// Several chunks of k, several blocks of rows, several panels, tiles that reach into the next image, windows that are as large as the input.
#[test]
fn equals_its_definition_at_larger_sizes() {
    let sizes: [(&[usize], &[usize], usize, usize); 8] = [
        (&[3, 20, 17, 19], &[9, 20, 1, 1], 1, 0),
        (&[0, 20, 17, 19], &[9, 20, 1, 1], 1, 0),
        (&[3, 70, 7, 7], &[33, 70, 3, 3], 1, 1),
        (&[2, 3, 20, 33], &[300, 3, 3, 3], 2, 1),
        (&[2, 5, 40, 41], &[9, 5, 1, 1], 1, 0),
        (&[5, 20, 5, 5], &[30, 20, 5, 5], 1, 0),
        (&[1, 2, 70, 70], &[2, 2, 5, 5], 3, 2),
        (&[70, 3, 3, 3], &[4, 3, 2, 2], 1, 0),
    ];
    for (x, w, stride, padding) in sizes {
        check::<2>(&numbers(x, 1), &numbers(w, 2), Conv::default().stride(stride).padding(padding));
    }
}

#[test]
fn nothing_in_gives_the_bias_or_nothing() {
    // No channels, no images, images without pixels but with zeros around them.
    let sizes: [(&[usize], &[usize], usize); 6] = [
        (&[2, 0, 8, 8], &[3, 0, 3, 3], 1),
        (&[2, 0, 20, 20], &[3, 0, 1, 1], 0),
        (&[2, 0, 3, 3], &[3, 0, 3, 3], 0),
        (&[0, 4, 5, 5], &[3, 4, 5, 5], 0),
        (&[0, 4, 8, 8], &[3, 4, 3, 3], 1),
        (&[2, 4, 0, 8], &[3, 4, 2, 2], 1),
    ];
    for (x, w, padding) in sizes {
        check::<2>(&numbers(x, 1), &numbers(w, 2), Conv::default().padding(padding));
    }
}

#[test]
fn same_bits_at_any_number_of_threads() {
    let (x, w) = (numbers(&[4, 24, 28, 28], 1), numbers(&[40, 24, 3, 3], 2));
    let moves = Moves::of_conv("conv2d", x.shape(), w.shape(), None, Conv::<2>::default().padding(1)).unwrap();
    let all = |threads| {
        crate::with_threads(threads, || {
            let y = x.conv(&w, None, &moves);
            [y.conv_input(&w, None, &moves), y.conv_weight(&x, &moves), y]
        })
        .unwrap()
    };
    let want = all(1);
    for threads in [2, 3, 8] {
        assert_eq!(all(threads), want);
    }
}

#[test]
fn padding_by_name() {
    let (x, w) = (numbers(&[1, 2, 9], 1), numbers(&[3, 2, 4], 2));
    let by = |padding: Padding<1>| x.conv1d(&w, None, Conv::default().dilation(2).padding(padding));
    assert_eq!(by(Padding::Same), by([[3, 3]].into()));
    assert_eq!(by(Padding::Causal), by([[6, 0]].into()));
    // As in PyTorch, the odd one stands behind.
    assert_eq!(
        x.conv1d(&w, None, Conv::default().padding(Padding::Same)),
        x.conv1d(&w, None, Conv::default().padding([[1, 2]]))
    );
    assert_eq!(x.select(0, 0).conv1d(&w, None, Conv::default()), x.conv1d(&w, None, Conv::default()).select(0, 0));
}

/// A transposed convolution is what a convolution's gradient goes back through, also where its bias meets no element.
#[test]
fn transposed_has_its_own_sizes() {
    let (y, w) = (numbers(&[2, 4, 3, 5], 1), numbers(&[4, 3, 2, 3], 2));
    let bias = numbers(&[6], 3);
    let how =
        ConvTranspose::<2> { stride: [3, 1], padding: [1, 0], output_padding: [2, 1], dilation: [1, 2], groups: 2 };
    let x = y.conv_transpose2d(&w, &bias, how);
    assert_eq!(x.dims(), [2, 6, 8, 10]);
    let moves = Moves::of_transposed("conv_transpose2d", y.shape(), w.shape(), None, how).unwrap();
    let mut want = Tensor::zeros(x.shape()) + bias.reshape([6, 1, 1]);
    each_term(&moves, |[x_at, w_at, y_at]| {
        let at = position(&want, &x_at);
        want.as_mut_slice()[at] += w.get(&w_at).unwrap() * y.get(&y_at).unwrap();
    });
    close(&x, &want);
}

#[test]
fn what_does_not_fit_is_said() {
    let message = |x: &[usize], w: &[usize], bias: Option<usize>, how: Conv<2>| {
        let bias = bias.map(|len| Shape::from([len]));
        let (x, w) = (Shape::try_new(x).unwrap(), Shape::try_new(w).unwrap());
        Moves::of_conv("conv2d", &x, &w, bias.as_ref(), how).unwrap_err().to_string()
    };
    let how = Conv::default();
    assert_eq!(
        message(&[1, 1, 3, 3], &[1, 1, 5, 5], None, how),
        "conv2d: spatial axis 0 of [1, 1, 3, 3] with the weight [1, 1, 5, 5]: a kernel of 5 does not fit into 3 elements and 0 + 0 of \
         padding: at least 2 more would fit"
    );
    assert_eq!(
        message(&[1, 6, 3, 3], &[4, 3, 1, 1], None, how.groups(4)),
        "conv2d: 4 groups do not divide the 6 input channels (input [1, 6, 3, 3], weight [4, 3, 1, 1])"
    );
    assert_eq!(
        message(&[1, 6, 3, 3], &[4, 3, 1, 1], None, how),
        "conv2d: the input [1, 6, 3, 3] has 6 channels and the weight [4, 3, 1, 1] is for 3"
    );
    assert_eq!(
        message(&[1, 3, 3, 3], &[4, 3, 1, 1], Some(3), how),
        "conv2d: the weight [4, 3, 1, 1] needs a bias of [4], got [3]"
    );
    assert!(
        message(&[1, 3, 3, 3], &[4, 3, 1, 1], None, how.stride(0)).contains("the stride is 0, but must be at least 1")
    );
    assert!(message(&[1, 3, 3, 3], &[4, 3, 1, 1], None, how.groups(0)).contains("groups is 0"));
    assert!(
        message(&[3, 3], &[4, 3, 1, 1], None, how)
            .contains("needs images [N, C, H, W] and a weight of 4 axes, got [3, 3]")
    );
    assert!(
        message(&[1, 3, 3, 3], &[4, 3, 2, 2], None, how.dilation(usize::MAX)).contains("larger than can be addressed")
    );
    assert!(
        message(&[1, 3, 3, 3], &[4, 3, 2, 2], None, how.padding(usize::MAX / 2)).contains("more than can be addressed")
    );
    assert!(
        message(&[1, 3, 3, 3], &[4, 3, 2, 2], None, how.stride(2).padding(Padding::Same))
            .contains("needs a stride of 1")
    );
    let huge = Moves::of_transposed(
        "conv_transpose1d",
        &Shape::from([1, 1, 4]),
        &Shape::from([1, 1, 2]),
        None,
        ConvTranspose::<1>::default().stride(usize::MAX / 2),
    );
    assert!(huge.unwrap_err().to_string().contains("larger than can be addressed"));
}
