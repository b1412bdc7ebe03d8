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

/// Makes the page for a tracker that the reader knows as `host`, which may have a port, and that
/// also serves UDP on a port, if there is one. Without a plausible host there are no URLs. `nonce`
/// must be new and random for each page.
pub(crate) fn page(
    host: Option<&str>,
    is_https: bool,
    udp_port: Option<u16>,
    nonce: u128,
) -> HtmlPage {
    let content = content(host, is_https, udp_port);
    let html = TEMPLATE.join().replace("{content}", &content);
    TEMPLATE.page(html, nonce)
}

fn content(host: Option<&str>, is_https: bool, udp_port: Option<u16>) -> String {
    let Some(host) = host.filter(|host| is_host(host)) else {
        return "<p>This is a BitTorrent tracker.</p>\n".to_owned();
    };
    let mut content = "<p>Announce URLs for torrents that are served here:</p>\n<ul>\n".to_owned();
    let scheme = if is_https { "https" } else { "http" };
    let mut put = |url: String| {
        let url = escape(&url);
        let button = "<button type=\"button\" hidden>Copy</button>";
        writeln!(content, "<li><code>{url}</code>{button}</li>")
            .expect("a String takes everything");
    };
    if let Some(port) = udp_port {
        put(format!("udp://{}:{port}/announce", without_port(host)));
    }
    put(format!("{scheme}://{host}/announce"));
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

    fn of(host: Option<&str>, is_https: bool, udp_port: Option<u16>) -> String {
        page(host, is_https, udp_port, 0xabc).html
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
            let page = of(Some(host), false, Some(6969));
            assert!(page.contains(&format!("<code>http://{host}/announce</code>")));
            assert!(page.contains(&format!("<code>{udp}</code>")), "{page}");
        }
        let page = of(Some("a"), true, None);
        assert!(page.contains("<code>https://a/announce</code>"));
        assert!(!page.contains("udp:"));
    }

    #[test]
    fn nothing_foreign_is_shown() {
        let none = of(None, false, Some(1));
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
            assert_eq!(of(Some(host), false, Some(1)), none, "{host}");
        }
    }

    #[test]
    fn it_is_small_and_needs_no_script() {
        let page = page(Some("a"), false, Some(6969), 0xabc);
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
