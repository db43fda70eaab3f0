//! `completions SHELL`, the same for every binary that has verbs.

use clap::{Args, CommandFactory};
use clap_complete::Shell;
use rollgate_domain::exit::Outcome;

use super::print;

/// Flags of `completions`.
#[derive(Args, Debug)]
pub struct Completions {
    /// The shell to complete for
    shell: Shell,
}

impl Completions {
    /// Prints the script for the binary whose arguments are `A`.
    #[must_use]
    pub fn run<A: CommandFactory>(&self) -> Outcome {
        let mut command = A::command();
        let name = command.get_name().to_owned();
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command, name, &mut script);
        print(&String::from_utf8_lossy(&script));
        Outcome::Done
    }
}
