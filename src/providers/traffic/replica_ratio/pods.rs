//! The two Deployments: read, and scaled by whoever has written the record last.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail};
use k8s_openapi::api::apps::v1::Deployment;
use kube::core::{Selector, SelectorExt as _};
use rollgate_domain::rollout::record::Record;
use serde_json::{Value, json};

use super::{ReplicaRatio, counts::Size};
use crate::providers::{
    stacks::kubernetes::{own_pods, template_labels, trouble},
    traffic::annotation,
};

/// Who scaled last: `GENERATION.SEQUENCE` of the record.
pub(super) const WRITER: &str = "rollgate.dev/writer";

/// One version's Deployment.
#[derive(Clone, Debug)]
pub(super) struct Pods {
    pub(super) name: String,
    pub(super) size: Size,
    /// Why some are not ready, in words.
    pub(super) trouble: Option<String>,
    /// Who scales it besides us.
    pub(super) autoscaler: Option<String>,
    /// Its annotations; none where it has no map of them, or is not there.
    annotations: Option<BTreeMap<String, String>>,
    pub(super) is_there: bool,
}

impl Pods {
    fn writer(&self) -> Option<&str> {
        self.annotations.as_ref()?.get(WRITER).map(String::as_str)
    }

    /// Whether `record` has claimed it.
    pub(super) fn is_claimed_by(&self, record: &Record) -> bool {
        !self.is_there || self.writer() == Some(claim(record).as_str())
    }

    /// The patch that asks for `count` pods in the name of `record`, while it is as it was read.
    pub(super) fn patch(&self, count: u32, record: &Record) -> Value {
        let mut patch = vec![json!({ "op": "test", "path": "/spec/replicas", "value": self.size.wanted })];
        if self.annotations.is_some() {
            patch.push(json!({ "op": "test", "path": annotation::path(WRITER), "value": self.writer() }));
        } else {
            patch.push(json!({ "op": "test", "path": "/metadata/annotations", "value": null }));
            patch.push(json!({ "op": "add", "path": "/metadata/annotations", "value": {} }));
        }
        patch.push(json!({ "op": "add", "path": annotation::path(WRITER), "value": claim(record) }));
        if count != self.size.wanted {
            patch.push(json!({ "op": "replace", "path": "/spec/replicas", "value": count }));
        }
        Value::Array(patch)
    }
}

fn claim(record: &Record) -> String {
    format!("{}.{}", record.generation, record.sequence)
}

impl ReplicaRatio {
    /// A Deployment whose pods the Service selects. One that is gone has no pods.
    pub(super) async fn pods(&self, name: &str, service: &BTreeMap<String, String>) -> anyhow::Result<Pods> {
        let Some(deployment) = self.stacks.get::<Deployment>(name).await? else {
            return Ok(Pods {
                name: name.to_owned(),
                size: Size { wanted: 0, ready: 0 },
                trouble: None,
                autoscaler: None,
                annotations: None,
                is_there: false,
            });
        };
        let mut selector: Selector = service.clone().into_iter().collect();
        if !selector.matches(&template_labels(&deployment)) {
            bail!(
                "Service {}/{} does not select the pods of Deployment {name}: its selector is {selector}; leave out what \
                 tells the two versions apart",
                self.namespace,
                self.service
            );
        }
        selector.extend(own_pods(&deployment)?);
        let all = self.stacks.pods(&selector).await?;
        let ready = all.iter().filter(|pod| trouble::is_ready(pod)).count();
        let wanted = deployment
            .spec
            .as_ref()
            .and_then(|spec| spec.replicas)
            .unwrap_or(1);
        let autoscaler = self.stacks.autoscaler_of(name).await?;
        Ok(Pods {
            name: name.to_owned(),
            size: Size {
                wanted: u32::try_from(wanted).unwrap_or(0),
                ready: u32::try_from(ready).unwrap_or(u32::MAX),
            },
            trouble: trouble::of_pods(&all),
            autoscaler: autoscaler.and_then(|autoscaler| autoscaler.metadata.name),
            annotations: deployment.metadata.annotations,
            is_there: true,
        })
    }

    /// Scales a Deployment in the name of `record`; false if somebody else wrote it in between.
    pub(super) async fn scale(&self, pods: &Pods, count: u32, record: &Record) -> anyhow::Result<bool> {
        let api = self.stacks.api::<Deployment>();
        match annotation::send(&api, &pods.name, pods.patch(count, record)).await {
            Ok(_) => Ok(true),
            Err(kube::Error::Api(status)) if matches!(status.code, 409 | 422) => Ok(false),
            Err(error) => Err(error)
                .with_context(|| format!("scale Deployment {}/{} to {count}", self.namespace, pods.name)),
        }
    }
}
