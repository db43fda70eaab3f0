//! What a cluster is made of: the folder that `scripts/kube-parts` has filled.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use crate::support::servers::{missing, require};

/// Folder of the parts, all there.
#[derive(Clone, Debug)]
pub(crate) struct Parts(PathBuf);

impl Parts {
    /// Nothing, said aloud, where a part is missing.
    pub(crate) fn find() -> Option<Self> {
        let folder = env::var_os("ROLLGATE_KUBE")
            .map(PathBuf::from)
            .unwrap_or_default();
        let all = [
            "etcd",
            "kube-apiserver",
            "kube-controller-manager",
            "kube-scheduler",
            "kwok",
            "contour",
        ];
        if all.iter().any(|part| !folder.join(part).is_file()) {
            return missing("a cluster (scripts/kube-parts, ROLLGATE_KUBE)");
        }
        require("kubectl").map(|_| Self(folder))
    }

    pub(crate) fn path(&self, part: &str) -> PathBuf {
        self.0.join(part)
    }

    pub(crate) fn program(&self, part: &str) -> Command {
        Command::new(self.path(part))
    }

    /// The certificate that signed the API server's.
    pub(crate) fn authority(&self) -> PathBuf {
        self.path("keys/ca.crt")
    }
}

/// `--name=PATH`.
pub(crate) fn flag(name: &str, path: &Path) -> String {
    format!("--{name}={}", path.display())
}
