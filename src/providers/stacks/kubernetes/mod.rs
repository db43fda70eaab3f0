//! Deployments behind Services, with their autoscalers and background workers.
//!
//! In: names of Services, labels and Deployments. Out: how many pods of each version get requests and why others do
//! not; patches of `spec.replicas` and of an autoscaler's `spec.minReplicas`, one for each object, nothing else.
//!
//! Source: <https://kubernetes.io/docs/concepts/workloads/controllers/deployment/>,
//! <https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/>

mod dial;
mod find;
mod objects;
mod traces;
pub(in crate::providers) mod trouble;
mod wishes;

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context as _, anyhow, bail};
use k8s_openapi::api::{apps::v1::Deployment, autoscaling::v2::HorizontalPodAutoscaler};
use kube::{ResourceExt as _, api::ApiResource};

pub(in crate::providers) use self::find::{own_pods, template_labels};
use self::{
    dial::{Change, Kind},
    find::Backend,
    objects::{bounds, count, dials, images, ready_endpoints, replicas},
    wishes::{Bounds, changes},
};
use super::{Autoscaler, Stack, Stacks, Wish};
use crate::providers::{
    cluster::Cluster,
    traffic::{
        WriteError,
        routed_object::{self, RoutedObject},
    },
};

/// So often a patch is tried anew when somebody else wrote in between.
const TRIES: usize = 10;

/// And so long after the last time: whoever wrote is done by then.
const PAUSE: Duration = Duration::from_millis(50);

/// How a backend's name leads to its Deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// The backend is a Service; its Deployment is the one whose pods that Service selects.
    Service,
    /// The backend is a value of this label in the selector of this Service.
    Selector {
        /// The Service.
        service: String,
        /// The label.
        label: String,
    },
    /// The backend is a subset of this Service: the pods of the Deployment that the plan names, else those with the
    /// label `version`, as Istio's own pages have it.
    Subset {
        /// The Service.
        service: String,
    },
    /// The backend is a Deployment, one of two behind this Service, whose pods are its share: the router scales
    /// them, nobody else.
    Deployment {
        /// The Service.
        service: String,
    },
}

/// What the plan says of a backend, by the names of Deployments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// Serves the requests; none: found by [`Lookup`].
    pub deployment: Option<String>,
    /// Works in the background.
    pub workers: Option<String>,
}

/// The two versions in one namespace.
pub struct Kubernetes {
    cluster: Cluster,
    namespace: String,
    lookup: Lookup,
    named: BTreeMap<String, Named>,
}

impl Kubernetes {
    #[must_use]
    pub fn new(cluster: Cluster, namespace: String, lookup: Lookup, named: BTreeMap<String, Named>) -> Self {
        Self {
            cluster,
            namespace,
            lookup,
            named,
        }
    }

    /// What `wish` changes of what is there now.
    async fn changes(&self, backend: &str, wish: Wish) -> anyhow::Result<Vec<Change>> {
        let what = match wish {
            Wish::WorkersQuiet | Wish::WorkersAsBefore(_) => {
                let Some(name) = self.named_workers(backend) else {
                    return Ok(Vec::new());
                };
                let workers = self.get(name).await?;
                workers.with_context(|| missing_workers(name, backend))?
            }
            _ if self.follows_share() => return Ok(Vec::new()),
            Wish::AtLeast(_) | Wish::Hold(_) | Wish::AsBefore | Wish::Nothing | Wish::Settled => {
                let Some(pods) = self.backend(backend).await?.pods else {
                    return without_selector(backend, wish);
                };
                self.deployment_of(backend, &pods).await?
            }
        };
        let autoscaler = self.autoscaler_of(&what.name_any()).await?;
        changes(wish, &dials(&what, autoscaler.as_ref())).map_err(|words| anyhow!(words))
    }

    async fn apply(&self, change: &Change) -> Result<(), WriteError> {
        let Change {
            kind, name, patch, ..
        } = change;
        let resource = match kind {
            Kind::Deployment => ApiResource::erase::<Deployment>(&()),
            Kind::HorizontalPodAutoscaler => ApiResource::erase::<HorizontalPodAutoscaler>(&()),
        };
        let object = RoutedObject::new(self.cluster.clone(), &resource, &self.namespace, name);
        object.patch(patch, false).await.map(drop)
    }

    const fn follows_share(&self) -> bool {
        matches!(self.lookup, Lookup::Deployment { .. })
    }
}

#[async_trait::async_trait]
impl Stacks for Kubernetes {
    async fn read(&self, backend: &str) -> anyhow::Result<Stack> {
        let Backend { pods, service } = self.backend(backend).await?;
        let endpoints = match &service {
            Some(service) => Some(ready_endpoints(&self.slices(service).await?)),
            None => None,
        };
        let (workers, workers_before, no_workers) = match self.named_workers(backend) {
            Some(name) => match self.get::<Deployment>(name).await? {
                Some(workers) => {
                    let before = dials(&workers, None).pods.kept().map(|kept| kept.before);
                    (Some(replicas(&workers)), before, None)
                }
                None => (None, None, Some(missing_workers(name, backend))),
            },
            None => (None, None, None),
        };
        let Some(selector) = pods else {
            let ready = endpoints.unwrap_or(0);
            return Ok(Stack {
                ready,
                wanted: ready,
                trouble: no_workers,
                workers,
                workers_before,
                ..Stack::default()
            });
        };
        let deployment = self.deployment_of(backend, &selector).await?;
        let autoscaler = self.autoscaler_of(&deployment.name_any()).await?;
        let wanted = replicas(&deployment);
        let all_there = endpoints.is_some_and(|endpoints| endpoints >= wanted);
        let pods = if all_there {
            Vec::new()
        } else {
            self.pods(&selector).await?
        };
        let of_pods = || pods.iter().filter(|pod| trouble::is_ready(pod)).count();
        let ready = endpoints.unwrap_or_else(|| count(of_pods()));
        let why = (ready < wanted).then(|| trouble::of_pods(&pods)).flatten();
        let troubles: Vec<_> = [trouble::of_deployment(&deployment), why, no_workers]
            .into_iter()
            .flatten()
            .collect();
        Ok(Stack {
            ready,
            wanted,
            autoscaler: autoscaler.as_ref().map(|autoscaler| {
                let Bounds { min, max, .. } = bounds(autoscaler);
                Autoscaler {
                    name: min.name,
                    min: min.now,
                    max,
                }
            }),
            images: images(&deployment),
            trouble: (!troubles.is_empty()).then(|| troubles.join("; ")),
            workers,
            workers_before,
            follows_share: self.follows_share(),
        })
    }

    async fn ask(&self, backend: &str, wish: Wish) -> anyhow::Result<Option<String>> {
        let mut done = Vec::new();
        'tries: for _ in 0..TRIES {
            for change in self.changes(backend, wish).await? {
                match self.apply(&change).await {
                    Ok(()) => done.push(change.words),
                    Err(WriteError::Conflict) => {
                        tokio::time::sleep(PAUSE).await;
                        continue 'tries;
                    }
                    Err(error) => return Err(error).context(change.words),
                }
            }
            return Ok((!done.is_empty()).then(|| done.join(", ")));
        }
        bail!("change {backend}: somebody else writes it all the time, {TRIES} tries met a newer version");
    }

    async fn describe(&self, backend: &str, wish: Wish) -> anyhow::Result<Option<String>> {
        let changes = self.changes(backend, wish).await?;
        let lines = changes.iter().map(|change| {
            let words = format!("{} {}/{}", change.kind.name(), self.namespace, change.name);
            format!(
                "{}\n{}",
                change.words,
                routed_object::print(&words, &change.patch)
            )
        });
        let lines: String = lines.collect();
        Ok((!lines.is_empty()).then_some(lines))
    }
}

fn missing_workers(name: &str, backend: &str) -> String {
    format!(
        "there is no Deployment {name} for background workers; correct backends.{backend}.workers in the plan"
    )
}

/// Nobody knows what makes the endpoints of such a Service: it can be taken as it is, and no other way.
fn without_selector(backend: &str, wish: Wish) -> anyhow::Result<Vec<Change>> {
    match wish {
        Wish::Hold(_) | Wish::AsBefore | Wish::Settled => Ok(Vec::new()),
        Wish::AtLeast(_) | Wish::Nothing | Wish::WorkersQuiet | Wish::WorkersAsBefore(_) => bail!(
            "Service {backend} has no selector, so nobody knows what makes its endpoints: scale that by hand, or name \
             its Deployment in the plan as backends.{backend}.deployment"
        ),
    }
}
