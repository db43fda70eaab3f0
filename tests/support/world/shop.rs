//! The example service and its crowd.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use serde_json::Value;

use crate::support::{
    servers::until,
    tool::{Running, example},
};

/// One version of the service.
pub(crate) struct Shop {
    /// `HOST:PORT`.
    pub(crate) address: String,
    _running: Running,
}

impl Shop {
    pub(crate) fn start(version: &str, folder: &Path) -> Self {
        Self::start_at("127.0.0.1", version, folder)
    }

    /// On a free port of `host`, an address of this machine.
    pub(crate) fn start_at(host: &str, version: &str, folder: &Path) -> Self {
        let mut command = Command::new(example("shop"));
        command.args(["--version-name", version, "--listen", &format!("{host}:0")]);
        let log = folder.join(format!("shop-{version}"));
        let mut running = Running::server(&command, &log);
        let address = until("the shop opens", Duration::from_secs(20), || {
            assert!(!running.is_over(), "{}", running.stderr());
            let said = std::fs::read_to_string(log.with_extension("out")).ok()?;
            Some(said.strip_prefix("listening on ")?.strip_suffix('\n')?.to_owned())
        });
        Self {
            address,
            _running: running,
        }
    }

    pub(crate) fn port(&self) -> u16 {
        let port = self.address.rsplit(':').next().expect("HOST:PORT");
        port.parse().expect("a port")
    }

    /// Turns a dial: `error-rate=5%25`.
    pub(crate) fn turn(&self, dial: &str) {
        let (status, _) = http(&self.address, &format!("PUT /dials?{dial}"), "").expect("an answer");
        assert_eq!(status, 200, "{dial}");
    }
}

/// Many users.
pub(crate) struct Crowd {
    running: Running,
    report: PathBuf,
}

impl Crowd {
    /// `rate` requests a second by `users` users (0: without an id) until it is sent home.
    pub(crate) fn ask(front: &str, rate: u32, users: u32, folder: &Path) -> Self {
        let report = folder.join("crowd.json");
        let mut command = Command::new(example("crowd"));
        command
            .args(["--url", &format!("http://{front}/"), "--connections", "8"])
            .args(["--rate", &rate.to_string(), "--users", &users.to_string()])
            .arg("--report")
            .arg(&report);
        Self {
            running: Running::server(&command, &folder.join("crowd")),
            report,
        }
    }

    /// Ends it; its report.
    pub(crate) fn go_home(self) -> Value {
        self.running.signal("INT");
        self.running.wait(Duration::from_secs(20)).with(0);
        let text = std::fs::read_to_string(&self.report).expect("a report");
        serde_json::from_str(&text).expect("JSON")
    }
}

/// Status and header `x-version` of an answer; none if there is no answer. `line` is `GET /path`, `headers`
/// are whole lines.
pub(crate) fn http(address: &str, line: &str, headers: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    let request = format!("{line} HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let status = answer.split(' ').nth(1)?.parse().ok()?;
    let version = answer
        .lines()
        .find_map(|line| line.strip_prefix("x-version: "))
        .unwrap_or_default();
    Some((status, version.to_owned()))
}
