//! Send, receive, delete and change visibility: each is one commit with its change in memory, never only half of it.

use std::{sync::Arc, time::Duration};

use fjall::{OwnedWriteBatch, UserValue};
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;

use super::{
    super::{
        codec::{self, Corrupt},
        database::Database,
        failure::Failure,
    },
    rows::{self, Receives},
    settings::QueueSettingsOf,
    state::{Message, Place, ReceiptHandle, State, Taken},
};
use domain::{Clock, Timestamp, random};
use ports::queue::{OutgoingMessage, QueueDepth, QueueName, ReceivedMessage};

/// Sequences reserved by one row: a restart skips at most as many.
const RESERVED_SEQUENCES: u64 = 10_000;

/// One moment on both sides of the clock: instants are stored and shown, delays and visibility timeouts run by uptime.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    pub wall: Timestamp,
    pub uptime: Duration,
}

impl Now {
    pub fn on(clock: &Clock) -> Self {
        Self { wall: clock.now(), uptime: clock.uptime() }
    }
}

/// All queues.
pub struct Queues {
    pub settings: QueueSettingsOf,
    each: [OneQueue; QueueName::ALL.len()],
    sequences: Mutex<Sequences>,
}

/// The memory of one queue, and its waiting receivers.
///
/// Two mutexes, because a commit may stall on the disk: `state` is held only to read or change memory, never during a
/// commit, so async tasks may lock it. `order` is held over a change in memory together with its commit, and only the
/// engine's threads lock it, before `state`.
#[derive(Default)]
pub struct OneQueue {
    state: Mutex<State>,
    order: Mutex<()>,
    wake: Arc<Notify>,
}

/// Numbers messages across all queues and restarts.
struct Sequences {
    next: u64,
    reserved: u64,
}

impl Queues {
    /// Reads the queues' rows. Messages marked as in flight are suspects.
    pub fn open(database: &Database, settings: QueueSettingsOf, now: Now) -> Result<Self, Failure> {
        let next = rows::reserved(database)?.max(1);
        let mut queues =
            Self { settings, each: Default::default(), sequences: Mutex::new(Sequences { next, reserved: next }) };
        for queue in QueueName::ALL {
            let newest = queues.of(queue).fill(database, queue, now)?;
            let sequences = queues.sequences.get_mut();
            sequences.next = sequences.next.max(newest + 1);
        }
        Ok(queues)
    }

    pub fn of(&self, queue: QueueName) -> &OneQueue {
        match queue {
            QueueName::PostQ => &self.each[0],
            QueueName::JobQ => &self.each[1],
            QueueName::PostDlq => &self.each[2],
            QueueName::JobDlq => &self.each[3],
            QueueName::ChangeQ => &self.each[4],
            QueueName::ChangeDlq => &self.each[5],
            QueueName::MediaQ => &self.each[6],
            QueueName::MediaDlq => &self.each[7],
        }
    }

    /// The first of `count` new sequences; now and then with a row, in the same batch as the messages, that keeps a
    /// restart from giving them again.
    fn number(&self, database: &Database, count: usize, batch: &mut OwnedWriteBatch) -> u64 {
        let mut sequences = self.sequences.lock();
        let first = sequences.next;
        sequences.next += count as u64;
        if sequences.next > sequences.reserved {
            sequences.reserved = sequences.next + RESERVED_SEQUENCES;
            batch.insert(&database.receives, rows::RESERVED, sequences.reserved.to_be_bytes());
        }
        first
    }
}

impl OneQueue {
    /// Rebuilds the memory from the rows; returns the newest sequence.
    fn fill(&self, database: &Database, queue: QueueName, now: Now) -> Result<u64, Failure> {
        let mut state = self.state.lock();
        let mut newest = 0;
        rows::each(database, queue, |sequence, head, receives| {
            newest = sequence;
            // Capped at the message's own delay: a longer one means that the clock was set back.
            let left = head.due.since(now.wall).min(head.due.since(head.sent_at));
            let message = Message {
                group: state.intern(head.group),
                sent_at: head.sent_at,
                receives: receives.times,
                is_suspect: receives.in_flight,
                place: Place::after(left, now.uptime),
            };
            state.insert(sequence, message);
        })?;
        Ok(newest)
    }

    /// The signal for waiting receivers. A receiver that leaves messages passes its permit on.
    pub fn wake(&self) -> Arc<Notify> {
        Arc::clone(&self.wake)
    }

    pub fn next_due(&self) -> Option<Duration> {
        self.state.lock().next_due()
    }

    pub fn is_any_ready(&self, now: Now) -> bool {
        let mut state = self.state.lock();
        state.promote(now.uptime);
        state.is_any_ready()
    }

    pub fn depth(&self, now: Now) -> QueueDepth {
        let mut state = self.state.lock();
        state.promote(now.uptime);
        state.depth(now.wall)
    }

    /// Locks the order of changes to messages known to receivers, so that they reach the journal in the order in which
    /// they were decided. Otherwise a change of visibility could be written after the receive that follows it and clear
    /// its mark, or after the delete and leave a stray row.
    ///
    /// Sending does not need it: no receiver knows the messages before they are committed.
    fn in_order(&self) -> MutexGuard<'_, ()> {
        self.order.lock()
    }

    /// Changes the memory, then wakes receivers: one if a message is ready, all if a message becomes due sooner than
    /// they sleep.
    fn update<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state.lock();
        let due_before = state.next_due();
        let result = change(&mut state);
        let is_due_sooner = match (due_before, state.next_due()) {
            (Some(before), Some(after)) => after < before,
            (None, Some(_)) => true,
            (_, None) => false,
        };
        let is_any_ready = state.is_any_ready();
        drop(state);
        if is_due_sooner {
            self.wake.notify_waiters();
        }
        if is_any_ready {
            self.wake.notify_one();
        }
        result
    }
}

/// Commits the messages, then makes them visible to receivers.
pub fn send(
    database: &Database,
    queues: &Queues,
    queue: QueueName,
    messages: &[OutgoingMessage],
    now: Now,
) -> Result<(), Failure> {
    let mut batch = database.batch();
    let first = queues.number(database, messages.len(), &mut batch);
    for (sequence, message) in (first..).zip(messages) {
        let row = rows::encode(message, random::uuid(), now.wall);
        batch.insert(&database.messages, rows::key_of(queue, sequence), row);
    }
    database.commit(batch)?;
    queues.of(queue).update(|state| {
        for (sequence, message) in (first..).zip(messages) {
            let place = Place::after(message.delay, now.uptime);
            let group = state.intern(&message.group);
            state.insert(sequence, Message { group, sent_at: now.wall, receives: 0, is_suspect: false, place });
        }
    });
    Ok(())
}

/// The arguments of a receive.
pub struct Receive {
    pub queue: QueueName,
    pub max: usize,
    pub visibility: Duration,
    pub now: Now,
}

/// Received messages not yet delivered. If dropped because the receiver stopped waiting, they become ready again at
/// once.
pub struct Received {
    messages: Vec<ReceivedMessage>,
    queues: Arc<Queues>,
    queue: QueueName,
}

impl Received {
    /// Confirms that the messages reached their receiver.
    pub fn into_messages(mut self) -> Vec<ReceivedMessage> {
        std::mem::take(&mut self.messages)
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        if self.messages.is_empty() {
            return;
        }
        self.queues.of(self.queue).update(|state| {
            for handle in self.messages.iter().filter_map(|message| ReceiptHandle::parse(&message.receipt).ok()) {
                state.change(handle, Duration::ZERO, Duration::ZERO);
            }
        });
    }
}

/// Takes messages, commits their counts and the move of those received too often, and reads the bodies.
pub fn receive(database: &Database, queues: &Arc<Queues>, receive: &Receive) -> Result<Received, Failure> {
    let queue = receive.queue;
    let dead_letters = queue.dead_letter_queue();
    let max_receives = dead_letters.map(|_| queues.settings.of(queue).max_receives);
    let in_order = queues.of(queue).in_order();
    let Taken { received: handles, dead } = queues.of(queue).update(|state| {
        let now = receive.now.uptime;
        state.promote(now);
        state.take(receive.max, now.saturating_add(receive.visibility), max_receives)
    });
    let mut batch = database.batch();
    let moved = match dead_letters {
        Some(to) if !dead.is_empty() => {
            Some((to, move_to_dead_letters(database, queues, &mut batch, (queue, to), dead)?))
        }
        _ => None,
    };
    let mut received = Vec::with_capacity(handles.len());
    for handle in handles {
        let key = rows::key_of(queue, handle.sequence);
        // Receivers do not have these receipts yet, so none of these messages can be deleted; the others are delivered
        // in any case.
        let Some(row) = database.messages.get(&key)? else { continue };
        batch.insert(&database.receives, key, Receives { times: handle.receives, in_flight: true }.encode());
        if let Ok(message) = read(handle, &row) {
            received.push(message);
        } else {
            // Counts as received, so that it becomes a dead letter like any message that cannot be handled.
            tracing::error!(
                queue.name = queue.name(),
                queue.sequence = handle.sequence,
                "Could not decode a message of {}; it becomes a dead letter after its last receive",
                queue.name(),
            );
        }
    }
    database.commit(batch)?;
    drop(in_order);
    if let Some((to, messages)) = moved {
        queues
            .of(to)
            .update(|state| messages.into_iter().for_each(|(sequence, message)| state.insert(sequence, message)));
    }
    Ok(Received { messages: received, queues: Arc::clone(queues), queue })
}

fn read(handle: ReceiptHandle, row: &UserValue) -> Result<ReceivedMessage, Corrupt> {
    let head = rows::decode(row)?;
    Ok(ReceivedMessage {
        message_id: head.id.to_string(),
        receipt: handle.receipt(),
        body: codec::text(head.body)?,
        group: head.group.to_owned(),
        receive_count: handle.receives,
        sent_at: head.sent_at,
    })
}

/// Moves rows to the dead letters. Id, group, body and sending time are kept, the receive count is reset.
fn move_to_dead_letters(
    database: &Database,
    queues: &Queues,
    batch: &mut OwnedWriteBatch,
    (from, to): (QueueName, QueueName),
    dead: Vec<(u64, Message)>,
) -> Result<Vec<(u64, Message)>, Failure> {
    let first = queues.number(database, dead.len(), batch);
    let mut moved = Vec::with_capacity(dead.len());
    for (new, (old, message)) in (first..).zip(dead) {
        let key = rows::key_of(from, old);
        let Some(row) = database.messages.get(&key)? else { continue };
        batch.insert(&database.messages, rows::key_of(to, new), row);
        batch.remove(&database.receives, key.clone());
        batch.remove(&database.messages, key);
        moved.push((new, Message { receives: 0, is_suspect: false, place: Place::Ready, ..message }));
    }
    Ok(moved)
}

/// Deletes the messages whose latest receive a receipt names; others stay.
///
/// They are removed from memory first, so that no receiver gets a message whose row is about to be removed.
pub fn delete(
    database: &Database,
    queues: &Queues,
    queue: QueueName,
    handles: &[ReceiptHandle],
) -> Result<(), Failure> {
    let _in_order = queues.of(queue).in_order();
    let released: Vec<u64> = queues.of(queue).update(|state| {
        handles.iter().filter(|handle| state.release(**handle).is_some()).map(|handle| handle.sequence).collect()
    });
    let mut batch = database.batch();
    for sequence in released {
        let key = rows::key_of(queue, sequence);
        batch.remove(&database.receives, key.clone());
        batch.remove(&database.messages, key);
    }
    database.commit(batch)
}

/// Changes visibility timeouts, and commits that handlers returned the messages.
pub fn change(
    database: &Database,
    queues: &Queues,
    queue: QueueName,
    changes: &[(ReceiptHandle, Duration)],
    now: Now,
) -> Result<(), Failure> {
    let now = now.uptime;
    let _in_order = queues.of(queue).in_order();
    let changed: Vec<ReceiptHandle> = queues.of(queue).update(|state| {
        state.promote(now);
        let held = changes.iter().filter(|(handle, after)| state.change(*handle, now, now.saturating_add(*after)));
        held.map(|(handle, _)| *handle).collect()
    });
    let mut batch = database.batch();
    for handle in changed {
        let row = Receives { times: handle.receives, in_flight: false }.encode();
        batch.insert(&database.receives, rows::key_of(queue, handle.sequence), row);
    }
    database.commit(batch)
}
