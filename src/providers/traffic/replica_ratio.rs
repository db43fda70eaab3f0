//! Two Deployments behind one plain Service: the share is the ratio of their pods.

use rollgate_domain::rollout::record::Record;

use super::{Router, Seen, WriteError};
use crate::providers::cluster::Cluster;

/// A Service in front of two Deployments.
pub struct ReplicaRatio {
    cluster: Cluster,
    namespace: String,
    service: String,
    backends: [String; 2],
}

impl ReplicaRatio {
    #[must_use]
    pub fn new(cluster: Cluster, namespace: String, service: String, backends: [String; 2]) -> Self {
        Self {
            cluster,
            namespace,
            service,
            backends,
        }
    }
}

#[async_trait::async_trait]
impl Router for ReplicaRatio {
    async fn read(&self) -> anyhow::Result<Seen> {
        anyhow::bail!("not there yet")
    }

    async fn write(&self, _: &Seen, _: &Record) -> Result<Seen, WriteError> {
        Err(WriteError::Rejected("not there yet".to_owned()))
    }

    fn describe(&self, _: &Seen, _: &Record) -> String {
        String::new()
    }
}
