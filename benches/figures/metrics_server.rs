//! Prometheus' query API over a service that never was: what it answers follows from the time that is asked for.
//!
//! Two versions with ten pods each, of which one is replaced each hour; five handlers, three codes: 300 series at a
//! time. Everything is a thousandth: a scrape each 15 ms, an hour of 3.6 s.
//!
//! Source: <https://prometheus.io/docs/prometheus/latest/querying/api/#range-vectors>

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

/// One pod's life, in looks since the beginning.
struct Pod {
    version: &'static str,
    /// Its traffic, as a multiple of a candidate's pod's.
    rate: i64,
    address: String,
    born: i64,
    dead: i64,
}

fn answer(begin: i64, window: &Window) -> String {
    let first = ((window.from - begin).div_euclid(look()) + 1).max(0);
    let last = (window.to - begin).div_euclid(look());
    let codes: &[(i64, i64)] = if window.errors {
        &[(500, 0)]
    } else {
        &[(200, 100), (404, 5), (500, 0)]
    };
    let mut series = Vec::new();
    for pod in pods(first, last) {
        for handler in 0..HANDLERS {
            for (code, per_look) in codes {
                // Of ten thousand requests one or so fails, in both versions alike.
                let count = |age: i64| pod.rate * if *code == 500 { age / 90 } else { age * per_look };
                let points: Vec<_> = (first.max(pod.born)..=last.min(pod.dead - 1))
                    .map(|number| point(begin + number * look(), count(number - pod.born)))
                    .collect();
                series.push(one(&pod, handler, *code, &points.join(",")));
            }
        }
    }
    format!(
        "{{\"status\":\"success\",\"data\":{{\"resultType\":\"matrix\",\"result\":[{}]}}}}",
        series.join(",")
    )
}

/// Those that lived between two looks.
fn pods(first: i64, last: i64) -> Vec<Pod> {
    let mut pods = Vec::new();
    for (version, rate) in [("v1", 9), ("v2", 1)] {
        for place in 0..PODS {
            pods.extend((life(place, first)..=life(place, last)).map(|life| Pod {
                version,
                rate,
                address: format!("10.0.{place}.{life}:8080"),
                born: birth(place, life),
                dead: birth(place, life + 1),
            }));
        }
    }
    pods
}

fn point(at: i64, count: i64) -> String {
    let (second, ms) = (at.div_euclid(1000), at.rem_euclid(1000));
    format!("[{second}.{ms:03},\"{count}\"]")
}

fn one(pod: &Pod, handler: i64, code: i64, points: &str) -> String {
    let Pod { version, address, .. } = pod;
    format!(
        "{{\"metric\":{{\"__name__\":\"http_requests_total\",\"service\":\"shop-api\",\
         \"version\":\"{version}\",\"instance\":\"{address}\",\
         \"handler\":\"/api/v1/resource/{handler}\",\"code\":\"{code}\"}},\"values\":[{points}]}}"
    )
}

/// Which pod in a row lives at this place in that look: each hour one of ten is replaced.
fn life(place: i64, number: i64) -> i64 {
    (number + (PODS - place) * HOUR).div_euclid(PODS * HOUR)
}

/// The look in which it begins.
fn birth(place: i64, life: i64) -> i64 {
    life * PODS * HOUR - (PODS - place) * HOUR
}
