//! Scans: entries in the order of their keys, forwards or backwards, within one prefix.
//!
//! An iterator lives for one call, and a call reads one page: so no reader keeps files or memtables from being let go.
//! RocksDB reads ahead by itself, more the longer a scan goes on in order.

use std::ops::ControlFlow;

use rocksdb::{DBRawIterator, ReadOptions};

use super::{Database, Reach, damaged, failed, unseal};
use crate::codec::Flaw;
use crate::error::StoreError;
use crate::keys::{self, Key};

/// After how many entries a scan gives way: some 70 microseconds.
const GIVE_WAY_ENTRIES: usize = 64;

type Visited = Result<ControlFlow<()>, Flaw>;

impl Database {
    fn entries(&self, prefix: &Key, reach: Reach) -> Result<DBRawIterator<'_>, StoreError> {
        self.entries_with(prefix, reach.options())
    }

    fn entries_with(
        &self,
        prefix: &Key,
        mut options: ReadOptions,
    ) -> Result<DBRawIterator<'_>, StoreError> {
        options.set_iterate_lower_bound(prefix.bytes.clone());
        options.set_iterate_upper_bound(keys::end_of(&prefix.bytes));
        Ok(self
            .db
            .raw_iterator_cf_opt(self.column(prefix.column)?, options))
    }

    /// Visits the entries that begin with `prefix`, from the key `from` on, in order, until told to stop.
    pub(crate) fn scan(
        &self,
        prefix: &Key,
        from: &[u8],
        visit: impl FnMut(&[u8], &[u8]) -> Visited,
    ) -> Result<(), StoreError> {
        self.scan_in(Reach::Disk, prefix, from, visit)
    }

    /// As [`Database::scan`], where the read may look.
    pub(crate) fn scan_in(
        &self,
        reach: Reach,
        prefix: &Key,
        from: &[u8],
        visit: impl FnMut(&[u8], &[u8]) -> Visited,
    ) -> Result<(), StoreError> {
        visit_all(prefix, self.entries(prefix, reach)?, reach, from, visit)
    }

    /// As [`Database::scan`], with options of the caller.
    pub(super) fn scan_with(
        &self,
        options: ReadOptions,
        prefix: &Key,
        from: &[u8],
        visit: impl FnMut(&[u8], &[u8]) -> Visited,
    ) -> Result<(), StoreError> {
        let entries = self.entries_with(prefix, options)?;
        visit_all(prefix, entries, Reach::Disk, from, visit)
    }

    /// Visits the entries that begin with `prefix`, from the key `from` on, backwards, until told to stop.
    pub(crate) fn scan_back(
        &self,
        prefix: &Key,
        from: &[u8],
        visit: impl FnMut(&[u8], &[u8]) -> Visited,
    ) -> Result<(), StoreError> {
        self.scan_back_in(Reach::Disk, prefix, from, visit)
    }

    /// As [`Database::scan_back`], where the read may look.
    pub(crate) fn scan_back_in(
        &self,
        reach: Reach,
        prefix: &Key,
        from: &[u8],
        mut visit: impl FnMut(&[u8], &[u8]) -> Visited,
    ) -> Result<(), StoreError> {
        let mut way = GivingWay::new(reach);
        let mut entries = self.entries(prefix, reach)?;
        entries.seek_for_prev(from);
        while let Some((key, value)) = entries.item() {
            if unseal(key, value, |body| visit(key, body))?.is_break() {
                break;
            }
            way.passed_one();
            entries.prev();
        }
        entries.status().map_err(|error| failed(prefix, &error))
    }

    /// The last entry that begins with a prefix.
    pub(crate) fn last<T>(
        &self,
        reach: Reach,
        prefix: &Key,
        decode: impl FnOnce(&[u8], &[u8]) -> Result<T, Flaw>,
    ) -> Result<Option<T>, StoreError> {
        let mut entries = self.entries(prefix, reach)?;
        entries.seek_to_last();
        entries.status().map_err(|error| failed(prefix, &error))?;
        match entries.item() {
            None => Ok(None),
            Some((key, value)) => unseal(key, value, |body| decode(key, body)).map(Some),
        }
    }

    /// Skips along groups of entries under one prefix, with one seek for each. `group` says of a group's first entry where its
    /// last can be at most; `visit` gets the last one. The next group begins behind it.
    pub(crate) fn skip_along(
        &self,
        prefix: &Key,
        from: &[u8],
        mut group: impl FnMut(&[u8]) -> Result<Vec<u8>, Flaw>,
        mut visit: impl FnMut(&[u8], &[u8]) -> Visited,
    ) -> Result<(), StoreError> {
        let mut way = GivingWay::new(Reach::Disk);
        let mut entries = self.entries(prefix, Reach::Disk)?;
        entries.seek(from);
        while let Some(first) = entries.key() {
            let last = group(first).map_err(|flaw| damaged(first, &flaw.to_string()))?;
            entries.seek_for_prev(&last);
            let Some((key, value)) = entries.item() else {
                break;
            };
            if unseal(key, value, |body| visit(key, body))?.is_break() {
                break;
            }
            way.passed_one();
            entries.next();
        }
        entries.status().map_err(|error| failed(prefix, &error))
    }
}

/// Lets others have the processor, every few entries.
///
/// Who waits for it, such as the writer, has it at once, and not only when this thread's slice of time is used up. Reads in memory are
/// short, and on threads that do other work as well: they do not give way.
pub(super) struct GivingWay {
    reach: Reach,
    passed: usize,
}

impl GivingWay {
    pub(super) fn new(reach: Reach) -> Self {
        Self { reach, passed: 0 }
    }

    /// An entry was passed.
    pub(super) fn passed_one(&mut self) {
        self.passed = self.passed.wrapping_add(1);
        if self.passed.is_multiple_of(GIVE_WAY_ENTRIES) && self.reach != Reach::Memory {
            std::thread::yield_now();
        }
    }
}

fn visit_all(
    prefix: &Key,
    mut entries: DBRawIterator<'_>,
    reach: Reach,
    from: &[u8],
    mut visit: impl FnMut(&[u8], &[u8]) -> Visited,
) -> Result<(), StoreError> {
    let mut way = GivingWay::new(reach);
    entries.seek(from);
    while let Some((key, value)) = entries.item() {
        if unseal(key, value, |body| visit(key, body))?.is_break() {
            break;
        }
        way.passed_one();
        entries.next();
    }
    entries.status().map_err(|error| failed(prefix, &error))
}
