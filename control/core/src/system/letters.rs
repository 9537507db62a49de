//! What is written to partners: questions that are answered in time or fail, and debts that are repeated until they are answered.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use relay_core::{
    Millis,
    trunk::{frame, wire},
};

use super::{Output, System, alarms::Alarm, rows};
use crate::{Cause, Refused};

/// How long a partner may take to answer a question. Milliseconds.
pub const ANSWER_MS_MAX: Millis = Millis(5_000);
/// Letters that one partner owes an answer to while its trunk is down.
pub const OWED_MAX: usize = 10_000;

/// What an answer exceeds that is longer than `frame::SIZE_MAX`, or names more groups than one letter may.
const LETTER_LIMIT: &str = "partner.letter_octets";

/// What an answer is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// These groups of an affiliation.
    Affiliate { affiliation: String, groups: Vec<String> },
    /// The gate at which a migration stands.
    Gate { migration: String },
    /// Nothing but that the partner knows: repeated whenever its trunk comes up.
    Owed,
    /// The same, and a migration goes on with the answer.
    OwedGate { migration: String },
}

impl Purpose {
    fn is_owed(&self) -> bool {
        matches!(self, Purpose::Owed | Purpose::OwedGate { .. })
    }
}

/// A letter without an answer yet.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) to: String,
    letter: wire::Letter,
    purpose: Purpose,
}

impl<E: Clone> System<E> {
    /// Something that a partner need not answer.
    pub(super) fn tell(&mut self, to: &str, what: wire::letter::What) {
        if self.up.contains(to) {
            self.outbox.letter(to, wire::Letter { id: 0, what: Some(what) });
        }
    }

    /// Answers a partner. An answer that is too large for a letter becomes a refusal, so that nobody waits in vain.
    pub(super) fn reply(&mut self, to: &str, id: u64, what: wire::letter::What) {
        let letter = wire::Letter { id, what: Some(what) };
        match frame::bytes(&letter) {
            Ok(_) => self.outbox.letter(to, letter),
            Err(malformed) => {
                self.outbox.now(Output::Full { limit: LETTER_LIMIT });
                let detail = format!("the answer does not fit into a letter: {malformed}");
                let refused = Refused::new(Cause::LimitReached, LETTER_LIMIT, detail);
                self.outbox.audit("letter-dropped", to, "", Some(&refused));
                self.outbox.letter(to, wire::Letter { id, what: Some(wire::letter::What::Refusal(refusal(&refused))) });
            }
        }
    }

    pub(super) fn refuse(&mut self, to: &str, id: u64, refused: &Refused) {
        self.reply(to, id, wire::letter::What::Refusal(refusal(refused)));
    }

    /// A question over a trunk that stands; `within`: it fails then.
    pub(super) fn question(&mut self, to: &str, what: wire::letter::What, purpose: Purpose, within: Option<Millis>) {
        let id = self.number();
        let letter = wire::Letter { id, what: Some(what) };
        if let Some(within) = within {
            self.alarms.set(Alarm::Letter(id), self.now + within);
        }
        self.outbox.letter(to, letter.clone());
        self.letters.insert(id, Sent { to: to.into(), letter, purpose });
    }

    /// A letter that a partner has to get, whatever happens in between.
    pub(super) fn owe(&mut self, to: &str, what: wire::letter::What, purpose: Purpose) {
        if !self.partners.contains_key(to) {
            return;
        }
        if self.letters.values().filter(|sent| sent.to == to && sent.purpose.is_owed()).count() >= OWED_MAX {
            let detail = format!("{OWED_MAX} letters to {to} wait for its trunk; this one is not written");
            let refused = Refused::new(Cause::LimitReached, "partner.letters", detail);
            self.outbox.now(Output::Full { limit: "partner.letters" });
            return self.outbox.audit("letter-dropped", to, "", Some(&refused));
        }
        let id = self.number();
        let letter = wire::Letter { id, what: Some(what) };
        self.outbox.put(rows::MIGRATIONS, owed_key(to, id), &letter);
        if self.up.contains(to) {
            self.outbox.letter(to, letter.clone());
        }
        self.letters.insert(id, Sent { to: to.into(), letter, purpose });
    }

    /// A letter that was owed when the system went down.
    pub(super) fn restore_owed(&mut self, to: &str, letter: wire::Letter) {
        self.numbers = self.numbers.max(letter.id);
        self.letters.insert(letter.id, Sent { to: to.into(), letter, purpose: Purpose::Owed });
    }

    /// The trunk came up: debts first, in their order, before anything new is asked.
    pub(super) fn repeat_owed(&mut self, system: &str) {
        let owed = self.letters.values().filter(|sent| sent.to == system && sent.purpose.is_owed());
        for sent in owed.cloned().collect::<Vec<_>>() {
            self.outbox.letter(system, sent.letter);
        }
    }

    /// The partner is none any longer.
    pub(super) fn forget_owed(&mut self, system: &str) {
        let gone: Vec<u64> = self.letters.iter().filter(|(_, sent)| sent.to == system).map(|(id, _)| *id).collect();
        for id in gone {
            self.take_letter(id);
        }
    }

    /// The trunk went down: what was asked has no answer any more.
    pub(super) fn fail_letters(&mut self, system: &str) {
        let asked = self.letters.iter().filter(|(_, sent)| sent.to == system && !sent.purpose.is_owed());
        for id in asked.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.fail_letter(id, "its trunk went down");
        }
    }

    /// A question has no answer.
    pub(super) fn fail_letter(&mut self, id: u64, why: &str) {
        let Some(sent) = self.take_letter(id) else { return };
        let refused =
            Refused::new(Cause::HomeUnreachable, sent.to.clone(), format!("{} did not answer: {why}", sent.to));
        match sent.purpose {
            Purpose::Affiliate { affiliation, groups } => self.home_silent(&affiliation, &groups, &sent.to, &refused),
            Purpose::Gate { migration } => self.gate_failed(&migration, refused),
            Purpose::Owed | Purpose::OwedGate { .. } => {}
        }
    }

    fn take_letter(&mut self, id: u64) -> Option<Sent> {
        let sent = self.letters.remove(&id)?;
        self.alarms.clear(&Alarm::Letter(id));
        if sent.purpose.is_owed() {
            self.outbox.delete(rows::MIGRATIONS, owed_key(&sent.to, id));
        }
        Some(sent)
    }

    /// The migration no longer waits for an answer.
    pub(super) fn forget_gate(&mut self, migration: &str) {
        let of = |sent: &Sent| matches!(&sent.purpose, Purpose::Gate { migration: of } if of == migration);
        let asked: Vec<u64> = self.letters.iter().filter(|(_, sent)| of(sent)).map(|(id, _)| *id).collect();
        for id in asked {
            self.take_letter(id);
        }
    }

    /// A partner wrote. A letter is a request or an answer by what it says; an answer counts only if it was asked of this partner.
    pub(super) fn read_letter(&mut self, from: &str, letter: wire::Letter) {
        use wire::letter::What;
        if !self.partners.contains_key(from) {
            let refused = Refused::new(Cause::NoSuchPartner, from, format!("{from} writes and is no partner"));
            return self.outbox.audit("letter-ignored", from, "", Some(&refused));
        }
        let id = letter.id;
        let Some(what) = letter.what else {
            let refused = Refused::new(Cause::NotYet, "letter", "this build does not know that letter");
            return self.refuse(from, id, &refused);
        };
        match what {
            What::Leave(leave) => self.asked_to_leave(from, id, leave),
            What::Profile(request) => self.asked_for_profile(from, id, &request),
            What::Authorize(request) => self.asked_to_authorize(from, id, request),
            What::Affiliate(request) => self.asked_to_affiliate(from, id, &request),
            What::Deaffiliate(request) => self.asked_to_deaffiliate(from, id, &request),
            What::GiveUp(request) => self.asked_to_give_up(from, id, &request),
            What::Superseded(request) => self.asked_to_let_go(from, id, &request),
            What::CallStarted(started) => self.call_started_at(from, &started.group),
            What::GroupChanged(changed) => self.group_changed_at(from, &changed),
            answer => self.read_answer(from, id, answer),
        }
    }

    fn read_answer(&mut self, from: &str, id: u64, answer: wire::letter::What) {
        use wire::letter::What;
        if self.letters.get(&id).is_none_or(|sent| sent.to != from) {
            return;
        }
        let Some(sent) = self.take_letter(id) else { return };
        match (sent.purpose, answer) {
            (Purpose::Affiliate { affiliation, groups }, What::Affiliation(answer)) => {
                self.home_answered(&affiliation, &groups, from, answer);
            }
            (Purpose::Affiliate { affiliation, groups }, What::Refusal(refusal)) => {
                let refused = read_refusal(from, refusal);
                self.home_refused(&affiliation, &groups, &refused);
            }
            (Purpose::Affiliate { affiliation, groups }, _) => {
                let refused = nonsense(from);
                self.home_refused(&affiliation, &groups, &refused);
            }
            (Purpose::Gate { migration }, What::Refusal(refusal)) => {
                let refused = read_refusal(from, refusal);
                self.gate_refused(&migration, refused);
            }
            (Purpose::Gate { migration }, answer) => self.gate_answered(&migration, answer),
            (Purpose::OwedGate { migration }, _) => self.let_go(&migration),
            (Purpose::Owed, _) => {}
        }
    }
}

fn refusal(refused: &Refused) -> wire::Refusal {
    wire::Refusal {
        cause: refused.cause.code().into(),
        subject: refused.subject.clone(),
        detail: refused.detail.clone(),
    }
}

fn owed_key(to: &str, id: u64) -> String {
    // The number has its full width, so that keys sort as numbers do.
    format!("owed {to} {id:020}")
}

/// To whom, if the key is one of a debt.
pub(super) fn read_owed_key(key: &str) -> Option<String> {
    let mut words = key.split(' ');
    (words.next() == Some("owed")).then(|| words.next().map(ToString::to_string)).flatten()
}

/// What a partner refuses, in our words if it uses them.
pub(super) fn read_refusal(from: &str, refusal: wire::Refusal) -> Refused {
    refused_with(from, &refusal.cause, refusal.subject, refusal.detail)
}

/// A refusal with a word of a partner's.
pub(super) fn refused_with(from: &str, word: &str, subject: String, detail: String) -> Refused {
    match Cause::of_code(word) {
        Some(cause) => Refused::new(cause, subject, format!("{from}: {detail}")),
        None => Refused::new(Cause::RefusedByPartner, subject, format!("{from} says {word:?}: {detail}")),
    }
}

/// The partner answers another question than it was asked.
pub(super) fn nonsense(from: &str) -> Refused {
    Refused::new(Cause::RefusedByPartner, from, format!("{from} answered something that was not asked"))
}
