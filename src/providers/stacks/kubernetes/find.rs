//! From a backend's name to the objects behind it: named GETs, and LISTs by the backend's own labels.
//!
//! What else is in the namespace costs nothing: no list is longer than the backend has pods or endpoints, but
//! for that of autoscalers, which no selector finds by their target.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, bail};
use k8s_openapi::{
    NamespaceResourceScope,
    api::{
        apps::v1::{Deployment, ReplicaSet},
        autoscaling::v2::HorizontalPodAutoscaler,
        core::v1::{Pod, Service},
        discovery::v1::EndpointSlice,
    },
};
use kube::{
    Api, Resource, ResourceExt as _,
    api::ListParams,
    core::{Selector, SelectorExt as _},
};
use serde::de::DeserializeOwned;

use super::{Kubernetes, Lookup};

/// So many objects are asked for at once.
const PAGE: u32 = 500;

/// What a backend's name leads to.
pub(super) struct Backend {
    /// Its pods; none for a Service without a selector.
    pub(super) pods: Option<Selector>,
    /// Whose endpoints are its own, where there is such a Service.
    pub(super) service: Option<String>,
}

impl Kubernetes {
    pub(in crate::providers) fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.cluster.client(), &self.namespace)
    }

    /// How the backend's pods are told from others.
    pub(super) async fn backend(&self, backend: &str) -> anyhow::Result<Backend> {
        match &self.lookup {
            Lookup::Service => Ok(Backend {
                pods: self
                    .selector_of(backend)
                    .await?
                    .map(|labels| labels.into_iter().collect()),
                service: Some(backend.to_owned()),
            }),
            Lookup::Selector { service, label } => {
                let mut labels = self.needed_selector_of(service).await?;
                labels.insert(label.clone(), backend.to_owned());
                Ok(Backend {
                    pods: Some(labels.into_iter().collect()),
                    service: None,
                })
            }
            Lookup::Subset { service } => match self.named_deployment(backend) {
                Some(name) => self.behind(service, name, backend).await,
                None => {
                    let mut labels = self.needed_selector_of(service).await?;
                    labels.insert("version".to_owned(), backend.to_owned());
                    Ok(Backend {
                        pods: Some(labels.into_iter().collect()),
                        service: None,
                    })
                }
            },
            Lookup::Deployment { service } => self.behind(service, backend, backend).await,
        }
    }

    /// The pods of Deployment `name` that `service` selects.
    async fn behind(&self, service: &str, name: &str, backend: &str) -> anyhow::Result<Backend> {
        let mut pods: Selector = self.needed_selector_of(service).await?.into_iter().collect();
        pods.extend(own_pods(&self.deployment(name, backend).await?)?);
        Ok(Backend {
            pods: Some(pods),
            service: None,
        })
    }

    /// The Deployment of a backend: the one that the plan names, or the one whose pods `pods` selects.
    pub(super) async fn deployment_of(&self, backend: &str, pods: &Selector) -> anyhow::Result<Deployment> {
        if let Some(name) = self.named_deployment(backend) {
            return self.deployment(name, backend).await;
        }
        if matches!(self.lookup, Lookup::Deployment { .. }) {
            return self.deployment(backend, backend).await;
        }
        // A ReplicaSet has the labels of its pods, and is there when there are none.
        let sets: Vec<ReplicaSet> = self.list(pods).await?;
        let owners: BTreeSet<_> = sets
            .iter()
            .flat_map(|set| set.owner_references())
            .filter(|owner| owner.controller == Some(true) && owner.kind == "Deployment")
            .map(|owner| owner.name.clone())
            .collect();
        let mut found = Vec::new();
        for name in owners {
            let deployment: Option<Deployment> = self.get(&name).await?;
            found.extend(deployment.filter(|deployment| pods.matches(&template_labels(deployment))));
        }
        let namespace = &self.namespace;
        match found.len() {
            1 => Ok(found.remove(0)),
            0 => bail!(
                "find the Deployment of {backend}: none in namespace {namespace} has pods with {pods}; name it in the \
                 plan as backends.{backend}.deployment"
            ),
            _ => {
                let names: Vec<_> = found.iter().map(|found| found.name_any()).collect();
                bail!(
                    "find the Deployment of {backend}: {} in namespace {namespace} have pods with {pods}; name the one \
                     that serves in the plan as backends.{backend}.deployment",
                    names.join(" and ")
                )
            }
        }
    }

    /// The autoscaler of a Deployment.
    pub(in crate::providers) async fn autoscaler_of(
        &self,
        deployment: &str,
    ) -> anyhow::Result<Option<HorizontalPodAutoscaler>> {
        let is_its = |autoscaler: &HorizontalPodAutoscaler| {
            autoscaler.spec.as_ref().is_some_and(|spec| {
                spec.scale_target_ref.kind == "Deployment" && spec.scale_target_ref.name == deployment
            })
        };
        let all: Vec<HorizontalPodAutoscaler> = self.list(&Selector::default()).await?;
        let mut found: Vec<_> = all.into_iter().filter(is_its).collect();
        if let [one, other, ..] = found.as_slice() {
            bail!(
                "read the autoscaler of Deployment {deployment}: HorizontalPodAutoscalers {} and {} both scale it; \
                 delete one of them",
                one.name_any(),
                other.name_any()
            );
        }
        Ok(found.pop())
    }

    /// The Deployment `name`, which the plan means by `backend`.
    pub(super) async fn deployment(&self, name: &str, backend: &str) -> anyhow::Result<Deployment> {
        let namespace = &self.namespace;
        let found = self.get(name).await?;
        found.with_context(|| {
            format!(
                "find the Deployment of {backend}: there is no Deployment {name} in namespace {namespace}; correct \
                 backends.{backend}.deployment or the backend's name in the plan"
            )
        })
    }

    pub(super) fn named_deployment(&self, backend: &str) -> Option<&str> {
        self.named.get(backend)?.deployment.as_deref()
    }

    pub(super) fn named_workers(&self, backend: &str) -> Option<&str> {
        self.named.get(backend)?.workers.as_deref()
    }

    /// The pods of a backend.
    pub(in crate::providers) async fn pods(&self, pods: &Selector) -> anyhow::Result<Vec<Pod>> {
        self.list(pods).await
    }

    /// The endpoints of a Service, by slices.
    pub(super) async fn slices(&self, service: &str) -> anyhow::Result<Vec<EndpointSlice>> {
        let labels = [("kubernetes.io/service-name".to_owned(), service.to_owned())];
        self.list(&labels.into_iter().collect()).await
    }

    async fn selector_of(&self, service: &str) -> anyhow::Result<Option<BTreeMap<String, String>>> {
        let namespace = &self.namespace;
        let found: Option<Service> = self.get(service).await?;
        let found =
            found.with_context(|| format!("there is no Service {service} in namespace {namespace}"))?;
        let spec = found.spec.unwrap_or_default();
        if let Some(host) = spec.external_name {
            bail!("Service {service} is a name for {host} (ExternalName): what runs there cannot be seen");
        }
        Ok(spec.selector.filter(|selector| !selector.is_empty()))
    }

    pub(in crate::providers) async fn needed_selector_of(
        &self,
        service: &str,
    ) -> anyhow::Result<BTreeMap<String, String>> {
        let found = self.selector_of(service).await?;
        found.with_context(|| {
            format!("Service {service} has no selector: it cannot tell whose pods it serves")
        })
    }

    /// The object, if it is there.
    pub(in crate::providers) async fn get<K>(&self, name: &str) -> anyhow::Result<Option<K>>
    where
        K: Resource<Scope = NamespaceResourceScope> + Clone + DeserializeOwned + std::fmt::Debug,
        K::DynamicType: Default,
    {
        let found = self
            .api::<K>()
            .get_opt(name)
            .await
            .map_err(|error| self.cluster.trouble(&error));
        let (kind, namespace) = (K::kind(&K::DynamicType::default()).into_owned(), &self.namespace);
        found.with_context(|| format!("read {kind} {namespace}/{name}"))
    }

    /// All objects that `labels` select.
    pub(super) async fn list<K>(&self, labels: &Selector) -> anyhow::Result<Vec<K>>
    where
        K: Resource<Scope = NamespaceResourceScope> + Clone + DeserializeOwned + std::fmt::Debug,
        K::DynamicType: Default,
    {
        let api = self.api::<K>();
        let mut params = ListParams::default().labels_from(labels).limit(PAGE);
        let mut all = Vec::new();
        loop {
            let page = api
                .list(&params)
                .await
                .map_err(|error| self.cluster.trouble(&error));
            let page = page.with_context(|| {
                let kind = K::plural(&K::DynamicType::default()).into_owned();
                format!("list the {kind} with {labels} in namespace {}", self.namespace)
            })?;
            let next = page.metadata.continue_.clone().filter(|next| !next.is_empty());
            all.extend(page.items);
            match next {
                Some(next) => params = params.continue_token(&next),
                None => return Ok(all),
            }
        }
    }
}

/// The labels of the pods that a Deployment makes.
pub(in crate::providers) fn template_labels(deployment: &Deployment) -> BTreeMap<String, String> {
    let spec = deployment.spec.as_ref();
    let metadata = spec.and_then(|spec| spec.template.metadata.as_ref());
    metadata
        .and_then(|metadata| metadata.labels.clone())
        .unwrap_or_default()
}

/// How a Deployment tells its own pods.
pub(in crate::providers) fn own_pods(deployment: &Deployment) -> anyhow::Result<Selector> {
    let selector = deployment.spec.clone().unwrap_or_default().selector;
    selector
        .try_into()
        .with_context(|| format!("read the selector of Deployment {}", deployment.name_any()))
}
