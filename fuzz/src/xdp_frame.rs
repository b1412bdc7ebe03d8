use opentracker_xdp::Packet;

/// Frames of an interface that is served below the network stack.
pub fn xdp_frame(octets: &[u8]) {
    let Some(packet) = Packet::parse(octets) else {
        return;
    };
    assert!(octets.get(packet.payload.clone()).is_some(), "{packet:?}");
    assert_eq!(packet.source.is_ipv4(), packet.destination.is_ipv4());
    // Short frames are filled up, with whatever.
    let filled = [octets, &[0x55; 18]].concat();
    assert_eq!(Packet::parse(&filled), Some(packet));
}
