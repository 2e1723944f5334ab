//! `tweeter restore-post`: on an unused database and through a running process.

use std::{path::Path, process::Output, sync::Arc};

use crate::support::process::{Server, tweeter};
use data::{Posts, Users};
use domain::{Bio, Clock, DisplayName, Handle, IdGenerator, Post, PostId, PostText, Profile, User, UserId};
use embedded::EmbeddedStore;
use ports::store::Store;
use service::{posts::PostService, rates::RateLimiter};
use tweeter::{Config, data_dir::open_database};

/// Opens the database of a directory temporarily.
async fn with_store<T>(data_dir: &Path, work: impl AsyncFnOnce(EmbeddedStore) -> T) -> T {
    let (engine, store, queue) = open_database(data_dir, &Config::default(), Clock::System).unwrap();
    let done = work(store).await;
    drop(queue);
    engine.close();
    done
}

/// An author and a post.
async fn publish(store: EmbeddedStore) -> (UserId, PostId) {
    let now = Clock::System.now();
    let user_id = UserId::random();
    let handle = Handle::parse("alice").unwrap();
    let user = User { user_id, display_name: DisplayName::from(&handle), handle, avatar: None };
    let profile = Profile { user, bio: Bio::default(), created_at: now };
    let post_id = IdGenerator::new().next_post_id(now);
    let post = Post { post_id, author_id: user_id, text: PostText::parse("hello").unwrap(), media: Vec::new() };
    let writes = Users::creation(&profile).into_iter().chain(Posts::creation(&post)).collect();
    assert!(store.transact(writes).await.unwrap().is_applied());
    (user_id, post_id)
}

async fn delete(store: EmbeddedStore, author: UserId, post: PostId) {
    PostService::new(Arc::new(store), RateLimiter::off()).delete(author, post, Clock::System.now()).await.unwrap();
}

async fn is_live(store: EmbeddedStore, post: PostId) -> bool {
    PostService::new(Arc::new(store), RateLimiter::off()).live(post).await.is_ok()
}

fn restore(data_dir: &Path, post: &str, more: &[&str]) -> Output {
    tweeter(&[&["restore-post", post, "--data-dir", data_dir.to_str().unwrap()], more].concat()).output().unwrap()
}

#[tokio::test]
async fn a_deleted_post_is_restored_online_and_offline() {
    let dir = tempfile::tempdir().unwrap();
    let (author, post) = with_store(dir.path(), publish).await;
    let id = post.to_string();
    for runs in [false, true] {
        with_store(dir.path(), async |store| delete(store, author, post).await).await;
        let server = runs.then(|| Server::start(dir.path(), &[]));
        let output = restore(dir.path(), &id, &[]);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("{id} is restored\n"));
        if let Some(server) = server {
            assert_eq!(server.stop("TERM").0, Some(0));
        }
        assert!(with_store(dir.path(), async |store| is_live(store, post).await).await, "runs: {runs}");
    }
    with_store(dir.path(), async |store| delete(store, author, post).await).await;
    let output = restore(dir.path(), &id, &["--json"]);
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer, serde_json::json!({ "post": id }));
}

#[tokio::test]
async fn restoring_a_missing_post_fails_with_one_line() {
    let dir = tempfile::tempdir().unwrap();
    let (_, post) = with_store(dir.path(), publish).await;
    for (id, code) in [(post.to_string(), 1), ("018f6a6e-0000-7000-8000-000000000000".to_owned(), 1)] {
        let output = restore(dir.path(), &id, &[]);
        let line = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{line}");
        assert!(line.lines().count() == 1 && line.contains(&id), "{line}");
    }
    assert_eq!(restore(dir.path(), "hello", &[]).status.code(), Some(2));
}
