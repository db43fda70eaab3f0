//! The GitHub run that we live in, if we do.

mod client;
pub mod dispatch;
pub mod outputs;
pub mod run;
pub mod teams;
