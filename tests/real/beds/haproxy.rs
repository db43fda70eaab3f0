//! HAProxy: one process, its map file, and users who are asked which version they met.

use std::path::PathBuf;

use rollgate::providers::traffic::{Router, Users, haproxy};

use super::Bed;
use crate::support::world::{World, shop::http};

pub(crate) struct Haproxy {
    world: World,
    /// The value of our line before there was a rollout.
    before: String,
}

impl Bed for Haproxy {
    const BACKENDS: [&'static str; 2] = ["blue", "green"];
    const SHARES: &'static [u8] = &[1, 5, 10, 50, 100];
    const WRITES: usize = 2000;

    fn make() -> Option<Self> {
        let world = World::simulated()?;
        let before = world.file_value();
        Some(Self { world, before })
    }

    fn router(&self, _: Users) -> Box<dyn Router> {
        let plan = &self.world.plan;
        Box::new(haproxy::Haproxy::new(
            plan.sockets.iter().map(PathBuf::from).collect(),
            self.world.map(),
            plan.key.to_owned(),
            Self::BACKENDS.map(str::to_owned),
        ))
    }

    fn plan(&self) -> String {
        let plan = &self.world.plan;
        format!(
            "traffic:\n  haproxy: {{ sockets: [{}], map: {}, key: {}, backends: [blue, green] }}\n",
            plan.sockets.join(", "),
            plan.map,
            plan.key
        )
    }

    fn variables(&self) -> Vec<(&'static str, PathBuf)> {
        Vec::new()
    }

    /// How many of a hundred users, one in each hundredth, meet green.
    fn live(&self) -> u8 {
        let users = (0..100).map(|bucket| {
            let mut ids = (0..u32::MAX).map(|number| format!("user-{number}"));
            ids.find(|id| crc32fast::hash(id.as_bytes()) % 100 == bucket)
                .expect("a user in every hundredth")
        });
        let met = users.map(|id| {
            let headers = format!("x-user-id: {id}\r\n");
            let (_, version) = http(&self.world.haproxy[0].front, "GET /", &headers).expect("an answer");
            version
        });
        u8::try_from(met.filter(|version| version == "green").count()).expect("at most 100")
    }

    fn raw(&self) -> String {
        let map = self.world.map().display().to_string();
        let live = self.world.haproxy[0].said(&format!("show map {map}"));
        // Each line begins with the entry's address, which a write may change.
        let live: String = live
            .expect("an answer")
            .lines()
            .filter_map(|line| line.split_once(' '))
            .map(|(_, entry)| format!("{entry}\n"))
            .collect();
        std::fs::read_to_string(self.world.map()).expect("the map") + &live
    }

    fn foreign(&self) -> String {
        let ours = format!("{} ", self.world.plan.key);
        let raw = self.raw();
        raw.split_inclusive('\n')
            .filter(|line| !line.starts_with(&ours))
            .collect()
    }

    fn by_hand(&self, share: u8) {
        let value = self.world.file_value();
        let (_, rest) = value.split_once('|').expect("SHARE and more");
        self.world.put(&format!("{share}|{rest}"));
    }

    fn edit_record(&self) {
        let mut value = self.world.file_value();
        // In the second half, where the record is.
        let at = value.len() * 3 / 4;
        let other = if value.as_bytes()[at] == b'A' { "B" } else { "A" };
        value.replace_range(at..=at, other);
        self.world.put(&value);
    }

    fn forget(&self) {
        self.world.put(&self.before);
    }
}
