//! Certificates to try trunks with: a certificate authority, and one certificate per MC system.
//!
//! For trials: the authority's key is thrown away, so a further system needs a new set.

use std::{
    fmt::{self, Display},
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};

/// How long trial certificates are valid. Days.
pub const VALID_DAYS: u32 = 90;
/// Clocks of two systems may differ by so much.
const SKEW: Duration = Duration::from_secs(3600);
/// The authority's certificate.
const CA: &str = "ca.pem";

/// What was written, for whoever starts the systems.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The authority's certificate: every system needs it.
    pub ca: PathBuf,
    /// One per system, as they were given.
    pub systems: Vec<Pair>,
}

/// Certificate and key of one system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// MC system id; the one dNSName of the certificate.
    pub system: String,
    /// The certificate.
    pub certificate: PathBuf,
    /// Its key, which only the owner of the file may read.
    pub key: PathBuf,
}

/// Certificates were not made; none of their files is left behind.
#[derive(Debug, thiserror::Error)]
pub enum CertsError {
    /// Nobody to make one for.
    #[error("no system is named; name those that shall hold a trunk, as a.example b.example")]
    NoSystem,
    /// A system cannot be named by a certificate or by a file.
    #[error("{0:?} is no DNS name; a partner knows a system by the dNSName of its certificate: give it such an id")]
    NoDnsName(String),
    /// Two certificates of one name.
    #[error("{0} is named twice; name every system once")]
    Twice(String),
    /// A file is there already.
    #[error("{} is there already and is not overwritten; name another --dir or remove it", .0.display())]
    Exists(PathBuf),
    /// A file cannot be written.
    #[error("{} cannot be written: {error}", path.display())]
    Unwritable {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The cryptography refuses.
    #[error("no certificate made: {0}")]
    Crypto(#[from] rcgen::Error),
}

/// Makes an authority, and a certificate with key for each system, and writes them into `dir`, which is made if it is not there.
///
/// # Errors
/// A system has no DNS name, a file is there already or cannot be written. Nothing is left behind then.
pub fn make(dir: &Path, systems: &[String]) -> Result<Written, CertsError> {
    let files = issue(dir, systems)?;
    fs::create_dir_all(dir).map_err(|error| CertsError::Unwritable { path: dir.to_owned(), error })?;
    for (at, file) in files.iter().enumerate() {
        if let Err(error) = write(file) {
            let own = if matches!(error, CertsError::Exists(_)) { at } else { at + 1 };
            for (path, ..) in files.iter().take(own) {
                // What cannot be removed either is named by the error that is given.
                let _removed = fs::remove_file(path);
            }
            return Err(error);
        }
    }
    let pair = |system: &String| {
        let (certificate, key) = paths(dir, system);
        Pair { system: system.clone(), certificate, key }
    };
    Ok(Written { ca: dir.join(CA), systems: systems.iter().map(pair).collect() })
}

/// A file to be written: where, what, and whether it is a secret.
type File = (PathBuf, String, bool);

fn issue(dir: &Path, systems: &[String]) -> Result<Vec<File>, CertsError> {
    check(systems)?;
    let mut params = valid()?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    // A name of its own: two authorities of one name are told apart only by a signature that fails.
    params.distinguished_name.push(DnType::CommonName, format!("Carryover trial CA {:016x}", rand::random::<u64>()));
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
    let mut files = vec![(dir.join(CA), ca.pem(), false)];
    for system in systems {
        let mut params = valid()?;
        params.subject_alt_names = CertificateParams::new(vec![system.clone()])?.subject_alt_names;
        params.distinguished_name.push(DnType::CommonName, system.as_str());
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        // A trunk is dialled from either side.
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate()?;
        let (certificate_path, key_path) = paths(dir, system);
        files.push((certificate_path, params.signed_by(&key, &ca)?.pem(), false));
        files.push((key_path, key.serialize_pem(), true));
    }
    Ok(files)
}

fn valid() -> Result<CertificateParams, CertsError> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let now = date_time_ymd(1970, 1, 1) + now;
    params.not_before = now - SKEW;
    params.not_after = now + Duration::from_secs(24 * 3600) * VALID_DAYS;
    Ok(params)
}

fn check(systems: &[String]) -> Result<(), CertsError> {
    if systems.is_empty() {
        return Err(CertsError::NoSystem);
    }
    for (at, system) in systems.iter().enumerate() {
        if !relay::trunk::can_be_named(system) {
            return Err(CertsError::NoDnsName(system.clone()));
        }
        if systems.iter().skip(at + 1).any(|other| other.eq_ignore_ascii_case(system)) {
            return Err(CertsError::Twice(system.clone()));
        }
    }
    Ok(())
}

fn paths(dir: &Path, system: &str) -> (PathBuf, PathBuf) {
    (dir.join(format!("{system}.pem")), dir.join(format!("{system}-key.pem")))
}

fn write((path, text, secret): &File) -> Result<(), CertsError> {
    let mode = if *secret { 0o600 } else { 0o644 };
    let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => CertsError::Exists(path.clone()),
        _ => CertsError::Unwritable { path: path.clone(), error },
    })
}

impl Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Trial certificates, valid for {VALID_DAYS} days. Every system gets {},", self.ca.display())?;
        writeln!(f, "and its own pair; a key stays where it is used. Start them with:")?;
        for Pair { system, certificate, key } in &self.systems {
            write!(f, "\n  control serve --system {system} --trunk ADDR --trunk-cert {}", certificate.display())?;
            write!(f, " --trunk-key {} --trunk-ca {}", key.display(), self.ca.display())?;
        }
        writeln!(f, "\n\nADDR is where partners reach the system (UDP), as 127.0.0.1:4433.")
    }
}

#[cfg(test)]
mod tests {
    use std::{os::unix::fs::PermissionsExt, sync::mpsc};

    use relay::trunk::{Arrival, TrunkConfig, Trunks};

    use super::*;

    fn names(systems: &[&str]) -> Vec<String> {
        systems.iter().map(|system| (*system).to_owned()).collect()
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn two_systems_hold_a_trunk_with_what_was_made() {
        let dir = tempfile::tempdir().unwrap();
        let written = make(&dir.path().join("new"), &names(&["a.example", "b.example"])).unwrap();
        let (sender, arrivals) = mpsc::channel();
        let start = |pair: &Pair| {
            assert_eq!((mode(&pair.key), mode(&pair.certificate)), (0o600, 0o644));
            let config = TrunkConfig {
                system: pair.system.clone(),
                address: "127.0.0.1:0".parse().unwrap(),
                certificate: pair.certificate.clone(),
                key: pair.key.clone(),
                ca: written.ca.clone(),
            };
            let sender = std::sync::Mutex::new(sender.clone());
            Trunks::start(&config, move |arrival| drop(sender.lock().unwrap().send(arrival))).unwrap()
        };
        let (a, b) = (start(&written.systems[0]), start(&written.systems[1]));
        b.put_partner("a.example", None).unwrap();
        a.put_partner("b.example", Some(b.local_addr())).unwrap();
        for _ in 0..2 {
            let arrival = arrivals.recv_timeout(Duration::from_secs(30)).unwrap();
            assert!(matches!(arrival, Arrival::Up { .. }), "{arrival:?}");
        }
    }

    #[test]
    fn what_is_there_stays_and_nothing_new_is_left_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let key = dir.path().join("b.example-key.pem");
        fs::write(&key, "precious").unwrap();
        let refused = make(dir.path(), &names(&["a.example", "b.example"])).unwrap_err();
        assert!(matches!(&refused, CertsError::Exists(path) if *path == key), "{refused}");
        assert_eq!(fs::read_to_string(&key).unwrap(), "precious");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn who_cannot_be_named_gets_no_certificate() {
        let dir = tempfile::tempdir().unwrap();
        let refused = |systems: &[&str]| make(dir.path(), &names(systems)).unwrap_err().to_string();
        assert!(refused(&[]).contains("no system is named"));
        for system in ["../a", "a b", "10.0.0.1", ""] {
            assert!(refused(&[system]).contains("is no DNS name"), "{system}");
        }
        assert!(refused(&["a.example", "A.example"]).contains("named twice"));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn it_says_how_to_use_what_it_wrote() {
        let dir = tempfile::tempdir().unwrap();
        let said = make(dir.path(), &names(&["a.example"])).unwrap().to_string();
        for part in
            ["--system a.example", "--trunk ADDR", "a.example.pem", "a.example-key.pem", "--trunk-ca", "90 days"]
        {
            assert!(said.contains(part), "{part} in {said}");
        }
    }
}
