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

use anyhow::Context as _;
use kube::{
    Api,
    api::{ApiResource, DynamicObject, ListParams},
};
use rollgate_domain::{
    rollout::record::{Record, State},
    weight::Weight,
};
use serde_json::{Value, json};

use self::{
    change::Change,
    routes::{Names, Routes, Split},
};
use super::{
    Router, Seen, Shares, Users, WriteError,
    routed_object::{self, RECORD, RoutedObject},
};
use crate::{error::chain, providers::cluster::Cluster};

/// A VirtualService.
pub struct Istio {
    cluster: Cluster,
    object: RoutedObject,
    names: Names,
    users: Users,
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
        let resource = resource("VirtualService", "virtualservices");
        Self {
            object: RoutedObject::new(cluster.clone(), &resource, &namespace, &route),
            cluster,
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
    async fn missing_subsets(&self) -> anyhow::Result<Option<String>> {
        let Names { namespace, host, .. } = &self.names;
        let Some(host) = host else { return Ok(None) };
        let resource = resource("DestinationRule", "destinationrules");
        let all: Api<DynamicObject> = Api::namespaced_with(self.cluster.client(), namespace, &resource);
        let rules = all.list(&ListParams::default()).await;
        let rules = rules
            .map_err(|error| self.cluster.trouble(&error))
            .with_context(|| format!("look for the subsets of {host} in namespace {namespace}"))?;
        let rules: Result<Vec<_>, _> = rules.items.iter().map(serde_json::to_value).collect();
        Ok(missing_subsets(
            &rules.context("read DestinationRules")?,
            host,
            &self.names,
        ))
    }

    /// The patch from `object` as it was seen to `record`.
    fn patch(&self, object: &Value, record: &Record) -> Result<Vec<Value>, WriteError> {
        let routes = Routes::of(http_of(object), &self.names);
        let Some(change) = Change::new(&routes, &self.names, &self.users, record) else {
            return Err(WriteError::Rejected(format!(
                "{} is none of the backends of {}: they are {}",
                record.candidate.backend,
                self.object.words(),
                self.names.both()
            )));
        };
        if let Some(refusal) = change.refusal() {
            return Err(WriteError::Rejected(refusal));
        }
        let mut patch = routed_object::put_record(object, Some(&record.encode()));
        patch.extend(change.steps());
        Ok(patch)
    }
}

/// A kind of Istio's networking API, which is `v1` since Istio 1.22.
fn resource(kind: &str, plural: &str) -> ApiResource {
    let (group, version) = ("networking.istio.io", "v1");
    ApiResource {
        group: group.to_owned(),
        version: version.to_owned(),
        api_version: format!("{group}/{version}"),
        kind: kind.to_owned(),
        plural: plural.to_owned(),
    }
}

#[async_trait::async_trait]
impl Router for Istio {
    async fn read(&self) -> anyhow::Result<Seen> {
        let object = self.object.get().await?;
        understand(&object, self.object.words(), &self.names, &self.users)
    }

    async fn write(&self, seen: &Seen, record: &Record) -> Result<Seen, WriteError> {
        let was: Value = serde_json::from_str(&seen.token).map_err(|_| WriteError::Conflict)?;
        let patch = self.patch(&was, record)?;
        let begins = matches!(record.state, State::Ready { .. });
        if begins || record.weight > seen.share.unwrap_or(Weight::ZERO) {
            match self.missing_subsets().await {
                Ok(None) => {}
                Ok(Some(missing)) => return Err(WriteError::Rejected(missing)),
                // Whoever may not look is told so: a share is not given blindly.
                Err(error) => return Err(WriteError::Rejected(chain(&error))),
            }
        }
        let object = self.object.patch(&patch, false).await?;
        let after = understand(&object, self.object.words(), &self.names, &self.users)
            .map_err(WriteError::Unreachable)?;
        if after.share == Some(record.weight) {
            return Ok(after);
        }
        Err(WriteError::Rejected(after.drift.unwrap_or_else(|| {
            format!(
                "{} took {} and has another share now",
                self.object.words(),
                record.weight
            )
        })))
    }

    fn describe(&self, seen: &Seen, records: &[&Record]) -> Vec<String> {
        let service = serde_json::from_str(&seen.token).unwrap_or_default();
        let patch = |was: &Value, record: &Record| self.patch(was, record);
        routed_object::describe(self.object.words(), service, records, patch)
    }
}

fn http_of(object: &Value) -> Vec<Value> {
    object["spec"]["http"].as_array().cloned().unwrap_or_default()
}

/// What a write must still find of `object`, or needs to say so.
fn token(object: &Value) -> String {
    let metadata = &object["metadata"];
    let mut token = json!({
        "metadata": { "resourceVersion": metadata["resourceVersion"] },
        "spec": { "http": object["spec"]["http"] },
    });
    if metadata["annotations"].is_object() {
        token["metadata"]["annotations"] = json!({});
        if let Some(text) = routed_object::text(object) {
            token["metadata"]["annotations"][RECORD] = json!(text);
        }
    }
    token.to_string()
}

/// What a VirtualService says.
///
/// # Errors
///
/// No route names both backends, and there is no record either: it is not one that was prepared for a rollout.
fn understand(object: &Value, title: &str, names: &Names, users: &Users) -> anyhow::Result<Seen> {
    let routes = Routes::of(http_of(object), names);
    if routes.is_broken && routed_object::text(object).is_none() {
        anyhow::bail!("{}", routes.names_neither(title, names));
    }
    let record = routed_object::record(object);
    let recorded = record.as_ref().ok().and_then(Option::as_ref);
    let (_, candidate) = routed_object::roles(object, &names.backends);
    let candidate = recorded.map_or(candidate, |record| &record.candidate.backend);
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
    drift.extend(wrong_users(&routes, names, users, recorded));
    drift.extend(analysis(object));
    Ok(Seen {
        candidate: candidate.clone(),
        share: index.and_then(|index| routes.share(index)),
        record,
        drift: (!drift.is_empty()).then(|| drift.join("; ")),
        torn: false,
        unreachable: Vec::new(),
        capacity: None,
        shares: Shares::Every,
        token: token(object),
    })
}

/// What differs in the routes for single users from what `record` wants, or what keeps them from being told apart.
fn wrong_users(routes: &Routes, names: &Names, users: &Users, record: Option<&Record>) -> Option<String> {
    if record.is_none_or(Record::is_tried) {
        let route = |split: &Split| &routes.http[split.place];
        let obstacle = |split| users::obstacle(route(split), split, users, names);
        if let Some(obstacle) = routes.splits.iter().find_map(obstacle) {
            return Some(obstacle);
        }
    }
    let record = record?;
    // Whoever does not know the plan cannot tell what it wants of them.
    let knows = !record.is_tried() || *users != Users::default();
    if !knows || Change::new(routes, names, users, record)?.copies_stand() {
        return None;
    }
    Some(match record.is_tried() {
        true => "the routes for single users (sticky, preview) are not as they were written".to_owned(),
        false => "routes for single users (their names begin with rollgate-) are left behind".to_owned(),
    })
}

/// What istiod's analysis has against this VirtualService as it is now, where it is switched on.
///
/// Source: <https://istio.io/latest/docs/reference/config/analysis/>
fn analysis(object: &Value) -> Option<String> {
    let status = &object["status"];
    // A number of 64 bits may be written as a text.
    let seen = &status["observedGeneration"];
    let seen = seen.as_u64().or_else(|| seen.as_str()?.parse().ok());
    if seen != object["metadata"]["generation"].as_u64() {
        return None;
    }
    let messages = status["validationMessages"].as_array()?;
    let error = messages.iter().find(|message| message["level"] == "ERROR")?;
    let code = error["type"]["code"].as_str().unwrap_or("an error");
    let page = error["documentationUrl"].as_str().unwrap_or_default();
    Some(
        format!("istiod says {code} about it {page}")
            .trim_end()
            .to_owned(),
    )
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
    let missing = names
        .backends
        .iter()
        .find(|name| !defined.contains(&name.as_str()))?;
    Some(format!(
        "DestinationRule {title} of {host} has no subset {missing}, so its requests would be answered with 503: add it"
    ))
}
