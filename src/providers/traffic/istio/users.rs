//! The routes for single users: copies of a route with one more condition and one destination. Pure.
//!
//! Routes are taken in order and the blocks of a `match` are alternatives, so a copy stands right before its original
//! and has the condition in each block. Everything else of the original stays: rewrite, time-outs, retries, headers.
//!
//! Source: <https://istio.io/latest/docs/reference/config/networking/virtual-service/#HTTPRoute>

use rollgate_domain::rollout::record::Record;
use serde_json::{Value, json};

use super::routes::{Names, PREFIX, Split};
use crate::providers::traffic::{Sticky, UserId, Users, last_digits};

/// A request that is told from others, and whom it meets.
struct Rule {
    /// Second part of the route's name.
    word: &'static str,
    header: String,
    /// Istio's StringMatch.
    condition: Value,
    /// Whether it meets the candidate.
    is_candidate: bool,
}

/// What `record` wants of single users, the most important first.
fn rules(users: &Users, record: &Record) -> Vec<Rule> {
    if !record.is_tried() {
        return Vec::new();
    }
    let mut rules = Vec::new();
    if let Some(preview) = &users.preview {
        rules.push(Rule {
            word: "preview",
            // Istio takes names of headers in lower case only.
            header: preview.header.to_lowercase(),
            condition: json!({ "exact": preview.value }),
            is_candidate: true,
        });
    }
    // The plan knows that Istio tells users by a header only.
    if let Some(Sticky {
        by: UserId::Header(header),
        ids,
    }) = &users.sticky
        && let Some(pattern) = last_digits::pattern(*ids, record.weight)
    {
        let rule = |word, pattern: &str, is_candidate| Rule {
            word,
            header: header.to_lowercase(),
            condition: json!({ "regex": pattern }),
            is_candidate,
        };
        rules.push(rule("candidate", &pattern, true));
        rules.push(rule("stable", last_digits::ANY, false));
    }
    rules
}

/// The routes that must stand right before `route`, which is the one of `split`, the one of that `number` that is shared.
pub(super) fn copies(
    route: &Value,
    split: &Split,
    number: usize,
    candidate: usize,
    users: &Users,
    record: &Record,
) -> Vec<Value> {
    let rules = rules(users, record).into_iter();
    rules
        .filter_map(|rule| {
            let backend = if rule.is_candidate {
                candidate
            } else {
                1 - candidate
            };
            let at = split
                .targets
                .iter()
                .position(|target| target.backend == Some(backend))?;
            let mut target = route["route"][at].clone();
            target.as_object_mut()?.remove("weight");
            let mut copy = route.clone();
            copy["name"] = json!(format!("{PREFIX}{}-{}", rule.word, number));
            copy["match"] = Value::Array(matches(route, &rule));
            copy["route"] = json!([target]);
            (copy["match"] != json!([])).then_some(copy)
        })
        .collect()
}

/// The blocks of `route`'s match with the condition of `rule` in each; those that ask for that header themselves are
/// left out, because one header has one condition.
fn matches(route: &Value, rule: &Rule) -> Vec<Value> {
    let blocks = match route["match"].as_array() {
        Some(blocks) if !blocks.is_empty() => blocks.clone(),
        _ => vec![json!({})],
    };
    let with_rule = blocks.into_iter().filter_map(|mut block| {
        if block["headers"].get(&rule.header).is_some() {
            return None;
        }
        if !block["headers"].is_object() {
            block["headers"] = json!({});
        }
        block["headers"][&rule.header] = rule.condition.clone();
        Some(block)
    });
    with_rule.collect()
}

/// Why single users of `route` cannot be told apart; nothing if they can.
pub(super) fn obstacle(route: &Value, split: &Split, users: &Users, names: &Names) -> Option<String> {
    let mut headers = Vec::new();
    if let Some(Sticky {
        by: UserId::Header(header),
        ..
    }) = &users.sticky
    {
        headers.push(("sticky", header.to_lowercase()));
    }
    if let Some(preview) = &users.preview {
        headers.push(("preview", preview.header.to_lowercase()));
    }
    let blocks = route["match"].as_array().into_iter().flatten();
    let taken = blocks.filter_map(|block| {
        headers
            .iter()
            .find(|(_, header)| block["headers"].get(header).is_some())
    });
    let (key, header) = taken.into_iter().next()?;
    Some(format!(
        "{} matches the header {header} itself, and Istio takes one condition for a header: use another one for `{key}` in \
         the plan, or give {} a route without that match",
        split.title(),
        names.both()
    ))
}
