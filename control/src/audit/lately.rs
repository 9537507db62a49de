//! Keeps refusals from filling the trail: a partner that is refused the same again and again is written down so often in a minute.

use std::{
    borrow::Cow,
    collections::HashMap,
    time::{Duration, SystemTime},
};

use control_core::system::Audit;

/// `audit.refusals_per_min`: lines of one event and cause that one system has written in a minute. The others are counted, and the
/// next line says how many there were.
pub const REFUSALS_PER_MIN: usize = 60;

const MINUTE: Duration = Duration::from_secs(60);

/// What was refused in the minute that runs: by event, cause and system.
#[derive(Debug, Default)]
pub(crate) struct Lately {
    minutes: HashMap<(&'static str, Option<&'static str>, String), Minute>,
    held_back: u64,
}

#[derive(Debug)]
struct Minute {
    began: SystemTime,
    lines: usize,
    held_back: u64,
}

impl Lately {
    /// The line to be written; `None`: it is counted alone. Only refusals are: what was decided and done is never left out.
    pub(crate) fn admit<'a>(&mut self, audit: &'a Audit, at: SystemTime) -> Option<Cow<'a, Audit>> {
        if !audit.event.ends_with("-refused") && !audit.event.starts_with("letter-") {
            return Some(Cow::Borrowed(audit));
        }
        let key = (audit.event, audit.cause, audit.system.clone());
        // A clock that was set back begins a new minute.
        let over = |minute: &Minute| at.duration_since(minute.began).map_or(true, |gone| gone >= MINUTE);
        let mut before = 0;
        if self.minutes.get(&key).is_none_or(over) {
            before = self.minutes.remove(&key).map_or(0, |minute| minute.held_back);
            // What held lines back waits for the next line, which tells it.
            self.minutes.retain(|_, minute| minute.held_back > 0 || !over(minute));
            self.minutes.insert(key.clone(), Minute { began: at, lines: 0, held_back: 0 });
        }
        let minute = self.minutes.get_mut(&key)?;
        if minute.lines == REFUSALS_PER_MIN {
            minute.held_back += 1;
            self.held_back += 1;
            return None;
        }
        minute.lines += 1;
        if before == 0 {
            return Some(Cow::Borrowed(audit));
        }
        let detail = format!("{} ({before} more like it came before, and were not written)", audit.detail);
        Some(Cow::Owned(Audit { detail, ..audit.clone() }))
    }

    /// Lines that were not written.
    pub(crate) fn held_back(&self) -> u64 {
        self.held_back
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(event: &'static str, system: &str, cause: &'static str) -> Audit {
        Audit { event, system: system.into(), user: None, cause: Some(cause), detail: String::from("x") }
    }

    #[test]
    fn refusals_are_written_up_to_their_limit_per_minute_cause_and_system() {
        let mut lately = Lately::default();
        let begin = SystemTime::UNIX_EPOCH + MINUTE;
        let spent = line("ticket-refused", "b.example", "ticket-spent");
        let written = |lately: &mut Lately, audit: &Audit, at| lately.admit(audit, at).map(|line| line.detail.clone());
        for _ in 0..REFUSALS_PER_MIN {
            assert_eq!(written(&mut lately, &spent, begin), Some(String::from("x")));
        }
        let late = begin + MINUTE - Duration::from_millis(1);
        assert_eq!((written(&mut lately, &spent, late), written(&mut lately, &spent, late)), (None, None));
        for other in [
            line("ticket-refused", "c.example", "ticket-spent"),
            line("ticket-refused", "b.example", "ticket-unknown"),
            line("participant-refused", "b.example", "ticket-spent"),
        ] {
            assert!(written(&mut lately, &other, late).is_some(), "{other:?}");
        }
        let told = written(&mut lately, &spent, begin + MINUTE).unwrap();
        assert_eq!(told, "x (2 more like it came before, and were not written)");
        assert_eq!(written(&mut lately, &spent, begin + MINUTE), Some(String::from("x")));
        assert!(written(&mut lately, &spent, begin).is_some(), "the clock was set back");
        assert_eq!(lately.held_back(), 2);
    }

    #[test]
    fn what_was_decided_and_done_is_always_written() {
        let mut lately = Lately::default();
        let done = line("migration-rolled-back", "b.example", "timeout");
        assert!((0..1000).all(|_| lately.admit(&done, SystemTime::UNIX_EPOCH).is_some()));
        assert_eq!(lately.held_back(), 0);
    }
}
