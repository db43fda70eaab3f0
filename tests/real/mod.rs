//! Against real servers. A server that is not installed is a test skipped, loudly; in CI it is a failure.

mod contract;
mod gateway_api;
mod haproxy;
mod health;
mod kube;
mod prometheus;
mod servers;
mod stacks;
