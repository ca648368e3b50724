//! Brokers for tests: real ones, in folders and on ports of their own. A broker ends with the test that holds it, or with
//! the test process, however that ends.

use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::OnceCell;

use super::{PATIENCE, within};

/// A process group that is killed when this is dropped, and when the test process ends.
struct Group {
    leader: Child,
    watcher: Child,
}

impl Group {
    fn start(command: &mut Command, folder: &Path, output: &str) -> Self {
        let program = command.get_program().to_string_lossy().into_owned();
        let output = fs::File::create(folder.join(output)).expect("a file for output");
        let leader = command
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("a second handle"))
            .stderr(output)
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("{program} must be installed for this test: {error}"));
        // Reads until this process is gone. A broker that is still there then has a folder that nobody else removes.
        let watcher = Command::new("sh")
            .args([
                "-c",
                "read -r _; kill -s KILL -- -$0; rm -rf \"$1\"",
                &leader.id().to_string(),
            ])
            .arg(folder)
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("sh runs");
        Self { leader, watcher }
    }

    fn signal(&self, name: &str) {
        let group = format!("-{}", self.leader.id());
        let status = Command::new("kill")
            .args([&format!("-{name}"), "--", &group])
            .status();
        assert!(
            status.expect("kill runs").success(),
            "kill -{name} -- {group}"
        );
    }

    fn kill(&mut self) {
        if matches!(self.leader.try_wait(), Ok(None)) {
            self.signal("KILL");
        }
        self.leader.wait().expect("the leader can be waited for");
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
        self.watcher.kill().expect("the watcher can be killed");
        self.watcher.wait().expect("the watcher can be waited for");
    }
}

pub(super) fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("its address").port()
}

pub(super) async fn until_listening(port: u16, output: &Path) {
    let listening = async {
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    if tokio::time::timeout(PATIENCE, listening).await.is_err() {
        panic!(
            "the broker did not start: {}",
            fs::read_to_string(output).unwrap_or_default()
        );
    }
}

/// A Mosquitto.
pub(super) struct Mosquitto {
    pub(super) port: u16,
    folder: TempDir,
    group: Group,
}

impl Mosquitto {
    /// Starts one with further lines of configuration.
    pub(super) async fn start(configuration: &str) -> Self {
        let folder = TempDir::new().expect("a folder");
        let port = free_port();
        let text = format!("listener {port} 127.0.0.1\npersistence false\n{configuration}\n");
        fs::write(folder.path().join("mosquitto.conf"), text).expect("its configuration");
        let group = Self::spawn(folder.path());
        until_listening(port, &folder.path().join("output")).await;
        Self {
            port,
            folder,
            group,
        }
    }

    fn spawn(folder: &Path) -> Group {
        let mut command = Command::new("/usr/sbin/mosquitto");
        command.arg("-c").arg(folder.join("mosquitto.conf"));
        Group::start(&mut command, folder, "output")
    }

    pub(super) fn kill(&mut self) {
        self.group.kill();
    }

    pub(super) fn pause(&self) {
        self.group.signal("STOP");
    }

    /// Starts it again after it was killed, on the same port.
    pub(super) async fn restart(&mut self) {
        self.group = Self::spawn(self.folder.path());
        until_listening(self.port, &self.folder.path().join("output")).await;
    }
}

/// A RabbitMQ with its own port mapper.
pub(super) struct Rabbit {
    pub(super) port: u16,
    distribution_port: u16,
    mapper_port: u16,
    folder: TempDir,
    group: Group,
    _mapper: Group,
}

/// Starting a RabbitMQ takes seconds, so tests share one. It ends with the test process.
static SHARED: OnceCell<Rabbit> = OnceCell::const_new();

impl Rabbit {
    /// The RabbitMQ that tests share which neither stop nor starve it.
    pub(super) async fn shared() -> &'static Self {
        SHARED.get_or_init(Self::start).await
    }

    pub(super) async fn start() -> Self {
        Self::start_with(|_| String::new(), "[]").await
    }

    /// Starts one with further lines of configuration, which may name files in its folder, and with plugins, as an Erlang
    /// list.
    pub(super) async fn start_with(
        configuration: impl FnOnce(&Path) -> String,
        plugins: &str,
    ) -> Self {
        let folder = TempDir::new().expect("a folder");
        let configuration = configuration(folder.path());
        let (port, distribution_port, mapper_port) = (free_port(), free_port(), free_port());
        let at = |name: &str| folder.path().join(name);
        fs::write(at("plugins"), format!("{plugins}.\n")).expect("its plugins");
        fs::write(
            at("rabbitmq.conf"),
            format!("listeners.tcp.1 = 127.0.0.1:{port}\ndisk_free_limit.absolute = 1MB\nlog.file.level = warning\n{configuration}\n"),
        )
        .expect("its configuration");
        let mut command = Command::new("epmd");
        command.args(["-address", "127.0.0.1", "-port", &mapper_port.to_string()]);
        let mapper = Group::start(&mut command, folder.path(), "epmd-output");
        until_listening(mapper_port, &at("epmd-output")).await;
        let group = Self::spawn(folder.path(), port, distribution_port, mapper_port);
        let rabbit = Self {
            port,
            distribution_port,
            mapper_port,
            folder,
            group,
            _mapper: mapper,
        };
        until_listening(port, &rabbit.folder.path().join("output")).await;
        rabbit
    }

    fn spawn(folder: &Path, port: u16, distribution_port: u16, mapper_port: u16) -> Group {
        let mut command = Command::new("/usr/lib/rabbitmq/bin/rabbitmq-server");
        Self::surround(&mut command, folder, port, mapper_port);
        command
            .env("RABBITMQ_CONFIG_FILE", folder.join("rabbitmq.conf"))
            .env("RABBITMQ_MNESIA_BASE", folder.join("mnesia"))
            .env("RABBITMQ_LOG_BASE", folder.join("log"))
            .env("RABBITMQ_PID_FILE", folder.join("pid"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", folder.join("plugins"))
            .env("RABBITMQ_DIST_PORT", distribution_port.to_string())
            .env(
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
                "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none",
            );
        Group::start(&mut command, folder, "output")
    }

    fn surround(command: &mut Command, folder: &Path, port: u16, mapper_port: u16) {
        command
            .env("HOME", folder)
            .env("RABBITMQ_CONF_ENV_FILE", "/dev/null")
            .env("RABBITMQ_NODENAME", format!("outlets{port}@localhost"))
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("ERL_EPMD_PORT", mapper_port.to_string());
    }

    pub(super) fn kill(&mut self) {
        self.group.kill();
    }

    /// Starts it again after it was killed, on the same port and with what it had stored.
    pub(super) async fn restart(&mut self) {
        self.group = Self::spawn(
            self.folder.path(),
            self.port,
            self.distribution_port,
            self.mapper_port,
        );
        until_listening(self.port, &self.folder.path().join("output")).await;
    }

    /// The file that it writes to.
    pub(super) fn output(&self) -> std::path::PathBuf {
        self.folder.path().join("output")
    }

    /// Sets or lifts the alarm that says that memory is short.
    pub(super) async fn starve(&self, starved: bool) {
        let watermark: &[&str] = if starved {
            &["absolute", "1"]
        } else {
            &["0.9"]
        };
        self.control(&[&["set_vm_memory_high_watermark"], watermark].concat())
            .await;
    }

    /// Runs `rabbitmqctl` on it, and gives what that printed.
    pub(super) async fn control(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("/usr/lib/rabbitmq/bin/rabbitmqctl");
        Self::surround(
            &mut command,
            self.folder.path(),
            self.port,
            self.mapper_port,
        );
        let node = format!("outlets{}@localhost", self.port);
        command.args(["--quiet", "-n", &node]).args(arguments);
        let output = within(
            "rabbitmqctl",
            tokio::task::spawn_blocking(move || command.output().expect("rabbitmqctl runs")),
        )
        .await
        .expect("it can be waited for");
        assert!(
            output.status.success(),
            "rabbitmqctl {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Adds a user with the password `secret` and these permissions in a virtual host: to configure, write and read.
    pub(super) async fn add_user(&self, name: &str, virtual_host: &str, permissions: [&str; 3]) {
        self.control(&["add_user", name, "secret"]).await;
        self.permit(name, virtual_host, permissions).await;
    }

    /// Gives a user other permissions.
    pub(super) async fn permit(&self, name: &str, virtual_host: &str, permissions: [&str; 3]) {
        let of = ["set_permissions", "-p", virtual_host, name];
        self.control(&[&of[..], &permissions].concat()).await;
    }
}
