//! What is read from a route and what is written to it, without an API server.

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
            warm_since: None,
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

#[test]
fn a_rise_changes_the_weights_that_were_read_and_nothing_else() {
    let before = with(route(&[split(99, 1)]), &record([Move::Take, Move::Raise]));
    insta::assert_snapshot!(patch(&before, &Users::default(), &at_10()), @r#"
    would patch web:
    [
      {"op":"test","path":"/metadata/annotations/rollgate.dev~1record","value":"…"},
      {"op":"test","path":"/spec/rules/0/backendRefs/0/name","value":"web-blue"},
      {"op":"test","path":"/spec/rules/0/backendRefs/0/weight","value":99},
      {"op":"test","path":"/spec/rules/0/backendRefs/1/name","value":"web-green"},
      {"op":"test","path":"/spec/rules/0/backendRefs/1/weight","value":1},
      {"op":"add","path":"/metadata/annotations/rollgate.dev~1record","value":"…"},
      {"op":"add","path":"/spec/rules/0/backendRefs/0/weight","value":90},
      {"op":"add","path":"/spec/rules/0/backendRefs/1/weight","value":10}
    ]
    "#);
}

#[test]
fn a_heartbeat_changes_the_record_alone_and_only_if_no_hand_was_faster() {
    let now = with(route(&[split(90, 10)]), &at_10());
    insta::assert_snapshot!(patch(&now, &Users::default(), &at_10()), @r#"
    would patch web:
    [
      {"op":"test","path":"/metadata/annotations/rollgate.dev~1record","value":"…"},
      {"op":"test","path":"/spec/rules/0/backendRefs/0/name","value":"web-blue"},
      {"op":"test","path":"/spec/rules/0/backendRefs/0/weight","value":90},
      {"op":"test","path":"/spec/rules/0/backendRefs/1/name","value":"web-green"},
      {"op":"test","path":"/spec/rules/0/backendRefs/1/weight","value":10},
      {"op":"add","path":"/metadata/annotations/rollgate.dev~1record","value":"…"}
    ]
    "#);
}

#[test]
fn a_rollback_overwrites_weights_and_takes_our_rules_away_without_knowing_the_plan() {
    let now = with_own(
        with(route(&[split(90, 10), rule(&[backend("docs", 1)])]), &at_10()),
        &everything(),
        &at_10(),
    );
    let back = record([Move::Take, Move::Raise, Move::RollBack("bad".to_owned())]);
    insta::assert_snapshot!(patch(&now, &Users::default(), &back), @r#"
    would patch web:
    [
      {"op":"test","path":"/metadata/annotations/rollgate.dev~1record","value":"…"},
      {"op":"test","path":"/spec/rules/0/backendRefs/0/name","value":"web-blue"},
      {"op":"test","path":"/spec/rules/0/backendRefs/1/name","value":"web-green"},
      {"op":"test","path":"/spec/rules/2/name","value":"rollgate-0-preview"},
      {"op":"test","path":"/spec/rules/3/name","value":"rollgate-0-candidate"},
      {"op":"test","path":"/spec/rules/4/name","value":"rollgate-0-stable"},
      {"op":"add","path":"/metadata/annotations/rollgate.dev~1record","value":"…"},
      {"op":"add","path":"/spec/rules/0/backendRefs/0/weight","value":100},
      {"op":"add","path":"/spec/rules/0/backendRefs/1/weight","value":0},
      {"op":"remove","path":"/spec/rules/4"},
      {"op":"remove","path":"/spec/rules/3"},
      {"op":"remove","path":"/spec/rules/2"}
    ]
    "#);
}

#[test]
fn rules_for_single_users_repeat_their_rule_and_ask_for_one_header_more() {
    let mut own = rule(&[
        backend("web-blue", 90),
        backend("web-green", 10),
        backend("archive", 5),
    ]);
    own["matches"] = json!([{ "path": { "type": "PathPrefix", "value": "/cart" }, "method": "GET", "headers": [{ "type": "Exact", "name": "x-country", "value": "fr" }] }]);
    own["filters"] = json!([{ "type": "RequestHeaderModifier", "requestHeaderModifier": { "set": [{ "name": "a", "value": "b" }] } }]);
    own["timeouts"] = json!({ "request": "5s" });
    let route = with(route(&[own]), &at_10());
    let rules = own::wanted(&route, &roles(), &everything(), &at_10()).unwrap();
    let text: Vec<_> = rules.iter().map(Value::to_string).collect();
    insta::assert_snapshot!(text.join("\n"), @r#"
    {"backendRefs":[{"group":"","kind":"Service","name":"web-blue","port":80,"weight":0},{"group":"","kind":"Service","name":"web-green","port":80,"weight":100},{"group":"","kind":"Service","name":"archive","port":80,"weight":5}],"filters":[{"requestHeaderModifier":{"set":[{"name":"a","value":"b"}]},"type":"RequestHeaderModifier"}],"matches":[{"headers":[{"name":"x-country","type":"Exact","value":"fr"},{"name":"x-preview","type":"Exact","value":"candidate"}],"method":"GET","path":{"type":"PathPrefix","value":"/cart"}}],"name":"rollgate-0-preview","timeouts":{"request":"5s"}}
    {"backendRefs":[{"group":"","kind":"Service","name":"web-blue","port":80,"weight":0},{"group":"","kind":"Service","name":"web-green","port":80,"weight":100},{"group":"","kind":"Service","name":"archive","port":80,"weight":5}],"filters":[{"requestHeaderModifier":{"set":[{"name":"a","value":"b"}]},"type":"RequestHeaderModifier"}],"matches":[{"headers":[{"name":"x-country","type":"Exact","value":"fr"},{"name":"x-user-id","type":"RegularExpression","value":"^.*0[0-9]$"}],"method":"GET","path":{"type":"PathPrefix","value":"/cart"}}],"name":"rollgate-0-candidate","timeouts":{"request":"5s"}}
    {"backendRefs":[{"group":"","kind":"Service","name":"web-blue","port":80,"weight":100},{"group":"","kind":"Service","name":"web-green","port":80,"weight":0},{"group":"","kind":"Service","name":"archive","port":80,"weight":5}],"filters":[{"requestHeaderModifier":{"set":[{"name":"a","value":"b"}]},"type":"RequestHeaderModifier"}],"matches":[{"headers":[{"name":"x-country","type":"Exact","value":"fr"},{"name":"x-user-id","type":"RegularExpression","value":".+"}],"method":"GET","path":{"type":"PathPrefix","value":"/cart"}}],"name":"rollgate-0-stable","timeouts":{"request":"5s"}}
    "#);
}

#[test]
fn at_0_percent_only_the_preview_stands_and_at_100_too() {
    let route = route(&[split(100, 0)]);
    let names = |record: &Record| -> Vec<String> {
        let own = own::wanted(&route, &roles(), &everything(), record).unwrap();
        own.iter()
            .map(|rule| rule["name"].as_str().unwrap().to_owned())
            .collect()
    };
    let preview = ["rollgate-0-preview"];
    assert_eq!(names(&record([])), preview);
    assert_eq!(
        names(&record([
            Move::Take,
            Move::Raise,
            Move::Pause("lunch".to_owned())
        ])),
        preview
    );
    assert_eq!(
        names(&record([Move::Take, Move::Raise, Move::Advance, Move::Advance])),
        preview
    );
    assert_eq!(names(&at_10()).len(), 3);
    assert!(
        names(&record([
            Move::Take,
            Move::Raise,
            Move::RollBack("bad".to_owned())
        ]))
        .is_empty()
    );
}

#[test]
fn a_share_is_0_only_if_nobody_meets_the_candidate() {
    let share = |blue, green| {
        read(&route(&[split(blue, green)]), &Users::default())
            .share
            .unwrap()
            .percent()
    };
    assert_eq!(
        [
            share(100, 0),
            share(1, 1),
            share(999, 1),
            share(1, 999),
            share(0, 3),
            share(0, 0)
        ],
        [0, 50, 1, 99, 100, 0]
    );
    let mut omitted = route(&[rule(&[backend("web-blue", 1), backend("web-green", 1)])]);
    for place in 0..2 {
        omitted["spec"]["rules"][0]["backendRefs"][place]
            .as_object_mut()
            .unwrap()
            .remove("weight");
    }
    assert_eq!(read(&omitted, &Users::default()).share, Weight::constant(50));
}

#[test]
fn what_a_hand_has_changed_is_drift() {
    let drift = |route: &Value| {
        read(route, &everything())
            .drift
            .unwrap_or_else(|| "none".to_owned())
    };
    let whole = with_own(
        with(route(&[split(90, 10), split(180, 20)]), &at_10()),
        &everything(),
        &at_10(),
    );
    assert_eq!(drift(&whole), "none");

    let mut weights = whole.clone();
    weights["spec"]["rules"][1]["backendRefs"][1]["weight"] = 60.into();
    assert_eq!(read(&weights, &everything()).share, Weight::constant(25));
    let mut zeros = whole.clone();
    for place in 0..2 {
        zeros["spec"]["rules"][0]["backendRefs"][place]["weight"] = 0.into();
    }
    let mut lost = whole.clone();
    lost["spec"]["rules"][0]["backendRefs"]
        .as_array_mut()
        .unwrap()
        .remove(0);
    let mut sticky = whole.clone();
    sticky["spec"]["rules"][3]["matches"][0]["headers"][0]["value"] = ".*".into();
    let mut gone = whole.clone();
    gone["spec"]["rules"].as_array_mut().unwrap().pop();
    let mut no_record = whole.clone();
    no_record["metadata"]["annotations"] = json!({});
    let texts = [weights, zeros, lost, sticky, gone, no_record].map(|route| drift(&route));
    insta::assert_snapshot!(texts.join("\n"), @r"
    HTTPRoute shop/web: web-green has 25 % in rule 2, the record says 10 %: somebody else has changed the weights
    HTTPRoute shop/web: rule 1 gives every backend weight 0: its requests are answered with 500; web-green has 0 % in rule 1, the record says 10 %: somebody else has changed the weights
    HTTPRoute shop/web: rule 1 names web-green and not web-blue: its users are out of reach of the rollout; name both in it, or move it to a HTTPRoute of its own; the rules for single users (rollgate-…) are not the ones that were written
    HTTPRoute shop/web: the rules for single users (rollgate-…) are not the ones that were written
    HTTPRoute shop/web: the rules for single users (rollgate-…) are not the ones that were written
    HTTPRoute shop/web: it has rules for single users (rollgate-…) and no rollout: their record is gone
    ");
}

#[test]
fn our_rules_follow_a_rule_that_its_owner_has_changed() {
    let mut now = with_own(with(route(&[split(90, 10)]), &at_10()), &everything(), &at_10());
    now["spec"]["rules"][0]["timeouts"] = json!({ "request": "9s" });
    let seen = read(&now, &everything());
    assert_eq!((seen.drift, seen.torn), (None, true));
    let patch = patch(&now, &everything(), &at_10());
    assert_eq!(
        patch.matches("\"timeouts\":{\"request\":\"9s\"}").count(),
        3,
        "{patch}"
    );
}

#[test]
fn a_record_edited_by_hand_is_told_and_a_rollback_may_still_be_written() {
    let mut now = with(route(&[split(90, 10)]), &at_10());
    let edited = at_10().encode().replace("\"weight\":10", "\"weight\":11");
    now["metadata"]["annotations"][RECORD] = edited.into();
    let seen = read(&now, &Users::default());
    assert!(seen.record.is_err());
    assert_eq!(seen.share, Weight::constant(10));
}

#[test]
fn who_is_the_candidate_is_known_without_a_record_that_can_be_read() {
    let mut now = with_own(with(route(&[split(90, 10)]), &at_10()), &everything(), &at_10());
    assert_eq!(own::candidate(&now).as_deref(), Some("web-green"));
    now["spec"]["rules"].as_array_mut().unwrap().truncate(1);
    assert_eq!(own::candidate(&now), None);
    let edited = at_10().encode().replace("web-green", "web-grey");
    now["metadata"]["annotations"][RECORD] = edited.into();
    assert_eq!(routed_object::candidate(&now).as_deref(), Some("web-grey"));
}

#[test]
fn a_version_that_a_rule_has_lost_comes_back_with_the_rollback() {
    let now = with(route(&[rule(&[backend("web-green", 100)])]), &at_10());
    assert_eq!(read(&now, &Users::default()).share, Some(Weight::FULL));
    let back = record([Move::Take, Move::Raise, Move::RollBack("bad".to_owned())]);
    let patch = patch(&now, &Users::default(), &back);
    assert!(
        patch.contains(r#"{"op":"add","path":"/spec/rules/0/backendRefs/0/weight","value":0}"#),
        "{patch}"
    );
    assert!(
        patch.contains(r#"{"op":"add","path":"/spec/rules/0/backendRefs/-","value":{"group":"","kind":"Service","name":"web-blue","port":80,"weight":100}}"#),
        "{patch}"
    );
}

#[test]
fn routes_that_cannot_carry_a_rollout_are_refused_by_name() {
    let mut elsewhere = backend("web-green", 0);
    elsewhere["namespace"] = "other".into();
    let mut bucket = backend("web-green", 0);
    bucket["kind"] = "Bucket".into();
    let texts = [
        route(&[rule(&[backend("web-blue", 100)])]),
        route(&[rule(&[backend("docs", 1)])]),
        route(&[rule(&[backend("web-blue", 100), elsewhere])]),
        route(&[rule(&[backend("web-blue", 100), bucket])]),
        route(&[]),
    ]
    .map(|route| refusal(&route));
    insta::assert_snapshot!(texts.join("\n"), @r"
    no rule of HTTPRoute shop/web names both web-blue and web-green, it names Service shop/web-blue; name both in each rule that users reach, web-green with weight 0
    no rule of HTTPRoute shop/web names both web-blue and web-green, it names Service shop/docs; name both in each rule that users reach, web-green with weight 0
    no rule of HTTPRoute shop/web names both web-blue and web-green, it names Service other/web-green, Service shop/web-blue; name both in each rule that users reach, web-green with weight 0
    no rule of HTTPRoute shop/web names both web-blue and web-green, it names Bucket shop/web-green, Service shop/web-blue; name both in each rule that users reach, web-green with weight 0
    no rule of HTTPRoute shop/web names both web-blue and web-green, it names nobody; name both in each rule that users reach, web-green with weight 0
    ");
}

#[test]
fn before_a_rollout_every_rule_gives_the_same_and_others_keep_their_part() {
    let drift = |rules: &[Value]| {
        read(&route(rules), &Users::default())
            .drift
            .unwrap_or_else(|| "none".to_owned())
    };
    let texts = [
        drift(&[split(100, 0), split(1, 0)]),
        drift(&[split(100, 0), split(50, 50)]),
        drift(&[split(100, 0), rule(&[backend("web-blue", 1)])]),
        drift(&[rule(&[
            backend("web-blue", 9),
            backend("web-green", 0),
            backend("archive", 1),
        ])]),
        drift(&[rule(&[
            backend("web-blue", 100),
            backend("web-green", 0),
            backend("archive", 11),
        ])]),
    ];
    insta::assert_snapshot!(texts.join("\n"), @r"
    none
    HTTPRoute shop/web: web-green has 0 % in rule 1 and 50 % in rule 2: give it 0 in all of them
    HTTPRoute shop/web: rule 2 names web-blue and not web-green: its users are out of reach of the rollout; name both in it, or move it to a HTTPRoute of its own
    HTTPRoute shop/web: rule 1 has other backends too, and the weights of web-blue and web-green add up to 9: make it 100 and the others' weights as much larger, so that their part stays
    none
    ");
}

#[test]
fn rules_for_single_users_are_refused_where_they_would_do_harm() {
    let refusal =
        |rules: &[Value]| own::wanted(&route(rules), &roles(), &everything(), &at_10()).unwrap_err();
    let with = |key: &str, value: Value| {
        let mut rule = split(90, 10);
        rule["matches"][0][key] = value;
        rule
    };
    let other = |key: &str, value: Value| {
        let mut rule = with(key, value);
        rule["backendRefs"] = json!([backend("docs", 1)]);
        rule
    };
    let header = |name: &str| json!([{ "type": "Exact", "name": name, "value": "1" }]);
    let query = json!([{ "type": "Exact", "name": "format", "value": "pdf" }]);
    let many: Vec<_> = (0..5).map(|_| split(90, 10)).collect();
    let texts = [
        refusal(&[with("headers", header("X-User-ID"))]),
        refusal(&many),
        refusal(&[split(90, 10), other("queryParams", query)]),
    ];
    insta::assert_snapshot!(texts.join("\n"), @r"
    rule 1 asks for header x-user-id itself: no rule for single users can ask for it too
    a HTTPRoute has at most 16 rules: 5 are there, and sticky users or a preview need 15 more; split the route, or take them out of the plan
    rules for single users beside rule 1 would take requests from rule 2, which has the same path and no more headers: move rule 2 to a HTTPRoute of its own, or give it another path
    ");
    // As many headers as ours and earlier, or another path: theirs stay theirs.
    let fine = [
        split(90, 10),
        other("headers", header("x-beta")),
        other("path", json!({ "type": "PathPrefix", "value": "/docs" })),
    ];
    assert!(own::wanted(&route(&fine), &roles(), &everything(), &at_10()).is_ok());
}
