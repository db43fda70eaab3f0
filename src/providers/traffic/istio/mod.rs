//! Istio: share and record on one VirtualService.
//!
//! Every `http` route whose list names both backends gets the share; the record is an annotation beside it, and both
//! are one JSON Patch. `tls` and `tcp` routes, and routes that name one of them, belong to somebody else.
//!
//! Istio does not say whether its proxies have taken a VirtualService. A write is accepted when the API server has
//! it; what istiod's analysis says in the status, where that is switched on, stops rises.
//!
//! Source: <https://istio.io/latest/docs/reference/config/networking/virtual-service/>

mod change;
mod routes;
#[cfg(test)]
mod tests;
mod users;

use rollgate_domain::{
    rollout::record::{Record, State},
    weight::Weight,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::{
    change::Change,
    routes::{Names, Routes},
};
use super::{
    Router, Seen, Shares, Users, WriteError,
    annotation::{self, Found, Kind, Objects},
};
use crate::{error::chain, providers::cluster::Cluster};

const VIRTUAL_SERVICE: Kind = Kind {
    group: "networking.istio.io",
    version: "v1",
    kind: "VirtualService",
    plural: "virtualservices",
    product: "Istio (1.22 or newer)",
};

const DESTINATION_RULE: Kind = Kind {
    kind: "DestinationRule",
    plural: "destinationrules",
    ..VIRTUAL_SERVICE
};

/// A VirtualService.
pub struct Istio {
    services: Objects,
    rules: Objects,
    route: String,
    names: Names,
    users: Users,
}

/// What a write must still find.
#[derive(Deserialize, Serialize)]
struct Token {
    found: Found,
    http: Vec<Value>,
}

impl Istio {
    /// `route` is the VirtualService's name. `host`: its subsets are the backends; without it they are hosts.
    #[must_use]
    pub fn new(
        cluster: Cluster,
        namespace: String,
        route: String,
        host: Option<String>,
        backends: [String; 2],
        users: Users,
    ) -> Self {
        Self {
            services: Objects::new(cluster.clone(), VIRTUAL_SERVICE, namespace.clone()),
            rules: Objects::new(cluster, DESTINATION_RULE, namespace.clone()),
            route,
            names: Names {
                namespace,
                host,
                backends,
            },
            users,
        }
    }

    /// Why the subsets cannot be routed to; nothing if they can, or if their DestinationRule lies elsewhere.
    ///
    /// A route to a subset that no rule defines answers 503.
    async fn missing_subsets(&self) -> Result<Option<String>, WriteError> {
        let Some(host) = &self.names.host else { return Ok(None) };
        // Whoever may not look gets the rule for it: a share is not given blindly.
        let rules = self
            .rules
            .list()
            .await
            .map_err(|error| WriteError::Rejected(chain(&error)))?;
        Ok(missing_subsets(&rules, host, &self.names))
    }

    /// The patch from what was seen to `record`.
    fn patch(&self, seen: &Seen, record: &Record) -> Result<Vec<Value>, WriteError> {
        let token: Token = serde_json::from_str(&seen.token).map_err(|_| WriteError::Conflict)?;
        let routes = Routes::of(token.http, &self.names);
        let Some(change) = Change::new(&routes, &self.names, &self.users, record) else {
            return Err(WriteError::Rejected(format!(
                "{} is none of the backends of {}: they are {}",
                record.candidate.backend,
                self.title(),
                self.names.both()
            )));
        };
        if let Some(refusal) = change.refusal() {
            return Err(WriteError::Rejected(refusal));
        }
        let mut patch = token.found.tests();
        let (tests, steps): (Vec<_>, Vec<_>) = change.steps().into_iter().partition(|step| step["op"] == "test");
        patch.extend(tests);
        patch.extend(token.found.put(record));
        patch.extend(steps);
        Ok(patch)
    }

    fn title(&self) -> String {
        format!("VirtualService {} in namespace {}", self.route, self.names.namespace)
    }
}

#[async_trait::async_trait]
impl Router for Istio {
    async fn read(&self) -> anyhow::Result<Seen> {
        let object = self.services.get(&self.route).await?;
        understand(&object, &self.title(), &self.names, &self.users)
    }

    async fn write(&self, seen: &Seen, record: &Record) -> Result<Seen, WriteError> {
        let patch = self.patch(seen, record)?;
        let begins = matches!(record.state, State::Ready { .. });
        if (begins || record.weight > seen.share.unwrap_or(Weight::ZERO))
            && let Some(missing) = self.missing_subsets().await?
        {
            return Err(WriteError::Rejected(missing));
        }
        let object = self.services.patch(&self.route, patch).await?;
        let after = understand(&object, &self.title(), &self.names, &self.users).map_err(WriteError::Unreachable)?;
        if after.share == Some(record.weight) {
            return Ok(after);
        }
        Err(WriteError::Rejected(after.drift.unwrap_or_else(|| {
            format!("{} took {} and has another share now", self.title(), record.weight)
        })))
    }

    fn describe(&self, seen: &Seen, record: &Record) -> String {
        match self.patch(seen, record) {
            Ok(patch) => annotation::in_words(VIRTUAL_SERVICE, &self.names.namespace, &self.route, &patch),
            Err(error) => format!("would change nothing: {error}\n"),
        }
    }
}

/// What a VirtualService says.
///
/// # Errors
///
/// No route names both backends, and there is no record either: it is not one that was prepared for a rollout.
fn understand(object: &Value, title: &str, names: &Names, users: &Users) -> anyhow::Result<Seen> {
    let found = Found::of(object);
    let http = object["spec"]["http"].as_array().cloned().unwrap_or_default();
    let routes = Routes::of(http, names);
    if routes.is_broken && found.text.is_none() {
        anyhow::bail!("{}", routes.names_neither(title, names));
    }
    let record = found.record();
    let recorded = record.as_ref().ok().and_then(Option::as_ref);
    let candidate = recorded.map_or(&names.backends[1], |record| &record.candidate.backend);
    let index = names.backends.iter().position(|name| name == candidate);

    let mut drift = Vec::new();
    if routes.is_broken {
        drift.push(routes.names_neither(title, names));
    }
    if index.is_none() {
        drift.push(format!(
            "the record is about {candidate}, the plan about {}: correct traffic.istio.backends",
            names.both()
        ));
    }
    for split in &routes.splits {
        drift.extend(split.obstacle(names).or_else(|| split.wrong_weights(names)));
        let share = index.and_then(|index| split.share(index));
        if let (Some(record), Some(share)) = (recorded, share)
            && share != record.weight
        {
            drift.push(format!(
                "{} gives {candidate} {share}, the record says {}",
                split.title(),
                record.weight
            ));
        }
    }
    drift.extend(recorded.and_then(|record| wrong_users(&routes, names, users, record)));
    drift.extend(analysis(object));
    let token = Token {
        found: found.clone(),
        http: routes.http.clone(),
    };
    Ok(Seen {
        candidate: candidate.clone(),
        share: index.and_then(|index| routes.share(index)),
        record,
        drift: (!drift.is_empty()).then(|| drift.join("; ")),
        torn: false,
        unreachable: Vec::new(),
        capacity: None,
        shares: Shares::Every,
        token: serde_json::to_string(&token)?,
    })
}

/// What differs in the routes for single users from what `record` wants.
fn wrong_users(routes: &Routes, names: &Names, users: &Users, record: &Record) -> Option<String> {
    let change = Change::new(routes, names, users, record)?;
    if let Some(obstacle) = change.obstacle_of_users() {
        return Some(obstacle);
    }
    // Whoever does not know the plan cannot tell what it wants of them.
    let knows = !record.is_tried() || *users != Users::default();
    (knows && !change.copies_stand()).then(|| match record.is_tried() {
        true => "the routes for single users (sticky, preview) are not as they were written".to_owned(),
        false => "routes for single users (their names begin with rollgate-) are left behind".to_owned(),
    })
}

/// What istiod's analysis has against this VirtualService as it is now, where it is switched on.
///
/// Source: <https://istio.io/latest/docs/reference/config/analysis/>
fn analysis(object: &Value) -> Option<String> {
    let status = &object["status"];
    let seen = status["observedGeneration"].as_u64().or_else(|| status["observedGeneration"].as_str()?.parse().ok());
    if seen != object["metadata"]["generation"].as_u64() {
        return None;
    }
    let messages = status["validationMessages"].as_array()?;
    let error = messages.iter().find(|message| message["level"] == "ERROR")?;
    let code = error["type"]["code"].as_str().unwrap_or("an error");
    let page = error["documentationUrl"].as_str().unwrap_or_default();
    Some(format!("istiod says {code} about it {page}").trim_end().to_owned())
}

/// Which subsets the DestinationRules of `host` lack, if there are such rules.
fn missing_subsets(rules: &[Value], host: &str, names: &Names) -> Option<String> {
    let ours = rules.iter().filter(|rule| {
        let named = rule["spec"]["host"].as_str();
        named.is_some_and(|named| names.is_same(named, host))
    });
    let (mut defined, mut title) = (Vec::new(), None);
    for rule in ours {
        title = rule["metadata"]["name"].as_str();
        let subsets = rule["spec"]["subsets"].as_array().into_iter().flatten();
        defined.extend(subsets.filter_map(|subset| subset["name"].as_str()));
    }
    let title = title?;
    let missing = names.backends.iter().find(|name| !defined.contains(&name.as_str()))?;
    Some(format!(
        "DestinationRule {title} of {host} has no subset {missing}, so its requests would be answered with 503: add it"
    ))
}
