//! How long users go on meeting a candidate that is taken back, at three routers, beside what a plain script does.
//!
//! A crowd asks all the time, half of it the candidate's; the time goes from the start of the command to the last
//! answer that the candidate gave. Nobody's request may fail, neither in the rollback nor in what comes before it.

mod connection;
mod crowd;
mod envoy;
mod haproxy;
mod nginx;

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use self::crowd::Crowd;
use crate::programs::wall;
use crate::support::servers::until;
use crate::table::{Table, Times};

const RUNS: usize = 30;

/// The candidate has hundreds of users a second until it has none: after so long without one nobody comes.
const SILENCE: Duration = Duration::from_millis(400);

/// The share before.
const HALF: u8 = 50;

pub(crate) fn measure(runtime: &Runtime, table: &mut Table) {
    envoy::measure(runtime, table);
    haproxy::measure(table);
    nginx::measure(runtime, table);
}

/// A router with its candidate at [`HALF`] as often as it is wanted.
trait Stage {
    fn hold(&self);
    /// `shift-traffic rollback`.
    fn rollback(&self) -> Command;
    /// The same in the plainest way.
    fn script(&self) -> Command;
}

/// `words`: the two commands, for the table.
fn compare(stage: &dyn Stage, crowd: Crowd, words: [&str; 2], table: &mut Table) {
    let (mut scripted, mut rolled_back) = (Vec::new(), Vec::new());
    // In turns, so that a noisy minute hits both.
    for _ in 0..RUNS {
        scripted.push(taken_back(stage, &crowd, stage.script()));
        rolled_back.push(taken_back(stage, &crowd, stage.rollback()));
    }
    let asked = crowd.go_home();
    let [script, rollback] = words;
    let scripted: Times = scripted.into_iter().collect();
    table.baseline(&format!("{script}, until the candidate's last answer"), &scripted);
    let what = format!("{rollback}, until the candidate's last answer ({asked} requests, none failed)");
    table.figure(&what, &rolled_back.into_iter().collect(), &scripted);
}

/// From the start of `command` to the candidate's last answer.
fn taken_back(stage: &dyn Stage, crowd: &Crowd, mut command: Command) -> Duration {
    stage.hold();
    let before = crowd.met_candidate();
    until("users meet the candidate", Duration::from_secs(20), || {
        (crowd.met_candidate() > before + 40).then_some(())
    });
    let began = Instant::now();
    wall(
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null()),
    );
    until("nobody meets the candidate", Duration::from_secs(20), || {
        let last = crowd.last_candidate().max(began);
        (last.elapsed() >= SILENCE).then_some(last.duration_since(began))
    })
}
