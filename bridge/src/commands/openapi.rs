//! `horizon openapi`: the description of a listener, as the daemon serves it at `/openapi.json`.

use super::{Failure, print};
use crate::http::openapi::{Access, Listener, document};

#[derive(Debug, clap::Args)]
pub(crate) struct Openapi {
    /// Whose description to print
    #[arg(value_enum, default_value_t = Listener::Private)]
    listener: Listener,
}

impl Openapi {
    pub(crate) fn run(self) -> Result<(), Failure> {
        print(&format!("{:#}", document(self.listener, Access::Either)));
        Ok(())
    }
}
