//! How much memory a piece of code asks for at once.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Meter;

#[global_allocator]
static METER: Meter = Meter;

thread_local! {
    static LARGEST: Cell<usize> = const { Cell::new(0) };
}

fn note(bytes: usize) {
    // A thread that is ending has no meter any more.
    let _ = LARGEST.try_with(|largest| largest.set(largest.get().max(bytes)));
}

// SAFETY: every call is handed on as it is to the system's allocator, which keeps the contract.
unsafe impl GlobalAlloc for Meter {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(size);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.realloc(at, layout, size) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(at, layout) }
    }
}

/// What `f` returns, and the most bytes that it asked for in one piece, on this thread.
pub(crate) fn largest_piece<R>(f: impl FnOnce() -> R) -> (R, usize) {
    LARGEST.set(0);
    let result = f();
    (result, LARGEST.get())
}

#[test]
fn the_meter_notices_a_large_piece_that_nobody_touches() {
    let (_, small) = largest_piece(|| vec![1_u8; 1000]);
    assert_eq!(small, 1000);
    let (_, zeroed) = largest_piece(|| std::hint::black_box(vec![0_u8; 1 << 30]));
    assert_eq!(zeroed, 1 << 30);
    let (_, reserved) = largest_piece(|| std::hint::black_box(Vec::<f32>::with_capacity(1 << 28)));
    assert_eq!(reserved, 1 << 30);
    let (_, grown) = largest_piece(|| {
        let mut bytes = vec![1_u8; 10];
        bytes.reserve_exact(1 << 20);
        bytes
    });
    assert_eq!(grown, (1 << 20) + 10);
}
