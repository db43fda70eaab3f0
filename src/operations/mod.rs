//! Sequences of calls to providers around one decision of the domain. They know no argv and print nothing.

pub mod announce;
pub mod answer;
pub mod approvers;
pub mod by_hand;
pub mod capacity;
pub mod collect;
pub mod desk;
pub mod drive;
pub mod finish;
pub mod history;
pub mod look;
pub mod rollback;
pub mod standby;
pub mod standing;
pub mod start;

#[cfg(test)]
mod tests;
