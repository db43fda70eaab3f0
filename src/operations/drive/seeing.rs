//! What a driver takes from a look at the router: the rollout as others left it, and what forbids a rise.

use rollgate_domain::rollout::{
    event::Event,
    record::{Pin, Unreadable},
};

use super::driving::Driving;
use crate::{
    error::chain,
    operations::{capacity::Behind, desk::Desk},
    providers::traffic::{Router, Seen},
};

impl Driving {
    /// Whether the router still holds the rollout that this driver took.
    pub(super) fn owns(&self) -> bool {
        self.record.rollout == self.rollout
    }

    /// Reads the router and takes over what others wrote; none while it cannot be read.
    pub(super) async fn see(
        &mut self,
        router: &dyn Router,
        behind: &Behind<'_>,
        desk: &mut Desk,
        pin: &Pin,
    ) -> Option<Seen> {
        let mut obstacles = Vec::new();
        let seen = match router.read().await {
            Ok(seen) => {
                self.router_error = None;
                obstacles.extend(self.adopt(&seen, desk));
                obstacles.extend(self.make_ready(&seen, behind, desk).await);
                Some(seen)
            }
            Err(error) => {
                obstacles.push(chain(&error));
                None
            }
        };
        obstacles.extend(self.record.pin.refusal(pin));
        if obstacles != self.obstacles {
            self.obstacles.clone_from(&obstacles);
            desk.note(&self.record, Event::Hindered { obstacles });
        }
        seen
    }

    /// The record as others left it, and what forbids a rise.
    pub(super) fn adopt(&mut self, seen: &Seen, desk: &mut Desk) -> Vec<String> {
        let mut obstacles: Vec<String> = seen.drift.iter().chain(&seen.unreachable).cloned().collect();
        match &seen.record {
            Ok(Some(record)) if record.generation > self.generation || record.rollout != self.rollout => {
                self.record = record.clone();
            }
            Ok(Some(record)) if record.generation == self.generation && record.sequence >= self.record.sequence => {
                if record.state != self.record.state {
                    desk.journal.say("the rollout was moved by somebody else");
                }
                self.record = record.clone();
            }
            Ok(Some(_)) => obstacles.push(
                "the router went back to an older record: was an old map restored? roll back, or put back the newer one"
                    .to_owned(),
            ),
            Ok(None) => obstacles.push("the router has lost the rollout's record".to_owned()),
            Err(Unreadable::Newer { generation, .. }) if *generation > self.generation => {
                self.record.generation = *generation;
            }
            // Told as drift already where a router compares places.
            Err(unreadable) if seen.drift.is_none() => obstacles.push(unreadable.to_string()),
            Err(_) => {}
        }
        if seen.up(&self.record.candidate.backend) == Some(0) {
            obstacles.push(format!("{} has no server up", self.record.candidate.backend));
        }
        obstacles
    }
}
