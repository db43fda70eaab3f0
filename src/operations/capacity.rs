//! What runs behind the router, as far as a rise or a rollback depends on it.
//!
//! In go the platform ([`Stacks`]) and what the router itself tells of its servers, out come counts, refusals in
//! words and wishes. Nothing here writes a share.

use std::time::Duration;

use rollgate_domain::{
    rollout::{capacity, record::Record},
    weight::Weight,
};
use tokio::time::timeout;

use crate::{
    error::chain,
    providers::{
        stacks::{Stack, Stacks, Wish},
        traffic::Seen,
    },
};

/// A rollback does not wait longer for the counts: without them it goes on. Nor does a driver, who has to watch.
const PATIENCE: Duration = Duration::from_secs(2);

/// For whoever asks for a beginning or a rise and would only have to ask again.
pub const UNHURRIED: Duration = Duration::from_secs(15);

/// What can be asked about the versions, and for them.
#[derive(Clone, Copy, Default)]
pub struct Behind<'a> {
    /// None for a router that does not know what runs behind it.
    pub stacks: Option<&'a dyn Stacks>,
    /// Whether a version with too few pods may be given more.
    pub scale_up: bool,
}

/// What is known of the two versions.
#[derive(Clone, Debug)]
pub enum Known {
    /// Both were counted, by the platform or by the router.
    Both(Box<Both>),
    /// Nobody here can count them.
    Untold,
    /// They could be counted, but were not: why, in words.
    Unread(String),
}

/// The two versions as they run.
#[derive(Clone, Debug)]
pub struct Both {
    /// Takes the traffic back.
    pub stable: Stack,
    /// Is tried.
    pub candidate: Stack,
}

impl Both {
    /// Whether the router itself scales them with their shares.
    #[must_use]
    pub const fn follow_shares(&self) -> bool {
        self.stable.follows_share || self.candidate.follows_share
    }
}

impl Behind<'_> {
    /// Counts both versions: by the platform, else by the router. For what cannot wait long.
    pub async fn count(&self, seen: &Seen, stable: &str, candidate: &str) -> Known {
        self.count_within(PATIENCE, seen, stable, candidate).await
    }

    /// The same with a patience of its own.
    pub async fn count_within(
        &self,
        patience: Duration,
        seen: &Seen,
        stable: &str,
        candidate: &str,
    ) -> Known {
        let Some(stacks) = self.stacks else {
            return match (seen.up(stable), seen.up(candidate)) {
                (Some(stable), Some(candidate)) => Known::Both(Box::new(Both {
                    stable: servers(stable),
                    candidate: servers(candidate),
                })),
                _ => Known::Untold,
            };
        };
        let both = async { tokio::try_join!(stacks.read(stable), stacks.read(candidate)) };
        match timeout(patience, both).await {
            Ok(Ok((stable, candidate))) => Known::Both(Box::new(Both { stable, candidate })),
            Ok(Err(error)) => Known::Unread(chain(&error)),
            Err(_) => Known::Unread(format!("no answer within {} s", patience.as_secs())),
        }
    }

    /// How many background workers `backend` has, or had before they were stopped; 0 where nobody can tell.
    pub async fn workers_of(&self, backend: &str) -> u32 {
        let Some(stacks) = self.stacks else { return 0 };
        match timeout(PATIENCE, stacks.read(backend)).await {
            Ok(Ok(stack)) => most_workers(&stack),
            Ok(Err(_)) | Err(_) => 0,
        }
    }

    /// Asks for `wish`; what was changed, in words, nothing if it was so already.
    ///
    /// # Errors
    ///
    /// In words, with what was asked for.
    pub async fn ask(&self, backend: &str, wish: Wish) -> Result<Option<String>, String> {
        let Some(stacks) = self.stacks else {
            return Ok(None);
        };
        stacks
            .ask(backend, wish)
            .await
            .map_err(|error| format!("{}: {}", wish_in_words(backend, wish), chain(&error)))
    }

    /// What [`Self::ask`] would do, for `--dry-run`, a line each.
    ///
    /// # Errors
    ///
    /// What is there could not be read.
    pub async fn describe(&self, wishes: &[(&str, Wish)]) -> anyhow::Result<String> {
        let mut text = String::new();
        if let Some(stacks) = self.stacks {
            for &(backend, wish) in wishes {
                if let Some(change) = stacks.describe(backend, wish).await? {
                    text.push_str(&change);
                    text.push('\n');
                }
            }
        }
        Ok(text)
    }
}

/// How many background workers there are, or were before they were stopped.
#[must_use]
pub fn most_workers(stack: &Stack) -> u32 {
    stack.workers.max(stack.workers_before).unwrap_or(0)
}

/// Servers as a router counts them: nobody can ask for more.
fn servers(up: u32) -> Stack {
    Stack {
        ready: up,
        wanted: up,
        ..Stack::default()
    }
}

fn wish_in_words(backend: &str, wish: Wish) -> String {
    match wish {
        Wish::AtLeast(pods) => format!("scale {backend} up to {pods} pods"),
        Wish::Hold(pods) => format!("keep {backend}'s autoscaler at {pods} pods or more"),
        Wish::AsBefore => format!("set {backend} back to what it was before the rollout"),
        Wish::Settled => format!("give {backend} back to its autoscaler"),
        Wish::Nothing => format!("scale {backend} down to 0"),
        Wish::WorkersQuiet => format!("stop the workers of {backend}"),
        Wish::WorkersAsBefore(_) => format!("start the workers of {backend}"),
    }
}

/// How many pods a version is meant to have, as far as that can be told now: a node that is drained, or an autoscaler
/// that has not come after, makes it less for a moment only.
#[must_use]
pub fn meant(stack: &Stack) -> u32 {
    let least = stack.autoscaler.as_ref().map_or(0, |autoscaler| autoscaler.min);
    stack.ready.max(stack.wanted).max(least)
}

/// How many pods of stable carry everything: as recorded when the phase began, else as they are meant to be now. Not
/// fewer than the candidate has for its share `current` where an autoscaler has decided that, or nothing is recorded:
/// the night's pods do not carry the day.
#[must_use]
pub fn whole(record: &Record, both: &Both, current: Weight) -> u32 {
    let on_candidate = capacity::needed(current, both.candidate.ready);
    let whole = match (record.whole, &both.candidate.autoscaler) {
        (Some(whole), None) => whole,
        (Some(whole), Some(_)) => whole.max(on_candidate),
        (None, _) => meant(&both.stable).max(on_candidate),
    };
    whole.max(1)
}

/// The part of the candidate's share `current` that stable cannot take back now; 0 where nobody can tell.
#[must_use]
pub fn stays(known: &Known, record: &Record, current: Weight) -> Weight {
    match known {
        // The router gives stable its pods together with its share.
        Known::Both(both) if both.follow_shares() => Weight::ZERO,
        Known::Both(both) => capacity::stays(
            current,
            both.stable.ready,
            whole(record, both, current),
            both.candidate.ready,
        ),
        Known::Untold | Known::Unread(_) => Weight::ZERO,
    }
}

/// `blue has 2 of 10 pods ready (image cannot be pulled)`.
#[must_use]
pub fn short(backend: &str, stack: &Stack, of: u32) -> String {
    let trouble = stack
        .trouble
        .as_ref()
        .map(|trouble| format!(" ({trouble})"))
        .unwrap_or_default();
    match stack.ready {
        0 => format!("{backend} has nothing ready{trouble}"),
        ready => format!("{backend} has {ready} of {of} ready{trouble}"),
    }
}

/// Why no rollout can begin between these two, in words.
#[must_use]
pub fn refusal(both: &Both, stable: &str, candidate: &str) -> Option<String> {
    let nothing = |stack: &Stack| stack.ready == 0;
    if nothing(&both.candidate) && !both.candidate.follows_share {
        let how = if both.candidate.wanted == 0 {
            "deploy the candidate first"
        } else {
            "wait until its pods are ready, or mend it"
        };
        let short = short(candidate, &both.candidate, both.candidate.wanted);
        return Some(format!("{short}: {how}"));
    }
    if nothing(&both.stable) {
        let short = short(stable, &both.stable, both.stable.wanted);
        return Some(format!("{short}: a rollback would have nowhere to go"));
    }
    None
}

/// What forbids the candidate to get `share`: its own capacity, and stable's to take it back from there.
#[must_use]
pub fn before_rise(both: &Both, record: &Record, share: Weight) -> Vec<String> {
    let mut obstacles = Vec::new();
    if both.follow_shares() {
        return obstacles;
    }
    let whole = whole(record, both, record.weight);
    let stays = capacity::stays(share, both.stable.ready, whole, both.candidate.ready.max(1));
    if stays > Weight::ZERO {
        obstacles.push(format!(
            "{}: it could not take {share} back",
            short(&record.stable.backend, &both.stable, whole)
        ));
    }
    let needed = needed(both, record, share);
    if both.candidate.ready < needed {
        obstacles.push(format!(
            "{}, {share} of the traffic needs {needed}",
            short(&record.candidate.backend, &both.candidate, both.candidate.wanted)
        ));
    }
    obstacles
}

/// How many pods of the candidate carry `share`. An autoscaler may have given stable more by now than it had at first.
#[must_use]
pub fn needed(both: &Both, record: &Record, share: Weight) -> u32 {
    capacity::needed(share, whole(record, both, record.weight).max(both.stable.ready))
}
