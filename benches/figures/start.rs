//! How long the binaries take to begin.

use std::time::Duration;

use crate::programs::{bare, wall};
use crate::table::{Goal, Table, Times};

const RUNS: usize = 200;
const GOAL: Goal = Goal::Below(95, Duration::from_millis(10));

const BINARIES: [(&str, &str); 6] = [
    ("shift-traffic", env!("CARGO_BIN_EXE_shift-traffic")),
    ("verify-health", env!("CARGO_BIN_EXE_verify-health")),
    ("migrate-guard", env!("CARGO_BIN_EXE_migrate-guard")),
    ("backup-db", env!("CARGO_BIN_EXE_backup-db")),
    ("notify", env!("CARGO_BIN_EXE_notify")),
    ("rebuild-env", env!("CARGO_BIN_EXE_rebuild-env")),
];

pub(crate) fn measure(table: &mut Table) {
    let (mut baseline, mut times) = (Vec::new(), BINARIES.map(|_| Vec::new()));
    // In turns, so that a noisy minute hits all.
    for _ in 0..RUNS {
        baseline.push(wall(&mut bare("/bin/true")));
        for ((_, path), times) in BINARIES.iter().zip(&mut times) {
            times.push(wall(bare(path).arg("--version")));
        }
    }
    let baseline: Times = baseline.into_iter().collect();
    table.baseline("`/bin/true`", &baseline);
    for ((name, _), times) in BINARIES.iter().zip(times) {
        let times = times.into_iter().collect();
        table.promise(&format!("`{name} --version`"), &times, &[GOAL], &baseline);
    }
}
