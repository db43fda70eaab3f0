//! A real Kubernetes: one cluster for the whole test process, a namespace for each test.
//!
//! ```text
//! let Some(cluster) = Cluster::shared() else { return };
//! let namespace = cluster.namespace("canary");
//! namespace.deployment("web-blue", "app=web,version=blue", 3);
//! namespace.wait_ready("web-blue");
//! binary("shift-traffic").env("KUBECONFIG", namespace.admin().kubeconfig())
//! ```
//!
//! `scripts/kube-parts` builds what it runs and `ROLLGATE_KUBE` names the folder.

mod api;
mod cluster;
mod data_plane;
mod gateway;
mod link;
mod namespace;
mod network;
mod parts;
mod user;
mod users;
mod writer;

pub(crate) use cluster::Cluster;
pub(crate) use data_plane::DataPlane;
pub(crate) use gateway::{Gateway, Says};
pub(crate) use link::Link;
pub(crate) use namespace::Namespace;
pub(crate) use writer::Writer;
