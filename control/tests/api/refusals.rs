//! Every row of API v1's error table that this build can give.

use serde_json::{Value, json};

use super::client::{Client, GROUP, Stage};

#[test]
fn what_is_not_there_is_404() {
    let stage = Stage::new();
    stage.get("/v1/groups/sip%3Anobody%40a").is_problem(404, "no-such-group");
    stage.post("/v1/groups/sip%3Anobody%40a/calls", Client::new().body("sip:ana@a")).is_problem(404, "no-such-group");
    stage.get("/v1/calls/4711").is_problem(404, "no-such-call");
    stage.delete("/v1/calls/4711").is_problem(404, "no-such-call");
    let started = stage.start("sip:ana@a", &Client::new());
    let nobody = format!("{}/participants/4711", started.call());
    stage.delete(&nobody).is_problem(404, "no-such-participant");
    stage.post(&format!("{nobody}/floor"), json!({"action": "request"})).is_problem(404, "no-such-participant");
    stage.get("/v1/elsewhere").is_problem(404, "not-found");
    stage.get("/elsewhere").is_problem(404, "not-found");
    stage.delete("/v1/system").is_problem(405, "method-not-allowed");
}

#[test]
fn bodies_are_json_of_known_fields() {
    let stage = Stage::new();
    let json = [("content-type", "application/json")];
    let put = |body: &str| stage.ask("PUT", GROUP, &json, Some(body));
    put("{").is_problem(400, "malformed-json");
    put("nonsense").is_problem(400, "malformed-json");
    put("{}").is_problem(422, "missing-field");
    put("{\"model\": \"party\"}").is_problem(422, "invalid-field");
    let misspelt = put("{\"model\": \"chat\", \"menbers\": []}");
    misspelt.is_problem(422, "unknown-field");
    assert_eq!(misspelt.text("subject"), "menbers");
    put("{\"model\": \"chat\", \"floor\": {\"max_burst_s\": 0}}").is_problem(422, "invalid-field");
    put("{\"menbers\": [").is_problem(400, "malformed-json");
    put("{\"model\": \"party\"").is_problem(400, "malformed-json");
    for (body, field) in [
        (r#"{"model": "party"}"#, "model"),
        (r#"{"model": "chat", "floor": {"max_burst_s": "long"}}"#, "floor.max_burst_s"),
        (r#"{"model": "chat", "floor": {"max_burst_s": -1}}"#, "floor.max_burst_s"),
        (r#"{"model": "chat", "floor": {"burst": 1}}"#, "floor.burst"),
        (r#"{"model": "chat", "members": [{"user": "a"}, {"usr": "b"}]}"#, "members[1].usr"),
        (r#"{"model": "chat", "members": [{"user": "a"}, {"priority": 1}]}"#, "members[1].user"),
    ] {
        let answer = put(body);
        assert_eq!((answer.status, answer.text("subject").as_str()), (422, field), "{answer:?}");
    }
    put(&format!("{{\"model\": \"chat\", \"x\": \"{}\"}}", "y".repeat(1 << 20))).is_problem(413, "body-too-large");
    let edge = (1 << 20) - "{\"model\": \"chat\"}".len();
    assert!(put(&format!("{{\"model\": \"chat\"}}{}", " ".repeat(edge))).status < 300);
    stage.ask("PUT", GROUP, &[], Some("{}")).is_problem(415, "unsupported-media-type");
    stage.ask("PUT", GROUP, &[("content-type", "text/json")], Some("{}")).is_problem(415, "unsupported-media-type");
    stage.ask("POST", &format!("{GROUP}/calls"), &[], None).is_problem(415, "unsupported-media-type");
    let with_charset = [("content-type", "application/json; charset=utf-8")];
    assert!(stage.ask("PUT", GROUP, &with_charset, Some("{\"model\": \"chat\"}")).status < 300);
}

/// What the framework itself refuses is a problem document too.
#[test]
fn every_error_is_a_problem_document() {
    let stage = Stage::new();
    let json = [("content-type", "application/json")];
    stage.get("/v1/groups/%FF").is_problem(400, "malformed-request");
    stage.get("/v1/users/%FF").is_problem(400, "malformed-request");
    stage.ask("POST", "/v1/groups/%FF/calls", &json, Some("{}")).is_problem(400, "malformed-request");
    stage.delete("/v1/calls/1/participants/%C3%28").is_problem(400, "malformed-request");
    stage.get("/v1/calls?limit=x").is_problem(400, "malformed-request");
    let wrong = stage.ask("PATCH", "/v1/groups", &json, Some("{}"));
    wrong.is_problem(405, "method-not-allowed");
    assert!(wrong.head.contains("allow: get"), "{}", wrong.head);
}

#[test]
fn only_this_machine_and_its_own_pages_may_ask() {
    let stage = Stage::new();
    let get = |headers: &[(&str, &str)]| stage.ask("GET", "/healthz", headers, None);
    get(&[("host", "example.org")]).is_problem(421, "misdirected-host");
    get(&[("origin", "http://example.org")]).is_problem(403, "foreign-origin");
    get(&[("origin", "null")]).is_problem(403, "foreign-origin");
    let own = format!("http://{}", stage.http());
    let answer = get(&[("origin", &own)]);
    assert_eq!(answer.status, 200);
    assert!(!answer.head.contains("access-control"), "{}", answer.head);
    assert_eq!(get(&[("host", "localhost:1")]).status, 200);
}

#[test]
fn members_take_part_and_some_only_listen() {
    let stage = Stage::new();
    let (ana, leo) = (Client::new(), Client::new());
    stage.start("sip:eva@a", &ana).is_problem(403, "not-a-member");
    let started = stage.start("sip:ana@a", &ana);
    stage.post(&format!("{}/participants", started.call()), leo.body("sip:eva@a")).is_problem(403, "not-a-member");
    let leo_there = stage.start("sip:leo@a", &leo);
    assert_eq!(leo_there.body["late_entry"]["floor"]["may_request"], false);
    stage
        .post(&format!("{}/floor", leo_there.participant()), json!({"action": "request"}))
        .is_problem(403, "receive-only");
    let released = stage.post(&format!("{}/floor", leo_there.participant()), json!({"action": "release"}));
    assert_eq!(released.body["result"], "released");
}

#[test]
fn what_later_builds_have_says_not_yet() {
    let stage = Stage::new();
    let started = stage.start("sip:ana@a", &Client::new());
    for path in ["/docs", "/v1/events"] {
        stage.get(path).is_problem(404, "not-yet");
    }
    stage.post("/v1/system/drain", json!({})).is_problem(404, "not-yet");
    let not_yet = |path: &str, value: Value| {
        let mut group = json!({"model": "chat"});
        match path.split_once('.') {
            Some((part, field)) => group[part] = json!({field: value}),
            None => group[path] = value,
        }
        let answer = stage.put("/v1/groups/sip%3Alater%40a", group);
        answer.is_problem(422, "not-yet");
        assert_eq!(answer.text("subject"), path);
    };
    not_yet("floor.audio_cut_in", json!(true));
    not_yet("floor.dual_floor", json!(true));
    not_yet("media.ssrc", json!("learned"));
    not_yet("media.clear_between_quic_and_udp", json!("allow"));
    for kind in ["emergency", "imminent_peril", "broadcast"] {
        let mut body = Client::new().body("sip:ben@a");
        body["type"] = json!(kind);
        stage.post(&format!("{GROUP}/calls"), body).is_problem(422, "not-yet");
        let json = [("content-type", "application/json")];
        let patched = stage.ask("PATCH", &started.call(), &json, Some(&json!({"type": kind}).to_string()));
        patched.is_problem(422, "not-yet");
    }
    let mut normal = Client::new().body("sip:ben@a");
    normal["type"] = json!("normal");
    assert_eq!(stage.post(&format!("{GROUP}/calls"), normal).status, 200, "a default is accepted");
    let emergency = json!({"action": "request", "emergency": true});
    stage.post(&format!("{}/floor", started.participant()), emergency).is_problem(422, "not-yet");
    for header in ["idempotency-key", "if-match"] {
        let headers = [("content-type", "application/json"), (header, "1")];
        stage.ask("PUT", GROUP, &headers, Some("{\"model\": \"chat\"}")).is_problem(422, "not-yet");
    }
}

#[test]
fn limits_of_one_entry_have_two_sides() {
    let stage = Stage::new();
    let started = stage.start("sip:ana@a", &Client::new());
    let enter = |field: &str, value: Value| {
        let mut body = Client::new().body("sip:ben@a");
        body[field] = value;
        stage.post(&format!("{}/participants", started.call()), body)
    };
    let points = |count: u32| json!((0..count).map(|ssrc| json!({"ssrc": ssrc, "sequence": 1})).collect::<Vec<_>>());
    assert!(enter("resume", points(64)).status < 300);
    let full = enter("resume", points(65));
    full.is_problem(429, "limit-reached");
    assert_eq!(full.text("subject"), "resume");
    assert!(enter("expires_s", json!(86_400)).status < 300);
    assert!(enter("expires_s", json!(0)).status < 300);
    enter("expires_s", json!(86_401)).is_problem(422, "invalid-field");
    enter("client", json!("")).is_problem(422, "invalid-field");
    enter("client", json!("x".repeat(256))).is_problem(422, "invalid-field");
    enter("type", json!("normal")).is_problem(422, "unknown-field");
}
