//! Whatever dies, hangs, is late or works against it: the next run ends as if nothing had happened.

mod at_once;
mod crashes;
mod place;
