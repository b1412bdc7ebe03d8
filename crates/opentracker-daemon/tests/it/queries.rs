//! Queries of Prometheus, as far as the names of metrics in them go.

use std::collections::BTreeSet;

use serde_json::Value;

/// The rules of a file.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    /// The names that are recorded.
    pub(crate) recorded: Vec<String>,
    /// The expressions.
    pub(crate) queries: Vec<String>,
}

/// Reads `record:` and `expr:` of each rule; an expression is on one line, or on those behind `>-`.
pub(crate) fn rules(text: &str) -> Rules {
    let mut rules = Rules::default();
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let words = line.trim_start().trim_start_matches("- ");
        if let Some(name) = words.strip_prefix("record: ") {
            rules.recorded.push(name.to_owned());
        }
        let Some(query) = words.strip_prefix("expr: ") else {
            continue;
        };
        let mut query = query.to_owned();
        if query == ">-" {
            query.clear();
            while let Some(more) = lines.next_if(|next| indent(next) > indent(line)) {
                query += more.trim();
                query.push(' ');
            }
        }
        rules.queries.push(query);
    }
    rules
}

/// Returns every `expr` of a dashboard of Grafana.
pub(crate) fn queries_of_dashboard(part: &Value) -> Vec<String> {
    match part {
        Value::Array(parts) => parts.iter().flat_map(queries_of_dashboard).collect(),
        Value::Object(parts) => {
            let query = parts.get("expr").and_then(Value::as_str);
            let inner = parts.values().flat_map(queries_of_dashboard);
            query.map(str::to_owned).into_iter().chain(inner).collect()
        }
        _ => Vec::new(),
    }
}

/// Returns the names of the metrics in a query: what is neither a function, a keyword, a label nor a
/// number.
pub(crate) fn names_in(query: &str) -> BTreeSet<String> {
    const GROUPINGS: [&str; 6] = [
        "by",
        "without",
        "on",
        "ignoring",
        "group_left",
        "group_right",
    ];
    const KEYWORDS: [&str; 5] = ["and", "or", "unless", "bool", "offset"];
    let plain = without_selectors(query);
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let mut names = BTreeSet::new();
    let mut rest = &*plain;
    while let Some(start) = rest.find(is_of_name) {
        let end = rest[start..]
            .find(|c| !is_of_name(c))
            .map_or(rest.len(), |length| start + length);
        let word = &rest[start..end];
        rest = &rest[end..];
        let next = rest.trim_start();
        let is_call = ["(", "by (", "without ("]
            .iter()
            .any(|call| next.starts_with(call));
        if GROUPINGS.contains(&word) && is_call {
            rest = rest.split_once(')').expect("it ends").1;
        } else if !is_call
            && !KEYWORDS.contains(&word)
            && !word.starts_with(|c: char| c.is_ascii_digit())
        {
            names.insert(word.to_owned());
        }
    }
    names
}

/// Leaves out what stands in quotes, braces and brackets.
fn without_selectors(query: &str) -> String {
    let mut plain = String::new();
    let (mut is_quoted, mut depth) = (false, 0_u32);
    for c in query.chars() {
        match c {
            '"' => is_quoted = !is_quoted,
            _ if is_quoted => {}
            '{' | '[' => depth += 1,
            '}' | ']' => depth -= 1,
            _ if depth == 0 => plain.push(c),
            _ => {}
        }
    }
    plain
}

#[test]
fn names_are_told_from_the_rest() {
    let names = |query| names_in(query).into_iter().collect::<Vec<_>>().join(" ");
    assert_eq!(names("up{job=\"x\"} == 0"), "up");
    assert_eq!(
        names("histogram_quantile(0.99, sum by (job, le) (rate(a_bucket{b=~\"c|d\"}[5m]))) > 1e3"),
        "a_bucket"
    );
    assert_eq!(
        names("x:y:z / on (a) group_left (b) w and time() - (v or u offset 5) > 3 * t"),
        "t u v w x:y:z"
    );
}
