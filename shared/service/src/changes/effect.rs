//! The effect of a change.

use data::{Changed, Counted, Counter, Subject};
use domain::{Act, ActKind};

/// A change that has an effect.
#[derive(Debug, Clone, Copy)]
pub struct Effective<'a> {
    /// The change's id.
    pub id: &'a str,
    /// The changed item.
    pub changed: Changed,
}

impl Effective<'_> {
    /// The counters that grow or shrink by one.
    pub fn counters(&self) -> Vec<(Counted, Counter)> {
        match self.changed.subject {
            Subject::Step { .. } => Vec::new(),
            Subject::Post { author, .. } => vec![(Counted::User(author), Counter::Posts)],
            Subject::Act(Act { actor_id, kind }) => match kind {
                ActKind::Follow(followee) => {
                    vec![(Counted::User(followee), Counter::Followers), (Counted::User(actor_id), Counter::Following)]
                }
                ActKind::Like(post) => vec![(Counted::Post(post), Counter::Likes)],
                ActKind::Comment(post, _) => vec![(Counted::Post(post), Counter::Comments)],
            },
        }
    }

    /// The increment: 1 or -1.
    pub const fn by(&self) -> i64 {
        if self.changed.is_there { 1 } else { -1 }
    }
}
