//! What comes from partners, and the time that passes on their links.

use std::sync::{Arc, atomic::Ordering};

use bytes::Bytes;
use relay_core::{
    Millis, Time, TrunkId,
    call::ROUND_TRIP_MAX,
    trunk::{
        Overstep, frame,
        link::{Input, Output, Role},
        stream::take_flow,
        wire::{Frame, Letter, frame::What},
    },
};
use tokio::time::{Instant, sleep_until};

use super::{Exchange, Line};
use crate::{
    event::{Subscription, TrunkEvent},
    mail::{Carried, Mail, TrunkMail},
    trunk::Arrival,
};

/// Calls are told at most so often that their home lives: often enough for a lease of three seconds.
const HEARD_EVERY: Millis = Millis(500);

/// `trunk.early_letters`: letters that wait for the greeting of their trunk. A partner owes so many at once only if it is out of order.
pub(super) const EARLY_MAX: usize = 1_024;

/// A link that wants nothing is looked at again after so long.
const IDLE: Millis = Millis(1_000);

impl Exchange {
    /// Something came from the network. Runs on the trunks' thread.
    pub(super) fn arrived(self: &Arc<Exchange>, arrival: Arrival) {
        match arrival {
            Arrival::Up { trunk, .. } => self.link(trunk, Input::Up),
            Arrival::Down { trunk, system, why } => {
                tracing::warn!("trunk to {system} down: {why}; its calls have no floor until it is back");
                self.link(trunk, Input::Down);
            }
            Arrival::Frame { trunk, bytes } => match frame::parse::<Frame>(&bytes) {
                Ok(frame) => self.link(trunk, Input::Frame(frame)),
                Err(fault) => self.link(trunk, Input::Malformed(fault)),
            },
            Arrival::Letter { trunk, bytes } => match frame::parse::<Letter>(&bytes) {
                Ok(letter) => self.letter(trunk, letter),
                Err(fault) => self.link(trunk, Input::Malformed(fault)),
            },
            Arrival::Media { trunk, datagram } => self.media_arrived(trunk, datagram),
            Arrival::Backfill { trunk, flow, bytes, .. } => {
                let role = self.lines().get(&trunk).and_then(|line| line.link.role(flow));
                // A stream may overtake the answer that it belongs to.
                let may = matches!(role, Some(Role::Partner | Role::Asked));
                match may {
                    true => self.carry(trunk, flow, |row| Carried::Backfill { row, from: trunk, packet: bytes }),
                    false => _ = self.counters.packets_refused.fetch_add(1, Ordering::Relaxed),
                }
            }
            Arrival::Refused { system, cause, detail } => {
                tracing::warn!("no trunk with {}: {detail}", system.as_deref().unwrap_or("an unknown system"));
                self.tell(None, TrunkEvent::Refused { system, cause, detail });
            }
        }
    }

    fn letter(self: &Arc<Exchange>, trunk: TrunkId, letter: Letter) {
        let now = self.clock.now();
        let mut lines = self.lines();
        let Some(line) = lines.get_mut(&trunk) else { return };
        if !line.link.allows_letter(now) {
            return self.follow(trunk, line);
        }
        if line.ready {
            let system = Arc::clone(&line.system);
            return self.tell(Some(trunk), TrunkEvent::Letter { system, letter: Box::new(letter) });
        }
        // Letters and the greeting take two streams: what is owed at once may come first. It waits for the greeting, which says
        // whether both speak the same protocol.
        if line.early.len() < EARLY_MAX {
            line.early.push(letter);
        } else if let Some(trunks) = self.trunks() {
            trunks.close(trunk, "slow");
        }
    }

    /// The trunk is gone although nobody said so.
    pub(super) fn down(&self, trunk: TrunkId) {
        self.link(trunk, Input::Down);
    }

    /// Tells one link, and does what it says.
    pub(super) fn link(&self, trunk: TrunkId, input: Input) {
        let now = self.clock.now();
        let mut lines = self.lines();
        let Some(line) = lines.get_mut(&trunk) else { return };
        if matches!(input, Input::Frame(_)) && now.since(line.heard) >= HEARD_EVERY {
            line.heard = now;
            self.mail_all(trunk, line, || TrunkMail::Heard);
        }
        if matches!(input, Input::Up | Input::Down) {
            line.early.clear();
        }
        line.link.handle(input, now);
        self.follow(trunk, line);
        drop(lines);
        self.earlier.notify_one();
    }

    /// Does what a link says until it has nothing more to say.
    pub(super) fn follow(&self, trunk: TrunkId, line: &mut Line) {
        loop {
            match line.link.poll() {
                Output::Send(frame) => self.send(trunk, &frame),
                Output::Ready { restarted, .. } => {
                    line.ready = true;
                    tracing::info!(
                        "trunk to {} up{}",
                        line.system,
                        if restarted { "; it has started anew" } else { "" }
                    );
                    self.tell(Some(trunk), TrunkEvent::Up { system: Arc::clone(&line.system) });
                    for letter in std::mem::take(&mut line.early) {
                        let system = Arc::clone(&line.system);
                        self.tell(Some(trunk), TrunkEvent::Letter { system, letter: Box::new(letter) });
                    }
                    if restarted {
                        self.mail_all(trunk, line, || TrunkMail::Restarted);
                    }
                    self.mail_all(trunk, line, || TrunkMail::Up);
                }
                Output::Lost => {
                    line.ready = false;
                    self.tell(Some(trunk), TrunkEvent::Down { system: Arc::clone(&line.system), trunk });
                    self.mail_all(trunk, line, || TrunkMail::Lost);
                }
                Output::RoundTrip(round_trip) => {
                    self.watch(line, round_trip);
                    self.mail_all(trunk, line, || TrunkMail::RoundTrip(round_trip));
                }
                Output::Deliver(frame) => self.deliver(trunk, line, frame),
                Output::Overstepped { what, cause, detail } => self.report(line, what, cause, detail),
                Output::Close { cause, detail } => {
                    tracing::warn!("trunk to {} closed, {cause}: {detail}", line.system);
                    // A partner dials again, and may do the same again: each is counted, not each is told.
                    if line.reports.admit((None, cause), Instant::now().into_std()) {
                        self.tell(None, TrunkEvent::Refused { system: Some(line.system.to_string()), cause, detail });
                    }
                    if let Some(trunks) = self.trunks() {
                        trunks.close(trunk, cause);
                    }
                }
                Output::Wake(_) => return,
            }
        }
    }

    /// A partner did in a call what it may not. Runs on the owner's thread.
    pub(crate) fn overstepped(&self, trunk: TrunkId, what: Overstep, cause: &'static str, detail: String) {
        let mut lines = self.lines();
        let Some(line) = lines.get_mut(&trunk) else { return };
        // Media are counted as what the call drops.
        if what != Overstep::Media {
            *line.overstepped.entry(cause).or_default() += 1;
        }
        self.report(line, what, cause, detail);
    }

    /// Tells control, unless the same of the same partner was told within a minute.
    fn report(&self, line: &mut Line, what: Overstep, cause: &'static str, detail: String) {
        if line.reports.admit((Some(what), cause), Instant::now().into_std()) {
            tracing::warn!("{} is refused something, {cause}: {what:?}", line.system);
            self.tell(None, TrunkEvent::Overstepped { system: Arc::clone(&line.system), what, cause, detail });
        }
    }

    /// Timers of talkers behind the trunk grow by its round trip only so far.
    pub(super) fn watch(&self, line: &mut Line, round_trip: Millis) {
        let slow = round_trip > ROUND_TRIP_MAX;
        if slow && !line.slow {
            self.counters.slow_trunks.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(
                "trunk to {} takes {} ms there and back, more than {}; its talkers may lose the floor, late entry goes on; \
                 check the network in between",
                line.system,
                round_trip.0,
                ROUND_TRIP_MAX.0,
            );
        }
        line.slow = slow;
    }

    fn deliver(&self, trunk: TrunkId, line: &mut Line, frame: Frame) {
        if let Some(What::Subscribe(ask)) = frame.what {
            let subscription = Subscription { trunk, system: Arc::clone(&line.system), ask };
            return self.tell(Some(trunk), TrunkEvent::Subscribe(Box::new(subscription)));
        }
        let Some(flow) = frame.what.as_ref().and_then(What::flow) else { return };
        self.mail(trunk, flow, TrunkMail::Frame(Box::new(frame)));
    }

    fn mail_all(&self, trunk: TrunkId, line: &Line, mail: impl Fn() -> TrunkMail) {
        line.calls.iter().for_each(|flow| self.mail(trunk, *flow, mail()));
    }

    /// Mails the owner of a call. One that does not take its mail has missed something: the trunk begins anew.
    pub(super) fn mail(&self, trunk: TrunkId, flow: u32, what: TrunkMail) {
        let Some(route) = self.route(flow) else { return };
        if route.letterbox.send(Mail::Trunk { row: route.row, from: trunk, what }).is_err()
            && let Some(trunks) = self.trunks()
        {
            trunks.close(trunk, "slow");
        }
    }

    fn media_arrived(&self, trunk: TrunkId, mut datagram: Bytes) {
        let length = datagram.len();
        let now = self.clock.now();
        let flow = take_flow(&mut datagram).filter(|flow| {
            let mut lines = self.lines();
            let Some(line) = lines.get_mut(&trunk) else { return false };
            let allowed = line.link.role(*flow).is_some() && line.link.allows_media(length, now);
            self.follow(trunk, line);
            allowed
        });
        match flow {
            Some(flow) => self.carry(trunk, flow, |row| Carried::Media { row, from: trunk, packet: datagram }),
            None => _ = self.counters.packets_refused.fetch_add(1, Ordering::Relaxed),
        }
    }

    fn carry(&self, _: TrunkId, flow: u32, carried: impl FnOnce(relay_table::Row) -> Carried) {
        let Some(route) = self.route(flow) else { return };
        if route.letterbox.carry(carried(route.row)).is_err() {
            self.counters.packets_shed.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until some link wants to be woken, and wakes it.
    pub(super) async fn tend(&self) {
        let now = self.clock.now();
        let mut next = now + IDLE;
        let due: Vec<TrunkId> = {
            let mut lines = self.lines();
            let mut due = Vec::new();
            for (trunk, line) in &mut *lines {
                match line.link.poll() {
                    Output::Wake(Some((at, _))) if at <= now => due.push(*trunk),
                    Output::Wake(Some((at, _))) => next = next.min(at),
                    _ => {}
                }
            }
            due
        };
        let any = !due.is_empty();
        due.into_iter().for_each(|trunk| self.link(trunk, Input::Timer));
        if !any {
            self.sleep(next).await;
        }
    }

    async fn sleep(&self, until: Time) {
        let until = Instant::from_std(self.clock.instant(until));
        tokio::select! {
            () = sleep_until(until) => {}
            () = self.earlier.notified() => {}
        }
    }
}
