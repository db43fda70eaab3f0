//! What can be turned while the service runs: text from flags and from `PUT /dials?…`, to values.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::SignedDuration;
use reqwest::Url;

/// How the service behaves; its `Display` is JSON.
#[derive(Clone, Copy)]
pub(crate) struct Dials {
    pub(crate) error_rate: ErrorRate,
    pub(crate) latency: Latency,
}

impl Dials {
    /// These dials after `query`, for example `error-rate=2%25&latency=50ms`.
    ///
    /// # Errors
    ///
    /// A sentence for the person at the dials, if one of the names or values is unknown.
    pub(crate) fn turned(self, query: &str) -> Result<Self, String> {
        let mut turned = self;
        let mut url = Url::parse("http://shop/dials").map_err(|error| error.to_string())?;
        url.set_query(Some(query));
        for (name, value) in url.query_pairs() {
            match &*name {
                "error-rate" => turned.error_rate = value.parse().map_err(|bad| format!("{name}: {bad}"))?,
                "latency" => turned.latency = value.parse().map_err(|bad| format!("{name}: {bad}"))?,
                _ => return Err(format!("{name}: no such dial; there are error-rate and latency")),
            }
        }
        Ok(turned)
    }
}

impl fmt::Display for Dials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { error_rate, latency } = self;
        write!(f, "{{\"error-rate\":\"{error_rate}\",\"latency\":\"{latency}\"}}")
    }
}

/// A share of requests in percent, 0 to 100, kept as typed: 0.7 stays 0.7.
#[derive(Clone, Copy)]
pub(crate) struct ErrorRate(f64);

impl ErrorRate {
    /// Whether a request fails that drew `draw`, 0 to below 1.
    pub(crate) fn strikes(self, draw: f64) -> bool {
        draw * 100.0 < self.0
    }
}

impl FromStr for ErrorRate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.strip_suffix('%')
            .and_then(|number| number.trim_end().parse().ok())
            .filter(|percent| (0.0..=100.0).contains(percent))
            .map(Self)
            .ok_or_else(|| format!("expected a percentage from 0% to 100% like 0.1%, found {text:?}"))
    }
}

impl fmt::Display for ErrorRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}

/// The time that a request takes, 0 to [`Latency::MAX`].
#[derive(Clone, Copy)]
pub(crate) struct Latency(SignedDuration);

impl Latency {
    /// Longer than any client waits; a larger number is a slip.
    const MAX: SignedDuration = SignedDuration::from_secs(60);

    pub(crate) fn time(self) -> Duration {
        self.0.unsigned_abs()
    }
}

impl FromStr for Latency {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse()
            .ok()
            .filter(|time| (SignedDuration::ZERO..=Self::MAX).contains(time))
            .map(Self)
            .ok_or_else(|| format!("expected a time from 0ms to 60s like 50ms, found {text:?}"))
    }
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.0)
    }
}
