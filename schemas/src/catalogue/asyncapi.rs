//! The AsyncAPI 3.0 document: a channel for each outlet, a message for each public type, and what consumers need to subscribe.

use super::about::AboutType;
use super::components::{Names, components, with_parts};
use super::layout::{self, Layout};
use super::outlets::{address, channel_ids, filter, permissions, template};
use super::over_http::{NO_OUTLET, binding};
use super::{Catalogue, Server, envelope, neutral, status_of};
use crate::catalog::Protocol;
use crate::contract::Contract;
use crate::outlet::{OutletKind, OutletSpec};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The versions of AsyncAPI's bindings that are written here.
const MQTT_BINDING: &str = "0.2.0";
const AMQP_BINDING: &str = "0.3.0";

/// The document.
pub(super) fn document(catalogue: &Catalogue<'_>) -> Value {
    let mut channels = Map::new();
    let mut operations = Map::new();
    let mut messages = Map::new();
    let mut used = BTreeSet::new();
    let names = Names::of(&catalogue.catalog.published);
    let mut ids = channel_ids(catalogue);
    for contract in catalogue.contracts() {
        let mut layouts = Layout::all(contract);
        layouts.extend(catalogue.read_at(contract).map(|_| Layout::Structured));
        for layout in layouts {
            for public in &contract.about.types {
                messages.insert(
                    message_id(contract, public, &layout),
                    message(catalogue, contract, public, &layout, &names, &mut used),
                );
            }
        }
        for outlet in &contract.outlets {
            let part = (contract.public_stream.as_str(), outlet.name());
            let Some(id) = ids.remove(&part) else {
                continue;
            };
            let operation = operation(contract, protocol(outlet), bindings(outlet), &id);
            operations.insert(format!("publish-{id}"), operation);
            channels.insert(id, channel(catalogue, contract, outlet));
        }
        if let Some(id) = ids.remove(&(contract.public_stream.as_str(), NO_OUTLET)) {
            let operation = operation(contract, "HTTP", binding(), &id);
            operations.insert(format!("publish-{id}"), operation);
            let messages = messages_of(contract, &Layout::Structured);
            let mut channel = catalogue.http_channel(contract, messages);
            channel["x-contract"] = of_contract(contract);
            channels.insert(id, channel);
        }
    }
    let schemas = components(&catalogue.catalog.published, &names, used);
    let brokers = catalogue.servers.iter();
    let brokers = brokers.map(|one| (one.name.clone(), server(one)));
    let servers: Map<_, _> = brokers.chain(catalogue.http_server()).collect();
    json!({
        "asyncapi": "3.0.0",
        "id": "urn:horizon:catalogue",
        "info": info(catalogue),
        "defaultContentType": layout::STRUCTURED,
        "servers": servers,
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages, "schemas": schemas},
    })
}

fn info(catalogue: &Catalogue<'_>) -> Value {
    let mut tags = Vec::new();
    let mut contracts = Map::new();
    for contract in catalogue.contracts() {
        let about = &contract.about;
        tags.push(json!({
            "name": contract.public_stream,
            "description": about.description.clone().unwrap_or_else(|| "A public stream.".to_owned()),
        }));
        contracts.insert(contract.public_stream.clone(), of_contract(contract));
    }
    json!({
        "title": catalogue.title,
        "version": catalogue.version(),
        "description": "Public events as CloudEvents. The same event keeps its `id` however often it is delivered; order is kept per `partitionkey`; `previoussequence` tells what you missed.",
        "tags": tags,
        "x-contracts": contracts,
    })
}

/// What consumers ask of a contract as a whole.
fn of_contract(contract: &Contract) -> Value {
    let about = &contract.about;
    let mut told = Map::new();
    told.insert("contract".to_owned(), contract.name.clone().into());
    told.insert("version".to_owned(), contract.version_text.clone().into());
    told.insert("status".to_owned(), contract.status.name().into());
    told.insert("source".to_owned(), contract.source.clone().into());
    if let Some(description) = &about.description {
        told.insert("description".to_owned(), description.clone().into());
    }
    if let Some(team) = &about.team {
        told.insert(
            "team".to_owned(),
            json!({"name": team.name, "contact": team.contact}),
        );
    }
    if let Some(deprecation) = &about.deprecation {
        told.insert("deprecation".to_owned(), deprecation.clone());
    }
    Value::Object(told)
}

fn server(server: &Server) -> Value {
    match server.protocol {
        Protocol::Mqtt => json!({"host": server.host, "protocol": "mqtt", "protocolVersion": "5"}),
        Protocol::Mqtt311 => {
            json!({"host": server.host, "protocol": "mqtt", "protocolVersion": "3.1.1"})
        }
        Protocol::Amqp => {
            let mut made =
                json!({"host": server.host, "protocol": "amqp", "protocolVersion": "0.9.1"});
            let virtual_host = server.virtual_host.as_deref().unwrap_or("/");
            made["description"] = format!("Virtual host {virtual_host}").into();
            made["x-virtual-host"] = virtual_host.into();
            made
        }
    }
}

fn message_id(contract: &Contract, public: &AboutType, layout: &Layout) -> String {
    let suffix = layout.suffix();
    format!("{}.{}{suffix}", contract.public_stream, public.name)
}

/// What stands in an address, and what it may be.
fn parameters(contract: &Contract, outlet: &OutletSpec, address: &str) -> Map<String, Value> {
    let mut parameters = Map::new();
    let mut parameter = |name: &str, value: Value| {
        if address.contains(&format!("{{{name}}}")) {
            parameters.insert(name.to_owned(), value);
        }
    };
    parameter(
        "key",
        json!({"description": "The event's key, percent-encoded except for letters, digits, `-`, `_`, `~` and `.`; the `.` too in a routing key."}),
    );
    let names: Vec<&String> = contract.about.types.iter().map(|one| &one.name).collect();
    parameter(
        "name",
        json!({"description": "Which public type it is.", "enum": names}),
    );
    let types: Vec<&String> = contract
        .about
        .types
        .iter()
        .map(|one| &one.event_type)
        .collect();
    parameter(
        "type",
        json!({"description": "The public type.", "enum": types}),
    );
    parameter(
        "subject",
        json!({"description": "The event's subject, percent-encoded as the key is."}),
    );
    for path in template(outlet).fields() {
        let description = format!(
            "The field `{}` of the event's data, percent-encoded as the key is.",
            path.join(".")
        );
        let name = format!("data-{}", path.join("-"));
        parameter(&name, json!({"description": description}));
    }
    parameters
}

/// A contract's messages, as its channels refer to them.
fn messages_of(contract: &Contract, layout: &Layout) -> Map<String, Value> {
    let types = contract.about.types.iter();
    let refer = |public: &AboutType| {
        let id = message_id(contract, public, layout);
        let message = json!({"$ref": format!("#/components/messages/{id}")});
        (public.name.clone(), message)
    };
    types.map(refer).collect()
}

fn channel(catalogue: &Catalogue<'_>, contract: &Contract, outlet: &OutletSpec) -> Value {
    let (address, layout) = (address(contract, outlet), Layout::of(outlet));
    let messages = messages_of(contract, &layout);
    let parameters = parameters(contract, outlet, &address);
    let mut made = json!({
        "address": address,
        "title": format!("{} over {}", contract.public_stream, protocol(outlet)),
        "messages": messages,
    });
    if let Some(description) = &contract.about.description {
        made["description"] = description.clone().into();
    }
    if !parameters.is_empty() {
        made["parameters"] = parameters.into();
    }
    if catalogue
        .servers
        .iter()
        .any(|server| server.name == outlet.broker)
    {
        made["servers"] = json!([{"$ref": format!("#/servers/{}", outlet.broker)}]);
    }
    if let OutletKind::Amqp(place) = &outlet.kind {
        let mut exchange =
            json!({"name": place.exchange, "type": "topic", "durable": true, "autoDelete": false});
        let server = catalogue
            .servers
            .iter()
            .find(|server| server.name == outlet.broker);
        if let Some(virtual_host) = server.and_then(|server| server.virtual_host.as_ref()) {
            exchange["vhost"] = virtual_host.clone().into();
        }
        made["bindings"] = json!({"amqp": {"is": "routingKey", "exchange": exchange, "bindingVersion": AMQP_BINDING}});
    }
    made["tags"] = json!([{"name": contract.public_stream}]);
    made["x-contract"] = of_contract(contract);
    made["x-status"] = contract.status.name().into();
    made["x-permissions"] = permissions(contract, outlet);
    let subscriptions: BTreeMap<&String, String> = contract
        .about
        .types
        .iter()
        .map(|one| {
            (
                &one.name,
                filter(contract, outlet, &one.name, &one.event_type),
            )
        })
        .collect();
    made["x-subscriptions"] = json!(subscriptions);
    made
}

fn protocol(outlet: &OutletSpec) -> &'static str {
    match outlet.kind {
        OutletKind::Mqtt(_) => "MQTT",
        OutletKind::Amqp(_) => "AMQP",
    }
}

fn bindings(outlet: &OutletSpec) -> Value {
    match &outlet.kind {
        OutletKind::Mqtt(place) => {
            json!({"mqtt": {"qos": place.qos, "retain": place.retain, "bindingVersion": MQTT_BINDING}})
        }
        OutletKind::Amqp(_) => {
            json!({"amqp": {"deliveryMode": 2, "mandatory": true, "timestamp": true, "bindingVersion": AMQP_BINDING}})
        }
    }
}

fn operation(contract: &Contract, protocol: &str, bindings: Value, channel: &str) -> Value {
    let messages: Vec<Value> = contract
        .about
        .types
        .iter()
        .map(|public| json!({"$ref": format!("#/channels/{channel}/messages/{}", public.name)}))
        .collect();
    json!({
        "action": "send",
        "channel": {"$ref": format!("#/channels/{channel}")},
        "summary": format!("{} publishes over {protocol}.", contract.public_stream),
        "bindings": bindings,
        "messages": messages,
        "x-status": contract.status.name(),
    })
}

/// The schema of a message's payload, and of what is beside it if anything is.
fn payload(
    catalogue: &Catalogue<'_>,
    contract: &Contract,
    public: &AboutType,
    layout: &Layout,
    names: &Names,
) -> (Value, Option<Value>) {
    let published = &catalogue.catalog.published;
    let schema = published.get(&public.schema);
    let data = json!({"$ref": format!("#/components/schemas/{}", names.get(&public.schema))});
    let mut envelope = envelope::schema(contract, public, data);
    let draft = schema.filter(|_| !neutral::is_neutral(published, &public.schema));
    if draft.is_some() {
        let id = message_id(contract, public, layout);
        let within = match layout {
            Layout::Structured => "/properties/data",
            Layout::Binary { .. } => "",
        };
        let place = format!("#/components/messages/{id}/payload/schema{within}");
        envelope["properties"]["data"] = with_parts(published, names, &public.schema, &place);
    }
    let headers = layout.headers(&envelope);
    let payload = match layout {
        Layout::Structured => envelope,
        Layout::Binary { .. } => envelope["properties"]["data"].take(),
    };
    let payload = match draft {
        Some(schema) => {
            json!({"schemaFormat": neutral::media_type(schema.draft), "schema": payload})
        }
        None => payload,
    };
    (payload, headers)
}

fn message(
    catalogue: &Catalogue<'_>,
    contract: &Contract,
    public: &AboutType,
    layout: &Layout,
    names: &Names,
    used: &mut BTreeSet<String>,
) -> Value {
    let schema = catalogue.catalog.published.get(&public.schema);
    used.insert(public.schema.clone());
    let (payload, headers) = payload(catalogue, contract, public, layout, names);
    let text = |keyword: &str| {
        let text = schema.and_then(|schema| schema.value.get(keyword));
        text.and_then(Value::as_str).map(str::to_owned)
    };
    let examples: Vec<Value> = catalogue
        .examples
        .get(&contract.public_stream, &public.event_type)
        .iter()
        .enumerate()
        .map(|(nth, one)| {
            let name = format!("{}-{}", public.name, nth + 1);
            layout.example(&name, &one.name, &one.event)
        })
        .collect();
    let mut made = json!({
        "name": public.event_type,
        "title": text("title").unwrap_or_else(|| public.name.clone()),
        "contentType": layout.content_type(),
        "payload": payload,
        "bindings": {
            "mqtt": {"contentType": layout.mqtt_content_type(), "bindingVersion": MQTT_BINDING},
            "amqp": {"messageType": public.event_type, "bindingVersion": AMQP_BINDING},
        },
        "x-status": status_of(contract, public),
    });
    if let Some(headers) = headers {
        made["headers"] = headers;
    }
    if let Some(description) = text("description") {
        made["description"] = description.into();
    }
    if let Some(deprecation) = public
        .deprecation
        .as_ref()
        .or(contract.about.deprecation.as_ref())
    {
        made["x-deprecation"] = deprecation.clone();
    }
    if !examples.is_empty() {
        made["examples"] = examples.into();
    }
    made
}
