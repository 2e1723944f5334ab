//! The removal of entries that will never be shown again: the post is erased, or the reader has unfollowed its author, or
//! has followed them only since a later time.

use std::collections::{HashMap, HashSet};

use tracing::{debug, warn};

use crate::{views::FoundPosts, visibility::Grounds};
use data::{Db, DeliveryMode, DeliveryModes, Feeds, Follows, Readers, Transaction};
use domain::{PostId, Rule, Timestamp, UserId, limits};
use ports::store::StoreError;

/// The entries to remove that one read of a feed found.
#[derive(Debug)]
pub(super) struct CleanUp {
    reader: UserId,
    erased: Vec<PostId>,
    outdated: Transaction,
}

impl CleanUp {
    /// The removals among these hidden entries.
    pub fn of(
        reader: UserId,
        hidden: impl Iterator<Item = PostId>,
        found: &FoundPosts,
        grounds: &HashMap<UserId, Grounds>,
    ) -> Self {
        let (mut erased, mut of_others) = (Vec::new(), Vec::new());
        for post in hidden {
            match found.author_of(post) {
                None => erased.push(post),
                Some(author) if author != reader => of_others.push((post, author)),
                Some(_) => {}
            }
        }
        let outdated = plan_removal(reader, of_others.into_iter(), grounds);
        Self { reader, erased, outdated }
    }

    /// Whether there is anything to do.
    pub const fn is_needed(&self) -> bool {
        !self.erased.is_empty() || !self.outdated.is_empty()
    }

    /// Does it. Failures are logged; the next read finds the same.
    pub async fn run(self, db: Db) {
        let Self { reader, erased, outdated } = self;
        let feeds = Feeds::new(db.clone());
        let remove_erased = async { feeds.remove_of_reader(reader, &erased).await };
        // Tried once: a contended removal is left to the next read.
        let remove_outdated = async {
            if outdated.is_empty() {
                return Ok(());
            }
            outdated.commit_once(&db).await.map(drop)
        };
        let (erased, outdated) = tokio::join!(remove_erased, remove_outdated);
        for done in [erased, outdated] {
            log_failure(reader, done);
        }
    }
}

/// The transaction that ends the merging of an author, if they are in this mode and no pulled post of theirs can be in
/// the feeds' window. It checks the mode: a promotion that has begun relies on the rule.
pub(super) fn end_of_merge(
    reader: UserId,
    author: UserId,
    rule: Rule,
    mode: Option<DeliveryMode>,
    now: Timestamp,
) -> Option<Transaction> {
    let mode = mode?;
    let DeliveryMode::Push { pulled_until } = mode else { return None };
    if pulled_until.is_some_and(|until| now < until.plus(limits::FEED_ENTRY_TTL)) {
        return None;
    }
    let to = Rule { merge_since: None, ..rule }.if_any();
    let end = DeliveryModes::is_unchanged(author, mode).and(Readers::change(reader, author, Some(rule), to, now));
    Some(end.into())
}

/// Commits each once. Failures are logged; the next read finds the same.
pub(super) async fn commit_all(reader: UserId, transactions: Vec<Transaction>, db: Db) {
    for transaction in transactions {
        log_failure(reader, transaction.commit_once(&db).await.map(drop));
    }
}

fn log_failure(reader: UserId, done: Result<(), StoreError>) {
    match done {
        Ok(()) => {}
        Err(error) if error.is_transient() => {
            debug!(user.id = %reader, %error, "Could not clean up a feed; the next read will retry");
        }
        Err(error) => {
            warn!(user.id = %reader, error = telemetry::chain(&error), "Could not clean up a feed; the next read will retry");
        }
    }
}

/// The transaction that removes the outdated entries among `entries` (pairs of post and author, not the reader's own).
/// It checks that the grounds of each are as they were read, or else a concurrent follow would lose its backfilled
/// entries. Holds as many entries as fit into one transaction.
fn plan_removal(
    reader: UserId,
    entries: impl Iterator<Item = (PostId, UserId)>,
    grounds: &HashMap<UserId, Grounds>,
) -> Transaction {
    let (mut checked_rules, mut checked_follows) = (HashSet::new(), HashSet::new());
    let mut removal = Transaction::new();
    for (post, author) in entries {
        let Some(on) = grounds.get(&author).filter(|on| on.is_past(post)) else { continue };
        // Room for two checks and the removal.
        if !removal.has_room_for(3) {
            break;
        }
        if checked_rules.insert(author) {
            removal.add(Readers::is_unchanged(reader, author, on.rule.if_any()));
        }
        if !on.rule.is_past(post) && checked_follows.insert(author) {
            removal.add(Follows::is_unchanged(reader, author, on.window));
        }
        removal.add(Feeds::removal(reader, post));
    }
    removal
}

#[cfg(test)]
mod tests {
    use data::{Activity, Window, Writes};

    use super::*;

    fn post(second: u64) -> PostId {
        PostId::first_of(Timestamp::from_millis(1_000 * second))
    }

    /// Grounds with this rule, for a reader whose first read by a version with rules was at this second.
    fn grounds(rule: Rule, rules_since: u64) -> Grounds {
        let activity =
            Activity { rules_since: Some(Timestamp::from_millis(1_000 * rules_since)), ..Activity::default() };
        Grounds { rule, activity, window: None }
    }

    fn plan(reader: UserId, entries: &[(u64, UserId)], on: &HashMap<UserId, Grounds>) -> Transaction {
        plan_removal(reader, entries.iter().map(|(second, author)| (post(*second), *author)), on)
    }

    #[test]
    fn a_removal_checks_each_author_once() {
        let [reader, left, late] = [(); 3].map(|()| UserId::random());
        let since = Rule { shown_since: Some(post(5)), ..Rule::default() };
        let on = HashMap::from([(left, grounds(Rule::LEFT, 0)), (late, grounds(since, 0))]);
        let entries: Vec<_> = (0..10).flat_map(|second| [(second, left), (second, late)]).collect();
        let mut expected: Vec<Writes> = Vec::new();
        for (second, author) in &entries {
            if *second == 0 {
                expected.push(Readers::is_unchanged(reader, *author, Some(on[author].rule)));
            }
            if *author == left || *second < 5 {
                expected.push(Feeds::removal(reader, post(*second)));
            }
        }
        assert_eq!(plan(reader, &entries, &on), expected.into_iter().collect());
    }

    #[test]
    fn an_entry_before_rules_is_checked_by_its_follow() {
        let [reader, author] = [(); 2].map(|()| UserId::random());
        let on = HashMap::from([(author, grounds(Rule::default(), 10))]);
        let expected = Readers::is_unchanged(reader, author, None)
            .and(Follows::is_unchanged(reader, author, None))
            .and(Feeds::removal(reader, post(1)));
        assert_eq!(plan(reader, &[(1, author), (10, author)], &on), Transaction::from(expected));
    }

    #[test]
    fn a_removal_fits_into_one_transaction() {
        let [reader, left] = [(); 2].map(|()| UserId::random());
        let on = HashMap::from([(left, grounds(Rule::LEFT, 0))]);
        let of_one: Vec<_> = (0..150).map(|second| (second, left)).collect();
        assert_eq!(plan(reader, &of_one, &on).len(), limits::MAX_TRANSACT - 2);
        let of_many: Vec<_> = (0..150).map(|second| (second, UserId::random())).collect();
        let on = of_many.iter().map(|(_, author)| (*author, grounds(Rule::LEFT, 0))).collect();
        assert_eq!(plan(reader, &of_many, &on).len(), limits::MAX_TRANSACT - 2);
    }

    #[test]
    fn a_running_backfill_protects_its_entries() {
        let [reader, author] = [(); 2].map(|()| UserId::random());
        let running = Rule { shown_since: Some(post(5)), backfilling: true, ..Rule::default() };
        for on in [
            grounds(running, 0),
            grounds(Rule::default(), 0),
            Grounds { window: Some(Window::Backfilling(post(5))), ..grounds(Rule::default(), 10) },
        ] {
            let on = HashMap::from([(author, on)]);
            let entries: Vec<_> = (0..10).map(|second| (second, author)).collect();
            assert!(plan(reader, &entries, &on).is_empty());
        }
    }
}
