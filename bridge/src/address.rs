//! Where the daemon listens: written to `addresses.json` in the data folder once both ports are bound, so that the commands
//! find a daemon whose ports the system chose.

use std::net::SocketAddr;
use std::path::Path;

use serde::{Deserialize, Serialize};

const FILE_NAME: &str = "addresses.json";

/// The addresses of a running daemon.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Addresses {
    /// The private listener.
    pub(crate) http: SocketAddr,
    /// The operator's listener.
    pub(crate) operator: SocketAddr,
}

impl Addresses {
    /// Writes them whole or not at all.
    pub(crate) fn write(self, data: &Path) -> std::io::Result<()> {
        let new = data.join(format!("{FILE_NAME}.new"));
        std::fs::write(&new, serde_json::to_vec(&self)?)?;
        std::fs::rename(new, data.join(FILE_NAME))
    }

    /// Reads what the daemon of this data folder wrote last.
    pub(crate) fn read(data: &Path) -> Option<Addresses> {
        serde_json::from_slice(&std::fs::read(data.join(FILE_NAME)).ok()?).ok()
    }

    /// Removes the file when the daemon stops.
    pub(crate) fn remove(data: &Path) {
        let _ = std::fs::remove_file(data.join(FILE_NAME));
    }
}
