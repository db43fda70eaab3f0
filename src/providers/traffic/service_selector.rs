//! Kubernetes Service selector: blue/green, all or nothing.
//!
//! In: a Service, the label of its selector that names a version, and the label's two values. Out: one JSON Patch of
//! label and record, which tests both as they were read. Connections that are open stay where they are.
//!
//! Source: <https://kubernetes.io/docs/concepts/services-networking/service/#defining-a-service>

use anyhow::{Context as _, bail};
use k8s_openapi::{
    api::core::v1::Service,
    apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, ObjectMeta},
};
use kube::Api;
use rollgate_domain::{rollout::record::Record, weight::Weight};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Router, Seen, Shares, WriteError,
    annotation::{self, Held, MANAGER},
};
use crate::providers::cluster::Cluster;

/// A Service whose selector names a version.
pub struct ServiceSelector {
    cluster: Cluster,
    namespace: String,
    service: String,
    label: String,
    backends: [String; 2],
}

/// What a write must still find.
#[derive(Debug, Serialize, Deserialize)]
struct Token {
    held: Held,
    /// The label's value.
    value: Option<String>,
}

impl ServiceSelector {
    #[must_use]
    pub fn new(
        cluster: Cluster,
        namespace: String,
        service: String,
        label: String,
        backends: [String; 2],
    ) -> Self {
        Self {
            cluster,
            namespace,
            service,
            label,
            backends,
        }
    }

    fn api(&self) -> Api<Service> {
        Api::namespaced(self.cluster.client(), &self.namespace)
    }

    /// What there is to see in a Service.
    fn seen(&self, service: &Service) -> anyhow::Result<Seen> {
        let Self {
            namespace,
            service: name,
            label,
            backends: [first, second],
            ..
        } = self;
        let spec = service.spec.as_ref();
        if let Some(host) = spec.and_then(|spec| spec.external_name.as_deref()) {
            bail!(
                "Service {namespace}/{name} is a name for {host} (ExternalName): it has no selector to switch"
            );
        }
        let selector = spec
            .and_then(|spec| spec.selector.as_ref())
            .filter(|selector| !selector.is_empty());
        let selector = selector.with_context(|| {
            format!(
                "Service {namespace}/{name} has no selector to switch: give it one with {label}: {first}, or use another \
                 router in the plan"
            )
        })?;
        let value = selector.get(label).cloned();
        let held = Held::of(&service.metadata);
        let record = held.record();
        let known = record.as_ref().ok().and_then(Option::as_ref);
        let (stable, candidate) = known.map_or((first, second), |record| {
            (&record.stable.backend, &record.candidate.backend)
        });
        let share = match &value {
            Some(value) if value == candidate => Some(Weight::FULL),
            Some(value) if value == stable => Some(Weight::ZERO),
            _ => None,
        };
        let drift = match (known, share) {
            (None, None) if record == Ok(None) => {
                let has = value.map_or_else(|| "does not have it".to_owned(), |value| format!("has {value}"));
                bail!(
                    "the selector of Service {namespace}/{name} must name a version by {label}: {first} or {second}, it \
                     {has}; correct the Service or traffic.service-selector in the plan"
                );
            }
            (Some(record), share) if share != Some(record.weight) => {
                Some(self.drift(&service.metadata, value.as_deref(), share, record))
            }
            (None, None) => Some(format!(
                "Service {namespace}/{name} selects neither {first} nor {second}"
            )),
            _ => None,
        };
        let token = Token { held, value };
        Ok(Seen {
            candidate: candidate.clone(),
            share,
            drift,
            torn: false,
            unreachable: Vec::new(),
            capacity: None,
            shares: Shares::Only {
                these: vec![Weight::ZERO, Weight::FULL],
                because: "a Service's selector gives all the traffic to one version or to the other; for steps in between \
                          use gateway-api, istio, haproxy, nginx or replica-ratio in the plan, or a single step of 100%"
                    .to_owned(),
            },
            token: serde_json::to_string(&token).context("note what was read")?,
            record,
        })
    }

    /// The selector and the record say different things.
    fn drift(
        &self,
        metadata: &ObjectMeta,
        value: Option<&str>,
        share: Option<Weight>,
        record: &Record,
    ) -> String {
        let Self {
            namespace,
            service,
            label,
            ..
        } = self;
        let wanted = version(record).map_or_else(|| "none of them".to_owned(), str::to_owned);
        let live = match (share, value) {
            (Some(share), Some(value)) => {
                format!(
                    "selects {label}={value}, so {} has {share}",
                    record.candidate.backend
                )
            }
            (_, Some(value)) => format!("selects {label}={value}, which is neither version"),
            (_, None) => format!("does not select by {label} any more, so both versions have traffic"),
        };
        let by = metadata
            .managed_fields
            .as_ref()
            .and_then(|entries| last_writer(entries))
            .map_or_else(String::new, |manager| format!("{manager} wrote it last; "));
        format!(
            "Service {namespace}/{service} {live}; the record says {} ({label}={wanted}). {by}Helm and GitOps put back \
             what the manifest says: let the manifest say {wanted}, or take spec.selector.{label} out of what they manage \
             (Argo CD: ignoreDifferences, Flux: a patch that leaves it out)",
            record.weight
        )
    }

    fn patch(&self, token: &Token, record: &Record) -> Result<Value, WriteError> {
        let Some(version) = version(record) else {
            let words = format!(
                "a Service's selector cannot give {}, only 0 % or 100 %",
                record.weight
            );
            return Err(WriteError::Rejected(words));
        };
        let label = format!("/spec/selector/{}", annotation::escaped(&self.label));
        let mut patch = vec![json!({ "op": "test", "path": label, "value": token.value })];
        patch.extend(token.held.write(record));
        patch.push(json!({ "op": "add", "path": label, "value": version }));
        Ok(Value::Array(patch))
    }
}

#[async_trait::async_trait]
impl Router for ServiceSelector {
    async fn read(&self) -> anyhow::Result<Seen> {
        let Self {
            namespace, service, ..
        } = self;
        let found = self.api().get_opt(service).await;
        let found = found.with_context(|| format!("read Service {namespace}/{service}"))?;
        let found = found.with_context(|| {
            format!(
                "there is no Service {service} in namespace {namespace}: create it, or correct \
                 traffic.service-selector in the plan"
            )
        })?;
        self.seen(&found)
    }

    async fn write(&self, seen: &Seen, record: &Record) -> Result<Seen, WriteError> {
        let token: Token = read_token(&seen.token)?;
        let patch = self.patch(&token, record)?;
        match annotation::send(&self.api(), &self.service, patch).await {
            Ok(service) => self.seen(&service).map_err(WriteError::Unreachable),
            Err(error) => {
                let words = error.to_string();
                let error = annotation::write_error(error);
                if matches!(error, WriteError::Conflict) {
                    let now = self.read().await.map_err(WriteError::Unreachable)?;
                    let now: Token = read_token(&now.token)?;
                    if now.value == token.value && now.held.is_same(&token.held) {
                        return Err(WriteError::Rejected(words));
                    }
                }
                Err(error)
            }
        }
    }

    fn describe(&self, seen: &Seen, record: &Record) -> String {
        let Self {
            namespace, service, ..
        } = self;
        match read_token(&seen.token).and_then(|token| self.patch(&token, record)) {
            Ok(patch) => format!("patch Service {namespace}/{service}: {patch}"),
            Err(error) => error.to_string(),
        }
    }
}

fn read_token(token: &str) -> Result<Token, WriteError> {
    serde_json::from_str(token).map_err(|error| WriteError::Rejected(format!("read what was seen: {error}")))
}

/// The label's value that gives the record's share; none for a share in between.
fn version(record: &Record) -> Option<&str> {
    match record.weight {
        Weight::ZERO => Some(&record.stable.backend),
        Weight::FULL => Some(&record.candidate.backend),
        _ => None,
    }
}

/// Who wrote the selector last, apart from us, and when.
///
/// Source: <https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management>
fn last_writer(entries: &[ManagedFieldsEntry]) -> Option<String> {
    let wrote = |entry: &&ManagedFieldsEntry| {
        let fields = entry.fields_v1.as_ref().map(|fields| &fields.0);
        let is_ours = entry.manager.as_deref() == Some(MANAGER);
        !is_ours && fields.is_some_and(|fields| !fields["f:spec"]["f:selector"].is_null())
    };
    let last = entries
        .iter()
        .filter(wrote)
        .max_by_key(|entry| entry.time.clone())?;
    let manager = last.manager.as_deref()?;
    Some(match &last.time {
        Some(time) => format!("{manager} ({:.0})", time.0),
        None => manager.to_owned(),
    })
}
