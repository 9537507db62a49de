//! Floor requests that wait: highest class first, then priority, then arrival (TS 24.380 §4.1.1.4, order: our rule).

use alloc::vec::Vec;

use crate::time::Millis;

/// How much a request matters, before its priority is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// An ordinary call.
    #[default]
    Normal,
    /// Danger ahead.
    ImminentPeril,
    /// Somebody is in danger now.
    Emergency,
}

/// What arbitration compares: class, then effective priority.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Level {
    /// Compared first.
    pub class: Class,
    /// Effective priority, 0 lowest.
    pub priority: u8,
}

/// One waiting request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<P> {
    /// Who waits.
    pub from: P,
    /// What it is compared by.
    pub level: Level,
    /// Whether the client negotiated queueing and so may be told its position.
    pub tell: bool,
    /// It took the floor from somebody and stands at the front.
    pub preempts: bool,
    /// Round trip of the trunk that it came over.
    pub extra: Millis,
}

/// Where a request stands, and whom it pushed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<P> {
    /// 1 is next; 255 stands for every position above 253.
    pub position: u8,
    /// The last of a full queue, when a second pre-emptor needed its place.
    pub displaced: Option<P>,
}

/// Exhausted: the queue is full (limit `queue_limit`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// The waiting requests of one call: at most `limit`, and one pre-emptor more.
#[derive(Debug)]
pub struct Queue<P> {
    /// Best first. Equal ones stand in order of arrival, because a new one goes behind them.
    entries: Vec<Entry<P>>,
    limit: u16,
}

impl<P: Copy + Ord> Queue<P> {
    /// An empty queue for `limit` requests.
    pub fn new(limit: u16) -> Queue<P> {
        Queue { entries: Vec::with_capacity(usize::from(limit) + 1), limit }
    }

    /// Changes the limit. Who waits already keeps waiting.
    pub fn set_limit(&mut self, limit: u16) {
        self.limit = limit;
        self.entries.reserve((usize::from(limit) + 1).saturating_sub(self.entries.len()));
    }

    /// Lets a request wait, or updates the one this participant already has.
    ///
    /// A repeated request keeps its place; one whose level changed moves. A pre-emptor is taken beyond the limit.
    pub fn insert(&mut self, new: Entry<P>) -> Result<Place<P>, Full> {
        if let Some(index) = self.index(new.from) {
            return Ok(self.update(index, new));
        }
        let mut displaced = None;
        let limit = usize::from(self.limit);
        if new.preempts {
            if self.entries.len() > limit {
                displaced = self.entries.pop().map(|last| last.from);
            }
        } else if self.entries.len() >= limit + usize::from(self.has_preemptor()) {
            return Err(Full);
        }
        Ok(Place { position: self.place(new), displaced })
    }

    /// Takes the next one out.
    pub fn pop(&mut self) -> Option<Entry<P>> {
        if self.entries.is_empty() { None } else { Some(self.entries.remove(0)) }
    }

    /// Takes this participant's request out; false if it has none.
    pub fn remove(&mut self, from: P) -> bool {
        let found = self.index(from);
        if let Some(index) = found {
            self.entries.remove(index);
        }
        found.is_some()
    }

    /// Forgets everybody.
    pub fn clear(&mut self) {
        self.entries.clear();
    }

    /// The next one.
    pub fn head(&self) -> Option<&Entry<P>> {
        self.entries.first()
    }

    /// The waiting request of this participant and its position.
    pub fn find(&self, from: P) -> Option<(u8, &Entry<P>)> {
        self.index(from).and_then(|index| Some((position(index), self.entries.get(index)?)))
    }

    /// Who waits, next one first.
    pub fn iter(&self) -> impl Iterator<Item = &Entry<P>> {
        self.entries.iter()
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn index(&self, from: P) -> Option<usize> {
        self.entries.iter().position(|entry| entry.from == from)
    }

    fn has_preemptor(&self) -> bool {
        self.head().is_some_and(|head| head.preempts)
    }

    fn update(&mut self, index: usize, new: Entry<P>) -> Place<P> {
        let old = self.entries.get(index).copied().unwrap_or(new);
        let new = Entry { preempts: new.preempts || old.preempts, ..new };
        if rank(&old) == rank(&new) {
            if let Some(entry) = self.entries.get_mut(index) {
                *entry = new;
            }
            return Place { position: position(index), displaced: None };
        }
        self.entries.remove(index);
        Place { position: self.place(new), displaced: None }
    }

    fn place(&mut self, new: Entry<P>) -> u8 {
        let index = self.entries.partition_point(|entry| rank(entry) >= rank(&new));
        self.entries.insert(index, new);
        position(index)
    }
}

fn rank<P>(entry: &Entry<P>) -> (bool, Level) {
    (entry.preempts, entry.level)
}

/// 254 and 255 have meanings of their own on the wire (TS 24.380 §8.2.3.5).
fn position(index: usize) -> u8 {
    u8::try_from(index + 1).ok().filter(|position| *position < 254).unwrap_or(255)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn entry(from: u32, class: Class, priority: u8) -> Entry<u32> {
        Entry { from, level: Level { class, priority }, tell: true, preempts: false, extra: Millis(0) }
    }

    fn order(queue: &Queue<u32>) -> Vec<u32> {
        queue.iter().map(|entry| entry.from).collect()
    }

    #[test]
    fn class_then_priority_then_arrival() {
        let mut queue = Queue::new(8);
        for new in [
            entry(1, Class::Normal, 3),
            entry(2, Class::Normal, 3),
            entry(3, Class::Emergency, 0),
            entry(4, Class::Normal, 9),
            entry(5, Class::ImminentPeril, 1),
        ] {
            queue.insert(new).unwrap();
        }
        assert_eq!(order(&queue), [3, 5, 4, 1, 2]);
        assert_eq!(queue.find(1).unwrap().0, 4);
    }

    #[test]
    fn a_repeated_request_keeps_its_place_and_a_changed_priority_moves_it() {
        let mut queue = Queue::new(8);
        for from in [1, 2, 3] {
            queue.insert(entry(from, Class::Normal, 3)).unwrap();
        }
        assert_eq!(queue.insert(entry(1, Class::Normal, 3)).unwrap().position, 1);
        assert_eq!(order(&queue), [1, 2, 3]);
        assert_eq!(queue.insert(entry(3, Class::Normal, 4)).unwrap().position, 1);
        assert_eq!(order(&queue), [3, 1, 2]);
        assert_eq!(queue.insert(entry(3, Class::Normal, 1)).unwrap().position, 3);
    }

    #[test]
    fn the_limit_holds_for_all_but_one_preemptor() {
        let mut queue = Queue::new(2);
        queue.insert(entry(1, Class::Normal, 3)).unwrap();
        queue.insert(entry(2, Class::Normal, 2)).unwrap();
        assert_eq!(queue.insert(entry(3, Class::Normal, 9)), Err(Full));
        let preemptor = |from, priority| Entry { preempts: true, ..entry(from, Class::Emergency, priority) };
        assert_eq!(queue.insert(preemptor(4, 0)), Ok(Place { position: 1, displaced: None }));
        assert_eq!(queue.insert(entry(3, Class::Normal, 9)), Err(Full));
        assert_eq!(queue.insert(preemptor(5, 1)), Ok(Place { position: 1, displaced: Some(2) }));
        assert_eq!(order(&queue), [5, 4, 1]);
    }

    #[test]
    fn a_preemptor_needs_no_limit_at_all() {
        let mut queue = Queue::new(0);
        assert_eq!(queue.insert(entry(1, Class::Emergency, 9)), Err(Full));
        let preemptor = Entry { preempts: true, ..entry(1, Class::Emergency, 9) };
        assert_eq!(queue.insert(preemptor).unwrap().position, 1);
        assert!(queue.remove(1) && !queue.remove(1) && queue.is_empty());
    }

    #[test]
    fn positions_the_wire_cannot_name_are_told_as_unknown() {
        let mut queue = Queue::new(300);
        let positions: Vec<u8> =
            (0..256).map(|from| queue.insert(entry(from, Class::Normal, 0)).unwrap().position).collect();
        assert_eq!(positions[252..], [253, 255, 255, 255]);
    }
}
