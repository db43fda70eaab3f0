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
mod plan;
mod pods;

use std::{collections::BTreeMap, time::Duration};

use anyhow::Context as _;
use k8s_openapi::api::core::v1::Service;
use kube::api::ApiResource;
use rollgate_domain::{rollout::record::Record, weight::Weight};
use serde_json::Value;
use tokio::time::Instant;

use self::{
    counts::{Counts, Size},
    plan::{Token, is_moving, ours, patch, pods_text, total},
    pods::Pods,
};
use super::{
    Router, Seen, Shares, WriteError,
    routed_object::{self, RoutedObject},
};
use crate::providers::{
    cluster::{Cluster, Kind, Trouble},
    stacks::kubernetes::{Kubernetes, Lookup},
};

/// How long one write waits for pods. Whoever drives must look at the candidate again soon; what is not there by
/// then is left to the next write.
const PATIENCE: Duration = Duration::from_secs(15);

/// How often it looks.
const AGAIN: Duration = Duration::from_millis(200);

/// A Service in front of two Deployments.
pub struct ReplicaRatio {
    cluster: Cluster,
    namespace: String,
    /// The Service.
    object: RoutedObject,
    backends: [String; 2],
    stacks: Kubernetes,
}

/// Everything that a look finds.
struct Found {
    object: Value,
    stable: Pods,
    candidate: Pods,
}

impl ReplicaRatio {
    #[must_use]
    pub fn new(cluster: Cluster, namespace: String, service: String, backends: [String; 2]) -> Self {
        let lookup = Lookup::Deployment {
            service: service.clone(),
        };
        let resource = ApiResource::erase::<Service>(&());
        Self {
            object: RoutedObject::new(cluster.clone(), &resource, &namespace, &service),
            stacks: Kubernetes::new(cluster.clone(), namespace.clone(), lookup, BTreeMap::new()),
            cluster,
            namespace,
            backends,
        }
    }

    async fn find(&self) -> anyhow::Result<Found> {
        let object = self.object.get().await.map_err(|error| {
            let is_missing = error
                .downcast_ref::<Trouble>()
                .is_some_and(|trouble| trouble.kind == Kind::Missing);
            if is_missing {
                error.context("create the Service, or correct traffic.replica-ratio in the plan")
            } else {
                error
            }
        })?;
        let selector = object["spec"]["selector"]
            .as_object()
            .filter(|selector| !selector.is_empty());
        let selector = selector.filter(|_| object["spec"]["externalName"].is_null());
        let selector = selector.with_context(|| {
            let service = self.object.words();
            format!("{service} has no selector: it must select the pods of both Deployments")
        })?;
        let selector = selector
            .iter()
            .filter_map(|(label, value)| Some((label.clone(), value.as_str()?.to_owned())))
            .collect();
        let record = routed_object::record(&object).ok().flatten();
        let roles = routed_object::roles(&object, &self.backends);
        let (stable, candidate) = record.as_ref().map_or(roles, |record| {
            (&record.stable.backend, &record.candidate.backend)
        });
        let (stable, candidate) =
            tokio::try_join!(self.pods(stable, &selector), self.pods(candidate, &selector))?;
        Ok(Found {
            object,
            stable,
            candidate,
        })
    }

    fn seen(&self, found: Found) -> anyhow::Result<Seen> {
        let Found {
            object,
            stable,
            candidate,
        } = found;
        let record = routed_object::record(&object);
        let pods = pods_text(&object);
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
        let (total, moving) = (total(pods, wanted), is_moving(pods));
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
            .filter(|pods| moving && pods.size.ready != pods.size.wanted);
        let unreachable = late.map(late_words).collect();
        let fixed = [&stable, &candidate].into_iter().find_map(fixed_by);
        let shares = match &fixed {
            Some(because) => Shares::Only {
                these: vec![Weight::ZERO, Weight::FULL],
                because: because.clone(),
            },
            None => counts::shares(total, self.object.words()),
        };
        let wanted = [&stable, &candidate].map(|pods| (pods.name.clone(), pods.size.wanted));
        let token = Token {
            object: ours(&object),
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

    /// Scales until the pods make `target`; false if they have not after [`PATIENCE`].
    async fn scale_to(&self, target: Counts, record: &Record) -> Result<bool, WriteError> {
        let began = Instant::now();
        loop {
            let found = self.find().await.map_err(WriteError::Unreachable)?;
            let Found {
                stable, candidate, ..
            } = &found;
            // After the Deployments, not before: whoever writes a record later than this claims them later, too, and
            // what follows here fails.
            let object = self.object.get().await.map_err(WriteError::Unreachable)?;
            if routed_object::text(&object) != Some(&record.encode()) {
                return Err(WriteError::Conflict);
            }
            let next = counts::next(target, stable.size, candidate.size);
            let mut is_still = true;
            for (pods, count) in [(stable, next.stable), (candidate, next.candidate)] {
                if !pods.is_there || (pods.is_claimed_by(record) && pods.size.wanted == count) {
                    continue;
                }
                is_still = false;
                match self.scale(pods, count, record).await {
                    // Somebody wrote in between: look again.
                    Ok(()) | Err(WriteError::Conflict) => {}
                    Err(error) => return Err(error),
                }
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
}

#[async_trait::async_trait]
impl Router for ReplicaRatio {
    async fn read(&self) -> anyhow::Result<Seen> {
        self.seen(self.find().await?)
    }

    async fn write(&self, seen: &Seen, record: &Record) -> Result<Seen, WriteError> {
        let token = Token::read(&seen.token)?;
        let plan = token.plan(self.object.words(), record)?;
        let found = self.find().await.map_err(WriteError::Unreachable)?;
        let is_as_seen = |pods: &Pods| token.wanted.get(&pods.name) == Some(&pods.size.wanted);
        if !(is_as_seen(&found.stable) && is_as_seen(&found.candidate)) {
            return Err(WriteError::Conflict);
        }
        self.object.patch(&plan.patch, false).await?;
        let is_done = plan.is_still || self.scale_to(plan.target, record).await?;
        if is_done && !plan.is_still {
            let object = self.object.get().await.map_err(WriteError::Unreachable)?;
            if routed_object::text(&object) != Some(&record.encode()) {
                return Err(WriteError::Conflict);
            }
            let still = patch(&object, &plan.total.to_string(), record);
            self.object.patch(&still, false).await?;
        }
        let after = self.read().await.map_err(WriteError::Unreachable)?;
        // Nobody may take a fall for done that is not. A rise that is slow is watched meanwhile.
        let falls = plan.target.candidate == 0 || plan.target.candidate < plan.now.candidate;
        if !is_done && falls {
            let why = after.unreachable.join("; ");
            return Err(WriteError::Rejected(format!(
                "the pods are not as asked for after {} s, the next write goes on: {why}",
                PATIENCE.as_secs()
            )));
        }
        Ok(after)
    }

    fn describe(&self, seen: &Seen, records: &[&Record]) -> Vec<String> {
        let service = self.object.words();
        let mut token = Token::read(&seen.token);
        let mut change = |record: &&Record| {
            let read = token.as_mut().map_err(|error| error.to_string())?;
            let plan = read.plan(service, record).map_err(|error| error.to_string())?;
            let scale = |name: &str, from: u32, to: u32| {
                let namespace = &self.namespace;
                format!("would scale Deployment {namespace}/{name} from {from} to {to} pods\n")
            };
            let (stable, candidate) = (&record.stable.backend, &record.candidate.backend);
            let text = [
                routed_object::print(service, &plan.patch),
                scale(stable, plan.now.stable, plan.target.stable),
                scale(candidate, plan.now.candidate, plan.target.candidate),
            ];
            read.follow(&plan, record).map_err(|error| error.to_string())?;
            Ok(text.concat())
        };
        let refused = |why: String| format!("would change nothing in {service}: {why}\n");
        records
            .iter()
            .map(|record| change(record).unwrap_or_else(refused))
            .collect()
    }
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
    if ready > wanted {
        return format!(
            "{ready} pods of {} still get requests, {wanted} are asked for",
            pods.name
        );
    }
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
