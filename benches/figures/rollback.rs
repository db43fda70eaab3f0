//! `shift-traffic rollback` at 10 %, from exec to the confirmed 0 %, beside a shell script that only sets
//! the map and reads it back: no lock, no file, no fsync, no record, no journal.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rollgate::plan::Plan;

use crate::programs::{bare, program, wall};
use crate::router::Proxy;
use crate::table::{Goal, Table, Times};

const RUNS: usize = 200;
const WATCHED_RUNS: usize = 100;
const GOAL: Goal = Goal::Below(95, Duration::from_millis(50));

const SCRIPT: &str = r#"
set -euo pipefail
echo "set map $MAP web 0|" | "$SOCAT" - "UNIX-CONNECT:$SOCKET"
echo "get map $MAP web" | "$SOCAT" - "UNIX-CONNECT:$SOCKET" | grep -q 'value="0|"'
"#;

pub(crate) async fn measure(table: &mut Table) {
    let proxy = Proxy::start();
    let path = proxy.plan("  prometheus: { url: \"http://127.0.0.1:1\" }", "15s");
    let plan = Plan::read(&path).expect("a plan");

    let mut scripted = Vec::new();
    let mut rolled_back = Vec::new();
    // In turns, so that a noisy minute hits both.
    for _ in 0..RUNS {
        proxy.holds_ten_percent(&plan, Timestamp::now()).await;
        rolled_back.push(wall(&mut rollback(&path)));
        assert_eq!(proxy.share().await, 0);

        scripted.push(wall(&mut script(&proxy)));
    }
    let mut until_zero = Vec::new();
    for _ in 0..WATCHED_RUNS {
        proxy.holds_ten_percent(&plan, Timestamp::now()).await;
        until_zero.push(watched(&proxy, &path));
    }
    let flush = Times::of(RUNS, || flushed(&proxy.map()));

    let scripted: Times = scripted.into_iter().collect();
    table.baseline("bash, `echo set map \\| socat`, read back", &scripted);
    let rolled_back = rolled_back.into_iter().collect();
    let what = "`shift-traffic rollback`, from exec to confirmed 0 % and journal";
    table.promise(what, &rolled_back, &[GOAL], &scripted);
    let until_zero = until_zero.into_iter().collect();
    table.figure("… until HAProxy gives the candidate 0 %", &until_zero, &scripted);
    table.figure("… of the rest: fsync of map file and folder", &flush, &scripted);
}

fn rollback(plan: &Path) -> Command {
    let mut command = bare(env!("CARGO_BIN_EXE_shift-traffic"));
    command
        .args(["rollback", "--reason", "bench", "--plan"])
        .arg(plan)
        .arg("--out")
        .arg(plan.with_file_name("out"));
    command
}

fn script(proxy: &Proxy) -> Command {
    let mut command = bare("bash");
    command
        .args(["-c", SCRIPT])
        .env("MAP", proxy.map())
        .env("SOCKET", proxy.socket())
        .env("SOCAT", program("socat"));
    command
}

/// From exec until the process that splits the traffic has 0 %.
fn watched(proxy: &Proxy, plan: &Path) -> Duration {
    let began = Instant::now();
    let mut child = rollback(plan).spawn().expect("shift-traffic");
    while !entry(proxy).contains("value=\"0|") {
        assert!(began.elapsed() < Duration::from_secs(10), "the share stays");
        // Who asks all the time is in the way.
        std::thread::sleep(Duration::from_micros(300));
    }
    let took = began.elapsed();
    assert!(child.wait().expect("its end").success());
    took
}

fn entry(proxy: &Proxy) -> String {
    let mut answer = String::new();
    let mut stream = UnixStream::connect(proxy.socket()).expect("HAProxy's socket");
    let command = format!("get map {} web\n", proxy.map().display());
    stream.write_all(command.as_bytes()).expect("a command");
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

/// As the router does it: a new file in the old one's place, then both to disk.
fn flushed(map: &Path) -> Duration {
    let new = map.with_extension("bench");
    std::fs::copy(map, &new).expect("a copy");
    std::fs::rename(&new, map).expect("the map");
    let began = Instant::now();
    File::open(map).and_then(|file| file.sync_all()).expect("fsync");
    let folder = map.parent().expect("a folder");
    File::open(folder)
        .and_then(|file| file.sync_all())
        .expect("fsync");
    began.elapsed()
}
