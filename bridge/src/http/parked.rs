//! The operator's handlers that list parked keys: `GET /parked` and `GET /parked/{contract}/{key}`.

use std::sync::Arc;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use horizon_schemas::Catalog;
use horizon_store::{ReadLimit, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use super::Operator;
use super::answer::json_answer;
use super::number::in_query;
use super::openapi::problems;
use super::page::said;
use super::problem::Problem;
use super::read::{path_segment, two};
use super::refusals::{malformed, unavailable};
use crate::parked::{EventTold, KeyTold, Scope};

/// Keys or events of one answer unless asked for otherwise.
const DEFAULT_LIMIT: usize = 100;
/// Most keys or events of one answer.
const MAX_LIMIT: usize = 1_000;

/// What a query may say.
const MEND: &str = "`contract` and `outlet` are names as `horizon status` shows them, `limit` is a number from 1 to 1000, `after` stands in `next` of the page before";

/// The query of `GET /parked`.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct KeysQuery {
    /// Only of this contract, such as `bank.accounts.v1`.
    contract: Option<String>,
    /// Only of this outlet of the contract, such as `mqtt:main`.
    outlet: Option<String>,
    /// The last key of the page before: contract, outlet or null, key, as JSON. Take it from `next`.
    after: Option<String>,
    /// Most keys of the answer; 100 unless given.
    #[param(minimum = 1, maximum = 1000)]
    #[serde(default, deserialize_with = "in_query")]
    limit: Option<usize>,
}

/// A page of parked keys.
#[derive(Serialize, ToSchema)]
pub(super) struct KeyPage {
    keys: Vec<KeyTold>,
    /// The address of the next page; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// A page of the events that wait under a key.
#[derive(Serialize, ToSchema)]
pub(super) struct EventPage {
    contract: String,
    outlet: Option<String>,
    key: String,
    /// How many there are in all.
    waiting: u64,
    events: Vec<EventTold>,
    /// The address of the next page; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// The query of `GET /parked/{contract}/{key}`.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct EventsQuery {
    /// The outlet where the key is parked, such as `mqtt:main`; at the contract unless given.
    outlet: Option<String>,
    /// Only events after this place.
    #[param(maximum = 18446744073709551615u64)]
    #[serde(default, deserialize_with = "in_query")]
    after: Option<u64>,
    /// Most events of the answer; 100 unless given.
    #[param(minimum = 1, maximum = 1000)]
    #[serde(default, deserialize_with = "in_query")]
    limit: Option<usize>,
}

/// Lists parked keys
///
/// Of all contracts and outlets, or of some.
#[utoipa::path(
    get, path = "/parked", operation_id = "parked", tag = "parked", params(KeysQuery),
    responses((status = OK, description = "A page of them", body = KeyPage), problems::Parked),
)]
pub(crate) async fn keys(
    State(state): State<Arc<Operator>>,
    query: Result<Query<KeysQuery>, QueryRejection>,
) -> Result<impl IntoResponse, Problem> {
    let Query(query) = query.map_err(malformed_query)?;
    let limit = limit_of(query.limit)?;
    let catalog = state.catalog.current();
    let scopes = scopes(&catalog, query.contract.as_deref(), query.outlet.as_deref())?;
    let after = query.after.as_deref();
    let after = after.map(|after| last_key(after, &scopes)).transpose()?;
    let (rows, last) = page(&state, scopes, after, limit)
        .await
        .map_err(unavailable)?;
    let next = last.map(|last| {
        let mut next = format!(
            "/parked?after={}&limit={limit}",
            path_segment(&last.to_string())
        );
        for (name, value) in [("contract", &query.contract), ("outlet", &query.outlet)] {
            if let Some(value) = value {
                next.push_str(&format!("&{name}={}", path_segment(value)));
            }
        }
        next
    });
    Ok(json_answer(&KeyPage { keys: rows, next }))
}

/// The events that wait under a key
#[utoipa::path(
    get, path = "/parked/{contract}/{key}", operation_id = "parkedEvents", tag = "parked",
    params(
        ("contract" = String, Path, description = "Such as `bank.accounts.v1`", min_length = 1),
        ("key" = String, Path, description = "The key", min_length = 1),
        EventsQuery,
    ),
    responses((status = OK, description = "A page of them", body = EventPage), problems::Parked),
)]
pub(crate) async fn events(
    State(state): State<Arc<Operator>>,
    place: Result<Path<(String, String)>, PathRejection>,
    query: Result<Query<EventsQuery>, QueryRejection>,
) -> Result<impl IntoResponse, Problem> {
    let (contract, key) = two(place)?;
    let Query(query) = query.map_err(malformed_query)?;
    let limit = limit_of(query.limit)?;
    let scope = one_scope(&state.catalog.current(), &contract, query.outlet.as_deref())?;
    let after = query.after.unwrap_or_default();
    let (waiting, events, more) = crate::parked::events(&state, &scope, &key, after, limit)
        .await
        .map_err(unavailable)?;
    if waiting == 0 {
        return Err(not_parked(&key));
    }
    let last = events.last().filter(|_| more);
    let next = last.map(|last| {
        let outlet = query.outlet.as_deref().map(path_segment);
        let outlet = outlet.map_or_else(String::new, |outlet| format!("&outlet={outlet}"));
        format!(
            "/parked/{}/{}?after={}&limit={limit}{outlet}",
            path_segment(&contract),
            path_segment(&key),
            last.at
        )
    });
    Ok(json_answer(&EventPage {
        contract,
        outlet: query.outlet,
        key,
        waiting,
        events,
        next,
    }))
}

/// Rows from several scopes, and where the next page begins if there is more.
async fn page(
    state: &Operator,
    scopes: Vec<Scope>,
    after: Option<(String, Option<String>, String)>,
    limit: usize,
) -> Result<(Vec<KeyTold>, Option<Value>), StoreError> {
    let mut rows = Vec::new();
    let mut skipping = after.is_some();
    for scope in scopes {
        let mut from = None;
        if let Some((contract, outlet, key)) = after.as_ref().filter(|_| skipping) {
            if !scope.is(contract, outlet.as_deref()) {
                continue;
            }
            (from, skipping) = (Some(key.clone()), false);
        }
        let room = ReadLimit {
            records: limit - rows.len(),
            ..ReadLimit::default()
        };
        let place = scope.park_scope();
        let read = state
            .store
            .parked_keys(&state.log, &place, from.as_deref(), room);
        let page = read.await?;
        let mut last = None;
        for key in page.keys {
            rows.push(crate::parked::key(state, &scope, &key).await?);
            last = Some(json!([scope.contract(), scope.outlet(), key.key]));
        }
        if page.more || rows.len() >= limit {
            // Where another scope follows, the page may be the last one and does not know it.
            return Ok((rows, last));
        }
    }
    Ok((rows, None))
}

/// The key that a page goes on after: its contract, outlet and name. Its place must be among those that are listed: nothing comes
/// after a place that is not, and that would read as the end.
fn last_key(text: &str, scopes: &[Scope]) -> Result<(String, Option<String>, String), Problem> {
    let (contract, outlet, key): (String, Option<String>, String) = serde_json::from_str(text)
        .map_err(|_| {
            malformed("`after` is not understood").mend("take it from `next` of the page before")
        })?;
    let mut listed = scopes.iter();
    if !listed.any(|scope| scope.is(&contract, outlet.as_deref())) {
        return Err(
            malformed("`after` is at a place that is not listed here, or not any more")
                .mend("begin again, without `after`"),
        );
    }
    Ok((contract, outlet, key))
}

/// The places where keys may be parked: of every contract, or of one, or one outlet of it.
fn scopes(
    catalog: &Catalog,
    contract: Option<&str>,
    outlet: Option<&str>,
) -> Result<Vec<Scope>, Problem> {
    match (contract, outlet) {
        (Some(contract), Some(_)) => Ok(vec![one_scope(catalog, contract, outlet)?]),
        (None, Some(_)) => {
            Err(malformed("an outlet is named without its contract").mend("name the contract too"))
        }
        (contract, None) => {
            if let Some(contract) = contract {
                one_scope(catalog, contract, None)?;
            }
            let wanted = |name: &str| contract.is_none_or(|contract| contract == name);
            let contracts = catalog.contracts().iter();
            Ok(contracts
                .filter(|contract| wanted(&contract.public_stream()))
                .flat_map(Scope::all_of)
                .collect())
        }
    }
}

pub(super) fn one_scope(
    catalog: &Catalog,
    contract: &str,
    outlet: Option<&str>,
) -> Result<Scope, Problem> {
    let mut known = catalog.contracts().iter();
    let Some(found) = known.find(|known| known.public_stream() == contract) else {
        let names: Vec<String> = catalog
            .contracts()
            .iter()
            .map(|contract| contract.public_stream())
            .collect();
        return Err(no_such("no-such-contract", "no such contract is loaded")
            .detail(format!("{contract:?} is none of {}", names.join(", ")))
            .mend("name the contract with its major version, as `horizon status` does"));
    };
    let mut scopes = Scope::all_of(found).into_iter();
    scopes
        .find(|scope| scope.is(contract, outlet))
        .ok_or_else(|| {
            let names: Vec<&str> = found.outlets().iter().map(|outlet| outlet.name()).collect();
            no_such("no-such-outlet", "the contract has no such outlet")
                .detail(format!(
                    "{:?} is none of {}",
                    outlet.unwrap_or_default(),
                    names.join(", ")
                ))
                .mend("name the outlet as `horizon why` does, such as `mqtt:main`")
        })
}

fn no_such(name: &str, title: &str) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, name, title)
}

pub(super) fn not_parked(key: &str) -> Problem {
    no_such("not-parked", "the key is not parked there")
        .detail(format!("nothing waits under the key {key:?}"))
        .mend("`horizon parked` lists what is parked, and where")
}

/// How many keys or events an answer may have.
fn limit_of(asked: Option<usize>) -> Result<usize, Problem> {
    let limit = asked.unwrap_or(DEFAULT_LIMIT);
    if (1..=MAX_LIMIT).contains(&limit) {
        return Ok(limit);
    }
    Err(malformed_limit())
}

fn malformed_limit() -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "malformed-query",
        "the query is not understood",
    )
    .detail(format!("`limit` is a number from 1 to {MAX_LIMIT}"))
    .mend(MEND)
}

fn malformed_query(rejection: QueryRejection) -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "malformed-query",
        "the query is not understood",
    )
    .detail(said(&rejection))
    .mend(MEND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_after_a_place_that_has_gone_is_refused_and_not_empty() {
        let refused = last_key(r#"["gone.v1", null, "a"]"#, &[]).err();
        let status = refused.map(|problem| problem.into_response().status());
        assert_eq!(status, Some(StatusCode::BAD_REQUEST));
    }
}
