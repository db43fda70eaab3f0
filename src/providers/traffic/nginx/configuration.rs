//! The lines that nginx's configuration needs, for `shift-traffic init nginx`.
//!
//! Source: <https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_pass>

use rollgate_domain::weight::Weight;

use super::{Nginx, Rules, Served, include::prefix};

impl Nginx {
    /// The lines to paste, with what to put where.
    ///
    /// # Errors
    ///
    /// nginx cannot tell users apart as the plan says, in words.
    pub fn configuration(&self) -> Result<String, String> {
        let Self {
            include,
            key,
            backends: [first, second],
            ..
        } = self;
        // They stand in the file from the first rollout on; that they cannot is better known before it.
        self.user()?;
        self.preview()?;
        let (include, ours) = (include.display(), prefix(key));
        let path = reqwest::Url::parse(&self.served)
            .map_or_else(|_| "/rollgate/served".to_owned(), |url| url.path().to_owned());
        let rules = Rules {
            share: Weight::ZERO,
            stable: first.clone(),
            candidate: second.clone(),
            user: None,
            preview: None,
        };
        let served = Served {
            write: (0, 0),
            share: Weight::ZERO,
            candidate: second.clone(),
        };
        let file = rules.file(&served, None, key);
        Ok(format!(
            "\
# 1. In the section `http`, which must have the upstreams {first} and {second}.
    include {include};

# 2. Where users are served, in place of the upstream's name.
    proxy_pass http://${ours}_backend;

# 3. In a server that rollgate reaches as {served_at}, and nobody else.
    location = {path} {{
        default_type text/plain;
        return 200 \"${ours}_served\\n\";
    }}

# 4. The file, before nginx is started or reloaded:
cat > {include} <<'END'
{file}END
#    rollgate must be allowed to write to it and to its folder (a lock, a new file and the last one beside it), and
#    to test and reload nginx.
#    `worker_shutdown_timeout 30s;` in the main section ends old workers whose users never hang up.
",
            served_at = self.served,
        ))
    }
}
