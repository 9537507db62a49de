//! The floor messages that two systems exchange, read by tshark out of UDP datagrams: whose they are is told by Track Info.

use relay_core::{
    Slot, Ssrc,
    floor::message::{Indicator, Message},
};

use crate::{
    dissector::{Row, number, read_by_tshark},
    program,
    span::{HOME, Pair},
};

const FIELDS: [&str; 16] = [
    "rtcp.app.subtype",
    "rtcp.app.name",
    "rtcp.ssrc.identifier",
    "rtcp.app_data.mcptt.queueing_cap",
    "rtcp.mcptt.participant_type",
    "rtcp.app_data.mcptt.floor_participant_ref",
    "rtcp.app_data.mcptt.rej_cause.floor_deny",
    "rtcp.app_data.mcptt.rej_cause.floor_revoke",
    "rtcp.mcptt.granted_partys_id",
    "rtcp.app_data.mcptt.duration",
    "rtcp.app_data.mcptt.queue_pos_inf",
    "rtcp.app_data.mcptt.rtcp",
    "rtcp.app_data.mcptt.floor_ind",
    "rtcp.length_check",
    "_ws.malformed",
    "_ws.expert.message",
];

//= TS 24.380 §8.2.3.13 test
#[test]
fn every_floor_message_between_two_systems_says_to_tshark_whose_it_is() {
    if !program::there("tshark", &["--version"]) {
        return;
    }
    let mut pair = Pair::new();
    let [ana, ben, eva, fay] = converse(&mut pair);
    let datagrams: Vec<&[u8]> = pair.crossed.iter().map(|crossed| crossed.1.as_slice()).collect();
    let read = read_by_tshark("floor-messages-between-systems", &FIELDS, &datagrams);
    assert_eq!(read.len(), datagrams.len(), "tshark reads one message in each datagram");

    let named = [(ana, "ana"), (ben, "ben"), (eva, "eva"), (fay, "fay")];
    let mut said = Vec::new();
    for (row, (to_home, datagram)) in read.iter().zip(&pair.crossed) {
        let show = || format!("{datagram:02x?} is read as {row:?}");
        assert_eq!((row["rtcp.app.name"].as_str(), row["rtcp.length_check"].as_str()), ("MCPT", "1"), "{}", show());
        assert_eq!((row["_ws.malformed"].as_str(), row["_ws.expert.message"].as_str()), ("", ""), "{}", show());
        let from = number(&row["rtcp.ssrc.identifier"]);
        let reference = &row["rtcp.app_data.mcptt.floor_participant_ref"];
        let asks = if *to_home { number(reference) } else { HOME.0.into() };
        assert_eq!(from, asks, "a participant's own SSRC upwards, the home's downwards: {}", show());
        said.push(format!("{} {}", if *to_home { "up  " } else { "down" }, summary(row, &named)));
    }
    assert_eq!(said, EXPECTED, "what tshark read, in the order in which it crossed the trunk");
}

/// What crosses, in order: way, subtype, whose it is by Track Info, and what it says. Taken (2) and Idle (5) are for everybody behind
/// the trunk: they name nobody. The first Idle answers the subscription, the second says that somebody is there to ask.
const EXPECTED: [&str; 22] = [
    "down 5",
    "down 5",
    "up   0, track eva, queues 1, as unknown",
    "down 1, track eva, queues 1, as unknown, 30 s, SSRC eva",
    "down 2, talker sip:eva@a.example, SSRC eva",
    "up   4, track eva, queues 1, as unknown",
    "down 5",
    "down 2, talker sip:ana@a.example, SSRC ana",
    "up   0, track fay, queues 0, as unknown",
    "down 3, track fay, queues 0, as unknown, deny 1",
    "up   0, track eva, queues 1, as unknown",
    "down 9, track eva, queues 1, as unknown, place 1",
    "up   8, track eva, queues 1, as unknown",
    "down 9, track eva, queues 1, as unknown, place 1",
    "down 1, track eva, queues 1, as unknown, 30 s, SSRC eva",
    "down 2, talker sip:eva@a.example, SSRC eva",
    "down 6, track eva, queues 1, as unknown, revoke 4",
    "up   4, track eva, queues 1, as unknown",
    "down 2, talker sip:ben@a.example, SSRC ben",
    "up   8, track fay, queues 0, as unknown",
    "down 9, track fay, queues 0, as unknown, place 254",
    "down 5",
];

/// Makes two systems say to each other all that they can: ana and ben at home; eva, who queues, and fay, who does not, in the
/// partner. Answers under which SSRCs they speak.
fn converse(pair: &mut Pair) -> [Ssrc; 4] {
    let ana = pair.enter(true, "sip:ana@a.example", true, 0);
    let ben = pair.enter(true, "sip:ben@a.example", true, 5);
    let eva = pair.enter(false, "sip:eva@a.example", true, 0);
    let fay = pair.enter(false, "sip:fay@b.example", false, 0);
    let release = Message::Release { indicator: Some(Indicator::NORMAL) };

    pair.say(false, eva, request(0));
    pair.say(false, eva, release);
    pair.say(true, ana, request(0));
    pair.say(false, fay, request(0));
    pair.say(false, eva, request(0));
    pair.say(false, eva, Message::QueuePositionRequest);
    pair.say(true, ana, release);
    pair.say(true, ben, request(5));
    pair.say(false, eva, release);
    pair.say(false, fay, Message::QueuePositionRequest);
    pair.say(true, ben, release);
    [ana, ben, eva, fay].map(|who: (Slot, Ssrc)| who.1)
}

fn request(priority: u8) -> Message<'static> {
    Message::Request {
        priority: Some(priority),
        indicator: Some(Indicator::NORMAL),
        functional_alias: None,
        location: None,
    }
}

/// Subtype, whose it is by Track Info, and what it says.
fn summary(row: &Row, named: &[(Ssrc, &str)]) -> String {
    let who = |text: &str| {
        let found = named.iter().find(|name| u64::from(name.0.0) == number(text));
        found.map_or_else(|| format!("nobody ({text})"), |name| name.1.to_owned())
    };
    let part =
        |field: &str, say: &dyn Fn(&str) -> String| Some(row[field].as_str()).filter(|text| !text.is_empty()).map(say);
    let parts = [
        part("rtcp.app.subtype", &|text| format!("{}", number(text))),
        part("rtcp.app_data.mcptt.floor_participant_ref", &|text| format!("track {}", who(text))),
        part("rtcp.app_data.mcptt.queueing_cap", &|text| format!("queues {}", number(text))),
        part("rtcp.mcptt.participant_type", &|text| format!("as {text}")),
        part("rtcp.app_data.mcptt.rej_cause.floor_deny", &|text| format!("deny {}", number(text))),
        part("rtcp.app_data.mcptt.rej_cause.floor_revoke", &|text| format!("revoke {}", number(text))),
        part("rtcp.app_data.mcptt.queue_pos_inf", &|text| format!("place {}", number(text))),
        part("rtcp.mcptt.granted_partys_id", &|text| format!("talker {text}")),
        part("rtcp.app_data.mcptt.duration", &|text| format!("{text} s")),
        part("rtcp.app_data.mcptt.rtcp", &|text| format!("SSRC {}", who(text))),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}
