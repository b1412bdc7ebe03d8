use opentracker_livesync_wire::{DecodeError, DecodeErrorKind};

opentracker_core::counters! {
    /// What happens to the packets of the cluster, and to their records.
    pub enum Counter {
        "opentracker_livesync_packets_total" packets "Packets of the cluster, by direction." ["direction"] {
            /// Packets received from networks that packets are taken from.
            Received ["in"],
            /// Packets sent.
            Sent ["out"],
        }
        "opentracker_livesync_records_total" records "Records of the cluster's packets, by kind and direction." ["kind", "direction"] {
            /// Announces of siblings that were applied.
            AnnouncesApplied ["announce", "in"],
            /// Announces that were told to the cluster.
            AnnouncesTold ["announce", "out"],
            /// Peers with an age, of tells of siblings, that were applied.
            PeersApplied ["peer", "in"],
            /// Peers that were told because a sibling inquired.
            PeersTold ["peer", "out"],
            /// Download counts of siblings that were applied.
            DownloadsApplied ["downloads", "in"],
            /// Download counts that were told to the cluster.
            DownloadsTold ["downloads", "out"],
        }
        "opentracker_livesync_dropped_packets_total" packets "Packets of the cluster that were not taken or not sent, by reason." ["reason"] {
            /// Packets from addresses that packets are not taken from.
            Stranger ["stranger"],
            /// Packets shorter than their header.
            Header ["header"],
            /// Packets of an unknown type.
            UnknownType ["type"],
            /// Packets of a length that their type cannot have.
            Length ["length"],
            /// Packets without a whole record where there must be one.
            NoRecord ["no_record"],
            /// Packets whose seal fits no key, and packets without one.
            Seal ["seal"],
            /// Sealed packets that are too old, or of a clock that is wrong.
            Time ["time"],
            /// Sealed packets that were taken already.
            Duplicate ["duplicate"],
            /// Sealed packets with a number so far behind that nobody knows whether they were taken.
            Behind ["behind"],
            /// Packets without a seal, from where they may come, that are no announces.
            UnsealedType ["unsealed_type"],
            /// Our own packets, which the network has sent back.
            Own ["own"],
            /// Packets of another instance that has our id.
            IdClash ["id_clash"],
            /// Packets of new senders while the roster is full.
            RosterFull ["roster"],
            /// Packets beyond what one sender may send in a second.
            Rate ["rate"],
            /// Packets of ours that others had to give way to before they were sent.
            QueueFull ["queue"],
            /// Packets that came, and of which too many waited already.
            Backlog ["backlog"],
            /// Packets that the system did not take.
            SendFailed ["send"],
        }
        "opentracker_livesync_dropped_records_total" records "Records of the cluster's packets that were not applied or not told, by reason." ["reason"] {
            /// Records of torrents that are not served here.
            NotServed ["access"],
            /// Announces of addresses that cannot be a peer's.
            ImpossibleAddress ["address"],
            /// Download counts beyond what can be.
            ImpossibleCount ["count"],
            /// Records of new torrents or peers for which a limit leaves no room.
            NoRoom ["limit"],
            /// Announces with an age in packets without a seal, in a cluster that seals.
            UnsealedAge ["unsealed_age"],
            /// Told peers that are known here of an announce as late.
            PeerKnown ["known"],
            /// Told peers that have timed out.
            PeerTimedOut ["age"],
            /// Told peers that go away, which only one that has just announced can.
            PeerStopped ["stopped"],
            /// Announces that the dialect has no packet for.
            Unspoken ["dialect"],
        }
    }
}

impl Counter {
    /// Returns what counts a datagram that is no packet.
    pub(crate) const fn of(error: &DecodeError) -> Self {
        match error.kind() {
            DecodeErrorKind::Header => Self::Header,
            DecodeErrorKind::UnknownType => Self::UnknownType,
            DecodeErrorKind::NoRecord => Self::NoRecord,
            _ => Self::Length,
        }
    }
}
