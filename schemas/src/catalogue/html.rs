//! The page: one HTML document with its style in it, no script, nothing fetched. Every text from a contract is escaped.

use super::about::AboutType;
use super::fields::{Field, fields};
use super::outlets::{QUEUE, address, filter, filters, permissions};
use super::over_http::HOW;
use super::{Catalogue, status_of};
use crate::contract::{Contract, Status};
use crate::outlet::{ContentMode, OutletKind, OutletSpec};
use serde_json::Value;
use std::fmt::Write as _;

/// The page's style.
const STYLE: &str = include_str!("page.css");

/// The page.
pub(super) fn page(catalogue: &Catalogue<'_>) -> String {
    let mut page = String::with_capacity(64 * 1024);
    let title = escaped(&catalogue.title);
    let _ = write!(
        page,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <a class=\"skip\" href=\"#contracts\">To the contracts</a>\n<div class=\"frame\">\n\
         <header><h1>{title}</h1>\n<p>Public events, as CloudEvents in structured mode. The same event keeps its <code>id</code> \
         however often it is delivered; order is kept per <code>partitionkey</code>; <code>previoussequence</code> is the \
         <code>sequence</code> of the previous event of the same key and type, so another one than you saw last tells that you missed an event.</p>\n\
         <p class=\"faint\">State {}</p></header>\n<div class=\"columns\">\n",
        catalogue.version()
    );
    contents(catalogue, &mut page);
    page.push_str("<main id=\"contracts\">\n");
    for contract in catalogue.contracts() {
        of_contract(catalogue, contract, &mut page);
    }
    page.push_str("</main>\n</div>\n<footer>Made by <code>horizon catalog</code> from the contracts; <code>asyncapi.json</code> says the same to programs.</footer>\n</div>\n</body>\n</html>\n");
    page
}

/// The table of contents.
fn contents(catalogue: &Catalogue<'_>, page: &mut String) {
    page.push_str("<nav aria-labelledby=\"contents\">\n<h2 id=\"contents\">Contracts</h2>\n<ul>\n");
    for contract in catalogue.contracts() {
        let stream = escaped(&contract.public_stream);
        let _ = writeln!(
            page,
            "<li><a href=\"#{stream}\">{stream}</a>{}\n<ul>",
            if contract.status == Status::Active {
                String::new()
            } else {
                format!(" {}", badge(contract.status.name()))
            }
        );
        for public in &contract.about.types {
            let _ = writeln!(
                page,
                "<li><a href=\"#{}\">{}</a></li>",
                anchor(contract, public),
                escaped(&public.name)
            );
        }
        page.push_str("</ul></li>\n");
    }
    page.push_str("</ul>\n</nav>\n");
}

fn of_contract(catalogue: &Catalogue<'_>, contract: &Contract, page: &mut String) {
    let stream = escaped(&contract.public_stream);
    let about = &contract.about;
    let _ = writeln!(
        page,
        "<section class=\"contract\" id=\"{stream}\" aria-labelledby=\"{stream}-title\">\n<div class=\"title\"><h2 id=\"{stream}-title\">{stream}</h2> {}</div>",
        badge(contract.status.name())
    );
    if let Some(description) = &about.description {
        let _ = writeln!(page, "<p>{}</p>", escaped(description));
    }
    let told = match contract.status {
        Status::Draft => {
            Some("It is being written: nothing is published yet, and everything may change.")
        }
        Status::Deprecated => Some("It is still published, and to be left by its consumers."),
        Status::Retired => Some("Nothing is published any more."),
        Status::Active => None,
    };
    if let Some(told) = told {
        let deprecation = about
            .deprecation
            .as_ref()
            .map_or_else(String::new, |told| format!(" {}", in_words(told)));
        let _ = writeln!(page, "<p class=\"warning\">{told}{deprecation}</p>");
    }
    page.push_str("<dl>\n");
    entry(page, "Version", &escaped(&contract.version_text));
    if let Some(team) = &about.team {
        entry(page, "Team", &escaped(&team.name));
        entry(page, "Contact", &contact(&team.contact));
    }
    entry(page, "Source", &code(&contract.source));
    page.push_str("</dl>\n<h3>Where to subscribe</h3>\n");
    let over_http = catalogue.read_at(contract);
    if contract.outlets.is_empty() && over_http.is_none() {
        page.push_str("<p class=\"faint\">It has no outlet.</p>\n");
    }
    for outlet in &contract.outlets {
        of_outlet(catalogue, contract, outlet, page);
    }
    if let Some(address) = over_http {
        page.push_str("<h4>HTTP</h4>\n<dl>\n");
        entry(page, "Address", &code(&address.of_contract(contract)));
        entry(page, "Read", &marked(HOW));
        entry(page, "Content mode", "structured");
        entry(page, "You need", "to be granted this contract");
        page.push_str("</dl>\n");
    }
    page.push_str("<h3>Event types</h3>\n");
    for public in &about.types {
        of_type(catalogue, contract, public, page);
    }
    page.push_str("</section>\n");
}

fn of_outlet(
    catalogue: &Catalogue<'_>,
    contract: &Contract,
    outlet: &OutletSpec,
    page: &mut String,
) {
    let server = catalogue
        .servers
        .iter()
        .find(|server| server.name == outlet.broker);
    let mut host = server.map_or_else(|| code(&outlet.broker), |server| code(&server.host));
    if let Some(virtual_host) = server.and_then(|server| server.virtual_host.as_ref()) {
        let _ = write!(host, ", virtual host {}", code(virtual_host));
    }
    let patterns: Vec<String> = filters(contract, outlet)
        .iter()
        .map(|one| code(one))
        .collect();
    let patterns = patterns.join(" ");
    let may = permissions(contract, outlet);
    match &outlet.kind {
        OutletKind::Mqtt(place) => {
            let _ = writeln!(page, "<h4>MQTT</h4>\n<dl>");
            entry(page, "Broker", &host);
            entry(page, "Topic", &code(&address(contract, outlet)));
            entry(page, "Subscribe to", &patterns);
            entry(
                page,
                "Quality of service",
                &format!(
                    "{}, {}retained",
                    place.qos,
                    if place.retain { "" } else { "not " }
                ),
            );
            entry(page, "Content mode", content_mode(outlet));
            entry(
                page,
                "You need",
                "to be allowed to subscribe to these topics",
            );
        }
        OutletKind::Amqp(place) => {
            let _ = writeln!(page, "<h4>AMQP</h4>\n<dl>");
            entry(page, "Broker", &host);
            entry(
                page,
                "Exchange",
                &format!("{}, a durable topic exchange", code(&place.exchange)),
            );
            entry(page, "Routing key", &code(&address(contract, outlet)));
            entry(page, "Content mode", content_mode(outlet));
            entry(page, "Headers", &code(&format!("{}…", place.header_prefix)));
            entry(page, "Bind with", &patterns);
            let of = |name: &str| code(may.get(name).and_then(Value::as_str).unwrap_or_default());
            entry(
                page,
                "You need",
                &format!(
                    "configure {}, write {}, read {}, where {QUEUE} is the name of your own queue",
                    of("configure"),
                    of("write"),
                    of("read")
                ),
            );
        }
    }
    page.push_str("</dl>\n");
}

/// A text of Horizon's own whose code stands between backticks.
fn marked(text: &str) -> String {
    let parts = text.split('`').enumerate();
    let part = |(nth, part)| {
        if nth % 2 == 1 {
            code(part)
        } else {
            escaped(part)
        }
    };
    parts.map(part).collect()
}

fn content_mode(outlet: &OutletSpec) -> &'static str {
    match outlet.content_mode {
        ContentMode::Structured => "structured: the whole event in the payload",
        ContentMode::Binary => "binary: the data in the payload, the attributes beside it",
    }
}

fn of_type(catalogue: &Catalogue<'_>, contract: &Contract, public: &AboutType, page: &mut String) {
    let schema = catalogue.catalog.published.get(&public.schema);
    let text = |keyword: &str| schema.and_then(|one| one.value.get(keyword)?.as_str());
    let anchor = anchor(contract, public);
    let own = status_of(contract, public);
    let _ = writeln!(
        page,
        "<article class=\"type\" id=\"{anchor}\" aria-labelledby=\"{anchor}-title\">\n<div class=\"title\"><h4 id=\"{anchor}-title\">{}</h4>{}</div>",
        escaped(text("title").unwrap_or(&public.name)),
        if own == contract.status.name() {
            String::new()
        } else {
            format!(" {}", badge(own))
        },
    );
    if let Some(description) = text("description") {
        let _ = writeln!(page, "<p>{}</p>", escaped(description));
    }
    if let Some(deprecation) = &public.deprecation {
        let _ = writeln!(page, "<p class=\"warning\">{}</p>", in_words(deprecation));
    }
    page.push_str("<dl>\n");
    entry(page, "Type", &code(&public.event_type));
    for outlet in &contract.outlets {
        let label = match outlet.kind {
            OutletKind::Mqtt(_) => "Over MQTT",
            OutletKind::Amqp(_) => "Over AMQP",
        };
        entry(
            page,
            label,
            &code(&filter(contract, outlet, &public.name, &public.event_type)),
        );
    }
    if let Some(id) = schema.and_then(|schema| schema.id.as_ref()) {
        entry(page, "Schema", &code(id));
    }
    page.push_str("</dl>\n");
    table(
        &fields(&catalogue.catalog.published, &public.schema),
        &anchor,
        page,
    );
    for example in catalogue
        .examples
        .get(&contract.public_stream, &public.event_type)
    {
        let event = serde_json::to_string_pretty(&example.event).unwrap_or_default();
        let _ = writeln!(
            page,
            "<details><summary>Example: {}</summary>\n<pre class=\"scroll\" tabindex=\"0\"><code>{}</code></pre></details>",
            escaped(&example.name),
            escaped(&event)
        );
    }
    page.push_str("</article>\n");
}

fn table(fields: &[Field], anchor: &str, page: &mut String) {
    if fields.is_empty() {
        page.push_str("<p class=\"faint\">Its data has no fields.</p>\n");
        return;
    }
    let _ = writeln!(
        page,
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Fields of {anchor}\"><table>\n<thead><tr><th scope=\"col\">Field of <code>data</code></th><th scope=\"col\">Type</th><th scope=\"col\">Meaning</th></tr></thead>\n<tbody>"
    );
    for field in fields {
        let limits = if field.limits.is_empty() {
            String::new()
        } else {
            format!(
                "<span class=\"limits\">{}</span>",
                escaped(&field.limits.join("; "))
            )
        };
        let _ = writeln!(
            page,
            "<tr><td><code>{}</code></td><td>{}{}</td><td>{}{limits}</td></tr>",
            escaped(&field.path),
            escaped(&field.kind),
            if field.required {
                ""
            } else {
                ", <span class=\"faint\">optional</span>"
            },
            escaped(&field.description)
        );
    }
    page.push_str("</tbody></table></div>\n");
}

fn entry(page: &mut String, name: &str, html: &str) {
    let _ = writeln!(page, "<dt>{name}</dt><dd>{html}</dd>");
}

fn badge(status: &str) -> String {
    let status = escaped(status);
    format!("<span class=\"badge {status}\">{status}</span>")
}

fn code(text: &str) -> String {
    format!("<code>{}</code>", escaped(text))
}

/// A type's anchor.
fn anchor(contract: &Contract, public: &AboutType) -> String {
    escaped(&format!("{}.{}", contract.public_stream, public.name))
}

/// A contact as a link where it is one; nothing but mail and web addresses becomes one.
fn contact(text: &str) -> String {
    let shown = escaped(text);
    let plain = !text.contains(|c: char| c.is_whitespace() || c.is_control());
    let target = if plain && (text.starts_with("https://") || text.starts_with("http://")) {
        text.to_owned()
    } else if plain
        && text.split('@').filter(|part| !part.is_empty()).count() == 2
        && !text.contains([':', '?', '/'])
    {
        format!("mailto:{text}")
    } else {
        return shown;
    };
    format!("<a href=\"{}\">{shown}</a>", escaped(&target))
}

/// What a contract says of its deprecation, key by key.
fn in_words(deprecation: &Value) -> String {
    let plain = |value: &Value| {
        value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned)
    };
    match deprecation {
        Value::Object(entries) => {
            let told: Vec<String> = entries
                .iter()
                .map(|(key, value)| format!("{}: {}", escaped(key), escaped(&plain(value))))
                .collect();
            format!("{}.", told.join("; "))
        }
        other => escaped(&plain(other)),
    }
}

/// Text as it may stand in an element or in an attribute between double quotes.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}
