//! What a program that runs for long depends on: memory that stays flat, and a cost of a value that does not grow with the tape.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;
use std::time::Instant;

use evenkeel::prelude::*;

struct Meter;

#[global_allocator]
static METER: Meter = Meter;

thread_local! {
    /// Bytes that this thread has allocated and not given back.
    static LIVE: Cell<isize> = const { Cell::new(0) };
    /// The most that this was since it was last set.
    static PEAK: Cell<isize> = const { Cell::new(0) };
    /// How often it has allocated.
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

fn note(bytes: isize) {
    if bytes > 0 {
        let _ = COUNT.try_with(|count| count.set(count.get() + 1));
    }
    // A thread that is ending has no meter any more.
    let live = LIVE.try_with(|live| {
        live.set(live.get() + bytes);
        live.get()
    });
    let _ = PEAK.try_with(|peak| peak.set(peak.get().max(live.unwrap_or(0))));
}

// SAFETY: every call is handed on as it is to the system's allocator, which keeps the contract.
unsafe impl GlobalAlloc for Meter {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size() as isize);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(size as isize - layout.size() as isize);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.realloc(at, layout, size) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        note(-(layout.size() as isize));
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(at, layout) }
    }
}

fn live() -> isize {
    LIVE.get()
}

/// How often `work` allocates, once it has been done before.
fn allocations(mut work: impl FnMut()) -> usize {
    work();
    let before = COUNT.get();
    work();
    COUNT.get() - before
}

#[test]
fn an_op_allocates_nothing_and_a_value_on_a_tape_once() {
    for shape in [vec![4], vec![3, 200], vec![2, 3, 4, 50]] {
        let x = Tensor::<f32>::full(shape.as_slice(), 0.5);
        let ops: [fn(&Tensor) -> Tensor; 6] =
            [|x| x * 2.0, |x| x + x, |x| x.tanh(), |x| x.clone(), |x| (x + x) * 2.0 - 1.0, |x| x.reshape([x.numel()])];
        for (i, op) in ops.into_iter().enumerate() {
            assert_eq!(allocations(|| drop(black_box(op(black_box(&x))))), 0, "op {i} of {shape:?}");
        }
        // The counter counts.
        assert_eq!(allocations(|| drop(black_box(vec![0; 4]))), 1);

        let mut tape = Tape::new();
        let recorded = allocations(|| {
            let x = tape.leaf(x.clone());
            black_box((x * 2.0 + x).tanh());
            tape.reset();
        });
        // The pullbacks of three ops.
        assert_eq!(recorded, 3, "{shape:?}");
    }
}

#[test]
fn a_million_values_cost_what_a_thousand_do_each() {
    // Seconds and bytes for each of `count` values, there and back; the best of some.
    let cost = |count: usize| {
        let tries = (0..3).map(|_| {
            let before = live();
            let (tape, start) = (Tape::new(), Instant::now());
            let x = tape.leaf(Tensor::from([0.5, -0.5, 1.0, 2.0]));
            let y = (1..count).fold(x, |y, _| y.scale(1.000_001));
            let bytes = (live() - before) as f64 / count as f64;
            let gradients = y.sum(..).backward();
            assert!(gradients.get(x).unwrap().iter().all(|g| (1.0..3.0).contains(&g)));
            (start.elapsed().as_secs_f64() / count as f64, bytes)
        });
        tries.reduce(|a, b| (a.0.min(b.0), a.1.min(b.1))).unwrap()
    };
    let ((short, small), (long, large)) = (cost(10_000), cost(1_000_000));
    println!("10,000: {:.0} ns and {small:.0} B each; 1,000,000: {:.0} ns and {large:.0} B", short * 1e9, long * 1e9);
    // What no longer fits a cache takes two or three times as long; a cost that grew with the tape would be a hundred times as large.
    assert!(long < 10.0 * short, "{:.0} ns for each of a million, {:.0} of ten thousand", long * 1e9, short * 1e9);
    // Vectors double.
    assert!(large < 1.7 * small, "{large} bytes for each of a million, {small} of ten thousand");
}

struct Mlp {
    embedding: Embedding,
    hidden: Linear,
    output: Linear,
}

module!(Mlp { embedding, hidden, output });

impl Mlp {
    fn new() -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        Mlp {
            embedding: Embedding::new(27, 10, &init::normal(1.0), &mut rng).unwrap(),
            hidden: Linear::new(30, 200, &init::kaiming_normal(Gain::Tanh), &mut rng).unwrap(),
            output: Linear::new(200, 27, &init::normal(0.01), &mut rng).unwrap(),
        }
    }

    fn forward<'t>(&self, tape: &'t Tape, contexts: &Tensor<i64>) -> Var<'t> {
        let x = self.embedding.forward(tape, contexts).flatten(1);
        self.output.forward(self.hidden.forward(x).tanh())
    }
}

fn batch(step: usize) -> (Tensor<i64>, Tensor<i64>) {
    let letters =
        |count: usize, by: usize| -> Tensor<i64> { (0..count).map(|i| ((i * by + step) % 27) as i64).collect() };
    (letters(96, 7).reshape([32, 3]), letters(32, 11))
}

#[test]
fn ten_thousand_steps_leave_memory_where_the_tenth_left_it() {
    let (mut model, mut sgd, mut tape) = (Mlp::new(), Optimizer::new(Sgd::default(), 0.1).unwrap(), Tape::new());
    let mut after_ten = 0;
    for step in 0..10_000 {
        let (contexts, targets) = batch(step);
        let gradients = model.forward(&tape, &contexts).cross_entropy(&targets).backward();
        tape.reset();
        sgd.step(&mut model, &gradients);
        if step == 9 {
            drop((gradients, contexts, targets));
            after_ten = live();
        }
    }
    let grown = live() - after_ten;
    assert!(grown.abs() <= 1024, "{grown} bytes more after ten thousand steps than after ten");
}

#[test]
fn an_evaluation_in_scopes_is_flat_whatever_its_length() {
    let (model, tape) = (Mlp::new(), Tape::no_grad());
    let (contexts, _) = batch(0);
    let evaluate = |count: usize| {
        let mut most = 0;
        for _ in 0..count {
            tape.scope(|tape| {
                black_box(model.forward(tape, &contexts).value());
                most = most.max(live());
            });
        }
        most
    };
    // Until the pool has what it needs.
    evaluate(1000);
    let (few, many) = (evaluate(10), evaluate(10_000));
    assert!((many - few).abs() <= 1024, "{few} bytes at the most of ten passes, {many} of ten thousand");
    assert!(tape.is_empty());
    // The meter does see what a tape keeps.
    let before = live();
    (0..20).for_each(|_| drop(model.forward(&tape, &contexts).value()));
    assert!(live() > before + 400_000, "{} bytes of twenty passes", live() - before);
}

/// What a prediction of 1,024 rows by 40 layers of 128 units holds at most, in values of half a MiB, beside what was there before.
#[test]
fn a_prediction_holds_two_values_at_a_time() {
    const ROWS: usize = 1024;
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let x: Tensor = init::randn([ROWS, 128], &mut rng).unwrap();
    let layers: Vec<Linear> = (0..40).map(|_| Linear::new_torch(128, 128, &mut rng).unwrap()).collect();
    let mut model: Sequential = seq![];
    for layer in layers.iter().cloned() {
        model.push(layer);
        model.push(Activation::Relu);
    }
    let values = |work: &mut dyn FnMut()| {
        evenkeel::tensor::clear_pool();
        let before = live();
        PEAK.set(before);
        work();
        (PEAK.get() - before) as f64 / (ROWS * 128 * 4) as f64
    };
    // What each step needs is its input and its output.
    let whole = values(&mut || drop(black_box(model.forward(Tape::no_grad().constant(x.clone())).value())));
    let chained = values(&mut || {
        let tape = Tape::no_grad();
        drop(black_box(tape.constant(x.clone()).chain(&layers, |layer, h| layer.forward(h).relu()).value()));
    });
    // A loop by hand in batches: all values of 256 rows, and the results of all.
    let in_batches = values(&mut || {
        drop(black_box(nn::predict_by(&x, |tape, rows| {
            layers.iter().fold(tape.constant(rows), |h, layer| layer.forward(h).relu())
        })));
    });
    let loop_by_hand = values(&mut || {
        let tape = Tape::no_grad();
        drop(black_box(layers.iter().fold(tape.constant(x.clone()), |h, layer| layer.forward(h).relu()).value()));
    });
    let mut sgd = Optimizer::new(Sgd::default(), 0.0).unwrap();
    let fit = Fit::steps(1).batches(Batches::new(0..ROWS, 1).unwrap()).evaluate(0..ROWS, 1).quiet();
    let first: Tensor = x.slice(0, 0..1);
    let mut peak_of_evaluation = 0.0;
    fit.run(&mut model, &mut sgd, |model: &Sequential, tape, rows| {
        if !tape.is_training() {
            PEAK.set(live());
            let at = live();
            let loss = model.forward(tape.constant(x.index_select(0, rows))).square().mean(..);
            peak_of_evaluation = f64::max(peak_of_evaluation, (PEAK.get() - at) as f64 / (ROWS * 128 * 4) as f64);
            return loss;
        }
        model.forward(tape.constant(first.clone())).square().mean(..)
    })
    .unwrap();
    println!("{whole:.2} {chained:.2} {in_batches:.2} {loop_by_hand:.2} {peak_of_evaluation:.2} values");
    assert!(whole < 3.3 && chained < 4.3, "{whole} {chained}");
    assert!(in_batches < 19.0, "{in_batches}");
    assert!(peak_of_evaluation < 1.3, "{peak_of_evaluation}");
    // The counter counts.
    assert!(loop_by_hand > 79.0, "{loop_by_hand}");
}
