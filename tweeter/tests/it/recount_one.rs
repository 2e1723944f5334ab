//! Recounts on both stores: of one user or post, of everything, and beside other writes.

use std::sync::Arc;

use crate::support::database::TestDatabase;
use async_trait::async_trait;
use data::{Notifications, keys};
use domain::{Act, ActKind, IdGenerator, InboxEntry, Notification, UserId};
use ports::store::{Changes, Condition, Item, Key, Store, StoreError, Table, Value, Write};
use rstest::rstest;
use service::changes::{Applied, ChangeService};
use service_testkit::{
    pipeline::START,
    social_harness::{Deed, SocialHarness},
};
use testkit::engines;
use tokio::sync::Mutex;
use tweeter::recount::{Difference, Recount, Recounted, Scope, settle::Settle};

#[derive(Debug, Clone, Copy)]
enum Kind {
    Embedded,
    Aws,
}

/// A social on one of the stores, and its recount.
struct Place {
    store: Arc<dyn Store>,
    social: Arc<Mutex<SocialHarness>>,
    recount: Recount,
    _home: Option<TestDatabase>,
}

/// Applies earlier changes, then makes new ones, so that as many as possible are pending.
#[derive(Debug)]
struct Busy {
    store: Arc<dyn Store>,
    social: Arc<Mutex<SocialHarness>>,
    deeds: Vec<Deed>,
}

#[async_trait]
impl Settle for Busy {
    async fn is_settled(&self) -> Result<bool, StoreError> {
        Ok(true)
    }

    async fn pause(&self) {
        let mut social = self.social.lock().await;
        apply(&self.store, &social).await;
        for deed in &self.deeds {
            social.does(*deed).await;
        }
    }

    fn rounds(&self) -> usize {
        5
    }
}

async fn apply(store: &Arc<dyn Store>, social: &SocialHarness) {
    let changes = social.store.take_changes();
    let service = ChangeService::new(Arc::clone(store), Arc::new(IdGenerator::new()));
    for batch in changes.chunks(100) {
        let outcomes = service.apply(batch, social.now).await;
        assert!(outcomes.iter().all(|outcome| matches!(outcome, Applied::Done)), "{outcomes:?}");
    }
}

impl Place {
    async fn of(kind: Kind) -> Self {
        Self::busy_with(kind, Vec::new()).await
    }

    /// A place where people do these deeds between two checks.
    async fn busy_with(kind: Kind, deeds: Vec<Deed>) -> Self {
        match kind {
            Kind::Embedded => {
                let database = TestDatabase::open();
                let store = database.store.clone();
                Self { _home: Some(database), ..Self::on(store, 1, deeds).await }
            }
            Kind::Aws => Self::on(engines::dynamo().await.store(), 3, deeds).await,
        }
    }

    async fn on<S: Store + ports::store::TableScan + Clone>(inner: S, segments: u32, deeds: Vec<Deed>) -> Self {
        let store: Arc<dyn Store> = Arc::new(inner.clone());
        let social = Arc::new(Mutex::new(SocialHarness::of(5, Arc::clone(&store), START).await));
        let settle = Busy { store: Arc::clone(&store), social: Arc::clone(&social), deeds };
        Self { recount: Recount::on(inner, segments, None, Arc::new(settle)), store, social, _home: None }
    }

    async fn does(&self, deeds: &[Deed]) {
        let mut social = self.social.lock().await;
        for deed in deeds {
            social.does(*deed).await;
        }
        apply(&self.store, &social).await;
    }

    async fn recount(&self, scope: Scope, fix: bool) -> Recounted {
        self.recount.run(scope, fix, START).await.unwrap()
    }

    async fn set(&self, key: Key, name: &'static str, value: impl Into<Value>) {
        let mut changes = Changes::default();
        changes.set.insert(name.into(), value.into());
        let write = Write::Update { key, changes, condition: Condition::Always };
        assert!(self.store.write(Table::Social, write).await.unwrap().is_applied());
    }

    async fn assert_settled(&self, when: &str) {
        self.social.lock().await.assert_settled(&self.store, when).await;
    }
}

fn names(recounted: &Recounted) -> Vec<&str> {
    recounted.differences.iter().map(|difference| difference.count.as_str()).collect()
}

const LIVELY: [Deed; 7] = [
    Deed::Post(0),
    Deed::Post(0),
    Deed::Follow(1, 0),
    Deed::Follow(2, 0),
    Deed::Like(1, 0),
    Deed::Comment(2, 0),
    Deed::Follow(0, 3),
];
const ALL: Scope = Scope::All { inboxes: true };

#[rstest]
#[tokio::test]
async fn one_user_or_post_is_recounted(#[values(Kind::Embedded, Kind::Aws)] kind: Kind) {
    let place = Place::of(kind).await;
    place.does(&LIVELY).await;
    let social = place.social.lock().await;
    let (user, other, post) = (social.people[0], social.people[3], social.first_post().unwrap());
    drop(social);
    assert!(place.recount(ALL, false).await.is_right());
    for (of, name) in [(user, "followers"), (user, "following"), (user, "posts"), (other, "followers")] {
        place.set(keys::user_counts(of), name, 77).await;
    }
    place.set(keys::unread(user), "unread", 9).await;
    for name in ["likes", "comments"] {
        place.set(keys::post_counts(post), name, -3).await;
    }
    let found = place.recount(Scope::User(user), false).await;
    assert_eq!(names(&found), ["followers", "following", "posts", "unread"]);
    assert!(found.differences.iter().all(|it| it.id == user.to_string() && !it.fixed), "{found:?}");
    assert!(place.recount(Scope::User(user), true).await.is_right());
    assert_eq!(names(&place.recount(ALL, false).await), ["comments", "likes", "followers"]);
    let fixed = place.recount(Scope::Post(post), true).await;
    assert_eq!((names(&fixed), fixed.is_right()), (vec!["comments", "likes"], true));
    assert!(place.recount(ALL, true).await.is_right());
    place.assert_settled("fixed").await;
}

#[rstest]
#[tokio::test]
async fn writes_between_checks_are_not_a_difference(#[values(Kind::Embedded, Kind::Aws)] kind: Kind) {
    let deeds = vec![Deed::Like(3, 0), Deed::Unlike(1, 0), Deed::Follow(4, 0), Deed::Comment(1, 0), Deed::Post(0)];
    let place = Place::busy_with(kind, deeds.clone()).await;
    place.does(&LIVELY).await;
    // Pending during the first check.
    let mut social = place.social.lock().await;
    for deed in deeds {
        social.does(deed).await;
    }
    drop(social);
    let recounted = place.recount(ALL, true).await;
    assert_eq!(recounted.differences, [], "{recounted:?}");
    place.does(&[]).await;
    place.assert_settled("no correct count was changed").await;
}

#[rstest]
#[tokio::test]
async fn an_error_is_fixed_while_others_write(#[values(Kind::Embedded, Kind::Aws)] kind: Kind) {
    let place = Place::busy_with(kind, vec![Deed::Post(1), Deed::Like(3, 1), Deed::Unlike(3, 1)]).await;
    place.does(&LIVELY).await;
    let user = place.social.lock().await.people[0];
    place.set(keys::user_counts(user), "following", 5).await;
    let fixed = place.recount(Scope::User(user), true).await;
    assert_eq!((names(&fixed), fixed.is_right()), (vec!["following"], true));
    place.does(&[]).await;
    place.assert_settled("fixed").await;
}

#[rstest]
#[tokio::test]
async fn unreadable_items_are_reported_and_the_rest_fixed(#[values(Kind::Embedded, Kind::Aws)] kind: Kind) {
    let place = Place::of(kind).await;
    place.does(&LIVELY).await;
    let user = place.social.lock().await.people[0];
    let newest = Notifications::new(Arc::clone(&place.store)).page_of_recipient(user, None, 1).await.unwrap().items[0];
    place.set(keys::notification(user, newest.notification.notification_id), "kind", "poke").await;
    let broken = Item::new(Key { partition: "COUNTS#nobody".to_owned(), sort: "COUNTS".to_owned() });
    assert!(place.store.write(Table::Social, Write::put(broken)).await.unwrap().is_applied());
    place.set(keys::user_counts(user), "followers", 5).await;
    let difference = |of: &str, id: &str, found| Difference {
        of: of.to_owned(),
        id: id.to_owned(),
        count: "unreadable".to_owned(),
        found,
        expected: 0,
        fixed: false,
    };
    let fixed = place.recount(ALL, true).await;
    let unreadable: Vec<_> = fixed.differences.iter().filter(|it| it.count == "unreadable").cloned().collect();
    assert_eq!(unreadable, [difference("item", "COUNTS#nobody COUNTS", 1), difference("user", &user.to_string(), 1)]);
    assert!(!fixed.is_right() && fixed.differences.iter().any(|it| it.count == "followers" && it.fixed), "{fixed:?}");
    assert_eq!(names(&place.recount(ALL, false).await), ["unreadable"; 2]);
}

#[rstest]
#[tokio::test]
async fn a_long_inbox_is_fixed_page_by_page(#[values(Kind::Embedded, Kind::Aws)] kind: Kind) {
    const ENTRIES: i64 = 230;
    let place = Place::of(kind).await;
    let (user, ids) = (place.social.lock().await.people[0], IdGenerator::new());
    for _ in 0..ENTRIES {
        let notification_id = ids.next_notification_id(START);
        let act = Act { actor_id: UserId::random(), kind: ActKind::Follow(user) };
        let notification = Notification { notification_id, recipient_id: user, act };
        let put = Notifications::put(&InboxEntry { notification, undone: false, post_gone: false });
        assert!(place.store.transact(put.into_iter().collect()).await.unwrap().is_applied());
    }
    // None of these people follows: there is no notification, and none is unread.
    let found = place.recount(Scope::User(user), true).await;
    assert_eq!(names(&found), ["misjudged"]);
    assert_eq!((found.differences[0].found, found.is_right()), (ENTRIES, true));
    assert_eq!(place.recount(Scope::User(user), false).await.differences, []);
    place.assert_settled("fixed").await;
}
