use crate::wire::{ACTION_ANNOUNCE, ACTION_CONNECT, ACTION_SCRAPE, RequestHead};
use crate::{
    AnnounceRequest, ConnectRequest, DecodeError, DecodeErrorKind, ScrapeRequest, TransactionId,
};

/// What a client sends to a tracker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request<'a> {
    /// Asks for a connection id.
    Connect(ConnectRequest),
    /// Announces a peer and asks for others.
    Announce(AnnounceRequest<'a>),
    /// Asks for the counts of swarms.
    Scrape(ScrapeRequest<'a>),
}

impl<'a> Request<'a> {
    /// Decodes any request by its action.
    ///
    /// # Errors
    ///
    /// Fails on an unknown action, and where the decoder of the packet fails.
    #[inline]
    pub fn decode(packet: &'a [u8]) -> Result<Self, DecodeError> {
        let (_, head) = RequestHead::decode(packet)?;
        match head.action {
            ACTION_CONNECT => ConnectRequest::decode(packet).map(Self::Connect),
            ACTION_ANNOUNCE => AnnounceRequest::decode(packet).map(Self::Announce),
            ACTION_SCRAPE => ScrapeRequest::decode(packet).map(Self::Scrape),
            _ => Err(
                DecodeError::new(DecodeErrorKind::UnknownAction, RequestHead::ACTION_OFFSET)
                    .with(head.transaction),
            ),
        }
    }

    /// Returns what the reply has to repeat.
    pub const fn transaction(&self) -> TransactionId {
        match self {
            Self::Connect(request) => request.transaction,
            Self::Announce(request) => request.transaction,
            Self::Scrape(request) => request.transaction(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(action: u32, body_octets: usize) -> Vec<u8> {
        let mut packet = ConnectRequest::MAGIC.to_be_bytes().to_vec();
        packet.extend_from_slice(&action.to_be_bytes());
        packet.extend_from_slice(b"tran");
        packet.resize(16 + body_octets, 0);
        packet
    }

    #[test]
    fn the_action_decides() {
        let transaction = TransactionId::new(*b"tran");
        let connect = packet(0, 0);
        let announce = packet(1, 82);
        let scrape = packet(2, 20);
        for (packet, is_expected) in [
            (
                &connect,
                (|request| matches!(request, Request::Connect(_))) as fn(Request<'_>) -> bool,
            ),
            (&announce, |request| matches!(request, Request::Announce(_))),
            (&scrape, |request| matches!(request, Request::Scrape(_))),
        ] {
            let request = Request::decode(packet).unwrap();
            assert!(is_expected(request), "{request:?}");
            assert_eq!(request.transaction(), transaction);
        }
    }

    #[test]
    fn unknown_actions() {
        for action in [3, 4, 0x0100_0000, u32::MAX] {
            let error = Request::decode(&packet(action, 100)).unwrap_err();
            assert_eq!(error.kind(), DecodeErrorKind::UnknownAction);
            assert_eq!(error.offset(), 8);
            assert_eq!(error.transaction(), Some(TransactionId::new(*b"tran")));
        }
    }

    #[test]
    fn without_a_head_there_is_no_transaction() {
        for len in 0..16 {
            let error = Request::decode(&packet(1, 82)[..len]).unwrap_err();
            assert_eq!(error.kind(), DecodeErrorKind::TooShort);
            assert_eq!(error.offset(), len);
            assert_eq!(error.transaction(), None);
        }
    }
}
