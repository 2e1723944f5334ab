//! Counting: many changes per transaction, each with its ledger entry.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::effect::Effective;
use crate::conflict_retry::ConflictRetry;
use data::{Committed, Counted, Counter, Counts, Db, Ledger, Transaction};
use domain::{Timestamp, limits};
use ports::store::StoreError;

/// Counts changes.
#[derive(Debug, Clone)]
pub struct Counting {
    db: Db,
    counts: Counts,
    ledger: Ledger,
}

impl Counting {
    /// Counts in `store`.
    pub fn new(db: Db) -> Self {
        Self { counts: Counts::new(db.clone()), ledger: Ledger::new(db.clone()), db }
    }

    /// Counts each change that is not in the ledger. Changes counted before a failure stay counted.
    pub async fn count(&self, changes: Vec<Effective<'_>>, now: Timestamp) -> Result<(), StoreError> {
        let (mut left, mut retry) = (changes, ConflictRetry::new());
        loop {
            let mut rows = self.counter_rows(&left).await?;
            let mut refused = Vec::new();
            for planned in plan(&left, &rows) {
                match planned.transaction(&rows, now).commit(&self.db).await {
                    Ok(Committed::Applied) => rows.extend(planned.written().map(|(of, _)| (of, CounterRow::Exists))),
                    // Another worker or an earlier try of this call counted one of these; or the first counts of an
                    // item were created concurrently, or its last ones erased.
                    Ok(Committed::Refused(_)) | Err(StoreError::Conflict) => refused.extend(planned.changes),
                    Err(error) => return Err(error),
                }
            }
            if refused.is_empty() {
                return Ok(());
            }
            retry.pause().await?;
            let applied = self.ledger.applied(refused.iter().map(|change| change.id)).await?;
            refused.retain(|change| !applied.contains(change.id));
            left = refused;
        }
    }

    /// The targets of these changes that have counts, and those that can get their first.
    async fn counter_rows(&self, changes: &[Effective<'_>]) -> Result<HashMap<Counted, CounterRow>, StoreError> {
        let of: HashSet<Counted> = changes.iter().flat_map(Effective::counters).map(|(of, _)| of).collect();
        let of: Vec<Counted> = of.into_iter().collect();
        let have_any = self.counts.which_have_any(&of).await?;
        let have_none: Vec<Counted> = of.into_iter().filter(|of| !have_any.contains(of)).collect();
        let exist = self.counts.which_exist(&have_none).await?;
        let any = have_any.into_iter().map(|of| (of, CounterRow::Exists));
        Ok(any.chain(exist.into_iter().map(|of| (of, CounterRow::Missing))).collect())
    }
}

/// Whether the counts of a target are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CounterRow {
    /// Stored: one write adds to it.
    Exists,
    /// Not stored yet: it is created with a check that the target exists.
    Missing,
}

impl CounterRow {
    /// Number of transaction items that its counts take.
    const fn places(self) -> usize {
        match self {
            Self::Exists => 1,
            Self::Missing => 2,
        }
    }
}

/// Changes counted in one transaction.
#[derive(Debug, Default)]
struct Planned<'a> {
    changes: Vec<Effective<'a>>,
    sums: BTreeMap<Counted, BTreeMap<Counter, i64>>,
    places: usize,
}

/// A change and the counters it affects, of existing targets only.
type Share<'a> = (Effective<'a>, Vec<(Counted, Counter)>);

/// Cuts changes into transactions. Changes that share a counter are kept together, because a counter is written once
/// per transaction. Omits changes that affect no existing target.
fn plan<'a>(changes: &[Effective<'a>], rows: &HashMap<Counted, CounterRow>) -> Vec<Planned<'a>> {
    let mut planned: Vec<Planned> = Vec::new();
    for group in groups(changes, rows) {
        let fits = planned.last().is_some_and(|last| last.places + most_places(&group, rows) <= limits::MAX_TRANSACT);
        if !fits {
            planned.push(Planned::default());
        }
        for share in group {
            let has_room = planned
                .last()
                .is_some_and(|last| last.places + last.added_places(&share, rows) <= limits::MAX_TRANSACT);
            if !has_room {
                planned.push(Planned::default());
            }
            if let Some(last) = planned.last_mut() {
                last.add(share, rows);
            }
        }
    }
    planned
}

/// Groups changes by the counter that most changes share.
fn groups<'a>(changes: &[Effective<'a>], rows: &HashMap<Counted, CounterRow>) -> Vec<Vec<Share<'a>>> {
    let counters = |change: &Effective| {
        let mut counters = change.counters();
        counters.retain(|(of, _)| rows.contains_key(of));
        counters
    };
    let shares: Vec<Share> = changes.iter().map(|change| (*change, counters(change))).collect();
    let mut shared_by: HashMap<Counted, usize> = HashMap::new();
    for (of, _) in shares.iter().flat_map(|(_, counters)| counters) {
        *shared_by.entry(*of).or_default() += 1;
    }
    let mut groups: BTreeMap<Counted, Vec<Share>> = BTreeMap::new();
    for share in shares {
        if let Some((_, of)) = share.1.iter().map(|(of, _)| (shared_by[of], *of)).max() {
            groups.entry(of).or_default().push(share);
        }
    }
    groups.into_values().collect()
}

/// Upper bound of the items that a group takes in a transaction of its own.
fn most_places(group: &[Share], rows: &HashMap<Counted, CounterRow>) -> usize {
    let of: HashSet<Counted> = group.iter().flat_map(|(_, counters)| counters).map(|(of, _)| *of).collect();
    group.len() + of.iter().map(|of| rows[of].places()).sum::<usize>()
}

impl<'a> Planned<'a> {
    /// Number of items that one more change adds: its ledger entry, and counts not yet written here.
    fn added_places(&self, (_, counters): &Share, rows: &HashMap<Counted, CounterRow>) -> usize {
        let added = counters.iter().filter(|(of, _)| !self.sums.contains_key(of));
        1 + added.map(|(of, _)| rows[of].places()).sum::<usize>()
    }

    fn add(&mut self, share: Share<'a>, rows: &HashMap<Counted, CounterRow>) {
        self.places += self.added_places(&share, rows);
        let (change, counters) = share;
        for (of, counter) in counters {
            *self.sums.entry(of).or_default().entry(counter).or_default() += change.by();
        }
        self.changes.push(change);
    }

    /// The increments to write; sums of zero are omitted.
    fn written(&self) -> impl Iterator<Item = (Counted, Vec<(Counter, i64)>)> {
        let added = self.sums.iter().map(|(of, sums)| {
            let sums = sums.iter().filter(|(_, by)| **by != 0);
            (*of, sums.map(|(counter, by)| (*counter, *by)).collect::<Vec<_>>())
        });
        added.filter(|(_, sums)| !sums.is_empty())
    }

    /// The ledger's entries and the sums.
    fn transaction(&self, rows: &HashMap<Counted, CounterRow>, now: Timestamp) -> Transaction {
        let entries = self.changes.iter().map(|change| Ledger::entry(change.id, now));
        let sums = self.written().map(|(of, add)| match rows.get(&of) {
            Some(CounterRow::Missing) => Counts::creation(of, add),
            Some(CounterRow::Exists) | None => Counts::addition(of, add),
        });
        entries.chain(sums).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use data::{Changed, Subject};
    use domain::{Act, ActKind, PostId, UserId};

    fn user(number: u8) -> UserId {
        UserId::from_uuid(Uuid::from_u128(number.into()))
    }

    fn act(actor: u8, kind: ActKind, is_there: bool) -> Changed {
        Changed { subject: Subject::Act(Act { actor_id: user(actor), kind }), is_there }
    }

    /// A post whose id no user has.
    fn post(number: u8) -> PostId {
        PostId::from_uuid(Uuid::from_u128(0x100 + u128::from(number)))
    }

    fn like(actor: u8, of: u8, is_there: bool) -> Changed {
        act(actor, ActKind::Like(post(of)), is_there)
    }

    fn changed() -> impl Strategy<Value = Changed> {
        prop_oneof![
            (any::<u8>(), 0_u8..8, any::<bool>()).prop_map(|(actor, post, is_there)| like(actor, post, is_there)),
            (any::<u8>(), any::<u8>(), any::<bool>()).prop_map(|(actor, other, is_there)| act(
                actor,
                ActKind::Follow(user(other)),
                is_there
            )),
        ]
    }

    fn ids(count: usize) -> Vec<String> {
        (0..count).map(|number| number.to_string()).collect()
    }

    fn effective<'a>(ids: &'a [String], changed: &[Changed]) -> Vec<Effective<'a>> {
        ids.iter().zip(changed).map(|(id, changed)| Effective { id, changed: *changed }).collect()
    }

    fn rows_of(changes: &[Effective], rows: impl Fn(Counted) -> Option<CounterRow>) -> HashMap<Counted, CounterRow> {
        let of = changes.iter().flat_map(Effective::counters).map(|(of, _)| of);
        of.filter_map(|of| Some((of, rows(of)?))).collect()
    }

    /// The sum per stored counter.
    fn sums(added: impl Iterator<Item = ((Counted, Counter), i64)>) -> HashMap<(Counted, Counter), i64> {
        let mut sums = HashMap::new();
        for (of, by) in added {
            *sums.entry(of).or_default() += by;
        }
        sums.retain(|_, by| *by != 0);
        sums
    }

    proptest! {
        #[test]
        fn a_plan_keeps_changes_bounds_and_sums(
            changed in prop::collection::vec(changed(), 0..300),
            with_none in any::<bool>(),
        ) {
            let ids = ids(changed.len());
            let changes = effective(&ids, &changed);
            let rows = rows_of(&changes, |of| match of {
                Counted::Post(_) => Some(CounterRow::Exists),
                Counted::User(user) if with_none => (user.as_uuid().as_u128() % 3 > 0).then_some(CounterRow::Missing),
                Counted::User(_) => Some(CounterRow::Missing),
            });
            let planned = plan(&changes, &rows);
            for planned in &planned {
                let transaction = planned.transaction(&rows, Timestamp::from_millis(1));
                prop_assert!((1..=limits::MAX_TRANSACT).contains(&transaction.len()));
            }
            let mut noted: Vec<&str> =
                planned.iter().flat_map(|planned| &planned.changes).map(|change| change.id).collect();
            noted.sort_unstable();
            let is_counted = |change: &&Effective| change.counters().iter().any(|(of, _)| rows.contains_key(of));
            let mut expected: Vec<&str> = changes.iter().filter(is_counted).map(|change| change.id).collect();
            expected.sort_unstable();
            prop_assert_eq!(noted, expected);
            let written = planned.iter().flat_map(Planned::written);
            let written = written.flat_map(|(of, add)| add.into_iter().map(move |(counter, by)| ((of, counter), by)));
            let counted = changes.iter().flat_map(|change| change.counters().into_iter().map(|of| (of, change.by())));
            prop_assert_eq!(sums(written), sums(counted.filter(|((of, _), _)| rows.contains_key(of))));
        }

        #[test]
        fn twenty_likes_share_a_counter_write(
            counts in prop::collection::vec(20_u8..=250, 1..8),
        ) {
            let likes = |(post, count): (usize, &u8)| {
                (0..*count).map(move |actor| like(actor, u8::try_from(post).unwrap(), true)).collect::<Vec<_>>()
            };
            let changed: Vec<Changed> = counts.iter().enumerate().flat_map(likes).collect();
            let ids = ids(changed.len());
            let changes = effective(&ids, &changed);
            let planned = plan(&changes, &rows_of(&changes, |_| Some(CounterRow::Exists)));
            for (of, count) in counts.iter().enumerate() {
                let counted = Counted::Post(post(of.try_into().unwrap()));
                let written = planned.iter().flat_map(Planned::written).filter(|(of, _)| *of == counted).count();
                prop_assert!(written * 20 <= usize::from(*count), "{written} writes for {count} likes");
            }
        }
    }

    #[test]
    fn changes_that_cancel_out_write_only_the_ledger() {
        let ids = ids(2);
        let changes = effective(&ids, &[like(1, 1, true), like(1, 1, false)]);
        let rows = rows_of(&changes, |_| Some(CounterRow::Missing));
        let planned = plan(&changes, &rows);
        assert_eq!(planned.len(), 1);
        assert_eq!(planned[0].written().count(), 0);
        assert_eq!(planned[0].transaction(&rows, Timestamp::from_millis(1)).len(), 2);
    }
}
