use rollgate::providers::stacks::{Autoscaler, Stacks as _, Wish};
use serde_json::{Value, json};

use super::{by_service, kept, replicas, version};
use crate::support::kube::{Cluster, Namespace};

const KIND: &str = "HorizontalPodAutoscaler";

/// Scales Deployment `web` between `min` and 10 pods.
fn autoscaler(namespace: &Namespace, name: &str, min: u32) {
    let object = json!({
        "apiVersion": "autoscaling/v2",
        "kind": KIND,
        "metadata": { "name": name },
        "spec": {
            "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": "web" },
            "minReplicas": min,
            "maxReplicas": 10,
        },
    });
    namespace.apply(&object.to_string());
}

fn min(namespace: &Namespace) -> Value {
    namespace.get(KIND, "by-load")["spec"]["minReplicas"].clone()
}

#[tokio::test]
async fn an_autoscaler_is_raised_with_its_pods_and_goes_back() {
    let Some(cluster) = Cluster::shared() else { return };
    let namespace = cluster.namespace("hpa");
    version(&namespace, "web", 2);
    autoscaler(&namespace, "by-load", 2);
    namespace.wait_ready("web");
    let stacks = by_service(&namespace).await;
    let seen = stacks.read("web").await.expect("a stack").autoscaler;
    let expected = Autoscaler {
        name: "by-load".to_owned(),
        min: 2,
        max: 10,
    };
    assert_eq!(seen, Some(expected));

    let done = stacks.ask("web", Wish::AtLeast(6)).await.expect("an answer");
    assert_eq!(
        done.as_deref(),
        Some("HorizontalPodAutoscaler by-load: minReplicas 2 -> 6, Deployment web: replicas 2 -> 6")
    );
    assert_eq!(
        (min(&namespace), replicas(&namespace, "web")),
        (json!(6), json!(6))
    );

    // Its pods are its own matter again, and it takes its time to take them away.
    stacks.ask("web", Wish::AsBefore).await.expect("an answer");
    assert_eq!(
        (min(&namespace), replicas(&namespace, "web")),
        (json!(2), json!(6))
    );
    assert_eq!(kept(&namespace, KIND, "by-load"), Value::Null);
    assert_eq!(kept(&namespace, "Deployment", "web"), Value::Null);
}

#[tokio::test]
async fn an_autoscaler_that_allows_too_few_is_named_with_both_numbers() {
    let Some(cluster) = Cluster::shared() else { return };
    let namespace = cluster.namespace("hpa-max");
    version(&namespace, "web", 2);
    autoscaler(&namespace, "by-load", 2);
    let stacks = by_service(&namespace).await;
    namespace.wait_ready("web");

    let error = stacks.ask("web", Wish::AtLeast(11)).await.expect_err("too many");

    let text = format!("{error:#}");
    assert!(text.contains("by-load allows 10 pods, 11 are needed"), "{text}");
    assert_eq!(
        (min(&namespace), replicas(&namespace, "web")),
        (json!(2), json!(2))
    );
}

#[tokio::test]
async fn a_stable_version_is_held_until_it_is_let_go() {
    let Some(cluster) = Cluster::shared() else { return };
    let namespace = cluster.namespace("hpa-hold");
    version(&namespace, "web", 4);
    autoscaler(&namespace, "by-load", 1);
    namespace.wait_ready("web");
    let stacks = by_service(&namespace).await;

    stacks.ask("web", Wish::Hold(4)).await.expect("an answer");
    assert_eq!(stacks.ask("web", Wish::Hold(4)).await.expect("an answer"), None);
    assert_eq!(min(&namespace), 4);
    assert_eq!(kept(&namespace, KIND, "by-load"), "1, now 4");
    stacks.ask("web", Wish::AsBefore).await.expect("an answer");
    assert_eq!(min(&namespace), 1);
}

/// An autoscaler does nothing for a Deployment at 0: somebody else has to raise it.
#[tokio::test]
async fn a_stable_deployment_at_0_with_an_autoscaler_is_raised_and_its_autoscaler_acts_again() {
    let Some(cluster) = Cluster::shared() else { return };
    let namespace = cluster.namespace("hpa-0");
    version(&namespace, "web", 3);
    autoscaler(&namespace, "by-load", 2);
    namespace.wait_ready("web");
    let stacks = by_service(&namespace).await;

    stacks.ask("web", Wish::Nothing).await.expect("an answer");
    namespace.wait_endpoints("web", 0);
    stacks.ask("web", Wish::AtLeast(3)).await.expect("an answer");
    namespace.wait_endpoints("web", 3);
    assert_eq!(
        (min(&namespace), replicas(&namespace, "web")),
        (json!(3), json!(3))
    );

    stacks.ask("web", Wish::AsBefore).await.expect("an answer");
    assert_eq!(
        (min(&namespace), replicas(&namespace, "web")),
        (json!(2), json!(3))
    );
}

/// As after a crash between the two patches of a wish.
#[tokio::test]
async fn a_wish_that_was_half_written_is_put_back_whole() {
    let Some(cluster) = Cluster::shared() else { return };
    let namespace = cluster.namespace("hpa-half");
    version(&namespace, "web", 2);
    autoscaler(&namespace, "by-load", 2);
    namespace.wait_ready("web");
    let half = json!({
        "metadata": { "annotations": { "rollgate.dev/min-before": "2, now 6" } },
        "spec": { "minReplicas": 6 },
    });
    namespace.patch(KIND, "by-load", &half);
    let stacks = by_service(&namespace).await;

    stacks.ask("web", Wish::AsBefore).await.expect("an answer");

    assert_eq!(min(&namespace), 2);
    assert_eq!(kept(&namespace, KIND, "by-load"), Value::Null);
}

#[tokio::test]
async fn two_autoscalers_of_one_deployment_are_refused() {
    let Some(cluster) = Cluster::shared() else { return };
    let namespace = cluster.namespace("hpa-two");
    version(&namespace, "web", 1);
    autoscaler(&namespace, "by-load", 1);
    autoscaler(&namespace, "by-night", 1);
    namespace.wait_ready("web");

    let error = by_service(&namespace)
        .await
        .read("web")
        .await
        .expect_err("two of them");
    let text = format!("{error:#}");
    assert!(text.contains("by-load and by-night both scale it"), "{text}");
}
