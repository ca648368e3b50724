//! The event store of Horizon: logs of private events, the public log, cursors and parked keys, on RocksDB.
//!
//! It keeps what it is given and answers only when that is durable: an append, a crossing or a system record is synced
//! before the answer. One writer thread gathers the calls that wait into one batch, checks them against what is
//! stored and against each other, writes and syncs once, and answers all.
//!
//! It is kept by [`Store::backup`], [`restore`](fn@restore), [`verify`](fn@verify) and [`open_new_epoch`].
//!
//! It is *not* a general key-value store, it knows no schemas, it never parses a payload, and it opens no sockets. How
//! it lies on the disk is written down in `FORMAT.md`; how it is exported as JSON lines, in `EXPORT.md`.
//!
//! All calls are `async`, need a tokio runtime with time enabled, and are bounded: no iterator or snapshot leaves the
//! crate. Reads come in pages that tell where to go on, forwards or backwards; [`Store::subscribe`] goes through history into the
//! present and is woken by commits. What an event store does, whatever it is built on, is the trait [`EventStore`].
//!
//! ```
//! use horizon_store::{Commit, Expected, LogName, NewEvent, Options, ReadLimit, Revision, Store, StreamName, StreamWrite};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir()?;
//! let store = Store::open(dir.path(), Options::default()).await?;
//! let (log, stream) = (LogName::main(), StreamName::new("account-576")?);
//! let opened = NewEvent {
//!     id: "1".into(),
//!     source: None,
//!     event_type: "AccountOpened".into(),
//!     attributes: Vec::new(),
//!     media_type: Some("application/json".into()),
//!     data: Some(r#"{"currency":"EUR"}"#.into()),
//!     flagged: false,
//! };
//! let write = StreamWrite { stream: stream.clone(), expected: Expected::None, events: vec![opened] };
//! let committed = store.append(&log, Commit { writes: vec![write] }).await?;
//! assert_eq!(committed.first_position.get(), 1);
//!
//! let page = store.read_stream(&log, &stream, Revision::new(1), ReadLimit::default()).await?;
//! assert_eq!(page.events[0].event_type(), "AccountOpened");
//! store.close().await?;
//! # Ok(())
//! # }
//! ```

mod backup;
mod clock;
mod codec;
mod commit;
mod database;
mod digest;
mod epoch;
mod error;
mod event;
mod event_store;
mod export;
mod folder;
mod heads;
mod history;
mod import;
mod index;
mod keep;
mod keys;
mod limits;
mod load;
mod log_calls;
mod lookup;
mod names;
mod options;
mod orphans;
mod page;
mod parked;
mod parked_calls;
mod place;
mod prepare;
mod public;
mod public_calls;
mod reading;
mod record;
mod records;
mod relay;
mod restore;
mod selection;
mod space;
mod state;
mod store;
mod subscription;
mod torn;
mod verify;
mod writer;

pub use backup::{BackedUpLog, Backup, FoundBackup, list_backups};
pub use commit::{
    AppendError, Commit, Committed, CommittedWrite, EventState, Expected, StreamWrite,
};
pub use epoch::{Epoch, open_new_epoch};
pub use error::{Advice, OpenError, StoreError};
pub use event::{AttributeRef, AttributeValue, Event, NewEvent, Record};
pub use event_store::EventStore;
pub use export::{ExportCounts, ExportError, Exported, Progress};
pub use import::{ImportError, Imported, import};
pub use keep::KeepError;
pub use limits::{LimitError, Limits};
pub use names::{
    COMPOUND_NAME_MAX_BYTES, CursorName, LogName, NAME_MAX_BYTES, NameError, PublicStreamName,
    RelayName, StreamName,
};
pub use options::Options;
pub use page::{
    LogPage, ParkedKeysPage, ParkedPage, PublicPage, ReadLimit, StreamHead, StreamPage, StreamsPage,
};
pub use parked::{
    NewParked, ParkOutcome, ParkScope, ParkedEntry, ParkedError, ParkedKey, Resolution,
    ResolveError, ResolvedParked,
};
pub use place::{Position, Revision, Sequence};
pub use public::{
    Counts, CrossError, Crossing, CursorMove, NewPublicEvent, PublicEvent, PublicHead,
};
pub use reading::HISTORY_FROM_RECORDS;
pub use relay::{RelayTotals, SettleError, Settled, Settlement};
pub use restore::{Restored, restore};
pub use selection::Selection;
pub use space::DiskSpace;
pub use store::Store;
pub use subscription::{PublicSubscription, Subscription};
pub use verify::{Finding, Verified, verify, verify_backup};
