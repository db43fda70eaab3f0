//! What is wrong outside gets a clear sentence, and the traffic stays as it is; but a rollback goes through.

use std::{
    fs,
    io::{Read as _, Write as _},
    os::unix::{
        fs::{MetadataExt as _, PermissionsExt as _},
        net::UnixListener,
    },
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Duration,
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use rollgate_domain::rollout::record::State;

use crate::support::{
    require,
    tool::{path_of, run},
    world::{World, entry, record_of, share_of, value_of},
};

/// A socket that takes every call, answers with `words` and, if these are empty, never.
pub(super) struct Deaf(PathBuf);

impl Deaf {
    pub(super) fn listen(path: &Path, words: &'static str) -> Self {
        let listener = UnixListener::bind(path).expect("a socket");
        thread::spawn(move || {
            let mut kept = Vec::new();
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let mut command = [0; 4096];
                let read = stream.read(&mut command).unwrap_or(0);
                if command[..read] == *b"the end\n" {
                    return;
                }
                if words.is_empty() {
                    kept.push(stream);
                } else {
                    let _ = stream.write_all(words.as_bytes());
                }
            }
        });
        Self(path.to_owned())
    }
}

impl Drop for Deaf {
    fn drop(&mut self) {
        if let Ok(mut stream) = std::os::unix::net::UnixStream::connect(&self.0) {
            let _ = stream.write_all(b"the end\n");
        }
    }
}

/// `start` ends with `code` and says `part`; share and record that users are served by stay.
#[track_caller]
fn start_is_refused(world: &World, code: i32, part: &str) {
    let before = world.value(0);
    world.shift(["start"]).with(code).saying(part);
    assert_eq!(world.value(0), before);
}

#[test]
fn a_backend_that_haproxy_does_not_have_is_named_with_those_it_has() {
    let Some(mut world) = World::simulated() else {
        return;
    };
    world.plan.backends = ["blue", "gren"];
    start_is_refused(
        &world,
        1,
        "HAProxy has no backend \"gren\"; it has blue, green: correct traffic.haproxy.backends in the plan",
    );
    world.plan.backends = ["blue", "green"];
    world.plan.steps = vec![(5, "1h")];
    let record = world.abandoned_at(0);
    world.plan.backends = ["blue", "gren"];
    // In the middle of a rollout nobody can drive with such a plan, so nobody is sent away for it.
    world
        .shift(["run"])
        .with(1)
        .saying("metrics in the plan: backend green has no page to scrape");
    assert_eq!(world.record(), record);
    world.shift(["rollback"]).with(0);
    world.assert_all_on_stable();
    assert!(world.record().generation > record.generation);
}

#[test]
fn a_socket_that_is_missing_dead_deaf_or_cut_off_is_named_with_the_way_out() {
    let Some(mut world) = World::simulated() else {
        return;
    };
    let file = world.file_value();
    let path = world.path("other.sock");
    world.plan.sockets = vec![path.display().to_string()];

    start_is_refused(&world, 1, "is HAProxy running, and is this its \"stats socket\"?");
    drop(UnixListener::bind(&path).expect("a socket that is left behind"));
    start_is_refused(
        &world,
        1,
        "nobody listens there; HAProxy is down or was replaced: Connection refused",
    );
    for (words, part) in [
        ("", "did not answer within 1 s"),
        (
            "type=str, case=sens",
            "closed the connection in the middle of its answer",
        ),
    ] {
        fs::remove_file(&path).expect("the old socket");
        let _deaf = Deaf::listen(&path, words);
        start_is_refused(&world, 1, part);
        world.shift(["status"]).with(4);
        assert_eq!(world.file_value(), file);
    }
}

#[test]
fn a_rollback_without_any_socket_sets_the_file_and_says_that_a_person_must_come() {
    let Some(mut world) = World::simulated() else {
        return;
    };
    world.plan.steps = vec![(5, "1h")];
    let record = world.abandoned_at(0);
    for words in [None, Some(""), Some("type=st")] {
        let path = world.path("other.sock");
        let _ = fs::remove_file(&path);
        let _deaf = words.map(|words| Deaf::listen(&path, words));
        world.plan.sockets = vec![path.display().to_string()];
        let ended = world
            .shift(["rollback", "--patience", "500ms"])
            .with(5)
            .saying("STUCK");
        assert!(ended.took < Duration::from_secs(10), "{:?}", ended.took);
        let recorded = record_of(&world.file_value());
        assert!(recorded.generation > record.generation);
        assert_eq!(share_of(&world.file_value()), Some(0));
    }
    // The next start of HAProxy is on stable.
    world.haproxy[0].reload();
    world.assert_all_on_stable();
}

/// `shift-traffic` as somebody who may not use the socket: nobody, or this user without the right.
fn as_a_stranger<'a>(world: &World, arguments: impl IntoIterator<Item = &'a str>) -> Option<Command> {
    let command = world.command(arguments);
    let root = fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
    if !root {
        let closed = fs::Permissions::from_mode(0o000);
        fs::set_permissions(&world.haproxy[0].socket, closed).expect("no rights");
        return Some(command);
    }
    let setpriv = require("setpriv")?;
    fs::set_permissions(world.path(""), fs::Permissions::from_mode(0o777)).expect("a mode");
    // Nobody may not enter every folder of ours.
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
    Some(stranger)
}

#[test]
fn a_socket_without_permission_is_named_with_the_way_out() {
    let Some(world) = World::simulated() else { return };
    let before = world.value(0);
    let Some(command) = as_a_stranger(&world, ["start"]) else {
        return;
    };
    run(command).with(1).saying(
        "give this user access with \"user\", \"group\" or \"mode\" on HAProxy's \"stats socket\" line",
    );
    if before.is_some() && world.value(0).is_some() {
        assert_eq!(world.value(0), before);
    }
}

#[test]
fn a_map_that_haproxy_does_not_know_is_named_with_the_way_out() {
    let Some(mut world) = World::simulated() else {
        return;
    };
    let other = world.path("other.map");
    fs::write(&other, "web 0|\n").expect("a map");
    world.plan.map = other.display().to_string();
    start_is_refused(
        &world,
        1,
        "its configuration must name the file exactly so (shift-traffic init haproxy)",
    );
    assert_eq!(fs::read_to_string(&other).expect("the map"), "web 0|\n");
}

#[test]
fn a_map_file_that_is_missing_is_named() {
    let Some(world) = World::simulated() else { return };
    fs::remove_file(world.map()).expect("the map");
    start_is_refused(&world, 1, "read map file");
    // Nothing is lost for a rollback, which writes it anew.
    world.shift(["rollback"]).with(0);
    world.assert_all_on_stable();
}

/// Entries that somebody else has made, what is said of them, and whether a `start` may go on.
fn foreign() -> Vec<(String, &'static str)> {
    let newer = r#"{"schema":3,"generation":41,"what":"is to come"}00000000"#;
    vec![
        (
            "hello".to_owned(),
            "is not of the form SHARE|CANDIDATE|STATE|RECORD",
        ),
        ("10".to_owned(), "is not of the form SHARE|CANDIDATE|STATE|RECORD"),
        ("10|".to_owned(), "gives 10 %, the record says nothing"),
        (
            "200|".to_owned(),
            "is not of the form SHARE|CANDIDATE|STATE|RECORD",
        ),
        ("5|AAAA".to_owned(), "no rollgate record: it is too short"),
        (
            "5|not-base64!".to_owned(),
            "is not of the form SHARE|CANDIDATE|STATE|RECORD",
        ),
        (
            format!("5|{}", BASE64_STANDARD.encode("hello, who are you?")),
            "no rollgate record",
        ),
        (value_of(5, newer), "the record has schema 3"),
    ]
}

#[test]
fn an_entry_of_a_foreign_form_is_never_written_over_but_by_a_rollback() {
    let Some(world) = World::simulated() else { return };
    for (value, said) in foreign() {
        world.put(&value);
        let ended = world.shift(["start"]).with(3);
        assert!(ended.stderr.contains(said), "{value}: {}", ended.stderr);
        let ended = world.shift(["run"]);
        assert!(
            [Some(1), Some(4)].contains(&ended.code),
            "{value}: {}",
            ended.stderr
        );
        world.shift(["status"]).with(4);
        assert_eq!(world.value(0).as_ref(), Some(&value));
        assert_eq!(world.file_value(), value);

        world.shift(["rollback"]).with(0);
        world.assert_all_on_stable();
        let record = world.record();
        assert!(matches!(record.state, State::RolledBack { .. }), "{value}");
        assert!(
            !value.contains("eyJzY2hlbWEiOjM") || record.generation > 41,
            "{record:?}"
        );
        world.shift(["status"]).with(0);
        // After it a new rollout can begin.
        world.shift(["start"]).with(0);
        world.put("0|");
    }
}

/// What somebody may do to a running rollout: the new live value, and whether the file is changed too.
fn tampered(value: &str) -> Vec<(&'static str, Option<String>, bool)> {
    let record = record_of(value);
    let (_, same) = value.split_once('|').expect("a record");
    let mut edited = record.encode();
    edited = edited.replace("\"phase\":\"canary\"", "\"phase\":\"other\"");
    let newer = format!(
        r#"{{"schema":3,"generation":{},"x":"of a later version"}}00000000"#,
        record.generation + 41
    );
    vec![
        ("the share was raised", Some(format!("50|{same}")), false),
        ("the share was raised in both", Some(format!("50|{same}")), true),
        ("the share was lowered", Some(format!("0|{same}")), false),
        ("the record was edited", Some(value_of(5, &edited)), true),
        (
            "the record was edited in one place",
            Some(value_of(5, &edited)),
            false,
        ),
        ("the entry was wiped", None, false),
        ("the entry was replaced", Some("hello".to_owned()), false),
        ("the entry was replaced in both", Some("hello".to_owned()), true),
        ("the record was removed in both", Some("5|".to_owned()), true),
        ("everything was set back", Some("0|".to_owned()), true),
        (
            "a newer rollgate wrote in one place",
            Some(value_of(5, &newer)),
            false,
        ),
        ("a newer rollgate wrote", Some(value_of(5, &newer)), true),
    ]
}

#[test]
fn whatever_somebody_did_to_a_rollout_stops_rises_and_a_rollback_overwrites_it() {
    let Some(mut world) = World::simulated() else {
        return;
    };
    world.plan.require = "no-harm";
    world.plan.steps = vec![(5, "400ms"), (10, "400ms")];
    let count = tampered(&entry(&world.abandoned_at(0))).len();
    for index in 0..count {
        world.put("0|");
        let before = world.abandoned_at(0);
        let (what, live, file_too) = tampered(&entry(&before)).swap_remove(index);
        world.put_live(0, live.as_deref());
        if let Some(live) = live.as_ref().filter(|_| file_too) {
            world.put_file(live);
        }
        let highest = if what.contains("newer") {
            before.generation + 41
        } else {
            before.generation
        };
        let ended = world.shift(["run"]);
        assert!(
            [Some(1), Some(4)].contains(&ended.code),
            "{what}: {:?} {}",
            ended.code,
            ended.stderr
        );
        assert_ne!(world.shift(["set", "10%"]).code, Some(0), "{what}");
        assert_eq!(world.value(0), live, "{what}");
        if live.as_deref() != Some("0|") {
            world.shift(["status"]).with(4);
        }

        let ended = world.shift(["rollback"]);
        assert_eq!(ended.code, Some(0), "{what}: {}", ended.stderr);
        world.assert_all_on_stable();
        assert!(
            world.record().generation > highest,
            "{what}: {:?}",
            world.record()
        );
    }
}

#[test]
fn a_driver_that_meets_tampering_stops_rising_and_still_takes_a_bad_candidate_back() {
    thread::scope(|scope| {
        for index in [0, 3, 5, 6] {
            scope.spawn(move || driver_meets(index));
        }
    });
}

fn driver_meets(index: usize) {
    let Some(mut world) = World::simulated() else {
        return;
    };
    world.plan.steps = vec![(5, "4s"), (10, "1h")];
    let driver = world.held_at(5);
    // Said after its first look, and after all that it writes before the next step.
    driver.until_it_says("HEALTHY");
    let (what, live, file_too) = tampered(&world.value(0).expect("an entry")).swap_remove(index);
    let generation = world.record().generation;
    world.put_live(0, live.as_deref());
    if let Some(live) = live.as_ref().filter(|_| file_too) {
        world.put_file(live);
    }
    driver.until_it_says("no rise: ");
    thread::sleep(Duration::from_secs(4));
    assert_eq!(world.value(0), live, "{what}");
    if live.as_deref().and_then(share_of).is_none_or(|share| share == 0) {
        // Nobody meets the candidate: there is nothing to judge, a person rolls back.
        world.shift(["rollback"]).with(0);
        driver.end().with(6);
    } else {
        world.meter().candidate_fails(0.2);
        driver.end().with(3);
    }
    world.assert_all_on_stable();
    assert!(world.record().generation > generation, "{what}");
}

#[test]
fn a_plan_changed_in_the_middle_stops_advances_and_the_canary_is_still_watched() {
    let Some(mut world) = World::simulated() else {
        return;
    };
    world.plan.steps = vec![(5, "400ms"), (10, "1h")];
    world.abandoned_at(0);
    world.plan.steps = vec![(5, "400ms"), (50, "1h")];
    let driver = world.begin(["run"]);
    driver.until_it_says("the plan was changed in the middle of the rollout");
    thread::sleep(Duration::from_secs(1));
    assert_eq!(world.share(), Some(5));
    world.meter().candidate_fails(0.05);
    driver.end().with(3);
    world.assert_all_on_stable();
}

#[test]
fn a_plan_that_is_wrong_elsewhere_does_not_keep_a_rollback_from_going_through() {
    let Some(world) = World::simulated() else { return };
    let record = world.abandoned_at(2);
    let mut command = world.command(["rollback"]);
    let text = world.plan.text().replace("require: proof", "require: prof");
    let plan = world.path("broken.yml");
    fs::write(&plan, text).expect("a plan");
    command.env("ROLLGATE_PLAN", &plan);
    run(command).with(0).saying("warning: ");
    world.assert_all_on_stable();
    assert!(world.record().generation > record.generation);
    let mut command = world.command(["run"]);
    command.env("ROLLGATE_PLAN", &plan);
    run(command).with(2).saying("prof");
}

#[test]
fn an_older_map_that_is_put_back_is_seen_and_stays_until_a_rollback() {
    let Some(mut world) = World::simulated() else {
        return;
    };
    world.plan.steps = vec![(5, "1h")];
    let old = entry(&world.abandoned_at(0));
    let driver = world.begin(["run"]);
    driver.until_it_says("HEALTHY");
    world.put(&old);
    driver.until_it_says("the router went back to an older record");
    thread::sleep(Duration::from_secs(2));
    assert_eq!(world.value(0).as_ref(), Some(&old));
    world.shift(["rollback"]).with(0);
    world.assert_all_on_stable();
    assert!(matches!(world.record().state, State::RolledBack { .. }));
}
