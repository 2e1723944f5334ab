//! SIGKILL at random instants and power loss: every acknowledged post is stored, and is in every follower's feed
//! exactly once.
//!
//! `TWEETER_CRASH_ROUNDS` sets the number of kills (default 20), `TWEETER_CRASH_SEED` the seed of their instants.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use crate::support::{
    ApiClient, Person,
    crash_oracle::{assert_feed, assert_no_dead_letters, open},
    process::Server,
};
use domain::{PostId, UserId};
use http::Method;
use parking_lot::Mutex;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};
use testkit::social::{Action, Facts, SocialModel};

const FOLLOWERS: usize = 60;

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// A data directory with two authors and their followers.
struct Audience {
    dir: tempfile::TempDir,
    authors: [Person; 2],
    followers: Vec<Person>,
    model: Mutex<SocialModel>,
}

impl Audience {
    async fn found(followers: usize) -> Arc<Self> {
        let dir = tempfile::tempdir().unwrap();
        let (handle, client) = open(&dir.path().join("data")).await;
        let authors = [client.register("alice").await, client.register("carol").await];
        let (mut people, mut model) = (Vec::new(), SocialModel::default());
        for number in 0..followers {
            let person = client.register(&format!("follower_{number}")).await;
            for author in &authors {
                client.follow(&person, author).await;
                model.apply(Action::Follow(person.id(), author.id()));
            }
            people.push(person);
        }
        handle.stop().await.unwrap();
        Arc::new(Self { dir, authors, followers: people, model: Mutex::new(model) })
    }

    fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// Posts until the service stops answering.
    async fn post_until_dead(self: Arc<Self>, client: ApiClient, author: usize, round: u64) {
        let author = &self.authors[author];
        for number in 0_u32.. {
            let text = format!("round {round}, post {number}");
            self.model.lock().attempt_post(author.id(), &text);
            let answer = client.attempt(Method::POST, "/v1/posts", author, Some(json!({ "text": text }))).await;
            let Some(answer) = answer else { return };
            let post = answer.expect(201).body["post_id"].as_str().unwrap().parse().unwrap();
            self.model.lock().confirm_post(author.id(), &text, post);
        }
    }

    /// Starts the service and kills it after a while, during which both authors post as fast as they can.
    async fn kill_while_posting(self: &Arc<Self>, round: u64, after: Duration, more: &[&str]) {
        let server = Server::start(&self.data_dir(), more);
        let client = ApiClient::new(format!("http://{}", server.address));
        let posting = [0, 1].map(|author| tokio::spawn(self.clone().post_until_dead(client.clone(), author, round)));
        tokio::time::sleep(after).await;
        tokio::task::spawn_blocking(|| server.stop("KILL")).await.unwrap();
        for task in posting {
            task.await.unwrap();
        }
    }

    /// Asserts that every accepted post is once in its author's story, and every post of a story once in every
    /// follower's feed.
    async fn assert_whole(&self) -> usize {
        let (handle, client) = open(&self.data_dir()).await;
        handle.drain().await;
        let mut shown = Facts::default();
        for author in &self.authors {
            shown.posts.extend(story(&client, author).await);
            shown.follows.extend(self.followers.iter().map(|follower| (follower.id(), author.id())));
        }
        let mut model = std::mem::take(&mut *self.model.lock());
        model.resolve(&shown);
        for reader in self.authors.iter().chain(&self.followers) {
            assert_feed(&client, &model, reader).await;
        }
        assert_no_dead_letters(&handle).await;
        handle.stop().await.unwrap();
        model.posts().len()
    }
}

/// An author's posts, with their texts.
async fn story(client: &ApiClient, author: &Person) -> Vec<(PostId, (UserId, String))> {
    let posts = client.whole_list(author, "/v1/users/me/posts", 100).await;
    let text = |post: &Value, name: &str| post[name].as_str().unwrap().to_owned();
    posts.iter().map(|post| (text(post, "post_id").parse().unwrap(), (author.id(), text(post, "text")))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_accepted_post_survives_sigkill_at_random_instants() {
    let rounds = setting("TWEETER_CRASH_ROUNDS", 20);
    let seed = setting("TWEETER_CRASH_SEED", 1);
    let mut rng = StdRng::seed_from_u64(seed);
    let audience = Audience::found(FOLLOWERS).await;
    for round in 0..rounds {
        let after = Duration::from_millis(rng.random_range(1..80));
        audience.kill_while_posting(round, after, &[]).await;
    }
    let posts = audience.assert_whole().await;
    assert!(posts > 0, "nothing was posted in {rounds} rounds: kill later");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_accepted_post_survives_a_power_loss() {
    let mut rng = StdRng::seed_from_u64(setting("TWEETER_CRASH_SEED", 1));
    let mut posts = 0;
    for round in 0..setting("TWEETER_CRASH_ROUNDS", 20).div_ceil(5) {
        // A new database each time: a truncated journal models a database that was written only once.
        let audience = Audience::found(6).await;
        audience.kill_while_posting(round, Duration::from_millis(rng.random_range(20..120)), &["--record-syncs"]).await;
        embedded::cut_to_last_sync(&audience.data_dir().join("db")).unwrap();
        posts += audience.assert_whole().await;
    }
    assert!(posts > 0, "nothing was posted: cut later");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_acknowledged_write_survives_a_power_loss() {
    let audience = Audience::found(2).await;
    let server = Server::start(&audience.data_dir(), &["--record-syncs"]);
    let client = ApiClient::new(format!("http://{}", server.address));
    let [alice, carol] = &audience.authors;
    let [stays, leaves] = [&audience.followers[0], &audience.followers[1]];
    let newcomer = client.register("newcomer").await;
    let refreshed = client.refresh(&newcomer.refresh_token).await.expect(200);
    let first = client.post_with_key(alice, "once", "key").await.expect(201);
    client.follow(&newcomer, alice).await;
    client.unfollow(leaves, carol).await;
    client.logout(stays).await.expect(204);
    tokio::task::spawn_blocking(|| server.stop("KILL")).await.unwrap();
    embedded::cut_to_last_sync(&audience.data_dir().join("db")).unwrap();

    let (handle, client) = open(&audience.data_dir()).await;
    assert_eq!(client.following(&newcomer, "me", "").await.expect(200).items().len(), 1);
    assert_eq!(client.following(leaves, "me", "").await.expect(200).items().len(), 1);
    let again = client.post_with_key(alice, "once", "key").await.expect(201);
    assert_eq!(again.body["post_id"], first.body["post_id"]);
    client.refresh(refreshed.body["refresh_token"].as_str().unwrap()).await.expect(200);
    client.refresh(&stays.refresh_token).await.expect(401);
    handle.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_requests_share_a_sync() {
    const REQUESTS: usize = 200;
    let dir = tempfile::tempdir().unwrap();
    let (handle, client) = open(dir.path()).await;
    let author = client.register("alice").await;
    let before = handle.engine().unwrap().sync_count();
    let answered = AtomicUsize::new(0);
    let posts = (0..REQUESTS).map(|number| {
        let (client, author, answered) = (&client, &author, &answered);
        async move {
            client.try_post(author, json!({ "text": format!("{number}") })).await.expect(201);
            answered.fetch_add(1, Ordering::Relaxed);
        }
    });
    futures::future::join_all(posts).await;
    let syncs = handle.engine().unwrap().sync_count() - before;
    assert_eq!(answered.load(Ordering::Relaxed), REQUESTS);
    assert!(syncs >= 1, "an answer was sent without a sync");
    // How many share one depends on the disk: the faster it syncs, the fewer requests wait meanwhile.
    assert!(syncs < REQUESTS as u64, "{syncs} syncs for {REQUESTS} answers");
    handle.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_response_precedes_the_sync_of_its_commit() {
    let dir = tempfile::tempdir().unwrap();
    let (handle, client) = open(dir.path()).await;
    let [alice, bob] = [client.register("alice").await, client.register("bob").await];
    let mut syncs_of = HashMap::new();
    let mut last = handle.engine().unwrap().sync_count();
    for (kind, path, method, body) in [
        ("post", "/v1/posts", Method::POST, Some(json!({ "text": "x" }))),
        ("follow", "/v1/users/@alice/follow", Method::PUT, None),
        ("unfollow", "/v1/users/@alice/follow", Method::DELETE, None),
        ("refresh", "/v1/auth/refresh", Method::POST, Some(json!({ "refresh_token": bob.refresh_token }))),
        ("logout", "/v1/auth/logout", Method::POST, Some(json!({ "refresh_token": alice.refresh_token }))),
    ] {
        let person = if kind == "logout" { &alice } else { &bob };
        let answer = client.request(method, path, Some(&person.access_token), body).await;
        assert!(answer.status.is_success(), "{kind}: {answer:?}");
        let now = handle.engine().unwrap().sync_count();
        syncs_of.insert(kind, now - last);
        last = now;
    }
    assert!(syncs_of.values().all(|syncs| *syncs >= 1), "{syncs_of:?}");
    handle.stop().await.unwrap();
}
