//! Tables that RocksDB's list of files does not name: they are kept when the store is opened after an unclean stop.
//!
//! RocksDB removes such tables when it opens for writing. A flush or compaction that was interrupted leaves some, and
//! what is in them is elsewhere as well. But a list that was cut short before a flush looks the same, and then the
//! table is all that is left of events that were answered. So every finished table gets a second name first, and those
//! that are still there after the opening lose it again.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use crate::folder::{make_dir, sync_dir};

/// Where the second names are, in the store's folder.
pub(crate) const ORPHANS: &str = "rocksdb-orphans";
/// What a finished table ends in: RocksDB's number of its block-based tables.
const TABLE_END: [u8; 8] = 0x88e2_41b7_85f4_cff7_u64.to_le_bytes();

/// Gives every finished table a second name. To be called before the database is opened for writing.
pub(crate) fn keep_tables(dir: &Path) -> io::Result<()> {
    let orphans = dir.join(ORPHANS);
    let mut kept = false;
    for entry in fs::read_dir(dir.join("rocksdb"))? {
        let path = entry?.path();
        let (Some(name), Some("sst")) = (
            path.file_name(),
            path.extension().and_then(|end| end.to_str()),
        ) else {
            continue;
        };
        if !is_finished(&path)? {
            continue;
        }
        if !kept {
            make_dir(&orphans)?;
            kept = true;
        }
        match fs::hard_link(&path, orphans.join(name)) {
            Ok(()) => {}
            // RocksDB uses no number of a table twice: the name is of an opening that was interrupted.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::Unsupported | io::ErrorKind::PermissionDenied
                ) =>
            {
                tracing::warn!(
                    table = %path.display(),
                    %error,
                    "the file system has no second names; tables that RocksDB does not know of are not kept"
                );
                break;
            }
            Err(error) => return Err(error),
        }
    }
    if kept {
        sync_dir(&orphans)?;
        sync_dir(dir)?;
    }
    Ok(())
}

/// Takes the second names of those tables away that the open database still has, and tells of the others.
///
/// A table that is compacted away at this very moment is kept as well: that costs its room, and nothing else.
pub(crate) fn tell_of_orphans(dir: &Path) -> io::Result<()> {
    let orphans = dir.join(ORPHANS);
    let files = match fs::read_dir(&orphans) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        files => files?,
    };
    let mut left = 0_usize;
    for file in files {
        let file = file?;
        if dir.join("rocksdb").join(file.file_name()).exists() {
            fs::remove_file(file.path())?;
        } else {
            left += 1;
        }
    }
    if left == 0 {
        return fs::remove_dir(&orphans);
    }
    tracing::warn!(
        folder = %orphans.display(),
        tables = left,
        "tables that RocksDB's list of files does not name are kept: a flush or compaction was interrupted, or the list \
         was cut short and events are missing; remove the folder once the logs end where they should"
    );
    Ok(())
}

/// Whether a table was written to its end. One that was not is named by no list.
fn is_finished(path: &Path) -> io::Result<bool> {
    let mut file = File::open(path)?;
    let mut end = [0; TABLE_END.len()];
    if file.metadata()?.len() < end.len() as u64 {
        return Ok(false);
    }
    file.seek(SeekFrom::End(-(TABLE_END.len() as i64)))?;
    file.read_exact(&mut end)?;
    Ok(end == TABLE_END)
}
