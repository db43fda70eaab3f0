//! What beds of Kubernetes objects have in common.

use serde_json::{Value, json};

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
