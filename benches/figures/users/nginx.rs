//! nginx with the configuration that `init nginx` prints.

use std::fs;
use std::process::Command;

use rollgate::providers::traffic::{Router as _, Users};
use rollgate_domain::rollout::moves::Move;
use tokio::runtime::Runtime;

use super::{compare, crowd::Crowd};
use crate::programs::{bare, program};
use crate::support::nginx::NginxWorld;
use crate::support::world::after;
use crate::table::Table;

/// Without the line of the candidate's share everybody is stable's.
const SCRIPT: &str = r#"set -e; sed -i '/ 50% green;/d' "$INCLUDE"; "$NGINX" -c "$CONFIG" -s reload"#;

struct Nginx {
    world: NginxWorld,
    /// The file with the candidate at a half.
    file: String,
}

impl super::Stage for Nginx {
    fn hold(&self) {
        fs::write(self.world.include(), &self.file).expect("the file");
        self.world.reload();
    }

    fn rollback(&self) -> Command {
        self.world.command(["rollback", "--reason", "bench"])
    }

    fn script(&self) -> Command {
        let mut command = bare("bash");
        command
            .args(["-c", SCRIPT])
            .env("INCLUDE", self.world.include())
            .env("CONFIG", self.world.config())
            .env("NGINX", program("nginx"));
        command
    }
}

pub(super) fn measure(runtime: &Runtime, table: &mut Table) {
    let mut world = NginxWorld::start("").expect("nginx");
    world.steps = "[{ weight: 50%, for: 1h }]";
    world.shift(["start"]).with(0);
    let router = world.router(Users::default());
    runtime.block_on(async {
        let seen = router.read().await.expect("what nginx has");
        let begun = seen.record.clone().expect("a record").expect("a record");
        let held = after(&after(&begun, Move::Take), Move::Raise);
        router.write(&seen, &held).await.expect("a write");
    });
    let file = world.file();
    assert!(file.contains(" 50% green;"), "{file}");
    let crowd = Crowd::ask(&world.front, "shop");
    compare(
        &Nginx { world, file },
        crowd,
        [
            "nginx: `sed -i`, `nginx -s reload`",
            "nginx: `shift-traffic rollback`",
        ],
        table,
    );
}
