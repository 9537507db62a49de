//! tshark reads every kind of floor message that a node sends, and reads in it what was meant.

mod trunk;

use std::collections::HashMap;

use relay_core::floor::message::{Kind, Message, Source};
use serde_json::json;

use crate::{
    dissector::{Row, number, read_by_tshark},
    handset::Handset,
    node::{self, Api},
    program,
};

const FIELDS: [&str; 17] = [
    "rtcp.app.subtype",
    "rtcp.app.name",
    "rtcp.ssrc.identifier",
    "rtcp.app_data.mcptt.msg_seq_num",
    "rtcp.app_data.mcptt.rej_cause.floor_deny",
    "rtcp.app_data.mcptt.rej_cause.floor_revoke",
    "rtcp.mcptt.granted_partys_id",
    "rtcp.app_data.mcptt.perm_to_req_floor",
    "rtcp.app_data.mcptt.rtcp",
    "rtcp.app_data.mcptt.duration",
    "rtcp.app_data.mcptt.queue_pos_inf",
    "rtcp.app_data.mcptt.source",
    "rtcp.app_data.mcptt.msg_type",
    "rtcp.app_data.mcptt.floor_ind",
    "rtcp.length_check",
    "_ws.malformed",
    "_ws.expert.message",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn every_floor_message_of_a_node_says_to_tshark_what_was_meant() {
    if !program::there("tshark", &["--version"]) {
        return;
    }
    let (node, api) = node::start(&json!({"max_burst_s": 1, "hang_time_s": 0})).await;
    let [ana, ben, eva, ida] = provoke(&api);
    let everything: Vec<(&str, &Handset, &[u8])> = [("ana", &ana), ("ben", &ben), ("eva", &eva), ("ida", &ida)]
        .into_iter()
        .flat_map(|(name, handset)| handset.told.iter().map(move |told| (name, handset, told.as_slice())))
        .collect();
    let read = read_by_tshark("floor-messages", &FIELDS, &everything.iter().map(|row| row.2).collect::<Vec<_>>());
    assert_eq!(read.len(), everything.len(), "tshark reads one message in each datagram");

    let mut said = Vec::new();
    let mut newest = HashMap::new();
    for (row, (name, handset, datagram)) in read.iter().zip(&everything) {
        let show = || format!("to {name}: {datagram:02x?} is read as {row:?}");
        assert_eq!((row["rtcp.app.name"].as_str(), row["rtcp.length_check"].as_str()), ("MCPT", "1"), "{}", show());
        assert_eq!((row["_ws.malformed"].as_str(), row["_ws.expert.message"].as_str()), ("", ""), "{}", show());
        assert_eq!(number(&row["rtcp.ssrc.identifier"]), u64::from(handset.floor_ssrc.0), "{}", show());
        let subtype = number(&row["rtcp.app.subtype"]);
        let indicator = &row["rtcp.app_data.mcptt.floor_ind"];
        assert!(subtype == 10 || number(indicator) == 0x8400, "a normal call with queueing: {}", show());
        let sequence = &row["rtcp.app_data.mcptt.msg_seq_num"];
        if !sequence.is_empty() {
            let before = newest.insert(*name, (number(sequence), *datagram));
            let ascends = match before {
                None => number(sequence) == 1,
                Some((last, same)) => number(sequence) == last + 1 || same == *datagram,
            };
            assert!(ascends, "message sequence numbers ascend from 1, a repetition keeps its own: {}", show());
        }
        said.push((*name, subtype, summary(row, [&ana, &ben], handset)));
    }
    let mut lacking = EXPECTED.to_vec();
    lacking.retain(|row| !said.iter().any(|said| said.0 == row.0 && said.1 == row.1 && said.2 == row.2));
    assert!(lacking.is_empty(), "not among what tshark read: {lacking:#?}\nread: {said:#?}");
    node.stop().await;
}

/// To whom, which subtype, and what it says.
const EXPECTED: [(&str, u64, &str); 20] = [
    ("ana", 21, ""),
    ("ana", 3, "deny 3"),
    ("ben", 21, ""),
    ("ana", 1, "1 s, SSRC own"),
    ("ben", 2, "sip:ana@a.example may 1, SSRC ana"),
    ("eva", 18, "sip:ana@a.example may 1, SSRC ana"),
    ("ida", 18, "sip:ana@a.example may 0, SSRC ana"),
    ("eva", 3, "deny 1"),
    ("ida", 3, "deny 5"),
    ("ben", 9, "place 254"),
    ("ben", 6, "revoke 3"),
    ("ben", 10, "by 2 for 4"),
    ("ben", 2, "sip:ana@a.example may 1, SSRC ana"),
    ("ben", 9, "place 1"),
    ("ana", 6, "revoke 4"),
    ("ana", 10, "by 2 for 4"),
    ("ben", 1, "1 s, SSRC own"),
    ("eva", 2, "sip:ben@a.example may 1, SSRC ben"),
    ("ben", 6, "revoke 2"),
    ("eva", 5, ""),
];

/// Makes a node say everything that it can say.
fn provoke(api: &Api) -> [Handset; 4] {
    let release = Message::Release { indicator: None };
    let mut ana = Handset::enter(api, "ana", &json!({}));
    ana.until(21, &[]);
    ana.request(0);
    ana.until(3, &[2, 2, 0, 3]);
    let mut ben = Handset::enter(api, "ben", &json!({"priority": 5}));
    let mut eva = Handset::enter(api, "eva", &json!({"queueing": false}));
    let mut ida = Handset::enter(api, "ida", &json!({}));
    ben.until(21, &[]);
    ben.say(false, Message::Ack { source: Source::Participant, acknowledged: Kind::Idle });

    ana.request(0);
    ana.until(1, &[]);
    ben.until(2, b"ana@");
    eva.until(18, b"ana@");
    ida.until(18, b"ana@");
    eva.request(0);
    eva.until(3, &[2, 2, 0, 1]);
    ida.request(0);
    ida.until(3, &[2, 2, 0, 5]);
    ben.say(false, Message::QueuePositionRequest);
    ben.until(9, &[3, 2, 254]);
    ben.talk(0);
    ben.until(6, &[2, 2, 0, 3]);
    ben.say(true, release);
    ben.until(10, &[]);
    ben.until(2, b"ana@");

    ben.request(0);
    ben.until(9, &[3, 2, 1]);
    ben.request(5);
    ana.until(6, &[2, 2, 0, 4]);
    ana.say(true, release);
    ana.until(10, &[]);
    ben.until(1, &[]);
    eva.until(2, b"ben@");
    ben.talk(1);
    ben.until(6, &[2, 2, 0, 2]);
    ben.say(false, release);
    eva.until(5, &[]);
    [ana, ben, eva, ida]
}

fn summary(row: &Row, [ana, ben]: [&Handset; 2], to: &Handset) -> String {
    let word = |name: &str, prefix: &str| match row[name].as_str() {
        "" => None,
        text => Some(format!("{prefix} {}", number(text))),
    };
    let taken = match row["rtcp.mcptt.granted_partys_id"].as_str() {
        "" => None,
        party => Some(format!("{party} may {}", row["rtcp.app_data.mcptt.perm_to_req_floor"])),
    };
    let ssrc = match row["rtcp.app_data.mcptt.rtcp"].as_str() {
        "" => None,
        text if number(text) == u64::from(to.ssrc.0) => Some("SSRC own".into()),
        text if number(text) == u64::from(ana.ssrc.0) => Some("SSRC ana".into()),
        text if number(text) == u64::from(ben.ssrc.0) => Some("SSRC ben".into()),
        text => Some(format!("SSRC {text}")),
    };
    let duration = Some(&row["rtcp.app_data.mcptt.duration"]).filter(|text| !text.is_empty());
    let ack = Some(&row["rtcp.app_data.mcptt.source"]).filter(|text| !text.is_empty());
    let ack = ack.map(|by| format!("by {by} for {}", row["rtcp.app_data.mcptt.msg_type"]));
    let parts = [
        word("rtcp.app_data.mcptt.rej_cause.floor_deny", "deny"),
        word("rtcp.app_data.mcptt.rej_cause.floor_revoke", "revoke"),
        word("rtcp.app_data.mcptt.queue_pos_inf", "place"),
        taken,
        duration.map(|seconds| format!("{seconds} s")),
        ssrc,
        ack,
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}
