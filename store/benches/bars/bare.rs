//! The other side of the ratios: RocksDB alone, with its defaults, given the same keys and values as the store writes
//! (`FORMAT.md`), made before the clock starts.

use std::path::Path;

use horizon_store::NewEvent;
use rocksdb::{DB, IteratorMode, Options, ReadOptions, WriteBatch, WriteOptions};

use crate::events::{TYPES, mixed};

const COLUMNS: [&str; 3] = ["log", "index", "state"];

/// Column family, key, value.
type Entry = (&'static str, Vec<u8>, Vec<u8>);

pub(crate) struct Bare {
    db: DB,
    next_position: u64,
}

fn key(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    [&[tag, 0, 0, 0, 1], parts.concat().as_slice()].concat()
}

impl Bare {
    pub(crate) fn open(dir: &Path) -> Self {
        let mut options = Options::default();
        options.create_if_missing(true);
        options.create_missing_column_families(true);
        let db = DB::open_cf(&options, dir, COLUMNS).unwrap();
        Self {
            db,
            next_position: 1,
        }
    }

    /// What the store writes for an event alone: its record, its entry in the id index, and its stream's run.
    pub(crate) fn entries(&mut self, stream: &str, revision: u64, event: &NewEvent) -> Vec<Entry> {
        let position = self.next_position;
        self.next_position += 1;
        let place = position.to_be_bytes();
        let digest = [mixed(position), mixed(!position)]
            .map(u64::to_be_bytes)
            .concat();
        let attributes: usize = event
            .attributes
            .iter()
            .map(|(name, _)| name.len() + 24)
            .sum();
        let data = event.data.as_ref().unwrap();
        let record = data.len()
            + stream.len()
            + event.id.len()
            + event.event_type.len()
            + attributes
            + 16
            + 24;
        let body = [data, event.id.as_bytes(), &[7; 255][..]].concat();
        let (first, length) = (revision - revision % 32 + 1, revision % 32 + 1);
        vec![
            ("log", key(0x01, &[&place]), body[..record].to_vec()),
            (
                "index",
                key(0x10, &[stream.as_bytes(), &[0], &first.to_be_bytes()]),
                vec![7; 5 + 2 * length as usize],
            ),
            ("index", key(0x11, &[&digest]), vec![7; 25]),
        ]
    }

    /// What the store writes once a batch: the blocks of categories and types, and the log's head.
    fn ends(&self) -> Vec<Entry> {
        let block = (self.next_position & !0xff).to_be_bytes();
        let mut ends = vec![("state", key(0x37, &[]), vec![7; 13])];
        ends.push(("index", key(0x12, &[b"account", &[0], &block]), vec![7; 37]));
        for name in TYPES {
            ends.push((
                "index",
                key(0x13, &[name.as_bytes(), &[0], &block]),
                vec![7; 37],
            ));
        }
        ends
    }

    /// Writes and syncs one batch.
    pub(crate) fn write(&self, entries: &[Entry]) {
        let mut batch = WriteBatch::default();
        for (column, key, value) in entries {
            batch.put_cf(self.db.cf_handle(column).unwrap(), key, value);
        }
        for (column, key, value) in self.ends() {
            batch.put_cf(self.db.cf_handle(column).unwrap(), key, value);
        }
        self.commit(batch);
    }

    /// Writes entries where nobody waits for the disk.
    pub(crate) fn put_unsynced(&self, entries: &[Entry]) {
        for (column, key, value) in entries {
            let column = self.db.cf_handle(column).unwrap();
            self.db.put_cf(column, key, value).unwrap();
        }
    }

    /// The same, with everything in tables.
    pub(crate) fn reopened(self) -> Self {
        let dir = self.db.path().to_owned();
        for column in COLUMNS {
            self.db
                .flush_cf(self.db.cf_handle(column).unwrap())
                .unwrap();
        }
        drop(self.db);
        Self {
            next_position: self.next_position,
            ..Self::open(&dir)
        }
    }

    /// Writes and syncs one value.
    pub(crate) fn put(&self, (column, key, value): &Entry) {
        let mut batch = WriteBatch::default();
        batch.put_cf(self.db.cf_handle(column).unwrap(), key, value);
        self.commit(batch);
    }

    fn commit(&self, batch: WriteBatch) {
        let mut options = WriteOptions::default();
        options.set_sync(true);
        self.db.write_opt(batch, &options).unwrap();
    }

    /// Goes over the whole log as one reads history, which does not stay in the cache; gives how many bytes it holds.
    pub(crate) fn scan(&self) -> usize {
        let log = self.db.cf_handle("log").unwrap();
        let mut options = ReadOptions::default();
        options.fill_cache(false);
        self.db
            .iterator_cf_opt(log, options, IteratorMode::Start)
            .map(|entry| entry.map(|(key, value)| key.len() + value.len()).unwrap())
            .sum()
    }
}
