//! What the pool keeps of freed buffers, and how much memory a convolution takes. In a process of its own, since the pool is the process's.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tensor::{Conv, Tensor};

/// Counts the bytes that are in use.
struct Meter;

static USED: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

fn take(bytes: usize) {
    MOST.fetch_max(USED.fetch_add(bytes, Ordering::Relaxed) + bytes, Ordering::Relaxed);
}

#[allow(unsafe_code, reason = "an allocator that counts")]
// SAFETY: everything is left to the system's allocator.
unsafe impl GlobalAlloc for Meter {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        take(layout.size());
        // SAFETY: as this function.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        take(layout.size());
        // SAFETY: as this function.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        USED.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as this function.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static METER: Meter = Meter;

const MIB: usize = 1 << 20;

/// Where the elements of a tensor lie that is made and dropped.
fn place(bytes: usize) -> *const f32 {
    let x = Tensor::<f32>::full([bytes / 4], 1.0);
    x.as_slice().unwrap().as_ptr()
}

#[test]
fn what_is_kept_is_bounded_is_used_again_and_makes_way() {
    tensor::set_pool_limit(16 * MIB);
    let before = USED.load(Ordering::Relaxed);
    let kept = || USED.load(Ordering::Relaxed) - before;

    // Sizes that do not come again fill the pool, and leave it when others come.
    for size in 1..40 {
        place(size * MIB / 4);
        assert!(kept() <= 17 * MIB, "{} bytes", kept());
    }
    assert!(kept() > 8 * MIB, "{} bytes", kept());
    for size in [3 * MIB, 5 * MIB, 100_000] {
        place(size);
        let first = place(size);
        assert!((0..5).all(|_| place(size) == first), "{size} bytes are used again");
    }

    // The same of small ones, whose shelf is the thread's.
    for size in [60_000, 50_000, 10_000] {
        drop((0..30).map(|_| Tensor::<f32>::full([size / 4], 1.0)).collect::<Vec<_>>());
        let first = place(4000);
        assert!((0..5).all(|_| place(4000) == first), "4000 bytes after many of {size}");
    }

    // Of other types too: the limit is one for all.
    for _ in 0..3 {
        drop(Tensor::<f64>::full([MIB], 1.0));
        drop(Tensor::<u8>::full([6 * MIB], 1));
        drop(Tensor::<i64>::full([MIB / 2], 1));
    }
    assert!(kept() <= 17 * MIB, "{} bytes", kept());

    // What one thread has freed, another gets.
    let here = place(2 * MIB).addr();
    let there = thread::spawn(|| place(2 * MIB).addr()).join().unwrap();
    assert_eq!(here, there);

    // More than the limit is not kept, nor anything where the limit is 0.
    tensor::clear_pool();
    place(20 * MIB);
    assert!(kept() < MIB, "{} bytes", kept());
    tensor::set_pool_limit(0);
    place(2 * MIB);
    place(60_000);
    // The shelves themselves take some.
    assert!(kept() < 50_000, "{} bytes", kept());

    no_matrix_of_windows_is_in_memory();
}

/// A forward pass takes its result, and what the tasks of two threads copy: a panel or a strip each.
fn no_matrix_of_windows_is_in_memory() {
    let cases: [([usize; 4], [usize; 4], Conv<2>); 4] = [
        ([4, 64, 56, 56], [64, 64, 3, 3], Conv::default().padding(1)),
        ([2, 128, 28, 28], [160, 128, 3, 3], Conv::default().padding(1)),
        ([2, 3, 224, 224], [64, 3, 7, 7], Conv::default().padding(3).stride(2)),
        ([4, 96, 56, 56], [96, 1, 3, 3], Conv::default().padding(1).groups(96)),
    ];
    for (x, w, how) in cases {
        let (x, w) = (Tensor::<f32>::ones(x), Tensor::<f32>::ones(w));
        tensor::with_threads(2, || {
            // The threads and what they keep are there before.
            let y = x.conv2d(&w, None, how);
            let (result, windows) =
                (4 * y.numel(), 4 * y.numel() / y.size(1) * x.size(1) / how.groups * w.size(2) * w.size(3));
            drop(y);
            let before = USED.load(Ordering::Relaxed);
            MOST.store(before, Ordering::Relaxed);
            let y = x.conv2d(&w, None, how);
            let taken = MOST.load(Ordering::Relaxed) - before;
            assert!(
                taken < result + 5 * MIB / 4,
                "{taken} bytes for a result of {result}: {} × {}",
                x.shape(),
                w.shape()
            );
            assert!(how.groups > 1 || 2 * windows > 3 * taken, "the matrix of all windows would take {windows}");
            drop(y);
        })
        .unwrap();
    }
}
