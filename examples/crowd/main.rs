//! A steady crowd of users in front of a service, and an honest account of what they met.
//!
//! Open loop: requests become due at a fixed rate whether or not earlier ones are answered. What the
//! crowd could not send in time is in the report as `skipped` and `late`, never left out.
//!
//! At the end (time, SIGINT or SIGTERM) the report is written as JSON; report.rs has its form.

mod load;
mod report;
mod tally;
mod users;

use std::cell::RefCell;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clap::Parser;
use hyper::Uri;
use jiff::{SignedDuration, Timestamp};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::LocalSet;
use tokio::time::sleep;

use crate::load::Load;
use crate::report::Plan;
use crate::tally::Tally;
use crate::users::Users;

/// Sends requests of many users at a fixed rate and reports what each version answered
#[derive(Parser)]
#[command(name = "crowd")]
struct Args {
    /// What the users ask for; plain http
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080/")]
    url: Uri,

    /// Requests per second, all users together
    #[arg(long, value_name = "NUMBER", default_value_t = 4000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: u32,

    /// Users 1 to NUMBER, drawn evenly, in the header x-user-id; 0 sends no such header
    #[arg(long, value_name = "NUMBER", default_value_t = 10_000)]
    users: u32,

    /// Connections kept alive, each with one request at a time
    #[arg(long, value_name = "NUMBER", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=4096))]
    connections: u32,

    /// How long; without it until a signal
    #[arg(long = "for", value_name = "DURATION")]
    lasting: Option<SignedDuration>,

    /// Seed of the draw of users
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,

    /// File for the report; without it stdout
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,

    /// Print a line per second to stderr
    #[arg(long)]
    progress: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let Args {
        url,
        rate,
        users,
        connections,
        lasting,
        seed,
        report,
        progress,
    } = Args::parse();
    ensure!(
        users == 0 || users >= 2 * connections,
        "--users {users}: a user waits for the answer before asking again, so {connections} connections need \
         at least {} users (or 0: no users)",
        2 * connections,
    );
    let lasting = match lasting {
        Some(time) => Duration::try_from(time).context("--for")?,
        None => Duration::MAX,
    };

    let plan = Plan {
        url: url.to_string(),
        rate,
        users,
        connections,
        seed,
    };
    let tally = Rc::new(RefCell::new(Tally::new(plan, Timestamp::now(), progress)));
    let load = Load::new(&url, rate, Users::new(users, seed), Rc::clone(&tally)).context("--url")?;
    let ended_by = LocalSet::new()
        .run_until(Rc::new(load).run(connections, stop(lasting)?))
        .await;

    let text = serde_json::to_string(&tally.borrow_mut().report(Timestamp::now(), ended_by))?;
    match report {
        Some(path) => std::fs::write(&path, text + "\n").with_context(|| format!("write {}", path.display())),
        None => writeln!(io::stdout(), "{text}").context("write the report to stdout"),
    }
}

/// Waits for the time to be over or for a signal, and says which it was.
fn stop(lasting: Duration) -> Result<impl Future<Output = &'static str>> {
    // Installed before the first request: a signal must not cost the report.
    let mut interrupt = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    Ok(async move {
        tokio::select! {
            () = sleep(lasting) => "time",
            _ = interrupt.recv() => "SIGINT",
            _ = terminate.recv() => "SIGTERM",
        }
    })
}
