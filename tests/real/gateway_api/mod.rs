//! A rollout on a HTTPRoute of the Gateway API, driven by the real tools.

mod bad_input;
mod evidence;
mod grants;
mod network;
mod old_crds;
mod outages;
mod rollout;
mod traffic;
mod world;
