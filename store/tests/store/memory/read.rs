//! Reading in pages.

use std::collections::BTreeMap;

use horizon_store::{
    Event, LogPage, Position, PublicPage, PublicStreamName, ReadLimit, Record, Revision, Selection,
    Sequence, StreamHead, StreamName, StreamPage, StreamsPage,
};

use super::Log;

/// Takes what fits into a page; whether something is left.
pub(super) fn take<T>(
    from: Vec<T>,
    limit: ReadLimit,
    size: impl Fn(&T) -> usize,
) -> (Vec<T>, bool) {
    let (most, most_bytes) = (
        limit.records.clamp(1, ReadLimit::RECORDS_MAX),
        limit.bytes.clamp(1, ReadLimit::BYTES_MAX),
    );
    let mut taken = Vec::new();
    let mut bytes = 0;
    for one in from {
        if taken.len() == most || bytes >= most_bytes {
            return (taken, true);
        }
        bytes += size(&one);
        taken.push(one);
    }
    (taken, false)
}

fn event_size(event: &Event) -> usize {
    event.data().map_or(0, <[u8]>::len) + 100
}

fn size(record: &Record) -> usize {
    match record {
        Record::Event(event) => event_size(event),
        Record::System { body, .. } => body.len() + 100,
        Record::Marker { .. } => 100,
    }
}

fn selects(selection: &Selection, record: &Record) -> bool {
    match (selection, record) {
        (Selection::All, _) => true,
        (Selection::Category(category), Record::Event(event)) => event.category() == category,
        (Selection::EventType(name), Record::Event(event)) => event.event_type() == name,
        _ => false,
    }
}

impl Log {
    pub(super) fn page(&self, selection: &Selection, after: Position, limit: ReadLimit) -> LogPage {
        let selected = self
            .records
            .iter()
            .filter(|record| record.position() > after && selects(selection, record));
        let (records, more) = take(selected.cloned().collect(), limit, size);
        let through = match records.last() {
            Some(last) if more => last.position(),
            _ => self.head().max(after),
        };
        LogPage {
            records,
            through,
            head: self.head(),
        }
    }

    pub(super) fn page_back(
        &self,
        selection: &Selection,
        before: Position,
        limit: ReadLimit,
    ) -> LogPage {
        let selected = self
            .records
            .iter()
            .filter(|record| record.position() < before && selects(selection, record));
        let (records, more) = take(selected.rev().cloned().collect(), limit, size);
        let through = match records.last() {
            Some(last) if more => last.position(),
            _ => Position::ZERO,
        };
        LogPage {
            records,
            through,
            head: self.head(),
        }
    }

    pub(super) fn stream_page(
        &self,
        stream: &StreamName,
        from: Revision,
        limit: ReadLimit,
    ) -> StreamPage {
        let events = self
            .events()
            .filter(|event| event.stream() == stream.as_str() && event.revision >= from);
        let (events, _) = take(events.cloned().collect(), limit, event_size);
        StreamPage {
            revision: Revision::new(self.revision(stream)),
            events,
        }
    }

    pub(super) fn stream_page_back(
        &self,
        stream: &StreamName,
        from: Revision,
        limit: ReadLimit,
    ) -> StreamPage {
        let events = self
            .events()
            .filter(|event| event.stream() == stream.as_str() && event.revision <= from);
        let mut events: Vec<_> = events.cloned().collect();
        events.reverse();
        let (events, _) = take(events, limit, event_size);
        StreamPage {
            revision: Revision::new(self.revision(stream)),
            events,
        }
    }

    pub(super) fn streams(
        &self,
        category: &str,
        after: Option<&StreamName>,
        limit: ReadLimit,
    ) -> StreamsPage {
        let mut revisions = BTreeMap::new();
        for event in self.events().filter(|event| event.category() == category) {
            let stream = StreamName::new(event.stream()).unwrap();
            *revisions.entry(stream).or_insert(0) += 1;
        }
        let streams = revisions
            .into_iter()
            .filter(|(stream, _)| after.is_none_or(|after| stream > after));
        let streams = streams.map(|(stream, revision)| StreamHead {
            stream,
            revision: Revision::new(revision),
        });
        let (streams, more) = take(streams.collect(), limit, |_| 50);
        StreamsPage { streams, more }
    }

    pub(super) fn public_page(
        &self,
        stream: &PublicStreamName,
        after: Sequence,
        limit: ReadLimit,
    ) -> PublicPage {
        let all = self
            .public
            .get(stream)
            .map(|(_, events)| events.as_slice())
            .unwrap_or_default();
        let events = all
            .iter()
            .filter(|event| event.sequence > after)
            .cloned()
            .collect();
        let (events, _) = take(events, limit, |event| event.event.len() + 100);
        PublicPage {
            events,
            head: self.public_last(stream),
        }
    }
}
