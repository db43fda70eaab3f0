//! What is left of a version: its objects, its pods' use, the namespace's events, its containers' logs.
//!
//! Named GETs and LISTs by the version's own labels, and nothing but reads. Secrets and ConfigMaps are never asked for.
//!
//! Source: <https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#get-read-log-of-the-specified-pod>,
//! <https://kubernetes.io/docs/tasks/debug/debug-cluster/resource-metrics-pipeline/>

use std::pin::Pin;

use anyhow::{Context as _, anyhow};
use futures_util::io::AsyncBufRead;
use k8s_openapi::api::{
    apps::v1::{Deployment, ReplicaSet},
    core::v1::{Event, Pod, Service},
};
use kube::{
    Api, ResourceExt as _,
    api::{ApiResource, DynamicObject, GroupVersionKind, ListParams, LogParams},
    core::Selector,
};
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    Kubernetes, Lookup,
    find::{Backend, own_pods},
    missing_workers,
};
use crate::providers::{
    cluster::Kind,
    stacks::{Found, Log, Trace, Traces},
};

/// An annotation that repeats the whole object, with every value in it.
const APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

#[async_trait::async_trait]
impl Traces for Kubernetes {
    async fn of(&self, backend: &str) -> Found {
        let mut found = Found::default();
        let service = match &self.lookup {
            Lookup::Service => backend,
            Lookup::Selector { service, .. }
            | Lookup::Subset { service }
            | Lookup::Deployment { service } => service,
        };
        let object = self.get::<Service>(service).await;
        let object =
            object.and_then(|object| object.with_context(|| format!("there is no Service {service}")));
        self.keep(&mut found, "service", service, object);
        let serving = self.serving(backend).await;
        let pods = match &serving {
            Ok(serving) => own_pods(serving).map(Some),
            // Whoever may not read Deployments may still be let see the pods.
            Err(_) => self.backend(backend).await.map(|backend| backend.pods),
        };
        self.deployment_and_its_own(&mut found, backend, serving).await;
        if let Ok(Some(pods)) = pods {
            self.pods_and_their_use(&mut found, backend, &pods).await;
        }
        if let Some(workers) = self.named_workers(backend) {
            let object = self.get::<Deployment>(workers).await;
            let object = object.and_then(|object| object.with_context(|| missing_workers(workers, backend)));
            let pods = object.as_ref().ok().and_then(|object| own_pods(object).ok());
            self.deployment_and_its_own(&mut found, workers, object).await;
            if let Some(pods) = pods {
                self.pods_and_their_use(&mut found, workers, &pods).await;
            }
        }
        found
    }

    async fn events(&self) -> anyhow::Result<Vec<String>> {
        let mut events: Vec<Event> = self.list(&Selector::default()).await?;
        events.sort_by_key(moment);
        Ok(events.iter().map(line).collect())
    }

    async fn log(&self, log: &Log) -> anyhow::Result<Pin<Box<dyn AsyncBufRead + Send>>> {
        let Log {
            pod,
            container,
            previous,
        } = log;
        let params = LogParams {
            container: Some(container.clone()),
            previous: *previous,
            timestamps: true,
            ..LogParams::default()
        };
        let stream = self.api::<Pod>().log_stream(pod, &params).await;
        let stream = stream.map_err(|error| self.cluster.trouble(&error));
        let stream =
            stream.with_context(|| format!("read the log of {container} in Pod {}/{pod}", self.namespace))?;
        Ok(Box::pin(stream))
    }
}

impl Kubernetes {
    /// The Deployment that serves `backend`.
    async fn serving(&self, backend: &str) -> anyhow::Result<Deployment> {
        if let Some(name) = self.named_deployment(backend) {
            return self.deployment(name, backend).await;
        }
        let Backend { pods, .. } = self.backend(backend).await?;
        let pods = pods.with_context(|| {
            format!(
                "Service {backend} has no selector, so nobody knows what makes its endpoints: name its Deployment in the \
                 plan as backends.{backend}.deployment"
            )
        })?;
        self.deployment_of(backend, &pods).await
    }

    /// A Deployment, its autoscaler, its ReplicaSets.
    async fn deployment_and_its_own(
        &self,
        found: &mut Found,
        named: &str,
        deployment: anyhow::Result<Deployment>,
    ) {
        let deployment = match deployment {
            Ok(deployment) => deployment,
            Err(error) => return self.keep(found, "deployment", named, Err::<Value, _>(error)),
        };
        let name = deployment.name_any();
        match self.autoscaler_of(&name).await {
            Ok(None) => {}
            Ok(Some(autoscaler)) => {
                self.keep(
                    found,
                    "horizontalpodautoscaler",
                    &autoscaler.name_any(),
                    Ok(&autoscaler),
                );
            }
            Err(error) => self.keep(found, "horizontalpodautoscaler", &name, Err::<Value, _>(error)),
        }
        let sets = match own_pods(&deployment) {
            Ok(pods) => self.list::<ReplicaSet>(&pods).await,
            Err(error) => Err(error),
        };
        match sets {
            Ok(sets) => {
                let its = |set: &&ReplicaSet| set.owner_references().iter().any(|owner| owner.name == name);
                for set in sets.iter().filter(its) {
                    self.keep(found, "replicaset", &set.name_any(), Ok(set));
                }
            }
            Err(error) => self.keep(found, "replicaset", &name, Err::<Value, _>(error)),
        }
        self.keep(found, "deployment", &name, Ok(deployment));
    }

    /// Pods, where their logs are, and what they use.
    async fn pods_and_their_use(&self, found: &mut Found, named: &str, pods: &Selector) {
        match self.pods(pods).await {
            Ok(pods) => {
                for pod in &pods {
                    self.keep(found, "pod", &pod.name_any(), Ok(pod));
                    found.logs.extend(logs(pod));
                }
            }
            Err(error) => self.keep(found, "pod", named, Err::<Value, _>(error)),
        }
        let used = self.used(pods).await;
        self.keep(found, "podmetrics", named, used);
    }

    /// What pods use now, where the cluster serves that.
    async fn used(&self, pods: &Selector) -> anyhow::Result<Value> {
        let kind = GroupVersionKind::gvk("metrics.k8s.io", "v1beta1", "PodMetrics");
        let resource = ApiResource::from_gvk_with_plural(&kind, "pods");
        let api: Api<DynamicObject> = Api::namespaced_with(self.cluster.client(), &self.namespace, &resource);
        let list = api.list(&ListParams::default().labels_from(pods)).await;
        let list = list.map_err(|error| {
            let trouble = self.cluster.trouble(&error);
            match trouble.kind {
                Kind::Missing => anyhow!("the cluster serves no metrics.k8s.io: there is no metrics-server"),
                _ => anyhow!(trouble),
            }
        });
        let list = list.with_context(|| format!("list what the pods use in namespace {}", self.namespace))?;
        Ok(json!(list.items))
    }

    fn keep<K: Serialize>(&self, found: &mut Found, kind: &str, name: &str, object: anyhow::Result<K>) {
        found.traces.push(Trace {
            name: format!("{kind}-{name}"),
            from: format!("{kind} {}/{name}", self.namespace),
            found: object.and_then(|object| {
                let mut object = serde_json::to_value(object)?;
                strip(&mut object);
                Ok(object)
            }),
        });
    }
}

/// Takes away what says nothing about the object, and the copy of the object in an annotation.
fn strip(object: &mut Value) {
    if let Value::Array(items) = object {
        items.iter_mut().for_each(strip);
    }
    let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else {
        return;
    };
    metadata.remove("managedFields");
    if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
        annotations.remove(APPLIED);
    }
}

/// Every log of a pod; that of the container before, where there was one.
fn logs(pod: &Pod) -> Vec<Log> {
    let spec = pod.spec.clone().unwrap_or_default();
    let status = pod.status.clone().unwrap_or_default();
    let statuses: Vec<_> = status
        .init_container_statuses
        .into_iter()
        .chain(status.container_statuses)
        .flatten()
        .collect();
    let first = spec.init_containers.into_iter().flatten();
    let mut logs = Vec::new();
    for container in first.chain(spec.containers).map(|container| container.name) {
        let restarted = statuses
            .iter()
            .any(|status| status.name == container && status.restart_count > 0);
        for previous in [false, true].into_iter().take(1 + usize::from(restarted)) {
            logs.push(Log {
                pod: pod.name_any(),
                container: container.clone(),
                previous,
            });
        }
    }
    logs
}

/// When it was seen last, as text that sorts; API servers write one of these fields or another.
fn moment(event: &Event) -> String {
    let series = event
        .series
        .as_ref()
        .and_then(|series| series.last_observed_time.as_ref());
    let precise = series.or(event.event_time.as_ref()).map(|time| time.0);
    let last = event
        .last_timestamp
        .as_ref()
        .or(event.metadata.creation_timestamp.as_ref());
    let time = precise.or(last.map(|time| time.0));
    time.map_or_else(String::new, |time| format!("{time:.0}"))
}

fn line(event: &Event) -> String {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let object = &event.involved_object;
    let count = event.count.filter(|count| *count > 1);
    let count = count.map_or_else(String::new, |count| format!(" ({count} times)"));
    format!(
        "{} {} {} {}/{}: {}{count}",
        moment(event),
        text(&event.type_),
        text(&event.reason),
        text(&object.kind),
        text(&object.name),
        text(&event.message).replace('\n', " "),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<K: serde::de::DeserializeOwned>(object: Value) -> K {
        serde_json::from_value(object).expect("an object")
    }

    #[test]
    fn a_container_that_was_restarted_has_two_logs() {
        let pod = read(json!({
            "metadata": { "name": "web-1" },
            "spec": { "initContainers": [{ "name": "assets" }], "containers": [{ "name": "shop" }] },
            "status": { "containerStatuses": [
                { "name": "shop", "restartCount": 3, "ready": false, "image": "", "imageID": "" },
            ] },
        }));
        let named: Vec<_> = logs(&pod)
            .into_iter()
            .map(|log| (log.container, log.previous))
            .collect();
        let expected = [("assets", false), ("shop", false), ("shop", true)];
        assert_eq!(
            named,
            expected.map(|(name, previous)| (name.to_owned(), previous))
        );
    }

    #[test]
    fn an_event_is_one_line_with_the_time_it_was_seen_last() {
        let event = read(json!({
            "metadata": { "name": "e" },
            "type": "Warning",
            "reason": "BackOff",
            "count": 7,
            "lastTimestamp": "2026-11-23T14:02:00Z",
            "involvedObject": { "kind": "Pod", "name": "web-1" },
            "message": "Back-off restarting\nfailed container",
        }));
        assert_eq!(
            line(&event),
            "2026-11-23T14:02:00Z Warning BackOff Pod/web-1: Back-off restarting failed container (7 times)"
        );
    }

    #[test]
    fn an_object_is_kept_without_who_wrote_which_field_and_without_its_copy() {
        let mut object = json!({ "metadata": {
            "name": "web",
            "managedFields": [{}],
            "annotations": { APPLIED: "{}", "team": "shop" },
        } });
        strip(&mut object);
        assert_eq!(
            object,
            json!({ "metadata": { "name": "web", "annotations": { "team": "shop" } } })
        );
        let mut list = json!([{ "metadata": { "managedFields": [] } }, { "metadata": { "name": "web" } }]);
        strip(&mut list);
        assert_eq!(
            list,
            json!([{ "metadata": {} }, { "metadata": { "name": "web" } }])
        );
    }
}
