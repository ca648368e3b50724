//! `horizon init`: a folder that works: configuration, a first contract with its schemas and tests, editor settings, a CI file.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::{Failure, print};

/// The files that are always the same, by their paths in the folder.
const FILES: [(&str, &str); 13] = [
    ("horizon.yaml", include_str!("init/folder/horizon.yaml")),
    (".gitignore", include_str!("init/folder/gitignore")),
    ("README.md", include_str!("init/folder/README.md")),
    (
        ".github/workflows/contracts.yaml",
        include_str!("init/folder/workflow.yaml"),
    ),
    (
        ".vscode/settings.json",
        include_str!("init/folder/vscode.json"),
    ),
    (
        "contracts/_defaults.yaml",
        include_str!("init/folder/_defaults.yaml"),
    ),
    (
        "contracts/example.parcels.v1.yaml",
        include_str!("init/folder/contract.yaml"),
    ),
    (
        "contracts/example.parcels.v1.test.yaml",
        include_str!("init/folder/contract.test.yaml"),
    ),
    (
        "schemas/private/parcel/ParcelSent.json",
        include_str!("init/folder/ParcelSent.json"),
    ),
    (
        "schemas/private/parcel/ParcelDelivered.json",
        include_str!("init/folder/ParcelDelivered.json"),
    ),
    (
        "schemas/public/example.parcels/sent.v1.json",
        include_str!("init/folder/sent.v1.json"),
    ),
    (
        "schemas/public/example.parcels/delivered.v1.json",
        include_str!("init/folder/delivered.v1.json"),
    ),
    (
        ".editorconfig",
        "root = true\n\n[*.{yaml,json}]\nindent_style = space\nindent_size = 2\ninsert_final_newline = true\n",
    ),
];

#[derive(Debug, clap::Args)]
pub(crate) struct Init {
    /// The folder; it is made if it is not there, and none of the files may be there yet
    #[arg(value_name = "FOLDER", default_value = ".")]
    folder: PathBuf,
}

impl Init {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let files = files();
        let present: Vec<&str> = files
            .iter()
            .map(|(path, _)| *path)
            .filter(|path| self.folder.join(path).symlink_metadata().is_ok())
            .collect();
        if !present.is_empty() {
            return Err(Failure::Mend(format!(
                "{} holds {} already, and nothing is overwritten\n  = mend: name another folder, or move them away",
                self.folder.display(),
                present.join(", ")
            )));
        }
        for (path, text) in &files {
            write(&self.folder.join(path), text).map_err(|error| {
                Failure::Failed(format!(
                    "cannot write {}: {error}",
                    self.folder.join(path).display()
                ))
            })?;
        }
        print(&format!(
            "{} files in {}: a contract with its schemas and tests\nNext, in that folder: `horizon check`, `horizon test`, and, with a Mosquitto on port 1883, `horizon serve`",
            files.len(),
            self.folder.display()
        ));
        Ok(())
    }
}

/// All files: those that are always the same, and the schemas of the language for editors.
fn files() -> Vec<(&'static str, String)> {
    let fixed = FILES.map(|(path, text)| (path, text.to_owned()));
    let schemas = [
        (
            "contracts/.contract.schema.json",
            horizon_schemas::contract_language_schema(),
        ),
        (
            "contracts/.defaults.schema.json",
            horizon_schemas::defaults_language_schema(),
        ),
    ];
    let schemas = schemas.map(|(path, schema)| (path, format!("{schema:#}\n")));
    fixed.into_iter().chain(schemas).collect()
}

/// Writes a file that is not there.
fn write(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::File::create_new(path)?.write_all(text.as_bytes())
}
