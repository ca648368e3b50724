//! Reading for verification: on past what is wrong, and without a trace.

use std::ops::ControlFlow;
use std::path::Path;

use rocksdb::{DB, ReadOptions};

use super::scan::GivingWay;
use super::settings::{column_families, database_options};
use super::{Database, LastStop, Reach, failed, unseal};
use crate::codec::{self, Flaw};
use crate::error::StoreError;
use crate::keys::{self, Column, Key};
use crate::options::Options;

impl Database {
    /// Opens the database in a folder for reading only.
    pub(crate) fn open_to_read(
        dir: &Path,
        last: LastStop,
        options: &Options,
    ) -> Result<Self, rocksdb::Error> {
        let database = database_options(false, last, options);
        let columns = column_families(options)?;
        let db = DB::open_cf_descriptors_read_only(&database, dir, columns, false)?;
        Ok(Self::of(db, database, options))
    }

    /// How many entries there are, more or less.
    pub(crate) fn estimate_entries(&self) -> Result<u64, StoreError> {
        let mut entries = 0_u64;
        for column in Column::ALL {
            let estimate = self
                .db
                .property_int_value_cf(self.column(column)?, "rocksdb.estimate-num-keys")
                .map_err(|error| StoreError::Io {
                    reason: error.into_string(),
                })?;
            entries = entries.saturating_add(estimate.unwrap_or_default());
        }
        Ok(entries)
    }

    /// Visits the entries that begin with `prefix`, from the key `from` on, in order, whatever is wrong with them, until told
    /// to stop. An error is of a block that cannot be read: what comes after it is not visited.
    pub(crate) fn walk(
        &self,
        prefix: &Key,
        from: &[u8],
        mut visit: impl FnMut(&[u8], Result<&[u8], Flaw>) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let mut options = ReadOptions::default();
        options.set_iterate_lower_bound(prefix.bytes.clone());
        options.set_iterate_upper_bound(keys::end_of(&prefix.bytes));
        options.fill_cache(false);
        let mut entries = self
            .db
            .raw_iterator_cf_opt(self.column(prefix.column)?, options);
        let mut way = GivingWay::new(Reach::Disk);
        entries.seek(from);
        while let Some((key, value)) = entries.item() {
            if visit(key, codec::unseal(key, value)).is_break() {
                break;
            }
            way.passed_one();
            entries.next();
        }
        entries.status().map_err(|error| failed(prefix, &error))
    }

    /// Where the first table begins of those that begin after a key.
    pub(crate) fn next_table(
        &self,
        column: Column,
        after: &[u8],
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let tables = self.db.live_files().map_err(|error| StoreError::Io {
            reason: error.into_string(),
        })?;
        let starts = tables
            .into_iter()
            .filter(|table| table.column_family_name == column.name())
            .filter_map(|table| table.start_key);
        Ok(starts.filter(|start| start.as_slice() > after).min())
    }

    /// The first key of a column family that is not before `from`.
    pub(crate) fn key_from(
        &self,
        column: Column,
        from: &[u8],
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let mut entries = self.db.raw_iterator_cf(self.column(column)?);
        entries.seek(from);
        entries.status().map_err(|error| StoreError::Damaged {
            place: format!("column family {}", column.name()),
            reason: error.into_string(),
        })?;
        Ok(entries.key().map(<[u8]>::to_vec))
    }

    /// Reads several values of one column family, each with its own outcome, and none from the records in memory.
    pub(crate) fn get_each<T>(
        &self,
        sought: &[Key],
        mut decode: impl FnMut(&[u8]) -> Result<T, Flaw>,
    ) -> Result<Vec<Result<Option<T>, StoreError>>, StoreError> {
        let found = self.multi_get(Reach::Disk, sought.iter())?;
        let read = sought.iter().zip(found).map(|(key, found)| match found? {
            None => Ok(None),
            Some(value) => unseal(&key.bytes, &value, &mut decode).map(Some),
        });
        Ok(read.collect())
    }
}
