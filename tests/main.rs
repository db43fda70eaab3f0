//! One test binary: the tools as their users and their surroundings meet them.

mod action;
mod architecture;
mod cli;
mod export;
mod judgement;
mod metrics;
mod real;
mod support;
mod workflows;
