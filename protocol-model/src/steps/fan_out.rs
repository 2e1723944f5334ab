//! A fan-out's jobs and their delivery: `FanOutService::send_jobs` and `DeliveryService::deliver`.
//!
//! A fan-out begins after the post's transaction. It skips a follower only if a strong read finds them dormant.

use super::{Found, after, step};
use crate::{
    protocol::{Action, Flaw, Protocol},
    state::{Activity, POSTS, READERS, Reader, Removal, State},
};

/// Adds the deliveries.
pub fn add_steps(state: &State, found: &mut Found) {
    for reader in 0..READERS {
        for post in (0..POSTS).filter(|post| state.readers[reader].jobs & 1 << post != 0) {
            let delivered = |next: &mut State| next.readers[reader].entries |= 1 << post;
            let next = after(state, |next| {
                next.readers[reader].jobs &= !(1 << post);
                delivered(next);
            });
            found.must(step(Action::Delivery, post, reader), next);
            if state.repeats > 0 {
                let next = after(state, |next| {
                    next.repeats -= 1;
                    delivered(next);
                });
                found.may(step(Action::DeliveryToRepeat, post, reader), next);
            }
        }
    }
}

/// Sends the job of a follower.
pub(super) fn send(state: &mut State, (post, reader): (usize, usize), is_sent: bool) {
    let is_order_unseen = is_order_unseen(state, reader);
    let reader = &mut state.readers[reader];
    if is_sent {
        *(if is_order_unseen { &mut reader.entries } else { &mut reader.jobs }) |= 1 << post;
    }
}

/// Whether a delivery may as well happen when the follower is read: only removals read entries, only repeats make them
/// late, and the reader was never dormant.
pub(super) fn is_order_unseen(state: &State, reader: usize) -> bool {
    let Reader { removal, may_seem_dormant, .. } = state.readers[reader];
    removal == Removal::Done && !may_seem_dormant && state.repeats + state.ticks == 0
}

/// Adds the step that sends the job of one follower, or skips a dormant one. `then` moves the worker on.
pub(super) fn add_send(
    protocol: &Protocol,
    state: &State,
    (post, reader, is_follower): (usize, usize, bool),
    found: &mut Found,
    then: impl Fn(&mut State),
) {
    let is_dormant = if protocol.has(Flaw::DormancyBeforeStory) {
        state.dormant_early[post] & 1 << reader != 0
    } else {
        state.readers[reader].activity == Activity::Dormant
    };
    let name = step(Action::FanOutSendsJob, post, reader);
    let sent = |is_sent: bool| {
        after(state, |next| {
            send(next, (post, reader), is_sent);
            then(next);
        })
    };
    found.must(name, sent(is_follower && !is_dormant));
    if protocol.has(Flaw::EventualDormancy) && is_follower && state.readers[reader].may_seem_dormant {
        found.must(name, sent(false));
    }
}
