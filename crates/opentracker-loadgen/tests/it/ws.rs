use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};
use tungstenite::protocol::Role;
use tungstenite::{Message, WebSocket};

use crate::program::report;

const SHORT: &str = "--warmup 0s --duration 1s --timeout 30s --torrents 10 --peers 100";

/// Starts a tracker that sends an offer with each reply, and says which messages it was sent.
fn start(tls: Option<Arc<ServerConfig>>) -> (SocketAddr, Receiver<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, messages) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (sender, stream) = (sender.clone(), stream.unwrap());
            let tls = tls.clone().map(|tls| ServerConnection::new(tls).unwrap());
            std::thread::spawn(move || match tls {
                Some(tls) => serve(StreamOwned::new(tls, stream), &sender),
                None => serve(stream, &sender),
            });
        }
    });
    (address, messages)
}

/// Serves a connection until it ends; the first one, which only tries, has no handshake.
fn serve(mut stream: impl Read + Write, sender: &Sender<Value>) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut octet = [0];
        stream.read_exact(&mut octet).ok()?;
        head.push(octet[0]);
    }
    assert!(head.starts_with(b"GET /there HTTP/1.1\r\n"));
    stream.write_all(b"HTTP/1.1 101 Yes\r\n\r\n").ok()?;
    let mut socket = WebSocket::from_raw_socket(stream, Role::Server, None);
    loop {
        let Message::Text(text) = socket.read().ok()? else {
            continue;
        };
        let message: Value = serde_json::from_str(&text).unwrap();
        let is_answer = message["answer"].is_object();
        let info_hash = message["info_hash"].clone();
        sender.send(message).ok()?;
        if !is_answer {
            let offer = json!({
                "action": "announce", "info_hash": info_hash, "offer": { "sdp": "x" },
                "offer_id": "\u{0}\"", "peer_id": "\u{ff}",
            });
            socket.send(Message::text(offer.to_string())).ok()?;
            let reply = json!({ "action": "announce", "info_hash": info_hash, "interval": 1 });
            socket.send(Message::text(reply.to_string())).ok()?;
        }
    }
}

#[test]
fn browsers_announce_and_answer_offers() {
    let (target, messages) = start(None);
    let line = format!("ws {target} --connections 5 --offers 3 --path /there {SHORT}");
    let report = report("ws", &line);
    assert!(
        report["answered"]["announce"].as_u64().unwrap() > 5,
        "{report}"
    );
    assert_eq!(report["lost"], 0, "{report}");
    assert_eq!(report["connections"]["opened"], 5, "{report}");
    assert_eq!(report["connections"]["broken"], 0, "{report}");
    let messages: Vec<_> = messages.try_iter().collect();
    let offering = messages.iter().find(|message| message["offers"].is_array());
    let offering = offering.unwrap();
    assert_eq!(offering["offers"].as_array().unwrap().len(), 3);
    assert_eq!(offering["peer_id"].as_str().unwrap().chars().count(), 20);
    let answer = messages
        .iter()
        .find(|message| message["answer"].is_object());
    let answer = answer.expect("offers are answered");
    assert_eq!(
        (&answer["offer_id"], &answer["to_peer_id"]),
        (&json!("\u{0}\""), &json!("\u{ff}"))
    );
}

#[test]
fn browsers_announce_over_tls() {
    let pair = [
        include_str!("../../../opentracker-lab/src/tls/tracker.pem"),
        include_str!("../../../opentracker-lab/src/tls/tracker.key"),
    ];
    let certificate = CertificateDer::from_pem_slice(pair[0].as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(pair[1].as_bytes()).unwrap();
    let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let config = builder.with_no_client_auth();
    let config = config.with_single_cert(vec![certificate], key).unwrap();
    let (target, _messages) = start(Some(Arc::new(config)));
    for (name, options) in [("wss", "--offers 3"), ("wss-held", "--hold")] {
        let line = format!("ws {target} --tls --connections 5 {options} --path /there {SHORT}");
        let report = report(name, &line);
        assert!(
            report["answered"]["announce"].as_u64().unwrap() > 0,
            "{report}"
        );
        assert_eq!(report["connections"]["opened"], 5, "{report}");
        assert_eq!(report["connections"]["broken"], 0, "{report}");
        assert_eq!(report["lost"], 0, "{report}");
    }
}

#[test]
fn connections_that_are_held_announce_once() {
    let (target, messages) = start(None);
    let line = format!("ws {target} --connections 5 --hold --path /there {SHORT}");
    let report = report("ws-held", &line);
    let messages: Vec<_> = messages.try_iter().collect();
    let announces = messages
        .iter()
        .filter(|message| message["offers"].is_array());
    assert!((1..=5).contains(&announces.count()), "one each: {report}");
}
