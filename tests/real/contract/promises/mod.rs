//! The promises, by what they are about.

pub(super) mod fencing;
pub(super) mod hands;
pub(super) mod reading;
pub(super) mod rollouts;
mod story;
