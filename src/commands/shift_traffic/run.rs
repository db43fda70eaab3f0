//! `run`: drives the rollout that the router holds.

use jiff::SignedDuration;
use rollgate_domain::{
    exit::Outcome,
    rollout::{moves::Move, next::Patience, record::State},
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

use crate::{
    commands::{
        connect::{outside, sampler},
        judging::judge_settings,
        metering::metric_source,
        print, say,
        shared::{OutFlag, PlanFlag, blank, desk, pin, run_outputs, span, step_outputs},
        variable,
    },
    github::{dispatch::Dispatcher, run::Run},
    operations::{
        drive::{self, Ended, Orders, World},
        look::Watcher,
        rollback::{RolledBack, afterwards::Afterwards},
        standby::{Stood, stand_by},
    },
};

/// Drive the rollout that the router holds: raise, judge, advance, take back
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  shift-traffic run                        until the phase ends, or the plan's budget
  shift-traffic run --budget 30m           half an hour; then the share is 0 and the rollout paused
  shift-traffic run --standby              beside another driver, to take over when it dies
  shift-traffic run --dispatch             in a GitHub job: call the next job when the budget ends")]
pub(crate) struct Args {
    /// How long this run drives; default: the plan's driver.budget
    #[arg(long, value_name = "SPAN", env = "ROLLGATE_BUDGET", value_parser = span)]
    budget: Option<SignedDuration>,
    /// Dispatch the workflow of this GitHub run again when the budget ends, and leave when that run drives
    #[arg(long, env = "ROLLGATE_DISPATCH")]
    dispatch: bool,
    /// Drive this rollout and no other, unless a person has paused it; default: whichever the router holds
    #[arg(long, value_name = "ID", env = "ROLLGATE_ROLLOUT")]
    rollout: Option<String>,
    /// Stand by while another driver drives: take over within a minute of its last sign, leave when the rollout is over
    #[arg(long, env = "ROLLGATE_STANDBY")]
    standby: bool,
    /// Print what the first write would be and touch nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    out: OutFlag,
}

/// For a driver that was called before a person has paused.
const PAUSED: &str = "a person has paused it: shift-traffic resume, or run without --rollout, goes on";

pub(crate) async fn run(plan: &PlanFlag, args: Args) -> anyhow::Result<Outcome> {
    // From here on, whoever asks this process to leave is heard.
    let mut interrupt = interrupts()?;
    let plan = plan.read()?;
    let Args {
        budget,
        dispatch,
        rollout,
        standby,
        dry_run,
        out,
    } = args;
    let budget = budget.unwrap_or(plan.driver.budget);
    let github = Run::from_variables(variable);
    let dispatcher = match (dispatch, &github) {
        (true, Some(run)) => Some(Dispatcher::new(run)?),
        (true, None) => {
            return Err(crate::error::Usage("--dispatch works in a GitHub job only".to_owned()).into());
        }
        (false, _) => None,
    };
    let outside = outside(&plan).await?;
    let router = outside.router.as_ref();
    let behind = outside.behind(&plan.rollback);
    let sampler = sampler(&plan)?;
    let afterwards = Afterwards {
        behind,
        sampler: sampler.as_ref(),
        drain: plan.rollback.drain,
        scale_down: false,
    };
    let mut desk = desk(out.out, &plan.notify, github.as_ref());

    let seen = router.read().await?;
    let record = drive::recorded(&seen)?;
    // Whoever says which was called by another run, or was told by a person who has resumed it.
    let continues = standby || rollout.is_some();
    // A successor that comes late must not take over what was begun meanwhile.
    if let Some(wanted) = rollout.filter(|wanted| *wanted != record.rollout) {
        say(&format!(
            "fenced: {wanted} is over, the router holds {}",
            record.rollout
        ));
        step_outputs(Outcome::Fenced, false, None);
        return Ok(Outcome::Fenced);
    }
    if dry_run {
        let (after, outcome) = match drive::over(record, continues) {
            Some(outcome) => (record.clone(), outcome),
            None => (record.after(Move::Take, desk.by())?, Outcome::Done),
        };
        // What is over is written again only where a write of it was cut off.
        if after != *record || seen.torn {
            print(&router.describe(&seen, &[&after]).concat());
        } else {
            say(&format!(
                "{}: {}: there is nothing to drive",
                record.rollout,
                record.state_in_words()
            ));
        }
        return Ok(outcome);
    }
    // Whoever takes the rollout must be able to watch it: all that can go wrong comes first.
    let metrics = metric_source(&plan, &record.stable, &record.candidate)?;
    let mut last_sign = record.driver.heartbeat;
    if standby {
        match stand_by(router, &desk, record.clone(), &mut interrupt).await {
            Stood::In(last) => last_sign = last.driver.heartbeat,
            Stood::Down(last) => {
                say(&format!(
                    "stood by until {} was {}",
                    record.rollout,
                    last.state_in_words()
                ));
                step_outputs(Outcome::Done, false, Some(&last));
                return Ok(Outcome::Done);
            }
            Stood::Asked => {
                say("stood by until it was asked to leave");
                step_outputs(Outcome::Done, false, None);
                return Ok(Outcome::Done);
            }
        }
    }
    let orders = Orders {
        budget,
        patience: Patience {
            blind: plan.driver.blind,
            successor: plan.driver.successor_within,
        },
        pin: pin(&plan, None),
        blank: blank(&plan.service, &plan.traffic)?,
        window: plan.windows.rises.clone(),
        last_sign,
        capacity_within: plan.rollback.capacity_within,
    };
    let record = match drive::take(router, &mut desk, &record.rollout, &orders.blank, continues).await? {
        Ok(record) => record,
        Err(ended) => {
            // A rollback that was cut off behind the router.
            let over = RolledBack {
                outcome: match ended.outcome {
                    Outcome::Refused => Outcome::Done,
                    other => other,
                },
                record: ended.record.clone(),
                unconfirmed: Vec::new(),
            };
            afterwards.put_in_order(router, &mut desk, &over).await;
            desk.close(&ended.record, std::time::Duration::from_secs(10))
                .await;
            if continues && matches!(ended.record.state, State::Paused { by_hand: true, .. }) {
                say(PAUSED);
            }
            return Ok(end(&ended, false));
        }
    };
    let settings = judge_settings(&plan, &record, metrics.has_past());
    let world = World {
        router,
        behind,
        afterwards,
        watcher: Watcher::new(metrics.as_ref(), settings, &record, desk.clock.now()),
        dispatcher: dispatcher.as_ref(),
        interrupt,
    };
    let ended = drive::drive(record, world, &mut desk, &orders).await;
    let passed = ended.outcome == Outcome::Done && ended.record.state == State::Passed;
    Ok(end(&ended, passed))
}

fn end(ended: &Ended, passed: bool) -> Outcome {
    let Ended {
        outcome,
        handed_over,
        record,
    } = ended;
    say(&format!(
        "{}: candidate at {}, {}",
        record.rollout,
        record.weight,
        record.state_in_words()
    ));
    run_outputs(*outcome, *handed_over, passed, Some(record));
    *outcome
}

/// The runner sends SIGINT and 7.5 s later SIGTERM; a shell sends the first, `kill` the second.
pub(super) fn interrupts() -> anyhow::Result<watch::Receiver<Option<&'static str>>> {
    let (sender, receiver) = watch::channel(None);
    for (kind, name) in [
        (SignalKind::interrupt(), "SIGINT"),
        (SignalKind::terminate(), "SIGTERM"),
    ] {
        let mut signals = signal(kind)?;
        let sender = sender.clone();
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                // The first one stays: nothing is left to be asked of a driver that leaves.
                sender.send_if_modified(|asked| {
                    let first = asked.is_none();
                    asked.get_or_insert(name);
                    first
                });
            }
        });
    }
    Ok(receiver)
}
