//! What a batch of datagrams saves: 64 requests and their replies over loopback, by the batch and
//! one by one.

use std::hint::black_box;
use std::net::UdpSocket;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use opentracker_datagrams::{Batch, DATAGRAM_OCTETS, MAX_BATCH, ReceiveBatch, SendBatch};

/// Octets of an announce, and of the reply with 21 peers.
const REQUEST_OCTETS: usize = 98;
const REPLY_OCTETS: usize = 146;

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback is there");
    let patience = Some(Duration::from_secs(5));
    socket.set_read_timeout(patience).expect("a valid timeout");
    socket
}

fn round_trip(criterion: &mut Criterion) {
    let (server, client) = (socket(), socket());
    let target = server.local_addr().expect("it is bound");
    let mut group = criterion.benchmark_group("round trip of 64");
    group.throughput(Throughput::Elements(MAX_BATCH as u64));

    for max_train in [1, 8] {
        let mut requests = SendBatch::new(max_train);
        let mut batch = Batch::new(MAX_BATCH, REPLY_OCTETS);
        let mut replies = ReceiveBatch::new(MAX_BATCH);
        group.bench_function(format!("batch, trains of {max_train}"), |bencher| {
            bencher.iter(|| {
                while !requests.is_full() {
                    requests.push(REQUEST_OCTETS, target, None);
                }
                assert_eq!(requests.send(&client).failed, 0);
                let mut answered = 0;
                while answered < MAX_BATCH {
                    for index in 0..batch.receive(&server).expect("a live socket") {
                        black_box(batch.request(index));
                        batch.queue(index, REPLY_OCTETS);
                    }
                    answered += batch.send(&server).sent;
                }
                let mut received = 0;
                while received < MAX_BATCH {
                    received += replies.receive(&client).expect("a live socket");
                }
            });
        });
    }

    group.bench_function("one by one", |bencher| {
        let mut buffer = [0; DATAGRAM_OCTETS];
        bencher.iter(|| {
            for _ in 0..MAX_BATCH {
                let sent = client.send_to(&buffer[..REQUEST_OCTETS], target);
                sent.expect("a live socket");
            }
            for _ in 0..MAX_BATCH {
                let (_, source) = server.recv_from(&mut buffer).expect("a live socket");
                let sent = server.send_to(&buffer[..REPLY_OCTETS], source);
                sent.expect("a live socket");
            }
            for _ in 0..MAX_BATCH {
                client.recv_from(&mut buffer).expect("a live socket");
            }
        });
    });
    group.finish();
}

criterion_group!(benches, round_trip);
criterion_main!(benches);
