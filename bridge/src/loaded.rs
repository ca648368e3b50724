//! The contracts and schemas as they are now: one catalog for all who look things up, replaced as a whole by a reload.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use horizon_schemas::Catalog;
use serde::Serialize;

use crate::clock;

/// The catalog that is in use, shared; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct SharedCatalog(Arc<RwLock<Loaded>>);

#[derive(Debug)]
struct Loaded {
    catalog: Arc<Catalog>,
    /// Since when each contract is in use as it is: its fingerprint, and milliseconds since 1970.
    since: BTreeMap<String, (String, u64)>,
    view: LoadView,
}

/// How loading went, as it is told.
#[derive(Debug, Clone, Default, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LoadView {
    /// When the contracts and schemas that are in use were loaded, RFC 3339.
    loaded: String,
    /// When the principals and certificates that are in use were loaded, RFC 3339.
    access_loaded: String,
    /// What the last reload did not take up, and why; none if it took everything up.
    last_error: Option<LoadError>,
    /// Keys of the configuration that have changed and wait for a restart.
    restart_needed: Vec<String>,
}

/// Why a reload, or a part of it, was refused.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
struct LoadError {
    /// When, RFC 3339.
    at: String,
    reason: String,
}

impl SharedCatalog {
    /// What was loaded at the start.
    pub(crate) fn new(catalog: Arc<Catalog>) -> SharedCatalog {
        let now_ms = clock::now_ms();
        let view = LoadView {
            loaded: clock::rfc3339(now_ms),
            access_loaded: clock::rfc3339(now_ms),
            ..LoadView::default()
        };
        let since = since(&catalog, &BTreeMap::new(), now_ms);
        SharedCatalog(Arc::new(RwLock::new(Loaded {
            catalog,
            since,
            view,
        })))
    }

    /// The catalog as it is now; it stays whole while somebody holds it.
    pub(crate) fn current(&self) -> Arc<Catalog> {
        Arc::clone(&self.read().catalog)
    }

    /// Since when a contract is in use as it is, RFC 3339.
    pub(crate) fn since(&self, contract: &str) -> Option<String> {
        let since = self.read().since.get(contract).map(|(_, since)| *since);
        since.map(clock::rfc3339)
    }

    /// How loading went.
    pub(crate) fn view(&self) -> LoadView {
        self.read().view.clone()
    }

    /// Another catalog is in use from now on.
    pub(crate) fn replace(&self, catalog: Arc<Catalog>) {
        let now_ms = clock::now_ms();
        self.change(|loaded| {
            loaded.since = since(&catalog, &loaded.since, now_ms);
            loaded.catalog = catalog;
            loaded.view.loaded = clock::rfc3339(now_ms);
        });
    }

    /// Other principals are in use from now on; `restart_needed` are settings that have changed and are not.
    pub(crate) fn replaced_access(&self, restart_needed: Vec<String>) {
        let now = clock::rfc3339(clock::now_ms());
        self.change(|loaded| {
            loaded.view.access_loaded = now;
            loaded.view.restart_needed = restart_needed;
        });
    }

    /// A reload has ended; what it did not take up is in use as it was.
    pub(crate) fn reloaded(&self, refused: Option<String>) {
        let at = clock::rfc3339(clock::now_ms());
        let error = refused.map(|reason| LoadError { at, reason });
        self.change(|loaded| loaded.view.last_error = error);
    }

    fn change(&self, change: impl FnOnce(&mut Loaded)) {
        change(&mut self.0.write().unwrap_or_else(PoisonError::into_inner));
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Loaded> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

fn since(
    catalog: &Catalog,
    before: &BTreeMap<String, (String, u64)>,
    now_ms: u64,
) -> BTreeMap<String, (String, u64)> {
    let of = |contract: &Arc<horizon_schemas::Contract>| {
        let (name, fingerprint) = (contract.public_stream(), contract.fingerprint());
        let known = before.get(&name).filter(|(known, _)| *known == fingerprint);
        let since = known.map_or(now_ms, |(_, since)| *since);
        (name, (fingerprint, since))
    };
    catalog.contracts().iter().map(of).collect()
}
