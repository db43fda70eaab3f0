use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{
    kube::{Cluster, Link},
    servers::until,
};

#[test]
fn a_deployment_of_three_gets_three_endpoints() {
    let Some(cluster) = Cluster::shared() else { return };
    let namespace = cluster.namespace("deployment");
    namespace.deployment("web-blue", "app=web,version=blue", 3);
    namespace.service("web", "app=web");

    namespace.wait_ready("web-blue");
    namespace.wait_endpoints("web", 3);

    assert_eq!(namespace.list("Pod", "version=blue").len(), 3);
    let table = namespace.kubectl(&["get", "deployment", "web-blue"]);
    assert!(table.contains("3/3"), "{table}");
}

#[test]
fn a_scaled_deployment_follows_and_its_endpoints_too() {
    let Some(cluster) = Cluster::shared() else { return };
    let namespace = cluster.namespace("scale");
    namespace.deployment("web", "app=web", 1);
    namespace.service("web", "app=web");
    namespace.wait_ready("web");

    namespace.patch("Deployment", "web", &json!({ "spec": { "replicas": 4 } }));
    namespace.wait_ready("web");
    namespace.wait_endpoints("web", 4);

    namespace.patch("Deployment", "web", &json!({ "spec": { "replicas": 0 } }));
    namespace.wait_endpoints("web", 0);
}

#[test]
fn an_autoscaler_is_an_object_like_any_other() {
    let Some(cluster) = Cluster::shared() else { return };
    let namespace = cluster.namespace("autoscaler");
    namespace.deployment("web", "app=web", 2);
    namespace.apply(
        "
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: { name: web }
spec:
  scaleTargetRef: { apiVersion: apps/v1, kind: Deployment, name: web }
  minReplicas: 2
  maxReplicas: 5
",
    );

    assert_eq!(
        namespace.get("HorizontalPodAutoscaler", "web")["spec"]["minReplicas"],
        2
    );
    // Its controller has seen it: it says that nobody measures.
    until("the controller says something", Duration::from_secs(60), || {
        let autoscaler = namespace.get("HorizontalPodAutoscaler", "web");
        autoscaler["status"]["conditions"].as_array().map(|_| ())
    });
}

#[test]
fn a_user_may_do_what_the_role_says_and_nothing_else() {
    let Some(cluster) = Cluster::shared() else { return };
    let namespace = cluster.namespace("user");
    namespace.deployment("web", "app=web", 0);
    let rules = json!([{ "apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get"] }]);
    let reader = namespace.user("reader", &rules).api();
    let here = Some(namespace.name.as_str());

    assert!(reader.get("Deployment", here, "web").is_ok());
    let change = json!({ "spec": { "replicas": 1 } });
    let refused = reader
        .patch("Deployment", here, "web", &change)
        .expect_err("a refusal");
    assert_eq!(refused.status, 403);
    assert!(
        refused.message.contains("cannot patch resource \"deployments\""),
        "{refused:?}"
    );
    let elsewhere = reader
        .get("Deployment", Some("default"), "web")
        .expect_err("a refusal");
    assert_eq!(elsewhere.status, 403);
}

#[test]
fn a_deleted_user_is_nobody() {
    let Some(cluster) = Cluster::shared() else { return };
    let namespace = cluster.namespace("deleted-user");
    let rules = json!([{ "apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"] }]);
    let user = namespace.user("leaver", &rules).api();
    let here = Some(namespace.name.as_str());
    assert!(user.list("ConfigMap", here, "").is_ok());

    namespace.delete("ServiceAccount", "leaver");

    // The API server remembers a good token for ten seconds.
    until("the token is refused", Duration::from_secs(60), || {
        let answer = user.list("ConfigMap", here, "");
        answer.is_err_and(|refused| refused.status == 401).then_some(())
    });
}

#[test]
fn the_kinds_of_all_routers_are_there() {
    let Some(cluster) = Cluster::shared() else { return };
    let namespace = cluster.namespace("kinds");
    namespace.apply(
        "
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: web }
spec: { rules: [{ backendRefs: [{ name: web-blue, port: 80, weight: 100 }] }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: web }
spec: { hosts: [web], http: [{ route: [{ destination: { host: web-blue }, weight: 100 }] }] }
---
apiVersion: projectcontour.io/v1
kind: HTTPProxy
metadata: { name: web }
spec: { virtualhost: { fqdn: web.test }, routes: [{ services: [{ name: web-blue, port: 80, weight: 100 }] }] }
",
    );

    for kind in ["HTTPRoute", "VirtualService", "HTTPProxy"] {
        assert_eq!(namespace.get(kind, "web")["metadata"]["name"], "web", "{kind}");
    }
    let refused = namespace.refused(
        "
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: bad }
spec: { rules: [{ backendRefs: [{ name: web-blue, port: 80, weight: -1 }] }] }
",
    );
    assert!(refused.message.contains("weight"), "{refused:?}");
    assert!(namespace.find("HTTPRoute", "bad").is_none());
}

#[test]
fn a_link_can_be_cut_delayed_and_restored() {
    let Some(cluster) = Cluster::shared() else { return };
    let link = Link::to(&cluster.address);
    let user = cluster.namespace("link").admin();
    let version = || {
        let kubectl = crate::support::require("kubectl").expect("kubectl");
        let mut command = std::process::Command::new(kubectl);
        command.args(["get", "--raw=/version", "--request-timeout=1s", "--kubeconfig"]);
        command.arg(user.kubeconfig_at(&link.address));
        command.output().is_ok_and(|output| output.status.success())
    };

    assert!(version());
    link.cut();
    assert!(!version());
    link.silence();
    assert!(!version());
    link.delay(Duration::from_millis(100));
    let began = Instant::now();
    assert!(version());
    assert!(
        began.elapsed() >= Duration::from_millis(400),
        "{:?}",
        began.elapsed()
    );
    link.restore();
    assert!(version());
}

#[test]
fn an_api_server_that_comes_back_has_kept_everything() {
    let Some(cluster) = Cluster::private() else {
        return;
    };
    cluster.namespace("kept");

    cluster.stop_api_server();
    let refused = cluster
        .api
        .get("Namespace", None, "kept-0")
        .expect_err("nobody answers");
    assert_eq!(refused.status, 0);

    assert!(cluster.start_api_server());
    assert!(cluster.api.get("Namespace", None, "kept-0").is_ok());
}
