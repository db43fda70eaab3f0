//! What runs behind a router, and comes when it is asked for.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use jiff::{SignedDuration, Timestamp};

use super::{Log, at};
use crate::providers::{
    clock::Clock,
    stacks::{Autoscaler, Stack, Stacks, Wish},
};

/// Two versions; what is asked for comes after `comes_after`.
pub(crate) struct FakeStacks {
    pub(crate) log: Log,
    pub(crate) clock: Clock,
    pub(crate) stacks: Mutex<BTreeMap<String, Stack>>,
    coming: Mutex<BTreeMap<String, (Timestamp, u32)>>,
    /// None: never.
    pub(crate) comes_after: Option<SignedDuration>,
    pub(crate) unreadable: bool,
    pub(crate) refuses: bool,
}

impl FakeStacks {
    /// So many pods of blue and of green, all ready.
    pub(crate) fn new(log: &Log, blue: u32, green: u32) -> Self {
        let stack = |name: &str, pods| Stack {
            ready: pods,
            wanted: pods,
            images: vec![format!("shop:{name}")],
            ..Stack::default()
        };
        let stacks =
            [("blue", blue), ("green", green)].map(|(name, pods)| (name.to_owned(), stack(name, pods)));
        Self {
            log: Arc::clone(log),
            clock: Clock::starting_at(at(0)),
            stacks: Mutex::new(stacks.into()),
            coming: Mutex::default(),
            comes_after: Some(SignedDuration::from_secs(20)),
            unreadable: false,
            refuses: false,
        }
    }

    pub(crate) fn change(&self, name: &str, change: impl FnOnce(&mut Stack)) {
        change(
            self.stacks
                .lock()
                .expect("no panic")
                .entry(name.to_owned())
                .or_default(),
        );
    }

    pub(crate) fn has(&self, name: &str) -> Stack {
        self.stacks.lock().expect("no panic")[name].clone()
    }
}

pub(crate) fn autoscaler(min: u32) -> Autoscaler {
    Autoscaler {
        name: "web".to_owned(),
        min,
        max: 20,
    }
}

#[async_trait::async_trait]
impl Stacks for FakeStacks {
    async fn read(&self, backend: &str) -> anyhow::Result<Stack> {
        anyhow::ensure!(!self.unreadable, "Deployments cannot be listed");
        if let Some((since, pods)) = self.coming.lock().expect("no panic").get(backend).copied()
            && self.clock.now() >= since
        {
            self.change(backend, |stack| stack.ready = pods);
        }
        Ok(self.has(backend))
    }

    async fn ask(&self, backend: &str, wish: Wish) -> anyhow::Result<Option<String>> {
        if self.describe(backend, wish).await?.is_none() {
            return Ok(None);
        }
        anyhow::ensure!(!self.refuses, "exceeded quota");
        let line = format!("{backend} {wish:?}");
        self.log.lock().expect("no panic").push(line.clone());
        match wish {
            Wish::AtLeast(pods) => {
                self.change(backend, |stack| stack.wanted = pods);
                if let Some(after) = self.comes_after {
                    let at = self.clock.now().saturating_add(after).expect("a time");
                    self.coming
                        .lock()
                        .expect("no panic")
                        .insert(backend.to_owned(), (at, pods));
                }
            }
            Wish::Hold(pods) => self.change(backend, |stack| stack.autoscaler = Some(autoscaler(pods))),
            Wish::Nothing => self.change(backend, |stack| {
                stack.wanted = 0;
                stack.ready = 0;
            }),
            Wish::WorkersQuiet => self.change(backend, |stack| {
                stack.workers_before = stack.workers;
                stack.workers = Some(0);
            }),
            Wish::WorkersAsBefore(count) => self.change(backend, |stack| {
                stack.workers = Some(stack.workers_before.unwrap_or(count));
            }),
            Wish::AsBefore | Wish::Settled => self.change(backend, |stack| {
                stack.autoscaler = stack.autoscaler.as_ref().map(|_| autoscaler(2));
            }),
        }
        Ok(Some(line))
    }

    async fn describe(&self, backend: &str, wish: Wish) -> anyhow::Result<Option<String>> {
        anyhow::ensure!(!self.unreadable, "Deployments cannot be listed");
        let stack = self.has(backend);
        let is_so = match wish {
            Wish::AtLeast(pods) => stack.wanted >= pods,
            Wish::Hold(pods) => stack.autoscaler.is_none_or(|scaler| scaler.min >= pods),
            Wish::AsBefore | Wish::Settled => stack.autoscaler.is_none_or(|scaler| scaler.min == 2),
            Wish::Nothing => stack.wanted == 0,
            Wish::WorkersQuiet => stack.workers.is_none_or(|workers| workers == 0),
            Wish::WorkersAsBefore(count) => {
                stack.workers != Some(0) || stack.workers_before.unwrap_or(count) == 0
            }
        };
        Ok((!is_so).then(|| format!("would ask {backend} for {wish:?}")))
    }
}
