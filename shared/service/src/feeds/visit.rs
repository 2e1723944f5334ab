//! The change that a read of a feed makes in its reader's activity.

use crate::coverage;
use data::Activity;
use domain::{Timestamp, limits};

/// A change of an activity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Visit {
    /// The activity from now on.
    pub to: Activity,
    /// Whether the page waits until it is stored. Otherwise a later read repeats it if it is lost.
    pub is_awaited: bool,
}

/// The change that a read at `now` makes; `None` after the first read of a day.
///
/// Fan-outs may have skipped a reader who was absent for [`limits::DORMANT_AFTER`]: nothing of their feed is taken for
/// complete then. It is stored before stories are read, so that a post whose fan-out still skips the reader is found in
/// its story. A reader without a stored activity was never skipped.
pub(super) fn visit(activity: &Activity, now: Timestamp) -> Option<Visit> {
    let absence = activity.active_at.map_or_else(Default::default, |active_at| now.since(active_at));
    let is_new_day = activity.active_at.is_none_or(|active_at| active_at.day() < now.day());
    if !is_new_day && activity.rules_since.is_some() {
        return None;
    }
    let since = if absence > limits::DORMANT_AFTER { coverage::nothing_covered(activity) } else { *activity };
    let rules_since = activity.rules_since.or_else(|| Some(now.plus(limits::RULES_MIGRATION)));
    let active_at = activity.active_at.max(Some(now));
    let to = Activity { active_at, rules_since, ..since };
    Some(Visit { to, is_awaited: absence >= limits::ACTIVITY_AWAITED_AFTER })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use domain::PostId;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_763_700_000_000);
    const DAY: Duration = Duration::from_hours(24);

    fn active(before: Duration) -> Activity {
        Activity {
            active_at: Some(NOW.minus(before)),
            rules_since: Some(Timestamp::default()),
            built_down_to: Some(PostId::MIN),
            built_until: Some(NOW.plus(DAY)),
            ..Activity::default()
        }
    }

    #[test]
    fn only_the_first_read_of_a_day_counts() {
        assert_eq!(visit(&active(Duration::from_mins(1)), NOW), None);
        assert_eq!(visit(&active(Duration::ZERO), NOW.minus(2 * DAY)), None, "the clock was set back");
        let yesterday = active(DAY);
        let to = Activity { active_at: Some(NOW), ..yesterday };
        assert_eq!(visit(&yesterday, NOW), Some(Visit { to, is_awaited: false }));
    }

    #[test]
    fn an_old_activity_is_renewed_before_the_answer() {
        let is_awaited = |absence| visit(&active(absence), NOW).map(|visit| visit.is_awaited);
        assert_eq!(is_awaited(limits::ACTIVITY_AWAITED_AFTER.saturating_sub(DAY)), Some(false));
        assert_eq!(is_awaited(limits::ACTIVITY_AWAITED_AFTER), Some(true));
        assert_eq!(is_awaited(limits::DORMANT_AFTER + DAY), Some(true));
    }

    #[test]
    fn a_returning_reader_has_nothing_covered() {
        let returned = visit(&active(limits::DORMANT_AFTER + Duration::from_millis(1)), NOW).unwrap();
        let expected = Activity {
            active_at: Some(NOW),
            rules_since: Some(Timestamp::default()),
            complete_since: Some(PostId::MAX),
            ..Activity::default()
        };
        assert_eq!(returned, Visit { to: expected, is_awaited: true });
        let stayed = visit(&active(limits::DORMANT_AFTER), NOW).unwrap();
        assert!(coverage::is_same(&stayed.to, &active(Duration::ZERO)));
    }

    #[test]
    fn a_reader_without_activity_was_never_dormant() {
        let first = visit(&Activity::default(), NOW).unwrap();
        let rules_since = Some(NOW.plus(limits::RULES_MIGRATION));
        let expected = Activity { active_at: Some(NOW), rules_since, ..Activity::default() };
        assert_eq!(first, Visit { to: expected, is_awaited: false });
    }
}
