//! What a system wants done, in order. What is answered was stored first: answers, letters and changes wait for every write that
//! stands before them.

use alloc::{collections::VecDeque, string::String, vec::Vec};

use prost::Message;
use relay_core::trunk::wire;

use super::{Answer, Audit, Output, Record};
use crate::Refused;

/// Version of the rows that are written; it stands before every value.
pub(super) const ROW_VERSION: u8 = 1;

#[derive(Debug)]
pub(super) struct Outbox<E> {
    ready: VecDeque<Output<E>>,
    /// What this input says, until it is known which write it waits for.
    fresh: Vec<Output<E>>,
    held: VecDeque<(u64, Output<E>)>,
    records: Vec<Record>,
    written: u64,
    stored: u64,
}

impl<E> Outbox<E> {
    pub(super) fn new() -> Outbox<E> {
        Outbox {
            ready: VecDeque::new(),
            fresh: Vec::new(),
            held: VecDeque::new(),
            records: Vec::new(),
            written: 0,
            stored: 0,
        }
    }

    /// Something that may happen before it is durable: a crash undoes it as well.
    pub(super) fn now(&mut self, output: Output<E>) {
        self.ready.push_back(output);
    }

    pub(super) fn audit(&mut self, event: &'static str, system: &str, user: &str, cause: Option<&Refused>) {
        let detail = cause.map_or(String::new(), |refused| refused.detail.clone());
        self.now(Output::Audit(Audit {
            event,
            system: system.into(),
            user: (!user.is_empty()).then(|| user.into()),
            cause: cause.map(|refused| refused.cause.code()),
            detail,
        }));
    }

    pub(super) fn answer(&mut self, token: u64, answer: Result<Answer<E>, Refused>) {
        self.fresh.push(Output::Answer { token, answer });
    }

    pub(super) fn letter(&mut self, to: &str, letter: wire::Letter) {
        self.fresh.push(Output::Letter { to: to.into(), letter });
    }

    /// Once per input is enough.
    pub(super) fn changed(&mut self, id: &str) {
        let said = self.fresh.iter().any(|output| matches!(output, Output::Changed { id: said } if said == id));
        if !said {
            self.fresh.push(Output::Changed { id: id.into() });
        }
    }

    pub(super) fn put(&mut self, table: &'static str, key: String, row: &impl Message) {
        let mut value = Vec::from([ROW_VERSION]);
        // Encoding fails only when a buffer is full, and a `Vec` grows.
        let encoded = row.encode(&mut value);
        debug_assert!(encoded.is_ok(), "a vector grows");
        self.write(Record { table, key, value: Some(value) });
    }

    pub(super) fn delete(&mut self, table: &'static str, key: String) {
        self.write(Record { table, key, value: None });
    }

    /// The last word on a row counts, and it is written once per input.
    fn write(&mut self, record: Record) {
        self.records.retain(|earlier| (earlier.table, &earlier.key) != (record.table, &record.key));
        self.records.push(record);
    }

    /// The input is done: what it wrote goes out as one commit, and what it said waits for it.
    pub(super) fn close(&mut self) {
        if !self.records.is_empty() {
            self.written += 1;
            let records = core::mem::take(&mut self.records);
            self.ready.push_back(Output::Store { number: self.written, records });
        }
        let written = self.written;
        self.held.extend(self.fresh.drain(..).map(|output| (written, output)));
    }

    pub(super) fn stored(&mut self, number: u64) {
        self.stored = self.stored.max(number);
    }

    pub(super) fn next(&mut self) -> Option<Output<E>> {
        if let Some(output) = self.ready.pop_front() {
            return Some(output);
        }
        let (number, _) = self.held.front()?;
        if *number > self.stored {
            return None;
        }
        self.held.pop_front().map(|(_, output)| output)
    }
}
