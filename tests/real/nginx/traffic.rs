//! Who meets which version, with the configuration that `init nginx` prints.

use std::{thread, time::Duration};

use rollgate::providers::traffic::{Ids, Preview, Sticky, UserId, Users, nginx::hash};
use rollgate_domain::{
    rollout::{
        moves::Move,
        record::{Record, State},
    },
    weight::Weight,
};

use super::{abandoned_at, now_ms, record, seen, write};
use crate::support::{
    nginx::NginxWorld,
    world::{after, shop::Crowd},
};

const USERS: &str = "sticky: { header: x-user-id }\npreview: { header: x-preview }";

fn by(by: UserId) -> Users {
    Users {
        sticky: Some(Sticky {
            by,
            ids: Ids::Decimal,
        }),
        preview: Some(Preview {
            header: "x-preview".to_owned(),
            value: "candidate".to_owned(),
        }),
    }
}

fn by_header() -> Users {
    by(UserId::Header("x-user-id".to_owned()))
}

/// `record` at this share, whatever its steps are.
fn at(record: &Record, percent: u8) -> Record {
    let mut next = after(record, Move::Beat);
    next.weight = Weight::new(percent).expect("a share");
    next
}

#[track_caller]
fn users_meet_their_version(sticky: &'static str, users: &Users, user: impl Fn(u32) -> (String, String)) {
    let Some(world) = NginxWorld::start(sticky) else {
        return;
    };
    let mut record = abandoned_at(&world, users, 0);
    for percent in [0, 1, 10, 50, 100, 50] {
        record = at(&record, percent);
        write(&world, users, &record).expect("a write");
        for number in 0..200 {
            let (path, headers) = user(number);
            let greens = hash::meets_candidate(&format!("user-{number}"), record.weight);
            let expected = if greens == Some(true) { "green" } else { "blue" };
            let met = world.version(&format!("GET {path}"), &headers);
            assert_eq!(met, expected, "user-{number} at {percent} %");
        }
    }
}

#[test]
fn users_known_by_a_header_get_exactly_the_share_and_keep_their_version() {
    users_meet_their_version("sticky: { header: x-user-id }", &by_header(), |number| {
        ("/".to_owned(), format!("x-user-id: user-{number}\r\n"))
    });
}

#[test]
fn users_known_by_a_cookie_get_exactly_the_share_and_keep_their_version() {
    let users = by(UserId::Cookie("uid".to_owned()));
    users_meet_their_version("sticky: { cookie: uid }", &users, |number| {
        ("/".to_owned(), format!("cookie: a=b; uid=user-{number}; c=d\r\n"))
    });
}

#[test]
fn users_known_by_a_query_parameter_get_exactly_the_share_and_keep_their_version() {
    let users = by(UserId::Query("user".to_owned()));
    users_meet_their_version("sticky: { query: user }", &users, |number| {
        (format!("/cart?a=b&user=user-{number}"), String::new())
    });
}

#[test]
fn without_users_every_request_is_drawn_and_none_goes_to_a_candidate_at_zero() {
    let Some(world) = NginxWorld::start("") else {
        return;
    };
    let mut record = abandoned_at(&world, &Users::default(), 0);
    let mut greens = |percent: u8| {
        record = at(&record, percent);
        write(&world, &Users::default(), &record).expect("a write");
        (0..200).filter(|_| world.version("GET /", "") == "green").count()
    };
    assert_eq!(greens(0), 0);
    // 200 draws: 7 standard deviations either way.
    assert!((50..=150).contains(&greens(50)));
    assert!((1..=60).contains(&greens(15)));
    assert_eq!(greens(100), 200);
}

#[test]
fn a_preview_meets_the_candidate_at_zero_percent_and_only_while_it_is_tried() {
    let Some(world) = NginxWorld::start(USERS) else {
        return;
    };
    let preview = || world.version("GET /", "x-preview: candidate\r\n");
    assert_eq!(preview(), "blue");
    world.shift(["start"]).with(0);
    assert_eq!(preview(), "green");
    assert_eq!(world.version("GET /", "x-preview: else\r\n"), "blue");
    assert_eq!(world.version("GET /", "x-user-id: user-7\r\n"), "blue");
    world.shift(["rollback"]).with(0);
    assert_eq!(preview(), "blue");
    assert!(!world.file().contains("x_preview"), "{}", world.file());
}

#[test]
fn rises_and_a_rollback_hurt_no_request_of_users_who_keep_their_connections() {
    let Some(mut world) = NginxWorld::start(USERS) else {
        return;
    };
    world.steps = "[{ weight: 10%, for: 600ms }, { weight: 30%, for: 600ms }, { weight: 60%, for: 1h }]";
    let crowd = Crowd::ask(&world.front, 600, 500, &world.path(""));
    world.shift(["start"]).with(0);
    let driver = crate::support::tool::Running::start(world.command(["run"]), &world.path("driver"));
    driver.until_it_says("raised from 30 %");
    // Users come again, so that whoever was moved is seen.
    thread::sleep(Duration::from_millis(1500));
    let rolled_back = now_ms();
    let ended = world.shift(["rollback", "--reason", "for a test"]).with(0);
    assert!(ended.took < Duration::from_secs(10), "{:?}", ended.took);
    let confirmed = now_ms();
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
    // After the rollback was confirmed nobody met green any more, but for what was on its way.
    let last = report["versions"]["green"]["last_ms"].as_i64().expect("a time");
    assert!(last <= confirmed + 100, "{last} {rolled_back} {confirmed}");
    let moved_from_green: u64 = report["timeline"]
        .as_array()
        .expect("seconds")
        .iter()
        .filter(|second| second["t"].as_i64().expect("a time") + 1000 <= rolled_back)
        .flat_map(|second| second["moves"].as_array().expect("moves"))
        .filter(|moved| moved["from"] == "green")
        .map(|moved| moved["users"].as_u64().expect("users"))
        .sum();
    assert_eq!(moved_from_green, 0, "{report}");
}

#[test]
fn a_heartbeat_reloads_nothing_and_a_rise_does() {
    let Some(world) = NginxWorld::start(USERS) else {
        return;
    };
    let mut held = abandoned_at(&world, &by_header(), 0);
    let (workers, served) = (world.workers(), world.served());
    for _ in 0..20 {
        held = after(&held, Move::Beat);
        write(&world, &by_header(), &held).expect("a write");
    }
    assert_eq!((world.workers(), world.served()), (workers.clone(), served));
    assert_eq!(record(&world), held);
    write(&world, &by_header(), &after(&held, Move::Advance)).expect("a write");
    assert!(world.workers().iter().all(|worker| !workers.contains(worker)));
}

#[test]
fn what_is_left_of_a_share_on_the_way_back_stays_with_its_users() {
    let Some(world) = NginxWorld::start(USERS) else {
        return;
    };
    let held = abandoned_at(&world, &by_header(), 1);
    let back = after(
        &held,
        Move::Lower(Weight::new(5).expect("a share"), "slow".to_owned()),
    );
    // Whoever takes back may not have the plan.
    write(&world, &Users::default(), &back).expect("a write");
    assert!(matches!(record(&world).state, State::RollingBack { .. }));
    for number in 0..200 {
        let greens = hash::meets_candidate(&format!("user-{number}"), back.weight);
        let expected = if greens == Some(true) { "green" } else { "blue" };
        let met = world.version("GET /", &format!("x-user-id: user-{number}\r\n"));
        assert_eq!(met, expected, "user-{number}");
    }
    assert_eq!(seen(&world).share, Weight::new(5).ok());
}
