use crate::wire::{ACTION_ANNOUNCE, ACTION_CONNECT, ACTION_ERROR, ACTION_SCRAPE, ReplyHead};
use crate::{
    AnnounceReply, ConnectReply, DecodeError, DecodeErrorKind, ErrorReply, ScrapeReply,
    TransactionId,
};

/// What a tracker sends to a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply<'a> {
    /// Hands out a connection id.
    Connect(ConnectReply),
    /// Answers an announce.
    Announce(AnnounceReply<'a>),
    /// Answers a scrape.
    Scrape(ScrapeReply<'a>),
    /// Refuses a request.
    Error(ErrorReply<'a>),
}

impl<'a> Reply<'a> {
    /// Decodes any reply by its action.
    ///
    /// # Errors
    ///
    /// Fails on an unknown action, and where the decoder of the packet fails.
    #[inline]
    pub fn decode(packet: &'a [u8]) -> Result<Self, DecodeError> {
        let (_, head) = ReplyHead::decode(packet)?;
        match head.action {
            ACTION_CONNECT => ConnectReply::decode(packet).map(Self::Connect),
            ACTION_ANNOUNCE => AnnounceReply::decode(packet).map(Self::Announce),
            ACTION_SCRAPE => ScrapeReply::decode(packet).map(Self::Scrape),
            ACTION_ERROR => ErrorReply::decode(packet).map(Self::Error),
            _ => Err(DecodeError::new(DecodeErrorKind::UnknownAction, 0).with(head.transaction)),
        }
    }

    /// Returns what the request said.
    pub const fn transaction(&self) -> TransactionId {
        match self {
            Self::Connect(reply) => reply.transaction,
            Self::Announce(reply) => reply.transaction,
            Self::Scrape(reply) => reply.transaction(),
            Self::Error(reply) => reply.transaction,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(action: u32) -> [u8; 20] {
        let mut packet = [0; 20];
        packet[..4].copy_from_slice(&action.to_be_bytes());
        packet[4..8].copy_from_slice(b"tran");
        packet
    }

    #[test]
    fn the_action_decides() {
        type Expectation = fn(Reply<'_>) -> bool;
        let expectations: [Expectation; 4] = [
            |reply| matches!(reply, Reply::Connect(_)),
            |reply| matches!(reply, Reply::Announce(_)),
            |reply| matches!(reply, Reply::Scrape(_)),
            |reply| matches!(reply, Reply::Error(_)),
        ];
        for (action, is_expected) in (0..).zip(expectations) {
            let packet = packet(action);
            let reply = Reply::decode(&packet).unwrap();
            assert!(is_expected(reply), "{reply:?}");
            assert_eq!(reply.transaction(), TransactionId::new(*b"tran"));
        }
    }

    #[test]
    fn unknown_actions() {
        for action in [4, 0x0100_0001, u32::MAX] {
            let error = Reply::decode(&packet(action)).unwrap_err();
            assert_eq!(error.kind(), DecodeErrorKind::UnknownAction);
            assert_eq!(error.offset(), 0);
            assert_eq!(error.transaction(), Some(TransactionId::new(*b"tran")));
        }
        assert_eq!(
            Reply::decode(&packet(1)[..7]).unwrap_err().kind(),
            DecodeErrorKind::TooShort
        );
    }
}
