//! A driver whose time is over and the one that comes after it; and one that dies.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use rollgate_domain::rollout::{
    event::Event,
    record::{Record, State},
};

use super::CANARY;
use crate::support::{
    github::{Github, TOKEN, refusal},
    http::{Http, Reply},
    servers::until,
    team::{Buttons, Team},
    tool::run,
    world::{World, haproxy, record_of, share_of, value_in},
};

/// A driver writes one every 15 s, or at the look after.
const HEARTBEAT: SignedDuration = SignedDuration::from_secs(17);

fn team(steps: Vec<(u8, &'static str)>) -> Option<Team> {
    let mut world = World::simulated()?;
    world.plan.steps = steps;
    let team = Team::with(world, "")?;
    team.commit_plan(&plan(&team.world));
    team.buttons.give(&["--secret", &format!("GITHUB_TOKEN={TOKEN}")]);
    Some(team)
}

fn plan(world: &World) -> String {
    world
        .plan
        .text()
        .replace("driver: {", "driver: { budget: 10m, successor-within: 30s,")
}

/// A GitHub that starts a run after `delay` for every dispatch.
pub(super) fn github(buttons: &Buttons, delay: Duration) -> Github {
    let pressed = buttons.clone();
    let github = Github::start(move |dispatch| {
        // The answer is there before the run is, as on GitHub.
        let (pressed, workflow, inputs) = (
            pressed.clone(),
            dispatch.workflow.clone(),
            dispatch.inputs.clone(),
        );
        thread::spawn(move || {
            thread::sleep(delay);
            let inputs: Vec<_> = inputs
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect();
            pressed.dispatch(&workflow, &inputs);
        });
        7
    });
    buttons.give(&["--env", &format!("GITHUB_API_URL={}", github.url)]);
    github
}

/// Looks at the router all the time.
struct Guard {
    ends: Arc<AtomicBool>,
    thread: thread::JoinHandle<Vec<(Record, bool)>>,
}

impl Guard {
    fn watches(team: &Team) -> Self {
        let ends = Arc::new(AtomicBool::new(false));
        let (over, buttons) = (Arc::clone(&ends), team.buttons.clone());
        let socket = team.world.haproxy[0].socket.clone();
        let command = format!("get map {} web", team.world.map().display());
        let read = move || {
            let value = haproxy::ask(&socket, &command).and_then(|said| value_in(&said))?;
            (share_of(&value)? > 0).then(|| record_of(&value))
        };
        let thread = thread::spawn(move || {
            let mut seen = Vec::new();
            while !over.load(Ordering::SeqCst) {
                if let Some(record) = read() {
                    let id = record
                        .driver
                        .run
                        .split(['/', ' '])
                        .find_map(|word| word.parse().ok());
                    let lives = id.is_some_and(|id| buttons.is_running(id));
                    // A driver that has just handed over may be gone by now.
                    let still = read().is_some_and(|now| now.generation == record.generation);
                    let silent = Timestamp::now().duration_since(record.driver.heartbeat);
                    seen.push((record, (lives && silent < HEARTBEAT) || !still));
                }
                thread::sleep(Duration::from_millis(20));
            }
            seen
        });
        Self { ends, thread }
    }

    /// At no moment had the candidate a share and no living driver with a fresh heartbeat, and no step was lost.
    /// Gives the generations.
    fn was_content(self) -> Vec<u64> {
        self.ends.store(true, Ordering::SeqCst);
        let seen = self.thread.join().expect("the guard");
        let mut last = 0;
        for (record, driven) in &seen {
            assert!(
                driven,
                "{} % without a driver: {:?}",
                record.weight, record.driver
            );
            let State::Holding { step, .. } = record.state else {
                panic!("{record:?}")
            };
            assert!(step >= last, "step {step} after {last}");
            last = step;
        }
        let mut generations: Vec<_> = seen.iter().map(|(record, _)| record.generation).collect();
        generations.dedup();
        generations
    }
}

#[test]
fn a_chain_of_runs_ends_the_phase_as_one() {
    let Some(team) = team(vec![(1, "1s"), (5, "4s"), (10, "12s")]) else {
        return;
    };
    let github = github(&team.buttons, Duration::from_millis(500));
    let guard = Guard::watches(&team);
    let began_with = team.buttons.head();

    let first = team.buttons.press(
        CANARY,
        &[
            ("candidate", "green"),
            ("budget", "2s"),
            ("candidate-version", "v2"),
        ],
    );
    until("a successor is called", Duration::from_secs(60), || {
        (!github.taken().is_empty()).then_some(())
    });
    // Main moves on, to a plan that would end the phase at once.
    team.commit_plan(&plan(&team.world).replace("weight: 10%", "weight: 11%"));
    until("the phase ends", Duration::from_secs(60), || {
        (team.world.record().state == State::Passed).then_some(())
    });

    let drivers = guard.was_content().len();
    assert!(drivers >= 3, "{drivers} runs drove");
    // The last may have been called just before the end.
    let ids = team.buttons.ids();
    assert!(ids.len() - drivers <= 1, "{drivers} of {ids:?} drove");

    let runs: Vec<_> = ids.iter().map(|&id| team.buttons.wait(id).well()).collect();
    for dispatch in github.taken() {
        assert_eq!(dispatch.workflow, CANARY);
        assert!(dispatch.return_run_details);
        let given = |name: &str| dispatch.inputs.get(name).map(String::as_str);
        assert_eq!(given("candidate"), Some("green"));
        assert_eq!(given("candidate-version"), Some("v2"));
        assert_eq!(given("budget"), Some("2s"));
        assert_eq!(given("phase"), Some("canary"));
        assert_eq!(given("continue"), Some(team.world.record().rollout.as_str()));
        assert_eq!(
            given("commit"),
            Some(began_with.as_str()),
            "the plan that the rollout began with"
        );
        assert_eq!(
            dispatch.inputs.len(),
            7,
            "what the first was given, and three more: {dispatch:?}"
        );
    }
    let (handed_over, ended) = runs.split_at(drivers - 1);
    for run in ended {
        assert_eq!(run.output("continue").as_deref(), Some("false"));
    }
    for run in handed_over {
        assert_eq!(run.output("continue").as_deref(), Some("true"));
        let kept = team.buttons.artifact("canary", run.id);
        let events = kept.events();
        let position = |wanted: fn(&Event) -> bool| events.iter().position(|line| wanted(&line.event));
        let called = position(|event| matches!(event, Event::SuccessorCalled { run: Some(_) }));
        let handed = position(|event| matches!(event, Event::HandedOver { .. }));
        assert!(called.is_some() && called < handed, "{}", kept.story());
        // It looks at its candidate until the other one does.
        let called_at = events[called.unwrap_or(0)].at.to_string();
        let looks = kept.text("samples.jsonl");
        let end = |line: &str| {
            serde_json::from_str::<serde_json::Value>(line).expect("a look")["look"]["end"].to_string()
        };
        let later = looks
            .lines()
            .filter(|line| end(line).trim_matches('"') > called_at.as_str())
            .count();
        assert!(later >= 2, "{later} looks after {called_at}");
        assert!(!kept.story().contains("the plan was changed"), "{}", kept.story());
    }
    assert_eq!(first, ids[0]);
    let newest = team.world.record();
    assert!(
        newest
            .ladder
            .steps()
            .iter()
            .any(|step| step.weight.percent() == 10),
        "{newest:?}"
    );
    team.world.assert_all_on_stable();
}

#[test]
fn without_a_successor_the_job_leaves_nobody_on_the_candidate_and_says_what_to_fix() {
    let Some(team) = team(vec![(1, "1h")]) else { return };
    let github = Http::always(refusal(403, "Resource not accessible by integration"));
    team.buttons
        .give(&["--env", &format!("GITHUB_API_URL={}", github.url)]);
    team.commit_plan(&plan(&team.world).replace("30s", "2s"));

    let run = team.buttons.run(CANARY, &[("budget", "2s")]).with(4);

    let run = run.saying("the job needs `permissions: actions: write`");
    assert_eq!(run.output("outcome").as_deref(), Some("hold"));
    assert_eq!(run.output("continue").as_deref(), Some("false"));
    team.world.assert_all_on_stable();
    assert!(matches!(team.world.record().state, State::Paused { step: 0, .. }));
    // Resumable: the next run goes on at the same step.
    let rollout = team.world.record().rollout;
    team.buttons.press(CANARY, &[("continue", &rollout)]);
    team.until_share(1);
    assert_eq!(team.world.record().rollout, rollout);
}

#[test]
fn every_refusal_of_github_pauses_with_advice() {
    let cases = [
        (refusal(401, "Bad credentials"), "Bad credentials"),
        (refusal(404, "Not Found"), "has it a `workflow_dispatch` trigger?"),
        (
            refusal(422, "Unexpected inputs provided"),
            "does the workflow take the inputs `continue`, `commit` and `phase`?",
        ),
        (refusal(500, "Server Error"), "GitHub answered 500"),
        (Reply::ok("<!DOCTYPE html>"), "no successor came"),
        (
            Reply::Close,
            "dispatch /repos/acme/shop/actions/workflows/canary.yml/dispatches",
        ),
        (Reply::Hang, "no answer within 10 s"),
    ];
    thread::scope(|scope| {
        for (reply, advice) in cases {
            scope.spawn(|| github_refuses(reply, advice));
        }
    });
}

/// A driver without act around it, whose GitHub answers `reply` to everything.
fn github_refuses(reply: Reply, advice: &str) {
    let Some(mut world) = World::simulated() else {
        return;
    };
    world.plan.steps = vec![(1, "1h")];
    let github = Http::always(reply);
    let planned = |arguments: &[&'static str]| {
        let mut command = world.command(arguments.iter().copied());
        let text = plan(&world).replace("30s", "3s");
        std::fs::write(world.path("impatient.yml"), text).expect("the plan");
        command.env("ROLLGATE_PLAN", world.path("impatient.yml"));
        command
    };
    run(planned(&["start"])).with(0);
    let mut command = planned(&["run", "--dispatch", "--budget=1s"]);
    for (name, value) in [
        ("GITHUB_ACTIONS", "true"),
        ("GITHUB_RUN_ID", "1"),
        ("GITHUB_REPOSITORY", "acme/shop"),
        ("GITHUB_TOKEN", TOKEN),
        (
            "GITHUB_WORKFLOW_REF",
            "acme/shop/.github/workflows/canary.yml@refs/heads/main",
        ),
        ("GITHUB_API_URL", &github.url),
    ] {
        command.env(name, value);
    }
    run(command).with(4).saying(advice);
    world.assert_all_on_stable();
    assert!(matches!(world.record().state, State::Paused { step: 0, .. }));
}

#[test]
fn a_driver_that_was_killed_is_followed_by_the_next_dispatch() {
    let Some(team) = team(vec![(1, "500ms"), (5, "2s")]) else {
        return;
    };
    let killed = team.buttons.press(CANARY, &[("candidate", "green")]);
    team.until_share(5);
    team.buttons.kill(killed);
    let left = team.world.record();
    assert_eq!(left.state, team.world.record().state);

    let run = team.buttons.run(CANARY, &[("continue", &left.rollout)]).well();

    assert_eq!(team.world.record().state, State::Passed);
    assert_eq!(team.world.record().generation, left.generation + 1);
    let kept = team.buttons.artifact("canary", run.id);
    let raises = kept
        .events()
        .iter()
        .any(|line| matches!(line.event, Event::Raised { .. }));
    assert!(
        !raises,
        "it goes on at the step where the other died: {}",
        kept.story()
    );
}
