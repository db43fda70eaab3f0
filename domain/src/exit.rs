//! How a run ended, for all binaries: the exit codes are API.

/// How a run ended, when it ended as designed.
///
/// A rollback is an answer, not an error: errors exit with 1, bad arguments and invalid plans with 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Everything asked for was done and nothing speaks against it.
    Done = 0,
    /// A gate said no, or the verdict was bad and the candidate was taken back.
    Refused = 3,
    /// The evidence says neither yes nor no, or the rollout is paused.
    Hold = 4,
    /// Rolling back fails too: a person must come.
    Stuck = 5,
    /// A newer driver or a rollback owns the rollout.
    Fenced = 6,
}

impl Outcome {
    /// Every outcome with its meaning, in the words of the README's table.
    pub const ALL: [(Self, &'static str); 5] = [
        (Self::Done, "done, nothing against it"),
        (Self::Refused, "refused, or judged bad and rolled back"),
        (Self::Hold, "hold: neither yes nor no, or paused"),
        (Self::Stuck, "stuck: rolling back fails too, a person must come"),
        (
            Self::Fenced,
            "fenced: a newer driver or a rollback owns the rollout",
        ),
    ];

    /// The process exit code, 0 to 6.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// One lower-case word for the step output `outcome`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Hold => "hold",
            Self::Stuck => "stuck",
            Self::Fenced => "fenced",
        }
    }
}
