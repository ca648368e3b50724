use std::collections::HashMap;
use std::time::Duration;

use proptest::prelude::*;

use super::*;

const LIMITS: WindowLimits = WindowLimits {
    in_flight_events: 4,
    in_flight_per_key: 1,
    held_events: 64,
    held_bytes: 1 << 20,
};

fn window() -> Window<()> {
    Window::new(LIMITS, ParkedKeys::default(), false)
}

fn sequence(number: u64) -> Sequence {
    Sequence::new(number)
}

/// Everything that may go now.
fn drain(window: &mut Window<()>, now: Instant) -> Vec<u64> {
    std::iter::from_fn(|| window.next(now).map(|(sequence, ())| sequence.get())).collect()
}

#[test]
fn one_event_of_a_key_is_in_flight_and_the_window_is_across_keys() {
    let now = Instant::now();
    let mut window = window();
    for (number, key) in [(1, "a"), (2, "a"), (3, "b"), (4, "c"), (5, "b")] {
        window.offer(sequence(number), key, 10, ());
    }
    assert_eq!(drain(&mut window, now), [1, 3, 4]);
    window.settle(sequence(3), Answer::Confirmed, now);
    assert_eq!(drain(&mut window, now), [5]);
    assert_eq!(
        window.advance(),
        Advance::default(),
        "1 is not settled, so the cursor stays"
    );
    window.settle(sequence(1), Answer::Confirmed, now);
    assert_eq!(window.advance().to, Some(sequence(1)), "2 is not settled");
    assert_eq!(drain(&mut window, now), [2]);
    for number in [2, 4] {
        window.settle(sequence(number), Answer::Confirmed, now);
    }
    assert_eq!(window.advance().to, Some(sequence(4)));
}

#[test]
fn as_many_of_a_key_are_in_flight_as_may_be_and_each_makes_room_for_one() {
    let (now, limits) = (
        Instant::now(),
        WindowLimits {
            in_flight_per_key: 2,
            ..LIMITS
        },
    );
    let mut window = Window::new(limits, ParkedKeys::default(), false);
    for number in 1..=5 {
        window.offer(sequence(number), "a", 10, ());
    }
    assert_eq!(drain(&mut window, now), [1, 2]);
    window.settle(sequence(2), Answer::Confirmed, now);
    assert_eq!(drain(&mut window, now), [3]);
    assert_eq!(window.advance().to, None, "1 is not settled");
    window.connection_lost();
    assert_eq!(
        drain(&mut window, now),
        [1, 3],
        "2 is settled, and 4 is the third"
    );
    window.settle(sequence(3), Answer::Refused("no".to_owned()), now);
    assert_eq!(window.in_flight(), 0, "1 is parked with its key");
    assert_eq!(drain(&mut window, now), [0; 0]);
    let advance = window.advance();
    assert_eq!(advance.to, Some(sequence(5)));
    assert_eq!(advance.parked.len(), 4);
    window.go_on("a");
    assert_eq!(
        drain(&mut window, now),
        [0; 0],
        "what has left the window is the store's"
    );
}

#[test]
fn an_event_to_try_again_holds_up_its_key_alone_until_its_moment() {
    let now = Instant::now();
    let later = now + Duration::from_secs(1);
    let mut window = window();
    for (number, key) in [(1, "a"), (2, "a"), (3, "b")] {
        window.offer(sequence(number), key, 10, ());
    }
    assert_eq!(drain(&mut window, now), [1, 3]);
    window.settle(sequence(1), Answer::TryAgain("full".to_owned()), later);
    window.settle(sequence(3), Answer::Confirmed, now);
    assert_eq!(drain(&mut window, now), [0; 0]);
    assert_eq!(window.advance().to, None);
    assert_eq!(window.next_retry(), Some(later));
    assert_eq!(drain(&mut window, later), [1]);
    assert_eq!(window.attempts(sequence(1)), 2);
}

#[test]
fn an_event_to_try_again_keeps_its_moment_over_a_lost_connection() {
    let now = Instant::now();
    let later = now + Duration::from_secs(1);
    let mut window = window();
    for (number, key) in [(1, "a"), (2, "b"), (3, "a")] {
        window.offer(sequence(number), key, 10, ());
    }
    assert_eq!(drain(&mut window, now), [1, 2]);
    window.settle(sequence(1), Answer::TryAgain("denied".to_owned()), later);
    window.connection_lost();
    assert_eq!(drain(&mut window, now), [2], "2 had no answer");
    assert_eq!(window.next_retry(), Some(later));
    assert!(window.has_retries());
    window.connection_lost();
    assert_eq!(drain(&mut window, later), [1, 2]);
    window.connection_lost();
    assert_eq!(
        drain(&mut window, later),
        [1, 2],
        "1 was sent again and had no answer"
    );
    window.settle(sequence(1), Answer::Confirmed, later);
    assert!(!window.has_retries());
}

#[test]
fn a_refused_event_parks_its_key_and_the_cursor_passes_both_in_one_advance() {
    let now = Instant::now();
    let mut window = window();
    for (number, key) in [(1, "a"), (2, "b"), (3, "a")] {
        window.offer(sequence(number), key, 10, ());
    }
    assert_eq!(drain(&mut window, now), [1, 2]);
    window.settle(sequence(1), Answer::Refused("too large".to_owned()), now);
    window.settle(sequence(2), Answer::Confirmed, now);
    window.offer(sequence(4), "a", 10, ());
    let parked = |number, reason: Option<&str>| {
        ("a".to_owned(), sequence(number), reason.map(str::to_owned))
    };
    assert_eq!(
        window.advance(),
        Advance {
            to: Some(sequence(4)),
            unheard: Vec::new(),
            parked: vec![
                parked(1, Some("too large")),
                parked(3, None),
                parked(4, None)
            ],
        }
    );
    assert_eq!(window.parked_keys(), 1);
}

#[test]
fn unheard_is_passed_or_waited_on_by_policy() {
    let now = Instant::now();
    for (wait, expected) in [(false, Some(sequence(1))), (true, None)] {
        let mut window: Window<()> = Window::new(LIMITS, ParkedKeys::default(), wait);
        window.offer(sequence(1), "a", 10, ());
        drain(&mut window, now);
        window.settle(sequence(1), Answer::Unheard, now);
        let advance = window.advance();
        assert_eq!(advance.to, expected);
        assert_eq!(advance.unheard.len(), usize::from(!wait));
    }
}

#[test]
fn after_a_lost_connection_what_is_not_settled_goes_out_again_in_order() {
    let now = Instant::now();
    let mut window = window();
    for (number, key) in [(1, "a"), (2, "b"), (3, "c"), (4, "a")] {
        window.offer(sequence(number), key, 10, ());
    }
    assert_eq!(drain(&mut window, now), [1, 2, 3]);
    window.settle(sequence(2), Answer::Confirmed, now);
    window.settle(
        sequence(3),
        Answer::TryAgain("later".to_owned()),
        now + Duration::from_secs(9),
    );
    window.connection_lost();
    assert_eq!(drain(&mut window, now), [1], "3 waits all the same");
    window.settle(sequence(2), Answer::Confirmed, now);
    assert_eq!(
        window.in_flight(),
        1,
        "an answer from before changes nothing"
    );
}

#[test]
fn winding_down_keeps_what_is_below_the_highest_sent_event_so_that_the_cursor_can_pass_it() {
    let now = Instant::now();
    let mut window = window();
    for (number, key) in [(1, "a"), (2, "a"), (3, "b"), (4, "b"), (5, "c")] {
        window.offer(sequence(number), key, 10, ());
    }
    window.limits.in_flight_events = 2;
    assert_eq!(drain(&mut window, now), [1, 3]);
    window.wind_down();
    window.settle(sequence(3), Answer::Confirmed, now);
    assert_eq!(
        drain(&mut window, now),
        [0; 0],
        "4 and 5 are for another day"
    );
    window.settle(sequence(1), Answer::Confirmed, now);
    assert_eq!(drain(&mut window, now), [2], "2 stands between 1 and 3");
    window.settle(sequence(2), Answer::Confirmed, now);
    assert_eq!(window.advance().to, Some(sequence(3)));
    assert!(window.is_empty());
}

#[derive(Debug, Clone)]
enum Step {
    Offer(u8),
    Send,
    Answer(usize, u8),
    Lose,
    WindDown,
    Advance,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0u8..5).prop_map(Step::Offer),
        4 => Just(Step::Send),
        6 => (any::<usize>(), 0u8..20).prop_map(|(index, answer)| Step::Answer(index, answer)),
        1 => Just(Step::Lose),
        2 => Just(Step::Advance),
    ]
}

proptest! {
    /// Against a model: at most one of a key in flight, first sends of a key in order, the cursor never past an unsettled event,
    /// and in the end everything is confirmed, unheard or parked exactly once.
    #[test]
    fn nothing_is_lost_reordered_or_passed_too_early(
        steps in prop::collection::vec(step(), 1..200),
        stopped in any::<bool>(),
    ) {
        let now = Instant::now();
        let mut window = window();
        let (mut offered, mut cursor) = (0u64, 0u64);
        let mut key_of: HashMap<u64, u8> = HashMap::new();
        let mut in_flight: Vec<u64> = Vec::new();
        let mut settled: HashMap<u64, &str> = HashMap::new();
        let mut first_sends: HashMap<u8, u64> = HashMap::new();
        let mut parked_keys: Vec<u8> = Vec::new();
        let mut highest_sent = 0;
        // A relay that is told to stop may still be handed what it was reading.
        let stop = [Step::WindDown, Step::Offer(0), Step::Offer(1)];
        let stop = stop.into_iter().filter(|_| stopped);
        let end = [Step::Send, Step::Answer(0, 0)].into_iter().cycle().take(1_000);
        for step in steps.into_iter().chain(stop).chain(end).chain([Step::Advance]) {
            match step {
                Step::Offer(key) => {
                    offered += 1;
                    key_of.insert(offered, key);
                    window.offer(sequence(offered), &key.to_string(), 1, ());
                }
                Step::Send => {
                    for sent in drain(&mut window, now) {
                        let key = key_of[&sent];
                        prop_assert!(!in_flight.iter().any(|other| key_of[other] == key), "two of a key in flight");
                        prop_assert!(!parked_keys.contains(&key), "a parked key was sent");
                        prop_assert!(!settled.contains_key(&sent), "sent after it was settled");
                        let first = first_sends.entry(key).or_insert(0);
                        prop_assert!(sent >= *first, "a key went backwards");
                        *first = sent;
                        highest_sent = highest_sent.max(sent);
                        in_flight.push(sent);
                    }
                    prop_assert!(in_flight.len() <= LIMITS.in_flight_events);
                }
                Step::Answer(index, answer) => {
                    if in_flight.is_empty() { continue }
                    let number = in_flight.remove(index % in_flight.len());
                    let answer = match answer {
                        0..=13 => { settled.insert(number, "confirmed"); Answer::Confirmed }
                        14..=15 => { settled.insert(number, "unheard"); Answer::Unheard }
                        16..=18 => Answer::TryAgain("later".to_owned()),
                        _ => { parked_keys.push(key_of[&number]); Answer::Refused("never".to_owned()) }
                    };
                    window.settle(sequence(number), answer, now);
                }
                Step::WindDown => window.wind_down(),
                Step::Lose => {
                    in_flight.clear();
                    window.connection_lost();
                }
                Step::Advance => {
                    let advance = window.advance();
                    for (key, parked, _) in &advance.parked {
                        prop_assert_eq!(key.parse::<u8>().ok(), key_of.get(&parked.get()).copied());
                        prop_assert!(settled.insert(parked.get(), "parked").is_none());
                    }
                    if let Some(to) = advance.to {
                        for passed in cursor + 1..=to.get() {
                            prop_assert!(settled.contains_key(&passed), "{passed} was passed unsettled");
                        }
                        cursor = to.get();
                    }
                }
            }
        }
        if stopped {
            prop_assert!(window.is_empty() && cursor >= highest_sent, "everything that was sent ends settled");
        } else {
            prop_assert_eq!(cursor, offered, "everything ends settled");
        }
    }
}
