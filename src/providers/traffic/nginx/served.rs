//! What the running nginx says it serves.

use std::time::Duration;

use anyhow::{Context as _, bail};
use reqwest::{Client, header, redirect};
use tokio::time::{Instant, sleep};

use super::include::Served;

/// nginx answers this from memory within a millisecond; a second means that it hangs.
const PATIENCE: Duration = Duration::from_secs(1);

/// After a reload the master starts new workers, waits for 100 ms, and tells the old ones to accept no more. So
/// long both answer, and so long every answer must be the new one, on connections of their own.
///
/// Source: `ngx_master_process_cycle` in `src/os/unix/ngx_process_cycle.c`
const BOTH: Duration = Duration::from_millis(150);

/// Between two of these answers.
const AGAIN: Duration = Duration::from_millis(15);

/// A client that keeps no connection: each question goes to whoever accepts now.
///
/// # Errors
///
/// It cannot be made.
pub(crate) fn client() -> anyhow::Result<Client> {
    // reqwest is built without a TLS provider of its own; if there is one already, it stays.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .timeout(PATIENCE)
        .redirect(redirect::Policy::none())
        .pool_max_idle_per_host(0)
        .no_proxy()
        .build()
        .context("make an HTTP client")
}

/// What nginx serves to a connection that is made now.
///
/// # Errors
///
/// Nobody answers, or not in our form.
pub(crate) async fn ask(client: &Client, url: &str) -> anyhow::Result<Served> {
    let sent = client.get(url).header(header::CONNECTION, "close").send().await;
    let answer = match sent {
        Ok(answer) => answer,
        Err(error) => {
            let how = if error.is_timeout() {
                "did not answer within 1 s"
            } else {
                "does not answer: is nginx running, and is this its address (traffic.nginx.served in the plan)?"
            };
            bail!("nginx at {url} {how}");
        }
    };
    let status = answer.status();
    let body = answer
        .text()
        .await
        .with_context(|| format!("read the answer of nginx at {url}"))?;
    let served = if status.is_success() {
        Served::parse(&body)
    } else {
        None
    };
    served.with_context(|| {
        let what = if status.is_success() {
            "something that is not ours".to_owned()
        } else {
            status.as_u16().to_string()
        };
        format!(
            "{url} answers {what}: nginx's configuration lacks the location that shift-traffic init nginx prints"
        )
    })
}

/// Returns when every new connection is served by what says `wanted`, or at `deadline` what was served last.
///
/// # Errors
///
/// As [`ask`], at the deadline.
pub(crate) async fn wait(
    client: &Client,
    url: &str,
    wanted: &Served,
    deadline: Instant,
) -> anyhow::Result<Result<(), Served>> {
    let mut since = None;
    loop {
        let answer = ask(client, url).await;
        let now = Instant::now();
        match answer {
            Ok(served) if served == *wanted => {
                let since = *since.get_or_insert(now);
                if now - since >= BOTH {
                    return Ok(Ok(()));
                }
            }
            // A newer write has come: ours was served, or never will be.
            Ok(served) if served.write > wanted.write => return Ok(Err(served)),
            Ok(served) if now >= deadline => return Ok(Err(served)),
            Err(error) if now >= deadline => return Err(error),
            Ok(_) | Err(_) => since = None,
        }
        sleep(AGAIN).await;
    }
}
