//! Prometheus' query API over a service that never was: what it answers follows from the time that is asked for.
//!
//! Two versions with ten pods each, of which one is replaced each hour; five handlers, three codes: 300 series at a
//! time. Everything is a thousandth: a scrape each 15 ms, an hour of 3.6 s.
//!
//! Source: <https://prometheus.io/docs/prometheus/latest/querying/api/#range-vectors>

use std::fmt::Write as _;

use jiff::Timestamp;

use crate::support::http::{Http, Reply, Request};
use crate::two_days::LOOK;

const PODS: i64 = 10;
const HANDLERS: i64 = 5;

/// Looks of an hour.
const HOUR: i64 = 240;

/// A server whose service began at `begin`.
pub(crate) fn start(begin: Timestamp) -> Http {
    // A past, so that the first look of all finds its baselines.
    let begin = begin.as_millisecond() - 20 * look();
    Http::start(move |request| match asked(request) {
        Some(window) => Reply::ok(answer(begin, &window)),
        None => Reply::status(400, "{\"status\":\"error\"}"),
    })
}

fn look() -> i64 {
    i64::try_from(LOOK.as_millis()).expect("a short time")
}

/// What one query wants: samples after `from` up to and with `to`, in milliseconds.
struct Window {
    errors: bool,
    from: i64,
    to: i64,
}

/// A query for `counter{…}[Nms]` at a time, as a form.
fn asked(request: &Request) -> Option<Window> {
    let field = |name: &str| {
        let mut fields = request.body.split('&').filter_map(|field| field.split_once('='));
        fields
            .find(|(key, _)| *key == name)
            .map(|(_, value)| decoded(value))
    };
    let query = field("query")?;
    let to: Timestamp = field("time")?.parse().ok()?;
    let (_, range) = query.rsplit_once('[')?;
    let range: i64 = range.strip_suffix("ms]")?.parse().ok()?;
    Some(Window {
        errors: query.contains("code="),
        from: to.as_millisecond() - range,
        to: to.as_millisecond(),
    })
}

fn decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let mut decoded = parts.next().unwrap_or_default().replace('+', " ");
    for part in parts {
        let (code, rest) = part.split_at(2);
        decoded.push(char::from(u8::from_str_radix(code, 16).expect("two digits")));
        decoded.push_str(&rest.replace('+', " "));
    }
    decoded
}

fn answer(begin: i64, window: &Window) -> String {
    let mut text = "{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[".to_owned();
    let first = ((window.from - begin).div_euclid(look()) + 1).max(0);
    let last = (window.to - begin).div_euclid(look());
    let mut comma = "";
    for (version, rate) in [("v1", 9), ("v2", 1)] {
        for pod in 0..PODS {
            // Lives of this place that the window meets.
            for life in life(pod, first)..=life(pod, last) {
                let (born, dead) = (birth(pod, life), birth(pod, life + 1));
                for handler in 0..HANDLERS {
                    for (code, per_look) in [(200, 100), (404, 5), (500, 0)] {
                        if window.errors && code != 500 {
                            continue;
                        }
                        let _ = write!(
                            text,
                            "{comma}{{\"metric\":{{\"__name__\":\"http_requests_total\",\"service\":\"shop-api\",\
                             \"version\":\"{version}\",\"instance\":\"10.0.{pod}.{life}:8080\",\
                             \"handler\":\"/api/v1/resource/{handler}\",\"code\":\"{code}\"}},\"values\":["
                        );
                        let mut comma_inside = "";
                        for number in first.max(born)..=last.min(dead - 1) {
                            let age = number - born;
                            // One request of ten thousand or so fails, in both versions alike.
                            let count = rate * (age * per_look + if code == 500 { age / 90 } else { 0 });
                            let at = begin + number * look();
                            let (second, ms) = (at.div_euclid(1000), at.rem_euclid(1000));
                            let _ = write!(text, "{comma_inside}[{second}.{ms:03},\"{count}\"]");
                            comma_inside = ",";
                        }
                        text.push_str("]}");
                        comma = ",";
                    }
                }
            }
        }
    }
    text.push_str("]}}");
    text
}

/// Which pod in a row lives at this place then: each hour one of ten is replaced.
fn life(pod: i64, number: i64) -> i64 {
    (number + (PODS - pod) * HOUR).div_euclid(PODS * HOUR)
}

/// The look in which it begins.
fn birth(pod: i64, life: i64) -> i64 {
    life * PODS * HOUR - (PODS - pod) * HOUR
}
