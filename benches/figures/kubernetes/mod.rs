//! Figures on a real API server: a rollback, and what the rest of a namespace costs.

mod calls;
mod gateway;
mod neighbours;
mod relay;
mod rollback;
pub(crate) mod stage;

pub(crate) use neighbours::measure as measure_neighbours;
pub(crate) use rollback::measure as measure_rollback;
