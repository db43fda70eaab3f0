//! rollgate ships a new version of a web service step by step and takes it back by itself when it is bad.
//!
//! ```text
//! bins ─▶ commands ─▶ operations ─▶ providers, github, journal ─▶ domain
//! ```
//!
//! ARCHITECTURE.md is the map.

pub mod commands;
pub mod error;
pub mod export;
pub mod github;
pub mod journal;
pub mod operations;
pub mod plan;
pub mod providers;
