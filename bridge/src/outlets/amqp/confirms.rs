//! Which message each confirm and each return is about.
//!
//! RabbitMQ sends a message that no queue took back (`basic.return`) before it confirms it. `lapin` queues what came back,
//! and attaches the head of that queue to whichever confirm completes next, of whichever message. So a return is matched by
//! its `message_id`, and a message that was acknowledged is settled only when its return, had there been one, must have been
//! seen:
//! - A confirm that carries no return found the queue empty: every return that came before it was attached to a confirm
//!   that completed earlier. If all confirms that were complete are read, all those returns are known.
//! - A confirm that carries another message's return may have left its own message's return in the queue. It is held until
//!   a later reading finds an empty queue, or until nothing is outstanding.
//!
//! Invariant: every reading handed to [`Confirms::settle`] holds all confirms that were complete when it ended.

use std::collections::HashMap;

use lapin::Confirmation;
use lapin::message::BasicReturnMessage;
use lapin::types::ShortString;

use crate::outlets::Answer;

/// RabbitMQ's reply code for a message that no queue took (`NO_ROUTE`).
const NO_ROUTE: u16 = 312;

/// One confirm, as read.
#[derive(Debug)]
pub(super) struct Confirmed {
    /// The message's number in the window.
    pub(super) number: u64,
    /// The message's id, as published.
    pub(super) id: ShortString,
    /// What the broker said, without what it sent back.
    pub(super) verdict: Verdict,
    /// Some message that came back, not necessarily this one.
    pub(super) returned: Option<Returned>,
}

/// What a confirm says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Ack,
    Nack,
}

/// A message that came back.
#[derive(Debug, Clone)]
pub(super) struct Returned {
    pub(super) id: ShortString,
    pub(super) code: u16,
    pub(super) text: String,
}

impl Confirmed {
    /// Reads `lapin`'s confirmation of the message `number`, `id`. An error is one that breaks the account of confirms and
    /// returns: the connection must go.
    pub(super) fn read(
        number: u64,
        id: ShortString,
        confirmation: Confirmation,
    ) -> Result<Self, String> {
        let (verdict, message) = match confirmation {
            Confirmation::Ack(message) => (Verdict::Ack, message),
            Confirmation::Nack(message) => (Verdict::Nack, message),
            Confirmation::NotRequested => {
                return Err("the channel is not in confirm mode".to_owned());
            }
        };
        let returned = message
            .map(|message| Returned::read(&message))
            .transpose()?;
        Ok(Self {
            number,
            id,
            verdict,
            returned,
        })
    }
}

impl Returned {
    fn read(message: &BasicReturnMessage) -> Result<Self, String> {
        let Some(id) = message.delivery.properties.message_id().clone() else {
            return Err("the broker returned a message without its message id".to_owned());
        };
        Ok(Self {
            id,
            code: message.reply_code,
            text: message.reply_text.to_string(),
        })
    }

    fn answer(self) -> Answer {
        if self.code == NO_ROUTE {
            return Answer::Unheard;
        }
        Answer::TryAgain(format!("returned: {} {}", self.code, self.text))
    }
}

/// Returns and confirms that still look for each other.
#[derive(Debug, Default)]
pub(super) struct Confirms {
    returned: HashMap<ShortString, Returned>,
    held: Vec<(u64, ShortString)>,
}

impl Confirms {
    /// Takes everything that was complete, and gives the answers that are certain by now. `outstanding` is how many
    /// published messages still have no confirm.
    pub(super) fn settle(
        &mut self,
        read: Vec<Confirmed>,
        outstanding: usize,
    ) -> Vec<(u64, Answer)> {
        let mut answers = Vec::with_capacity(read.len() + self.held.len());
        let found_empty = read.iter().any(|confirmed| confirmed.returned.is_none());
        let mut certain = Vec::with_capacity(read.len());
        let mut uncertain = Vec::new();
        let mut nacked = Vec::new();
        for confirmed in read {
            let holds = confirmed.returned.is_none();
            if let Some(returned) = confirmed.returned {
                self.returned.insert(returned.id.clone(), returned);
            }
            match (confirmed.verdict, holds) {
                (Verdict::Nack, _) => nacked.push((confirmed.number, confirmed.id)),
                (Verdict::Ack, true) => certain.push((confirmed.number, confirmed.id)),
                (Verdict::Ack, false) => uncertain.push((confirmed.number, confirmed.id)),
            }
        }
        let earlier = std::mem::take(&mut self.held);
        if found_empty || outstanding == 0 {
            certain.extend(earlier);
        } else {
            uncertain.extend(earlier);
        }
        if outstanding == 0 {
            certain.append(&mut uncertain);
        }
        for (number, id) in uncertain {
            match self.returned.remove(&id) {
                Some(returned) => answers.push((number, returned.answer())),
                None => self.held.push((number, id)),
            }
        }
        for (number, id) in certain {
            let returned = self.returned.remove(&id);
            answers.push((number, returned.map_or(Answer::Confirmed, Returned::answer)));
        }
        for (number, id) in nacked {
            self.returned.remove(&id);
            answers.push((number, nack()));
        }
        if outstanding == 0 {
            self.returned.clear();
        }
        answers
    }
}

fn nack() -> Answer {
    Answer::TryAgain("the broker said nack: a queue is full, or could not store it".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> ShortString {
        ShortString::try_new(text).expect("a short id")
    }

    /// A confirm of `number`, whose id is its number, with a return of `returned` attached.
    fn confirm(number: u64, verdict: Verdict, returned: Option<u64>) -> Confirmed {
        Confirmed {
            number,
            id: id(&number.to_string()),
            verdict,
            returned: returned.map(|number| Returned {
                id: id(&number.to_string()),
                code: NO_ROUTE,
                text: "NO_ROUTE".to_owned(),
            }),
        }
    }

    fn sorted(mut answers: Vec<(u64, Answer)>) -> Vec<(u64, Answer)> {
        answers.sort_by_key(|(number, _)| *number);
        answers
    }

    #[test]
    fn a_return_on_another_confirm_finds_its_message() {
        let mut confirms = Confirms::default();
        let read = vec![
            confirm(1, Verdict::Ack, Some(2)),
            confirm(2, Verdict::Ack, None),
        ];
        assert_eq!(
            sorted(confirms.settle(read, 5)),
            [(1, Answer::Confirmed), (2, Answer::Unheard)]
        );
    }

    #[test]
    fn a_message_whose_return_may_still_come_is_held() {
        let mut confirms = Confirms::default();
        assert_eq!(
            confirms.settle(vec![confirm(2, Verdict::Ack, Some(1))], 2),
            []
        );
        assert_eq!(
            sorted(confirms.settle(vec![confirm(1, Verdict::Ack, Some(2))], 1)),
            [(1, Answer::Unheard), (2, Answer::Unheard)]
        );
    }

    #[test]
    fn a_held_message_is_confirmed_by_a_confirm_that_found_nothing_returned() {
        let mut confirms = Confirms::default();
        assert_eq!(
            confirms.settle(vec![confirm(2, Verdict::Ack, Some(1))], 2),
            []
        );
        assert_eq!(
            sorted(confirms.settle(vec![confirm(3, Verdict::Ack, None)], 1)),
            [(2, Answer::Confirmed), (3, Answer::Confirmed)]
        );
        assert_eq!(
            confirms.settle(vec![confirm(1, Verdict::Ack, None)], 0),
            [(1, Answer::Unheard)]
        );
    }

    #[test]
    fn nothing_is_held_when_nothing_is_outstanding() {
        let mut confirms = Confirms::default();
        assert_eq!(
            confirms.settle(vec![confirm(2, Verdict::Ack, Some(1))], 1),
            []
        );
        let answers = confirms.settle(vec![confirm(1, Verdict::Nack, None)], 0);
        assert_eq!(sorted(answers)[1], (2, Answer::Confirmed));
        assert!(confirms.held.is_empty() && confirms.returned.is_empty());
    }

    #[test]
    fn a_nack_is_never_a_success_and_forgets_its_return() {
        let mut confirms = Confirms::default();
        let answers = confirms.settle(vec![confirm(1, Verdict::Nack, Some(1))], 3);
        assert!(matches!(answers[..], [(1, Answer::TryAgain(_))]));
        assert_eq!(
            confirms.settle(vec![confirm(1, Verdict::Ack, None)], 2),
            [(1, Answer::Confirmed)]
        );
    }
}
