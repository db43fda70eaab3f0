use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use rollgate::providers::stacks::{Stacks as _, Wish, kubernetes::Lookup};
use serde_json::{Value, json};

use super::{by_service, kept, replicas, stacks, until_stack, version};
use crate::support::kube::Cluster;

#[tokio::test]
async fn a_version_is_raised_never_lowered_and_put_back() {
    let Some(cluster) = Cluster::shared() else { return };
    let namespace = cluster.namespace("ask");
    version(&namespace, "web", 1);
    namespace.wait_ready("web");
    let stacks = by_service(&namespace).await;

    let would = stacks
        .describe("web", Wish::AtLeast(4))
        .await
        .expect("words")
        .expect("a change");
    assert!(would.starts_with("Deployment web: replicas 1 -> 4\n"), "{would}");
    assert_eq!(replicas(&namespace, "web"), 1);

    let done = stacks.ask("web", Wish::AtLeast(4)).await.expect("an answer");
    assert_eq!(done.as_deref(), Some("Deployment web: replicas 1 -> 4"));
    assert_eq!(
        stacks.ask("web", Wish::AtLeast(4)).await.expect("an answer"),
        None
    );
    assert_eq!(
        stacks.ask("web", Wish::AtLeast(2)).await.expect("an answer"),
        None
    );
    stacks.ask("web", Wish::AtLeast(5)).await.expect("an answer");
    assert_eq!(replicas(&namespace, "web"), 5);
    assert_eq!(kept(&namespace, "Deployment", "web"), "1, now 5");
    until_stack(&stacks, "web", |stack| stack.ready == 5).await;

    stacks.ask("web", Wish::AsBefore).await.expect("an answer");
    assert_eq!(replicas(&namespace, "web"), 1);
    assert_eq!(kept(&namespace, "Deployment", "web"), Value::Null);
    assert_eq!(stacks.ask("web", Wish::AsBefore).await.expect("an answer"), None);
}

#[tokio::test]
async fn a_version_without_traffic_goes_to_0_and_comes_back() {
    let Some(cluster) = Cluster::shared() else { return };
    let namespace = cluster.namespace("ask-nothing");
    version(&namespace, "web", 3);
    // It would keep a drain from taking pods; scaling does not ask it.
    namespace.apply(
        "
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: { name: web }
spec: { minAvailable: 3, selector: { matchLabels: { app: web } } }
",
    );
    namespace.wait_ready("web");
    let stacks = by_service(&namespace).await;

    stacks.ask("web", Wish::Nothing).await.expect("an answer");
    assert_eq!(stacks.ask("web", Wish::Nothing).await.expect("an answer"), None);
    assert_eq!(kept(&namespace, "Deployment", "web"), "3, now 0");
    namespace.wait_endpoints("web", 0);

    stacks.ask("web", Wish::AsBefore).await.expect("an answer");
    until_stack(&stacks, "web", |stack| stack.ready == 3).await;
}

#[tokio::test]
async fn a_version_that_has_all_the_traffic_keeps_its_pods_for_good() {
    let Some(cluster) = Cluster::shared() else { return };
    let namespace = cluster.namespace("ask-settled");
    version(&namespace, "web", 1);
    namespace.wait_ready("web");
    let stacks = by_service(&namespace).await;

    stacks.ask("web", Wish::AtLeast(3)).await.expect("an answer");
    stacks.ask("web", Wish::Settled).await.expect("an answer");

    assert_eq!(kept(&namespace, "Deployment", "web"), Value::Null);
    assert_eq!(stacks.ask("web", Wish::AsBefore).await.expect("an answer"), None);
    assert_eq!(replicas(&namespace, "web"), 3);
}

#[tokio::test]
async fn a_number_that_somebody_else_has_set_since_is_theirs() {
    let Some(cluster) = Cluster::shared() else { return };
    let namespace = cluster.namespace("ask-foreign");
    version(&namespace, "web", 1);
    namespace.wait_ready("web");
    let stacks = by_service(&namespace).await;

    stacks.ask("web", Wish::AtLeast(3)).await.expect("an answer");
    namespace.patch("Deployment", "web", &json!({ "spec": { "replicas": 7 } }));
    stacks.ask("web", Wish::AsBefore).await.expect("an answer");

    assert_eq!(replicas(&namespace, "web"), 7);
    assert_eq!(kept(&namespace, "Deployment", "web"), Value::Null);
}

#[tokio::test]
async fn workers_are_quiet_while_others_have_the_traffic() {
    let Some(cluster) = Cluster::shared() else { return };
    let namespace = cluster.namespace("ask-workers");
    version(&namespace, "web", 1);
    namespace.deployment("worker", "app=worker", 2);
    namespace.wait_ready("web");
    let named = [("web", "", "worker")];
    let stacks = stacks(&namespace, Lookup::Service, &named).await;

    assert_eq!(stacks.read("web").await.expect("a stack").workers, Some(2));
    stacks.ask("web", Wish::WorkersQuiet).await.expect("an answer");
    assert_eq!(stacks.read("web").await.expect("a stack").workers, Some(0));
    stacks
        .ask("web", Wish::WorkersAsBefore(0))
        .await
        .expect("an answer");
    assert_eq!(stacks.read("web").await.expect("a stack").workers, Some(2));

    namespace.delete("Deployment", "worker");
    let stack = stacks.read("web").await.expect("a stack");
    let trouble = stack.trouble.expect("words");
    assert!(trouble.contains("backends.web.workers"), "{trouble}");
    let error = stacks
        .ask("web", Wish::WorkersQuiet)
        .await
        .expect_err("no workers");
    assert!(format!("{error:#}").contains("no Deployment worker"), "{error:#}");
    // Nobody is asked for workers that the plan does not name.
    let without = by_service(&namespace).await;
    assert_eq!(
        without.ask("web", Wish::WorkersQuiet).await.expect("an answer"),
        None
    );
}

#[tokio::test]
async fn two_drivers_at_once_turn_once() {
    let Some(cluster) = Cluster::shared() else { return };
    let namespace = cluster.namespace("ask-twice");
    version(&namespace, "web", 2);
    namespace.wait_ready("web");
    let (one, other) = (by_service(&namespace).await, by_service(&namespace).await);

    let (one, other) = tokio::join!(one.ask("web", Wish::Nothing), other.ask("web", Wish::Nothing));

    let words: Vec<_> = [one, other]
        .into_iter()
        .filter_map(|done| done.expect("an answer"))
        .collect();
    assert_eq!(words, ["Deployment web: replicas 2 -> 0"]);
    assert_eq!(kept(&namespace, "Deployment", "web"), "2, now 0");
}

#[tokio::test]
async fn a_foreign_writer_that_never_rests_does_not_hold_up_a_wish() {
    let Some(cluster) = Cluster::shared() else { return };
    let namespace = cluster.namespace("ask-restless");
    version(&namespace, "web", 1);
    namespace.wait_ready("web");
    let stacks = by_service(&namespace).await;
    let over = Arc::new(AtomicBool::new(false));
    let name = namespace.name.clone();
    let is_over = Arc::clone(&over);
    let writer = thread::spawn(move || {
        for count in 0.. {
            if is_over.load(Ordering::SeqCst) {
                return count;
            }
            let note = json!({ "metadata": { "annotations": { "team/notes": format!("{count}") } } });
            let written = cluster.api.patch("Deployment", Some(&name), "web", &note);
            written.expect("a note");
            thread::sleep(Duration::from_millis(10));
        }
        0
    });

    for count in 2..12 {
        stacks.ask("web", Wish::AtLeast(count)).await.expect("an answer");
    }

    over.store(true, Ordering::SeqCst);
    assert!(writer.join().expect("a writer") > 0);
    assert_eq!(replicas(&namespace, "web"), 11);
    assert_eq!(kept(&namespace, "Deployment", "web"), "1, now 11");
}
