//! The Kubernetes API server: one client for every provider that needs it.

mod connection;
mod trouble;

use std::{path::Path, time::Duration};

use anyhow::Context as _;
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};

/// An API server answers within milliseconds; one that takes longer is asked again, by the loop that asked.
const PATIENCE: Duration = Duration::from_secs(5);

pub use trouble::{Kind, Trouble};

/// A Kubernetes cluster.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
    /// Where its API server is.
    url: String,
    /// As whom we ask, in words.
    user: String,
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
        let user = match Kubeconfig::read() {
            Ok(kubeconfig) => user_of(&kubeconfig, "the kubeconfig"),
            Err(_) => "the pod's service account".to_owned(),
        };
        Self::of(config, user)
    }

    /// The cluster that a kubeconfig's current context names. Nothing is asked yet.
    ///
    /// # Errors
    ///
    /// The file cannot be read or used.
    pub async fn by_kubeconfig(path: &Path) -> anyhow::Result<Self> {
        let read = || format!("read {}", path.display());
        let kubeconfig = Kubeconfig::read_from(path).with_context(read)?;
        let user = user_of(&kubeconfig, &path.display().to_string());
        let options = KubeConfigOptions::default();
        let config = Config::from_custom_kubeconfig(kubeconfig, &options)
            .await
            .with_context(read)?;
        Self::of(config, user)
    }

    fn of(mut config: Config, user: String) -> anyhow::Result<Self> {
        config.connect_timeout = Some(PATIENCE);
        config.read_timeout = Some(PATIENCE);
        config.write_timeout = Some(PATIENCE);
        let url = config.cluster_url.to_string();
        let client = connection::client(config).context("prepare the client of the Kubernetes cluster")?;
        Ok(Self { client, url, user })
    }

    /// The client. What it returns as an error is for [`Self::trouble`].
    #[must_use]
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// What an error of the client means, and what to do about it.
    #[must_use]
    pub fn trouble(&self, error: &kube::Error) -> Trouble {
        trouble::of(error, &self.url, &self.user)
    }
}

/// The user of the current context.
fn user_of(kubeconfig: &Kubeconfig, file: &str) -> String {
    let current = kubeconfig.current_context.as_deref().unwrap_or_default();
    let context = kubeconfig.contexts.iter().find(|context| context.name == current);
    let user = context.and_then(|context| context.context.as_ref()?.user.as_deref());
    format!("user {} of {file}", user.unwrap_or("without a name"))
}
