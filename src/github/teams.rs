//! Who is in a team of the repository's organisation.
//!
//! Source: <https://docs.github.com/rest/teams/members#get-team-membership-for-a-user>

use std::fmt::Write as _;

use anyhow::{Context as _, anyhow};
use octocrab::Octocrab;
use serde::Deserialize;

use super::{
    client::{PATIENCE, client, explained},
    run::Run,
};

/// The teams of one organisation.
pub struct Teams {
    client: Octocrab,
    organisation: String,
}

#[derive(Deserialize)]
struct Membership {
    state: String,
}

impl Teams {
    /// The teams of the organisation that has `run`'s repository.
    ///
    /// # Errors
    ///
    /// The run has no token.
    pub fn new(run: &Run) -> anyhow::Result<Self> {
        let (organisation, _) = run
            .repository
            .split_once('/')
            .with_context(|| format!("GITHUB_REPOSITORY {} has no owner", run.repository))?;
        Ok(Self {
            client: client(run).context("ask GitHub for a team")?,
            organisation: organisation.to_owned(),
        })
    }

    /// Whether `login` is a member of the team `slug`; one who was invited and has not accepted is none.
    ///
    /// # Errors
    ///
    /// GitHub did not answer, or not this token. To a token that may not see the team it says 403 or 404, and 404
    /// is what it says of strangers too.
    pub async fn has(&self, slug: &str, login: &str) -> anyhow::Result<bool> {
        let route = format!(
            "/orgs/{}/teams/{}/memberships/{}",
            escaped(&self.organisation),
            escaped(slug),
            escaped(login)
        );
        let asked = async {
            let answer = self.client._get(route.as_str()).await?;
            let answer = octocrab::map_github_error(answer).await?;
            self.client.body_to_string(answer).await
        };
        let text = tokio::time::timeout(PATIENCE, asked)
            .await
            .map_err(|_| anyhow!("no answer within {} s", PATIENCE.as_secs()))
            .and_then(|asked| {
                asked.map_err(|error| {
                    explained(error, |status| match status {
                        401 => ": the token is not valid",
                        403 => ": the token may not read the organisation's members; GitHub's own job token never may",
                        404 => ": no member, no such team, or the token may not read the organisation's members",
                        _ => "",
                    })
                })
            })
            .with_context(|| format!("look up {login} in team/{slug}"))?;
        let membership: Membership = serde_json::from_str(&text)
            .with_context(|| format!("look up {login} in team/{slug}: not an answer of GitHub's form"))?;
        Ok(membership.state == "active")
    }
}

/// A name as a part of a path.
fn escaped(name: &str) -> String {
    name.bytes().fold(String::new(), |mut path, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.".contains(&byte) {
            path.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(path, "%{byte:02X}");
        }
        path
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_robots_name_is_one_part_of_a_path() {
        assert_eq!(escaped("dependabot[bot]"), "dependabot%5Bbot%5D");
        assert_eq!(escaped("../x"), "..%2Fx");
    }
}
