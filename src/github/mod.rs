//! The GitHub run that we live in, if we do.

pub mod dispatch;
pub mod outputs;
pub mod run;
