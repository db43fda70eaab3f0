//! Where everything that happens is written down and told: journal and people, in the name of one run.

use std::time::Duration;

use rollgate_domain::{
    notice,
    rollout::{
        event::{Event, Line},
        moves::By,
        record::Record,
    },
};

use super::announce::{NotTold, People};
use crate::{journal::Journal, providers::clock::Clock};

/// The run's identity, its journal, its people and its clock.
pub struct Desk {
    /// The run, unique for a process.
    pub run: String,
    /// The person or robot behind it.
    pub actor: String,
    /// Writes the run's folder.
    pub journal: Journal,
    /// Are told.
    pub people: People,
    /// Says what time it is.
    pub clock: Clock,
}

impl Desk {
    /// The signature under a move made now.
    #[must_use]
    pub fn by(&self) -> By<'_> {
        By {
            run: &self.run,
            actor: &self.actor,
            at: self.clock.now(),
        }
    }

    /// Writes `event` down and tells those who must know.
    pub fn note(&mut self, record: &Record, event: Event) {
        let line = Line::new(record, event, &self.run, &self.actor, self.clock.now());
        self.journal.event(&line);
        if let Some(notice) = notice::of(&line) {
            self.people.tell(notice);
        }
        let failures = self.people.failures();
        self.not_told(record, failures);
    }

    /// Waits, at most `longest`, until people are told.
    pub async fn close(&mut self, record: &Record, longest: Duration) {
        let failures = self.people.finish(longest).await;
        self.not_told(record, failures);
    }

    fn not_told(&self, record: &Record, failures: Vec<NotTold>) {
        for NotTold { channel, error } in failures {
            let event = Event::NotTold { channel, error };
            self.journal.event(&Line::new(
                record,
                event,
                &self.run,
                &self.actor,
                self.clock.now(),
            ));
        }
    }
}
