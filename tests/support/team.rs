//! A team's repository, and its buttons: the workflow files run by act, with the tools of this build.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use rollgate::journal::read_events;
use rollgate_domain::rollout::event::Line;

use super::{
    require,
    servers::until,
    tool::{Running, path_of},
    world::World,
};

/// Where the code of rollgate is.
pub(crate) const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Longer than any run here may take on a busy machine.
const LONGEST: Duration = Duration::from_secs(90);

/// The world, and a repository with the plan and the workflows. Runs that are left end before the world does.
pub(crate) struct Team {
    pub(crate) buttons: Buttons,
    pub(crate) world: World,
}

/// What it takes to start runs; a fake GitHub has a copy of it.
#[derive(Clone)]
pub(crate) struct Buttons {
    /// Plan and workflows, committed.
    pub(crate) repository: PathBuf,
    /// rollgate's own repository, as act needs it.
    pub(crate) copy: PathBuf,
    pub(crate) artifacts: PathBuf,
    folder: PathBuf,
    path: String,
    flags: Arc<Mutex<Vec<String>>>,
    runs: Arc<Mutex<Vec<Run>>>,
    number: Arc<AtomicU32>,
}

/// One workflow run. Its number is the run's id.
struct Run {
    id: u32,
    act: Option<Running>,
    log: PathBuf,
}

/// A run that is over.
#[derive(Debug)]
pub(crate) struct Over {
    pub(crate) id: u32,
    pub(crate) succeeded: bool,
    /// All that act said.
    pub(crate) log: String,
}

impl Team {
    /// A team with `world`'s plan and `more` of it, which presses the buttons of rollgate's own files.
    /// None where act is missing.
    pub(crate) fn with(world: World, more: &str) -> Option<Self> {
        let act = require("act")?;
        let copy = world.path("copy");
        let made = Command::new(format!("{ROOT}/scripts/act-copy"))
            .arg(&copy)
            .output()
            .expect("act-copy");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let repository = world.path("team");
        fs::create_dir_all(repository.join(".github")).expect("a folder");
        copy_folder(
            &copy.join(".github/workflows"),
            &repository.join(".github/workflows"),
        );
        let mut path = act.parent().expect("a folder").display().to_string();
        path += ":/usr/bin:/bin";
        let buttons = Buttons {
            artifacts: world.path("artifacts"),
            folder: world.path("runs"),
            repository,
            copy,
            path,
            flags: Arc::default(),
            runs: Arc::default(),
            number: Arc::default(),
        };
        fs::create_dir(&buttons.folder).expect("a folder");
        buttons.git(&["init", "--quiet", "--initial-branch=main"]);
        let team = Self { buttons, world };
        team.commit_plan(&format!("{}{more}", team.world.plan.text()));
        Some(team)
    }

    /// Makes `text` the plan on main.
    pub(crate) fn commit_plan(&self, text: &str) -> String {
        fs::write(self.buttons.repository.join(".github/rollgate.yml"), text).expect("the plan");
        self.buttons.commit()
    }

    /// Waits until the candidate has at least `weight` percent.
    pub(crate) fn until_share(&self, weight: u8) {
        until("the share rises", Duration::from_secs(60), || {
            (self.world.share() >= Some(weight)).then_some(())
        });
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        for run in self.buttons.runs().iter_mut() {
            run.stop();
        }
    }
}

impl Buttons {
    fn runs(&self) -> MutexGuard<'_, Vec<Run>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on act gets these flags, too.
    pub(crate) fn give(&self, flags: &[&str]) {
        let mut all = self.flags.lock().unwrap_or_else(PoisonError::into_inner);
        all.extend(flags.iter().map(|&flag| flag.to_owned()));
    }

    /// Commits what is in the repository; the commit.
    pub(crate) fn commit(&self) -> String {
        self.git(&["add", "--all"]);
        let who = ["-c", "user.name=team", "-c", "user.email=team@localhost"];
        self.git(&[&who[..], &["commit", "--quiet", "--message=Change"]].concat());
        self.head()
    }

    /// The newest commit on main.
    pub(crate) fn head(&self) -> String {
        self.git(&["rev-parse", "HEAD"])
    }

    fn git(&self, arguments: &[&str]) -> String {
        let done = Command::new("git")
            .current_dir(&self.repository)
            .args(arguments)
            .output()
            .expect("git");
        assert!(
            done.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&done.stderr)
        );
        String::from_utf8_lossy(&done.stdout).trim().to_owned()
    }

    /// Dispatches rollgate's own workflow with the tools of this build; the run's id.
    pub(crate) fn press(&self, workflow: &str, inputs: &[(&str, &str)]) -> u32 {
        let bins = path_of("shift-traffic");
        let bins = bins.parent().expect("a folder").display().to_string();
        self.dispatch(workflow, &[inputs, &[("bin-dir", &bins)]].concat())
    }

    /// Dispatches a workflow with `inputs` and nothing else; the run's id.
    pub(crate) fn dispatch(&self, workflow: &str, inputs: &[(&str, &str)]) -> u32 {
        let inputs = inputs
            .iter()
            .map(|(name, value)| format!("--input={name}={value}"));
        self.begin(workflow, "workflow_dispatch", inputs.collect())
    }

    /// Another system reports something, by a `repository_dispatch` with this payload; the run's id.
    pub(crate) fn report(&self, workflow: &str, kind: &str, payload: &serde_json::Value) -> u32 {
        let path = self.folder.join(format!("{kind}.json"));
        let event = serde_json::json!({ "action": kind, "client_payload": payload });
        fs::write(&path, event.to_string()).expect("the event");
        let flag = format!("--eventpath={}", path.display());
        self.begin(workflow, "repository_dispatch", vec![flag])
    }

    fn begin(&self, workflow: &str, event: &str, flags: Vec<String>) -> u32 {
        let id = 100 + self.number.fetch_add(1, Ordering::SeqCst);
        let log = self.folder.join(id.to_string());
        let mut act = Command::new(format!("{ROOT}/scripts/act-run"));
        act.env_clear()
            .env("PATH", &self.path)
            .env("HOME", &self.folder)
            .env("RUN_ID", id.to_string())
            .env("EVENT", event)
            .env("ARTIFACTS", &self.artifacts)
            .env("ACT_CACHE", self.folder.join(format!("{id}.act")))
            .args([&self.copy, &self.repository])
            .arg(workflow)
            .args(self.flags.lock().unwrap_or_else(PoisonError::into_inner).iter())
            .args(flags);
        let act = Some(Running::start(act, &log));
        self.runs().push(Run { id, act, log });
        id
    }

    /// Whether the run goes on.
    pub(crate) fn is_running(&self, id: u32) -> bool {
        let mut runs = self.runs();
        let run = runs
            .iter_mut()
            .find(|run| run.id == id)
            .expect("a run of this id");
        run.act.as_mut().is_some_and(|act| !act.is_over())
    }

    /// Waits for the run's end.
    #[track_caller]
    pub(crate) fn wait(&self, id: u32) -> Over {
        let (act, log) = {
            let mut runs = self.runs();
            let run = runs
                .iter_mut()
                .find(|run| run.id == id)
                .expect("a run of this id");
            (run.act.take().expect("a run nobody waited for"), run.log.clone())
        };
        let mut run = Run {
            id,
            act: Some(act),
            log,
        };
        let deadline = std::time::Instant::now() + LONGEST;
        while run.act.as_mut().is_some_and(|act| !act.is_over()) {
            assert!(
                std::time::Instant::now() < deadline,
                "run {id} goes on:\n{}",
                run.said()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        let ended = run.act.take().expect("a run").end();
        Over {
            id,
            succeeded: ended.code == Some(0),
            log: ended.stdout + &ended.stderr,
        }
    }

    /// Dispatches and waits.
    #[track_caller]
    pub(crate) fn run(&self, workflow: &str, inputs: &[(&str, &str)]) -> Over {
        self.wait(self.press(workflow, inputs))
    }

    /// The machine dies: act kills its step without a word.
    pub(crate) fn kill(&self, id: u32) {
        let mut runs = self.runs();
        runs.iter_mut()
            .find(|run| run.id == id)
            .expect("a run of this id")
            .stop();
    }

    /// The ids of all runs so far.
    pub(crate) fn ids(&self) -> Vec<u32> {
        self.runs().iter().map(|run| run.id).collect()
    }

    /// The artifact of the run, whose name ends with `-PHASE-RUN-a1`.
    #[track_caller]
    pub(crate) fn artifact(&self, phase: &str, id: u32) -> Artifact {
        let end = format!("-{phase}-{id}-a1");
        let names: Vec<_> = fs::read_dir(&self.artifacts)
            .expect("artifacts")
            .map(|entry| {
                entry
                    .expect("an artifact")
                    .file_name()
                    .to_string_lossy()
                    .into_owned()
            })
            .collect();
        let name = names.iter().find(|name| name.ends_with(&end));
        let name = name
            .unwrap_or_else(|| panic!("no artifact …{end} in {names:?}"))
            .clone();
        Artifact {
            folder: self.artifacts.join(&name),
            name,
        }
    }
}

/// What a run has kept.
pub(crate) struct Artifact {
    pub(crate) name: String,
    pub(crate) folder: PathBuf,
}

impl Artifact {
    #[track_caller]
    pub(crate) fn events(&self) -> Vec<Line> {
        read_events(&self.folder).expect("events")
    }

    /// The words of its events.
    #[track_caller]
    pub(crate) fn story(&self) -> String {
        self.events()
            .iter()
            .map(rollgate_domain::notice::story::log_line)
            .collect::<Vec<_>>()
            .join("\n")
    }

    pub(crate) fn text(&self, file: &str) -> String {
        fs::read_to_string(self.folder.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
    }
}

impl Run {
    fn said(&self) -> String {
        fs::read_to_string(self.log.with_extension("out")).unwrap_or_default()
    }

    /// SIGINT makes act kill its step; killed itself it would leave the step behind.
    fn stop(&mut self) {
        let Some(act) = &mut self.act else { return };
        if act.is_over() {
            return;
        }
        act.signal("INT");
        let end = std::time::Instant::now() + Duration::from_secs(10);
        while !act.is_over() && std::time::Instant::now() < end {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Over {
    /// Itself, if it succeeded.
    #[track_caller]
    pub(crate) fn well(self) -> Self {
        assert!(self.succeeded, "run {} failed:\n{}", self.id, self.log);
        self
    }

    /// Itself, if the tool ended the job with this code.
    #[track_caller]
    pub(crate) fn with(self, code: u8) -> Self {
        assert!(!self.succeeded, "run {} succeeded:\n{}", self.id, self.log);
        self.saying(&format!("exit status {code}\n"))
    }

    /// Itself, if a person sees `part` in the job's log.
    #[track_caller]
    pub(crate) fn saying(self, part: &str) -> Self {
        assert!(
            self.log.contains(part),
            "expected {part:?} in run {}:\n{}",
            self.id,
            self.log
        );
        self
    }

    /// The last value that a step gave to the output.
    pub(crate) fn output(&self, name: &str) -> Option<String> {
        let mark = format!("::set-output:: {name}=");
        let values = self.log.lines().filter_map(|line| line.split_once(&mark));
        values
            .map(|(_, value)| value.to_owned())
            .rfind(|value| !value.is_empty())
    }
}

pub(crate) fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        fs::copy(entry.path(), to.join(entry.file_name())).expect("a copy");
    }
}
