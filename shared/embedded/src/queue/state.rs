//! The memory of a queue. It holds no bodies: they are read from their rows on receive.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use super::{super::failure::Failure, ready::Ready};
use domain::Timestamp;
use ports::queue::{QueueDepth, Receipt};

/// Maximum number of messages that one receive moves to the dead letters; bounds the size of its commit.
const MAX_DEAD_PER_RECEIVE: usize = 50;

/// A message without its body.
#[derive(Debug, Clone)]
pub struct Message {
    pub group: Arc<str>,
    pub sent_at: Timestamp,
    /// The number of receives.
    pub receives: u32,
    /// Whether it was in flight when the process died.
    pub is_suspect: bool,
    pub place: Place,
}

/// The place of a message. Times are the clock's uptime, which is monotonic: see [`domain::Clock::uptime`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Ready,
    /// Sent, and not receivable before this time.
    Delayed(Duration),
    /// Received, and invisible until this time.
    InFlight(Duration),
}

impl Place {
    /// The place of a message that becomes receivable after `delay`.
    pub fn after(delay: Duration, now: Duration) -> Self {
        if delay.is_zero() { Self::Ready } else { Self::Delayed(now.saturating_add(delay)) }
    }
}

/// One receive of one message, as encoded in a receipt. The sequence is unique across all queues and restarts, the
/// count across the receives of one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReceiptHandle {
    pub sequence: u64,
    pub receives: u32,
}

impl ReceiptHandle {
    pub fn receipt(self) -> Receipt {
        format!("{:x}.{:x}", self.sequence, self.receives)
    }

    pub fn parse(receipt: &str) -> Result<Self, Failure> {
        let parts = receipt.split_once('.').and_then(|(sequence, receives)| {
            Some((u64::from_str_radix(sequence, 16).ok()?, u32::from_str_radix(receives, 16).ok()?))
        });
        let (sequence, receives) = parts.ok_or(Failure::Rejected("the receipt is malformed"))?;
        Ok(Self { sequence, receives })
    }
}

/// The result of a receive.
#[derive(Debug, Default)]
pub struct Taken {
    /// Messages to deliver.
    pub received: Vec<ReceiptHandle>,
    /// Messages received too often: already removed from this queue, to be stored as dead letters.
    pub dead: Vec<(u64, Message)>,
}

/// A queue.
#[derive(Debug, Default)]
pub struct State {
    messages: HashMap<u64, Message>,
    ready: Ready,
    /// Ready suspects, the least often received first.
    suspects: BTreeSet<(u32, u64)>,
    suspect_in_flight: Option<u64>,
    /// Delayed and in-flight messages, by the time they become ready.
    due: BTreeSet<(Duration, u64)>,
    in_flight: u64,
}

impl State {
    /// The group's name, shared in memory.
    pub fn intern(&self, group: &str) -> Arc<str> {
        self.ready.intern(group)
    }

    /// Adds a message.
    pub fn insert(&mut self, sequence: u64, message: Message) {
        self.place(sequence, &message);
        self.messages.insert(sequence, message);
    }

    /// Removes a message, wherever it is.
    pub fn remove(&mut self, sequence: u64) -> Option<Message> {
        let message = self.messages.remove(&sequence)?;
        self.displace(sequence, &message);
        Some(message)
    }

    /// Indexes a message by its place.
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

    /// Makes messages ready that are due at `now`.
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

    /// Whether a message is ready to be received.
    pub fn is_any_ready(&self) -> bool {
        self.ready.len() > 0 || (self.suspect_in_flight.is_none() && !self.suspects.is_empty())
    }

    /// Takes one suspect alone, or up to `max` other messages, and puts them in flight until `until`. Messages received
    /// `max_receives` times already leave the queue instead.
    pub fn take(&mut self, max: usize, until: Duration, max_receives: Option<u32>) -> Taken {
        let mut taken = Taken::default();
        while taken.received.len() < max && taken.dead.len() < MAX_DEAD_PER_RECEIVE {
            let Some(sequence) = self.pop(taken.received.is_empty()) else { break };
            let Some(mut message) = self.messages.remove(&sequence) else { continue };
            if max_receives.is_some_and(|most| message.receives >= most) {
                taken.dead.push((sequence, message));
                continue;
            }
            message.receives += 1;
            message.place = Place::InFlight(until);
            taken.received.push(ReceiptHandle { sequence, receives: message.receives });
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

    /// Removes a message if the handle names its latest receive.
    pub fn release(&mut self, handle: ReceiptHandle) -> Option<Message> {
        let is_latest = self.messages.get(&handle.sequence).is_some_and(|message| message.receives == handle.receives);
        is_latest.then(|| self.remove(handle.sequence))?
    }

    /// Changes the visibility timeout of a message in flight; `false` if the handle names an earlier receive or the
    /// message is not in flight. Since its handler survived, the message is no longer a suspect.
    pub fn change(&mut self, handle: ReceiptHandle, now: Duration, until: Duration) -> bool {
        let is_held = self
            .messages
            .get(&handle.sequence)
            .is_some_and(|message| message.receives == handle.receives && matches!(message.place, Place::InFlight(_)));
        let Some(mut message) = is_held.then(|| self.remove(handle.sequence)).flatten() else { return false };
        message.is_suspect = false;
        message.place = if until <= now { Place::Ready } else { Place::InFlight(until) };
        self.insert(handle.sequence, message);
        true
    }

    /// The queue's depth at this instant.
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
        taken.received.iter().map(|handle| handle.sequence).collect()
    }

    #[test]
    fn suspects_are_delivered_alone_least_received_first() {
        let mut state = State::default();
        state.insert(1, message(3, true));
        state.insert(2, message(1, true));
        state.insert(3, message(1, true));
        state.insert(4, message(0, false));
        state.insert(5, message(0, false));

        assert_eq!(sequences(&state.take(10, LATER, Some(5))), [2], "one suspect");
        assert_eq!(sequences(&state.take(10, LATER, Some(5))), [4, 5], "one suspect at a time");
        assert!(!state.is_any_ready());
        state.release(ReceiptHandle { sequence: 2, receives: 2 }).expect("held");
        assert_eq!(sequences(&state.take(10, LATER, Some(5))), [3]);
        assert!(state.change(ReceiptHandle { sequence: 3, receives: 2 }, NOW, NOW), "returned: no longer a suspect");
        assert_eq!(sequences(&state.take(10, LATER, Some(5))), [1]);
        assert_eq!(sequences(&state.take(10, LATER, Some(5))), [3]);
    }

    #[test]
    fn a_suspect_becomes_ordinary_after_its_timeout() {
        let mut state = State::default();
        state.insert(1, message(1, true));
        state.insert(2, message(0, false));
        assert_eq!(sequences(&state.take(10, LATER, Some(5))), [1]);
        state.promote(LATER);
        assert_eq!(sequences(&state.take(10, LATER, Some(5))), [1, 2]);
    }

    #[test]
    fn an_outdated_hold_has_no_effect() {
        let mut state = State::default();
        state.insert(1, message(0, false));
        let first = state.take(1, LATER, Some(5)).received[0];
        state.promote(LATER);
        let second = state.take(1, LATER, Some(5)).received[0];
        assert!(state.release(first).is_none());
        assert!(!state.change(first, NOW, NOW));
        assert!(state.release(second).is_some());
        assert_eq!(state.depth(SENT_AT), QueueDepth::default());
    }

    #[test]
    fn a_receipt_round_trips() {
        let handle = ReceiptHandle { sequence: u64::MAX, receives: 7 };
        assert_eq!(ReceiptHandle::parse(&handle.receipt()).expect("a receipt"), handle);
        for receipt in ["", "1", "1.", "x.1", "1.1.1"] {
            assert!(ReceiptHandle::parse(receipt).is_err(), "{receipt}");
        }
    }
}
