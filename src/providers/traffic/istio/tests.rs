use jiff::{SignedDuration, Timestamp};
use rollgate_domain::rollout::{
    ladder::{Ladder, Require, Step},
    moves::{By, Course, Move, Start},
    phase::Phase,
    record::{Evidence, Pin, Version},
};

use super::*;
use crate::providers::traffic::{Ids, Preview, Sticky, UserId};

fn names() -> Names {
    Names {
        namespace: "shop".to_owned(),
        host: None,
        backends: ["web-blue", "web-green"].map(str::to_owned),
    }
}

fn users() -> Users {
    Users {
        sticky: Some(Sticky {
            by: UserId::Header("X-User-Id".to_owned()),
            ids: Ids::Decimal,
        }),
        preview: Some(Preview {
            header: "x-preview".to_owned(),
            value: "next".to_owned(),
        }),
    }
}

/// A rollout of web-green that holds `percent`, or is ready for it.
fn record(percent: u8) -> Record {
    let by = By {
        run: "run 7",
        actor: "octocat",
        at: Timestamp::UNIX_EPOCH,
    };
    let version = |name: &str| Version {
        backend: name.to_owned(),
        version: name.to_owned(),
        images: Vec::new(),
    };
    let step = Step {
        weight: Weight::new(percent.max(1)).unwrap(),
        duration: SignedDuration::from_secs(60),
    };
    let start = Start {
        service: "shop".to_owned(),
        stable: version("web-blue"),
        candidate: version("web-green"),
        course: Course {
            phase: Phase::Canary,
            ladder: Ladder::new(vec![step], Require::Proof).unwrap(),
            gates: Vec::new(),
            keep_old: SignedDuration::ZERO,
        },
        evidence: Evidence {
            origin: Timestamp::UNIX_EPOCH,
            look: SignedDuration::from_secs(15),
            cluster_size: 1.0,
            ..Evidence::default()
        },
        pin: Pin {
            hash: String::new(),
            commit: None,
            tool: String::new(),
        },
    };
    let ready = Record::start(start, None, by);
    match percent {
        0 => ready,
        _ => ready.after(Move::Raise, by).unwrap(),
    }
}

fn rolled_back() -> Record {
    let by = By {
        run: "run 8",
        actor: "octocat",
        at: Timestamp::UNIX_EPOCH,
    };
    record(5).after(Move::RollBack("errors".to_owned()), by).unwrap()
}

fn to(host: &str, weight: u64) -> Value {
    json!({ "destination": { "host": host }, "weight": weight })
}

fn shared(blue: u64, green: u64) -> Value {
    json!({ "route": [to("web-blue", blue), to("web-green", green)] })
}

/// The steps from `http` to `record`, a line for each.
fn steps(http: &Value, users: &Users, record: &Record) -> String {
    let routes = Routes::of(http.as_array().cloned().unwrap(), &names());
    let names = names();
    let change = Change::new(&routes, &names, users, record).unwrap();
    let steps: Vec<_> = change.steps().iter().map(ToString::to_string).collect();
    steps.join("\n")
}

/// What is seen where the routes are `http` and the record is this one.
fn seen(http: &Value, users: &Users, record: Option<&Record>) -> anyhow::Result<Seen> {
    let mut object = json!({ "metadata": { "generation": 1 }, "spec": { "http": http } });
    if let Some(record) = record {
        object["metadata"]["annotations"] = json!({ RECORD: record.encode() });
    }
    understand(&object, "VirtualService shop/web", &names(), users)
}

fn drift(http: &Value, record: &Record) -> String {
    let seen = seen(http, &Users::default(), Some(record)).unwrap();
    seen.drift.unwrap_or_else(|| "none".to_owned())
}

#[test]
fn a_share_goes_to_every_route_that_names_both_and_to_no_other() {
    let http = json!([
        { "match": [{ "uri": { "prefix": "/static" } }], "route": [to("cdn", 0)] },
        { "name": "api", "route": [to("web-green.shop.svc.cluster.local", 0), to("web-blue", 100)] },
        { "route": [to("web-green", 0)] },
        shared(100, 0),
    ]);
    insta::assert_snapshot!(steps(&http, &Users::default(), &record(5)), @r#"
    {"op":"test","path":"/spec/http/1/route/0/destination","value":{"host":"web-green.shop.svc.cluster.local"}}
    {"op":"test","path":"/spec/http/1/route/0/weight","value":0}
    {"op":"test","path":"/spec/http/1/route/1/destination","value":{"host":"web-blue"}}
    {"op":"test","path":"/spec/http/1/route/1/weight","value":100}
    {"op":"test","path":"/spec/http/3/route/0/destination","value":{"host":"web-blue"}}
    {"op":"test","path":"/spec/http/3/route/0/weight","value":100}
    {"op":"test","path":"/spec/http/3/route/1/destination","value":{"host":"web-green"}}
    {"op":"test","path":"/spec/http/3/route/1/weight","value":0}
    {"op":"add","path":"/spec/http/3/route/1/weight","value":5}
    {"op":"add","path":"/spec/http/3/route/0/weight","value":95}
    {"op":"add","path":"/spec/http/1/route/1/weight","value":95}
    {"op":"add","path":"/spec/http/1/route/0/weight","value":5}
    "#);
}

#[test]
fn a_share_of_0_goes_over_whatever_a_hand_has_written() {
    insta::assert_snapshot!(steps(&json!([shared(50, 50)]), &Users::default(), &rolled_back()), @r#"
    {"op":"test","path":"/spec/http/0/route/0/destination","value":{"host":"web-blue"}}
    {"op":"test","path":"/spec/http/0/route/1/destination","value":{"host":"web-green"}}
    {"op":"add","path":"/spec/http/0/route/1/weight","value":0}
    {"op":"add","path":"/spec/http/0/route/0/weight","value":100}
    "#);
}

#[test]
fn a_weight_that_is_not_written_is_tested_as_nothing() {
    let http = json!([{ "route": [to("web-blue", 100), { "destination": { "host": "web-green" } }] }]);
    insta::assert_snapshot!(steps(&http, &Users::default(), &record(1)), @r#"
    {"op":"test","path":"/spec/http/0/route/0/destination","value":{"host":"web-blue"}}
    {"op":"test","path":"/spec/http/0/route/0/weight","value":100}
    {"op":"test","path":"/spec/http/0/route/1/destination","value":{"host":"web-green"}}
    {"op":"test","path":"/spec/http/0/route/1/weight","value":null}
    {"op":"add","path":"/spec/http/0/route/1/weight","value":1}
    {"op":"add","path":"/spec/http/0/route/0/weight","value":99}
    "#);
}

#[test]
fn single_users_get_routes_of_their_own_with_everything_of_the_original() {
    let http = json!([
        { "route": [to("cdn", 0)], "match": [{ "uri": { "prefix": "/static" } }] },
        {
            "name": "api",
            "match": [{ "uri": { "prefix": "/api" } }, { "headers": { "x-team": { "exact": "shop" } } }],
            "rewrite": { "uri": "/" },
            "timeout": "2s",
            "route": [to("web-blue", 95), to("web-green", 5)],
        },
    ]);
    insta::assert_snapshot!(steps(&http, &users(), &record(5)), @r#"
    {"op":"test","path":"/spec/http/1/route/0/destination","value":{"host":"web-blue"}}
    {"op":"test","path":"/spec/http/1/route/0/weight","value":95}
    {"op":"test","path":"/spec/http/1/route/1/destination","value":{"host":"web-green"}}
    {"op":"test","path":"/spec/http/1/route/1/weight","value":5}
    {"op":"add","path":"/spec/http/1","value":{"match":[{"headers":{"x-user-id":{"regex":".+"}},"uri":{"prefix":"/api"}},{"headers":{"x-team":{"exact":"shop"},"x-user-id":{"regex":".+"}}}],"name":"rollgate-stable-1","rewrite":{"uri":"/"},"route":[{"destination":{"host":"web-blue"}}],"timeout":"2s"}}
    {"op":"add","path":"/spec/http/1","value":{"match":[{"headers":{"x-user-id":{"regex":"^.*0[0-4]$"}},"uri":{"prefix":"/api"}},{"headers":{"x-team":{"exact":"shop"},"x-user-id":{"regex":"^.*0[0-4]$"}}}],"name":"rollgate-candidate-1","rewrite":{"uri":"/"},"route":[{"destination":{"host":"web-green"}}],"timeout":"2s"}}
    {"op":"add","path":"/spec/http/1","value":{"match":[{"headers":{"x-preview":{"exact":"next"}},"uri":{"prefix":"/api"}},{"headers":{"x-preview":{"exact":"next"},"x-team":{"exact":"shop"}}}],"name":"rollgate-preview-1","rewrite":{"uri":"/"},"route":[{"destination":{"host":"web-green"}}],"timeout":"2s"}}
    "#);
}

#[test]
fn at_0_only_the_preview_stands_and_after_a_rollback_nothing() {
    let http = json!([shared(100, 0)]);
    insta::assert_snapshot!(steps(&http, &users(), &record(0)), @r#"
    {"op":"test","path":"/spec/http/0/route/0/destination","value":{"host":"web-blue"}}
    {"op":"test","path":"/spec/http/0/route/1/destination","value":{"host":"web-green"}}
    {"op":"add","path":"/spec/http/0/route/1/weight","value":0}
    {"op":"add","path":"/spec/http/0/route/0/weight","value":100}
    {"op":"add","path":"/spec/http/0","value":{"match":[{"headers":{"x-preview":{"exact":"next"}}}],"name":"rollgate-preview-1","route":[{"destination":{"host":"web-green"}}]}}
    "#);
    let http = json!([
        { "name": "rollgate-preview-1", "route": [to("web-green", 0)] },
        { "name": "rollgate-candidate-1", "route": [to("web-green", 0)] },
        shared(95, 5),
        { "name": "foreign", "route": [to("cdn", 0)] },
    ]);
    insta::assert_snapshot!(steps(&http, &Users::default(), &rolled_back()), @r#"
    {"op":"test","path":"/spec/http/0/name","value":"rollgate-preview-1"}
    {"op":"test","path":"/spec/http/1/name","value":"rollgate-candidate-1"}
    {"op":"test","path":"/spec/http/2/route/0/destination","value":{"host":"web-blue"}}
    {"op":"test","path":"/spec/http/2/route/1/destination","value":{"host":"web-green"}}
    {"op":"add","path":"/spec/http/2/route/1/weight","value":0}
    {"op":"add","path":"/spec/http/2/route/0/weight","value":100}
    {"op":"remove","path":"/spec/http/1"}
    {"op":"remove","path":"/spec/http/0"}
    "#);
    let left = json!([{ "name": "rollgate-candidate-1", "route": [to("web-green", 0)] }, shared(100, 0)]);
    assert_eq!(
        drift(&left, &rolled_back()),
        "routes for single users (their names begin with rollgate-) are left behind"
    );
}

#[test]
fn routes_for_single_users_that_stand_already_are_left_alone() {
    let routes = Routes::of(vec![shared(95, 5)], &names());
    let (names, users, record) = (names(), users(), record(5));
    let change = Change::new(&routes, &names, &users, &record).unwrap();
    assert!(!change.copies_stand());
    let added = change
        .steps()
        .into_iter()
        .filter(|step| step["path"] == "/spec/http/0");
    let mut http: Vec<_> = added.map(|step| step["value"].clone()).collect();
    http.reverse();
    assert_eq!(http.len(), 3);
    http.push(shared(95, 5));
    let routes = Routes::of(http.clone(), &names);
    let change = Change::new(&routes, &names, &users, &record).unwrap();
    assert!(change.copies_stand());
    assert!(change.steps().iter().all(|step| step["op"] == "test"));
    assert_eq!(seen(&json!(http), &users, Some(&record)).unwrap().drift, None);
    http.swap(0, 1);
    assert_eq!(
        seen(&json!(http), &users, Some(&record)).unwrap().drift.unwrap(),
        "the routes for single users (sticky, preview) are not as they were written"
    );
}

#[test]
fn a_header_that_a_route_matches_itself_tells_no_users_apart() {
    let http = json!([{
        "match": [{ "headers": { "x-user-id": { "exact": "7" } } }],
        "route": [to("web-blue", 100), to("web-green", 0)],
    }]);
    let seen = seen(&http, &users(), Some(&record(0))).unwrap();
    insta::assert_snapshot!(seen.drift.unwrap(), @"http route 1 matches the header x-user-id itself, and Istio takes one condition for a header: use another one for `sticky` in the plan, or give web-blue and web-green a route without that match");
}

#[test]
fn subsets_of_one_host_are_backends_too() {
    let subset = |name: &str, weight: u64| json!({ "destination": { "host": "web.shop.svc.cluster.local", "subset": name }, "weight": weight });
    let names = Names {
        host: Some("web".to_owned()),
        backends: ["blue", "green"].map(str::to_owned),
        ..names()
    };
    let routes = Routes::of(
        vec![json!({ "route": [subset("blue", 90), subset("green", 10)] })],
        &names,
    );
    assert!(!routes.is_broken);
    assert_eq!(routes.share(1), Weight::new(10).ok());
    let rule = |host: &str, subsets: Value| json!({ "metadata": { "name": "web" }, "spec": { "host": host, "subsets": subsets } });
    let both = json!([{ "name": "blue" }, { "name": "green" }]);
    let missing = |rules: &[Value]| missing_subsets(rules, "web", &names);
    assert_eq!(missing(&[]), None);
    assert_eq!(missing(&[rule("other", json!([]))]), None);
    assert_eq!(missing(&[rule("web.shop.svc.cluster.local", both)]), None);
    insta::assert_snapshot!(missing(&[rule("web", json!([{ "name": "blue" }]))]).unwrap(), @"DestinationRule web of web has no subset green, so its requests would be answered with 503: add it");
}

#[test]
fn names_with_dots_are_full_names() {
    let names = names();
    for (host, name, same) in [
        ("web", "web", true),
        ("web.shop.svc.cluster.local", "web", true),
        ("web.shop.svc.corp.example", "web", true),
        ("web", "web.shop.svc.cluster.local", true),
        ("web.other.svc.cluster.local", "web", false),
        ("web.shop", "web", false),
        ("webshop", "web", false),
    ] {
        assert_eq!(names.is_same(host, name), same, "{host} {name}");
    }
}

#[test]
fn what_forbids_a_rise_is_named_and_a_share_of_0_goes_through() {
    let third = json!([{ "route": [to("web-blue", 80), to("web-green", 0), to("cdn", 20)] }]);
    insta::assert_snapshot!(drift(&third, &record(0)), @"http route 1 names cdn beside web-blue and web-green, and a share between three cannot be told: give it a route of its own");
    let names = names();
    let routes = Routes::of(third.as_array().cloned().unwrap(), &names);
    let users = Users::default();
    let refusal = |record: &Record| Change::new(&routes, &names, &users, record).unwrap().refusal();
    assert!(refusal(&record(5)).is_some());
    assert_eq!(refusal(&rolled_back()), None);
    let tampered = json!([{ "route": [to("web-blue", 30), to("web-green", 50), to("cdn", 20)] }]);
    insta::assert_snapshot!(steps(&tampered, &users, &rolled_back()), @r#"
    {"op":"test","path":"/spec/http/0/route/0/destination","value":{"host":"web-blue"}}
    {"op":"test","path":"/spec/http/0/route/1/destination","value":{"host":"web-green"}}
    {"op":"add","path":"/spec/http/0/route/1/weight","value":0}
    {"op":"add","path":"/spec/http/0/route/0/weight","value":80}
    "#);

    let twice = json!([{ "route": [to("web-blue", 100), to("web-green", 0), to("web-green", 0)] }]);
    insta::assert_snapshot!(drift(&twice, &record(0)), @"http route 1 names web-green twice: keep one of them");
    insta::assert_snapshot!(drift(&json!([shared(90, 5)]), &record(6)), @"the weights of http route 1 do not add up to 100: web-blue 90, web-green 5");
    insta::assert_snapshot!(drift(&json!([shared(0, 0)]), &record(5)), @"the weights of http route 1 do not add up to 100: web-blue 0, web-green 0");
    insta::assert_snapshot!(drift(&json!([shared(50, 50), shared(95, 5)]), &record(5)), @"http route 1 gives web-green 50 %, the record says 5 %");
}

#[test]
fn weights_are_proportions_and_a_share_is_never_told_too_small() {
    let share = |http: Value| seen(&http, &Users::default(), None).unwrap().share;
    assert_eq!(share(json!([shared(1, 1)])), Weight::new(50).ok());
    assert_eq!(share(json!([shared(999, 1)])), Weight::new(1).ok());
    assert_eq!(
        share(json!([shared(100, 0), shared(80, 20)])),
        Weight::new(20).ok()
    );
    assert_eq!(share(json!([shared(0, 0)])), None);
}

#[test]
fn a_route_that_lost_stable_gets_it_back_by_a_rollback() {
    let http = json!([{ "timeout": "2s", "route": [to("web-green.shop.svc.cluster.local", 0)] }]);
    insta::assert_snapshot!(drift(&http, &record(5)), @"no http route of VirtualService shop/web names both web-blue and web-green: give one of them both as destinations, with the weights 100 and 0; http route 1 does not name web-blue any more; http route 1 gives web-green 100 %, the record says 5 %");
    let share = seen(&http, &Users::default(), Some(&record(5))).unwrap().share;
    assert_eq!(share, Some(Weight::FULL));
    insta::assert_snapshot!(steps(&http, &Users::default(), &rolled_back()), @r#"
    {"op":"test","path":"/spec/http/0/route","value":[{"destination":{"host":"web-green.shop.svc.cluster.local"},"weight":0}]}
    {"op":"replace","path":"/spec/http/0/route","value":[{"destination":{"host":"web-blue"},"weight":100},{"destination":{"host":"web-green.shop.svc.cluster.local"},"weight":0}]}
    "#);
    // One that lost the candidate has what a rollback wants.
    let http = json!([{ "route": [to("web-blue", 0)] }]);
    assert_eq!(steps(&http, &Users::default(), &rolled_back()), "");
    let seen = seen(&http, &Users::default(), Some(&rolled_back())).unwrap();
    assert_eq!(seen.share, Some(Weight::ZERO));
}

#[test]
fn a_virtual_service_of_somebody_else_is_none_of_a_rollouts() {
    let error = |http: Value| seen(&http, &Users::default(), None).unwrap_err().to_string();
    insta::assert_snapshot!(error(json!([{ "route": [to("web-blue", 0)] }])), @"no http route of VirtualService shop/web names both web-blue and web-green: give one of them both as destinations, with the weights 100 and 0");
    insta::assert_snapshot!(error(json!([{ "delegate": { "name": "shop", "namespace": "team" } }])), @"no http route of VirtualService shop/web names both web-blue and web-green; one delegates to VirtualService shop in namespace team: name that one in traffic.istio.route");
    insta::assert_snapshot!(error(Value::Null), @"no http route of VirtualService shop/web names both web-blue and web-green: give one of them both as destinations, with the weights 100 and 0");
}

#[test]
fn what_istiods_analysis_says_of_this_very_version_is_told() {
    let object = |generation: Value| {
        json!({
            "metadata": { "generation": 4 },
            "status": {
                "observedGeneration": generation,
                "validationMessages": [
                    { "level": "WARNING", "type": { "code": "IST0130" } },
                    {
                        "level": "ERROR",
                        "type": { "code": "IST0101", "name": "ReferencedResourceNotFound" },
                        "documentationUrl": "https://istio.io/latest/docs/reference/config/analysis/ist0101/",
                    },
                ],
            },
        })
    };
    insta::assert_snapshot!(analysis(&object(json!(4))).unwrap(), @"istiod says IST0101 about it https://istio.io/latest/docs/reference/config/analysis/ist0101/");
    assert!(analysis(&object(json!("4"))).is_some());
    assert_eq!(analysis(&object(json!(3))), None);
    assert_eq!(analysis(&json!({ "metadata": { "generation": 4 } })), None);
}
