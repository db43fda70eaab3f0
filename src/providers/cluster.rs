//! The Kubernetes API server: one client for every provider that needs it.

use std::{path::Path, time::Duration};

use anyhow::Context as _;
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};

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
        let config = Config::infer().await.context(
            "find a Kubernetes cluster by KUBECONFIG, ~/.kube/config or the pod's service account",
        )?;
        Self::of(config)
    }

    /// The cluster that a kubeconfig's current context names. Nothing is asked yet.
    ///
    /// # Errors
    ///
    /// The file cannot be read or used.
    pub async fn by_kubeconfig(path: &Path) -> anyhow::Result<Self> {
        let read = || format!("read {}", path.display());
        let kubeconfig = Kubeconfig::read_from(path).with_context(read)?;
        let options = KubeConfigOptions::default();
        Self::of(
            Config::from_custom_kubeconfig(kubeconfig, &options)
                .await
                .with_context(read)?,
        )
    }

    fn of(mut config: Config) -> anyhow::Result<Self> {
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
