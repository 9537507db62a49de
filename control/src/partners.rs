//! Partner systems: what trunks bring is decided by the rules, and done in calls; what the rules write leaves by trunks.
//!
//! What concerns one call happens in the order in which its trunks said it; calls do not wait for each other.

use std::{sync::Arc, time::SystemTime};

use control_core::{
    Cause, Refused,
    system::{Answer, Ask, Audit, Partner},
};
use relay::{LetterError, Relay, Subscription, TrunkEvent};
use relay_core::{
    TrunkId,
    call::Announced,
    roster::{Attachment, Behind},
    trunk::{Overstep, link::Limits, wire},
};
use tokio::sync::mpsc;

use crate::{
    mobility::{Mobility, Partners, Trail},
    registry::{CallRecord, Entry, Registry},
    turns::Turns,
};

/// The trunks of the media plane, as the rules use them.
pub(crate) struct Trunks(pub(crate) Relay);

impl Partners for Trunks {
    fn send(&self, system: &str, letter: wire::Letter) {
        match self.0.write(system, &letter) {
            Ok(()) => {}
            // The rules hear of the trunk's end, and of the time that passes without an answer.
            Err(LetterError::Down) => tracing::debug!(system, "letter not sent: the trunk is down"),
            Err(error) => tracing::error!(system, "letter not sent: {error}"),
        }
    }

    fn put(&self, system: &str, partner: Option<Partner>) {
        let Some(partner) = partner else { return self.0.remove_partner(system) };
        let limits = Limits { participants: partner.participants_max, ..Limits::default() };
        if let Err(error) = self.0.put_partner(system, partner.address, limits) {
            tracing::error!("partner {system} has no trunk: {error}");
        }
    }
}

/// Follows what trunks bring.
pub(crate) struct Follower {
    registry: Arc<Registry>,
    mobility: Arc<Mobility>,
    trail: Arc<dyn Trail>,
    turns: Turns<String>,
}

impl Follower {
    pub(crate) fn new(registry: Arc<Registry>, mobility: Arc<Mobility>, trail: Arc<dyn Trail>) -> Follower {
        Follower { registry, mobility, trail, turns: Turns::default() }
    }

    /// Follows until the media plane ends.
    pub(crate) async fn run(mut self, mut events: mpsc::Receiver<TrunkEvent>) {
        while let Some(event) = events.recv().await {
            self.follow(event);
        }
    }

    fn follow(&mut self, event: TrunkEvent) {
        let (registry, mobility) = (Arc::clone(&self.registry), Arc::clone(&self.mobility));
        match event {
            TrunkEvent::Up { system } => mobility.trunk(&system, true),
            TrunkEvent::Down { system, trunk } => {
                mobility.trunk(&system, false);
                for call in registry.calls_after(None) {
                    let registry = Arc::clone(&registry);
                    let turn = call.id.clone();
                    self.turns.take(turn, async move { leave_behind(&registry, &call, trunk, None).await });
                }
            }
            TrunkEvent::Letter { system, letter } => {
                if let Err(refused) = mobility.letter(&system, *letter) {
                    registry.counters.refuse(&refused.subject);
                    // The partner waits for an answer that does not come: both sides begin anew.
                    registry.relay.end_trunk(&system, "slow", &refused.detail);
                }
            }
            TrunkEvent::Subscribe(subscription) => {
                let trail = Arc::clone(&self.trail);
                tokio::spawn(subscribe(registry, mobility, trail, *subscription));
            }
            TrunkEvent::Announced { call, trunk, announced } => {
                let trail = Arc::clone(&self.trail);
                self.in_call(&call, |call| admit(registry, mobility, trail, call, (trunk, *announced)));
            }
            TrunkEvent::Departed { call, trunk, reference } => {
                self.in_call(&call, |call| async move { leave_behind(&registry, &call, trunk, Some(reference)).await });
            }
            TrunkEvent::Expelled { call, slot, entry, cause } => {
                tracing::info!(call = &*call, "the home takes a participant out: {cause}");
                self.in_call(&call, |call| async move {
                    if let Some(record) = registry.expire(&call, slot, entry).await {
                        mobility.expelled(&record.user, &record.client, &call.group, cause);
                    }
                });
            }
            TrunkEvent::HomeRefused { call, cause } => {
                tracing::info!(call = &*call, "the home no longer serves this call: {cause}");
                self.in_call(&call, |call| async move { _ = registry.end(&call).await });
            }
            TrunkEvent::Missed { call, ssrc, first, last } => {
                tracing::warn!(
                    call = &*call,
                    "packets {first} to {last} of SSRC {:#010x} are lost: no system has them",
                    ssrc.0
                );
                self.in_call(&call, |call| async move { call.miss(ssrc, first, last) });
            }
            TrunkEvent::Overstepped { system, what, cause, detail } => {
                let event = match what {
                    Overstep::Subscription => "subscription-refused",
                    Overstep::Participant => "participant-refused",
                    Overstep::Media => "media-refused",
                };
                let audit = Audit { event, system: system.to_string(), user: None, cause: Some(cause), detail };
                self.trail.append(&audit, SystemTime::now());
            }
            TrunkEvent::Refused { system, cause, detail } => {
                let system = system.unwrap_or_else(|| String::from("unknown"));
                let audit = Audit { event: "trunk-refused", system, user: None, cause: Some(cause), detail };
                self.trail.append(&audit, SystemTime::now());
            }
        }
    }

    /// Does something in a running call, after what was to be done in it before.
    fn in_call<F: Future<Output = ()> + Send + 'static>(&mut self, id: &str, work: impl FnOnce(Arc<CallRecord>) -> F) {
        if let Ok(call) = self.registry.call(id) {
            self.turns.take(id.to_owned(), work(call));
        }
    }
}

// A partner that is stored gets its trunk.
const _: () = assert!(control_core::system::PARTNERS_MAX == relay::trunk::PARTNERS_MAX);

async fn leave_behind(registry: &Arc<Registry>, call: &Arc<CallRecord>, trunk: TrunkId, reference: Option<u32>) {
    registry.take_out_behind(call, trunk, reference).await;
    registry.end_after_grace(call);
}

/// A partner wants to take part in the call of a group.
async fn subscribe(
    registry: Arc<Registry>,
    mobility: Arc<Mobility>,
    trail: Arc<dyn Trail>,
    subscription: Subscription,
) {
    let (system, group) = (subscription.system().to_owned(), subscription.group().to_owned());
    let may = mobility.ask(Ask::MaySubscribe { system: system.clone(), group: group.clone() }).await;
    let call = may.and_then(|_| called(&registry, &group, subscription.start()));
    match call {
        Ok(call) => {
            registry.relay.answer(subscription, Ok(&call.media));
            // Nobody may follow: then it ends as if they had left.
            registry.end_after_grace(&call);
        }
        Err(refused) => {
            deny(&*trail, "subscription-refused", &system, None, &refused);
            let answer = (String::from(refused.cause.code()), refused.detail);
            registry.relay.answer(subscription, Err(answer));
        }
    }
}

/// The running call of a group, or a new one if one may be started for a partner.
fn called(registry: &Registry, group: &str, start: bool) -> Result<Arc<CallRecord>, Refused> {
    if let Some(call) = registry.call_of_group(group) {
        return Ok(call);
    }
    if !start {
        return Err(Refused::new(Cause::NoSuchCall, group, format!("no call of {group} runs")));
    }
    let (call, is_new) = registry.call_to_enter(group, None)?;
    if is_new {
        registry.expect_somebody(&call);
        registry.began(&call);
    }
    Ok(call)
}

/// A partner announces a participant: it enters the call behind its trunk, or is told why not.
async fn admit(
    registry: Arc<Registry>,
    mobility: Arc<Mobility>,
    trail: Arc<dyn Trail>,
    call: Arc<CallRecord>,
    (trunk, announced): (TrunkId, Announced),
) {
    let Some(system) = registry.relay.system_of(trunk) else { return };
    let Announced { reference, user, client, audio_ssrc, queueing, priority } = announced;
    let (group, who) = (call.group.clone(), user.clone());
    let ask = Ask::MayAnnounce { system: system.to_string(), group, user: user.clone(), client: client.clone() };
    let entered = match mobility.ask(ask).await {
        Ok(Answer::MayEnter { standing, .. }) => {
            let leg = Attachment::Trunk(Behind { trunk, reference });
            let entry = Entry {
                user,
                client,
                leg,
                ssrc: Some(audio_ssrc),
                queueing,
                priority,
                resume: Vec::new(),
                implicit_floor_request: false,
                expires: None,
            };
            registry.enter_behind(&call, entry, standing).await
        }
        Ok(_) => Err(Refused::new(Cause::Internal, &call.group, "the rules did not say whether it may enter")),
        Err(refused) => Err(refused),
    };
    if let Err(refused) = entered {
        deny(&*trail, "participant-refused", &system, Some(&who), &refused);
        if let Err(full) = call.media.expel(trunk, reference, refused.cause.code()) {
            tracing::warn!("a participant of {system} is not told that it was refused: {full}");
        }
    }
}

fn deny(trail: &dyn Trail, event: &'static str, system: &str, user: Option<&str>, refused: &Refused) {
    let audit = Audit {
        event,
        system: system.to_owned(),
        user: user.map(str::to_owned),
        cause: Some(refused.cause.code()),
        detail: refused.detail.clone(),
    };
    trail.append(&audit, SystemTime::now());
}
