//! `verify-health collect` in a real cluster. Its pods are simulated: no kubelet has their logs.

use std::{fs, path::Path, process::Command};

use serde_json::{Value, json};

use super::world::{KIND, World, rules};
use crate::support::tool::run;

/// Exactly what the page about rollbacks says, with what the status needs.
fn role() -> Value {
    json!([
        { "apiGroups": ["gateway.networking.k8s.io"], "resources": ["httproutes"], "verbs": ["get"] },
        { "apiGroups": [""], "resources": ["services"], "verbs": ["get"] },
        { "apiGroups": [""], "resources": ["pods", "events"], "verbs": ["list"] },
        { "apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"] },
        { "apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get"] },
        { "apiGroups": ["apps"], "resources": ["replicasets"], "verbs": ["list"] },
        { "apiGroups": ["autoscaling"], "resources": ["horizontalpodautoscalers"], "verbs": ["list"] },
        { "apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list"] },
        { "apiGroups": ["metrics.k8s.io"], "resources": ["pods"], "verbs": ["list"] },
    ])
}

const SECRET: &str = "hunter2-of-the-shop";

/// Green with secrets in its template and an autoscaler, and a rollout on the route.
fn world() -> Option<World<'static>> {
    let world = World::with(&rules())?;
    let template = json!({ "spec": { "template": {
        "metadata": { "annotations": { "example.com/api-token": SECRET } },
        "spec": { "containers": [{
            "name": "shop",
            "image": "shop",
            "args": ["--db-password", SECRET],
            "env": [
                { "name": "DB_PASSWORD", "value": SECRET },
                { "name": "DATABASE_URL", "value": format!("postgres://shop:{SECRET}@db/shop") },
                { "name": "MODE", "value": "live" },
            ],
            "ports": [{ "name": "http", "containerPort": 8080 }],
        }] },
    } } });
    world.namespace.patch("Deployment", "web-green", &template);
    world.namespace.wait_ready("web-green");
    world.namespace.apply(
        "apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: { name: web-green }
spec:
  scaleTargetRef: { apiVersion: apps/v1, kind: Deployment, name: web-green }
  minReplicas: 1
  maxReplicas: 3
",
    );
    world.shift(["start"]).with(0);
    Some(world)
}

fn collect(world: &World<'_>, kubeconfig: &Path, to: &Path) -> Command {
    let to = to.display().to_string();
    let mut command = world.tool("verify-health", &world.plan(), ["collect", "--to", &to]);
    command.env("KUBECONFIG", kubeconfig);
    command
}

/// What the index says of files whose name begins so: their states, and why.
fn pieces(folder: &Path, begin: &str) -> Vec<(String, String)> {
    let text = fs::read_to_string(folder.join("index.json")).expect("an index");
    let index: Value = serde_json::from_str(&text).expect("JSON");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let pieces = index["pieces"].as_array().expect("pieces");
    let named = pieces
        .iter()
        .filter(|piece| text(&piece["file"]).starts_with(begin));
    named
        .map(|piece| (text(&piece["state"]), text(&piece["why"])))
        .collect()
}

/// Every file below `folder`, with its text.
fn files(folder: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).expect("below").display().to_string();
                found.push((name, fs::read_to_string(&path).expect("text")));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn everything_of_both_versions_is_kept_without_its_secrets_and_nothing_is_changed() {
    let Some(world) = world() else { return };
    let user = world.namespace.user("collector", &role());
    let folder = world.folder().join("evidence");
    let before = [world.object(), world.namespace.get("Deployment", "web-green")];

    let done = run(collect(&world, &user.kubeconfig(), &folder)).with(0);

    let after = [world.object(), world.namespace.get("Deployment", "web-green")];
    assert_eq!(before, after);
    let files = files(&folder);
    let names: Vec<_> = files.iter().map(|(name, _)| name.as_str()).collect();
    for begin in [
        "candidate/deployment-web-green.yaml",
        "candidate/horizontalpodautoscaler-web-green.yaml",
        "candidate/pod-web-green-",
        "candidate/replicaset-web-green-",
        "candidate/service-web-green.yaml",
        "events.txt",
        "index.json",
        "index.md",
        "stable/deployment-web-blue.yaml",
        "stable/pod-web-blue-",
        "status.json",
        "verdict.json",
    ] {
        assert!(
            names.iter().any(|name| name.starts_with(begin)),
            "{begin} in {names:#?}"
        );
    }
    for (name, text) in &files {
        assert!(!text.contains(SECRET), "{name}:\n{text}");
        assert!(!text.contains("managedFields:"), "{name}:\n{text}");
    }
    let text = |wanted: &str| &files.iter().find(|(name, _)| name == wanted).expect(wanted).1;
    let deployment = text("candidate/deployment-web-green.yaml");
    assert!(
        deployment.contains("kind: Deployment") && deployment.contains("live"),
        "{deployment}"
    );
    assert!(
        text("events.txt").contains("Deployment/web-green: Scaled up"),
        "{}",
        text("events.txt")
    );
    let status: Value = serde_json::from_str(text("status.json")).expect("JSON");
    assert_eq!(status["record"]["candidate"]["backend"], "web-green");

    // No kubelet and no metrics-server: lines of the index, and not the end.
    for (state, why) in pieces(&folder, "candidate/logs/") {
        assert_eq!(state, "failed");
        assert!(why.contains("read the log of shop in Pod"), "{why}");
        assert!(!why.contains("forbidden"), "{why}");
    }
    assert!(!pieces(&folder, "candidate/logs/").is_empty());
    let [(state, why)] = &pieces(&folder, "candidate/podmetrics")[..] else {
        panic!("one line of what pods use");
    };
    assert_eq!(state, "failed");
    assert!(why.contains("there is no metrics-server"), "{why}");
    done.saying("collected status.json").saying("begin with index.md");
}

#[test]
fn a_right_that_is_missing_is_a_line_of_the_index_and_the_rest_is_kept() {
    let Some(world) = world() else { return };
    let mut rules = role();
    rules[2] = json!({ "apiGroups": [""], "resources": ["pods"], "verbs": ["list"] });
    rules[4] = json!({ "apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["list"] });
    let user = world.namespace.user("reader", &rules);
    let folder = world.folder().join("evidence");

    run(collect(&world, &user.kubeconfig(), &folder)).with(0);

    for (file, right) in [
        ("events.txt", "cannot list resource \"events\""),
        (
            "candidate/deployment-web-green.yaml",
            "cannot get resource \"deployments\"",
        ),
    ] {
        let [(state, why)] = &pieces(&folder, file)[..] else {
            panic!("one line of {file}");
        };
        assert_eq!(state, "failed");
        assert!(why.contains(right) && why.contains("kind: Role\n"), "{why}");
    }
    let page = fs::read_to_string(folder.join("index.md")).expect("an index");
    assert!(page.contains("cannot list resource \"events\""), "{page}");
    // Found by the Service instead.
    let pods = pieces(&folder, "candidate/pod-web-green-");
    assert_eq!(pods, [("kept".to_owned(), String::new())]);

    // Again into the same folder: the index would not tell old from new.
    run(collect(&world, &user.kubeconfig(), &folder))
        .with(1)
        .saying("is not empty: name another one with --to");
}

#[test]
fn who_may_read_nothing_collects_nothing_and_is_told_so() {
    let Some(world) = world() else { return };
    let user = world.namespace.user("nobody", &json!([]));
    let folder = world.folder().join("evidence");

    run(collect(&world, &user.kubeconfig(), &folder))
        .with(1)
        .saying("nothing could be collected");

    let all = pieces(&folder, "");
    assert!(
        all.len() > 5 && all.iter().all(|(state, _)| state == "failed"),
        "{all:#?}"
    );
    assert_eq!(world.namespace.get(KIND, "web"), world.object());
}
