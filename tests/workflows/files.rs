//! What must be true of every workflow file, whoever writes it.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use crate::support::team::ROOT;

/// Our own workflow files, with their text.
fn workflows() -> Vec<(PathBuf, String)> {
    let folder = Path::new(ROOT).join(".github/workflows");
    let mut files: Vec<_> = fs::read_dir(folder)
        .expect("workflows")
        .map(|entry| entry.expect("a workflow").path())
        .map(|path| (path.clone(), fs::read_to_string(path).expect("a workflow")))
        .collect();
    files.sort();
    assert!(files.len() >= 3);
    files
}

/// Every file below `folder`, without git's own.
fn files(folder: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                if path.file_name().is_some_and(|name| name != ".git") {
                    folders.push(path);
                }
            } else {
                found.insert(path.strip_prefix(folder).expect("below").to_owned());
            }
        }
    }
    found
}

/// Every step of every job.
fn steps(workflow: &Value) -> Vec<Value> {
    let jobs = workflow["jobs"].as_object().expect("jobs");
    jobs.values()
        .filter_map(|job| job["steps"].as_array())
        .flatten()
        .cloned()
        .collect()
}

fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).expect("YAML")
}

#[test]
fn the_copy_for_act_differs_in_nothing_but_the_reference_to_this_repository() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let copy = folder.path().join("copy");
    let made = Command::new(format!("{ROOT}/scripts/act-copy"))
        .arg(&copy)
        .status()
        .expect("act-copy");
    assert!(made.success());

    let copied = files(&copy);
    let mut expected = BTreeSet::from([PathBuf::from("action.yml"), "releases.sha256".into()]);
    for part in ["scripts", ".github", "tests/act", "examples/workflows"] {
        let below = files(&Path::new(ROOT).join(part));
        expected.extend(below.into_iter().map(|file| Path::new(part).join(file)));
    }
    assert_eq!(copied, expected);
    let mut changed = 0;
    for file in copied {
        let text = |root: &Path| fs::read_to_string(root.join(&file)).expect("text");
        let (ours, theirs) = (text(Path::new(ROOT)), text(&copy));
        assert_eq!(ours.lines().count(), theirs.lines().count(), "{}", file.display());
        for (our, their) in ours.lines().zip(theirs.lines()) {
            if our != their {
                assert!(file.starts_with(".github/workflows"), "{}: {our}", file.display());
                assert_eq!(our.trim(), "uses: $/.");
                assert_eq!(their.trim(), "uses: rollgate/rollgate@act");
                changed += 1;
            }
        }
    }
    assert!(changed >= 4, "every use of the action: {changed}");
}

#[test]
fn foreign_actions_are_pinned_by_their_sha_and_our_own_by_this_commit() {
    for (path, text) in workflows() {
        for line in text
            .lines()
            .filter_map(|line| line.trim().trim_start_matches("- ").strip_prefix("uses: "))
        {
            let (action, comment) = line.split_once(" # ").unwrap_or((line, ""));
            let pinned = action.split_once('@').is_some_and(|(_, sha)| {
                sha.len() == 40
                    && sha.bytes().all(|byte| byte.is_ascii_hexdigit())
                    && comment.starts_with('v')
            });
            assert!(action == "$/." || pinned, "{}: uses: {line}", path.display());
        }
    }
}

#[test]
fn nothing_is_permitted_that_a_job_does_not_ask_for() {
    for (path, text) in workflows() {
        assert_eq!(
            yaml(&text)["permissions"],
            serde_json::json!({}),
            "{}",
            path.display()
        );
    }
}

#[test]
fn no_text_from_outside_gets_into_a_script() {
    for (path, text) in workflows() {
        for step in steps(&yaml(&text)) {
            for key in ["run", "args"] {
                let script = if key == "run" {
                    &step["run"]
                } else {
                    &step["with"]["args"]
                };
                assert!(
                    !script.as_str().unwrap_or_default().contains("${{"),
                    "{}: {script}",
                    path.display()
                );
            }
        }
    }
}

#[test]
fn whatever_runs_long_becomes_the_process_that_the_runner_signals() {
    for (path, text) in workflows() {
        for step in steps(&yaml(&text)) {
            let Some(script) = step["run"].as_str() else {
                continue;
            };
            let runs_a_file = script.contains("scripts/");
            let last = script.trim_end().lines().last().unwrap_or_default();
            assert!(
                !runs_a_file || last.starts_with("exec "),
                "{}: {script}",
                path.display()
            );
        }
    }
}

#[test]
fn every_workflow_of_ours_is_a_button_and_can_be_called() {
    for (path, text) in workflows() {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if name == "ci.yml" {
            continue;
        }
        let workflow = yaml(&text);
        // YAML 1.1 readers take the key `on` for a boolean.
        let on = &workflow["on"];
        assert_eq!(
            on["workflow_dispatch"]["inputs"], on["workflow_call"]["inputs"],
            "{name}"
        );
        assert!(
            on["workflow_dispatch"]["inputs"]
                .as_object()
                .is_some_and(|inputs| inputs.len() <= 25),
            "{name}"
        );
        let kept = steps(&workflow).last().cloned().unwrap_or_default();
        assert_eq!(kept["if"], "always()", "{name}: what happened is kept");
        assert!(
            kept["uses"]
                .as_str()
                .is_some_and(|uses| uses.starts_with("actions/upload-artifact@")),
            "{name}"
        );
    }
}
