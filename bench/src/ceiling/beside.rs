//! F1, F2: whether a large call delays a small one on the same worker.
//!
//! A call of 50 with a talker of its own is measured alone, and beside a call of 4,000 whose talker sends 50 packets a second:
//! halves alternate. A delay is from the small call's talker's send to the kernel's stamp of its *last* participant's
//! datagram; p99 of a half with company ÷ p99 of the half alone. F1 is any small call, F2 one of an emergency. The small call's
//! talker sends 201 packets a second, so that its packets fall on every instant of the large call's.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use relay::{CallSettings, Relay};

use super::{
    Must, Row, Run, discarded,
    residence::{percentile, residence},
    stage::{self, Stage, unlimited},
};
use crate::{allocations, raw, sink::Sink};

const SMALL: usize = 50;
const LARGE: usize = 4_000;

const SMALL_RATE: f64 = 201.0;
const LARGE_RATE: f64 = 50.0;

/// Length of a half: p99 needs some hundred packets.
const HALVES: u32 = 2;

/// Until the large call has its pace.
const WARM: Duration = Duration::from_millis(100);

pub(super) fn measure(run: &mut Run<'_>) -> Vec<Row> {
    let relay = stage::start(1);
    let large = Stage::open(&relay, "large", &raw::targets(LARGE, run.sink.ports()), unlimited());
    let mut large = Some(large);
    let mut rows = Vec::new();
    let of_any = "a call of 50: p99 until its last participant has a packet, beside a call of 4,000 / alone";
    let of_emergency = "an emergency call of 50: the same";
    for (ids, meaning, urgent, most) in
        [(["F1", "F1a", "F1b"], of_any, false, 1.5), (["F2", "F2a", "F2b"], of_emergency, true, 1.2)]
    {
        if run.options.wants(ids[0]) {
            let settings = CallSettings { urgent, ..unlimited() };
            rows.extend(play(run, &relay, &mut large, settings, (ids, meaning, most)));
        }
    }
    relay.stop();
    rows
}

fn play(
    run: &mut Run<'_>,
    relay: &Relay,
    large: &mut Option<Stage>,
    settings: CallSettings,
    (ids, meaning, most): ([&'static str; 3], &'static str, f64),
) -> Vec<Row> {
    let mut sink = Sink::start().expect("the sink process starts");
    sink.stamp();
    let mut small = Stage::open(relay, "small", &raw::targets(SMALL, sink.ports()), settings);
    let half = run.options.half() * HALVES;
    let (rounds, worthless) = run.rounds(|_| {
        let alone = residence(&mut small, &mut sink, SMALL_RATE, half);
        let company = Company::start(large.take()?);
        std::thread::sleep(WARM);
        let beside = residence(&mut small, &mut sink, SMALL_RATE, half);
        *large = Some(company.stop());
        Some((percentile(&beside?.last, 0.99), percentile(&alone?.last, 0.99)))
    });
    let of = |value: fn(&(f64, f64)) -> f64| rounds.iter().map(value).collect::<Vec<f64>>();
    vec![
        Row::of(ids[0], meaning, &of(|round| round.0 / round.1), "ratio", Must::AtMost(most))
            .noting(discarded(worthless)),
        Row::of(ids[1], "the same beside the large call, p99", &of(|round| round.0), "us", Must::Print),
        Row::of(ids[2], "the same alone, p99", &of(|round| round.1), "us", Must::Print),
    ]
}

/// A call that talks on a thread of its own.
struct Company {
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<Stage>,
}

impl Company {
    fn start(mut stage: Stage) -> Company {
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            allocations::unwatch_this_thread();
            raw::pin(1);
            while !stopping.load(Ordering::Relaxed) {
                stage.talk_at(LARGE_RATE, Duration::from_millis(100), |_, _| {});
            }
            stage
        });
        Company { stop, thread }
    }

    fn stop(self) -> Stage {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the talker ends")
    }
}
