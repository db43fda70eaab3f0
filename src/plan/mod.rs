//! `.github/rollgate.yml` → a checked [`Plan`], or a refusal with file, line and column.
//!
//! In goes the text of the file, out comes a plan in which everything holds that can be known without
//! asking the outside. Strict: what is not understood is refused, because a misspelt key would silently
//! be a default. Only a rollback reads leniently ([`Traffic::read`]): it must never fail over a key that
//! it does not need.
//!
//! ```text
//! text ─▶ tree (values with places) ─▶ decode ─▶ sections ─▶ check ─▶ Plan
//!                                        └── error: place, key, found, expected, hint ──┘
//! ```

mod check;
mod decode;
mod error;
mod place;
mod rescue;
mod schema;
mod sections;
mod tree;
mod units;
mod wrong;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use serde::Deserialize as _;
use sha2::{Digest as _, Sha256};

pub use error::{PlanError, Problem};
pub use rescue::Rescue;
pub use schema::schema;
pub use sections::{
    Action, Approver, Backend, Canary, Channel, Check, CloudWatch, Datadog, Decisions, Driver, ErrorRate,
    Expect, Gate, GatewayApi, Gauge, Haproxy, Ids, Istio, Judgement, Limits, Memory, Metrics, Need, NewRelic,
    Nginx, Notify, P95, Phases, Preview, Probe, Production, Prometheus, Proof, Recorded, Region,
    ReplicaRatio, Require, Rollback, Scrape, ServiceSelector, Source, Step, Sticky, Throughput, Traffic,
    UserId, Windows,
};
pub use units::Quantity;

use place::Place;
use tree::Node;
use wrong::Wrong;

/// Where a plan is looked for when none is named.
pub const DEFAULT_PATH: &str = ".github/rollgate.yml";

/// How one service is rolled out. Checked; immutable: a changed plan is a new rollout.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// SHA-256 of the file's bytes, 64 hex digits: tells whether two jobs follow the same plan.
    pub hash: String,
    /// The name of the service: letters, digits, `.`, `_`, `-`.
    pub service: String,
    /// Where its users reach it.
    pub url: Option<reqwest::Url>,
    /// The response header in which each version tells its name.
    pub version_header: Option<String>,
    pub traffic: Traffic,
    /// What belongs to the backends, where the plan says more than the router does.
    pub backends: BTreeMap<String, Backend>,
    /// How a user is recognised; without it each request goes by chance.
    pub sticky: Option<Sticky>,
    /// How one looks at the candidate before any user does.
    pub preview: Option<Preview>,
    pub metrics: Metrics,
    pub limits: Limits,
    pub gauges: Vec<Gauge>,
    pub checks: Vec<Check>,
    pub judgement: Judgement,
    pub phases: Phases,
    pub windows: Windows,
    /// Who may say `go`; empty: whoever may start the workflow.
    pub approvers: Vec<Approver>,
    pub decisions: Decisions,
    pub rollback: Rollback,
    pub notify: Notify,
    pub driver: Driver,
}

impl Plan {
    /// Reads and checks the plan in a file.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or [`Plan::parse`] refuses it.
    pub fn read(path: &Path) -> Result<Self, PlanError> {
        let name = path.display().to_string();
        let bytes = bytes_of(path)?;
        match std::str::from_utf8(&bytes) {
            Ok(text) => Self::parse(text, &name),
            Err(error) => {
                // What is readable before the bad byte tells where it is.
                let good = String::from_utf8_lossy(bytes.get(..error.valid_up_to()).unwrap_or_default());
                let column = good
                    .lines()
                    .last()
                    .filter(|_| !good.ends_with('\n'))
                    .map_or(0, |line| line.chars().count());
                let place = Place {
                    line: good.matches('\n').count() + 1,
                    column: column + 1,
                };
                let wrong = Wrong::at(place, "not readable as text, expected UTF-8".to_owned());
                Err(PlanError::new(
                    &name,
                    &String::from_utf8_lossy(&bytes),
                    vec![wrong],
                ))
            }
        }
    }

    /// Checks the plan in `text`, which complaints call `name`.
    ///
    /// # Errors
    ///
    /// Anything that is not understood (all of it must be), missing, or does not fit together.
    pub fn parse(text: &str, name: &str) -> Result<Self, PlanError> {
        let hash = Sha256::digest(text)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Node::parse(text)
            .and_then(|root| Ok((sections::File::deserialize(&root)?, root)))
            .map_err(|wrong| vec![wrong])
            .and_then(|(file, root)| check::check(file, &root, hash))
            .map_err(|wrongs| PlanError::new(name, text, wrongs))
    }
}

/// The file, or just enough of it to see that it is too large.
fn bytes_of(path: &Path) -> Result<Vec<u8>, PlanError> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(tree::LARGEST as u64 + 1).read_to_end(&mut bytes))
        .map_err(|error| {
            let mut hint = format!("the plan is {DEFAULT_PATH}, unless --plan or ROLLGATE_PLAN name another");
            let message = if error.kind() == std::io::ErrorKind::NotFound {
                hint.push_str("; begin with examples/plans/smallest.yml of rollgate");
                "no such file".to_owned()
            } else {
                format!("cannot be read: {error}")
            };
            PlanError::unreadable(&path.display().to_string(), message, hint)
        })?;
    Ok(bytes)
}
