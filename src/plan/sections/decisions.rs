//! When something worse calls for a rollback.

use jiff::SignedDuration;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::plan::units::{Duration, Unit as _};

/// What `verify-health decide` calls for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    default,
    expecting = "a mapping with the key `sustained`"
)]
pub struct Decisions {
    /// From how long on a candidate that is worse, without proof of harm, is a degradation: a planned rollback.
    /// Default: `15m`.
    #[serde(with = "Duration")]
    pub sustained: SignedDuration,
}

impl Default for Decisions {
    fn default() -> Self {
        Self {
            sustained: SignedDuration::from_mins(15),
        }
    }
}
