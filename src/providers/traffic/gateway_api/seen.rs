//! What a HTTPRoute says of a rollout: share, drift, and what a write must still find. Asks nobody.

use anyhow::bail;
use rollgate_domain::{
    rollout::record::{Record, Unreadable},
    weight::Weight,
};
use serde_json::{Value, json};

use super::{
    own::{self, Difference},
    route::{Roles, Split, backends, rules},
    status::{Standing, generation, standing},
};
use crate::providers::traffic::{Seen, Shares, Users, routed_object::RECORD};

/// `words`: the route's name for people.
///
/// # Errors
///
/// No rule names one of the two versions.
pub(super) fn of(
    route: &Value,
    words: &str,
    roles: &Roles,
    users: &Users,
    record: Result<Option<Record>, Unreadable>,
) -> anyhow::Result<Seen> {
    let splits = roles.splits(route);
    let Roles {
        stable, candidate, ..
    } = roles;
    let halves = splits.iter().all(|split| split.lacks().is_some());
    // With a record one of the two was lost, and a rollback brings it back.
    if splits.is_empty() || (halves && matches!(record, Ok(None))) {
        bail!(
            "no rule of {words} names both {stable} and {candidate}, it names {}; name both in each rule that users reach, {candidate} with weight 0",
            named(route, roles)
        );
    }
    let mut drift = Vec::new();
    let mut torn = false;
    drift.extend(splits.iter().filter_map(|split| split.fault(route, roles)));
    match &record {
        Ok(Some(record)) => {
            drift.extend(other_candidate(record, candidate));
            drift.extend(off_the_record(&splits, record, candidate));
            match own::wanted(route, roles, users, record)
                .map(|wanted| own::difference(route, roles, &wanted))
            {
                Ok(None) => {}
                Ok(Some(Difference::Outdated)) => torn = true,
                Ok(Some(Difference::Other)) => drift.push(
                    "the rules for single users (rollgate-…) are not the ones that were written".to_owned(),
                ),
                Err(why) => drift.push(why),
            }
        }
        Ok(None) => {
            drift.extend(several_shares(&splits, candidate));
            if own::difference(route, roles, &[]).is_some() {
                drift.push(
                    "it has rules for single users (rollgate-…) and no rollout: their record is gone"
                        .to_owned(),
                );
            }
        }
        // Told by itself, and nothing can be compared with it.
        Err(_) => {}
    }
    let unreachable = match standing(route, generation(route)) {
        Standing::Refused(why) | Standing::Alone(why) => vec![format!("{words}: {why}")],
        Standing::Accepted | Standing::Waiting(_) => Vec::new(),
    };
    Ok(Seen {
        candidate: candidate.clone(),
        share: splits.iter().map(Split::share).max(),
        record,
        drift: (!drift.is_empty()).then(|| format!("{words}: {}", drift.join("; "))),
        torn,
        unreachable,
        capacity: None,
        shares: Shares::Every,
        token: token(route),
    })
}

/// All that a write looks at, in the form of the object itself.
fn token(route: &Value) -> String {
    let version = &route["metadata"]["resourceVersion"];
    let mut metadata = json!({ "generation": generation(route), "resourceVersion": version });
    let annotations = &route["metadata"]["annotations"];
    if annotations.is_object() {
        let ours = annotations.get(RECORD).map(|record| json!({ RECORD: record }));
        metadata["annotations"] = ours.unwrap_or_else(|| json!({}));
    }
    json!({ "metadata": metadata, "spec": { "rules": rules(route) } }).to_string()
}

/// The backends of all rules, for people.
fn named(route: &Value, roles: &Roles) -> String {
    let words = |backend: &Value| {
        let text = |key: &str, default: &str| backend[key].as_str().unwrap_or(default).to_owned();
        format!(
            "{} {}/{}",
            text("kind", "Service"),
            text("namespace", &roles.namespace),
            text("name", "")
        )
    };
    let mut names: Vec<_> = rules(route).iter().flat_map(backends).map(words).collect();
    names.sort();
    names.dedup();
    if names.is_empty() {
        "nobody".to_owned()
    } else {
        names.join(", ")
    }
}

fn other_candidate(record: &Record, candidate: &str) -> Option<String> {
    let recorded = &record.candidate.backend;
    (recorded != candidate)
        .then(|| format!("its record is of a rollout of {recorded}, which the plan does not name"))
}

/// Shares that are not the record's.
fn off_the_record(splits: &[Split], record: &Record, candidate: &str) -> Option<String> {
    let whole = splits.iter().filter(|split| split.lacks().is_none());
    let others: Vec<_> = whole
        .filter(|split| !split.gives(record.weight))
        .map(|split| format!("{} in rule {}", split.share(), split.at + 1))
        .collect();
    (!others.is_empty()).then(|| {
        format!(
            "{candidate} has {}, the record says {}: somebody else has changed the weights",
            others.join(" and "),
            record.weight
        )
    })
}

/// Before any rollout all rules must give the candidate the same.
fn several_shares(splits: &[Split], candidate: &str) -> Option<String> {
    let shares: Vec<Weight> = splits.iter().map(Split::share).collect();
    let first = shares.first()?;
    shares.iter().any(|share| share != first).then(|| {
        let each: Vec<_> = splits
            .iter()
            .map(|split| format!("{} in rule {}", split.share(), split.at + 1))
            .collect();
        format!("{candidate} has {}: give it 0 in all of them", each.join(" and "))
    })
}
