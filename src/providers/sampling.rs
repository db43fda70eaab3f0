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

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    use super::*;

    /// A service whose first new connection gets the first answer (status line and headers), and so on, the last one
    /// for all that follow; and how many connections there were.
    async fn service(answers: &'static [&'static str]) -> (Sampler, Arc<AtomicUsize>) {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/health", listener.local_addr().unwrap());
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let number = counted.fetch_add(1, Ordering::SeqCst);
                let answer = answers[number.min(answers.len() - 1)];
                // Kept open: whoever likes may send the next request here.
                tokio::spawn(async move {
                    let mut request = [0; 4096];
                    while stream.read(&mut request).await.is_ok_and(|read| read > 0) && !answer.is_empty() {
                        let text = format!("HTTP/1.1 {answer}\r\ncontent-length: 0\r\n\r\n");
                        stream.write_all(text.as_bytes()).await.unwrap();
                    }
                });
            }
        });
        let sampler = Sampler::new(url.parse().unwrap(), "X-Version").unwrap();
        (sampler, connections)
    }

    #[tokio::test]
    async fn every_request_is_a_user_of_its_own_and_none_is_forgotten() {
        let (sampler, connections) =
            service(&["200 OK\r\nx-version: green", "200 OK\r\nx-version: blue"]).await;
        let mut versions = sampler.sample(20).await.unwrap();
        versions.sort();
        assert_eq!(
            (versions.len(), &*versions[18], &*versions[19]),
            (20, "blue", "green")
        );
        assert_eq!(sampler.sample(5).await.unwrap(), ["blue"; 5]);
        assert_eq!(connections.load(Ordering::SeqCst), 25);
    }

    #[tokio::test]
    async fn an_error_and_a_redirect_tell_their_version_too() {
        for answer in [
            &["503 Service Unavailable\r\nX-VERSION: green"],
            &["302 Found\r\nlocation: /login\r\nx-version: green"],
        ] {
            let (sampler, connections) = service(answer).await;
            assert_eq!(sampler.sample(1).await.unwrap(), ["green"]);
            assert_eq!(connections.load(Ordering::SeqCst), 1);
        }
    }

    #[tokio::test]
    async fn one_answer_without_a_version_is_no_sample() {
        let (sampler, _) = service(&["200 OK\r\nx-version: blue", "404 Not Found"]).await;
        let error = sampler.sample(3).await.unwrap_err().to_string();
        let (url, rest) = error.split_once(" answered ").unwrap();
        assert_eq!(url, sampler.url().as_str());
        insta::assert_snapshot!(rest, @"404 Not Found without the header x-version");
    }

    #[tokio::test]
    async fn a_service_that_does_not_answer_is_an_error_within_seconds() {
        let (sampler, _) = service(&["200 OK\r\nx-version: blue", ""]).await;
        let began = std::time::Instant::now();
        let error = sampler.sample(2).await.unwrap_err().to_string();
        assert_eq!(error, format!("ask {}", sampler.url()));
        assert!(began.elapsed() < PATIENCE * 3, "{:?}", began.elapsed());
    }

    #[test]
    fn a_header_that_cannot_be_one_is_named() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let url: Url = "http://127.0.0.1/".parse().unwrap();
        let error = Sampler::new(url, "x version").unwrap_err();
        insta::assert_snapshot!(error, @"use x version as a header");
    }
}
