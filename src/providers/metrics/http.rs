//! One HTTP exchange with a metric source: a whole, not too large answer, or one clear cause.
//!
//! User and password of an address are sent, never shown: reqwest takes them out of its request, and
//! [`shown`] is the only way in which an address reaches a message.

use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use reqwest::header::{self, HeaderMap};
use reqwest::{Client, RequestBuilder, Response, StatusCode, Url, redirect};

use super::Access;

/// How much of a foreign text a message repeats, in characters.
const QUOTED: usize = 200;

/// An answer that came in whole.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

/// No connection, because the server's certificate is signed by nobody who is trusted.
#[derive(Debug, thiserror::Error)]
#[error("no connection: its certificate is not accepted ({0})")]
pub(super) struct Distrusted(String);

/// An answer that was not read to its end.
#[derive(Debug, thiserror::Error)]
#[error("it answered more than {0} MiB")]
pub(super) struct TooLarge(usize);

/// A client that gives up `timeout` after the start of a request, body included.
pub(super) fn client(timeout: Duration) -> Result<Client> {
    client_with(timeout, &Access::default())
}

/// The same, for a server that wants more than that.
pub(super) fn client_with(timeout: Duration, access: &Access) -> Result<Client> {
    // reqwest is built without a TLS provider of its own; if there is one already, it stays.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder()
        .timeout(timeout)
        // A redirect here is a login page or a wrong address: better named than followed.
        .redirect(redirect::Policy::none())
        .user_agent(concat!("rollgate/", env!("CARGO_PKG_VERSION")));
    access.apply(client)?.build().context("make an HTTP client")
}

/// The address of an HTTP server.
///
/// # Errors
///
/// `text` is not an http:// or https:// address. The message does not repeat it: it may hold a password.
pub(super) fn address(text: &str) -> Result<Url> {
    let url = Url::parse(text).map_err(|error| anyhow!("the address is no URL ({error})"))?;
    if !matches!(url.scheme(), "http" | "https") {
        bail!(
            "the address begins with {}:, expected http:// or https://",
            url.scheme()
        );
    }
    Ok(url)
}

/// `url` as it may be printed: without user and password.
pub(super) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    // Both calls fail only for addresses without a host, which `address` refuses.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.as_str().trim_end_matches('/').to_owned()
}

/// Sends `request` and reads the answer, at most `limit` bytes of it.
pub(super) async fn fetch(request: RequestBuilder, limit: usize, timeout: Duration) -> Result<Reply> {
    let mut response = request
        .send()
        .await
        .map_err(|error| cause(&error, timeout, None))?;
    let status = response.status();
    let headers = response.headers().clone();
    let body = read(&mut response, limit, timeout).await?;
    Ok(Reply {
        status,
        headers,
        body,
    })
}

async fn read(response: &mut Response, limit: usize, timeout: Duration) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(None) => return Ok(body),
            Ok(Some(chunk)) if body.len() + chunk.len() > limit => {
                return Err(TooLarge(limit >> 20).into());
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Err(error) => return Err(cause(&error, timeout, Some(body.len()))),
        }
    }
}

/// Why there is no whole answer; `got` bytes of it came.
fn cause(error: &reqwest::Error, timeout: Duration, got: Option<usize>) -> anyhow::Error {
    let mut root: &dyn std::error::Error = error;
    while let Some(source) = root.source() {
        root = source;
    }
    if error.is_connect() && !error.is_timeout() {
        if let Some(certificate) = certificate(error) {
            return certificate;
        }
        return anyhow!("no connection ({root}); check the address and that it runs");
    }
    match (error.is_timeout(), got) {
        (true, None) => {
            anyhow!("no answer within {timeout:?}; check that it is reachable and not overloaded")
        }
        (true, Some(got)) => anyhow!("the answer was not complete within {timeout:?} ({got} bytes came)"),
        (false, None) => anyhow!("the connection broke before an answer came ({root})"),
        (false, Some(got)) => anyhow!("the answer broke off after {got} bytes ({root})"),
    }
}

/// What is wrong with the server's certificate, if that is why there is no connection.
fn certificate(error: &reqwest::Error) -> Option<anyhow::Error> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(mut here) = cause {
        // An error of input and output does not give the one that it holds as its source.
        while let Some(held) = here
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref)
        {
            here = held;
        }
        if let Some(error @ rustls::Error::InvalidCertificate(why)) = here.downcast_ref() {
            let distrusted = anyhow::Error::new(Distrusted(error.to_string()));
            return Some(match why {
                // The latter: an authority of the same name is trusted, with another key.
                rustls::CertificateError::UnknownIssuer | rustls::CertificateError::BadSignature => {
                    distrusted
                }
                rustls::CertificateError::NotValidForName
                | rustls::CertificateError::NotValidForNameContext { .. } => {
                    anyhow!("{distrusted}; check the host of the address")
                }
                _ => anyhow!("{distrusted}; renew it, or check this machine's clock"),
            });
        }
        cause = here.source();
    }
    None
}

impl Reply {
    /// When it wants to be asked again, in its own words.
    pub(super) fn retry_after(&self) -> Option<String> {
        let value = self.headers.get(header::RETRY_AFTER)?;
        Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
    }

    /// A header as text.
    pub(super) fn header(&self, name: &str) -> Option<String> {
        let value = self.headers.get(name)?;
        Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
    }

    /// What a status other than 2xx says, and what to check; `said` is the server's own word.
    pub(super) fn refusal(&self, said: &str) -> anyhow::Error {
        self.refusal_of(said, "the user and password in the address")
    }

    /// The same of a server that is told `keys`.
    pub(super) fn refusal_of(&self, said: &str, keys: &str) -> anyhow::Error {
        self.refusal_to(said, &format!("check {keys}"))
    }

    /// The same, where one has to `prove` otherwise who asks.
    pub(super) fn refusal_to(&self, said: &str, prove: &str) -> anyhow::Error {
        let check = match self.status.as_u16() {
            300..=399 => format!(
                "; it sends us to {}",
                self.header(header::LOCATION.as_str())
                    .as_deref()
                    .unwrap_or("nowhere")
            ),
            401 | 403 => format!("; {prove}"),
            404 | 405 => "; check the path of the address".into(),
            _ => String::new(),
        };
        let said = if said.is_empty() {
            String::new()
        } else {
            format!(": {said}")
        };
        anyhow!("it answered {}{said}{check}", self.status)
    }
}

/// A foreign text as a message may repeat it: one line, not long.
pub(super) fn quote(body: &[u8]) -> String {
    // Four bytes a character at most, so nothing that could be shown is cut here.
    let text = String::from_utf8_lossy(&body[..body.len().min(4 * QUOTED + 4)]).into_owned();
    let printable = text.replace(char::is_control, " ");
    let line = printable.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(QUOTED) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// Whether somebody answered with a page for people.
pub(super) fn is_web_page(body: &[u8]) -> bool {
    body.trim_ascii_start().starts_with(b"<")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_secrets() {
        let url = address("http://me:s%20cret@host:9090/prometheus/?x=1").unwrap();
        assert_eq!(shown(&url), "http://host:9090/prometheus/?x=1");
        assert_eq!(shown(&address("http://host:9090").unwrap()), "http://host:9090");
    }

    #[test]
    fn what_is_no_address_is_refused_without_being_repeated() {
        for (text, expected) in [
            (
                "prometheus:9090",
                "the address begins with prometheus:, expected http:// or https://",
            ),
            (
                "//me:secret@host",
                "the address is no URL (relative URL without a base)",
            ),
            ("http://me:secret@", "the address is no URL (empty host)"),
        ] {
            assert_eq!(address(text).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn a_foreign_text_is_quoted_on_one_short_line() {
        assert_eq!(quote(b" a\r\n\tb\x1b[31m  c "), "a b [31m c");
        assert_eq!(quote("é".repeat(QUOTED).as_bytes()), "é".repeat(QUOTED));
        assert_eq!(
            quote("é".repeat(QUOTED + 1).as_bytes()),
            format!("{}…", "é".repeat(QUOTED))
        );
    }
}
