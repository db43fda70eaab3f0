//! Two Deployments behind one plain Service: the share is the ratio of their pods.
//!
//! In: a Service whose selector matches both, and the names of the Deployments. Out: the record in an annotation of
//! the Service, and numbers of pods that make its share.
//!
//! Two Deployments cannot change in one write, so the record comes first: it says what is to be, and whoever has
//! written it may scale, nobody else. Then whoever grows grows, and whoever shrinks gives what the other one has taken
//! over. Beside the record stands how many pods there are in all, and whether they are still moving: numbers that do
//! not fit are a write that was cut off then, and a foreign hand otherwise.
//!
//! Source: <https://kubernetes.io/docs/concepts/services-networking/service/>

mod counts;
mod pods;

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context as _, anyhow};
use k8s_openapi::api::core::v1::Service;
use rollgate_domain::{rollout::record::Record, weight::Weight};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::Instant;

use self::{
    counts::{Counts, Size},
    pods::Pods,
};
use super::{
    Router, Seen, Shares, WriteError,
    annotation::{self, Held},
};
use crate::providers::{
    cluster::Cluster,
    stacks::kubernetes::{Kubernetes, Lookup},
};

/// How many pods there are in all, and whether they are on their way: `4` or `4, moving`.
const PODS: &str = "rollgate.dev/pods";

/// How long one write waits for pods. Whoever drives must look at the candidate again soon; what is not there by
/// then is left to the next write.
const PATIENCE: Duration = Duration::from_secs(15);

/// How often it looks.
const AGAIN: Duration = Duration::from_millis(200);

/// A Service in front of two Deployments.
pub struct ReplicaRatio {
    namespace: String,
    service: String,
    backends: [String; 2],
    stacks: Kubernetes,
}

/// What a write must still find.
#[derive(Debug, Serialize, Deserialize)]
struct Token {
    held: Held,
    /// The text beside the record.
    pods: Option<String>,
    /// How many pods of each Deployment are asked for.
    wanted: BTreeMap<String, u32>,
    /// Why there is nothing between 0 and 100 %, in words.
    fixed: Option<String>,
}

/// Everything that a look finds.
struct Found {
    held: Held,
    pods: Option<String>,
    stable: Pods,
    candidate: Pods,
}

impl ReplicaRatio {
    #[must_use]
    pub fn new(cluster: Cluster, namespace: String, service: String, backends: [String; 2]) -> Self {
        let lookup = Lookup::Deployment {
            service: service.clone(),
        };
        Self {
            stacks: Kubernetes::new(cluster, namespace.clone(), lookup, BTreeMap::new()),
            namespace,
            service,
            backends,
        }
    }

    async fn find(&self) -> anyhow::Result<Found> {
        let Self {
            namespace, service, ..
        } = self;
        let found: Option<Service> = self.stacks.get(service).await?;
        let found = found.with_context(|| {
            format!(
                "there is no Service {service} in namespace {namespace}: create it, or correct traffic.replica-ratio in \
                 the plan"
            )
        })?;
        let spec = found.spec.unwrap_or_default();
        let selector = spec
            .selector
            .filter(|selector| !selector.is_empty() && spec.external_name.is_none());
        let selector = selector.with_context(|| {
            format!(
                "Service {namespace}/{service} has no selector: it must select the pods of both Deployments"
            )
        })?;
        let held = Held::of(&found.metadata);
        let record = held.record().ok().flatten();
        let [first, second] = &self.backends;
        let (stable, candidate) = record.as_ref().map_or((first, second), |record| {
            (&record.stable.backend, &record.candidate.backend)
        });
        let (stable, candidate) =
            tokio::try_join!(self.pods(stable, &selector), self.pods(candidate, &selector))?;
        let annotations = found.metadata.annotations.as_ref();
        Ok(Found {
            pods: annotations.and_then(|annotations| annotations.get(PODS).cloned()),
            held,
            stable,
            candidate,
        })
    }

    fn seen(&self, found: Found) -> anyhow::Result<Seen> {
        let Found {
            held,
            pods,
            stable,
            candidate,
        } = found;
        let record = held.record();
        let known = record.as_ref().ok().and_then(Option::as_ref);
        let wanted = Counts {
            stable: stable.size.wanted,
            candidate: candidate.size.wanted,
        };
        let ready = Counts {
            stable: stable.size.ready,
            candidate: candidate.size.ready,
        };
        let share = counts::share(ready).or(match wanted.candidate {
            0 => Some(Weight::ZERO),
            _ => None,
        });
        let (total, moving) = (total(pods.as_deref(), wanted), is_moving(pods.as_deref()));
        let fits = known.is_none_or(|record| counts::give(record.weight, total, wanted));
        let torn = known.is_some() && moving;
        let mut drift = known.filter(|_| !fits && !moving).map(|record| {
            let live = share.map_or_else(|| "no pods are ready".to_owned(), |share| share.to_string());
            format!(
                "{} has {} pods and {} has {} ({live}), the record says {} of {total} pods. Whoever scales them, a \
                 person, GitOps or an autoscaler, must leave spec.replicas alone while a rollout is on",
                stable.name, wanted.stable, candidate.name, wanted.candidate, record.weight
            )
        });
        for missing in [&stable, &candidate].into_iter().filter(|pods| !pods.is_there) {
            let words = format!(
                "there is no Deployment {} in namespace {}",
                missing.name, self.namespace
            );
            drift = Some(drift.map_or_else(|| words.clone(), |drift| format!("{drift}; {words}")));
        }
        let late = [&stable, &candidate]
            .into_iter()
            .filter(|pods| moving && pods.size.ready < pods.size.wanted);
        let unreachable = late.map(late_words).collect();
        let fixed = [&stable, &candidate].into_iter().find_map(fixed_by);
        let shares = match &fixed {
            Some(because) => Shares::Only {
                these: vec![Weight::ZERO, Weight::FULL],
                because: because.clone(),
            },
            None => counts::shares(total, &self.service),
        };
        let wanted = [&stable, &candidate].map(|pods| (pods.name.clone(), pods.size.wanted));
        let token = Token {
            held,
            pods,
            wanted: wanted.into_iter().collect(),
            fixed,
        };
        Ok(Seen {
            candidate: candidate.name,
            share,
            drift,
            torn,
            unreachable,
            capacity: None,
            shares,
            token: serde_json::to_string(&token).context("note what was read")?,
            record,
        })
    }

    /// Share and record as one: the record with `pods` beside it, while both are as they were read.
    fn patch(held: &Held, before: Option<&str>, pods: &str, record: &Record) -> Value {
        let mut patch = held.write(record);
        let path = annotation::path(PODS);
        // Behind the operation that makes the map where there was none.
        let at = patch.len() - 1;
        patch.insert(at, json!({ "op": "test", "path": path, "value": before }));
        patch.push(json!({ "op": "add", "path": path, "value": pods }));
        Value::Array(patch)
    }

    async fn put(&self, patch: Value) -> Result<(), WriteError> {
        let api = self.stacks.api::<Service>();
        let patched = annotation::send(&api, &self.service, patch).await;
        patched.map(drop).map_err(annotation::write_error)
    }

    /// Scales until the pods make `target`; false if they have not after [`PATIENCE`].
    async fn scale_to(&self, target: Counts, record: &Record) -> Result<bool, WriteError> {
        let began = Instant::now();
        loop {
            let Found {
                held,
                stable,
                candidate,
                ..
            } = self.find().await.map_err(WriteError::Unreachable)?;
            // The Deployments were read before: whoever writes the record from here on claims them, and what
            // follows fails.
            if !held.is(record) {
                return Err(WriteError::Conflict);
            }
            let next = counts::next(target, stable.size, candidate.size);
            let mut is_still = true;
            for (pods, count) in [(&stable, next.stable), (&candidate, next.candidate)] {
                if !pods.is_there || (pods.is_claimed_by(record) && pods.size.wanted == count) {
                    continue;
                }
                is_still = false;
                self.scale(pods, count, record)
                    .await
                    .map_err(WriteError::Unreachable)?;
            }
            if is_still && is_done(target, stable.size, candidate.size) {
                return Ok(true);
            }
            if began.elapsed() >= PATIENCE {
                return Ok(false);
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// The change that `record` means to what was read: how many pods of each, and the first patch.
    fn plan(&self, token: &Token, record: &Record) -> Result<Plan, WriteError> {
        let wanted = |name: &str| token.wanted.get(name).copied();
        let (Some(stable), Some(candidate)) =
            (wanted(&record.stable.backend), wanted(&record.candidate.backend))
        else {
            return Err(WriteError::Rejected(format!(
                "{} and {} are not the two Deployments of the plan",
                record.stable.backend, record.candidate.backend
            )));
        };
        let now = Counts { stable, candidate };
        let total = total(token.pods.as_deref(), now);
        let refused = |why: String| WriteError::Rejected(why);
        if let Some(why) = &token.fixed
            && ![Weight::ZERO, Weight::FULL].contains(&record.weight)
        {
            return Err(refused(format!("{} cannot be given here: {why}", record.weight)));
        }
        let target = counts::target(record.weight, total, now).ok_or_else(|| {
            let why = counts::shares(total, &self.service).refusal(record.weight);
            refused(why.unwrap_or_else(|| format!("{} cannot be given here", record.weight)))
        })?;
        let fits = counts::give(record.weight, total, now);
        // A heartbeat: nobody scales, and nobody else can be in the middle of it.
        let same_owner = matches!(token.held.record(), Ok(Some(held)) if held.generation == record.generation
            && held.weight == record.weight);
        let is_still = fits && same_owner && !is_moving(token.pods.as_deref());
        let pods = if is_still {
            total.to_string()
        } else {
            format!("{total}, moving")
        };
        Ok(Plan {
            now,
            target,
            total,
            is_still,
            patch: Self::patch(&token.held, token.pods.as_deref(), &pods, record),
            pods,
        })
    }
}

/// What a write does.
struct Plan {
    now: Counts,
    target: Counts,
    total: u32,
    /// Nothing has to be scaled.
    is_still: bool,
    patch: Value,
    /// The text beside the record, as written first.
    pods: String,
}

#[async_trait::async_trait]
impl Router for ReplicaRatio {
    async fn read(&self) -> anyhow::Result<Seen> {
        self.seen(self.find().await?)
    }

    async fn write(&self, seen: &Seen, record: &Record) -> Result<Seen, WriteError> {
        let token = read_token(&seen.token)?;
        let plan = self.plan(&token, record)?;
        let found = self.find().await.map_err(WriteError::Unreachable)?;
        let is_as_seen = |pods: &Pods| token.wanted.get(&pods.name) == Some(&pods.size.wanted);
        if !(is_as_seen(&found.stable) && is_as_seen(&found.candidate)) {
            return Err(WriteError::Conflict);
        }
        self.put(plan.patch).await?;
        let is_done = plan.is_still || self.scale_to(plan.target, record).await?;
        if is_done && !plan.is_still {
            let found = self.find().await.map_err(WriteError::Unreachable)?;
            if !found.held.is(record) {
                return Err(WriteError::Conflict);
            }
            let still = plan.total.to_string();
            self.put(Self::patch(&found.held, Some(&plan.pods), &still, record))
                .await?;
        }
        let after = self.read().await.map_err(WriteError::Unreachable)?;
        // Nobody may take a fall for done that is not. A rise that is slow is watched meanwhile.
        if !is_done && plan.target.candidate < plan.now.candidate {
            let why = after.unreachable.join("; ");
            return Err(WriteError::Unreachable(anyhow!(
                "pods are not there after {} s, the next write goes on: {why}",
                PATIENCE.as_secs()
            )));
        }
        Ok(after)
    }

    fn describe(&self, seen: &Seen, record: &Record) -> String {
        let Self {
            namespace, service, ..
        } = self;
        match read_token(&seen.token).and_then(|token| self.plan(&token, record)) {
            Ok(Plan {
                now, target, patch, ..
            }) => format!(
                "patch Service {namespace}/{service}: {patch}\n\
                 Deployment {}: {} -> {} pods\n\
                 Deployment {}: {} -> {} pods",
                record.stable.backend,
                now.stable,
                target.stable,
                record.candidate.backend,
                now.candidate,
                target.candidate
            ),
            Err(error) => error.to_string(),
        }
    }
}

fn read_token(token: &str) -> Result<Token, WriteError> {
    serde_json::from_str(token).map_err(|error| WriteError::Rejected(format!("read what was seen: {error}")))
}

/// How many pods there are in all. Where one version has none, the other one's number is what there is.
fn total(pods: Option<&str>, wanted: Counts) -> u32 {
    let sum = wanted.stable.saturating_add(wanted.candidate);
    if wanted.stable == 0 || wanted.candidate == 0 {
        return sum;
    }
    let written = pods
        .and_then(|text| text.split(',').next())
        .and_then(|text| text.parse().ok());
    written.unwrap_or(sum)
}

fn is_moving(pods: Option<&str>) -> bool {
    pods.is_some_and(|text| text.ends_with(", moving"))
}

/// Whether the pods make the share. At 0 % it is made by the candidate's end, whatever stable's health.
fn is_done(target: Counts, stable: Size, candidate: Size) -> bool {
    let is_there = |size: Size, count: u32| size.wanted == count && size.ready == count;
    let stable_is_there = if target.candidate == 0 {
        stable.wanted == target.stable
    } else {
        is_there(stable, target.stable)
    };
    stable_is_there && is_there(candidate, target.candidate)
}

fn late_words(pods: &Pods) -> String {
    let Size { wanted, ready } = pods.size;
    let why = pods.trouble.as_deref().unwrap_or("they are on their way");
    format!("{ready} of {wanted} pods of {} are ready: {why}", pods.name)
}

fn fixed_by(pods: &Pods) -> Option<String> {
    let autoscaler = pods.autoscaler.as_deref()?;
    Some(format!(
        "HorizontalPodAutoscaler {autoscaler} sets the pods of {}, and with them its share, also where its least and \
         largest number are the same; delete it while rollouts go by replica-ratio, or use gateway-api, istio, haproxy \
         or nginx in the plan",
        pods.name
    ))
}
