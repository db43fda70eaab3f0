//! What `finish` refuses, and what it leaves behind.

use rollgate_domain::rollout::record::State;
use serde_json::{Value, json};

use super::{
    Finish, finish,
    manifests::{Manifest, Named, Routed, refusal},
};
use crate::{
    operations::{
        answer::Answer,
        capacity::Behind,
        tests::{FakeRouter, FakeStacks, Office, autoscaler, holding, promoted},
    },
    providers::stacks::Stacks,
};

fn wish(stacks: &FakeStacks) -> Finish<'_> {
    Finish {
        behind: Behind {
            stacks: Some(stacks as &dyn Stacks),
            scale_up: true,
        },
        team: None,
        scale_down_old: true,
        dry_run: false,
    }
}

async fn answer(router: &FakeRouter, office: &mut Office, wish: &Finish<'_>) -> Answer {
    finish(router, &mut office.desk, wish).await.expect("an answer")
}

fn why(answer: Answer) -> String {
    match answer {
        Answer::Refused(why) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn finish_before_keep_old_is_over_says_when_it_will_be() {
    let router = FakeRouter::new(Some(promoted()));
    let stacks = FakeStacks::new(&router.log, 10, 10);
    let mut office = Office::new();
    let refused = why(answer(&router, &mut office, &wish(&stacks)).await);
    assert_eq!(
        refused,
        "green has all the traffic since 2027-01-15T08:00:00Z and blue has to stand for 48h from then: finish works \
         from 2027-01-17T08:00:00Z on, in 48h"
    );
    assert!(router.log().is_empty());
}

#[tokio::test(start_paused = true)]
async fn only_a_promoted_rollout_is_finished() {
    let router = FakeRouter::new(Some(holding(100)));
    let stacks = FakeStacks::new(&router.log, 10, 10);
    let refused = why(answer(&router, &mut Office::new(), &wish(&stacks)).await);
    assert!(
        refused.contains("finish ends one whose candidate was promoted"),
        "{refused}"
    );
}

#[tokio::test(start_paused = true)]
async fn finish_gives_stable_back_to_its_autoscaler_and_takes_the_old_pods_away_once() {
    let router = FakeRouter::new(Some(promoted()));
    let stacks = FakeStacks::new(&router.log, 10, 10);
    stacks.change("green", |stack| stack.autoscaler = Some(autoscaler(10)));
    let mut office = Office::new();
    tokio::time::sleep(std::time::Duration::from_hours(48)).await;
    let first = answer(&router, &mut office, &wish(&stacks)).await;
    assert!(matches!(first, Answer::Recorded(record) if record.state == State::Finished));
    assert_eq!(router.log(), ["blue 0 %", "green Settled", "blue Nothing"]);
    answer(&router, &mut office, &wish(&stacks)).await;
    assert_eq!(router.log().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn finish_leaves_background_work_to_stable_also_where_no_driver_moved_it() {
    let router = FakeRouter::new(Some(promoted()));
    let stacks = FakeStacks::new(&router.log, 10, 10);
    stacks.change("blue", |stack| stack.workers = Some(3));
    stacks.change("green", |stack| stack.workers = Some(0));
    let mut office = Office::new();
    tokio::time::sleep(std::time::Duration::from_hours(48)).await;
    answer(&router, &mut office, &wish(&stacks)).await;
    assert_eq!(
        router.log(),
        [
            "blue 0 %",
            "blue WorkersQuiet",
            "green WorkersAsBefore(3)",
            "blue Nothing"
        ]
    );
    let workers = |name: &str| stacks.has(name).workers;
    assert_eq!([workers("blue"), workers("green")], [Some(0), Some(3)]);
}

#[tokio::test(start_paused = true)]
async fn failed_apply_stays_green() {
    // What is recorded but not done is an error, and the next finish does it.
    let router = FakeRouter::new(Some(promoted()));
    let mut stacks = FakeStacks::new(&router.log, 10, 10);
    stacks.refuses = true;
    let mut office = Office::new();
    tokio::time::sleep(std::time::Duration::from_hours(49)).await;
    let error = finish(&router, &mut office.desk, &wish(&stacks))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("run finish again"), "{error}");
    stacks.refuses = false;
    answer(&router, &mut office, &wish(&stacks)).await;
    assert_eq!(router.log(), ["blue 0 %", "blue Nothing"]);
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_shows_the_record_and_the_pods_and_touches_nothing() {
    let router = FakeRouter::new(Some(promoted()));
    let stacks = FakeStacks::new(&router.log, 10, 10);
    let dry = Finish {
        dry_run: true,
        ..wish(&stacks)
    };
    let mut office = Office::new();
    tokio::time::sleep(std::time::Duration::from_hours(48)).await;
    let shown = answer(&router, &mut office, &dry).await;
    assert_eq!(
        shown,
        Answer::WouldWrite("would give blue 0 %\nwould ask blue for Nothing\n".to_owned())
    );
    assert!(router.log().is_empty());
}

fn named(name: &str) -> Named {
    Named {
        namespace: "shop".to_owned(),
        name: name.to_owned(),
    }
}

/// Why green is not stable in `object`, blue being the old one.
fn said(routed: &Routed, object: Value) -> String {
    let manifest = Manifest {
        place: "k8s/web.yml".to_owned(),
        object,
    };
    refusal(routed, &[manifest], "green", "blue").unwrap_or_else(|| "nothing".to_owned())
}

#[test]
fn gitops_puts_everybody_on_a_removed_stack() {
    let route = |refs: Value| json!({ "kind": "HTTPRoute", "metadata": { "name": "web" }, "spec": { "rules": [{ "backendRefs": refs }] } });
    let routed = Routed::HttpRoute(named("web"));
    for (refs, expected) in [
        (
            json!([{ "name": "blue", "weight": 0 }, { "name": "green", "weight": 100 }]),
            "",
        ),
        (json!([{ "name": "green" }]), ""),
        (
            json!([{ "name": "blue" }, { "name": "green", "weight": 0 }]),
            "gives blue the weight 1",
        ),
        (
            json!([{ "name": "blue", "weight": 1 }, { "name": "green", "weight": 99 }]),
            "gives blue the weight 1",
        ),
        (json!([{ "name": "green", "weight": 0 }]), "gives green nothing"),
        (json!([{ "name": "other" }]), "gives green nothing"),
    ] {
        let expected = if expected.is_empty() {
            "nothing".to_owned()
        } else {
            format!(
                "k8s/web.yml: HTTPRoute web {expected}: let the team's manifests name green first, or the next apply \
                 gives users to blue"
            )
        };
        assert_eq!(said(&routed, route(refs)), expected);
    }
}

#[test]
fn a_selector_subsets_hosts_and_replicas_are_read_too() {
    let service = |color: &str| {
        json!({ "kind": "Service", "metadata": { "name": "web", "namespace": "shop" },
                "spec": { "selector": { "app": "web", "color": color } } })
    };
    let selector = Routed::Selector(named("web"), "color".to_owned());
    assert_eq!(said(&selector, service("green")), "nothing");
    assert!(said(&selector, service("blue")).contains("Service web selects color=blue"));

    let mesh = |route: Value| json!({ "kind": "VirtualService", "metadata": { "name": "web" }, "spec": { "http": [{ "route": route }] } });
    let subsets = Routed::VirtualService(named("web"), Some("web".to_owned()));
    assert_eq!(
        said(
            &subsets,
            mesh(json!([{ "destination": { "host": "web", "subset": "green" } }]))
        ),
        "nothing"
    );
    let hosts = Routed::VirtualService(named("web"), None);
    let blue = mesh(json!([{ "destination": { "host": "blue.shop.svc.cluster.local" } }]));
    assert!(said(&hosts, blue).contains("VirtualService web gives blue the weight 100"));

    let deployment =
        |spec: Value| json!({ "kind": "Deployment", "metadata": { "name": "blue" }, "spec": spec });
    let replicas = Routed::Replicas("shop".to_owned());
    assert_eq!(said(&replicas, deployment(json!({ "replicas": 0 }))), "nothing");
    assert!(said(&replicas, deployment(json!({}))).contains("Deployment blue has 1 replicas"));
}

#[test]
fn an_object_of_another_namespace_or_name_decides_nothing() {
    let routed = Routed::Selector(named("web"), "color".to_owned());
    for (namespace, name) in [("staging", "web"), ("shop", "api")] {
        let object = json!({ "kind": "Service", "metadata": { "name": name, "namespace": namespace },
                             "spec": { "selector": { "color": "blue" } } });
        assert_eq!(said(&routed, object), "nothing");
    }
}
