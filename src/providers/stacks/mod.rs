//! What runs behind the router: how much of each version there is, and asking for more or less of it.

pub mod kubernetes;

use std::pin::Pin;

use futures_util::io::AsyncBufRead;
use serde_json::Value;

/// The two versions of the service as they run.
#[async_trait::async_trait]
pub trait Stacks: Send + Sync {
    /// What `backend` has now, never as we last asked for it.
    ///
    /// # Errors
    ///
    /// It could not be read; nothing is known then.
    async fn read(&self, backend: &str) -> anyhow::Result<Stack>;

    /// Asks for `wish`. Idempotent; what it replaces is kept beside the object, so that [`Wish::AsBefore`] finds
    /// it after a crash. Returns when it is asked for, not when it is there. Answers with what was changed, in
    /// words, nothing if it was so already.
    ///
    /// # Errors
    ///
    /// The change was refused or not answered.
    async fn ask(&self, backend: &str, wish: Wish) -> anyhow::Result<Option<String>>;

    /// What [`Self::ask`] would do, for `--dry-run`; nothing if it is so already.
    ///
    /// # Errors
    ///
    /// What is there could not be read.
    async fn describe(&self, backend: &str, wish: Wish) -> anyhow::Result<Option<String>>;
}

/// One version as it runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stack {
    /// Pods that get requests: ready, and in the endpoints of the Service.
    pub ready: u32,
    /// Pods that are asked for.
    pub wanted: u32,
    /// Whether an autoscaler may change that, and within which bounds.
    pub autoscaler: Option<Autoscaler>,
    /// The images of its pods, sorted.
    pub images: Vec<String>,
    /// Why pods are not ready, in words (image pull, crash loop, quota, scheduling), if they are not.
    pub trouble: Option<String>,
    /// Background workers that are asked for, if it has any.
    pub workers: Option<u32>,
    /// How many there were before [`Wish::WorkersQuiet`], where that is remembered.
    pub workers_before: Option<u32>,
    /// Whether its share is nothing but its part of the pods. The router scales it then: nobody else may, and
    /// nobody waits for pods before a share is written.
    pub follows_share: bool,
}

/// A HorizontalPodAutoscaler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Autoscaler {
    /// Its name.
    pub name: String,
    /// Its least number of pods.
    pub min: u32,
    /// Its largest number of pods.
    pub max: u32,
}

/// What is asked of a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// At least so many pods: raises, never lowers; an autoscaler is raised with it.
    AtLeast(u32),
    /// An autoscaler must not go below so many pods (`finish` or a rollback ends that with [`Self::AsBefore`]).
    Hold(u32),
    /// Pods and autoscaler as they were before the first wish of this rollout: for a version that has no traffic.
    AsBefore,
    /// The pods it has stay, for good, and the autoscaler is as it was: for a version that has all the traffic.
    /// What was remembered is forgotten, or the next rollout would go back to it.
    Settled,
    /// No pods: its objects stay.
    Nothing,
    /// No background workers.
    WorkersQuiet,
    /// Background workers as they were before [`Self::WorkersQuiet`]; so many where there are none and none is
    /// remembered: a candidate is deployed without, and gets as many as stable had.
    WorkersAsBefore(u32),
}

/// What the versions leave for those who ask later why one was bad. Reads, and changes nothing.
#[async_trait::async_trait]
pub trait Traces: Send + Sync {
    /// The objects of `backend` as they are now, what its pods use, and which logs there are. What cannot be read is a
    /// trace that says why.
    async fn of(&self, backend: &str) -> Found;

    /// What happened around both versions, a line each, the newest last.
    ///
    /// # Errors
    ///
    /// It could not be read.
    async fn events(&self) -> anyhow::Result<Vec<String>>;

    /// One log from its beginning; a line begins with its time.
    ///
    /// # Errors
    ///
    /// It could not be had.
    async fn log(&self, log: &Log) -> anyhow::Result<Pin<Box<dyn AsyncBufRead + Send>>>;
}

/// What there is of one backend.
#[derive(Default)]
pub struct Found {
    /// In the order from the whole to its parts.
    pub traces: Vec<Trace>,
    /// Of all containers of its pods.
    pub logs: Vec<Log>,
}

/// One object.
pub struct Trace {
    /// A file's name, without its end.
    pub name: String,
    /// Where it is from, for people.
    pub from: String,
    /// The object, or why it could not be had.
    pub found: anyhow::Result<Value>,
}

/// Where a log is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// The pod.
    pub pod: String,
    /// The container in it.
    pub container: String,
    /// Of the container before its last restart.
    pub previous: bool,
}
