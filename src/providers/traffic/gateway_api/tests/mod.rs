//! What is read from a route and what is written to it, without an API server.

mod patches;
mod reading;

use rollgate_domain::{
    rollout::{
        ladder::{Ladder, Require, Step},
        moves::{By, Course, Move, Start},
        phase::Phase,
        record::{Evidence, Pin, Record, Version},
    },
    weight::Weight,
};
use serde_json::{Value, json};

use super::{change::Change, own, route::Roles, seen};
use crate::providers::traffic::{
    Ids, Preview, Seen, Sticky, UserId, Users,
    routed_object::{self, RECORD},
};

fn roles() -> Roles {
    Roles {
        namespace: "shop".to_owned(),
        stable: "web-blue".to_owned(),
        candidate: "web-green".to_owned(),
    }
}

fn backend(name: &str, weight: u64) -> Value {
    json!({ "group": "", "kind": "Service", "name": name, "port": 80, "weight": weight })
}

fn rule(backends: &[Value]) -> Value {
    json!({
        "matches": [{ "path": { "type": "PathPrefix", "value": "/" } }],
        "backendRefs": backends,
    })
}

fn route(rules: &[Value]) -> Value {
    let parent = json!({ "name": "edge" });
    json!({
        "metadata": { "name": "web", "namespace": "shop", "generation": 3 },
        "spec": { "parentRefs": [parent], "rules": rules },
        "status": { "parents": [{
            "parentRef": parent,
            "conditions": [{ "type": "Accepted", "status": "True", "observedGeneration": 3 }],
        }] },
    })
}

fn split(blue: u64, green: u64) -> Value {
    rule(&[backend("web-blue", blue), backend("web-green", green)])
}

fn with(mut route: Value, record: &Record) -> Value {
    route["metadata"]["annotations"] = json!({ RECORD: record.encode(), "other": "kept" });
    route
}

fn everything() -> Users {
    Users {
        sticky: Some(Sticky {
            by: UserId::Header("x-user-id".to_owned()),
            ids: Ids::Decimal,
        }),
        preview: Some(Preview {
            header: "x-preview".to_owned(),
            value: "candidate".to_owned(),
        }),
    }
}

/// A rollout to 1, 10 and 100 %, after these moves.
fn record(moves: impl IntoIterator<Item = Move>) -> Record {
    let by = By {
        run: "run 7",
        actor: "octocat",
        at: "2027-01-15T08:00:00Z".parse().unwrap(),
    };
    let step = |weight: u8| Step {
        weight: Weight::new(weight).unwrap(),
        duration: jiff::SignedDuration::from_secs(600),
    };
    let version = |name: &str| Version {
        backend: format!("web-{name}"),
        version: name.to_owned(),
        images: Vec::new(),
    };
    let start = Start {
        service: "shop".to_owned(),
        stable: version("blue"),
        candidate: version("green"),
        course: Course {
            phase: Phase::Canary,
            ladder: Ladder::new(vec![step(1), step(10), step(100)], Require::Proof).unwrap(),
            gates: Vec::new(),
            keep_old: jiff::SignedDuration::ZERO,
        },
        evidence: Evidence {
            origin: by.at,
            look: jiff::SignedDuration::from_secs(15),
            cluster_size: 1.0,
            ..Evidence::default()
        },
        pin: Pin {
            hash: "abc".to_owned(),
            commit: None,
            tool: "0.1.0".to_owned(),
        },
    };
    let first = Record::start(start, None, by);
    moves
        .into_iter()
        .fold(first, |record, step| record.after(step, by).unwrap())
}

fn at_10() -> Record {
    record([Move::Take, Move::Raise, Move::Advance])
}

#[track_caller]
fn read(route: &Value, users: &Users) -> Seen {
    seen::of(
        route,
        "HTTPRoute shop/web",
        &roles(),
        users,
        routed_object::record(route),
    )
    .unwrap()
}

#[track_caller]
fn refusal(route: &Value) -> String {
    seen::of(
        route,
        "HTTPRoute shop/web",
        &roles(),
        &Users::default(),
        routed_object::record(route),
    )
    .unwrap_err()
    .to_string()
}

/// The patch without records, which are long.
fn patch(route: &Value, users: &Users, record: &Record) -> String {
    let share = read(route, users).share;
    let change = Change::to(route, &roles(), users, record, share).unwrap();
    let operations = change.operations(route, &roles());
    let short = |mut operation: Value| {
        if operation["path"]
            .as_str()
            .is_some_and(|path| path.ends_with("record"))
        {
            operation["value"] = operation["value"].as_str().map_or(Value::Null, |_| "…".into());
        }
        operation
    };
    routed_object::print("web", &operations.into_iter().map(short).collect::<Vec<_>>())
}

/// The route with our rules as they must be.
fn with_own(mut route: Value, users: &Users, record: &Record) -> Value {
    let own = own::wanted(&route, &roles(), users, record).unwrap();
    route["spec"]["rules"].as_array_mut().unwrap().extend(own);
    route
}
