//! The tools as a workflow calls them: with nothing inherited that could change their mind.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use super::servers::{until, watched};

/// Longer than any command here may take on a busy machine.
const LONGEST: Duration = Duration::from_secs(60);

/// `name` without GITHUB_*, KUBECONFIG, HOME and PATH.
pub(crate) fn binary(name: &str) -> Command {
    let mut command = Command::new(path_of(name));
    command.env_clear().env("PATH", "").stdin(Stdio::null());
    command
}

/// Where cargo has put the tool.
pub(crate) fn path_of(name: &str) -> PathBuf {
    let path = match name {
        "shift-traffic" => env!("CARGO_BIN_EXE_shift-traffic"),
        "verify-health" => env!("CARGO_BIN_EXE_verify-health"),
        "notify" => env!("CARGO_BIN_EXE_notify"),
        "migrate-guard" => env!("CARGO_BIN_EXE_migrate-guard"),
        "backup-db" => env!("CARGO_BIN_EXE_backup-db"),
        "rebuild-env" => env!("CARGO_BIN_EXE_rebuild-env"),
        other => panic!("{other} is none of our tools"),
    };
    path.into()
}

/// How a command ended.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ended {
    /// None if a signal killed it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) took: Duration,
}

impl Ended {
    /// Itself, if it ended with `code`.
    #[track_caller]
    pub(crate) fn with(self, code: i32) -> Self {
        assert_eq!(
            self.code,
            Some(code),
            "stdout:\n{}\nstderr:\n{}",
            self.stdout,
            self.stderr
        );
        self
    }

    /// Itself, if it said `part` to a person.
    #[track_caller]
    pub(crate) fn saying(self, part: &str) -> Self {
        assert!(
            self.stderr.contains(part),
            "expected {part:?} in stderr:\n{}",
            self.stderr
        );
        self
    }
}

/// Runs `command` to its end.
#[track_caller]
pub(crate) fn run(command: Command) -> Ended {
    let folder = tempfile::tempdir().expect("a scratch folder");
    Running::start(command, &folder.path().join("command")).wait(LONGEST)
}

/// A command in the background; it dies with its owner, also when a test panics.
pub(crate) struct Running {
    child: Child,
    log: PathBuf,
    began: Instant,
}

impl Running {
    /// Starts `command` with its output in `log.out` and `log.err`.
    pub(crate) fn start(mut command: Command, log: &Path) -> Self {
        command.stdin(Stdio::null());
        Self::spawn(command, log)
    }

    /// The same for a command that never ends by itself: it dies with us, also when we are killed.
    pub(crate) fn server(command: &Command, log: &Path) -> Self {
        Self::spawn(watched(command), log)
    }

    fn spawn(mut command: Command, log: &Path) -> Self {
        let file = |end| File::create(log.with_extension(end)).expect("a file for the output");
        let child = command.stdout(file("out")).stderr(file("err"));
        let child = child
            .spawn()
            .unwrap_or_else(|error| panic!("start {command:?}: {error}"));
        Self {
            child,
            log: log.to_owned(),
            began: Instant::now(),
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has said so far.
    pub(crate) fn stderr(&self) -> String {
        fs::read_to_string(self.log.with_extension("err")).unwrap_or_default()
    }

    /// The data it has printed so far.
    pub(crate) fn stdout(&self) -> String {
        fs::read_to_string(self.log.with_extension("out")).unwrap_or_default()
    }

    /// Waits until it has said `part`.
    #[track_caller]
    pub(crate) fn until_it_says(&self, part: &str) {
        let end = Instant::now() + LONGEST;
        loop {
            // Asked first: what it says as its last word is still found.
            let over = self.is_zombie();
            if self.stderr().contains(part) {
                return;
            }
            let how = if over { "ended and " } else { "" };
            assert!(
                !over && Instant::now() < end,
                "{how}never said {part:?}, but:\n{}",
                self.stderr()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Whether it has ended and nobody has asked for its exit code.
    fn is_zombie(&self) -> bool {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap_or_default();
        stat.contains(") Z ") || stat.is_empty()
    }

    /// Sends a signal by its short name, to this process alone.
    pub(crate) fn signal(&self, name: &str) {
        signal(self.pid(), name);
    }

    pub(crate) fn is_over(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn wait(mut self, limit: Duration) -> Ended {
        let end = Instant::now() + limit;
        let status: ExitStatus = loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                break status;
            }
            assert!(
                Instant::now() < end,
                "still there after {limit:?}:\n{}",
                self.stderr()
            );
            std::thread::sleep(Duration::from_millis(5));
        };
        Ended {
            code: status.code(),
            stdout: fs::read_to_string(self.log.with_extension("out")).unwrap_or_default(),
            stderr: self.stderr(),
            took: self.began.elapsed(),
        }
    }

    /// Waits for its end, as long as any command may take.
    #[track_caller]
    pub(crate) fn end(self) -> Ended {
        self.wait(LONGEST)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal by its short name.
pub(crate) fn signal(pid: u32, name: &str) {
    let sent = Command::new("/bin/sh")
        .args(["-c", "kill -\"$0\" \"$1\"", name, &pid.to_string()])
        .status();
    assert!(sent.is_ok_and(|status| status.success()), "send {name} to {pid}");
}

/// The program of an example, built if it is not.
pub(crate) fn example(name: &str) -> PathBuf {
    static BUILT: std::sync::Once = std::sync::Once::new();
    let folder = path_of("shift-traffic").with_file_name("examples");
    // `cargo test` makes the examples, `cargo test --test integration` does not.
    BUILT.call_once(|| {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo
            .args(["build", "--quiet", "--offline", "--examples"])
            .current_dir(env!("CARGO_MANIFEST_DIR"));
        // The benches stand on them too.
        if !cfg!(debug_assertions) {
            cargo.arg("--release");
        }
        // What cargo tells a test about its package would look like a change to build scripts.
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("CARGO_PKG_")
                || text.starts_with("CARGO_MANIFEST_")
                || text.starts_with("CARGO_BIN_")
            {
                cargo.env_remove(&name);
            }
        }
        let built = cargo.status();
        assert!(
            built.is_ok_and(|status| status.success()),
            "cargo build --examples"
        );
    });
    let path = folder.join(name);
    until("the example is there", Duration::from_secs(1), || {
        path.is_file().then_some(())
    });
    path
}
