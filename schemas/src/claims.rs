//! What a contract claims for itself alone: its source, and the topics and routing keys that it publishes to. Nobody
//! could tell public events apart that two contracts publish under one source, or to one place.

use crate::contract::Contract;
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::language::raw;
use crate::outlet::{OutletKind, OutletSpec};
use crate::source::Span;
use crate::template::TemplateValues;
use std::collections::{BTreeSet, HashMap};

/// Where a contract says what it claims.
pub(crate) struct Said {
    /// Its name.
    pub(crate) name: Span,
    source: Span,
    /// The topic or routing key of each outlet.
    outlets: Vec<Span>,
}

impl Said {
    pub(crate) fn of(raw: &raw::Contract) -> Self {
        let span = |at: Option<&Span>| at.unwrap_or(&raw.span).clone();
        let place = |outlet: &raw::Outlet| match &outlet.kind {
            raw::OutletKind::Mqtt(place) => place.topic.span.clone(),
            raw::OutletKind::Amqp(place) => place.routing_key.span.clone(),
        };
        Self {
            name: span(raw.contract.as_ref().map(|name| &name.span)),
            source: span(raw.shared.source.as_ref().map(|source| &source.span)),
            outlets: raw.shared.outlets.iter().flatten().map(place).collect(),
        }
    }
}

/// An outlet that claims a place.
struct Holder {
    file: String,
    outlet: String,
}

/// What the contracts so far claim.
#[derive(Default)]
pub(crate) struct Claims {
    streams: HashMap<String, String>,
    sources: HashMap<String, String>,
    /// By broker and place there.
    places: HashMap<(String, String), Holder>,
}

impl Claims {
    /// Adds what a contract claims; reports what is another's already.
    pub(crate) fn add(
        &mut self,
        contract: &Contract,
        said: &Said,
        file: &str,
        diagnostics: &mut Diagnostics,
    ) {
        let stream = &contract.public_stream;
        if let Some(other) = self.streams.insert(stream.clone(), file.to_owned()) {
            diagnostics.push(
                Diagnostic::new(
                    "contract-twice",
                    format!("{stream} is the public stream of {other} too"),
                )
                .at(&said.name)
                .mend("a public stream has one contract: choose another name or major version"),
            );
            // The same contract twice claims everything twice.
            return;
        }
        let source = &contract.source;
        if let Some(other) = self.sources.insert(source.clone(), file.to_owned()) {
            diagnostics.push(
                Diagnostic::new(
                    "source-taken",
                    format!("`{source}` is the source of {other} too"),
                )
                .at(&said.source)
                .mend("give each contract and major version a source of its own; `{contract}` and `{major}` may stand in it"),
            );
        }
        for (outlet, span) in contract.outlets.iter().zip(&said.outlets) {
            self.outlet(contract, outlet, span, file, diagnostics);
        }
    }

    fn outlet(
        &mut self,
        contract: &Contract,
        outlet: &OutletSpec,
        span: &Span,
        file: &str,
        diagnostics: &mut Diagnostics,
    ) {
        let places = places(contract, outlet);
        let claimed = |place: &String| (outlet.broker.clone(), place.clone());
        let taken = places
            .iter()
            .find_map(|place| Some((place, self.places.get(&claimed(place))?)));
        if let Some((place, holder)) = taken {
            let name = &holder.outlet;
            let of = match holder.file == file {
                true => format!("the outlet `{name}` of this contract"),
                false => format!("the outlet `{name}` of {}", holder.file),
            };
            diagnostics.push(
                Diagnostic::new(
                    "outlet-taken",
                    format!("{of} publishes to {place} at `{}` too", outlet.broker),
                )
                .at(span)
                .mend("publish each event to one place once: take one outlet out, or tell them apart, as by `{contract}` and `{major}`"),
            );
        }
        for place in places {
            self.places
                .entry((outlet.broker.clone(), place))
                .or_insert_with(|| Holder {
                    file: file.to_owned(),
                    outlet: outlet.name.clone(),
                });
        }
    }
}

/// Where an outlet publishes to, all but the key filled in.
fn places(contract: &Contract, outlet: &OutletSpec) -> BTreeSet<String> {
    let ways = contract.ways.values().flatten();
    ways.map(|way| {
        let values = TemplateValues {
            contract: &contract.name,
            major: contract.major(),
            name: &way.public.name,
            event_type: &way.public.event_type,
            key: "",
            ..TemplateValues::default()
        };
        match &outlet.kind {
            OutletKind::Mqtt(place) => format!("the topic {}", place.topic.for_any_event(&values)),
            OutletKind::Amqp(place) => format!(
                "the exchange {} with the routing key {}",
                place.exchange,
                place.routing_key.for_any_event(&values)
            ),
        }
    })
    .collect()
}
