//! Partner systems.

use serde_json::{Value, json};

use super::client::Stage;

const B: &str = "/v1/partners/b.example";

#[test]
fn a_partner_is_stored_shown_and_forgotten() {
    let stage = Stage::new();
    stage.get(B).is_problem(404, "no-such-partner");
    stage.delete(B).is_problem(404, "no-such-partner");
    let stored = stage.put(B, json!({"address": "127.0.0.1:4433", "limits": {"participants": 20}}));
    assert_eq!(stored.status, 200, "{stored:?}");
    let expected = json!({
        "system": "b.example", "revision": stored.body["revision"], "address": "127.0.0.1:4433", "up": false,
        "limits": {"participants": 20, "migrated_users": 1000},
    });
    assert_eq!(stored.body, expected);
    assert_eq!(stage.get(B).body, expected);
    let dials_us = stage.put(B, json!({}));
    assert_eq!(dials_us.body["address"], Value::Null);
    assert_eq!(dials_us.body["limits"], json!({"participants": 2000, "migrated_users": 1000}));
    assert_ne!(dials_us.body["revision"], expected["revision"]);
    assert_eq!(stage.delete(B).status, 204);
    stage.get(B).is_problem(404, "no-such-partner");
}

/// As many as there can be trunks: none is stored that never gets one.
#[test]
fn the_257th_partner_is_refused_by_the_name_of_the_limit() {
    let stage = Stage::new();
    let put = |number: u32| stage.put(&format!("/v1/partners/p{number}.example"), json!({}));
    (0..256).for_each(|number| assert_eq!(put(number).status, 200, "{number}"));
    let full = put(256);
    full.is_problem(429, "limit-reached");
    assert_eq!(full.text("subject"), "partners");
    let metrics = stage.get("/metrics").body;
    assert!(metrics.as_str().unwrap().contains("carryover_refused_total{limit=\"partners\"} 1\n"), "it is counted");
    assert_eq!(put(0).status, 200, "one that is there is no new one");
    assert_eq!(stage.delete("/v1/partners/p7.example").status, 204);
    assert_eq!(put(256).status, 200, "one that goes makes room");
}

#[test]
fn a_wrong_partner_is_refused_by_the_name_of_its_field() {
    let stage = Stage::new();
    for (body, code, subject) in [
        (json!({"adress": null}), "unknown-field", "adress"),
        (json!({"address": "b.example:4433"}), "invalid-field", "address"),
        (json!({"address": "10.0.0.1:4433"}), "invalid-field", "address"),
        (json!({"address": "127.0.0.1:0"}), "invalid-field", "address"),
        (json!({"limits": {"participants": 100_001}}), "invalid-field", "limits.participants"),
        (json!({"limits": {"migrated_users": 100_001}}), "invalid-field", "limits.migrated_users"),
        (json!({"limits": {"users": 1}}), "unknown-field", "limits.users"),
    ] {
        let answer = stage.put(B, body);
        answer.is_problem(422, code);
        assert_eq!(answer.text("subject"), subject, "{answer:?}");
    }
    for system in ["B.example", "b%20example", "b..example", "b_example", "a.example"] {
        let answer = stage.put(&format!("/v1/partners/{system}"), json!({}));
        answer.is_problem(422, "invalid-field");
        assert_eq!(answer.text("subject"), "system");
    }
    stage.ask("PUT", B, &[], Some("{}")).is_problem(415, "unsupported-media-type");
    let most = json!({"limits": {"participants": 100_000, "migrated_users": 100_000}});
    assert_eq!(stage.put(B, most).status, 200);
}

/// Nobody migrates from a system that is no partner, or that cannot be asked.
#[test]
fn a_migration_needs_a_partner_that_can_be_reached() {
    let stage = Stage::new();
    let body = |from: &str| {
        json!({"user": "sip:ana@b.example", "client": "radio", "from": from, "ticket": "00",
               "groups": [{"group": "sip:fire-1@a.example"}]})
    };
    stage.post("/v1/migrations", body("c.example")).is_problem(404, "no-such-partner");
    assert_eq!(stage.put("/v1/partners/b.example", json!({})).status, 200);
    stage.post("/v1/migrations", body("b.example")).is_problem(503, "home-unreachable");
    stage.get("/v1/migrations/4711").is_problem(404, "no-such-migration");
    stage.get("/v1/migrations/4711?wait_s=30").is_problem(404, "no-such-migration");
}

#[test]
fn a_wrong_migration_is_refused_by_the_name_of_its_field() {
    let stage = Stage::new();
    let post = |field: &str, value: Value| {
        let mut body = json!({"user": "sip:ana@b.example", "client": "radio", "from": "b.example"});
        body[field] = value;
        let answer = stage.post("/v1/migrations", body);
        assert_eq!(answer.text("subject").split(['[', '.']).next(), Some(field), "{answer:?}");
        answer
    };
    post("mode", json!("prepared")).is_problem(422, "not-yet");
    post("mode", json!("fast")).is_problem(422, "invalid-field");
    post("from", json!("B")).is_problem(422, "invalid-field");
    post("ticket", json!("")).is_problem(422, "invalid-field");
    post("profile", json!(-1)).is_problem(422, "invalid-field");
    post("profile", json!(0)).is_problem(422, "invalid-field");
    post("user", json!(null)).is_problem(422, "invalid-field");
    post("expires_s", json!(1)).is_problem(422, "unknown-field");
    post("groups", json!([{"grp": "x"}])).is_problem(422, "unknown-field");
    let twice = json!({"group": "sip:fire-1@a.example"});
    post("groups", json!([twice, twice])).is_problem(422, "invalid-field");
    stage.ask("POST", "/v1/migrations", &[], Some("{}")).is_problem(415, "unsupported-media-type");
}
