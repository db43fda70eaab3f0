//! A router's bed with all that the tools need to roll out on it: a plan, pages to judge by, a folder.

use std::{
    cell::Cell,
    fs,
    mem::{Discriminant, discriminant},
    process::Command,
    time::Duration,
};

use rollgate::providers::traffic::{Seen, Users};
use rollgate_domain::{
    rollout::{
        moves::Move,
        phase::Phase,
        record::{Record, State},
    },
    weight::Weight,
};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::{
    real::beds::Bed,
    support::{
        course::production,
        pages::Pages,
        servers::until,
        tool::{Ended, Running, binary, run},
        world::after,
    },
};

/// How long a step of a rollout here lasts: a few looks.
const STEP: &str = "100ms";

/// Longer than a router takes on a busy machine.
const SOON: Duration = Duration::from_secs(30);

/// What a rollout was when somebody came to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At {
    /// Nothing is recorded.
    Nothing,
    /// The canary is recorded, at 0 %.
    Start,
    /// At the canary's first step, just written.
    FirstStep,
    /// Production's last step: the candidate has everything.
    Full,
    /// The candidate is stable now, and the old version stands.
    Promoted,
}

/// How a rollout stands for users and for the next run: no times, no names of runs, no counts of writes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ending {
    state: Discriminant<State>,
    step: Option<usize>,
    weight: Weight,
    phase: Phase,
    stable: String,
    candidate: String,
    foreign: String,
}

/// Dropped in this order: who is asked before where they write.
pub(super) struct Place<B> {
    pub(super) bed: B,
    pub(super) pages: Pages,
    /// As `start` has recorded it.
    start: Option<Record>,
    calls: Cell<u32>,
    runtime: Runtime,
    folder: TempDir,
}

impl<B: Bed> Place<B> {
    /// None, said aloud, where a part is missing.
    pub(super) fn make() -> Option<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let bed = B::make()?;
        bed.deploy();
        let mut place = Self {
            bed,
            pages: Pages::start(),
            start: None,
            calls: Cell::new(0),
            runtime,
            folder: tempfile::tempdir().expect("a scratch folder"),
        };
        place.shift(["start"]).with(0);
        place.start = Some(place.record());
        Some(place)
    }

    fn plan(&self) -> String {
        let Users { sticky, preview } = B::users();
        let sticky = sticky.map_or("", |_| "sticky: { header: x-user-id }\n");
        let preview = preview.map_or("", |_| "preview: { header: x-preview, value: next }\n");
        let steps: Vec<_> = canary::<B>()
            .map(|share| format!("{{ weight: {share}%, for: {STEP} }}"))
            .collect();
        format!(
            "service: shop-api\n{traffic}{sticky}{preview}{metrics}\
             judgement: {{ look: 50ms, grace: 50ms, forgive: 50ms, delay: 10ms, cluster-size: 1 }}\n\
             phases:\n  canary: {{ require: proof, steps: [{steps}] }}\n\
             rollback: {{ drain: 100ms }}\ndriver: {{ blind: 15m }}\n",
            traffic = self.bed.plan(),
            metrics = self.pages.metrics(B::BACKENDS),
            steps = steps.join(", "),
        )
    }

    /// `shift-traffic` with this place's plan and a journal of its own.
    pub(super) fn command<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Command {
        let call = self.calls.get();
        self.calls.set(call + 1);
        // Of its own: another one beside it may be reading.
        let plan = self.folder.path().join(format!("plan{call}.yml"));
        fs::write(&plan, self.plan()).expect("the plan");
        let mut command = binary("shift-traffic");
        command
            .envs(self.bed.variables())
            .env("ROLLGATE_PLAN", plan)
            .env("ROLLGATE_OUT", self.folder.path().join(format!("out{call}")))
            .args(arguments);
        command
    }

    #[track_caller]
    pub(super) fn shift<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Ended {
        run(self.command(arguments))
    }

    /// The same beside the test.
    pub(super) fn begin<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Running {
        let command = self.command(arguments);
        let log = self.folder.path().join(format!("call{}", self.calls.get()));
        Running::start(command, &log)
    }

    /// What somebody sees who has just come.
    #[track_caller]
    pub(super) fn seen(&self) -> Seen {
        self.runtime
            .block_on(async { self.bed.router(B::users()).read().await })
            .expect("what the router has")
    }

    #[track_caller]
    pub(super) fn record(&self) -> Record {
        self.seen().record.expect("a whole record").expect("a record")
    }

    /// Makes the rollout begin anew and brings it there, with a driver that has gone just now.
    #[track_caller]
    pub(super) fn put(&self, at: At) {
        self.pages.green_fails(false);
        self.bed.forget();
        let moves = match at {
            At::Nothing => return,
            At::Start => vec![],
            At::FirstStep => vec![Move::Take, Move::Raise],
            At::Full | At::Promoted => vec![
                Move::Take,
                Move::Raise,
                Move::Advance,
                Move::Pass,
                Move::Enter(production()),
                Move::Raise,
            ],
        };
        let mut record = self.start.clone().expect("a rollout that start has recorded");
        for step in moves {
            record = after(&record, step);
        }
        self.write(&record);
        if at == At::Promoted {
            // As it comes about: from the share that it has, at once.
            self.write(&after(&record, Move::Promote));
        }
    }

    /// Writes as a driver does.
    #[track_caller]
    pub(super) fn write(&self, record: &Record) {
        self.runtime.block_on(async {
            let router = self.bed.router(B::users());
            let seen = router.read().await.expect("what the router has");
            router.write(&seen, record).await.expect("a write");
        });
    }

    /// What is to be the same, whatever happened on the way.
    #[track_caller]
    pub(super) fn ending(&self) -> Ending {
        let mut seen = self.seen();
        if let (true, Ok(Some(record))) = (seen.torn, &seen.record)
            && record.is_active()
        {
            // The driver of an active rollout writes again within a look.
            self.write(&after(record, Move::Beat));
            seen = self.seen();
        }
        assert_eq!((&seen.drift, seen.torn), (&None, false));
        let record = seen.record.expect("a whole record").expect("a record");
        assert_eq!(seen.share, Some(record.weight));
        self.users_get(&record);
        Ending {
            state: discriminant(&record.state),
            step: record.step(),
            weight: record.weight,
            phase: record.phase,
            stable: record.stable.backend,
            candidate: record.candidate.backend,
            foreign: self.bed.foreign(),
        }
    }

    /// Nobody else has written, users get a share of `allowed`, and the record beside it tells it.
    #[track_caller]
    pub(super) fn is_consistent(&self, allowed: &[u8], what: &str) {
        let seen = self.seen();
        assert_eq!(seen.drift, None, "{what}");
        match &seen.record {
            Ok(Some(record)) if !seen.torn => {
                assert_eq!(record.weight, record.weight_of_state(), "{what}");
                self.users_get(record);
            }
            // Cut off between two places, or nothing recorded.
            other => assert!(other.is_ok(), "{what}: {other:?}"),
        }
        // While nginx reloads, old workers and new ones answer side by side.
        until(&format!("{what}: green has one of {allowed:?} %"), SOON, || {
            allowed.contains(&self.bed.live()).then_some(())
        });
    }

    /// A router on a busy machine may hold a server for dead, for a moment.
    #[track_caller]
    fn users_get(&self, record: &Record) {
        let green = if record.candidate.backend == B::BACKENDS[1] {
            record.weight
        } else {
            record.weight.rest()
        };
        until(&format!("{green} of the users meet green"), SOON, || {
            (self.bed.live() == green.percent()).then_some(())
        });
    }
}

/// The canary's steps: the two highest shares below 100 % that this router can give.
pub(super) fn canary<B: Bed>() -> impl Iterator<Item = u8> {
    let below = B::SHARES.len() - 1;
    B::SHARES[below.saturating_sub(2)..below].iter().copied()
}
