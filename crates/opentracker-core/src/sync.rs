//! What threads share, named in one place: a build with `--cfg shuttle` puts in its stead what tries
//! many interleavings (see the tests in `interleavings`).

#[cfg(not(shuttle))]
pub(crate) use arc_swap::{ArcSwap, Cache};
#[cfg(not(shuttle))]
pub(crate) use std::sync::{Mutex, MutexGuard, RwLock, atomic};

#[cfg(shuttle)]
pub(crate) use self::stand_in::{ArcSwap, Cache};
#[cfg(shuttle)]
pub(crate) use shuttle::sync::{Mutex, MutexGuard, RwLock, atomic};

/// What a pointer that can be swapped guarantees: the tests are of what hangs on it, not of itself.
#[cfg(shuttle)]
mod stand_in {
    use std::sync::Arc;

    use super::Mutex;

    #[derive(Debug)]
    pub(crate) struct ArcSwap<T>(Mutex<Arc<T>>);

    impl<T> ArcSwap<T> {
        pub(crate) fn from_pointee(value: T) -> Self {
            Self(Mutex::new(Arc::new(value)))
        }

        pub(crate) fn load(&self) -> Arc<T> {
            self.load_full()
        }

        pub(crate) fn load_full(&self) -> Arc<T> {
            let value = Arc::clone(&self.0.lock().unwrap());
            // What the thread does with it may come late.
            shuttle::thread::yield_now();
            value
        }

        pub(crate) fn store(&self, value: Arc<T>) {
            *self.0.lock().unwrap() = value;
        }
    }

    #[derive(Debug)]
    pub(crate) struct Cache<S, C> {
        shared: S,
        cached: C,
    }

    impl<T> Cache<Arc<ArcSwap<T>>, Arc<T>> {
        pub(crate) fn new(shared: Arc<ArcSwap<T>>) -> Self {
            let cached = shared.load_full();
            Self { shared, cached }
        }

        pub(crate) fn load(&mut self) -> &Arc<T> {
            self.cached = self.shared.load_full();
            &self.cached
        }
    }
}
