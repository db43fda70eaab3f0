//! Why pods are not ready, from what Deployment and pods say of themselves. Asks nobody.

use std::collections::BTreeMap;

use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{ContainerState, ContainerStatus, Pod, PodStatus},
};

/// A rollout of the Deployment that failed, that hangs, or that is not over; in words.
///
/// Its old pods are ready all the while: that alone says nothing about the new ones.
pub(super) fn of_deployment(deployment: &Deployment) -> Option<String> {
    let name = deployment.metadata.name.as_deref().unwrap_or_default();
    let spec = deployment.spec.as_ref();
    if spec.and_then(|spec| spec.paused) == Some(true) {
        return Some(format!(
            "Deployment {name} is paused, a new pod template has no effect: kubectl rollout resume deployment/{name}"
        ));
    }
    let status = deployment.status.as_ref()?;
    // What it says is about an older version of itself.
    if status.observed_generation < deployment.metadata.generation {
        return None;
    }
    let conditions = status.conditions.iter().flatten();
    let mut bad = conditions.filter(|condition| {
        matches!(
            (condition.type_.as_str(), condition.status.as_str()),
            ("ReplicaFailure", "True") | ("Progressing", "False")
        )
    });
    if let Some(condition) = bad.find(|condition| condition.reason.as_deref() != Some("DeploymentPaused")) {
        let text = [condition.reason.as_deref(), condition.message.as_deref()];
        let text: Vec<_> = text.into_iter().flatten().collect();
        return Some(format!("Deployment {name}: {}", text.join(": ")));
    }
    let count = |number: Option<i32>| number.unwrap_or(0);
    let old = count(status.replicas) - count(status.updated_replicas);
    (old > 0).then(|| {
        format!(
            "the rollout of Deployment {name} is not over: {old} of {} pods still have an older pod template",
            count(status.replicas)
        )
    })
}

/// Why pods are not ready, the most frequent reason first; none if all are, or nothing is known.
pub(in crate::providers) fn of_pods(pods: &[Pod]) -> Option<String> {
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    for pod in pods.iter().filter(|pod| !is_ready(pod)) {
        *reasons.entry(reason(pod)).or_default() += 1;
    }
    let mut reasons: Vec<_> = reasons.into_iter().collect();
    reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let words = reasons.into_iter().map(|(reason, count)| match count {
        1 => format!("1 pod {reason}"),
        _ => format!("{count} pods {reason}"),
    });
    let words: Vec<_> = words.collect();
    (!words.is_empty()).then(|| words.join("; "))
}

/// Whether a pod gets requests, as far as it says itself.
pub(in crate::providers) fn is_ready(pod: &Pod) -> bool {
    pod.metadata.deletion_timestamp.is_none() && condition(pod.status.as_ref(), "Ready").0
}

/// Whether a condition holds, and what it says.
fn condition(status: Option<&PodStatus>, kind: &str) -> (bool, Option<String>) {
    let conditions = status.and_then(|status| status.conditions.as_ref());
    let found = conditions.and_then(|conditions| conditions.iter().find(|condition| condition.type_ == kind));
    let words = found.and_then(|found| {
        let text: Vec<_> = [found.reason.as_deref(), found.message.as_deref()]
            .into_iter()
            .flatten()
            .collect();
        (!text.is_empty()).then(|| text.join(": "))
    });
    (found.is_some_and(|found| found.status == "True"), words)
}

fn reason(pod: &Pod) -> String {
    if pod.metadata.deletion_timestamp.is_some() {
        return "being stopped".to_owned();
    }
    let status = pod.status.as_ref();
    if let (false, Some(words)) = condition(status, "PodScheduled") {
        return format!("not scheduled: {words}");
    }
    let containers = |of: fn(&PodStatus) -> &Option<Vec<ContainerStatus>>| {
        let found = status.and_then(|status| of(status).as_deref());
        found.unwrap_or_default()
    };
    // The init containers run first: the others only wait for them.
    let all = containers(|status| &status.init_container_statuses)
        .iter()
        .chain(containers(|status| &status.container_statuses));
    if let Some(words) = all.into_iter().find_map(trouble_of) {
        return words;
    }
    let phase = status
        .and_then(|status| status.phase.as_deref())
        .unwrap_or("Pending");
    match condition(status, "Ready").1 {
        Some(words) => format!("not ready ({phase}): {words}"),
        None => format!("not ready ({phase})"),
    }
}

/// What holds a container up; none if it runs, has ended well, or only waits for others.
fn trouble_of(container: &ContainerStatus) -> Option<String> {
    let name = &container.name;
    let last_exit = |state: Option<&ContainerState>| {
        let ended = state.and_then(|state| state.terminated.as_ref())?;
        let reason = ended.reason.as_deref().unwrap_or("ended");
        Some(format!("{reason}, exit code {}", ended.exit_code))
    };
    let state = container.state.as_ref()?;
    if let Some(waiting) = &state.waiting {
        let reason = waiting.reason.as_deref().unwrap_or("waiting");
        if matches!(reason, "ContainerCreating" | "PodInitializing") {
            return None;
        }
        if let Some(last) = last_exit(container.last_state.as_ref()) {
            let restarts = container.restart_count;
            return Some(format!(
                "{reason} in container {name} after {restarts} restarts, last {last}"
            ));
        }
        let message = waiting.message.as_deref().map(|message| format!(": {message}"));
        return Some(format!(
            "{reason} in container {name}{}",
            message.unwrap_or_default()
        ));
    }
    let ended = state.terminated.as_ref().filter(|ended| ended.exit_code != 0);
    ended
        .and_then(|_| last_exit(Some(state)))
        .map(|last| format!("with container {name} ended: {last}"))
}
