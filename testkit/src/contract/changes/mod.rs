//! The contract of [`ChangeLog`]: one check per fact, on a store and the log of its changes.
//!
//! Shaped by DynamoDB Streams: a check waits for the expected changes and compares each item's changes separately,
//! because no order is promised between items.

mod checks;

use std::{any::Any, collections::BTreeMap, fmt, sync::Arc, time::Duration};

use domain::limits;
use ports::{
    changes::{Change, ChangeLog},
    store::{Attributes, BatchWrite, Changes, Condition, Item, Key, Outcome, Store, Table, Value, Write},
};

contract! {
    $
    /// Makes a test of each check of the change log's contract. The argument is an expression of a future of a
    /// [`ChangesHarness`](crate::contract::changes::ChangesHarness), evaluated once per test.
    changes_contract, changes
    checks {
        a_new_log_is_empty
        puts_updates_and_deletes_have_images
        images_hold_every_kind_of_value
        unconditional_writes_have_old_images
        batches_and_transactions_log_each_write
        a_write_that_changes_nothing_is_no_change
        a_refused_write_is_no_change
        unstreamed_items_have_no_changes
        an_unpassed_change_is_read_again
        a_passed_change_is_not_redelivered
        passing_is_idempotent_and_never_goes_back
        a_read_gives_no_more_than_asked_for
        a_waiting_read_returns_a_new_change
        an_items_changes_keep_the_write_order
        concurrent_writes_of_one_item_make_one_chain
        no_two_changes_have_the_same_id
        an_unpassed_change_survives_a_restart
        a_passed_change_stays_passed_after_a_restart
        ids_are_not_reused_after_a_restart
    }
}

/// A store, and the log of its changes.
pub type Ports = (Arc<dyn Store>, Arc<dyn ChangeLog>);

/// How long a check waits for a change.
const WAIT: Duration = Duration::from_secs(20);
/// The number of concurrent writers.
const WRITERS: usize = 8;
/// A partition whose changes are streamed.
const STREAMED: &str = "POST#p";

/// A log to check.
pub struct ChangesHarness {
    /// The store; its tables are empty.
    pub store: Arc<dyn Store>,
    /// The log of its changes.
    pub log: Arc<dyn ChangeLog>,
    open: Box<dyn Fn() -> Ports + Send>,
    /// Resources that must outlive the ports, such as a temporary directory.
    keep: Vec<Box<dyn Any + Send>>,
}

impl ChangesHarness {
    /// Ports opened by `open`. Called again after the ports were dropped, it must open the same data.
    pub fn new(open: impl Fn() -> Ports + Send + 'static) -> Self {
        let (store, log) = open();
        Self { store, log, open: Box::new(open), keep: Vec::new() }
    }

    /// Keeps a resource alive until the check ends.
    #[must_use]
    pub fn keeping(mut self, thing: impl Any + Send) -> Self {
        self.keep.push(Box::new(thing));
        self
    }

    fn restarted(self) -> Self {
        let Self { store, log, open, keep } = self;
        drop((store, log));
        let (store, log) = open();
        Self { store, log, open, keep }
    }

    async fn write(&self, write: Write) {
        let outcome = self.store.write(Table::Social, write).await.expect("a write passes");
        assert_eq!(outcome, Outcome::Applied);
    }

    async fn read(&self) -> Vec<Change> {
        self.log.read(limits::MAX_CHANGES, WAIT).await.expect("the log is read")
    }

    async fn pass(&self, change: &Change) {
        self.log.pass(change).await.expect("a change is passed");
    }

    /// Reads and passes this many changes; checks that no more follow.
    async fn take(&self, count: usize) -> Vec<Change> {
        let mut taken = Vec::new();
        while taken.len() < count {
            let changes = self.read().await;
            self.pass(changes.last().expect("more changes are pending")).await;
            taken.extend(changes);
        }
        assert_eq!(taken.len(), count, "{taken:?}");
        assert!(self.log.is_empty().await.expect("the log answers"));
        taken
    }
}

impl fmt::Debug for ChangesHarness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChangesHarness").field("store", &self.store).field("log", &self.log).finish_non_exhaustive()
    }
}

fn key(partition: &str, sort: &str) -> Key {
    Key { partition: partition.to_owned(), sort: sort.to_owned() }
}

fn item(sort: &str, n: i64) -> Item {
    Item::new(key(STREAMED, sort)).with("n", n)
}

#[expect(clippy::unnecessary_wraps, reason = "an image is compared with what may be none")]
fn image(n: i64) -> Option<Attributes> {
    Some(item("", n).attributes)
}

fn add_one(sort: &str) -> Write {
    let changes = Changes { add: vec![("n", 1)], ..Changes::default() };
    Write::Update { key: key(STREAMED, sort), changes, condition: Condition::Always }
}

type Images = (Option<Attributes>, Option<Attributes>);

/// The images of each item's changes, in order.
fn by_item(changes: Vec<Change>) -> BTreeMap<String, Vec<Images>> {
    let mut items: BTreeMap<String, Vec<Images>> = BTreeMap::new();
    for change in changes {
        items.entry(change.key.sort).or_default().push((change.before, change.after));
    }
    items
}

fn ids(changes: &[Change]) -> Vec<&str> {
    changes.iter().map(|change| change.id.as_str()).collect()
}
