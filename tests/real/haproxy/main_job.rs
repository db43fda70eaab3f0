//! A good candidate climbs, a bad one is taken back, and the journal tells all of it.

use std::{collections::BTreeMap, fs};

use rollgate::operations::look::{Judgement, Sample};
use rollgate_domain::{
    analysis::{Judge, Outcome, Verdict},
    rollout::{event::Event, ladder::Step, record::State},
};
use serde::de::DeserializeOwned;

use crate::support::world::{World, shop::Crowd};

/// The shares of the candidate, in the order in which it had them.
pub(super) fn shares(world: &World) -> Vec<u8> {
    let events = world.events();
    let moves = events.iter().filter(|line| {
        matches!(
            line.event,
            Event::Raised { .. } | Event::Passed { .. } | Event::RolledBack { .. } | Event::Paused { .. }
        )
    });
    moves.map(|line| line.weight.percent()).collect()
}

pub(super) fn lines<T: DeserializeOwned>(world: &World, file: &str) -> Vec<T> {
    let text = fs::read_to_string(world.out().join(file)).expect("a file of the journal");
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

/// Judges the journal's looks anew and compares what was said at the time. How many were compared.
pub(super) fn replay(world: &World) -> usize {
    let mut judges: BTreeMap<u64, Judge> = BTreeMap::new();
    for Judgement {
        generation,
        origin,
        settings,
        shares,
        rollout: _,
    } in lines(world, "judgement.jsonl")
    {
        let judge = Judge::new(settings, origin);
        let told = match shares {
            Some(shares) => judge.with_shares(&shares),
            None => judge,
        };
        judges.insert(generation, told);
    }
    let mut steps: BTreeMap<u64, (jiff::Timestamp, Step)> = BTreeMap::new();
    let mut compared = 0;
    for sample in lines::<Sample>(world, "samples.jsonl") {
        let judge = judges.get_mut(&sample.generation).expect("its judgement");
        if let Some(duration) = sample.step_for {
            let weight = sample.weight;
            let step = (sample.step_since, Step { weight, duration });
            if steps.insert(sample.generation, step) != Some(step) {
                judge.begin_step(step.0, Some(step.1));
            }
        }
        judge.look(&sample.look);
        if let Some(outcome) = sample.outcome {
            let said = judge.verdict(sample.at, &sample.feed);
            assert_eq!(said.outcome, outcome, "{sample:?}: {}", said.sentence);
            compared += 1;
        }
    }
    compared
}

#[test]
fn a_healthy_candidate_climbs_to_ten_percent_and_passes() {
    let Some(world) = World::simulated() else { return };
    world.shift(["start"]).with(0);
    assert_eq!(world.share(), Some(0));
    world.shift(["run"]).with(0).saying("passed");

    assert_eq!(shares(&world), [1, 5, 10, 0]);
    world.assert_all_on_stable();
    assert_eq!(world.record().state, State::Passed);
    assert!(replay(&world) >= 4);
    // What has passed has passed.
    world.shift(["run"]).with(0);
    assert_eq!(shares(&world), [1, 5, 10, 0]);
}

#[test]
fn a_candidate_that_turns_bad_is_taken_back_and_the_journal_can_prove_it() {
    let Some(mut world) = World::simulated() else {
        return;
    };
    world.plan.steps = vec![(1, "400ms"), (5, "1h")];
    let driver = world.held_at(5);
    world.meter().candidate_fails(0.03);
    let ended = driver.end().with(3).saying("rolled back from 5 %");

    assert_eq!(shares(&world), [1, 5, 0]);
    world.assert_all_on_stable();
    let State::RolledBack { reason } = world.record().state else {
        panic!("{:?}", world.record())
    };
    assert!(ended.stderr.contains(&reason), "{reason}");
    let verdict: Verdict =
        serde_json::from_slice(&fs::read(world.out().join("verdict.json")).expect("a verdict"))
            .expect("a verdict");
    assert_eq!(verdict.outcome, Outcome::Rollback);
    assert_eq!(verdict.sentence, reason);
    assert!(verdict.found.is_some());
    let samples: Vec<Sample> = lines(&world, "samples.jsonl");
    assert_eq!(
        samples.last().and_then(|last| last.outcome),
        Some(Outcome::Rollback)
    );
    assert!(replay(&world) >= 3);
    // It stays so.
    world.shift(["run"]).with(3);
    assert_eq!(world.share(), Some(0));
}

#[test]
fn a_real_service_under_real_load_passes_when_good_and_is_taken_back_when_bad() {
    let Some(mut world) = World::real() else { return };
    world.plan.look = "500ms";
    world.plan.steps = vec![(25, "1s"), (50, "1s")];
    let crowd = Crowd::ask(&world.haproxy[0].front, 1500, 2000, &world.path(""));
    world.shift(["start"]).with(0);
    world.shift(["run"]).with(0);
    assert_eq!(shares(&world), [25, 50, 0]);

    world.green().turn("error-rate=5%25");
    world.shift(["start"]).with(0);
    let ended = world.shift(["run"]).with(3);
    assert!(
        ended.took.as_secs() < 30,
        "a bad candidate was there for {:?}",
        ended.took
    );
    world.assert_all_on_stable();
    let report = crowd.go_home();
    assert_eq!(report["transport_errors"], 0, "{report}");
    // Nobody but the dial made an error: no answer without a version.
    assert!(report["versions"]["none"].is_null(), "{report}");
    assert_eq!(report["versions"]["blue"]["errors"], 0, "{report}");
    replay(&world);
}
