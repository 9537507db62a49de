//! What calls and control say to partners.

use bytes::{BufMut, Bytes, BytesMut};
use relay_core::{
    TrunkId,
    trunk::{
        frame,
        link::Input,
        stream::write_quic_number,
        wire::{Frame, Letter, Refused, frame::What},
    },
};

use super::Exchange;
use crate::{Exhausted, event::Subscription, mail::TrunkMail, trunk::BackfillSender};

impl Exchange {
    /// A call says this to a partner. Runs on the owner's thread.
    pub(crate) fn say(&self, to: TrunkId, frame: Frame) {
        self.link(to, Input::Local(frame));
    }

    pub(super) fn send(&self, to: TrunkId, frame: &Frame) {
        let Some(trunks) = self.trunks() else { return };
        match frame::bytes(frame) {
            // A trunk that cannot take it is closed by that, and begins anew.
            Ok(bytes) => _ = trunks.frame(to, Bytes::from(bytes)),
            Err(fault) => tracing::error!("a frame of ours is not sent: {fault:?}; report it"),
        }
    }

    /// One live packet, once for everybody behind the trunk.
    pub(crate) fn forward(&self, to: TrunkId, flow: u32, packet: &[u8]) {
        if let Some(trunks) = self.trunks() {
            let mut datagram = BytesMut::with_capacity(packet.len() + 4);
            write_quic_number(flow, &mut datagram);
            datagram.put_slice(packet);
            trunks.media(to, datagram.freeze());
        }
    }

    pub(crate) fn backfill(&self, to: TrunkId, flow: u32) -> Option<BackfillSender> {
        self.trunks().map(|trunks| trunks.backfill(to, flow))
    }

    /// Control writes to a partner's control plane.
    pub(crate) fn write(&self, system: &str, letter: &Letter) -> Result<(), LetterError> {
        let trunk = self.trunk_to(system).filter(|trunk| self.is_ready(*trunk)).ok_or(LetterError::Down)?;
        let trunks = self.trunks().ok_or(LetterError::Down)?;
        let bytes = frame::bytes(letter).map_err(LetterError::Malformed)?;
        Ok(trunks.letter(trunk, Bytes::from(bytes))?)
    }

    /// Control lets a partner take part in a call, by its number here, or does not.
    pub(crate) fn answer(&self, subscription: Subscription, call: Result<u32, (String, String)>) {
        let Subscription { trunk, ask, .. } = subscription;
        match call {
            Ok(flow) => {
                if let Some(line) = self.lines().get_mut(&trunk) {
                    line.calls.insert(flow);
                }
                let frame = Frame { what: Some(What::Subscribe(ask)) };
                self.mail(trunk, flow, TrunkMail::Frame(Box::new(frame)));
            }
            Err((cause, detail)) => {
                let refused = Refused { flow: ask.flow, cause, detail };
                self.say(trunk, Frame { what: Some(What::Refused(refused)) });
            }
        }
    }
}

/// Why a letter was not sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LetterError {
    /// The trunk is down, or there is none.
    #[error("no trunk to this system is up; it is dialled again by itself")]
    Down,
    /// A field is outside its domain.
    #[error("the letter is wrong: {0:?}")]
    Malformed(frame::Malformed),
    /// Too much waits.
    #[error(transparent)]
    Exhausted(#[from] Exhausted),
}
