//! `watch`: look after look, until the verdict is bad or the time is over.

use jiff::SignedDuration;
use rollgate_domain::exit::Outcome;

use std::io::IsTerminal as _;

use super::{live, outcome, show, subject::Subject};
use crate::{
    commands::{
        CLEAR, print,
        shared::{Format, PlanFlag, span},
    },
    providers::clock::Clock,
};

/// Judge after every look, until the verdict is bad or the time is over; changes nothing
///
/// On a terminal one screen that is drawn anew, with the evidence of each test; elsewhere a sentence a line.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  verify-health watch --for 10m --output json")]
pub(crate) struct Args {
    /// How long to watch
    #[arg(long = "for", value_name = "SPAN", value_parser = span)]
    duration: SignedDuration,
    #[command(flatten)]
    subject: Subject,
    /// Text for people or JSON for programs: one verdict a line
    #[arg(long, value_enum, default_value_t)]
    output: Format,
}

pub(crate) async fn run(plan: &PlanFlag, args: &Args) -> anyhow::Result<Outcome> {
    let plan = plan.read()?;
    let Args {
        duration,
        subject,
        output,
    } = args;
    let record = subject.record(&plan).await?;
    let metrics = Subject::metrics(&plan, &record)?;
    let clock = Clock::system();
    let end = clock.now().saturating_add(*duration)?;
    let mut watcher = subject.watcher(&plan, &record, metrics.as_ref(), clock.now());
    loop {
        clock.sleep_until(watcher.next_look_at(clock.now())).await;
        let verdict = watcher.look(clock.now()).await;
        // Nobody writes them down here.
        watcher.take_samples(&record, verdict.at);
        if verdict.saw_nothing_yet() {
            continue;
        }
        if *output == Format::Text && std::io::stdout().is_terminal() {
            print(&format!("{CLEAR}{}", live::screen(&verdict)));
        } else {
            show(&verdict, *output)?;
        }
        let outcome = outcome(&verdict);
        if outcome == Outcome::Refused || watcher.next_look_at(clock.now()) > end {
            return Ok(outcome);
        }
    }
}
