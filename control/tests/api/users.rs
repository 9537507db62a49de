//! Users and their profiles.

use serde_json::{Value, json};

use super::client::Stage;

const ANA: &str = "/v1/users/sip%3Aana%40a.example";

#[test]
fn a_user_is_stored_shown_and_forgotten() {
    let stage = Stage::new();
    stage.get(ANA).is_problem(404, "no-such-user");
    stage.delete(ANA).is_problem(404, "no-such-user");
    let profile = json!({"index": 1, "partners": ["b.example"], "groups": ["sip:fire-1@a.example"], "n2": 3});
    let stored = stage.put(ANA, json!({"profiles": [profile], "blocked": false}));
    assert_eq!(stored.status, 200, "{stored:?}");
    let revision = stored.text("revision");
    let expected = json!({"user": "sip:ana@a.example", "revision": revision, "profiles": [profile], "blocked": false});
    assert_eq!(stored.body, expected);
    assert_eq!(stage.get(ANA).body, expected);
    assert_eq!(stage.put(ANA, json!({"profiles": [profile]})).body, expected, "idempotent, same revision");
    assert_ne!(stage.put(ANA, json!({"profiles": [profile], "blocked": true})).text("revision"), revision);
    assert_eq!(stage.delete(ANA).status, 204);
    stage.get(ANA).is_problem(404, "no-such-user");
}

#[test]
fn what_is_not_said_has_its_default() {
    let stage = Stage::new();
    let stored = stage.put(ANA, json!({}));
    assert_eq!((&stored.body["profiles"], &stored.body["blocked"]), (&json!([]), &json!(false)));
    let stored = stage.put(ANA, json!({"profiles": [{"index": 7}]}));
    assert_eq!(stored.body["profiles"], json!([{"index": 7, "partners": [], "groups": [], "n2": 8}]));
}

#[test]
fn a_wrong_user_document_is_refused_by_the_name_of_its_field() {
    let stage = Stage::new();
    let put = |body: Value| stage.put(ANA, body);
    for (body, code, subject) in [
        (json!({"profile": []}), "unknown-field", "profile"),
        (json!({"profiles": [{"indx": 1}]}), "unknown-field", "profiles[0].indx"),
        (json!({"profiles": [{}]}), "missing-field", "profiles[0].index"),
        (json!({"profiles": [{"index": "one"}]}), "invalid-field", "profiles[0].index"),
        (json!({"profiles": [{"index": 1}, {"index": 0}]}), "invalid-field", "profiles[1].index"),
        (json!({"profiles": [{"index": 1}, {"index": 1}]}), "invalid-field", "profiles[1].index"),
        (json!({"profiles": [{"index": 1, "partners": ["B.example"]}]}), "invalid-field", "profiles[0].partners"),
        (json!({"profiles": [{"index": 1, "groups": ["a b"]}]}), "invalid-field", "profiles[0].groups"),
        (json!({"profiles": [{"index": 1, "n2": 4097}]}), "invalid-field", "profiles[0].n2"),
        (json!({"blocked": "yes"}), "invalid-field", "blocked"),
    ] {
        let answer = put(body);
        answer.is_problem(422, code);
        assert_eq!(answer.text("subject"), subject);
    }
    stage.ask("PUT", ANA, &[], Some("{}")).is_problem(415, "unsupported-media-type");
    stage.put("/v1/users/a%20b", json!({})).is_problem(422, "invalid-field");
    stage.get(ANA).is_problem(404, "no-such-user");
    assert_eq!(put(json!({"profiles": [{"index": 1, "n2": 4096}]})).status, 200);
}

#[test]
fn profiles_their_partners_and_their_groups_have_a_limit() {
    let stage = Stage::new();
    let profiles = |number: u32| json!((1..=number).map(|index| json!({"index": index})).collect::<Vec<_>>());
    let names = |number: u32| json!((0..number).map(|index| format!("{index}.example")).collect::<Vec<_>>());
    let put = |profiles: Value| stage.put(ANA, json!({"profiles": profiles}));
    for (most, limit, body) in [
        (64, "profiles", &(|number| profiles(number)) as &dyn Fn(u32) -> Value),
        (1000, "profile.partners", &|number| json!([{"index": 1, "partners": names(number)}])),
        (1000, "profile.groups", &|number| json!([{"index": 1, "groups": names(number)}])),
    ] {
        assert_eq!(put(body(most)).status, 200, "{limit}");
        let full = put(body(most + 1));
        full.is_problem(429, "limit-reached");
        assert_eq!(full.text("subject"), limit);
        let metrics = stage.get("/metrics").body;
        let counted = format!("carryover_refused_total{{limit=\"{limit}\"}} 1\n");
        assert!(metrics.as_str().unwrap().contains(&counted), "{limit} is counted");
    }
}
