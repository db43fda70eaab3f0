//! HAProxy with the configuration of the examples.

use std::process::Command;

use super::{HALF, compare, crowd::Crowd};
use crate::programs::{bare, program};
use crate::support::world::{World, entry};
use crate::table::Table;

const SCRIPT: &str = r#"echo "set map $MAP web 0|" | "$SOCAT" - "UNIX-CONNECT:$SOCKET""#;

struct Haproxy {
    world: World,
    /// With the candidate at [`HALF`].
    entry: String,
}

impl super::Stage for Haproxy {
    fn hold(&self) {
        self.world.put(&self.entry);
    }

    fn rollback(&self) -> Command {
        self.world.command(["rollback", "--reason", "bench"])
    }

    fn script(&self) -> Command {
        let mut command = bare("bash");
        command
            .args(["-c", SCRIPT])
            .env("MAP", self.world.map())
            .env("SOCKET", &self.world.haproxy[0].socket)
            .env("SOCAT", program("socat"));
        command
    }
}

pub(super) fn measure(table: &mut Table) {
    let mut world = World::real().expect("HAProxy");
    world.plan.steps = vec![(HALF, "1h")];
    world.plan.require = "no-harm";
    let record = world.abandoned_at(0);
    let crowd = Crowd::ask(&world.haproxy[0].front, "shop");
    let stage = Haproxy {
        entry: entry(&record),
        world,
    };
    compare(
        &stage,
        crowd,
        [
            "HAProxy: `echo set map \\| socat`",
            "HAProxy: `shift-traffic rollback`",
        ],
        table,
    );
}
