//! What lines must hold against the lines before them.

use std::collections::HashMap;

use crate::export::line::{LogLine, PublicStreamLine, RelayLine, SettlementLine};
use crate::names::{LogName, PublicStreamName, RelayName};
use crate::place::{Position, Sequence};
use crate::reading::follows;

/// The first number that no place, time or count has: a JSON number holds all below it.
const END: u64 = 1 << 53;

/// What is known of a log so far.
pub(super) struct TakenLog {
    pub(super) name: LogName,
    head: Position,
    events: u64,
    last: Position,
    seen: u64,
    /// Place of the last event in its commit, and how many that has.
    commit: (u32, u32),
    pub(super) public: HashMap<String, TakenPublic>,
    pub(super) relays: HashMap<String, TakenRelay>,
}

/// What is known of a public stream so far.
pub(super) struct TakenPublic {
    pub(super) name: PublicStreamName,
    head: Sequence,
    crossed: u64,
    last: Sequence,
    seen: u64,
}

/// What is known of a relay so far.
pub(super) struct TakenRelay {
    pub(super) name: RelayName,
    pub(super) cursor: u64,
    /// Where its last settlement record begins, as was told, and as it was.
    record: u64,
    last_from: u64,
    settled: u64,
}

/// A number that a JSON number holds.
pub(super) fn number(what: &str, number: u64) -> Result<u64, String> {
    if number < END {
        Ok(number)
    } else {
        Err(format!("its {what} is {number}; it must be below 2^53"))
    }
}

impl TakenLog {
    pub(super) fn new(line: &LogLine<'_>, epoch: u64) -> Result<Self, String> {
        let head = Position::new(number("head", line.head)?);
        if head.epoch() != epoch || head.offset() == 0 {
            return Err(format!(
                "the log ends at {head}, which is no position of the store's epoch {epoch}"
            ));
        }
        Ok(Self {
            name: LogName::new(&line.log).map_err(|error| error.to_string())?,
            head,
            events: line.events,
            last: Position::ZERO,
            seen: 0,
            commit: (0, 1),
            public: HashMap::new(),
            relays: HashMap::new(),
        })
    }

    /// Takes the next position of the log.
    fn position(&mut self, position: u64) -> Result<Position, String> {
        let position = Position::new(number("position", position)?);
        if !follows(self.last, position) {
            return Err(format!(
                "position {position} does not follow {}, the one before it in log {}",
                self.last, self.name
            ));
        }
        self.up_to_head("position", position.get())?;
        self.last = position;
        Ok(position)
    }

    /// Takes the position of an event, which must be the next one of its commit, or the first of the next.
    pub(super) fn event(&mut self, at: u64, index: u32, len: u32) -> Result<Position, String> {
        let (before, before_len) = self.commit;
        let next = before.saturating_add(1);
        let goes_on = next < before_len;
        let fits = if goes_on {
            index == next && len == before_len
        } else {
            index == 0 && len >= 1
        };
        if !fits {
            return Err(format!(
                "it is event {index} of {len} in its commit, after event {before} of {before_len}"
            ));
        }
        let position = self.position(at)?;
        if index > 0 && position.offset() == 1 {
            return Err("its commit began in the epoch before".into());
        }
        self.commit = (index, len);
        self.seen = self.seen.saturating_add(1);
        Ok(position)
    }

    /// Takes the position of a record that is no event: no commit goes on beyond it.
    pub(super) fn other(&mut self, at: u64) -> Result<Position, String> {
        self.whole()?;
        self.position(at)
    }

    fn whole(&self) -> Result<(), String> {
        let (index, len) = self.commit;
        if index.saturating_add(1) == len {
            Ok(())
        } else {
            Err(format!(
                "the commit before it ends after event {index} of {len}"
            ))
        }
    }

    /// A place in the log that something speaks of.
    pub(super) fn up_to_head(&self, what: &str, at: u64) -> Result<Position, String> {
        if at <= self.head.get() {
            Ok(Position::new(at))
        } else {
            Err(format!(
                "its {what} is {at}, beyond the head {} of log {}",
                self.head, self.name
            ))
        }
    }

    pub(super) fn public_stream(&mut self, line: &PublicStreamLine<'_>) -> Result<(), String> {
        let taken = TakenPublic {
            name: PublicStreamName::new(&line.stream).map_err(|error| error.to_string())?,
            head: Sequence::new(number("head", line.head)?),
            crossed: line.crossed,
            last: Sequence::ZERO,
            seen: 0,
        };
        match self.public.insert(line.stream.to_string(), taken) {
            None => Ok(()),
            Some(_) => Err(format!("public stream {} was told before", line.stream)),
        }
    }

    pub(super) fn relay(&mut self, line: &RelayLine<'_>) -> Result<(), String> {
        let stream = known("public stream", &mut self.public, &line.stream)?;
        if line.cursor > stream.head.get() {
            return Err(format!(
                "its cursor is {}, beyond the head {} of public stream {}",
                line.cursor, stream.head, line.stream
            ));
        }
        let taken = TakenRelay {
            name: RelayName::new(&line.relay).map_err(|error| error.to_string())?,
            cursor: line.cursor,
            record: line.record,
            last_from: 0,
            settled: 0,
        };
        match self.relays.insert(line.relay.to_string(), taken) {
            None => Ok(()),
            Some(_) => Err(format!("relay {} was told before", line.relay)),
        }
    }

    /// Holds what was taken against what the log's first lines announced.
    pub(super) fn complete(&self) -> Result<(), String> {
        self.whole()?;
        if (self.last, self.seen) != (self.head, self.events) {
            return Err(format!(
                "log {} ends at {} with {} events, and should end at {} with {}",
                self.name, self.last, self.seen, self.head, self.events
            ));
        }
        let stops =
            |public: &&TakenPublic| (public.last, public.seen) != (public.head, public.crossed);
        if let Some(public) = self.public.values().find(stops) {
            return Err(format!(
                "public stream {} ends at {} with {} events, and should end at {} with {}",
                public.name, public.last, public.seen, public.head, public.crossed
            ));
        }
        let unsettled =
            |relay: &&TakenRelay| (relay.last_from, relay.settled) != (relay.record, relay.cursor);
        match self.relays.values().find(unsettled) {
            None => Ok(()),
            Some(relay) => Err(format!(
                "the last settlement of relay {} is from {} to {}, and should be from {} to {}",
                relay.name, relay.last_from, relay.settled, relay.record, relay.cursor
            )),
        }
    }
}

impl TakenPublic {
    /// Takes the next sequence of the public stream.
    pub(super) fn sequence(&mut self, sequence: u64) -> Result<Sequence, String> {
        let sequence = Sequence::new(number("sequence", sequence)?);
        if !follows(
            Position::new(self.last.get()),
            Position::new(sequence.get()),
        ) {
            return Err(format!(
                "sequence {sequence} does not follow {}, the one before it in public stream {}",
                self.last, self.name
            ));
        }
        if sequence > self.head {
            return Err(format!(
                "sequence {sequence} is beyond the head {} of public stream {}",
                self.head, self.name
            ));
        }
        self.last = sequence;
        self.seen = self.seen.saturating_add(1);
        Ok(sequence)
    }
}

impl TakenRelay {
    /// Takes the next settlement of the relay.
    pub(super) fn settlement(&mut self, line: &SettlementLine<'_>) -> Result<(), String> {
        let SettlementLine { from, to, .. } = *line;
        if from < self.settled || to <= from || to > self.cursor {
            return Err(format!(
                "it settles what follows {from} up to {to}; the one before ends at {}, and the relay's cursor is at {}",
                self.settled, self.cursor
            ));
        }
        for list in [&line.unheard, &line.parked] {
            let ascends = list.is_sorted_by(|one, next| one < next);
            if !ascends || list.iter().any(|at| *at <= from || *at > to) {
                return Err("its unheard or parked sequences do not ascend, or are not among those that it settles".into());
            }
        }
        (self.last_from, self.settled) = (from, to);
        Ok(())
    }
}

/// What a line speaks of by its name.
pub(super) fn known<'a, T>(
    what: &str,
    among: &'a mut HashMap<String, T>,
    name: &str,
) -> Result<&'a mut T, String> {
    among
        .get_mut(name)
        .ok_or_else(|| format!("{what} {name:?} was not told before"))
}
