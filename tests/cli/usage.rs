//! Mistakes of a user: exit code 2, with the place and the way out, and nothing is touched.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use rollgate_domain::exit::Outcome;
use tempfile::TempDir;

use super::METERED;
use crate::support::{answer, binary};

#[test]
fn exit_codes_are_what_is_promised() {
    // 1 is an error, 2 a mistake in flags or plan: both are decided in `commands::finish`.
    let codes = Outcome::ALL.map(|(outcome, _)| (outcome.word(), outcome.code()));
    assert_eq!(
        codes,
        [
            ("done", 0),
            ("refused", 3),
            ("hold", 4),
            ("stuck", 5),
            ("fenced", 6)
        ]
    );
}

#[test]
fn a_bad_flag_is_named_with_what_was_expected() {
    let span = "expected a span of time such as 5h30m, 10m or 90s";
    for (arguments, expected) in [
        (
            &["set", "101"][..],
            "invalid value '101' for '<WEIGHT>': weight must be 0 to 100 percent, got 101",
        ),
        (
            &["set", "2.5%"],
            "invalid value '2.5%' for '<WEIGHT>': weight must be whole percents such as 5%, got 2.5%",
        ),
        (&["set", "-1"], "unexpected argument '-1' found"),
        (&["set", ""], "invalid value '' for '<WEIGHT>'"),
        (
            &["set"],
            "the following required arguments were not provided:\n  <WEIGHT>",
        ),
        (&["run", "--budget", "6"], span),
        (&["run", "--budget=-5m"], "must be longer than 0 s"),
        (&["run", "--budget", "0s"], "must be longer than 0 s"),
        (&["rollback", "--patience", ""], span),
        (&["run", "--budget", ""], span),
        (&["status", "--output", "xml"], "[possible values: text, json]"),
        (&["init", "envoy"], "[possible values: haproxy, nginx]"),
        (&["shift"], "unrecognized subcommand 'shift'"),
        (&["rolback"], "tip: a similar subcommand exists: 'rollback'"),
        (
            &["start", "--weight", "5"],
            "unexpected argument '--weight' found",
        ),
    ] {
        let (code, out, err) = answer(binary("shift-traffic").args(arguments));
        assert_eq!((code, out.as_str()), (2, ""), "{arguments:?}: {err}");
        assert!(err.contains(expected), "{arguments:?}: {err}");
        assert!(err.starts_with("error: "), "{err}");
    }
}

#[test]
fn a_time_or_a_version_alone_is_not_enough_to_judge_by() {
    for (arguments, expected) in [
        (
            &["check", "--since", "2026-11-23T10:00:00Z"][..],
            "--candidate-version <VERSION>",
        ),
        (&["check", "--candidate-version", "v2"], "--since <TIME>"),
        (
            &["check", "--now", "yesterday"],
            "invalid value 'yesterday' for '--now <TIME>'",
        ),
        (&["watch"], "--for <SPAN>"),
        (&["watch", "--for", "10"], "expected a span of time such as 5h30m"),
    ] {
        let (code, _, err) = answer(binary("verify-health").args(arguments));
        assert_eq!(code, 2, "{err}");
        assert!(err.contains(expected), "{arguments:?}: {err}");
    }
}

#[test]
fn two_ways_to_sign_in_or_half_of_one_are_refused() {
    let folder = TempDir::new().unwrap();
    let plan = folder.path().join("plan.yml");
    fs::write(
        &plan,
        format!("{METERED}  prometheus: {{ url: \"http://127.0.0.1:9\" }}\n"),
    )
    .unwrap();
    for (variables, expected) in [
        (
            &[("PROMETHEUS_TOKEN", "s3cret"), ("PROMETHEUS_USER", "me")][..],
            "PROMETHEUS_TOKEN is set beside PROMETHEUS_USER or PROMETHEUS_PASSWORD",
        ),
        (
            &[("PROMETHEUS_USER", "me")],
            "PROMETHEUS_USER is set without PROMETHEUS_PASSWORD",
        ),
        (
            &[("PROMETHEUS_PASSWORD", "s3cret")],
            "PROMETHEUS_PASSWORD is set without PROMETHEUS_USER",
        ),
    ] {
        let mut command = binary("verify-health");
        command.arg("--plan").arg(&plan).envs(variables.iter().copied());
        command.args(["check", "--since", "2026-11-23T10:00:00Z"]);
        command.args(["--candidate-version", "v2", "--stable-version", "v1"]);
        let (code, _, err) = answer(&mut command);
        assert_eq!(code, 2, "{err}");
        assert!(err.contains(expected) && !err.contains("s3cret"), "{err}");
    }
}

#[test]
fn without_a_readable_plan_every_verb_names_the_file_and_exits_2() {
    let folder = TempDir::new().unwrap();
    let secret = folder.path().join("secret.yml");
    fs::write(&secret, METERED).unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o000)).unwrap();
    // Root reads everything.
    let unreadable = fs::read(&secret).is_err();
    fs::write(
        folder.path().join("bad.yml"),
        format!("{METERED}  prometheus: {{ url: \"http://p:9090\" }}\nservise: x\n"),
    )
    .unwrap();
    fs::create_dir(folder.path().join("folder")).unwrap();

    for (name, arguments) in [
        ("shift-traffic", &["init", "haproxy"][..]),
        ("shift-traffic", &["start"]),
        ("shift-traffic", &["run"]),
        ("shift-traffic", &["status"]),
        ("shift-traffic", &["set", "0"]),
        ("shift-traffic", &["rollback"]),
        ("verify-health", &["check"]),
        ("verify-health", &["watch", "--for", "1m"]),
    ] {
        let said = |plan: &str| {
            let (code, out, err) = answer(
                binary(name)
                    .current_dir(&folder)
                    .args(arguments)
                    .args(["--plan", plan]),
            );
            assert_eq!(
                (code, out.as_str()),
                (2, ""),
                "{name} {arguments:?} {plan}: {err}"
            );
            err
        };
        assert!(said("nowhere.yml").starts_with("error: nowhere.yml: no such file\nhint: the plan is "));
        assert!(said("folder").starts_with("error: folder: cannot be read: Is a directory"));
        if unreadable {
            assert!(said("secret.yml").starts_with("error: secret.yml: cannot be read: Permission denied"));
        }
        // A rollback is not kept from its work by a mistake elsewhere in the plan.
        if arguments != ["rollback"] {
            let err = said("bad.yml");
            assert!(
                err.starts_with("error: bad.yml:12:1: servise: unknown key, expected one of "),
                "{err}"
            );
            assert!(err.contains("hint: did you mean `service`?"), "{err}");
        }
        assert!(!folder.path().join("rollgate-out").exists());
    }
}

#[test]
fn the_plan_is_found_by_its_variable_and_a_flag_is_stronger() {
    let folder = TempDir::new().unwrap();
    let said = |arguments: &[&str]| {
        let mut command = binary("shift-traffic");
        command.current_dir(&folder).env("ROLLGATE_PLAN", "variable.yml");
        answer(command.args(arguments)).2
    };
    assert!(said(&["status"]).starts_with("error: variable.yml: no such file"));
    assert!(said(&["status", "--plan", "flag.yml"]).starts_with("error: flag.yml: no such file"));
}

#[test]
fn an_error_in_a_github_job_is_shown_at_the_top_of_the_run() {
    let folder = TempDir::new().unwrap();
    let mut command = binary("shift-traffic");
    let (code, _, err) = answer(
        command
            .current_dir(&folder)
            .env("GITHUB_ACTIONS", "true")
            .args(["status", "--plan", "50%.yml"]),
    );
    assert_eq!(code, 2);
    let annotation = err.lines().find(|line| line.starts_with("::error::"));
    let annotation = annotation.expect("an annotation");
    assert!(
        annotation.starts_with("::error::50%25.yml: no such file%0Ahint: "),
        "{annotation}"
    );
}

#[test]
fn a_driver_outside_of_github_cannot_call_a_successor() {
    let folder = TempDir::new().unwrap();
    let plan = folder.path().join("plan.yml");
    fs::write(
        &plan,
        format!("{METERED}  prometheus: {{ url: \"http://p:9090\" }}\n"),
    )
    .unwrap();
    let mut command = binary("shift-traffic");
    let (code, _, err) = answer(command.args(["run", "--dispatch", "--plan"]).arg(&plan));
    assert_eq!(
        (code, err.as_str()),
        (2, "error: --dispatch works in a GitHub job only\n")
    );
}

#[test]
fn a_backend_that_the_plan_does_not_have_is_refused_by_name() {
    let folder = TempDir::new().unwrap();
    let plan = folder.path().join("plan.yml");
    fs::write(
        &plan,
        format!("{METERED}  prometheus: {{ url: \"http://p:9090\" }}\n"),
    )
    .unwrap();
    let start = |arguments: &[&str]| {
        let mut command = binary("shift-traffic");
        answer(command.arg("start").arg("--plan").arg(&plan).args(arguments))
    };
    let (code, _, err) = start(&["--candidate", "grene"]);
    assert_eq!(
        (code, err.as_str()),
        (
            2,
            "error: --candidate grene: the plan has no such backend; it has blue and green\n"
        )
    );
    let (code, _, err) = start(&["--candidate", "blue", "--stable", "blue"]);
    assert_eq!(
        (code, err.as_str()),
        (
            2,
            "error: --stable blue and --candidate blue: these are two different backends\n"
        )
    );
}
