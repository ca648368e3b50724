//! The file of an export: readable by its owner only, and under its name only when it is whole.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::ExportError;

const BUFFER_BYTES: usize = 256 * 1024;

/// A file that is being written. Dropped before it is finished, it is removed.
pub(super) struct ExportFile {
    path: PathBuf,
    unfinished: PathBuf,
    to: BufWriter<File>,
}

impl ExportFile {
    pub(super) fn create(path: &Path) -> Result<Self, ExportError> {
        let exists = |path: &Path| ExportError::Exists {
            path: path.to_owned(),
        };
        if path.symlink_metadata().is_ok() {
            return Err(exists(path));
        }
        let mut name = OsString::from(path);
        name.push(".unfinished");
        let unfinished = PathBuf::from(name);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options
            .open(&unfinished)
            .map_err(|error| match error.kind() {
                ErrorKind::AlreadyExists => exists(&unfinished),
                _ => ExportError::Write {
                    reason: format!("{}: {error}", unfinished.display()),
                },
            })?;
        Ok(Self {
            path: path.to_owned(),
            unfinished,
            to: BufWriter::with_capacity(BUFFER_BYTES, file),
        })
    }

    /// Syncs the file and gives it its name.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.to.flush()?;
        self.to.get_ref().sync_all()?;
        fs::rename(&self.unfinished, &self.path)?;
        match self.path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => File::open(parent)?.sync_all(),
            _ => File::open(".")?.sync_all(),
        }
    }
}

impl Write for ExportFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.to.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

impl Drop for ExportFile {
    fn drop(&mut self) {
        // A finished one has another name by now.
        let _ = fs::remove_file(&self.unfinished);
    }
}
