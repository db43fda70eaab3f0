//! Istio: share and record on one VirtualService.

use rollgate_domain::rollout::record::Record;

use super::{Router, Seen, Users, WriteError};
use crate::providers::cluster::Cluster;

/// A VirtualService.
pub struct Istio {
    cluster: Cluster,
    namespace: String,
    route: String,
    host: Option<String>,
    backends: [String; 2],
    users: Users,
}

impl Istio {
    #[must_use]
    pub fn new(
        cluster: Cluster,
        namespace: String,
        route: String,
        host: Option<String>,
        backends: [String; 2],
        users: Users,
    ) -> Self {
        Self {
            cluster,
            namespace,
            route,
            host,
            backends,
            users,
        }
    }
}

#[async_trait::async_trait]
impl Router for Istio {
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
