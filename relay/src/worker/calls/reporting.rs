//! What control hears without having asked.

use std::sync::Arc;

use relay_core::call::Output;
use tokio::sync::mpsc;

use crate::{Event, metrics::Counters, udp::Address};

/// Tells control that a hang time or a leg has run out.
pub(super) fn report(
    events: &mpsc::Sender<Event>,
    counters: &Counters,
    (id, epoch): (&Arc<str>, u64),
    output: &Output<'_, Address>,
) {
    let call = Arc::clone(id);
    match *output {
        Output::Expired { slot, entry } => {
            counters.expired.add(1);
            tell(events, counters, Event::LegExpired { call, slot, entry });
        }
        _ => {
            counters.inactive.add(1);
            tell(events, counters, Event::Inactive { call, epoch });
        }
    }
}

/// Tells control. An event that does not fit comes again; one that nobody waits for any more is of no use.
fn tell(events: &mpsc::Sender<Event>, counters: &Counters, event: Event) {
    if let Err(mpsc::error::TrySendError::Full(_)) = events.try_send(event) {
        counters.events_lost.add(1);
    }
}
