use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha1::{Digest, Sha1};

/// What RFC 6455 appends to the client's key.
const SUFFIX: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Returns the response that turns an HTTP connection into one of WebSocket (RFC 6455, section 4.2.2),
/// for the value of the field `Sec-WebSocket-Key` in the request.
pub fn handshake_response(key: &str) -> String {
    let digest = Sha1::new()
        .chain_update(key)
        .chain_update(SUFFIX)
        .finalize();
    let accept = BASE64_STANDARD.encode(digest);
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_the_rfc_gets_its_accept() {
        // The example of RFC 6455, section 1.3.
        let response = handshake_response("dGhlIHNhbXBsZSBub25jZQ==");
        assert!(response.contains("\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
    }
}
