//! How a server is reached beyond its address: what every request carries, and whose certificates are trusted.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context as _, Result, anyhow};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Certificate, ClientBuilder, RequestBuilder};
use secrecy::{ExposeSecret as _, SecretString};

/// What a server wants besides its address; by default nothing.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// Sent with every request, such as the tenant. None is secret.
    pub headers: BTreeMap<String, String>,
    /// A file of certificates (PEM): then no other authority is trusted.
    pub ca: Option<PathBuf>,
    /// Who asks.
    pub credentials: Option<Credentials>,
}

/// Who asks, to be believed by the server. Never printed.
#[derive(Clone, Debug)]
pub enum Credentials {
    /// `Authorization: Bearer`.
    Token(SecretString),
    /// `Authorization: Basic`.
    User { name: String, password: SecretString },
}

impl Access {
    /// A client that sends the headers and trusts the authority.
    pub(super) fn apply(&self, client: ClientBuilder) -> Result<ClientBuilder> {
        let Self {
            headers,
            ca,
            credentials: _,
        } = self;
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let header = || format!("header {name}");
            let key: HeaderName = name.parse().with_context(header)?;
            map.insert(key, HeaderValue::from_str(value).with_context(header)?);
        }
        let client = client.default_headers(map);
        let Some(ca) = ca else { return Ok(client) };
        let read = || format!("read the certificate authority {}", ca.display());
        let text = std::fs::read(ca).with_context(read)?;
        let found = Certificate::from_pem_bundle(&text).with_context(read)?;
        if found.is_empty() {
            return Err(anyhow!("there is no certificate in it, expected PEM").context(read()));
        }
        Ok(client.tls_certs_only(found))
    }

    /// `request` with who asks; at each request, since a client's headers are shown where it is debugged.
    pub(super) fn sign(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.credentials {
            Some(Credentials::Token(token)) => request.bearer_auth(token.expose_secret()),
            Some(Credentials::User { name, password }) => {
                request.basic_auth(name, Some(password.expose_secret()))
            }
            None => request,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(access: &Access) -> String {
        let error = access.apply(reqwest::Client::builder()).expect_err("a refusal");
        format!("{error:#}")
    }

    #[test]
    fn secrets_are_not_printed() {
        let client = super::super::http::client(std::time::Duration::from_secs(1)).unwrap();
        for credentials in [
            Credentials::Token("s3cret".into()),
            Credentials::User {
                name: "me".into(),
                password: "s3cret".into(),
            },
        ] {
            let access = Access {
                credentials: Some(credentials),
                ..Access::default()
            };
            assert!(!format!("{access:?}").contains("s3cret"));
            let request = access.sign(client.get("http://h"));
            assert!(!format!("{request:?}").contains("s3cret"), "{request:?}");
        }
    }

    #[test]
    fn a_file_that_holds_no_certificate_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        let access = Access {
            ca: Some(path.clone()),
            ..Access::default()
        };
        let read = format!("read the certificate authority {}: ", path.display());
        assert!(refusal(&access).starts_with(&format!("{read}No such file")));
        std::fs::write(&path, "a key, perhaps").unwrap();
        assert_eq!(
            refusal(&access),
            format!("{read}there is no certificate in it, expected PEM")
        );
    }
}
