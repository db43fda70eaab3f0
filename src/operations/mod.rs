//! Sequences of calls to providers around one decision of the domain. They know no argv and print nothing.

pub mod announce;
pub mod approvers;
pub mod by_hand;
pub mod desk;
pub mod drive;
pub mod look;
pub mod rollback;
pub mod start;
