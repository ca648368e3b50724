//! The composition root: the one place where the daemon's parts are put together, started in order and stopped in order.
//!
//! Start: configuration and catalogue (before anything is opened), store, contract changes, ports, crossing, relays, HTTP.
//! Reload: [`reload`] changes access, contracts, crossing and relays while all of it runs.
//! Stop: no new requests, no further crossing, answers for what is in flight, cursors, store. Each within one deadline.

mod listeners;
mod outlets;
mod relays;
mod reload;
mod replay;

use std::fmt::Display;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use horizon_schemas::Status::{self as ContractStatus, Active, Deprecated, Retired};
use horizon_schemas::{Catalog, Contract, Folders, IdSecret, KnownBrokers, Rules, Server};
use horizon_store::{LogName, Store};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Mutex, mpsc, watch};
use tokio::task::JoinSet;

use crate::access::Side;
use crate::address::Addresses;
use crate::commands::Failure;
use crate::config::{Config, EventsWithoutSchema};
use crate::contract_changes;
use crate::crossing::Crosser;
use crate::http::{self, Follows, Operator, Private, Public, Turns};
use crate::loaded::SharedCatalog;
use crate::outlets::{BrokerOptions, Unset};
use crate::server::raise_file_limit;
use crate::status::Status;
use crate::unparking::{Desk, ORDERS_WAITING};
pub(crate) use listeners::DoorsView;
use listeners::{Bound, Prepared};
use outlets::Outlets;
pub(crate) use relays::Paused;
use relays::{Ground, Relays};
pub(crate) use reload::{Given, NotTakenUp, Reloaded, Reloader};
pub(crate) use replay::{ReplayError, Wanted};

/// What the secret behind public ids is derived for; part of the ids, so it never changes.
const ID_SECRET_CONTEXT: &str = "horizon public ids v1";

/// Where contracts and schemas are.
pub(crate) fn folders(config: &Config) -> Folders {
    Folders {
        contracts: config.contracts.clone(),
        schemas: config.schemas.clone(),
    }
}

/// Loads and checks every schema and contract.
pub(crate) fn load_catalog(config: &Config) -> Result<Catalog, Failure> {
    let brokers: KnownBrokers = config
        .brokers
        .iter()
        .map(|(name, options)| (name.clone(), options.protocol()))
        .collect();
    let events_without_schema = match config.events_without_schema {
        EventsWithoutSchema::Accept => horizon_schemas::EventsWithoutSchema::Accept,
        EventsWithoutSchema::Refuse => horizon_schemas::EventsWithoutSchema::Refuse,
    };
    Catalog::load(
        &folders(config),
        &brokers,
        &Rules {
            events_without_schema,
            doors: config.doors,
        },
    )
    .map_err(Failure::Diagnostics)
}

/// The brokers as consumers reach them.
pub(crate) fn servers(config: &Config) -> Vec<Server> {
    let server = |(name, options): (&String, &BrokerOptions)| Server {
        name: name.clone(),
        protocol: options.protocol(),
        host: options.address(),
        virtual_host: options.virtual_host().map(str::to_owned),
    };
    config.brokers.iter().map(server).collect()
}

/// Checks what the daemon reads before it opens anything: the brokers' options and every outlet at its broker, who may do what, and the
/// listeners' certificates. Gives the variables of secrets that are not set here, in which nothing was looked at.
pub(crate) fn check(config: &Config, catalog: &Catalog) -> Result<Option<String>, Failure> {
    let unset = Unset::default();
    outlets::check(config, catalog.contracts(), &unset)?;
    listeners::check(config, &unset)?;
    Ok(unset.names())
}

/// Runs the daemon until SIGTERM or SIGINT, and stops it within the configured deadline.
pub(crate) async fn run(config: Config, given: Given, catalog: Catalog) -> Result<(), Failure> {
    let config = Arc::new(config);
    let failed = |what: &str, error: &dyn Display| Failure::Failed(format!("{what}: {error}"));
    let mut interrupted = signal(SignalKind::interrupt())
        .map_err(|error| failed("cannot listen for SIGINT", &error))?;
    let mut terminated = signal(SignalKind::terminate())
        .map_err(|error| failed("cannot listen for SIGTERM", &error))?;
    let mut hung_up =
        signal(SignalKind::hangup()).map_err(|error| failed("cannot listen for SIGHUP", &error))?;
    let mut told_to_stop = async || {
        tokio::select! {
            _ = interrupted.recv() => tracing::info!("SIGINT: stopping"),
            _ = terminated.recv() => tracing::info!("SIGTERM: stopping"),
        }
    };
    let daemon = tokio::select! {
        daemon = Daemon::start(&config, given, Arc::new(catalog)) => daemon?,
        () = told_to_stop() => return Ok(()),
    };
    let reloads = async {
        while hung_up.recv().await.is_some() {
            tracing::info!("SIGHUP: loading contracts, schemas, principals and certificates again");
            // What it did, or why not, is in the log and in the status. It goes on when the daemon is told to stop. Nobody waits for it:
            // the next one may take a token back while this one's contracts wait for the disk.
            let reloader = Arc::clone(&daemon.reloader);
            tokio::spawn(async move { reloader.reload().await });
        }
    };
    tokio::select! {
        () = told_to_stop() => {}
        () = reloads => told_to_stop().await,
    }
    let begun = Instant::now();
    let stopped = tokio::time::timeout(
        config.shutdown_deadline,
        daemon.stop(config.shutdown_deadline),
    )
    .await;
    Addresses::remove(&config.data);
    let Ok(result) = stopped else {
        tracing::error!(
            seconds = config.shutdown_deadline.as_secs(),
            "not everything stopped within the deadline; what was answered is stored, and what was not confirmed goes out again"
        );
        // Something hangs, a disk perhaps; waiting for it would break the deadline.
        std::process::exit(1);
    };
    tracing::info!(milliseconds = begun.elapsed().as_millis() as u64, "stopped");
    result
}

/// A running daemon.
struct Daemon {
    store: Store,
    log: LogName,
    status: Arc<Status>,
    stop_intake: watch::Sender<bool>,
    servers: JoinSet<()>,
    /// What looks after files, until the daemon is gone.
    watches: JoinSet<()>,
    crossing: JoinSet<()>,
    reloader: Arc<Reloader>,
}

impl Daemon {
    async fn start(
        config: &Arc<Config>,
        given: Given,
        catalog: Arc<Catalog>,
    ) -> Result<Daemon, Failure> {
        let failed = |error: &dyn Display| Failure::Failed(error.to_string());
        // Secrets and names first: what can be wrong in what was given is told before anything is opened.
        let crossing = with_status(&catalog, &[Active, Deprecated]);
        let outlets = Outlets::resolve(
            config,
            &with_status(&catalog, &[Active, Deprecated, Retired]),
        )?;
        let prepared = Prepared::read(config)?;
        let limits = config.limits.clone();
        let limits = limits.within_files(raise_file_limit(), config.listeners().count() as u64);
        let store = open_store(config).await?;
        let log = LogName::main();
        let changes = contract_changes::find(&store, &log, &crossing).await?;
        let listeners = prepared.bind(config, limits).await?;
        let status = Arc::new(Status::default());
        let id_secret = IdSecret::new(store.derive_secret(ID_SECRET_CONTEXT));
        let crosser = Crosser::restore(
            store.clone(),
            log.clone(),
            &crossing,
            id_secret,
            Arc::clone(&status),
        )
        .await?;
        contract_changes::record(&store, &log, changes).await?;

        let (orders, taken) = mpsc::channel(ORDERS_WAITING);
        let ground = Ground {
            store: store.clone(),
            log: log.clone(),
            status: Arc::clone(&status),
            desk: Arc::new(Desk::new(orders)),
            replays: Arc::default(),
            drain: config.shutdown_deadline / 2,
        };
        let relays = Relays::restore(&ground).await;
        let relays = relays.map_err(|error| failed(&error))?;
        let reloader = Reloader {
            config: Arc::clone(config),
            given,
            catalog: SharedCatalog::new(catalog),
            ground,
            doors: listeners.doors(),
            access: Mutex::default(),
            relays: Mutex::new(relays),
        };
        let mut daemon = Daemon {
            store,
            log,
            status,
            stop_intake: watch::channel(false).0,
            servers: JoinSet::new(),
            watches: JoinSet::new(),
            crossing: JoinSet::new(),
            reloader: Arc::new(reloader),
        };
        let running = crosser.run(taken, daemon.stop_intake.subscribe());
        daemon.crossing.spawn(watched(
            Arc::clone(&daemon.status),
            "the crossing".to_owned(),
            running,
        ));
        daemon.reloader.start(outlets).await;
        daemon.serve(listeners, config);
        daemon.announce()?;
        Ok(daemon)
    }

    /// Writes down and tells where the daemon listens.
    fn announce(&self) -> Result<(), Failure> {
        let addresses =
            self.reloader.doors.write_addresses().map_err(|error| {
                Failure::Failed(format!("cannot write addresses.json: {error}"))
            })?;
        tracing::info!(http = %addresses.http, operator = %addresses.operator, public = addresses.public.map(tracing::field::display), store = self.store.id(), "listening");
        Ok(())
    }

    /// Starts the listeners' servers.
    fn serve(&mut self, listeners: Bound, config: &Config) {
        let follows = Follows::new(self.stop_intake.subscribe());
        let public = Arc::new(Public {
            store: self.store.clone(),
            log: self.log.clone(),
            catalog: self.reloader.catalog.clone(),
            status: Arc::clone(&self.status),
            follows: follows.clone(),
            turns: Turns::default(),
            folders: folders(config),
            servers: servers(config),
            address: config.public_url.clone(),
            rehearsed: Default::default(),
        });
        let private = Private {
            store: self.store.clone(),
            log: self.log.clone(),
            catalog: self.reloader.catalog.clone(),
            body_limit_bytes: config.body_limit_bytes,
            status: Arc::clone(&self.status),
            follows,
            turns: Turns::default(),
            expecting: config.expecting.clone(),
        };
        let private = http::private_router(private, &public);
        let operator = http::operator_router(Operator {
            store: self.store.clone(),
            log: self.log.clone(),
            catalog: self.reloader.catalog.clone(),
            id_secret: IdSecret::new(self.store.derive_secret(ID_SECRET_CONTEXT)),
            status: Arc::clone(&self.status),
            desk: Arc::clone(&self.reloader.ground.desk),
            reloader: Arc::clone(&self.reloader),
        });
        let public = http::public_listener_router(&public);
        listeners.serve(
            &mut self.servers,
            &mut self.watches,
            &self.status,
            &self.stop_intake,
            |side| match side {
                Side::Private => private.clone(),
                Side::Public => public.clone(),
                Side::Operator => operator.clone(),
            },
        );
    }

    /// Stops everything in order. Requests that are not done within a quarter of the deadline are cut off: nothing of them was
    /// answered as stored.
    async fn stop(mut self, deadline: Duration) -> Result<(), Failure> {
        self.stop_intake.send_replace(true);
        let requests = async { while self.servers.join_next().await.is_some() {} };
        if tokio::time::timeout(deadline / 4, requests).await.is_err() {
            tracing::warn!("requests that did not end are cut off");
            self.servers.shutdown().await;
        }
        while self.crossing.join_next().await.is_some() {}
        self.reloader.stop().await;
        self.store
            .close()
            .await
            .map_err(|error| Failure::Failed(error.to_string()))
    }
}

async fn open_store(config: &Config) -> Result<Store, Failure> {
    let options = horizon_store::Options {
        appends_min_free_bytes: config.appends_min_free_bytes,
        crossing_min_free_bytes: config.crossing_min_free_bytes,
        ..horizon_store::Options::default()
    };
    let opened = Store::open(&config.data, options).await;
    opened.map_err(|error| Failure::Failed(error.to_string()))
}

/// Runs a part of the daemon. One that fails or panics does not come back before a restart, and that is made known.
async fn watched<E: Display + Send + 'static>(
    status: Arc<Status>,
    what: String,
    part: impl Future<Output = Result<(), E>> + Send + 'static,
) {
    let reason = match AssertUnwindSafe(part).catch_unwind().await {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error.to_string(),
        Err(_) => "it panicked".to_owned(),
    };
    tracing::error!(
        what,
        reason,
        "a part of the daemon has ended; it begins again when the daemon is restarted"
    );
    status.failed(format!("{what}: {reason}"));
}

/// The contracts with one of these statuses. Drafts are only checked; retired ones no longer cross, but what has crossed is
/// still delivered.
fn with_status(catalog: &Catalog, statuses: &[ContractStatus]) -> Vec<Arc<Contract>> {
    let wanted = |contract: &&Arc<Contract>| statuses.contains(&contract.status());
    catalog.contracts().iter().filter(wanted).cloned().collect()
}
