//! Where devices listen and talk: one ear for every entry into a call.

use control_core::system::Item;
use relay_core::{Millis, Ssrc, Time};

use super::{
    event::{Event, Shown},
    world::World,
};
use crate::{
    capture::Channel,
    handset::{Handset, Input, Output},
};

/// One participation of a device.
pub(super) struct Ear {
    pub(super) device: usize,
    pub(super) call: u64,
    pub(super) group: usize,
    pub(super) handset: Handset,
    pub(super) wake: Option<Time>,
    /// Whether the device has been told that it is in the call.
    pub(super) known: bool,
    /// Whether it still uses it.
    pub(super) open: bool,
    pub(super) delay: Millis,
    up_free: Time,
    pub(super) down_free: Time,
}

impl World {
    /// A client has a seat: its device listens there.
    pub(super) fn seated(&mut self, entry: u64, call: u64, group: usize, ssrc: Ssrc, (user, client): (String, String)) {
        let device = self.devices.iter().position(|device| device.user == user && device.client == client);
        let device = device.expect("nobody else takes part");
        let delay = self.devices[device].delay;
        let sequence = self.judge.next_sequence(ssrc);
        let mut handset = Handset::new(user.into(), sequence, true);
        handset.begin(self.now);
        let (up_free, down_free) = (self.now, self.now);
        let (wake, known, open) = (None, false, true);
        let ear = Ear { device, call, group, handset, wake, known, open, delay, up_free, down_free };
        self.entries.insert(entry, ear);
    }

    pub(super) fn arrive_down(&mut self, entry: u64, channel: Channel, bytes: &[u8]) {
        let now = self.now;
        let Some(ear) = self.entries.get(&entry) else { return };
        let (device, group) = (ear.device, ear.group);
        if let Some((ssrc, sequence)) = self.judge.heard(entry, channel, bytes, now) {
            let heard = &mut self.devices[device].heard[group];
            match heard.iter_mut().find(|heard| heard.0 == ssrc) {
                Some(heard) if sequence.wrapping_sub(heard.1).cast_signed() > 0 => *heard = (ssrc, sequence, now),
                Some(heard) => heard.2 = now,
                None => heard.push((ssrc, sequence, now)),
            }
        }
        self.tell_ear(entry, Input::Heard { channel, bytes });
    }

    pub(super) fn tell_ear(&mut self, entry: u64, input: Input<'_>) {
        let now = self.now;
        let Some(ear) = self.entries.get_mut(&entry) else { return };
        ear.handset.handle(input, now);
        loop {
            let (channel, bytes) = match ear.handset.poll() {
                Output::Wake(wake) => {
                    ear.wake = wake.filter(|_| ear.open);
                    return;
                }
                Output::Send(channel, bytes) => (channel, bytes),
                Output::Speak(bytes) => (Channel::Media, bytes),
                Output::Asks | Output::Floor(_) | Output::Failed(_) => continue,
            };
            if !ear.open {
                continue;
            }
            if channel == Channel::Media {
                self.judge.spoken(&self.devices[ear.device].user, ear.group, &bytes, now);
            }
            ear.up_free = ear.up_free.max(now + ear.delay);
            self.queue.put(ear.up_free, Event::Up { entry, channel, bytes });
        }
    }

    /// What a device is shown of its groups.
    pub(super) fn show(&mut self, device: usize, items: Vec<Item<Shown>>) {
        for item in items {
            let group = super::node::group_of(&item.group);
            self.devices[device].told[group] = item.result.as_ref().err().map(|refused| refused.cause.code());
            let Ok(Some(shown)) = item.result else { continue };
            for (entry, ear) in &mut self.entries {
                if ear.device == device && ear.group == group && *entry != shown.entry {
                    ear.open = false;
                    ear.wake = None;
                }
            }
            self.devices[device].entry[group] = Some(shown.entry);
            let Some(ear) = self.entries.get_mut(&shown.entry).filter(|ear| !ear.known) else { continue };
            ear.known = true;
            ear.open = true;
            self.tell_ear(shown.entry, Input::Entered(shown.ssrc));
        }
    }
}
