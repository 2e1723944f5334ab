//! Pictures in the one process, over HTTP: uploaded, processed, shown, withheld, erased; and SIGKILL in between.

use std::{collections::BTreeSet, path::Path};

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use ports::blobs::Bucket;
use serde_json::{Value, json};
use service_testkit::gallery::photo;

use crate::support::{ApiClient, Person, TestApp, in_time, process::Server};

/// A picture whose processing takes long enough to be killed in the middle.
const LARGE: (u32, u32) = (4_000, 3_000);
/// Kills, each after another number of looks at the picture's progress.
const KILLS: usize = 6;

async fn announce(client: &ApiClient, owner: &Person, bytes: usize) -> Value {
    let body = json!({ "content_type": "image/jpeg", "bytes": bytes, "description": "a crab" });
    client.request(Method::POST, "/v1/media", Some(&owner.access_token), Some(body)).await.expect(201).body
}

/// Sends an upload as its permission says, without a token.
async fn upload(client: &ApiClient, announced: &Value, content: Bytes) {
    let permission = &announced["upload"];
    let mut request = Request::builder().method(Method::PUT).uri(permission["url"].as_str().unwrap());
    for (name, value) in permission["headers"].as_object().unwrap() {
        request = request.header(name, value.as_str().unwrap());
    }
    client.send(request.body(Full::new(content)).unwrap()).await.expect(200);
}

async fn progress(client: &ApiClient, owner: &Person, media: &str) -> Value {
    let path = format!("/v1/media/{media}");
    client.request(Method::GET, &path, Some(&owner.access_token), None).await.expect(200).body
}

async fn picture(app: &TestApp, owner: &Person) -> String {
    let content = photo(800, 600);
    let announced = announce(app, owner, content.len()).await;
    upload(app, &announced, content).await;
    app.drain().await;
    announced["media_id"].as_str().unwrap().to_owned()
}

/// The statuses of the three sizes, without a token.
async fn statuses(client: &ApiClient, urls: &Value) -> BTreeSet<StatusCode> {
    let mut statuses = BTreeSet::new();
    for size in ["original", "medium", "thumbnail"] {
        let request = Request::builder().uri(urls[size].as_str().unwrap());
        statuses.insert(client.send(request.body(Full::default()).unwrap()).await.status);
    }
    statuses
}

const SERVED: [StatusCode; 1] = [StatusCode::OK];
const GONE: [StatusCode; 1] = [StatusCode::NOT_FOUND];

#[tokio::test]
async fn a_followers_feed_shows_a_picture_until_it_is_deleted() {
    let app = TestApp::start().await;
    let [alice, bob] = [app.register("alice").await, app.register("bob").await];
    app.follow(&bob, &alice).await;
    let media = picture(&app, &alice).await;
    let ready = progress(&app, &alice, &media).await;
    assert_eq!((&ready["state"], &ready["width"], &ready["height"]), (&json!("ready"), &json!(800), &json!(600)));
    let post = app.try_post(&alice, json!({ "text": "", "media_ids": [media] })).await.expect(201).body;
    app.drain().await;
    let feed = app.feed(&bob, "").await.expect(200);
    assert_eq!(feed.items()[0]["media"], post["media"]);
    let urls = &feed.items()[0]["media"][0]["urls"];
    assert!(urls["medium"].as_str().unwrap().starts_with(&app.client.base), "{urls}");
    assert_eq!(statuses(&app, urls).await, SERVED.into());
    let path = format!("/v1/posts/{}", post["post_id"].as_str().unwrap());
    app.request(Method::DELETE, &path, Some(&alice.access_token), None).await.expect(204);
    app.drain().await;
    assert_eq!(statuses(&app, urls).await, GONE.into());
    app.stop().await;
}

#[tokio::test]
async fn a_deleted_account_takes_its_pictures_along() {
    let app = TestApp::start().await;
    let alice = app.register("alice").await;
    let media = picture(&app, &alice).await;
    let avatar = json!({ "avatar_media_id": media });
    let edited = app.request(Method::PATCH, "/v1/users/me", Some(&alice.access_token), Some(avatar)).await.expect(200);
    let urls = progress(&app, &alice, &media).await["urls"].clone();
    assert_eq!(edited.body["avatar_url"], urls["medium"]);
    assert_eq!(statuses(&app, &urls).await, SERVED.into());
    let password = json!({ "password": crate::support::PASSWORD });
    app.request(Method::DELETE, "/v1/users/me", Some(&alice.access_token), Some(password)).await.expect(202);
    app.drain().await;
    assert_eq!(statuses(&app, &urls).await, GONE.into());
    app.stop().await;
}

/// The keys of all objects in a data directory, under a bucket's name each.
fn objects(data_dir: &Path) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    for bucket in Bucket::ALL {
        for shard in std::fs::read_dir(data_dir.join("blobs").join(bucket.name())).unwrap() {
            let files = std::fs::read_dir(shard.unwrap().path()).unwrap();
            keys.extend(files.map(|file| file.unwrap().file_name().into_string().unwrap().replace('+', "/")));
        }
    }
    keys
}

/// Waits until a picture is ready. Each look is a request, so that the wait ends as soon as it is.
async fn until_ready(client: &ApiClient, owner: &Person, media: &str) -> Value {
    loop {
        let seen = progress(client, owner, media).await;
        match seen["state"].as_str().unwrap() {
            "ready" => return seen,
            "rejected" => panic!("{seen}"),
            _ => tokio::task::yield_now().await,
        }
    }
}

#[tokio::test]
async fn a_killed_process_finishes_its_picture() {
    let dir = tempfile::tempdir().unwrap();
    let content = photo(LARGE.0, LARGE.1);
    let mut owner = None;
    let mut served = BTreeSet::new();
    for looks in 0..KILLS {
        let server = Server::start(dir.path(), &[]);
        let client = ApiClient::new(format!("http://{}", server.address));
        let alice = match owner.take() {
            None => client.register("alice").await,
            Some(alice) => alice,
        };
        let announced = announce(&client, &alice, content.len()).await;
        upload(&client, &announced, content.clone()).await;
        let media = announced["media_id"].as_str().unwrap();
        for _ in 0..looks * looks * 4 {
            progress(&client, &alice, media).await;
        }
        server.stop("KILL");
        let server = Server::start(dir.path(), &[]);
        let client = ApiClient::new(format!("http://{}", server.address));
        let ready = in_time(until_ready(&client, &alice, media)).await;
        assert_eq!(statuses(&client, &ready["urls"]).await, SERVED.into(), "after {looks} looks");
        for url in ready["urls"].as_object().unwrap().values() {
            let (_, key) = url.as_str().unwrap().split_once("/media/").unwrap();
            served.insert(format!("media/{key}"));
        }
        owner = Some(alice);
        let (_, log) = server.stop("TERM");
        assert!(!log.contains("dead-letter"), "{log}");
        assert_eq!(objects(dir.path()), served, "after {looks} looks");
    }
}
