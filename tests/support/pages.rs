//! Metrics pages of two versions that count as a large service would, whatever share each of them has.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use super::http::{Http, Reply};

/// A million requests a second on blue, and a hundred thousand on green.
pub(crate) struct Pages {
    http: Http,
    green_fails: Arc<AtomicBool>,
}

impl Pages {
    pub(crate) fn start() -> Self {
        let green_fails = Arc::new(AtomicBool::new(false));
        let began = Instant::now();
        let http = Http::start({
            let green_fails = Arc::clone(&green_fails);
            move |request| {
                let time = began.elapsed().as_secs_f64();
                let is_green = request.path == "/green";
                let requests = time * if is_green { 100_000.0 } else { 1_000_000.0 };
                let errors = match is_green && green_fails.load(Ordering::SeqCst) {
                    true => requests / 10.0,
                    false => 0.0,
                };
                Reply::ok(format!(
                    "http_requests_total{{service=\"shop-api\",code=\"200\"}} {:.0}\n\
                     http_requests_total{{service=\"shop-api\",code=\"500\"}} {errors:.0}\n",
                    requests - errors
                ))
            }
        });
        Self { http, green_fails }
    }

    /// The section `metrics` of a plan whose backends are these.
    pub(crate) fn metrics(&self, [blue, green]: [&str; 2]) -> String {
        let url = &self.http.url;
        format!(
            "metrics:\n  scrape:\n    pages:\n      {blue}: [{url}/blue]\n      {green}: [{url}/green]\n  \
             requests: http_requests_total{{service=\"shop-api\"}}\n  \
             errors: http_requests_total{{service=\"shop-api\",code=~\"5..\"}}\n"
        )
    }

    /// From now on one of ten requests of green fails, or none.
    pub(crate) fn green_fails(&self, fails: bool) {
        self.green_fails.store(fails, Ordering::SeqCst);
    }
}
