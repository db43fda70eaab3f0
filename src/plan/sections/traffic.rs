//! Who splits the traffic.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::plan::units::{self, Name, Unit as _, Written};

/// The router that splits live traffic.
#[derive(Clone, Debug, PartialEq)]
pub struct Traffic {
    pub haproxy: Haproxy,
}

/// HAProxy, driven through the sockets of its processes and one map.
#[derive(Clone, Debug, PartialEq)]
pub struct Haproxy {
    /// The runtime socket of each process; at least one, none twice.
    pub sockets: Vec<PathBuf>,
    /// The map file, as HAProxy's configuration names it.
    pub map: PathBuf,
    /// The line of the map that is ours: letters, digits, `.`, `_`, `-`.
    pub key: String,
    /// Stable and candidate; different, names like `key`.
    pub backends: [String; 2],
}

/// The router that splits live traffic, by its vendor.
#[derive(Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    expecting = "a mapping with the key `haproxy`"
)]
#[schemars(rename = "Traffic")]
pub(in crate::plan) struct TrafficFile {
    /// HAProxy, driven through the sockets of its processes and one map.
    pub(in crate::plan) haproxy: HaproxyFile,
}

/// HAProxy, driven through the sockets of its processes and one map.
#[derive(Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    expecting = "a mapping with the key `backends`"
)]
#[schemars(rename = "Haproxy")]
pub(in crate::plan) struct HaproxyFile {
    /// The runtime socket (level admin) of each HAProxy process. Default: `[/run/haproxy/admin.sock]`.
    #[serde(default = "sockets")]
    #[schemars(length(min = 1), extend("uniqueItems" = true))]
    pub(in crate::plan) sockets: Vec<Written<units::File>>,
    /// The map file, exactly as HAProxy's configuration names it. Default: `/etc/haproxy/rollgate.map`.
    #[serde(with = "units::File", default = "map")]
    pub(in crate::plan) map: PathBuf,
    /// The line of the map that belongs to this service. Default: the service.
    #[serde(default)]
    #[schemars(with = "Written<Name>")]
    pub(in crate::plan) key: Option<Written<Name>>,
    /// The two backends of the service: first the stable one, then the candidate.
    #[schemars(length(min = 2, max = 2), extend("uniqueItems" = true))]
    pub(in crate::plan) backends: Vec<Written<Name>>,
}

fn sockets() -> Vec<Written<units::File>> {
    vec![Written("/run/haproxy/admin.sock".into())]
}

fn map() -> PathBuf {
    "/etc/haproxy/rollgate.map".into()
}
