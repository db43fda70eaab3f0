//! Requests to the service as its users send them: which version answers?

use std::time::Duration;

use anyhow::{Context as _, bail};
use futures_util::future::join_all;
use reqwest::{Client, Url, header::HeaderName, redirect::Policy};

/// For one request. A service that takes longer has other troubles.
const PATIENCE: Duration = Duration::from_secs(2);

/// Asks the service who answers.
#[derive(Clone, Debug)]
pub struct Sampler {
    client: Client,
    url: Url,
    header: HeaderName,
}

impl Sampler {
    /// `header`: the response header in which each version tells its name.
    ///
    /// # Errors
    ///
    /// `header` cannot be the name of one.
    pub fn new(url: Url, header: &str) -> anyhow::Result<Self> {
        let header = HeaderName::try_from(header).with_context(|| format!("use {header} as a header"))?;
        let client = Client::builder()
            .timeout(PATIENCE)
            .redirect(Policy::none())
            // Each request is a new user: a connection that stays may keep its version.
            .pool_max_idle_per_host(0)
            .build()
            .context("prepare a client for the service's url")?;
        Ok(Self { client, url, header })
    }

    /// Where it asks.
    #[must_use]
    pub const fn url(&self) -> &Url {
        &self.url
    }

    /// Who answered each of `count` requests, sent at once. The status of an answer does not matter.
    ///
    /// # Errors
    ///
    /// A request was not answered, or an answer names no version.
    pub async fn sample(&self, count: usize) -> anyhow::Result<Vec<String>> {
        let answers = join_all((0..count).map(|_| self.one())).await;
        answers.into_iter().collect()
    }

    async fn one(&self) -> anyhow::Result<String> {
        let answer = self.client.get(self.url.clone()).send().await;
        let answer = answer.with_context(|| format!("ask {}", self.url))?;
        match answer.headers().get(&self.header) {
            Some(value) => Ok(String::from_utf8_lossy(value.as_bytes()).into_owned()),
            None => bail!(
                "{} answered {} without the header {}",
                self.url,
                answer.status(),
                self.header
            ),
        }
    }
}
