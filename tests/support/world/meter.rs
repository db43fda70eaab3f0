//! A metrics page that counts as many requests as a large service would, by the share that HAProxy really
//! gives, and that can be broken.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use super::{haproxy, value_in};
use crate::support::http::{Http, Reply, Request};

/// What the page does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Page {
    #[default]
    Well,
    Html,
    Empty,
    Nan,
    Hangs,
    Closes,
}

struct State {
    socket: PathBuf,
    page: Page,
    /// Requests per second, both versions together.
    rate: f64,
    /// Share of failing requests of stable and candidate.
    failing: [f64; 2],
    /// Requests and errors of both.
    counts: [[f64; 2]; 2],
    counted_at: Instant,
}

/// The pages `/blue` and `/green`; gone when it is dropped.
pub(crate) struct Meter {
    http: Http,
    state: Arc<Mutex<State>>,
}

impl Meter {
    /// Counts by the share behind `socket`.
    pub(crate) fn start(socket: PathBuf) -> Self {
        let state = Arc::new(Mutex::new(State {
            socket,
            page: Page::Well,
            rate: 1_000_000.0,
            failing: [0.0; 2],
            counts: [[0.0; 2]; 2],
            counted_at: Instant::now(),
        }));
        let http = Http::start({
            let state = Arc::clone(&state);
            move |request| answer(&mut lock(&state), request)
        });
        Self { http, state }
    }

    pub(crate) fn url(&self, backend: &str) -> String {
        format!("{}/{backend}", self.http.url)
    }

    /// From now on so many of the candidate's requests fail, 0 to 1.
    pub(crate) fn candidate_fails(&self, share: f64) {
        let mut state = lock(&self.state);
        state.count();
        state.failing[1] = share;
    }

    pub(crate) fn page_is(&self, page: Page) {
        lock(&self.state).page = page;
    }

    /// How often a page was asked for.
    pub(crate) fn asked(&self) -> usize {
        self.http.seen().len()
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn answer(state: &mut State, request: &Request) -> Reply {
    state.count();
    match state.page {
        Page::Well => {}
        Page::Html => return Reply::ok("<!DOCTYPE html>\n<title>Sign in</title>\n"),
        Page::Empty => return Reply::ok(""),
        Page::Nan => {
            return Reply::ok(
                "http_requests_total{service=\"shop-api\",code=\"200\"} NaN\n\
                 http_requests_total{service=\"shop-api\",code=\"500\"} NaN\n",
            );
        }
        Page::Hangs => return Reply::Hang,
        Page::Closes => return Reply::Close,
    }
    let [requests, errors] = state.counts[usize::from(request.path == "/green")];
    let (well, errors) = ((requests - errors).floor(), errors.floor());
    Reply::ok(format!(
        "http_requests_total{{service=\"shop-api\",code=\"200\"}} {well}\n\
         http_requests_total{{service=\"shop-api\",code=\"500\"}} {errors}\n"
    ))
}

impl State {
    fn count(&mut self) {
        let time = self.counted_at.elapsed().as_secs_f64();
        self.counted_at = Instant::now();
        let map = self.socket.with_file_name("rollgate.map");
        let said = haproxy::ask(&self.socket, &format!("get map {} web", map.display()));
        let share = said
            .and_then(|said| value_in(&said))
            .and_then(|value| value.split('|').next()?.parse::<f64>().ok())
            .unwrap_or(0.0);
        for (side, part) in [100.0 - share, share].into_iter().enumerate() {
            let requests = self.rate * time * part / 100.0;
            self.counts[side][0] += requests;
            self.counts[side][1] += requests * self.failing[side];
        }
    }
}
