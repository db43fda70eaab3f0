use std::time::Duration;

use rollgate::providers::{
    cluster::Cluster as Client,
    traffic::{Router as _, WriteError, replica_ratio::ReplicaRatio},
};
use rollgate_domain::rollout::{moves::Move, record::Record};
use serde_json::{Value, json};

use super::{percent, says, started, write};
use crate::support::{
    kube::{Cluster, Namespace},
    world::after,
};

const BACKENDS: [&str; 2] = ["web-blue", "web-green"];

async fn router(namespace: &Namespace<'_>) -> ReplicaRatio {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let kubeconfig = namespace.admin().kubeconfig();
    let client = Client::by_kubeconfig(&kubeconfig).await.expect("a client");
    let backends = BACKENDS.map(str::to_owned);
    ReplicaRatio::new(client, namespace.name.clone(), "web".to_owned(), backends)
}

/// Blue with so many pods, green with none, and the Service in front of both.
fn shop(namespace: &Namespace, blue: u32) {
    namespace.deployment("web-blue", "app=web,version=blue", blue);
    namespace.deployment("web-green", "app=web,version=green", 0);
    namespace.service("web", "app=web");
    namespace.wait_ready("web-blue");
    namespace.wait_endpoints("web", usize::try_from(blue).expect("a few"));
}

/// No node takes green's pods.
fn green_never_starts(namespace: &Namespace) {
    let nowhere =
        json!({ "spec": { "template": { "spec": { "nodeSelector": { "disk": "none-has-it" } } } } });
    namespace.patch("Deployment", "web-green", &nowhere);
}

fn replicas(namespace: &Namespace) -> [Value; 2] {
    BACKENDS.map(|name| namespace.get("Deployment", name)["spec"]["replicas"].clone())
}

fn held(steps: &[u8]) -> Record {
    after(&started(BACKENDS, steps), Move::Raise)
}

fn back(record: &Record) -> Record {
    after(record, Move::RollBack("orders fail".to_owned()))
}

#[tokio::test]
async fn one_percent_of_4_replicas_is_refused_with_the_counts_that_would_do() {
    let Some(cluster) = Cluster::shared() else { return };
    let namespace = cluster.namespace("ratio-1-of-4");
    shop(&namespace, 4);
    let router = router(&namespace).await;

    let seen = router.read().await.expect("a look");
    let said = seen.shares.refusal(percent(1)).expect("a refusal");
    assert!(
        said.contains("give 0, 25, 50, 75, 100 %; 1 % needs 100 pods"),
        "{said}"
    );
    let error = router.write(&seen, &held(&[1])).await.expect_err("a refusal");
    let WriteError::Rejected(words) = error else {
        panic!("{error:?}")
    };
    assert_eq!(words, said);
    assert_eq!(replicas(&namespace), [json!(4), json!(0)]);
    let service = namespace.get("Service", "web");
    assert_eq!(service["metadata"]["annotations"], Value::Null);
}

#[tokio::test]
async fn zero_replicas_give_no_share_and_break_nothing() {
    let Some(cluster) = Cluster::shared() else { return };
    let namespace = cluster.namespace("ratio-zero");
    shop(&namespace, 0);
    let router = router(&namespace).await;

    let seen = router.read().await.expect("a look");
    assert_eq!(seen.share, Some(percent(0)));
    let said = seen.shares.refusal(percent(50)).expect("a refusal");
    assert!(
        said.contains("has no pods at all: scale stable up first"),
        "{said}"
    );
    let record = held(&[50]);
    let error = router.write(&seen, &record).await.expect_err("a refusal");
    assert!(matches!(error, WriteError::Rejected(_)), "{error:?}");
    // A rollback needs no pods.
    let seen = write(&router, &back(&record)).await.expect("a write");
    assert_eq!((seen.share, seen.torn), (Some(percent(0)), false));
}

#[tokio::test]
async fn a_candidate_that_never_gets_ready_takes_nothing_from_stable() {
    let Some(cluster) = Cluster::shared() else { return };
    let namespace = cluster.namespace("ratio-dead");
    shop(&namespace, 4);
    green_never_starts(&namespace);
    let router = router(&namespace).await;
    let record = held(&[50]);

    let seen = write(&router, &record).await.expect("a write that is watched on");
    assert_eq!((seen.share, seen.torn), (Some(percent(0)), true));
    assert!(
        seen.unreachable[0].contains("0 of 2 pods of web-green are ready: 2 pods not scheduled"),
        "{seen:?}"
    );
    assert_eq!(replicas(&namespace), [json!(4), json!(2)]);

    let seen = write(&router, &back(&record)).await.expect("a write");
    assert_eq!((seen.share, seen.torn), (Some(percent(0)), false));
    assert_eq!(replicas(&namespace), [json!(4), json!(0)]);
}

/// The driver is in the middle of its rise and does not know that somebody takes it back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollback_in_the_middle_of_a_rise_wins_and_the_driver_scales_no_more() {
    let Some(cluster) = Cluster::shared() else { return };
    let namespace = cluster.namespace("ratio-fence");
    shop(&namespace, 4);
    green_never_starts(&namespace);
    let (driver, other) = (router(&namespace).await, router(&namespace).await);
    let record = held(&[50]);
    let taken_back = back(&record);
    let rise = tokio::spawn(async move { write(&driver, &record).await.map(|_| ()) });
    while replicas(&namespace) != [json!(4), json!(2)] {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    let mut done = write(&other, &taken_back).await;
    while matches!(done, Err(WriteError::Conflict)) {
        done = write(&other, &taken_back).await;
    }

    let seen = done.expect("a write");
    assert_eq!((seen.share, seen.torn), (Some(percent(0)), false));
    let rise = rise.await.expect("a driver");
    assert!(matches!(rise, Err(WriteError::Conflict)), "{rise:?}");
    assert_eq!(replicas(&namespace), [json!(4), json!(0)]);
}

#[tokio::test]
async fn a_write_that_was_cut_off_is_seen_and_the_next_one_finishes_it() {
    let Some(cluster) = Cluster::shared() else { return };
    let namespace = cluster.namespace("ratio-torn");
    shop(&namespace, 4);
    let router = router(&namespace).await;
    let record = held(&[25]);
    write(&router, &record).await.expect("a write");
    // As after a crash behind the first patch.
    let moving = json!({ "metadata": { "annotations": { "rollgate.dev/pods": "4, moving" } } });
    namespace.patch("Service", "web", &moving);
    namespace.patch("Deployment", "web-blue", &json!({ "spec": { "replicas": 4 } }));
    namespace.patch("Deployment", "web-green", &json!({ "spec": { "replicas": 0 } }));

    let seen = router.read().await.expect("a look");
    assert_eq!((seen.torn, seen.drift), (true, None));
    let seen = write(&router, &after(&record, Move::Beat))
        .await
        .expect("a write");
    assert_eq!((seen.share, seen.torn), (Some(percent(25)), false));
    assert_eq!(replicas(&namespace), [json!(3), json!(1)]);
}

#[tokio::test]
async fn an_autoscaler_forbids_steps_and_no_rollback() {
    let Some(cluster) = Cluster::shared() else { return };
    let namespace = cluster.namespace("ratio-hpa");
    shop(&namespace, 4);
    let router = router(&namespace).await;
    let record = held(&[25]);
    write(&router, &record).await.expect("a write");
    namespace.apply(
        "
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: { name: by-load }
spec:
  scaleTargetRef: { apiVersion: apps/v1, kind: Deployment, name: web-green }
  minReplicas: 1
  maxReplicas: 5
",
    );

    let seen = router.read().await.expect("a look");
    let said = seen.shares.refusal(percent(50)).expect("a refusal");
    assert!(
        said.contains("HorizontalPodAutoscaler by-load sets the pods of web-green"),
        "{said}"
    );
    let seen = write(&router, &back(&record)).await.expect("a write");
    assert_eq!(seen.share, Some(percent(0)));
    assert_eq!(replicas(&namespace), [json!(4), json!(0)]);
}

#[tokio::test]
async fn a_service_that_selects_one_version_only_is_no_ratio() {
    let Some(cluster) = Cluster::shared() else { return };
    let namespace = cluster.namespace("ratio-selector");
    shop(&namespace, 1);
    let router = router(&namespace).await;
    namespace.patch(
        "Service",
        "web",
        &json!({ "spec": { "selector": { "version": "blue" } } }),
    );
    let error = router.read().await.expect_err("one version only");
    says(
        &error,
        &[
            "does not select the pods of Deployment web-green",
            "leave out what tells",
        ],
    );

    namespace.patch(
        "Service",
        "web",
        &json!({ "spec": { "selector": { "version": null } } }),
    );
    namespace.delete("Deployment", "web-green");
    let seen = router.read().await.expect("a look");
    let drift = seen.drift.expect("drift");
    assert!(drift.contains("there is no Deployment web-green"), "{drift}");
}
