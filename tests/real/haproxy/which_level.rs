//! `verify-health decide`: which rollback is called for.

use std::{fs, path::PathBuf, process::Command};

use serde_json::{Value, json};

use crate::{
    cli::METERED,
    support::{
        tool::{binary, run},
        world::World,
    },
};

fn health(world: &World, arguments: &[&str]) -> Command {
    // Writes the plan.
    let _ = world.command([]);
    let mut command = binary("verify-health");
    command
        .env("ROLLGATE_PLAN", world.path("plan.yml"))
        .args(arguments);
    command
}

fn decide(world: &World, arguments: &[&str]) -> Command {
    health(world, &[&["decide"], arguments].concat())
}

/// A file with a verdict of this outcome.
fn verdict(folder: PathBuf, outcome: &str) -> String {
    let verdict = json!({
        "outcome": outcome,
        "sentence": format!("{outcome}, said the judge"),
        "at": "2026-11-23T14:02:00Z",
        "step_since": "2026-11-23T14:00:00Z",
        "used": 8,
        "skipped": 0,
        "tests": [],
    });
    let path = folder.join(format!("{outcome}.json"));
    fs::write(&path, verdict.to_string()).expect("a verdict");
    path.display().to_string()
}

#[test]
fn a_signal_that_waits_holds_and_a_worse_one_names_its_level_and_its_command() {
    let Some(world) = World::simulated() else { return };
    let healthy = verdict(world.path(""), "healthy");
    world.shift(["start"]).with(0);
    let healthy = ["--verdict", healthy.as_str()];
    let ended = run(decide(&world, &healthy)).with(0);
    assert_eq!(ended.stdout, "shop-api: no rollback\n- healthy, said the judge\n");

    world
        .shift(["signal", "watch", "--reason", "two odd mails"])
        .with(0);
    let ended = run(decide(&world, &healthy)).with(4);
    assert!(
        ended
            .stdout
            .starts_with("shop-api: hold, no rollback and no rise\n- signal (watch) from ")
    );

    for (signal, level, severity, button) in [
        ("degradation:it's slow", 2, "degradation", "planned-rollback.yml"),
        ("critical:it's slow", 1, "critical", "rollback.yml"),
        ("corruption:it's slow", 3, "corruption", ""),
    ] {
        let outputs = world.path(&format!("outputs{level}"));
        let arguments = [
            &healthy[..],
            &["--signal", "watch:mails", "--signal", signal, "--output", "json"],
        ]
        .concat();
        let mut command = decide(&world, &arguments);
        command.env("GITHUB_OUTPUT", &outputs);
        let ended = run(command).with(3);
        let said: Value = serde_json::from_str(&ended.stdout).expect("JSON");
        assert_eq!(
            (&said["level"], &said["severity"]),
            (&json!(level), &json!(severity))
        );
        assert_eq!(said["reasons"][0], format!("signal ({severity}): it's slow"));
        assert_eq!(said["reasons"].as_array().map(Vec::len), Some(4), "{said}");
        let commands = said["commands"].to_string();
        assert!(
            commands.contains("shift-traffic ") && commands.contains(r"it'\\''s slow"),
            "{commands}"
        );
        assert!(commands.contains(&format!("gh workflow run {button} -f reason=")) || button.is_empty());
        let written = fs::read_to_string(outputs).expect("outputs");
        assert_eq!(
            written,
            format!("outcome=refused\nlevel={level}\nseverity={severity}\n")
        );
    }
    // Nothing was started.
    assert_eq!(world.share(), Some(0));
    assert_eq!(world.record().signals.len(), 1);
}

#[test]
fn a_bad_candidate_calls_for_an_emergency_until_it_is_taken_back() {
    let Some(world) = World::simulated() else { return };
    world.abandoned_at(2);
    world.meter().candidate_fails(0.3);

    // A page has no past: one look finds nothing yet, and holds up nothing.
    run(decide(&world, &[])).with(0);

    let watched = run(health(&world, &["watch", "--for", "20s", "--output", "json"])).with(3);
    let last = watched.stdout.lines().last().expect("a verdict");
    let rollback = world.path("verdict.json");
    fs::write(&rollback, last).expect("a verdict");
    let rollback = rollback.display().to_string();
    let from_stdin = format!("verify-health decide --verdict - <'{rollback}'");
    let shell = |line: &str| {
        let tool = health(&world, &[]);
        let bin = PathBuf::from(tool.get_program());
        let mut shell = Command::new("/bin/sh");
        shell
            .args(["-c", line])
            .env_clear()
            .env("PATH", bin.parent().expect("a folder"))
            .env("ROLLGATE_OUT", world.out())
            .env("ROLLGATE_PLAN", world.path("plan.yml"));
        run(shell)
    };
    let ended = shell(&from_stdin).with(3);
    assert!(
        ended
            .stdout
            .starts_with("shop-api: level 1, emergency (critical)\n- ROLLBACK"),
        "{}",
        ended.stdout
    );
    let mut lines = ended.stdout.lines();
    let line = lines
        .find_map(|line| line.strip_prefix("run: "))
        .expect("a command");
    // As a person would paste it.
    shell(line).with(0);
    world.assert_all_on_stable();

    let ended = run(decide(&world, &["--verdict", &rollback])).with(0);
    assert!(
        ended
            .stdout
            .contains("taken back already: nothing is left for level 1"),
        "{}",
        ended.stdout
    );
}

#[test]
fn without_a_router_a_verdict_or_a_report_still_decides() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let plan = folder.path().join("plan.yml");
    fs::write(
        &plan,
        format!("{METERED}  prometheus: {{ url: \"http://127.0.0.1:1\" }}\n"),
    )
    .expect("a plan");
    let decide = |arguments: &[&str]| {
        let mut command = binary("verify-health");
        command.env("ROLLGATE_PLAN", &plan).arg("decide").args(arguments);
        run(command)
    };
    decide(&[]).with(1).saying("/nowhere/");
    let ended = decide(&["--signal", "critical:orders fail"]).with(3);
    assert!(ended.stdout.contains("\n- no verdict: "), "{}", ended.stdout);
    let rollback = verdict(folder.path().to_owned(), "rollback");
    let ended = decide(&["--verdict", &rollback]).with(3);
    assert!(
        ended.stdout.contains("- rollback, said the judge\n"),
        "{}",
        ended.stdout
    );
    ended.saying("warning: without the record's signals: ");
    let hold = verdict(folder.path().to_owned(), "hold");
    decide(&["--verdict", &hold]).with(4);

    decide(&["--verdict", &plan.display().to_string()])
        .with(2)
        .saying("write one with `verify-health check --output json`");
    decide(&["--signal", "bad:orders fail"])
        .with(2)
        .saying("`bad` is no severity");
}
