//! Encrypted connections: [`Tls`], a certificate with its key, given or made by us.
//!
//! What must hold: a connection that begins with a TLS handshake is answered with this certificate and
//! offered HTTP/2 and HTTP/1.1 by ALPN; every other connection on the same port goes on as before. A
//! certificate that we made stays the same as long as the data directory does, so that clients which
//! were told to trust it still do after a restart; its key can be read by its owner only.
//!
//! A self-made certificate proves nothing but that nobody on the way reads along. It is for the names of
//! this machine: localhost, its addresses, and the address that is listened on. Its key is drawn by the
//! library, not through `Entropy`: no run is ever repeated with it.

use std::fs;
use std::io::Write;
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use thiserror::Error;
use tokio_rustls::TlsAcceptor;

/// The first byte of a TLS handshake; no HTTP request begins with it.
pub const HANDSHAKE: u8 = 0x16;

/// Where the certificate comes from.
pub enum Origin<'a> {
    /// From these files.
    Given {
        /// The certificate, and those that vouch for it, as PEM.
        certificate: &'a Path,
        /// Its key, as PEM.
        key: &'a Path,
    },
    /// Made once and kept in this directory.
    Kept(&'a Path),
    /// Made anew, and gone with the server.
    Fleeting,
}

/// A certificate with its key, ready for connections.
#[derive(Clone)]
pub struct Tls {
    acceptor: TlsAcceptor,
    certificate: String,
}

/// Why there is no certificate to serve with.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file cannot be read or written.
    #[error("{} cannot be used", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A file holds something else.
    #[error("{} holds no {expected} in PEM", path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        expected: &'static str,
    },
    /// Certificate and key do not go together, or are of a kind that cannot be used.
    #[error("the certificate cannot be used with its key")]
    Unusable(#[source] rustls::Error),
    /// None could be made.
    #[error("no certificate could be made")]
    Unmade(#[source] rcgen::Error),
}

/// A certificate and its key as PEM.
struct Pair {
    certificate: String,
    key: String,
}

impl Tls {
    /// The certificate of `origin`; one that is made is good for `bind` too.
    pub fn load(origin: Origin<'_>, bind: IpAddr) -> Result<Tls, TlsError> {
        match origin {
            Origin::Given { certificate, key } => {
                let pair = Pair {
                    certificate: read(certificate)?,
                    key: read(key)?,
                };
                Tls::of(pair, certificate, key)
            }
            Origin::Kept(directory) => {
                let (certificate, key) = (directory.join(CERTIFICATE), directory.join(KEY));
                let pair = if certificate.exists() && key.exists() {
                    Pair {
                        certificate: read(&certificate)?,
                        key: read(&key)?,
                    }
                } else {
                    keep(directory, make(bind)?)?
                };
                Tls::of(pair, &certificate, &key)
            }
            Origin::Fleeting => {
                let nowhere = Path::new("the certificate that was made");
                Tls::of(make(bind)?, nowhere, nowhere)
            }
        }
    }

    fn of(pair: Pair, certificate: &Path, key: &Path) -> Result<Tls, TlsError> {
        let form = |path: &Path, expected| TlsError::Form {
            path: path.to_owned(),
            expected,
        };
        let chain: Result<Vec<_>, _> =
            CertificateDer::pem_slice_iter(pair.certificate.as_bytes()).collect();
        let chain = chain.map_err(|_| form(certificate, "certificate"))?;
        if chain.is_empty() {
            return Err(form(certificate, "certificate"));
        }
        let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes())
            .map_err(|_| form(key, "private key"))?;
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Unusable)?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(TlsError::Unusable)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Tls {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            certificate: pair.certificate,
        })
    }

    /// What greets a connection.
    pub fn acceptor(&self) -> TlsAcceptor {
        self.acceptor.clone()
    }

    /// The certificate as PEM, for clients to trust.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }
}

/// Where a certificate that was made is kept.
const CERTIFICATE: &str = "certificate.pem";
const KEY: &str = "key.pem";

fn read(path: &Path) -> Result<String, TlsError> {
    fs::read_to_string(path).map_err(|source| file(path, source))
}

fn file(path: &Path, source: std::io::Error) -> TlsError {
    TlsError::File {
        path: path.to_owned(),
        source,
    }
}

fn make(bind: IpAddr) -> Result<Pair, TlsError> {
    let mut names = vec![
        "localhost".to_owned(),
        "127.0.0.1".to_owned(),
        "::1".to_owned(),
    ];
    let listened_on = bind.to_string();
    if !bind.is_unspecified() && !names.contains(&listened_on) {
        names.push(listened_on);
    }
    let made = rcgen::generate_simple_self_signed(names).map_err(TlsError::Unmade)?;
    Ok(Pair {
        certificate: made.cert.pem(),
        key: made.signing_key.serialize_pem(),
    })
}

/// Writes the key first: where there is a certificate there is its key, and a start that was cut off
/// between the two makes both anew.
fn keep(directory: &Path, pair: Pair) -> Result<Pair, TlsError> {
    fs::create_dir_all(directory).map_err(|source| file(directory, source))?;
    for (name, text, mode) in [
        (KEY, &pair.key, 0o600),
        (CERTIFICATE, &pair.certificate, 0o644),
    ] {
        let path = directory.join(name);
        let written = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(mode)
            .open(&path)
            .and_then(|mut target| {
                target.write_all(text.as_bytes())?;
                target.sync_all()
            });
        written.map_err(|source| file(&path, source))?;
    }
    Ok(pair)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const LOOPBACK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn a_certificate_that_was_made_is_kept_with_its_key_for_the_owner_only() {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("tls");
        let first = Tls::load(Origin::Kept(&place), LOOPBACK).unwrap();
        let again = Tls::load(Origin::Kept(&place), LOOPBACK).unwrap();
        assert_eq!(first.certificate(), again.certificate());
        let mode = fs::metadata(place.join(KEY)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::remove_file(place.join(KEY)).unwrap();
        let anew = Tls::load(Origin::Kept(&place), LOOPBACK).unwrap();
        assert_ne!(first.certificate(), anew.certificate());
    }

    #[test]
    fn a_certificate_that_is_given_is_used_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let (certificate, key) = (directory.path().join("c"), directory.path().join("k"));
        let given = || {
            Tls::load(
                Origin::Given {
                    certificate: &certificate,
                    key: &key,
                },
                LOOPBACK,
            )
        };
        let refused = |expected: &str| {
            let error = given().err().expect("it cannot be used").to_string();
            assert!(error.contains(expected), "{error}");
        };
        refused("cannot be used");
        let (pair, other) = (make(LOOPBACK).unwrap(), make(LOOPBACK).unwrap());
        fs::write(&certificate, &pair.certificate).unwrap();
        fs::write(&key, "nothing").unwrap();
        refused("holds no private key");
        fs::write(&key, &other.key).unwrap();
        refused("with its key");
        fs::write(&key, &pair.key).unwrap();
        assert_eq!(given().unwrap().certificate(), pair.certificate);
        fs::write(&certificate, "nothing").unwrap();
        refused("holds no certificate");
    }
}
