//! The memory of tensors, and the pool that it returns to.
//!
//! Fresh memory is expensive: the system hands out pages of zeros, at one page fault each, and the faults of a result of
//! 64 MiB take longer than its arithmetic. So the thread that drops a buffer keeps its memory, and the next buffer of
//! about this size gets it. Until it is overwritten, that buffer is *stale*: it holds numbers of its former use. They are
//! initialized memory, so nothing needs to be zeroed, and nothing is unsafe.

use std::any::type_name;
use std::cell::RefCell;
use std::mem::size_of;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::LocalKey;

/// What each thread keeps at most, for each element type, in bytes.
static LIMIT: AtomicUsize = AtomicUsize::new(256 << 20);

/// Buffers below this many bytes are not kept: the allocator is as fast.
const LEAST: usize = 256;

/// Where elements begin, in bytes: on a cache line, which no vector of aligned elements then crosses.
const ALIGNMENT: usize = 64;

/// Sizes are rounded up to one of this many classes for each power of two: at most a quarter of a buffer is lost.
const CLASSES_PER_DOUBLING: usize = 4;

/// Sets how many bytes of freed buffers each thread keeps for reuse, for each element type, and drops what this thread
/// keeps now. At the start it is 256 MiB; 0 keeps nothing.
///
/// # Example
/// ```
/// tensor::set_pool_limit(64 << 20);
/// ```
pub fn set_pool_limit(bytes: usize) {
    LIMIT.store(bytes, Ordering::Relaxed);
    clear_pool();
}

/// Drops the freed buffers that this thread keeps for reuse.
pub fn clear_pool() {
    fn clear<T: Pooled>() {
        let _ = T::pool().try_with(|pool| *pool.borrow_mut() = Pool::default());
    }
    clear::<f32>();
    clear::<f64>();
    clear::<i32>();
    clear::<i64>();
    clear::<u8>();
    clear::<bool>();
}

/// The freed buffers that one thread keeps, of one element type.
#[derive(Debug)]
pub struct Pool<T> {
    /// By class of size.
    free: Vec<Vec<Vec<T>>>,
    bytes: usize,
}

impl<T> Default for Pool<T> {
    fn default() -> Self {
        Pool { free: Vec::new(), bytes: 0 }
    }
}

impl<T> Pool<T> {
    fn take(&mut self, class: usize) -> Option<Vec<T>> {
        let data = self.free.get_mut(class)?.pop()?;
        self.bytes -= data.len() * size_of::<T>();
        Some(data)
    }

    /// Keeps a buffer if the limit allows it.
    fn give(&mut self, class: usize, data: Vec<T>) {
        let bytes = data.len() * size_of::<T>();
        if self.bytes + bytes > LIMIT.load(Ordering::Relaxed) {
            return;
        }
        if self.free.len() <= class {
            self.free.resize_with(class + 1, Vec::new);
        }
        self.bytes += bytes;
        self.free[class].push(data);
    }
}

/// The class of a length, and the length that all buffers of that class have.
fn class(len: usize) -> (usize, usize) {
    // The power of two below, and how many quarters of it the length takes beyond.
    let doubling = len.ilog2() as usize;
    let step = ((1 << doubling) / CLASSES_PER_DOUBLING).max(1);
    let quarters = (len - (1 << doubling)).div_ceil(step);
    (doubling * CLASSES_PER_DOUBLING + quarters, (1 << doubling) + quarters * step)
}

/// A run of elements of fixed length; reads as a slice.
pub struct Buffer<T: Pooled> {
    /// If it comes from the pool, it is a cache line longer than its class; else it has exactly `len` elements.
    data: Vec<T>,
    /// Where the elements begin.
    start: usize,
    len: usize,
}

impl<T: Pooled> Buffer<T> {
    /// The elements of a cache line.
    const LINE: usize = ALIGNMENT / size_of::<T>();

    /// Zeros, or `None` where the system has not so much memory.
    pub(crate) fn try_zeroed(len: usize) -> Option<Self> {
        Some(Buffer::aligned(try_fresh(len.saturating_add(Self::LINE))?, len))
    }

    /// Elements that the caller is about to overwrite, every one: what they hold until then is unspecified.
    ///
    /// # Panics
    /// The system has not so much memory. What may be larger than all its inputs is made by `create::room`, which says so
    /// with the op and the shape.
    pub(crate) fn stale(len: usize) -> Self {
        match Buffer::try_stale(len) {
            Some(buffer) => buffer,
            None => panic!("out of memory: {len} elements of {} are more than the system has", type_name::<T>()),
        }
    }

    /// As [`stale`](Self::stale), or `None` where the system has not so much memory.
    pub(crate) fn try_stale(len: usize) -> Option<Self> {
        T::try_stale(len)
    }

    /// The first elements of `data` from a cache line on, of which it has one to spare.
    fn aligned(data: Vec<T>, len: usize) -> Self {
        // `align_offset` may return usize::MAX.
        let start = data.as_ptr().align_offset(ALIGNMENT).min(Self::LINE);
        Buffer { data, start, len }
    }

    /// The `len` elements of `data` from `start` on.
    ///
    /// # Panics
    /// `data` ends before.
    #[cfg(feature = "ndarray")]
    pub(crate) fn within(data: Vec<T>, start: usize, len: usize) -> Self {
        assert!(start <= data.len() && len <= data.len() - start, "a buffer lies within its data");
        Buffer { data, start, len }
    }

    /// The memory, and where in it the elements begin.
    #[cfg(feature = "ndarray")]
    pub(crate) fn into_parts(mut self) -> (Vec<T>, usize) {
        (std::mem::take(&mut self.data), self.start)
    }
}

/// From this many bytes on, the system is asked first whether it has them. Asking takes 2 µs, and using so much memory 100
/// times that. A request for less memory is granted, or the process is about to end anyway.
const LARGE: usize = 1 << 20;

/// Zeros from the system.
///
/// `vec!` gets pages that are zero already, but ends the process where the system has none. `try_reserve` returns an error
/// there, but what it reserves would have to be zeroed. So `try_reserve` asks, and `vec!` takes.
fn try_fresh<T: Pooled>(len: usize) -> Option<Vec<T>> {
    if len.saturating_mul(size_of::<T>()) >= LARGE {
        let mut asked = Vec::<T>::new();
        asked.try_reserve_exact(len).ok()?;
        // The compiler would leave out a request whose memory is not used.
        std::hint::black_box(&mut asked);
    }
    Some(vec![T::default(); len])
}

impl<T: Pooled> Drop for Buffer<T> {
    fn drop(&mut self) {
        T::recycle(self);
    }
}

fn try_stale<T: Pooled>(len: usize) -> Option<Buffer<T>> {
    if len.saturating_mul(size_of::<T>()) < LEAST {
        return Some(Buffer::from(try_fresh(len)?));
    }
    let (class, full) = class(len);
    let kept = T::pool().try_with(|pool| pool.borrow_mut().take(class)).ok().flatten();
    let data = match kept {
        Some(kept) => kept,
        None => try_fresh(full.saturating_add(Buffer::<T>::LINE))?,
    };
    Some(Buffer::aligned(data, len))
}

/// Gives the memory of a buffer that is dropped to the pool.
fn recycle<T: Pooled>(buffer: &mut Buffer<T>) {
    let len = buffer.data.len().saturating_sub(Buffer::<T>::LINE);
    if len * size_of::<T>() < LEAST {
        return;
    }
    let (class, full) = class(len);
    // A buffer that did not come from the pool may have another length than its class, and could not serve it, or more
    // memory than its length says, which the pool would not count.
    if full == len && buffer.data.capacity() == buffer.data.len() {
        let data = std::mem::take(&mut buffer.data);
        // A thread that is ending has no pool any more.
        let _ = T::pool().try_with(|pool| pool.borrow_mut().give(class, data));
    }
}

/// An element type with a pool on each thread.
pub trait Pooled: Copy + Default + 'static {
    #[doc(hidden)]
    fn pool() -> &'static LocalKey<RefCell<Pool<Self>>>;

    // The functions below of these names, compiled in this crate and not in those that use tensors.

    #[doc(hidden)]
    fn try_stale(len: usize) -> Option<Buffer<Self>>;

    #[doc(hidden)]
    fn recycle(buffer: &mut Buffer<Self>);
}

/// Stamps a thread-local for each type: statics cannot be generic.
macro_rules! pooled {
    ($($t:ident)*) => {$(
        impl Pooled for $t {
            fn pool() -> &'static LocalKey<RefCell<Pool<Self>>> {
                thread_local! {
                    static POOL: RefCell<Pool<$t>> = const { RefCell::new(Pool { free: Vec::new(), bytes: 0 }) };
                }
                &POOL
            }

            fn try_stale(len: usize) -> Option<Buffer<Self>> {
                try_stale(len)
            }

            fn recycle(buffer: &mut Buffer<Self>) {
                recycle(buffer);
            }
        }
    )*};
}

pooled!(f32 f64 i32 i64 u8 bool);

impl<T: Pooled> From<Vec<T>> for Buffer<T> {
    fn from(data: Vec<T>) -> Self {
        let len = data.len();
        Buffer { data, start: 0, len }
    }
}

impl<T: Pooled> Deref for Buffer<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.data[self.start..][..self.len]
    }
}

impl<T: Pooled> DerefMut for Buffer<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.data[self.start..][..self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_holds_every_length_that_maps_to_it_and_wastes_little() {
        let mut last = (0, 0);
        for len in 1..10_000 {
            let (index, full) = class(len);
            assert!(full >= len && full <= len + len / CLASSES_PER_DOUBLING + 1, "{len}: {full}");
            assert_eq!(class(full).1, full, "{len}");
            assert!((index, full) >= last);
            last = (index, full);
        }
    }

    #[test]
    fn a_dropped_buffer_is_given_out_again() {
        let first = Buffer::<f32>::stale(1000);
        let place = first.as_ptr();
        drop(first);
        let second = Buffer::<f32>::stale(990);
        assert_eq!((second.as_ptr(), second.len()), (place, 990));
        // Zeros are zeros, whatever lay there before.
        drop(second);
        assert!(Buffer::<f32>::try_zeroed(1000).unwrap().iter().all(|&x| x == 0.0));
    }

    #[test]
    fn what_the_system_does_not_have_is_not_made() {
        for len in [1 << 45, 1 << 61, usize::MAX] {
            assert!(Buffer::<f32>::try_zeroed(len).is_none() && Buffer::<f64>::try_stale(len.min(1 << 60)).is_none());
        }
    }

    #[test]
    fn a_buffer_begins_on_a_cache_line() {
        fn check<T: Pooled>() {
            for len in [64, 100, 1000, 1_000_000] {
                for buffer in [Buffer::<T>::stale(len * 4), Buffer::try_zeroed(len * 4).unwrap()] {
                    assert!(buffer.as_ptr().addr().is_multiple_of(ALIGNMENT), "{} of {}", len, type_name::<T>());
                }
            }
        }
        check::<f32>();
        check::<f64>();
        check::<bool>();
    }

    #[test]
    fn the_pool_keeps_no_more_than_its_limit() {
        std::thread::spawn(|| {
            let kept = || u8::pool().with(|pool| pool.borrow().bytes);
            let most = LIMIT.load(Ordering::Relaxed);
            let large: Vec<_> = (0..5).map(|_| Buffer::<u8>::stale(most / 4)).collect();
            drop(large);
            assert!(kept() > 0 && kept() <= most, "{}", kept());
            clear_pool();
            assert_eq!(kept(), 0);
            // A vector that was longer holds more than its length says: it is not for the pool.
            let len = 4096 + Buffer::<u8>::LINE;
            let mut longer = vec![1; 1 << 20];
            longer.truncate(len);
            drop(Buffer::from(longer));
            assert_eq!(kept(), 0);
            drop(Buffer::from(vec![1_u8; len]));
            assert_eq!(kept(), len);
        })
        .join()
        .unwrap();
    }
}
