//! The contract of [`ChangeLog`]: one check per fact, on a store and the log of what is written to it.
//!
//! Shaped by DynamoDB Streams: a check waits for what must come, and looks at each item's changes by themselves, as
//! between items no order is promised.

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
        a_put_an_update_and_a_delete_have_their_images
        every_kind_of_value_is_in_an_image
        unconditional_writes_have_their_old_images_too
        a_batch_and_a_transaction_log_each_of_their_writes
        a_write_that_changes_nothing_is_no_change
        a_refused_write_is_no_change
        items_that_are_not_streamed_have_no_changes
        what_is_not_passed_is_read_again_and_the_same
        what_is_passed_does_not_come_again
        passing_again_or_something_older_passes_nothing_more
        a_read_gives_no_more_than_asked_for
        a_read_that_waits_gets_what_is_written_meanwhile
        an_items_changes_come_in_the_order_of_its_writes
        concurrent_writes_of_one_item_make_one_chain
        no_two_changes_have_the_same_id
        what_is_not_passed_is_there_after_a_restart
        what_is_passed_stays_away_after_a_restart
        ids_are_not_given_again_after_a_restart
    }
}

/// A store, and the log of its changes.
pub type Ports = (Arc<dyn Store>, Arc<dyn ChangeLog>);

/// How long a check waits for a change.
const WAIT: Duration = Duration::from_secs(20);
/// How many writers there are at once.
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
    /// What must live as long as both, such as a temporary directory.
    keep: Vec<Box<dyn Any + Send>>,
}

impl ChangesHarness {
    /// Ports that `open` opens; called again after the ports were dropped, it opens the same data.
    pub fn new(open: impl Fn() -> Ports + Send + 'static) -> Self {
        let (store, log) = open();
        Self { store, log, open: Box::new(open), keep: Vec::new() }
    }

    /// Keeps something until the check is over.
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

    /// Reads and passes until there were this many; then there is no more.
    async fn take(&self, count: usize) -> Vec<Change> {
        let mut taken = Vec::new();
        while taken.len() < count {
            let changes = self.read().await;
            self.pass(changes.last().expect("there are more to come")).await;
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

/// The images of each item's changes, in their order.
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
