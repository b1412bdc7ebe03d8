use super::*;

const PER_TICK: usize = 10 * ScrapeTell::MAX_RECORDS;
/// The place of our id within an interval.
const PLACE: Duration = Duration::from_secs(30);

#[test]
fn waits_an_interval_and_our_place_after_the_last_tell() {
    let (mut us, begin) = machine(100);
    know_better(&mut us, &[hash(1)], begin);
    let last = begin + INTERVAL / 2;
    us.handle_tell(ALICE, last);
    let due = last + INTERVAL + PLACE;
    assert_eq!(us.poll_timeout(), Some(due));
    us.handle_timeout(due - MOMENT);
    assert_eq!(outputs(&mut us), []);
    us.handle_timeout(due);
    assert_eq!(outputs(&mut us), [Output::TellBack(vec![hash(1)])]);
    assert!(!us.is_telling());
    us.handle_timeout(due + INTERVAL);
    assert_eq!(outputs(&mut us), [], "once is enough");
}

#[test]
fn is_for_what_we_know_better_alone() {
    let (mut us, begin) = machine(100);
    know_better(&mut us, &[hash(1), hash(2)], begin);
    us.handle_record(hash(3), false);
    // Somebody else tells back more than we know.
    us.handle_tell(BOB, begin);
    us.handle_record(hash(1), false);
    us.handle_timeout(begin + 2 * INTERVAL);
    assert_eq!(outputs(&mut us), [Output::TellBack(vec![hash(2)])]);
}

#[test]
fn is_needless_after_a_tell_of_everything() {
    let (mut us, begin) = machine(100);
    know_better(&mut us, &[hash(1)], begin);
    us.handle_inquire(&inquire_from(ALICE), begin);
    us.handle_tell_end(begin);
    outputs(&mut us);
    us.handle_timeout(begin + 3 * INTERVAL);
    assert_eq!(outputs(&mut us), []);
}

#[test]
fn waits_for_the_end_of_a_tell_of_everything() {
    let (mut us, begin) = machine(100);
    us.handle_inquire(&inquire_from(ALICE), begin);
    outputs(&mut us);
    know_better(&mut us, &[hash(1)], begin);
    let due = begin + INTERVAL + PLACE;
    us.handle_timeout(due);
    assert_eq!(outputs(&mut us), [Output::TellNext { packets: 10 }]);
    us.handle_tell_end(due);
    // And then for the pause that lies between two tells of ours.
    assert_eq!(us.poll_timeout(), Some(due + INTERVAL));
    us.handle_timeout(due + INTERVAL);
    assert_eq!(outputs(&mut us), [Output::TellBack(vec![hash(1)])]);
}

#[test]
fn goes_in_portions() {
    let (mut us, begin) = machine(100_000);
    let known = hashes(2 * PER_TICK + 1);
    know_better(&mut us, &known, begin);
    let mut told: Vec<InfoHash> = Vec::new();
    for portion in [PER_TICK, PER_TICK, 1] {
        us.handle_timeout(us.poll_timeout().unwrap());
        let [Output::TellBack(torrents)] = &outputs(&mut us)[..] else {
            panic!("not a portion");
        };
        assert_eq!(torrents.len(), portion);
        told.extend(torrents);
    }
    assert_eq!(told, known);
    assert!(!us.is_telling());
}

#[test]
fn gives_way_to_any_tell_and_goes_on_later() {
    // Of two that give way to each other the lesser id goes on first.
    for (sender, further) in [(ZOE, Duration::ZERO), (ALICE, INTERVAL)] {
        let (mut us, begin) = machine(100_000);
        know_better(&mut us, &hashes(PER_TICK + 1), begin);
        us.handle_timeout(begin + INTERVAL + PLACE);
        assert_eq!(outputs(&mut us).len(), 1);
        assert!(us.is_telling());

        let heard = begin + INTERVAL + PLACE + MOMENT;
        us.handle_tell(sender, heard);
        assert!(!us.is_telling());
        let due = heard + INTERVAL + PLACE + further;
        assert_eq!(us.poll_timeout(), Some(due));
        us.handle_timeout(due);
        let rest = vec![*hashes(PER_TICK + 1).last().unwrap()];
        assert_eq!(outputs(&mut us), [Output::TellBack(rest)]);
    }
}

#[test]
fn is_bounded() {
    let (mut us, begin) = machine(100_000);
    know_better(&mut us, &hashes(MAX_TELL_BACK + 100), begin);
    let mut told = 0;
    while us.poll_timeout().unwrap() < begin + 3 * INTERVAL {
        us.handle_timeout(us.poll_timeout().unwrap());
        for output in outputs(&mut us) {
            let Output::TellBack(torrents) = output else {
                panic!("{output:?}");
            };
            told += torrents.len();
        }
    }
    assert_eq!(told, MAX_TELL_BACK);
}

fn know_better(us: &mut Instance, torrents: &[InfoHash], now: Instant) {
    us.handle_tell(ALICE, now);
    for torrent in torrents {
        us.handle_record(*torrent, true);
    }
}

fn hashes(count: usize) -> Vec<InfoHash> {
    (0..u32::try_from(count).unwrap()).map(hash).collect()
}

fn hash(number: u32) -> InfoHash {
    let mut octets = [0; 20];
    octets[..4].copy_from_slice(&number.to_be_bytes());
    InfoHash::new(octets)
}
