//! The judge on simulated rollouts of 48 h, beside the rules that people use today; `scripts/bench judgement` runs it.
//!
//! In: nothing, `--many` for 14,400 healthy rollouts that nobody else watches, or `--speed` for the last table alone.
//! Out: the tables of docs/judgement.md. Seeded: the same rollouts and the same tables each time, but for the times that
//! the judge itself takes.

mod contest;
mod equal;
#[path = "../machine.rs"]
mod machine;
mod rivals;
mod rollgate;
mod speed;
mod table;
mod weather;

use std::process::ExitCode;

use contest::Played;
use weather::{Fault, Scenario, TWO_DAYS, Weather};

/// The candidate's requests a second; the first is the one that faults are found at.
const TRAFFIC: [f64; 3] = [10.0, 1.0, 0.1];

/// Of each kind.
const ROLLOUTS: usize = 100;

/// Of each kind, where rollgate watches alone.
const MANY: usize = 600;

#[expect(clippy::print_stdout, reason = "the table is the result")]
fn main() -> ExitCode {
    if std::env::args().any(|word| word == "--speed") {
        println!("{}\n", machine::line());
        return end(table::speed(&speed::measure()));
    }
    println!("{}\n", machine::line());
    let scenario = |weather, fault, per_second| Scenario {
        weather,
        fault,
        per_second,
        looks: TWO_DAYS,
    };
    if std::env::args().any(|word| word == "--many") {
        let all: Vec<_> = Weather::ALL
            .into_iter()
            .flat_map(|weather| TRAFFIC.map(|rate| scenario(weather, None, rate)))
            .collect();
        let played = contest::play_all(&all, MANY, &[]);
        let played: Vec<&[Played]> = played.iter().map(Vec::as_slice).collect();
        let by_weather: Vec<_> = played.chunks(TRAFFIC.len()).map(<[_]>::to_vec).collect();
        table::alone(&TRAFFIC, &by_weather);
        return ExitCode::SUCCESS;
    }
    let rollouts = ROLLOUTS;
    let all = equal::entrants();
    let documented = &all[..rivals::Rule::ALL.len()];
    let busy: Vec<_> = Weather::ALL
        .map(|weather| scenario(weather, None, TRAFFIC[0]))
        .to_vec();
    let quiet: Vec<_> = TRAFFIC[1..]
        .iter()
        .flat_map(|rate| Weather::ALL.map(|weather| scenario(weather, None, *rate)))
        .collect();
    let bad: Vec<_> = Fault::ALL
        .map(|fault| scenario(Weather::Calm, Some(fault), TRAFFIC[0]))
        .to_vec();
    // Ten times as many in calm weather: a limit that is fitted to a hundred rollouts is fitted to their luck.
    let calm = contest::play_all(&busy[..1], 10 * rollouts, &all);
    let busy = contest::play_all(&busy, rollouts, &all);
    let quiet = contest::play_all(&quiet, rollouts, documented);
    let bad = contest::play_all(&bad, rollouts, &all);

    let healthy: Vec<Vec<&[Played]>> = (0..Weather::ALL.len())
        .map(|weather| {
            let quiet = quiet.chunks(Weather::ALL.len());
            let others = quiet.map(|each| each[weather].as_slice());
            std::iter::once(busy[weather].as_slice()).chain(others).collect()
        })
        .collect();
    table::healthy(&TRAFFIC, &healthy);
    let bad: Vec<&[Played]> = bad.iter().map(Vec::as_slice).collect();
    table::faults(&bad);
    let busy: Vec<&[Played]> = busy.iter().map(Vec::as_slice).collect();
    table::at_equal_false_alarms(
        &format!("of {} in all of this weather", busy.len() * rollouts),
        &equal::tune(&all, &busy),
        &bad,
    );
    table::at_equal_false_alarms(
        &format!("of {} in calm weather", 10 * rollouts),
        &equal::tune(&all, &[calm[0].as_slice()]),
        &bad,
    );
    end(table::speed(&speed::measure()))
}

#[expect(clippy::print_stdout, reason = "the table is the result")]
fn end(kept: bool) -> ExitCode {
    if kept {
        return ExitCode::SUCCESS;
    }
    println!("A figure misses its goal.");
    ExitCode::FAILURE
}
