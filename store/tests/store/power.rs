//! Power loss: what of a folder is left when the machine, not only the process, goes down.
//!
//! The model is ext4's, where it may lose more:
//! - Of a file, the bytes that were there when its last sync began are left, and of the bytes after them any part of
//!   the beginning, of which any sector may be zeros: the length was kept, and the sector was not written.
//! - Changes of directory entries (made, renamed, unlinked) happen in one order and are lost from its end. The sync of a
//!   folder makes all changes before it durable; the sync of a file, those up to the last of its own.
//! - After a failed sync, nothing that was not durable then ever is: Linux may call the lost pages clean.
//!
//! What was there before the child ran counts as durable.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::crash_child::Numbers;
use crate::shim::Faults;

/// What a disk writes whole or not at all, in bytes.
const SECTOR: usize = 512;

type Inode = u64;

/// A folder's files as they were before a child ran.
pub(crate) struct Before {
    entries: BTreeMap<PathBuf, Inode>,
    lengths: HashMap<Inode, u64>,
}

/// One change of a directory entry.
enum Change {
    Create(Inode, PathBuf),
    Rename(Inode, PathBuf, PathBuf),
    Unlink(Inode, PathBuf),
}

impl Change {
    fn inode(&self) -> Inode {
        match self {
            Self::Create(inode, _) | Self::Rename(inode, ..) | Self::Unlink(inode, _) => *inode,
        }
    }
}

/// What the journal says.
struct Journal {
    changes: Vec<Change>,
    /// How many of the changes are durable.
    durable: usize,
    /// How many bytes of each file are durable.
    lengths: HashMap<Inode, u64>,
}

impl Before {
    pub(crate) fn of(dir: &Path) -> Self {
        let (mut entries, mut lengths) = (BTreeMap::new(), HashMap::new());
        for (path, inode, length) in files(dir) {
            entries.insert(path, inode);
            lengths.insert(inode, length);
        }
        Self { entries, lengths }
    }

    /// Takes from the folder what a power loss takes; `strict` takes all that it can.
    pub(crate) fn lose_power(
        self,
        dir: &Path,
        faults: &Faults,
        numbers: &mut Numbers,
        strict: bool,
    ) {
        let journal = Journal::read(faults, &self.lengths);
        let mut found: HashMap<Inode, PathBuf> = fs::read_dir(faults.control().join("graveyard"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| (fs::metadata(&path).unwrap().ino(), path))
            .collect();
        found.extend(files(dir).into_iter().map(|(path, inode, _)| (inode, path)));
        let undecided = (journal.changes.len() - journal.durable) as u64;
        let kept = match numbers.below(4) {
            _ if strict => 0,
            0 | 1 => 0,
            2 => undecided,
            _ => numbers.below(undecided + 1),
        };
        let mut entries = self.entries;
        for change in journal
            .changes
            .into_iter()
            .take(journal.durable + kept as usize)
        {
            match change {
                Change::Create(inode, path) => drop(entries.insert(path, inode)),
                Change::Unlink(_, path) => drop(entries.remove(&path)),
                Change::Rename(inode, path, to) => {
                    entries.remove(&path);
                    entries.insert(to, inode);
                }
            }
        }
        let left = dir.with_extension("left");
        fs::create_dir(&left).unwrap();
        for (path, inode) in entries {
            let mut bytes = fs::read(&found[&inode]).unwrap();
            let durable = journal.lengths.get(&inode).copied().unwrap_or(0);
            let unsure = (bytes.len() as u64).saturating_sub(durable);
            let more = match numbers.below(4) {
                _ if strict => 0,
                0 | 1 => 0,
                2 => unsure,
                _ => numbers.below(unsure + 1),
            };
            let at = left.join(path.strip_prefix(dir).unwrap());
            fs::create_dir_all(at.parent().unwrap()).unwrap();
            let kept = (durable + more).min(bytes.len() as u64) as usize;
            if !strict && numbers.below(2) == 0 {
                lose_sectors(&mut bytes[..kept], durable as usize, numbers);
            }
            fs::write(at, &bytes[..kept]).unwrap();
        }
        fs::remove_dir_all(dir).unwrap();
        fs::rename(left, dir).unwrap();
    }
}

impl Journal {
    fn read(faults: &Faults, lengths_before: &HashMap<Inode, u64>) -> Self {
        let mut journal = Self {
            changes: Vec::new(),
            durable: 0,
            lengths: lengths_before.clone(),
        };
        let mut lost: HashSet<Inode> = HashSet::new();
        for line in faults.journal() {
            let number = |index: usize| line[index].parse::<u64>().unwrap();
            // Joined again, so that a doubled slash is one.
            let path = |index: usize| Path::new(&line[index]).components().collect::<PathBuf>();
            match line[0].as_str() {
                "create" => journal.changes.push(Change::Create(number(1), path(2))),
                "rename" => {
                    let change = Change::Rename(number(1), path(2), path(3));
                    journal.changes.push(change);
                }
                "unlink" => journal.changes.push(Change::Unlink(number(1), path(2))),
                "sync-all" => journal.durable = journal.changes.len(),
                "sync" if !lost.contains(&number(1)) => journal.sync(number(1), number(2)),
                "sync" => {}
                "lost" => drop(lost.insert(number(1))),
                "truncate" => {
                    let length = journal.lengths.entry(number(1)).or_default();
                    *length = (*length).min(number(2));
                }
                other => panic!("the model does not know what {other} leaves: {line:?}"),
            }
        }
        journal
    }

    fn sync(&mut self, inode: Inode, length: u64) {
        self.lengths.insert(inode, length);
        let own = |change: &Change| change.inode() == inode;
        if let Some(last) = self.changes.iter().rposition(own) {
            self.durable = self.durable.max(last + 1);
        }
    }
}

/// Makes some of the sectors that were not synced zeros: from one on, or one here and there.
fn lose_sectors(bytes: &mut [u8], durable: usize, numbers: &mut Numbers) {
    let from = durable + numbers.below((bytes.len() - durable) as u64 + 1) as usize;
    let here_and_there = numbers.below(2) == 0;
    let mut at = durable;
    while at < bytes.len() {
        let end = (at / SECTOR * SECTOR + SECTOR).min(bytes.len());
        let lost = if here_and_there {
            numbers.below(2) == 0
        } else {
            at >= from
        };
        if lost {
            bytes[at..end].fill(0);
        }
        at = end;
    }
}

/// All files in a folder and below, with inode and length.
fn files(dir: &Path) -> Vec<(PathBuf, Inode, u64)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten() {
        let path = entry.unwrap().path();
        let known = fs::metadata(&path).unwrap();
        if known.is_dir() {
            found.extend(files(&path));
        } else {
            found.push((path, known.ino(), known.len()));
        }
    }
    found
}
