//! What the head of an HTTP message says of its connection.

use httparse::Header;

/// The most headers of a message that is understood.
pub(crate) const MAX_HEADERS: usize = 32;

/// Tells whether the connection ends with a message: HTTP/1.0 keeps it only if it says so, HTTP/1.1
/// unless it says otherwise.
pub(crate) fn closes(version: Option<u8>, headers: &[Header<'_>]) -> bool {
    match value(headers, "connection") {
        Some(value) if value.eq_ignore_ascii_case(b"close") => true,
        Some(value) if value.eq_ignore_ascii_case(b"keep-alive") => false,
        _ => version == Some(0),
    }
}

/// The value of a header.
pub(crate) fn value<'a>(headers: &[Header<'a>], name: &str) -> Option<&'a [u8]> {
    let header = headers
        .iter()
        .find(|header| header.name.eq_ignore_ascii_case(name))?;
    Some(header.value)
}
