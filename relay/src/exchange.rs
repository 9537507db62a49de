//! Between trunks and calls: which call a frame or a packet belongs to, and what control has to decide first.
//!
//! What comes from a partner is read on the trunks' thread, checked against what that partner may use, and mailed to the owner of
//! its call. What a call says leaves from its owner's thread. The numbers that name calls on trunks are given here and never
//! twice.

mod arriving;
mod counting;
mod leaving;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::SystemTime,
};

pub use leaving::LetterError;
use relay_core::{
    Time, TrunkId,
    trunk::{
        Overstep, Range,
        link::{Input, Limits, Link},
        wire::Letter,
    },
};
use relay_table::Row;
use tokio::sync::{Notify, mpsc};

use crate::{
    clock::Clock,
    event::{TRUNK_EVENTS_MAX, TrunkEvent},
    mail::Letterbox,
    trunk::{PartnerError, Reports, TrunkConfig, TrunkError, Trunks},
};

/// The largest number that names a call on a trunk: it takes four octets of a datagram.
const FLOW_MAX: u32 = relay_core::trunk::frame::FLOW_MAX;

/// The trunks of a node, and which calls use them.
pub(crate) struct Exchange {
    clock: Clock,
    spanning: OnceLock<Spanning>,
    routes: RwLock<HashMap<u32, Route>>,
    lines: Mutex<BTreeMap<TrunkId, Line>>,
    next_flow: AtomicU32,
    generations: AtomicU64,
    /// Rings when a link wants to be woken earlier than thought.
    earlier: Notify,
    pub(crate) counters: Counters,
}

/// What exists once the node takes part in spanning calls.
struct Spanning {
    system: String,
    incarnation: u64,
    range: Range,
    trunks: Trunks,
    events: mpsc::Sender<TrunkEvent>,
}

/// Where a call is.
#[derive(Clone)]
struct Route {
    row: Row,
    letterbox: Letterbox,
}

/// The trunk to one partner.
struct Line {
    system: Arc<str>,
    link: Link,
    ready: bool,
    /// Letters that came before its greeting.
    early: Vec<Letter>,
    /// What was told of its partner lately.
    reports: Reports<(Option<Overstep>, &'static str)>,
    /// What its calls refused the partner, by cause.
    overstepped: BTreeMap<&'static str, u64>,
    /// Its round trip is longer than what timers make up for.
    slow: bool,
    /// When its calls were told last that their home lives.
    heard: Time,
    /// The calls that use it, by our number.
    calls: BTreeSet<u32>,
}

/// What goes wrong between trunks and calls.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Packets for which the owner's queue was full.
    pub(crate) packets_shed: AtomicU64,
    /// Packets for no call that the partner may use, or beyond its quota.
    pub(crate) packets_refused: AtomicU64,
    /// Times that a round trip became longer than what timers make up for.
    pub(crate) slow_trunks: AtomicU64,
    /// Events that control did not take: the trunk was closed.
    pub(crate) events_shed: AtomicU64,
}

/// What a call needs to know of the node to span systems.
pub(crate) struct Place {
    pub(crate) flow: u32,
    pub(crate) generation: u64,
    pub(crate) range: Range,
}

impl Exchange {
    pub(crate) fn new(clock: Clock) -> Exchange {
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Exchange {
            clock,
            spanning: OnceLock::new(),
            routes: RwLock::default(),
            lines: Mutex::default(),
            next_flow: AtomicU32::new(1),
            // A process that starts later opens later generations, as long as it opens fewer than a million calls a second.
            generations: AtomicU64::new(since_1970.as_micros() as u64),
            earlier: Notify::new(),
            counters: Counters::default(),
        }
    }

    /// Opens the trunks' side of the node. What control has to decide comes out of the receiver; it must be drained.
    pub(crate) fn span(
        self: &Arc<Exchange>,
        config: &TrunkConfig,
        range: Range,
    ) -> Result<mpsc::Receiver<TrunkEvent>, TrunkError> {
        let (events, receiver) = mpsc::channel(TRUNK_EVENTS_MAX);
        let exchange = Arc::downgrade(self);
        let trunks = Trunks::start(config, move |arrival| {
            if let Some(exchange) = exchange.upgrade() {
                exchange.arrived(arrival);
            }
        })?;
        let spanning = Spanning {
            system: config.system.clone(),
            incarnation: self.generations.fetch_add(1, Ordering::Relaxed),
            range,
            trunks,
            events,
        };
        let exchange = Arc::downgrade(self);
        spanning.trunks.spawn(async move {
            while let Some(exchange) = exchange.upgrade() {
                exchange.tend().await;
            }
        });
        if self.spanning.set(spanning).is_err() {
            tracing::error!("trunks were opened twice; the first ones stay");
        }
        Ok(receiver)
    }

    /// The SSRCs of this node's own calls.
    pub(crate) fn range(&self) -> Range {
        self.spanning.get().map_or(Range::new(0), |spanning| spanning.range)
    }

    pub(crate) fn trunks(&self) -> Option<&Trunks> {
        self.spanning.get().map(|spanning| &spanning.trunks)
    }

    /// Takes a system as partner, or changes what is known of it.
    pub(crate) fn put_partner(
        &self,
        system: &str,
        address: Option<SocketAddr>,
        limits: Limits,
    ) -> Result<TrunkId, PartnerError> {
        let Some(spanning) = self.spanning.get() else { return Err(PartnerError::NoTrunks) };
        let mut lines = self.lines();
        let trunk = spanning.trunks.put_partner(system, address)?;
        let line = lines.entry(trunk).or_insert_with(|| Line {
            system: Arc::from(system),
            link: Link::new(&spanning.system, system, spanning.incarnation, limits),
            ready: false,
            early: Vec::new(),
            reports: Reports::default(),
            overstepped: BTreeMap::new(),
            slow: false,
            heard: Time::ZERO,
            calls: BTreeSet::new(),
        });
        line.link.limit(limits);
        Ok(trunk)
    }

    /// Gives a partner up. Its trunk goes down at once.
    pub(crate) fn remove_partner(&self, system: &str) {
        if let Some(spanning) = self.spanning.get() {
            spanning.trunks.remove_partner(system);
        }
        let gone: Vec<TrunkId> =
            self.lines().iter().filter(|(_, line)| *line.system == *system).map(|(trunk, _)| *trunk).collect();
        for trunk in gone {
            self.down(trunk);
            self.lines().remove(&trunk);
        }
    }

    /// Ends the trunk to a partner; it begins anew.
    pub(crate) fn end(&self, system: &str, cause: &'static str, detail: String) {
        if let Some(trunk) = self.trunk_to(system) {
            self.link(trunk, Input::End { cause, detail });
        }
    }

    /// The trunk to a partner.
    pub(crate) fn trunk_to(&self, system: &str) -> Option<TrunkId> {
        self.lines().iter().find(|(_, line)| *line.system == *system).map(|(trunk, _)| *trunk)
    }

    pub(crate) fn system_of(&self, trunk: TrunkId) -> Option<Arc<str>> {
        self.lines().get(&trunk).map(|line| Arc::clone(&line.system))
    }

    pub(crate) fn is_ready(&self, trunk: TrunkId) -> bool {
        self.lines().get(&trunk).is_some_and(|line| line.ready)
    }

    /// Gives a new call its number. `None`: the node does not take part in spanning calls.
    pub(crate) fn place(&self) -> Option<Place> {
        let range = self.spanning.get()?.range;
        let flow = self.next_flow.fetch_add(1, Ordering::Relaxed);
        assert!(flow <= FLOW_MAX, "a node that has opened a billion calls has to be restarted");
        Some(Place { flow, generation: self.generations.fetch_add(1, Ordering::Relaxed), range })
    }

    /// A call can be reached under its number, and uses the trunk to its home.
    pub(crate) fn open(&self, flow: u32, row: Row, letterbox: Letterbox, home: Option<TrunkId>) {
        let mut routes = self.routes.write().unwrap_or_else(PoisonError::into_inner);
        routes.insert(flow, Route { row, letterbox });
        drop(routes);
        if let Some(trunk) = home
            && let Some(line) = self.lines().get_mut(&trunk)
        {
            line.calls.insert(flow);
        }
    }

    /// A call has ended; nothing reaches it any more.
    pub(crate) fn close(&self, flow: u32) {
        self.routes.write().unwrap_or_else(PoisonError::into_inner).remove(&flow);
        let mut lines = self.lines();
        for (trunk, line) in &mut *lines {
            if line.calls.remove(&flow) {
                // The home may not have answered yet: then it is left as soon as it has.
                line.link.handle(Input::Withdraw(flow), self.clock.now());
                self.follow(*trunk, line);
            }
        }
    }

    /// Tells control. If it does not follow, the trunk that the event is about begins anew.
    pub(crate) fn tell(&self, trunk: Option<TrunkId>, event: TrunkEvent) {
        let Some(spanning) = self.spanning.get() else { return };
        if let Err(mpsc::error::TrySendError::Full(_)) = spanning.events.try_send(event) {
            self.counters.events_shed.fetch_add(1, Ordering::Relaxed);
            if let Some(trunk) = trunk {
                spanning.trunks.close(trunk, "slow");
            }
        }
    }

    pub(crate) fn stop(&self) {
        if let Some(spanning) = self.spanning.get() {
            spanning.trunks.stop();
        }
    }

    fn lines(&self) -> MutexGuard<'_, BTreeMap<TrunkId, Line>> {
        // Every edit is complete or not begun.
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn route(&self, flow: u32) -> Option<Route> {
        self.routes.read().unwrap_or_else(PoisonError::into_inner).get(&flow).cloned()
    }
}

#[cfg(test)]
mod tests;
