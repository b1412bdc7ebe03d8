use super::*;

#[test]
fn ends_three_needs_and_no_more() {
    let (mut us, now) = told_in_vain();
    us.handle_tell(BOB, now + MOMENT);
    us.handle_timeout(now + 2 * INTERVAL);
    assert_eq!(outputs(&mut us), [our_inquire(ALICE)]);
    us.handle_tell(BOB, now + 2 * INTERVAL);
    assert_ne!(us.inquiry(), Inquiry::NotNeeded);
    us.handle_tell(ALICE, now + 2 * INTERVAL);
    assert_eq!(us.inquiry(), Inquiry::NotNeeded, "hers still end one");
}

#[test]
fn does_not_clear_the_name_of_who_never_answers() {
    let (mut us, mut now) = told_in_vain();
    us.handle_beacon(&beacon_from(BOB, 900), now);
    now += 2 * INTERVAL;
    us.handle_timeout(now);
    assert_eq!(outputs(&mut us), [our_inquire(BOB)]);
    for _ in 0..MAX_INQUIRIES {
        now += INTERVAL;
        us.handle_tell(BOB, now);
        us.handle_timeout(now);
        outputs(&mut us);
    }
    us.handle_tell(BOB, now);
    us.handle_beacon(&beacon_from(ALICE, 300), now);
    us.handle_beacon(&beacon_from(BOB, 900), now);
    us.handle_timeout(now + 2 * INTERVAL);
    assert_eq!(outputs(&mut us), [our_inquire(ALICE)]);
}

#[test]
fn is_forgotten_when_we_are_behind_of_nobody() {
    let (mut us, now) = told_in_vain();
    us.handle_torrents(300);
    us.handle_timeout(now + 2 * INTERVAL);
    assert_eq!(us.inquiry(), Inquiry::NotNeeded);
    us.handle_torrents(0);
    let later = now + 3 * INTERVAL;
    us.handle_beacon(&beacon_from(ALICE, 300), later);
    us.handle_tell(BOB, later);
    assert_eq!(us.inquiry(), Inquiry::NotNeeded);
}

/// Returns an instance that needs Alice's tell, and has heard as many of Bob's as end a need.
fn told_in_vain() -> (Instance, Instant) {
    let (mut us, mut now) = machine(0);
    for _ in 0..MAX_NEEDS_ENDED {
        us.handle_beacon(&beacon_from(ALICE, 300), now);
        assert_ne!(us.inquiry(), Inquiry::NotNeeded);
        us.handle_tell(BOB, now);
        us.handle_tell(BOB, now + MOMENT);
        assert_eq!(us.inquiry(), Inquiry::NotNeeded);
        now += INTERVAL;
    }
    us.handle_beacon(&beacon_from(ALICE, 300), now);
    (us, now)
}
