//! Reads by key: one value, or several at once.

use rocksdb::DBPinnableSlice;

use super::{Database, Reach, failed, unseal};
use crate::codec::Flaw;
use crate::error::StoreError;
use crate::keys::Key;

impl Database {
    /// Reads one value.
    pub(crate) fn get<T>(
        &self,
        key: &Key,
        decode: impl FnOnce(&[u8]) -> Result<T, Flaw>,
    ) -> Result<Option<T>, StoreError> {
        self.get_in(Reach::Disk, key, decode)
    }

    /// Reads one value, where the read may look.
    pub(crate) fn get_in<T>(
        &self,
        reach: Reach,
        key: &Key,
        decode: impl FnOnce(&[u8]) -> Result<T, Flaw>,
    ) -> Result<Option<T>, StoreError> {
        let found = self
            .db
            .get_pinned_cf_opt(self.column(key.column)?, &key.bytes, self.options.of(reach))
            .map_err(|error| failed(key, &error))?;
        match found {
            None => Ok(None),
            Some(value) => unseal(&key.bytes, &value, decode).map(Some),
        }
    }

    /// Reads several values of one column family; each comes with its size in bytes. Records that were read lately are in
    /// memory.
    pub(crate) fn get_all<T>(
        &self,
        reach: Reach,
        sought: &[Key],
        mut decode: impl FnMut(usize, &[u8]) -> Result<T, Flaw>,
    ) -> Result<Vec<Option<(T, usize)>>, StoreError> {
        let kept: Vec<_> = sought.iter().map(|key| self.records.get(key)).collect();
        let missing = sought.iter().zip(&kept);
        let missing = missing.filter_map(|(key, kept)| kept.is_none().then_some(key));
        let mut found = self.multi_get(reach, missing)?.into_iter();
        let read = sought.iter().zip(kept).enumerate();
        let read = read.map(|(index, (key, kept))| {
            let mut decode = |value: &[u8]| {
                let decoded = unseal(&key.bytes, value, |body| decode(index, body))?;
                Ok(Some((decoded, value.len())))
            };
            if let Some(value) = kept {
                return decode(&value);
            }
            let Some(value) = found.next().transpose()?.flatten() else {
                return Ok(None);
            };
            let read = decode(&value)?;
            // Long history would push out what others read all the time.
            if reach == Reach::Disk {
                self.records.keep(key, &value);
            }
            Ok(read)
        });
        read.collect()
    }

    /// Looks several keys of one column family up.
    pub(super) fn multi_get<'k>(
        &self,
        reach: Reach,
        sought: impl Iterator<Item = &'k Key> + Clone,
    ) -> Result<Vec<Result<Option<DBPinnableSlice<'_>>, StoreError>>, StoreError> {
        let Some(first) = sought.clone().next() else {
            return Ok(Vec::new());
        };
        debug_assert!(
            sought.clone().all(|key| key.column == first.column),
            "one column family"
        );
        let bytes: Vec<_> = sought.clone().map(|key| key.bytes.as_slice()).collect();
        let found = self.db.batched_multi_get_cf_opt(
            self.column(first.column)?,
            &bytes,
            bytes.is_sorted(),
            self.options.of(reach),
        );
        let found = sought.zip(found);
        let found = found.map(|(key, found)| found.map_err(|error| failed(key, &error)));
        Ok(found.collect())
    }
}
