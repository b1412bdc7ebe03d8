use opentracker_http_wire::{AnnounceQuery, QueryPairs, ScrapeQuery};

/// Queries of announces and scrapes.
pub fn http_query(query: &[u8]) {
    let mut encoded = Vec::new();
    match AnnounceQuery::decode(query) {
        Ok(announce) => {
            assert_ne!(announce.announce.port, 0);
            announce.encode(&mut encoded);
            assert_eq!(AnnounceQuery::decode(&encoded), Ok(announce));
        }
        Err(error) => assert!(error.offset() <= query.len(), "{error}"),
    }
    encoded.clear();
    match ScrapeQuery::decode(query) {
        Ok(scrape) => {
            assert!(scrape.info_hashes().is_sorted_by(|a, b| a < b));
            scrape.encode(&mut encoded);
            assert_eq!(ScrapeQuery::decode(&encoded), Ok(scrape));
        }
        Err(error) => assert!(error.offset() <= query.len(), "{error}"),
    }
    let named = QueryPairs::new(query).map(|(name, value)| name.len() + value.len());
    assert!(named.sum::<usize>() <= query.len());
}
