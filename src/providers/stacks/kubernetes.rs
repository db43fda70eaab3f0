//! Deployments behind Services, with their autoscalers and background workers.

use std::collections::BTreeMap;

use super::{Stack, Stacks, Wish};
use crate::providers::cluster::Cluster;

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
    /// The backend is a Deployment, one of two behind this Service.
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
}

#[async_trait::async_trait]
impl Stacks for Kubernetes {
    async fn read(&self, _: &str) -> anyhow::Result<Stack> {
        anyhow::bail!("not there yet")
    }

    async fn ask(&self, _: &str, _: Wish) -> anyhow::Result<Option<String>> {
        anyhow::bail!("not there yet")
    }

    async fn describe(&self, _: &str, _: Wish) -> anyhow::Result<Option<String>> {
        anyhow::bail!("not there yet")
    }
}
