//! How far down a reader's feed is complete, and which position must be rebuilt next. Pure; ADR 28 has the proof.
//!
//! ```text
//! newest  ├── delivered ──────────────┤├── rebuilt ─────┤   not covered   oldest
//!                    the window's edge ┘                └ built_down_to
//!                    or complete_since
//! ```
//!
//! The *delivered part* is what fan-out, backfills and rebuilds added within [`limits::FEED_WINDOW`]. Its entries live for
//! [`limits::FEED_ENTRY_TTL`] after their posts. The *rebuilt part* lies below, or around the cursor of a client that
//! stopped scrolling long ago, and is valid until `built_until`. Entries in neither part are leftovers, and are ignored.
//!
//! The edge moves by whole days, or else each page that ends at it would find a few milliseconds that are not covered.

use data::Activity;
use domain::{PostId, Timestamp, limits};

/// The parts of one reader's feed that are complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Coverage {
    delivered_from: PostId,
    rebuilt: Option<Rebuilt>,
}

/// Complete from `down_to` (included) up to `below` (excluded).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rebuilt {
    down_to: PostId,
    below: PostId,
}

impl Coverage {
    /// The coverage that an activity has at `now`.
    pub fn of(activity: &Activity, now: Timestamp) -> Self {
        let complete_since = activity.complete_since.unwrap_or(PostId::MIN);
        let edge = edge(now);
        let delivered_from = edge.max(complete_since);
        // A part that continues the delivered one does so only where the window ends it.
        let continued = (complete_since <= edge).then_some(delivered_from);
        let is_valid = activity.built_until.is_some_and(|until| now < until);
        let rebuilt = activity.built_down_to.filter(|_| is_valid).and_then(|down_to| {
            let below = activity.built_from.or(continued)?;
            Some(Rebuilt { down_to, below })
        });
        Self { delivered_from, rebuilt }
    }

    /// The lowest position down to which the posts below `before` are complete; `before` itself when nothing is, and
    /// must be rebuilt. [`PostId::MIN`] when all posts are.
    pub fn floor(&self, before: PostId) -> PostId {
        let floor = before.min(self.delivered_from);
        match self.rebuilt {
            Some(Rebuilt { down_to, below }) if floor <= below => floor.min(down_to),
            _ => floor,
        }
    }
}

/// The activity after the posts from `down_to` on and below `before` were rebuilt, at the time `now` at which the
/// rebuild began.
pub fn extended(activity: &Activity, before: PostId, down_to: PostId, now: Timestamp) -> Activity {
    let coverage = Coverage::of(activity, now);
    let activity = &Activity { rebuilt_at: Some(now), ..*activity };
    let is_past_window = down_to < edge(now);
    let rebuilt = |built_from| Activity {
        built_from,
        built_down_to: Some(down_to),
        built_until: Some(built_until(now)),
        ..*activity
    };
    if before >= coverage.delivered_from {
        let complete_since = activity.complete_since.map(|since| since.min(down_to));
        let continued = if is_past_window { rebuilt(None) } else { without_continuation(activity) };
        return Activity { complete_since, ..continued };
    }
    match coverage.rebuilt {
        // The rest of its validity holds for the new entries as well, which expire later.
        Some(Rebuilt { down_to: bottom, below }) if before >= bottom && before <= below => {
            Activity { built_down_to: Some(down_to.min(bottom)), ..*activity }
        }
        _ => rebuilt(Some(before)),
    }
}

/// The activity of a reader to whose feed nothing may have been added: who returns after fan-outs skipped them, or whose
/// entries were lost. All of it is rebuilt as it is read.
pub fn nothing_covered(activity: &Activity) -> Activity {
    Activity {
        complete_since: Some(PostId::MAX),
        built_from: None,
        built_down_to: None,
        built_until: None,
        ..*activity
    }
}

/// Whether a rebuild may have been recorded after `now`, the begin of the page that reads this activity: entries that the
/// page read before may lack those of the rebuild.
pub fn may_be_newer_than(activity: &Activity, now: Timestamp) -> bool {
    activity.rebuilt_at.is_some_and(|began_at| now.since(began_at) < limits::LONGEST_REBUILD)
}

/// Whether two activities have the same coverage at all times.
pub fn is_same(one: &Activity, other: &Activity) -> bool {
    let parts = |it: &Activity| (it.complete_since, it.built_from, it.built_down_to, it.built_until);
    parts(one) == parts(other)
}

/// Where the delivered part ends: the first id of a day, [`limits::FEED_WINDOW`] before today.
pub fn edge(now: Timestamp) -> PostId {
    PostId::first_of(now.day().minus(limits::FEED_WINDOW))
}

/// How long a part is valid that is rebuilt now.
fn built_until(now: Timestamp) -> Timestamp {
    now.day().plus(limits::REBUILT_TTL)
}

/// Without a rebuilt part that would seem to continue the delivered one, once `complete_since` has moved.
fn without_continuation(activity: &Activity) -> Activity {
    match activity.built_from {
        Some(_) => *activity,
        None => Activity { built_down_to: None, built_until: None, ..*activity },
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, time::Duration};

    use data::Feeds;
    use domain::UserId;
    use ports::store::EXPIRES_AT;
    use proptest::prelude::*;

    use super::*;

    const DAY: Duration = Duration::from_hours(24);
    const START: Timestamp = Timestamp::from_millis(1_763_700_000_000);

    /// A step of a feed's life. Positions are fractions of its posts.
    #[derive(Debug, Clone)]
    enum Step {
        Pass(u32),
        /// The clock is set back, by hours, to a day before its latest time at most.
        SetBack(u32),
        Post,
        /// As fan-out does for a dormant reader.
        PostSkipped,
        Read(u8),
        /// Reads from a position to the end.
        Scroll(u8),
        /// All entries are lost; the repair is told.
        Lose,
        Sweep,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            4 => (1_u32..40 * 24).prop_map(Step::Pass),
            3 => (1_u32..48).prop_map(Step::Pass),
            1 => (1_u32..24).prop_map(Step::SetBack),
            6 => Just(Step::Post),
            1 => Just(Step::PostSkipped),
            4 => any::<u8>().prop_map(Step::Read),
            3 => any::<u8>().prop_map(Step::Scroll),
            1 => Just(Step::Lose),
            3 => Just(Step::Sweep),
        ];
        prop::collection::vec(step, 1..120)
    }

    /// One story, and the feed of its only reader.
    struct Life {
        now: Timestamp,
        latest: Timestamp,
        story: Vec<PostId>,
        /// The entries' expiry, in seconds.
        entries: BTreeMap<PostId, u64>,
        activity: Activity,
        reader: UserId,
    }

    impl Life {
        fn write(&mut self, post: PostId) {
            let entry = Feeds::entry_at(self.reader, post, self.now);
            self.entries.insert(post, entry.number(EXPIRES_AT).unwrap().cast_unsigned());
        }

        fn position(&self, fraction: u8) -> PostId {
            let at = self.story.len() * usize::from(fraction) / 256;
            if fraction == u8::MAX { PostId::MAX } else { self.story.get(at).copied().unwrap_or(PostId::MAX) }
        }

        fn coverage(&self) -> Coverage {
            Coverage::of(&self.activity, self.now)
        }

        /// One page: rebuilds if nothing is covered, three posts at a time. Returns where it ends.
        fn read(&mut self, before: PostId) -> PostId {
            if self.coverage().floor(before) == before {
                let below: Vec<PostId> = self.story.iter().rev().filter(|post| **post < before).copied().collect();
                let chunk = &below[..below.len().min(3)];
                for post in chunk {
                    self.write(*post);
                }
                let down_to = if below.len() > 3 { chunk[2] } else { PostId::MIN };
                self.activity = extended(&self.activity, before, down_to, self.now);
            }
            let floor = self.coverage().floor(before);
            assert!(floor < before, "nothing is covered after a rebuild: {:?}", self.activity);
            floor
        }

        fn step(&mut self, step: &Step) {
            self.latest = self.latest.max(self.now);
            match step {
                Step::Pass(hours) => self.now = self.now.plus(Duration::from_hours(u64::from(*hours))),
                Step::SetBack(hours) => {
                    let back = self.now.minus(Duration::from_hours(u64::from(*hours)));
                    self.now = back.max(self.latest.minus(DAY)).min(self.now);
                }
                Step::Post | Step::PostSkipped => {
                    let last = self.story.last().map_or(START, |last| last.created_at().plus(Duration::from_millis(1)));
                    let post = PostId::first_of(last.max(self.now));
                    self.story.push(post);
                    if matches!(step, Step::Post) {
                        self.write(post);
                    } else {
                        // Skipped for dormancy only: the next read is a return.
                        self.activity = nothing_covered(&self.activity);
                    }
                }
                Step::Read(from) => drop(self.read(self.position(*from))),
                Step::Scroll(from) => {
                    let mut before = self.position(*from);
                    while before > PostId::MIN {
                        before = self.read(before);
                    }
                }
                Step::Lose => {
                    self.entries.clear();
                    self.activity = nothing_covered(&self.activity);
                }
                Step::Sweep => {
                    let now = self.now.as_secs();
                    self.entries.retain(|_, expires_at| *expires_at > now);
                }
            }
        }

        fn check(&self) {
            for before in self.story.iter().copied().chain([PostId::MAX, edge(self.now)]) {
                let floor = self.coverage().floor(before);
                for post in self.story.iter().filter(|post| **post >= floor && **post < before) {
                    let expires_at = self.entries.get(post).copied();
                    assert!(expires_at > Some(self.now.as_secs()), "{post}: {expires_at:?}, {:?}", self.activity);
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

        #[test]
        fn covered_posts_have_living_entries(steps in steps()) {
            let (story, entries) = (Vec::new(), BTreeMap::new());
            let mut life =
                Life { now: START, latest: START, story, entries, activity: Activity::default(), reader: UserId::random() };
            for step in steps {
                life.step(&step);
                life.check();
            }
        }
    }

    fn post(days_ago: u64) -> PostId {
        PostId::first_of(START.minus(DAY * u32::try_from(days_ago).unwrap()))
    }

    #[test]
    fn a_feed_without_activity_is_complete_within_window() {
        let coverage = Coverage::of(&Activity::default(), START);
        assert_eq!(coverage.floor(PostId::MAX), edge(START));
        assert_eq!(coverage.floor(post(10)), edge(START));
        assert_eq!(coverage.floor(post(100)), post(100));
    }

    #[test]
    fn the_edge_stands_still_within_a_day() {
        let morning = START.day();
        let evening = morning.plus(DAY.saturating_sub(Duration::from_millis(1)));
        assert_eq!(edge(morning), edge(evening));
        assert!(edge(evening) < edge(evening.plus(Duration::from_millis(1))));
        assert_eq!(edge(morning).created_at(), morning.minus(limits::FEED_WINDOW));
    }

    #[test]
    fn a_rebuilt_part_joins_the_moving_window() {
        let built = extended(&Activity::default(), edge(START), post(200), START);
        let last = START.day().plus(limits::REBUILT_TTL).minus(Duration::from_millis(1));
        for now in [START, START.plus(DAY), last] {
            assert_eq!(Coverage::of(&built, now).floor(PostId::MAX), post(200), "{now}");
        }
        let after = last.plus(Duration::from_millis(1));
        assert_eq!(Coverage::of(&built, after).floor(PostId::MAX), edge(after));
    }

    #[test]
    fn the_next_rebuild_extends_the_last_one() {
        let first = extended(&Activity::default(), edge(START), post(200), START);
        let later = START.plus(2 * DAY);
        let second = extended(&first, post(200), PostId::MIN, later);
        assert_eq!(second.built_until, first.built_until);
        assert_eq!(Coverage::of(&second, later).floor(PostId::MAX), PostId::MIN);
    }

    #[test]
    fn an_old_cursor_gets_its_own_part() {
        let built = extended(&Activity::default(), post(300), post(400), START);
        let coverage = Coverage::of(&built, START);
        assert_eq!(coverage.floor(post(350)), post(400));
        assert_eq!(coverage.floor(PostId::MAX), edge(START));
        assert_eq!(coverage.floor(edge(START)), edge(START), "the gap is not covered");
    }

    #[test]
    fn a_return_is_rebuilt_from_the_top() {
        let away = nothing_covered(&extended(&Activity::default(), edge(START), PostId::MIN, START));
        assert_eq!(Coverage::of(&away, START).floor(PostId::MAX), PostId::MAX);
        let within = extended(&away, PostId::MAX, post(20), START);
        assert_eq!(Coverage::of(&within, START).floor(PostId::MAX), post(20));
        let all = extended(&within, post(20), PostId::MIN, START);
        assert_eq!(Coverage::of(&all, START).floor(PostId::MAX), PostId::MIN);
        assert_eq!(Coverage::of(&all, START.plus(30 * DAY)).floor(PostId::MAX), edge(START.plus(30 * DAY)));
    }

    #[test]
    fn a_moved_beginning_ends_the_continuation() {
        let built = extended(&Activity::default(), edge(START), PostId::MIN, START);
        let lost = Activity { complete_since: Some(post(0)), ..built };
        assert_eq!(Coverage::of(&lost, START).floor(post(0)), post(0));
        let within = extended(&lost, post(0), post(20), START);
        assert_eq!((within.built_down_to, within.built_until), (None, None));
    }
}
