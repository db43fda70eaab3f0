use reqwest::Method;
use rollgate::providers::{
    cluster::Cluster as Client,
    traffic::{Router as _, WriteError, service_selector::ServiceSelector},
};
use rollgate_domain::rollout::{moves::Move, record::Record};
use serde_json::{Value, json};

use super::{percent, says, started, write};
use crate::support::{
    kube::{Cluster, Namespace},
    world::after,
};

const BACKENDS: [&str; 2] = ["blue", "green"];

async fn router_as(kubeconfig: &std::path::Path, namespace: &Namespace<'_>) -> ServiceSelector {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::by_kubeconfig(kubeconfig).await.expect("a client");
    let backends = BACKENDS.map(str::to_owned);
    ServiceSelector::new(client, &namespace.name, "web", "version".to_owned(), backends)
}

async fn router(namespace: &Namespace<'_>) -> ServiceSelector {
    router_as(&namespace.admin().kubeconfig(), namespace).await
}

/// The manifest, as `manager` applies it.
fn apply_as(namespace: &Namespace, manager: &str, version: &str) {
    let object = json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": { "name": "web" },
        "spec": {
            "selector": { "app": "web", "version": version },
            "ports": [{ "name": "http", "port": 80, "targetPort": "http" }],
        },
    });
    let path = format!(
        "/api/v1/namespaces/{}/services/web?fieldManager={manager}&force=true",
        namespace.name
    );
    let kind = "application/apply-patch+yaml";
    let sent = namespace
        .cluster
        .api
        .send(Method::PATCH, &path, kind, &object.to_string());
    sent.expect("a Service");
}

fn selected(namespace: &Namespace) -> Value {
    namespace.get("Service", "web")["spec"]["selector"]["version"].clone()
}

fn on_green() -> Record {
    after(&started(BACKENDS, &[100]), Move::Raise)
}

#[tokio::test]
async fn a_selector_reverted_by_helm_in_mid_canary_is_named_with_who_did_it_and_what_to_do() {
    let Some(cluster) = Cluster::shared() else { return };
    let namespace = cluster.namespace("selector-helm");
    apply_as(&namespace, "helm", "blue");
    let router = router(&namespace).await;
    let record = on_green();
    write(&router, &record).await.expect("a write");
    assert_eq!(selected(&namespace), "green");

    apply_as(&namespace, "helm", "blue");

    let seen = router.read().await.expect("a look");
    assert_eq!((seen.share, seen.torn), (Some(percent(0)), false));
    let drift = seen.drift.expect("drift");
    for words in [
        "selects version=blue, so green has 0 %",
        "the record says 100 % (version=green)",
        "was written last by helm at ",
        "let it say green",
        "ignoreDifferences",
    ] {
        assert!(drift.contains(words), "{words} in {drift}");
    }
    let back = after(&record, Move::RollBack("reverted".to_owned()));
    let seen = write(&router, &back).await.expect("a write");
    assert_eq!((seen.share, seen.drift), (Some(percent(0)), None));
}

#[tokio::test]
async fn gitops_puts_everybody_on_a_removed_stack_and_is_named() {
    let Some(cluster) = Cluster::shared() else { return };
    let namespace = cluster.namespace("selector-gitops");
    apply_as(&namespace, "argocd-controller", "blue");
    let router = router(&namespace).await;
    let promoted = after(&on_green(), Move::Promote);
    for record in [on_green(), promoted.clone()] {
        write(&router, &record).await.expect("a write");
    }

    apply_as(&namespace, "argocd-controller", "blue");

    let seen = router.read().await.expect("a look");
    // The old version is the one that has a share now, and is to have none.
    assert_eq!(
        (seen.candidate.as_str(), seen.share),
        ("blue", Some(percent(100)))
    );
    let drift = seen.drift.expect("drift");
    assert!(drift.contains("written last by argocd-controller"), "{drift}");
    assert!(drift.contains("let it say green"), "{drift}");
}

#[tokio::test]
async fn a_service_that_names_no_version_is_refused_and_nothing_is_changed() {
    let Some(cluster) = Cluster::shared() else { return };
    let namespace = cluster.namespace("selector-bad");
    let router = router(&namespace).await;
    let error = router.read().await.expect_err("no Service");
    says(&error, &["\"web\" not found", "traffic.service-selector"]);

    let ports = "ports: [{ port: 80 }]";
    for (spec, words) in [
        (
            format!("{{ selector: {{ app: web }}, {ports} }}"),
            "must name a version by version: blue or green, it does not have it",
        ),
        (
            format!("{{ selector: {{ app: web, version: red }}, {ports} }}"),
            "blue or green, it has red",
        ),
        (
            format!("{{ {ports} }}"),
            "has no selector to switch: give it one with version: blue",
        ),
        (
            "{ type: ExternalName, externalName: shop.example.com }".to_owned(),
            "is a name for shop.example.com (ExternalName)",
        ),
    ] {
        if namespace.find("Service", "web").is_some() {
            namespace.delete("Service", "web");
        }
        namespace.apply(&format!(
            "{{ apiVersion: v1, kind: Service, metadata: {{ name: web }}, spec: {spec} }}"
        ));
        let before = namespace.get("Service", "web");
        says(&router.read().await.expect_err("a refusal"), &[words]);
        assert_eq!(namespace.get("Service", "web"), before);
    }
}

#[tokio::test]
async fn a_selector_without_its_label_in_mid_rollout_is_drift_and_taken_back() {
    let Some(cluster) = Cluster::shared() else { return };
    let namespace = cluster.namespace("selector-label");
    apply_as(&namespace, "tests", "blue");
    let router = router(&namespace).await;
    let record = on_green();
    write(&router, &record).await.expect("a write");
    for version in [Value::Null, json!("red")] {
        let change = json!({ "spec": { "selector": { "version": version } } });
        namespace.patch("Service", "web", &change);
        let seen = router.read().await.expect("a look");
        assert_eq!(seen.share, None);
        assert!(seen.drift.is_some());
    }
    let back = after(&record, Move::RollBack("drift".to_owned()));
    write(&router, &back).await.expect("a write");
    assert_eq!(selected(&namespace), "blue");
}

#[tokio::test]
async fn whoever_may_not_patch_is_told_the_missing_rule() {
    let Some(cluster) = Cluster::shared() else { return };
    let namespace = cluster.namespace("selector-rights");
    apply_as(&namespace, "tests", "blue");
    let rules = json!([{ "apiGroups": [""], "resources": ["services"], "verbs": ["get"] }]);
    let user = namespace.user("reader", &rules);
    let router = router_as(&user.kubeconfig(), &namespace).await;

    let error = write(&router, &on_green()).await.expect_err("a refusal");
    let WriteError::Rejected(words) = error else {
        panic!("{error:?}")
    };
    assert!(
        words.contains("resources: [\"services\"], verbs: [\"patch\"]"),
        "{words}"
    );
    assert_eq!(selected(&namespace), "blue");
}
