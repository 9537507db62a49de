//! Many enter by one request: an answer for each, as if they had come one after the other.

use serde_json::{Value, json};

use super::client::{Answer, Client, GROUP, Stage};

/// A stage whose group is open, and the call that Ana has started.
fn stage() -> (Stage, Client, Answer) {
    let stage = Stage::new();
    stage.put_group(json!({"open": true}));
    let ana = Client::new();
    let started = stage.start("sip:ana@a", &ana);
    (stage, ana, started)
}

fn batch(stage: &Stage, started: &Answer, items: &[Value]) -> Answer {
    stage.post(&format!("{}/participants", started.call()), json!({"items": items}))
}

/// A client on an address of its own that nobody listens at.
fn somebody(number: usize) -> Value {
    let rtp = format!("127.2.{}.{}:4000", number / 250, number % 250 + 1);
    json!({"user": format!("sip:{number}@a"), "client": "radio", "leg": {"udp": {"rtp": rtp}}})
}

/// Status and code of a problem; 200 for an answer.
fn verdict(item: &Value) -> (u64, &str) {
    match item["participant"].as_str() {
        Some(_) => (200, ""),
        None => (item["status"].as_u64().unwrap(), item["code"].as_str().unwrap()),
    }
}

#[test]
fn every_item_has_its_own_answer_in_its_place() {
    let stage = Stage::new();
    let (ana, ben, leo) = (Client::new(), Client::new(), Client::new());
    let mut talker = ana.body("sip:ana@a");
    talker["implicit_floor_request"] = json!(true);
    let started = stage.post(&format!("{GROUP}/calls"), talker);
    ana.talk(&started, 0..5);
    while stage.get(&started.call()).body["media"][0]["sequence"] != 4 {}
    let bad = |field: &str, value: Value| {
        let mut item = Client::new().body("sip:ben@a");
        item[field] = value;
        item
    };
    let items = [
        bad("user", json!("sip:mallory@a")),
        ben.body("sip:ben@a"),
        bad("leg", json!({"udp": {"rtp": "127.0.0.1:80"}})),
        bad("leg", json!({"udp": {"rtp": "127.0.0.1:4000", "colour": "red"}})),
        bad("type", json!("normal")),
        bad("items", json!([])),
        json!({}),
        json!(7),
        leo.body("sip:leo@a"),
    ];
    let answer = batch(&stage, &started, &items);
    assert_eq!(answer.status, 200, "{answer:?}");
    let answers = answer.body["items"].as_array().unwrap();
    let verdicts: Vec<_> = answers.iter().map(verdict).collect();
    let expected = [
        (403, "not-a-member"),
        (200, ""),
        (422, "leg-address-not-allowed"),
        (422, "unknown-field"),
        (422, "unknown-field"),
        (422, "unknown-field"),
        (422, "missing-field"),
        (422, "invalid-field"),
        (200, ""),
    ];
    assert_eq!(verdicts, expected);
    assert_eq!(answers[3]["subject"], "leg.udp.colour");
    assert_eq!(answers[6]["subject"], "user");
    for field in ["type", "title", "detail", "advice"] {
        assert!(answers[0][field].is_string(), "{field} in {}", answers[0]);
    }
    // Both are served as anybody else is.
    for (client, at) in [(&ben, 1), (&leo, 8)] {
        let entered = &answers[at]["late_entry"];
        assert_eq!((&entered["floor"]["state"], &entered["floor"]["talker"]), (&json!("taken"), &json!("sip:ana@a")));
        assert_eq!(entered["media"][0]["resumed_from"], 0, "{entered}");
        assert_eq!(client.told(), 18, "Floor Taken that wants an acknowledgement");
        (0..5).for_each(|number| assert_eq!(client.heard(), number));
    }
    ana.talk(&started, 5..8);
    (5..8).for_each(|number| assert_eq!((ben.heard(), leo.heard()), (number, number)));
    assert_eq!(stage.get(&started.call()).body["participants"], 3);
}

#[test]
fn the_same_client_twice_replaces_its_leg_and_leaves_its_address_to_the_next() {
    let (stage, ana, started) = stage();
    let (first, second) = (Client::new(), Client::new());
    let items = [
        first.body("sip:ben@a"),
        second.body("sip:ben@a"),
        first.body("sip:eva@a"),
        second.body("sip:leo@a"),
        somebody(1),
    ];
    let answer = batch(&stage, &started, &items);
    let answers = answer.body["items"].as_array().unwrap();
    let verdicts: Vec<_> = answers.iter().map(verdict).collect();
    assert_eq!(verdicts, [(200, ""), (200, ""), (200, ""), (409, "leg-in-use"), (200, "")]);
    for same in ["/participant", "/leg/audio_ssrc"] {
        assert_eq!(answers[0].pointer(same), answers[1].pointer(same), "one participant");
        assert_ne!(answers[0].pointer(same), answers[2].pointer(same));
    }
    assert_eq!(stage.get(&started.call()).body["participants"], 4);
    stage.post(&format!("{}/floor", started.participant()), json!({"action": "request"}));
    ana.talk(&started, 0..3);
    (0..3).for_each(|number| assert_eq!((first.heard(), second.heard()), (number, number)));
    assert!(first.is_silent() && second.is_silent(), "each hears everything once");
}

#[test]
fn a_batch_has_one_to_a_thousand_items() {
    let (stage, _ana, started) = stage();
    let none = batch(&stage, &started, &[]);
    none.is_problem(422, "invalid-field");
    assert_eq!(none.text("subject"), "items");
    let people: Vec<Value> = (0..=1000).map(somebody).collect();
    let full = batch(&stage, &started, &people);
    full.is_problem(429, "limit-reached");
    assert_eq!(full.text("subject"), "batch.items");
    assert_eq!(stage.get(&started.call()).body["participants"], 1, "nobody came in by a refused batch");
    let most = batch(&stage, &started, &people[..1000]);
    assert_eq!(most.status, 200);
    let answers = most.body["items"].as_array().unwrap();
    assert_eq!(answers.len(), 1000);
    assert!(answers.iter().all(|item| verdict(item) == (200, "")));
    let listed = stage.get(&format!("{}/participants?limit=1000", started.call()));
    for (at, row) in listed.body["items"].as_array().unwrap()[1..].iter().enumerate() {
        assert_eq!((&row["user"], &row["participant"]), (&people[at]["user"], &answers[at]["participant"]));
    }
    assert_eq!(stage.get(&started.call()).body["participants"], 1001);
    assert_eq!(stage.get("/v1/system").body["limits"]["batch.items"]["value"], 1000);
    let metrics = stage.get("/metrics");
    assert!(metrics.body.as_str().unwrap().contains("refused_total{limit=\"batch.items\"} 1\n"));
}

#[test]
fn what_a_full_call_has_no_room_for_is_refused_and_counted_item_by_item() {
    let (stage, _ana, _started) = stage();
    stage.put("/v1/groups/sip%3Asmall%40a", json!({"model": "chat", "open": true, "limits": {"participants": 3}}));
    let started = stage.post("/v1/groups/sip%3Asmall%40a/calls", somebody(0));
    let answer = batch(&stage, &started, &[somebody(1), somebody(2), somebody(3), somebody(1), somebody(4)]);
    let answers = answer.body["items"].as_array().unwrap();
    let verdicts: Vec<_> = answers.iter().map(verdict).collect();
    let full = (429, "limit-reached");
    assert_eq!(verdicts, [(200, ""), (200, ""), full, (200, ""), full]);
    assert_eq!(answers[2]["subject"], "participants");
    let metrics = stage.get("/metrics");
    assert!(metrics.body.as_str().unwrap().contains("refused_total{limit=\"participants\"} 2\n"));
    // Whoever was refused holds nothing: not its address either.
    let left =
        stage.delete(&format!("{}/participants/{}", started.call(), answers[1]["participant"].as_str().unwrap()));
    assert_eq!(left.status, 204);
    let again = batch(&stage, &started, &[somebody(4)]);
    assert_eq!(verdict(&again.body["items"][0]), (200, ""));
}

#[test]
fn a_batch_says_everything_in_its_items_and_enters_running_calls_only() {
    let (stage, _ana, started) = stage();
    let path = format!("{}/participants", started.call());
    for (field, value) in [("user", json!("sip:ben@a")), ("type", json!("normal")), ("expires_s", json!(1))] {
        let refused = stage.post(&path, json!({"items": [somebody(1)], field: value}));
        refused.is_problem(422, "invalid-field");
        assert_eq!(refused.text("subject"), "items");
    }
    stage.post(&path, json!({"items": "everybody"})).is_problem(422, "invalid-field");
    stage.post(&format!("{GROUP}/calls"), json!({"items": [somebody(1)]})).is_problem(422, "unknown-field");
    assert_eq!(stage.get(&started.call()).body["participants"], 1);
    assert_eq!(stage.delete(&started.call()).status, 204);
    batch(&stage, &started, &[somebody(1)]).is_problem(410, "call-ended");
}

#[test]
fn a_draining_node_replaces_legs_and_takes_nobody_new() {
    let (stage, _ana, started) = stage();
    std::thread::scope(|scope| {
        scope.spawn(|| stage.drain(std::time::Duration::from_secs(60)));
        while stage.get("/readyz").status == 200 {}
        let answer = batch(&stage, &started, &[somebody(1), Client::new().body("sip:ana@a"), somebody(2)]);
        let verdicts: Vec<_> = answer.body["items"].as_array().unwrap().iter().map(verdict).collect();
        assert_eq!(verdicts, [(503, "draining"), (200, ""), (503, "draining")]);
        assert_eq!(stage.delete(&started.call()).status, 204);
    });
}

/// Each waits for clients that the other is at: neither may hold any meanwhile.
#[test]
fn batches_of_the_same_clients_do_not_wait_for_each_other() {
    let (stage, _ana, started) = stage();
    let there: Vec<Value> = (0..40).map(somebody).collect();
    let back: Vec<Value> = there.iter().rev().cloned().collect();
    std::thread::scope(|scope| {
        let (stage, started) = (&stage, &started);
        let send = |items: &[Value]| {
            let items = items.to_vec();
            scope.spawn(move || (0..10).map(|_| batch(stage, started, &items)).collect::<Vec<_>>())
        };
        for thread in [send(&there), send(&back), send(&there)] {
            for answer in thread.join().unwrap() {
                assert!(answer.body["items"].as_array().unwrap().iter().all(|item| verdict(item) == (200, "")));
            }
        }
    });
    assert_eq!(stage.get(&started.call()).body["participants"], 41);
}
