//! A move between two processes that are killed: partners, identities and the migration are there when they come back.

use std::{ffi::OsStr, path::Path};

use control::certs;
use serde_json::{Value, json};

use super::{
    host::{ask, is_over, segment, until},
    killed::Process,
    radio::Radio,
    stage::{A, ANA, B, CHAT, FIRE, MIA},
};

fn start(folder: &Path, certs: &certs::Written, index: usize) -> Process {
    let pair = &certs.systems[index];
    let words: [&OsStr; 10] = [
        "--system".as_ref(),
        pair.system.as_ref(),
        "--trunk".as_ref(),
        "127.0.0.1:0".as_ref(),
        "--trunk-cert".as_ref(),
        pair.certificate.as_ref(),
        "--trunk-key".as_ref(),
        pair.key.as_ref(),
        "--trunk-ca".as_ref(),
        certs.ca.as_ref(),
    ];
    Process::start_with(&folder.join(&pair.system), &words)
}

fn put(to: &Process, path: &str, body: &Value) -> Value {
    ask(to.http, "PUT", path, Some(body)).expect(200)
}

fn post(to: &Process, path: &str, body: &Value, status: u16) -> Value {
    ask(to.http, "POST", path, Some(body)).expect(status)
}

fn get(from: &Process, path: &str) -> Value {
    ask(from.http, "GET", path, None).expect(200)
}

/// A document without what does not last: whether its trunk stands now.
fn lasting(mut partner: Value) -> Value {
    partner.as_object_mut().unwrap().remove("up");
    partner
}

fn await_trunk(a: &Process, b: &Process) {
    let up = |at: &Process, partner: &str| get(at, &format!("/v1/partners/{partner}"))["up"] == true;
    until("the trunk stands", || up(a, B) && up(b, A));
}

/// The causes, or `affiliated`, of groups that Mia asks for under the id that B gave her.
fn affiliated(b: &Process, alias: &Value, groups: &[&str]) -> Vec<Value> {
    let groups: Vec<Value> = groups.iter().map(|group| json!({"group": group})).collect();
    let answer = post(b, "/v1/affiliations", &json!({"user": alias, "client": "radio", "groups": groups}), 200);
    answer["items"].as_array().unwrap().iter().map(|item| item["status"].clone()).collect()
}

#[test]
fn kill_nine_of_both_systems_keeps_partners_identities_and_a_finished_move() {
    let folder = tempfile::tempdir().unwrap();
    let certs = certs::make(&folder.path().join("certs"), &[A, B].map(str::to_owned)).unwrap();
    let (mut a, mut b) = (start(folder.path(), &certs, 0), start(folder.path(), &certs, 1));
    let address = |of: &Process| json!({"address": of.trunk.unwrap().to_string(), "limits": {"migrated_users": 3}});
    put(&a, "/v1/partners/b.example", &address(&b));
    let partner = lasting(put(&b, "/v1/partners/a.example", &address(&a)));
    await_trunk(&a, &b);
    for group in [FIRE, CHAT] {
        put(
            &a,
            &format!("/v1/groups/{}", segment(group)),
            &json!({"model": "prearranged", "members": [{"user": MIA}]}),
        );
    }
    let profile = json!({"index": 1, "partners": [B], "groups": [FIRE, CHAT]});
    put(&a, &format!("/v1/users/{}", segment(MIA)), &json!({"profiles": [profile]}));
    let mut mia = Radio::new(MIA);
    let authorized = post(&a, "/v1/authorizations", &json!({"user": MIA, "client": "radio"}), 201);
    mia.tickets = authorized["tickets"].as_array().unwrap().clone();
    let body = json!({"user": MIA, "client": "radio", "from": A, "ticket": mia.ticket(B), "leg": mia.leg(),
        "groups": [{"group": FIRE}]});
    let migration = post(&b, "/v1/migrations", &body, 202)["migration"].as_str().unwrap().to_owned();
    let path = format!("/v1/migrations/{migration}");
    let mut moved = get(&b, &path);
    until("she has moved", || {
        moved = get(&b, &path);
        is_over(&moved)
    });
    assert_eq!((&moved["phase"], moved["phases"].as_array().unwrap().len()), (&json!("P9"), 5), "{moved}");

    drop(b);
    b = start(folder.path(), &certs, 1);
    assert_eq!(lasting(get(&b, "/v1/partners/a.example")), partner);
    let again = get(&b, &path);
    for field in ["phase", "phases", "user", "generation", "authorization", "affiliation", "groups"] {
        assert_eq!(again[field], moved[field], "{field}: {again}");
    }
    await_trunk(&a, &b);
    assert_eq!(affiliated(&b, &moved["user"], &[FIRE]), ["affiliated"], "B knows who she is");

    drop(a);
    a = start(folder.path(), &certs, 0);
    let before = lasting(get(&a, "/v1/partners/b.example"));
    assert_eq!(before["limits"]["migrated_users"], 3);
    put(&a, "/v1/partners/b.example", &address(&b));
    put(&b, "/v1/partners/a.example", &address(&a));
    await_trunk(&a, &b);
    // A grants it only to who serves her, under the generation that it minted.
    assert_eq!(affiliated(&b, &moved["user"], &[FIRE, CHAT]), ["affiliated", "affiliated"], "A knows where she is");
    let body = json!({"user": MIA, "client": "radio", "groups": [{"group": FIRE}]});
    ask(a.http, "POST", "/v1/affiliations", Some(&body)).is_problem(403, "not-authorized");
    let body = json!({"user": ANA, "client": "radio", "groups": [{"group": FIRE}]});
    ask(b.http, "POST", "/v1/affiliations", Some(&body)).is_problem(404, "no-such-user");
}
