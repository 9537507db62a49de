//! What goes in and comes out, in words. `b subscribe 7 fire`: the partner says so; `a …`: our calls do.

use super::*;

pub(in crate::trunk::link) fn input(event: &str) -> Input {
    let words: Vec<&str> = event.split_whitespace().collect();
    let number = |text: &str| text.parse::<u64>().expect("a number");
    let frame = |what| Input::Frame(Frame { what: Some(what) });
    match words[..] {
        ["up"] => Input::Up,
        ["down"] => Input::Down,
        ["timer"] => Input::Timer,
        ["end"] => Input::End { cause: "removed", detail: "the partner is no longer one".into() },
        ["malformed"] => Input::Malformed(Malformed::Encoding),
        ["nothing"] => Input::Frame(Frame { what: None }),
        ["nothing-of-ours"] => Input::Local(Frame { what: None }),
        ["withdraw", own] => Input::Withdraw(own.parse().expect("a number")),
        ["hello"] => frame(hello("b.example", 1, 5)),
        ["hello", "anew"] => frame(hello("b.example", 1, 6)),
        ["hello", system, version] => frame(hello(system, version[1..].parse().expect("a version"), 5)),
        ["heartbeat", at, echo, held] => {
            frame(What::Heartbeat(Heartbeat { at: number(at), echo: number(echo), held: number(held) }))
        }
        ["goodbye", cause] => frame(What::Goodbye(Goodbye { cause: cause.into(), detail: String::new() })),
        ["b", ref words @ ..] => frame(what(words)),
        ["a", "hello"] => Input::Local(Frame { what: Some(hello("a.example", 1, 1)) }),
        ["a", ref words @ ..] => Input::Local(Frame { what: Some(what(words)) }),
        _ => panic!("no such event: {event}"),
    }
}

fn hello(system: &str, version: u32, incarnation: u64) -> What {
    What::Hello(Hello { system: system.into(), version, incarnation })
}

fn what(words: &[&str]) -> What {
    let number = |at: usize| words[at].parse::<u32>().expect("a number");
    let flow = number(1);
    let text = |at: usize| words[at].to_string();
    match words[0] {
        "subscribe" => What::Subscribe(Subscribe { flow, group: text(2), ..Default::default() }),
        "subscribed" => What::Subscribed(Subscribed { flow, home_flow: number(2), ..Default::default() }),
        "refused" => What::Refused(Refused { flow, cause: text(2), detail: String::new() }),
        "unsubscribe" => What::Unsubscribe(Unsubscribe { flow }),
        "announce" => What::Announce(Announce { flow, reference: number(2), ..Default::default() }),
        "depart" => What::Depart(Depart { flow, reference: number(2) }),
        "expel" => {
            let cause = words.get(3).copied().unwrap_or("x").into();
            What::Expel(Expel { flow, reference: number(2), cause })
        }
        "floor" => What::Floor(Floor { flow, ..Default::default() }),
        "spacing" => What::Spacing(Spacing { flow, age: Vec::new() }),
        "ended" => What::Ended(Ended { flow, cause: "x".into() }),
        other => panic!("no such frame: {other}"),
    }
}

pub(in crate::trunk::link) fn spell(output: &Output) -> String {
    match output {
        Output::Send(frame) => format!("send {}", spell_frame(frame)),
        Output::Deliver(frame) => format!("deliver {}", spell_frame(frame)),
        Output::Ready { incarnation, restarted: false } => format!("ready {incarnation}"),
        Output::Ready { incarnation, restarted: true } => format!("ready {incarnation} restarted"),
        Output::RoundTrip(length) => format!("round-trip {}", length.0),
        Output::Overstepped { what, cause, .. } => format!("overstepped {what:?} {cause}"),
        Output::Lost => "lost".to_string(),
        Output::Close { cause, .. } => format!("close {cause}"),
        Output::Wake(_) => "wake".to_string(),
    }
}

fn spell_frame(frame: &Frame) -> String {
    match frame.what.as_ref().expect("nothing empty goes out") {
        What::Hello(hello) => format!("hello {} v{} {}", hello.system, hello.version, hello.incarnation),
        What::Heartbeat(beat) => format!("heartbeat at {} echo {} held {}", beat.at, beat.echo, beat.held),
        What::Subscribe(subscribe) => format!("subscribe {} {}", subscribe.flow, subscribe.group),
        What::Subscribed(subscribed) => format!("subscribed {} {}", subscribed.flow, subscribed.home_flow),
        What::Refused(refused) => format!("refused {} {}", refused.flow, refused.cause),
        What::Unsubscribe(unsubscribe) => format!("unsubscribe {}", unsubscribe.flow),
        What::Announce(announce) => format!("announce {} {}", announce.flow, announce.reference),
        What::Depart(depart) => format!("depart {} {}", depart.flow, depart.reference),
        What::Expel(expel) => format!("expel {} {} {}", expel.flow, expel.reference, expel.cause),
        What::Floor(floor) => format!("floor {}", floor.flow),
        What::Spacing(spacing) => format!("spacing {}", spacing.flow),
        What::Ended(ended) => format!("ended {}", ended.flow),
        What::Goodbye(goodbye) => format!("goodbye {}", goodbye.cause),
    }
}
