//! Kubernetes Service selector: blue/green, all or nothing.
//!
//! In: a Service, the label of its selector that names a version, and the label's two values. Out: one JSON Patch of
//! label and record, which tests both as they were read. Connections that are open stay where they are.
//!
//! Source: <https://kubernetes.io/docs/concepts/services-networking/service/#defining-a-service>

use anyhow::bail;
use k8s_openapi::{
    api::core::v1::Service,
    apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, ObjectMeta},
};
use kube::api::ApiResource;
use rollgate_domain::{rollout::record::Record, weight::Weight};
use serde_json::{Value, json};

use super::{
    Router, Seen, Shares, WriteError,
    routed_object::{self, MANAGER, RoutedObject},
};
use crate::providers::cluster::{Cluster, Kind, Trouble};

const BECAUSE: &str = "a Service's selector gives all the traffic to one version or to the other; for steps in between use \
    gateway-api, istio, haproxy, nginx or replica-ratio in the plan, or one step of 100%";

/// A Service whose selector names a version.
pub struct ServiceSelector {
    object: RoutedObject,
    label: String,
    backends: [String; 2],
}

impl ServiceSelector {
    #[must_use]
    pub fn new(
        cluster: Cluster,
        namespace: &str,
        service: &str,
        label: String,
        backends: [String; 2],
    ) -> Self {
        Self {
            object: RoutedObject::new(cluster, &ApiResource::erase::<Service>(&()), namespace, service),
            label,
            backends,
        }
    }

    /// What there is to see in a Service.
    fn seen(&self, object: &Value) -> anyhow::Result<Seen> {
        let Self {
            label,
            backends: [first, second],
            ..
        } = self;
        let service = self.object.words();
        let selector = object["spec"]["selector"].as_object();
        let selector = match (&object["spec"]["externalName"], selector) {
            (Value::String(host), _) => {
                bail!("{service} is a name for {host} (ExternalName): it has no selector to switch")
            }
            (_, Some(selector)) if !selector.is_empty() => selector,
            _ => bail!(
                "{service} has no selector to switch: give it one with {label}: {first}, or use another router in the \
                 plan"
            ),
        };
        let value = selector.get(label).and_then(Value::as_str);
        let record = routed_object::record(object);
        let known = record.as_ref().ok().and_then(Option::as_ref);
        let roles = routed_object::roles(object, &self.backends);
        let (stable, candidate) = known.map_or(roles, |record| {
            (&record.stable.backend, &record.candidate.backend)
        });
        let share = match value {
            Some(value) if value == candidate => Some(Weight::FULL),
            Some(value) if value == stable => Some(Weight::ZERO),
            _ => None,
        };
        let has = || value.map_or_else(|| "does not have it".to_owned(), |value| format!("has {value}"));
        let drift = match (&record, share) {
            (Ok(None), None) => bail!(
                "the selector of {service} must name a version by {label}: {first} or {second}, it {}; correct the \
                 Service or traffic.service-selector in the plan",
                has()
            ),
            (Ok(Some(record)), share) if share != Some(record.weight) => {
                Some(self.drift(object, value, share, record))
            }
            (Err(_), None) => Some(format!(
                "the selector of {service} must name a version by {label}: {first} or {second}, it {}",
                has()
            )),
            _ => None,
        };
        Ok(Seen {
            candidate: candidate.clone(),
            share,
            drift,
            torn: false,
            unreachable: Vec::new(),
            capacity: None,
            shares: Shares::Only {
                these: vec![Weight::ZERO, Weight::FULL],
                because: BECAUSE.to_owned(),
            },
            token: relied_on(object).to_string(),
            record,
        })
    }

    /// The selector and the record say different things.
    fn drift(&self, object: &Value, value: Option<&str>, share: Option<Weight>, record: &Record) -> String {
        let Self {
            object: service,
            label,
            ..
        } = self;
        let wanted = version(record).unwrap_or("no version");
        let candidate = &record.candidate.backend;
        let live = match (share, value) {
            (Some(share), Some(value)) => format!("selects {label}={value}, so {candidate} has {share}"),
            (_, Some(value)) => format!("selects {label}={value}, which is neither version"),
            (_, None) => format!("does not select by {label} any more, so both versions have traffic"),
        };
        let by = last_writer(object).map_or_else(String::new, |manager| {
            format!("The selector was written last by {manager}. ")
        });
        format!(
            "{} {live}; the record says {} ({label}={wanted}). {by}Helm and GitOps put back what the manifest says: let it \
             say {wanted}, or take spec.selector.{label} out of what they manage (Argo CD: ignoreDifferences)",
            service.words(),
            record.weight
        )
    }

    /// The label and the record as one, in the place of those in `object`.
    fn patch(&self, object: &Value, record: &Record) -> Result<Vec<Value>, WriteError> {
        let Some(version) = version(record) else {
            let words = format!("{} cannot be given here: {BECAUSE}", record.weight);
            return Err(WriteError::Rejected(words));
        };
        // As JSON Patch writes a key: RFC 6901, section 3.
        let label = self.label.replace('~', "~0").replace('/', "~1");
        let label = format!("/spec/selector/{label}");
        let mut patch = vec![routed_object::test(
            &label,
            &object["spec"]["selector"][&self.label],
        )];
        patch.extend(routed_object::put_record(object, Some(&record.encode())));
        patch.push(routed_object::add(&label, &json!(version)));
        Ok(patch)
    }
}

#[async_trait::async_trait]
impl Router for ServiceSelector {
    async fn read(&self) -> anyhow::Result<Seen> {
        let object = self.object.get().await.map_err(|error| {
            let is_missing = error
                .downcast_ref::<Trouble>()
                .is_some_and(|trouble| trouble.kind == Kind::Missing);
            if is_missing {
                error.context("create the Service, or correct traffic.service-selector in the plan")
            } else {
                error
            }
        })?;
        self.seen(&object)
    }

    async fn write(&self, seen: &Seen, record: &Record) -> Result<Seen, WriteError> {
        let was = serde_json::from_str(&seen.token).unwrap_or_default();
        let patch = self.patch(&was, record)?;
        let object = self.object.patch(&patch, false).await?;
        self.seen(&object).map_err(WriteError::Unreachable)
    }

    fn describe(&self, seen: &Seen, records: &[&Record]) -> Vec<String> {
        let service = serde_json::from_str(&seen.token).unwrap_or_default();
        let patch = |was: &Value, record: &Record| self.patch(was, record);
        routed_object::describe(self.object.words(), service, records, patch)
    }
}

/// The label's value that gives the record's share; none for a share in between.
fn version(record: &Record) -> Option<&str> {
    match record.weight {
        Weight::ZERO => Some(&record.stable.backend),
        Weight::FULL => Some(&record.candidate.backend),
        _ => None,
    }
}

/// Of an object, what a write must still find.
fn relied_on(object: &Value) -> Value {
    let Value::Object(annotations) = &object["metadata"]["annotations"] else {
        return json!({ "metadata": {}, "spec": { "selector": object["spec"]["selector"] } });
    };
    let ours = annotations
        .iter()
        .filter(|(name, _)| *name == routed_object::RECORD);
    let ours: serde_json::Map<_, _> = ours.map(|(name, text)| (name.clone(), text.clone())).collect();
    json!({
        "metadata": { "annotations": ours, "resourceVersion": object["metadata"]["resourceVersion"] },
        "spec": { "selector": object["spec"]["selector"] },
    })
}

/// Who wrote the selector last, apart from us, and when.
///
/// Source: <https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management>
fn last_writer(object: &Value) -> Option<String> {
    let metadata: ObjectMeta = serde_json::from_value(object["metadata"].clone()).ok()?;
    let wrote = |entry: &ManagedFieldsEntry| {
        let is_ours = entry.manager.as_deref() == Some(MANAGER);
        let fields = entry.fields_v1.as_ref().map(|fields| &fields.0);
        !is_ours && fields.is_some_and(|fields| !fields["f:spec"]["f:selector"].is_null())
    };
    let entries = metadata.managed_fields?.into_iter().filter(wrote);
    let last = entries.max_by_key(|entry| entry.time.clone())?;
    let manager = last.manager?;
    Some(match last.time {
        Some(time) => format!("{manager} at {:.0}", time.0),
        None => manager,
    })
}
