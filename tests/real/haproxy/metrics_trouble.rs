//! A metric source that breaks in the middle: nothing rises, it is said, and nobody stays unwatched.

use std::{thread, time::Duration};

use rollgate_domain::rollout::{event::Event, record::State};

use crate::support::{
    servers::until,
    world::{World, meter::Page},
};

/// The driver of a canary at 5 % whose step is over soon.
fn world(blind: &'static str) -> Option<World> {
    let mut world = World::simulated()?;
    world.plan.require = "no-harm";
    world.plan.steps = vec![(5, "1s"), (10, "1h")];
    world.plan.blind = blind;
    Some(world)
}

/// The page breaks while the candidate has 5 %: no rise, said with `part`, and after `blind` paused at 0.
#[track_caller]
fn blind_driver_pauses(break_it: impl FnOnce(&mut World), part: &str) {
    // A page that hangs is given two seconds.
    let Some(mut world) = world("3s") else { return };
    let driver = world.held_at(5);
    break_it(&mut world);
    let ended = driver
        .end()
        .with(4)
        .saying("nothing has been seen of the candidate since")
        .saying(part);
    world.assert_all_on_stable();
    assert!(
        matches!(world.record().state, State::Paused { step: 0, .. }),
        "{}",
        ended.stderr
    );
    let raised = world
        .events()
        .iter()
        .filter(|line| matches!(line.event, Event::Raised { .. }))
        .count();
    assert_eq!(raised, 1, "{}", ended.stderr);
}

#[test]
fn a_page_for_people_instead_of_metrics_holds_and_then_pauses() {
    blind_driver_pauses(
        |world| world.meter().page_is(Page::Html),
        "it is a web page, not a page of metrics",
    );
}

#[test]
fn an_empty_page_holds_and_then_pauses() {
    blind_driver_pauses(|world| world.meter().page_is(Page::Empty), "the page is empty");
}

#[test]
fn a_page_of_nan_holds_and_then_pauses() {
    blind_driver_pauses(|world| world.meter().page_is(Page::Nan), "http_requests_total");
}

#[test]
fn a_page_that_hangs_holds_and_then_pauses() {
    blind_driver_pauses(|world| world.meter().page_is(Page::Hangs), "no answer");
}

#[test]
fn a_page_that_hangs_up_holds_and_then_pauses() {
    blind_driver_pauses(|world| world.meter().page_is(Page::Closes), "scrape http://");
}

#[test]
fn a_page_that_is_gone_holds_and_then_pauses() {
    blind_driver_pauses(|world| drop(world.meter.take()), "Connection refused");
}

#[test]
fn a_page_that_comes_back_in_time_lets_the_rollout_go_on() {
    let Some(world) = world("1m") else { return };
    let driver = world.held_at(5);
    world.meter().page_is(Page::Html);
    driver.until_it_says("it is a web page");
    thread::sleep(Duration::from_millis(1500));
    assert_eq!(world.share(), Some(5));
    world.meter().page_is(Page::Well);
    until("the share rises", Duration::from_secs(20), || {
        (world.share() == Some(10)).then_some(())
    });
    assert!(!driver.stderr().contains("paused"), "{}", driver.stderr());
}

#[test]
fn a_rollout_does_not_begin_without_metrics_and_does_not_rise_either() {
    let Some(world) = world("1m") else { return };
    let before = world.value(0);
    world.meter().page_is(Page::Html);
    world
        .shift(["start"])
        .with(1)
        .saying("it is a web page, not a page of metrics");
    assert_eq!(world.value(0), before);
    assert!(!world.out().exists());

    world.meter().page_is(Page::Well);
    world.shift(["start"]).with(0);
    world.meter().page_is(Page::Empty);
    let driver = world.begin(["run"]);
    driver.until_it_says("the page is empty");
    thread::sleep(Duration::from_millis(500));
    assert_eq!(world.share(), Some(0));
}
