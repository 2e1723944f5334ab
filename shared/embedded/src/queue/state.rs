//! What of a queue is in memory. No bodies: they are read from their rows when they are received.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use super::{super::failure::Failure, ready::Ready};
use domain::Timestamp;
use ports::queue::{QueueDepth, Receipt};

/// Messages moved to the dead letters by one receive, at the most: bounds the size of its commit.
const MAX_DEAD_PER_RECEIVE: usize = 50;

/// A message.
#[derive(Debug, Clone)]
pub struct Message {
    pub group: Arc<str>,
    pub sent_at: Timestamp,
    /// How often it has been received.
    pub receives: u32,
    /// Whether it was in flight when the process died.
    pub is_suspect: bool,
    pub place: Place,
}

/// Where a message is. Times are the clock's uptime, which nobody sets: see [`domain::Clock::uptime`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Ready,
    /// Sent, not to be received before this.
    Delayed(Duration),
    /// Received, invisible until this.
    InFlight(Duration),
}

impl Place {
    /// Of a message that is to be received in so much time.
    pub fn after(delay: Duration, now: Duration) -> Self {
        if delay.is_zero() { Self::Ready } else { Self::Delayed(now.saturating_add(delay)) }
    }
}

/// One receive of one message: what a receipt says. The sequence is unique over all queues and restarts, and the count
/// over the receives of one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hold {
    pub sequence: u64,
    pub receives: u32,
}

impl Hold {
    pub fn receipt(self) -> Receipt {
        format!("{:x}.{:x}", self.sequence, self.receives)
    }

    pub fn parse(receipt: &str) -> Result<Self, Failure> {
        let parts = receipt.split_once('.').and_then(|(sequence, receives)| {
            Some((u64::from_str_radix(sequence, 16).ok()?, u32::from_str_radix(receives, 16).ok()?))
        });
        let (sequence, receives) = parts.ok_or(Failure::Rejected("not a receipt of this queue"))?;
        Ok(Self { sequence, receives })
    }
}

/// What a receive takes.
#[derive(Debug, Default)]
pub struct Taken {
    /// To be handed out.
    pub handed: Vec<Hold>,
    /// Received too often: out of this queue already, to be put with the dead letters.
    pub dead: Vec<(u64, Message)>,
}

/// One queue.
#[derive(Debug, Default)]
pub struct State {
    messages: HashMap<u64, Message>,
    ready: Ready,
    /// Ready suspects, the least often received first.
    suspects: BTreeSet<(u32, u64)>,
    suspect_in_flight: Option<u64>,
    /// Delayed and in-flight messages by when that ends.
    due: BTreeSet<(Duration, u64)>,
    in_flight: u64,
}

impl State {
    /// The group's name in memory.
    pub fn intern(&self, group: &str) -> Arc<str> {
        self.ready.intern(group)
    }

    /// Adds a message.
    pub fn insert(&mut self, sequence: u64, message: Message) {
        self.place(sequence, &message);
        self.messages.insert(sequence, message);
    }

    /// Takes a message out, wherever it is.
    pub fn remove(&mut self, sequence: u64) -> Option<Message> {
        let message = self.messages.remove(&sequence)?;
        self.displace(sequence, &message);
        Some(message)
    }

    /// Notes where a message is.
    fn place(&mut self, sequence: u64, message: &Message) {
        match message.place {
            Place::Ready if message.is_suspect => {
                self.suspects.insert((message.receives, sequence));
            }
            Place::Ready => self.ready.insert(&message.group, sequence),
            Place::Delayed(until) => {
                self.due.insert((until, sequence));
            }
            Place::InFlight(until) => {
                self.due.insert((until, sequence));
                self.in_flight += 1;
                if message.is_suspect {
                    self.suspect_in_flight = Some(sequence);
                }
            }
        }
    }

    /// Undoes [`Self::place`].
    fn displace(&mut self, sequence: u64, message: &Message) {
        match message.place {
            Place::Ready if message.is_suspect => {
                self.suspects.remove(&(message.receives, sequence));
            }
            Place::Ready => self.ready.remove(&message.group, sequence),
            Place::Delayed(until) => {
                self.due.remove(&(until, sequence));
            }
            Place::InFlight(until) => {
                self.due.remove(&(until, sequence));
                self.in_flight -= 1;
                if self.suspect_in_flight == Some(sequence) {
                    self.suspect_in_flight = None;
                }
            }
        }
    }

    /// Makes ready what is due at `now`.
    pub fn promote(&mut self, now: Duration) {
        while let Some((_, sequence)) = self.due.first().copied().filter(|(due, _)| *due <= now) {
            let Some(mut message) = self.remove(sequence) else { return };
            message.is_suspect = false;
            message.place = Place::Ready;
            self.insert(sequence, message);
        }
    }

    /// When the next delay or visibility timeout ends.
    pub fn next_due(&self) -> Option<Duration> {
        self.due.first().map(|(due, _)| *due)
    }

    /// Whether a receive would find something.
    pub fn is_any_ready(&self) -> bool {
        self.ready.len() > 0 || (self.suspect_in_flight.is_none() && !self.suspects.is_empty())
    }

    /// Takes one suspect alone, or up to `max` others, and puts them in flight until `until`. What was received
    /// `max_receives` times already leaves the queue instead.
    pub fn take(&mut self, max: usize, until: Duration, max_receives: Option<u32>) -> Taken {
        let mut taken = Taken::default();
        while taken.handed.len() < max && taken.dead.len() < MAX_DEAD_PER_RECEIVE {
            let Some(sequence) = self.pop(taken.handed.is_empty()) else { break };
            let Some(mut message) = self.messages.remove(&sequence) else { continue };
            if max_receives.is_some_and(|most| message.receives >= most) {
                taken.dead.push((sequence, message));
                continue;
            }
            message.receives += 1;
            message.place = Place::InFlight(until);
            taken.handed.push(Hold { sequence, receives: message.receives });
            let is_suspect = message.is_suspect;
            self.insert(sequence, message);
            if is_suspect {
                break;
            }
        }
        taken
    }

    fn pop(&mut self, is_first: bool) -> Option<u64> {
        if is_first
            && self.suspect_in_flight.is_none()
            && let Some((_, sequence)) = self.suspects.pop_first()
        {
            return Some(sequence);
        }
        self.ready.pop()
    }

    /// Takes a message out when the hold is of its latest receive.
    pub fn release(&mut self, hold: Hold) -> Option<Message> {
        let is_latest = self.messages.get(&hold.sequence).is_some_and(|message| message.receives == hold.receives);
        is_latest.then(|| self.remove(hold.sequence))?
    }

    /// Changes until when a message in flight is invisible; `false` when the hold is of an earlier receive or the
    /// message is not in flight. Its handler lived to say so: it is no suspect any more.
    pub fn change(&mut self, hold: Hold, now: Duration, until: Duration) -> bool {
        let is_held = self
            .messages
            .get(&hold.sequence)
            .is_some_and(|message| message.receives == hold.receives && matches!(message.place, Place::InFlight(_)));
        let Some(mut message) = is_held.then(|| self.remove(hold.sequence)).flatten() else { return false };
        message.is_suspect = false;
        message.place = if until <= now { Place::Ready } else { Place::InFlight(until) };
        self.insert(hold.sequence, message);
        true
    }

    /// How full the queue is at this instant.
    pub fn depth(&self, now: Timestamp) -> QueueDepth {
        let visible = self.ready.len() + self.suspects.len() as u64;
        let firsts = self.ready.firsts().chain(self.suspects.iter().map(|(_, sequence)| *sequence));
        let oldest = firsts.filter_map(|sequence| self.messages.get(&sequence)).map(|message| message.sent_at).min();
        QueueDepth {
            visible,
            in_flight: self.in_flight,
            delayed: self.due.len() as u64 - self.in_flight,
            oldest_age: oldest.map(|sent_at| now.since(sent_at)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENT_AT: Timestamp = Timestamp::from_millis(1_000);
    const NOW: Duration = Duration::from_secs(1);
    const LATER: Duration = Duration::from_secs(2);

    fn message(receives: u32, is_suspect: bool) -> Message {
        Message { group: Arc::from("group"), sent_at: SENT_AT, receives, is_suspect, place: Place::Ready }
    }

    fn sequences(taken: &Taken) -> Vec<u64> {
        taken.handed.iter().map(|hold| hold.sequence).collect()
    }

    #[test]
    fn suspects_are_handed_out_alone_and_the_least_received_first() {
        let mut state = State::default();
        state.insert(1, message(3, true));
        state.insert(2, message(1, true));
        state.insert(3, message(1, true));
        state.insert(4, message(0, false));
        state.insert(5, message(0, false));

        assert_eq!(sequences(&state.take(10, LATER, Some(5))), [2], "one suspect");
        assert_eq!(sequences(&state.take(10, LATER, Some(5))), [4, 5], "no second suspect meanwhile");
        assert!(!state.is_any_ready());
        state.release(Hold { sequence: 2, receives: 2 }).expect("held");
        assert_eq!(sequences(&state.take(10, LATER, Some(5))), [3]);
        assert!(state.change(Hold { sequence: 3, receives: 2 }, NOW, NOW), "returned: no suspect any more");
        assert_eq!(sequences(&state.take(10, LATER, Some(5))), [1]);
        assert_eq!(sequences(&state.take(10, LATER, Some(5))), [3]);
    }

    #[test]
    fn a_suspect_whose_visibility_ran_out_is_like_any_other() {
        let mut state = State::default();
        state.insert(1, message(1, true));
        state.insert(2, message(0, false));
        assert_eq!(sequences(&state.take(10, LATER, Some(5))), [1]);
        state.promote(LATER);
        assert_eq!(sequences(&state.take(10, LATER, Some(5))), [1, 2]);
    }

    #[test]
    fn a_hold_of_an_earlier_receive_does_nothing() {
        let mut state = State::default();
        state.insert(1, message(0, false));
        let first = state.take(1, LATER, Some(5)).handed[0];
        state.promote(LATER);
        let second = state.take(1, LATER, Some(5)).handed[0];
        assert!(state.release(first).is_none());
        assert!(!state.change(first, NOW, NOW));
        assert!(state.release(second).is_some());
        assert_eq!(state.depth(SENT_AT), QueueDepth::default());
    }

    #[test]
    fn a_receipt_reads_back() {
        let hold = Hold { sequence: u64::MAX, receives: 7 };
        assert_eq!(Hold::parse(&hold.receipt()).expect("a receipt"), hold);
        for receipt in ["", "1", "1.", "x.1", "1.1.1"] {
            assert!(Hold::parse(receipt).is_err(), "{receipt}");
        }
    }
}
