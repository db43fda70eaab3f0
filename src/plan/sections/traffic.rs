//! Who splits the traffic.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::plan::units::{self, Address, Name, Unit as _, Written};

/// The router that splits live traffic.
#[derive(Clone, Debug, PartialEq)]
pub enum Traffic {
    Haproxy(Haproxy),
    Nginx(Nginx),
    GatewayApi(GatewayApi),
    Istio(Istio),
    ServiceSelector(ServiceSelector),
    ReplicaRatio(ReplicaRatio),
}

impl Traffic {
    /// The two backends as the plan lists them; different. Which of them is stable is in the record, and the first
    /// one before there is any.
    #[must_use]
    pub const fn backends(&self) -> &[String; 2] {
        match self {
            Self::Haproxy(Haproxy { backends, .. })
            | Self::Nginx(Nginx { backends, .. })
            | Self::GatewayApi(GatewayApi { backends, .. })
            | Self::Istio(Istio { backends, .. })
            | Self::ServiceSelector(ServiceSelector { backends, .. })
            | Self::ReplicaRatio(ReplicaRatio { backends, .. }) => backends,
        }
    }

    /// Its key in the plan.
    #[must_use]
    pub const fn vendor(&self) -> &'static str {
        match self {
            Self::Haproxy(_) => "haproxy",
            Self::Nginx(_) => "nginx",
            Self::GatewayApi(_) => "gateway-api",
            Self::Istio(_) => "istio",
            Self::ServiceSelector(_) => "service-selector",
            Self::ReplicaRatio(_) => "replica-ratio",
        }
    }
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
    /// Different, names like `key`.
    pub backends: [String; 2],
}

/// nginx, driven through one file that its configuration includes.
#[derive(Clone, Debug, PartialEq)]
pub struct Nginx {
    /// The file that nginx's configuration includes and nobody else writes.
    pub include: PathBuf,
    /// nginx's main configuration file, for `nginx -t` and the reload.
    pub config: PathBuf,
    /// A location that answers with the generation that is served.
    pub served: reqwest::Url,
    /// Names the variables of this service: letters, digits and `_`.
    pub key: String,
    /// Names of upstreams; different.
    pub backends: [String; 2],
}

/// A HTTPRoute of the Gateway API.
#[derive(Clone, Debug, PartialEq)]
pub struct GatewayApi {
    pub namespace: String,
    /// The HTTPRoute.
    pub route: String,
    /// Names of Services; different.
    pub backends: [String; 2],
}

/// A VirtualService of Istio.
#[derive(Clone, Debug, PartialEq)]
pub struct Istio {
    pub namespace: String,
    /// The VirtualService.
    pub route: String,
    /// The host whose subsets the backends are; none when they are hosts themselves.
    pub host: Option<String>,
    /// Hosts (Services), or subsets of `host`; different.
    pub backends: [String; 2],
}

/// The selector of a Kubernetes Service: blue/green, all or nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceSelector {
    pub namespace: String,
    pub service: String,
    /// The label that tells the two versions apart.
    pub label: String,
    /// Its two values; different.
    pub backends: [String; 2],
}

/// Two Deployments behind one plain Service, whose pods are counted.
#[derive(Clone, Debug, PartialEq)]
pub struct ReplicaRatio {
    pub namespace: String,
    pub service: String,
    /// Names of Deployments; different.
    pub backends: [String; 2],
}

/// The router that splits live traffic, by its vendor.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "Traffic")]
pub(in crate::plan) enum TrafficFile {
    /// HAProxy, driven through the sockets of its processes and one map.
    Haproxy(HaproxyFile),
    /// nginx, driven through one file that its configuration includes.
    Nginx(NginxFile),
    /// A HTTPRoute of the Kubernetes Gateway API.
    GatewayApi(GatewayApiFile),
    /// A VirtualService of Istio.
    Istio(IstioFile),
    /// The selector of a Kubernetes Service: blue/green, all or nothing.
    ServiceSelector(ServiceSelectorFile),
    /// Two Deployments behind one plain Kubernetes Service: the share is the ratio of their pods.
    ReplicaRatio(ReplicaRatioFile),
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
    /// The two backends of the service. Before the first rollout the first one is stable.
    #[schemars(length(min = 2, max = 2), extend("uniqueItems" = true))]
    pub(in crate::plan) backends: Vec<Written<Name>>,
}

fn sockets() -> Vec<Written<units::File>> {
    vec![Written("/run/haproxy/admin.sock".into())]
}

fn map() -> PathBuf {
    "/etc/haproxy/rollgate.map".into()
}

/// nginx, driven through one file that its configuration includes.
#[derive(Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    expecting = "a mapping with the keys `backends` and `served`"
)]
#[schemars(rename = "Nginx")]
pub(in crate::plan) struct NginxFile {
    /// The file that nginx's configuration includes, and that only rollgate writes. Default:
    /// `/etc/nginx/rollgate.conf`.
    #[serde(with = "units::File", default = "include")]
    pub(in crate::plan) include: PathBuf,
    /// nginx's main configuration file, for the test before a reload. Default: `/etc/nginx/nginx.conf`.
    #[serde(with = "units::File", default = "nginx_config")]
    pub(in crate::plan) config: PathBuf,
    /// The URL of the location that answers with the generation that is served; `shift-traffic init` prints it.
    #[serde(with = "Address")]
    pub(in crate::plan) served: reqwest::Url,
    /// Names the variables of this service in nginx's configuration. Default: the service, with `_` for what is
    /// neither letter nor digit.
    #[serde(default)]
    #[schemars(with = "Written<Name>")]
    pub(in crate::plan) key: Option<Written<Name>>,
    /// The two upstreams of the service. Before the first rollout the first one is stable.
    #[schemars(length(min = 2, max = 2), extend("uniqueItems" = true))]
    pub(in crate::plan) backends: Vec<Written<Name>>,
}

fn include() -> PathBuf {
    "/etc/nginx/rollgate.conf".into()
}

fn nginx_config() -> PathBuf {
    "/etc/nginx/nginx.conf".into()
}

/// A HTTPRoute of the Kubernetes Gateway API.
#[derive(Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    expecting = "a mapping with the keys `namespace`, `route` and `backends`"
)]
#[schemars(rename = "GatewayApi")]
pub(in crate::plan) struct GatewayApiFile {
    /// The namespace of the route and of the Services.
    #[serde(with = "Name")]
    pub(in crate::plan) namespace: String,
    /// The HTTPRoute that sends users to both Services. It also holds the record of the rollout.
    #[serde(with = "Name")]
    pub(in crate::plan) route: String,
    /// The two Services. Before the first rollout the first one is stable.
    #[schemars(length(min = 2, max = 2), extend("uniqueItems" = true))]
    pub(in crate::plan) backends: Vec<Written<Name>>,
}

/// A VirtualService of Istio.
#[derive(Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    expecting = "a mapping with the keys `namespace`, `route` and `backends`"
)]
#[schemars(rename = "Istio")]
pub(in crate::plan) struct IstioFile {
    /// The namespace of the VirtualService and of the Services.
    #[serde(with = "Name")]
    pub(in crate::plan) namespace: String,
    /// The VirtualService that sends users to both versions. It also holds the record of the rollout.
    #[serde(with = "Name")]
    pub(in crate::plan) route: String,
    /// The host whose subsets (in a DestinationRule) the two backends are. Default: none, the backends are hosts.
    #[serde(default)]
    #[schemars(with = "Written<Name>")]
    pub(in crate::plan) host: Option<Written<Name>>,
    /// The two hosts, or the two subsets of `host`. Before the first rollout the first one is stable.
    #[schemars(length(min = 2, max = 2), extend("uniqueItems" = true))]
    pub(in crate::plan) backends: Vec<Written<Name>>,
}

/// The selector of a Kubernetes Service: blue/green, all or nothing.
#[derive(Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    expecting = "a mapping with the keys `namespace`, `service` and `backends`"
)]
#[schemars(rename = "ServiceSelector")]
pub(in crate::plan) struct ServiceSelectorFile {
    /// The namespace of the Service.
    #[serde(with = "Name")]
    pub(in crate::plan) namespace: String,
    /// The Service that the users reach. It also holds the record of the rollout.
    #[serde(with = "Name")]
    pub(in crate::plan) service: String,
    /// The label in its selector that tells the two versions apart. Default: `version`.
    #[serde(with = "units::LabelKey", default = "version")]
    pub(in crate::plan) label: String,
    /// The two values of that label. Before the first rollout the first one is stable.
    #[schemars(length(min = 2, max = 2), extend("uniqueItems" = true))]
    pub(in crate::plan) backends: Vec<Written<Name>>,
}

fn version() -> String {
    "version".to_owned()
}

/// Two Deployments behind one plain Kubernetes Service: the share is the ratio of their pods.
#[derive(Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    expecting = "a mapping with the keys `namespace`, `service` and `backends`"
)]
#[schemars(rename = "ReplicaRatio")]
pub(in crate::plan) struct ReplicaRatioFile {
    /// The namespace of the Service and the Deployments.
    #[serde(with = "Name")]
    pub(in crate::plan) namespace: String,
    /// The Service whose selector matches the pods of both Deployments. It also holds the record of the rollout.
    #[serde(with = "Name")]
    pub(in crate::plan) service: String,
    /// The two Deployments. Before the first rollout the first one is stable.
    #[schemars(length(min = 2, max = 2), extend("uniqueItems" = true))]
    pub(in crate::plan) backends: Vec<Written<Name>>,
}
