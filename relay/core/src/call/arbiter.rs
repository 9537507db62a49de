//! Who decides about the floor of this call: a machine of its own, or the one at the home of the group.

use crate::{
    Millis, Slot, Time,
    floor::{
        general::{self, General, State},
        non_controlling::{self, FromHome, NonControlling},
        settings::Settings,
    },
};

/// Either machine, behind the questions that a call asks.
#[derive(Debug)]
pub(super) enum Arbiter {
    /// The group is defined here (TS 24.380 §6.3.4).
    Own(General<Slot>),
    /// The group is defined in a partner system (TS 24.380 §6.5).
    Home(NonControlling<Slot>),
}

impl Arbiter {
    pub(super) fn own(settings: Settings) -> Arbiter {
        Arbiter::Own(General::new(settings))
    }

    pub(super) fn home(settings: Settings) -> Arbiter {
        Arbiter::Home(NonControlling::new(settings, Slot::ELSEWHERE, Time::ZERO))
    }

    pub(super) fn handle(&mut self, input: general::Input<Slot>, now: Time) {
        match self {
            Arbiter::Own(general) => general.handle(input, now),
            Arbiter::Home(mirror) => mirror.handle(non_controlling::Input::Local(input), now),
        }
    }

    /// The home said something. A call that arbitrates itself has no home.
    pub(super) fn home_says(&mut self, what: FromHome<Slot>, now: Time) {
        self.about_home(non_controlling::Input::Home(what), now);
    }

    /// Whether the home can be reached has changed, or was shown once more.
    pub(super) fn about_home(&mut self, input: non_controlling::Input<Slot>, now: Time) {
        if let Arbiter::Home(mirror) = self {
            mirror.handle(input, now);
        }
    }

    pub(super) fn poll(&mut self) -> non_controlling::Output<Slot> {
        match self {
            Arbiter::Own(general) => match general.poll() {
                general::Output::Wake(wake) => non_controlling::Output::Wake(wake),
                output => non_controlling::Output::Local(output),
            },
            Arbiter::Home(mirror) => mirror.poll(),
        }
    }

    pub(super) fn state(&self) -> State<Slot> {
        match self {
            Arbiter::Own(general) => general.state(),
            Arbiter::Home(mirror) => mirror.state(),
        }
    }

    pub(super) fn since(&self) -> Time {
        match self {
            Arbiter::Own(general) => general.since(),
            Arbiter::Home(mirror) => mirror.since(),
        }
    }

    /// Who has the floor, here or elsewhere.
    pub(super) fn holder(&self) -> Option<Slot> {
        match self {
            Arbiter::Own(general) => general.holder(),
            Arbiter::Home(mirror) => mirror.holder(),
        }
    }

    pub(super) fn remaining(&self, now: Time) -> Option<Millis> {
        match self {
            Arbiter::Own(general) => general.remaining(now),
            Arbiter::Home(mirror) => mirror.remaining(now),
        }
    }

    pub(super) fn queue_length(&self) -> u32 {
        match self {
            Arbiter::Own(general) => general.queue().len() as u32,
            Arbiter::Home(mirror) => mirror.queue_len() as u32,
        }
    }

    /// Whether a participant waits for the floor.
    pub(super) fn waits(&self, slot: Slot) -> bool {
        match self {
            Arbiter::Own(general) => general.queue().find(slot).is_some(),
            Arbiter::Home(mirror) => mirror.waits(slot),
        }
    }

    /// Whether a request of this participant waits for the home's word.
    pub(super) fn is_under_way(&self, slot: Slot) -> bool {
        match self {
            Arbiter::Own(_) => false,
            Arbiter::Home(mirror) => mirror.is_under_way(slot),
        }
    }

    /// Whether somebody can decide: always, but for a call whose home is out of reach.
    pub(super) fn reachable(&self) -> bool {
        match self {
            Arbiter::Own(_) => true,
            Arbiter::Home(mirror) => mirror.is_reachable(),
        }
    }
}
