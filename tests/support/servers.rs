//! Real servers: found or skipped, started on a free port in a scratch folder, stopped when dropped.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, thread};

use tempfile::TempDir;

use super::http::nobody;

/// How long a server may take to begin, on a machine that is busy with other tests.
const BEGIN: Duration = Duration::from_secs(30);

/// The program `name`, or nothing if this machine does not have it.
///
/// A test that gets nothing ends there. That is said aloud and counted in the file that the variable
/// `ROLLGATE_SKIPPED` names, and where `CI` is set it is no skip but a failure.
pub(crate) fn require(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    // Debian keeps servers where an ordinary user's PATH does not lead.
    let folders = env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    let found = folders
        .map(|folder| folder.join(name))
        .find(|program| program.is_file());
    if found.is_some() {
        return found;
    }
    missing(name)
}

/// Nothing, said as [`require`] says it.
#[expect(clippy::print_stderr, reason = "a skipped test must be seen")]
pub(crate) fn missing<T>(part: &str) -> Option<T> {
    assert!(
        env::var_os("CI").is_none(),
        "{part} is not there, and in CI no test is skipped"
    );
    let test = thread::current().name().unwrap_or("a test").to_owned();
    eprintln!("SKIPPED {test}: {part} is not there");
    if let Some(list) = env::var_os("ROLLGATE_SKIPPED") {
        let file = OpenOptions::new().create(true).append(true).open(&list);
        let written = file.and_then(|mut file| file.write_all(format!("{test}: no {part}\n").as_bytes()));
        written.unwrap_or_else(|error| panic!("note a skipped test in {}: {error}", list.display()));
    }
    None
}

/// Becomes the command of its arguments. A process in its group reads from a pipe of ours: when that closes, it kills
/// the group. It closes with us, however we end. No child of the command: some servers wait for all their children.
const WATCHED: &str = r#"exec 3<&0; ({ read -r _ <&3; kill -KILL 0; } &); exec "$@" </dev/null 3<&-"#;

/// `command` as the first of a process group that dies with us, also when we are killed. Its pid stays the same.
pub(super) fn watched(command: &Command) -> Command {
    let mut watched = Command::new("/bin/sh");
    watched.args(["-c", WATCHED, "sh"]).arg(command.get_program());
    watched.args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => watched.env(name, value),
            None => watched.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        watched.current_dir(folder);
    }
    watched.process_group(0).stdin(Stdio::piped());
    watched
}

/// A server that dies with its owner: when it is dropped, when a test panics, when the tests are killed.
pub(crate) struct Server(Child);

impl Server {
    /// Starts `command`, its output in `log`.
    pub(crate) fn start(command: &Command, log: &Path) -> Self {
        let file = File::create(log).expect("a log file");
        let copy = file.try_clone().expect("a second handle");
        let child = watched(command).stdout(file).stderr(copy).spawn();
        Self(child.unwrap_or_else(|error| panic!("start {command:?}: {error}")))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Whether it has ended by itself.
    pub(crate) fn is_over(&mut self) -> bool {
        !matches!(self.0.try_wait(), Ok(None))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A command that runs when its owner is gone, however that ended.
pub(crate) struct Will(Child);

impl Will {
    /// `command` is tried a few times: what it tidies up may still be dying.
    pub(crate) fn new(command: &Command) -> Self {
        let script = r#"read -r _; for _ in 1 2 3 4 5 6 7 8 9; do "$@" && exit; sleep 0.2; done"#;
        let mut will = Command::new("/bin/sh");
        will.args(["-c", script, "sh"]).arg(command.get_program());
        will.args(command.get_args()).process_group(0);
        let child = will
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Self(child.expect("/bin/sh"))
    }
}

impl Drop for Will {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// Asks until `done` has an answer.
///
/// # Panics
///
/// None came within `limit`.
pub(crate) fn until<T>(what: &str, limit: Duration, mut done: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + limit;
    loop {
        if let Some(answer) = done() {
            return answer;
        }
        assert!(Instant::now() < end, "{what}: not within {limit:?}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// A real Prometheus with its own storage.
pub(crate) struct Prometheus {
    pub(crate) url: String,
    // Dropped in this order: the server first, then its folder.
    _server: Server,
    _folder: TempDir,
}

impl Prometheus {
    /// Scrapes `targets` (`HOST:PORT`) every second.
    pub(crate) fn scraping(program: &Path, targets: &[&str]) -> Self {
        Self::start(program, TempDir::new().expect("a scratch folder"), targets)
    }

    /// Has the samples of `text` (OpenMetrics, with timestamps) and scrapes nothing.
    pub(crate) fn holding(program: &Path, promtool: &Path, text: &str) -> Self {
        let folder = TempDir::new().expect("a scratch folder");
        let source = folder.path().join("samples.txt");
        fs::write(&source, text).expect("the samples");
        let made = Command::new(promtool)
            .args(["tsdb", "create-blocks-from", "openmetrics"])
            .arg(&source)
            .arg(folder.path().join("data"))
            .output()
            .expect("promtool");
        assert!(
            made.status.success(),
            "promtool: {}",
            String::from_utf8_lossy(&made.stderr)
        );
        Self::start(program, folder, &[])
    }

    fn start(program: &Path, folder: TempDir, targets: &[&str]) -> Self {
        let config = folder.path().join("prometheus.yml");
        let targets = targets
            .iter()
            .map(|target| format!("{target:?}"))
            .collect::<Vec<_>>()
            .join(", ");
        let text = format!(
            "global: {{ scrape_interval: 1s, scrape_timeout: 1s }}\n\
             scrape_configs: [{{ job_name: shop, static_configs: [{{ targets: [{targets}] }}] }}]\n"
        );
        fs::write(&config, text).expect("the configuration");
        let log = folder.path().join("log");
        // The port is free when it is chosen; somebody else may be faster.
        for _ in 0..3 {
            let address = nobody();
            let mut command = Command::new(program);
            command
                .arg(format!("--config.file={}", config.display()))
                .arg(format!(
                    "--storage.tsdb.path={}",
                    folder.path().join("data").display()
                ))
                .arg("--storage.tsdb.retention.time=10y")
                .arg("--enable-feature=native-histograms")
                .arg(format!("--web.listen-address={address}"));
            let mut server = Server::start(&command, &log);
            let began = until("Prometheus begins", BEGIN, || {
                if is_ready(&address) {
                    Some(true)
                } else {
                    server.is_over().then_some(false)
                }
            });
            if began {
                return Self {
                    url: format!("http://{address}"),
                    _server: server,
                    _folder: folder,
                };
            }
        }
        panic!(
            "Prometheus ended by itself: {}",
            fs::read_to_string(&log).unwrap_or_default()
        );
    }
}

fn is_ready(address: &str) -> bool {
    let ask = || {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(b"GET /-/ready HTTP/1.0\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok::<_, std::io::Error>(answer)
    };
    ask().is_ok_and(|answer| answer.starts_with("HTTP/1.0 200"))
}
