//! What the pool keeps of freed buffers. In a process of its own, since the pool is the process's.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tensor::Tensor;

/// Counts the bytes that are in use.
struct Meter;

static USED: AtomicUsize = AtomicUsize::new(0);

#[allow(unsafe_code, reason = "an allocator that counts")]
// SAFETY: everything is left to the system's allocator.
unsafe impl GlobalAlloc for Meter {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        USED.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: as this function.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        USED.fetch_add(layout.size(), Ordering::Relaxed);
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
}
