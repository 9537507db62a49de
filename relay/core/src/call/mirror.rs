//! What a partner's call keeps of the home's: its voices and bursts, and the media that comes over the trunk.

use alloc::{collections::btree_map::Entry, sync::Arc, vec::Vec};
use core::net::SocketAddr;

use super::{Call, Drop};
use crate::{
    Millis, Order, Slot, Ssrc, Time,
    late_entry::{newcomer::Newcomer, plan::Plan},
    rtp::{self, Sequence},
    trunk::wire,
    voice::{Burst, Voice},
};

/// How long after a burst packets of its talker may still come over a trunk while somebody else talks already.
const TAIL: Millis = Millis(500);

impl<A: Copy + From<SocketAddr>> Call<A> {
    /// A voice of the home's snapshot, of which the next packet to be kept here is `next`, if any was brought. What we know of it
    /// from its packets counts more.
    pub(super) fn know_voice(&mut self, told: &wire::Voice, next: Option<u64>) {
        let (ssrc, user) = (Ssrc(told.ssrc), Arc::<str>::from(told.user.as_str()));
        match self.voices.entry(ssrc) {
            Entry::Occupied(mut known) => known.get_mut().user = user.clone(),
            Entry::Vacant(place) => {
                let payload_type = (told.payload_type & 0x7f) as u8;
                let newest = Sequence(next.unwrap_or(told.sequence));
                place.insert(Voice::known(user.clone(), newest, told.timestamp, payload_type, self.now));
            }
        }
        self.own = None;
        self.leave_own_out(ssrc, &user);
    }

    /// Somebody whom we do not serve has the floor.
    pub(super) fn taken_elsewhere(&mut self, talker: &str, audio_ssrc: Option<Ssrc>) {
        let Some(ssrc) = audio_ssrc else { return };
        let user = Arc::<str>::from(talker);
        if let Some(voice) = self.voices.get_mut(&ssrc)
            && voice.user != user
        {
            voice.user = user.clone();
            self.own = None;
            self.leave_own_out(ssrc, &user);
        }
        if let Some(uplink) = self.uplink.as_mut() {
            uplink.name(user.clone(), ssrc);
        }
        // Its media may have come first: then the burst runs already.
        match self.bursts.back_mut() {
            Some(burst) if burst.ssrc == ssrc && burst.ended.is_none() => burst.talker = user,
            _ => self.open_burst(ssrc, user),
        }
    }

    pub(super) fn idle_elsewhere(&mut self) {
        if let Some(uplink) = self.uplink.as_mut() {
            uplink.elsewhere = None;
        }
        self.close();
    }

    fn open_burst(&mut self, ssrc: Ssrc, talker: Arc<str>) {
        self.close();
        self.begin_settings();
        let began = self.kept.end();
        self.bursts.push_back(Burst { ssrc, talker, began, until: began, last: None, ended: None });
        self.forget();
    }

    /// Keeps a packet of the home under its own order number, and gives it out if it is `live`.
    pub(super) fn keep_from_home(&mut self, packet: &rtp::Packet<'_>, arrived: Time, live: bool) {
        let ssrc = packet.ssrc();
        let sequence = match self.voices.entry(ssrc) {
            Entry::Occupied(mut voice) => voice.get_mut().note(packet, arrived),
            Entry::Vacant(place) => {
                let user =
                    self.uplink.as_ref().and_then(|uplink| uplink.user_of(ssrc)).unwrap_or_else(|| Arc::from(""));
                let newest = place.insert(Voice::begin(user.clone(), packet, arrived)).newest;
                self.leave_own_out(ssrc, &user);
                Some(newest)
            }
        };
        let Some(sequence) = sequence else { return self.count(Drop::Duplicate) };
        if self.now.micros_since(arrived) > self.kept.age_max().as_micros() {
            return;
        }
        let order = self.kept.append(packet.bytes(), ssrc, sequence, arrived);
        self.counters.media += 1;
        self.counters.from_trunk += 1;
        self.note_burst(ssrc, sequence, order, arrived, live);
        self.count_own(ssrc);
        if live {
            self.offer(order);
        }
        if !self.newcomers.is_empty() {
            self.serve_newcomers();
        }
    }

    /// The burst that a packet belongs to, which may begin with it: media never waits for Floor Taken.
    fn note_burst(&mut self, ssrc: Ssrc, sequence: Sequence, order: Order, arrived: Time, live: bool) {
        let ended = |last: Option<Sequence>| {
            let ends = self.uplink.as_ref().map_or(&[][..], |uplink| uplink.ends.as_slice());
            !live && last.is_some_and(|last| ends.iter().any(|end| end.0 == ssrc && end.1 == last.0))
        };
        let runs = self.bursts.back().is_some_and(|burst| burst.ssrc == ssrc && !ended(burst.last));
        if !runs {
            if live && let Some(burst) = self.burst_of_tail(ssrc) {
                return burst.extend(sequence, order);
            }
            let talker = self.voices.get(&ssrc).map_or(Arc::from(""), |voice| voice.user.clone());
            self.close_behind(live);
            self.bursts.push_back(Burst { ssrc, talker, began: order, until: order, last: None, ended: None });
            self.forget();
        }
        let idle = self.arbiter.holder().is_none();
        if let Some(burst) = self.bursts.back_mut() {
            burst.extend(sequence, order);
            if !live && idle {
                burst.ended = Some(arrived);
            }
        }
    }

    /// The burst that has just ended and that late packets of its talker belong to while somebody else talks.
    fn burst_of_tail(&mut self, ssrc: Ssrc) -> Option<&mut Burst> {
        let now = self.now;
        let talks = self.present_talker()?.1;
        let (last, before) = self.bursts.make_contiguous().split_last_mut()?;
        if last.ssrc != talks || talks == ssrc {
            return None;
        }
        let burst = before.last_mut().filter(|burst| burst.ssrc == ssrc)?;
        burst.ended.is_some_and(|ended| now.since(ended) <= TAIL).then_some(burst)
    }

    /// Ends the burst that runs: of a backfill, when its last packet came.
    fn close_behind(&mut self, live: bool) {
        let last = self.bursts.back().and_then(|burst| self.kept.kept(Order(burst.until.0.checked_sub(1)?)));
        if let (false, Some(arrived)) = (live, last.map(|row| row.arrived))
            && let Some(burst) = self.bursts.back_mut()
        {
            burst.ended.get_or_insert(arrived);
        }
        self.close();
    }

    /// After a backfill: the burst that runs is the one of who has the floor.
    pub(super) fn align_burst(&mut self) {
        let talker = self.present_talker();
        let runs = self.bursts.back().filter(|burst| burst.ended.is_none()).map(|burst| burst.ssrc);
        match talker {
            None => self.close(),
            Some((_, ssrc)) if runs == Some(ssrc) => {}
            Some((user, ssrc)) => self.open_burst(ssrc, user),
        }
    }

    /// Nobody gets live packets for now. Answers who did, and the first packet that each was not given.
    pub(super) fn stop_live(&mut self) -> Vec<(Slot, Order)> {
        let end = self.kept.end();
        let mut stopped = Vec::new();
        for at in 0..self.seats.len() {
            let slot = Slot(at as u32);
            let place = super::at_mut(&mut self.seats, slot).and_then(|seat| seat.place.take());
            let Some(gone) = self.let_go(slot, place) else { continue };
            let gone = gone.before(end);
            let own = self.own_since(slot, gone.next);
            if let Some(seat) = super::at_mut(&mut self.seats, slot) {
                seat.end_live(gone, own);
            }
            stopped.push((slot, gone.next));
        }
        stopped
    }

    /// Whoever is served already is paced anew: what a backfill brought is older than what was expected.
    pub(super) fn restart_newcomers(&mut self) {
        for slot in &self.newcomers {
            if let Some(seat) = super::at_mut(&mut self.seats, *slot)
                && let Some(newcomer) = seat.newcomer.take()
            {
                seat.newcomer = Some(alloc::boxed::Box::new(newcomer.restart(&self.kept, self.now)));
            }
        }
        self.serve_newcomers();
    }

    /// Whoever got live packets is served from retention, from where it stood.
    pub(super) fn resume_paced(&mut self, stopped: Vec<(Slot, Order)>) {
        if stopped.is_empty() {
            return;
        }
        for (slot, next) in stopped {
            let Some(seat) = super::at_mut(&mut self.seats, slot) else { continue };
            let plan = Plan::from(next, &seat.who.user, &self.voices);
            seat.newcomer = Some(alloc::boxed::Box::new(Newcomer::new(plan, &self.kept, self.now)));
            self.newcomers.push(slot);
        }
        self.serve_newcomers();
    }
}
