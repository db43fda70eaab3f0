//! What tests stand on: fakes that remember on 127.0.0.1, and real servers of their own.

pub(crate) mod binary;
pub(crate) mod http;
pub(crate) mod servers;

pub(crate) use binary::{answer, binary};
pub(crate) use servers::require;
