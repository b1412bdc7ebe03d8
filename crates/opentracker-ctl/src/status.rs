//! What a running tracker knows of its cluster.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

/// The page, which trackers show on the operator's listener and to `access.admin`.
const PAGE: &str = "/stats?mode=cluster";

/// How long a tracker may take to connect, and for each read.
const PATIENCE: Duration = Duration::from_secs(10);

/// Octets of a page that are read: far more than that of a full roster has.
const MAX_PAGE: u64 = 4 << 20;

/// Asks a tracker and prints its answer as a table.
pub(crate) fn run(tracker: SocketAddr) -> Result<()> {
    let page = fetch(tracker).with_context(|| format!("cannot ask the tracker at {tracker}"))?;
    let table = table(body(&page)?);
    Ok(io::stdout().lock().write_all(table.as_bytes())?)
}

fn fetch(tracker: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&tracker, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    // HTTP/1.0, so that the body comes in one piece and ends with the connection.
    let request = format!("GET {PAGE} HTTP/1.0\r\nHost: {tracker}\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut page = String::new();
    stream.take(MAX_PAGE).read_to_string(&mut page)?;
    Ok(page)
}

/// Returns the body of a response whose status is 200.
fn body(page: &str) -> Result<&str> {
    let (head, body) = page
        .split_once("\r\n\r\n")
        .context("its answer is not HTTP")?;
    let status = head.lines().next().unwrap_or_default();
    ensure!(
        status.split(' ').nth(1) == Some("200"),
        "the tracker says `{status}`; is that its operator's listener (`admin.listen`)?"
    );
    Ok(body)
}

/// Pads columns that are separated by tabs, in all lines but the first, which has none.
fn table(text: &str) -> String {
    let rows = || text.lines().map(|line| line.split('\t'));
    let mut widths = Vec::new();
    for row in rows().skip(1) {
        for (column, cell) in row.enumerate() {
            widths.resize(widths.len().max(column + 1), 0);
            widths[column] = widths[column].max(cell.len());
        }
    }
    let mut out = String::new();
    for row in rows() {
        let widths = widths.iter().chain(std::iter::repeat(&0));
        let cells: Vec<_> = row
            .zip(widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        out += cells.join("  ").trim_end();
        out += "\n";
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_padded() {
        let text = "00000102, joined, 1 others\naddress\tid\n192.0.2.1\t-\n";
        let expected = "00000102, joined, 1 others\naddress    id\n192.0.2.1  -\n";
        assert_eq!(table(text), expected);
        assert_eq!(table("no cluster\n"), "no cluster\n");
    }

    #[test]
    fn a_body_comes_with_200_alone() {
        assert_eq!(body("HTTP/1.0 200 OK\r\nA: b\r\n\r\nc\n").unwrap(), "c\n");
        let refused = body("HTTP/1.0 403 Forbidden\r\n\r\n").unwrap_err();
        assert!(refused.to_string().contains("403 Forbidden"));
        assert!(body("d5:filesdee").is_err());
    }
}
