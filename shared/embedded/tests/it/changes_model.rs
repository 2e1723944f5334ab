//! A reader of the change log that maintains a copy in the same store: after any writes, and wherever the process ends
//! or power is lost, the copy finally equals the original.

use std::time::Duration;

use domain::Timestamp;
use embedded::{EmbeddedChanges, EmbeddedStore, Engine};
use ports::{
    changes::ChangeLog,
    store::{BatchWrite, Changes, Condition, EXPIRES_AT, Item, Key, Store, Table, Write},
};
use proptest::{collection::vec, prelude::*};
use tempfile::TempDir;

use crate::it::{
    durability::{after_power_loss, copy_flat, recording},
    key,
};

const ORIGINAL: &str = "LIKERS#p#0";
const COPY: &str = "COPY#p";
/// Few items, so that writes often collide.
const ITEMS: u8 = 4;

#[derive(Debug, Clone)]
enum Step {
    Write(Act),
    Batch(Vec<Act>),
    Transact(Vec<Act>),
    /// Removes items that expire at or before this second.
    Sweep(u8),
    /// Reads and copies this many changes; passes them, or forgets to.
    Copy(usize, bool),
    Sync,
    /// The process ends: every commit survives.
    Killed,
    /// Power is lost: everything up to the last sync survives.
    PowerLoss,
}

/// A write of one item.
#[derive(Debug, Clone)]
struct Act {
    item: u8,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    Put(i64),
    Expiring(u8),
    Create(i64),
    Add,
    Delete,
    DeletePresent,
}

fn act() -> impl Strategy<Value = Act> {
    let kind = prop_oneof![
        (0_i64..3).prop_map(Kind::Put),
        any::<u8>().prop_map(Kind::Expiring),
        (0_i64..3).prop_map(Kind::Create),
        Just(Kind::Add),
        Just(Kind::Delete),
        Just(Kind::DeletePresent),
    ];
    (0..ITEMS, kind).prop_map(|(item, kind)| Act { item, kind })
}

/// Acts on distinct items, as batches and transactions require.
fn acts() -> impl Strategy<Value = Vec<Act>> {
    vec(act(), 1..4).prop_map(|mut acts| {
        acts.sort_by_key(|act| act.item);
        acts.dedup_by_key(|act| act.item);
        acts
    })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => act().prop_map(Step::Write),
        3 => acts().prop_map(Step::Batch),
        3 => acts().prop_map(Step::Transact),
        2 => any::<u8>().prop_map(Step::Sweep),
        6 => (1_usize..6, any::<bool>()).prop_map(|(count, passes)| Step::Copy(count, passes)),
        2 => Just(Step::Sync),
        1 => Just(Step::Killed),
        1 => Just(Step::PowerLoss),
    ]
}

fn item(number: u8) -> Item {
    Item::new(key(ORIGINAL, &number.to_string()))
}

impl Act {
    fn as_write(&self) -> Write {
        let item = item(self.item);
        match self.kind {
            Kind::Put(n) => Write::put(item.with("n", n)),
            Kind::Expiring(at) => Write::put(item.with(EXPIRES_AT, i64::from(at))),
            Kind::Create(n) => Write::create(item.with("n", n)),
            Kind::Add => {
                let changes = Changes { add: vec![("n", 1)], ..Changes::default() };
                Write::Update { key: item.key, changes, condition: Condition::Always }
            }
            Kind::Delete => Write::delete(item.key),
            Kind::DeletePresent => Write::Delete { key: item.key, condition: Condition::Present },
        }
    }

    fn as_batch_write(&self) -> BatchWrite {
        match self.as_write() {
            Write::Put { item, .. } => BatchWrite::Put(item),
            Write::Update { key, .. } | Write::Delete { key, .. } | Write::Check { key, .. } => BatchWrite::Delete(key),
        }
    }
}

struct TestDatabase {
    store: EmbeddedStore,
    log: EmbeddedChanges,
    /// Removed last, after the engine is closed.
    folder: TempDir,
}

impl TestDatabase {
    fn open(folder: TempDir) -> Self {
        let engine = Engine::open(recording(folder.path())).expect("an engine");
        Self { store: EmbeddedStore::new(engine.clone()), log: EmbeddedChanges::new(engine), folder }
    }

    async fn take(self, step: Step) -> Self {
        match step {
            // The outcome of the condition is irrelevant here.
            Step::Write(act) => drop(self.store.write(Table::Social, act.as_write()).await.expect("written")),
            Step::Transact(acts) => {
                let writes = acts.iter().map(|act| (Table::Social, act.as_write())).collect();
                drop(self.store.transact(writes).await.expect("written"));
            }
            Step::Batch(acts) => {
                let writes: Vec<_> = acts.iter().map(Act::as_batch_write).collect();
                assert_eq!(self.store.batch_write(Table::Social, &writes).await.expect("written"), []);
            }
            Step::Sweep(at) => {
                let now = Timestamp::from_millis(u64::from(at) * 1_000);
                self.store.sweep_expired(now).await.expect("swept");
            }
            Step::Copy(count, passes) => self.copy(count, passes).await,
            Step::Sync => self.store.durable().await.expect("synced"),
            Step::Killed => {
                let left = tempfile::tempdir().expect("a folder");
                copy_flat(self.folder.path(), left.path());
                return Self::open(left);
            }
            Step::PowerLoss => return Self::open(after_power_loss(self.folder.path())),
        }
        self
    }

    async fn copy(&self, count: usize, passes: bool) {
        let changes = self.log.read(count, Duration::ZERO).await.expect("read");
        for change in &changes {
            let copy = Key { partition: COPY.to_owned(), ..change.key.clone() };
            let write = match change.after.clone() {
                // Keeps the sweep from removing the copy.
                Some(mut attributes) => {
                    let expiry = attributes.remove(EXPIRES_AT);
                    attributes.extend(expiry.map(|at| ("expiry".into(), at)));
                    Write::put(Item { key: copy, attributes })
                }
                None => Write::delete(copy),
            };
            assert!(self.store.write(Table::Social, write).await.expect("written").is_applied());
        }
        if let Some(last) = changes.last().filter(|_| passes) {
            self.log.pass(last).await.expect("passed");
        }
    }

    async fn items(&self, partition: &str) -> Vec<(String, String)> {
        let items = self.store.scan(Table::Social, None, 100).await.expect("scanned");
        let items = items.into_iter().filter(|item| item.key.partition == partition);
        items.map(|item| (item.key.sort, format!("{:?}", item.attributes).replace(EXPIRES_AT, "expiry"))).collect()
    }
}

async fn run(steps: Vec<Step>) {
    let mut database = TestDatabase::open(tempfile::tempdir().expect("a folder"));
    for step in steps {
        database = database.take(step).await;
    }
    while !database.log.is_empty().await.expect("it answers") {
        database.copy(3, true).await;
    }
    assert_eq!(database.items(COPY).await, database.items(ORIGINAL).await);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 20, ..ProptestConfig::default() })]
    #[test]
    fn the_logs_copy_equals_the_original(steps in vec(step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(run(steps));
    }
}
