//! The newest posts of every timeline, as the client knows them: they give the cursor of an offset.
//!
//! The API has no offsets, as they shift while others post; a cursor names the last post already seen. The load
//! generator knows all posts and friendships, and so which post that is.

use std::collections::VecDeque;

use domain::PostId;
use http_api::cursor::{self, Feed, Story};
use parking_lot::Mutex;

use super::mix::{MAX_OFFSET, PAGE};

/// Posts kept of each timeline: the page at the largest offset.
pub const DEEPEST: usize = MAX_OFFSET as usize + PAGE as usize;

/// Home timelines and users' own, the newest [`DEEPEST`] posts of each.
#[derive(Debug)]
pub struct Timelines {
    feeds: Vec<Mutex<VecDeque<PostId>>>,
    stories: Vec<Mutex<VecDeque<PostId>>>,
}

impl Timelines {
    /// Empty timelines of this many users.
    pub fn new(users: usize) -> Self {
        let empty = || (0..users).map(|_| Mutex::default()).collect();
        Self { feeds: empty(), stories: empty() }
    }

    /// Adds a post to its author's timelines and those of the author's friends.
    pub fn add(&self, author: usize, post: PostId, friends: &[usize]) {
        push(&self.stories[author], post);
        friends.iter().chain([&author]).for_each(|reader| push(&self.feeds[*reader], post));
    }

    /// The cursor of the page of a user's feed at an offset; `None` for the first page. Beyond the end it is that after
    /// the last post.
    pub fn feed_cursor(&self, user: usize, offset: u32) -> Option<String> {
        post_before(&self.feeds[user], offset).map(|post| cursor::encode::<Feed>(&post))
    }

    /// The same for a user's own posts.
    pub fn story_cursor(&self, user: usize, offset: u32) -> Option<String> {
        post_before(&self.stories[user], offset).map(|post| cursor::encode::<Story>(&post))
    }

    /// The newest posts of a user's feed, newest first.
    pub fn newest_of_feed(&self, user: usize, count: usize) -> Vec<PostId> {
        self.feeds[user].lock().iter().take(count).copied().collect()
    }
}

fn push(timeline: &Mutex<VecDeque<PostId>>, post: PostId) {
    let mut timeline = timeline.lock();
    // Answers arrive out of order: ids do not.
    let newer = timeline.iter().take_while(|other| **other > post).count();
    timeline.insert(newer, post);
    timeline.truncate(DEEPEST);
}

fn post_before(timeline: &Mutex<VecDeque<PostId>>, offset: u32) -> Option<PostId> {
    let timeline = timeline.lock();
    let before = (offset as usize).min(timeline.len()).checked_sub(1)?;
    timeline.get(before).copied()
}

#[cfg(test)]
mod tests {
    use domain::{Clock, IdGenerator};

    use super::*;

    fn posts(count: usize) -> Vec<PostId> {
        let ids = IdGenerator::new();
        (0..count).map(|_| ids.next_post_id(Clock::System.now())).collect()
    }

    #[test]
    fn an_offset_is_the_cursor_after_its_predecessor() {
        let (timelines, posts) = (Timelines::new(3), posts(5));
        for post in &posts {
            timelines.add(0, *post, &[2]);
        }
        for user in [0, 2] {
            assert_eq!(timelines.feed_cursor(user, 0), None);
            assert_eq!(timelines.feed_cursor(user, 2), Some(cursor::encode::<Feed>(&posts[3])));
            assert_eq!(timelines.feed_cursor(user, 100), Some(cursor::encode::<Feed>(&posts[0])));
        }
        assert_eq!(timelines.feed_cursor(1, 3), None, "an empty feed has one page");
        assert_eq!(timelines.story_cursor(0, 5), Some(cursor::encode::<Story>(&posts[0])));
        assert_eq!(timelines.story_cursor(2, 5), None);
    }

    #[test]
    fn late_answers_keep_the_order_of_ids() {
        let (timelines, posts) = (Timelines::new(1), posts(DEEPEST + 2));
        for post in posts.iter().rev() {
            timelines.add(0, *post, &[]);
        }
        let newest: Vec<PostId> = posts.iter().rev().take(DEEPEST).copied().collect();
        assert_eq!(timelines.newest_of_feed(0, usize::MAX), newest);
    }
}
