//! One test binary: the tools as their users and their surroundings meet them.

mod architecture;
mod cli;
mod action;
mod metrics;
mod real;
mod support;
mod workflows;
