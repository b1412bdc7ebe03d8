use std::fmt;
use std::sync::Arc;

/// A figure of a crate above that the metrics show: a family of one sample.
#[derive(Clone)]
pub struct Gauge {
    pub(crate) name: &'static str,
    pub(crate) help: &'static str,
    look: Arc<dyn Fn() -> Option<f64> + Send + Sync>,
}

impl Gauge {
    /// Makes it from a name in the form of Prometheus, a sentence of help, and a function that
    /// returns the figure, or `None` while there is none. It must not block for long.
    pub fn new(
        name: &'static str,
        help: &'static str,
        look: impl Fn() -> Option<f64> + Send + Sync + 'static,
    ) -> Self {
        Self {
            name,
            help,
            look: Arc::new(look),
        }
    }

    pub(crate) fn look(&self) -> Option<f64> {
        (self.look)()
    }
}

impl fmt::Debug for Gauge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gauge")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
