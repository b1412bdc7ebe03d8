use std::net::{IpAddr, Ipv4Addr};

use super::*;
use crate::fixture;
use proptest::prelude::*;

const PROXY: Source = Source::Socket(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)));

/// Reads the status of a response, and how long its head says that head and body are.
fn measure(response: &[u8]) -> (u16, usize, usize) {
    let end = response
        .windows(4)
        .position(|at| at == b"\r\n\r\n")
        .unwrap()
        + 4;
    let head = str::from_utf8(&response[..end]).unwrap();
    let mut lines = head.trim_end().split("\r\n");
    let status = lines.next().unwrap().strip_prefix("HTTP/1.1 ").unwrap();
    let length = lines
        .find_map(|line| line.strip_prefix("Content-Length: "))
        .unwrap();
    let body: usize = length.parse().unwrap();
    (status[..3].parse().unwrap(), end, end + body)
}

fn check_handled(octets: &[u8]) -> Result<(), TestCaseError> {
    #[expect(clippy::disallowed_methods, reason = "any instant will do")]
    let now = Instant::now();
    let mut handler = fixture::handler(now);
    let mut out = b"before".to_vec();
    let handled = handler.handle(octets, PROXY, now, false, &mut out);
    prop_assert!(out.starts_with(b"before"));
    let response = &out[6..];
    match handled.next {
        Next::Wait => {
            prop_assert_eq!(handled.consumed, 0);
            prop_assert!(response.is_empty());
            prop_assert!(octets.len() < 8 * 1024);
        }
        Next::HandOver => {
            prop_assert_eq!(handled.consumed, 0);
            prop_assert!(response.is_empty());
        }
        Next::Upgrade => prop_assert!(false, "there is no WebSocket here"),
        Next::Request | Next::Close | Next::Linger => {
            prop_assert!((1..=octets.len()).contains(&handled.consumed));
            let (status, head, whole) = measure(response);
            prop_assert!([200, 400, 404, 405, 431].contains(&status));
            let may_lack_body = octets.starts_with(b"HEAD ");
            let is_whole = response.len() == whole;
            prop_assert!(is_whole || may_lack_body && response.len() == head);
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_octets_are_handled(octets in prop::collection::vec(any::<u8>(), 0..300)) {
        check_handled(&octets)?;
    }

    #[test]
    fn any_query_is_handled(
        path in prop::sample::select(vec!["announce", "scrape", "stats", "metrics", ""]),
        query in prop::collection::vec(
            prop::sample::select(b"info_hash=port&left%0123456789abcdefmode+:;/~\xc3\xa9".to_vec()),
            0..300,
        ),
    ) {
        let octets = [b"GET /", path.as_bytes(), b"?", &query, b" HTTP/1.1\r\n\r\n"];
        check_handled(&octets.concat())?;
    }

    #[test]
    fn a_request_with_any_octet_changed_is_handled(
        request in fixture::request(),
        at in any::<prop::sample::Index>(),
        octet in any::<u8>(),
    ) {
        let mut octets = request;
        let at = at.index(octets.len());
        octets[at] = octet;
        check_handled(&octets)?;
    }

    #[test]
    fn any_forwarding_is_handled(
        name in prop::sample::select(vec!["X-Forwarded-For", "Forwarded"]),
        value in "[-a-f0-9:.,;=\"\\\\\\[\\] for]{0,60}",
    ) {
        let octets = format!("GET /announce HTTP/1.1\r\n{name}: {value}\r\n\r\n");
        check_handled(octets.as_bytes())?;
    }
}
