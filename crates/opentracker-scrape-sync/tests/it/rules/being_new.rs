use super::*;

#[test]
fn is_to_need_whoever_has_a_torrent() {
    for (ours, theirs, is_needed) in [(0, 0, false), (0, 1, true), (1000, 1, true)] {
        let (mut us, begin) = newcomer(ours);
        us.handle_beacon(&beacon_from(ALICE, theirs), begin);
        let inquiry = us.inquiry();
        assert_eq!(inquiry != Inquiry::NotNeeded, is_needed, "{ours}/{theirs}");
    }
}

#[test]
fn is_to_ask_the_one_with_the_most_torrents_as_ever() {
    let (mut us, begin) = newcomer(1000);
    us.handle_beacon(&beacon_from(ALICE, 900), begin);
    us.handle_beacon(&beacon_from(BOB, 1000), begin);
    us.handle_timeout(begin + 2 * INTERVAL);
    assert_eq!(outputs(&mut us), [our_inquire(BOB)]);
    us.handle_timeout(begin + 3 * INTERVAL);
    assert_eq!(outputs(&mut us), [our_inquire(BOB)], "not heard of a tell");
}

#[test]
fn ends_after_the_first_delay() {
    let (mut us, begin) = newcomer(1000);
    let end = begin + Settings::default().first_beacon_delay;
    let mut older = us.clone();
    older.handle_beacon(&beacon_from(ALICE, 1000), end);
    assert_eq!(older.inquiry(), Inquiry::NotNeeded);
    us.handle_beacon(&beacon_from(ALICE, 1000), end - MOMENT);
    assert_ne!(us.inquiry(), Inquiry::NotNeeded);
    // Nobody is left to ask when it has waited.
    us.handle_timeout(end + 2 * INTERVAL);
    assert!(!outputs(&mut us).contains(&our_inquire(ALICE)));
}

#[test]
fn ends_with_the_first_peer_that_is_told_and_not_with_counts() {
    let (mut us, begin) = newcomer(1000);
    us.handle_tell(ALICE, begin);
    us.handle_beacon(&beacon_from(ALICE, 1000), begin);
    assert_ne!(us.inquiry(), Inquiry::NotNeeded);
    us.handle_told_peers(ALICE, begin);
    assert_eq!(us.inquiry(), Inquiry::NotNeeded);
    us.handle_beacon(&beacon_from(ALICE, 1000), begin + 2 * INTERVAL);
    assert_eq!(us.inquiry(), Inquiry::NotNeeded);
}
