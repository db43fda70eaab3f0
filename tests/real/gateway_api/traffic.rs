//! What users meet, through Contour and Envoy, while the tools change the route.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use rollgate::providers::traffic::{Ids, last_digits::meets_candidate};
use rollgate_domain::weight::Weight;

use super::world::{World, backend, rule};
use crate::support::{kube::DataPlane, servers::until, tool::Running, world::shop::Shop};

const USERS: usize = 200;

/// Envoy hears of a change a moment after the Gateway has accepted it.
const SOON: Duration = Duration::from_secs(20);

/// Real servers behind the pods of both versions.
struct Stage {
    plane: &'static DataPlane,
    world: World<'static>,
    host: String,
    _shops: [Shop; 2],
}

impl Stage {
    fn set(users: &'static str, steps: &'static str) -> Option<Self> {
        let plane = DataPlane::shared()?;
        let mut world = World::of(plane.cluster.namespace("gateway-traffic"));
        world.users = users;
        world.steps = steps;
        let shops = ["blue", "green"].map(|version| Shop::start_at("0.0.0.0", version, &world.folder()));
        world.deploy(shops[0].port(), shops[1].port());
        let rules = [rule("/", &[backend("web-blue", 100), backend("web-green", 0)])];
        world.route(&rules, &plane.parent());
        let host = world.namespace.host();
        plane.wait_until(&host, |met| met.of("blue") == 10);
        Some(Self {
            plane,
            world,
            host,
            _shops: shops,
        })
    }

    /// A driver that holds the first step.
    fn driven(&self) -> Running {
        self.world.shift(["start"]).with(0);
        let driver = self.world.drive();
        driver.until_it_says("raised from 0 %");
        driver
    }

    /// Which version user 1000 and the next ones meet.
    fn versions(&self) -> Vec<bool> {
        (0..USERS)
            .map(|user| {
                let met = self
                    .plane
                    .ask(&self.host, 1, |_| format!("x-user-id: {}\r\n", 1000 + user));
                assert!(met.failed.is_empty(), "{met:?}");
                met.of("green") == 1
            })
            .collect()
    }

    /// Waits until Envoy does for all users what `assign` says.
    fn wait_for(&self, share: u8) -> Vec<bool> {
        let share = Weight::new(share).expect("a share");
        let expected: Vec<_> = (0..USERS)
            .map(|user| meets_candidate(&(1000 + user).to_string(), Ids::Decimal, share) == Some(true))
            .collect();
        until(&format!("every user meets {share}"), SOON, || {
            (self.versions() == expected).then_some(())
        });
        expected
    }
}

#[test]
fn weights_of_0_1_10_50_and_100_percent_are_what_users_without_an_id_get() {
    let steps = "[{ weight: 1%, for: 1h }, { weight: 10%, for: 1h }, { weight: 50%, for: 1h }, { weight: 100%, for: 1h }]";
    let Some(stage) = Stage::set("", steps) else {
        return;
    };
    let ask = |count| {
        let met = stage.plane.ask(&stage.host, count, |_| String::new());
        assert!(met.failed.is_empty(), "{met:?}");
        met.of("green")
    };
    assert_eq!(ask(500), 0);
    let driver = stage.driven();
    stage.plane.wait_until(&stage.host, |met| met.of("green") > 0);
    // Five standard deviations either way.
    let green = ask(4000);
    assert!((8..=72).contains(&green), "{green} of 4000 at 1 %");
    for (share, low, high) in [("10%", 133, 267), ("50%", 888, 1112)] {
        stage.world.shift(["set", share]).with(0);
        thread::sleep(Duration::from_secs(1));
        let green = ask(2000);
        assert!((low..=high).contains(&green), "{green} of 2000 at {share}");
    }
    stage.world.shift(["set", "100%"]).with(0);
    stage.plane.wait_until(&stage.host, |met| met.of("green") == 10);
    assert_eq!(ask(500), 500);
    stage.world.shift(["rollback"]).with(0);
    stage.plane.wait_until(&stage.host, |met| met.of("blue") == 10);
    assert_eq!(ask(500), 0);
    driver.end().with(6);
}

#[test]
fn the_same_user_always_meets_the_same_version_while_the_share_does_not_fall() {
    let steps = "[{ weight: 1%, for: 1h }, { weight: 5%, for: 1h }, { weight: 10%, for: 1h }, { weight: 50%, for: 1h }]";
    let Some(stage) = Stage::set("sticky: { header: x-user-id, ids: decimal }", steps) else {
        return;
    };
    let driver = stage.driven();
    let mut before = stage.wait_for(1);
    for share in [5, 10, 50] {
        stage.world.shift(["set", &format!("{share}%")]).with(0);
        let now = stage.wait_for(share);
        let lost = before.iter().zip(&now).filter(|(before, now)| **before && !**now);
        assert_eq!(lost.count(), 0, "{share} %");
        assert_eq!(
            now.iter().filter(|green| **green).count(),
            USERS * usize::from(share) / 100
        );
        // An id of a form that the rule does not know stays with stable, whoever has none goes by weight.
        let strange = stage
            .plane
            .ask(&stage.host, 100, |_| "x-user-id: anna\r\n".to_owned());
        assert_eq!(strange.of("blue"), 100, "{strange:?}");
        before = now;
    }
    let unknown = stage.plane.ask(&stage.host, 1000, |_| String::new());
    assert!((400..=600).contains(&unknown.of("green")), "{unknown:?}");
    stage.world.shift(["rollback"]).with(0);
    stage.wait_for(0);
    driver.end().with(6);
}

#[test]
fn a_preview_at_0_percent_meets_the_candidate_and_nobody_else_does() {
    let Some(stage) = Stage::set(
        "preview: { header: x-preview, value: next }",
        "[{ weight: 1%, for: 1h }]",
    ) else {
        return;
    };
    let preview = |count| {
        stage
            .plane
            .ask(&stage.host, count, |_| "x-preview: next\r\n".to_owned())
    };
    assert_eq!(preview(20).of("blue"), 20);
    stage.world.shift(["start"]).with(0);
    until("the preview meets green", SOON, || {
        (preview(1).of("green") == 1).then_some(())
    });
    assert_eq!(preview(100).of("green"), 100);
    let others = stage.plane.ask(&stage.host, 500, |number| {
        ["", "x-preview: other\r\n"][number % 2].to_owned()
    });
    assert_eq!(others.of("blue"), 500, "{others:?}");
    stage.world.shift(["rollback"]).with(0);
    until("nobody meets green", SOON, || {
        (preview(1).of("blue") == 1).then_some(())
    });
    assert_eq!(preview(100).of("blue"), 100);
}

#[test]
fn a_rollback_takes_no_request_down() {
    let users = "sticky: { header: x-user-id, ids: decimal }\npreview: { header: x-preview }";
    let Some(stage) = Stage::set(users, "[{ weight: 10%, for: 1h }, { weight: 50%, for: 1h }]") else {
        return;
    };
    let driver = stage.driven();
    stage.wait_for(10);
    stage.world.shift(["set", "50%"]).with(0);
    let over = AtomicBool::new(false);
    let (asked, failed) = thread::scope(|scope| {
        let load = scope.spawn(|| {
            let (mut asked, mut failed) = (0, Vec::new());
            while !over.load(Ordering::SeqCst) {
                let met = stage.plane.ask(&stage.host, 200, |number| match number % 3 {
                    0 => String::new(),
                    1 => format!("x-user-id: {number}\r\n"),
                    _ => "x-preview: candidate\r\n".to_owned(),
                });
                asked += 200;
                failed.extend(met.failed);
            }
            (asked, failed)
        });
        stage.wait_for(50);
        stage.world.shift(["rollback"]).with(0);
        stage.wait_for(0);
        over.store(true, Ordering::SeqCst);
        load.join().expect("the load")
    });
    assert!(asked > 1000, "{asked} requests");
    assert_eq!(failed, [], "of {asked} requests");
    driver.end().with(6);
}
