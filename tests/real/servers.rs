//! What tests start goes when they go, however that is.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Duration,
};

use crate::support::{
    servers::{Server, Will, until},
    tool::Running,
};

const LIMIT: Duration = Duration::from_secs(30);
/// Names the folder of a test process that is going to be killed.
const VICTIM: &str = "ROLLGATE_TEST_VICTIM";

fn is_alive(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

/// A server with a child of its own; their pids.
fn start(folder: &Path) -> (Server, [String; 2]) {
    let mut command = Command::new("sh");
    command.args(["-c", "sleep 1000 & echo $!; wait"]);
    let log = folder.join("server.log");
    let server = Server::start(&command, &log);
    let child = until("its child has begun", LIMIT, || {
        fs::read_to_string(&log)
            .ok()?
            .strip_suffix('\n')
            .map(str::to_owned)
    });
    let pids = [server.pid().to_string(), child];
    assert!(pids.iter().all(|pid| is_alive(pid)));
    (server, pids)
}

#[test]
fn a_dropped_server_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let (server, pids) = start(folder.path());

    drop(server);

    until("all are gone", LIMIT, || {
        (!pids.iter().any(|pid| is_alive(pid))).then_some(())
    });
}

#[test]
fn killed_tests_leave_no_server_and_no_folder() {
    if let Some(folder) = env::var_os(VICTIM).map(PathBuf::from) {
        let _will = Will::new(Command::new("rm").arg("-r").arg(folder.join("scratch")));
        let (_server, pids) = start(&folder);
        fs::write(folder.join("pids.new"), pids.join(" ")).expect("the pids");
        fs::rename(folder.join("pids.new"), folder.join("pids")).expect("the pids");
        loop {
            thread::park();
        }
    }
    let folder = tempfile::tempdir().expect("a scratch folder");
    let scratch = folder.path().join("scratch");
    fs::create_dir(&scratch).expect("a folder");
    let mut tests = Command::new(env::current_exe().expect("these tests"));
    tests.args([
        "--exact",
        "real::servers::killed_tests_leave_no_server_and_no_folder",
    ]);
    tests.env(VICTIM, folder.path());
    let victim = Running::start(tests, &folder.path().join("victim"));
    let pids = until("the victim has a server", LIMIT, || {
        fs::read_to_string(folder.path().join("pids")).ok()
    });

    victim.signal("KILL");

    until("all are gone", LIMIT, || {
        (!pids.split(' ').any(is_alive)).then_some(())
    });
    until("the folder is gone", LIMIT, || (!scratch.exists()).then_some(()));
}
