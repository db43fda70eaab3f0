//! The state of a rollout: what the record says, every legal move, and what comes next.
//!
//! The record lives on the router, written together with the share it belongs to. A driver reads it,
//! asks [`next::next`] what to do, and writes [`record::Record::after`] that move. Nothing here waits,
//! reads a clock or talks to anybody.

pub mod by_hand;
pub mod capacity;
pub mod event;
pub mod ladder;
pub mod moves;
pub mod next;
pub mod phase;
pub mod record;
pub mod standby;
pub mod window;
