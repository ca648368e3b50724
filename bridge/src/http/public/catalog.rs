//! `GET /catalog`: the contracts that the caller may see, as an AsyncAPI document or as a page for people.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use horizon_schemas::{Catalog, Catalogue, Folders, TestReport, TestSuite, to_yaml};

use super::{Public, visible};
use crate::access::Caller;
use crate::http::form::{JSON, Offer, negotiate};
use crate::http::openapi::{
    problems,
    reading::{self, Known},
};
use crate::http::page::Page;
use crate::http::problem::Problem;

/// The title of the catalogue.
const TITLE: &str = "Public events";

/// What the catalogue is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Writing {
    Json,
    Yaml,
    Html,
}

const OFFERED: [Offer<Writing>; 6] = [
    (JSON, Writing::Json),
    ("application/vnd.aai.asyncapi+json", Writing::Json),
    ("application/yaml", Writing::Yaml),
    ("application/vnd.aai.asyncapi+yaml", Writing::Yaml),
    ("text/html", Writing::Html),
    ("application/xhtml+xml", Writing::Html),
];

/// What the contracts' tests made, which gives the catalogue its examples: of the catalog that it was made for, while that is in use.
#[derive(Default)]
pub(crate) struct Rehearsed(Mutex<Option<(Weak<Catalog>, Arc<TestReport>)>>);

impl Rehearsed {
    /// The examples; none where the tests cannot be read.
    async fn of(&self, catalog: &Arc<Catalog>, folders: &Folders) -> Option<Arc<TestReport>> {
        let known = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if let Some((of, report)) = known
            && of.upgrade().is_some_and(|of| Arc::ptr_eq(&of, catalog))
        {
            return Some(report);
        }
        let (given, folders) = (Arc::clone(catalog), folders.clone());
        let run = tokio::task::spawn_blocking(move || {
            let suite = TestSuite::load(&folders, &given).ok()?;
            Some(Arc::new(suite.run(&given)))
        });
        let report = run.await.ok().flatten()?;
        let entry = (Arc::downgrade(catalog), Arc::clone(&report));
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(entry);
        Some(report)
    }
}

/// The catalogue of what the caller may see.
#[utoipa::path(
    get,
    path = "/catalog",
    operation_id = "catalogue",
    tag = "public",
    params(Known),
    responses(reading::Catalogue, problems::Catalogue)
)]
pub(in crate::http) async fn catalog(
    State(state): State<Arc<Public>>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (media_type, writing) = negotiate(&headers, &OFFERED)?;
    let catalog = state.catalog.current();
    let shown: BTreeSet<String> = visible(&catalog, &caller)
        .map(|contract| contract.public_stream())
        .collect();
    let report = state.rehearsed.of(&catalog, &state.folders).await;
    let report = report.unwrap_or_default();
    let (servers, address) = (state.servers.clone(), state.address.clone());
    // Many contracts make a long document.
    let written = tokio::task::spawn_blocking(move || {
        let catalogue = Catalogue::new(&catalog, TITLE, servers, &report).read_at_address(address);
        let catalogue = catalogue.only(&|contract| shown.contains(contract));
        match writing {
            Writing::Json => catalogue.asyncapi().to_string(),
            Writing::Yaml => to_yaml(&catalogue.asyncapi()),
            Writing::Html => catalogue.html(),
        }
    });
    let text = written.await.map_err(|_| unwritten())?;
    let content_type = match writing {
        Writing::Json | Writing::Yaml => media_type,
        Writing::Html => "text/html; charset=utf-8",
    };
    let page = Page {
        etag: Some(super::schemas::digest(&text)),
        ..Page::new(content_type, text.into_bytes())
    };
    Ok(page.answer(&headers))
}

fn unwritten() -> Problem {
    Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "catalogue-failed",
        "the catalogue could not be written",
    )
    .mend("see the daemon's log")
}
