//! Affiliations: who is entered by the server, and when.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::client::{Answer, Client, GROUP, Stage};

const FIRE: &str = "sip:fire-1@a.example";

/// Ana, Ben and Leo are members of a pre-arranged group and authorised, with their clients `radio`.
fn stage() -> Stage {
    let stage = Stage::new();
    stage.put_group(json!({"model": "prearranged"}));
    for user in ["sip:ana@a", "sip:ben@a", "sip:leo@a"] {
        authorise(&stage, user, "radio", 8);
    }
    stage
}

fn authorise(stage: &Stage, user: &str, client: &str, n2: u32) {
    let groups: Vec<String> = (0..4).map(|number| format!("sip:{number}@a")).chain([FIRE.into()]).collect();
    let path = format!("/v1/users/{}", user.replace(':', "%3A").replace('@', "%40"));
    let stored = stage.put(&path, json!({"profiles": [{"index": 1, "groups": groups, "n2": n2}]}));
    assert_eq!(stored.status, 200, "{stored:?}");
    let authorized = stage.post("/v1/authorizations", json!({"user": user, "client": client}));
    assert_eq!(authorized.status, 201, "{authorized:?}");
}

fn affiliate(stage: &Stage, user: &str, client: &Client, groups: &[&str]) -> Answer {
    let groups: Vec<_> = groups.iter().map(|group| json!({"group": group})).collect();
    let body = json!({"user": user, "client": "radio", "groups": groups, "leg": client.leg(), "expires_s": 0});
    let answer = stage.post("/v1/affiliations", body);
    assert_eq!(answer.status, 200, "{answer:?}");
    answer
}

fn path(answer: &Answer) -> String {
    format!("/v1/affiliations/{}", answer.text("affiliation"))
}

fn item(answer: &Answer, at: usize) -> &Value {
    &answer.body["items"][at]
}

/// A participant's answer out of an item.
fn entered(answer: &Answer) -> Answer {
    Answer { status: 200, head: String::new(), body: item(answer, 0)["entered"].clone() }
}

#[test]
fn a_newly_affiliated_client_is_entered_into_the_running_call() {
    let stage = stage();
    let (ana, ben) = (Client::new(), Client::new());
    affiliate(&stage, "sip:ana@a", &ana, &[FIRE]);
    let mut body = ana.body("sip:ana@a");
    body["implicit_floor_request"] = json!(true);
    let started = stage.post(&format!("{GROUP}/calls"), body);
    assert_eq!(started.status, 201, "{started:?}");
    ana.talk(&started, 0..10);
    let affiliated = affiliate(&stage, "sip:ben@a", &ben, &[FIRE]);
    let one = item(&affiliated, 0);
    assert_eq!((&one["group"], &one["status"]), (&json!(FIRE), &json!("affiliated")));
    assert_eq!(entered(&affiliated).call(), started.call());
    assert_eq!(one["entered"]["late_entry"]["floor"]["talker"], "sip:ana@a");
    assert!(one["entered"]["leg"]["audio_ssrc"].is_u64());
    let first = ben.heard();
    ana.talk(&started, 10..12);
    (first + 1..12).for_each(|number| assert_eq!(ben.heard(), number));
}

#[test]
fn a_call_that_starts_enters_everybody_who_is_affiliated() {
    let stage = stage();
    let (ana, ben) = (Client::new(), Client::new());
    let affiliated = affiliate(&stage, "sip:ben@a", &ben, &[FIRE]);
    assert_eq!(item(&affiliated, 0)["entered"], Value::Null, "no call runs");
    affiliate(&stage, "sip:ana@a", &ana, &[FIRE]);
    let revision = affiliated.text("revision");
    let (started, seen) = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| stage.get(&format!("{}?wait_s=30&revision={revision}", path(&affiliated))));
        (stage.start("sip:ana@a", &ana), waiting.join().unwrap())
    });
    assert_eq!(started.status, 201, "{started:?}");
    assert_eq!(entered(&seen).call(), started.call(), "{seen:?}");
    stage.post(&format!("{}/floor", started.participant()), json!({"action": "request"}));
    ana.talk(&started, 0..3);
    (0..3).for_each(|number| assert_eq!(ben.heard(), number));
}

/// The originator starts the call on another leg than the one of its affiliation: the one that it named last counts.
#[test]
fn who_started_the_call_is_not_entered_once_more() {
    let stage = stage();
    let (ana, given_up, ben) = (Client::new(), Client::new(), Client::new());
    let affiliated = affiliate(&stage, "sip:ana@a", &given_up, &[FIRE]);
    affiliate(&stage, "sip:ben@a", &ben, &[FIRE]);
    let started = stage.start("sip:ana@a", &ana);
    assert_eq!(started.status, 201, "{started:?}");
    let begin = Instant::now();
    while stage.get(&started.call()).body["participants"] != 2 {
        assert!(begin.elapsed() < Duration::from_secs(9), "Ben is entered");
    }
    let participants = stage.get(&format!("{}/participants", started.call())).body;
    assert_eq!(participants["items"][0]["leg"]["udp"], ana.leg()["udp"], "{participants}");
    let seen = stage.get(&path(&affiliated));
    assert_eq!(entered(&seen).participant(), started.participant(), "{seen:?}");
}

#[test]
fn each_group_has_a_cause_of_its_own() {
    let stage = stage();
    let put = |number: u32, settings: Value| {
        let mut group = json!({"model": "prearranged", "members": [{"user": "sip:ana@a"}]});
        settings.as_object().unwrap().iter().for_each(|(key, value)| group[key] = value.clone());
        assert_eq!(stage.put(&format!("/v1/groups/sip%3A{number}%40a"), group).status, 200);
    };
    put(0, json!({"members": []}));
    put(1, json!({"enabled": false}));
    put(2, json!({"home": "b.example"}));
    let answer =
        affiliate(&stage, "sip:ana@a", &Client::new(), &["sip:0@a", "sip:1@a", "sip:2@a", "sip:3@a", "sip:9@a", FIRE]);
    let codes: Vec<_> = answer.body["items"].as_array().unwrap().iter().map(|item| item["code"].as_str()).collect();
    let expected = ["not-a-member", "group-disabled", "no-agreement", "no-such-group", "group-not-in-profile"];
    assert_eq!(codes, expected.map(Some).into_iter().chain([None]).collect::<Vec<_>>(), "{answer:?}");
    let refused = item(&answer, 0);
    assert_eq!((&refused["group"], &refused["status"]), (&json!("sip:0@a"), &json!(403)));
    for field in ["type", "title", "detail", "subject", "advice"] {
        assert!(refused[field].is_string(), "{field} in {refused}");
    }
    assert_eq!(item(&answer, 5)["status"], "affiliated");
}

#[test]
fn n2_is_counted_in_the_order_in_which_the_client_names_groups() {
    let stage = stage();
    for number in 0..4 {
        let group = json!({"model": "prearranged", "members": [{"user": "sip:ana@a"}]});
        assert_eq!(stage.put(&format!("/v1/groups/sip%3A{number}%40a"), group).status, 200);
    }
    authorise(&stage, "sip:ana@a", "radio", 2);
    let all = affiliate(&stage, "sip:ana@a", &Client::new(), &["sip:3@a", "sip:1@a", "sip:0@a"]);
    assert_eq!((&item(&all, 0)["status"], &item(&all, 1)["status"]), (&json!("affiliated"), &json!("affiliated")));
    assert_eq!((&item(&all, 2)["code"], &item(&all, 2)["status"]), (&json!("n2-exceeded"), &json!(403)));
}

#[test]
fn who_may_not_affiliate_is_told_why() {
    let stage = Stage::new();
    let body = |user: &str| json!({"user": user, "client": "radio", "groups": [{"group": FIRE}]});
    stage.post("/v1/affiliations", body("sip:eva@a")).is_problem(404, "no-such-user");
    assert_eq!(stage.put("/v1/users/sip%3Aeva%40a", json!({"profiles": [{"index": 1}]})).status, 200);
    stage.post("/v1/affiliations", body("sip:eva@a")).is_problem(403, "not-authorized");
    for path in ["/v1/affiliations/4711", "/v1/affiliations/4711?wait_s=30"] {
        stage.get(path).is_problem(404, "no-such-affiliation");
        stage.delete("/v1/affiliations/4711").is_problem(404, "no-such-affiliation");
    }
    stage.put("/v1/affiliations/4711", json!({})).is_problem(404, "no-such-affiliation");
}

#[test]
fn an_end_takes_the_client_out_and_scope_says_whose() {
    let stage = stage();
    let (ana, ben, leo) = (Client::new(), Client::new(), Client::new());
    authorise(&stage, "sip:ben@a", "tablet", 8);
    affiliate(&stage, "sip:ana@a", &ana, &[FIRE]);
    let started = stage.start("sip:ana@a", &ana);
    let participants = |stage: &Stage| stage.get(&started.call()).body["participants"].clone();
    let radio = affiliate(&stage, "sip:ben@a", &ben, &[FIRE]);
    let tablet = stage.post(
        "/v1/affiliations",
        json!({"user": "sip:ben@a", "client": "tablet", "groups": [{"group": FIRE}], "leg": leo.leg(), "expires_s": 0}),
    );
    assert_eq!(participants(&stage), 3, "{tablet:?}");
    let ended = stage.delete(&format!("{}?scope=client", path(&radio)));
    assert_eq!(ended.status, 200, "{ended:?}");
    assert_eq!(participants(&stage), 2, "it is silent when it is answered");
    let one = item(&ended, 0);
    assert_eq!((&one["group"], &one["status"], &one["entered"]), (&json!(FIRE), &json!("de-affiliated"), &Value::Null));
    stage.get(&path(&radio)).is_problem(404, "no-such-affiliation");
    assert_eq!(stage.get(&path(&tablet)).status, 200, "the other client stays");
    let radio = affiliate(&stage, "sip:ben@a", &ben, &[FIRE]);
    assert_eq!(participants(&stage), 3);
    assert_eq!(stage.put("/v1/groups/sip%3A1%40a", json!({"model": "chat", "open": true})).status, 200);
    let more = json!({"user": "sip:ben@a", "client": "tablet", "groups": [{"group": "sip:1@a"}], "leg": leo.leg()});
    assert_eq!(item(&stage.post("/v1/affiliations", more), 1)["status"], "affiliated");
    let ended = stage.delete(&format!("{}?scope=user", path(&radio)));
    assert_eq!(ended.status, 200);
    let groups: Vec<&Value> = (0..2).map(|at| &item(&ended, at)["group"]).collect();
    assert_eq!((groups, ended.body["items"].as_array().unwrap().len()), (vec![&json!(FIRE), &json!("sip:1@a")], 2));
    assert_eq!(participants(&stage), 1, "every client of Ben, and nobody else");
    stage.get(&path(&tablet)).is_problem(404, "no-such-affiliation");
    stage.delete(&format!("{}?scope=all", path(&tablet))).is_problem(400, "malformed-request");
}

#[test]
fn a_reader_that_waits_is_answered_by_the_change_or_when_its_time_is_over() {
    let stage = stage();
    let affiliated = affiliate(&stage, "sip:ben@a", &Client::new(), &[FIRE]);
    let begin = Instant::now();
    let nothing = stage.get(&format!("{}?wait_s=1", path(&affiliated)));
    assert!(begin.elapsed() >= Duration::from_secs(1), "nothing changed");
    assert_eq!(nothing.body, affiliated.body);
    let known = affiliated.text("revision").parse::<u64>().unwrap();
    let begin = Instant::now();
    let at_once = stage.get(&format!("{}?wait_s=60&revision={}", path(&affiliated), known + 1));
    assert_eq!(at_once.body, affiliated.body, "the reader knew another one");
    assert!(begin.elapsed() < Duration::from_secs(9));
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| stage.get(&format!("{}?wait_s=60&revision={known}", path(&affiliated))));
        assert_eq!(stage.delete(&path(&affiliated)).status, 200);
        waiting.join().unwrap().is_problem(404, "no-such-affiliation");
    });
    stage.get(&format!("{}?wait_s=61", path(&affiliated))).is_problem(422, "invalid-field");
    stage.get(&format!("{}?wait=1", path(&affiliated))).is_problem(400, "malformed-request");
}

#[test]
fn an_affiliation_that_nobody_refreshes_expires() {
    let stage = stage();
    let (ana, ben) = (Client::new(), Client::new());
    affiliate(&stage, "sip:ana@a", &ana, &[FIRE]);
    let started = stage.start("sip:ana@a", &ana);
    let mut body = json!({"user": "sip:ben@a", "client": "radio", "groups": [{"group": FIRE}], "leg": ben.leg()});
    body["expires_s"] = json!(1);
    let short = stage.post("/v1/affiliations", body);
    assert_eq!(stage.get(&started.call()).body["participants"], 2, "{short:?}");
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_millis(1_500) {
        assert_eq!(stage.put(&path(&short), json!({})).status, 200, "refreshed");
    }
    while stage.get(&path(&short)).status == 200 {
        assert!(begin.elapsed() < Duration::from_secs(9), "it lives a second");
    }
    while stage.get(&started.call()).body["participants"] != 1 {
        assert!(begin.elapsed() < Duration::from_secs(9), "and its participant leaves with it");
    }
    assert_eq!(stage.get(&started.call()).status, 200);
}

#[test]
fn a_client_that_left_by_itself_is_shown_as_not_in_the_call() {
    let stage = stage();
    let (ana, ben) = (Client::new(), Client::new());
    affiliate(&stage, "sip:ana@a", &ana, &[FIRE]);
    assert_eq!(stage.start("sip:ana@a", &ana).status, 201);
    let affiliated = affiliate(&stage, "sip:ben@a", &ben, &[FIRE]);
    let revision = affiliated.text("revision");
    assert_eq!(stage.delete(&entered(&affiliated).participant()).status, 204);
    let seen = stage.get(&format!("{}?wait_s=30&revision={revision}", path(&affiliated)));
    assert_eq!((&item(&seen, 0)["status"], &item(&seen, 0)["entered"]), (&json!("affiliated"), &Value::Null));
}

#[test]
fn a_stored_user_enters_a_pre_arranged_call_only_if_it_is_affiliated() {
    let stage = stage();
    let ana = Client::new();
    stage.start("sip:ana@a", &ana).is_problem(403, "not-affiliated");
    affiliate(&stage, "sip:ana@a", &ana, &[FIRE]);
    let started = stage.start("sip:ana@a", &ana);
    assert_eq!(started.status, 201, "{started:?}");
    let ben = Client::new();
    stage.post(&format!("{}/participants", started.call()), ben.body("sip:ben@a")).is_problem(403, "not-affiliated");
    // Whom the system does not know comes in by the group's document, as without any stored user.
    stage.put_group(json!({"model": "prearranged", "open": true}));
    let eva = stage.post(&format!("{}/participants", started.call()), Client::new().body("sip:eva@a"));
    assert_eq!(eva.status, 201, "{eva:?}");
}

#[test]
fn de_authorisation_ends_affiliations_and_participations() {
    let stage = Stage::new();
    stage.put_group(json!({"model": "prearranged", "open": true}));
    let user = json!({"profiles": [{"index": 1, "groups": [FIRE]}]});
    assert_eq!(stage.put("/v1/users/sip%3Aben%40a", user).status, 200);
    let authorized = stage.post("/v1/authorizations", json!({"user": "sip:ben@a", "client": "radio"}));
    let started = stage.start("sip:eva@a", &Client::new());
    let affiliated = affiliate(&stage, "sip:ben@a", &Client::new(), &[FIRE]);
    assert_eq!(stage.get(&started.call()).body["participants"], 2, "{affiliated:?}");
    assert_eq!(stage.delete(&format!("/v1/authorizations/{}", authorized.text("authorization"))).status, 204);
    assert_eq!(stage.get(&started.call()).body["participants"], 1);
    stage.get(&path(&affiliated)).is_problem(404, "no-such-affiliation");
}

#[test]
fn a_wrong_affiliation_is_refused_by_the_name_of_its_field() {
    let stage = stage();
    let one = json!({"group": FIRE});
    for (field, value, code, subject) in [
        ("user", json!(7), "invalid-field", "user"),
        ("user", json!(""), "invalid-field", "user"),
        ("client", json!("x".repeat(256)), "invalid-field", "client"),
        ("groups", json!([]), "invalid-field", "groups"),
        ("groups", json!(FIRE), "invalid-field", "groups"),
        ("groups", json!([{"grp": FIRE}]), "unknown-field", "groups[0].grp"),
        ("groups", json!([{"resume": []}]), "missing-field", "groups[0].group"),
        ("groups", json!([one, {"group": ""}]), "invalid-field", "groups[1].group"),
        ("groups", json!([one, one]), "invalid-field", "groups[1].group"),
        (
            "groups",
            json!([{"group": FIRE, "resume": [{"ssrc": -1, "sequence": 0}]}]),
            "invalid-field",
            "groups[0].resume[0].ssrc",
        ),
        ("leg", json!({"udp": {"rtp": "10.0.0.1:40000"}}), "leg-address-not-allowed", "leg.udp.rtp"),
        ("leg", json!({"sdp": "v=0"}), "not-yet", "leg.sdp"),
        ("expires_s", json!(86_401), "invalid-field", "expires_s"),
        ("expire_s", json!(1), "unknown-field", "expire_s"),
    ] {
        let mut body = json!({"user": "sip:ana@a", "client": "radio", "groups": [one]});
        body[field] = value;
        let answer = stage.post("/v1/affiliations", body);
        answer.is_problem(422, code);
        assert_eq!(answer.text("subject"), subject, "{answer:?}");
    }
    stage.ask("POST", "/v1/affiliations", &[], Some("{}")).is_problem(415, "unsupported-media-type");
    stage.ask("PUT", "/v1/affiliations/1", &[], Some("{}")).is_problem(415, "unsupported-media-type");
    stage.put("/v1/affiliations/1", json!({"expires_s": 1})).is_problem(422, "unknown-field");
}

#[test]
fn an_affiliation_has_so_many_groups_and_resume_points() {
    let stage = stage();
    let post = |groups: Vec<Value>| {
        stage.post("/v1/affiliations", json!({"user": "sip:ana@a", "client": "radio", "groups": groups}))
    };
    let named =
        |number: u32| (0..number).map(|number| json!({"group": format!("sip:x{number}@a")})).collect::<Vec<_>>();
    let most = post(named(256));
    assert_eq!((most.status, most.body["items"].as_array().unwrap().len()), (200, 256));
    let full = post(named(257));
    full.is_problem(429, "limit-reached");
    assert_eq!(full.text("subject"), "affiliation.groups");
    let metrics = stage.get("/metrics").body;
    assert!(metrics.as_str().unwrap().contains("carryover_refused_total{limit=\"affiliation.groups\"} 1\n"));
    let points = |number: u32| {
        let points: Vec<_> = (0..number).map(|ssrc| json!({"ssrc": ssrc, "sequence": 1})).collect();
        vec![json!({"group": FIRE, "resume": points})]
    };
    assert_eq!(post(points(64)).status, 200);
    post(points(65)).is_problem(429, "limit-reached");
}

/// A draining node takes no new work, and lets go of what there is.
#[test]
fn a_draining_node_affiliates_nobody() {
    let stage = stage();
    let affiliated = affiliate(&stage, "sip:ben@a", &Client::new(), &[FIRE]);
    stage.drain(Duration::ZERO);
    let body = json!({"user": "sip:ana@a", "client": "radio", "groups": [{"group": FIRE}]});
    stage.post("/v1/affiliations", body).is_problem(503, "draining");
    stage.post("/v1/authorizations", json!({"user": "sip:ana@a", "client": "2"})).is_problem(503, "draining");
    assert_eq!(stage.delete(&path(&affiliated)).status, 200);
}

/// TS 24.379 §9.2.2.2.14: an entry that fails undoes the affiliation that it caused; N2 shows it.
#[test]
fn an_entry_that_fails_leaves_no_affiliation_behind() {
    let stage = stage();
    let chat = |number: u32| format!("/v1/groups/sip%3A{number}%40a");
    for number in 0..2 {
        assert_eq!(stage.put(&chat(number), json!({"model": "chat", "open": true})).status, 200);
    }
    authorise(&stage, "sip:ana@a", "radio", 1);
    let (ana, leo) = (Client::new(), Client::new());
    let body = |user: &str, client: &Client| json!({"user": user, "client": "radio", "leg": client.leg()});
    let started = stage.post(&format!("{}/calls", chat(0)), body("sip:leo@a", &leo));
    assert_eq!(started.status, 201, "{started:?}");
    // By both ways into the call: the address is Leo's.
    stage.post(&format!("{}/calls", chat(0)), body("sip:ana@a", &leo)).is_problem(409, "leg-in-use");
    stage.post(&format!("{}/participants", started.call()), body("sip:ana@a", &leo)).is_problem(409, "leg-in-use");
    let other = affiliate(&stage, "sip:ana@a", &ana, &["sip:1@a"]);
    assert_eq!(item(&other, 0)["status"], "affiliated", "nothing else counts: {other:?}");
    assert_eq!(other.body["items"].as_array().unwrap().len(), 1);
    // Whoever does come in stays affiliated, also when a later request fails.
    assert_eq!(stage.delete(&path(&other)).status, 200);
    assert_eq!(stage.post(&format!("{}/calls", chat(0)), body("sip:ana@a", &ana)).status, 200);
    stage.post(&format!("{}/calls", chat(0)), body("sip:ana@a", &leo)).is_problem(409, "leg-in-use");
    let other = affiliate(&stage, "sip:ana@a", &ana, &["sip:1@a"]);
    assert_eq!(item(&other, 1)["code"], "n2-exceeded", "{other:?}");
}
