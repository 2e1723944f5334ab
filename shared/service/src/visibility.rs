//! Whether a reader's feed shows an author's post: the one decision behind pages, clean-ups and live events.
//!
//! The author's account and the post's deletion are judged apart, by those who read them.

use data::{Activity, Window};
use domain::{PostId, Rule};

/// The grounds on which one reader's feed shows one author's posts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Grounds {
    /// The rule about the author; the default where there is none.
    pub rule: Rule,
    /// The reader's activity, which tells the entries from before there were rules.
    pub activity: Activity,
    /// The window of the reader's follow, which decides about those; `None` without a follow. Need not be read when no
    /// entry is that old.
    pub window: Option<Window>,
}

impl Grounds {
    /// Whether the feed shows this post, which was delivered or merged.
    pub fn shows(&self, post: PostId) -> bool {
        self.rule.shows(post) && (!self.needs_window(post) || self.window.is_some_and(|window| window.shows(post)))
    }

    /// Whether a delivered entry of this post stays hidden for as long as the grounds are unchanged, and may be removed.
    pub fn is_past(&self, post: PostId) -> bool {
        self.rule.is_past(post) || (self.needs_window(post) && self.window.is_none_or(|window| window.is_past(post)))
    }

    /// Whether the follow decides.
    pub fn needs_window(&self, post: PostId) -> bool {
        self.activity.predates_rules(post)
    }
}

#[cfg(test)]
mod tests {
    use domain::Timestamp;

    use super::*;

    fn post(second: u64) -> PostId {
        PostId::first_of(Timestamp::from_millis(1_000 * second))
    }

    fn rules_since(second: u64) -> Activity {
        Activity { rules_since: Some(Timestamp::from_millis(1_000 * second)), ..Activity::default() }
    }

    #[test]
    fn a_delivered_post_is_shown_without_a_rule() {
        let grounds = Grounds { activity: rules_since(10), ..Grounds::default() };
        assert!(grounds.shows(post(10)) && !grounds.is_past(post(10)));
    }

    #[test]
    fn the_follow_decides_about_posts_before_rules() {
        let mut grounds = Grounds { activity: rules_since(10), ..Grounds::default() };
        assert!(!grounds.shows(post(9)) && grounds.is_past(post(9)), "not followed");
        grounds.window = Some(Window::Everything);
        assert!(grounds.shows(post(9)) && !grounds.is_past(post(9)));
        grounds.window = Some(Window::Backfilling(post(9)));
        assert!(!grounds.shows(post(8)) && !grounds.is_past(post(8)), "being backfilled");
        grounds.window = Some(Window::Since(post(9)));
        assert!(!grounds.shows(post(8)) && grounds.is_past(post(8)));
        grounds.rule = Rule::LEFT;
        assert!(!grounds.shows(post(9)) && grounds.is_past(post(9)));
    }

    #[test]
    fn a_reader_without_activity_is_judged_by_follows() {
        let grounds = Grounds { window: Some(Window::Everything), ..Grounds::default() };
        assert!(grounds.shows(post(5)));
        assert!(!Grounds::default().shows(post(5)));
    }
}
