//! Our own rules for single users: sticky ones, so that everybody stays on one version, and the preview. Asks nobody.
//!
//! For each rule that both versions share they repeat that rule, with its matches, filters and time-outs, and ask for
//! one header more: the preview's value (candidate), an id that is the candidate's (candidate), any id (stable).
//! Whoever has none of them meets the rule itself and goes by weight. They are known by their names, which begin with
//! [`OWN`](super::route::OWN), and stand behind all others: among rules that fit a request equally well the first
//! one counts, so nobody else's requests come to them.
//!
//! Source: <https://gateway-api.sigs.k8s.io/reference/spec/#httprouterule>

use rollgate_domain::{rollout::record::Record, weight::Weight};
use serde_json::{Value, json};

use super::route::{OWN, Roles, Side, Split, backends, is_own, list, rules};
use crate::providers::traffic::{Preview, Sticky, UserId, Users, last_digits};

/// A HTTPRoute has no more rules.
const MOST_RULES: usize = 16;

/// A header by which one of our rules takes a request.
struct Asks {
    /// Last part of the rule's name.
    name: &'static str,
    side: Side,
    header: Value,
}

/// What our rules for a share ask for, the first that fits first.
fn asked(users: &Users, share: Weight) -> Vec<Asks> {
    let Users { sticky, preview } = users;
    let preview = preview.iter().map(|Preview { header, value }| Asks {
        name: "preview",
        side: Side::Candidate,
        header: json!({ "type": "Exact", "name": header, "value": value }),
    });
    let by_header = sticky.iter().filter_map(|Sticky { by, ids }| match by {
        UserId::Header(header) => Some((header, last_digits::pattern(*ids, share)?)),
        UserId::Cookie(_) | UserId::Query(_) => None,
    });
    let sticky = by_header.flat_map(|(header, pattern)| {
        let by = |name, side, value: &str| Asks {
            name,
            side,
            header: json!({ "type": "RegularExpression", "name": header, "value": value }),
        };
        [
            by("candidate", Side::Candidate, &pattern),
            by("stable", Side::Stable, last_digits::ANY),
        ]
    });
    preview.chain(sticky).collect()
}

/// Our rules as they must be with `record`.
///
/// # Errors
///
/// They cannot be had on this route; in words, with a way out.
pub(super) fn wanted(
    route: &Value,
    roles: &Roles,
    users: &Users,
    record: &Record,
) -> Result<Vec<Value>, String> {
    if record.is_tried() {
        wanted_at(route, roles, users, record.weight)
    } else {
        Ok(Vec::new())
    }
}

/// Our rules while a rollout is tried, at this share.
pub(super) fn wanted_at(
    route: &Value,
    roles: &Roles,
    users: &Users,
    share: Weight,
) -> Result<Vec<Value>, String> {
    let asked = asked(users, share);
    let splits = roles.splits(route);
    let own = asked.len() * splits.len();
    let others = rules(route).iter().filter(|rule| !is_own(rule)).count();
    if own > 0 && others + own > MOST_RULES {
        return Err(format!(
            "a HTTPRoute has at most {MOST_RULES} rules: {others} are there, and sticky users or a preview need {own} more; split the route, or take them out of the plan"
        ));
    }
    let mut wanted = Vec::with_capacity(own);
    for (number, split) in splits.iter().enumerate() {
        for asks in &asked {
            wanted.push(rule(route, split, number, roles, asks)?);
        }
    }
    if !wanted.is_empty() {
        takes_nothing_from_others(route, &splits)?;
    }
    Ok(wanted)
}

/// A shared rule that asks for one header more.
fn rule(route: &Value, split: &Split, number: usize, roles: &Roles, asks: &Asks) -> Result<Value, String> {
    let mut rule = rules(route)[split.at].clone();
    rule["name"] = format!("{OWN}{number}-{}", asks.name).into();
    let mut matches = matches(&rule);
    for one in &mut matches {
        let mut headers = list(&one["headers"]).to_vec();
        let name = |header: &Value| header["name"].as_str().unwrap_or_default().to_ascii_lowercase();
        if headers.iter().any(|header| name(header) == name(&asks.header)) {
            return Err(format!(
                "rule {} asks for header {} itself: no rule for single users can ask for it too",
                split.at + 1,
                asks.header["name"].as_str().unwrap_or_default()
            ));
        }
        headers.push(asks.header.clone());
        one["headers"] = headers.into();
    }
    rule["matches"] = matches.into();
    // Of one version all, of the other nothing: other backends keep their part.
    let all = if asks.side == Side::Candidate {
        Weight::FULL
    } else {
        Weight::ZERO
    };
    let mut refs = backends(&rule).to_vec();
    for place in (Split {
        at: split.at,
        ours: roles.places(&rule),
    })
    .weights(all)
    {
        refs[place.at]["weight"] = place.weight.into();
    }
    rule["backendRefs"] = refs.into();
    Ok(rule)
}

/// What a rule matches; without any every path.
fn matches(rule: &Value) -> Vec<Value> {
    match list(&rule["matches"]) {
        [] => vec![json!({ "path": { "type": "PathPrefix", "value": "/" } })],
        some => some.to_vec(),
    }
}

/// A request goes to the rule with more headers before one with more query parameters, so one header more could take
/// requests from a rule that comes first today.
fn takes_nothing_from_others(route: &Value, splits: &[Split]) -> Result<(), String> {
    let is_ours = |at: usize| splits.iter().any(|split| split.at == at);
    let specific = |one: &Value| (list(&one["headers"]).len(), list(&one["queryParams"]).len());
    let same = |one: &Value, other: &Value| one["path"] == other["path"] && one["method"] == other["method"];
    for (at, rule) in rules(route).iter().enumerate().filter(|(_, rule)| !is_own(rule)) {
        for theirs in matches(rule).iter().filter(|_| !is_ours(at)) {
            for split in splits {
                let loses = matches(&rules(route)[split.at]).iter().any(|ours| {
                    let (their_rank, our_rank) = (specific(theirs), specific(ours));
                    let first = their_rank > our_rank || (their_rank == our_rank && at < split.at);
                    same(ours, theirs) && first && (our_rank.0 + 1, our_rank.1) > their_rank
                });
                if loses {
                    return Err(format!(
                        "rules for single users beside rule {} would take requests from rule {}, which has the same path and no more headers: move rule {} to a HTTPRoute of its own, or give it another path",
                        split.at + 1,
                        at + 1,
                        at + 1
                    ));
                }
            }
        }
    }
    Ok(())
}

/// Whom our rules in the route take for the candidate, where there are any.
pub(super) fn candidate(route: &Value) -> Option<String> {
    let name = |rule: &Value| rule["name"].as_str().unwrap_or_default().to_owned();
    let is_candidates = |rule: &&Value| is_own(rule) && !name(rule).ends_with("-stable");
    let rule = rules(route).iter().find(is_candidates)?;
    let all = backends(rule).iter().find(|backend| backend["weight"] == 100)?;
    all["name"].as_str().map(str::to_owned)
}

/// How our rules in the route differ from those that must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Difference {
    /// The rules that they repeat were changed since: the next write repeats them anew.
    Outdated,
    /// They send somebody elsewhere.
    Other,
}

pub(super) fn difference(route: &Value, roles: &Roles, wanted: &[Value]) -> Option<Difference> {
    let have: Vec<_> = rules(route).iter().filter(|rule| is_own(rule)).collect();
    if have.iter().copied().eq(wanted) {
        return None;
    }
    let sends = |have: &&Value, wanted: &Value| {
        // The header that we ask for is the last one of every match.
        let who = |rule: &Value| {
            let mut asked: Vec<_> = matches(rule)
                .iter()
                .map(|one| list(&one["headers"]).last().cloned())
                .collect();
            asked.dedup();
            asked
        };
        let whither = |rule: &Value| -> Vec<_> {
            let places = roles.places(rule).into_iter().filter(|place| place.weight > 0);
            places.map(|place| place.side).collect()
        };
        have["name"] == wanted["name"] && who(have) == who(wanted) && whither(have) == whither(wanted)
    };
    let same =
        have.len() == wanted.len() && have.iter().zip(wanted).all(|(have, wanted)| sends(have, wanted));
    Some(if same {
        Difference::Outdated
    } else {
        Difference::Other
    })
}
