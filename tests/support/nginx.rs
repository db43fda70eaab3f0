//! A small world with a real nginx: two versions of a service, the file that rollgate writes, and a plan.

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf, process::Command, time::Duration};

use rollgate::providers::traffic::{Users, nginx};
use tempfile::TempDir;

use super::{
    http::nobody,
    require,
    servers::until,
    tool::{Ended, Running, binary, run},
    world::shop::{Shop, http},
};

/// Dropped in this order: who asks before who answers, the folder last.
pub(crate) struct NginxWorld {
    /// `HOST:PORT` for users.
    pub(crate) front: String,
    /// Sections of the plan about users.
    pub(crate) users: &'static str,
    /// The plan's steps.
    pub(crate) steps: &'static str,
    pub(crate) backends: [&'static str; 2],
    running: Option<Running>,
    program: PathBuf,
    shops: [Shop; 2],
    folder: TempDir,
}

impl NginxWorld {
    /// nginx with the lines that `init nginx` prints; none where nginx is missing.
    pub(crate) fn start(users: &'static str) -> Option<Self> {
        let program = require("nginx")?;
        let folder = tempfile::Builder::new()
            .prefix("rollgate-")
            .tempdir()
            .expect("a scratch folder");
        // Workers run as somebody else.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("a mode");
        let mut world = Self {
            front: String::new(),
            users,
            steps: "[{ weight: 10%, for: 1h }, { weight: 50%, for: 1h }]",
            backends: ["blue", "green"],
            running: None,
            program,
            shops: ["blue", "green"].map(|version| Shop::start(version, folder.path())),
            folder,
        };
        // The port is free when it is chosen; somebody else may be faster.
        for _ in 0..5 {
            world.front = nobody();
            let (file, config) = world.pasted();
            fs::write(world.include(), file).expect("the file");
            fs::write(world.config(), config).expect("the configuration");
            if world.begin() {
                return Some(world);
            }
        }
        panic!("nginx does not begin: {}", world.log());
    }

    /// The file and the configuration as a team would have them: the printed lines at the places they name.
    fn pasted(&self) -> (String, String) {
        let printed = self.shift(["init", "nginx"]).with(0).stdout;
        let part = |number: u32| -> String {
            let (_, rest) = printed
                .split_once(&format!("# {number}. "))
                .expect("a numbered part");
            let rest = rest
                .split_once(&format!("# {}. ", number + 1))
                .map_or(rest, |(part, _)| part);
            rest.lines()
                .filter(|line| line.starts_with("    "))
                .map(|line| format!("{line}\n"))
                .collect()
        };
        let (_, file) = printed.split_once("<<'END'\n").expect("a file");
        let (file, _) = file.split_once("END\n").expect("its end");
        let [blue, green] = self.shops.each_ref().map(|shop| shop.address.as_str());
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .iter()
            .map(|name| format!("    {name}_temp_path {};\n", self.path(name).display()))
            .collect();
        let config = format!(
            "daemon off;\npid {pid};\nerror_log {log};\nworker_processes 2;\nworker_shutdown_timeout 5s;\n\
             events {{ worker_connections 512; }}\nhttp {{\n    access_log off;\n{temporary}{include}\
             \x20   upstream blue {{\n        server {blue};\n        keepalive 16;\n    }}\n\
             \x20   upstream green {{ server {green}; keepalive 16; }}\n    include {more}*.conf;\n\
             \x20   server {{\n    listen {front};\n    location / {{\n    proxy_http_version 1.1;\n    \
             proxy_set_header Connection \"\";\n{pass}    }}\n{location}    }}\n}}\n",
            pid = self.path("nginx.pid").display(),
            log = self.path("error.log").display(),
            include = part(1),
            more = self.path("more-").display(),
            front = self.front,
            pass = part(2),
            location = part(3),
        );
        (file.to_owned(), config)
    }

    /// Whether it serves; false if it ended by itself.
    pub(crate) fn begin(&mut self) -> bool {
        let mut command = Command::new(&self.program);
        command.arg("-c").arg(self.config());
        let mut running = Running::server(&command, &self.path("nginx"));
        let began = until("nginx begins", Duration::from_secs(20), || {
            self.served()
                .map(|_| true)
                .or_else(|| running.is_over().then_some(false))
        });
        self.running = began.then_some(running);
        began
    }

    /// Ends it at once, as a crash would.
    pub(crate) fn stop(&mut self) {
        self.running = None;
        until("nginx is gone", Duration::from_secs(10), || {
            self.served().is_none().then_some(())
        });
        let _ = fs::remove_file(self.path("nginx.pid"));
    }

    /// Reloads as somebody else does; returns when the old workers accept no more.
    pub(crate) fn reload(&self) {
        let before = self.workers();
        self.signal("HUP");
        until("nginx reloads", Duration::from_secs(20), || {
            let now = self.workers();
            (!now.is_empty() && now.iter().all(|worker| !before.contains(worker))).then_some(())
        });
        // They say so just before they do.
        std::thread::sleep(Duration::from_millis(300));
    }

    /// Sends a signal to the master.
    pub(crate) fn signal(&self, name: &str) {
        self.running.as_ref().expect("a running nginx").signal(name);
    }

    /// The processes that accept, without those that are on their way out.
    pub(crate) fn workers(&self) -> Vec<u32> {
        let pid = self.running.as_ref().expect("a running nginx").pid();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
        let is_worker = |pid: &u32| {
            fs::read_to_string(format!("/proc/{pid}/cmdline"))
                .is_ok_and(|name| name.contains("worker process") && !name.contains("shutting down"))
        };
        children
            .expect("its children")
            .split_whitespace()
            .filter_map(|pid| pid.parse().ok())
            .filter(is_worker)
            .collect()
    }

    /// What the location answers.
    pub(crate) fn served(&self) -> Option<String> {
        use std::io::{Read as _, Write as _};
        let mut stream = std::net::TcpStream::connect(&self.front).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
        let request = "GET /rollgate/served HTTP/1.0\r\nhost: shop\r\n\r\n";
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer.split_once("\r\n\r\n")?.1.trim_end().to_owned())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn include(&self) -> PathBuf {
        self.path("rollgate.conf")
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.path("nginx.conf")
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("nginx.err")).unwrap_or_default()
            + &fs::read_to_string(self.path("error.log")).unwrap_or_default()
    }

    /// The file that rollgate writes.
    pub(crate) fn file(&self) -> String {
        fs::read_to_string(self.include()).expect("the file")
    }

    /// The plan's section `traffic`.
    pub(crate) fn traffic(&self) -> String {
        format!(
            "traffic:\n  nginx: {{ include: {}, config: {}, served: \"http://{}/rollgate/served\", key: web, \
             backends: [{}] }}\n",
            self.include().display(),
            self.config().display(),
            self.front,
            self.backends.join(", ")
        )
    }

    fn plan(&self) -> String {
        let [blue, green] = self.shops.each_ref().map(|shop| shop.address.as_str());
        let [first, second] = self.backends;
        format!(
            "service: shop-api\n{}{}\nmetrics:\n  scrape: {{ pages: {{ {first}: [\"http://{blue}/metrics\"], {second}: \
             [\"http://{green}/metrics\"] }} }}\n  requests: http_requests_total{{service=\"shop-api\"}}\n  errors: \
             http_requests_total{{service=\"shop-api\",code=~\"5..\"}}\n\
             judgement: {{ look: 300ms, grace: 100ms, forgive: 300ms, delay: 20ms, cluster-size: 1 }}\n\
             phases: {{ canary: {{ require: no-harm, steps: {} }} }}\n",
            self.traffic(),
            self.users,
            self.steps
        )
    }

    /// `shift-traffic` with this world's plan and journal.
    pub(crate) fn command<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Command {
        let plan = self.path("plan.yml");
        fs::write(&plan, self.plan()).expect("the plan");
        let mut command = binary("shift-traffic");
        command
            .env("ROLLGATE_PLAN", plan)
            .env("ROLLGATE_OUT", self.path("out"))
            .args(arguments);
        command
    }

    /// Runs it to its end.
    #[track_caller]
    pub(crate) fn shift<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Ended {
        run(self.command(arguments))
    }

    /// The provider as the plan has it, but for its users.
    pub(crate) fn router(&self, users: Users) -> nginx::Nginx {
        nginx::Nginx::new(
            self.include(),
            self.config(),
            format!("http://{}/rollgate/served", self.front),
            "web".to_owned(),
            self.backends.map(str::to_owned),
            users,
        )
    }

    /// Which version a request meets.
    #[track_caller]
    pub(crate) fn version(&self, line: &str, headers: &str) -> String {
        let (status, version) = http(&self.front, line, headers).expect("an answer");
        assert_eq!(status, 200, "{}", self.log());
        version
    }
}
