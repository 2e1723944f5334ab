//! A page read after an absence, and the rebuild: `FeedService::page`.
//!
//! The reader is marked active before the stories are read, and a post is committed before its fan-out looks at dormancy:
//! so a post that was skipped is in the stories. The coverage is complete only once the entries are put, and only if no
//! follow was being backfilled: until then the oldest post to show is unknown.

use super::{Found, after, may_crash, step};
use crate::{
    protocol::{Action, Flaw, Protocol},
    state::{Activity, Coverage, Edge, Id, PAGES, Page, Posts, READERS, Reader, State},
};

/// Adds the steps of each reader's pages, and the time between them.
pub fn add_steps(protocol: &Protocol, state: &State, found: &mut Found) {
    for reader in 0..READERS {
        add_absence(state, reader, found);
        for process in 0..PAGES {
            add_page(protocol, state, (reader, process), found);
        }
    }
}

/// A page read takes far less than the two days between a return and dormancy.
fn add_absence(state: &State, reader: usize, found: &mut Found) {
    let Reader { activity, pages, .. } = state.readers[reader];
    let later = match activity {
        Activity::Active => Activity::Away,
        Activity::Away => Activity::Dormant,
        Activity::Dormant => return,
    };
    if state.ticks > 0 && pages.iter().all(|page| matches!(page, Page::Waiting | Page::Done)) {
        let next = after(state, |next| {
            next.ticks -= 1;
            next.readers[reader].activity = later;
            next.readers[reader].may_seem_dormant |= later == Activity::Dormant;
        });
        found.may(step(Action::TimePasses, reader, 0), next);
    }
}

fn add_page(protocol: &Protocol, state: &State, (reader, process): (usize, usize), found: &mut Found) {
    let Reader { pages, edge, .. } = state.readers[reader];
    let to = |page: Page| after(state, |next| next.readers[reader].pages[process] = page);
    let mut must = |action, next| found.must(step(action, reader, process), next);
    match pages[process] {
        Page::Done => return,
        Page::Waiting => {
            if process == 0 || pages[process - 1] != Page::Waiting {
                found.may(step(Action::PageReadsActivity, reader, process), to(first(state.readers[reader])));
            }
            return;
        }
        Page::Returned if protocol.has(Flaw::StoriesBeforeActive) => {
            let posts = state.posts(|post| edge.is_some_and(|edge| post.id >= bound(protocol, edge)));
            must(Action::RebuildReadsStories, to(Page::Early(posts)));
        }
        Page::Early(posts) => must(
            Action::PageMarksActive,
            after(state, |next| {
                mark_active(&mut next.readers[reader], Coverage::Before(None));
                next.readers[reader].pages[process] = Page::Put(posts, true);
            }),
        ),
        Page::Returned if protocol.has(Flaw::CompleteSinceBeforeActive) => {
            must(
                Action::PageTakesBound,
                after(state, |next| {
                    let id = next.take_id();
                    next.readers[reader].pages[process] = Page::Bounded(id);
                }),
            );
        }
        Page::Bounded(id) => must(
            Action::PageMarksActive,
            after(state, |next| {
                mark_active(&mut next.readers[reader], Coverage::Before(Some(id)));
                next.readers[reader].pages[process] = Page::ReadFollows(Some(id));
            }),
        ),
        Page::Returned => must(
            Action::PageMarksActive,
            after(state, |next| {
                mark_active(&mut next.readers[reader], Coverage::Before(None));
                next.readers[reader].pages[process] = Page::ReadFollows(None);
            }),
        ),
        Page::ReadFollows(before) => {
            let then = edge
                .map_or(Page::Record, |edge| Page::ReadStories(before, bound(protocol, edge), !edge.is_backfilling));
            must(Action::RebuildReadsFollows, to(then));
        }
        Page::ReadStories(before, since, is_complete) => {
            let posts = state.posts(|post| post.id >= since && before.is_none_or(|before| post.id < before));
            must(Action::RebuildReadsStories, to(Page::Put(posts, is_complete)));
        }
        Page::Put(posts, is_complete) => must(
            Action::RebuildPuts,
            after(state, |next| {
                next.readers[reader].entries |= posts;
                next.readers[reader].pages[process] = if is_complete { Page::Record } else { Page::Done };
            }),
        ),
        Page::Record => must(
            Action::RebuildRecords,
            after(state, |next| {
                next.readers[reader].coverage = Coverage::Complete;
                next.readers[reader].pages[process] = Page::Done;
            }),
        ),
    }
    may_crash(state, (reader, process), found, |next| next.readers[reader].pages[process] = Page::Done);
}

/// The page after the read of the reader's partition.
fn first(reader: Reader) -> Page {
    match (reader.activity, reader.coverage) {
        (Activity::Away | Activity::Dormant, _) => Page::Returned,
        (Activity::Active, Coverage::Before(before)) => Page::ReadFollows(before),
        (Activity::Active, Coverage::Complete) => Page::Done,
    }
}

fn mark_active(reader: &mut Reader, coverage: Coverage) {
    reader.activity = Activity::Active;
    reader.coverage = coverage;
}

/// The oldest post of the author that a rebuild may show. Older ones belong to the backfill while it is unfinished.
fn bound(protocol: &Protocol, edge: Edge) -> Id {
    match edge {
        _ if protocol.has(Flaw::RebuildIgnoresBackfill) => 0,
        Edge { is_backfilling: true, marker, .. } => marker,
        Edge { shown_since, .. } => shown_since,
    }
}

/// The posts that a page read now would rebuild.
pub fn rebuilt_now(protocol: &Protocol, state: &State, reader: Reader) -> Posts {
    let before = match (reader.activity, reader.coverage) {
        (Activity::Active, Coverage::Complete) => return 0,
        (Activity::Active, Coverage::Before(before)) => before,
        (Activity::Away | Activity::Dormant, _) => None,
    };
    let Some(edge) = reader.edge else { return 0 };
    state.posts(|post| post.id >= bound(protocol, edge) && before.is_none_or(|before| post.id < before))
}
