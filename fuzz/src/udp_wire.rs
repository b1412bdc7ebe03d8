use opentracker_udp_wire::{
    AnnounceOption, AnnounceOptions, EncodeError, ErrorReply, Reply, Request,
};

/// Packets of the UDP protocol, of either direction.
pub fn udp_wire(octets: &[u8]) {
    match Request::decode(octets) {
        Ok(request) => {
            let encoded = encoded(octets, |buffer| match &request {
                Request::Connect(connect) => connect.encode(buffer),
                Request::Announce(announce) => announce.encode(buffer),
                Request::Scrape(scrape) => scrape.encode(buffer),
            });
            assert_eq!(Request::decode(&encoded), Ok(request));
            if let Request::Announce(announce) = request {
                let found: usize = announce.options.iter().map(len).sum();
                assert!(found <= octets.len(), "{:?}", announce.options);
            }
        }
        Err(error) => assert!(error.offset() <= octets.len(), "{error}"),
    }
    match Reply::decode(octets) {
        Ok(reply) => {
            let encoded = encoded(octets, |buffer| match &reply {
                Reply::Connect(connect) => connect.encode(buffer),
                Reply::Announce(announce) => announce.encode(buffer),
                Reply::Scrape(scrape) => scrape.encode(buffer),
                // Cut to what there is room for, so it needs no more than its head.
                Reply::Error(error) => whole(error, buffer),
            });
            assert_eq!(Reply::decode(&encoded), Ok(reply));
            if let Reply::Announce(announce) = reply {
                assert_eq!(announce.peers_v4().len(), announce.peers.len() / 6);
                assert_eq!(announce.peers_v6().count(), announce.peers.len() / 18);
            }
        }
        Err(error) => assert!(error.offset() <= octets.len(), "{error}"),
    }
    let mut buffer = vec![0; 2 * octets.len() + 2];
    let options = AnnounceOptions::from_url_data(octets, &mut buffer).unwrap();
    let said = options.iter().flat_map(|option| match option {
        AnnounceOption::UrlData(url_data) => url_data,
        other => panic!("{other:?} was never written"),
    });
    assert!(said.eq(octets));
}

/// Encodes what was decoded of `octets` and needs no more room than they do, and finds that less
/// room is refused.
fn encoded(octets: &[u8], encode: impl Fn(&mut [u8]) -> Result<usize, EncodeError>) -> Vec<u8> {
    let mut buffer = octets.to_vec();
    let written = encode(&mut buffer).unwrap();
    buffer.truncate(written);
    assert_eq!(encode(&mut buffer.clone()), Ok(written));
    assert!(encode(&mut buffer.clone()[..written - 1]).is_err());
    buffer
}

fn whole(error: &ErrorReply<'_>, buffer: &mut [u8]) -> Result<usize, EncodeError> {
    let written = error.encode(buffer)?;
    let needed_octets = ErrorReply::WIRE_LEN + error.message.len();
    if written < needed_octets {
        let available_octets = buffer.len();
        return Err(EncodeError::BufferTooSmall {
            needed_octets,
            available_octets,
        });
    }
    Ok(written)
}

fn len(option: AnnounceOption<'_>) -> usize {
    match option {
        AnnounceOption::UrlData(data) | AnnounceOption::Unknown { data, .. } => data.len(),
        _ => 0,
    }
}
