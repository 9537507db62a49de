//! The rules of legs: nobody may point the relay at a stranger.

use serde_json::{Value, json};

use super::client::{Client, GROUP, Stage};

#[test]
fn legs_break_no_rule() {
    let stage = Stage::new();
    let client = Client::new();
    let started = stage.start("sip:ana@a", &client);
    let own = started.body["leg"]["rtp"].as_str().unwrap();
    let own_floor = started.body["leg"]["floor"].as_str().unwrap();
    let enter = |udp: Value| {
        let body = json!({"user": "sip:ben@a", "client": "radio", "leg": {"udp": udp}});
        stage.post(&format!("{}/participants", started.call()), body)
    };
    for bad in ["10.0.0.1:40000", "127.0.0.1:80", "0.0.0.0:40000", "224.0.0.1:40000", own, own_floor] {
        enter(json!({"rtp": bad})).is_problem(422, "leg-address-not-allowed");
        enter(json!({"rtp": "127.0.0.1:40000", "floor": bad})).is_problem(422, "leg-address-not-allowed");
    }
    enter(json!({"rtp": "[::1]:40000"})).is_problem(422, "leg-family-not-served");
    enter(json!({"rtp": "localhost:40000"})).is_problem(422, "invalid-field");
    enter(json!({})).is_problem(422, "missing-field");
    enter(json!({"rtp": client.leg()["udp"]["rtp"]})).is_problem(409, "leg-in-use");
    // Another call may use the same address, and a refused entry keeps nothing.
    let other = "/v1/groups/sip%3Aother%40a";
    assert_eq!(stage.put(other, json!({"model": "chat", "open": true})).status, 200);
    assert_eq!(stage.post(&format!("{other}/calls"), client.body("sip:ben@a")).status, 201);
    let fresh = Client::new();
    assert_eq!(enter(fresh.leg()["udp"].clone()).status, 201);
    let sdp = json!({"user": "sip:leo@a", "client": "radio", "leg": {"sdp": "v=0"}});
    stage.post(&format!("{GROUP}/calls"), sdp).is_problem(422, "not-yet");
}

#[test]
fn a_leg_without_floor_address_works_by_api() {
    let stage = Stage::new();
    let (ana, ben) = (Client::new(), Client::new());
    let body = |user: &str, client: &Client| {
        let udp = json!({"rtp": client.rtp.local_addr().unwrap().to_string()});
        json!({"user": user, "client": "radio", "leg": {"udp": udp}})
    };
    let started = stage.post(&format!("{GROUP}/calls"), body("sip:ana@a", &ana));
    let entered = stage.post(&format!("{GROUP}/calls"), body("sip:ben@a", &ben));
    assert_eq!((started.status, entered.status), (201, 200));
    let granted = stage.post(&format!("{}/floor", started.participant()), json!({"action": "request"}));
    assert_eq!(granted.body["result"], "granted");
    ana.talk(&started, 0..3);
    (0..3).for_each(|number| assert_eq!(ben.heard(), number));
}
