//! Who is stable and who the candidate changes with a promotion; no user notices.

use std::{
    fs,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use rollgate::providers::traffic::WriteError;
use rollgate_domain::{
    rollout::{moves::Move, record::Record},
    weight::Weight,
};

use super::traffic::{pasted, versions};
use crate::support::{
    course::production,
    servers::until,
    world::{World, after, entry, shop::http},
};

/// With the printed lines; users are known by a header.
fn world() -> Option<World> {
    let mut world = World::configured(Some("header: x-user-id"), pasted)?;
    world.plan.steps = vec![(10, "1h")];
    // Of no interest here, but `start` looks at it.
    let meter = crate::support::world::meter::Meter::start(world.haproxy[0].socket.clone());
    world.plan.pages = ["blue", "green"].map(|backend| meter.url(backend));
    world.meter = Some(meter);
    until("HAProxy sees its servers", Duration::from_secs(20), || {
        let said = world.haproxy[0].said("show stat -1 4 -1")?;
        (said.matches(",UP,").count() == 2).then_some(())
    });
    Some(world)
}

/// `record` after `moves`, each of them written.
#[track_caller]
fn moved(world: &World, mut record: Record, moves: impl IntoIterator<Item = Move>) -> Record {
    for step in moves {
        record = after(&record, step);
        world.write(&record).expect("a write");
        assert_eq!(world.value(0).as_ref(), Some(&entry(&record)));
        assert_eq!(world.file_value(), entry(&record));
    }
    record
}

/// From a canary that is ready to green's 100 %.
fn up() -> [Move; 5] {
    [
        Move::Take,
        Move::Raise,
        Move::Pass,
        Move::Enter(production()),
        Move::Raise,
    ]
}

#[track_caller]
fn promoted(world: &World) -> Record {
    world.shift(["start"]).with(0);
    let full = moved(world, world.record(), up());
    moved(world, full, [Move::Promote])
}

/// `share` percent of the users meet `candidate`: exactly those whose buckets are below it.
#[track_caller]
fn users_meet(world: &World, candidate: &str, share: u32) {
    let stable = if candidate == "blue" { "green" } else { "blue" };
    let expected: Vec<_> = (0..200)
        .map(
            |number| match crc32fast::hash(format!("user-{number}").as_bytes()) % 100 {
                bucket if bucket < share => candidate,
                _ => stable,
            },
        )
        .collect();
    let met = versions(world, |number| {
        ("/".to_owned(), format!("x-user-id: user-{number}\r\n"))
    });
    assert_eq!(met, expected, "{share} % to {candidate}");
}

#[test]
fn after_a_promotion_the_next_rollout_goes_the_other_way_round() {
    let Some(world) = world() else { return };
    world.shift(["start"]).with(0);
    let held = moved(&world, world.record(), [Move::Take, Move::Raise]);
    users_meet(&world, "green", 10);
    let full = moved(&world, held, [Move::Pass, Move::Enter(production()), Move::Raise]);
    users_meet(&world, "green", 100);
    moved(&world, full, [Move::Promote]);
    users_meet(&world, "blue", 0);

    world
        .shift(["start"])
        .with(3)
        .saying("end it with shift-traffic finish");
    world
        .shift(["finish"])
        .with(0)
        .saying("finished: green is stable");
    // No flag says so: green is stable since.
    world.shift(["start"]).with(0);
    let next = world.record();
    assert_eq!(
        (next.stable.backend.as_str(), next.candidate.backend.as_str()),
        ("green", "blue")
    );
    users_meet(&world, "blue", 0);
    moved(&world, next, [Move::Take, Move::Raise]);
    users_meet(&world, "blue", 10);
    world.shift(["status"]).with(0);
    world.haproxy[0].reload();
    users_meet(&world, "blue", 10);

    world.shift(["rollback"]).with(0);
    users_meet(&world, "blue", 0);
    world.assert_all_on_stable();
}

#[test]
fn a_promotion_is_taken_back_by_a_rollback() {
    let Some(world) = world() else { return };
    promoted(&world);
    users_meet(&world, "green", 100);
    world.shift(["rollback"]).with(0);
    users_meet(&world, "green", 0);
    let record = world.record();
    assert_eq!(record.stable.backend, "blue");
    world.shift(["status"]).with(0);
    // Twice is once.
    world.shift(["rollback"]).with(0);
    assert_eq!(world.record(), record);
}

#[test]
fn no_request_sees_half_of_a_promotion() {
    let Some(world) = world() else { return };
    let promoted = promoted(&world);
    let full = {
        let mut before = after(&promoted, Move::RollBack(String::new()));
        before.state = rollgate_domain::rollout::record::State::Holding {
            step: 0,
            since: before.driver.since,
        };
        before.weight = Weight::FULL;
        before
    };
    let over = AtomicBool::new(false);
    let asked: usize = thread::scope(|scope| {
        let asking: Vec<_> = (0..4)
            .map(|number| {
                let (front, over) = (&world.haproxy[0].front, &over);
                scope.spawn(move || {
                    let mut asked = 0;
                    while !over.load(Ordering::SeqCst) {
                        let user = format!("x-user-id: user-{number}-{asked}\r\n");
                        let met = http(front, "GET /", &user);
                        assert_eq!(met, Some((200, "green".to_owned())));
                        asked += 1;
                    }
                    asked
                })
            })
            .collect();
        for _ in 0..500 {
            world.put_live(0, Some(&entry(&full)));
            world.put_live(0, Some(&entry(&promoted)));
        }
        over.store(true, Ordering::SeqCst);
        asking
            .into_iter()
            .map(|thread| thread.join().expect("its requests"))
            .sum()
    });
    assert!(asked > 100, "{asked} requests");
}

#[test]
fn a_reload_in_the_middle_of_a_change_of_roles_gives_what_is_being_written() {
    let Some(world) = world() else { return };
    let promoted = promoted(&world);
    let back = after(&promoted, Move::RollBack("orders fail".to_owned()));
    // The rollback has reached the file and not the process.
    world.put_file(&entry(&back));
    users_meet(&world, "green", 100);
    world.shift(["status"]).with(0);
    world.haproxy[0].reload();
    users_meet(&world, "green", 0);
    world.shift(["rollback"]).with(0);
    world.assert_all_on_stable();

    // A promotion that has reached the file and not the process, and the other way round.
    for (file, live) in [(&promoted, &back), (&back, &promoted)] {
        world.put_file(&entry(file));
        world.put_live(0, Some(&entry(live)));
        world.shift(["rollback"]).with(0);
        users_meet(&world, "green", 0);
        world.assert_all_on_stable();
    }
}

#[test]
fn a_dead_candidates_users_go_to_stable_whichever_it_is() {
    let Some(world) = world() else { return };
    for candidate in ["green", "blue"] {
        if candidate == "blue" {
            promoted(&world);
            world.shift(["finish"]).with(0);
        }
        world.shift(["start"]).with(0);
        moved(&world, world.record(), [Move::Take, Move::Raise]);
        users_meet(&world, candidate, 10);
        let server = format!("set server {candidate}/{candidate}1 state");
        world.haproxy[0].said(&format!("{server} maint"));
        users_meet(&world, candidate, 0);
        world.haproxy[0].said(&format!("{server} ready"));
        users_meet(&world, candidate, 10);
        world.shift(["rollback"]).with(0);
    }
}

#[test]
fn a_preview_meets_the_candidate_at_zero_percent_and_only_while_it_is_tried() {
    let Some(world) = world() else { return };
    let previews = |value: &str| -> String {
        let met = versions(&world, |number| {
            (
                "/".to_owned(),
                format!("x-user-id: user-{number}\r\nx-preview: {value}\r\n"),
            )
        });
        assert!(met.iter().all(|version| *version == met[0]), "{met:?}");
        met[0].clone()
    };
    assert_eq!(previews("candidate"), "blue");
    world.shift(["start"]).with(0);
    assert_eq!(
        (previews("candidate").as_str(), previews("else").as_str()),
        ("green", "blue")
    );
    users_meet(&world, "green", 0);
    world.shift(["rollback"]).with(0);
    assert_eq!(previews("candidate"), "blue");

    promoted(&world);
    assert_eq!(previews("candidate"), "green");
    world.shift(["finish"]).with(0);
    world.shift(["start"]).with(0);
    assert_eq!(previews("candidate"), "blue");
}

#[test]
fn whoever_has_the_traffic_can_be_stable_of_the_first_rollout() {
    let Some(world) = world() else { return };
    world.put("100|");
    users_meet(&world, "green", 100);
    world
        .shift(["start"])
        .with(3)
        .saying("green has all the traffic: it is stable, the other one is free (--stable green)");
    world.shift(["start", "--stable", "green", "--dry-run"]).with(0);
    assert_eq!(world.value(0).as_deref(), Some("100|"));
    world.shift(["start", "--stable", "green"]).with(0);
    assert_eq!(world.record().candidate.backend, "blue");
    users_meet(&world, "blue", 0);
    world.put("0|");
    world.shift(["start", "--candidate", "green"]).with(0);
    users_meet(&world, "green", 0);
}

#[test]
fn an_entry_of_an_older_rollgate_is_read_and_the_next_write_replaces_it() {
    let Some(mut world) = world() else { return };
    let record = world.abandoned_at(0);
    let new = entry(&record);
    let (share, rest) = new.split_once('|').expect("a share");
    let old = format!("{share}|{}", rest.rsplit_once('|').expect("a record").1);
    world.put(&old);
    users_meet(&world, "green", 10);
    world.shift(["status"]).with(0);
    world.plan.blind = "15m";
    let driver = world.begin(["run"]);
    driver.until_it_says("driven by");
    assert!(world.value(0).expect("an entry").starts_with("10|green|tried|"));
    users_meet(&world, "green", 10);
    world.shift(["rollback"]).with(0);
    driver.end().with(6);
    world.assert_all_on_stable();
}

#[test]
fn lines_of_an_older_rollgate_or_of_another_order_are_never_given_roles_that_they_do_not_know() {
    for (line, said) in [
        (None, "its lines are of an older rollgate"),
        (
            Some("str(green)"),
            "its lines were made for green as the first of traffic.haproxy.backends, the plan has blue",
        ),
    ] {
        let Some(world) = world() else { return };
        world.shift(["start"]).with(0);
        let full = moved(&world, world.record(), up());
        let path = world.path("haproxy.cfg");
        let text = fs::read_to_string(&path).expect("the configuration");
        let text: String = text
            .lines()
            .filter_map(
                |text| match (text.trim_start().starts_with("set-var proc."), line) {
                    (true, None) => None,
                    (true, Some(line)) => Some(format!("{}\n", text.replace("str(blue)", line))),
                    (false, _) => Some(format!("{text}\n")),
                },
            )
            .collect();
        fs::write(&path, text).expect("the configuration");
        world.haproxy[0].reload();
        let refused = world.write(&after(&full, Move::Promote));
        assert!(
            matches!(&refused, Err(WriteError::Rejected(why)) if why.contains(said)),
            "{refused:?}"
        );
        users_meet(&world, "green", 100);
        world.shift(["rollback"]).with(0);
        users_meet(&world, "green", 0);
    }
}
