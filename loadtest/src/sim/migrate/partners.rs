//! What a home decides about a partner: whether it takes part in a call, and who of it.

use control_core::{Cause, Refused, group::Standing, system::Input};
use relay_core::{
    call::Announced,
    roster::{Attachment, Behind},
    trunk::{
        link,
        wire::{self, frame::What},
    },
};

use super::{
    calls::TRUNK,
    event::{Deed, Entering, Say},
    world::World,
};

impl World {
    /// A partner's participant may enter: a leg of the same client here is taken out first.
    pub(super) fn admit(&mut self, number: u64, announced: Announced, standing: Standing) {
        let Some(running) = self.calls.get_mut(&number) else { return };
        if running.admitting.remove(&announced.reference) != Some(false) {
            return;
        }
        let group = running.group;
        let seat = running.seats.iter().find(|seat| seat.user == announced.user && seat.client == announced.client);
        if let Some(entry) = seat.map(|seat| seat.entry) {
            self.take_out(number, entry, true);
        }
        let entering = Entering {
            to: None,
            home: None,
            leg: Attachment::Trunk(Behind { trunk: TRUNK, reference: announced.reference }),
            ssrc: Some(announced.audio_ssrc),
            priority: announced.priority,
            queueing: announced.queueing,
            resume: Vec::new(),
            standing,
            start: false,
            attempts: 0,
            opened: false,
        };
        self.enter(number, (announced.user, announced.client, group), entering);
    }

    /// The home answers a partner that wants a call.
    pub(super) fn may_subscribe(&mut self, at: usize, line: u64, ask: wire::Subscribe, may: Result<(), Refused>) {
        if line != self.wire.line || !self.nodes[at].ready {
            return;
        }
        let group = super::node::group_of(&ask.group);
        let found = may.and_then(|()| match self.call_of(at, group) {
            Some(number) => Ok(number),
            None if ask.start => {
                let number = self.open(at, group, None, true);
                self.expect_somebody(number);
                self.deeds.push_back(Deed::System(at, Input::Call { group: ask.group.clone(), runs: true }));
                Ok(number)
            }
            None => Err(Refused::new(Cause::NoSuchCall, ask.group.clone(), "no call runs")),
        });
        match found {
            Ok(number) => {
                if let Some(running) = self.calls.get_mut(&number) {
                    running.uses_trunk = true;
                }
                self.deeds.push_back(Deed::Call(number, Say::Frame(What::Subscribe(ask))));
            }
            Err(refused) => {
                let (cause, detail) = (refused.cause.code().into(), refused.detail);
                let refused = wire::Refused { flow: ask.flow, cause, detail };
                let frame = wire::Frame { what: Some(What::Refused(refused)) };
                self.deeds.push_back(Deed::Link(at, link::Input::Local(frame)));
            }
        }
    }
}
