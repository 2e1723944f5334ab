//! The embedded stores with their change log, without a service.

use std::{sync::Arc, time::Duration};

use domain::IdGenerator;
use embedded::{EmbeddedChanges, EmbeddedStore};
use ports::{
    changes::ChangeLog as _,
    store::{Changes, Condition, Key, Store, Table, Write},
};
use service::changes::{Applied, ChangeService};
use service_testkit::{Embedded, pipeline::START, social_harness::SocialHarness};
use tweeter::recount::{Recount, Recounted, Scope};

/// A separate database with its change log.
pub struct TestDatabase {
    pub store: EmbeddedStore,
    pub log: Arc<EmbeddedChanges>,
    _stores: Embedded,
}

impl TestDatabase {
    /// A new one, at the time [`START`].
    pub fn open() -> Self {
        let stores = Embedded::open();
        Self { store: stores.expiring.clone(), log: Arc::clone(&stores.changes), _stores: stores }
    }

    /// Adds five people.
    pub async fn social(&self) -> SocialHarness {
        SocialHarness::of(5, Arc::new(self.store.clone()), START).await
    }

    /// Applies up to `max` changes of the log to `store`, and passes those that are done.
    pub async fn apply(&self, store: Arc<dyn Store>, max: usize, social: &SocialHarness) {
        let changes = self.log.read(max, Duration::ZERO).await.unwrap();
        let service = ChangeService::new(store, Arc::new(IdGenerator::new()));
        let outcomes = service.apply(&changes, social.now).await;
        let done = outcomes.iter().take_while(|outcome| matches!(outcome, Applied::Done)).count();
        if let Some(last) = changes[..done].last() {
            self.log.pass(last).await.unwrap();
        }
    }

    /// Applies and passes every change.
    pub async fn apply_all(&self, social: &SocialHarness) {
        while !self.log.is_empty().await.unwrap() {
            self.apply(Arc::new(self.store.clone()), 100, social).await;
        }
    }

    /// Runs an operator's recount.
    pub async fn recount(&self, fix: bool, social: &SocialHarness) -> Recounted {
        Recount::new(self.store.clone(), self.log.clone())
            .run(Scope::All { inboxes: true }, fix, social.now)
            .await
            .unwrap()
    }

    /// Changes one attribute of an item, bypassing the service.
    pub async fn plant(&self, key: Key, name: &'static str, value: i64) {
        let mut changes = Changes::default();
        changes.set.insert(name.into(), value.into());
        let write = Write::Update { key, changes, condition: Condition::Always };
        assert!(self.store.write(Table::Social, write).await.unwrap().is_applied());
    }
}
