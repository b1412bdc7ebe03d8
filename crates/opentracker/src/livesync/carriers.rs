use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::PathBuf;

use opentracker_livesync::{Carrier, Kind, Kinds, Status};
use opentracker_multicast::{Group, GroupConfig, JoinError};
use opentracker_nats::{Nats, NatsConfig};
use opentracker_net::BindError;
use opentracker_net::unicast::{self, Unicast};

use super::group::GroupCarrier;
use crate::config::Config;

/// Why live sync cannot begin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LiveSyncError {
    /// The multicast group cannot be joined.
    #[error("livesync.listen")]
    Group(#[source] JoinError),
    /// The address that unicast listens on cannot be bound.
    #[error("livesync.unicast.listen")]
    Unicast(#[source] BindError),
    /// No connection to NATS could be made, whatever its servers do.
    #[error("livesync.nats")]
    Nats(#[source] opentracker_nats::StartError),
    /// The thread of live sync cannot run.
    #[error("cannot start the thread of live sync")]
    Thread(#[source] io::Error),
}

/// The carriers that the configuration wants.
#[derive(Debug)]
pub(super) struct Plan {
    group: Option<GroupConfig>,
    unicast: Option<unicast::Config>,
    nats: Option<NatsConfig>,
}

/// The ways to the other instances. Of the group more has to be known.
#[derive(Debug)]
pub(super) struct Carriers {
    pub(super) group: Option<GroupCarrier>,
    /// Where our own packets come from on the group.
    pub(super) interface: Option<Ipv4Addr>,
    others: Vec<Box<dyn Carrier>>,
}

/// Sums over all carriers.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counted {
    pub(super) strangers: u64,
    pub(super) send_errors: u64,
    pub(super) dropped: u64,
    pub(super) backlog: u64,
}

/// Returns which NATS the configuration wants, if any.
pub(crate) fn nats(config: &Config) -> Option<NatsConfig> {
    let nats = &config.nats;
    let file = |path: &PathBuf| Some(path.clone()).filter(|path| !path.as_os_str().is_empty());
    (!nats.servers.is_empty()).then(|| NatsConfig {
        servers: nats.servers.clone(),
        subject: nats.subject.clone(),
        credentials: file(&nats.credentials),
        ca: file(&nats.ca),
    })
}

impl Plan {
    pub(super) fn of(config: &Config) -> Self {
        let livesync = &config.livesync;
        let group = livesync.listen.map(|listen| GroupConfig {
            ttl: livesync.ttl,
            sources: livesync.nodes.clone(),
            ..GroupConfig::new(
                SocketAddrV4::new(livesync.group, listen.port()),
                *listen.ip(),
            )
        });
        let unicast = config.unicast.listen.map(|listen| unicast::Config {
            listen,
            peers: config.unicast.peers.clone(),
        });
        Self {
            group,
            unicast,
            nats: nats(config),
        }
    }

    pub(super) fn kinds(&self) -> Kinds {
        let wanted = [
            (self.group.is_some(), Kind::Group),
            (self.unicast.is_some(), Kind::Unicast),
            (self.nats.is_some(), Kind::Nats),
        ];
        let wanted = wanted.into_iter().filter(|(is_wanted, _)| *is_wanted);
        wanted.fold(Kinds::NONE, |kinds, (_, kind)| kinds.with(kind))
    }

    /// Opens them. To be called within a tokio runtime that has I/O and time.
    pub(super) fn open(self) -> Result<Carriers, LiveSyncError> {
        let interface = self.group.as_ref().map(|group| group.interface);
        let group = self
            .group
            .map(|group| Group::join(group).map_err(LiveSyncError::Group))
            .transpose()?;
        let mut others: Vec<Box<dyn Carrier>> = Vec::new();
        if let Some(unicast) = self.unicast {
            let unicast = Unicast::bind(unicast).map_err(LiveSyncError::Unicast)?;
            others.push(Box::new(unicast));
        }
        if let Some(nats) = self.nats {
            others.push(Box::new(Nats::start(nats).map_err(LiveSyncError::Nats)?));
        }
        Ok(Carriers {
            group: group.map(GroupCarrier::new),
            interface,
            others,
        })
    }
}

impl Carriers {
    pub(super) fn iter(&self) -> impl Iterator<Item = &dyn Carrier> {
        let group = self.group.iter().map(|group| group as &dyn Carrier);
        group.chain(self.others.iter().map(|carrier| &**carrier))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut dyn Carrier> {
        let group = self.group.iter_mut().map(|group| group as &mut dyn Carrier);
        group.chain(self.others.iter_mut().map(|carrier| &mut **carrier as _))
    }

    /// Adds up what they have counted.
    pub(super) fn counted(&self, carriers: &[(Kind, Status)]) -> Counted {
        let sum = |number: fn(&Status) -> u64| {
            let numbers = carriers.iter().map(|(_, status)| number(status));
            numbers.sum()
        };
        Counted {
            strangers: self.group.as_ref().map_or(0, GroupCarrier::strangers),
            send_errors: sum(|status| status.send_errors),
            dropped: sum(|status| status.dropped + status.dropped_tells),
            backlog: sum(|status| status.backlog),
        }
    }
}
