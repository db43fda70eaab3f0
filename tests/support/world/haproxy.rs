//! One real HAProxy.

use std::{
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use crate::support::{
    http::nobody,
    servers::until,
    tool::{Running, signal},
};

/// The example's configuration, as a user gets it.
pub(crate) const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/haproxy/haproxy.cfg");

/// A master with its workers; ends when it is dropped.
pub(crate) struct Haproxy {
    /// `HOST:PORT` for users.
    pub(crate) front: String,
    pub(crate) socket: PathBuf,
    program: PathBuf,
    config: PathBuf,
    variables: Vec<(&'static str, String)>,
    log: PathBuf,
    running: Option<Running>,
}

impl Haproxy {
    /// Starts process `number` of `config` in `folder`.
    pub(crate) fn start(
        program: &Path,
        config: &Path,
        folder: &Path,
        number: usize,
        [blue, green]: [&str; 2],
    ) -> Self {
        // The port is free when it is chosen; somebody else may be faster.
        for _ in 0..5 {
            let front = nobody();
            let socket = folder.join(format!("haproxy{number}.sock"));
            let variables = vec![
                ("SHOP_FRONT", front.clone()),
                ("SHOP_BLUE", blue.to_owned()),
                ("SHOP_GREEN", green.to_owned()),
                ("ROLLGATE_MAP", folder.join("rollgate.map").display().to_string()),
                ("HAPROXY_SOCKET", socket.display().to_string()),
            ];
            let mut haproxy = Self {
                front,
                socket,
                program: program.to_owned(),
                config: config.to_owned(),
                variables,
                log: folder.join(format!("haproxy{number}")),
                running: None,
            };
            if haproxy.begin() {
                return haproxy;
            }
        }
        panic!("HAProxy does not begin");
    }

    /// Whether it serves; false if it ended by itself.
    pub(crate) fn begin(&mut self) -> bool {
        let mut command = Command::new(&self.program);
        command.args(["-W", "-f"]).arg(&self.config);
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        let mut running = Running::server(&command, &self.log);
        let began = until("HAProxy begins", Duration::from_secs(30), || {
            let begun = self.said("show info").is_some_and(|info| info.contains("Pid:"));
            begun
                .then_some(true)
                .or_else(|| running.is_over().then_some(false))
        });
        self.running = began.then_some(running);
        began
    }

    /// Ends it at once, as a crash or a stop would.
    pub(crate) fn stop(&mut self) {
        if let Some(mut running) = self.running.take() {
            // The master takes its workers with it.
            running.signal("TERM");
            until("HAProxy ends", Duration::from_secs(10), || {
                running.is_over().then_some(())
            });
        }
    }

    /// Reloads it; returns when the new worker answers.
    pub(crate) fn reload(&self) {
        let worker = |info: &str| {
            let pid = info.lines().find(|line| line.starts_with("Pid:"));
            pid.map(str::to_owned)
        };
        let before = self.said("show info").and_then(|info| worker(&info));
        signal(self.running.as_ref().expect("a running HAProxy").pid(), "USR2");
        until("HAProxy reloads", Duration::from_secs(20), || {
            let now = self.said("show info").and_then(|info| worker(&info));
            (now.is_some() && now != before).then_some(())
        });
    }

    /// The answer to a command on its socket, none if nobody answers.
    pub(crate) fn said(&self, command: &str) -> Option<String> {
        ask(&self.socket, command)
    }
}

impl Drop for Haproxy {
    fn drop(&mut self) {
        if let Some(mut running) = self.running.take() {
            running.signal("TERM");
            for _ in 0..200 {
                if running.is_over() {
                    return;
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    }
}

/// What the process behind `socket` answers.
pub(crate) fn ask(socket: &Path, command: &str) -> Option<String> {
    let mut stream = UnixStream::connect(socket).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    stream.write_all(format!("{command}\n").as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}
