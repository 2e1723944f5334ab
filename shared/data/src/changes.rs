//! The meaning of a stream change, read from the key and the images of the written item.

use uuid::Uuid;

use crate::{DELETED_AT, Posts, Tasks, keys::streamed::Streamed};
use domain::{Act, ActKind, PostId, Task, UserId};
use ports::{
    changes::Change,
    store::{Attributes, Item, MalformedItem},
};

mod attr {
    /// The author of a post or a comment.
    pub const AUTHOR_ID: &str = "author_id";
}

/// An item that came into existence or ceased to exist. A deleted item has ceased to exist, even while it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Changed {
    /// The item.
    pub subject: Subject,
    /// Whether it exists now.
    pub is_there: bool,
}

/// The kinds of items whose changes matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// A follow, a like or a comment.
    Act(Act),
    /// A post.
    Post {
        /// Its id.
        post: PostId,
        /// Its author.
        author: UserId,
        /// Whether it was just created, so that no reactions to it exist yet.
        is_new: bool,
        /// Whether it has pictures.
        has_media: bool,
    },
    /// Work whose next step is due.
    Step {
        /// The task.
        task: Task,
        /// Identifies the step.
        token: Uuid,
    },
}

impl Changed {
    /// Reads a change; `None` when it has no effect, such as a change of another attribute or the removal of an item
    /// deleted before.
    ///
    /// # Errors
    /// When the key is not that of a streamed item, or an image lacks a required attribute.
    pub fn read(change: &Change) -> Result<Option<Self>, MalformedItem> {
        let streamed = Streamed::parse(&change.key).map_err(|_| MalformedItem { attribute: "PK" })?;
        if let Streamed::Task(task) = streamed {
            let step = |token| Self { subject: Subject::Step { task, token }, is_there: true };
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
            Streamed::Post(post) => Subject::Post {
                post,
                author: author_of(change)?,
                is_new: change.before.is_none(),
                has_media: change.after.as_ref().or(change.before.as_ref()).is_some_and(Posts::has_media),
            },
        };
        Ok(Some(Self { subject, is_there }))
    }
}

fn is_there(image: &Attributes) -> bool {
    !image.contains_key(DELETED_AT)
}

fn author_of(change: &Change) -> Result<UserId, MalformedItem> {
    let image = change.after.as_ref().or(change.before.as_ref());
    let image = image.ok_or(MalformedItem { attribute: attr::AUTHOR_ID })?;
    Item { key: change.key.clone(), attributes: image.clone() }.parsed(attr::AUTHOR_ID)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::keys;
    use domain::{CommentId, Timestamp};
    use ports::store::{Key, Value};

    const LIVE: Option<bool> = Some(true);
    const DEAD: Option<bool> = Some(false);

    fn image(is_live: bool) -> Attributes {
        let author = Item::new(Key { partition: String::new(), sort: String::new() })
            .with(attr::AUTHOR_ID, UserId::from_uuid(uuid::Uuid::nil()).to_string());
        if is_live { author.attributes } else { author.with(DELETED_AT, 5).attributes }
    }

    fn change(key: Key, before: Option<bool>, after: Option<bool>) -> Change {
        Change { id: "1".to_owned(), key, before: before.map(image), after: after.map(image) }
    }

    #[rstest]
    #[case(None, LIVE, Some(true))]
    #[case(LIVE, DEAD, Some(false))]
    #[case(DEAD, LIVE, Some(true))]
    #[case(LIVE, None, Some(false))]
    #[case(DEAD, None, None)]
    #[case(None, DEAD, None)]
    #[case(LIVE, LIVE, None)]
    #[case(DEAD, DEAD, None)]
    fn what_is_deleted_has_ceased(
        #[case] before: Option<bool>,
        #[case] after: Option<bool>,
        #[case] is_there: Option<bool>,
    ) {
        let moment = Timestamp::from_millis(1);
        for key in
            [keys::post(PostId::first_of(moment)), keys::comment(PostId::first_of(moment), CommentId::first_of(moment))]
        {
            let changed = Changed::read(&change(key, before, after)).unwrap();
            assert_eq!(changed.map(|changed| changed.is_there), is_there);
        }
    }

    #[test]
    fn a_restored_post_is_not_new() {
        let key = keys::post(PostId::first_of(Timestamp::from_millis(1)));
        for (before, expected) in [(None, true), (DEAD, false)] {
            let changed = Changed::read(&change(key.clone(), before, LIVE)).unwrap().unwrap();
            let Subject::Post { is_new, .. } = changed.subject else { panic!("{changed:?}") };
            assert_eq!(is_new, expected);
        }
    }

    #[test]
    fn an_unreadable_change_is_malformed() {
        let key = keys::post(PostId::first_of(Timestamp::from_millis(1)));
        let mut odd = change(key, None, LIVE);
        odd.after = Some(Attributes::from([(attr::AUTHOR_ID.into(), Value::N(5))]));
        assert_eq!(Changed::read(&odd), Err(MalformedItem { attribute: attr::AUTHOR_ID }));
        odd.key.partition = "POST#5".to_owned();
        assert_eq!(Changed::read(&odd), Err(MalformedItem { attribute: "PK" }));
    }
}
