use reqwest::Method;
use rollgate::providers::stacks::{Stacks as _, Wish};
use serde_json::{Value, json};

use super::{by_service, until_stack, version};
use crate::support::kube::{Cluster, Namespace};

/// What the kubelet would say of a pod.
fn set_status(namespace: &Namespace, pod: &Value, status: &Value) {
    let name = pod["metadata"]["name"].as_str().expect("a name");
    let path = format!("/api/v1/namespaces/{}/pods/{name}/status", namespace.name);
    let change = json!({ "status": status }).to_string();
    let merge = "application/merge-patch+json";
    namespace
        .cluster
        .api
        .send(Method::PATCH, &path, merge, &change)
        .expect("a status");
}

#[tokio::test]
async fn a_crash_looping_candidate_says_so_with_restarts_and_exit_code() {
    let Some(cluster) = Cluster::shared() else { return };
    let namespace = cluster.namespace("crash-loop");
    version(&namespace, "web", 2);
    namespace.wait_ready("web");
    let stacks = by_service(&namespace).await;
    let status = json!({
        "conditions": [
            { "type": "PodScheduled", "status": "True" },
            { "type": "Ready", "status": "False", "reason": "ContainersNotReady" },
        ],
        "containerStatuses": [{
            "name": "shop", "image": "shop", "imageID": "", "ready": false, "restartCount": 7,
            "state": { "waiting": { "reason": "CrashLoopBackOff", "message": "back-off 5m0s" } },
            "lastState": { "terminated": { "reason": "Error", "exitCode": 1 } },
        }],
    });
    for pod in namespace.list("Pod", "app=web") {
        set_status(&namespace, &pod, &status);
    }

    let stack = until_stack(&stacks, "web", |stack| stack.ready == 0).await;
    let trouble = stack.trouble.expect("words");
    let expected = "2 pods CrashLoopBackOff in container shop after 7 restarts, last Error, exit code 1";
    assert!(trouble.contains(expected), "{trouble}");
}

#[tokio::test]
async fn an_image_that_cannot_be_pulled_is_named() {
    let Some(cluster) = Cluster::shared() else { return };
    let namespace = cluster.namespace("image-pull");
    version(&namespace, "web", 1);
    namespace.wait_ready("web");
    let stacks = by_service(&namespace).await;
    let status = json!({
        "phase": "Pending",
        "conditions": [{ "type": "PodScheduled", "status": "True" }, { "type": "Ready", "status": "False" }],
        "containerStatuses": [{
            "name": "shop", "image": "shop", "imageID": "", "ready": false, "restartCount": 0,
            "state": { "waiting": { "reason": "ImagePullBackOff", "message": "manifest unknown" } },
        }],
    });
    set_status(&namespace, &namespace.list("Pod", "app=web")[0], &status);

    let stack = until_stack(&stacks, "web", |stack| stack.ready == 0).await;
    assert!(
        stack
            .trouble
            .as_deref()
            .is_some_and(|words| words.contains("ImagePullBackOff in container shop: manifest unknown")),
        "{stack:?}"
    );
}

#[tokio::test]
async fn pods_that_no_node_takes_say_why() {
    let Some(cluster) = Cluster::shared() else { return };
    let namespace = cluster.namespace("unschedulable");
    version(&namespace, "web", 0);
    let nowhere =
        json!({ "spec": { "template": { "spec": { "nodeSelector": { "disk": "none-has-it" } } } } });
    namespace.patch("Deployment", "web", &nowhere);
    let stacks = by_service(&namespace).await;
    until_stack(&stacks, "web", |_| true).await;

    stacks.ask("web", Wish::AtLeast(2)).await.expect("an answer");
    let has_words = |words: &str| words.contains("2 pods not scheduled: Unschedulable");
    until_stack(&stacks, "web", |stack| {
        stack.trouble.as_deref().is_some_and(has_words)
    })
    .await;
}

#[tokio::test]
async fn a_quota_that_allows_no_more_pods_is_named() {
    let Some(cluster) = Cluster::shared() else { return };
    let namespace = cluster.namespace("quota");
    namespace.apply(
        "{ apiVersion: v1, kind: ResourceQuota, metadata: { name: few }, spec: { hard: { pods: 1 } } }",
    );
    version(&namespace, "web", 1);
    namespace.wait_ready("web");
    let stacks = by_service(&namespace).await;

    stacks.ask("web", Wish::AtLeast(2)).await.expect("an answer");
    let has_words = |words: &str| words.contains("FailedCreate") && words.contains("exceeded quota: few");
    until_stack(&stacks, "web", |stack| {
        stack.trouble.as_deref().is_some_and(has_words)
    })
    .await;
}

/// The old pods are ready and as many as are wanted: by their number alone nobody sees it.
#[tokio::test]
async fn a_failed_apply_does_not_stay_green() {
    let Some(cluster) = Cluster::shared() else { return };
    let namespace = cluster.namespace("failed-apply");
    version(&namespace, "web", 2);
    namespace.wait_ready("web");
    let stacks = by_service(&namespace).await;
    let bad = json!({ "spec": {
        "progressDeadlineSeconds": 2,
        "minReadySeconds": 1,
        "strategy": { "rollingUpdate": { "maxUnavailable": 0 } },
        "template": { "spec": { "nodeSelector": { "disk": "none-has-it" } } },
    } });
    namespace.patch("Deployment", "web", &bad);

    let has = |words: &'static str| move |text: &str| text.contains(words);
    let under_way = has("is not over");
    let stack = until_stack(&stacks, "web", |stack| {
        stack.trouble.as_deref().is_some_and(under_way)
    })
    .await;
    assert_eq!((stack.ready, stack.wanted), (2, 2));
    let failed = has("ProgressDeadlineExceeded");
    let stack = until_stack(&stacks, "web", |stack| {
        stack.trouble.as_deref().is_some_and(failed)
    })
    .await;
    assert_eq!((stack.ready, stack.wanted), (2, 2));
}

#[tokio::test]
async fn a_paused_deployment_says_so_and_is_scaled_all_the_same() {
    let Some(cluster) = Cluster::shared() else { return };
    let namespace = cluster.namespace("paused");
    version(&namespace, "web", 1);
    namespace.wait_ready("web");
    namespace.patch("Deployment", "web", &json!({ "spec": { "paused": true } }));
    let stacks = by_service(&namespace).await;

    stacks.ask("web", Wish::AtLeast(3)).await.expect("an answer");
    let stack = until_stack(&stacks, "web", |stack| stack.ready == 3).await;
    let trouble = stack.trouble.expect("words");
    assert!(
        trouble.contains("kubectl rollout resume deployment/web"),
        "{trouble}"
    );
}
