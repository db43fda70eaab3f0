//! A service that others run: keys, limits on how often one may ask, and JSON or one clear cause.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use jiff::fmt::rfc2822::DateTimeParser;
use jiff::{SignedDuration, Timestamp};
use reqwest::header::HeaderValue;
use reqwest::{Client, RequestBuilder, StatusCode, Url};
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::DeserializeOwned;

use super::http::{self, Reply, is_web_page, quote};
use crate::providers::clock::Clock;

/// Far more than the answers to one question are, and a bound on memory.
const MAX_ANSWER: usize = 32 << 20;

/// How long nothing is asked where the service does not say how long.
const PAUSE: SignedDuration = SignedDuration::from_secs(60);

/// No wait is longer: what says so is wrong.
const LONGEST: SignedDuration = SignedDuration::from_hours(24);

/// Errors by which AWS says the same as others with status 429.
const THROTTLED: &str = "Throttling";

/// The way to one service.
pub(super) struct Hosted {
    pub(super) client: Client,
    pub(super) root: Url,
    /// For messages: its name, and its address without secrets.
    pub(super) name: String,
    /// Which keys to check where they are refused.
    keys: &'static str,
    timeout: Duration,
    clock: Clock,
    /// Nothing may be asked before.
    closed_until: Mutex<Option<Timestamp>>,
}

impl Hosted {
    /// The service `name` at `url`, which is told `keys`; a request takes at most `timeout`.
    ///
    /// # Errors
    ///
    /// `url` is no address.
    pub(super) fn new(name: &str, url: &str, keys: &'static str, timeout: Duration) -> Result<Self> {
        let mut root = http::address(url).with_context(|| name.to_owned())?;
        root.set_query(None);
        root.set_fragment(None);
        Ok(Self {
            client: http::client(timeout)?,
            name: format!("{name} at {}", http::shown(&root)),
            root,
            keys,
            timeout,
            clock: Clock::system(),
            closed_until: Mutex::default(),
        })
    }

    /// Where `path` is.
    pub(super) fn endpoint(&self, path: &[&str]) -> Url {
        let mut url = self.root.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        url
    }

    /// Now, as this side sees it.
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// One exchange; `said` finds the service's own word in the body of a refusal.
    ///
    /// # Errors
    ///
    /// There is no whole answer in the form of `T`; or the service wants to be left alone, and then nothing is asked
    /// of it before that time is over.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        request: RequestBuilder,
        said: fn(&[u8]) -> String,
    ) -> Result<T> {
        if let Some(until) = self.closed_until()
            && self.now() < until
        {
            bail!("it allows no request before {until:.0}");
        }
        let reply = http::fetch(request, MAX_ANSWER, self.timeout).await?;
        if !reply.status.is_success() {
            return Err(self.refusal(&reply, &said(&reply.body)));
        }
        json(&reply.body)
    }

    fn refusal(&self, reply: &Reply, said: &str) -> anyhow::Error {
        let error = reply.refusal_of(said, self.keys);
        if reply.status != StatusCode::TOO_MANY_REQUESTS && !said.starts_with(THROTTLED) {
            return error;
        }
        let now = self.now();
        let until = asked_to_wait(reply, now).unwrap_or(now + PAUSE);
        *self.closed_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(until);
        anyhow!("{error}; nothing is asked of it before {until:.0}")
    }

    fn closed_until(&self) -> Option<Timestamp> {
        *self.closed_until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Until when a service wants to be left alone.
///
/// Source: <https://www.rfc-editor.org/rfc/rfc9110#name-retry-after>, and for `X-RateLimit-Reset`
/// <https://docs.datadoghq.com/api/latest/rate-limits/>
fn asked_to_wait(reply: &Reply, now: Timestamp) -> Option<Timestamp> {
    let seconds = |text: &str| text.trim().parse::<u32>().ok();
    let after = |seconds: u32| now + SignedDuration::from_secs(seconds.into()).min(LONGEST);
    let date = |text: &str| DateTimeParser::new().parse_timestamp(text.trim()).ok();
    let retry = reply
        .header("retry-after")
        .and_then(|text| seconds(&text).map(after).or_else(|| date(&text)));
    let reset = || {
        reply
            .header("x-ratelimit-reset")
            .and_then(|text| seconds(&text).map(after))
    };
    retry.or_else(reset).map(|until| until.min(now + LONGEST))
}

/// The body of a successful answer.
fn json<T: DeserializeOwned>(body: &[u8]) -> Result<T> {
    if body.trim_ascii().is_empty() {
        bail!("it answered nothing");
    }
    if is_web_page(body) {
        bail!(
            "it answered with a web page, not with JSON; check the address, and that no login or proxy stands before \
             it: {}",
            quote(body)
        );
    }
    serde_json::from_slice(body).map_err(|error| {
        anyhow!(
            "it answered in another form than documented ({error}): {}",
            quote(body)
        )
    })
}

/// A secret as a header, marked so that nobody prints it.
///
/// # Errors
///
/// It has a character that no header may have; the message does not repeat it.
pub(super) fn secret(name: &str, value: &SecretString) -> Result<HeaderValue> {
    let mut header = HeaderValue::from_str(value.expose_secret().trim())
        .map_err(|_| anyhow!("{name} has a character that no key has"))?;
    header.set_sensitive(true);
    Ok(header)
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderMap;

    use super::*;

    fn reply(name: &'static str, value: &'static str) -> Reply {
        Reply {
            status: StatusCode::TOO_MANY_REQUESTS,
            headers: HeaderMap::from_iter([(name.parse().unwrap(), HeaderValue::from_static(value))]),
            body: Vec::new(),
        }
    }

    #[test]
    fn the_wait_is_read_in_all_its_forms() {
        let now: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
        for (name, value, expected) in [
            ("retry-after", "120", Some("2026-11-23T12:02:00Z")),
            (
                "retry-after",
                "Mon, 23 Nov 2026 12:05:00 GMT",
                Some("2026-11-23T12:05:00Z"),
            ),
            ("x-ratelimit-reset", "30", Some("2026-11-23T12:00:30Z")),
            ("retry-after", "4000000000", Some("2026-11-24T12:00:00Z")),
            ("retry-after", "soon", None),
            ("date", "120", None),
        ] {
            let expected = expected.map(|text| text.parse().unwrap());
            assert_eq!(
                asked_to_wait(&reply(name, value), now),
                expected,
                "{name}: {value}"
            );
        }
    }

    #[test]
    fn a_key_that_no_header_can_hold_is_not_repeated() {
        let error = secret("DD_API_KEY", &"a\nb".into()).unwrap_err();
        assert_eq!(error.to_string(), "DD_API_KEY has a character that no key has");
        assert_eq!(
            format!("{:?}", secret("K", &" abc\n".into()).unwrap()),
            "Sensitive"
        );
    }
}
