//! What runs behind the router, and how it is taken back.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::plan::units::{Duration, Name, Unit as _, Written};

/// What belongs to one backend, by the names of Deployments in the router's namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backend {
    /// Serves the requests; none: the one that the backend's Service selects.
    pub deployment: Option<String>,
    /// Works in the background, without requests.
    pub workers: Option<String>,
}

/// What belongs to one backend in Kubernetes.
#[derive(Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    default,
    expecting = "a mapping with `deployment` and `workers`"
)]
#[derive(Default)]
#[schemars(rename = "Backend")]
pub(in crate::plan) struct BackendFile {
    /// The Deployment that serves its requests. Default: the one whose pods the backend's Service selects. Not for
    /// `replica-ratio`, whose backends are Deployments.
    #[schemars(with = "Written<Name>")]
    pub(in crate::plan) deployment: Option<Written<Name>>,
    /// The Deployment of its background workers. They do not follow weights: the candidate's are held at 0 until it
    /// has all the traffic.
    #[schemars(with = "Written<Name>")]
    pub(in crate::plan) workers: Option<Written<Name>>,
}

pub(in crate::plan) type BackendsFile = BTreeMap<String, BackendFile>;

/// How the traffic is taken back, beyond the router.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    default,
    expecting = "a mapping"
)]
pub struct Rollback {
    /// Whether rollgate scales a version up that has too few pods for the traffic it is to get: stable before a
    /// rollback, the candidate before a rise. Default: `true`.
    pub scale_up: bool,
    /// How long a rollback waits for that before it takes back only what stable can carry. Together with `drain` at
    /// most `4m`, because the job of an emergency rollback ends after 5. Default: `2m`.
    #[serde(with = "Duration")]
    pub capacity_within: SignedDuration,
    /// How long a gradual rollback is watched at 5 % before it goes to 0. Default: `2m`.
    #[serde(with = "Duration")]
    pub watch: SignedDuration,
    /// How long open sessions of a version without traffic may go on before it is scaled down. Together with
    /// `capacity-within` at most `4m`. Default: `30s`.
    #[serde(with = "Duration")]
    pub drain: SignedDuration,
}

impl Default for Rollback {
    fn default() -> Self {
        Self {
            scale_up: true,
            capacity_within: SignedDuration::from_mins(2),
            watch: SignedDuration::from_mins(2),
            drain: SignedDuration::from_secs(30),
        }
    }
}
