//! What a change means.

use uuid::Uuid;

use data::{Counted, Tasks, counts::attr, keys::streamed::Streamed};
use domain::{Act, ActKind, PostId, Task, UserId};
use ports::{
    changes::Change,
    store::{Attributes, Item, MalformedItem},
};

/// Who wrote a post or a comment.
const AUTHOR_ID: &str = "author_id";
/// Since when a post or a comment is deleted.
const DELETED_AT: &str = "deleted_at";

/// Something came to be, or ceased. What is deleted has ceased, whether it is still stored or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effect {
    /// What.
    pub subject: Subject,
    /// Whether it is there now.
    pub is_there: bool,
}

/// What a change can be of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// A follow, a like or a comment.
    Act(Act),
    /// A post.
    Post {
        /// Which.
        post: PostId,
        /// Whose.
        author: UserId,
        /// Whether it was made only now: nothing can be about it yet.
        is_new: bool,
    },
    /// Work whose next step is due.
    Step {
        /// Which.
        task: Task,
        /// Names the step.
        token: Uuid,
    },
}

/// A number that is kept of a user or a post.
pub type Counter = (Counted, &'static str);

impl Effect {
    /// The counters that grow or shrink by one.
    pub fn counters(&self) -> Vec<Counter> {
        match self.subject {
            Subject::Step { .. } => Vec::new(),
            Subject::Post { author, .. } => vec![(Counted::User(author), attr::POSTS)],
            Subject::Act(Act { actor_id, kind }) => match kind {
                ActKind::Follow(followee) => {
                    vec![(Counted::User(followee), attr::FOLLOWERS), (Counted::User(actor_id), attr::FOLLOWING)]
                }
                ActKind::Like(post) => vec![(Counted::Post(post), attr::LIKES)],
                ActKind::Comment(post, _) => vec![(Counted::Post(post), attr::COMMENTS)],
            },
        }
    }

    /// By how much.
    pub const fn by(&self) -> i64 {
        if self.is_there { 1 } else { -1 }
    }
}

/// What a change means; `None` when nothing follows from it: another attribute, the end of what was deleted before.
pub fn effect_of(change: &Change) -> Result<Option<Effect>, MalformedItem> {
    let streamed = Streamed::parse(&change.key).map_err(|_| MalformedItem { attribute: "PK" })?;
    if let Streamed::Task(task) = streamed {
        let step = |token| Effect { subject: Subject::Step { task, token }, is_there: true };
        return Ok(Tasks::token_of(change)?.map(step));
    }
    let was_there = change.before.as_ref().is_some_and(is_there);
    let is_there = change.after.as_ref().is_some_and(is_there);
    if was_there == is_there {
        return Ok(None);
    }
    let act = |actor_id, kind| Subject::Act(Act { actor_id, kind });
    let subject = match streamed {
        Streamed::Erasure | Streamed::Task(_) => return Ok(None),
        Streamed::Follower { followee, follower } => act(follower, ActKind::Follow(followee)),
        Streamed::Liker(post, user) => act(user, ActKind::Like(post)),
        Streamed::Comment(post, comment) => act(author_of(change)?, ActKind::Comment(post, comment)),
        Streamed::Post(post) => Subject::Post { post, author: author_of(change)?, is_new: change.before.is_none() },
    };
    Ok(Some(Effect { subject, is_there }))
}

fn is_there(image: &Attributes) -> bool {
    !image.contains_key(DELETED_AT)
}

fn author_of(change: &Change) -> Result<UserId, MalformedItem> {
    let image = change.after.as_ref().or(change.before.as_ref()).ok_or(MalformedItem { attribute: AUTHOR_ID })?;
    Item { key: change.key.clone(), attributes: image.clone() }.parsed(AUTHOR_ID)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use data::keys;
    use domain::{CommentId, Timestamp};
    use ports::store::{Key, Value};

    const LIVE: Option<bool> = Some(true);
    const DEAD: Option<bool> = Some(false);

    fn image(is_live: bool) -> Attributes {
        let author = Item::new(Key { partition: String::new(), sort: String::new() })
            .with(AUTHOR_ID, UserId::from_uuid(uuid::Uuid::nil()).to_string());
        if is_live { author.attributes } else { author.with(DELETED_AT, 5).attributes }
    }

    fn change(key: Key, before: Option<bool>, after: Option<bool>) -> Change {
        Change { id: "1".to_owned(), key, before: before.map(image), after: after.map(image) }
    }

    #[rstest]
    #[case(None, LIVE, 1)]
    #[case(LIVE, DEAD, -1)]
    #[case(DEAD, LIVE, 1)]
    #[case(LIVE, None, -1)]
    #[case(DEAD, None, 0)]
    #[case(None, DEAD, 0)]
    #[case(LIVE, LIVE, 0)]
    #[case(DEAD, DEAD, 0)]
    fn what_is_deleted_has_ceased(#[case] before: Option<bool>, #[case] after: Option<bool>, #[case] by: i64) {
        let moment = Timestamp::from_millis(1);
        for key in
            [keys::post(PostId::first_of(moment)), keys::comment(PostId::first_of(moment), CommentId::first_of(moment))]
        {
            let effect = effect_of(&change(key, before, after)).unwrap();
            assert_eq!(effect.map_or(0, |effect| effect.by()), by);
        }
    }

    #[test]
    fn a_post_that_is_restored_is_not_new() {
        let key = keys::post(PostId::first_of(Timestamp::from_millis(1)));
        for (before, expected) in [(None, true), (DEAD, false)] {
            let effect = effect_of(&change(key.clone(), before, LIVE)).unwrap().unwrap();
            let Subject::Post { is_new, .. } = effect.subject else { panic!("{effect:?}") };
            assert_eq!(is_new, expected);
        }
    }

    #[test]
    fn what_cannot_be_read_is_said_to_be_malformed() {
        let key = keys::post(PostId::first_of(Timestamp::from_millis(1)));
        let mut odd = change(key, None, LIVE);
        odd.after = Some(Attributes::from([(AUTHOR_ID.into(), Value::N(5))]));
        assert_eq!(effect_of(&odd), Err(MalformedItem { attribute: AUTHOR_ID }));
        odd.key.partition = "POST#5".to_owned();
        assert_eq!(effect_of(&odd), Err(MalformedItem { attribute: "PK" }));
    }
}
