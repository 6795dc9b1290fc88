//! The memory of tensors, and the pool that it returns to.
//!
//! Fresh memory is expensive: the system hands out pages of zeros, at one page fault each, and the faults of a result of
//! 64 MiB take longer than its arithmetic. So the memory of a buffer that is dropped is kept, and the next buffer of about this
//! size gets it. Until it is overwritten, that buffer is *stale*: it holds numbers of its former use. They are initialized
//! memory, so nothing needs to be zeroed, and nothing is unsafe.
//!
//! Small buffers are kept by the thread that drops them, without a lock. Large ones are kept for the whole process, so that a
//! thread gets what another has freed. Both have a limit, above which the buffer that has waited longest is let go.
//!
//! A buffer is kept with the count of its owners, so that a result in memory of the pool allocates nothing at all.

use std::any::type_name;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::mem::size_of;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::LocalKey;

/// What the process keeps of large buffers at most, in bytes.
static LIMIT: AtomicUsize = AtomicUsize::new(256 << 20);

/// What it keeps of them now.
static KEPT: AtomicUsize = AtomicUsize::new(0);

/// Counts the large buffers that were given back, to tell which has waited longest.
static GIVEN: AtomicU64 = AtomicU64::new(0);

/// Smaller buffers are not aligned to a cache line, and are freed when the thread's pool is full: finding the oldest to evict takes
/// longer than an allocation.
const TINY: usize = 256;

/// Buffers of this many bytes and more are large. A lock takes 20 ns, where to fill so much memory takes 3 µs.
const LARGE: usize = 64 << 10;

/// What each thread keeps of small buffers at most, for each element type, in bytes.
const LIMIT_OF_SMALL: usize = 1 << 20;

/// Where elements begin, in bytes: on a cache line, which no vector of aligned elements then crosses.
const ALIGNMENT: usize = 64;

/// Sizes are rounded up to one of this many classes for each power of two: at most a quarter of a buffer is lost.
const CLASSES_PER_DOUBLING: usize = 4;

/// Sets how many bytes of freed buffers the process keeps for reuse, and drops those that it keeps now. At the start it is 256 MiB; 0
/// keeps nothing.
///
/// Not counted are buffers below 64 KiB, of which each thread keeps at most 1 MiB for each element type.
///
/// # Example
/// ```
/// tensor::set_pool_limit(64 << 20);
/// ```
pub fn set_pool_limit(bytes: usize) {
    LIMIT.store(bytes, Ordering::Relaxed);
    clear_pool();
}

/// Drops the freed buffers that are kept for reuse, but for the small ones of other threads.
pub fn clear_pool() {
    fn clear<T: Pooled>() {
        let _ = T::small().try_with(|shelf| *shelf.borrow_mut() = Shelf::new());
        while let Some(memory) = { lock::<T>().take_oldest() } {
            KEPT.fetch_sub(memory.bytes(), Ordering::Relaxed);
        }
    }
    clear::<f32>();
    clear::<f64>();
    clear::<i32>();
    clear::<i64>();
    clear::<u8>();
    clear::<bool>();
}

fn lock<T: Pooled>() -> MutexGuard<'static, Shelf<T>> {
    T::large().lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lets go the large buffer that has waited longest, whatever its type. Whether there was one.
#[cold]
fn let_go() -> bool {
    /// When the oldest of a type was given back, and what lets it go.
    type Shelved = (fn() -> Option<u64>, fn() -> bool);
    fn of<T: Pooled>() -> Shelved {
        (
            || lock::<T>().oldest().map(|(given, _)| given),
            || {
                let oldest = lock::<T>().take_oldest();
                oldest.inspect(|memory| _ = KEPT.fetch_sub(memory.bytes(), Ordering::Relaxed)).is_some()
            },
        )
    }
    let types = [of::<f32>(), of::<f64>(), of::<i32>(), of::<i64>(), of::<u8>(), of::<bool>()];
    let waiting = types.iter().filter_map(|(given, take)| Some((given()?, take)));
    waiting.min_by_key(|(given, _)| *given).is_some_and(|(_, take)| take())
}

/// The memory of a buffer.
#[derive(Debug)]
pub struct Memory<T> {
    /// If it comes from the pool, it has the length of its class, and one cache line more unless it is tiny.
    data: Vec<T>,
    /// Where the elements begin.
    start: usize,
}

impl<T> Memory<T> {
    /// What it takes, with the counts of its owners.
    fn bytes(&self) -> usize {
        size_of_val(&*self.data) + size_of::<Self>() + 2 * size_of::<usize>()
    }
}

/// Freed memory of one element type, of which nobody else is an owner.
#[derive(Debug)]
pub struct Shelf<T> {
    /// By class of size, each with when it was given back.
    free: Vec<VecDeque<(u64, Arc<Memory<T>>)>>,
    bytes: usize,
    /// How many a thread has given back, where nobody else does.
    given: u64,
}

impl<T> Shelf<T> {
    const fn new() -> Self {
        Shelf { free: Vec::new(), bytes: 0, given: 0 }
    }

    /// The last one that was given back: it may still be in the cache.
    fn take(&mut self, class: usize) -> Option<Arc<Memory<T>>> {
        let (_, memory) = self.free.get_mut(class)?.pop_back()?;
        self.bytes -= memory.bytes();
        Some(memory)
    }

    fn give(&mut self, class: usize, given: u64, memory: Arc<Memory<T>>) {
        if self.free.len() <= class {
            self.free.resize_with(class + 1, VecDeque::new);
        }
        self.bytes += memory.bytes();
        self.free[class].push_back((given, memory));
    }

    /// When the buffer that has waited longest was given back, and its class.
    fn oldest(&self) -> Option<(u64, usize)> {
        let fronts = self.free.iter().enumerate();
        fronts.filter_map(|(class, free)| free.front().map(|(given, _)| (*given, class))).min()
    }

    fn take_oldest(&mut self) -> Option<Arc<Memory<T>>> {
        let (_, class) = self.oldest()?;
        let (_, memory) = self.free[class].pop_front()?;
        self.bytes -= memory.bytes();
        Some(memory)
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

/// A run of elements of fixed length, which nobody else owns; reads as a slice.
pub struct Buffer<T: Pooled> {
    storage: Storage<T>,
    len: usize,
}

/// Memory that may have several owners; reads as a slice of all its elements, which may be more than a buffer had in it.
pub(crate) struct Storage<T: Pooled>(
    /// `None` for a buffer without elements, which allocates nothing.
    Option<Arc<Memory<T>>>,
);

impl<T: Pooled> Buffer<T> {
    /// The elements of a cache line.
    const LINE: usize = ALIGNMENT / size_of::<T>();

    /// Zeros, or `None` where the system has not so much memory. To write them takes less time than the page faults of fresh memory: 256 KiB
    /// took 6 µs in place of 140 (Zen 5).
    pub(crate) fn try_zeroed(len: usize) -> Option<Self> {
        T::try_buffer(len, true)
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
        T::try_buffer(len, false)
    }

    /// The first elements of `data` from a cache line on, of which it has one to spare.
    fn aligned(data: Vec<T>, len: usize) -> Self {
        // `align_offset` may return usize::MAX.
        let start = data.as_ptr().align_offset(ALIGNMENT).min(Self::LINE);
        Buffer::of(Arc::new(Memory { data, start }), len)
    }

    /// No elements.
    const fn empty() -> Self {
        Buffer { storage: Storage(None), len: 0 }
    }

    /// The first `len` elements of memory that nobody else owns.
    fn of(memory: Arc<Memory<T>>, len: usize) -> Self {
        Buffer { storage: Storage(Some(memory)), len }
    }

    /// The `len` elements of `data` from `start` on.
    ///
    /// # Panics
    /// `data` ends before.
    #[cfg(feature = "ndarray")]
    pub(crate) fn within(data: Vec<T>, start: usize, len: usize) -> Self {
        assert!(start <= data.len() && len <= data.len() - start, "a buffer lies within its data");
        Buffer::of(Arc::new(Memory { data, start }), len)
    }

    /// To be shared. A tensor without elements has something to share too: it is a view's, and not a copy's.
    pub(crate) fn into_storage(self) -> Storage<T> {
        match self.storage.0 {
            None => Storage(Some(Arc::new(Memory { data: Vec::new(), start: 0 }))),
            Some(_) => self.storage,
        }
    }
}

impl<T: Pooled> Storage<T> {
    /// Whether there is no other owner. There never is a weak one, so that nobody can become one meanwhile.
    pub(crate) fn is_unique(&mut self) -> bool {
        self.0.as_ref().is_none_or(|memory| Arc::strong_count(memory) == 1)
    }

    /// The elements, if there is no other owner.
    pub(crate) fn get_mut(&mut self) -> Option<&mut [T]> {
        match &mut self.0 {
            Some(memory) => Arc::get_mut(memory).map(|memory| &mut memory.data[memory.start..]),
            None => Some(&mut []),
        }
    }

    /// Whether two are the same memory.
    pub(crate) fn is(&self, other: &Self) -> bool {
        matches!((&self.0, &other.0), (Some(own), Some(other)) if Arc::ptr_eq(own, other))
    }

    /// The memory, and where in it the elements begin, if there is no other owner.
    #[cfg(feature = "ndarray")]
    pub(crate) fn into_parts(mut self) -> Option<(Vec<T>, usize)> {
        match self.0.take() {
            Some(memory) => Arc::into_inner(memory).map(|memory| (memory.data, memory.start)),
            None => Some((Vec::new(), 0)),
        }
    }
}

impl<T: Pooled> Clone for Storage<T> {
    fn clone(&self) -> Self {
        Storage(self.0.clone())
    }
}

impl<T: Pooled> Drop for Storage<T> {
    fn drop(&mut self) {
        // Of two owners that drop it at the same time neither may be the only one; then it is freed and not kept.
        if let Some(memory) = self.0.take_if(|memory| Arc::strong_count(memory) == 1) {
            T::recycle(memory);
        }
    }
}

/// From this many bytes on, the system is asked first whether it has them. Asking takes 2 µs, and using so much memory 100
/// times that. A request for less memory is granted, or the process is about to end anyway.
const ASKED_FIRST: usize = 1 << 20;

/// Zeros from the system.
///
/// `vec!` gets pages that are zero already, but ends the process where the system has none. `try_reserve` returns an error
/// there, but what it reserves would have to be zeroed. So `try_reserve` asks, and `vec!` takes.
fn try_fresh<T: Pooled>(len: usize) -> Option<Vec<T>> {
    if len.saturating_mul(size_of::<T>()) >= ASKED_FIRST {
        let mut asked = Vec::<T>::new();
        asked.try_reserve_exact(len).ok()?;
        // The compiler would leave out a request whose memory is not used.
        std::hint::black_box(&mut asked);
    }
    Some(vec![T::default(); len])
}

/// Stale elements, or zeros.
fn try_buffer<T: Pooled>(len: usize, zeros: bool) -> Option<Buffer<T>> {
    if len == 0 {
        return Some(Buffer::empty());
    }
    if len > isize::MAX as usize / size_of::<T>() {
        return None;
    }
    let (class, full) = class(len);
    let bytes = full.saturating_mul(size_of::<T>());
    let kept = if bytes < LARGE {
        T::small().try_with(|shelf| shelf.borrow_mut().take(class)).ok().flatten()
    } else {
        let kept = lock::<T>().take(class);
        kept.inspect(|memory| _ = KEPT.fetch_sub(memory.bytes(), Ordering::Relaxed))
    };
    Some(match kept {
        Some(memory) => {
            let mut buffer = Buffer::of(memory, len);
            if zeros {
                buffer.fill(T::default());
            }
            buffer
        }
        None if bytes < TINY => Buffer::of(Arc::new(Memory { data: try_fresh(full)?, start: 0 }), len),
        None => Buffer::aligned(try_fresh(full.saturating_add(Buffer::<T>::LINE))?, len),
    })
}

/// Gives memory to the pool, of which nobody else is an owner.
fn recycle<T: Pooled>(memory: Arc<Memory<T>>) {
    let len = memory.data.len();
    if len == 0 {
        return;
    }
    let tiny = len * size_of::<T>() < TINY;
    let spare = if tiny { 0 } else { Buffer::<T>::LINE };
    let (class, full) = class(len - spare);
    // Memory that did not come from the pool may have another length than its class, or begin elsewhere, and could not serve it;
    // or more of it than its length says, which the pool would not count.
    let aligned = || memory.data[memory.start..].as_ptr().addr().is_multiple_of(ALIGNMENT);
    let begins = memory.start <= spare && (tiny || aligned());
    if full + spare != len || !begins || memory.data.capacity() != len {
        return;
    }
    let limit = LIMIT.load(Ordering::Relaxed);
    if full * size_of::<T>() < LARGE {
        // A thread that is ending has no shelf any more.
        let _ = T::small().try_with(|shelf| {
            let shelf = &mut *shelf.borrow_mut();
            let most = LIMIT_OF_SMALL.min(limit);
            if tiny && shelf.bytes + memory.bytes() > most {
                return;
            }
            shelf.given += 1;
            shelf.give(class, shelf.given, memory);
            while shelf.bytes > most {
                shelf.take_oldest();
            }
        });
    } else if memory.bytes() <= limit {
        KEPT.fetch_add(memory.bytes(), Ordering::Relaxed);
        let given = GIVEN.fetch_add(1, Ordering::Relaxed);
        lock::<T>().give(class, given, memory);
        while KEPT.load(Ordering::Relaxed) > limit && let_go() {}
    }
}

/// An element type whose buffers are kept.
pub trait Pooled: Copy + Default + Send + Sync + 'static {
    /// Of this thread.
    #[doc(hidden)]
    fn small() -> &'static LocalKey<RefCell<Shelf<Self>>>;

    /// Of the process.
    #[doc(hidden)]
    fn large() -> &'static Mutex<Shelf<Self>>;

    // The functions below of these names, compiled in this crate and not in those that use tensors.

    #[doc(hidden)]
    fn try_buffer(len: usize, zeros: bool) -> Option<Buffer<Self>>;

    #[doc(hidden)]
    fn recycle(memory: Arc<Memory<Self>>);
}

/// Stamps a thread-local for each type: statics cannot be generic.
macro_rules! pooled {
    ($($t:ident)*) => {$(
        impl Pooled for $t {
            fn small() -> &'static LocalKey<RefCell<Shelf<Self>>> {
                thread_local! {
                    static SMALL: RefCell<Shelf<$t>> = const { RefCell::new(Shelf::new()) };
                }
                &SMALL
            }

            fn large() -> &'static Mutex<Shelf<Self>> {
                static LARGE: Mutex<Shelf<$t>> = Mutex::new(Shelf::new());
                &LARGE
            }

            fn try_buffer(len: usize, zeros: bool) -> Option<Buffer<Self>> {
                try_buffer(len, zeros)
            }

            fn recycle(memory: Arc<Memory<Self>>) {
                recycle(memory);
            }
        }
    )*};
}

pooled!(f32 f64 i32 i64 u8 bool);

impl<T: Pooled> From<Vec<T>> for Buffer<T> {
    fn from(data: Vec<T>) -> Self {
        match data.len() {
            0 => Buffer::empty(),
            len => Buffer::of(Arc::new(Memory { data, start: 0 }), len),
        }
    }
}

impl<T: Pooled> Deref for Buffer<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.storage[..self.len]
    }
}

impl<T: Pooled> DerefMut for Buffer<T> {
    /// Asks the count of owners, at an atomic operation: a loop holds the slice.
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.storage.get_mut().expect("a buffer has one owner")[..self.len]
    }
}

impl<T: Pooled> Deref for Storage<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        self.0.as_ref().map_or(&[], |memory| &memory.data[memory.start..])
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
        for len in [3, 1000, 100_000] {
            Buffer::<f32>::stale(len).fill(7.0);
            assert!(Buffer::<f32>::try_zeroed(len).unwrap().iter().all(|&x| x == 0.0));
        }
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

    /// Memory of so many bytes, in all.
    fn memory(bytes: usize) -> Arc<Memory<u8>> {
        let of = |len| Memory { data: vec![0_u8; len], start: 0 };
        Arc::new(of(bytes - of(0).bytes()))
    }

    #[test]
    fn the_one_that_has_waited_longest_goes_first_and_the_last_one_is_given_out_first() {
        let mut shelf = Shelf::new();
        for (given, (class, len)) in [(3, 300), (1, 100), (3, 301), (7, 700)].into_iter().enumerate() {
            shelf.give(class, given as u64, memory(len));
        }
        assert_eq!((shelf.bytes, shelf.oldest()), (1401, Some((0, 3))));
        assert_eq!(shelf.take(3).unwrap().bytes(), 301);
        assert_eq!(shelf.take_oldest().unwrap().bytes(), 300);
        assert_eq!(shelf.take_oldest().unwrap().bytes(), 100);
        assert!(shelf.take(1).is_none() && shelf.take(100).is_none());
        assert_eq!(shelf.bytes, 700);
    }

    #[test]
    fn a_thread_keeps_few_small_buffers() {
        std::thread::spawn(|| {
            let kept = || u8::small().with(|shelf| shelf.borrow().bytes);
            let many: Vec<_> = (0..100).map(|i| Buffer::<u8>::stale(30_000 + 300 * i)).collect();
            drop(many);
            assert!(kept() > LIMIT_OF_SMALL / 2 && kept() <= LIMIT_OF_SMALL, "{}", kept());
            clear_pool();
            assert_eq!(kept(), 0);
            // A vector that was longer holds more than its length says: it is not for the pool.
            let len = 4096 + Buffer::<u8>::LINE;
            let mut longer = vec![1; 1 << 20];
            longer.truncate(len);
            drop(Buffer::from(longer));
            assert_eq!(kept(), 0);
            // Nor is one of which another tensor may still be read, or one that does not begin on a cache line.
            let mut one = Buffer::<u8>::stale(4096).into_storage();
            let two = one.clone();
            assert!(one.is(&two) && !one.is_unique() && one.get_mut().is_none());
            drop(one);
            assert_eq!(kept(), 0);
            drop(two);
            assert!(kept() > 4096);
            clear_pool();
            let data = vec![1_u8; len];
            let start = (data.as_ptr().align_offset(ALIGNMENT) + 1) % ALIGNMENT;
            drop(Buffer::of(Arc::new(Memory { data, start }), 4000));
            assert_eq!(kept(), 0);
        })
        .join()
        .unwrap();
    }

    #[test]
    fn tiny_buffers_are_kept_too_where_there_is_room_and_displace_none() {
        std::thread::spawn(|| {
            let place = |buffer: &Buffer<f64>| buffer.as_ptr();
            for len in [1, 3, 4, 31] {
                let first = Buffer::stale(len);
                let at = place(&first);
                drop(first);
                assert_eq!(place(&Buffer::stale(len)), at, "{len}");
            }
            let shelf = || f64::small().with(|shelf| (shelf.borrow().bytes, shelf.borrow().oldest()));
            let large = Buffer::<f64>::stale(1000);
            drop(large);
            let oldest = shelf().1;
            let many: Vec<_> = (0..20_000).map(|_| Buffer::<f64>::stale(4)).collect();
            drop(many);
            let (bytes, now) = shelf();
            assert!(bytes <= LIMIT_OF_SMALL && bytes > LIMIT_OF_SMALL - 200, "{bytes}");
            assert_eq!(now, oldest);
        })
        .join()
        .unwrap();
    }
}
