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
use kube::api::ApiResource;
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
    routed_object::{self, RoutedObject},
};
use crate::providers::{
    cluster::{Cluster, Kind, Trouble},
    stacks::kubernetes::{Kubernetes, Lookup},
};

/// How many pods there are in all, and whether they are on their way: `4` or `4, moving`.
const PODS: &str = "rollgate.dev/pods";

/// Its place in the object, as JSON Patch writes it.
const PODS_PATH: &str = "/metadata/annotations/rollgate.dev~1pods";

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

/// What a write must still find.
#[derive(Debug, Serialize, Deserialize)]
struct Token {
    /// Of the Service, what is ours.
    object: Value,
    /// How many pods of each Deployment are asked for.
    wanted: BTreeMap<String, u32>,
    /// Why there is nothing between 0 and 100 %, in words.
    fixed: Option<String>,
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
        let [first, second] = &self.backends;
        let (stable, candidate) = record.as_ref().map_or((first, second), |record| {
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

    /// The record with `pods` beside it, while both are as in `object`.
    fn patch(object: &Value, pods: &str, record: &Record) -> Vec<Value> {
        let mut patch = routed_object::put_record(object, Some(&record.encode()));
        // Behind the operation that makes the map of annotations where there was none.
        let before_the_record = patch.len() - 1;
        let before = json!(pods_text(object));
        patch.insert(before_the_record, routed_object::test(PODS_PATH, &before));
        patch.push(routed_object::add(PODS_PATH, &json!(pods)));
        patch
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
        let total = total(pods_text(&token.object), now);
        let refused = |why: String| WriteError::Rejected(why);
        if let Some(why) = &token.fixed
            && ![Weight::ZERO, Weight::FULL].contains(&record.weight)
        {
            return Err(refused(format!("{} cannot be given here: {why}", record.weight)));
        }
        let target = counts::target(record.weight, total, now).ok_or_else(|| {
            let why = counts::shares(total, self.object.words()).refusal(record.weight);
            refused(why.unwrap_or_else(|| format!("{} cannot be given here", record.weight)))
        })?;
        let fits = counts::give(record.weight, total, now);
        // A heartbeat: nobody scales, and nobody else can be in the middle of it.
        let same_owner = matches!(routed_object::record(&token.object), Ok(Some(held)) if held.generation == record.generation
            && held.weight == record.weight);
        let is_still = fits && same_owner && !is_moving(pods_text(&token.object));
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
            patch: Self::patch(&token.object, &pods, record),
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
    patch: Vec<Value>,
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
        self.object.patch(&plan.patch, false).await?;
        let is_done = plan.is_still || self.scale_to(plan.target, record).await?;
        if is_done && !plan.is_still {
            let object = self.object.get().await.map_err(WriteError::Unreachable)?;
            if routed_object::text(&object) != Some(&record.encode()) {
                return Err(WriteError::Conflict);
            }
            let still = Self::patch(&object, &plan.total.to_string(), record);
            self.object.patch(&still, false).await?;
        }
        let after = self.read().await.map_err(WriteError::Unreachable)?;
        // Nobody may take a fall for done that is not. A rise that is slow is watched meanwhile.
        let falls = plan.target.candidate == 0 || plan.target.candidate < plan.now.candidate;
        if !is_done && falls {
            let why = after.unreachable.join("; ");
            return Err(WriteError::Unreachable(anyhow!(
                "pods are not there after {} s, the next write goes on: {why}",
                PATIENCE.as_secs()
            )));
        }
        Ok(after)
    }

    fn describe(&self, seen: &Seen, record: &Record) -> String {
        match read_token(&seen.token).and_then(|token| self.plan(&token, record)) {
            Ok(Plan {
                now, target, patch, ..
            }) => {
                let patch = routed_object::print(self.object.words(), &patch);
                let scale = |name: &str, from: u32, to: u32| {
                    let namespace = &self.namespace;
                    format!("would scale Deployment {namespace}/{name} from {from} to {to} pods\n")
                };
                let stable = scale(&record.stable.backend, now.stable, target.stable);
                patch + &stable + &scale(&record.candidate.backend, now.candidate, target.candidate)
            }
            Err(error) => error.to_string(),
        }
    }
}

fn read_token(token: &str) -> Result<Token, WriteError> {
    serde_json::from_str(token).map_err(|error| WriteError::Rejected(format!("read what was seen: {error}")))
}

/// Of an object, what a write must still find.
fn ours(object: &Value) -> Value {
    let Value::Object(annotations) = &object["metadata"]["annotations"] else {
        return json!({ "metadata": {} });
    };
    let is_ours = |name: &str| [routed_object::RECORD, PODS].contains(&name);
    let ours = annotations.iter().filter(|(name, _)| is_ours(name));
    let ours: serde_json::Map<_, _> = ours.map(|(name, text)| (name.clone(), text.clone())).collect();
    json!({ "metadata": { "annotations": ours, "resourceVersion": object["metadata"]["resourceVersion"] } })
}

/// The text beside the record.
fn pods_text(object: &Value) -> Option<&str> {
    object["metadata"]["annotations"][PODS].as_str()
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
