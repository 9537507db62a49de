//! Group documents.

use serde_json::json;

use super::client::{Client, GROUP, Stage};

#[test]
fn a_document_is_stored_shown_listed_and_deleted() {
    let stage = Stage::new();
    let path = "/v1/groups/sip%3Anew%40a";
    stage.get(path).is_problem(404, "no-such-group");
    let stored = stage.put(path, json!({"model": "prearranged"}));
    assert_eq!(stored.status, 200);
    let expected = json!({
        "group": "sip:new@a", "revision": stored.body["revision"],
        "model": "prearranged", "members": [], "open": false, "enabled": true, "home": null, "migration_grace_s": 10,
        "floor": {"queueing": true, "max_burst_s": 30, "hang_time_s": 30, "audio_cut_in": false, "dual_floor": false,
                  "privacy": false},
        "media": {"codecs": [{"name": "AMR-WB/16000", "payload_type": 96, "fmtp": "octet-align=1"}], "ssrc": "assigned",
                  "retention_ms": 10000, "entry_ms": 200, "packets_per_s": 200, "bytes_per_s": 65536,
                  "clear_between_quic_and_udp": "refuse"},
        "limits": {"participants": 2000, "queue": 16},
    });
    assert_eq!(stored.body, expected, "the defaults of API v1");
    assert_eq!(stage.get(path).body, expected);
    assert_eq!(stage.put(path, json!({"model": "prearranged"})).body, expected, "idempotent, same revision");
    assert_ne!(stage.put(path, json!({"model": "chat"})).body["revision"], expected["revision"]);
    let listed = stage.get("/v1/groups?limit=1");
    assert_eq!(listed.body["items"][0]["group"], "sip:fire-1@a.example");
    let next = listed.body["next"].as_str().unwrap().replace('@', "%40");
    let listed = stage.get(&format!("/v1/groups?limit=1&after={next}"));
    assert_eq!((&listed.body["items"][0]["group"], &listed.body["next"]), (&json!("sip:new@a"), &json!(null)));
    assert_eq!(stage.delete(path).status, 204);
    stage.delete(path).is_problem(404, "no-such-group");
}

#[test]
fn a_group_with_a_running_call_stays_and_a_removed_member_leaves() {
    let stage = Stage::new();
    let (ana, ben) = (Client::new(), Client::new());
    let (started, entered) = (stage.start("sip:ana@a", &ana), stage.start("sip:ben@a", &ben));
    stage.delete(GROUP).is_problem(409, "group-has-call");
    stage.put_group(json!({"members": [{"user": "sip:ana@a"}]}));
    assert_eq!(stage.get(&started.call()).body["participants"], 1);
    stage.put(&format!("{}/leg", entered.participant()), ben.leg()).is_problem(410, "participant-left");
    stage.start("sip:ben@a", &ben).is_problem(403, "not-a-member");
}

/// A group is deleted or its call starts, never both.
#[test]
fn a_group_is_not_deleted_while_its_call_starts() {
    let stage = Stage::new();
    for round in 0..200 {
        let group = format!("/v1/groups/sip%3A{round}%40a");
        assert_eq!(stage.put(&group, json!({"model": "chat", "open": true})).status, 200);
        let (gate, client) = (std::sync::Barrier::new(2), Client::new());
        let (started, deleted) = std::thread::scope(|scope| {
            let start = scope.spawn(|| {
                gate.wait();
                stage.post(&format!("{group}/calls"), client.body("sip:ana@a"))
            });
            gate.wait();
            let deleted = stage.delete(&group);
            (start.join().unwrap(), deleted)
        });
        assert!(matches!((started.status, deleted.status), (201, 409) | (404, 204)), "{started:?} {deleted:?}");
        if started.status == 201 {
            assert_eq!(stage.delete(&started.call()).status, 204);
        }
    }
}

#[test]
fn a_disabled_group_takes_no_new_call() {
    let stage = Stage::new();
    stage.put_group(json!({"enabled": false}));
    stage.start("sip:ana@a", &Client::new()).is_problem(403, "group-disabled");
}

#[test]
fn a_call_ends_with_its_hang_time() {
    let stage = Stage::new();
    stage.put_group(json!({"floor": {"hang_time_s": 1}}));
    let started = stage.start("sip:ana@a", &Client::new());
    let begin = std::time::Instant::now();
    while stage.get(&started.call()).status == 200 {
        assert!(begin.elapsed() < std::time::Duration::from_secs(5), "nobody talks, so the call ends");
    }
    stage.get(&started.call()).is_problem(410, "call-ended");
}

#[test]
fn a_full_call_names_its_limit() {
    let stage = Stage::new();
    stage.put_group(json!({"limits": {"participants": 2}}));
    let clients = [Client::new(), Client::new(), Client::new()];
    assert_eq!(stage.start("sip:ana@a", &clients[0]).status, 201);
    assert_eq!(stage.start("sip:ben@a", &clients[1]).status, 200);
    let full = stage.start("sip:leo@a", &clients[2]);
    full.is_problem(429, "limit-reached");
    assert_eq!(
        (full.text("subject"), full.text("advice")),
        ("participants".into(), "raise limits.participants of the group".into())
    );
    let metrics = stage.get("/metrics");
    let metrics = metrics.body.as_str().unwrap();
    assert!(metrics.contains("carryover_refused_total{limit=\"participants\"} 1"), "{metrics}");
}

#[test]
fn new_settings_reach_the_running_call_with_its_next_burst() {
    let stage = Stage::new();
    let (ana, ben) = (Client::new(), Client::new());
    let (started, _entered) = (stage.start("sip:ana@a", &ana), stage.start("sip:ben@a", &ben));
    let floor = format!("{}/floor", started.participant());
    let granted = |stage: &Stage| stage.post(&floor, json!({"action": "request"})).body["duration_s"].clone();
    assert_eq!(granted(&stage), 30);
    stage.put_group(json!({"floor": {"max_burst_s": 7}}));
    assert_eq!(granted(&stage), 30, "this burst began before");
    stage.post(&floor, json!({"action": "release"}));
    assert_eq!(granted(&stage), 7);
}

#[test]
fn a_group_names_its_home_and_its_grace() {
    let stage = Stage::new();
    let path = "/v1/groups/sip%3Anew%40a";
    let put = |body: serde_json::Value| stage.put(path, body);
    let own = put(json!({"model": "chat", "open": true, "home": "a.example", "migration_grace_s": 3600}));
    assert_eq!(
        (&own.body["home"], &own.body["migration_grace_s"]),
        (&json!(null), &json!(3600)),
        "this system is null"
    );
    let started = stage.post(&format!("{path}/calls"), Client::new().body("sip:ana@a"));
    assert_eq!(started.status, 201, "{started:?}");
    assert_eq!(stage.delete(&started.call()).status, 204);
    assert_eq!(put(json!({"model": "chat", "open": true, "home": "b.example"})).body["home"], "b.example");
    // Its home decides who enters, and nobody is known there.
    stage.post(&format!("{path}/calls"), Client::new().body("sip:ana@a")).is_problem(404, "no-such-user");
    let long = put(json!({"model": "chat", "migration_grace_s": 3601}));
    long.is_problem(422, "invalid-field");
    assert_eq!(long.text("subject"), "migration_grace_s");
    put(json!({"model": "chat", "home": ""})).is_problem(422, "invalid-field");
}
