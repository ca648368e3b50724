//! Where consumers read public events over HTTP, without a broker; told where the configuration says how they reach the daemon.

use super::Catalogue;
use crate::contract::{Contract, Status};
use serde_json::{Map, Value, json};

/// The version of AsyncAPI's binding that is written here.
const HTTP_BINDING: &str = "0.3.0";

/// What an outlet's channel has its name for, here: no outlet is called so.
pub(super) const NO_OUTLET: &str = "";

/// How to read, in a sentence or two.
pub(super) const HOW: &str = "GET it, in pages, forwards from `after` (a `sequence`) or `since` (a time), of one `key` or `type` if asked for; \
    `next` is where to go on. `Accept: text/event-stream` follows, and goes on behind `Last-Event-ID`.";

/// The daemon's public side, as consumers reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicAddress {
    /// Whether it speaks TLS.
    pub secure: bool,
    /// Host, and the port if it is not the protocol's own, such as `events.bank.example`.
    pub host: String,
    /// What its paths begin with, behind a proxy that puts it below one: empty, or such as `/horizon`.
    pub path: String,
}

impl PublicAddress {
    fn protocol(&self) -> &'static str {
        if self.secure { "https" } else { "http" }
    }

    /// Where a contract's events are read.
    pub(super) fn of_contract(&self, contract: &Contract) -> String {
        let (protocol, path) = (self.protocol(), path(contract));
        format!("{protocol}://{}{}{path}", self.host, self.path)
    }
}

/// Where a contract's events are read, below the server's address.
fn path(contract: &Contract) -> String {
    format!("/public/{}", contract.public_stream)
}

impl Catalogue<'_> {
    /// Where a contract is read over HTTP, if that is known: a draft is not there to be read.
    pub(super) fn read_at(&self, contract: &Contract) -> Option<&PublicAddress> {
        let address = self.public_address.as_ref();
        address.filter(|_| contract.status != Status::Draft)
    }

    /// The server's name: one that no broker has.
    fn http_server_name(&self) -> String {
        let mut name = "http".to_owned();
        while self.servers.iter().any(|server| server.name == name) {
            name.push_str("-public");
        }
        name
    }

    /// The server, by its name.
    pub(super) fn http_server(&self) -> Option<(String, Value)> {
        let address = self.public_address.as_ref()?;
        let mut server = json!({
            "host": address.host,
            "protocol": address.protocol(),
            "description": "Public events without a broker; `/public` lists the contracts that you may read.",
        });
        if !address.path.is_empty() {
            server["pathname"] = address.path.clone().into();
        }
        Some((self.http_server_name(), server))
    }

    /// The channel of a contract that is read over HTTP.
    pub(super) fn http_channel(&self, contract: &Contract, messages: Map<String, Value>) -> Value {
        json!({
            "address": path(contract),
            "title": format!("{} over HTTP", contract.public_stream),
            "description": HOW,
            "messages": messages,
            "servers": [{"$ref": format!("#/servers/{}", self.http_server_name())}],
            "tags": [{"name": contract.public_stream}],
            "x-status": contract.status.name(),
        })
    }
}

/// What a consumer does there.
pub(super) fn binding() -> Value {
    json!({"http": {"method": "GET", "bindingVersion": HTTP_BINDING}})
}
