//! Gateway API: share and record on one HTTPRoute.
//!
//! The record is an annotation of the route, the share the weights of its backends in every rule that names both
//! versions, single users have rules of their own ([`own`]). All of it is changed by one patch, which tests what it
//! relies on. A write is over when every Gateway of the route has accepted it; a rise that one of them refuses is
//! taken back.
//!
//! Source: <https://gateway-api.sigs.k8s.io/reference/spec/#httproute>

mod change;
mod grants;
mod own;
mod route;
mod seen;
mod status;
#[cfg(test)]
mod tests;

use std::time::Duration;

use kube::api::ApiResource;
use rollgate_domain::{rollout::record::Record, weight::Weight};
use serde_json::Value;
use tokio::time::Instant;

use self::{
    change::Change,
    route::{Roles, is_own, rules},
    status::{Standing, generation, standing},
};
use super::{
    Router, Seen, Users, WriteError,
    routed_object::{self, RoutedObject},
};
use crate::providers::cluster::Cluster;

/// How long the Gateways may take to accept a rise. Controllers take less than a second.
const RISE: Duration = Duration::from_secs(10);

/// The same for anything else, which is done by then and only not confirmed: a driver that must leave has little time.
const FALL: Duration = Duration::from_secs(3);

/// Between two looks at the status: twice as long each time.
const FIRST_LOOK: Duration = Duration::from_millis(20);
const LAST_LOOK: Duration = Duration::from_millis(320);

/// A share at which sticky users need all their rules.
const ONE: Option<Weight> = Weight::constant(1);

/// A HTTPRoute.
pub struct GatewayApi {
    object: RoutedObject,
    namespace: String,
    backends: [String; 2],
    users: Users,
}

impl GatewayApi {
    /// `route` and the Services of both backends are in `namespace`.
    #[must_use]
    pub fn new(
        cluster: Cluster,
        namespace: String,
        route: String,
        backends: [String; 2],
        users: Users,
    ) -> Self {
        let resource = ApiResource {
            group: "gateway.networking.k8s.io".to_owned(),
            version: "v1".to_owned(),
            api_version: "gateway.networking.k8s.io/v1".to_owned(),
            kind: "HTTPRoute".to_owned(),
            plural: "httproutes".to_owned(),
        };
        Self {
            object: RoutedObject::new(cluster, &resource, &namespace, &route),
            namespace,
            backends,
            users,
        }
    }

    /// Who is who in a rollout of `candidate`: the second of the plan's backends, unless it is the first.
    fn roles(&self, candidate: Option<&str>) -> Roles {
        let [first, second] = self.backends.clone();
        let (stable, candidate) = match candidate {
            Some(candidate) if candidate == first => (second, first),
            _ => (first, second),
        };
        Roles {
            namespace: self.namespace.clone(),
            stable,
            candidate,
        }
    }

    /// The same for a write, in which nobody else may be meant.
    fn roles_of(&self, record: &Record) -> Result<Roles, String> {
        let [first, second] = &self.backends;
        let candidate = &record.candidate.backend;
        let roles = self.roles(Some(candidate));
        if roles.candidate == *candidate {
            Ok(roles)
        } else {
            Err(format!(
                "the rollout is of {candidate}, the plan has {first} and {second}"
            ))
        }
    }

    fn seen(&self, route: &Value) -> anyhow::Result<Seen> {
        let record = routed_object::record(route);
        let named = match &record {
            Ok(Some(record)) => Some(record.candidate.backend.clone()),
            Ok(None) | Err(_) => own::candidate(route).or_else(|| routed_object::candidate(route)),
        };
        let roles = self.roles(named.as_deref());
        seen::of(route, self.object.words(), &roles, &self.users, record)
    }

    /// Tries on the API server, which does nothing, whether it would keep our own rules and know them again.
    ///
    /// Once for each rollout, before any user meets the candidate: later ones are like these.
    async fn rehearse(&self, was: &Value, roles: &Roles, record: &Record) -> Result<(), WriteError> {
        let has_own = rules(was).iter().any(is_own);
        let share = ONE.filter(|one| record.weight < *one).unwrap_or(record.weight);
        let own = if record.is_tried() && !has_own {
            own::wanted_at(was, roles, &self.users, share).map_err(WriteError::Rejected)?
        } else {
            Vec::new()
        };
        if own.is_empty() {
            return Ok(());
        }
        let wanted = own.len();
        let change = Change::to(was, roles, &self.users, record, None).map_err(WriteError::Rejected)?;
        let operations = change.with_own(own).operations(was, roles);
        let kept = self.object.patch(&operations, true).await?;
        if rules(&kept).iter().filter(|rule| is_own(rule)).count() == wanted {
            return Ok(());
        }
        Err(WriteError::Rejected(
            "the HTTPRoute CRD of this cluster drops the names of rules, and sticky users or a preview have rules that are known by their names: install the CRDs of Gateway API 1.4 or newer, or take sticky and preview out of the plan"
                .to_owned(),
        ))
    }

    /// Waits until the Gateways have said something of `after`, which holds `record`, or somebody else has the route;
    /// the route then, and what is wrong.
    async fn accepted(&self, after: Value, record: &str, longest: Duration) -> (Value, Option<String>) {
        let end = Instant::now() + longest;
        let wanted = generation(&after);
        let (mut now, mut pause) = (after, FIRST_LOOK);
        loop {
            if routed_object::text(&now) != Some(record) {
                return (now, None);
            }
            let why = match standing(&now, wanted) {
                Standing::Accepted => return (now, None),
                Standing::Refused(why) | Standing::Alone(why) => return (now, Some(why)),
                Standing::Waiting(why) => why,
            };
            if Instant::now() + pause >= end {
                return (now, Some(format!("{why} within {} s", longest.as_secs())));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LAST_LOOK);
            // One look that fails is not the last one.
            if let Ok(route) = self.object.get().await {
                now = route;
            }
        }
    }

    /// Takes a rise back that a Gateway refuses; what became of it, in words.
    async fn take_back(&self, was: &Value, now: &Value, roles: &Roles) -> &'static str {
        let operations = Change::back_to(was, roles).operations(now, roles);
        match self.object.patch(&operations, false).await {
            Ok(_) => "the route is as it was before",
            Err(WriteError::Conflict) => "somebody has changed the route since",
            Err(_) => "and the route could not be put back: look at it",
        }
    }
}

#[async_trait::async_trait]
impl Router for GatewayApi {
    async fn read(&self) -> anyhow::Result<Seen> {
        self.seen(&self.object.get().await?)
    }

    async fn write(&self, seen: &Seen, record: &Record) -> Result<Seen, WriteError> {
        let was: Value = serde_json::from_str(&seen.token).map_err(|_| WriteError::Conflict)?;
        let roles = self.roles_of(record).map_err(WriteError::Rejected)?;
        let change =
            Change::to(&was, &roles, &self.users, record, seen.share).map_err(WriteError::Rejected)?;
        self.rehearse(&was, &roles, record).await?;
        let after = self.object.patch(&change.operations(&was, &roles), false).await?;
        if generation(&after) == generation(&was) {
            return self.seen(&after).map_err(WriteError::Unreachable);
        }
        let rises = seen.share.is_some_and(|share| record.weight > share);
        let ours = record.encode();
        let longest = if rises { RISE } else { FALL };
        let (now, why) = self.accepted(after, &ours, longest).await;
        // What somebody else has written meanwhile, a rollback for one, is nothing to take back.
        if rises && routed_object::text(&now) != Some(&ours) {
            return Err(WriteError::Conflict);
        }
        match why {
            Some(why) if rises => {
                let end = self.take_back(&was, &now, &roles).await;
                Err(WriteError::Rejected(format!("{end}: {why}")))
            }
            why => {
                let mut seen = self.seen(&now).map_err(WriteError::Unreachable)?;
                // What a look at the route tells anyway is said once.
                seen.unreachable
                    .extend(why.filter(|_| seen.unreachable.is_empty()));
                Ok(seen)
            }
        }
    }

    fn describe(&self, seen: &Seen, records: &[&Record]) -> Vec<String> {
        let route = serde_json::from_str(&seen.token).unwrap_or_default();
        let mut share = seen.share;
        routed_object::describe(self.object.words(), route, records, |was, record| {
            let roles = self.roles_of(record)?;
            let seen = share.replace(record.weight);
            let change = Change::to(was, &roles, &self.users, record, seen)?;
            Ok::<_, String>(change.operations(was, &roles))
        })
    }
}
