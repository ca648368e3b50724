//! The torn end of a write-ahead file, or of RocksDB's list of files: what a power loss leaves of the last write, where the file system kept the
//! file's length and lost some of its sectors.
//!
//! RocksDB drops a record that is cut off by the end of the file, and refuses any other flaw as damage. But a lost
//! sector reads as zeros, and the record that it was in was never answered: whatever is answered is synced. So, after
//! an unclean stop and before RocksDB looks at the file, that record is cut off, if and only if
//!
//! - it is flawed, and no whole record begins behind it, and
//! - it holds a sector of zeros.
//!
//! Any other flaw is left for RocksDB to refuse. What is cut off is kept in a file beside: a record that was answered, holds
//! zeros of its own and lost a bit later looks the same.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use crate::folder::sync_dir;

/// A write-ahead file consists of blocks of this size, in bytes; no fragment of a record crosses their borders.
const BLOCK: usize = 32 * 1024;
/// Checksum, length and type of a fragment, in bytes.
const HEADER: usize = 7;
/// What a disk writes whole or not at all, in bytes.
const SECTOR: usize = 512;

const FULL: u8 = 1;
const FIRST: u8 = 2;
const MIDDLE: u8 = 3;
const LAST: u8 = 4;

/// Cuts torn ends off: of RocksDB's list of files, which is written in the same way, of the newest write-ahead file, and
/// of the one before if there is nothing else in the newest. What is cut off goes to files in the folder `kept`.
pub(crate) fn cut_torn_ends(kept: &Path, dir: &Path) -> io::Result<()> {
    match fs::read_to_string(dir.join("CURRENT")) {
        Ok(manifest) => drop(cut_torn_end(kept, &dir.join(manifest.trim_end()))?),
        // A new database, or a damaged one: RocksDB will say.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    for path in newest_first(dir)? {
        if cut_torn_end(kept, &path)? > 0 {
            return Ok(());
        }
    }
    Ok(())
}

/// Cuts a torn end off a file; returns how many whole records are left. A file that is not there has none.
fn cut_torn_end(kept: &Path, path: &Path) -> io::Result<u64> {
    let mut ending = Ending::default();
    match File::open(path) {
        Ok(mut file) => ending.read(&mut file)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    }
    if let Some(at) = ending.torn_at() {
        let mut file = OpenOptions::new().read(true).write(true).open(path)?;
        let copy = keep_end(kept, path, &mut file, at)?;
        tracing::warn!(
            file = %path.display(),
            at,
            bytes = ending.length - at,
            kept = %copy.display(),
            "a power loss has torn the last write, which was never answered; it is dropped, and kept in a file of its own"
        );
        file.set_len(at)?;
        file.sync_all()?;
    }
    Ok(ending.whole_records)
}

/// Copies a file's end, from a place on, into a file of its own, synced; returns its path.
fn keep_end(kept: &Path, path: &Path, file: &mut File, at: u64) -> io::Result<PathBuf> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let copy = kept.join(format!("torn-{name}-{at}"));
    let new = kept.join(format!("torn-{name}-{at}.new"));
    file.seek(SeekFrom::Start(at))?;
    let mut to = File::create(&new)?;
    io::copy(file, &mut to)?;
    to.sync_all()?;
    fs::rename(&new, &copy)?;
    sync_dir(kept)?;
    Ok(copy)
}

fn newest_first(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let number = path
            .file_stem()
            .and_then(|stem| stem.to_str()?.parse().ok());
        if let (Some(number), Some("log")) = (number, path.extension().and_then(|end| end.to_str()))
        {
            let number: u64 = number;
            found.push((number, path));
        }
    }
    found.sort_unstable_by(|one, other| other.cmp(one));
    Ok(found.into_iter().map(|(_, path)| path).collect())
}

/// What is known of a file's end, after so many blocks.
#[derive(Default)]
struct Ending {
    length: u64,
    whole_records: u64,
    /// Where the record began whose fragments are not all there yet.
    begun_at: Option<u64>,
    /// Where the record begins that is flawed.
    flawed_at: Option<u64>,
    /// Whether a sector behind the flaw holds nothing but zeros.
    zeros: bool,
    /// Whether a whole record begins behind the flaw, or the end is of a kind that is not known here.
    goes_on: bool,
}

impl Ending {
    fn read(&mut self, file: &mut File) -> io::Result<()> {
        let mut block = Vec::with_capacity(BLOCK);
        loop {
            block.clear();
            file.by_ref().take(BLOCK as u64).read_to_end(&mut block)?;
            let flaw_in_block = match self.flawed_at {
                Some(_) => Some(0),
                None => self.records(&block),
            };
            if let Some(from) = flaw_in_block {
                self.behind_the_flaw(&block, from);
            }
            self.length += block.len() as u64;
            if block.len() < BLOCK || self.goes_on {
                return Ok(());
            }
        }
    }

    /// Where to cut, if the end is torn.
    fn torn_at(&self) -> Option<u64> {
        self.flawed_at.filter(|_| self.zeros && !self.goes_on)
    }

    /// Takes in the fragments of a block; returns where the first flaw in it is.
    fn records(&mut self, block: &[u8]) -> Option<usize> {
        let mut at = 0;
        while block.len() - at >= HEADER {
            let place = self.length + at as u64;
            let fragment = match Fragment::at(block, at) {
                Found::Whole(fragment) => fragment,
                // RocksDB drops it.
                Found::CutOff => return None,
                Found::Flawed => {
                    self.flawed_at = Some(self.begun_at.unwrap_or(place));
                    return Some(at);
                }
            };
            match (fragment.kind, self.begun_at) {
                (FIRST, None) => self.begun_at = Some(place),
                (MIDDLE, Some(_)) => {}
                (LAST, Some(_)) | (FULL, None) => {
                    self.begun_at = None;
                    self.whole_records += 1;
                }
                // Fragments in a wrong order, or of a kind that this version does not write: not for here.
                _ => {
                    self.goes_on = true;
                    return None;
                }
            }
            at += HEADER + fragment.length;
        }
        None
    }

    /// Looks for zeros and for whole records in a block, from a place on.
    fn behind_the_flaw(&mut self, block: &[u8], from: usize) {
        let mut sector = from;
        while sector < block.len() {
            let end = (sector / SECTOR * SECTOR + SECTOR).min(block.len());
            self.zeros |= block[sector..end].iter().all(|byte| *byte == 0);
            sector = end;
        }
        // The kind first: a checksum at every place takes long.
        let begins = |at: usize| {
            matches!(block.get(at + HEADER - 1), Some(&(FULL | FIRST)))
                && matches!(Fragment::at(block, at), Found::Whole(_))
        };
        self.goes_on |= (from..block.len().saturating_sub(HEADER)).any(begins);
    }
}

struct Fragment {
    kind: u8,
    length: usize,
}

enum Found {
    Whole(Fragment),
    /// The file ends within it.
    CutOff,
    Flawed,
}

impl Fragment {
    fn at(block: &[u8], at: usize) -> Found {
        let Some((header, rest)) = block
            .get(at..)
            .and_then(|bytes| bytes.split_first_chunk::<HEADER>())
        else {
            return Found::CutOff;
        };
        let [a, b, c, d, low, high, kind] = *header;
        let length = usize::from(u16::from_le_bytes([low, high]));
        if at + HEADER + length > BLOCK || (kind == 0 && length == 0) {
            return Found::Flawed;
        }
        let Some(body) = rest.get(..length) else {
            return Found::CutOff;
        };
        let checksum = crc32c::crc32c_append(crc32c::crc32c(&[kind]), body);
        // RocksDB stores checksums masked.
        let masked = checksum.rotate_right(15).wrapping_add(0xa282_ead8);
        if masked == u32::from_le_bytes([a, b, c, d]) {
            Found::Whole(Self { kind, length })
        } else {
            Found::Flawed
        }
    }
}
