//! The query of a request to the admin API.

use std::fmt::{Display, Write};

/// A path with parameters, of which those that are not given are left out.
#[derive(Debug, Clone)]
pub(crate) struct Query(String);

impl Query {
    pub(crate) fn new(path: impl Into<String>) -> Self {
        Self(path.into())
    }

    pub(crate) fn with<T: Display>(mut self, name: &str, value: Option<T>) -> Self {
        if let Some(value) = value {
            let mark = if self.0.contains('?') { '&' } else { '?' };
            // Writing to a string cannot fail.
            write!(self.0, "{mark}{name}=").ok();
            for octet in value.to_string().bytes() {
                match octet {
                    b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                        self.0.push(octet.into());
                    }
                    _ => write!(self.0, "%{octet:02X}").unwrap_or_default(),
                }
            }
        }
        self
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_encoded_and_absent_ones_left_out() {
        let query = Query::new("blocks/aa")
            .with("cursor", None::<u32>)
            .with("note", Some("a b&ü"))
            .with("limit", Some(7));
        assert_eq!(query.as_str(), "blocks/aa?note=a%20b%26%C3%BC&limit=7");
    }
}
