//! Which door a request comes through, and what is told of events that were let in although they do not fit.

use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use axum::http::StatusCode;
use horizon_schemas::Door;
use horizon_store::Committed;
use serde::Deserialize;
use utoipa::IntoParams;

use super::appended::FirstFlagged;
use super::page::said;
use super::problem::Problem;
use crate::intake::{Mistake, Taken};
use crate::status::Status;

/// The query of an append.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Through {
    /// The door that the events come in by: what it does with one that does not fit its private schema is configured. `http`
    /// unless given.
    #[param(inline, value_type = Option<DoorName>)]
    door: Option<String>,
}

/// A door that events come in by.
#[derive(utoipa::ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "only described")]
enum DoorName {
    Http,
    Import,
}

/// What is told of flagged events in an answer.
#[derive(Default)]
pub(super) struct Told {
    pub(super) count: Option<u64>,
    pub(super) first: Option<FirstFlagged>,
}

/// The door that a query names; HTTP's own if it names none.
pub(super) fn door(query: Result<Query<Through>, QueryRejection>) -> Result<Door, Problem> {
    let known = || Door::ALL.map(Door::name).join(", ");
    let refused = |detail: String| {
        Problem::new(
            StatusCode::BAD_REQUEST,
            "malformed-query",
            "the query is not understood",
        )
        .detail(detail)
        .mend(format!(
            "`door` is one of {}; leave it out for http",
            known()
        ))
    };
    let Query(Through { door }) = query.map_err(|rejection| refused(said(&rejection)))?;
    let Some(name) = door else {
        return Ok(Door::Http);
    };
    Door::named(&name).ok_or_else(|| refused(format!("{name:?} is no door; known are {}", known())))
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

    /// Counts them, and tells of them in the log and in the answer, once they are stored; nothing of a repeat, whose events keep
    /// the marks of the first time.
    pub(super) fn tell(self, status: &Status, committed: &Committed, door: Door) -> Told {
        let Some((index, [stream, event_type, id], mistakes)) = self.first else {
            return Told::default();
        };
        if committed.repeat {
            return Told::default();
        }
        status.flagged(self.count);
        // Reasons name properties, which in a map may be personal: they are for who sent the event, and for `why`.
        tracing::warn!(
            door = door.name(),
            count = self.count,
            %stream,
            %event_type,
            %id,
            "events that do not fit their private schema were recorded and flagged; `horizon why` tells the reasons of the first, which is named"
        );
        Told {
            count: Some(self.count),
            first: Some(FirstFlagged {
                event: index,
                errors: mistakes.into_iter().map(Into::into).collect(),
            }),
        }
    }
}
