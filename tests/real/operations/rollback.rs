//! What stands between a rollback and stable.

use rollgate_domain::rollout::record::State;
use serde_json::json;

use super::{
    PATIENCE, Shop, TERMS, Terms,
    routed::{Routed, on_every_router},
};
use crate::support::tool::Running;

on_every_router! {
    switch_to_stable_before_stable_has_capacity,
    stable_that_was_scaled_to_0_is_scaled_up_before_the_traffic_moves,
    a_rollback_needs_no_right_but_the_routers,
    a_gradual_rollback_goes_by_way_of_5_percent,
}

/// Green at 75 %, blue's four pods having carried everything.
const AT_75: Terms = Terms {
    steps: "{ weight: 75%, for: 1h }",
    ..TERMS
};

fn switch_to_stable_before_stable_has_capacity(routed: Routed) {
    let Some(shop) = Shop::new("no-capacity", 4, 3, &Terms { routed, ..AT_75 }) else {
        return;
    };
    let driver = shop.driven();
    shop.has_share(75);
    shop.scale("web-blue", 1);
    shop.has_ready("web-blue", 1);

    let shown = shop.shift(&["rollback", "--dry-run"]).with(0);
    assert!(
        shown.stdout.contains("would wait: web-blue has 1 of 4 ready"),
        "{}",
        shown.stdout
    );
    assert_eq!((shop.share(), shop.replicas("web-blue")), (75, json!(1)));

    let done = shop.shift(&["rollback", "--output", "json"]).with(0);
    let said: serde_json::Value = serde_json::from_str(&done.stdout).expect("JSON");
    assert_eq!(
        (&said["outcome"], &said["state"], &said["weight"]),
        (&json!("done"), &json!("rolled-back"), &json!(0))
    );
    // What one of four pods does not carry stayed until there were more.
    let story = shop.story();
    assert!(
        story.contains("rolling back, from 75 %") && story.contains("so 69 % has to stay for now"),
        "{story}"
    );
    assert_eq!((shop.share(), shop.replicas("web-blue")), (0, json!(4)));
    driver.wait(PATIENCE).with(6);
}

fn stable_that_was_scaled_to_0_is_scaled_up_before_the_traffic_moves(routed: Routed) {
    let Some(shop) = Shop::new("nothing-ready", 4, 3, &Terms { routed, ..AT_75 }) else {
        return;
    };
    let driver = shop.driven();
    shop.has_share(75);
    shop.scale("web-blue", 0);
    shop.has_ready("web-blue", 0);
    shop.allow_pods(1);
    let rollback = Running::start(shop.command(&["rollback"]), &shop.folder.path().join("rollback"));
    // Stopped is every driver at once, moved is nobody while stable has been asked for and is not there.
    rollback.until_it_says("so 75 % has to stay for now");
    driver.wait(PATIENCE).with(6);
    assert!(matches!(shop.record().state, State::RollingBack { .. }));
    assert_eq!((shop.share(), shop.replicas("web-blue")), (75, json!(4)));

    shop.allow_pods(50);
    rollback.wait(PATIENCE).with(0);
    assert_eq!((shop.share(), shop.replicas("web-blue")), (0, json!(4)));
    let story = shop.story();
    let place = |part: &str| {
        story
            .find(part)
            .unwrap_or_else(|| panic!("{part} is not in\n{story}"))
    };
    assert!(place("replicas 0 -> 4") < place("rolled back from"), "{story}");
}

#[test]
fn zero_replicas() {
    let Some(shop) = Shop::new("zero-replicas", 0, 2, &TERMS) else {
        return;
    };
    let start = ["start", "--phase", "production", "--without-canary"];
    shop.shift(&start).with(3).saying("web-blue has nothing ready");
    shop.scale("web-blue", 2);
    shop.scale("web-green", 0);
    shop.has_ready("web-blue", 2);
    shop.has_ready("web-green", 0);
    shop.shift(&start)
        .with(3)
        .saying("web-green has nothing ready: deploy the candidate first");
    assert_eq!(shop.share(), 0);
}

#[test]
fn a_dead_candidate_is_left_at_once() {
    let Some(shop) = Shop::new("dead-candidate", 4, 3, &AT_75) else {
        return;
    };
    let driver = shop.driven();
    shop.has_share(75);
    shop.scale("web-blue", 1);
    shop.scale("web-green", 0);
    shop.has_ready("web-blue", 1);
    shop.has_ready("web-green", 0);
    shop.shift(&["rollback"]).with(0);
    assert_eq!(shop.share(), 0);
    assert!(!shop.story().contains("has to stay"), "{}", shop.story());
    driver.wait(PATIENCE).with(6);
}

#[test]
fn restart_forgets_a_rollback_in_progress() {
    let terms = Terms {
        rollback: "capacity-within: 3s, drain: 1s",
        ..AT_75
    };
    let Some(shop) = Shop::new("in-progress", 4, 3, &terms) else {
        return;
    };
    let driver = shop.driven();
    shop.has_share(75);
    shop.scale("web-blue", 1);
    shop.has_ready("web-blue", 1);
    shop.allow_pods(1);
    let stuck = shop.shift(&["rollback", "--reason", "orders fail"]).with(5);
    assert!(
        stuck.stderr.contains("web-blue has 1 of 4 ready"),
        "{}",
        stuck.stderr
    );
    assert_eq!(shop.share(), 69);
    driver.wait(PATIENCE).with(6);

    // The next run knows nothing but the record.
    shop.allow_pods(50);
    shop.has_ready("web-blue", 4);
    shop.drive().wait(PATIENCE).with(3);
    assert_eq!(shop.share(), 0);
    assert!(shop.record().state_in_words().contains("orders fail"));
}

fn a_rollback_needs_no_right_but_the_routers(routed: Routed) {
    let Some(mut shop) = Shop::new("no-deployments", 4, 3, &Terms { routed, ..AT_75 }) else {
        return;
    };
    let driver = shop.driven();
    shop.has_share(75);
    shop.kubeconfig = shop.namespace.user("router-only", &routed.rights()).kubeconfig();
    shop.shift(&["rollback"]).with(0);
    assert_eq!(shop.share(), 0);
    let story = shop.story();
    assert!(
        story.contains("whether stable can carry the traffic could not be checked"),
        "{story}"
    );
    driver.wait(PATIENCE).with(6);
}

#[test]
fn a_third_release_in_the_middle_of_a_rollout() {
    let Some(shop) = Shop::new("third-release", 4, 3, &TERMS) else {
        return;
    };
    let driver = shop.driven();
    shop.has_share(25);
    let third = json!({ "spec": { "template": { "spec": { "containers": [{
        "name": "shop", "image": "shop:third", "ports": [{ "name": "http", "containerPort": 8080 }],
    }] } } } });
    shop.namespace.patch("Deployment", "web-green", &third);
    let ended = driver.wait(PATIENCE).with(4);
    assert!(
        ended
            .stderr
            .contains("web-green was redeployed in the middle of the rollout"),
        "{}",
        ended.stderr
    );
    assert_eq!(shop.share(), 0);
    shop.drive().wait(PATIENCE).with(4);
    assert_eq!(shop.share(), 0);
}

fn a_gradual_rollback_goes_by_way_of_5_percent(routed: Routed) {
    let terms = Terms {
        routed,
        rollback: "watch: 2s, drain: 1s",
        ..AT_75
    };
    let Some(shop) = Shop::new("gradual", 4, 3, &terms) else {
        return;
    };
    let driver = shop.driven();
    shop.has_share(75);
    shows_both_writes(&shop);
    shop.shift(&["rollback", "--gradual", "--scale-down"]).with(0);
    let story = shop.story();
    assert!(
        story.contains("rolling back, from 75 %") && story.contains("rolled back from 5 %"),
        "{story}"
    );
    assert_eq!((shop.share(), shop.replicas("web-green")), (0, json!(0)));
    driver.wait(PATIENCE).with(6);
}

/// A dry run says what is written first, how long that is watched, and what is written then.
fn shows_both_writes(shop: &Shop) {
    let before = (shop.object()["spec"].clone(), shop.record().generation);
    let gradual = ["rollback", "--gradual", "--dry-run"];
    let shown = shop.shift(&gradual).with(0).stdout;
    let looks = "would watch web-green at 5 % for 2s; harm, or metrics that fail, end that at once. Then:\n";
    let (first, then) = shown.split_once(looks).expect(&shown);
    for (write, weights) in [(first, [95, 5]), (then, [100, 0])] {
        assert!(
            write.starts_with(&format!("would patch {}", shop.routed.kind())),
            "{shown}"
        );
        for weight in weights {
            let said = format!("/weight\",\"value\":{weight}}}");
            assert_eq!(write.matches(&said).count(), 1, "{weight} in:\n{shown}");
        }
    }
    let json = shop
        .shift(&[&gradual[..], &["--output", "json"]].concat())
        .with(0);
    let said: serde_json::Value = serde_json::from_str(&json.stdout).expect("JSON");
    let would = said["would"].as_str().expect("a text");
    assert_eq!(
        (&said["outcome"], would.matches(looks).count()),
        (&json!("done"), 1)
    );
    // Times differ from run to run, the places do not.
    let places = |text: &str| text.matches("\"op\":").count();
    assert_eq!(places(would), places(&shown));
    assert_eq!((shop.object()["spec"].clone(), shop.record().generation), before);
}
