//! action.yml, and the script that finds the tool for it.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{
    http::{Http, Reply},
    require,
    team::ROOT,
    tool::{Ended, binary, path_of, run},
    world::World,
};

fn action() -> Value {
    let text = fs::read_to_string(format!("{ROOT}/action.yml")).expect("action.yml");
    serde_saphyr::from_str(&text).expect("YAML")
}

#[test]
fn inputs_reach_the_scripts_through_the_environment_only() {
    let action = action();
    let mut used = BTreeSet::new();
    for step in action["runs"]["steps"].as_array().expect("steps") {
        let script = step["run"].as_str().expect("a script");
        assert!(!script.contains("${{"), "{script}");
        for value in step["env"].as_object().expect("an environment").values() {
            let name = value.as_str().expect("text").strip_prefix("${{ inputs.");
            used.extend(name.and_then(|name| name.strip_suffix(" }}")).map(str::to_owned));
        }
    }
    let inputs = action["inputs"].as_object().expect("inputs");
    assert_eq!(used, inputs.keys().cloned().collect());
}

#[test]
fn the_tool_becomes_the_process_that_the_runner_signals() {
    let action = action();
    let last = action["runs"]["steps"]
        .as_array()
        .and_then(|steps| steps.last().cloned())
        .expect("a step");
    let script = last["run"].as_str().expect("a script");
    assert_eq!(
        script.trim_end().lines().last(),
        Some("exec \"$BIN\" \"${args[@]}\"")
    );
}

#[test]
fn its_outputs_are_those_that_the_tools_write() {
    let action = action();
    let outputs = action["outputs"].as_object().expect("outputs");
    for (name, output) in outputs {
        assert_eq!(output["value"], format!("${{{{ steps.run.outputs.{name} }}}}"));
    }
    let Some(world) = World::simulated() else { return };
    let file = world.path("outputs");
    let mut command = world.command(["rollback"]);
    command.env("GITHUB_OUTPUT", &file);
    run(command).with(0);
    let mut command = binary("verify-health");
    command
        .env("ROLLGATE_PLAN", world.path("plan.yml"))
        .env("GITHUB_OUTPUT", &file)
        .args(["decide", "--signal", "critical:orders fail"]);
    run(command);
    let written = fs::read_to_string(&file).expect("outputs");
    let names: BTreeSet<_> = written
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(names, outputs.keys().map(String::as_str).collect());
}

/// fetch-binary with a table of its own, and a place for releases that answers `reply`.
struct Fetch {
    folder: TempDir,
    releases: Http,
}

const TOOL: &[u8] = b"#!/bin/sh\necho a tool\n";
/// sha256 of [`TOOL`].
const SUM: &str = "3194b6aecb61510348ec5843487f2db16334fe33ad3b1b2f25ca405041b693c8";

impl Fetch {
    fn new(answer: impl Fn() -> Reply + Send + Sync + 'static) -> Option<Self> {
        require("curl")?;
        let folder = tempfile::tempdir().expect("a scratch folder");
        fs::create_dir(folder.path().join("scripts")).expect("a folder");
        let script = folder.path().join("scripts/fetch-binary");
        fs::copy(format!("{ROOT}/scripts/fetch-binary"), script).expect("the script");
        let arch = std::env::consts::ARCH;
        let table = format!(
            "# newest first\n{SUM}  rollgate-1.2.0-{arch}-unknown-linux-musl-notify\n\
             {SUM}  rollgate-1.1.0-{arch}-unknown-linux-musl-notify\n"
        );
        fs::write(folder.path().join("releases.sha256"), table).expect("the table");
        Some(Self {
            folder,
            releases: Http::start(move |_| answer()),
        })
    }

    fn get(&self, tool: &str, version: &str, bin_dir: &str) -> Ended {
        // By bash: another test's child may still hold the fresh file open for writing, and Linux runs no such file.
        let mut command = Command::new("/bin/bash");
        command
            .arg(self.folder.path().join("scripts/fetch-binary"))
            .args([tool, version, bin_dir])
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("RUNNER_TOOL_CACHE", self.cache())
            .env("ROLLGATE_RELEASES_URL", &self.releases.url);
        run(command)
    }

    fn cache(&self) -> PathBuf {
        self.folder.path().join("cache")
    }

    /// No file in the cache may be run.
    fn assert_nothing_executable(&self) {
        let mut folders = vec![self.cache()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                if entry.path().is_dir() {
                    folders.push(entry.path());
                } else {
                    let mode = entry.metadata().expect("a file").permissions().mode();
                    assert_eq!(mode & 0o111, 0, "{}", entry.path().display());
                }
            }
        }
    }
}

#[test]
fn a_release_is_downloaded_once_checked_and_run() {
    let Some(fetch) = Fetch::new(|| Reply::ok(TOOL)) else {
        return;
    };
    let newest = fetch.get("notify", "", "").with(0);
    let path = newest.stdout.trim().to_owned();
    assert_eq!(run(Command::new(&path)).with(0).stdout, "a tool\n");
    let asked = format!(
        "/v1.2.0/rollgate-1.2.0-{}-unknown-linux-musl-notify",
        std::env::consts::ARCH
    );
    assert_eq!(fetch.releases.seen()[0].path, asked);

    // With or without the v that tags have.
    assert_eq!(fetch.get("notify", "v1.1.0", "").with(0).stdout.trim(), path);
    assert_eq!(
        fetch.releases.seen().len(),
        1,
        "named by its content, it is there already"
    );

    // Whoever else writes into the cache: a wrong file is seen and replaced.
    fs::write(&path, "#!/bin/sh\necho evil\n").expect("a wrong file");
    fetch.get("notify", "", "").with(0);
    assert_eq!(run(Command::new(&path)).with(0).stdout, "a tool\n");
}

#[test]
fn a_file_that_is_not_the_released_one_is_never_run() {
    let Some(fetch) = Fetch::new(|| Reply::ok("#!/bin/sh\necho evil\n")) else {
        return;
    };
    fetch
        .get("notify", "", "")
        .with(1)
        .saying("::error::")
        .saying("not used");
    fetch.assert_nothing_executable();
}

#[test]
fn a_download_that_was_cut_is_fetched_again() {
    let calls = AtomicU32::new(0);
    let fetch = Fetch::new(move || {
        if calls.fetch_add(1, Ordering::SeqCst) == 0 {
            Reply::Cut {
                body: TOOL.to_vec(),
                at: 7,
            }
        } else {
            Reply::ok(TOOL)
        }
    });
    let Some(fetch) = fetch else { return };
    let path = fetch.get("notify", "", "").with(0).stdout;
    assert_eq!(run(Command::new(path.trim())).with(0).stdout, "a tool\n");
    assert_eq!(fetch.releases.seen().len(), 2);
}

#[test]
fn what_the_table_does_not_list_is_not_downloaded() {
    let Some(fetch) = Fetch::new(|| Reply::ok(TOOL)) else {
        return;
    };
    fetch
        .get("notify", "1.3.0", "")
        .with(1)
        .saying("unknown release: releases.sha256 does not list rollgate-1.3.0-");
    fetch
        .get("shift-traffic", "1.2.0", "")
        .with(1)
        .saying("unknown release");
    fetch
        .get("notify", "1.2.0-.*", "")
        .with(1)
        .saying("unknown release");
    fetch
        .get("../notify", "1.2.0", "")
        .with(1)
        .saying("no rollgate tool is called '../notify'");
    assert!(fetch.releases.seen().is_empty());
}

#[test]
fn a_folder_of_tools_needs_no_internet() {
    let Some(fetch) = Fetch::new(|| Reply::Close) else {
        return;
    };
    let folder = path_of("notify");
    let folder = folder.parent().expect("a folder").display().to_string();
    assert_eq!(
        fetch.get("notify", "", &folder).with(0).stdout.trim(),
        path_of("notify").display().to_string()
    );
    let empty = fetch.folder.path().display().to_string();
    fetch
        .get("notify", "", &empty)
        .with(1)
        .saying("has no executable notify");
    assert!(fetch.releases.seen().is_empty());
}
