//! The record in an annotation of a Kubernetes object, and patches that hold only while it is the one that was read.
//!
//! A JSON Patch that tests our own annotation, and not the object's version: whoever writes something else into the
//! object, fifty times a second, is no conflict.
//!
//! Source: <https://kubernetes.io/docs/reference/using-api/api-concepts/#patch-and-apply>

use std::fmt::Debug;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use rollgate_domain::rollout::record::{Record, Unreadable};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::WriteError;

/// Where the record stands.
pub(super) const RECORD: &str = "rollgate.dev/record";

/// As whom we are named in an object's `managedFields`.
pub(super) const MANAGER: &str = "rollgate";

/// Sends a JSON Patch; the object afterwards.
///
/// # Errors
///
/// As the client has them.
pub(in crate::providers) async fn send<K>(api: &Api<K>, name: &str, patch: Value) -> kube::Result<K>
where
    K: Clone + DeserializeOwned + Debug,
{
    let params = PatchParams {
        field_manager: Some(MANAGER.to_owned()),
        ..PatchParams::default()
    };
    let patch = serde_json::from_value(patch).map_err(kube::Error::SerdeError)?;
    api.patch(name, &params, &Patch::Json::<()>(patch)).await
}

/// What an object's annotations held when it was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Held {
    /// The text of the record.
    record: Option<String>,
    /// Whether there was a map of annotations at all.
    any: bool,
    /// The object's version, for a text that no test can compare.
    version: String,
}

impl Held {
    pub(super) fn of(metadata: &ObjectMeta) -> Self {
        let annotations = metadata.annotations.as_ref();
        Self {
            record: annotations.and_then(|annotations| annotations.get(RECORD).cloned()),
            any: annotations.is_some(),
            version: metadata.resource_version.clone().unwrap_or_default(),
        }
    }

    /// The record, if there is one.
    pub(super) fn record(&self) -> Result<Option<Record>, Unreadable> {
        self.record.as_deref().map(Record::decode).transpose()
    }

    /// Whether it is this record's text.
    pub(super) fn is(&self, record: &Record) -> bool {
        self.record.as_ref() == Some(&record.encode())
    }

    /// Operations that test that the record is still the one that was read, and write `record`.
    pub(super) fn write(&self, record: &Record) -> Vec<Value> {
        let mut patch = match &self.record {
            None if !self.any => vec![
                json!({ "op": "test", "path": "/metadata/annotations", "value": null }),
                json!({ "op": "add", "path": "/metadata/annotations", "value": {} }),
            ],
            // The API server escapes these, and finds the text different from itself. None of ours has any.
            Some(text) if text.contains(['<', '>', '&', '\u{2028}', '\u{2029}']) => {
                vec![json!({ "op": "test", "path": "/metadata/resourceVersion", "value": self.version })]
            }
            // A test for null holds where there is nothing.
            text => vec![json!({ "op": "test", "path": path(RECORD), "value": text })],
        };
        patch.push(json!({ "op": "add", "path": path(RECORD), "value": record.encode() }));
        patch
    }

    /// Whether the object holds now what it held then, whatever else was written into it.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.record == other.record
    }
}

/// The JSON Pointer of an annotation.
pub(super) fn path(annotation: &str) -> String {
    format!("/metadata/annotations/{}", escaped(annotation))
}

/// A key as a part of a JSON Pointer. Source: RFC 6901, section 3.
pub(super) fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// Why a patch did not happen. A `test` that fails is called invalid, as is an object that would not be valid, and
/// only the latter has causes: whoever gets [`WriteError::Conflict`] reads again to tell for sure.
pub(super) fn write_error(error: kube::Error) -> WriteError {
    let kube::Error::Api(status) = &error else {
        return WriteError::Unreachable(error.into());
    };
    let has_causes = status
        .details
        .as_ref()
        .is_some_and(|details| !details.causes.is_empty());
    match status.code {
        409 => WriteError::Conflict,
        422 if !has_causes => WriteError::Conflict,
        429 | 500.. => WriteError::Unreachable(error.into()),
        _ => WriteError::Rejected(status.message.clone()),
    }
}
