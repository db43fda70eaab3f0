//! The outside: one folder per kind, one file per vendor.

pub mod channels;
pub mod clock;
pub mod cluster;
pub mod manifests;
pub mod metrics;
mod process;
pub mod sampling;
pub mod stacks;
pub mod traffic;
