//! Two workers on one thread: what one does while the other stands still is no matter of luck.

use relay_core::{call::SLICE_MIN, rtp};

use super::*;
use crate::worker::ways::SLICE_MAIL_MAX;

/// The owner of a large call, and a worker that sends a part of it.
struct Pair {
    owner: Worker,
    part: Option<Worker>,
    _table: Table<Participant>,
    call: Held,
    talker: std::net::UdpSocket,
    numbers: u16,
}

/// Those who take part beside Ana, and how many of all the part sends to.
const PARTICIPANTS: u32 = SLICE_MIN as u32 + 4;
const IN_PART: u64 = 5;

impl Pair {
    /// Ana talks at slot 0; behind her stands whoever `describe` says at that number.
    fn new(describe: impl Fn(u16) -> Participant) -> Pair {
        let config = Config { media: "127.0.0.1:0".parse().unwrap(), workers: 2, calls_max: 1 };
        let sockets = [0, 1].map(|number| Sockets::open(&config, number).expect("loopback is there"));
        let rtp = [&sockets[0], &sockets[1]].map(|sockets| &sockets.rtp);
        let (table, readers) = table(Limits { rows: 1, ..Limits::default() }, 2);
        let exchange = Arc::new(crate::exchange::Exchange::new(Clock::start()));
        let desks = desks(&rtp).expect("there are descriptors");
        let mut workers = desks.into_iter().zip(sockets).zip(readers).map(|((desk, sockets), reader)| {
            let Desk { sleeper, letterbox, ways, .. } = desk;
            let outward = (mpsc::channel(1).0, Arc::clone(&exchange));
            let post = Post { letterbox, settling: Vec::new(), stopping: false };
            let calls = Calls::new(sockets, Clock::start(), Arc::default(), outward, ways);
            Worker { reader, sleeper, post, calls }
        });
        let (owner, part) = (workers.next().expect("two"), workers.next());
        let mut writer = table.open(0, 2 * PARTICIPANTS).expect("a row is free");
        let row = writer.row();
        let (status, reader) = StatusWords::new();
        let settings = CallSettings { packets_per_s: 10_000, bytes_per_s: 1 << 20, ..CallSettings::default() };
        owner.post.letterbox.post(opening(row, &settings, status)).expect("there is room");
        let talker = std::net::UdpSocket::bind("127.0.0.1:0").expect("loopback is there");
        let leg = roster::Leg { rtp: talker.local_addr().expect("it is bound"), floor: None };
        writer.enter(Participant::new("sip:ana@a", "radio", leg, Ssrc(7))).expect("there is room");
        (0..PARTICIPANTS as u16).for_each(|number| _ = writer.enter(describe(number)).expect("there is room"));
        writer.publish();
        let call = Held { writer, row, status: reader };
        let mut pair = Pair { owner, part, _table: table, call, talker, numbers: 0 };
        pair.owner.attend();
        pair.run();
        let (reply, mut answer) = oneshot::channel();
        let ask = Mail::Ask { row, slot: Slot(0), entry: 1, action: Action::Request(0), reply };
        pair.owner.post.letterbox.post(ask).expect("there is room");
        pair.run();
        assert!(answer.try_recv().is_ok());
        pair
    }

    /// The owner does all that it can.
    fn own(&mut self) {
        for _ in 0..100 {
            self.owner.calls.tick();
            self.owner.attend();
            self.owner.calls.expire();
            self.owner.calls.receive(Kind::Rtp);
            while self.owner.calls.work() {}
        }
    }

    /// The part does all that it can.
    fn part(&mut self) {
        if let Some(part) = self.part.as_mut() {
            part.calls.tick();
            part.attend();
            while part.calls.work() {}
        }
    }

    fn run(&mut self) {
        for _ in 0..3 {
            self.own();
            self.part();
        }
    }

    fn talk(&mut self, packets: usize) {
        for _ in 0..packets {
            let payload_type = rtp::PayloadType::try_from(96).expect("seven bits");
            let sequence = self.numbers;
            self.numbers += 1;
            let mut packet = [0u8; 40];
            rtp::Header { marker: false, payload_type, sequence, timestamp: 0, ssrc: Ssrc(7) }
                .write(&mut packet)
                .expect("there is room");
            self.talker.send_to(&packet, self.owner.calls.sockets.rtp.address()).expect("it is loopback");
        }
        let media = |pair: &Pair| pair.owner.calls.counters.media_received.read();
        while media(self) < u64::from(self.numbers) {
            self.own();
        }
        self.own();
    }

    fn leave(&mut self, slot: u32) -> oneshot::Receiver<()> {
        self.call.writer.leave(slot).expect("it is there");
        self.call.writer.publish();
        let (reply, settled) = oneshot::channel();
        let settle = Mail::Settle { row: self.call.row, reply };
        self.owner.post.letterbox.post(settle).expect("there is room");
        settled
    }

    fn list(&mut self) -> Vec<crate::ParticipantFacts> {
        let (reply, mut facts) = oneshot::channel();
        let list = Mail::List { row: self.call.row, after: None, limit: 1_000, reply };
        self.owner.post.letterbox.post(list).expect("there is room");
        self.own();
        facts.try_recv().expect("the owner answers")
    }

    /// Everybody but Ana who was not sent all `packets`.
    fn short_of(&mut self, packets: u64) -> Vec<(u64, Vec<(&'static str, u64)>)> {
        let facts = self.list().into_iter().skip(1).filter(|facts| facts.sent != packets);
        facts.map(|facts| (facts.sent, facts.dropped)).collect()
    }

    fn sent(&self) -> u64 {
        self.part.as_ref().map_or(0, |part| part.calls.counters.media_sent.read())
    }
}

/// Slots are given in order, and the owner keeps the first.
const OF_PART: u32 = PARTICIPANTS;

#[test]
fn a_part_that_stands_still_loses_what_does_not_fit_and_it_is_counted() {
    let mut pair = Pair::new(participant);
    pair.talk(SLICE_MAIL_MAX);
    assert_eq!(pair.owner.calls.counters.worker_full.read(), 0, "so many fit");
    pair.talk(1);
    assert_eq!(pair.owner.calls.counters.worker_full.read(), IN_PART, "and one more is lost for everybody in the part");
    pair.run();
    let most = SLICE_MAIL_MAX as u64;
    assert_eq!(pair.sent(), IN_PART * most);
    assert_eq!(pair.short_of(most + 1), vec![(most, vec![("worker-full", 1)]); IN_PART as usize]);
    pair.talk(1);
    assert_eq!(pair.owner.calls.counters.worker_full.read(), IN_PART, "there is room again");
    pair.run();
    assert_eq!(pair.sent(), IN_PART * (most + 1));
}

#[test]
fn whoever_leaves_is_answered_once_the_part_has_let_go() {
    let mut pair = Pair::new(participant);
    pair.talk(2);
    let mut settled = pair.leave(OF_PART);
    pair.own();
    assert!(settled.try_recv().is_err(), "the part may still send to it");
    // Another letter between finds the same.
    let (reply, mut other) = oneshot::channel();
    pair.owner.post.letterbox.post(Mail::Settle { row: pair.call.row, reply }).expect("there is room");
    pair.own();
    assert!(other.try_recv().is_err());
    pair.part();
    assert_eq!(pair.sent(), IN_PART * 2);
    assert!(settled.try_recv().is_err(), "the owner does not know it");
    pair.own();
    assert!(settled.try_recv().is_ok() && other.try_recv().is_ok());
    pair.talk(1);
    pair.run();
    assert_eq!(pair.sent(), IN_PART * 2 + IN_PART - 1);
    // Who is in the owner's slice waits for nobody else's.
    let mut settled = pair.leave(3);
    pair.own();
    assert!(settled.try_recv().is_ok());
}

#[test]
fn a_call_that_ends_is_answered_once_the_part_knows_and_the_next_one_begins_anew() {
    let mut pair = Pair::new(participant);
    pair.talk(3);
    let (table_row, row) = (pair.call.row, pair.call.row.index());
    let (reply, mut settled) = oneshot::channel();
    let call = std::mem::replace(&mut pair.call.writer, pair._table.open(1, 1).expect("a row is free"));
    drop(call);
    pair.owner.post.letterbox.post(Mail::Settle { row: table_row, reply }).expect("there is room");
    pair.own();
    assert!(settled.try_recv().is_err());
    pair.part();
    assert_eq!(pair.sent(), 0, "nobody needs what waited");
    pair.own();
    assert!(settled.try_recv().is_ok());
    // Nothing is on its way, and a departure of the next call is told from those of the last.
    assert_eq!(pair.owner.calls.handing.unpassed(row), [0]);
    let on_its_way: usize =
        pair.owner.calls.ways.handed.iter().map(|packets| packets.load(std::sync::atomic::Ordering::Relaxed)).sum();
    assert_eq!(on_its_way, 0);
}

#[test]
fn a_worker_that_has_ended_holds_nobody_up_and_its_participants_go_on() {
    let mut pair = Pair::new(participant);
    pair.talk(2);
    pair.part();
    let mut settled = pair.leave(OF_PART);
    pair.own();
    assert!(settled.try_recv().is_err());
    drop(pair.part.take());
    pair.own();
    assert!(settled.try_recv().is_ok());
    pair.talk(3);
    assert_eq!(pair.short_of(5), [], "the owner sends to everybody");
    let mut settled = pair.leave(OF_PART - 1);
    pair.own();
    assert!(settled.try_recv().is_ok());
}

#[test]
fn what_the_kernel_refuses_a_part_is_shown_for_its_participant() {
    let mut pair = Pair::new(|number| match number + 1 == OF_PART as u16 {
        // Port 0 is refused by the kernel at once.
        true => Participant {
            leg: roster::Leg { rtp: ([127, 0, 0, 1], 0).into(), floor: None }.into(),
            ..participant(number)
        },
        false => participant(number),
    });
    pair.talk(3);
    pair.run();
    assert_eq!(pair.short_of(3), [(0, vec![("other", 3)])]);
}
