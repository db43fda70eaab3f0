//! What becomes of a person's wish that is written once: it is done, shown, or refused.

use rollgate_domain::rollout::record::Record;

/// What became of a wish.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "made once a run")]
pub enum Answer {
    /// It is on the router.
    Recorded(Record),
    /// A dry run: the exact change.
    WouldWrite(String),
    /// Something stands in the way, in words.
    Refused(String),
}
