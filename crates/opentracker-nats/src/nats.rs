use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use bytes::Bytes;
use opentracker_livesync::{Carrier, Class, Kind, Status};

use crate::shared::MAX_WAITING;
use crate::{Link, NatsConfig, StartError, Subject};

/// A subject of NATS, to which packets are published and from which those of all others come.
///
/// It belongs to the tokio runtime in which it was started. Dropping it ends the connection.
#[derive(Debug)]
pub struct Nats {
    link: Link,
    subject: Subject,
}

impl Nats {
    /// Begins to connect, as [`Link::start`] does.
    ///
    /// # Errors
    ///
    /// Fails where [`NatsConfig::check`] does.
    pub fn start(config: NatsConfig) -> Result<Self, StartError> {
        let subject = config.subject.clone();
        let link = Link::start(config, vec![subject.clone()], MAX_WAITING)?;
        Ok(Self { link, subject })
    }
}

impl Carrier for Nats {
    fn kind(&self) -> Kind {
        Kind::Nats
    }

    fn send(&mut self, packet: &Bytes, class: Class) {
        self.link.send(&self.subject, packet.clone(), class);
    }

    fn poll_recv(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<(usize, Option<SocketAddr>)>> {
        self.link.poll_recv(cx).map(|packet| {
            let octets = packet.len().min(buffer.len());
            buffer[..octets].copy_from_slice(&packet[..octets]);
            Ok((octets, None))
        })
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.link.poll_close(cx)
    }

    fn status(&self) -> Status {
        self.link.status()
    }
}
