//! The team's own manifests: YAML or JSON files in a folder, and what the cluster keeps of the last `kubectl apply`.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use kube::{
    Api, ResourceExt as _,
    api::{ApiResource, DynamicObject, GroupVersionKind},
};
use serde_json::Value;

use super::cluster::Cluster;

/// Where `kubectl apply` keeps what it applied; Argo CD writes it too.
/// Source: <https://kubernetes.io/docs/reference/labels-annotations-taints/#kubectl-kubernetes-io-last-applied-configuration>
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// A manifest is smaller; so are a thousand of them.
const LARGEST: u64 = 4 << 20;

/// What a folder holds.
#[derive(Debug, Default)]
pub struct Folder {
    /// Every object with its file.
    pub objects: Vec<(PathBuf, Value)>,
    /// Files that are no manifests as they stand, such as templates, and why.
    pub unread: Vec<String>,
}

/// Reads every `.yaml`, `.yml` and `.json` file in `folder` and below, in order. Lists are taken apart.
///
/// # Errors
///
/// The folder, or a file in it, cannot be read.
pub fn in_folder(folder: &Path) -> anyhow::Result<Folder> {
    let mut found = Folder::default();
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries =
            std::fs::read_dir(&folder).with_context(|| format!("read the folder {}", folder.display()))?;
        for entry in entries {
            let entry = entry.with_context(|| format!("read the folder {}", folder.display()))?;
            // A link could lead round in a circle.
            let kind = entry
                .file_type()
                .with_context(|| format!("look at {}", entry.path().display()))?;
            let path = entry.path();
            let is_manifest = path
                .extension()
                .is_some_and(|end| ["yaml", "yml", "json"].iter().any(|known| end == *known));
            if kind.is_dir() {
                folders.push(path);
            } else if is_manifest {
                files.push(path);
            }
        }
    }
    files.sort();
    for path in files {
        let read = || format!("read {}", path.display());
        let size = std::fs::metadata(&path).with_context(read)?.len();
        ensure!(
            size <= LARGEST,
            "{} has {size} bytes, too many for a manifest",
            path.display()
        );
        let text = std::fs::read_to_string(&path).with_context(read)?;
        match serde_saphyr::from_multiple::<Value>(&text) {
            Ok(documents) => {
                let objects = documents.into_iter().flat_map(apart);
                found.objects.extend(objects.map(|object| (path.clone(), object)));
            }
            Err(error) => {
                let first = error.to_string();
                let first = first.lines().next().unwrap_or_default().to_owned();
                found.unread.push(format!("{}: {first}", path.display()));
            }
        }
    }
    Ok(found)
}

/// The objects of a `List`, or the one object.
fn apart(document: Value) -> Vec<Value> {
    match &document["items"] {
        Value::Array(items)
            if document["kind"]
                .as_str()
                .is_some_and(|kind| kind.ends_with("List")) =>
        {
            items.clone()
        }
        _ => vec![document],
    }
}

/// What was last applied to an object of the cluster, where the cluster keeps it.
///
/// # Errors
///
/// The object cannot be read, or what is kept is no JSON.
pub async fn last_applied(
    cluster: &Cluster,
    kind: &GroupVersionKind,
    namespace: &str,
    name: &str,
) -> anyhow::Result<Option<Value>> {
    let resource = ApiResource::from_gvk(kind);
    let objects = Api::<DynamicObject>::namespaced_with(cluster.client(), namespace, &resource);
    let what = || {
        format!(
            "read what was last applied to {} {name} in {namespace}",
            kind.kind
        )
    };
    let Some(object) = objects.get_opt(name).await.with_context(what)? else {
        return Ok(None);
    };
    let kept = object.annotations().get(LAST_APPLIED);
    kept.map(|text| serde_json::from_str(text).with_context(what))
        .transpose()
}
