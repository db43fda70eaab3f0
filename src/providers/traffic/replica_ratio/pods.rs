//! The two Deployments: read, and scaled by whoever has written the record last.

use std::collections::BTreeMap;

use anyhow::bail;
use k8s_openapi::api::apps::v1::Deployment;
use kube::{
    api::ApiResource,
    core::{Selector, SelectorExt as _},
};
use rollgate_domain::rollout::record::Record;
use serde_json::{Value, json};

use super::{ReplicaRatio, counts::Size};
use crate::providers::{
    stacks::kubernetes::{own_pods, template_labels, trouble},
    traffic::{
        WriteError,
        routed_object::{RoutedObject, add, test},
    },
};

/// Who scaled last: `GENERATION.SEQUENCE` of the record.
const WRITER: &str = "rollgate.dev/writer";

/// Its place in the object, as JSON Patch writes it.
const WRITER_PATH: &str = "/metadata/annotations/rollgate.dev~1writer";

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
    pub(super) fn patch(&self, count: u32, record: &Record) -> Vec<Value> {
        let mut patch = vec![test("/spec/replicas", &json!(self.size.wanted))];
        if self.annotations.is_some() {
            patch.push(test(WRITER_PATH, &json!(self.writer())));
        } else {
            patch.push(test("/metadata/annotations", &Value::Null));
            patch.push(add("/metadata/annotations", &json!({})));
        }
        patch.push(add(WRITER_PATH, &json!(claim(record))));
        if count != self.size.wanted {
            patch.push(add("/spec/replicas", &json!(count)));
        }
        patch
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
                "{} does not select the pods of Deployment {name}: its selector is {selector}; leave out what \
                 tells the two versions apart",
                self.object.words()
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

    /// Scales a Deployment in the name of `record`.
    pub(super) async fn scale(&self, pods: &Pods, count: u32, record: &Record) -> Result<(), WriteError> {
        let resource = ApiResource::erase::<Deployment>(&());
        let object = RoutedObject::new(self.cluster.clone(), &resource, &self.namespace, &pods.name);
        object.patch(&pods.patch(count, record), false).await.map(drop)
    }
}
