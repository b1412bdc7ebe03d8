//! Datagrams: a connect is answered properly, so that any client goes on, and everything else with
//! a fixed number of octets that begin like the reply to it.

use std::time::Duration;

use anyhow::{Result, ensure};
use opentracker_datagrams::{
    Batch, DATAGRAM_OCTETS, bind_udp, set_receive_buffer, set_send_buffer,
};
use opentracker_udp_wire::{AnnounceReply, ConnectReply, Request};
use opentracker_xdp::{PAYLOAD_OCTETS, stop};

use super::shared::{Until, listen, say};
use crate::args::ReflectArgs;
use crate::below;

/// How long to wait for a datagram before looking at the clock.
const RECEIVE_TIMEOUT: Duration = Duration::from_millis(100);

/// Octets of the socket's buffers, if the system grants them.
const BUFFER_OCTETS: usize = 8 << 20;

/// The id that everybody gets.
const CONNECTION: u64 = 0x6f70_656e_7472_6163;

pub(super) fn run(args: &ReflectArgs, until: &Until) -> Result<()> {
    let longest = DATAGRAM_OCTETS;
    ensure!(
        (AnnounceReply::WIRE_LEN..=longest).contains(&args.octets),
        "a reply has {} to {longest} octets",
        AnnounceReply::WIRE_LEN
    );
    if let Some(interface) = &args.xdp {
        return run_below(interface, args, until);
    }
    let socket = bind_udp(listen(args.listen))?.remove(0);
    set_receive_buffer(&socket, BUFFER_OCTETS)?;
    set_send_buffer(&socket, BUFFER_OCTETS)?;
    socket.set_read_timeout(Some(RECEIVE_TIMEOUT))?;
    say("udp", socket.local_addr()?)?;
    let mut batch = Batch::new(args.batch, args.octets);
    while !until.is_over() {
        for index in 0..batch.receive(&socket)? {
            if let Some((request, _, reply)) = batch.exchange(index)
                && let Some(octets) = answer(request, args.octets, reply)
            {
                batch.queue(index, octets);
            }
        }
        // What the system does not take is lost, as on any network.
        batch.send(&socket);
    }
    Ok(())
}

/// The same below the network stack.
fn run_below(interface: &str, args: &ReflectArgs, until: &Until) -> Result<()> {
    ensure!(
        args.octets <= PAYLOAD_OCTETS && args.listen.port() != 0,
        "below the network stack a reply has {PAYLOAD_OCTETS} octets at most, and the port is not 0"
    );
    let (_interface, mut queue, _) = below::open(interface, 0, std::iter::once(args.listen))?;
    let (_stopper, stop) = stop()?;
    say("udp", args.listen)?;
    while !until.is_over() {
        for index in 0..queue.receive(&stop, RECEIVE_TIMEOUT)? {
            if let Some((request, _, reply)) = queue.exchange(index)
                && let Some(octets) = answer(request, args.octets, reply)
            {
                queue.reply(index, octets);
            }
        }
        queue.send();
    }
    Ok(())
}

/// Writes the answer to a request, and returns its length; `None` if it is no request.
fn answer(request: &[u8], octets: usize, reply: &mut [u8]) -> Option<usize> {
    if let Ok(Request::Connect(request)) = Request::decode(request) {
        let answer = ConnectReply {
            transaction: request.transaction,
            connection: CONNECTION.into(),
        };
        return answer.encode(reply).ok();
    }
    // Action and transaction id. The octets behind them are the same in every reply.
    let head = request.get(8..16)?;
    reply[..8].copy_from_slice(head);
    reply[8..octets].fill(1);
    Some(octets)
}

#[cfg(test)]
mod tests {
    use opentracker_udp_wire::{ConnectRequest, Reply};

    use super::*;

    #[test]
    fn a_connect_is_answered_properly() {
        let mut request = [0; 16];
        let transaction = 7.into();
        ConnectRequest { transaction }.encode(&mut request).unwrap();
        let mut reply = [0; DATAGRAM_OCTETS];
        let octets = answer(&request, 146, &mut reply).unwrap();
        assert_eq!(octets, 16);
        let Ok(Reply::Connect(reply)) = Reply::decode(&reply[..octets]) else {
            panic!("{reply:?}");
        };
        assert_eq!(reply.transaction, transaction);
    }

    #[test]
    fn everything_else_gets_so_many_octets_that_look_like_its_reply() {
        let mut request = [0; 98];
        request[11] = 1;
        request[12..16].copy_from_slice(&[1, 2, 3, 4]);
        let mut reply = [0; DATAGRAM_OCTETS];
        assert_eq!(answer(&request, 146, &mut reply), Some(146));
        let Ok(Reply::Announce(reply)) = Reply::decode(&reply[..146]) else {
            panic!("{reply:?}");
        };
        assert_eq!(reply.transaction, 0x0102_0304.into());
        assert_eq!(reply.peers.len(), 21 * 6);
        assert_eq!(answer(&request[..15], 146, &mut [0; DATAGRAM_OCTETS]), None);
    }
}
