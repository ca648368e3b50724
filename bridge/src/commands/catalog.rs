//! `horizon catalog`: what consumers may know, as an AsyncAPI document for programs and as a page for people.

use std::fs;
use std::path::{Path, PathBuf};

use horizon_schemas::{Catalogue, TestSuite, to_yaml};

use super::folder::TeamFolder;
use super::{Failure, print};
use crate::daemon;

#[derive(Debug, clap::Args)]
pub(crate) struct Catalog {
    #[command(flatten)]
    folder: TeamFolder,
    /// Write asyncapi.json, asyncapi.yaml and index.html into this folder, instead of printing one of them
    #[arg(long, value_name = "FOLDER", conflicts_with = "format")]
    output: Option<PathBuf>,
    /// What to print
    #[arg(long, value_enum, default_value_t = CatalogFormat::Json)]
    format: CatalogFormat,
    /// The title
    #[arg(long, value_name = "TEXT", default_value = "Public events")]
    title: String,
}

/// What is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum CatalogFormat {
    /// The AsyncAPI document in JSON
    Json,
    /// The AsyncAPI document in YAML
    Yaml,
    /// The page
    Html,
}

impl Catalog {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let config = self.folder.load()?;
        let catalog = daemon::load_catalog(&config)?;
        let suite =
            TestSuite::load(&daemon::folders(&config), &catalog).map_err(Failure::Diagnostics)?;
        let tests = suite.run(&catalog);
        let catalogue = Catalogue::new(&catalog, &self.title, daemon::servers(&config), &tests)
            .read_at_address(config.public_url.clone());
        let json = || {
            serde_json::to_string_pretty(&catalogue.asyncapi())
                .map_err(|error| Failure::Failed(error.to_string()))
        };
        let yaml = || to_yaml(&catalogue.asyncapi());
        match (&self.output, self.format) {
            (Some(folder), _) => {
                write(folder, "asyncapi.json", &format!("{}\n", json()?))?;
                write(folder, "asyncapi.yaml", &yaml())?;
                write(folder, "index.html", &catalogue.html())?;
                print(&format!(
                    "asyncapi.json, asyncapi.yaml and index.html of {} contracts are in {}",
                    catalog.contracts().len(),
                    folder.display()
                ));
            }
            (None, CatalogFormat::Json) => print(&json()?),
            (None, CatalogFormat::Yaml) => print(yaml().trim_end()),
            (None, CatalogFormat::Html) => print(catalogue.html().trim_end()),
        }
        Ok(())
    }
}

fn write(folder: &Path, name: &str, text: &str) -> Result<(), Failure> {
    let path = folder.join(name);
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(&path, text))
        .map_err(|error| Failure::Failed(format!("cannot write {}: {error}", path.display())))
}
