//! Who asks the API server, as a file that `KUBECONFIG` may name.

use std::{fs, path::PathBuf};

use serde_json::json;

use super::{api::Api, cluster::Cluster};

/// A user of the cluster.
pub(crate) struct User<'a> {
    cluster: &'a Cluster,
    name: String,
    pub(crate) token: String,
    pub(super) namespace: String,
}

impl<'a> User<'a> {
    pub(super) fn new(cluster: &'a Cluster, name: &str, token: &str, namespace: &str) -> Self {
        Self {
            cluster,
            name: name.to_owned(),
            token: token.to_owned(),
            namespace: namespace.to_owned(),
        }
    }

    /// A file with all that a client needs; its namespace is the user's.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.kubeconfig_at(&self.cluster.address)
    }

    /// The same for a client that goes through `address` (HOST:PORT), a link of a test's.
    pub(crate) fn kubeconfig_at(&self, address: &str) -> PathBuf {
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "contexts": [{
                "name": "test",
                "context": { "cluster": "test", "user": self.name, "namespace": self.namespace },
            }],
            "clusters": [{
                "name": "test",
                "cluster": {
                    "server": format!("https://{address}"),
                    "certificate-authority": self.cluster.parts.authority(),
                },
            }],
            "users": [{ "name": self.name, "user": { "token": self.token } }],
        });
        let (_, port) = address.split_once(':').expect("HOST:PORT");
        let name = format!("{}-{}-{port}.kubeconfig", self.namespace, self.name);
        let path = self.cluster.folder.join(name);
        fs::write(&path, config.to_string()).expect("a kubeconfig");
        path
    }

    /// What this user may see and do, by itself.
    pub(crate) fn api(&self) -> Api {
        let url = format!("https://{}", self.cluster.address);
        Api::new(&url, &self.token, &self.cluster.parts.authority())
    }
}
