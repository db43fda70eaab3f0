//! The figures that rollgate promises, measured on real parts; `scripts/bench` runs it.
//!
//! Machines are noisy and differ, so each figure stands beside a baseline of the same run: what the same
//! work costs without rollgate, in the simplest way that a shell has.

mod kubernetes;
mod look;
#[path = "../machine.rs"]
mod machine;
mod memory;
mod metrics_server;
mod programs;
mod rollback;
mod rollout;
mod router;
mod start;
#[expect(dead_code, unused_imports, reason = "the tests use the rest")]
#[path = "../../tests/support/mod.rs"]
mod support;
mod table;
mod two_days;
mod users;

use table::Table;

/// In the order in which they are measured.
const PARTS: [&str; 8] = [
    "start",
    "rollback",
    "look",
    "memory",
    "two-days",
    "kubernetes",
    "users",
    "neighbours",
];

#[expect(clippy::print_stdout, reason = "the table is the result")]
#[expect(clippy::print_stderr, reason = "so that is no part of the table")]
fn main() {
    // cargo adds flags of its own.
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'))
        .collect();
    if let Some(unknown) = wanted.iter().find(|word| !PARTS.contains(&word.as_str())) {
        eprintln!("{unknown} is no part; there are {}", PARTS.join(", "));
        std::process::exit(2);
    }
    let wants = |part: &str| wanted.is_empty() || wanted.iter().any(|word| word == part);

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    println!("{}\n", machine::line());
    let mut table = Table::begin();
    if wants("start") {
        start::measure(&mut table);
    }
    if wants("rollback") {
        runtime.block_on(rollback::measure(&mut table));
    }
    if wants("look") || wants("memory") {
        let history = look::History::begin();
        if wants("look") {
            look::measure(&mut table, &history);
        }
        if wants("memory") {
            runtime.block_on(memory::measure(&mut table, &history));
        }
    }
    if wants("two-days") {
        runtime.block_on(two_days::measure(&mut table));
    }
    if wants("kubernetes") {
        runtime.block_on(kubernetes::measure_rollback(&mut table));
    }
    if wants("users") {
        users::measure(&runtime, &mut table);
    }
    if wants("neighbours") {
        runtime.block_on(kubernetes::measure_neighbours(&mut table));
    }
    if !table.holds() {
        println!("\nA figure misses its goal.");
        std::process::exit(1);
    }
}
