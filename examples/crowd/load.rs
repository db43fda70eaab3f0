//! The open loop: a clock makes requests due, connections send them.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::error::Error as _;
use std::io::{self, ErrorKind};
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{HOST, HeaderName, HeaderValue};
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::{JoinSet, spawn_local};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use crate::tally::{Answer, Tally};
use crate::users::Users;

/// How often the clock makes requests due; tokio's timer knows nothing finer.
const TICK: Duration = Duration::from_millis(1);
/// How late a request may still be sent: after a longer stall the rest is skipped, so that catching up
/// does not become a flood.
const LATEST: Duration = Duration::from_secs(1);
/// When a user gives up.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long what is due is still sent after the end, and then how long its answers are waited for.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// Nanoseconds in a second.
const NANOS: u128 = 1_000_000_000;

const USER: HeaderName = HeaderName::from_static("x-user-id");

type Connection = SendRequest<Empty<Bytes>>;

pub(crate) struct Load {
    host: String,
    port: u16,
    authority: HeaderValue,
    target: Uri,
    rate: u64,
    /// Number and time of each request that is due and not sent yet, in order.
    due: RefCell<VecDeque<(u64, Instant)>>,
    /// One permit for each of them.
    ready: Semaphore,
    users: RefCell<Users>,
    tally: Rc<RefCell<Tally>>,
}

impl Load {
    /// # Errors
    ///
    /// `url` is not plain http or has no host.
    pub(crate) fn new(url: &Uri, rate: u32, users: Users, tally: Rc<RefCell<Tally>>) -> Result<Self> {
        ensure!(
            url.scheme_str() == Some("http"),
            "{url} does not begin with http://"
        );
        let Some(authority) = url.authority() else {
            bail!("{url} names no host")
        };
        Ok(Self {
            host: authority.host().trim_matches(['[', ']']).to_owned(),
            port: authority.port_u16().unwrap_or(80),
            authority: HeaderValue::from_str(authority.as_str())?,
            target: url
                .path_and_query()
                .map_or("/", |target| target.as_str())
                .parse()?,
            rate: rate.into(),
            due: RefCell::default(),
            ready: Semaphore::new(0),
            users: RefCell::new(users),
            tally,
        })
    }

    /// Sends requests over `connections` until `stop`, whose answer it gives back.
    pub(crate) async fn run<T>(self: Rc<Self>, connections: u32, stop: impl Future<Output = T>) -> T {
        let mut senders = JoinSet::new();
        for _ in 0..connections {
            senders.spawn_local(Rc::clone(&self).send_all());
        }
        let reason = tokio::select! {
            reason = stop => reason,
            never = self.tick() => match never {},
        };
        let _ = timeout(LAST_ANSWERS, async {
            while !self.due.borrow().is_empty() {
                sleep(TICK).await
            }
        })
        .await;
        self.stop();
        let _ = timeout(LAST_ANSWERS, async {
            while senders.join_next().await.is_some() {}
        })
        .await;
        self.tally.borrow_mut().close(self.users.borrow());
        reason
    }

    /// Makes requests due, by the time since the start, so that a late tick makes up for itself.
    async fn tick(&self) -> std::convert::Infallible {
        let start = Instant::now();
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut made = 0;
        loop {
            ticks.tick().await;
            let now = start.elapsed();
            let until = self.number(now);
            let oldest = self.number(now.saturating_sub(LATEST));
            let mut due = self.due.borrow_mut();
            let too_late = due.partition_point(|(number, _)| *number < oldest);
            due.drain(..too_late);
            self.ready.forget_permits(too_late);
            for number in made.max(oldest)..until {
                due.push_back((number, start + self.time(number)));
                self.ready.add_permits(1);
            }
            let unmade = oldest.saturating_sub(made);
            self.tally
                .borrow_mut()
                .due(until - made, unmade + u64::try_from(too_late).unwrap_or(u64::MAX));
            made = until;
        }
    }

    /// How many requests are due `since` the start.
    fn number(&self, since: Duration) -> u64 {
        u64::try_from(since.as_nanos() * u128::from(self.rate) / NANOS).unwrap_or(u64::MAX)
    }

    /// When the request of this number is due, since the start.
    fn time(&self, number: u64) -> Duration {
        let nanos = u128::from(number) * NANOS / u128::from(self.rate);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// Nothing is sent any more; what is due and not sent counts as skipped.
    fn stop(&self) {
        self.ready.close();
        let left = self.due.borrow_mut().drain(..).count();
        self.tally
            .borrow_mut()
            .due(0, u64::try_from(left).unwrap_or(u64::MAX));
    }

    /// One connection's life: the next due request, its answer, again.
    async fn send_all(self: Rc<Self>) {
        let mut connection = None;
        while let Ok(permit) = self.ready.acquire().await {
            permit.forget();
            let Some((_, due)) = self.due.borrow_mut().pop_front() else {
                continue;
            };
            let user = self.users.borrow_mut().next();
            let sent = Instant::now();
            self.tally.borrow_mut().sent(sent - due);

            let answer = match timeout(PATIENCE, self.send(&mut connection, user)).await {
                Ok(Ok(answer)) => answer,
                Ok(Err(error)) => Answer::broken(format!("{error:#}")),
                Err(_) => Answer::broken(format!("no answer in {PATIENCE:?}")),
            };
            if answer.broken.is_some() {
                connection = None;
            }
            self.tally
                .borrow_mut()
                .answered(&mut self.users.borrow_mut(), user, sent, answer);
        }
    }

    /// One request and its answer in full.
    async fn send(&self, connection: &mut Option<Connection>, user: Option<u32>) -> Result<Answer> {
        let (open, mut response) = match self.send_on_kept(connection.take(), user).await? {
            Some(answered) => answered,
            None => {
                let mut open = self.connect().await?;
                let response = open.send_request(self.request(user)).await;
                (open, response.context("wait for the answer")?)
            }
        };
        let version = response
            .headers()
            .get("x-version")
            .and_then(|name| name.to_str().ok())
            .map(str::to_owned);
        let failed = response.status() >= StatusCode::INTERNAL_SERVER_ERROR;
        let mut broken = None;
        while let Some(frame) = response.body_mut().frame().await {
            if let Err(error) = frame {
                broken = Some(format!("read the answer: {error}"));
                break;
            }
        }
        *connection = Some(open);
        Ok(Answer {
            version,
            failed,
            broken,
        })
    }

    /// The answer over the connection that was kept, or nothing if there is none or the other end has closed it.
    ///
    /// A server may close an idle connection just when a request is on its way. Like a browser, the crowd
    /// then asks again on a new connection, but says in the report how often.
    ///
    /// Source: <https://www.rfc-editor.org/rfc/rfc9112#section-9.3.1>
    async fn send_on_kept(
        &self,
        kept: Option<Connection>,
        user: Option<u32>,
    ) -> Result<Option<(Connection, Response<Incoming>)>> {
        let Some(mut open) = kept else { return Ok(None) };
        if open.ready().await.is_err() {
            self.tally.borrow_mut().reconnected();
            return Ok(None);
        }
        match open.send_request(self.request(user)).await {
            Ok(response) => Ok(Some((open, response))),
            Err(error) if closed_before_the_answer(&error) => {
                self.tally.borrow_mut().resent();
                Ok(None)
            }
            Err(error) => Err(error).context("wait for the answer"),
        }
    }

    fn request(&self, user: Option<u32>) -> Request<Empty<Bytes>> {
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = self.target.clone();
        request.headers_mut().insert(HOST, self.authority.clone());
        if let Some(user) = user {
            request.headers_mut().insert(USER, user.into());
        }
        request
    }

    async fn connect(&self) -> Result<Connection> {
        let stream = TcpStream::connect((&*self.host, self.port))
            .await
            .context("connect")?;
        stream.set_nodelay(true).context("connect")?;
        let (open, driver) = http1::handshake(TokioIo::new(stream)).await.context("connect")?;
        // Ends with the connection; what broke it is told to the request that was on its way.
        spawn_local(async move { drop(driver.await) });
        Ok(open)
    }
}

fn closed_before_the_answer(error: &hyper::Error) -> bool {
    let reset =
        |error: &io::Error| matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe);
    error.is_incomplete_message()
        || error.is_canceled()
        || error
            .source()
            .and_then(|source| source.downcast_ref())
            .is_some_and(reset)
}
