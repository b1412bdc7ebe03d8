//! The public page: what a client has to be given, for those who may not read the statistics.

use std::fmt::Write;

use crate::dashboard::escape;

/// The content type of the page.
pub(crate) const CONTENT_TYPE: &str = "text/html; charset=utf-8";

/// The policy that goes with the page: it has nothing but text.
pub(crate) const POLICY: &str = "default-src 'none'; base-uri 'none'; form-action 'none'; \
                                 frame-ancestors 'none'";

/// Makes the page for a tracker that the reader knows as `host`, which may have a port, and that
/// also serves UDP on a port, if there is one. Without a plausible host there are no URLs.
pub(crate) fn page(host: Option<&str>, is_https: bool, udp_port: Option<u16>) -> String {
    let mut page = "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>BitTorrent tracker</title>\n<h1>BitTorrent tracker</h1>\n"
        .to_owned();
    let Some(host) = host.filter(|host| is_host(host)) else {
        page.push_str("<p>This is a BitTorrent tracker.\n");
        return page;
    };
    page.push_str("<p>Announce URLs for torrents that are served here:\n<ul>\n");
    let scheme = if is_https { "https" } else { "http" };
    let mut put = |url: String| {
        writeln!(page, "<li><code>{}</code>", escape(&url)).expect("a String takes everything");
    };
    put(format!("{scheme}://{host}/announce"));
    if let Some(port) = udp_port {
        put(format!("udp://{}:{port}/announce", without_port(host)));
    }
    page.push_str("</ul>\n");
    page
}

/// Tells whether a text looks like a name or an address, with or without a port.
fn is_host(host: &str) -> bool {
    let is_usual = |octet: u8| octet.is_ascii_alphanumeric() || b"-._:[]".contains(&octet);
    !host.is_empty() && host.len() <= 255 + 6 && host.bytes().all(is_usual)
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        // What is behind the last colon of an IPv6 address without a port ends in a bracket.
        Some((name, port)) if !port.ends_with(']') => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_urls_are_those_of_the_reader() {
        for (host, udp) in [
            ("tracker.example", "udp://tracker.example:6969/announce"),
            ("tracker.example:80", "udp://tracker.example:6969/announce"),
            ("[2001:db8::1]", "udp://[2001:db8::1]:6969/announce"),
            ("[2001:db8::1]:80", "udp://[2001:db8::1]:6969/announce"),
            ("192.0.2.1:8080", "udp://192.0.2.1:6969/announce"),
        ] {
            let page = page(Some(host), false, Some(6969));
            assert!(page.contains(&format!("<code>http://{host}/announce</code>")));
            assert!(page.contains(&format!("<code>{udp}</code>")), "{page}");
        }
        let page = page(Some("a"), true, None);
        assert!(page.contains("<code>https://a/announce</code>"));
        assert!(!page.contains("udp:"));
    }

    #[test]
    fn nothing_foreign_is_shown() {
        let none = page(None, false, Some(1));
        assert!(!none.contains("announce"));
        for host in [
            "<script>",
            "a\"b",
            "a&b",
            "a b",
            "",
            "a/b",
            &"a".repeat(300),
        ] {
            assert_eq!(page(Some(host), false, Some(1)), none, "{host}");
        }
    }
}
