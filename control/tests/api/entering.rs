//! A call from its start to its end, late entry and the floor in between.

use serde_json::{Value, json};

use super::client::{Client, GROUP, Stage};

#[test]
fn a_call_is_started_entered_spoken_in_and_ended() {
    let stage = Stage::new();
    let (ana, ben, eva) = (Client::new(), Client::new(), Client::new());
    stage.put_group(json!({"open": true}));
    let started = stage.start("sip:ana@a", &ana);
    assert_eq!(started.status, 201, "{started:?}");
    assert_eq!(started.body["group"], "sip:fire-1@a.example");
    assert_eq!(started.body["leg"]["sdp"], Value::Null);
    assert_eq!(started.body["late_entry"]["floor"]["state"], "idle");
    let entered = stage.start("sip:ben@a", &ben);
    assert_eq!((entered.status, entered.call()), (200, started.call()));
    let granted = stage.post(&format!("{}/floor", started.participant()), json!({"action": "request"}));
    assert_eq!(granted.body, json!({"result": "granted", "position": null, "duration_s": 30, "cause": null}));
    ana.talk(&started, 0..20);
    (0..20).for_each(|number| assert_eq!(ben.heard(), number));

    let mut late = eva.body("sip:eva@a");
    let ssrc = started.body["leg"]["audio_ssrc"].clone();
    late["resume"] = json!([{"ssrc": ssrc, "sequence": 11}, {"ssrc": 1, "sequence": 5}]);
    let late = stage.post(&format!("{}/participants", started.call()), late);
    assert_eq!(late.status, 201, "{late:?}");
    let floor = &late.body["late_entry"]["floor"];
    assert_eq!(
        (&floor["state"], &floor["talker"], &floor["audio_ssrc"]),
        (&json!("taken"), &json!("sip:ana@a"), &ssrc)
    );
    assert_eq!((&floor["may_request"], &floor["message_sequence_number"]), (&json!(true), &json!(1)));
    assert_eq!(floor["overriding"], Value::Null);
    let media = &late.body["late_entry"]["media"][0];
    assert_eq!((&media["sequence"], &media["rollover"]), (&json!(19), &json!(0)));
    assert_eq!((&media["resumed_from"], &media["missed"]), (&json!(12), &Value::Null));
    assert_eq!(late.body["late_entry"]["bursts"], json!([]));
    assert_eq!(eva.told(), 18, "Floor Taken that wants an acknowledgement");
    ana.talk(&started, 20..25);
    (12..25).for_each(|number| assert_eq!(eva.heard(), number));

    let queued = stage.post(&format!("{}/floor", entered.participant()), json!({"action": "request"}));
    assert_eq!((&queued.body["result"], &queued.body["position"]), (&json!("queued"), &json!(1)));
    let released = stage.post(&format!("{}/floor", started.participant()), json!({"action": "release"}));
    assert_eq!(released.body["result"], "released");
    let call = stage.get(&started.call());
    assert_eq!(call.body["floor"]["talker"], "sip:ben@a", "who waited has the floor");
    assert_eq!((&call.body["participants"], &call.body["type"]), (&json!(3), &json!("normal")));
    assert_eq!(call.body["media"][0]["sequence"], 24);
    let all = stage.get("/v1/calls");
    assert_eq!(all.body["items"][0]["floor"]["talker"], "sip:ben@a");
    assert_eq!(all.body["items"][0]["media"][0]["sequence"], 24);

    assert_eq!(stage.delete(&started.call()).status, 204);
    assert_eq!(stage.delete(&started.call()).status, 204);
    stage.get(&started.call()).is_problem(410, "call-ended");
    assert_eq!(stage.delete(&started.participant()).status, 204);
    stage.post(&format!("{}/floor", started.participant()), json!({"action": "request"})).is_problem(410, "call-ended");
}

#[test]
fn concurrent_starts_give_one_call() {
    const STARTS: usize = 8;
    let stage = Stage::new();
    for round in 0..40 {
        let group = format!("/v1/groups/sip%3A{round}%40a");
        assert_eq!(stage.put(&group, json!({"model": "chat", "open": true})).status, 200);
        let gate = std::sync::Barrier::new(STARTS);
        let answers: Vec<_> = std::thread::scope(|scope| {
            let start = |number: usize| {
                let (stage, group, gate) = (&stage, &group, &gate);
                scope.spawn(move || {
                    let client = Client::new();
                    gate.wait();
                    stage.post(&format!("{group}/calls"), client.body(&format!("sip:{number}@a")))
                })
            };
            let threads: Vec<_> = (0..STARTS).map(start).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1, "{answers:?}");
        assert!(answers.iter().all(|answer| answer.text("call") == answers[0].text("call")));
        assert_eq!(stage.get(&answers[0].call()).body["participants"], STARTS);
    }
}

/// Whatever a client asks for, its member's priority is the cap: only who stands higher takes the floor from a talker.
#[test]
fn a_members_priority_caps_what_its_client_asks_for() {
    let stage = Stage::new();
    stage.put_group(json!({"members": [{"user": "sip:ana@a", "priority": 1}, {"user": "sip:ben@a", "priority": 2}]}));
    let enter = |user: &str, client: &Client| {
        let mut body = client.body(user);
        body["leg"]["udp"]["priority"] = json!(255);
        stage.post(&format!("{GROUP}/calls"), body)
    };
    let (ana, ben) = (Client::new(), Client::new());
    let (lower, higher) = (enter("sip:ana@a", &ana), enter("sip:ben@a", &ben));
    let ask = |who: &super::client::Answer, action: &str| {
        let path = format!("{}/floor", who.participant());
        let answer = stage.post(&path, json!({"action": action, "priority": 255}));
        (answer.text("result"), stage.get(&lower.call()).body["floor"]["state"].as_str().unwrap().to_owned())
    };
    let words = |result: &str, state: &str| (result.to_owned(), state.to_owned());
    assert_eq!(ask(&higher, "request"), words("granted", "taken"));
    assert_eq!(ask(&lower, "request"), words("queued", "taken"));
    assert_eq!(ask(&higher, "release"), words("released", "taken"), "who waited has it");
    assert_eq!(ask(&higher, "request"), words("queued", "pending_revoke"));
}

#[test]
fn the_same_client_again_replaces_its_leg() {
    let stage = Stage::new();
    let (ana, ben, moved) = (Client::new(), Client::new(), Client::new());
    let started = stage.start("sip:ana@a", &ana);
    let entered = stage.start("sip:ben@a", &ben);
    stage.post(&format!("{}/floor", started.participant()), json!({"action": "request"}));
    ana.talk(&started, 0..5);
    (0..5).for_each(|number| assert_eq!(ben.heard(), number));
    let again = stage.post(&format!("{}/participants", started.call()), moved.body("sip:ben@a"));
    assert_eq!((again.status, again.participant()), (200, entered.participant()));
    assert_eq!(again.body["leg"]["audio_ssrc"], entered.body["leg"]["audio_ssrc"]);
    ana.talk(&started, 5..10);
    (5..10).for_each(|number| assert_eq!(moved.heard(), number));
    assert!(ben.is_silent());
    // And back again, by PUT; the address that was left is free.
    let put = stage.put(&format!("{}/leg", entered.participant()), ben.leg());
    assert_eq!((put.status, put.participant()), (200, entered.participant()));
    ana.talk(&started, 10..12);
    (10..12).for_each(|number| assert_eq!(ben.heard(), number));
    assert!(moved.is_silent());
}

#[test]
fn the_last_participant_takes_the_call_along() {
    let stage = Stage::new();
    let (ana, ben) = (Client::new(), Client::new());
    let (started, entered) = (stage.start("sip:ana@a", &ana), stage.start("sip:ben@a", &ben));
    assert_eq!(stage.delete(&started.participant()).status, 204);
    assert_eq!(stage.delete(&started.participant()).status, 204, "again");
    stage.put(&format!("{}/leg", started.participant()), ana.leg()).is_problem(410, "participant-left");
    assert_eq!(stage.get(&started.call()).status, 200);
    assert_eq!(stage.delete(&entered.participant()).status, 204);
    stage.get(&started.call()).is_problem(410, "call-ended");
    let anew = stage.start("sip:ana@a", &ana);
    assert_eq!(anew.status, 201);
    assert_ne!(anew.call(), started.call());
}

#[test]
fn participants_are_listed_in_pages() {
    let stage = Stage::new();
    stage.put_group(json!({"open": true}));
    let clients: Vec<Client> = (0..5).map(|_| Client::new()).collect();
    let answers: Vec<_> = clients.iter().enumerate().map(|(n, c)| stage.start(&format!("sip:{n}@a"), c)).collect();
    let path = format!("{}/participants", answers[0].call());
    let (mut seen, mut next) = (vec![], String::new());
    loop {
        let page = stage.get(&format!("{path}?limit=2{next}"));
        let items = page.body["items"].as_array().unwrap().clone();
        assert!(items.len() <= 2);
        seen.extend(items.iter().map(|item| item["user"].as_str().unwrap().to_owned()));
        match page.body["next"].as_str() {
            Some(after) => next = format!("&after={after}"),
            None => break,
        }
    }
    assert_eq!(seen, ["sip:0@a", "sip:1@a", "sip:2@a", "sip:3@a", "sip:4@a"]);
    let one = &stage.get(&format!("{path}?limit=1")).body["items"][0];
    assert_eq!(one["leg"]["udp"], clients[0].leg()["udp"]);
    assert_eq!(
        (&one["client"], &one["floor_confirmed"], &one["dropped"]),
        (&json!("radio"), &json!(false), &json!({}))
    );
    for bad in ["limit=0", "limit=1001", "limt=3", "after=x"] {
        let answer = stage.get(&format!("{path}?{bad}"));
        assert!((400..500).contains(&answer.status), "{bad}: {answer:?}");
    }
}

#[test]
fn a_silent_leg_ends_and_a_refreshed_one_lives() {
    let stage = Stage::new();
    let (ana, ben) = (Client::new(), Client::new());
    let started = stage.start("sip:ana@a", &ana);
    let mut short = ben.body("sip:ben@a");
    short["expires_s"] = json!(1);
    let short = stage.post(&format!("{}/participants", started.call()), short);
    assert_eq!(short.status, 201);
    // An RTCP receiver report under any SSRC keeps the leg alive.
    let rtcp: std::net::SocketAddr = short.body["leg"]["rtp"].as_str().unwrap().parse().unwrap();
    let report = [0x80, 201, 0, 1, 1, 2, 3, 4];
    let begin = std::time::Instant::now();
    while begin.elapsed() < std::time::Duration::from_millis(1_500) {
        ben.rtp.send_to(&report, rtcp).unwrap();
        assert_eq!(stage.get(&started.call()).body["participants"], 2);
    }
    while stage.get(&started.call()).body["participants"] == 2 {
        assert!(begin.elapsed() < std::time::Duration::from_secs(5), "a silent leg ends after a second");
    }
    stage.put(&format!("{}/leg", short.participant()), ben.leg()).is_problem(410, "participant-left");
    assert_eq!(stage.start("sip:ana@a", &ana).status, 200, "the call itself goes on at {GROUP}");
}

#[test]
fn privacy_hides_the_talker_in_every_answer() {
    let stage = Stage::new();
    stage.put_group(json!({"floor": {"privacy": true}}));
    let (ana, ben) = (Client::new(), Client::new());
    let started = stage.start("sip:ana@a", &ana);
    let first = stage.start("sip:ben@a", &ben);
    stage.post(&format!("{}/floor", started.participant()), json!({"action": "request"}));
    let late = stage.start("sip:leo@a", &Client::new());
    let listed = stage.get("/v1/calls").body["items"][0].clone();
    for floor in [&late.body["late_entry"]["floor"], &stage.get(&first.call()).body["floor"], &listed["floor"]] {
        assert_eq!((&floor["state"], &floor["talker"]), (&json!("taken"), &Value::Null));
        assert_eq!(floor["audio_ssrc"], started.body["leg"]["audio_ssrc"]);
    }
}
