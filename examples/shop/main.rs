//! A small web service whose health can be turned by dials: what rollgate's demo and tests ship.
//!
//! Every path answers 200, or 500 at the dialled rate, after the dialled latency, with the version in
//! the header `x-version`. `/metrics`, `/health` and `/dials` are not counted as requests.
//!
//! One thread: two of these, a router and a crowd of users share two cores.

mod dials;
mod metrics;

use std::cell::RefCell;
use std::convert::Infallible;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use clap::Parser;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{LocalSet, spawn_local};

use crate::dials::{Dials, ErrorRate, Latency};
use crate::metrics::Metrics;

/// A small web service with dials for error rate and latency
#[derive(Parser)]
#[command(name = "shop")]
struct Args {
    /// Address to listen on; with port 0 the system chooses one, see the first line of the output
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    listen: SocketAddr,

    /// Version in the header x-version and in the metrics: letters, digits, `.`, `_`, `-`
    #[arg(long, value_name = "NAME", default_value = "v1", value_parser = version_name)]
    version_name: String,

    /// Share of requests answered with 500
    #[arg(long, value_name = "PERCENT", default_value = "0%")]
    error_rate: ErrorRate,

    /// Time that each request takes
    #[arg(long, value_name = "DURATION", default_value = "0ms")]
    latency: Latency,

    /// Seed of the draw of the errors; the same seed fails the same requests
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
}

/// A name that needs no escaping as a header value, as a label value and in JSON.
fn version_name(text: &str) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) {
        Ok(text.to_owned())
    } else {
        Err("a version is letters, digits, `.`, `_` and `-`".to_owned())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let Args {
        listen,
        version_name,
        error_rate,
        latency,
        seed,
    } = Args::parse();
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("listen on {listen}"))?;
    let mut stdout = io::stdout();
    writeln!(
        stdout,
        "listening on {}",
        listener.local_addr().context("read the port")?
    )?;
    stdout.flush()?;

    let shop = Rc::new(Shop {
        version: HeaderValue::from_str(&version_name).context("put --version-name into a header")?,
        page: Bytes::from(format!(
            "{{\"service\":\"shop-api\",\"version\":\"{version_name}\"}}\n"
        )),
        state: RefCell::new(State {
            dials: Dials { error_rate, latency },
            metrics: Metrics::new(version_name),
            random: fastrand::Rng::with_seed(seed),
        }),
    });
    LocalSet::new().run_until(accept(listener, shop)).await;
    Ok(())
}

struct Shop {
    version: HeaderValue,
    page: Bytes,
    // Borrowed between two waits only: one thread, so never by two at once.
    state: RefCell<State>,
}

struct State {
    dials: Dials,
    metrics: Metrics,
    random: fastrand::Rng,
}

async fn accept(listener: TcpListener, shop: Rc<Shop>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(spawn_local(serve(stream, Rc::clone(&shop)))),
            // Out of file handles, most often: they come back when connections close.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn serve(stream: TcpStream, shop: Rc<Shop>) {
    // Without it an answer may wait 40 ms for the peer's delayed acknowledgement.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let shop = Rc::clone(&shop);
        async move { Ok::<_, Infallible>(shop.answer(&request).await) }
    });
    // A client that goes away in the middle is no matter of ours.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

impl Shop {
    async fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        match request.uri().path() {
            "/health" => self.reply(StatusCode::OK, "text/plain", Bytes::from_static(b"ok\n")),
            "/metrics" => {
                let text = self.state.borrow().metrics.to_string();
                self.reply(
                    StatusCode::OK,
                    "text/plain; version=0.0.4; charset=utf-8",
                    text.into(),
                )
            }
            "/dials" => self.turn(request.method(), request.uri().query().unwrap_or_default()),
            _ => self.page().await,
        }
    }

    /// One request of a user: the only kind that is counted.
    async fn page(&self) -> Response<Full<Bytes>> {
        let began = Instant::now();
        let latency = self.state.borrow().dials.latency.time();
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        let mut state = self.state.borrow_mut();
        let State {
            dials,
            metrics,
            random,
        } = &mut *state;
        let fails = dials.error_rate.strikes(random.f64());
        metrics.count(fails, began.elapsed());
        if fails {
            let page = Bytes::from_static(b"{\"error\":\"dialled\"}\n");
            self.reply(StatusCode::INTERNAL_SERVER_ERROR, "application/json", page)
        } else {
            self.reply(StatusCode::OK, "application/json", self.page.clone())
        }
    }

    /// Reads the dials (GET) or turns those that `query` names (PUT): all of them or, if one is bad, none.
    fn turn(&self, method: &Method, query: &str) -> Response<Full<Bytes>> {
        let mut state = self.state.borrow_mut();
        match *method {
            Method::GET => {}
            Method::PUT => match state.dials.turned(query) {
                Ok(turned) => state.dials = turned,
                Err(reason) => {
                    return self.reply(
                        StatusCode::BAD_REQUEST,
                        "text/plain",
                        format!("{reason}\n").into(),
                    );
                }
            },
            _ => {
                let words = Bytes::from_static(b"GET reads the dials, PUT turns them\n");
                let mut reply = self.reply(StatusCode::METHOD_NOT_ALLOWED, "text/plain", words);
                reply
                    .headers_mut()
                    .insert(ALLOW, HeaderValue::from_static("GET, PUT"));
                return reply;
            }
        }
        self.reply(
            StatusCode::OK,
            "application/json",
            format!("{}\n", state.dials).into(),
        )
    }

    fn reply(&self, status: StatusCode, kind: &'static str, body: Bytes) -> Response<Full<Bytes>> {
        let mut reply = Response::new(Full::new(body));
        *reply.status_mut() = status;
        let headers = reply.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        headers.insert(HeaderName::from_static("x-version"), self.version.clone());
        reply
    }
}
