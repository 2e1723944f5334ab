//! Rules: the exceptions to "a feed shows what was delivered to it", one per reader and author.

use super::PostId;

/// The posts of one author that a reader's feed hides or adds. The default, which is not stored, is no exception.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Rule {
    /// The reader has unfollowed the author: nothing is shown, whatever else the rule says.
    pub left: bool,
    /// Only this post and later ones are shown. Bounded by an id and not by a time, so that posts of one millisecond can
    /// fall on different sides.
    pub shown_since: Option<PostId>,
    /// Earlier posts are being backfilled: `shown_since` is the follow's marker, and decreases when the backfill ends.
    pub backfilling: bool,
    /// The author's posts from this one on may not have been delivered: they are merged when the feed is read.
    pub merge_since: Option<PostId>,
}

impl Rule {
    /// The rule of an author whom the reader has unfollowed.
    pub const LEFT: Self = Self { left: true, shown_since: None, backfilling: false, merge_since: None };

    /// Whether the feed shows a post of the author that was delivered or merged. Every reader of feeds asks here.
    pub fn shows(&self, post: PostId) -> bool {
        !self.left && self.shown_since.is_none_or(|since| post >= since)
    }

    /// Whether a delivered entry of this post stays hidden for as long as the rule is unchanged. False during a
    /// backfill: the entry may have just been added, and become visible when the backfill ends.
    pub fn is_past(&self, post: PostId) -> bool {
        !self.shows(post) && !self.backfilling
    }

    /// The post from which on the author's story is merged into the feed, if it is.
    pub fn merged_since(&self) -> Option<PostId> {
        let since = self.merge_since.filter(|_| !self.left)?;
        Some(self.shown_since.map_or(since, |shown| shown.max(since)))
    }

    /// The rule, unless it is no exception.
    pub fn if_any(self) -> Option<Self> {
        (self != Self::default()).then_some(self)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn post(number: u128) -> PostId {
        PostId::from_uuid(Uuid::from_u128(number))
    }

    #[test]
    fn an_unfollow_outweighs_every_other_exception() {
        let rule = Rule { left: true, merge_since: Some(post(1)), shown_since: Some(post(1)), ..Rule::default() };
        assert!(!rule.shows(post(5)) && rule.is_past(post(5)));
        assert_eq!(rule.merged_since(), None);
    }

    #[test]
    fn a_running_backfill_protects_hidden_entries() {
        let rule = Rule { shown_since: Some(post(5)), backfilling: true, ..Rule::default() };
        assert!(!rule.shows(post(4)) && rule.shows(post(5)));
        assert!(!rule.is_past(post(4)));
        assert!(Rule { backfilling: false, ..rule }.is_past(post(4)));
    }

    #[test]
    fn a_merge_begins_within_the_window() {
        let rule = |shown: Option<u128>, merged: u128| Rule {
            shown_since: shown.map(post),
            merge_since: Some(post(merged)),
            ..Rule::default()
        };
        assert_eq!(rule(None, 3).merged_since(), Some(post(3)));
        assert_eq!(rule(Some(5), 3).merged_since(), Some(post(5)));
        assert_eq!(rule(Some(2), 3).merged_since(), Some(post(3)));
    }
}
