//! Where a relay's events go: the contract's templates, rendered for each event.

use horizon_schemas::{OutletKind, OutletSpec, Template, TemplateValues, envelope};
use horizon_store::PublicEvent;

use crate::outlets::{Destination, OutboundMessage};

/// The place of one contract's events at one outlet.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    contract: String,
    major: u64,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    Mqtt { topic: Template },
    Amqp { routing_key: Template },
}

impl Place {
    /// The place that `outlet` names for the contract `contract` in this major version.
    pub(crate) fn new(contract: &str, major: u64, outlet: &OutletSpec) -> Place {
        let kind = match outlet.kind() {
            OutletKind::Mqtt(place) => Kind::Mqtt {
                topic: place.topic.clone(),
            },
            OutletKind::Amqp(place) => Kind::Amqp {
                routing_key: place.routing_key.clone(),
            },
        };
        Place {
            contract: contract.to_owned(),
            major,
            kind,
        }
    }

    /// The message that carries `event` there, or why there can be none.
    pub(crate) fn message(&self, event: &PublicEvent) -> Result<OutboundMessage, String> {
        let values = TemplateValues {
            contract: &self.contract,
            major: self.major,
            name: &event.name,
            event_type: &event.event_type,
            key: &event.key,
        };
        let render =
            |template: &Template| template.render(&values).map_err(|error| error.to_string());
        let destination = match &self.kind {
            Kind::Mqtt { topic } => Destination::Mqtt {
                topic: render(topic)?,
            },
            Kind::Amqp { routing_key } => Destination::Amqp {
                routing_key: render(routing_key)?,
                attributes: envelope::attributes(&event.event)
                    .map_err(|error| error.to_string())?,
            },
        };
        Ok(OutboundMessage::from_public_log(event, destination))
    }
}
