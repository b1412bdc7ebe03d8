//! Requests that turn a connection into one of WebSocket (RFC 6455, section 4.2.1).

use opentracker_core::Requester;

use super::{Handler, Next};
use crate::counters::Counter;
use crate::forwarded::Via;
use crate::head::{Head, Method, Persistence};
use crate::response::{Response, Status};
use crate::settings::WebSockets;
use crate::source::Source;

/// A connection that goes on with WebSocket: who is at its other end, and the key of the handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Upgrade {
    /// Who asks.
    pub requester: Requester,
    key: [u8; Self::KEY_LEN],
}

impl Upgrade {
    /// Octets of a key: 16 random ones in base64.
    const KEY_LEN: usize = 24;

    /// Returns the key of the handshake.
    ///
    /// # Panics
    ///
    /// Never: it is ASCII.
    pub fn key(&self) -> &str {
        str::from_utf8(&self.key).expect("it is ASCII")
    }
}

impl Handler {
    /// Returns what [`Next::Upgrade`] is for.
    pub(crate) fn take_upgrade(&mut self) -> Option<Upgrade> {
        self.upgrade.take()
    }

    pub(super) fn speaks_websocket(&mut self) -> bool {
        self.worker.rules().extension::<WebSockets>().is_some()
    }

    /// Lets a connection go on with WebSocket, or says why not. The path does not matter: clients are
    /// given the root as often as `/announce`.
    pub(super) fn upgrade(
        &mut self,
        head: &Head<'_, '_>,
        source: Source,
        out: &mut Vec<u8>,
    ) -> Next {
        let client = self.client(head, source);
        if !self.worker.answers(client.ip) {
            return Next::Close;
        }
        if client.via == Via::SilentProxy {
            let answer = self.refuse_silent_proxy();
            self.count(Counter::SilentProxy);
            Response::new(answer.status, Persistence::Closed).put(&self.body, out);
            return Next::Linger;
        }
        let is_late = self.is_draining() || head.persistence == Persistence::Closed;
        let (counter, status, reason) = match key(head) {
            None => {
                let reason = "this is not a handshake of WebSocket, version 13";
                (Counter::BadUpgrade, Status::BadRequest, reason)
            }
            Some(_) if !self.is_listed(head) => {
                let reason = "pages of this origin are not served here";
                (Counter::ForbiddenOrigin, Status::Forbidden, reason)
            }
            Some(_) if is_late => {
                let reason = "this tracker takes no new connections";
                (Counter::Closing, Status::Unavailable, reason)
            }
            Some(key) => {
                self.upgrade = Some(Upgrade {
                    requester: Requester::new(client.ip),
                    key,
                });
                return Next::Upgrade;
            }
        };
        self.refuse_head(counter, status, reason, out)
    }

    /// Whether pages of the origin that a request names are served.
    fn is_listed(&mut self, head: &Head<'_, '_>) -> bool {
        let websockets = self.worker.rules().extension::<WebSockets>();
        websockets.is_some_and(|websockets| websockets.serves(field(head, "origin")))
    }
}

/// Returns the key of a handshake, if the request is one.
fn key(head: &Head<'_, '_>) -> Option<[u8; Upgrade::KEY_LEN]> {
    let is_handshake = head.method == Method::Get
        && !head.has_body
        && field(head, "sec-websocket-version") == Some(b"13");
    let key: [u8; Upgrade::KEY_LEN] = field(head, "sec-websocket-key")?.try_into().ok()?;
    let is_base64 = |octet: &u8| octet.is_ascii_alphanumeric() || b"+/=".contains(octet);
    (is_handshake && key.iter().all(is_base64)).then_some(key)
}

fn field<'a>(head: &Head<'a, '_>, name: &str) -> Option<&'a [u8]> {
    let mut fields = head.fields();
    let (_, value) = fields.find(|(field, _)| field.eq_ignore_ascii_case(name))?;
    Some(value.trim_ascii())
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::time::Instant;

    use opentracker_core::Rules;

    use super::*;
    use crate::fixture;

    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

    fn handshake(fields: &str) -> String {
        format!("GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{fields}\r\n")
    }

    /// Handles a request where pages of `https://good.example` are served alone, or without WebSocket.
    fn handle(request: &str, is_on: bool, ip: [u8; 4]) -> (Next, Option<Upgrade>, String) {
        #[expect(clippy::disallowed_methods, reason = "any instant will do")]
        let now = Instant::now();
        let mut handler = fixture::handler(now);
        if is_on {
            let rules = Rules::clone(&handler.worker().tracker().rules());
            let origins = vec!["https://good.example".to_owned()];
            let rules = rules.with_extension(WebSockets::new(origins));
            handler.worker().tracker().set_rules(rules);
        }
        let (source, mut out) = (Source::Socket(ip.into()), Vec::new());
        let handled = handler.handle(request.as_bytes(), source, now, false, &mut out);
        let out = String::from_utf8(out).unwrap();
        (handled.next, handler.take_upgrade(), out)
    }

    #[test]
    fn a_handshake_leads_to_an_upgrade() {
        let fields = format!(
            "Origin: https://good.example\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n"
        );
        let (next, upgrade, out) = handle(&handshake(&fields), true, [192, 0, 2, 1]);
        let upgrade = upgrade.unwrap();
        assert_eq!((next, upgrade.key(), &*out), (Next::Upgrade, KEY, ""));
        assert_eq!(upgrade.requester.ip, IpAddr::from([192, 0, 2, 1]));
        let fields = format!("{fields}X-Forwarded-For: 198.51.100.7\r\n");
        let (_, upgrade, _) = handle(&handshake(&fields), true, [10, 0, 0, 1]);
        assert_eq!(
            upgrade.unwrap().requester.ip,
            IpAddr::from([198, 51, 100, 7])
        );
        let (next, upgrade, _) = handle(&handshake(&fields), false, [192, 0, 2, 1]);
        assert_eq!((next, upgrade), (Next::HandOver, None), "it is off");
    }

    #[test]
    fn what_is_no_handshake_is_refused() {
        let good = format!("Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n");
        let origin = "Origin: https://good.example\r\n";
        for (request, status) in [
            (handshake(&good), 403),
            (
                handshake(&format!("{good}Origin: https://bad.example\r\n")),
                403,
            ),
            (
                handshake(&format!("{origin}Sec-WebSocket-Version: 13\r\n")),
                400,
            ),
            (
                handshake(&format!("{origin}{}", good.replace("13", "8"))),
                400,
            ),
            (
                handshake(&format!("{origin}{}", good.replace(KEY, "short"))),
                400,
            ),
            (
                handshake(&format!("{origin}{}Content-Length: 2\r\n", good)),
                400,
            ),
            (
                handshake(&format!("{origin}{good}")).replace("GET", "POST"),
                400,
            ),
            (
                handshake(&format!("{origin}{good}")).replace("1.1", "1.0"),
                503,
            ),
            (
                handshake(&format!("{origin}{good}Connection: close\r\n")),
                503,
            ),
        ] {
            let (next, upgrade, out) = handle(&request, true, [192, 0, 2, 1]);
            assert_eq!((next, upgrade), (Next::Linger, None), "{request}");
            assert!(
                out.starts_with(&format!("HTTP/1.1 {status} ")),
                "{request}{out}"
            );
        }
        let (next, _, out) = handle(&handshake(&format!("{origin}{good}")), true, [10, 0, 0, 1]);
        assert_eq!(next, Next::Linger);
        assert!(out.contains("the proxy does not say who asks"), "{out}");
    }
}
