//! The contract with readers, and the content of a page.

use crate::{
    protocol::{Flaw, Protocol},
    state::{Edge, Mode, POSTS, Posts, Reader, State, shows},
    steps::page,
};

/// The posts that a page would show: those shown once, and those shown more than once.
fn shown(protocol: &Protocol, state: &State, reader: Reader, entries: Posts) -> (Posts, Posts) {
    let delivered = entries & state.posts(|post| shows(reader.rule, post.id));
    let merges = reader.rule.filter(|rule| rule.merge_since != 0);
    let merged = merges.map_or(0, |rule| state.posts(|post| post.id >= rule.merge_since && shows(Some(rule), post.id)));
    let doubled = if protocol.has(Flaw::DoublesAreKept) { delivered & merged } else { 0 };
    (delivered | merged, doubled)
}

/// No post of an author who is not followed is shown, and no post twice.
pub fn check_always(protocol: &Protocol, state: &State) -> Result<(), String> {
    for (number, reader) in state.readers.iter().enumerate() {
        let (shown, doubled) = shown(protocol, state, *reader, reader.entries);
        if reader.edge.is_none() && shown != 0 {
            return Err(format!("reader {number} sees posts {shown:#b} of an author they do not follow"));
        }
        if doubled != 0 {
            return Err(format!("reader {number} sees posts {doubled:#b} twice"));
        }
    }
    Ok(())
}

/// No work is stuck, and each feed is what the contract promises.
pub fn check_at_rest(protocol: &Protocol, state: &State) -> Result<(), String> {
    if matches!(state.mode, Mode::Promoting(_)) {
        return Err("the author is stuck in promotion".into());
    }
    if let Some(task) = state.tasks.iter().position(Option::is_some) {
        return Err(format!("outbox entry {task} is left unfinished"));
    }
    state.readers.iter().enumerate().try_for_each(|(number, reader)| {
        check_reader(protocol, state, *reader).map_err(|problem| format!("reader {number} {problem}"))
    })
}

fn check_reader(protocol: &Protocol, state: &State, reader: Reader) -> Result<(), String> {
    let entries = reader.entries | page::rebuilt_now(protocol, state, reader);
    let (shown, _) = shown(protocol, state, reader, entries);
    let Some(edge) = reader.edge else { return Ok(()) };
    if edge.is_backfilling {
        return Err("has an unfinished backfill".into());
    }
    let (required, permitted) = promised(protocol, state, edge);
    if required & !shown != 0 {
        return Err(format!("misses posts {:#b}", required & !shown));
    }
    if shown & !permitted != 0 {
        return Err(format!("sees posts {:#b}, which the backfill left out", shown & !permitted));
    }
    let may_vanish = reader.rule.is_some_and(|rule| rule.merge_since != 0 && !rule.is_left && rule.expires);
    if may_vanish && matches!(state.mode, Mode::Pull(_)) {
        return Err("has a merge rule that expires".into());
    }
    Ok(())
}

/// The posts that must be shown, and those that may be: "every undeleted post made since the follow and the newest 100
/// from before it". A post that was in flight during the follow may count either way.
fn promised(protocol: &Protocol, state: &State, edge: Edge) -> (Posts, Posts) {
    let since = state.posts(|post| post.id > edge.marker);
    let earlier = state.posts(|post| post.id < edge.marker);
    let required = since | state.newest(earlier, protocol.backfilled);
    let all: Posts = (1 << POSTS) - 1;
    let in_flight = all & !edge.before;
    (required, required | in_flight | state.newest(edge.before & earlier, protocol.backfilled))
}
