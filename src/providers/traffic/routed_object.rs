//! A Kubernetes object that splits traffic and holds the record: read whole, changed by one JSON Patch.
//!
//! The patch begins with `test`s of what it relies on and changes nothing else: whoever writes to other fields of the
//! object, as the router's controller does, is no conflict.
//!
//! Source: <https://kubernetes.io/docs/reference/using-api/api-concepts/#patch-and-apply>

use std::fmt::Display;

use anyhow::Context as _;
use kube::{
    Api,
    api::{ApiResource, DynamicObject, Patch, PatchParams},
};
use rollgate_domain::rollout::record::{Record, Unreadable};
use serde_json::{Value, json};

use super::WriteError;
use crate::providers::cluster::{Cluster, Kind, Trouble};

/// The annotation that holds the record.
pub(super) const RECORD: &str = "rollgate.dev/record";

/// Its place in the object, as JSON Patch writes it.
const RECORD_PATH: &str = "/metadata/annotations/rollgate.dev~1record";

/// As whom we stand in an object's `managedFields`.
pub(super) const MANAGER: &str = "rollgate";

/// Signs that the API server escapes: it finds a text with one of them different from itself, and a test of it never
/// holds. A record of ours has none.
const ESCAPED: [char; 5] = ['<', '>', '&', '\u{2028}', '\u{2029}'];

/// Where an object is.
pub(in crate::providers) struct RoutedObject {
    cluster: Cluster,
    /// All of its kind in its namespace.
    all: Api<DynamicObject>,
    name: String,
    /// Its kind and its name, for people.
    words: String,
}

impl RoutedObject {
    pub(in crate::providers) fn new(
        cluster: Cluster,
        resource: &ApiResource,
        namespace: &str,
        name: &str,
    ) -> Self {
        Self {
            all: Api::namespaced_with(cluster.client(), namespace, resource),
            cluster,
            name: name.to_owned(),
            words: format!("{} {namespace}/{name}", resource.kind),
        }
    }

    /// Its kind and its name, for people.
    pub(super) fn words(&self) -> &str {
        &self.words
    }

    /// The whole object.
    ///
    /// # Errors
    ///
    /// A [`Trouble`] with its context.
    pub(super) async fn get(&self) -> anyhow::Result<Value> {
        let answer = self.value(self.all.get(&self.name).await);
        answer.with_context(|| format!("read {}", self.words))
    }

    /// The object after `operations`; none of them is done unless all are. `rehearse`: the API server says what it
    /// would do, and does not.
    ///
    /// # Errors
    ///
    /// [`WriteError::Conflict`]: one of the tests does not hold.
    pub(in crate::providers) async fn patch(
        &self,
        operations: &[Value],
        rehearse: bool,
    ) -> Result<Value, WriteError> {
        let params = PatchParams {
            dry_run: rehearse,
            field_manager: Some(MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let patch = serde_json::from_value(Value::from(operations))
            .map(Patch::<()>::Json)
            .map_err(|error| WriteError::Rejected(format!("not a JSON Patch: {error}")))?;
        let trouble = match self.value(self.all.patch(&self.name, &params, &patch).await) {
            Ok(object) => return Ok(object),
            Err(trouble) => trouble,
        };
        let told = format!("change {}: {trouble}", self.words);
        match trouble.kind {
            Kind::Conflict => Err(WriteError::Conflict),
            // A test that fails and an object that is not valid get the same answer.
            Kind::Invalid => {
                let now = self.get().await.map_err(WriteError::Unreachable)?;
                Err(if holds(operations, &now) {
                    WriteError::Rejected(told)
                } else {
                    WriteError::Conflict
                })
            }
            Kind::Missing | Kind::Forbidden | Kind::Refused => Err(WriteError::Rejected(told)),
            Kind::Unreachable => Err(WriteError::Unreachable(
                anyhow::Error::new(trouble).context(format!("change {}", self.words)),
            )),
        }
    }

    fn value(&self, answer: kube::Result<DynamicObject>) -> Result<Value, Trouble> {
        answer
            .and_then(|object| serde_json::to_value(object).map_err(kube::Error::SerdeError))
            .map_err(|error| self.cluster.trouble(&error))
    }
}

/// The record's text, none where there was never a rollout.
pub(super) fn text(object: &Value) -> Option<&str> {
    object["metadata"]["annotations"][RECORD].as_str()
}

/// The record.
pub(super) fn record(object: &Value) -> Result<Option<Record>, Unreadable> {
    text(object).map(Record::decode).transpose()
}

/// The candidate that the record names. One that cannot be trusted any more, because it was edited or is newer, still
/// says who it was.
pub(super) fn candidate(object: &Value) -> Option<String> {
    let mut values = serde_json::Deserializer::from_str(text(object)?).into_iter::<Value>();
    let record = values.next()?.ok()?;
    record["candidate"]["backend"].as_str().map(str::to_owned)
}

/// Stable and candidate of the plan's two backends: as the record says, which may be one that cannot be read; else in
/// the plan's order.
pub(super) fn roles<'b>(object: &Value, [first, second]: &'b [String; 2]) -> (&'b String, &'b String) {
    if candidate(object).is_some_and(|candidate| candidate == *first) {
        (second, first)
    } else {
        (first, second)
    }
}

/// The operations that put the record `becomes` (none: no record) in the place of the one in `object`, if it is still
/// that one.
pub(super) fn put_record(object: &Value, becomes: Option<&str>) -> Vec<Value> {
    let mut operations = Vec::new();
    let version = &object["metadata"]["resourceVersion"];
    if text(object).is_some_and(|text| text.contains(ESCAPED)) {
        operations.push(test("/metadata/resourceVersion", version));
    } else if object["metadata"]["annotations"].is_object() {
        operations.push(test(RECORD_PATH, &json!(text(object))));
    } else {
        operations.push(test("/metadata/annotations", &Value::Null));
        operations.push(add("/metadata/annotations", &json!({})));
    }
    match becomes {
        Some(becomes) => operations.push(add(RECORD_PATH, &json!(becomes))),
        None if text(object).is_some() => operations.push(json!({ "op": "remove", "path": RECORD_PATH })),
        None => {}
    }
    operations
}

/// The condition that `path` has `value`; null: that there is nothing.
pub(super) fn test(path: &str, value: &Value) -> Value {
    json!({ "op": "test", "path": path, "value": value })
}

/// Makes `path`, a field or a place in a list (`-`: the end), have `value`.
pub(super) fn add(path: &str, value: &Value) -> Value {
    json!({ "op": "add", "path": path, "value": value })
}

/// Takes a place out of a list.
pub(super) fn remove(path: &str) -> Value {
    json!({ "op": "remove", "path": path })
}

/// Whether every test of a patch holds for `object`.
fn holds(operations: &[Value], object: &Value) -> bool {
    let mut tests = operations.iter().filter(|operation| operation["op"] == "test");
    tests.all(|test| {
        let path = test["path"].as_str().unwrap_or_default();
        object.pointer(path).unwrap_or(&Value::Null) == &test["value"]
    })
}

/// The patches that write these records one after the other, as a dry run prints them, each of what the one before
/// leaves. `patch`: of an object as it is then.
pub(super) fn describe<R, E: Display>(
    words: &str,
    mut object: Value,
    records: &[&R],
    mut patch: impl FnMut(&Value, &R) -> Result<Vec<Value>, E>,
) -> Vec<String> {
    let mut text = |record: &&R| {
        let operations = patch(&object, record).map_err(|error| error.to_string())?;
        let text = print(words, &operations);
        object = after(&object, &operations).map_err(|error| error.to_string())?;
        Ok(text)
    };
    let refused = |why: String| format!("would change nothing in {words}: {why}\n");
    records
        .iter()
        .map(|record| text(record).unwrap_or_else(refused))
        .collect()
}

/// What `operations` make of an object whose tests hold.
///
/// # Errors
///
/// One of them changes a place that is not there.
pub(super) fn after(object: &Value, operations: &[Value]) -> anyhow::Result<Value> {
    let changes = operations.iter().filter(|operation| operation["op"] != "test");
    let patch: json_patch::Patch = serde_json::from_value(changes.cloned().collect())?;
    let mut object = object.clone();
    json_patch::patch(&mut object, &patch)?;
    Ok(object)
}

/// A patch as a dry run prints it: an operation in each line.
pub(in crate::providers) fn print(words: &str, operations: &[Value]) -> String {
    let lines: Vec<_> = operations.iter().map(|line| format!("  {line}")).collect();
    format!("would patch {words}:\n[\n{}\n]\n", lines.join(",\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_put_only_in_the_place_of_the_one_that_was_read() {
        let object = json!({ "metadata": { "annotations": { RECORD: "old", "other": "kept" } } });
        let patch = put_record(&object, Some("new"));
        insta::assert_snapshot!(print("Thing shop/web", &patch), @r#"
        would patch Thing shop/web:
        [
          {"op":"test","path":"/metadata/annotations/rollgate.dev~1record","value":"old"},
          {"op":"add","path":"/metadata/annotations/rollgate.dev~1record","value":"new"}
        ]
        "#);
        assert!(holds(&patch, &object));
        assert!(!holds(
            &patch,
            &json!({ "metadata": { "annotations": { RECORD: "newer" } } })
        ));
    }

    #[test]
    fn a_dry_run_of_two_writes_shows_the_second_as_the_first_leaves_the_object() {
        let object = json!({ "metadata": {}, "list": [1, 2] });
        let records = [&"first", &"second"];
        let mut left = Vec::new();
        let texts = describe("Thing shop/web", object.clone(), &records, |now, _| {
            left.push(now.clone());
            let mut patch = put_record(now, Some("new"));
            patch.extend([remove("/list/0"), add("/list/-", &json!(3))]);
            Ok::<_, WriteError>(patch)
        });
        assert_eq!(left[0], object);
        let second = json!({ "metadata": { "annotations": { RECORD: "new" } }, "list": [2, 3] });
        assert_eq!(left[1], second);
        insta::assert_snapshot!(texts[1], @r#"
        would patch Thing shop/web:
        [
          {"op":"test","path":"/metadata/annotations/rollgate.dev~1record","value":"new"},
          {"op":"add","path":"/metadata/annotations/rollgate.dev~1record","value":"new"},
          {"op":"remove","path":"/list/0"},
          {"op":"add","path":"/list/-","value":3}
        ]
        "#);
        let refused = describe("Thing shop/web", object, &records[..1], |_, _| {
            Err("it is closed")
        });
        assert_eq!(
            refused,
            ["would change nothing in Thing shop/web: it is closed\n"]
        );
    }

    #[test]
    fn a_text_that_no_test_can_compare_is_held_by_the_objects_version() {
        let text = "edited: p95 > 200ms";
        let object = json!({ "metadata": { "resourceVersion": "7", "annotations": { RECORD: text } } });
        let patch = put_record(&object, Some("new"));
        assert_eq!(patch[0], test("/metadata/resourceVersion", &json!("7")));
        assert_eq!(patch.len(), 2);
    }

    #[test]
    fn the_first_record_takes_nobodys_annotations_away() {
        let bare = json!({ "metadata": {} });
        let patch = put_record(&bare, Some("new"));
        insta::assert_snapshot!(print("Thing shop/web", &patch), @r#"
        would patch Thing shop/web:
        [
          {"op":"test","path":"/metadata/annotations","value":null},
          {"op":"add","path":"/metadata/annotations","value":{}},
          {"op":"add","path":"/metadata/annotations/rollgate.dev~1record","value":"new"}
        ]
        "#);
        assert!(holds(&patch, &bare));
        assert!(!holds(
            &patch,
            &json!({ "metadata": { "annotations": { "other": "new" } } })
        ));
    }
}
