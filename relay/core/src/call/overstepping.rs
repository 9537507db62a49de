//! What a partner does in a call that it may not: it is refused or dropped, counted, and said to whoever keeps a record.

use alloc::{format, string::String};
use core::net::SocketAddr;

use super::{Call, Drop, work::Work};
use crate::{Millis, Ssrc, TrunkId, rtp::Packet, trunk::Overstep};

/// A participant is announced under a reference that another one has.
pub(super) const FORGED_REFERENCE: &str = "forged-reference";
/// An SSRC lies outside of the range that the partner was given.
pub(super) const SSRC_OUT_OF_RANGE: &str = "ssrc-out-of-range";

/// That media of one partner are not its own is said so often: no text is made for each packet.
const ACCUSED_EVERY: Millis = Millis(1_000);

impl<A: Copy + From<SocketAddr>> Call<A> {
    /// Media of a talker behind a trunk: only the holder's, under the SSRC that was announced for it.
    pub(super) fn media_from_partner(&mut self, trunk: TrunkId, packet: &Packet<'_>) {
        let talker = self.grant.as_ref().map(|grant| grant.holder()).filter(|slot| {
            self.seat(*slot).is_some_and(|seat| {
                seat.who.audio_ssrc == packet.ssrc()
                    && seat.who.leg.behind().is_some_and(|behind| behind.trunk == trunk)
            })
        });
        match talker {
            Some(slot) => self.media(slot, packet),
            None => {
                self.count(Drop::Injected);
                self.accuse(trunk, packet.ssrc());
            }
        }
    }

    /// Within its range nobody is accused: packets of a talker that just lost the floor, has left, or is not announced yet are on
    /// their way without anybody's fault. An SSRC of another system's is made up.
    fn accuse(&mut self, trunk: TrunkId, ssrc: Ssrc) {
        let now = self.now;
        let Some(subscriber) = self.subscriber(trunk) else { return };
        let accused_lately = subscriber.accused.is_some_and(|accused| now.since(accused) < ACCUSED_EVERY);
        if accused_lately || subscriber.range.contains(ssrc) {
            return;
        }
        subscriber.accused = Some(now);
        let detail = format!("media came under SSRC {:#010x}, outside of its range", ssrc.0);
        self.overstepped(trunk, Overstep::Media, SSRC_OUT_OF_RANGE, detail);
    }

    pub(super) fn overstepped(&mut self, trunk: TrunkId, what: Overstep, cause: &'static str, detail: String) {
        self.outbox.push_back(Work::Overstepped(trunk, what, cause, detail));
    }
}
