//! What tests stand on: fakes that remember on 127.0.0.1, and real servers of their own.

pub(crate) mod binary;
pub(crate) mod course;
pub(crate) mod github;
pub(crate) mod http;
pub(crate) mod kube;
pub(crate) mod nginx;
pub(crate) mod pages;
pub(crate) mod servers;
pub(crate) mod strace;
pub(crate) mod team;
pub(crate) mod tls;
pub(crate) mod tool;
pub(crate) mod world;

pub(crate) use binary::{answer, binary};
pub(crate) use servers::require;
