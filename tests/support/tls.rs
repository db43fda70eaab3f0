//! A small HTTPS server with a certificate of its own authority, made by `openssl`.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::thread;

use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tempfile::TempDir;

/// What `openssl req` makes of each section: an authority, and a server by its name.
const CONFIG: &str = "[req]\nprompt = no\ndistinguished_name = name\n[name]\nCN = rollgate test\n\
                      [authority]\nbasicConstraints = critical, CA:TRUE\n\
                      [server]\nbasicConstraints = critical, CA:FALSE\nsubjectAltName = ";

/// Answers everybody the same; runs until the tests end.
pub(crate) struct Tls {
    /// `https://127.0.0.1:PORT`.
    pub(crate) url: String,
    folder: TempDir,
}

impl Tls {
    /// A server whose certificate is for `name`, such as `IP:127.0.0.1` or `DNS:example.com`.
    pub(crate) fn start(openssl: &Path, name: &str, body: &'static str) -> Self {
        let folder = TempDir::new().expect("a scratch folder");
        let file = |name: &str| folder.path().join(name);
        fs::write(file("config"), format!("{CONFIG}{name}\n")).expect("the configuration");
        let make = |what: &str, more: &[&str]| {
            let made = Command::new(openssl)
                .current_dir(folder.path())
                .args([
                    "req",
                    "-x509",
                    "-newkey",
                    "ec",
                    "-pkeyopt",
                    "ec_paramgen_curve:prime256v1",
                ])
                .args(["-nodes", "-days", "2", "-config", "config", "-extensions", what])
                .args(["-keyout", &format!("{what}.key"), "-out", &format!("{what}.pem")])
                .args(more)
                .output()
                .expect("openssl");
            assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        };
        make("authority", &[]);
        make("server", &["-CA", "authority.pem", "-CAkey", "authority.key"]);

        let _ = rustls::crypto::ring::default_provider().install_default();
        let certificate = CertificateDer::from_pem_file(file("server.pem")).expect("a certificate");
        let key = PrivateKeyDer::from_pem_file(file("server.key")).expect("a key");
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .expect("a certificate with its key");
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("https://{}", listener.local_addr().expect("an address"));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that does not trust us goes away.
                let _ = answer(stream, Arc::clone(&config), body);
            }
        });
        Self { url, folder }
    }

    /// The certificate of its authority.
    pub(crate) fn authority(&self) -> PathBuf {
        self.folder.path().join("authority.pem")
    }
}

fn answer(stream: TcpStream, config: Arc<ServerConfig>, body: &str) -> std::io::Result<()> {
    let connection = ServerConnection::new(config).map_err(std::io::Error::other)?;
    let mut stream = StreamOwned::new(connection, stream);
    // What is asked in these tests fits, head and body.
    let _ = stream.read(&mut [0; 1 << 14])?;
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 200 \r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    )?;
    stream.conn.send_close_notify();
    stream.flush()
}
