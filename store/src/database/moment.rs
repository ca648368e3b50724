//! The database as it is at one moment, whatever is written meanwhile.

use std::ops::ControlFlow;

use rocksdb::{ReadOptions, Snapshot};

use super::{Database, failed, unseal};
use crate::codec::Flaw;
use crate::error::StoreError;
use crate::keys::Key;

/// A moment of the database. It is to be held for short: while it is, what is overwritten stays on the disk.
pub(crate) struct Moment<'a> {
    database: &'a Database,
    snapshot: Snapshot<'a>,
}

impl Database {
    /// This moment.
    pub(crate) fn moment(&self) -> Moment<'_> {
        Moment {
            database: self,
            snapshot: self.db.snapshot(),
        }
    }
}

impl Moment<'_> {
    fn options(&self) -> ReadOptions {
        let mut options = ReadOptions::default();
        options.set_snapshot(&self.snapshot);
        options
    }

    /// Reads one value.
    pub(crate) fn get<T>(
        &self,
        key: &Key,
        decode: impl FnOnce(&[u8]) -> Result<T, Flaw>,
    ) -> Result<Option<T>, StoreError> {
        let column = self.database.column(key.column)?;
        let found = self
            .database
            .db
            .get_pinned_cf_opt(column, &key.bytes, &self.options())
            .map_err(|error| failed(key, &error))?;
        match found {
            None => Ok(None),
            Some(value) => unseal(&key.bytes, &value, decode).map(Some),
        }
    }

    /// Visits the entries that begin with `prefix`, from the key `from` on, in order, until told to stop.
    pub(crate) fn scan(
        &self,
        prefix: &Key,
        from: &[u8],
        visit: impl FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>, Flaw>,
    ) -> Result<(), StoreError> {
        self.database.scan_with(self.options(), prefix, from, visit)
    }
}
