//! AWS Signature Version 4 for one kind of request: a POST to `/` without a query. Pure.
//!
//! Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>

use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use ring::hmac;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

/// Who asks.
#[derive(Clone)]
pub struct Credentials {
    /// `AWS_ACCESS_KEY_ID`.
    pub access_key_id: SecretString,
    /// `AWS_SECRET_ACCESS_KEY`.
    pub secret_access_key: SecretString,
    /// `AWS_SESSION_TOKEN`, of credentials that expire.
    pub session_token: Option<SecretString>,
}

/// What is asked, and for which service of which region.
pub(super) struct Request<'a> {
    pub(super) service: &'a str,
    pub(super) region: &'a str,
    /// All that are signed, names in lower case; sorted here.
    pub(super) headers: Vec<(&'a str, &'a str)>,
    pub(super) body: &'a [u8],
}

/// The time as AWS writes it.
pub(super) fn amz_date(now: Timestamp) -> String {
    now.to_zoned(TimeZone::UTC).strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// The value of the header `Authorization`; `date` is also the header `x-amz-date`.
pub(super) fn authorization(credentials: &Credentials, date: &str, mut request: Request<'_>) -> String {
    request.headers.sort_unstable();
    let Request {
        service,
        region,
        headers,
        body,
    } = request;
    let names: Vec<_> = headers.iter().map(|(name, _)| *name).collect();
    let signed = names.join(";");
    let lines: String = headers.iter().fold(String::new(), |mut lines, (name, value)| {
        // Writing to a text cannot fail.
        let _ = writeln!(lines, "{name}:{}", value.trim());
        lines
    });
    let canonical = format!("POST\n/\n\n{lines}\n{signed}\n{}", hash(body));

    let day = date.get(..8).unwrap_or(date);
    let scope = format!("{day}/{region}/{service}/aws4_request");
    let to_sign = format!(
        "AWS4-HMAC-SHA256\n{date}\n{scope}\n{}",
        hash(canonical.as_bytes())
    );
    let secret = format!("AWS4{}", credentials.secret_access_key.expose_secret());
    let key = [day, region, service, "aws4_request"]
        .iter()
        .fold(secret.into_bytes(), |key, part| mac(&key, part));
    format!(
        "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={signed}, Signature={}",
        credentials.access_key_id.expose_secret(),
        hex(&mac(&key, &to_sign))
    )
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, text.as_bytes()).as_ref().to_vec()
}

fn hash(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// AWS's own cases `post-vanilla` and `post-x-www-form-urlencoded`.
    /// Source: <https://github.com/awslabs/aws-c-auth/tree/main/tests/aws-signing-test-suite/v4>
    #[test]
    fn it_signs_as_aws_does() {
        let credentials = Credentials {
            access_key_id: "AKIDEXAMPLE".into(),
            secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into(),
            session_token: None,
        };
        let date = amz_date("2015-08-30T12:36:00Z".parse().unwrap());
        assert_eq!(date, "20150830T123600Z");
        let sign = |headers: &[(&'static str, &'static str)], body: &'static [u8]| {
            let usual = [
                ("x-amz-date", "20150830T123600Z"),
                ("host", "example.amazonaws.com"),
            ];
            let request = Request {
                service: "service",
                region: "us-east-1",
                headers: usual.iter().chain(headers).copied().collect(),
                body,
            };
            authorization(&credentials, &date, request)
        };
        assert_eq!(
            sign(&[], b""),
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
             SignedHeaders=host;x-amz-date, \
             Signature=5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"
        );
        assert_eq!(
            sign(
                &[("content-type", "application/x-www-form-urlencoded")],
                b"Param1=value1"
            ),
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
             SignedHeaders=content-type;host;x-amz-date, \
             Signature=ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"
        );
    }
}
