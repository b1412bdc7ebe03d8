use opentracker_livesync_wire::{
    LiveRecord, LiveWriter, MAX_PACKET, Packet, ScrapeTell, ScrapeTellWriter,
};

/// Packets of the cluster protocol, of every dialect.
pub fn livesync_wire(datagram: &[u8]) {
    let packet = match Packet::decode(datagram) {
        Ok(packet) => packet,
        Err(error) => return assert!(error.offset() <= datagram.len(), "{error}"),
    };
    let sender = packet.sender();
    match packet {
        Packet::Beacon(beacon) => assert_eq!(beacon.encode(), *datagram),
        Packet::Inquire(inquire) => assert_eq!(inquire.encode(), *datagram),
        Packet::SyncLive(live) => tell_again(live.records(), LiveWriter::sync_live(sender)),
        Packet::SyncLive6(live) => tell_again(live.records(), LiveWriter::sync_live6(sender)),
        Packet::ScrapeTell(tell) => tell_counts_again(&tell),
    }
}

fn tell_again(records: impl Iterator<Item = LiveRecord> + Clone, mut writer: LiveWriter) {
    let mut rest = records.peekable();
    while rest.peek().is_some() {
        let mut written = Vec::new();
        while let Some(record) = rest.next_if(|_| !writer.is_full()) {
            writer.push(&record).unwrap();
            written.push(record);
        }
        let packet = writer.take();
        assert!(packet.as_bytes().len() <= MAX_PACKET);
        match Packet::decode(packet.as_bytes()) {
            Ok(Packet::SyncLive(live)) => assert!(live.records().eq(written)),
            Ok(Packet::SyncLive6(live)) => assert!(live.records().eq(written)),
            other => panic!("{other:?} was never written"),
        }
    }
}

fn tell_counts_again(tell: &ScrapeTell<'_>) {
    let mut writer = ScrapeTellWriter::new(tell.sender());
    for record in tell.records() {
        if writer.is_full() {
            writer.take();
        }
        writer.push(&record).unwrap();
        let packet = Packet::decode(writer.as_bytes());
        let Ok(Packet::ScrapeTell(told)) = packet else {
            panic!("{packet:?} was never written");
        };
        assert_eq!(told.records().last(), Some(record));
        assert!(writer.as_bytes().len() <= MAX_PACKET);
    }
}
