//! Who this system is to its partners, and how it knows them: certificates, checked on every handshake.

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use quinn::{ClientConfig, ServerConfig, crypto::rustls as quic};
use rustls::{RootCertStore, client::Resumption, crypto::aws_lc_rs, server::WebPkiClientVerifier};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem, pem::PemObject};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::transport::transport;

/// The protocol: RTP over QUIC, draft 14, and what `docs/proto/trunk.proto` adds to it.
pub const ALPN: &[u8] = b"roq-14-mctrunk1";

/// What a trunk needs: an address, and files in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrunkConfig {
    /// This system's id; the one dNSName of its certificate.
    pub system: String,
    /// Where partners reach this system (UDP); it dials from there, too.
    pub address: SocketAddr,
    /// This system's certificate, then those of the authorities between it and the CA.
    pub certificate: PathBuf,
    /// The key of that certificate (PKCS#8, SEC1 or PKCS#1).
    pub key: PathBuf,
    /// The authorities whose certificates are believed.
    pub ca: PathBuf,
}

/// Trunks cannot start.
#[derive(Debug, thiserror::Error)]
pub enum TrunkError {
    /// A file cannot be read.
    #[error("{}: {error}; give a file in PEM that this process may read", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A file does not hold what it has to.
    #[error("{} holds no {what} in PEM ({detail}); `control certs` shows what one looks like", path.display())]
    NotPem {
        /// Which file.
        path: PathBuf,
        /// Certificate or key.
        what: &'static str,
        /// What the reader says.
        detail: String,
    },
    /// This system's certificate is not, or no longer, valid.
    #[error("{} is valid from {from} until {until} and not now; every partner would refuse it: renew it", path.display())]
    OutOfDate {
        /// Which file.
        path: PathBuf,
        /// Begin.
        from: String,
        /// End.
        until: String,
    },
    /// The certificate names another system, none, or several.
    #[error("{} names {names:?}; a trunk of {system} needs exactly one dNSName, equal to the system id", path.display())]
    Names {
        /// Which file.
        path: PathBuf,
        /// Its dNSNames.
        names: Vec<String>,
        /// This system.
        system: String,
    },
    /// The key belongs to another certificate.
    #[error("{} is not the key of {}; give the pair that was issued together", key.display(), certificate.display())]
    KeyDoesNotFit {
        /// File of the key.
        key: PathBuf,
        /// File of the certificate.
        certificate: PathBuf,
    },
    /// TLS refuses the files for another reason.
    #[error("{} cannot be used: {detail}", path.display())]
    Unusable {
        /// Which file.
        path: PathBuf,
        /// What TLS says.
        detail: String,
    },
    /// The address cannot be bound.
    #[error("trunk address {address} (UDP) cannot be used: {error}; another process may have it")]
    Bind {
        /// Which address.
        address: SocketAddr,
        /// Why.
        error: io::Error,
    },
    /// The thread or its runtime cannot start.
    #[error("no thread for trunks: {0}")]
    Thread(io::Error),
}

/// Both halves of TLS, ready to be used.
#[derive(Clone)]
pub(crate) struct Identity {
    pub(crate) accepting: ServerConfig,
    pub(crate) dialling: ClientConfig,
}

impl Identity {
    /// Reads the files and checks what every partner will check.
    pub(crate) fn load(config: &TrunkConfig) -> Result<Identity, TrunkError> {
        let chain = certificates(&config.certificate)?;
        let own = chain.first().ok_or_else(|| no_certificate(&config.certificate))?;
        check_own(own, config)?;
        Identity::unchecked(config, chain)
    }

    /// Without the checks of our own certificate: tests are systems that did not check.
    pub(crate) fn unchecked(config: &TrunkConfig, chain: Vec<CertificateDer<'static>>) -> Result<Identity, TrunkError> {
        let key = PrivateKeyDer::from_pem_slice(&read(&config.key)?)
            .map_err(|error| not_pem(&config.key, "private key", &error))?;
        let mut roots = RootCertStore::empty();
        for root in certificates(&config.ca)? {
            roots.add(root).map_err(|error| unusable(&config.ca, &error))?;
        }
        let (roots, provider) = (Arc::new(roots), Arc::new(aws_lc_rs::default_provider()));
        let own = |error| match error {
            rustls::Error::InconsistentKeys(_) => {
                TrunkError::KeyDoesNotFit { key: config.key.clone(), certificate: config.certificate.clone() }
            }
            other => unusable(&config.certificate, &other),
        };
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(&provider)).build();
        let verifier = verifier.map_err(|error| unusable(&config.ca, &error))?;
        let mut accepting = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(own)?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain.clone(), key.clone_key())
            .map_err(own)?;
        accepting.alpn_protocols = vec![ALPN.to_vec()];
        // A resumed handshake would show the chain of the first one, unchecked: without tickets there is none to resume.
        accepting.send_tls13_tickets = 0;
        accepting.max_early_data_size = 0;
        let mut dialling = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(own)?
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)
            .map_err(own)?;
        dialling.alpn_protocols = vec![ALPN.to_vec()];
        dialling.resumption = Resumption::disabled();
        dialling.enable_early_data = false;
        let accepting = quic::QuicServerConfig::try_from(accepting).map_err(|error| unusable(&config.key, &error))?;
        let dialling = quic::QuicClientConfig::try_from(dialling).map_err(|error| unusable(&config.key, &error))?;
        let mut accepting = ServerConfig::with_crypto(Arc::new(accepting));
        accepting.transport_config(transport()).migration(false);
        let mut dialling = ClientConfig::new(Arc::new(dialling));
        dialling.transport_config(transport());
        Ok(Identity { accepting, dialling })
    }
}

/// The system that a certificate names. `Err`: what it names instead of exactly one.
pub(crate) fn system_of(certificate: &CertificateDer<'_>) -> Result<String, Vec<String>> {
    match <[String; 1]>::try_from(dns_names(certificate)) {
        Ok([system]) => Ok(system),
        Err(names) => Err(names),
    }
}

/// Whether a system can be named by a certificate, and so be a partner.
pub fn can_be_named(system: &str) -> bool {
    matches!(ServerName::try_from(system), Ok(ServerName::DnsName(_)))
}

/// All certificates of a file.
pub(crate) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TrunkError> {
    let text = read(path)?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let all = all.map_err(|error| not_pem(path, "certificate", &error))?;
    if all.is_empty() { Err(no_certificate(path)) } else { Ok(all) }
}

fn dns_names(certificate: &CertificateDer<'_>) -> Vec<String> {
    let Ok((_, certificate)) = X509Certificate::from_der(certificate) else { return Vec::new() };
    let Ok(Some(names)) = certificate.subject_alternative_name() else { return Vec::new() };
    let names = names.value.general_names.iter();
    names
        .filter_map(|name| if let GeneralName::DNSName(name) = name { Some((*name).to_owned()) } else { None })
        .collect()
}

fn check_own(own: &CertificateDer<'_>, config: &TrunkConfig) -> Result<(), TrunkError> {
    let path = &config.certificate;
    let (_, parsed) = X509Certificate::from_der(own)
        .map_err(|error| TrunkError::Unusable { path: path.clone(), detail: error.to_string() })?;
    let validity = parsed.validity();
    if !validity.is_valid() {
        let (from, until) = (validity.not_before.to_string(), validity.not_after.to_string());
        return Err(TrunkError::OutOfDate { path: path.clone(), from, until });
    }
    let names = dns_names(own);
    if names != [config.system.as_str()] {
        return Err(TrunkError::Names { path: path.clone(), names, system: config.system.clone() });
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>, TrunkError> {
    std::fs::read(path).map_err(|error| TrunkError::Unreadable { path: path.to_owned(), error })
}

fn not_pem(path: &Path, what: &'static str, error: &pem::Error) -> TrunkError {
    TrunkError::NotPem { path: path.to_owned(), what, detail: error.to_string() }
}

fn no_certificate(path: &Path) -> TrunkError {
    not_pem(path, "certificate", &pem::Error::NoItemsFound)
}

fn unusable(path: &Path, error: &dyn std::fmt::Display) -> TrunkError {
    TrunkError::Unusable { path: path.to_owned(), detail: error.to_string() }
}
