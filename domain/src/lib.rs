//! The decisions of rollgate.
//!
//! What goes in are values, what comes out are values: no I/O, no clock, no environment, no traits to fake.

pub mod analysis;
pub mod decision;
pub mod exit;
pub mod notice;
pub mod rollout;
pub mod weight;
