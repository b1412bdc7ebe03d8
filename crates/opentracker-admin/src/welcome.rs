//! The public page: what a client has to be given, for those who may not read the statistics.

use std::fmt::Write;

use crate::dashboard::{HtmlPage, Template, escape};

/// The content type of the page.
pub(crate) const CONTENT_TYPE: &str = "text/html; charset=utf-8";

const TEMPLATE: Template = Template {
    html: include_str!("../assets/welcome/page.html"),
    styles: &[include_str!("../assets/welcome/style.css")],
    library: "",
    scripts: &[include_str!("../assets/welcome/copy.js")],
    // It asks for nothing.
    policy: "default-src 'none'",
};

/// What the URLs are made of.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Served<'a> {
    /// What the reader knows the tracker as: a name or an address, with or without a port.
    pub(crate) host: Option<&'a str>,
    /// Whether the reader came over TLS.
    pub(crate) is_https: bool,
    /// The port of the UDP front end, if there is one.
    pub(crate) udp_port: Option<u16>,
    /// Whether browsers are served.
    pub(crate) has_webtorrent: bool,
}

/// Makes the page. Without a plausible host there are no URLs. `nonce` must be new and random for
/// each page.
pub(crate) fn page(served: Served<'_>, nonce: u128) -> HtmlPage {
    let content = content(served);
    let html = TEMPLATE.join().replace("{content}", &content);
    TEMPLATE.page(html, nonce)
}

fn content(served: Served<'_>) -> String {
    let Some(host) = served.host.filter(|host| is_host(host)) else {
        return "<p>This is a BitTorrent tracker.</p>\n".to_owned();
    };
    let mut content = "<p>Announce URLs for torrents that are served here:</p>\n<ul>\n".to_owned();
    let (http, websocket) = match served.is_https {
        true => ("https", "wss"),
        false => ("http", "ws"),
    };
    let mut put = |url: String| {
        let url = escape(&url);
        let button = "<button type=\"button\" hidden>Copy</button>";
        writeln!(content, "<li><code>{url}</code>{button}</li>")
            .expect("a String takes everything");
    };
    if let Some(port) = served.udp_port {
        put(format!("udp://{}:{port}/announce", without_port(host)));
    }
    put(format!("{http}://{host}/announce"));
    if served.has_webtorrent {
        put(format!("{websocket}://{host}/announce"));
    }
    content.push_str(
        "</ul>\n<p class=\"soft\">Put them among the trackers of a torrent, one a line.</p>\n\
         <p class=\"soft\" id=\"said\" role=\"status\"></p>\n",
    );
    content
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

    fn of(served: Served<'_>) -> String {
        page(served, 0xabc).html
    }

    fn with_udp(host: Option<&str>) -> Served<'_> {
        Served {
            host,
            udp_port: Some(6969),
            ..Served::default()
        }
    }

    #[test]
    fn the_urls_are_those_of_the_reader() {
        for (host, udp) in [
            ("tracker.example", "udp://tracker.example:6969/announce"),
            ("tracker.example:80", "udp://tracker.example:6969/announce"),
            ("[2001:db8::1]", "udp://[2001:db8::1]:6969/announce"),
            ("[2001:db8::1]:80", "udp://[2001:db8::1]:6969/announce"),
            ("192.0.2.1:8080", "udp://192.0.2.1:6969/announce"),
        ] {
            let page = of(with_udp(Some(host)));
            assert!(page.contains(&format!("<code>http://{host}/announce</code>")));
            assert!(page.contains(&format!("<code>{udp}</code>")), "{page}");
        }
        let mut served = Served {
            host: Some("a"),
            is_https: true,
            ..Served::default()
        };
        let page = of(served);
        assert!(page.contains("<code>https://a/announce</code>"));
        assert!(!page.contains("udp:") && !page.contains("wss:"));
        served.has_webtorrent = true;
        assert!(of(served).contains("<code>wss://a/announce</code>"));
        served.is_https = false;
        assert!(of(served).contains("<code>ws://a/announce</code>"));
    }

    #[test]
    fn nothing_foreign_is_shown() {
        let none = of(with_udp(None));
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
            assert_eq!(of(with_udp(Some(host))), none, "{host}");
        }
    }

    #[test]
    fn it_is_small_and_needs_no_script() {
        let page = page(with_udp(Some("a")), 0xabc);
        assert!(page.html.len() < 8 << 10, "{}", page.html.len());
        assert_eq!(page.html.matches("hidden>Copy</button>").count(), 2);
        assert!(!page.policy.contains("connect-src"));
        assert!(
            page.policy
                .contains("script-src 'nonce-00000000000000000000000000000abc'")
        );
        for placeholder in ["{nonce}", "{content}", "{style}", "{icon}"] {
            assert!(!page.html.contains(placeholder), "{placeholder}");
        }
    }
}
