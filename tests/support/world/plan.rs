//! A plan in which hours are tenths of seconds.

use std::fmt::Write as _;

/// What differs from test to test; the rest is written by [`Plan::text`].
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) look: &'static str,
    pub(crate) require: &'static str,
    /// Weight and time.
    pub(crate) steps: Vec<(u8, &'static str)>,
    pub(crate) blind: &'static str,
    pub(crate) sticky: Option<&'static str>,
    pub(crate) preview: Option<&'static str>,
    pub(crate) backends: [&'static str; 2],
    pub(crate) sockets: Vec<String>,
    pub(crate) map: String,
    pub(crate) key: &'static str,
    /// Addresses of both pages.
    pub(crate) pages: [String; 2],
    /// When people have to say `go` in the canary.
    pub(crate) gates: Vec<&'static str>,
    /// More keys of the section `driver`, each with a comma behind it.
    pub(crate) driver: &'static str,
    /// The section `phases.production`.
    pub(crate) production: &'static str,
    /// Sections of their own.
    pub(crate) more: String,
    /// A Prometheus that scrapes them, to be asked instead.
    pub(crate) prometheus: Option<String>,
}

impl Plan {
    pub(crate) fn text(&self) -> String {
        let Self {
            look,
            require,
            steps,
            blind,
            sticky,
            preview,
            backends: [blue, green],
            sockets,
            map,
            key,
            pages: [blue_page, green_page],
            gates,
            driver,
            production,
            more,
            prometheus,
        } = self;
        let source = match prometheus {
            Some(url) => format!("prometheus: {{ url: \"{url}\" }}"),
            None => {
                format!("scrape:\n    pages:\n      {blue}: [{blue_page}]\n      {green}: [{green_page}]")
            }
        };
        let mut text = format!(
            "service: shop-api\n\
             traffic:\n  haproxy:\n    sockets: [{}]\n    map: {map}\n    key: {key}\n    backends: [{blue}, {green}]\n",
            sockets.join(", ")
        );
        if let Some(sticky) = sticky {
            let _ = writeln!(text, "sticky: {{ {sticky} }}");
        }
        if let Some(preview) = preview {
            let _ = writeln!(text, "preview: {{ {preview} }}");
        }
        let steps: Vec<_> = steps
            .iter()
            .map(|(weight, time)| format!("{{ weight: {weight}%, for: {time} }}"))
            .collect();
        let gates: Vec<_> = gates.iter().map(|at| format!("{{ at: {at} }}")).collect();
        let _ = write!(
            text,
            "metrics:\n  {source}\n  \
             requests: http_requests_total{{service=\"shop-api\"}}\n  \
             errors: http_requests_total{{service=\"shop-api\",code=~\"5..\"}}\n\
             judgement: {{ look: {look}, grace: 100ms, forgive: {look}, delay: 20ms, cluster-size: 1 }}\n\
             phases:\n  canary:\n    require: {require}\n    steps: [{}]\n    gates: [{}]\n  production: {production}\n\
             driver: {{ {driver}blind: {blind} }}\n{more}",
            steps.join(", "),
            gates.join(", ")
        );
        text
    }
}
