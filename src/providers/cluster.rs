//! The Kubernetes API server: one client for every provider that needs it.

use std::time::Duration;

use anyhow::Context as _;
use kube::{Client, Config};

/// An API server answers within milliseconds; one that takes longer is asked again, by the loop that asked.
const PATIENCE: Duration = Duration::from_secs(5);

/// A Kubernetes cluster.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
}

impl Cluster {
    /// The cluster that `KUBECONFIG`, `~/.kube/config` or the pod around this process name. Nothing is asked yet.
    ///
    /// # Errors
    ///
    /// None of them names a cluster, or what they name cannot be used.
    pub async fn connect() -> anyhow::Result<Self> {
        let mut config = Config::infer().await.context(
            "find a Kubernetes cluster by KUBECONFIG, ~/.kube/config or the pod's service account",
        )?;
        config.connect_timeout = Some(PATIENCE);
        config.read_timeout = Some(PATIENCE);
        config.write_timeout = Some(PATIENCE);
        let client = Client::try_from(config).context("prepare the client of the Kubernetes cluster")?;
        Ok(Self { client })
    }

    /// The client.
    #[must_use]
    pub fn client(&self) -> Client {
        self.client.clone()
    }
}
