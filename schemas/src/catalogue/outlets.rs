//! Where consumers find public events: addresses, filters and the permissions that a broker must give them.

use super::Catalogue;
use super::distinct::distinct;
use super::over_http::NO_OUTLET;
use crate::contract::Contract;
use crate::outlet::{OutletKind, OutletSpec};
use crate::template::{Template, TemplateValues};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What stands for the name of a consumer's own queue.
pub(super) const QUEUE: &str = "QUEUE";

/// The ids of the outlets' channels, by public stream and outlet name, and of those of contracts that are read over HTTP.
pub(super) fn channel_ids<'c>(catalogue: &Catalogue<'c>) -> BTreeMap<(&'c str, &'c str), String> {
    let outlets = catalogue.contracts().flat_map(|contract| {
        contract.outlets.iter().map(move |outlet| {
            let part = (contract.public_stream.as_str(), outlet.name());
            (part, channel_id(contract, outlet))
        })
    });
    let over_http = catalogue.contracts().filter_map(|contract| {
        let stream = contract.public_stream.as_str();
        let wanted = ((stream, NO_OUTLET), format!("{stream}-http"));
        catalogue.read_at(contract).map(|_| wanted)
    });
    distinct(outlets.chain(over_http))
}

/// The id that an outlet's channel asks for: the public stream and the outlet's name.
fn channel_id(contract: &Contract, outlet: &OutletSpec) -> String {
    let name: String = outlet
        .name
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') {
                c
            } else {
                '-'
            }
        })
        .collect();
    format!("{}-{name}", contract.public_stream)
}

/// What a template's constant placeholders stand for; `{key}` is left open.
fn values<'c>(contract: &'c Contract, name: &'c str, event_type: &'c str) -> TemplateValues<'c> {
    TemplateValues {
        contract: &contract.name,
        major: contract.major(),
        name,
        event_type,
        key: "",
        ..TemplateValues::default()
    }
}

/// The template with only what varies left in it, in AsyncAPI's names of parameters: `{data.a.b}` is `{data-a-b}`.
pub(super) fn address(contract: &Contract, outlet: &OutletSpec) -> String {
    let template = template(outlet);
    let address = template.address(&values(contract, "", ""));
    template.fields().fold(address, |address, path| {
        let (own, known) = (path.join("."), path.join("-"));
        address.replace(&format!("{{data.{own}}}"), &format!("{{data-{known}}}"))
    })
}

/// The template of an outlet.
pub(super) fn template(outlet: &OutletSpec) -> &Template {
    match &outlet.kind {
        OutletKind::Mqtt(place) => &place.topic,
        OutletKind::Amqp(place) => &place.routing_key,
    }
}

/// What a consumer of one public type subscribes to or binds with.
pub(super) fn filter(
    contract: &Contract,
    outlet: &OutletSpec,
    name: &str,
    event_type: &str,
) -> String {
    template(outlet).filter(&values(contract, name, event_type))
}

/// What a consumer of the whole public stream subscribes to or binds with: one pattern for each depth, without repeats.
pub(super) fn filters(contract: &Contract, outlet: &OutletSpec) -> Vec<String> {
    let mut filters: Vec<String> = Vec::new();
    for public in &contract.about.types {
        let own = filter(contract, outlet, &public.name, &public.event_type);
        if !filters.contains(&own) {
            filters.push(own);
        }
    }
    filters
}

/// What a broker must allow a consumer: an MQTT subscription, or RabbitMQ's three regular expressions.
pub(super) fn permissions(contract: &Contract, outlet: &OutletSpec) -> Value {
    match &outlet.kind {
        OutletKind::Mqtt(_) => json!({"subscribe": filters(contract, outlet)}),
        OutletKind::Amqp(place) => {
            let exchange = regular_expression(&place.exchange);
            json!({
                "configure": format!("^{QUEUE}$"),
                "write": format!("^{QUEUE}$"),
                "read": format!("^({QUEUE}|{exchange})$"),
                "bind": {"exchange": place.exchange, "routingKeys": filters(contract, outlet)},
                "note": format!("{QUEUE} stands for the name of your own queue: declare it durable, bind it to the exchange, and consume from it."),
            })
        }
    }
}

/// A name as a regular expression that matches nothing else.
fn regular_expression(name: &str) -> String {
    name.chars()
        .map(|c| {
            if c == '.' {
                "\\.".to_owned()
            } else {
                c.to_string()
            }
        })
        .collect()
}
