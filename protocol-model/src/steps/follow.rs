//! Follow, backfill and unfollow: `GraphService::follow`, `BackfillService::run`, `GraphService::unfollow`.
//!
//! The edge is committed first, together with the rule of a refollow. Then the mode is read: either the promotion's scan
//! sees the edge, or the follow sees the mode. Then the story is copied, and the end of the backfill bounds what is shown.

use super::{Found, after, may_crash, promotion::with_merge, step};
use crate::{
    protocol::{Action, Flaw, Protocol},
    state::{Edge, FOLLOWS, Follow, Id, Mode, POSTS, Publish, READERS, Reader, Rule, Run, SWEEPER, State},
};

/// Adds the steps of each reader's follows and unfollows.
pub fn add_steps(protocol: &Protocol, state: &State, found: &mut Found) {
    for reader in 0..READERS {
        for process in 0..FOLLOWS {
            add_process(protocol, state, (reader, process), found);
        }
        add_unfollow(state, reader, found);
        if !protocol.has(Flaw::NoBackfillSweep) {
            add_resumption(state, reader, found);
        }
    }
}

fn add_process(protocol: &Protocol, state: &State, (reader, process): (usize, usize), found: &mut Found) {
    let at = state.readers[reader].follows[process];
    let to = |follow: Follow| after(state, |next| next.readers[reader].follows[process] = follow);
    let mut must = |action, next| found.must(step(action, reader, process), next);
    match at {
        Follow::Done => return,
        Follow::Waiting => {
            add_request(protocol, state, (reader, process), found);
            return;
        }
        Follow::Marked(marker, _) if writes_rule_first(protocol, state, reader) => {
            must(
                Action::FollowWritesRule,
                after(state, |next| {
                    let rule = Rule { shown_since: marker, is_backfilling: true, ..Rule::default() };
                    next.readers[reader].rule = Some(rule);
                    next.readers[reader].follows[process] = Follow::RuleWritten(marker);
                }),
            );
        }
        Follow::Marked(marker, known) => {
            must(Action::FollowCommits, after(state, |next| commit(next, (reader, process), marker, known)));
        }
        Follow::RuleWritten(marker) => {
            must(Action::FollowCommits, after(state, |next| commit(next, (reader, process), marker, None)));
        }
        Follow::ReadMode(run) => {
            let is_pushed = run.known.map_or(matches!(state.mode, Mode::Push(_)), |known| known == 0);
            let since = merge_since(protocol, state, reader, run.marker);
            must(
                Action::FollowReadsMode,
                to(if is_pushed { Follow::ReadStory(run) } else { Follow::SetRule(run, since) }),
            );
        }
        Follow::SetRule(run, since) => must(
            Action::FollowSetsMergeRule,
            after(state, |next| {
                let rule = next.readers[reader].rule.filter(|_| !protocol.has(Flaw::MergeReplacesRule));
                next.readers[reader].rule = Some(with_merge(rule, since));
                next.readers[reader].follows[process] = Follow::ReadStory(run);
            }),
        ),
        Follow::ReadStory(run) => {
            let (chosen, oldest) = choose(protocol, state, run.marker);
            must(Action::BackfillReadsStory, to(Follow::Copy(run, chosen, oldest)));
        }
        Follow::Copy(run, chosen, oldest) => must(
            Action::BackfillCopies,
            after(state, |next| {
                next.readers[reader].entries |= chosen;
                next.readers[reader].follows[process] = Follow::Finish(run, oldest);
            }),
        ),
        Follow::Finish(run, oldest) => {
            must(Action::BackfillFinishes, after(state, |next| finish(protocol, next, (reader, process), run, oldest)));
        }
    }
    may_crash(state, (reader, process), found, |next| next.readers[reader].follows[process] = Follow::Done);
}

/// The requests of a reader are alike, so the second begins second.
fn add_request(protocol: &Protocol, state: &State, (reader, process): (usize, usize), found: &mut Found) {
    let follows = state.readers[reader].follows;
    if process == SWEEPER || process > 0 && follows[process - 1] == Follow::Waiting {
        return;
    }
    let known = match state.mode {
        _ if !protocol.has(Flaw::ModeBeforeEdge) => None,
        Mode::Push(_) => Some(0),
        Mode::Promoting(_) | Mode::Pull(_) => Some(1),
    };
    let next = after(state, |next| {
        let marker = next.take_id();
        next.readers[reader].follows[process] = Follow::Marked(marker, known);
    });
    found.may(step(Action::FollowTakesMarker, reader, process), next);
}

fn writes_rule_first(protocol: &Protocol, state: &State, reader: usize) -> bool {
    let Reader { edge, rule, .. } = state.readers[reader];
    protocol.has(Flaw::RuleBeforeEdge) && edge.is_none() && rule.is_some()
}

/// One transaction: the edge is created on the condition that there is none. Without a rule it is a first follow; a rule
/// is replaced on the condition that it is as it was read.
fn commit(state: &mut State, (reader, process): (usize, usize), marker: Id, known: Option<Id>) {
    let before = state.posts(|_| true);
    let Reader { edge, rule, follows, .. } = &mut state.readers[reader];
    if let Some(edge) = edge {
        follows[process] = resumed(edge);
        return;
    }
    *edge = Some(Edge { marker, is_backfilling: true, is_retried: false, shown_since: 0, before });
    if rule.is_some() {
        *rule = Some(Rule { shown_since: marker, is_backfilling: true, ..Rule::default() });
    }
    follows[process] = Follow::ReadMode(Run { marker, is_again: false, known });
}

/// Where the author's posts are merged from: the marker, less the time that the commit of a post may take. That covers
/// the posts whose ids were taken but which were not committed.
fn merge_since(protocol: &Protocol, state: &State, reader: usize, marker: Id) -> Id {
    let before = state.readers[reader].edge.map_or(0, |edge| edge.before);
    let committed = (0..POSTS).filter(|post| before & 1 << post == 0).filter_map(|post| Some(state.story[post]?.id));
    let named = state.publishes.iter().filter_map(|publish| match publish {
        Publish::Named(_, id) => Some(*id),
        _ => None,
    });
    let in_flight = committed.chain(named).min().unwrap_or(marker);
    if protocol.has(Flaw::MergeFromMarker) { marker } else { marker.min(in_flight) }
}

/// The continuation of a follow that another process made. The edge notes it.
fn resumed(edge: &mut Edge) -> Follow {
    if !edge.is_backfilling {
        return Follow::Done;
    }
    edge.is_retried = true;
    Follow::ReadMode(Run { marker: edge.marker, is_again: true, known: None })
}

/// The posts since the marker and the newest before it, and the oldest of these if the story goes on.
fn choose(protocol: &Protocol, state: &State, marker: Id) -> (u8, Id) {
    let earlier = state.posts(|post| post.id < marker);
    let copied = state.newest(earlier, protocol.backfilled);
    let oldest = if copied == earlier { 0 } else { state.oldest_id(copied) };
    (state.posts(|post| post.id > marker) | copied, oldest)
}

/// One transaction, conditional on the edge's marker, and for the first try on its being the only one.
fn finish(protocol: &Protocol, state: &mut State, (reader, process): (usize, usize), run: Run, oldest: Id) {
    let Reader { edge, rule, follows, .. } = &mut state.readers[reader];
    let Some(edge) = edge else {
        follows[process] = Follow::Done;
        return;
    };
    if !edge.is_backfilling || edge.marker != run.marker || edge.is_retried && !run.is_again {
        follows[process] = resumed(edge);
        return;
    }
    edge.is_backfilling = false;
    edge.shown_since = oldest;
    follows[process] = Follow::Done;
    if rule.is_some() || run.is_again && oldest != 0 {
        *rule = finished(protocol, rule.unwrap_or_default(), oldest);
    }
}

/// The rule after the backfill. It is removed when it says nothing, and expires when it does not merge.
fn finished(protocol: &Protocol, rule: Rule, oldest: Id) -> Option<Rule> {
    let merges = rule.merge_since != 0;
    let is_needed = oldest != 0 || merges && !protocol.has(Flaw::FinishRemovesMergeRule);
    let expires = !merges || protocol.has(Flaw::FinishExpiresMergeRule);
    is_needed.then_some(Rule { shown_since: oldest, is_backfilling: false, expires, ..rule })
}

/// One transaction, conditional on the edge.
fn add_unfollow(state: &State, reader: usize, found: &mut Found) {
    let Reader { edge, unfollows, .. } = state.readers[reader];
    if unfollows == 0 || edge.is_none() {
        return;
    }
    let next = after(state, |next| {
        let reader = &mut next.readers[reader];
        reader.unfollows -= 1;
        reader.edge = None;
        reader.rule = Some(Rule { is_left: true, expires: true, ..Rule::default() });
    });
    found.may(step(Action::Unfollow, reader, 0), next);
}

/// The sweeper resumes a backfill when its lease has expired: surely if no process is at it, and with a repeat also
/// beside a slow one.
fn add_resumption(state: &State, reader: usize, found: &mut Found) {
    let Reader { edge: Some(edge), follows, .. } = state.readers[reader] else { return };
    if !edge.is_backfilling || !matches!(follows[SWEEPER], Follow::Waiting | Follow::Done) {
        return;
    }
    let resumption = |next: &mut State| {
        let Reader { edge, follows, .. } = &mut next.readers[reader];
        follows[SWEEPER] = edge.as_mut().map_or(Follow::Done, resumed);
    };
    if !follows.iter().any(|follow| marker_of(*follow) == Some(edge.marker)) {
        found.must(step(Action::SweeperResumesBackfill, reader, SWEEPER), after(state, resumption));
    } else if state.repeats > 0 {
        let next = after(state, |next| {
            next.repeats -= 1;
            resumption(next);
        });
        found.may(step(Action::SweeperResumesBackfillEarly, reader, SWEEPER), next);
    }
}

fn marker_of(follow: Follow) -> Option<Id> {
    match follow {
        Follow::Waiting | Follow::Done | Follow::Marked(..) | Follow::RuleWritten(_) => None,
        Follow::ReadMode(run)
        | Follow::SetRule(run, _)
        | Follow::ReadStory(run)
        | Follow::Copy(run, ..)
        | Follow::Finish(run, _) => Some(run.marker),
    }
}
