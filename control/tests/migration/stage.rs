//! Two systems with a trunk between them, and who and what they know.

use control::{
    certs,
    node::{Config, TrunkConfig},
};
use serde_json::{Value, json};

use super::{
    host::{Host, segment, until},
    radio::{Radio, Seat},
};

pub(crate) const A: &str = "a.example";
pub(crate) const B: &str = "b.example";
/// A pre-arranged group of A.
pub(crate) const FIRE: &str = "sip:fire@a.example";
/// A pre-arranged group of B.
pub(crate) const WATER: &str = "sip:water@b.example";
/// A chat group of A.
pub(crate) const CHAT: &str = "sip:chat@a.example";

/// Talks in A.
pub(crate) const TOM: &str = "sip:tom@a.example";
/// Stays in A.
pub(crate) const ANA: &str = "sip:ana@a.example";
/// Moves.
pub(crate) const MIA: &str = "sip:mia@a.example";
/// Stays in B.
pub(crate) const BEA: &str = "sip:bea@b.example";
/// Talks in B.
pub(crate) const BOB: &str = "sip:bob@b.example";

const USERS: [&str; 5] = [TOM, ANA, MIA, BEA, BOB];

/// Two running systems. They end with it.
pub(crate) struct Stage {
    pub(crate) a: Host,
    pub(crate) b: Host,
    pub(crate) certs: certs::Written,
    pub(crate) runtime: tokio::runtime::Runtime,
    /// Certificates and data; goes with the stage.
    pub(crate) folder: tempfile::TempDir,
}

impl Stage {
    /// The trunk stands, and everybody is a member of every group.
    pub(crate) fn new() -> Stage {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let systems = [A, B, "c.example"].map(str::to_owned);
        let certs = certs::make(&folder.path().join("certs"), &systems).unwrap();
        let host = |index: usize| Host::start(runtime.handle(), config(folder.path(), &certs, index));
        let (a, b) = (host(0), host(1));
        let stage = Stage { a, b, certs, runtime, folder };
        stage.a.put("/v1/partners/b.example", &json!({"address": stage.b.trunk.to_string()})).expect(200);
        stage.b.put("/v1/partners/a.example", &json!({"address": stage.a.trunk.to_string()})).expect(200);
        stage.await_trunk();
        for group in [FIRE, WATER, CHAT] {
            stage.put_group(group, json!({}));
        }
        for user in USERS {
            stage.put_user(user, json!({"groups": [FIRE, WATER, CHAT]}));
        }
        stage
    }

    pub(crate) fn await_trunk(&self) {
        until("the trunk stands", || self.a.is_up(B) && self.b.is_up(A));
    }

    pub(crate) fn await_cut(&self) {
        until("both see that the trunk is down", || !self.a.is_up(B) && !self.b.is_up(A));
    }

    /// The system that an id belongs to.
    pub(crate) fn home(&self, id: &str) -> &Host {
        if id.ends_with(B) { &self.b } else { &self.a }
    }

    /// Stores a group in its home, with other settings than usual.
    pub(crate) fn put_group(&self, group: &str, settings: Value) {
        let members: Vec<Value> = USERS.iter().map(|user| json!({"user": user})).collect();
        let model = if group == CHAT { "chat" } else { "prearranged" };
        let mut document = json!({"model": model, "members": members,
            "media": {"packets_per_s": 5000, "bytes_per_s": 5_000_000}, "floor": {"max_burst_s": 300}});
        settings.as_object().unwrap().iter().for_each(|(key, value)| document[key] = value.clone());
        self.home(group).put(&format!("/v1/groups/{}", segment(group)), &document).expect(200);
    }

    /// Stores a user with one profile at home, with other settings than usual.
    pub(crate) fn put_user(&self, user: &str, settings: Value) {
        let partner = if user.ends_with(B) { A } else { B };
        let mut profile = json!({"index": 1, "partners": [partner], "n2": 16});
        settings.as_object().unwrap().iter().for_each(|(key, value)| profile[key] = value.clone());
        self.home(user).put(&format!("/v1/users/{}", segment(user)), &json!({"profiles": [profile]})).expect(200);
    }

    /// A radio of a user that is authorised at home and affiliated to groups.
    pub(crate) fn radio(&self, user: &str, groups: &[&str]) -> Radio {
        let mut radio = Radio::new(user);
        self.home(user).authorize(&mut radio);
        if !groups.is_empty() {
            let groups: Vec<Value> = groups.iter().map(|group| json!({"group": group})).collect();
            self.home(user).affiliate(&mut radio, json!(groups));
        }
        radio
    }

    /// A radio that starts the call of a group.
    pub(crate) fn talker(&self, user: &str, group: &str) -> (Radio, Seat) {
        let radio = self.radio(user, &[group]);
        let seat = self.home(user).call(&radio, group, json!([]));
        (radio, seat)
    }

    /// Says words in a call, with the floor: a talker that has been silent for a while (T1) no longer has it.
    pub(crate) fn speak(&self, radio: &Radio, seat: &Seat, numbers: std::ops::Range<u16>) -> Vec<Vec<u8>> {
        let home = self.home(&radio.user);
        until("the floor is granted", || home.floor(seat, "request", 5) == "granted");
        radio.say(seat, numbers)
    }

    /// The same after a silence that may just have been long enough (T1): a grant that is only repeated could end before the words.
    pub(crate) fn speak_anew(&self, radio: &Radio, seat: &Seat, numbers: std::ops::Range<u16>) -> Vec<Vec<u8>> {
        self.home(&radio.user).floor(seat, "release", 5);
        self.speak(radio, seat, numbers)
    }

    /// Ends a call, and sees that neither system has anything left of it.
    pub(crate) fn nothing_is_left(&self, group: &str) {
        let home = self.home(group);
        for call in home.calls() {
            home.delete(&format!("/v1/calls/{call}")).expect(204);
        }
        until("no call is left", || self.a.calls().is_empty() && self.b.calls().is_empty());
    }
}

/// The configuration of one of the three systems that there are certificates for.
pub(crate) fn config(folder: &std::path::Path, certs: &certs::Written, index: usize) -> Config {
    let (free, pair) = ("127.0.0.1:0".parse().unwrap(), &certs.systems[index]);
    Config {
        system: pair.system.clone(),
        http: free,
        media: free,
        workers: 1,
        data: folder.join(format!("{}-data", pair.system)),
        trunk: Some(TrunkConfig {
            address: free,
            certificate: pair.certificate.clone(),
            key: pair.key.clone(),
            ca: certs.ca.clone(),
        }),
    }
}
