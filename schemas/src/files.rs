//! Reading the files of a folder, in the order of their paths, within bounds.

use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::source::Source;
use std::path::Path;
use std::sync::Arc;

/// The size that a contract or schema file may have.
const MAX_FILE_BYTES: u64 = 1 << 20;
/// How many files a folder may have.
const MAX_FILES: usize = 20_000;
/// How deep folders may nest.
const MAX_DEPTH: usize = 8;

/// A file that was read.
#[derive(Debug)]
pub(crate) struct Text {
    /// The path below the folder, with `/`.
    pub(crate) path: String,
    pub(crate) source: Arc<Source>,
}

/// Reads every file with the extension in `folder` and below. Names that begin with a dot are passed over.
pub(crate) fn below(folder: &Path, extension: &str, diagnostics: &mut Diagnostics) -> Vec<Text> {
    let mut paths = Vec::new();
    list(folder, "", 0, extension, &mut paths, diagnostics);
    paths.sort();
    paths
        .into_iter()
        .filter_map(|path| read(folder, path, diagnostics))
        .collect()
}

fn list(
    folder: &Path,
    below: &str,
    depth: usize,
    extension: &str,
    paths: &mut Vec<String>,
    diagnostics: &mut Diagnostics,
) {
    let here = if below.is_empty() {
        folder.to_owned()
    } else {
        folder.join(below)
    };
    let entries = match std::fs::read_dir(&here) {
        Ok(entries) => entries,
        Err(error) => {
            diagnostics.push(
                Diagnostic::new("folder", format!("the folder cannot be read: {error}"))
                    .in_file(here.display().to_string())
                    .mend("make the folder, or name another in the configuration"),
            );
            return;
        }
    };
    for entry in entries.flatten() {
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        if name.starts_with('.') {
            continue;
        }
        let path = if below.is_empty() {
            name.clone()
        } else {
            format!("{below}/{name}")
        };
        let is_folder = entry.path().is_dir();
        if is_folder && depth < MAX_DEPTH {
            list(folder, &path, depth + 1, extension, paths, diagnostics);
        } else if !is_folder
            && Path::new(&name)
                .extension()
                .is_some_and(|own| own == extension)
        {
            if paths.len() >= MAX_FILES {
                diagnostics.push(
                    Diagnostic::new("folder", format!("more than {MAX_FILES} files"))
                        .in_file(here.display().to_string()),
                );
                return;
            }
            paths.push(path);
        }
    }
}

fn read(folder: &Path, path: String, diagnostics: &mut Diagnostics) -> Option<Text> {
    let full = folder.join(&path);
    let name = full.display().to_string();
    let refuse = |diagnostics: &mut Diagnostics, why: String| {
        diagnostics.push(Diagnostic::new("file", why).in_file(&name));
    };
    match std::fs::metadata(&full) {
        Ok(found) if found.len() > MAX_FILE_BYTES => {
            refuse(
                diagnostics,
                format!(
                    "the file has {} bytes; {MAX_FILE_BYTES} are allowed",
                    found.len()
                ),
            );
            return None;
        }
        _ => {}
    }
    match std::fs::read_to_string(&full) {
        Ok(text) => Some(Text {
            path,
            source: Arc::new(Source { name, text }),
        }),
        Err(error) => {
            refuse(diagnostics, format!("the file cannot be read: {error}"));
            None
        }
    }
}
