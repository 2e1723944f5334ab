//! The outbox: workers on PostQ, and the sweeper. `FanOutService::fan_out` and `SweepService::sweep`.

use super::{Found, after, fan_out, may_crash, promotion::with_merge, step};
use crate::{
    protocol::{Action, Flaw, Protocol},
    state::{Edge, Mode, POSTS, READERS, State, TASKS, Task, WORKERS, Worker},
};

/// Adds the steps of each outbox entry.
pub fn add_steps(protocol: &Protocol, state: &State, found: &mut Found) {
    for task in 0..TASKS {
        for worker in 0..WORKERS {
            add_work(protocol, state, (task, worker), found);
        }
        add_receipts(protocol, state, task, found);
        if !protocol.has(Flaw::NoOutboxSweep) {
            add_sweeps(state, task, found);
        }
    }
}

/// A message is received by an idle worker. With a repeat it stays on the queue.
fn add_receipts(protocol: &Protocol, state: &State, task: usize, found: &mut Found) {
    let Some(worker) = (0..WORKERS).find(|worker| state.workers[task][*worker] == Worker::Idle) else { return };
    for generation in (0..8).filter(|generation| state.messages[task] & 1 << generation != 0) {
        let received = |next: &mut State| {
            let entry = next.tasks[task].filter(|entry| entry.generation == generation);
            // Without an entry of its generation, the message is outdated.
            next.workers[task][worker] = entry.map_or(Worker::Idle, |entry| page(protocol, next, task, entry));
        };
        let next = after(state, |next| {
            next.messages[task] &= !(1 << generation);
            received(next);
        });
        found.must(step(Action::WorkerReceives, task, worker), next);
        if state.repeats > 0 {
            let next = after(state, |next| {
                next.repeats -= 1;
                received(next);
            });
            found.may(step(Action::WorkerReceivesAgain, task, worker), next);
        }
    }
}

fn add_work(protocol: &Protocol, state: &State, (task, worker): (usize, usize), found: &mut Found) {
    let generation = match state.workers[task][worker] {
        Worker::Idle => return,
        Worker::Serve { generation, cursor, is_follower } => {
            let then = Worker::Advance { generation, cursor };
            let reader = usize::from(cursor);
            if task < POSTS {
                fan_out::add_send(protocol, state, (task, reader, is_follower), found, |next| {
                    next.workers[task][worker] = then;
                });
            } else {
                let next = after(state, |next| {
                    next.workers[task][worker] = then;
                    if is_follower {
                        let rule = &mut next.readers[reader].rule;
                        *rule = Some(with_merge(*rule, state.sinces[task - POSTS]));
                    }
                });
                found.must(step(Action::PromotionWritesRule, task, worker), next);
            }
            generation
        }
        Worker::Advance { generation, cursor } => {
            let next = after(state, |next| advance(protocol, next, (task, worker), generation, cursor));
            found.must(step(Action::WorkerAdvances, task, worker), next);
            generation
        }
    };
    may_crash(state, (task, worker), found, |next| {
        next.workers[task][worker] = Worker::Idle;
        next.messages[task] |= 1 << generation;
    });
}

/// Reads the page of followers at the cursor.
///
/// A fan-out leaves out follows made well after the post: the post was in the story when the edge was committed, and the
/// backfill has judged it.
fn page(protocol: &Protocol, state: &mut State, task: usize, Task { generation, cursor }: Task) -> Worker {
    let reader = usize::from(cursor);
    let leaves_out =
        |edge: Edge| task < POSTS && edge.before & 1 << task != 0 && !protocol.has(Flaw::FanOutToLaterFollows);
    let is_follower = state.readers[reader].edge.is_some_and(|edge| !leaves_out(edge));
    if task < POSTS && fan_out::is_order_unseen(state, reader) {
        fan_out::send(state, (task, reader), is_follower);
        return Worker::Advance { generation, cursor };
    }
    Worker::Serve { generation, cursor, is_follower }
}

/// Moves the cursor and reads the next page, or ends the work, unless the sweeper has taken the entry.
fn advance(protocol: &Protocol, state: &mut State, (task, worker): (usize, usize), generation: u8, cursor: u8) {
    state.workers[task][worker] = Worker::Idle;
    let Some(entry) = state.tasks[task].filter(|entry| entry.generation == generation) else { return };
    if usize::from(cursor) + 1 < READERS {
        if entry.cursor == cursor {
            state.tasks[task] = Some(Task { cursor: cursor + 1, ..entry });
            state.workers[task][worker] = page(protocol, state, task, Task { generation, cursor: cursor + 1 });
        }
        return;
    }
    state.tasks[task] = None;
    if let (true, Mode::Promoting(since)) = (task >= POSTS, state.mode) {
        state.mode = Mode::Pull(since);
    }
}

/// The sweeper takes an entry when its lease has expired: surely if no message and no worker is left, and with a repeat
/// also under a slow worker. A crash between taking and sending leaves an entry that is taken again.
fn add_sweeps(state: &State, task: usize, found: &mut Found) {
    let Some(entry) = state.tasks[task] else { return };
    let has_message = state.messages[task] & 1 << entry.generation != 0;
    let is_worked_on = state.workers[task].iter().any(|worker| generation_of(*worker) == Some(entry.generation));
    let is_stalled = !has_message && !is_worked_on;
    let taken = |next: &mut State| {
        let generation = entry.generation + 1;
        next.tasks[task] = Some(Task { generation, ..entry });
        next.messages[task] |= 1 << generation;
    };
    if is_stalled {
        found.must(step(Action::SweeperPutsBack, task, 0), after(state, taken));
    } else if state.repeats > 0 {
        let next = after(state, |next| {
            next.repeats -= 1;
            taken(next);
        });
        found.may(step(Action::SweeperPutsBackEarly, task, 0), next);
    }
}

fn generation_of(worker: Worker) -> Option<u8> {
    match worker {
        Worker::Idle => None,
        Worker::Serve { generation, .. } | Worker::Advance { generation, .. } => Some(generation),
    }
}
