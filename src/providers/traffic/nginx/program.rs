//! nginx itself: is its configuration sound, does it have what we need, and read it anew.
//!
//! Source: <https://nginx.org/en/docs/switches.html>

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::bail;

use crate::providers::process::{self, Ended};

/// A configuration of ten thousand lines is tested in a second; names that it must resolve take longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where packages and nginx's own `make install` put it.
const FOLDERS: [&str; 7] = [
    "/usr/sbin",
    "/usr/local/sbin",
    "/usr/bin",
    "/usr/local/bin",
    "/usr/local/nginx/sbin",
    "/usr/local/openresty/nginx/sbin",
    "/opt/nginx/sbin",
];

/// What `nginx -t` said against the configuration.
#[derive(Debug)]
pub(crate) struct Broken {
    /// In nginx's words.
    pub(crate) said: String,
    /// The file at fault, if it names one.
    pub(crate) file: Option<PathBuf>,
}

/// Whether the configuration as it lies there could be loaded.
///
/// # Errors
///
/// nginx is not there, or does not end.
pub(crate) async fn test(config: &Path) -> anyhow::Result<Result<(), Broken>> {
    let ended = nginx(config, "-t").await?;
    Ok(if ended.success {
        Ok(())
    } else {
        Err(broken(&ended.stderr))
    })
}

/// The whole configuration with all that it includes, as nginx reads it.
///
/// # Errors
///
/// As [`test`].
pub(crate) async fn dump(config: &Path) -> anyhow::Result<Result<Dump, Broken>> {
    let ended = nginx(config, "-T").await?;
    Ok(if ended.success {
        Ok(Dump(ended.stdout))
    } else {
        Err(broken(&ended.stderr))
    })
}

/// Tells the running nginx to read its configuration anew. It does so in its own time.
///
/// # Errors
///
/// It does not run, or may not be told.
pub(crate) async fn reload(config: &Path) -> anyhow::Result<()> {
    let program = process::find("nginx", &FOLDERS)?;
    let arguments = ["-s", "reload", "-c"].map(OsStr::new);
    let arguments: Vec<&OsStr> = arguments.into_iter().chain([config.as_os_str()]).collect();
    let ended = process::run(&program, &arguments, PATIENCE).await?;
    if !ended.success {
        let said = broken(&ended.stderr).said;
        let hint = if is_forbidden(&said) {
            ALLOW
        } else {
            ": is nginx running, with this configuration?"
        };
        bail!("reload nginx{hint}: {said}");
    }
    Ok(())
}

/// The way out where rollgate may not do what it must.
const ALLOW: &str =
    " (run rollgate as the user who started nginx: it must read the configuration and signal the master)";

fn is_forbidden(said: &str) -> bool {
    said.contains("Permission denied") || said.contains("Operation not permitted")
}

async fn nginx(config: &Path, switch: &str) -> anyhow::Result<Ended> {
    let program = process::find("nginx", &FOLDERS)?;
    let arguments = [
        OsStr::new("-q"),
        OsStr::new(switch),
        OsStr::new("-c"),
        config.as_os_str(),
    ];
    process::run(&program, &arguments, PATIENCE).await
}

fn broken(stderr: &str) -> Broken {
    let serious = |line: &&str| {
        ["[emerg]", "[alert]", "[error]", "[crit]"]
            .iter()
            .any(|level| line.contains(level))
    };
    let lines: Vec<&str> = stderr.lines().filter(|line| !line.is_empty()).collect();
    let line = lines.iter().copied().find(serious).or(lines.last().copied());
    let said = line.map_or("it said nothing", words);
    let place = said
        .rsplit_once(" in ")
        .and_then(|(_, place)| place.rsplit_once(':'));
    let file = place.filter(|(path, line)| path.starts_with('/') && line.parse::<u32>().is_ok());
    Broken {
        said: format!("{said}{}", if is_forbidden(said) { ALLOW } else { "" }),
        file: file.map(|(path, _)| path.into()),
    }
}

/// A line of nginx's without time, level and process.
fn words(line: &str) -> &str {
    let said = line.rsplit_once("] ").map_or(line, |(_, said)| said);
    match said.split_once(": ") {
        Some((process, said)) if process.contains('#') && !process.contains(' ') => said,
        _ => said,
    }
}

/// A configuration as nginx reads it. It may hold secrets: never to be printed.
pub(crate) struct Dump(String);

/// What nginx prints above each file.
const FILE: &str = "# configuration file ";

impl Dump {
    /// The files with their paths.
    fn files(&self) -> impl Iterator<Item = (&Path, &str)> {
        self.0.split(FILE).filter_map(|part| {
            let (path, text) = part.split_once(":\n")?;
            Some((Path::new(path), text))
        })
    }

    /// What keeps the file `include` from deciding about users, in words.
    pub(crate) fn trouble(&self, include: &Path, variable: &str, backends: &[String; 2]) -> Option<String> {
        let real = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let ours = real(include);
        if !self.files().any(|(path, _)| real(path) == ours) {
            return Some(format!(
                "nginx's configuration does not include {}: add the line \"include {};\" to its section http \
                 (shift-traffic init nginx prints it)",
                include.display(),
                include.display()
            ));
        }
        let foreign: Vec<&str> = self
            .files()
            .filter(|(path, _)| real(path) != ours)
            .flat_map(|(_, text)| text.lines())
            .map(|line| line.split_once('#').map_or(line, |(code, _)| code).trim())
            .collect();
        let names: Vec<&str> = foreign
            .iter()
            .filter_map(|line| line.strip_prefix("upstream "))
            .map(|rest| rest.trim_end_matches('{').trim())
            .map(|rest| rest.split([' ', '{']).next().unwrap_or_default())
            .collect();
        if let Some(missing) = backends.iter().find(|name| !names.contains(&name.as_str())) {
            let known = if names.is_empty() {
                "none".to_owned()
            } else {
                names.join(", ")
            };
            return Some(format!(
                "nginx has no upstream \"{missing}\"; it has {known}: correct traffic.nginx.backends in the plan"
            ));
        }
        (!foreign.iter().any(|line| line.contains(variable))).then(|| {
            format!(
                "nothing in nginx's configuration uses {variable}: write \"proxy_pass http://{variable};\" where \
                 users are served (shift-traffic init nginx prints it)"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nginx_is_quoted_without_time_and_process_and_the_file_at_fault_is_known() {
        let of = |stderr: &str| {
            let Broken { said, file } = broken(stderr);
            (said, file.map(|file| file.display().to_string()))
        };
        assert_eq!(
            of(
                "2026/11/24 06:57:39 [warn] 8#8: x\n2026/11/24 06:57:39 [emerg] 20843#20843: invalid percent value \"0%\" in /tmp/rg.conf:2\nnginx: configuration file /tmp/nginx.conf test failed\n"
            ),
            (
                "invalid percent value \"0%\" in /tmp/rg.conf:2".to_owned(),
                Some("/tmp/rg.conf".to_owned())
            )
        );
        assert_eq!(
            of("nginx: [error] invalid PID number \"\" in \"/run/nginx.pid\"\n"),
            ("invalid PID number \"\" in \"/run/nginx.pid\"".to_owned(), None)
        );
        assert_eq!(of("").0, "it said nothing");
        assert!(
            of("nginx: [emerg] open() \"/run/nginx.pid\" failed (13: Permission denied)")
                .0
                .ends_with(ALLOW)
        );
    }

    #[test]
    fn a_configuration_that_would_not_do_what_we_write_is_told() {
        let main = "upstream blue { server a; }\nupstream green{\nserver b;\n}\n";
        let dump = |main: &str, ours: &str| {
            Dump(format!(
                "# configuration file /etc/nginx/nginx.conf:\n{main}\n# configuration file {ours}:\nmap $rollgate_web_backend;\n"
            ))
        };
        let trouble = |dump: &Dump, second: &str| {
            dump.trouble(
                Path::new("/etc/nginx/rollgate.conf"),
                "$rollgate_web_backend",
                &["blue".to_owned(), second.to_owned()],
            )
        };
        let used = format!("{main}proxy_pass http://$rollgate_web_backend;");
        let ours = "/etc/nginx/rollgate.conf";
        assert_eq!(trouble(&dump(&used, ours), "green"), None);
        let told = |dump: Dump, second: &str| trouble(&dump, second).unwrap();
        insta::assert_snapshot!(told(dump(&used, "/etc/nginx/else.conf"), "green"), @r#"nginx's configuration does not include /etc/nginx/rollgate.conf: add the line "include /etc/nginx/rollgate.conf;" to its section http (shift-traffic init nginx prints it)"#);
        insta::assert_snapshot!(told(dump(&used, ours), "gren"), @r#"nginx has no upstream "gren"; it has blue, green: correct traffic.nginx.backends in the plan"#);
        let unused = format!("{main}# proxy_pass http://$rollgate_web_backend;");
        insta::assert_snapshot!(told(dump(&unused, ours), "green"), @r#"nothing in nginx's configuration uses $rollgate_web_backend: write "proxy_pass http://$rollgate_web_backend;" where users are served (shift-traffic init nginx prints it)"#);
    }
}
