//! What `/metrics` says, in the text format of Prometheus.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Instant;

use crate::program::PATIENCE;
use crate::request;

/// Samples by metric with its labels, as they stand there: `name{label="value"}`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Metrics(BTreeMap<String, f64>);

impl Metrics {
    pub(crate) fn of(server: SocketAddr) -> Self {
        let response = request::get(server, "/metrics");
        assert_eq!(response.status, 200, "{response:?}");
        Self::read(response.text())
    }

    /// Reads an exposition, which must be well-formed.
    pub(crate) fn read(text: &str) -> Self {
        let mut samples = BTreeMap::new();
        let mut types = BTreeMap::new();
        let mut helps = BTreeSet::new();
        let mut labels = BTreeMap::new();
        assert!(text.ends_with('\n'), "the last line has no end");
        for line in text.lines().filter(|line| !line.is_empty()) {
            if let Some(comment) = line.strip_prefix("# ") {
                let mut words = comment.splitn(3, ' ');
                let (kind, name) = (words.next().unwrap(), words.next().unwrap());
                let rest = words.next().unwrap();
                assert!(is_name(name), "{line}");
                match kind {
                    "HELP" => {
                        assert!(
                            rest.ends_with('.') && !rest.contains(". "),
                            "one sentence: {line}"
                        );
                        assert!(helps.insert(name.to_owned()), "twice: {line}");
                    }
                    "TYPE" => {
                        assert!(["counter", "gauge", "histogram"].contains(&rest), "{line}");
                        let twice = types.insert(name.to_owned(), rest.to_owned());
                        assert!(twice.is_none(), "{line}");
                    }
                    _ => panic!("neither help nor type: {line}"),
                }
            } else {
                let (series, value) = line.rsplit_once(' ').expect("a sample has a value");
                let name = series.split('{').next().unwrap();
                assert!(is_name(name), "{line}");
                let parts = ["_bucket", "_sum", "_count"].iter();
                let mut of_histogram = parts.filter_map(|part| {
                    let family = name.strip_suffix(part)?;
                    (types.get(family)? == "histogram").then_some(family)
                });
                let family = of_histogram.next().unwrap_or(name);
                assert!(types.contains_key(family), "no type before {line}");
                assert!(helps.contains(family), "no help before {line}");
                let names = label_names(series);
                let of_family = labels.entry(name.to_owned()).or_insert(names.clone());
                assert_eq!(*of_family, names, "labels differ in a family: {line}");
                let twice = samples.insert(series.to_owned(), value.parse().unwrap());
                assert!(twice.is_none(), "twice: {line}");
            }
        }
        Self(samples)
    }

    /// The sum of the series that have a name and some labels, like `name{label="value"}`.
    pub(crate) fn get(&self, series: &str) -> u64 {
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let labels: Vec<_> = labels.trim_end_matches('}').split_inclusive('"').collect();
        let labels: Vec<_> = labels.chunks_exact(2).map(<[&str]>::concat).collect();
        let is_of = |other: &str| {
            let (other_name, other) = other.split_once('{').unwrap_or((other, ""));
            let has = |label: &String| other.contains(label.trim_start_matches(','));
            name == other_name && labels.iter().all(has)
        };
        let found = self.0.iter().filter(|(other, _)| is_of(other));
        let found: Vec<_> = found.map(|(_, value)| value).collect();
        assert!(!found.is_empty(), "no {series} in {self:#?}");
        let value = &found.into_iter().sum::<f64>();
        assert!(value.fract() == 0.0 && *value >= 0.0, "{series} {value}");
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "checked"
        )]
        let value = *value as u64;
        value
    }

    /// Datagrams that were dropped for a reason.
    pub(crate) fn dropped(&self, reason: &str) -> u64 {
        self.get(&format!(
            "opentracker_udp_dropped_total{{reason=\"{reason}\"}}"
        ))
    }

    /// Requests over UDP that were served.
    pub(crate) fn udp(&self, action: &str) -> u64 {
        self.get(&format!(
            "opentracker_udp_requests_total{{action=\"{action}\"}}"
        ))
    }

    /// Error packets that were sent.
    pub(crate) fn udp_errors(&self) -> u64 {
        self.get("opentracker_udp_errors_total")
    }

    /// Datagrams in a direction, `in` or `out`.
    pub(crate) fn datagrams(&self, direction: &str) -> u64 {
        self.get(&format!(
            "opentracker_udp_datagrams_total{{direction=\"{direction}\"}}"
        ))
    }

    /// Requests over HTTP that were served.
    pub(crate) fn http(&self, path: &str) -> u64 {
        self.get(&format!(
            "opentracker_http_requests_total{{path=\"{path}\"}}"
        ))
    }

    /// Announces and scrapes that were answered by an error.
    pub(crate) fn http_errors(&self, status: u16, kind: &str) -> u64 {
        self.get(&format!(
            "opentracker_http_errors_total{{status=\"{status}\",kind=\"{kind}\"}}"
        ))
    }

    /// Requests for pages that were answered by an error.
    pub(crate) fn page_errors(&self, status: u16, kind: &str) -> u64 {
        self.get(&format!(
            "opentracker_pages_errors_total{{status=\"{status}\",kind=\"{kind}\"}}"
        ))
    }

    /// Announces that were refused for a reason.
    pub(crate) fn refused(&self, reason: &str) -> u64 {
        self.get(&format!("opentracker_refused_total{{reason=\"{reason}\"}}"))
    }

    /// Waits until the metrics are as they should be: a thread may have sent a reply a moment
    /// before it counts it.
    pub(crate) fn wait(server: SocketAddr, condition: impl Fn(&Self) -> bool) -> Self {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let metrics = Self::of(server);
            if condition(&metrics) {
                return metrics;
            }
            assert!(Instant::now() < deadline, "waited in vain: {metrics:#?}");
        }
    }
}

/// What is known of the families.
#[derive(Debug, Clone, Default)]
pub(crate) struct Families(pub(crate) BTreeMap<String, Family>);

/// A family of the metrics.
#[derive(Debug, Clone, Default)]
pub(crate) struct Family {
    pub(crate) kind: String,
    pub(crate) help: String,
    /// But for `le`, which every histogram has.
    pub(crate) labels: Vec<String>,
    /// The names of its series: of a histogram, there are three.
    series: BTreeSet<String>,
    /// Of its last series.
    value: f64,
}

impl Families {
    pub(crate) fn of(server: SocketAddr) -> Self {
        let response = request::get(server, "/metrics");
        assert_eq!(response.status, 200, "{response:?}");
        let mut families = BTreeMap::new();
        let mut family = (String::new(), Family::default());
        for line in response.text().lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                families.extend([std::mem::take(&mut family)]);
                let (name, help) = rest.split_once(' ').unwrap();
                family.0 = name.to_owned();
                family.1.help = help.to_owned();
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                family.1.kind = rest.split_once(' ').unwrap().1.to_owned();
            } else {
                let (series, value) = line.rsplit_once(' ').unwrap();
                let mut labels = label_names(series);
                labels.retain(|label| label != "le");
                let name = series.split('{').next().unwrap();
                family.1.series.insert(name.to_owned());
                family.1.labels = labels;
                family.1.value = value.parse().unwrap();
            }
        }
        families.extend([family]);
        families.remove("");
        Self(families)
    }

    /// The names of all series.
    pub(crate) fn series(&self) -> BTreeSet<String> {
        let series = self.0.values().flat_map(|family| &family.series);
        series.cloned().collect()
    }

    /// The value of a family that has one series.
    pub(crate) fn value(&self, name: &str) -> f64 {
        self.0[name].value
    }
}

/// The names of the labels of a series.
fn label_names(series: &str) -> Vec<String> {
    let values = series.split('"').step_by(2);
    let names = values.filter_map(|text| text.strip_suffix('='));
    let bare = |name: &str| {
        name.trim_start_matches(|c: char| c != ',' && c != '{')
            .to_owned()
    };
    names
        .map(|name| bare(name).trim_start_matches([',', '{']).to_owned())
        .collect()
}

fn is_name(text: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_alphabetic() || c == '_' || c == ':';
    text.starts_with(is_letter) && text.chars().all(|c| is_letter(c) || c.is_ascii_digit())
}
