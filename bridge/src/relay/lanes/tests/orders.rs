//! Orders that take keys over from earlier ones.

use super::*;

#[test]
fn an_event_that_is_tried_again_for_ever_can_be_given_up_by_another_order() {
    let mut rig = with_parked();
    rig.order(Keys::All, None);
    rig.send();
    rig.take_read();
    rig.send();
    rig.answer(0, 16);
    rig.order(Keys::One("0".to_owned()), skip(true));
    assert!(
        rig.progress[0].borrow().done,
        "the first order has lost its only key"
    );
    rig.settle_down();
    assert_eq!(rig.skipped, [1, 2, 4].into());
    assert_eq!(last(&rig).events.skipped, 3);
}

#[test]
fn a_retry_that_takes_a_skip_over_sends_what_was_to_be_given_up() {
    let mut rig = with_parked();
    rig.order(Keys::One("0".to_owned()), skip(true));
    rig.work();
    assert!(rig.read.is_some(), "places alone are on their way");
    rig.order(Keys::All, None);
    rig.settle_down();
    let progress = last(&rig);
    assert_eq!((progress.live, progress.stuck), (1, 0), "{progress:?}");
    assert_eq!((progress.events.confirmed, rig.skipped.len()), (3, 0));
}

#[test]
fn a_key_waits_once_for_its_lane_however_often_it_is_asked_for() {
    const KEYS: usize = 100;
    let mut parked = ParkedKeys::default();
    (0..KEYS).for_each(|key| parked.add(&format!("k{key}")));
    let window: Window<()> = Window::new(LIMITS, parked, false);
    let mut lanes: Lanes<()> = Lanes::default();
    let mut watched = Vec::new();
    for _ in 0..20 {
        let (ticket, progress) = Ticket::new();
        let (keys, skip) = (Keys::All, None);
        let order = Order { keys, skip, ticket };
        lanes.accept(order, &window, Sequence::ZERO);
        lanes.arrange();
        watched.push(progress);
    }
    assert_eq!(lanes.waiting.len() + lanes.lanes.len(), KEYS);
    assert_eq!(
        (lanes.asked.len(), lanes.tickets.len()),
        (lanes.waiting.len(), 1)
    );
    let last = watched.pop().unwrap();
    assert!(!last.borrow().done, "the last order has all keys");
    assert!(watched.iter().all(|earlier| earlier.borrow().done));
}
