use rollgate::providers::stacks::{Stack, Stacks as _, kubernetes::Lookup};
use serde_json::json;

use super::{by_service, replicas, stacks, until_stack, version};
use crate::support::kube::Cluster;

fn says(error: &anyhow::Error, words: &str) {
    let text = format!("{error:#}");
    assert!(text.contains(words), "{text}");
}

#[tokio::test]
async fn a_services_deployment_is_found_by_its_pods_labels_also_at_0() {
    let Some(cluster) = Cluster::shared() else { return };
    let namespace = cluster.namespace("stack-read");
    version(&namespace, "web-blue", 3);
    version(&namespace, "web-green", 0);
    namespace.wait_ready("web-green");
    let stacks = by_service(&namespace).await;

    let blue = until_stack(&stacks, "web-blue", |stack| stack.ready == 3).await;
    let expected = Stack {
        ready: 3,
        wanted: 3,
        images: vec!["shop".to_owned()],
        ..Stack::default()
    };
    assert_eq!(blue, expected);
    let green = until_stack(&stacks, "web-green", |_| true).await;
    assert_eq!((green.ready, green.wanted, green.trouble), (0, 0, None));
}

#[tokio::test]
async fn a_third_release_in_the_middle_shows_in_the_images() {
    let Some(cluster) = Cluster::shared() else { return };
    let namespace = cluster.namespace("stack-images");
    version(&namespace, "web-green", 2);
    namespace.wait_ready("web-green");
    let stacks = by_service(&namespace).await;
    let before = stacks.read("web-green").await.expect("a stack");

    let release = json!({ "spec": { "template": { "spec": {
        "containers": [{ "name": "shop", "image": "shop@sha256:3333" }],
        "initContainers": [{ "name": "assets", "image": "assets:3" }],
    } } } });
    let strategic = "application/strategic-merge-patch+json";
    let path = format!(
        "/apis/apps/v1/namespaces/{}/deployments/web-green",
        namespace.name
    );
    let sent = cluster
        .api
        .send(reqwest::Method::PATCH, &path, strategic, &release.to_string());
    sent.expect("a release");

    let after = stacks.read("web-green").await.expect("a stack");
    assert_eq!(before.images, ["shop"]);
    assert_eq!(after.images, ["assets:3", "shop@sha256:3333"]);
}

#[tokio::test]
async fn several_deployments_or_none_are_named_with_the_key_of_the_plan() {
    let Some(cluster) = Cluster::shared() else { return };
    let namespace = cluster.namespace("stack-several");
    namespace.deployment("web-one", "app=web,part=one", 1);
    namespace.deployment("web-two", "app=web,part=two", 1);
    namespace.service("web", "app=web");
    namespace.service("empty", "app=nobody");
    namespace.wait_ready("web-one");
    namespace.wait_ready("web-two");
    let by_name = stacks(&namespace, Lookup::Service, &[("web", "web-two", "")]).await;
    let stacks = by_service(&namespace).await;

    let error = stacks.read("web").await.expect_err("two Deployments");
    says(&error, "web-one and web-two");
    says(&error, "backends.web.deployment");
    let error = stacks.read("empty").await.expect_err("no Deployment");
    says(&error, "backends.empty.deployment");
    let error = stacks.read("web-red").await.expect_err("no Service");
    says(&error, "there is no Service web-red");
    assert_eq!(by_name.read("web").await.expect("a stack").wanted, 1);
}

#[tokio::test]
async fn a_value_of_the_selectors_label_leads_to_its_deployment() {
    let Some(cluster) = Cluster::shared() else { return };
    let namespace = cluster.namespace("stack-selector");
    namespace.deployment("web-blue", "app=web,version=blue", 2);
    namespace.deployment("web-green", "app=web,version=green", 1);
    namespace.service("web", "app=web,version=blue");
    let lookup = Lookup::Selector {
        service: "web".to_owned(),
        label: "version".to_owned(),
    };
    let stacks = stacks(&namespace, lookup, &[]).await;

    let blue = until_stack(&stacks, "blue", |stack| stack.ready == 2).await;
    let green = until_stack(&stacks, "green", |stack| stack.ready == 1).await;
    assert_eq!((blue.wanted, green.wanted), (2, 1));
    assert!(!blue.follows_share);
}

#[tokio::test]
async fn a_subset_is_told_by_its_version_or_by_the_deployment_that_the_plan_names() {
    let Some(cluster) = Cluster::shared() else { return };
    let namespace = cluster.namespace("stack-subset");
    // The one team labels its subsets as Istio's pages do, the other one in its own way.
    namespace.deployment("old", "app=web,version=stable", 2);
    namespace.deployment("new", "app=web,track=canary", 1);
    namespace.service("web", "app=web");
    let lookup = || Lookup::Subset {
        service: "web".to_owned(),
    };
    let named = stacks(&namespace, lookup(), &[("canary", "new", "")]).await;

    let old = until_stack(&named, "stable", |stack| stack.ready == 2).await;
    let new = until_stack(&named, "canary", |stack| stack.ready == 1).await;
    assert_eq!((old.wanted, new.wanted), (2, 1));
    assert!(!new.follows_share);
    let wish = rollgate::providers::stacks::Wish::AtLeast(3);
    named.ask("canary", wish).await.expect("it is scaled");
    assert_eq!(replicas(&namespace, "new"), 3);

    let error = stacks(&namespace, lookup(), &[]).await.read("canary").await;
    says(&error.expect_err("no such label"), "backends.canary.deployment");
}

#[tokio::test]
async fn two_deployments_behind_one_service_are_counted_apart_and_scaled_by_nobody_else() {
    let Some(cluster) = Cluster::shared() else { return };
    let namespace = cluster.namespace("stack-ratio");
    namespace.deployment("web-blue", "app=web,version=blue", 3);
    namespace.deployment("web-green", "app=web,version=green", 1);
    namespace.service("web", "app=web");
    let lookup = Lookup::Deployment {
        service: "web".to_owned(),
    };
    let stacks = stacks(&namespace, lookup, &[]).await;

    let blue = until_stack(&stacks, "web-blue", |stack| stack.ready == 3).await;
    until_stack(&stacks, "web-green", |stack| stack.ready == 1).await;
    assert!(blue.follows_share);
    let wish = rollgate::providers::stacks::Wish::AtLeast(9);
    assert_eq!(stacks.ask("web-green", wish).await.expect("an answer"), None);
}

#[tokio::test]
async fn a_service_without_a_selector_is_taken_as_it_is() {
    let Some(cluster) = Cluster::shared() else { return };
    let namespace = cluster.namespace("stack-bare");
    namespace.service_at("web", std::net::Ipv4Addr::new(10, 1, 2, 3), 80);
    let stacks = by_service(&namespace).await;

    let stack = stacks.read("web").await.expect("a stack");
    assert_eq!((stack.ready, stack.wanted), (1, 1));
    let wish = rollgate::providers::stacks::Wish::AtLeast(2);
    let error = stacks.ask("web", wish).await.expect_err("nothing to scale");
    says(&error, "Service web has no selector");
    says(&error, "backends.web.deployment");
}
