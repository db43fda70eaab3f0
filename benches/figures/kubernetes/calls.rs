//! How many requests the API server has had, by its own count (`apiserver_request_total`).
//!
//! Counted are GET, LIST and PATCH of whole objects of the kinds that a rollback or a look touches. Controllers watch,
//! and write to other verbs or to `status`: while a namespace stands still they add nothing.
//!
//! Source: <https://kubernetes.io/docs/reference/instrumentation/metrics/>

use reqwest::Method;

use crate::support::kube::Cluster;

const KINDS: [&str; 7] = [
    "httproutes",
    "services",
    "endpointslices",
    "deployments",
    "replicasets",
    "horizontalpodautoscalers",
    "pods",
];
const VERBS: [&str; 3] = ["GET", "LIST", "PATCH"];

/// Since the API server began.
pub(crate) fn calls(cluster: &Cluster) -> u64 {
    let page = cluster.api.send(Method::GET, "/metrics", "", "");
    let page = page.expect("the metrics of the API server");
    let page = page.as_str().expect("text");
    let counted = |line: &str| -> Option<u64> {
        let (labels, count) = line.strip_prefix("apiserver_request_total{")?.split_once("} ")?;
        let has = |name: &str, values: &[&str]| {
            values
                .iter()
                .any(|value| labels.contains(&format!("{name}=\"{value}\"")))
        };
        let counts = has("resource", &KINDS) && has("verb", &VERBS) && has("subresource", &[""]);
        counts.then(|| count.parse().expect("a count"))
    };
    page.lines().filter_map(counted).sum()
}
