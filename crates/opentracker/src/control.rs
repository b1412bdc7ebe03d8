//! What the operator has done through the admin API.

use std::io;
use std::time::{Instant, SystemTime};

use opentracker_admin::{Control, ControlError};
use opentracker_api as api;
use opentracker_core::{SwarmEvent, SwarmEventKind};
use opentracker_net::udp::xdp::ServedInterface;
use opentracker_types::InfoHash;

use crate::blocks::{Block, BlockError};
use crate::certificates::Https;
use crate::reload::Reloaded;
use crate::snapshot::{SnapshotCounter, SnapshotNowError};
use crate::tracker::Tracker;

impl Control for Tracker {
    fn listeners(&self) -> Vec<api::ListenerStatus> {
        let listeners = self.listeners().iter();
        listeners
            .map(|listener| api::ListenerStatus {
                protocol: listener.protocol.to_owned(),
                address: listener.address.to_string(),
                proxy_protocol: listener.proxy_protocol,
                is_passed: listener.is_passed,
            })
            .collect()
    }

    fn xdp(&self) -> Vec<api::XdpStatus> {
        let status = |served: ServedInterface| api::XdpStatus {
            interface: served.name,
            queues: served.queues.try_into().unwrap_or(u32::MAX),
            mode: served.mode.to_string(),
        };
        self.xdp().into_iter().map(status).collect()
    }

    fn certificates(&self) -> Vec<api::CertificateStatus> {
        let ends = self.https().map(Https::ends).unwrap_or_default();
        let status = |(name, end): (String, SystemTime)| api::CertificateStatus {
            name,
            expires_in_secs: end
                .duration_since(SystemTime::now())
                .unwrap_or_default()
                .as_secs(),
        };
        ends.into_iter().map(status).collect()
    }

    fn snapshot_status(&self) -> Option<api::SnapshotStatus> {
        if self.config().snapshot.path.as_os_str().is_empty() {
            return None;
        }
        let status = self.snapshots();
        let latest = status.latest();
        let age = |at| SystemTime::now().duration_since(at).unwrap_or_default();
        Some(api::SnapshotStatus {
            age_secs: latest.map(|latest| age(latest.created).as_secs()),
            octets: latest.map(|latest| latest.octets),
            failures: self.core().counters().sum(SnapshotCounter::Failed),
        })
    }

    fn reload_status(&self) -> Option<api::ReloadStatus> {
        let (at, succeeded) = self.reloads().latest()?;
        Some(api::ReloadStatus {
            age_secs: at.elapsed().unwrap_or_default().as_secs(),
            succeeded,
        })
    }

    fn config(&self) -> serde_json::Value {
        let table: Result<toml::Table, _> = toml::from_str(&self.config().effective_toml());
        let table = table.expect("it was written as TOML just now");
        serde_json::to_value(table).expect("TOML has nothing that JSON has not")
    }

    fn reload(&self) -> Result<api::Reloaded, ControlError> {
        Ok(self.reload_all()?.answer())
    }

    fn snapshot(&self) -> Result<api::SnapshotWritten, ControlError> {
        let written = self.snapshot_now().map_err(|error| match error {
            SnapshotNowError::Off => ControlError::Unavailable("snapshot.path is empty".to_owned()),
            SnapshotNowError::Stopping => ControlError::NotNow,
            SnapshotNowError::Failed(cause) => failed(&cause),
        })?;
        Ok(api::SnapshotWritten {
            path: self.config().snapshot.path.display().to_string(),
            octets: written.octets,
            torrents: written.torrents,
            peers: written.peers,
        })
    }

    fn block(&self, info_hash: InfoHash, note: &str) -> Result<api::Blocked, ControlError> {
        let mut removed = None;
        let (block, kept) = self.blocks().add(info_hash, note, |list| {
            self.lists().set_blocked(list);
            removed = self.core().remove(&info_hash, Instant::now());
        });
        kept.map_err(|error| not_kept(&error))?;
        tell(self, SwarmEventKind::Blocked, info_hash);
        let peers = removed.map_or(0, |counts| {
            u64::from(counts.seeders) + u64::from(counts.leechers)
        });
        tracing::info!("{info_hash} is blocked, {peers} peers purged");
        Ok(api::Blocked {
            block: block_of(info_hash, block),
            purged: api::Purged {
                torrents: removed.is_some().into(),
                peers,
            },
            lasts: lasts(self),
        })
    }

    fn unblock(&self, info_hash: InfoHash) -> Result<api::Unblocked, ControlError> {
        let unblock = |list| self.lists().set_blocked(list);
        let (was_blocked, kept) = self.blocks().remove(info_hash, unblock);
        kept.map_err(|error| not_kept(&error))?;
        if was_blocked {
            tell(self, SwarmEventKind::Unblocked, info_hash);
            tracing::info!("{info_hash} is not blocked any more");
        }
        let verdict = self.core().rules().lists.verdict(&info_hash);
        Ok(api::Unblocked {
            info_hash: info_hash.to_string(),
            was_blocked,
            verdict: opentracker_admin::verdict_of(verdict),
            lasts: lasts(self),
        })
    }

    fn blocks(&self, after: Option<InfoHash>, most: usize) -> Vec<api::Block> {
        let blocks = self.blocks().after(after, most).into_iter();
        blocks
            .map(|(info_hash, block)| block_of(info_hash, block))
            .collect()
    }
}

impl Reloaded {
    /// What the API says of it.
    fn answer(&self) -> api::Reloaded {
        let names = |keys: &[&str]| keys.iter().map(|&key| key.to_owned()).collect();
        let entries = |entries: Option<usize>| entries.map(|entries| entries as u64);
        let lists = self.lists.lists.iter().map(|list| api::ListChange {
            key: list.key.path().to_owned(),
            before: entries(list.before),
            after: entries(list.after),
        });
        api::Reloaded {
            changed: names(&self.changed),
            need_restart: names(&self.need_restart),
            lists: lists.collect(),
            purged: api::Purged {
                torrents: self.lists.swarms.torrents,
                peers: self.lists.swarms.peers + self.lists.peers,
            },
            faults: self.faults.clone(),
        }
    }
}

fn block_of(info_hash: InfoHash, block: Block) -> api::Block {
    api::Block {
        info_hash: info_hash.to_string(),
        note: block.note,
        time_ms: u64::try_from(block.time.as_millis()).unwrap_or(u64::MAX),
    }
}

fn tell(tracker: &Tracker, kind: SwarmEventKind, info_hash: InfoHash) {
    let event = SwarmEvent::new(kind, info_hash, Instant::now());
    tracker.core().publish(&event);
}

fn lasts(tracker: &Tracker) -> api::Lasts {
    match tracker.blocks().are_kept() {
        true => api::Lasts::Always,
        false => api::Lasts::UntilRestart,
    }
}

fn not_kept(error: &BlockError) -> ControlError {
    match error {
        BlockError::Full => ControlError::Full(error.to_string()),
        BlockError::NotKept { .. } => ControlError::Failed(error.to_string()),
    }
}

fn failed(error: &io::Error) -> ControlError {
    ControlError::Failed(error.to_string())
}
