//! How a user is recognised, and how one looks at the candidate before any user does.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::plan::units::{Name, Unit as _, Written};

/// How a user is recognised, so that each one stays on one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sticky {
    /// Where the id stands.
    pub by: UserId,
    /// Of which form it is.
    pub ids: Ids,
}

/// Where a user's id stands in a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserId {
    /// In a request header.
    Header(String),
    /// In a cookie.
    Cookie(String),
    /// In a parameter of the URL.
    Query(String),
}

/// Of which form ids are. Only routers that cannot hash need to know: they match the last digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Ids {
    /// They end with two decimal digits that are spread evenly, as counted numbers are.
    #[default]
    Decimal,
    /// They end with two hexadecimal digits that are spread evenly, as random UUIDs are.
    Hex,
}

/// How a user is recognised, so that each one stays on one version: exactly one of `header`, `cookie` and `query`.
#[derive(Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    expecting = "a mapping with `header`, `cookie` or `query`"
)]
#[schemars(
    rename = "Sticky",
    extend("oneOf" = [{ "required": ["header"] }, { "required": ["cookie"] }, { "required": ["query"] }])
)]
pub(in crate::plan) struct StickyFile {
    /// The name of a request header that holds the user's id.
    #[serde(default)]
    #[schemars(with = "Written<Name>")]
    pub(in crate::plan) header: Option<Written<Name>>,
    /// The name of a cookie that holds the user's id. HAProxy and nginx only.
    #[serde(default)]
    #[schemars(with = "Written<Name>")]
    pub(in crate::plan) cookie: Option<Written<Name>>,
    /// The name of a parameter of the URL that holds the user's id. HAProxy and nginx only.
    #[serde(default)]
    #[schemars(with = "Written<Name>")]
    pub(in crate::plan) query: Option<Written<Name>>,
    /// Of which form ids are: Gateway API and Istio cannot hash, they match the last two digits. Default: `decimal`.
    #[serde(default)]
    pub(in crate::plan) ids: Ids,
}

/// Requests with this header meet the candidate while a rollout is on, also at 0 %.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    expecting = "a mapping with `header` and `value`"
)]
pub struct Preview {
    /// The name of the request header.
    #[serde(with = "Name")]
    pub header: String,
    /// The value it must have. It keeps nobody out who knows it. Default: `candidate`.
    #[serde(with = "Name", default = "candidate")]
    pub value: String,
}

fn candidate() -> String {
    "candidate".to_owned()
}
