//! What runs behind the router, made ready for a rise: stable keeps what it needs to take the traffic back, the
//! candidate gets what its next share needs, and background workers run where all the traffic is.
//!
//! Everything is asked for anew at each turn until it is so: whoever dies in the middle, the next driver goes on.

use rollgate_domain::{
    rollout::{
        event::Event,
        moves::Move,
        next::{Action, next_share, waits_for_a_person},
        record::{Record, State, Version},
    },
    weight::Weight,
};

use super::driving::Driving;
use crate::{
    operations::{
        capacity::{Behind, Both, Known, before_rise, most_workers, needed, whole},
        desk::Desk,
    },
    providers::{
        stacks::{Stack, Wish},
        traffic::Seen,
    },
};

impl Driving {
    /// Asks for what is missing behind the router; what forbids a rise until it is there.
    pub(super) async fn make_ready(
        &mut self,
        seen: &Seen,
        behind: &Behind<'_>,
        desk: &mut Desk,
    ) -> Vec<String> {
        self.third = None;
        let record = self.record.clone();
        let is_ours = self.owns() && record.generation == self.generation;
        if !is_ours || !matches!(record.state, State::Ready { .. } | State::Holding { .. }) {
            return Vec::new();
        }
        let (stable, candidate) = (&record.stable, &record.candidate);
        let both = match behind.count(seen, &stable.backend, &candidate.backend).await {
            Known::Both(both) => both,
            Known::Untold => return Vec::new(),
            Known::Unread(why) => return vec![format!("what runs behind the router cannot be read: {why}")],
        };
        if redeployed(candidate, &both.candidate) {
            let why = format!(
                "{} was redeployed in the middle of the rollout: it runs {}, the rollout began with {}; roll back and \
                 start anew",
                candidate.backend,
                both.candidate.images.join(", "),
                candidate.images.join(", ")
            );
            self.third = Some(why.clone());
            return vec![why];
        }
        let mut obstacles = Vec::new();
        if redeployed(stable, &both.stable) {
            obstacles.push(format!(
                "{} was redeployed in the middle of the rollout: it runs {}, the candidate was compared with {}; roll \
                 back and start anew",
                stable.backend,
                both.stable.images.join(", "),
                stable.images.join(", ")
            ));
        }
        let wishes = standing(&record, &both);
        for (backend, wish) in wishes {
            obstacles.extend(self.wish(behind, backend, wish, desk).await);
        }
        if let Some(share) = due(&record, desk) {
            let needed = needed(&both, &record, share);
            let few = !both.follow_shares() && both.candidate.ready < needed;
            if few && behind.scale_up && obstacles.is_empty() {
                let wish = Wish::AtLeast(needed);
                obstacles.extend(self.wish(behind, &candidate.backend, wish, desk).await);
            }
            obstacles.extend(before_rise(&both, &record, share));
        }
        obstacles
    }

    /// A candidate that is not the one that was judged so far gets no users. With all of them on it there may be no
    /// better place: then it stays an obstacle.
    pub(super) fn instead_of(&self, action: Action) -> Action {
        let has_users = self.record.weight < Weight::FULL;
        match (&self.third, action) {
            (Some(why), Action::Look | Action::CallSuccessor) if has_users => {
                Action::Move(Move::Pause(why.clone()))
            }
            (_, action) => action,
        }
    }

    /// Asks, notes what was changed, and says what could not be.
    async fn wish(&self, behind: &Behind<'_>, backend: &str, wish: Wish, desk: &mut Desk) -> Option<String> {
        match behind.ask(backend, wish).await {
            Ok(None) => None,
            Ok(Some(what)) => {
                desk.note(&self.record, Event::Prepared { what });
                None
            }
            Err(error) => Some(error),
        }
    }
}

/// Whether other images run than when the rollout began; not where one of them is unknown.
fn redeployed(version: &Version, stack: &Stack) -> bool {
    !version.images.is_empty() && !stack.images.is_empty() && version.images != stack.images
}

/// What has to be so as long as the rollout is on, and is not.
fn standing<'a>(record: &'a Record, both: &Both) -> Vec<(&'a str, Wish)> {
    let mut wishes = Vec::new();
    let (stable, candidate) = (record.stable.backend.as_str(), record.candidate.backend.as_str());
    let whole = whole(record, both, record.weight);
    if both
        .stable
        .autoscaler
        .as_ref()
        .is_some_and(|autoscaler| autoscaler.min < whole)
        && !both.follow_shares()
    {
        wishes.push((stable, Wish::Hold(whole)));
    }
    // Background work is for the version that all users are on; the other one's workers stop first.
    let (working, quiet) = if record.weight == Weight::FULL {
        ((candidate, &both.candidate), (stable, &both.stable))
    } else {
        ((stable, &both.stable), (candidate, &both.candidate))
    };
    if quiet.1.workers.is_some_and(|workers| workers > 0) {
        wishes.push((quiet.0, Wish::WorkersQuiet));
    }
    if working.1.workers == Some(0) {
        wishes.push((working.0, Wish::WorkersAsBefore(most_workers(quiet.1))));
    }
    wishes
}

/// The share that the driver would write now if health were proved.
fn due(record: &Record, desk: &Desk) -> Option<Weight> {
    let now = desk.clock.now();
    if waits_for_a_person(record, now) {
        return None;
    }
    if let State::Holding { step, since } = record.state
        && now.duration_since(since) < record.ladder.step(step)?.duration
    {
        return None;
    }
    next_share(record)
}
