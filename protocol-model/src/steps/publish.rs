//! A request to publish: `PublishService::publish`.
//!
//! The mode is read before the id is taken, so a pulled post is newer than the `since` of the promotion that was read. A
//! pulled post commits only under that very promotion; otherwise it is fanned out. A pushed post needs no check.
//!
//! The message is sent with the commit, because a later one is a later receipt; or the request crashes in between.

use super::{Found, after, may_crash, step};
use crate::{
    protocol::{Action, Flaw, Protocol},
    state::{Activity, Id, Mode, POSTS, Post, Publish, READERS, State, Task},
};

/// Adds the steps of both publishing requests.
pub fn add_steps(protocol: &Protocol, state: &State, found: &mut Found) {
    for post in 0..POSTS {
        let mut must = |action, next| found.must(step(action, post, 0), next);
        match state.publishes[post] {
            // The posts are alike, so the second request begins second.
            Publish::Waiting if post == 0 || state.publishes[post - 1] != Publish::Waiting => {
                let next = after(state, |next| {
                    next.publishes[post] = Publish::Read(state.mode);
                    next.dormant_early[post] = dormant_readers(protocol, state);
                });
                found.may(step(Action::PublishReadsMode, post, 0), next);
                continue;
            }
            Publish::Waiting | Publish::Done => continue,
            Publish::Read(mode) => must(
                Action::PublishTakesId,
                after(state, |next| {
                    next.publishes[post] = Publish::Named(mode, next.take_id());
                }),
            ),
            Publish::Named(mode, id) => {
                must(Action::PublishCommits, after(state, |next| commit(protocol, next, post, mode, id)));
                may_crash(state, (post, 1), found, |next| {
                    commit(protocol, next, post, mode, id);
                    next.messages[post] = 0;
                });
            }
        }
        may_crash(state, (post, 0), found, |next| next.publishes[post] = Publish::Done);
    }
}

fn commit(protocol: &Protocol, state: &mut State, post: usize, mode: Mode, id: Id) {
    let pulls = match mode {
        Mode::Push(_) => false,
        Mode::Promoting(_) => protocol.has(Flaw::PullBeforeRules),
        Mode::Pull(_) => true,
    };
    let is_allowed = match state.mode {
        _ if protocol.has(Flaw::PublishWithoutCheck) || protocol.has(Flaw::PullBeforeRules) => true,
        Mode::Pull(_) if protocol.has(Flaw::PublishUnderAnyPromotion) => true,
        current => current == mode,
    };
    if pulls && !is_allowed {
        // The transaction is refused; the next try pushes.
        state.publishes[post] = Publish::Named(Mode::Push(0), id);
        return;
    }
    state.story[post] = Some(Post { id, is_pulled: pulls });
    state.publishes[post] = Publish::Done;
    if !pulls {
        state.tasks[post] = Some(Task { generation: 0, cursor: 0 });
        state.messages[post] = 1;
    }
}

/// Only a flawed design looks at dormancy here.
fn dormant_readers(protocol: &Protocol, state: &State) -> u8 {
    let is_dormant = |reader: &usize| state.readers[*reader].activity == Activity::Dormant;
    let looks = protocol.has(Flaw::DormancyBeforeStory);
    (0..READERS).filter(|reader| looks && is_dormant(reader)).fold(0, |set, reader| set | 1 << reader)
}
