//! `tweeter recount`: finds no difference after changes were applied through faults, and finds and fixes planted
//! errors.

use std::{path::Path, process::Output, sync::Arc, time::Duration};

use crate::support::{
    database::TestDatabase,
    process::{Server, tweeter},
};
use async_trait::async_trait;
use data::{Notifications, keys};
use domain::Clock;
use ports::{
    changes::{Backlog, Change, ChangeLog},
    store::{Item, Store, StoreError, Table, Write},
};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng as _, rngs::StdRng};
use serde_json::Value;
use service_testkit::social_harness::{Deed, SocialHarness};
use testkit::faults::{FaultyStore, StoreFaults};
use tweeter::{
    Config,
    data_dir::open_database,
    recount::{Difference, Recount, Scope},
};

fn deed(rng: &mut StdRng) -> Deed {
    let mut number = || rng.random_range(0..1_000_usize);
    let (a, b, kind) = (number(), number(), number() % 10);
    match kind {
        0 => Deed::Post(a),
        1 => Deed::Delete(a),
        2 => Deed::Restore(a),
        3 | 4 => Deed::Follow(a, b),
        5 => Deed::Unfollow(a, b),
        6 | 7 => Deed::Like(a, b),
        8 => Deed::Unlike(a, b),
        _ if a % 4 == 0 => Deed::DeleteComment(a),
        _ => Deed::Comment(a, b),
    }
}

/// Random deeds, applied through faults and in different batches each time, until all are done.
async fn lively_database(database: &TestDatabase, seed: u64) -> SocialHarness {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut social = database.social().await;
    let faults = StoreFaults { throttled: 0.1, unavailable_before: 0.05, unavailable_after: 0.1, unprocessed: 0.1 };
    let faulty = Arc::new(FaultyStore::new(Arc::new(database.store.clone()), faults, seed));
    social.does(Deed::Post(0)).await;
    for _ in 0..30 {
        for _ in 0..rng.random_range(0..6) {
            social.does(deed(&mut rng)).await;
        }
        database.apply(faulty.clone(), rng.random_range(1..20), &social).await;
    }
    database.apply_all(&social).await;
    social
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    #[test]
    fn a_recount_finds_only_planted_errors(seed: u64) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let database = TestDatabase::open();
            let mut social = lively_database(&database, seed).await;
            let whole: Arc<dyn Store> = Arc::new(database.store.clone());
            social.assert_settled(&whole, "before").await;
            let recounted = database.recount(false, &social).await;
            assert_eq!((&recounted.differences, recounted.undecided), (&vec![], 0));
            assert_eq!((recounted.users, recounted.posts), (5, social.model.posts().len() as u64));

            let (user, post) = (social.people[0], social.first_post().unwrap());
            for name in ["followers", "following", "posts"] {
                database.plant(keys::user_counts(user), name, 77).await;
            }
            for name in ["likes", "comments"] {
                database.plant(keys::post_counts(post), name, -3).await;
            }
            let found = database.recount(false, &social).await;
            let counts: Vec<&str> = found.differences.iter().map(|it| it.count.as_str()).collect();
            assert_eq!(counts, ["comments", "likes", "followers", "following", "posts"]);
            assert!(!found.is_right());
            let fixed = database.recount(true, &social).await;
            assert!(fixed.is_right() && fixed.differences.iter().all(|it| it.fixed), "{fixed:?}");
            assert_eq!(database.recount(false, &social).await.differences, []);
            social.assert_settled(&whole, "mended").await;
        });
    }
}

#[tokio::test(start_paused = true)]
async fn a_recount_fixes_notifications() {
    let database = TestDatabase::open();
    let mut social = database.social().await;
    for deed in [Deed::Post(0), Deed::Like(1, 0), Deed::Like(2, 0), Deed::Comment(3, 0), Deed::Follow(1, 0)] {
        social.does(deed).await;
    }
    database.apply_all(&social).await;
    let (user, whole) = (social.people[0], Arc::new(database.store.clone()) as Arc<dyn Store>);
    social.assert_settled(&whole, "before").await;
    database.plant(keys::unread(user), "unread", 9).await;
    let difference = |count: &str, found, expected, fixed| Difference {
        of: "user".to_owned(),
        id: user.to_string(),
        count: count.to_owned(),
        found,
        expected,
        fixed,
    };
    assert_eq!(database.recount(false, &social).await.differences, [difference("unread", 9, 4, false)]);
    assert_eq!(database.recount(true, &social).await.differences, [difference("unread", 9, 4, true)]);
    social.assert_settled(&whole, "unread fixed").await;

    let entries = Notifications::new(whole.clone()).page_of_recipient(user, None, 10).await.unwrap().items;
    for entry in &entries[..2] {
        let key = keys::notification(user, entry.notification.notification_id);
        database.plant(key, "undone", 1).await;
    }
    assert_eq!(database.recount(false, &social).await.differences, [difference("misjudged", 2, 0, false)]);
    assert!(database.recount(true, &social).await.is_right());
    assert_eq!(database.recount(false, &social).await.differences, []);
    social.assert_settled(&whole, "hidden ones fixed").await;
    // Later changes apply correctly to the fixed counts.
    social.does(Deed::Delete(0)).await;
    database.apply_all(&social).await;
    social.assert_settled(&whole, "after").await;
    assert_eq!(database.recount(false, &social).await.differences, []);
}

/// A log that always claims to have, or not to have, pending changes.
#[derive(Debug)]
struct Says(bool);

#[async_trait]
impl ChangeLog for Says {
    async fn read(&self, _: usize, _: Duration) -> Result<Vec<Change>, StoreError> {
        Ok(Vec::new())
    }

    async fn pass(&self, _: &Change) -> Result<(), StoreError> {
        Ok(())
    }

    async fn is_empty(&self) -> Result<bool, StoreError> {
        Ok(self.0)
    }

    async fn backlog(&self) -> Result<Backlog, StoreError> {
        Ok(Backlog::default())
    }
}

#[tokio::test(start_paused = true)]
async fn pending_changes_leave_counts_undecided() {
    let database = TestDatabase::open();
    let mut social = database.social().await;
    social.does(Deed::Post(0)).await;
    social.does(Deed::Like(1, 0)).await;
    let recounted = database.recount(true, &social).await;
    assert_eq!((recounted.differences.len(), recounted.undecided), (0, 2), "{recounted:?}");
    assert!(!recounted.is_right());
    database.apply_all(&social).await;
    assert!(database.recount(false, &social).await.is_right());
    // With a log that lies, such changes would be counted twice; this tests only that the log is asked.
    social.does(Deed::Like(2, 0)).await;
    let trusting = Recount::new(database.store.clone(), Arc::new(Says(true)));
    assert_eq!(trusting.run(Scope::All { inboxes: true }, false, social.now).await.unwrap().differences.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn deleted_accounts_have_no_counts() {
    let database = TestDatabase::open();
    let mut social = database.social().await;
    social.does(Deed::Follow(1, 0)).await;
    database.apply_all(&social).await;
    database.plant(keys::profile(social.people[0]), "deleted_at", 5).await;
    database.plant(keys::user_counts(social.people[0]), "followers", 100).await;
    let recounted = database.recount(false, &social).await;
    assert_eq!((recounted.users, &recounted.differences), (4, &vec![]));
}

fn run(args: &[&str], data: &Path) -> (Output, Value) {
    let output = tweeter(args).args(["--json", "--data-dir"]).arg(data).output().unwrap();
    let json = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    (output, json)
}

/// Stores an item in a data directory that no process uses.
async fn put(data: &Path, item: Item) {
    std::fs::create_dir_all(data).unwrap();
    let (engine, store, queue) = open_database(data, &Config::default(), Clock::System).unwrap();
    assert!(store.write(Table::Social, Write::put(item)).await.unwrap().is_applied());
    engine.close();
    drop((engine, store, queue));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_exit_code_reports_differences() {
    for running in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let user = domain::UserId::random();
        put(dir.path(), Item::new(keys::profile(user)).with("handle", "alice")).await;
        put(dir.path(), Item::new(keys::user_counts(user)).with("followers", 3)).await;
        let server = running.then(|| Server::start(dir.path(), &[]));
        let (output, found) = run(&["recount"], dir.path());
        assert_eq!(output.status.code(), Some(1));
        assert_eq!((&found["differences"][0]["found"], &found["differences"][0]["expected"]), (&3.into(), &0.into()));
        let text = tweeter(&["recount", "--data-dir"]).arg(dir.path()).output().unwrap();
        let text = String::from_utf8(text.stdout).unwrap();
        assert!(text.ends_with("1 difference in the counts of all (users: 1, posts: 0)\n"), "{text}");
        let (output, fixed) = run(&["recount", "--fix"], dir.path());
        assert_eq!((output.status.code(), &fixed["differences"][0]["fixed"]), (Some(0), &true.into()));
        let (output, none) = run(&["recount"], dir.path());
        assert_eq!((output.status.code(), &none["differences"]), (Some(0), &Value::Array(Vec::new())));
        drop(server);
    }
}
