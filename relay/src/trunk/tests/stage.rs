//! What the tests stand on: an authority, certificates, and systems whose arrivals are waited for.

use std::{
    fs,
    path::PathBuf,
    sync::{
        Mutex,
        mpsc::{Receiver, Sender, channel},
    },
    time::{Duration, SystemTime},
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use relay_core::TrunkId;
use tempfile::TempDir;

use super::super::{identity::certificates, *};

/// Longer than anything here takes; whoever waits for longer has failed.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    dir: TempDir,
}

impl Authority {
    pub(super) fn new() -> Authority {
        Authority::named("authority")
    }

    pub(super) fn named(name: &str) -> Authority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let dir = TempDir::new().unwrap();
        fs::write(dir.path().join("ca.pem"), issuer.pem()).unwrap();
        Authority { issuer, dir }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A certificate that is valid from yesterday for so many days; below 1 it has expired.
    pub(super) fn issue(&self, system: &str, names: &[&str], days: i64) -> TrunkConfig {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let day = Duration::from_secs(24 * 3600);
        params.not_before = date_time_ymd(1970, 1, 1) + since - 10 * day;
        params.not_after = date_time_ymd(1970, 1, 1) + since + day * 100 - day * u32::try_from(100 - days).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let (certificate_path, key_path) =
            (self.path(&format!("{system}.pem")), self.path(&format!("{system}-key.pem")));
        fs::write(&certificate_path, certificate.pem()).unwrap();
        fs::write(&key_path, key.serialize_pem()).unwrap();
        TrunkConfig {
            system: system.to_owned(),
            address: "127.0.0.1:0".parse().unwrap(),
            certificate: certificate_path,
            key: key_path,
            ca: self.path("ca.pem"),
        }
    }

    pub(super) fn system(&self, name: &str) -> System {
        System::start(&self.issue(name, &[name], 30))
    }
}

pub(super) struct System {
    pub(super) trunks: Trunks,
    arrivals: Receiver<Arrival>,
}

impl System {
    pub(super) fn start(config: &TrunkConfig) -> System {
        let (sender, arrivals) = channel();
        System { trunks: Trunks::start(config, passing(sender)).unwrap(), arrivals }
    }

    /// A system that did not look at its own certificate.
    pub(super) fn careless(config: &TrunkConfig) -> System {
        let (sender, arrivals) = channel();
        let identity = Identity::unchecked(config, certificates(&config.certificate).unwrap()).unwrap();
        System { trunks: Trunks::start_as(config, identity, passing(sender)).unwrap(), arrivals }
    }

    /// A system whose thread stops on a letter "stop" until the gate is opened.
    pub(super) fn gated(config: &TrunkConfig) -> (System, Sender<()>) {
        let ((sender, arrivals), (gate, opened)) = (channel(), channel());
        let (pass, opened) = (passing(sender), Mutex::new(opened));
        let trunks = Trunks::start(config, move |arrival| {
            let stop = matches!(&arrival, Arrival::Letter { bytes, .. } if *bytes == "stop");
            pass(arrival);
            if stop {
                let _closed = opened.lock().unwrap().recv_timeout(PATIENCE);
            }
        });
        (System { trunks: trunks.unwrap(), arrivals }, gate)
    }

    pub(super) fn partner(&self, other: &System) -> TrunkId {
        self.trunks.put_partner(&other.trunks.shared.system, Some(other.trunks.local_addr())).unwrap()
    }

    /// The other system may dial, and is not dialled.
    pub(super) fn expect(&self, other: &str) -> TrunkId {
        self.trunks.put_partner(other, None).unwrap()
    }

    pub(super) fn next(&self) -> Arrival {
        self.arrivals.recv_timeout(PATIENCE).expect("something arrives")
    }

    /// What arrived and was not waited for yet.
    pub(super) fn rest(&self) -> Vec<Arrival> {
        self.arrivals.try_iter().collect()
    }

    pub(super) fn up(&self) -> TrunkId {
        match self.next() {
            Arrival::Up { trunk, .. } => trunk,
            other => panic!("up is expected, not {other:?}"),
        }
    }

    pub(super) fn down(&self) -> String {
        match self.next() {
            Arrival::Down { why, .. } => why.to_string(),
            other => panic!("down is expected, not {other:?}"),
        }
    }

    pub(super) fn refused(&self) -> (Option<String>, &'static str) {
        match self.next() {
            Arrival::Refused { system, cause, detail } => {
                assert!(!detail.is_empty());
                (system, cause)
            }
            other => panic!("a refusal is expected, not {other:?}"),
        }
    }

    pub(super) fn open_connections(&self) -> usize {
        self.trunks.shared.wire().unwrap().endpoint.open_connections()
    }

    pub(super) fn count(&self, name: &str, label: Option<&str>) -> f64 {
        let rows = self.trunks.counters();
        let row =
            rows.iter().find(|row| row.name == name && row.labels.first().map(|(_, value)| value.as_str()) == label);
        row.unwrap_or_else(|| panic!("{name} {label:?} is counted")).value
    }
}

fn passing(sender: Sender<Arrival>) -> impl Fn(Arrival) + Send + Sync + 'static {
    let sender = Mutex::new(sender);
    // A test that has ended does not listen any more.
    move |arrival| drop(sender.lock().unwrap().send(arrival))
}

/// Two systems with a trunk: "a.example" has dialled "b.example".
pub(super) fn pair() -> (Authority, System, System, TrunkId, TrunkId) {
    let authority = Authority::new();
    let (a, b) = (authority.system("a.example"), authority.system("b.example"));
    b.expect("a.example");
    a.partner(&b);
    let (to_b, to_a) = (a.up(), b.up());
    (authority, a, b, to_b, to_a)
}
