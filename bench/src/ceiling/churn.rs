//! R6: what a call loses while others come into it and go, 10,000 a second of each.
//!
//! The call has as many participants as make 60 % of the ceiling of 50 packets a second. Lost is what these participants did not
//! get: packets of the talker times participants, without what the sink process received. Who comes and goes has a leg that
//! the kernel empties, so that its datagrams count for nobody, and is waited for as control does: entered when the
//! owner has answered with the facts, gone when the owner has.

use std::{
    net::{SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use relay::{Call, CallSettings};
use relay_core::{Millis, Ssrc, roster};

use super::{
    Must, Row, Run,
    stage::{Stage, participant, unlimited},
};
use crate::{allocations, raw};

/// Part of the ceiling.
const LOAD: f64 = 0.6;

/// Packets of the talker, as AMR-WB speaks.
const RATE: f64 = 50.0;

/// Entries a second, and as many departures.
const ENTRIES: f64 = 10_000.0;

/// Those that come and go at once: an owner answers between two chunks.
const HANDS: usize = 256;

/// What one round saw.
struct Round {
    loss: f64,
    entries: f64,
    refused: u64,
}

pub(super) fn measure(run: &mut Run<'_>) -> Vec<Row> {
    let bare = CallSettings { entry: Millis(0), ..unlimited() };
    let meaning = "lost at 60 % of the ceiling while 10,000 enter and leave a second, entry_ms 0, no floor leg";
    let mut rows = vec![row(play(run, bare, false), "R6", meaning, Must::AtMost(0.02))];
    if run.options.wants("R6b") {
        let full = CallSettings { entry: Millis(200), ..unlimited() };
        let meaning = "the same with the full contract: 200 ms of retained media and the floor for each";
        rows.push(row(play(run, full, true), "R6b", meaning, Must::Print));
    }
    rows
}

fn row((rounds, worthless): (Vec<Round>, usize), id: &'static str, meaning: &'static str, must: Must) -> Row {
    let losses: Vec<f64> = rounds.iter().map(|round| round.loss).collect();
    let entries = rounds.iter().map(|round| round.entries).fold(f64::INFINITY, f64::min);
    let refused: u64 = rounds.iter().map(|round| round.refused).sum();
    let note = format!(
        "at least {entries:.0} entries/s, {refused} not answered; {worthless} rounds with sink drops discarded"
    );
    match must {
        // A call that fewer enter has it easier.
        Must::AtMost(_) if entries < 0.95 * ENTRIES => {
            Row::unmeasured(id, meaning, "share", must, format!("the harness came to {entries:.0} entries/s only"))
        }
        _ => Row::of(id, meaning, &losses, "share", must).noting(note),
    }
}

fn play(run: &mut Run<'_>, settings: CallSettings, floor: bool) -> (Vec<Round>, usize) {
    let participants = (LOAD * run.ceiling() / RATE) as usize;
    let mut stage = Stage::set(&raw::targets(participants, run.sink.ports()), settings);
    let nowhere = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    raw::refuse_all(&nowhere);
    let leg = nowhere.local_addr().expect("an address");
    let half = run.options.half();
    let rounds = run.rounds(|run| {
        let before = (run.sink.count(), stage.sent);
        let churn = Churn::start(&stage.call, leg, floor);
        stage.talk_at(RATE, half, |_, _| {});
        let (entries, refused) = churn.stop();
        let outcome = stage.outcome(&mut run.sink, before);
        let loss = outcome.lost() as f64 / outcome.due.max(1) as f64;
        (outcome.dropped == 0).then_some(Round { loss, entries, refused })
    });
    stage.relay.stop();
    rounds
}

/// A thread in which many come and go.
struct Churn {
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
    begin: Instant,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    begun: AtomicU64,
    done: AtomicU64,
    refused: AtomicU64,
}

impl Churn {
    fn start(call: &Call, leg: SocketAddr, floor: bool) -> Churn {
        let shared = Arc::<Shared>::default();
        let (call, sharing, begin) = (call.clone(), Arc::clone(&shared), Instant::now());
        let thread = std::thread::spawn(move || {
            allocations::unwatch_this_thread();
            raw::pin(1);
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let mut hands = tokio::task::JoinSet::new();
                for hand in 0..HANDS {
                    // SSRCs are given for a call's whole life: each hand keeps one, above those that the node gives.
                    let mut who = participant(&format!("sip:churn-{hand}@bench"), leg, Ssrc(u32::MAX - hand as u32));
                    if floor {
                        who.leg = roster::Leg { rtp: leg, floor: Some(leg) }.into();
                    }
                    hands.spawn(come_and_go(call.clone(), who, Arc::clone(&sharing), begin));
                }
                while hands.join_next().await.is_some() {}
            });
        });
        Churn { shared, thread, begin }
    }

    /// Entries a second, and how many were not answered.
    fn stop(self) -> (f64, u64) {
        self.shared.stop.store(true, Ordering::Relaxed);
        let done = self.shared.done.load(Ordering::Relaxed) as f64 / self.begin.elapsed().as_secs_f64();
        self.thread.join().expect("those that come and go end");
        (done, self.shared.refused.load(Ordering::Relaxed))
    }
}

async fn come_and_go(call: Call, who: roster::Participant, shared: Arc<Shared>, begin: Instant) {
    while !shared.stop.load(Ordering::Relaxed) {
        if shared.begun.load(Ordering::Relaxed) as f64 >= ENTRIES * begin.elapsed().as_secs_f64() {
            tokio::time::sleep(Duration::from_millis(1)).await;
            continue;
        }
        shared.begun.fetch_add(1, Ordering::Relaxed);
        let gone = match call.enter(who.clone()).await {
            Ok(entered) => call.leave(entered.slot, entered.entry).await.is_ok(),
            Err(_) => false,
        };
        let count = if gone { &shared.done } else { &shared.refused };
        count.fetch_add(1, Ordering::Relaxed);
    }
}
