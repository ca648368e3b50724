//! The calls on logs of private events: what each takes, gives and promises. The work is done in `prepare`, `writer` and
//! `reading`.

use bytes::Bytes;
use tokio::sync::watch;
use tokio::task::spawn_blocking;

use crate::commit::{AppendError, Commit, Committed};
use crate::database::{Database, Reach};
use crate::error::StoreError;
use crate::event::Event;
use crate::limits::LimitError;
use crate::lookup;
use crate::names::{LogName, StreamName};
use crate::page::{LogPage, ReadLimit, StreamPage, StreamsPage};
use crate::place::{Position, Revision};
use crate::prepare::{self, PreparedCommit};
use crate::reading;
use crate::selection::Selection;
use crate::store::{Inner, Store};
use crate::subscription::Subscription;
use crate::writer::Request;

/// Data over this size, in bytes, is digested where it may block.
const PREPARE_INLINE_MAX_BYTES: usize = 64 * 1024;

impl Store {
    /// Appends a commit, all or nothing, and answers when it is durable.
    ///
    /// All events of a stored commit again, in order and in the same streams, are a repeat: answered as the first
    /// time, before any expectation is looked at. If the call is dropped before its answer, the commit may be stored.
    ///
    /// # Errors
    /// [`AppendError`]; with all but [`StoreError::Stopped`], nothing was stored.
    pub async fn append(&self, log: &LogName, commit: Commit) -> Result<Committed, AppendError> {
        self.inner.space.check_append()?;
        let (limits, secrets) = (self.inner.options.limits, self.inner.secrets.clone());
        let events = commit.writes.iter().flat_map(|write| &write.events);
        let data_bytes = events
            .filter_map(|event| event.data.as_ref())
            .map(Bytes::len)
            .fold(0, usize::saturating_add);
        LimitError::check_bytes(|| "the commit".into(), data_bytes, limits.commit_max_bytes)?;
        let commit = if data_bytes > PREPARE_INLINE_MAX_BYTES {
            spawn_blocking(move || prepare::commit(commit, &limits, &secrets))
                .await
                .map_err(|_| StoreError::Closed)?
        } else {
            prepare::commit(commit, &limits, &secrets)
        }?;
        let commit = self.look_up(log, commit).await?;
        let log = log.clone();
        self.ask(commit.bytes, |answer| Request::Append {
            log,
            commit,
            answer,
        })
        .await
    }

    /// Looks up what the commit rests on, so that the writer need not: it checks again only what was written since.
    async fn look_up(
        &self,
        log: &LogName,
        mut commit: PreparedCommit,
    ) -> Result<PreparedCommit, StoreError> {
        let look = |inner: &Inner, database: &Database, reach, log, commit: &mut PreparedCommit| {
            // The batch first: all up to it is in what is read after.
            let when = inner.heads.batch();
            lookup::commit(database, reach, log, when, commit)
        };
        let Some(id) = self.heads()?.log_id(log) else {
            return Ok(commit);
        };
        let found = self.read_in_memory(|inner, database| {
            look(inner, database, Reach::Memory, id, &mut commit)
        });
        if found.is_some() {
            return Ok(commit);
        }
        self.read(move |inner, database| {
            look(inner, database, Reach::Disk, id, &mut commit)?;
            Ok(commit)
        })
        .await
    }

    /// Appends a system record, such as a change of contracts, and answers when it is durable. It is not idempotent.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if the kind is no text of 1 to 255 bytes or is `epoch`, which the store itself writes, or if
    /// the body is too large; others as they say.
    pub async fn append_system(
        &self,
        log: &LogName,
        kind: &str,
        body: Bytes,
    ) -> Result<Position, StoreError> {
        self.inner.space.check_crossing()?;
        prepare::system(kind, &body, &self.inner.options.limits)?;
        let (log, kind) = (log.clone(), kind.to_owned());
        self.ask(body.len() + kind.len(), |answer| Request::System {
            log,
            kind,
            body,
            answer,
        })
        .await
    }

    /// Reads a stream forwards, from a revision on.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] with the place, [`StoreError::Io`], [`StoreError::Closed`].
    pub async fn read_stream(
        &self,
        log: &LogName,
        stream: &StreamName,
        from: Revision,
        limit: ReadLimit,
    ) -> Result<StreamPage, StoreError> {
        let (log, stream) = (log.clone(), stream.clone());
        self.read(move |inner, database| match inner.heads.log_id(&log) {
            Some(log) => reading::stream(database, log, &stream, from, limit),
            None => Ok(StreamPage {
                revision: Revision::ZERO,
                events: Vec::new(),
            }),
        })
        .await
    }

    /// Reads a stream backwards, from a revision on; from its last if it has not come so far.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] with the place, [`StoreError::Io`], [`StoreError::Closed`].
    pub async fn read_stream_back(
        &self,
        log: &LogName,
        stream: &StreamName,
        from: Revision,
        limit: ReadLimit,
    ) -> Result<StreamPage, StoreError> {
        let (log, stream) = (log.clone(), stream.clone());
        self.read(move |inner, database| match inner.heads.log_id(&log) {
            Some(log) => reading::stream_back(database, log, &stream, from, limit),
            None => Ok(StreamPage {
                revision: Revision::ZERO,
                events: Vec::new(),
            }),
        })
        .await
    }

    /// The last event of a stream; none if the stream does not exist.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] with the place, [`StoreError::Io`], [`StoreError::Closed`].
    pub async fn last_event(
        &self,
        log: &LogName,
        stream: &StreamName,
    ) -> Result<Option<Event>, StoreError> {
        let stream = stream.clone();
        self.read_of(log, move |_, database, log| {
            reading::last_event(database, log, &stream)
        })
        .await
    }

    /// The streams of a category with their revisions, after a name, in the order of their names' bytes. It costs one seek for
    /// each stream, however many events it has.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] with the place, [`StoreError::Io`], [`StoreError::Closed`].
    pub async fn streams(
        &self,
        log: &LogName,
        category: &str,
        after: Option<&StreamName>,
        limit: ReadLimit,
    ) -> Result<StreamsPage, StoreError> {
        let (category, after) = (category.to_owned(), after.cloned());
        self.read_of(log, move |_, database, log| {
            reading::streams(database, log, &category, after.as_ref(), limit)
        })
        .await
    }

    /// Reads a log, or what is selected of it, forwards, after a position.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] with the place, [`StoreError::Io`], [`StoreError::Closed`].
    pub async fn read_log(
        &self,
        log: &LogName,
        selection: &Selection,
        after: Position,
        limit: ReadLimit,
    ) -> Result<LogPage, StoreError> {
        let head = self.heads()?.head(log).last;
        let (log, selection) = (log.clone(), selection.clone());
        self.read_from(
            after.get(),
            head.get(),
            limit,
            move |inner, database, reach, limit| {
                // The head first: all up to it is in what is read after.
                let head = inner.heads.head(&log).last;
                match inner.heads.log_id(&log) {
                    Some(log) if !selection.is_impossible() => {
                        reading::selected(database, reach, log, &selection, after, head, limit)
                    }
                    _ => Ok(LogPage {
                        records: Vec::new(),
                        through: after.max(head),
                        head,
                    }),
                }
            },
            |page| page.through >= page.head || page.records.len() >= limit.records,
        )
        .await
    }

    /// Reads a log, or what is selected of it, backwards, before a position; from the head on before [`Position::END`].
    ///
    /// # Errors
    /// [`StoreError::Damaged`] with the place, [`StoreError::Io`], [`StoreError::Closed`].
    pub async fn read_log_back(
        &self,
        log: &LogName,
        selection: &Selection,
        before: Position,
        limit: ReadLimit,
    ) -> Result<LogPage, StoreError> {
        let (log, selection) = (log.clone(), selection.clone());
        self.read(move |inner, database| {
            let head = inner.heads.head(&log).last;
            match inner.heads.log_id(&log) {
                Some(log) if !selection.is_impossible() => {
                    reading::selected_back(database, log, &selection, before, head, limit)
                }
                _ => Ok(LogPage {
                    records: Vec::new(),
                    through: Position::ZERO,
                    head,
                }),
            }
        })
        .await
    }

    /// Finds events by their id, and by their source if it is given: at most 1,000, by position.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] with the place, [`StoreError::Io`], [`StoreError::Closed`].
    pub async fn find_events(
        &self,
        log: &LogName,
        id: &str,
        source: Option<&str>,
    ) -> Result<Vec<Event>, StoreError> {
        let (id, source) = (id.to_owned(), source.map(str::to_owned));
        self.read_of(log, move |inner, database, log| {
            lookup::find(database, log, &inner.secrets, &id, source.as_deref())
        })
        .await
    }

    /// All system records of a kind, in order, with their bodies. Who writes them keeps them few.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] with the place, [`StoreError::Io`], [`StoreError::Closed`].
    pub async fn read_system(
        &self,
        log: &LogName,
        kind: &str,
    ) -> Result<Vec<(Position, Bytes)>, StoreError> {
        let kind = kind.to_owned();
        self.read_of(log, move |_, database, log| match kind.contains('\0') {
            // No record has such a kind, and no key could name it.
            true => Ok(Vec::new()),
            false => lookup::system(database, log, &kind),
        })
        .await
    }

    /// The log's durable head; `epoch × 2⁴⁰` if nothing was ever written to it. It is known in memory.
    ///
    /// # Errors
    /// [`StoreError::Closed`].
    pub async fn head(&self, log: &LogName) -> Result<Position, StoreError> {
        Ok(self.heads()?.head(log).last)
    }

    /// How many events the log holds, system records not counted. It is known in memory.
    ///
    /// # Errors
    /// [`StoreError::Closed`].
    pub async fn event_count(&self, log: &LogName) -> Result<u64, StoreError> {
        Ok(self.heads()?.head(log).events)
    }

    /// The log's durable head, as it moves. Commits wake who waits; it ends when the store is closed.
    ///
    /// # Errors
    /// [`StoreError::Closed`].
    pub async fn watch_log(&self, log: &LogName) -> Result<watch::Receiver<Position>, StoreError> {
        let watch = self.heads()?.watch_log(log);
        // Closed meanwhile, it might never end.
        self.heads()?;
        Ok(watch)
    }

    /// Follows a log, or what is selected of it, from a position on: through history, then as commits come.
    ///
    /// # Errors
    /// [`StoreError::Closed`].
    pub async fn subscribe(
        &self,
        log: &LogName,
        selection: Selection,
        after: Position,
    ) -> Result<Subscription, StoreError> {
        Subscription::new(self.clone(), log.clone(), selection, after).await
    }
}
