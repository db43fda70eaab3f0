//! Against real servers. A server that is not installed is a test skipped, loudly; in CI it is a failure.

mod assign;
mod beds;
mod contract;
mod evidence;
mod gateway_api;
mod haproxy;
mod health;
mod istio;
mod judgement;
mod kube;
mod native_histogram;
mod nginx;
mod operations;
mod prometheus;
mod reliability;
mod servers;
mod services;
mod stacks;
