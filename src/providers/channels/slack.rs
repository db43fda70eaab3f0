//! Slack, through an incoming webhook.
//!
//! Source: <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks/>

use std::time::Duration;

use anyhow::{Context as _, bail};
use reqwest::Client;
use rollgate_domain::notice::{Notice, Severity};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use super::Channel;

/// Slack answers within a second; nobody waits longer for a chat than this.
const PATIENCE: Duration = Duration::from_secs(5);

/// Slack cuts a section's text at 3,000 characters with an error.
const LONGEST_TEXT: usize = 2900;

/// A webhook's URL is its password.
pub struct Slack {
    client: Client,
    webhook: SecretString,
}

impl Slack {
    /// Posts to `webhook`.
    #[must_use]
    pub fn new(client: Client, webhook: SecretString) -> Self {
        Self { client, webhook }
    }
}

#[async_trait::async_trait]
impl Channel for Slack {
    fn name(&self) -> &'static str {
        "slack"
    }

    async fn send(&self, notice: &Notice) -> anyhow::Result<()> {
        let request = self
            .client
            .post(self.webhook.expose_secret())
            .timeout(PATIENCE)
            .json(&body(notice));
        // Without the URL, which reqwest would print.
        let answer = request
            .send()
            .await
            .map_err(reqwest::Error::without_url)
            .context("post to the Slack webhook")?;
        let status = answer.status();
        if !status.is_success() {
            // Slack says why in one word, such as `no_service` or `invalid_payload`.
            let why: String = answer
                .text()
                .await
                .unwrap_or_default()
                .chars()
                .take(100)
                .collect();
            bail!("Slack answered {status} ({why}): check SLACK_WEBHOOK_URL");
        }
        Ok(())
    }
}

fn body(notice: &Notice) -> Value {
    let mark = match notice.severity {
        Severity::Info => "",
        Severity::Warning => ":warning: ",
        Severity::Critical => ":rotating_light: ",
    };
    let title = escaped(&notice.title);
    let text: String = notice.text.chars().take(LONGEST_TEXT).collect();
    let link = notice
        .link
        .as_ref()
        .map(|link| format!("\n<{link}|open the run>"))
        .unwrap_or_default();
    json!({
        // For notifications and screen readers.
        "text": format!("{mark}{title}"),
        "blocks": [{
            "type": "section",
            "text": { "type": "mrkdwn", "text": format!("{mark}*{title}*\n{}{link}", escaped(&text)) },
        }],
    })
}

/// The three characters that Slack gives a meaning: <https://docs.slack.dev/messaging/formatting-message-text/>
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_critical_notice_as_slack_gets_it() {
        let notice = Notice {
            severity: Severity::Critical,
            title: "shop: ROLLED BACK <!channel>".to_owned(),
            text: "errors 2 % & more".to_owned(),
            link: Some("https://github.example/run/1".to_owned()),
        };
        insta::assert_json_snapshot!(body(&notice), @r#"
        {
          "blocks": [
            {
              "text": {
                "text": ":rotating_light: *shop: ROLLED BACK &lt;!channel&gt;*\nerrors 2 % &amp; more\n<https://github.example/run/1|open the run>",
                "type": "mrkdwn"
              },
              "type": "section"
            }
          ],
          "text": ":rotating_light: shop: ROLLED BACK &lt;!channel&gt;"
        }
        "#);
    }
}
