//! `phase-2-canary.yml`, from the button to the artifact.

use std::time::Duration;

use rollgate_domain::rollout::{event::Event, record::State};

use super::{CANARY, TO_SLACK, slack, title};
use crate::support::{
    http::Reply,
    servers::until,
    team::Team,
    world::{World, shop::Crowd},
};

/// Without a successor the token is never used.
const TOKEN: [&str; 2] = ["--secret", "GITHUB_TOKEN=unused"];

fn team(more: &str) -> Option<Team> {
    let team = Team::with(World::simulated()?, more)?;
    team.buttons.give(&TOKEN);
    Some(team)
}

#[test]
fn a_healthy_candidate_of_a_real_service_passes() {
    let Some(mut world) = World::real() else { return };
    // Enough users of the candidate for a proof within seconds.
    world.plan.steps = vec![(40, "1s"), (60, "1s")];
    let Some(team) = Team::with(world, TO_SLACK) else {
        return;
    };
    team.buttons.give(&TOKEN);
    let (slack, flags) = slack(Reply::ok("ok"));
    team.buttons.give(&flags.each_ref().map(String::as_str));
    let crowd = Crowd::ask(&team.world.haproxy[0].front, 800, 1000, &team.world.path("."));

    let run = team.buttons.run(CANARY, &[("candidate", "green")]).well();

    assert_eq!(team.world.record().state, State::Passed);
    assert_eq!(team.world.share(), Some(0));
    let rollout = team.world.record().rollout;
    for (name, value) in [
        ("outcome", "done"),
        ("weight", "0"),
        ("phase", "canary"),
        ("continue", "false"),
        ("rollout_id", &rollout),
    ] {
        assert_eq!(run.output(name).as_deref(), Some(value), "{name}");
    }
    let kept = team.buttons.artifact("canary", run.id);
    assert_eq!(kept.name, format!("rollgate-{rollout}-canary-{}-a1", run.id));
    let raises = kept
        .events()
        .iter()
        .filter(|line| matches!(line.event, Event::Raised { .. }))
        .count();
    assert_eq!(raises, 2, "{}", kept.story());
    assert!(kept.text("samples.jsonl").lines().count() >= 5);
    assert!(kept.text("verdict.json").contains("\"healthy\""));
    assert!(kept.text("rollgate.log").contains("raised from 40 %"));
    // The page, as the run's summary shows it.
    run.saying(&format!("Summary - ## {rollout}"))
        .saying("canary passed, was at 60 %");
    assert!(
        slack.seen().is_empty(),
        "nothing critical has happened: {:?}",
        slack.seen()
    );
    let report = crowd.go_home();
    assert_eq!(report["transport_errors"], 0, "{report}");
}

#[test]
fn a_bad_candidate_is_taken_back_and_slack_hears_of_it_once() {
    let Some(team) = team(TO_SLACK) else { return };
    let (slack, flags) = slack(Reply::ok("ok"));
    team.buttons.give(&flags.each_ref().map(String::as_str));
    team.world.meter().candidate_fails(0.02);

    let run = team
        .buttons
        .run(CANARY, &[("candidate", "green"), ("candidate-version", "v2")])
        .with(3);

    team.world.assert_all_on_stable();
    let record = team.world.record();
    assert!(
        matches!(record.state, State::RolledBack { .. }),
        "{:?}",
        record.state
    );
    assert_eq!(record.candidate.version, "v2");
    assert_eq!(run.output("outcome").as_deref(), Some("refused"));
    assert_eq!(run.output("weight").as_deref(), Some("0"));
    assert_eq!(run.output("rollout_id"), Some(record.rollout.clone()));
    let kept = team.buttons.artifact("canary", run.id);
    let back = kept.events().into_iter().find_map(|line| match line.event {
        Event::RolledBack { reason, .. } => Some(reason),
        _ => None,
    });
    assert!(
        back.expect("a rollback")
            .starts_with("ROLLBACK - errors. Candidate "),
        "{}",
        kept.story()
    );
    assert!(kept.text("verdict.json").contains("\"rollback\""));

    let told: Vec<_> = slack.seen().iter().map(title).collect();
    assert_eq!(
        told,
        [format!(
            ":rotating_light: {}: ROLLED BACK, candidate from 1 % to 0 %",
            record.rollout
        )]
    );
    let message = &slack.seen()[0].body;
    let link = format!(
        "<https://github.com/acme/shop/actions/runs/{}|open the run>",
        run.id
    );
    assert!(
        message.contains("ROLLBACK - errors. Candidate ") && message.contains(&link),
        "{message}"
    );
    run.saying(&format!("Summary - ## {}", record.rollout));
}

#[test]
fn a_slack_that_refuses_is_reported_and_stops_nothing() {
    a_broken_slack(
        Reply::status(500, "rollup_error"),
        "Slack answered 500 Internal Server Error (rollup_error)",
    );
}

#[test]
fn a_slack_that_hangs_is_reported_and_stops_nothing() {
    a_broken_slack(Reply::Hang, "post to the Slack webhook");
}

fn a_broken_slack(reply: Reply, said: &str) {
    // All news go to Slack, so that its trouble begins before the first step.
    let all = "notify: { critical: [slack], warning: [slack], info: [slack] }\n";
    let Some(team) = team(all) else { return };
    let (slack, flags) = slack(reply);
    team.buttons.give(&flags.each_ref().map(String::as_str));
    team.world.meter().candidate_fails(0.02);

    let run = team.buttons.press(CANARY, &[]);
    until("Slack is told of the share", Duration::from_secs(60), || {
        (slack.seen().len() >= 2).then_some(())
    });
    let run = team.buttons.wait(run).with(3);

    team.world.assert_all_on_stable();
    let kept = team.buttons.artifact("canary", run.id);
    let events = kept.events();
    let at = |wanted: fn(&Event) -> bool| {
        let line = events.iter().find(|line| wanted(&line.event));
        line.unwrap_or_else(|| panic!("{}", kept.story())).at
    };
    let raised = at(|event| matches!(event, Event::Raised { .. }));
    let back = at(|event| matches!(event, Event::RolledBack { .. }));
    assert!(
        back.duration_since(raised).as_secs() < 5,
        "nobody waits for a chat: {}",
        kept.story()
    );
    let not_told = events.iter().any(|line| match &line.event {
        Event::NotTold { channel, error } => channel == "slack" && error.contains(said),
        _ => false,
    });
    assert!(not_told, "{}", kept.story());
    // The webhook's address is its password.
    assert!(!kept.text("events.jsonl").contains("services/T0"));
}

#[test]
fn a_plan_that_is_wrong_is_refused_in_the_job_and_touches_nothing() {
    let Some(team) = team("nonsense: true\n") else {
        return;
    };
    let before = team.world.value(0);

    let run = team.buttons.run(CANARY, &[]).with(2);

    assert_eq!(team.world.value(0), before);
    run.saying("::error::")
        .saying("nonsense")
        .saying("Success - Main Write the run's page");
}

#[test]
fn a_second_start_is_refused_and_leaves_the_first_driver_alone() {
    let Some(mut world) = World::simulated() else {
        return;
    };
    world.plan.steps = vec![(1, "1h")];
    let Some(team) = Team::with(world, "") else { return };
    team.buttons.give(&TOKEN);
    let first = team.buttons.press(CANARY, &[]);
    team.until_share(1);
    let before = team.world.record();

    team.buttons
        .run(CANARY, &[])
        .with(3)
        .saying("refused: rollout")
        .saying("is holding step 1");

    let now = team.world.record();
    assert_eq!(
        (now.generation, now.driver.run),
        (before.generation, before.driver.run)
    );
    assert!(team.buttons.is_running(first));
    assert_eq!(team.world.share(), Some(1));
}
