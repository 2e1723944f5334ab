//! SIGKILL at random instants, and loss of power: what was answered is there, in every follower's feed exactly once.
//!
//! `TWEETER_CRASH_ROUNDS` sets the number of kills (default 20), `TWEETER_CRASH_SEED` the seed of their instants.

use std::{
    collections::{BTreeSet, HashMap},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use crate::support::{ApiClient, Person, process::Server, seams};
use http::{Method, Request};
use http_body_util::Full;
use parking_lot::Mutex;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::json;
use tweeter::{Application, Config, DataDir, Handle};

const FOLLOWERS: usize = 60;

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// A data directory with two authors and their followers.
struct Town {
    dir: tempfile::TempDir,
    authors: [Person; 2],
    followers: Vec<Person>,
    /// The texts of posts that were answered 201, by author.
    accepted: Mutex<[BTreeSet<String>; 2]>,
}

impl Town {
    async fn found(followers: usize) -> Arc<Self> {
        let dir = tempfile::tempdir().unwrap();
        let (handle, client) = open(&dir.path().join("data")).await;
        let authors = [client.register("alice").await, client.register("carol").await];
        let mut people = Vec::new();
        for number in 0..followers {
            let person = client.register(&format!("follower_{number}")).await;
            for author in &authors {
                client.follow(&person, author).await;
            }
            people.push(person);
        }
        handle.stop().await.unwrap();
        Arc::new(Self { dir, authors, followers: people, accepted: Mutex::default() })
    }

    fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// Posts without end, until the service does not answer any more.
    async fn post_until_dead(self: Arc<Self>, client: ApiClient, author: usize, round: u64) {
        for number in 0_u32.. {
            let text = format!("round {round}, post {number}");
            let answered = client.attempt_post(&self.authors[author], &text).await;
            match answered {
                Some(201) => assert!(self.accepted.lock()[author].insert(text)),
                Some(status) => panic!("a post was answered {status}"),
                None => return,
            }
        }
    }

    /// Starts the service and kills it after a while in which both authors post as fast as they can.
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

    /// Every accepted post is in its author's story, every post of a story in every follower's feed, each once.
    async fn assert_whole(&self) -> usize {
        let (handle, client) = open(&self.data_dir()).await;
        handle.drain().await;
        let mut published = BTreeSet::new();
        let accepted = self.accepted.lock().clone();
        for (author, accepted) in self.authors.iter().zip(accepted) {
            let feed = client.whole_feed(author, 100).await;
            let unique: BTreeSet<String> = feed.iter().cloned().collect();
            assert_eq!(unique.len(), feed.len(), "no post is twice in its author's feed");
            let lost: Vec<_> = accepted.iter().filter(|text| !unique.contains(*text)).collect();
            assert!(lost.is_empty(), "answered 201 and lost: {lost:?}");
            published.extend(unique.into_iter().map(|text| format!("{}: {text}", author.handle)));
        }
        for follower in &self.followers {
            let feed = client.whole_feed_with_authors(follower).await;
            let unique: BTreeSet<String> = feed.iter().cloned().collect();
            assert_eq!(unique.len(), feed.len(), "no post is twice in {}'s feed", follower.handle);
            assert_eq!(unique, published, "{}'s feed", follower.handle);
        }
        assert_eq!(client.dead_letters(&handle).await, 0);
        handle.stop().await.unwrap();
        published.len()
    }
}

async fn open(data_dir: &Path) -> (Handle, ApiClient) {
    let config = Config::on_free_port(DataDir::Path(data_dir.to_owned()));
    let handle = Application::build(config, seams()).await.unwrap().spawn();
    let client = ApiClient::new(format!("http://{}", handle.address()));
    (handle, client)
}

impl ApiClient {
    /// The status of an attempt to post; `None` when the service did not answer.
    async fn attempt_post(&self, author: &Person, text: &str) -> Option<u16> {
        let body = json!({ "text": text }).to_string();
        let request = Request::post(format!("{}/v1/posts", self.base))
            .header("authorization", format!("Bearer {}", author.access_token))
            .header("content-type", "application/json")
            .body(Full::from(body))
            .unwrap();
        Some(self.try_send(request).await?.status.as_u16())
    }

    async fn whole_feed_with_authors(&self, reader: &Person) -> Vec<String> {
        let (mut texts, mut query) = (Vec::new(), "?limit=100".to_owned());
        loop {
            let page = self.feed(reader, &query).await.expect(200);
            texts.extend(page.items().iter().map(|post| {
                format!("{}: {}", post["author"]["handle"].as_str().unwrap(), post["text"].as_str().unwrap())
            }));
            match page.next_cursor() {
                None => return texts,
                Some(cursor) => query = format!("?limit=100&cursor={cursor}"),
            }
        }
    }

    async fn dead_letters(&self, handle: &Handle) -> u64 {
        use ports::queue::QueueName;
        let mut count = 0;
        for queue in [QueueName::PostDlq, QueueName::JobDlq, QueueName::ChangeDlq] {
            count += handle.services().queue.depth(queue).await.unwrap().visible;
        }
        count
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_accepted_post_survives_sigkill_at_random_instants() {
    let rounds = setting("TWEETER_CRASH_ROUNDS", 20);
    let seed = setting("TWEETER_CRASH_SEED", 1);
    let mut rng = StdRng::seed_from_u64(seed);
    let town = Town::found(FOLLOWERS).await;
    for round in 0..rounds {
        let after = Duration::from_millis(rng.random_range(1..80));
        town.kill_while_posting(round, after, &[]).await;
    }
    let posts = town.assert_whole().await;
    assert!(posts > 0, "nothing was posted in {rounds} rounds: kill later");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_accepted_post_survives_a_loss_of_power() {
    let mut rng = StdRng::seed_from_u64(setting("TWEETER_CRASH_SEED", 1));
    let mut posts = 0;
    for round in 0..setting("TWEETER_CRASH_ROUNDS", 20).div_ceil(5) {
        // A fresh town each: what a cut journal leaves is a database that was written once.
        let town = Town::found(6).await;
        town.kill_while_posting(round, Duration::from_millis(rng.random_range(20..120)), &["--record-syncs"]).await;
        embedded::cut_to_last_sync(&town.data_dir().join("db")).unwrap();
        posts += town.assert_whole().await;
    }
    assert!(posts > 0, "nothing was posted: cut later");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_answered_write_survives_a_loss_of_power() {
    let town = Town::found(2).await;
    let server = Server::start(&town.data_dir(), &["--record-syncs"]);
    let client = ApiClient::new(format!("http://{}", server.address));
    let [alice, carol] = &town.authors;
    let [stays, leaves] = [&town.followers[0], &town.followers[1]];
    let newcomer = client.register("newcomer").await;
    let refreshed = client.refresh(&newcomer.refresh_token).await.expect(200);
    let first = client.post_with_key(alice, "once", "key").await.expect(201);
    client.follow(&newcomer, alice).await;
    client.unfollow(leaves, carol).await;
    client.logout(stays).await.expect(204);
    tokio::task::spawn_blocking(|| server.stop("KILL")).await.unwrap();
    embedded::cut_to_last_sync(&town.data_dir().join("db")).unwrap();

    let (handle, client) = open(&town.data_dir()).await;
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
    // How many share one is the disk's doing: the faster it syncs, the fewer wait meanwhile.
    assert!(syncs < REQUESTS as u64, "{syncs} syncs for {REQUESTS} answers");
    handle.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_leaves_before_a_sync_that_began_after_its_commit() {
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
