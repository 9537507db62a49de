//! Both sides of every domain: the greatest value that is taken, and the next that is not.

use super::*;

/// Checks a frame at the edge, and that one step further is refused by the field's name.
fn frame_edge<T>(field: &'static str, good: T, bad: T, make: impl Fn(T) -> frame::What) {
    assert_eq!(say(make(good)).check(), Ok(()), "{field}");
    assert_eq!(fault(&say(make(bad))), field);
}

fn letter_edge<T>(field: &'static str, good: T, bad: T, make: impl Fn(T) -> letter::What) {
    let letter = |value| Letter { id: 1, what: Some(make(value)) };
    assert_eq!(letter(good).check(), Ok(()), "{field}");
    assert_eq!(fault(&letter(bad)), field);
}

#[track_caller]
fn fault(message: &(impl Checked + core::fmt::Debug)) -> &'static str {
    match message.check() {
        Err(Malformed::Value { field } | Malformed::TooMany { field, .. }) => field,
        other => panic!("{other:?} of {message:?}"),
    }
}

fn subscribe() -> wire::Subscribe {
    wire::Subscribe { flow: 1, group: "g".into(), start: true, range: 0, last: vec![] }
}

fn subscribed(snapshot: wire::Snapshot) -> frame::What {
    frame::What::Subscribed(wire::Subscribed { range: 1, snapshot: Some(snapshot), ..Default::default() })
}

fn announce() -> wire::Announce {
    let (user, client) = ("u".into(), "c".into());
    wire::Announce { flow: 1, reference: 1, user, client, ..Default::default() }
}

fn voice() -> wire::Voice {
    wire::Voice { user: "u".into(), ..Default::default() }
}

fn burst() -> wire::Burst {
    wire::Burst { talker: "u".into(), ..Default::default() }
}

fn floor(octets: usize) -> wire::Floor {
    wire::Floor { flow: 1, message: vec![0; octets], ..Default::default() }
}

fn codec() -> wire::Codec {
    wire::Codec { name: "AMR-WB".into(), payload_type: 96, fmtp: String::new() }
}

#[test]
fn an_id_has_1_to_255_octets_and_cannot_break_a_line_of_a_log() {
    let hello =
        |system: &str| say(frame::What::Hello(wire::Hello { system: system.into(), version: 1, incarnation: 1 }));
    for good in ["b", "sip:zoë@b.example", &"b".repeat(ID_OCTETS_MAX)] {
        assert_eq!(hello(good).check(), Ok(()), "{good:?}");
    }
    for bad in ["", "a b", "a\n", "a\u{0}", "a\u{85}", "a\u{2028}", &"b".repeat(ID_OCTETS_MAX + 1)] {
        assert_eq!(fault(&hello(bad)), "hello.system", "{bad:?}");
    }
}

#[test]
fn numbers_of_frames_have_both_sides() {
    use frame::What;
    let refused = |cause: &str, detail: &str| wire::Refused { flow: 0, cause: cause.into(), detail: detail.into() };
    frame_edge("subscribe.flow", FLOW_MAX, FLOW_MAX + 1, |flow| {
        What::Subscribe(wire::Subscribe { flow, ..subscribe() })
    });
    frame_edge("subscribe.range", 4096, 4097, |range| What::Subscribe(wire::Subscribe { range, ..subscribe() }));
    for (good, bad) in [(4096, 4097), (1, 0)] {
        frame_edge("subscribed.range", good, bad, |range| {
            What::Subscribed(wire::Subscribed { range, ..Default::default() })
        });
    }
    frame_edge("subscribed.home_flow", FLOW_MAX, FLOW_MAX + 1, |home_flow| {
        What::Subscribed(wire::Subscribed { home_flow, range: 1, ..Default::default() })
    });
    frame_edge("voice.payload_type", 127, 128, |payload_type| {
        subscribed(wire::Snapshot { voices: vec![wire::Voice { payload_type, ..voice() }], ..Default::default() })
    });
    frame_edge("voice.sequence", SEQUENCE_MAX, SEQUENCE_MAX + 1, |sequence| {
        subscribed(wire::Snapshot { voices: vec![wire::Voice { sequence, ..voice() }], ..Default::default() })
    });
    frame_edge("burst.ended", 5, 6, |ended| {
        let burst = wire::Burst { began: 5, ended, ..burst() };
        subscribed(wire::Snapshot { bursts: vec![burst], ..Default::default() })
    });
    frame_edge("announce.priority", 255, 256, |priority| What::Announce(wire::Announce { priority, ..announce() }));
    frame_edge("announce.reference", 1, 0, |reference| What::Announce(wire::Announce { reference, ..announce() }));
    frame_edge("depart.reference", 1, 0, |reference| What::Depart(wire::Depart { flow: 0, reference }));
    for (good, bad) in [(1, 0), (1068, 1069)] {
        frame_edge("floor.message", good, bad, |octets| What::Floor(floor(octets)));
    }
    for (good, bad) in [("a", ""), (&*"a".repeat(64), &*"a".repeat(65)), ("limit-reached", "limit reached"), ("a", "A")]
    {
        frame_edge("refused.cause", good, bad, |cause| What::Refused(refused(cause, "")));
    }
    for (good, bad) in [(&*"a".repeat(1024), &*"a".repeat(1025)), ("two words", "two\nlines")] {
        frame_edge("refused.detail", good, bad, |detail| What::Refused(refused("a", detail)));
    }
}

#[test]
fn lists_of_frames_have_both_sides() {
    use frame::What;
    frame_edge("subscribe.last", 64, 65, |count| {
        What::Subscribe(wire::Subscribe { last: vec![wire::Point::default(); count], ..subscribe() })
    });
    frame_edge("snapshot.voices", 256, 257, |count| {
        subscribed(wire::Snapshot { voices: vec![voice(); count], ..Default::default() })
    });
    frame_edge("snapshot.bursts", 256, 257, |count| {
        subscribed(wire::Snapshot { bursts: vec![burst(); count], ..Default::default() })
    });
    frame_edge("spacing.age", 4096, 4097, |count| What::Spacing(wire::Spacing { flow: 1, age: vec![20; count] }));
}

#[test]
fn letters_have_both_sides() {
    use letter::What;
    letter_edge("leave.ticket", 64, 65, |octets| {
        What::Leave(wire::Leave { ticket: vec![1; octets], user: "u".into(), client: "c".into() })
    });
    let unasked = What::Leave(wire::Leave { user: "u".into(), client: "c".into(), ..Default::default() });
    assert_eq!(Letter { id: 1, what: Some(unasked) }.check(), Ok(()), "the rules say what they think of it");
    letter_edge("left.migration", 1, 0, |octets| What::Left(wire::Left { migration: vec![1; octets] }));
    letter_edge("affiliate.groups", 256, 257, |count| {
        let (user, client, groups) = ("u".into(), "c".into(), vec!["g".into(); count]);
        What::Affiliate(wire::AffiliationRequest { user, client, groups, ..Default::default() })
    });
    letter_edge("deaffiliate.groups", "g", "a group", |group| {
        let (user, client, groups) = ("u".into(), "c".into(), vec![group.into()]);
        What::Deaffiliate(wire::DeaffiliationRequest { user, client, groups, ..Default::default() })
    });
    letter_edge("affiliation.items", 256, 257, |count| {
        let item = wire::AffiliationItem { group: "g".into(), ..Default::default() };
        What::Affiliation(wire::AffiliationAnswer { items: vec![item; count] })
    });
    letter_edge("profile.groups", 256, 257, |count| {
        let group = wire::ProfileGroup { group: "g".into(), home: "a".into() };
        What::ProfileAnswer(wire::Profile { index: 1, groups: vec![group; count], n2: 1 })
    });
    let changed = |document| {
        What::GroupChanged(wire::GroupChanged { group: "g".into(), document: Some(document), enabled: true })
    };
    letter_edge("document.codecs", 16, 17, |count| {
        changed(wire::GroupDocument { codecs: vec![codec(); count], ..Default::default() })
    });
    letter_edge("codec.payload_type", 127, 128, |payload_type| {
        let codecs = vec![wire::Codec { payload_type, ..codec() }];
        changed(wire::GroupDocument { codecs, ..Default::default() })
    });
    letter_edge("document.queue_max", 65_535, 65_536, |queue_max| {
        changed(wire::GroupDocument { queue_max, ..Default::default() })
    });
    letter_edge("call_started.group", "g", "", |group| What::CallStarted(wire::CallStarted { group: group.into() }));
    assert_eq!(Letter { id: 1, what: None }.check(), Err(Malformed::Unknown));
}

#[test]
fn every_letter_with_ids_names_the_empty_one() {
    use letter::What;
    let fields: Vec<String> = [
        What::Leave(wire::Leave { ticket: vec![1], ..Default::default() }),
        What::Profile(wire::ProfileRequest { migration: vec![1], ..Default::default() }),
        What::Authorize(wire::AuthorizationRequest { migration: vec![1], ..Default::default() }),
        What::Affiliate(wire::AffiliationRequest::default()),
        What::Deaffiliate(wire::DeaffiliationRequest::default()),
        What::GiveUp(wire::GiveUp::default()),
        What::Superseded(wire::Superseded::default()),
        What::GroupChanged(wire::GroupChanged::default()),
        What::Refusal(wire::Refusal::default()),
    ]
    .into_iter()
    .map(|what| fault(&Letter { id: 1, what: Some(what) }).to_string())
    .collect();
    let expected = ["leave", "profile", "authorize", "affiliate", "deaffiliate", "give_up", "superseded"];
    let mut expected: Vec<String> = expected.iter().map(|letter| format!("{letter}.user")).collect();
    expected.extend(["group_changed.group".into(), "refusal.cause".into()]);
    assert_eq!(fields, expected);
}
