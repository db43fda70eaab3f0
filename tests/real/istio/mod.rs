//! A rollout on a VirtualService in a real API server, driven by the real tools. Pods are simulated, and no proxy
//! carries requests: Istio takes what the API server has.

mod bad_input;
mod outages;
mod rollout;
mod world;
