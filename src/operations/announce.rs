//! Tells people, without ever making the rollout wait for a chat.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use rollgate_domain::notice::{Notice, Severity};
use tokio::{task::JoinSet, time::timeout};

use crate::providers::channels::Channel;

/// A channel that could not be reached, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotTold {
    /// Its name in the plan.
    pub channel: String,
    /// Why.
    pub error: String,
}

/// Longer than any channel's own patience: a channel that forgets its time-out is cut off here.
const PATIENCE: Duration = Duration::from_secs(8);

/// Who is told of what. Sending happens beside the rollout; [`People::failures`] collects what went wrong.
#[derive(Default)]
pub struct People {
    routes: BTreeMap<Severity, Vec<Arc<dyn Channel>>>,
    link: Option<String>,
    sending: JoinSet<Option<NotTold>>,
}

impl People {
    /// `routes`: the channels of each severity. `link`: the page of this run, added to every notice.
    #[must_use]
    pub fn new(routes: BTreeMap<Severity, Vec<Arc<dyn Channel>>>, link: Option<String>) -> Self {
        Self {
            routes,
            link,
            sending: JoinSet::new(),
        }
    }

    /// Begins to send `notice` to every channel of its severity, and returns at once.
    pub fn tell(&mut self, mut notice: Notice) {
        notice.link = notice.link.or_else(|| self.link.clone());
        for channel in self.routes.get(&notice.severity).into_iter().flatten() {
            let (channel, notice) = (Arc::clone(channel), notice.clone());
            self.sending.spawn(async move {
                let error = match timeout(PATIENCE, channel.send(&notice)).await {
                    Ok(Ok(())) => return None,
                    Ok(Err(error)) => crate::error::chain(&error),
                    Err(_) => format!("no answer within {} s", PATIENCE.as_secs()),
                };
                Some(NotTold {
                    channel: channel.name().to_owned(),
                    error,
                })
            });
        }
    }

    /// What has failed since the last call.
    pub fn failures(&mut self) -> Vec<NotTold> {
        let mut failures = Vec::new();
        while let Some(done) = self.sending.try_join_next() {
            failures.extend(done.ok().flatten());
        }
        failures
    }

    /// Waits until everything is sent, at most `longest`; what failed or was not finished by then.
    pub async fn finish(&mut self, longest: Duration) -> Vec<NotTold> {
        let mut failures = Vec::new();
        let all = async {
            while let Some(done) = self.sending.join_next().await {
                failures.extend(done.ok().flatten());
            }
        };
        if timeout(longest, all).await.is_err() {
            failures.push(NotTold {
                channel: "a channel".to_owned(),
                error: "not finished when the run ended".to_owned(),
            });
        }
        failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Deaf;

    #[async_trait::async_trait]
    impl Channel for Deaf {
        fn name(&self) -> &'static str {
            "deaf"
        }

        async fn send(&self, _: &Notice) -> anyhow::Result<()> {
            std::future::pending().await
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_channel_that_never_answers_stops_nothing_and_is_named() {
        let channel: Arc<dyn Channel> = Arc::new(Deaf);
        let mut people = People::new(BTreeMap::from([(Severity::Critical, vec![channel])]), None);
        let notice = |severity| Notice {
            severity,
            title: "t".to_owned(),
            text: String::new(),
            link: None,
        };
        people.tell(notice(Severity::Info));
        people.tell(notice(Severity::Critical));
        assert!(people.failures().is_empty());
        let failures = people.finish(Duration::from_secs(30)).await;
        assert_eq!(
            failures,
            [NotTold {
                channel: "deaf".to_owned(),
                error: "no answer within 8 s".to_owned()
            }]
        );
    }
}
