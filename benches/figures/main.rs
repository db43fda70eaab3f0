//! The figures that rollgate promises, measured on real parts; `scripts/bench` runs it.
//!
//! Machines are noisy and differ, so each figure stands beside a baseline of the same run: what the same
//! work costs without rollgate, in the simplest way that a shell has.

mod look;
mod machine;
mod memory;
mod rollback;
mod router;
mod start;
#[expect(dead_code, unused_imports, reason = "the tests use the rest")]
#[path = "../../tests/support/mod.rs"]
mod support;
mod table;

use table::Table;

#[expect(clippy::print_stdout, reason = "the table is the result")]
fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    println!("{}\n", machine::line());
    let mut table = Table::begin();
    start::measure(&mut table);
    runtime.block_on(rollback::measure(&mut table));
    let history = look::measure(&mut table);
    runtime.block_on(memory::measure(&mut table, &history));
    if !table.holds() {
        println!("\nA figure is above its goal.");
        std::process::exit(1);
    }
}
