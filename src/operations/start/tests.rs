//! What a new rollout, or the next phase of one, is refused for.

use rollgate_domain::rollout::moves::Move;

use super::*;
use crate::{
    operations::tests::{
        FakeRouter, FakeStacks, Meter, Office, beginning, by, course, holding, promoted, weight,
    },
    providers::{stacks::Stacks, traffic::Shares},
};

const CANARY: &[u8] = &[1, 5, 10];
const PRODUCTION: &[u8] = &[25, 50, 100];

/// A canary that has passed, between these two.
fn passed() -> Record {
    let canary = Record::start(beginning(course(Phase::Canary, &[1])), None, by());
    let holding = canary.after(Move::Raise, by()).expect("ready");
    holding.after(Move::Pass, by()).expect("at its last step")
}

struct Asked {
    course: Course,
    without_canary: bool,
    stable: &'static str,
}

fn canary() -> Asked {
    Asked {
        course: course(Phase::Canary, CANARY),
        without_canary: false,
        stable: "blue",
    }
}

fn production(without_canary: bool) -> Asked {
    Asked {
        course: course(Phase::Production, PRODUCTION),
        without_canary,
        stable: "blue",
    }
}

async fn asked(router: &FakeRouter, stacks: Option<&FakeStacks>, asked: Asked) -> Answer {
    let behind = Behind {
        stacks: stacks.map(|stacks| stacks as &dyn Stacks),
        scale_up: true,
    };
    let meter = Meter {
        error_rate: 0.001,
        down: false,
    };
    let mut begin = beginning(asked.course);
    begin.stable.images.clear();
    begin.candidate.images.clear();
    if asked.stable == "green" {
        std::mem::swap(&mut begin.stable, &mut begin.candidate);
    }
    let wish = Wish {
        start: begin,
        cluster_size: Some(2.0),
        without_canary: asked.without_canary,
    };
    start(router, &behind, &meter, &mut Office::new().desk, wish, false)
        .await
        .expect("an answer")
}

fn why(answer: Answer) -> String {
    match answer {
        Answer::Refused(why) => why,
        other => panic!("{other:?}"),
    }
}

fn recorded(answer: Answer) -> Record {
    match answer {
        Answer::Recorded(record) => record,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_records_the_images_of_both_and_how_many_pods_carry_everything() {
    let router = FakeRouter::new(None);
    let stacks = FakeStacks::new(&router.log, 10, 2);
    let record = recorded(asked(&router, Some(&stacks), canary()).await);
    assert_eq!(
        (record.stable.images, record.candidate.images),
        (vec!["shop:blue".to_owned()], vec!["shop:green".to_owned()])
    );
    assert_eq!((record.whole, record.weight), (Some(10), Weight::ZERO));
}

#[tokio::test(start_paused = true)]
async fn a_version_with_nothing_ready_is_refused_with_its_trouble() {
    for (blue, green, expected) in [
        (
            0,
            2,
            "blue has nothing ready: a rollback would have nowhere to go",
        ),
        (10, 0, "green has nothing ready: deploy the candidate first"),
    ] {
        let router = FakeRouter::new(None);
        let stacks = FakeStacks::new(&router.log, blue, green);
        assert_eq!(why(asked(&router, Some(&stacks), canary()).await), expected);
    }
    let router = FakeRouter::new(None);
    let stacks = FakeStacks::new(&router.log, 10, 2);
    stacks.change("green", |stack| {
        stack.ready = 0;
        stack.trouble = Some("image cannot be pulled".to_owned());
    });
    assert_eq!(
        why(asked(&router, Some(&stacks), canary()).await),
        "green has nothing ready (image cannot be pulled): wait until its pods are ready, or mend it"
    );
}

#[tokio::test(start_paused = true)]
async fn deploying_onto_a_backend_with_traffic_is_refused() {
    let router = FakeRouter::new(None);
    *router.by_hand.lock().expect("no panic") = Some(weight(30));
    let seen = router.read().await.expect("a look");
    let free = Seen { drift: None, ..seen };
    let said = |backend| occupied(&free, backend).expect("readable").expect("refused");
    assert_eq!(
        said("green"),
        "green has 30 % already: set it to 0 first (shift-traffic rollback)"
    );
    assert_eq!(
        said("blue"),
        "blue has 70 % already: set it to 0 first (shift-traffic rollback)"
    );
    let router = FakeRouter::new(None);
    let backwards = Asked {
        stable: "green",
        ..canary()
    };
    let refused = why(asked(&router, None, backwards).await);
    assert_eq!(
        refused,
        "blue has all the traffic: it is stable, the other one is free (--stable blue)"
    );
}

#[tokio::test(start_paused = true)]
async fn a_rollout_that_is_on_or_promoted_must_be_ended_first() {
    for (record, expected) in [
        (
            holding(25),
            "drive it with shift-traffic run, or end it with shift-traffic rollback",
        ),
        (
            promoted(),
            "end it with shift-traffic finish, or take it back with shift-traffic rollback",
        ),
    ] {
        let router = FakeRouter::new(Some(record));
        let refused = why(asked(&router, None, canary()).await);
        assert!(refused.contains(expected), "{refused}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_step_that_the_router_cannot_give_is_refused_before_anything_is_written() {
    let mut router = FakeRouter::new(None);
    router.shares = Shares::Only {
        these: vec![weight(0), weight(100)],
        because: "a selector is all or nothing".to_owned(),
    };
    assert_eq!(
        why(asked(&router, None, canary()).await),
        "1 % cannot be given here: a selector is all or nothing"
    );
    let all = Asked {
        course: course(Phase::Production, &[100]),
        without_canary: true,
        stable: "blue",
    };
    assert_eq!(recorded(asked(&router, None, all).await).phase, Phase::Production);
}

#[tokio::test(start_paused = true)]
async fn production_goes_on_from_the_canary_that_has_passed() {
    let router = FakeRouter::new(Some(passed()));
    let stacks = FakeStacks::new(&router.log, 12, 2);
    let record = recorded(asked(&router, Some(&stacks), production(false)).await);
    assert_eq!(record.rollout, passed().rollout);
    assert_eq!(
        (record.phase, record.generation),
        (Phase::Production, passed().generation + 1)
    );
    assert_eq!((record.state, record.whole), (State::Ready { step: 0 }, Some(12)));
    // Measured once a rollout, and looked at anew.
    assert_eq!(
        (record.evidence.cluster_size, record.evidence.warm_since),
        (1.0, None)
    );
}

#[tokio::test(start_paused = true)]
async fn production_without_its_canary_is_refused_with_both_ways_out() {
    let ways = "run a canary first (shift-traffic start), or go without one (--without-canary)";
    let rolled_back = holding(5)
        .after(Move::RollBack("r".to_owned()), by())
        .expect("always");
    let mut other_plan = passed();
    other_plan.pin.hash = "another".to_owned();
    let mut other_image = passed();
    other_image.candidate.images = vec!["shop:second".to_owned()];
    for (record, because) in [
        (None, "none is recorded"),
        (Some(rolled_back), "is rolled back: r"),
        (Some(other_plan), "the plan was changed since"),
        (
            Some(other_image),
            "green was redeployed since: it ran shop:second, now shop:green",
        ),
    ] {
        let router = FakeRouter::new(record);
        let stacks = FakeStacks::new(&router.log, 10, 2);
        let refused = why(asked(&router, Some(&stacks), production(false)).await);
        assert!(refused.contains(because) && refused.contains(ways), "{refused}");
        assert!(router.log().is_empty());
    }
    let router = FakeRouter::new(None);
    let record = recorded(asked(&router, None, production(true)).await);
    assert_eq!((record.phase, record.weight), (Phase::Production, Weight::ZERO));
}

#[tokio::test(start_paused = true)]
async fn roles_follow_from_the_rollout_before() {
    let backends = ["blue".to_owned(), "green".to_owned()];
    let finished = promoted().after(Move::Finish, by()).expect("promoted");
    let mine = |stable: &str, candidate: &str| (stable.to_owned(), candidate.to_owned());
    for (record, given, expected) in [
        (None, (None, None), mine("blue", "green")),
        (Some(finished.clone()), (None, None), mine("green", "blue")),
        (Some(holding(5)), (None, None), mine("blue", "green")),
        (
            Some(finished.clone()),
            (Some("blue"), None),
            mine("blue", "green"),
        ),
        (Some(finished), (None, Some("blue")), mine("green", "blue")),
    ] {
        let seen = FakeRouter::new(record).read().await.expect("a look");
        let (stable, candidate) = given;
        let roles = roles(
            &seen,
            &backends,
            stable.map(str::to_owned),
            candidate.map(str::to_owned),
        );
        assert_eq!(roles, expected);
    }
}
