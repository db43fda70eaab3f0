use rollgate::providers::stacks::{Stacks as _, Wish, kubernetes::Lookup};
use serde_json::{Value, json};

use super::{replicas, stacks_as, until_stack, version};
use crate::support::kube::Cluster;

/// Exactly what the page about Kubernetes says.
fn role() -> Value {
    json!([
        { "apiGroups": [""], "resources": ["services"], "verbs": ["get"] },
        { "apiGroups": [""], "resources": ["pods"], "verbs": ["list"] },
        { "apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list"] },
        { "apiGroups": ["apps"], "resources": ["replicasets"], "verbs": ["list"] },
        { "apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "patch"] },
        { "apiGroups": ["autoscaling"], "resources": ["horizontalpodautoscalers"], "verbs": ["get", "list", "patch"] },
    ])
}

#[tokio::test]
async fn the_documented_role_is_enough_and_each_rule_of_it_is_needed() {
    let Some(cluster) = Cluster::shared() else { return };
    let namespace = cluster.namespace("rights");
    version(&namespace, "web", 1);
    namespace.wait_ready("web");
    let user = namespace.user("enough", &role());
    let stacks = stacks_as(&user.kubeconfig(), &namespace, Lookup::Service, &[]).await;
    stacks.ask("web", Wish::AtLeast(2)).await.expect("an answer");
    until_stack(&stacks, "web", |stack| stack.ready == 2).await;
    // So that pods are asked why.
    namespace.patch(
        "Deployment",
        "web",
        &json!({ "spec": { "paused": true, "replicas": 2 } }),
    );

    let rules = role().as_array().cloned().unwrap_or_default();
    for (at, rule) in rules.iter().enumerate() {
        let resource = rule["resources"][0].as_str().expect("a resource");
        if resource == "pods" {
            continue; // Asked only while some are not ready.
        }
        let mut less = rules.clone();
        less.remove(at);
        let user = namespace.user(&format!("without-{resource}"), &json!(less));
        let stacks = stacks_as(&user.kubeconfig(), &namespace, Lookup::Service, &[]).await;
        let error = stacks.read("web").await.expect_err(resource);
        let text = rollgate::error::chain(&error);
        assert!(text.contains(resource) && text.contains("forbidden"), "{text}");
    }
}

#[tokio::test]
async fn whoever_may_not_patch_changes_nothing_and_reads_on() {
    let Some(cluster) = Cluster::shared() else { return };
    let namespace = cluster.namespace("rights-patch");
    version(&namespace, "web", 1);
    namespace.wait_ready("web");
    let mut rules = role();
    rules[4]["verbs"] = json!(["get"]);
    let user = namespace.user("reader", &rules);
    let stacks = stacks_as(&user.kubeconfig(), &namespace, Lookup::Service, &[]).await;

    assert_eq!(stacks.read("web").await.expect("a stack").wanted, 1);
    let error = stacks.ask("web", Wish::AtLeast(2)).await.expect_err("a refusal");
    let text = rollgate::error::chain(&error);
    assert!(text.contains("patch") && text.contains("deployments"), "{text}");
    assert_eq!(replicas(&namespace, "web"), 1);
}
