//! Who decides, and when.

use rollgate_domain::rollout::window::Window;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::plan::units::{Hours, Written};

/// When the share may rise. A rollback never waits.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Windows {
    /// None: always.
    pub rises: Option<Window>,
}

/// When the share may rise. A rollback never waits.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    default,
    expecting = "a mapping with the key `rises`"
)]
#[schemars(rename = "Windows")]
pub(in crate::plan) struct WindowsFile {
    /// Days, hours of a day and a time zone. Default: always.
    #[schemars(with = "Hours")]
    pub(in crate::plan) rises: Option<Written<Hours>>,
}

/// Somebody who may decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Approver {
    /// A GitHub login, compared without regard to case as GitHub does.
    Login(String),
    /// The slug of a team of the repository's organisation.
    Team(String),
}
