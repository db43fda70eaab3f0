//! nginx: one master, the file that it includes, and users who are asked which version they met.

use std::{fs, path::PathBuf};

use rollgate::providers::traffic::{Router, Users, nginx::hash};
use rollgate_domain::weight::Weight;

use super::{Bed, sticky};
use crate::support::nginx::NginxWorld;

pub(crate) struct Nginx {
    world: NginxWorld,
    /// The file before there was a rollout.
    before: String,
    /// One user in each hundredth.
    users: Vec<String>,
}

impl Bed for Nginx {
    const BACKENDS: [&'static str; 2] = ["blue", "green"];
    const SHARES: &'static [u8] = &[1, 5, 10, 50, 100];
    const WRITES: usize = 300;

    fn make() -> Option<Self> {
        let world = NginxWorld::start("sticky: { header: x-user-id }")?;
        let before = world.file();
        let meets = |id: &str, percent: u8| {
            hash::meets_candidate(id, Weight::new(percent).expect("a share")) == Some(true)
        };
        let users = (0..100)
            .map(|percent| {
                (0..u32::MAX)
                    .map(|number| format!("user-{number}"))
                    .find(|id| !meets(id, percent) && meets(id, percent + 1))
                    .expect("a user in every hundredth")
            })
            .collect();
        Some(Self { world, before, users })
    }

    fn users() -> Users {
        Users {
            sticky: Some(sticky()),
            preview: None,
        }
    }

    fn router(&self, users: Users) -> Box<dyn Router> {
        Box::new(self.world.router(users))
    }

    fn plan(&self) -> String {
        self.world.traffic()
    }

    fn variables(&self) -> Vec<(&'static str, PathBuf)> {
        Vec::new()
    }

    /// How many of a hundred users meet green. Where each request is drawn the rules say it.
    fn live(&self) -> u8 {
        let file = self.world.file();
        let drawn = file
            .contains("default $request_id;")
            .then_some(file)
            .and_then(|file| {
                let (_, share) = file.split_once("_split {\n    ")?;
                let (percent, backend) = share.split_once(';')?.0.split_once("% ")?;
                let percent: u8 = percent.parse().ok()?;
                Some(if backend == "green" {
                    percent
                } else {
                    100 - percent
                })
            });
        if let Some(drawn) = drawn {
            return drawn;
        }
        let met = self.users.iter().map(|id| {
            let headers = format!("x-user-id: {id}\r\n");
            self.world.version("GET /", &headers)
        });
        u8::try_from(met.filter(|version| version == "green").count()).expect("at most 100")
    }

    fn raw(&self) -> String {
        format!("{}{}{:?}", self.foreign(), self.world.file(), self.world.served())
    }

    fn foreign(&self) -> String {
        fs::read_to_string(self.world.config()).expect("the configuration")
    }

    fn by_hand(&self, share: u8) {
        let file = self.world.file();
        let (start, rest) = file.split_once("_split {\n").expect("a split");
        let (_, end) = rest.split_once("}\n").expect("its end");
        let split = match share {
            0 => "    * blue;\n".to_owned(),
            100 => "    * green;\n".to_owned(),
            share => format!("    {share}% green;\n    * blue;\n"),
        };
        fs::write(
            self.world.include(),
            format!("{start}_split {{\n{split}}}\n{end}"),
        )
        .expect("the file");
        self.world.reload();
    }

    fn edit_record(&self) {
        let mut file = self.world.file();
        // In the last line, where the record is.
        let at = file.len() - 100;
        let other = if file.as_bytes()[at] == b'A' { "B" } else { "A" };
        file.replace_range(at..=at, other);
        fs::write(self.world.include(), file).expect("the file");
    }

    fn forget(&self) {
        fs::write(self.world.include(), &self.before).expect("the file");
        self.world.reload();
    }
}
