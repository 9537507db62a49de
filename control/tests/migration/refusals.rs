//! Who may not move: each reason has its own cause, and nothing is lost by asking (MIG-19).

use serde_json::{Value, json};

use super::{
    host::{is_over, segment},
    radio::{Radio, Seat},
    stage::{A, ANA, B, FIRE, MIA, Stage, TOM},
};

/// Tom talks to Mia and to Ana, who has nothing to do with any of it.
struct Scene {
    stage: Stage,
    tom: Radio,
    seat: Seat,
    ana: Radio,
    mia: Radio,
    said: Vec<Vec<u8>>,
}

impl Scene {
    fn new() -> Scene {
        let stage = Stage::new();
        stage.a.put("/v1/partners/c.example", &json!({"address": null})).expect(200);
        stage.put_user(MIA, json!({"groups": [FIRE], "partners": [B, "c.example"]}));
        let (tom, seat) = stage.talker(TOM, FIRE);
        let (ana, mia) = (stage.radio(ANA, &[FIRE]), stage.radio(MIA, &[FIRE]));
        Scene { stage, tom, seat, ana, mia, said: Vec::new() }
    }

    fn body(&self) -> Value {
        self.stage.b.move_body(&self.mia, A, self.mia.resuming(FIRE))
    }

    /// B is asked and has to say why not; then everything is as it was, and everybody hears on.
    #[track_caller]
    fn is_refused(&mut self, what: &str, body: &Value, cause: &str, event: &str) {
        let answer = self.stage.b.post("/v1/migrations", body).expect(202);
        let moved = self.stage.b.watch(answer["migration"].as_str().unwrap(), is_over);
        assert_eq!(
            (&moved["phase"], &moved["cause"]["code"]),
            (&json!("rolled-back"), &json!(cause)),
            "{what}: {moved}"
        );
        self.stage.a.audited(event, Some(cause));
        self.stage.b.audited("migration-gate-failed", Some(cause));
        self.everybody_hears(what);
    }

    #[track_caller]
    fn everybody_hears(&mut self, what: &str) {
        let number = u16::try_from(self.said.len()).unwrap();
        self.said.extend(self.stage.speak(&self.tom, &self.seat, number..number + 10));
        for radio in [&self.ana, &self.mia] {
            radio.hear(10);
            assert_eq!(radio.media(), self.said, "{what}: {} hears on", radio.user);
            self.stage.a.entered(radio, FIRE);
        }
        self.stage.a.lists(&self.seat.call, &[ANA, MIA, TOM]);
        assert!(self.stage.b.calls().is_empty(), "{what}");
    }

    /// Another ticket for the same client; where she is in the call stays as it is.
    fn authorize_again(&mut self) {
        self.stage.a.authorize(&mut self.mia);
    }
}

//= TS 23.280 §10.6.3 test
#[test]
fn mig_19_each_ticket_that_is_wrong_has_its_cause() {
    let mut scene = Scene::new();
    scene.everybody_hears("before");
    let mut body = scene.body();
    body["ticket"] = json!(null);
    scene.is_refused("nobody asked", &body, "ticket-missing", "ticket-refused");
    body["ticket"] = json!("00".repeat(32));
    scene.is_refused("a made-up ticket", &body, "ticket-unknown", "ticket-refused");
    body["ticket"] = json!(scene.mia.ticket("c.example").unwrap());
    scene.is_refused("the ticket for another system", &body, "ticket-foreign", "ticket-refused");
    body["ticket"] = json!(scene.mia.ticket(B).unwrap());
    body["client"] = json!("other");
    scene.is_refused("the ticket of another client", &body, "ticket-unknown", "ticket-refused");
    let old = scene.mia.ticket(B).unwrap();
    scene.authorize_again();
    let mut body = scene.body();
    body["ticket"] = json!(old);
    scene.is_refused("a ticket from before", &body, "ticket-unknown", "ticket-refused");
    let mut body = scene.body();
    body["user"] = json!("sip:nobody@a.example");
    scene.is_refused("an unknown user", &body, "ticket-unknown", "ticket-refused");
}

#[test]
fn mig_19_a_profile_that_is_no_good_has_its_cause_and_the_ticket_is_spent() {
    let mut scene = Scene::new();
    scene.everybody_hears("before");
    let mut body = scene.body();
    body["profile"] = json!(7);
    scene.is_refused("a wrong profile index", &body, "no-such-profile", "migration-refused");
    let body = scene.body();
    scene.is_refused("the same ticket again", &body, "ticket-spent", "ticket-refused");
    scene.authorize_again();
    scene.stage.put_user(MIA, json!({"groups": [FIRE], "partners": ["c.example"]}));
    let body = scene.body();
    scene.is_refused("not permitted to go to B", &body, "profile-not-valid-here", "migration-refused");
    scene.stage.put_user(MIA, json!({"groups": [FIRE]}));
    scene.authorize_again();
    let groups = scene.mia.resuming(FIRE);
    let moved = scene.stage.b.take_over(&mut scene.mia, A, groups);
    assert_eq!(moved["phase"], "P9", "with everything right it works: {moved}");
}

#[test]
fn a_system_that_is_no_partner_moves_nobody() {
    let mut scene = Scene::new();
    let mut body = scene.body();
    body["from"] = json!("d.example");
    scene.stage.b.post("/v1/migrations", &body).is_problem(404, "no-such-partner");
    body["from"] = json!(A);
    body["mode"] = json!("prepared");
    scene.stage.b.post("/v1/migrations", &body).is_problem(422, "not-yet");
    scene.stage.b.audited("migration-refused", Some("no-such-partner"));
    scene.everybody_hears("nothing happened");
    assert_eq!(scene.stage.b.get(&format!("/v1/migrations/{}", segment("none"))).status, 404);
}

#[test]
fn a_partner_beyond_its_quota_of_users_moves_nobody_more() {
    let mut scene = Scene::new();
    let partner = json!({"address": scene.stage.a.trunk.to_string(), "limits": {"migrated_users": 0}});
    scene.stage.b.put("/v1/partners/a.example", &partner).expect(200);
    let answer = scene.stage.b.post("/v1/migrations", &scene.body());
    answer.is_problem(429, "limit-reached");
    assert_eq!(answer.body["subject"], "partners.migrated_users");
    scene.stage.b.audited("migration-refused", Some("limit-reached"));
    scene.everybody_hears("nothing happened");
}

#[test]
fn of_two_migrations_at_once_one_is_refused_and_the_other_arrives() {
    let mut scene = Scene::new();
    scene.everybody_hears("before");
    scene.stage.a.fault(B, relay::trunk::Fault::Delay(std::time::Duration::from_millis(200)));
    let body = scene.body();
    let first = scene.stage.b.post("/v1/migrations", &body).expect(202);
    scene.stage.b.post("/v1/migrations", &body).is_problem(409, "migration-under-way");
    scene.stage.b.audited("migration-refused", Some("migration-under-way"));
    let moved = scene.stage.b.watch(first["migration"].as_str().unwrap(), is_over);
    assert_eq!(moved["phase"], "P9", "{moved}");
    scene.stage.a.fault(B, relay::trunk::Fault::Heal);
    scene.mia.adopt(&moved);
    scene.said.extend(scene.stage.speak(&scene.tom, &scene.seat, 10..20));
    scene.mia.hear(10);
    assert_eq!(scene.mia.media(), scene.said);
    scene.stage.a.lists(&scene.seat.call, &[ANA, MIA, TOM]);
}
