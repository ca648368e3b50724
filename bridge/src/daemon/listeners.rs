//! The listeners: what is checked and read before anything is opened, their ports, and what a reload changes of them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::watched;
use crate::access::{Access, Gate, GateView, Side};
use crate::address::Addresses;
use crate::commands::Failure;
use crate::config::{Config, ListenerConfig};
use crate::outlets::{Surroundings, Unset};
use crate::server::{House, Limits, Listener, ListenerView, Numbers, ServerTls, serve};
use crate::status::Status;

/// What was read for the listeners from files and the environment.
pub(super) struct Prepared {
    access: Option<Access>,
    tls: Vec<Arc<ServerTls>>,
}

/// The listeners' ports, bound and not yet served.
pub(super) struct Bound {
    ports: Vec<Port>,
    doors: Arc<Doors>,
}

struct Port {
    name: &'static str,
    side: Side,
    socket: TcpListener,
    address: SocketAddr,
    hosts: Vec<String>,
}

/// What is known of the listeners while they are served, and what a reload changes of them.
#[derive(Debug)]
pub(crate) struct Doors {
    house: Arc<House>,
    tls: Vec<Arc<ServerTls>>,
    data: PathBuf,
    addresses: Mutex<Addresses>,
    numbers: Mutex<Vec<(&'static str, Numbers)>>,
}

/// What a reload has read, and found good.
pub(super) struct Fresh {
    access: Option<Access>,
    tls: Vec<(usize, crate::server::Loaded)>,
}

/// Each listener's name, side and configuration.
fn configured(config: &Config) -> impl Iterator<Item = (&'static str, Side, &ListenerConfig)> {
    let always = [
        ("http", Side::Private, &config.http),
        ("operator", Side::Operator, &config.operator),
    ];
    let public = config.public.as_ref();
    let public = public.map(|public| ("public", Side::Public, public));
    always.into_iter().chain(public)
}

/// Checks what [`Prepared::read`] reads, as far as that can be done without the variables of secrets that are not set.
pub(super) fn check(config: &Config, unset: &Unset) -> Result<(), Failure> {
    access(config, Some(unset))?;
    for (name, _, listener) in configured(config) {
        if let Some(options) = &listener.tls {
            let checked = options.check(&config.folder, unset);
            checked.map_err(|error| unusable(name, &error))?;
        }
    }
    Ok(())
}

fn access(config: &Config, unset: Option<&Unset>) -> Result<Option<Access>, Failure> {
    let environment = |name: &str| std::env::var(name).ok();
    let surroundings = Surroundings {
        folder: &config.folder,
        environment: &environment,
        unset,
    };
    let access = config.access.as_ref();
    let access = access
        .map(|access| access.resolve(&surroundings))
        .transpose();
    access.map_err(|error| Failure::Mend(error.to_string()))
}

impl Prepared {
    /// Reads what the listeners need, before anything is opened.
    pub(super) fn read(config: &Config) -> Result<Prepared, Failure> {
        let access = access(config, None)?;
        let mut tls = Vec::new();
        for (name, _, listener) in configured(config) {
            if let Some(options) = &listener.tls {
                let loaded = ServerTls::load(name, options, &config.folder);
                let loaded = loaded.map_err(|error| unusable(name, &error))?;
                tls.push(Arc::new(loaded));
            }
        }
        Ok(Prepared { access, tls })
    }

    /// Binds all ports.
    pub(super) async fn bind(self, config: &Config, limits: Limits) -> Result<Bound, Failure> {
        let mut ports = Vec::new();
        for (name, side, listener) in configured(config) {
            let socket = bind(name, listener.listen).await?;
            let address = socket.local_addr();
            let address = address.map_err(|error| Failure::Failed(error.to_string()))?;
            ports.push(Port {
                name,
                side,
                socket,
                address,
                hosts: listener.hosts.clone(),
            });
        }
        let gate = Gate::new(
            self.access,
            limits.requests_per_caller,
            limits.follows_per_caller,
        );
        let of = |name: &str| {
            let mut ports = ports.iter();
            let port = ports.find(|port| port.name == name);
            port.map(|port| port.address)
        };
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let addresses = Addresses {
            http: of("http").unwrap_or(nowhere),
            operator: of("operator").unwrap_or(nowhere),
            public: of("public"),
            certificates: BTreeMap::new(),
        };
        let doors = Doors {
            house: Arc::new(House::new(gate, limits)),
            tls: self.tls,
            data: config.data.clone(),
            addresses: Mutex::new(addresses),
            numbers: Mutex::default(),
        };
        Ok(Bound {
            ports,
            doors: Arc::new(doors),
        })
    }
}

fn unusable(listener: &str, error: &dyn std::fmt::Display) -> Failure {
    Failure::Mend(format!(
        "{listener}.{error}\n  = mend: name PEM files: a certificate, the key that belongs to it, and certificates of authorities in `client_ca`"
    ))
}

async fn bind(name: &str, address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        Failure::Failed(format!("cannot listen on {address}: {error}\n  = mend: set {name}.listen to a free port, or to port 0 for one that the system chooses"))
    })
}

impl Bound {
    /// What a reload changes.
    pub(super) fn doors(&self) -> Arc<Doors> {
        Arc::clone(&self.doors)
    }

    /// Starts the servers, and what looks after their certificates.
    pub(super) fn serve(
        self,
        servers: &mut JoinSet<()>,
        watches: &mut JoinSet<()>,
        status: &Arc<Status>,
        stop: &watch::Sender<bool>,
        router: impl Fn(Side) -> Router,
    ) {
        for port in self.ports {
            let tls = self
                .doors
                .tls
                .iter()
                .find(|tls| tls.listener() == port.name);
            let listener = Listener {
                side: port.side,
                socket: port.socket,
                tls: tls.cloned(),
                hosts: port.hosts,
                router: router(port.side),
            };
            let house = Arc::clone(&self.doors.house);
            let (numbers, served) = serve(house, listener, port.address, stop.subscribe());
            let mut known = self
                .doors
                .numbers
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            known.push((port.name, numbers));
            let what = format!("the listener {}", port.name);
            servers.spawn(watched(Arc::clone(status), what, served));
        }
        for tls in &self.doors.tls {
            let doors = Arc::clone(&self.doors);
            let changed = move || {
                if let Err(error) = doors.write_addresses() {
                    tracing::error!(%error, "addresses.json cannot be written");
                }
            };
            watches.spawn(Arc::clone(tls).watch(changed));
        }
    }
}

impl Doors {
    /// Writes where the listeners are, and which certificates they have.
    pub(super) fn write_addresses(&self) -> std::io::Result<Addresses> {
        let mut addresses = self
            .addresses
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let certificate = |tls: &Arc<ServerTls>| (tls.listener().to_owned(), tls.fingerprint());
        addresses.certificates = self.tls.iter().map(certificate).collect();
        addresses.write(&self.data)?;
        Ok(addresses.clone())
    }

    /// Reads principals and certificates again.
    pub(super) fn read_again(&self, config: &Config) -> Result<Fresh, Failure> {
        let mut tls = Vec::new();
        for (index, known) in self.tls.iter().enumerate() {
            let loaded = known.read_again();
            tls.push((
                index,
                loaded.map_err(|error| unusable(known.listener(), &error))?,
            ));
        }
        // Whether anybody is asked who they are is decided at the start.
        let access = match self.house.gate.is_open() {
            true => None,
            false => access(config, None)?,
        };
        Ok(Fresh { access, tls })
    }

    /// Uses what was read from now on.
    pub(super) fn replace(&self, fresh: Fresh) {
        for (index, loaded) in fresh.tls {
            if let Some(tls) = self.tls.get(index) {
                tls.replace(loaded);
            }
        }
        if fresh.access.is_some() {
            self.house.gate.replace(fresh.access);
        }
        if let Err(error) = self.write_addresses() {
            tracing::error!(%error, "addresses.json cannot be written");
        }
    }

    /// How many principals are known; none, where everybody may do everything.
    pub(super) fn principals(&self) -> Option<usize> {
        self.house.gate.principals()
    }

    /// Numbers for the status: of refusals, and of each listener.
    pub(crate) fn view(&self) -> DoorsView {
        let numbers = self.numbers.lock().unwrap_or_else(PoisonError::into_inner);
        let listeners = numbers.iter();
        DoorsView {
            access: self.house.gate.view(),
            listeners: listeners
                .map(|(name, numbers)| ((*name).to_owned(), numbers.view()))
                .collect(),
        }
    }
}

/// How the gate and the listeners stand.
pub(crate) struct DoorsView {
    pub(crate) access: GateView,
    pub(crate) listeners: BTreeMap<String, ListenerView>,
}
