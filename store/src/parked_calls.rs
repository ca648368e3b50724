//! The calls about what is parked: what each takes, gives and promises. The work is done in `prepare`, `writer` and `lookup`.

use crate::error::StoreError;
use crate::names::{LogName, RelayName};
use crate::page::{ParkedKeysPage, ParkedPage, ReadLimit};
use crate::parked::{ParkScope, ParkedEntry, Resolution, ResolveError, ResolvedParked};
use crate::store::Store;
use crate::writer::Request;
use crate::{lookup, prepare};

impl Store {
    /// Lets parked entries leave a relay, all or none, and answers when that is durable. The entries of a key leave in order, the
    /// first one first. Those of a crossing leave by [`Store::cross`].
    ///
    /// # Errors
    /// [`ResolveError`]; with all but [`StoreError::Stopped`], nothing was stored.
    pub async fn resolve(
        &self,
        log: &LogName,
        relay: &RelayName,
        resolved: Vec<ResolvedParked>,
    ) -> Result<(), ResolveError> {
        let (limits, secrets) = (&self.inner.options.limits, &self.inner.secrets);
        let resolving = prepare::resolving(relay, resolved, limits, secrets)?;
        let log = log.clone();
        self.ask(resolving.bytes, |answer| Request::Resolve {
            log,
            resolving,
            answer,
        })
        .await
    }

    /// The parked keys of a scope, after a key, in an order that means nothing and stays.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] with the place, [`StoreError::Io`], [`StoreError::Closed`].
    pub async fn parked_keys(
        &self,
        log: &LogName,
        scope: &ParkScope,
        after: Option<&str>,
        limit: ReadLimit,
    ) -> Result<ParkedKeysPage, StoreError> {
        let (scope, after) = (scope.clone(), after.map(str::to_owned));
        self.read_of(log, move |inner, database, log| {
            let after = after.map(|after| inner.secrets.key(&after));
            lookup::parked_keys(database, log, &scope, after.as_ref(), limit)
        })
        .await
    }

    /// The entries that are parked under a key, after a place, in order.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] with the place, [`StoreError::Io`], [`StoreError::Closed`].
    pub async fn parked_entries(
        &self,
        log: &LogName,
        scope: &ParkScope,
        key: &str,
        after: u64,
        limit: ReadLimit,
    ) -> Result<ParkedPage, StoreError> {
        let (scope, key) = (scope.clone(), key.to_owned());
        self.read_of(log, move |inner, database, log| {
            let digest = inner.secrets.key(&key);
            lookup::parked_entries(database, log, &scope, &digest, after, limit)
        })
        .await
    }

    /// One parked entry, by its place, and by its key if that is known.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] with the place, [`StoreError::Io`], [`StoreError::Closed`].
    pub async fn parked_entry(
        &self,
        log: &LogName,
        scope: &ParkScope,
        key: Option<&str>,
        at: u64,
    ) -> Result<Option<ParkedEntry>, StoreError> {
        let (scope, key) = (scope.clone(), key.map(str::to_owned));
        self.read_of(log, move |inner, database, log| {
            lookup::parked_entry(database, log, &inner.secrets, &scope, key.as_deref(), at)
        })
        .await
    }

    /// What became of an entry that was parked and has left, by its place, and by its key if that is known.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] with the place, [`StoreError::Io`], [`StoreError::Closed`].
    pub async fn resolution(
        &self,
        log: &LogName,
        scope: &ParkScope,
        key: Option<&str>,
        at: u64,
    ) -> Result<Option<Resolution>, StoreError> {
        let (scope, key) = (scope.clone(), key.map(str::to_owned));
        self.read_of(log, move |inner, database, log| {
            lookup::resolution(database, log, &inner.secrets, &scope, key.as_deref(), at)
        })
        .await
    }
}
