//! The ops: one function each, with its formula, pullback and tests, in the file of its family.
//!
//! In the formulas, x̄ is the gradient with respect to x, and ȳ the one that a pullback is given.

mod activation;
mod arithmetic;
mod index;
mod loss;
mod matmul;
mod reduce;
mod view;

#[cfg(test)]
mod testing {
    use std::panic::{self, UnwindSafe};
    use std::sync::{Arc, Mutex};

    pub(crate) struct Panic {
        pub(crate) message: String,
        pub(crate) file: String,
        pub(crate) line: u32,
    }

    /// What a closure that panics says, and where.
    pub(crate) fn panic_of(f: impl FnOnce() + UnwindSafe) -> Panic {
        // The hook is the process's: one caller at a time, and panics of other threads pass through.
        static ALONE: Mutex<()> = Mutex::new(());
        let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let found = Arc::new(Mutex::new(None));
        let (own, sink, before) = (std::thread::current().id(), Arc::clone(&found), panic::take_hook());
        panic::set_hook(Box::new(move |info| {
            if std::thread::current().id() == own {
                let location = info.location().map(|l| (l.file().to_owned(), l.line()));
                *sink.lock().unwrap() = location;
            }
        }));
        let result = panic::catch_unwind(f);
        panic::set_hook(before);
        let payload = result.expect_err("the closure should panic");
        let message = payload.downcast_ref::<String>().cloned();
        let message = message.or_else(|| payload.downcast_ref::<&str>().map(|s| (*s).to_owned())).unwrap();
        let (file, line) = found.lock().unwrap().take().unwrap();
        Panic { message, file, line }
    }
}
