//! After the 204 of a leave nothing comes: neither in mid-burst nor in mid-replay. Loopback delivers while it sends, so whatever was
//! sent before the answer is in the socket when the answer comes.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use super::client::{Client, Stage};

#[test]
fn silence_follows_the_answer_in_mid_burst_and_in_mid_replay() {
    let stage = Stage::new();
    stage.put_group(json!({"open": true}));
    let (ana, ben) = (Client::new(), Client::new());
    let started = stage.start("sip:ana@a", &ana);
    stage.start("sip:ben@a", &ben);
    stage.post(&format!("{}/floor", started.participant()), json!({"action": "request"}));
    let ssrc = started.body["leg"]["audio_ssrc"].clone();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut number = 0;
            while !stop.load(Ordering::Relaxed) {
                ana.talk(&started, number..number + 1);
                number += 1;
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
        });
        (0..60).for_each(|_| _ = ben.heard());
        for round in 0..40 {
            let eva = Client::new();
            let mut body = eva.body("sip:eva@a");
            // From the first packet on: more than leaves at once, so it is paced; every other time from the newest.
            if round % 2 == 0 {
                body["resume"] = json!([{"ssrc": ssrc, "sequence": 0}]);
            }
            let entered = stage.post(&format!("{}/participants", started.call()), body);
            assert_eq!(entered.status, 201, "{entered:?}");
            (0..round / 4).for_each(|_| _ = eva.heard());
            assert_eq!(stage.delete(&entered.participant()).status, 204);
            while !eva.is_silent() {}
            eva.floor.set_nonblocking(true).unwrap();
            while eva.floor.recv(&mut [0; 2048]).is_ok() {}
            (0..5).for_each(|_| _ = ben.heard());
            assert!(eva.is_silent(), "media after the answer, round {round}");
            assert!(eva.floor.recv(&mut [0; 2048]).is_err(), "a floor message after the answer, round {round}");
        }
        stop.store(true, Ordering::Relaxed);
    });
}
