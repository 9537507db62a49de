//! The ways between workers: an owner hands parts their share of its large calls, and parts say what became of it.

use std::{
    io,
    sync::{Arc, atomic::AtomicUsize},
};

use crossbeam::queue::ArrayQueue;
use relay_core::{Slot, distributor::slice::Handed};
use relay_table::{Bell, Chute, Feed, Fifo, Sleeper, bell, chute};

use super::packets::Packet;
use crate::{
    mail::Letterbox,
    udp::{Address, Doorbell, Failure, Socket},
};

/// Packets of one worker that may wait for another one to send them. One more is lost and counted. It bounds how long a departure
/// takes that stands behind them.
pub(crate) const SLICE_MAIL_MAX: usize = 64;

/// What may stand between two workers, changes of slices included. A change that finds no room waits with its sender.
const WAY_MAX: usize = 256;

/// What an owner hands to a part.
#[derive(Debug)]
pub(super) struct Share {
    /// The call, as the owner numbers it.
    pub(super) row: u32,
    /// Whether it is an emergency call.
    pub(super) urgent: bool,
    pub(super) handed: Handed<Address, Arc<Packet>>,
}

/// What a part says to the owner.
#[derive(Debug)]
pub(super) enum Said {
    /// So many departures of the row are done, since the workers started.
    Through { row: u32, leaves: u64 },
    /// The kernel did not take packets for these participants.
    Refused { row: u32, refusals: Vec<Refusal> },
}

/// Packets that the kernel did not take for a participant.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refusal {
    pub(super) slot: Slot,
    pub(super) entry: u64,
    pub(super) why: Failure,
    pub(super) number: u64,
}

/// What one worker has of every other, in the order of their numbers without its own: the same place is a `Part` of its calls, and
/// an owner for which it sends.
#[derive(Default)]
pub(super) struct Ways {
    pub(super) shares: Vec<Feed<Share, ArrayQueue<Share>>>,
    pub(super) said: Vec<Chute<Said, ArrayQueue<Said>>>,
    pub(super) theirs: Vec<Chute<Share, ArrayQueue<Share>>>,
    pub(super) say: Vec<Feed<Said, ArrayQueue<Said>>>,
    /// Packets handed to others and not sent yet, and packets that others wait for us to send.
    pub(super) handed: Vec<Arc<AtomicUsize>>,
    pub(super) unsent: Vec<Arc<AtomicUsize>>,
    /// At the addresses that participants know.
    pub(super) sockets: Vec<Socket>,
}

/// What a worker is started with so that others reach it.
pub(crate) struct Desk {
    pub(super) doorbell: Arc<Doorbell>,
    pub(super) sleeper: Sleeper,
    pub(super) letterbox: Letterbox,
    pub(super) ways: Ways,
}

impl Fifo<Share> for ArrayQueue<Share> {
    fn push(&self, item: Share) -> Result<(), Share> {
        ArrayQueue::push(self, item)
    }

    fn pop(&self) -> Option<Share> {
        ArrayQueue::pop(self)
    }

    fn is_empty(&self) -> bool {
        ArrayQueue::is_empty(self)
    }
}

impl Fifo<Said> for ArrayQueue<Said> {
    fn push(&self, item: Said) -> Result<(), Said> {
        ArrayQueue::push(self, item)
    }

    fn pop(&self) -> Option<Said> {
        ArrayQueue::pop(self)
    }

    fn is_empty(&self) -> bool {
        ArrayQueue::is_empty(self)
    }
}

/// A desk for every worker, whose RTP sockets these are, with ways between any two.
pub(crate) fn desks(rtp: &[&Socket]) -> io::Result<Vec<Desk>> {
    let mut desks = rtp.iter().map(|_| Desk::new()).collect::<io::Result<Vec<_>>>()?;
    let bells: Vec<Bell> = desks.iter().map(|desk| desk.letterbox.bell()).collect();
    // For one worker the others come in the order of their numbers, on both sides of every way.
    for here in 0..desks.len() {
        for there in (0..desks.len()).filter(|there| *there != here) {
            let (feed, end) = chute(ArrayQueue::new(WAY_MAX), bells[there].clone(), bells[here].clone());
            desks[here].ways.shares.push(feed);
            desks[there].ways.theirs.push(end);
            let packets = Arc::new(AtomicUsize::new(0));
            desks[here].ways.handed.push(Arc::clone(&packets));
            desks[there].ways.unsent.push(packets);
            let (feed, end) = chute(ArrayQueue::new(WAY_MAX), bells[there].clone(), bells[here].clone());
            desks[here].ways.say.push(feed);
            desks[there].ways.said.push(end);
            desks[here].ways.sockets.push(rtp[there].sender()?);
        }
    }
    Ok(desks)
}

impl Desk {
    fn new() -> io::Result<Desk> {
        let doorbell = Arc::new(Doorbell::new()?);
        let (bell, sleeper) = bell({
            let doorbell = Arc::clone(&doorbell);
            move || doorbell.press()
        });
        Ok(Desk { doorbell, sleeper, letterbox: Letterbox::new(bell), ways: Ways::default() })
    }

    /// Where its letters go in.
    pub(crate) fn letterbox(&self) -> Letterbox {
        self.letterbox.clone()
    }
}
