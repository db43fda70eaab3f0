//! A small world of its own for each test: real HAProxy, two versions of a service, a plan, the tools.

pub(crate) mod haproxy;
pub(crate) mod meter;
mod plan;
pub(crate) mod shop;

use std::{
    cell::Cell,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use rollgate::{
    journal::read_events,
    providers::traffic::{Router as _, Seen, WriteError, haproxy::Haproxy},
};
use rollgate_domain::rollout::{
    event::Line,
    moves::{By, Move},
    record::Record,
};
use tempfile::TempDir;

use self::{haproxy::Haproxy as Process, meter::Meter, plan::Plan, shop::Shop};
use super::{
    http::{Http, Reply},
    require,
    servers::until,
    tool::{Ended, Running, binary, run},
};

/// Who answers behind HAProxy.
enum Service {
    /// Answers users and health checks; the meter counts.
    Simulated([Http; 2]),
    /// Two processes that count what they serve.
    Real([Shop; 2]),
}

/// Dropped in this order: who asks before who answers, the folder last.
pub(crate) struct World {
    pub(crate) plan: Plan,
    pub(crate) meter: Option<Meter>,
    pub(crate) haproxy: Vec<Process>,
    service: Service,
    calls: Cell<u32>,
    folder: TempDir,
}

impl World {
    /// One HAProxy and a service of a million requests a second; none where HAProxy is missing.
    pub(crate) fn simulated() -> Option<Self> {
        Self::of(1, false)
    }

    /// As many processes as `processes`, sharing one map.
    pub(crate) fn with_processes(processes: usize) -> Option<Self> {
        Self::of(processes, false)
    }

    /// The example service, which counts what it really served.
    pub(crate) fn real() -> Option<Self> {
        Self::of(1, true)
    }

    /// HAProxy with a configuration that `config` makes from the paths and the plan of this world.
    pub(crate) fn configured(
        sticky: Option<&'static str>,
        config: impl FnOnce(&Self) -> String,
    ) -> Option<Self> {
        let mut world = Self::of(0, false)?;
        world.plan.sticky = sticky;
        world.plan.preview = Some("header: x-preview");
        world.plan.pages = ["blue", "green"].map(|page| format!("http://127.0.0.1:1/{page}"));
        let path = world.path("haproxy.cfg");
        fs::write(&path, config(&world)).expect("the configuration");
        world.start_haproxy(1, &path)?;
        Some(world)
    }

    fn of(processes: usize, real: bool) -> Option<Self> {
        require("haproxy")?;
        let folder = tempfile::Builder::new()
            .prefix("rollgate-")
            .tempdir()
            .expect("a scratch folder");
        let service = if real {
            Service::Real(["blue", "green"].map(|version| Shop::start(version, folder.path())))
        } else {
            Service::Simulated(["blue", "green"].map(|version| {
                Http::always(Reply::Answer {
                    status: 200,
                    headers: vec![format!("x-version: {version}")],
                    body: b"{}".to_vec(),
                })
            }))
        };
        let mut world = Self {
            plan: Plan {
                look: "200ms",
                require: "proof",
                steps: vec![(1, "400ms"), (5, "400ms"), (10, "400ms")],
                blind: "15m",
                sticky: None,
                preview: None,
                backends: ["blue", "green"],
                sockets: Vec::new(),
                map: folder.path().join("rollgate.map").display().to_string(),
                key: "web",
                pages: Default::default(),
                gates: Vec::new(),
                driver: "",
                production: "{}",
                more: String::new(),
                prometheus: None,
            },
            meter: None,
            haproxy: Vec::new(),
            service,
            calls: Cell::new(0),
            folder,
        };
        world.write_file("# one line for each service\nother 3|kept\n\nweb 0|\nwebsite 7|kept too\n");
        world.plan.sockets = vec![world.path("haproxy0.sock").display().to_string()];
        world.start_haproxy(processes, Path::new(haproxy::EXAMPLE))?;
        Some(world)
    }

    fn start_haproxy(&mut self, processes: usize, config: &Path) -> Option<()> {
        let program = require("haproxy")?;
        let [blue, green] = self.backends();
        for number in 0..processes {
            let process = Process::start(&program, config, self.folder.path(), number, [&blue, &green]);
            self.haproxy.push(process);
        }
        if let Some(first) = self.haproxy.first() {
            self.plan.sockets = self
                .haproxy
                .iter()
                .map(|haproxy| haproxy.socket.display().to_string())
                .collect();
            if let Service::Simulated(_) = self.service {
                let meter = Meter::start(first.socket.clone());
                self.plan.pages = ["blue", "green"].map(|backend| meter.url(backend));
                self.meter = Some(meter);
            } else {
                self.plan.pages = [blue, green].map(|address| format!("http://{address}/metrics"));
            }
        }
        Some(())
    }

    /// `HOST:PORT` of both versions.
    pub(crate) fn backends(&self) -> [String; 2] {
        match &self.service {
            Service::Simulated(https) => https.each_ref().map(|http| http.address().to_owned()),
            Service::Real(shops) => shops.each_ref().map(|shop| shop.address.clone()),
        }
    }

    /// The candidate's shop.
    pub(crate) fn green(&self) -> &Shop {
        match &self.service {
            Service::Real([_, green]) => green,
            Service::Simulated(_) => panic!("a simulated service has no dials"),
        }
    }

    pub(crate) fn meter(&self) -> &Meter {
        self.meter.as_ref().expect("a simulated service")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn map(&self) -> PathBuf {
        self.path("rollgate.map")
    }

    /// The journal's folder.
    pub(crate) fn out(&self) -> PathBuf {
        self.path("out")
    }

    /// `shift-traffic` with this world's plan and journal.
    pub(crate) fn command<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Command {
        let plan = self.path("plan.yml");
        // In one: a driver beside the test may be reading it.
        let new = self.path("plan.new");
        fs::write(&new, self.plan.text()).expect("the plan");
        fs::rename(&new, &plan).expect("the plan");
        let mut command = binary("shift-traffic");
        command
            .env("ROLLGATE_PLAN", plan)
            .env("ROLLGATE_OUT", self.out())
            .args(arguments);
        command
    }

    /// Runs it to its end.
    #[track_caller]
    pub(crate) fn shift<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Ended {
        run(self.command(arguments))
    }

    /// Runs it beside the test.
    pub(crate) fn begin<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Running {
        self.spawn(self.command(arguments))
    }

    /// Runs `command` beside the test.
    pub(crate) fn spawn(&self, command: Command) -> Running {
        let call = self.calls.get();
        self.calls.set(call + 1);
        Running::start(command, &self.path(&format!("call{call}")))
    }

    /// A new rollout, and the driver that holds its candidate at `weight` or above.
    #[track_caller]
    pub(crate) fn held_at(&self, weight: u8) -> Running {
        self.shift(["start"]).with(0);
        let driver = self.begin(["run"]);
        until("the share rises", Duration::from_secs(30), || {
            (self.share() >= Some(weight)).then_some(())
        });
        // Users are served before the driver has confirmed it.
        until("the driver says so", Duration::from_secs(30), || {
            let said = self.events();
            let raised = said.iter().any(|line| {
                line.weight.percent() >= weight && line.run.contains(&format!(" {} ", driver.pid()))
            });
            raised.then_some(())
        });
        driver
    }

    /// A rollout that holds `step` and has no driver, as a crash leaves it.
    #[track_caller]
    pub(crate) fn abandoned_at(&self, step: usize) -> Record {
        self.shift(["start"]).with(0);
        let mut record = self.record();
        for step in [Move::Take, Move::Raise]
            .into_iter()
            .chain(std::iter::repeat_n(Move::Advance, step))
        {
            record = after(&record, step);
        }
        self.put(&entry(&record));
        record
    }

    /// The entry in process `number`, none if it does not answer or has none.
    pub(crate) fn value(&self, number: usize) -> Option<String> {
        let said = self.haproxy[number].said(&format!("get map {} web", self.plan_map()))?;
        value_in(&said)
    }

    fn plan_map(&self) -> String {
        self.map().display().to_string()
    }

    /// The entry in the map file.
    pub(crate) fn file_value(&self) -> String {
        let text = fs::read_to_string(self.map()).expect("the map");
        let line = text.lines().find_map(|line| line.strip_prefix("web "));
        line.unwrap_or_default().to_owned()
    }

    /// The live share of the first process.
    pub(crate) fn share(&self) -> Option<u8> {
        share_of(&self.value(0)?)
    }

    /// The live record of the first process.
    #[track_caller]
    pub(crate) fn record(&self) -> Record {
        record_of(&self.value(0).expect("an entry"))
    }

    /// Writes `record` as a driver does.
    ///
    /// # Errors
    ///
    /// As the router has them.
    pub(crate) fn write(&self, record: &Record) -> Result<Seen, WriteError> {
        let sockets = self.haproxy.iter().map(|haproxy| haproxy.socket.clone());
        let router = Haproxy::new(
            sockets.collect(),
            self.map(),
            "web".to_owned(),
            self.plan.backends.map(str::to_owned),
        );
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let seen = router.read().await.map_err(WriteError::Unreachable)?;
            router.write(&seen, record).await
        })
    }

    /// Makes process `number` have `value`, or no entry.
    pub(crate) fn put_live(&self, number: usize, value: Option<&str>) {
        let (haproxy, map) = (&self.haproxy[number], self.plan_map());
        let said = match value {
            None => haproxy.said(&format!("del map {map} web")),
            Some(value) if self.value(number).is_none() => {
                haproxy.said(&format!("add map {map} web {value}"))
            }
            Some(value) => haproxy.said(&format!("set map {map} web {value}")),
        };
        assert_eq!(said.as_deref().map(str::trim), Some(""), "{value:?}");
    }

    /// Makes the file have `value`.
    pub(crate) fn put_file(&self, value: &str) {
        let before = fs::read_to_string(self.map()).expect("the map");
        let text: String = before
            .lines()
            .map(|line| match line.strip_prefix("web ") {
                Some(_) => format!("web {value}\n"),
                None => format!("{line}\n"),
            })
            .collect();
        self.write_file(&text);
    }

    pub(crate) fn write_file(&self, text: &str) {
        fs::write(self.map(), text).expect("the map");
    }

    /// Makes file and processes have `value`.
    pub(crate) fn put(&self, value: &str) {
        self.put_file(value);
        for number in 0..self.haproxy.len() {
            self.put_live(number, Some(value));
        }
    }

    /// The journal's events so far.
    #[track_caller]
    pub(crate) fn events(&self) -> Vec<Line> {
        read_events(&self.out()).expect("events")
    }

    /// Everybody is on stable: every living process and the file say 0 and the same.
    #[track_caller]
    pub(crate) fn assert_all_on_stable(&self) {
        let file = self.file_value();
        assert_eq!(share_of(&file), Some(0), "{file}");
        for number in 0..self.haproxy.len() {
            if let Some(value) = self.value(number) {
                assert_eq!(value, file, "process {number}");
            }
        }
    }
}

/// The value in HAProxy's answer to `get map`.
pub(crate) fn value_in(said: &str) -> Option<String> {
    let (_, rest) = said.split_once("value=\"")?;
    Some(rest.rsplit_once("\", type=")?.0.to_owned())
}

/// The share in an entry's value.
pub(crate) fn share_of(value: &str) -> Option<u8> {
    value.split('|').next()?.parse().ok()
}

/// The record in an entry's value.
#[track_caller]
pub(crate) fn record_of(value: &str) -> Record {
    let (_, record) = value.rsplit_once('|').expect("a record");
    let text = BASE64_STANDARD.decode(record).expect("base64");
    let text = String::from_utf8(text).expect("text");
    Record::decode(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The value that holds `record`.
pub(crate) fn entry(record: &Record) -> String {
    let state = if record.is_tried() { "tried" } else { "over" };
    let text = BASE64_STANDARD.encode(record.encode());
    let (share, candidate) = (record.weight.percent(), &record.candidate.backend);
    format!("{share}|{candidate}|{state}|{text}")
}

/// A value made by hand, green's while it is tried.
pub(crate) fn value_of(share: u8, record: &str) -> String {
    format!("{share}|green|tried|{}", BASE64_STANDARD.encode(record))
}

/// `record` after `step`, by a driver that is gone.
#[track_caller]
pub(crate) fn after(record: &Record, step: Move) -> Record {
    let by = By {
        run: "a run that is gone",
        actor: "somebody",
        at: Timestamp::now(),
    };
    record.after(step, by).expect("a legal move")
}
