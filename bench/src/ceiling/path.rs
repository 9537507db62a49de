//! R3, R4, R5: what a delivered packet costs beside the kernel's work, on one saturated worker with N = 1024.
//!
//! - R3: samples of the worker's thread by `perf record -e cpu-clock` that fell into user space ÷ all samples of it.
//! - R4: system calls of the worker's thread, all of them, as the tracepoint `raw_syscalls:sys_enter` counts them ÷ what the
//!   sinks received in the same window.
//! - R5: heap allocations of all threads but the harness's ÷ deliveries. Copies: different places in memory that one packet is sent
//!   from, beyond the first ÷ deliveries, seen at the core's face. Locks: instructions that lock the bus, executed by
//!   the worker between two chunks of a packet ÷ deliveries of these chunks; without such an instruction no lock is
//!   taken. What the worker locks around them, to receive, to sleep and to wake, is printed as R5d.

use std::time::{Duration, Instant};

use super::{
    Must, Row, Run, copies, discarded,
    profile::{self, SAMPLES_LEAST, Whom},
    stage::{Stage, unlimited, worker_thread},
};
use crate::{
    allocations,
    raw::{self, SystemCalls},
    stepping,
};

const PARTICIPANTS: usize = 1024;

/// Packets whose distribution is stepped through.
const STEPPED: u64 = 4;

/// How long one of them may take so.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) fn measure(run: &mut Run<'_>) -> Vec<Row> {
    let mut stage = Stage::set(&raw::targets(PARTICIPANTS, run.sink.ports()), unlimited());
    let thread = worker_thread(0).ok_or_else(|| String::from("the worker's thread has no name"));
    let mut rows = Vec::new();
    if run.options.wants("R3") {
        let saturated = |thread| profile::sample(Whom::Thread(thread), || stage.saturate(profile::LENGTH));
        let profiled = thread.clone().and_then(saturated);
        rows.push(user_share(profiled));
        let settled = run.sink.count();
        stage.outcome(&mut run.sink, (settled, stage.sent));
    }
    if run.options.wants("R4") || run.options.wants("R5") {
        let counting = thread.clone().and_then(|thread| SystemCalls::of(thread).map_err(|error| error.to_string()));
        rows.extend(counted(run, &mut stage, counting));
    }
    if run.options.wants("R5") {
        let meaning = "payload copies per delivered packet";
        rows.push(Row::single("R5a", meaning, copies::per_delivery(), "copies", Must::AtMost(0.0)));
        rows.extend(locks(run, &mut stage, thread));
    }
    stage.relay.stop();
    rows
}

fn user_share(profiled: Result<profile::Profile, String>) -> Row {
    let meaning = "user-space share of the saturated worker's time, cpu-clock samples, N = 1024";
    let (unit, must) = ("share", Must::AtMost(0.08));
    match profiled {
        Ok(profile) if profile.samples >= SAMPLES_LEAST => {
            Row::single("R3", meaning, profile.user_share(), unit, must).noting(profile.note())
        }
        Ok(profile) => {
            let why = format!("{} samples, {SAMPLES_LEAST} are needed; give the worker a core", profile.samples);
            Row::unmeasured("R3", meaning, unit, must, why)
        }
        Err(why) => Row::unmeasured("R3", meaning, unit, must, why),
    }
}

/// System calls and allocations per delivered packet.
fn counted(run: &mut Run<'_>, stage: &mut Stage, counting: Result<SystemCalls, String>) -> Vec<Row> {
    let (mut counting, why) = match counting {
        Ok(counting) => (Some(counting), String::new()),
        Err(why) => (None, why),
    };
    let mut calls = move || counting.as_mut().and_then(|counting| counting.read().ok());
    let half = run.options.half();
    let (rounds, worthless) = run.rounds(|run| {
        let before = (run.sink.count(), stage.sent);
        stage.saturate(Duration::from_millis(50));
        let (begin, calls_begin, allocated) = (run.sink.count(), calls(), allocations::allocations());
        stage.saturate(half);
        let (end, calls_end, allocated) = (run.sink.count(), calls(), allocations::allocations() - allocated);
        let delivered = (end.delivered - begin.delivered) as f64;
        let made = calls_end.zip(calls_begin).map(|(end, begin)| (end - begin) as f64 / delivered);
        (stage.outcome(&mut run.sink, before).lost() == 0).then_some((made, allocated as f64 / delivered))
    });
    let made: Vec<f64> = rounds.iter().filter_map(|round| round.0).collect();
    let allocated: Vec<f64> = rounds.iter().map(|round| round.1).collect();
    let (meaning, must) = ("system calls of the saturated worker per delivered packet, N = 1024", Must::AtMost(0.012));
    let system_calls = match why.is_empty() {
        true => Row::of("R4", meaning, &made, "calls", must).noting(discarded(worthless)),
        false => Row::unmeasured("R4", meaning, "calls", must, why),
    };
    vec![
        system_calls,
        Row::of("R5", "heap allocations per delivered packet, N = 1024", &allocated, "allocations", Must::AtMost(0.0)),
    ]
}

fn locks(run: &mut Run<'_>, stage: &mut Stage, thread: Result<i32, String>) -> Vec<Row> {
    let before = (run.sink.count(), stage.sent);
    let seen = thread.and_then(|thread| {
        let talker = std::cell::RefCell::new(&mut *stage);
        let sink = &mut run.sink;
        let work = || {
            for _ in 0..STEPPED {
                talker.borrow_mut().talk();
                let begin = Instant::now();
                while talker.borrow().outcome(sink, before).lost() > 0 && begin.elapsed() < PATIENCE {}
            }
        };
        stepping::during(thread, work, || _ = talker.borrow_mut().talk())
    });
    let outcome = stage.outcome(&mut run.sink, before);
    let between = "locks per delivered packet: bus-locking instructions between two chunks";
    let all = "bus-locking instructions per delivered packet, to receive, sleep and wake included";
    let instructions = "instructions in user space per delivered packet, to receive, sleep and wake included";
    let must = Must::AtMost(0.0);
    match seen {
        Err(why) => vec![Row::unmeasured("R5b", between, "locks", must, why)],
        Ok(seen) if seen.chunks < STEPPED => {
            let why = format!("{} pairs of chunks were seen, {STEPPED} are needed", seen.chunks);
            vec![Row::unmeasured("R5b", between, "locks", must, why)]
        }
        Ok(seen) => {
            let per = |number: u64| number as f64 / outcome.delivered.max(1) as f64;
            let locks = seen.between as f64 / (seen.chunks * raw::BATCH as u64) as f64;
            let note = format!("{} pairs of chunks looked at, instruction by instruction", seen.chunks);
            vec![
                Row::single("R5b", between, locks, "locks", must).noting(note),
                Row::single("R5d", all, per(seen.locked), "instructions", Must::Print),
                Row::single("R5e", instructions, per(seen.instructions), "instructions", Must::Print),
            ]
        }
    }
}
