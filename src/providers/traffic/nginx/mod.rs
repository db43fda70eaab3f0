//! nginx: share and record in one file that its configuration includes.
//!
//! A write replaces the file, lets nginx test it, has it reloaded, and waits until every new connection is served
//! by it: a location says which write that is. A record alone (a heartbeat) is a comment and needs no reload. The
//! file before is kept as `FILE.before` and put back where nginx does not take the new one.
//!
//! nginx has no compare-and-set either: writers take the lock file `FILE.lock`, and whoever has held it for longer
//! than its lease does not write any more. What follows the write harms nobody who is late: a reload loads what is
//! there, and a file is put back only over the writer's own.
//!
//! A rollback waits for no lock. Where somebody else's file keeps nginx from reloading, it leaves its own in place:
//! the next reload or start is on stable.
//!
//! Source: <https://nginx.org/en/docs/http/ngx_http_split_clients_module.html>

mod activation;
mod compare;
mod configuration;
pub mod hash;
mod include;
mod program;
mod served;
mod variables;

use std::{fs, io, path::PathBuf, sync::OnceLock, time::Duration};

use anyhow::{Context as _, anyhow};
use reqwest::Client;
use rollgate_domain::rollout::record::Record;

use self::{
    compare::compare,
    include::{File, Rules, Served, prefix},
    program::Broken,
};
use super::{
    Router, Seen, Users, WriteError,
    lock::{self, Lease},
    takes_back,
};

/// How long a writer may take from the lock to its write; a question to nginx that hangs costs a second of it.
const LEASE: Duration = Duration::from_millis(1500);

/// One nginx.
#[derive(Clone, Debug)]
pub struct Nginx {
    include: PathBuf,
    config: PathBuf,
    served: String,
    key: String,
    backends: [String; 2],
    users: Users,
    client: OnceLock<Client>,
}

/// What is there.
struct Look {
    file: Option<File>,
    live: anyhow::Result<Served>,
    seen: Seen,
}

impl Nginx {
    /// `include`: the file that is ours, in `config`, nginx's main file. `served`: the URL that says what is served.
    /// `key` names our variables; `backends` are upstreams.
    #[must_use]
    pub fn new(
        include: PathBuf,
        config: PathBuf,
        served: String,
        key: String,
        backends: [String; 2],
        users: Users,
    ) -> Self {
        Self {
            include,
            config,
            served,
            key,
            backends,
            users,
            client: OnceLock::new(),
        }
    }

    fn client(&self) -> anyhow::Result<&Client> {
        if self.client.get().is_none() {
            // Whoever was faster has made the same.
            let _ = self.client.set(served::client()?);
        }
        self.client.get().context("make an HTTP client")
    }

    async fn look(&self) -> anyhow::Result<Look> {
        let file = self.file()?;
        let live = served::ask(self.client()?, &self.served).await;
        let seen = compare(file.as_ref(), &live, &self.include, &self.backends);
        Ok(Look { file, live, seen })
    }

    /// None where it is missing.
    fn file(&self) -> anyhow::Result<Option<File>> {
        match fs::read(&self.include) {
            Ok(bytes) => {
                let text = String::from_utf8_lossy(&bytes).into_owned();
                Ok(Some(File::parse(text, &self.key)))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("read {}", self.include.display())),
        }
    }

    /// The file that somebody saw; none where there was none.
    fn parsed(&self, token: &str) -> Option<File> {
        (!token.is_empty()).then(|| File::parse(token.to_owned(), &self.key))
    }

    /// The variable with the user's id, as the plan has it.
    fn user(&self) -> Result<Option<String>, String> {
        let by = self.users.sticky.as_ref().map(|sticky| &sticky.by);
        by.map(variables::variable).transpose()
    }

    /// The variable with the preview header and its value, as the plan has them.
    fn preview(&self) -> Result<Option<(String, String)>, String> {
        self.users.preview.as_ref().map(variables::preview).transpose()
    }

    /// The rules that `record` stands for. On the way back users are told apart as they were: the plan may not be
    /// at hand.
    fn rules(&self, record: &Record, file: Option<&File>) -> Result<Rules, String> {
        let (user, preview) = if record.is_tried() {
            (self.user()?, self.preview()?)
        } else {
            let kept = file.and_then(|file| file.user.clone());
            (kept.filter(|_| record.weight.percent() > 0), None)
        };
        Ok(Rules {
            share: record.weight,
            stable: record.stable.backend.clone(),
            candidate: record.candidate.backend.clone(),
            user,
            preview,
        })
    }

    /// The file for `record`, what nginx will say once it serves it, and whether it must read it for that. Its name
    /// is above that of `live`, also where a rollback could not read how far the writes had come.
    fn text(
        &self,
        record: &Record,
        file: Option<&File>,
        live: Option<&Served>,
    ) -> Result<(String, Served, bool), String> {
        let rules = self.rules(record, file)?;
        let kept = file.filter(|file| file.is_sealed && file.has(&rules, &self.key));
        let served = match kept.and_then(|file| file.served.clone()) {
            Some(served) => served,
            None => Served {
                write: live
                    .map_or((0, 0), next)
                    .max((record.generation, record.sequence)),
                share: record.weight,
                candidate: record.candidate.backend.clone(),
            },
        };
        let text = rules.file(&served, Some(record), &self.key);
        Ok((text, served, kept.is_none()))
    }

    /// What keeps nginx from doing what the file would say. Before a write that gives anybody anything.
    async fn trouble(&self) -> Result<(), WriteError> {
        let dump = program::dump(&self.config)
            .await
            .map_err(WriteError::Unreachable)?
            .map_err(|Broken { said, .. }| {
                WriteError::Rejected(format!("nginx's configuration cannot be loaded as it is: {said}"))
            })?;
        let variable = format!("${}_backend", prefix(&self.key));
        match dump.trouble(&self.include, &variable, &self.backends) {
            Some(trouble) => Err(WriteError::Rejected(trouble)),
            None => Ok(()),
        }
    }
}

#[async_trait::async_trait]
impl Router for Nginx {
    async fn read(&self) -> anyhow::Result<Seen> {
        Ok(self.look().await?.seen)
    }

    async fn write(&self, seen: &Seen, record: &Record) -> Result<Seen, WriteError> {
        let takes_back = takes_back(record);
        let read = self.parsed(&seen.token);
        let (.., is_new) = self
            .text(record, read.as_ref(), None)
            .map_err(WriteError::Rejected)?;
        // It takes longer than a lease, and depends on nobody's record.
        if is_new && !takes_back {
            self.trouble().await?;
        }
        let lock = match lock::take(&self.include, LEASE).await {
            Ok(lock) => Some(lock),
            // A rollback does not wait for a driver that hangs.
            Err(_) if takes_back => None,
            Err(error) => return Err(WriteError::Unreachable(error)),
        };
        let Look {
            file,
            live,
            seen: now,
        } = self.look().await.map_err(WriteError::Unreachable)?;
        let file = file.as_ref();
        let lease = match &lock {
            Some(lock) if !takes_back => lock.lease(),
            _ => Lease::begins_now(LEASE),
        };
        if now.token != seen.token {
            return Err(WriteError::Conflict);
        }
        let (text, served, is_new) = self
            .text(record, file, live.as_ref().ok())
            .map_err(WriteError::Rejected)?;
        let is_served = !is_new && live.as_ref().is_ok_and(|live| *live == served);
        if !takes_back {
            // Nothing is given to anybody where nobody can tell what they get.
            live.map_err(WriteError::Unreachable)?;
        }
        if lease.is_over() {
            return Err(WriteError::Conflict);
        }
        self.put(&text, file, !is_served)
            .map_err(WriteError::Unreachable)?;
        if is_served {
            self.flush().map_err(WriteError::Unreachable)?;
        } else {
            self.activate(&text, &served, file, takes_back).await?;
        }
        drop(lock);

        let after = self.look().await.map_err(WriteError::Unreachable)?.seen;
        if after.token == text && !after.torn && after.drift.is_none() {
            return match after.unreachable.first() {
                None => Ok(after),
                Some(unreachable) => Err(WriteError::Unreachable(anyhow!("{unreachable}"))),
            };
        }
        match &after.record {
            // Somebody newer was faster than our look back.
            Ok(Some(newer)) if newer.generation > record.generation => Ok(after),
            _ => Err(WriteError::Rejected(after.drift.unwrap_or_else(|| {
                format!(
                    "{} was written with {} and is another one now",
                    self.include.display(),
                    record.weight
                )
            }))),
        }
    }

    fn describe(&self, seen: &Seen, records: &[&Record]) -> Vec<String> {
        let (mut file, mut torn) = (self.parsed(&seen.token), seen.torn);
        let change = |record: &&Record| match self.text(record, file.as_ref(), None) {
            Err(refusal) => format!("would be refused: {refusal}\n"),
            Ok((text, _, is_new)) => {
                let reload = if is_new || torn {
                    format!(
                        "would run: nginx -t -c {0} && nginx -s reload -c {0}\n",
                        self.config.display()
                    )
                } else {
                    String::new()
                };
                let words = format!("would write {}:\n{text}{reload}", self.include.display());
                (file, torn) = (self.parsed(&text), false);
                words
            }
        };
        records.iter().map(change).collect()
    }
}

/// A name above that of what is served.
fn next(served: &Served) -> (u64, u64) {
    let (generation, sequence) = served.write;
    (generation, sequence.saturating_add(1))
}
