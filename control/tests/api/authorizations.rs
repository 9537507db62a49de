//! Service authorisation, and the tickets with which a client may move.

use std::time::SystemTime;

use serde_json::json;

use super::client::Stage;

const ANA: &str = "/v1/users/sip%3Aana%40a.example";

fn ask(stage: &Stage, profile: Option<u32>) -> super::client::Answer {
    stage.post("/v1/authorizations", json!({"user": "sip:ana@a.example", "client": "radio", "profile": profile}))
}

#[test]
fn only_configured_partners_of_the_profile_get_a_ticket() {
    let stage = Stage::new();
    let profile = |index: u32, partners: &[&str]| json!({"index": index, "partners": partners, "groups": []});
    let user = json!({"profiles": [profile(1, &["b.example", "c.example"]), profile(2, &[])]});
    assert_eq!(stage.put(ANA, user).status, 200);
    let authorized = ask(&stage, Some(1));
    assert_eq!((authorized.status, &authorized.body["tickets"]), (201, &json!([])), "no partner is configured");
    assert_eq!(stage.put("/v1/partners/b.example", json!({})).status, 200);
    let before = SystemTime::now();
    let authorized = ask(&stage, None);
    assert_eq!((authorized.status, authorized.text("user").as_str()), (201, "sip:ana@a.example"));
    let tickets = authorized.body["tickets"].as_array().unwrap();
    assert_eq!(tickets.iter().map(|ticket| &ticket["system"]).collect::<Vec<_>>(), [&json!("b.example")]);
    let ticket = tickets[0]["ticket"].as_str().unwrap();
    assert!(ticket.len() == 64 && ticket.bytes().all(|octet| octet.is_ascii_hexdigit()), "256 bits: {ticket}");
    let expires = tickets[0]["expires"].as_str().unwrap();
    let expires = humantime::parse_rfc3339(expires).unwrap().duration_since(before).unwrap().as_secs();
    assert!((60..=86_400).contains(&expires), "a ticket lives {expires} s");
    assert_eq!(ask(&stage, Some(2)).body["tickets"], json!([]), "this profile is good at home only");
}

#[test]
fn who_may_not_be_authorised_is_told_why() {
    let stage = Stage::new();
    ask(&stage, None).is_problem(404, "no-such-user");
    assert_eq!(stage.put(ANA, json!({})).status, 200);
    ask(&stage, None).is_problem(404, "no-such-profile");
    assert_eq!(stage.put(ANA, json!({"profiles": [{"index": 1}], "blocked": true})).status, 200);
    ask(&stage, None).is_problem(403, "user-blocked");
    assert_eq!(stage.put(ANA, json!({"profiles": [{"index": 1}]})).status, 200);
    ask(&stage, Some(2)).is_problem(404, "no-such-profile");
    assert_eq!(ask(&stage, None).status, 201);
}

#[test]
fn an_authorization_ends_once() {
    let stage = Stage::new();
    assert_eq!(stage.put(ANA, json!({"profiles": [{"index": 1}]})).status, 200);
    let path = format!("/v1/authorizations/{}", ask(&stage, None).text("authorization"));
    stage.get(&path).is_problem(405, "method-not-allowed");
    assert_eq!(stage.delete(&path).status, 204);
    assert_eq!(stage.delete(&path).status, 204, "again");
    stage.delete("/v1/authorizations/4711").is_problem(404, "no-such-authorization");
}

#[test]
fn a_wrong_authorization_is_refused_by_the_name_of_its_field() {
    let stage = Stage::new();
    for (body, code, subject) in [
        (json!({"client": "radio"}), "missing-field", "user"),
        (json!({"user": "sip:ana@a.example"}), "missing-field", "client"),
        (json!({"user": "", "client": "radio"}), "invalid-field", "user"),
        (json!({"user": "sip:ana@a.example", "client": "a b"}), "invalid-field", "client"),
        (json!({"user": "sip:ana@a.example", "client": "radio", "profile": "one"}), "invalid-field", "profile"),
        (json!({"user": "sip:ana@a.example", "client": "radio", "profile": 0}), "invalid-field", "profile"),
        (json!({"user": "sip:ana@a.example", "client": "radio", "index": 1}), "unknown-field", "index"),
    ] {
        let answer = stage.post("/v1/authorizations", body);
        answer.is_problem(422, code);
        assert_eq!(answer.text("subject"), subject);
    }
    stage.ask("POST", "/v1/authorizations", &[], Some("{}")).is_problem(415, "unsupported-media-type");
}
