//! Where a client of an own user is, as the primary system sees it: here, leaving for a partner, or there (TS 23.280 §10.16.2).
//!
//! The commit is the step from leaving to there, with a new generation; this system never takes it back by itself.

use alloc::{boxed::Box, string::String, vec::Vec};

use super::{
    rows::{Away, Leaving, OriginRow, Place, Saved},
    secrets,
};
use crate::Cause;

/// What happens.
#[derive(Clone, Debug)]
pub(super) enum Step<'a> {
    /// A partner asks for it with a good ticket, whose hash this is.
    Leave { to: &'a str, token: Vec<u8>, ticket: Vec<u8>, saved: Box<Saved> },
    /// Nothing more is sent to it here.
    Quiet { token: &'a [u8] },
    /// A partner asks for something that belongs to the migration.
    Permit { by: &'a str, token: &'a [u8] },
    /// A partner asks for the authorization.
    Commit { by: &'a str, token: &'a [u8], partner_user: &'a str, profile: u32 },
    /// A partner gives it back.
    GiveUp { by: &'a str, token: &'a [u8], generation: u64 },
    /// There was no commit in time.
    Late,
    /// The client authorises here.
    Authorises,
}

/// What follows.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Effect {
    /// Nothing.
    Nothing,
    /// The partner is refused.
    Refuse(Cause),
    /// The client leaves its calls here.
    Quieten,
    /// The partner is told that the client has left.
    TellLeft,
    /// The partner gets what it asks for.
    Permitted,
    /// Authorised under this generation. Whoever served the client before is told.
    Committed { generation: u64, before: Option<Away> },
    /// What the client had here comes back.
    Restore(Box<Leaving>),
    /// The partner serves it no longer, and nobody else does.
    Cleared(Away),
    /// The partner is told that its generation counts no longer.
    Supersede(Away),
}

impl OriginRow {
    /// Total: every place answers every step.
    pub(super) fn step(&mut self, step: Step<'_>) -> Effect {
        match self.place.take() {
            None => self.step_here(step, None),
            Some(Place::Away(away)) => self.step_away(step, away),
            Some(Place::Leaving(leaving)) => self.step_leaving(step, leaving),
        }
    }

    fn step_here(&mut self, step: Step<'_>, was: Option<Away>) -> Effect {
        match step {
            Step::Leave { to, token, ticket, saved } => {
                let (to, saved) = (String::from(to), Some(*saved));
                self.place = Some(Place::Leaving(Box::new(Leaving { to, token, ticket, saved, was, quiet: false })));
                Effect::Quieten
            }
            Step::Permit { .. } | Step::Commit { .. } => Effect::Refuse(Cause::Superseded),
            Step::Quiet { .. } | Step::GiveUp { .. } | Step::Late | Step::Authorises => Effect::Nothing,
        }
    }

    fn step_away(&mut self, step: Step<'_>, away: Away) -> Effect {
        match step {
            Step::Leave { .. } => return self.step_here(step, Some(away)),
            // The answer to the first one was lost.
            Step::Commit { by, token, .. } if by == away.system && token == away.token => {
                let generation = away.generation;
                self.place = Some(Place::Away(away));
                return Effect::Committed { generation, before: None };
            }
            Step::GiveUp { by, token, generation } if by == away.system => {
                let named = generation == 0 && !token.is_empty() && token == away.token;
                if generation == away.generation || named {
                    return Effect::Cleared(away);
                }
            }
            Step::Authorises => {
                self.generation += 1;
                return Effect::Supersede(away);
            }
            Step::Permit { .. } | Step::Commit { .. } => {
                self.place = Some(Place::Away(away));
                return Effect::Refuse(Cause::Superseded);
            }
            Step::Quiet { .. } | Step::GiveUp { .. } | Step::Late => {}
        }
        self.place = Some(Place::Away(away));
        Effect::Nothing
    }

    fn step_leaving(&mut self, step: Step<'_>, mut leaving: Box<Leaving>) -> Effect {
        let effect = match step {
            Step::Leave { .. } => Effect::Refuse(Cause::MigrationUnderWay),
            Step::Quiet { token } if token == leaving.token => {
                leaving.quiet = true;
                Effect::TellLeft
            }
            Step::Permit { by, token } => match by == leaving.to && token == leaving.token && leaving.quiet {
                true => Effect::Permitted,
                false => Effect::Refuse(Cause::Superseded),
            },
            Step::Commit { by, token, partner_user, profile } => {
                if by == leaving.to && token == leaving.token && leaving.quiet {
                    return self.commit(leaving, partner_user, profile);
                }
                Effect::Refuse(Cause::Superseded)
            }
            // A partner that has no token yet names the ticket.
            Step::GiveUp { by, token, generation } => {
                let named = token == leaving.token || secrets::hash(&[token]) == leaving.ticket;
                if by == leaving.to && named {
                    return self.give_back(leaving);
                }
                // Whoever serves it until now does so no longer.
                match leaving.was.take_if(|was| by == was.system && generation == was.generation) {
                    Some(was) => Effect::Cleared(was),
                    None => Effect::Nothing,
                }
            }
            Step::Late => return self.give_back(leaving),
            // The client has decided: what was saved is its own matter now.
            Step::Authorises => {
                return match leaving.was {
                    Some(away) => self.step_away(Step::Authorises, away),
                    None => Effect::Nothing,
                };
            }
            Step::Quiet { .. } => Effect::Nothing,
        };
        self.place = Some(Place::Leaving(leaving));
        effect
    }

    fn give_back(&mut self, mut leaving: Box<Leaving>) -> Effect {
        self.place = leaving.was.take().map(Place::Away);
        Effect::Restore(leaving)
    }

    //= TS 23.280 §10.6.3  the primary system authorises, and remembers under which id the client is served where
    fn commit(&mut self, leaving: Box<Leaving>, partner_user: &str, profile: u32) -> Effect {
        self.generation += 1;
        let generation = self.generation;
        let Leaving { to: system, token, was, .. } = *leaving;
        let before = was.filter(|before| before.system != system);
        self.place = Some(Place::Away(Away { system, generation, partner_user: partner_user.into(), token, profile }));
        Effect::Committed { generation, before }
    }
}

#[cfg(test)]
mod tests;
