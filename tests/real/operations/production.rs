//! From 0 to 100 %, promoted, taken back, again, and finished.

use std::fs;

use rollgate_domain::rollout::record::State;
use serde_json::json;

use super::{
    PATIENCE, Shop, TERMS, Terms,
    routed::{Routed, on_every_router},
};
use crate::support::servers::until;

on_every_router! {
    pods_autoscaler_and_workers_follow_up_to_100_percent_and_back,
}

/// Steps as short as two looks.
fn quick(keep_old: &'static str) -> Terms {
    Terms {
        steps: "{ weight: 25%, for: 500ms }, { weight: 50%, for: 500ms }",
        keep_old,
        ..TERMS
    }
}

fn is_promoted(shop: &Shop) {
    until("it is promoted", PATIENCE, || {
        matches!(shop.record().state, State::Promoted { .. }).then_some(())
    });
}

/// The driver would stay at 100 % for hours: a person promotes.
fn promote(shop: &Shop) {
    shop.shift(&["promote"]).with(3).saying("promote");
    shop.has_share(100);
    let moved = || shop.replicas("worker-blue") == json!(0) && shop.replicas("worker-green") == json!(2);
    until("the workers have moved", PATIENCE, || moved().then_some(()));
    let shown = shop.shift(&["promote", "--dry-run"]).with(0);
    assert!(
        shown
            .stdout
            .contains(&format!("would patch {}", shop.routed.kind())),
        "{}",
        shown.stdout
    );
    shop.shift(&["promote"]).with(0);
    is_promoted(shop);
}

fn pods_autoscaler_and_workers_follow_up_to_100_percent_and_back(routed: Routed) {
    let terms = Terms {
        routed,
        ..quick("1h")
    };
    let Some(shop) = Shop::new("production", 4, 1, &terms) else {
        return;
    };
    shop.autoscaler("web-blue", 2);
    let budget = json!({ "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": { "name": "web" },
                         "spec": { "minAvailable": 4, "selector": { "matchLabels": { "version": "web-blue" } } } });
    shop.namespace.apply(&budget.to_string());
    let driver = shop.driven();
    let begun = shop.record();
    assert_eq!(
        (begun.whole, begun.candidate.images),
        (Some(4), vec!["shop".to_owned()])
    );
    promote(&shop);
    driver.wait(PATIENCE).with(0);
    let story = shop.story();
    assert_eq!(
        (shop.replicas("web-green"), shop.min("web-blue")),
        (json!(4), json!(4)),
        "{story}"
    );
    for what in [
        "raised from 0 %",
        "raised from 25 %",
        "raised from 50 %",
        "replicas 1 -> 2",
        "promoted",
    ] {
        assert!(story.contains(what), "{what} is not in\n{story}");
    }

    // Neither the next rollout nor the end of this one.
    shop.shift(&["start"])
        .with(3)
        .saying("end it with shift-traffic finish");
    shop.shift(&["finish"])
        .with(3)
        .saying("web-blue has to stand for 1h from then");

    shop.shift(&["rollback"]).with(0);
    assert_eq!(shop.share(), 0);
    let workers = (shop.replicas("worker-blue"), shop.replicas("worker-green"));
    assert_eq!(workers, (json!(2), json!(0)));
    assert_eq!(
        (shop.replicas("web-blue"), shop.min("web-blue")),
        (json!(4), json!(2)),
        "{}",
        shop.story()
    );
    assert_eq!(shop.replicas("web-green"), json!(1), "{}", shop.story());

    // Again, with the same two.
    let driver = shop.driven();
    promote(&shop);
    driver.wait(PATIENCE).with(0);
    assert_eq!(shop.record().stable.backend, "web-green");
}

#[test]
fn gitops_puts_everybody_on_a_removed_stack() {
    let Some(shop) = Shop::new("finish", 4, 4, &quick("100ms")) else {
        return;
    };
    shop.autoscaler("web-green", 2);
    let driver = shop.driven();
    promote(&shop);
    driver.wait(PATIENCE).with(0);

    let folder = shop.folder.path().join("k8s");
    fs::create_dir(&folder).expect("a folder");
    let route = |host: &str| {
        format!(
            "# everything of the shop's\napiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: web }}\n---\n\
             apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{ name: web }}\n\
             spec: {{ hosts: [web.example.com], http: [{{ route: [{{ destination: {{ host: {host} }} }}] }}] }}\n"
        )
    };
    let given = folder.display().to_string();
    let finish = ["finish", "--manifests", &given, "--scale-down-old"];
    shop.shift(&finish)
        .with(2)
        .saying("no file there has VirtualService web");
    fs::write(folder.join("web.yaml"), route("web-blue")).expect("a manifest");
    shop.shift(&finish)
        .with(3)
        .saying("web.yaml: VirtualService web gives web-blue the weight 100");
    fs::write(folder.join("web.yaml"), route("web-green")).expect("a manifest");

    // What kubectl applied last names blue too: the next apply would put it back.
    let applied = json!({ "kind": "VirtualService", "metadata": { "name": "web" }, "spec": { "http": [
        { "route": [{ "destination": { "host": "web-blue" } }] }] } });
    let kept = |text: Option<String>| {
        let name = "kubectl.kubernetes.io/last-applied-configuration";
        let change = json!({ "metadata": { "annotations": { name: text } } });
        shop.namespace.patch("VirtualService", "web", &change);
    };
    kept(Some(applied.to_string()));
    shop.shift(&finish)
        .with(3)
        .saying("what was last applied in the cluster");
    kept(None);

    let shown = shop
        .shift(&["finish", "--manifests", &given, "--scale-down-old", "--dry-run"])
        .with(0);
    assert!(shown.stdout.contains("web-blue"), "{}", shown.stdout);
    assert_eq!(shop.replicas("web-blue"), json!(4));
    shop.shift(&finish)
        .with(0)
        .saying("finished: web-green is stable");
    assert_eq!(
        (shop.replicas("web-blue"), shop.replicas("web-green")),
        (json!(0), json!(4))
    );
    assert_eq!(shop.min("web-green"), json!(2));

    // From here on there is no way back, and the next rollout goes the other way round.
    shop.shift(&["rollback"])
        .with(0)
        .saying("nothing to take back: web-green is stable since finish");
    assert_eq!(shop.share(), 100);
    shop.shift(&["start", "--phase", "production", "--without-canary"])
        .with(3)
        .saying("web-blue has nothing ready: deploy the candidate first");
    shop.scale("web-blue", 4);
    shop.has_ready("web-blue", 4);
    shop.shift(&["start", "--phase", "production", "--without-canary"])
        .with(0);
    assert_eq!(shop.record().candidate.backend, "web-blue");
}
