//! What is wrong outside gets a clear sentence, and the traffic stays as it is; but a rollback goes through.

use std::{fs, os::unix::fs::PermissionsExt as _, process::Command, time::Duration};

use rollgate::providers::traffic::{Users, WriteError};
use rollgate_domain::{rollout::moves::Move, weight::Weight};

use super::{abandoned_at, record, seen, write};
use crate::support::{
    nginx::NginxWorld,
    require,
    tool::{path_of, run},
    world::after,
};

fn users() -> Users {
    Users::default()
}

/// `start` ends with 1 and says `part`; what users are served by stays.
#[track_caller]
fn start_is_refused(world: &NginxWorld, part: &str) {
    let before = (world.file(), world.served());
    world.shift(["start"]).with(1).saying(part);
    assert_eq!((world.file(), world.served()), before);
}

/// Replaces `from` in nginx's configuration and has it read.
fn edit(world: &NginxWorld, from: &str, to: &str) {
    let text = fs::read_to_string(world.config()).expect("the configuration");
    assert!(text.contains(from), "{text}");
    fs::write(world.config(), text.replace(from, to)).expect("the configuration");
    world.reload();
}

#[test]
fn nginx_whose_include_is_missing_is_told_the_line_to_add() {
    let Some(world) = NginxWorld::start("preview: { header: x-preview }") else {
        return;
    };
    // Served and used, but of another file of the same form.
    let include = format!("include {};", world.include().display());
    fs::copy(world.include(), world.path("else.conf")).expect("a copy");
    edit(
        &world,
        &include,
        &format!("include {};", world.path("else.conf").display()),
    );
    start_is_refused(&world, &format!("add the line \"{include}\" to its section http"));
}

#[test]
fn nginx_without_our_location_is_told_where_the_lines_are() {
    let Some(world) = NginxWorld::start("") else {
        return;
    };
    edit(&world, "location = /rollgate/served", "location = /elsewhere");
    // The shop answers, and knows no such page.
    start_is_refused(
        &world,
        "nginx's configuration lacks the location that shift-traffic init nginx prints",
    );
}

#[test]
fn an_upstream_that_nginx_does_not_have_is_named_with_those_it_has() {
    let Some(mut world) = NginxWorld::start("preview: { header: x-preview }") else {
        return;
    };
    world.backends = ["blue", "gren"];
    start_is_refused(
        &world,
        "nginx has no upstream \"gren\"; it has blue, green: correct traffic.nginx.backends in the plan",
    );
}

#[test]
fn rules_that_nobody_uses_are_told() {
    let Some(world) = NginxWorld::start("preview: { header: x-preview }") else {
        return;
    };
    edit(
        &world,
        "http://$rollgate_web_backend;",
        "http://blue; # $rollgate_web_backend",
    );
    start_is_refused(
        &world,
        "write \"proxy_pass http://$rollgate_web_backend;\" where users are served",
    );
}

#[test]
fn nginx_that_does_not_run_is_told_and_a_rollback_sets_the_file_for_its_next_start() {
    let Some(mut world) = NginxWorld::start("") else {
        return;
    };
    abandoned_at(&world, &users(), 0);
    world.stop();
    world.shift(["status"]).with(4);
    world
        .shift(["rollback", "--patience", "500ms"])
        .with(5)
        .saying("is nginx running")
        .saying("STUCK");
    assert!(world.begin(), "{}", world.log());
    assert_eq!(seen(&world).share, Some(Weight::ZERO));
    world.shift(["rollback"]).with(0);
    world.shift(["status"]).with(0);
}

#[test]
fn a_file_that_is_missing_is_told_and_a_rollback_makes_it() {
    let Some(world) = NginxWorld::start("") else {
        return;
    };
    fs::remove_file(world.include()).expect("the file");
    world
        .shift(["start"])
        .with(3)
        .saying("rollgate.conf is missing: make it as shift-traffic init nginx says");
    world.shift(["rollback"]).with(0);
    assert_eq!(seen(&world).share, Some(Weight::ZERO));
}

#[test]
fn an_edit_by_hand_stops_rises_and_a_rollback_overwrites_it() {
    let Some(world) = NginxWorld::start("") else {
        return;
    };
    for (from, to, share) in [
        ("10% green", "40% green", Some(40)),
        ("10% green", "ten green", None),
        ("    10% green;\n    * blue;\n", "    * green;\n", Some(100)),
        ("default $rollgate_web_split;", "default green;", Some(10)),
    ] {
        abandoned_at(&world, &users(), 0);
        let text = world.file();
        assert!(text.contains(from), "{text}");
        fs::write(world.include(), text.replace(from, to)).expect("the file");
        let here = seen(&world);
        assert!(
            here.drift
                .is_some_and(|drift| drift.contains("was edited by hand")),
            "{to}"
        );
        assert_eq!(here.share.map(Weight::percent), share, "{to}");
        world.shift(["status"]).with(4);
        world.shift(["rollback"]).with(0);
        assert_eq!(seen(&world).drift, None, "{to}");
        assert_eq!(world.version("GET /", ""), "blue");
    }
}

#[test]
fn a_file_of_somebody_elses_that_is_broken_keeps_a_rise_from_users_and_the_old_file_comes_back() {
    let Some(world) = NginxWorld::start("") else {
        return;
    };
    let held = abandoned_at(&world, &users(), 0);
    let (before, workers) = (world.file(), world.workers());
    let foreign = world.path("more-1.conf");
    fs::write(&foreign, "no such directive;\n").expect("a broken file");
    let written = write(&world, &users(), &after(&held, Move::Advance));
    let Err(WriteError::Rejected(why)) = written else {
        panic!("{written:?}")
    };
    assert!(why.contains("unknown directive \"no\" in "), "{why}");
    assert!(why.contains("more-1.conf"), "{why}");
    assert_eq!((world.file(), world.workers()), (before, workers));
    // A heartbeat needs no reload.
    write(&world, &users(), &after(&held, Move::Beat)).expect("a heartbeat");
}

#[test]
fn a_rollback_that_a_broken_file_of_somebody_elses_holds_up_says_which_and_ends_with_5() {
    let Some(world) = NginxWorld::start("") else {
        return;
    };
    abandoned_at(&world, &users(), 1);
    let foreign = world.path("more-1.conf");
    fs::write(&foreign, "no such directive;\n").expect("a broken file");
    let ended = world
        .shift(["rollback", "--patience", "500ms"])
        .with(5)
        .saying("STUCK")
        .saying(&format!(
            "nginx cannot reload, because {} is broken",
            foreign.display()
        ))
        .saying("says 0 % to green already");
    assert!(ended.took < Duration::from_secs(15), "{:?}", ended.took);
    let here = seen(&world);
    assert_eq!((here.torn, here.share.map(Weight::percent)), (true, Some(50)));
    fs::remove_file(&foreign).expect("the broken file");
    world.shift(["rollback"]).with(0);
    assert_eq!(seen(&world).share, Some(Weight::ZERO));
}

#[test]
fn a_plan_whose_users_nginx_cannot_see_is_refused_before_anything_is_written() {
    let Some(mut world) = NginxWorld::start("") else {
        return;
    };
    world.users = "sticky: { cookie: user-id }";
    world
        .shift(["init", "nginx"])
        .with(2)
        .saying("nginx cannot read the cookie user-id: its name may have letters, digits and _ only");
    start_is_refused(&world, "nginx cannot read the cookie user-id");
}

#[test]
fn somebody_who_may_not_read_the_configuration_is_told_what_rollgate_needs() {
    let Some(world) = NginxWorld::start("preview: { header: x-preview }") else {
        return;
    };
    let Some(setpriv) = require("setpriv") else { return };
    if !fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0) {
        return;
    }
    for open in [world.path(""), world.include(), world.config()] {
        fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).expect("a mode");
    }
    let command = world.command(["start"]);
    let copy = world.path("shift-traffic");
    // By a child: a file that this process writes is busy in the children that other tests start meanwhile.
    let copied = Command::new("/bin/cp")
        .arg(path_of("shift-traffic"))
        .arg(&copy)
        .status();
    assert!(copied.is_ok_and(|status| status.success()), "a copy");
    let mut stranger = Command::new(setpriv);
    stranger
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(copy)
        .args(command.get_args())
        .env_clear()
        .current_dir("/");
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            stranger.env(name, value);
        }
    }
    let before = world.file();
    run(stranger)
        .with(1)
        .saying("Permission denied")
        .saying("run rollgate as the user who started nginx");
    assert_eq!(world.file(), before);
}

#[test]
fn of_two_drivers_the_older_one_writes_nothing() {
    let Some(world) = NginxWorld::start("") else {
        return;
    };
    let held = abandoned_at(&world, &users(), 0);
    let older = world.router(users());
    let looked = seen(&world);
    let newer = after(&held, Move::Take);
    write(&world, &users(), &newer).expect("a write");
    let late = super::block_on(rollgate::providers::traffic::Router::write(
        &older,
        &looked,
        &after(&held, Move::Advance),
    ));
    assert!(matches!(late, Err(WriteError::Conflict)), "{late:?}");
    assert_eq!(record(&world), newer);
}
