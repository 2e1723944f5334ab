//! The background removal after a page: dead entries, and merge rules that are no longer needed. `FeedService::page`.
//!
//! It happens only if what it was decided on is unchanged.

use super::{Found, after, may_crash, step};
use crate::{
    protocol::{Action, Flaw, Protocol},
    state::{Mode, READERS, Reader, Removal, Rule, State, shows},
};

/// Adds the steps of each reader's removal.
pub fn add_steps(protocol: &Protocol, state: &State, found: &mut Found) {
    for reader in 0..READERS {
        match state.readers[reader].removal {
            Removal::Waiting => {
                add_reads(state, reader, found);
                continue;
            }
            Removal::Done => continue,
            Removal::Entries(rule, dead) => {
                let next = after(state, |next| {
                    let reader = &mut next.readers[reader];
                    reader.removal = Removal::Done;
                    if reader.rule == rule || protocol.has(Flaw::RemovalIgnoresRule) {
                        reader.entries &= !dead;
                    }
                });
                found.must(step(Action::RemovalRemovesEntries, reader, 0), next);
            }
            Removal::MergeRule(mode, rule) => {
                let next = after(state, |next| {
                    let is_same_mode = next.mode == mode || protocol.has(Flaw::RemovalIgnoresMode);
                    let reader = &mut next.readers[reader];
                    reader.removal = Removal::Done;
                    if is_same_mode && reader.rule == Some(rule) {
                        reader.rule = without_merge(rule);
                    }
                });
                found.must(step(Action::RemovalRemovesMergeRule, reader, 0), next);
            }
        }
        may_crash(state, (reader, 1), found, |next| next.readers[reader].removal = Removal::Done);
    }
}

fn add_reads(state: &State, reader: usize, found: &mut Found) {
    let Reader { rule: Some(rule), entries, .. } = state.readers[reader] else { return };
    let dead = if rule.is_backfilling { 0 } else { entries & state.posts(|post| !shows(Some(rule), post.id)) };
    let to = |removal: Removal| after(state, |next| next.readers[reader].removal = removal);
    if dead != 0 {
        found.may(step(Action::RemovalReadsEntries, reader, 0), to(Removal::Entries(Some(rule), dead)));
    }
    // Stands for a demotion whose last pulled post has left the window.
    let needs_no_merge = matches!(state.mode, Mode::Push(_)) && state.posts(|post| post.is_pulled) == 0;
    if rule.merge_since != 0 && needs_no_merge {
        found.may(step(Action::RemovalReadsMergeRule, reader, 0), to(Removal::MergeRule(state.mode, rule)));
    }
}

/// The rule without its merge, or none if it says nothing else.
fn without_merge(rule: Rule) -> Option<Rule> {
    let says_more = rule.is_left || rule.shown_since != 0 || rule.is_backfilling;
    says_more.then_some(Rule { merge_since: 0, expires: !rule.is_backfilling, ..rule })
}
