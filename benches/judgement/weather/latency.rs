//! How long requests take: lognormal, counted in the buckets of a histogram.

/// Buckets of a histogram, the last without an upper bound.
pub(crate) const BUCKETS: usize = 48;

/// Upper bound of the first bucket, ms.
const FIRST: f64 = 10.0;

/// From bound to bound: fine enough that some bound is within 6 % of any wanted time.
const STEP: f64 = 1.12;

const MEDIAN: f64 = 80.0;
/// Of a healthy service, ms.
pub(crate) const P95: f64 = 150.0;
/// The 95th percentile of the normal distribution.
const Z95: f64 = 1.644_853_626_951_472_2;

/// Requests in each bucket.
pub(crate) type Histogram = [u32; BUCKETS];

/// Upper bounds of all buckets but the last, ms.
pub(crate) fn bounds() -> [f64; BUCKETS - 1] {
    std::array::from_fn(|place| FIRST * libm::pow(STEP, place as f64))
}

/// The share of requests in each bucket when everything takes `slowness` times as long as usual.
pub(crate) fn shares(slowness: f64) -> [f64; BUCKETS] {
    let sigma = libm::log(P95 / MEDIAN) / Z95;
    let below = |bound: f64| {
        let z = libm::log(bound / (MEDIAN * slowness)) / sigma;
        f64::midpoint(1.0, libm::erf(z / std::f64::consts::SQRT_2))
    };
    let bounds = bounds();
    std::array::from_fn(|place| {
        let from = if place == 0 { 0.0 } else { below(bounds[place - 1]) };
        bounds.get(place).map_or(1.0, |bound| below(*bound)) - from
    })
}

/// The time that `part` of all requests stay within, ms: straight lines between bounds, as Prometheus reads a
/// histogram. Nothing without requests.
pub(crate) fn quantile(histogram: &Histogram, bounds: &[f64; BUCKETS - 1], part: f64) -> Option<f64> {
    let all: u32 = histogram.iter().sum();
    let wanted = f64::from(all) * part;
    let mut before = 0.0;
    for (place, count) in histogram.iter().enumerate() {
        let upto = before + f64::from(*count);
        if all > 0 && upto >= wanted {
            let from = if place == 0 { 0.0 } else { bounds[place - 1] };
            let Some(to) = bounds.get(place) else {
                return Some(from);
            };
            return Some(from + (to - from) * (wanted - before) / f64::from(*count).max(1.0));
        }
        before = upto;
    }
    None
}
