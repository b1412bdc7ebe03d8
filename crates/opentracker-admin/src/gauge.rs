use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// A value of the label, with its figure.
type Sample = (Cow<'static, str>, f64);

/// A figure of a crate above that the metrics show: a family of one sample, or of one for each value
/// of a label.
#[derive(Clone)]
pub struct Gauge {
    pub(crate) name: &'static str,
    pub(crate) help: &'static str,
    pub(crate) label: Option<&'static str>,
    look: Arc<dyn Fn() -> Vec<Sample> + Send + Sync>,
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
            label: None,
            look: Arc::new(move || {
                look()
                    .into_iter()
                    .map(|figure| ("".into(), figure))
                    .collect()
            }),
        }
    }

    /// Makes a family with a label from a function that returns the values of the label, each with
    /// its figure. It must not block for long.
    pub fn with_label<L: Into<Cow<'static, str>>>(
        name: &'static str,
        help: &'static str,
        label: &'static str,
        look: impl Fn() -> Vec<(L, f64)> + Send + Sync + 'static,
    ) -> Self {
        Self {
            name,
            help,
            label: Some(label),
            look: Arc::new(move || {
                let samples = look().into_iter();
                samples
                    .map(|(value, figure)| (value.into(), figure))
                    .collect()
            }),
        }
    }

    pub(crate) fn look(&self) -> Vec<Sample> {
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
