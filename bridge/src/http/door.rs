//! Which door a request comes through, and what is told of events that were let in although they do not fit.

use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use axum::http::StatusCode;
use horizon_schemas::Door;
use serde::Deserialize;
use serde_json::{Value, json};

use super::problem::Problem;
use crate::intake::{Mistake, Taken};

/// The query of an append.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Through {
    door: Option<String>,
}

/// The door that a query names; HTTP's own if it names none.
pub(super) fn door(query: Result<Query<Through>, QueryRejection>) -> Result<Door, Problem> {
    let known = Door::ALL.map(Door::name).join(", ");
    let refused = |detail: String| {
        Problem::new(
            StatusCode::BAD_REQUEST,
            "malformed-query",
            "the query is not understood",
        )
        .detail(detail)
        .mend(format!("`door` is one of {known}; leave it out for http"))
    };
    let Query(Through { door }) = query.map_err(|rejection| refused(rejection.body_text()))?;
    let Some(name) = door else {
        return Ok(Door::Http);
    };
    Door::named(&name).ok_or_else(|| refused(format!("{name:?} is no door; known are {known}")))
}

/// The flagged events of a request.
#[derive(Default)]
pub(super) struct Flagged {
    count: u64,
    /// The first one: its place in the request, its stream, type and id, and why.
    first: Option<(usize, [String; 3], Vec<Mistake>)>,
}

impl Flagged {
    /// Looks at an event that was taken, by its place in the request.
    pub(super) fn look(&mut self, index: usize, stream: &str, taken: &mut Taken) {
        if !taken.event.flagged {
            return;
        }
        self.count += 1;
        if self.first.is_none() {
            let event = &taken.event;
            let names = [
                stream.to_owned(),
                event.event_type.clone(),
                event.id.clone(),
            ];
            self.first = Some((index, names, std::mem::take(&mut taken.unfit)));
        }
    }

    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Tells of them in the log and in the answer, once they are stored.
    pub(super) fn tell(&self, door: Door, body: &mut Value) {
        let Some((index, [stream, event_type, id], mistakes)) = &self.first else {
            return;
        };
        // Reasons name properties, which in a map may be personal: they are for who sent the event, and for `why`.
        tracing::warn!(
            door = door.name(),
            count = self.count,
            %stream,
            %event_type,
            %id,
            "events that do not fit their private schema were recorded and flagged; `horizon why` tells the reasons of the first, which is named"
        );
        let errors: Vec<Value> = mistakes
            .iter()
            .map(|mistake| json!({"pointer": mistake.pointer, "reason": mistake.reason}))
            .collect();
        body["flagged"] = self.count.into();
        body["firstFlagged"] = json!({"event": index, "errors": errors});
    }
}
