//! Where a relay's events go: the contract's templates, rendered for each event, and how they are laid out.

use horizon_schemas::{
    ContentMode, OutletKind, OutletSpec, Template, TemplateValues,
    envelope::{self, Envelope},
    parse_json,
};
use horizon_store::PublicEvent;

use crate::outlets::{Content, Destination, OutboundMessage};

/// The place of one contract's events at one outlet.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    contract: String,
    major: u64,
    template: Template,
    mqtt: bool,
    mode: ContentMode,
}

impl Place {
    /// The place that `outlet` names for the contract `contract` in this major version.
    pub(crate) fn new(contract: &str, major: u64, outlet: &OutletSpec) -> Place {
        let (mqtt, template) = match outlet.kind() {
            OutletKind::Mqtt(place) => (true, &place.topic),
            OutletKind::Amqp(place) => (false, &place.routing_key),
        };
        Place {
            contract: contract.to_owned(),
            major,
            template: template.clone(),
            mqtt,
            mode: outlet.content_mode(),
        }
    }

    /// The same place with another topic or routing key.
    pub(crate) fn with_template(self, template: Template) -> Place {
        Place { template, ..self }
    }

    /// The message that carries `event` there, or why there can be none.
    pub(crate) fn message(&self, event: &PublicEvent) -> Result<OutboundMessage, String> {
        let envelope = self.envelope(event)?;
        let text = self.render(event, envelope.as_ref())?;
        let destination = match self.mqtt {
            true => Destination::Mqtt { topic: text },
            false => Destination::Amqp { routing_key: text },
        };
        let content = match (self.mode, envelope) {
            (ContentMode::Binary, Some(envelope)) => Content::binary(event, envelope),
            (_, envelope) => Content::structured(event, envelope),
        };
        Ok(OutboundMessage::from_public_log(
            event,
            content,
            destination,
        ))
    }

    /// What is in the event, where that is asked for: structured events over MQTT mostly go as they are.
    fn envelope<'e>(&self, event: &'e PublicEvent) -> Result<Option<Envelope<'e>>, String> {
        if self.mqtt && self.mode == ContentMode::Structured && !self.template.reads_event() {
            return Ok(None);
        }
        let envelope = envelope::read(&event.event).map_err(|error| error.to_string())?;
        Ok(Some(envelope))
    }

    fn render(
        &self,
        event: &PublicEvent,
        envelope: Option<&Envelope<'_>>,
    ) -> Result<String, String> {
        let data = match envelope.and_then(|envelope| envelope.data) {
            Some(data) if self.template.reads_data() => {
                let data = parse_json(data).map_err(|error| error.to_string())?;
                Some(data)
            }
            _ => None,
        };
        let values = TemplateValues {
            contract: &self.contract,
            major: self.major,
            name: &event.name,
            event_type: &event.event_type,
            key: &event.key,
            subject: envelope.and_then(|envelope| envelope.attribute("subject")),
            data: data.as_ref(),
        };
        self.template
            .render(&values)
            .map_err(|error| error.to_string())
    }
}
