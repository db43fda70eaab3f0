//! What beds of Kubernetes objects have in common.

use serde_json::{Value, json};

use crate::support::kube::Namespace;

const RECORD: &str = "rollgate.dev/record";

/// An object without what the API server, controllers and a rollout may change for good.
pub(super) fn quiet(mut object: Value) -> Value {
    let top = object.as_object_mut().expect("an object");
    top.remove("status");
    let metadata = object["metadata"].as_object_mut().expect("metadata");
    for key in [
        "managedFields",
        "resourceVersion",
        "generation",
        "uid",
        "creationTimestamp",
    ] {
        metadata.remove(key);
    }
    if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
        annotations.retain(|name, _| !name.starts_with("rollgate.dev/"));
        if annotations.is_empty() {
            metadata.remove("annotations");
        }
    }
    object
}

/// The merge patch of a person who edits the record, with a letter by which the API server finds a text different
/// from itself.
pub(super) fn edited(object: &Value) -> Value {
    let text = object["metadata"]["annotations"][RECORD].as_str();
    let text = text
        .expect("a record")
        .replacen("\"shop-api\"", "\"<shop-api>\"", 1);
    json!({ "metadata": { "annotations": { RECORD: text } } })
}

/// Deployments of two pods and Services of these names, ready.
pub(super) fn deploy(namespace: &Namespace<'_>, names: [&str; 2]) {
    for name in names {
        let pods = format!("app=web,version={name}");
        namespace.deployment(name, &pods, 2);
        namespace.service(name, &pods);
    }
    for name in names {
        namespace.wait_ready(name);
        namespace.wait_endpoints(name, 2);
    }
}
