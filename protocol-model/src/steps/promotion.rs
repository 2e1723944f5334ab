//! Promotion and demotion of the author: `promotion.rs`.
//!
//! A promotion is an outbox entry like a fan-out. It writes `merge_since` into the rule of each follower, and the mode
//! becomes pull in the transaction that removes the entry. Its message is sent at the beginning, unless that process
//! crashes in between.

use super::{Found, after, may_crash, step};
use crate::{
    protocol::{Action, Flaw, Protocol},
    state::{Id, Mode, POSTS, Rule, State, TASKS, Task},
};

/// Adds the crossings of the threshold, in either direction.
pub fn add_steps(protocol: &Protocol, state: &State, found: &mut Found) {
    let unused = (POSTS..TASKS).find(|slot| state.sinces[slot - POSTS] == 0);
    if let (1.., Mode::Push(_), Some(slot)) = (state.promotions, state.mode, unused) {
        let next = after(state, |next| begin(next, slot));
        found.may(step(Action::PromotionBegins, slot, 0), next);
        may_crash(state, (slot, 0), found, |next| {
            begin(next, slot);
            next.messages[slot] = 0;
        });
    }
    if let (Mode::Pull(since), 1..) = (state.mode, state.demotions) {
        let next = after(state, |next| demote(protocol, next, since));
        found.may(step(Action::Demotion, 0, 0), next);
    }
}

fn begin(state: &mut State, slot: usize) {
    let since = state.take_id();
    state.mode = Mode::Promoting(since);
    state.sinces[slot - POSTS] = since;
    state.tasks[slot] = Some(Task { generation: 0, cursor: 0 });
    state.messages[slot] = 1;
    state.promotions -= 1;
}

fn demote(protocol: &Protocol, state: &mut State, since: Id) {
    state.demotions -= 1;
    state.mode = Mode::Push(since);
    if protocol.has(Flaw::DemotionRemovesRules) {
        for rule in state.readers.iter_mut().filter_map(|reader| reader.rule.as_mut()) {
            rule.merge_since = 0;
        }
    }
}

/// The rule with `merge_since`, and without an expiry time. A rule that merges or hides the author is left as it is: a
/// later follow reads the mode itself.
pub fn with_merge(rule: Option<Rule>, since: Id) -> Rule {
    let rule = rule.unwrap_or_default();
    if rule.is_left || rule.merge_since != 0 {
        return rule;
    }
    Rule { merge_since: since, expires: false, ..rule }
}
