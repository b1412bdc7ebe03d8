use opentracker_proxy_wire::{Header, HeaderV1, HeaderV2, SimpleHeader, Transport};

/// The longest beginning of an input that is cut at each of its octets.
const MAX_CUT: usize = 300;

/// Headers in which proxies name clients, before a connection and before a datagram.
pub fn proxy_wire(octets: &[u8]) {
    let mut buffer = [0; 256];
    if let Ok(Some((header, length))) = HeaderV1::decode(octets) {
        assert!(length <= octets.len().min(HeaderV1::MAX_WIRE_LEN));
        let written = header.encode(&mut buffer).unwrap();
        let again = HeaderV1::decode(&buffer[..written]);
        assert_eq!(again, Ok(Some((header, written))));
        assert!(header.encode(&mut buffer[..written - 1]).is_err());
    }
    if let Ok(Some((header, length))) = HeaderV2::decode(octets) {
        assert!(length <= octets.len().min(HeaderV2::MAX_WIRE_LEN));
        for transport in [Transport::Stream, Transport::Datagram] {
            let written = header.encode(transport, &mut buffer).unwrap();
            let again = HeaderV2::decode(&buffer[..written]);
            assert_eq!(again, Ok(Some((header, written))));
            assert!(
                header
                    .encode(transport, &mut buffer[..written - 1])
                    .is_err()
            );
        }
    }
    if let Ok(header) = SimpleHeader::decode(octets) {
        assert_eq!(header.encode(&mut buffer), Ok(SimpleHeader::WIRE_LEN));
        assert_eq!(SimpleHeader::decode(&buffer), Ok(header));
    }
    if let Ok(header) = Header::of_datagram(octets) {
        assert!(header.octets <= octets.len(), "{header:?}");
    }
    whatever_follows_changes_nothing(octets);
}

/// Once a header is there, or is none, the octets that follow have no say in it.
fn whatever_follows_changes_nothing(octets: &[u8]) {
    let whole = Header::of_stream(octets);
    for cut in 0..octets.len().min(MAX_CUT) {
        let so_far = Header::of_stream(&octets[..cut]);
        if so_far != Ok(None) {
            assert_eq!(so_far, whole, "after {cut} octets");
        }
    }
    match whole {
        Ok(None) => assert!(octets.len() < HeaderV2::MAX_WIRE_LEN),
        Ok(Some(header)) => {
            let alone = Header::of_stream(&octets[..header.octets]);
            assert_eq!(alone, Ok(Some(header)));
            assert_eq!(Header::of_stream(&octets[..header.octets - 1]), Ok(None));
        }
        Err(_none) => {}
    }
}
