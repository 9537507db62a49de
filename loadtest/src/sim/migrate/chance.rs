//! What happens by chance: what users do, and what breaks.

use rand::{RngExt, rngs::StdRng};
use relay_core::Millis;

use super::{
    device::State,
    event::{Event, Why},
    node::GROUPS,
    world::World,
};
use crate::{handset::Input, speech::Speech};

/// What may break in a run.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Faults {
    /// Datagrams that the trunk loses, of 1000.
    pub(super) loss: u32,
    /// Of 100 steps, how many cut the trunk.
    cuts: u32,
    /// Of 100 steps, how many let a process crash.
    crashes: u32,
}

impl Faults {
    /// Every fourth run has no faults, so that what breaks there is no fault's.
    pub(super) fn new(dice: &mut StdRng) -> Faults {
        match dice.random_range(0..4) {
            0 => Faults::default(),
            1 => Faults { loss: dice.random_range(0..100), cuts: 6, crashes: 0 },
            2 => Faults { loss: 0, cuts: 0, crashes: 4 },
            _ => Faults { loss: dice.random_range(0..50), cuts: 5, crashes: 3 },
        }
    }

    /// Whether nothing breaks.
    pub(super) fn are_none(&self) -> bool {
        (self.loss, self.cuts, self.crashes) == (0, 0, 0)
    }
}

impl World {
    /// One random step; the next one follows.
    pub(super) fn step(&mut self) {
        if self.now >= self.steps_end {
            return;
        }
        let after = Millis(self.dice.random_range(20..900));
        self.queue.put(self.now + after, Event::Step);
        let fault = self.dice.random_range(0..100);
        if fault < self.faults.cuts {
            let longest = [400, 3_500, 8_000, 16_000][self.dice.random_range(0..4)];
            let length = Millis(self.dice.random_range(20..longest));
            return self.cut(length);
        }
        if fault >= 100 - self.faults.crashes {
            let at = self.dice.random_range(0..2);
            return self.crash(at);
        }
        let device = self.dice.random_range(0..self.devices.len());
        match self.devices[device].state {
            State::Here => self.step_here(device),
            State::Moving { .. } | State::Leaving => self.step_moving(device),
            State::Paused if self.dice.random_range(0..2) == 0 => self.begin_anew(device),
            State::Paused | State::Authorizing | State::Affiliating => {}
        }
    }

    fn step_here(&mut self, device: usize) {
        let (at, home, moves) = (self.devices[device].at, self.devices[device].home, self.devices[device].moves);
        let group = self.dice.random_range(0..GROUPS.len());
        match self.dice.random_range(0..20) {
            0..=5 if moves => match (at == home, self.devices[device].ticket.is_some()) {
                (true, false) => self.ask_tickets(device),
                (true, true) if self.dice.random_range(0..3) == 0 => self.deaffiliate(device, Why::Deaffiliate),
                _ => self.migrate(device, 1 - at),
            },
            6 => self.affiliate(device),
            7 => self.refresh(device),
            8 if moves => self.deaffiliate(device, Why::Pause),
            9 if moves => self.begin_anew(device),
            _ => match self.devices[device].entry[group].filter(|entry| self.entries[entry].open) {
                Some(entry) if self.is_in(entry) => self.talk(entry),
                _ => self.start_call(device, group),
            },
        }
    }

    fn step_moving(&mut self, device: usize) {
        match self.dice.random_range(0..12) {
            0 => self.begin_anew(device),
            1 => self.migrate(device, self.devices[device].at),
            _ => {}
        }
    }

    /// Whether a node still serves this entry.
    pub(super) fn is_in(&self, entry: u64) -> bool {
        let call = self.calls.get(&self.entries[&entry].call);
        call.is_some_and(|running| running.seats.iter().any(|seat| seat.entry == entry))
    }

    fn talk(&mut self, entry: u64) {
        let burst = self.dice.random_range(1..=5);
        if let Some(speech) = Speech::burst(burst) {
            self.tell_ear(entry, Input::Talk(speech));
        }
    }
}
