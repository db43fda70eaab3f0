//! A rollout behind a real HAProxy, driven by the real tools.

mod bad_input;
mod decisions;
mod drivers;
mod main_job;
mod metrics_trouble;
mod people;
mod record;
mod roles;
mod signals;
mod standby;
mod status;
mod traffic;
mod which_level;
mod with_prometheus;
