//! The calls of crossings and relays: what each takes, gives and promises. The work is done in `prepare`, `writer`,
//! `reading` and `lookup`.

use tokio::sync::watch;

use crate::error::StoreError;
use crate::heads::KnownLog;
use crate::names::{CursorName, LogName, PublicStreamName, RelayName};
use crate::page::{PublicPage, ReadLimit};
use crate::place::{Position, Sequence};
use crate::prepare;
use crate::public::{CrossError, Crossing, PublicHead};
use crate::relay::{RelayTotals, SettleError, Settled, Settlement};
use crate::store::Store;
use crate::subscription::PublicSubscription;
use crate::writer::Request;
use crate::{lookup, reading};

impl Store {
    /// Writes a crossing, all or nothing, and answers when it is durable.
    ///
    /// # Errors
    /// [`CrossError`]; with all but [`StoreError::Stopped`], nothing was stored.
    pub async fn cross(&self, log: &LogName, crossing: Crossing) -> Result<(), CrossError> {
        self.inner.space.check_crossing()?;
        let crossing =
            prepare::crossing(crossing, &self.inner.options.limits, &self.inner.secrets)?;
        let log = log.clone();
        self.ask(crossing.bytes, |answer| Request::Cross {
            log,
            crossing,
            answer,
        })
        .await
    }

    /// Where a cursor of the crossing stands; none if it has never moved. It is known in memory.
    ///
    /// # Errors
    /// [`StoreError::Closed`].
    pub async fn crossing_cursor(
        &self,
        log: &LogName,
        cursor: &CursorName,
    ) -> Result<Option<Position>, StoreError> {
        let known = self
            .heads()?
            .known(log, |log| log.cursors.get(cursor).copied());
        Ok(known.flatten())
    }

    /// What is known of a public stream; none if no crossing has spoken of it. It is known in memory.
    ///
    /// # Errors
    /// [`StoreError::Closed`].
    pub async fn public_head(
        &self,
        log: &LogName,
        stream: &PublicStreamName,
    ) -> Result<Option<PublicHead>, StoreError> {
        Ok(self.heads()?.public_head(log, stream))
    }

    /// The last public event of each pair of a key and a public type, for `previoussequence`, in the order in which they
    /// are asked; none where there is none.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] with the place, [`StoreError::Io`], [`StoreError::Closed`].
    pub async fn last_of_keys(
        &self,
        log: &LogName,
        stream: &PublicStreamName,
        pairs: Vec<(String, String)>,
    ) -> Result<Vec<Option<Sequence>>, StoreError> {
        let (log, stream) = (log.clone(), stream.clone());
        self.read(move |inner, database| {
            let Some(log) = inner.heads.log_id(&log) else {
                return Ok(vec![None; pairs.len()]);
            };
            let digest =
                |(key, event_type): &(String, String)| inner.secrets.key_and_type(key, event_type);
            let digests: Vec<_> = pairs.iter().map(digest).collect();
            lookup::last_of_keys(database, log, &stream, &digests)
        })
        .await
    }

    /// Reads a public stream forwards, after a sequence.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] with the place, [`StoreError::Io`], [`StoreError::Closed`].
    pub async fn read_public(
        &self,
        log: &LogName,
        stream: &PublicStreamName,
        after: Sequence,
        limit: ReadLimit,
    ) -> Result<PublicPage, StoreError> {
        let head = self.heads()?.public_head(log, stream);
        let head = head.unwrap_or_default().last;
        let (log, stream) = (log.clone(), stream.clone());
        self.read_from(
            after.get(),
            head.get(),
            limit,
            move |inner, database, reach, limit| {
                // The head first: all up to it is in what is read after.
                let head = inner
                    .heads
                    .public_head(&log, &stream)
                    .unwrap_or_default()
                    .last;
                match inner.heads.log_id(&log) {
                    Some(log) => reading::public(database, reach, log, &stream, after, head, limit),
                    None => Ok(PublicPage {
                        events: Vec::new(),
                        head,
                    }),
                }
            },
            |page| {
                let last = page.events.last().map_or(after, |event| event.sequence);
                last >= page.head || page.events.len() >= limit.records
            },
        )
        .await
    }

    /// Reads a public stream backwards, before a sequence; from its last on before [`Sequence::END`].
    ///
    /// # Errors
    /// [`StoreError::Damaged`] with the place, [`StoreError::Io`], [`StoreError::Closed`].
    pub async fn read_public_back(
        &self,
        log: &LogName,
        stream: &PublicStreamName,
        before: Sequence,
        limit: ReadLimit,
    ) -> Result<PublicPage, StoreError> {
        let (log, stream) = (log.clone(), stream.clone());
        self.read(move |inner, database| {
            let head = inner
                .heads
                .public_head(&log, &stream)
                .unwrap_or_default()
                .last;
            match inner.heads.log_id(&log) {
                Some(log) => reading::public_back(database, log, &stream, before, head, limit),
                None => Ok(PublicPage {
                    events: Vec::new(),
                    head,
                }),
            }
        })
        .await
    }

    /// How many public events lie after one sequence, up to another; what lies between two epochs is none.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] with the place, [`StoreError::Io`], [`StoreError::Closed`].
    pub async fn public_between(
        &self,
        log: &LogName,
        stream: &PublicStreamName,
        after: Sequence,
        to: Sequence,
    ) -> Result<u64, StoreError> {
        if after.epoch() == to.epoch() {
            return Ok(to.get().saturating_sub(after.get()));
        }
        let stream = stream.clone();
        self.read_of(log, move |_, database, log| {
            lookup::public_between(database, log, &stream, after, to)
        })
        .await
    }

    /// A public stream's last sequence, as it moves. Crossings wake who waits; it ends when the store is closed.
    ///
    /// # Errors
    /// [`StoreError::Closed`].
    pub async fn watch_public(
        &self,
        log: &LogName,
        stream: &PublicStreamName,
    ) -> Result<watch::Receiver<Sequence>, StoreError> {
        let watch = self.heads()?.watch_public(log, stream);
        // Closed meanwhile, it might never end.
        self.heads()?;
        Ok(watch)
    }

    /// Follows a public stream from a sequence on: through history, then as crossings come.
    ///
    /// # Errors
    /// [`StoreError::Closed`].
    pub async fn subscribe_public(
        &self,
        log: &LogName,
        stream: &PublicStreamName,
        after: Sequence,
    ) -> Result<PublicSubscription, StoreError> {
        PublicSubscription::new(self.clone(), log.clone(), stream.clone(), after).await
    }

    /// The public events that were made of a private event.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] with the place, [`StoreError::Io`], [`StoreError::Closed`].
    pub async fn public_of(
        &self,
        log: &LogName,
        origin: Position,
    ) -> Result<Vec<(PublicStreamName, Sequence)>, StoreError> {
        self.read_of(log, move |_, database, log| {
            lookup::public_of(database, log, origin)
        })
        .await
    }

    /// Moves a relay's cursor. It becomes durable with the next append or crossing: a settlement that a crash undoes
    /// is delivered again.
    ///
    /// # Errors
    /// [`SettleError`]; with all but [`StoreError::Stopped`], nothing was stored.
    pub async fn settle(&self, log: &LogName, settlement: Settlement) -> Result<(), SettleError> {
        let settlement =
            prepare::settlement(settlement, &self.inner.options.limits, &self.inner.secrets)?;
        let log = log.clone();
        self.ask(settlement.bytes, |answer| Request::Settle {
            log,
            settlement,
            answer,
        })
        .await
    }

    /// Where a relay's cursor stands; none if it has never moved. It is known in memory.
    ///
    /// # Errors
    /// [`StoreError::Closed`].
    pub async fn relay_cursor(
        &self,
        log: &LogName,
        relay: &RelayName,
    ) -> Result<Option<Sequence>, StoreError> {
        let cursor = |log: &KnownLog| log.relays.get(relay).map(|relay| relay.cursor);
        Ok(self.heads()?.known(log, cursor).flatten())
    }

    /// What became of a public event at a relay; none if its cursor has not passed it.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] with the place, [`StoreError::Io`], [`StoreError::Closed`].
    pub async fn settled(
        &self,
        log: &LogName,
        relay: &RelayName,
        sequence: Sequence,
    ) -> Result<Option<Settled>, StoreError> {
        let relay = relay.clone();
        self.read_of(log, move |_, database, log| {
            lookup::settled(database, log, &relay, sequence)
        })
        .await
    }

    /// What a relay has done so far. It is known in memory.
    ///
    /// # Errors
    /// [`StoreError::Closed`].
    pub async fn relay_totals(
        &self,
        log: &LogName,
        relay: &RelayName,
    ) -> Result<RelayTotals, StoreError> {
        let totals = |log: &KnownLog| log.relays.get(relay).map(|relay| relay.totals);
        Ok(self
            .heads()?
            .known(log, totals)
            .flatten()
            .unwrap_or_default())
    }
}
