//! A server that asks for a pause gets it: nothing is sent before it is over.

use std::sync::{Mutex, PoisonError};

use anyhow::{Result, bail};
use jiff::{SignedDuration, Timestamp, fmt::rfc2822};

use super::super::clock::Clock;
use super::http::Reply;

/// Until when a server wants no question.
pub(super) struct Pause {
    clock: Clock,
    until: Mutex<Option<Timestamp>>,
}

impl Pause {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            clock,
            until: Mutex::default(),
        }
    }

    /// # Errors
    ///
    /// The pause is not over.
    pub(super) fn check(&self) -> Result<()> {
        let until = *self.until.lock().unwrap_or_else(PoisonError::into_inner);
        match until {
            Some(until) if self.clock.now() < until => {
                bail!("it has asked for a pause until {until:.0}; nothing is sent before")
            }
            _ => Ok(()),
        }
    }

    /// Keeps until when the server that gave `reply` wants no more questions, if it says so.
    pub(super) fn heed(&self, reply: &Reply) -> Option<Timestamp> {
        // Too many requests, or not now.
        let asks = matches!(reply.status.as_u16(), 429 | 503);
        let until = until(reply.retry_after().filter(|_| asks).as_deref()?, self.clock.now())?;
        let mut kept = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        *kept = (*kept).max(Some(until));
        Some(until)
    }
}

/// A number of seconds, or a date.
///
/// Source: <https://www.rfc-editor.org/rfc/rfc9110#field.retry-after>
fn until(text: &str, now: Timestamp) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<u32>() {
        return now.checked_add(SignedDuration::from_secs(seconds.into())).ok();
    }
    let date = rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    (date > now).then_some(date)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_seconds_or_a_date() {
        let now: Timestamp = "2026-11-24T16:00:00Z".parse().unwrap();
        for (text, expected) in [
            ("90", Some("2026-11-24T16:01:30Z")),
            ("0", Some("2026-11-24T16:00:00Z")),
            ("Tue, 24 Nov 2026 16:02:00 GMT", Some("2026-11-24T16:02:00Z")),
            ("Tue, 24 Nov 2026 15:02:00 GMT", None),
            ("-1", None),
            ("soon", None),
            ("", None),
        ] {
            let expected = expected.map(|time| time.parse().unwrap());
            assert_eq!(until(text, now), expected, "{text}");
        }
    }
}
