//! Who meets which version, with the configuration that `init haproxy` prints.

use std::{process::Command, thread, time::Duration};

use jiff::Timestamp;

use crate::support::{
    require,
    world::{
        World,
        shop::{Crowd, http},
    },
};

/// A configuration as a team would have it, with the printed lines at the places that they name.
pub(super) fn pasted(world: &World) -> String {
    let printed = world.shift(["init", "haproxy"]).with(0).stdout;
    // What is indented is configuration, the rest says where it belongs.
    let mut sections = printed.split("\n# 2. ");
    let (global, frontend) = (sections.next().expect("1"), sections.next().expect("2"));
    let lines = |text: &str| -> String {
        text.lines()
            .filter(|line| line.starts_with("    "))
            .map(|line| format!("{line}\n"))
            .collect()
    };
    let [blue, green] = world.backends();
    format!(
        "global\n{}defaults\n    mode http\n    timeout connect 2s\n    timeout client 30s\n    timeout server 30s\n\
         frontend web\n    bind \"${{SHOP_FRONT}}\"\n{}backend blue\n    server blue1 {blue} check inter 1s\n\
         backend green\n    server green1 {green} check inter 1s\n",
        lines(global),
        lines(frontend)
    )
}

fn world_with(sticky: Option<&'static str>) -> Option<World> {
    World::configured(sticky, pasted)
}

/// Which version each of 200 users meets.
pub(super) fn versions(world: &World, user: impl Fn(u32) -> (String, String)) -> Vec<String> {
    let front = &world.haproxy[0].front;
    (0..200)
        .map(|number| {
            let (path, headers) = user(number);
            let (status, version) = http(front, &format!("GET {path}"), &headers).expect("an answer");
            assert_eq!(status, 200);
            version
        })
        .collect()
}

/// The version that a user's id must lead to.
fn expected(number: u32, share: u32) -> &'static str {
    if crc32fast::hash(format!("user-{number}").as_bytes()) % 100 < share {
        "green"
    } else {
        "blue"
    }
}

#[track_caller]
fn users_meet_their_version(sticky: &'static str, user: impl Fn(u32) -> (String, String)) {
    let Some(world) = world_with(Some(sticky)) else {
        return;
    };
    for share in [0, 1, 10, 50, 100] {
        world.put_live(0, Some(&format!("{share}|")));
        let expected: Vec<_> = (0..200).map(|number| expected(number, share)).collect();
        assert_eq!(versions(&world, &user), expected, "{share} %");
    }
}

#[test]
fn users_known_by_a_header_get_exactly_the_share_and_keep_their_version() {
    users_meet_their_version("header: x-user-id", |number| {
        ("/".to_owned(), format!("x-user-id: user-{number}\r\n"))
    });
}

#[test]
fn users_known_by_a_cookie_get_exactly_the_share_and_keep_their_version() {
    users_meet_their_version("cookie: uid", |number| {
        ("/".to_owned(), format!("cookie: a=b; uid=user-{number}; c=d\r\n"))
    });
}

#[test]
fn users_known_by_a_query_parameter_get_exactly_the_share_and_keep_their_version() {
    users_meet_their_version("query: user", |number| {
        (format!("/cart?a=b&user=user-{number}"), String::new())
    });
}

#[test]
fn without_users_every_request_is_drawn_and_none_goes_to_a_candidate_at_zero() {
    let Some(world) = world_with(None) else { return };
    let greens = |share: u32| {
        world.put_live(0, Some(&format!("{share}|")));
        let versions = versions(&world, |_| ("/".to_owned(), String::new()));
        versions.iter().filter(|version| *version == "green").count()
    };
    assert_eq!(greens(0), 0);
    // 200 draws: 7 standard deviations either way.
    assert!((50..=150).contains(&greens(50)));
    assert!((1..=60).contains(&greens(15)));
    assert_eq!(greens(100), 200);
}

#[test]
fn haproxy_takes_the_printed_lines_for_every_way_to_know_a_user() {
    let Some(program) = require("haproxy") else { return };
    for sticky in [
        None,
        Some("header: x-user-id"),
        Some("cookie: uid"),
        Some("query: user"),
    ] {
        let Some(world) = world_with(sticky) else { return };
        let checked = Command::new(&program)
            .arg("-c")
            .arg("-f")
            .arg(world.path("haproxy.cfg"))
            .env("SHOP_FRONT", "127.0.0.1:1")
            .output()
            .expect("haproxy -c");
        let said = String::from_utf8_lossy(&checked.stderr).into_owned();
        assert!(checked.status.success(), "{sticky:?}: {said}");
        assert!(!said.contains("[WARNING]"), "{sticky:?}: {said}");
    }
}

#[test]
fn a_rise_moves_nobody_back_and_a_rollback_hurts_no_request() {
    let Some(mut world) = World::real() else { return };
    world.plan.look = "300ms";
    world.plan.require = "no-harm";
    world.plan.steps = vec![(10, "600ms"), (30, "600ms"), (60, "1h")];
    let crowd = Crowd::ask(&world.haproxy[0].front, 600, 500, &world.path(""));
    let driver = world.held_at(60);
    // Users come again, so that whoever was moved is seen.
    thread::sleep(Duration::from_millis(1200));
    let rolled_back = Timestamp::now().as_millisecond();
    world.shift(["rollback", "--reason", "for a test"]).with(0);
    driver.end().with(6);
    thread::sleep(Duration::from_millis(1500));
    let report = crowd.go_home();

    assert_eq!(report["transport_errors"], 0, "{report}");
    assert!(report["versions"]["none"].is_null(), "{report}");
    for version in ["blue", "green"] {
        let version = &report["versions"][version];
        assert_eq!(version["hurt"], 0, "{report}");
        assert_ne!(version["requests"], 0, "{report}");
    }
    let moved_from = |version: &str, until: i64| -> u64 {
        let seconds = report["timeline"].as_array().expect("seconds").iter();
        seconds
            .filter(|second| second["t"].as_i64().expect("a time") + 1000 <= until)
            .flat_map(|second| second["moves"].as_array().expect("moves"))
            .filter(|moved| moved["from"] == version)
            .map(|moved| moved["users"].as_u64().expect("users"))
            .sum()
    };
    assert!(moved_from("blue", rolled_back) > 50, "{report}");
    assert_eq!(moved_from("green", rolled_back), 0, "{report}");
    assert!(moved_from("green", i64::MAX) > 50, "{report}");
}
