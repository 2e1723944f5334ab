//! Pictures through the API: shapes, statuses, and who sees what. Their processing and erasure are tested below HTTP.

use std::{sync::Arc, time::Duration};

use crate::it::support::{PASSWORD, TestApi, request};
use bytes::Bytes;
use data::keys::blobs::upload;
use domain::limits;
use http::Method;
use image::{RgbImage, codecs::jpeg::JpegEncoder};
use ports::blobs::{Blob, Bucket};
use serde_json::{Value, json};
use service::media::{files::PictureFiles, processing::ProcessingService};

const UNKNOWN: &str = "0198c0de-0000-7000-8000-000000000001";

fn photo() -> Bytes {
    let mut jpeg = Vec::new();
    JpegEncoder::new(&mut jpeg).encode_image(&RgbImage::from_pixel(8, 6, image::Rgb([200, 80, 40]))).unwrap();
    jpeg.into()
}

async fn announce(api: &TestApi, token: &str, bytes: usize) -> Value {
    let body = json!({"content_type": "image/jpeg", "bytes": bytes, "description": "a crab"});
    api.post("/v1/media", Some(token), &body).await.is(201).json()
}

/// Stores and processes an upload, as object storage and media-handler do.
async fn send(api: &TestApi, media: &str, content: Bytes) {
    let media = media.parse().unwrap();
    let blob = Blob { body: content, content_type: "image/jpeg".to_owned() };
    api.blobs.put(Bucket::Uploads, &upload(media), blob).await.unwrap();
    let processing = ProcessingService::new(Arc::clone(&api.store), PictureFiles::new(Some(Arc::clone(&api.blobs))));
    let make = |upload: Bytes, announced| async move { Ok(pictures::process(&upload, announced)) };
    processing.process(media, make).await.unwrap();
}

/// A picture that is ready.
async fn picture(api: &TestApi, token: &str) -> String {
    let content = photo();
    let media = announce(api, token, content.len()).await["media_id"].as_str().unwrap().to_owned();
    send(api, &media, content).await;
    media
}

fn path(media: &str) -> String {
    format!("/v1/media/{media}")
}

/// A body with the parts that differ between runs replaced.
fn redacted(mut body: Value, media: &str) -> Value {
    let text = body.take().to_string().replace(media, "[media]");
    let mut parts = text.split("/media/");
    let first = parts.next().unwrap().to_owned();
    let redacted = parts.fold(first, |text, part| format!("{text}/media/[token]{}", &part[32..]));
    serde_json::from_str(&redacted).unwrap()
}

#[tokio::test]
async fn announcing_permits_one_upload() {
    let api = TestApi::start();
    let token = api.token_of("alice").await;
    let announced = announce(&api, &token, 5).await;
    let upload = &announced["upload"];
    assert_eq!(upload["method"], "PUT");
    let media = announced["media_id"].as_str().unwrap();
    assert!(upload["url"].as_str().unwrap().contains(&format!("/uploads/{media}?")), "{upload}");
    assert_eq!(upload["headers"], json!({"content-type": "image/jpeg", "content-length": "5"}));
    let expires_at = api.clock.now().plus(limits::UPLOAD_TTL).to_string();
    assert_eq!(upload["expires_at"].as_str().unwrap()[..19], expires_at[..19]);
    let waiting = api.get(&path(media), &token).await.is(200).json();
    insta::assert_json_snapshot!("an_awaited_picture", redacted(waiting, media));
}

#[tokio::test]
async fn an_announcement_is_validated() {
    let api = TestApi::start();
    let token = api.token_of("alice").await;
    let good =
        json!({"content_type": "image/webp", "bytes": limits::MAX_UPLOAD_BYTES, "description": "x".repeat(1_500)});
    api.post("/v1/media", Some(&token), &good).await.is(201);
    let as_a_float = json!({"content_type": "image/webp", "bytes": 262_144.0});
    api.post("/v1/media", Some(&token), &as_a_float).await.is(201);
    for (field, value) in [
        ("content_type", json!("image/gif")),
        ("content_type", json!("image/jpeg; q=1")),
        ("content_type", json!(null)),
        ("bytes", json!(0)),
        ("bytes", json!(-1)),
        ("bytes", json!(10_485_761)),
        ("bytes", json!(5.5)),
        ("bytes", json!("5")),
        ("description", json!("x".repeat(1_501))),
        ("description", json!("bell\u{7}")),
        ("description", json!(null)),
        ("name", json!("crab.jpg")),
    ] {
        let mut body = good.clone();
        body[field] = value.clone();
        let refused = api.post("/v1/media", Some(&token), &body).await.problem(422, "invalid");
        assert_eq!(refused.fields(), [field], "{value}");
    }
    api.post("/v1/media", None, &good).await.problem(401, "unauthenticated");
}

#[tokio::test]
async fn a_post_shows_pictures_wherever_it_is_shown() {
    let api = TestApi::start();
    let (alice, bob) = (api.token_of("alice").await, api.token_of("bob").await);
    let media = picture(&api, &alice).await;
    let ready = api.get(&path(&media), &alice).await.is(200).json();
    insta::assert_json_snapshot!("a_ready_picture", redacted(ready, &media));
    let body = json!({"text": "", "media_ids": [media]});
    let post = api.post("/v1/posts", Some(&alice), &body).await.is(201).json();
    insta::assert_json_snapshot!("the_media_of_a_post", redacted(post["media"].clone(), &media));
    let id = post["post_id"].as_str().unwrap();
    assert_eq!(api.get(&format!("/v1/posts/{id}"), &bob).await.json()["media"], post["media"]);
    for list in ["/v1/feed", "/v1/users/me/posts"] {
        assert_eq!(api.get(list, &alice).await.json()["items"][0]["media"], post["media"], "{list}");
    }
    let export = api.get("/v1/users/me/export?limit=100", &alice).await.json();
    let kinds = |kind: &str| {
        let items = export["items"].as_array().unwrap().iter();
        items.filter(|item| item["kind"] == kind).cloned().collect::<Vec<_>>()
    };
    assert_eq!(kinds("post")[0]["media"], post["media"]);
    let exported = &kinds("media")[0];
    assert_eq!((&exported["media_id"], &exported["post_id"]), (&json!(media), &json!(id)));
    assert_eq!(exported["urls"], post["media"][0]["urls"]);
    assert_eq!((&exported["bytes"], &exported["state"]), (&json!(photo().len()), &json!("ready")));
}

#[tokio::test]
async fn a_picture_is_its_owners_until_it_is_posted() {
    let api = TestApi::start();
    let (alice, bob) = (api.token_of("alice").await, api.token_of("bob").await);
    let media = picture(&api, &alice).await;
    let description = json!({"description": "mine"});
    for hidden in [&media, UNKNOWN, "x"] {
        api.get(&path(hidden), &bob).await.problem(404, "not-found");
        api.patch(&path(hidden), Some(&bob), &description).await.problem(404, "not-found");
        if hidden != "x" {
            let post = json!({"text": "stolen", "media_ids": [hidden]});
            let refused = api.post("/v1/posts", Some(&bob), &post).await.problem(422, "invalid");
            assert_eq!(refused.fields(), ["media_ids"]);
            let avatar = json!({"avatar_media_id": hidden});
            let refused = api.patch("/v1/users/me", Some(&bob), &avatar).await.problem(422, "invalid");
            assert_eq!(refused.fields(), ["avatar_media_id"]);
        }
    }
    let described = api.patch(&path(&media), Some(&alice), &description).await.is(200).json();
    assert_eq!(described["description"], "mine");
    let post = json!({"text": "", "media_ids": [media]});
    let post = api.post("/v1/posts", Some(&alice), &post).await.is(201).text_of("post_id");
    assert_eq!(api.get(&path(&media), &bob).await.is(200).json()["description"], "mine");
    api.patch(&path(&media), Some(&bob), &description).await.problem(403, "forbidden");
    let refused = api.patch(&path(&media), Some(&alice), &description).await.problem(409, "media-in-use");
    assert_eq!(refused.fields(), ["description"]);
    api.bare(Method::DELETE, &format!("/v1/posts/{post}"), Some(&alice)).await.is(204);
    api.get(&path(&media), &bob).await.problem(404, "not-found");
}

#[tokio::test]
async fn media_must_be_ready_and_unused() {
    let api = TestApi::start();
    let alice = api.token_of("alice").await;
    let waiting = announce(&api, &alice, 5).await["media_id"].clone();
    let rejected = announce(&api, &alice, 5).await["media_id"].as_str().unwrap().to_owned();
    send(&api, &rejected, Bytes::from_static(b"hello")).await;
    let reason = "a file of this type cannot be used; send a JPEG, PNG or WebP picture";
    assert_eq!(api.get(&path(&rejected), &alice).await.json()["reason"], reason);
    for media in [waiting, json!(rejected)] {
        let post = json!({"text": "", "media_ids": [media]});
        let refused = api.post("/v1/posts", Some(&alice), &post).await.problem(409, "media-not-ready");
        assert_eq!(refused.fields(), ["media_ids"]);
        let avatar = json!({"avatar_media_id": media});
        let refused = api.patch("/v1/users/me", Some(&alice), &avatar).await.problem(409, "media-not-ready");
        assert_eq!(refused.fields(), ["avatar_media_id"]);
    }
    let media = picture(&api, &alice).await;
    let post = json!({"text": "", "media_ids": [media]});
    api.post("/v1/posts", Some(&alice), &post).await.is(201);
    let refused = api.post("/v1/posts", Some(&alice), &post).await.problem(409, "media-in-use");
    assert_eq!(refused.fields(), ["media_ids"]);
}

#[tokio::test]
async fn an_avatar_is_shown_beside_everything_of_its_user() {
    let api = TestApi::start();
    let (alice, bob) = (api.token_of("alice").await, api.token_of("bob").await);
    let media = picture(&api, &alice).await;
    let urls = api.get(&path(&media), &alice).await.json()["urls"].clone();
    let avatar = json!({"avatar_media_id": media, "bio": "with a picture"});
    let profile = api.patch("/v1/users/me", Some(&alice), &avatar).await.is(200).json();
    assert_eq!((&profile["avatar_url"], &profile["bio"]), (&urls["medium"], &json!("with a picture")));
    assert_eq!(api.patch("/v1/users/me", Some(&alice), &avatar).await.is(200).json(), profile, "idempotent");
    let post = api.post("/v1/posts", Some(&alice), &json!({"text": "hello"})).await.is(201).json();
    assert_eq!(post["author"]["avatar_url"], urls["medium"]);
    let comments = format!("/v1/posts/{}/comments", post["post_id"].as_str().unwrap());
    let comment = api.post(&comments, Some(&alice), &json!({"text": "me"})).await.is(201).json();
    assert_eq!(comment["author"]["avatar_url"], urls["medium"]);
    api.bare(Method::PUT, "/v1/users/@alice/follow", Some(&bob)).await.is(204);
    let login = json!({"handle": "alice", "password": PASSWORD});
    let login = api.post("/v1/auth/login", None, &login).await.is(200).json();
    assert_eq!(login["user"]["avatar_url"], urls["medium"]);
    for (list, user) in
        [("/v1/users/me/following", "/user"), (&*comments, "/author"), ("/v1/users/@alice/posts", "/author")]
    {
        let list_of = api.get(list, &bob).await.is(200).json();
        assert_eq!(list_of["items"][0].pointer(&format!("{user}/avatar_url")), Some(&urls["medium"]), "{list}");
    }
    let removed = api.patch("/v1/users/me", Some(&alice), &json!({"avatar_media_id": null})).await.is(200).json();
    assert_eq!(removed["avatar_url"], Value::Null);
}

#[tokio::test]
async fn a_key_stands_for_text_and_media() {
    let api = TestApi::start();
    let alice = api.token_of("alice").await;
    let (first, second) = (picture(&api, &alice).await, picture(&api, &alice).await);
    let publish = async |ids: &[&String]| {
        let request = request(Method::POST, "/v1/posts", Some(&alice))
            .header("content-type", "application/json")
            .header("idempotency-key", "k");
        api.send(request.body(json!({"text": "", "media_ids": ids}).to_string().into()).unwrap()).await
    };
    let post = publish(&[&first, &second]).await.is(201);
    assert_eq!(publish(&[&first, &second]).await.is(201).text, post.text);
    for ids in [&[&second, &first][..], &[&first]] {
        assert_eq!(publish(ids).await.problem(422, "invalid").fields(), ["Idempotency-Key"]);
    }
}

#[tokio::test]
async fn a_picture_without_a_post_is_gone_after_a_day() {
    let api = TestApi::start();
    let alice = api.token_of("alice").await;
    let media = announce(&api, &alice, 5).await["media_id"].as_str().unwrap().to_owned();
    api.clock.advance(limits::UNATTACHED_MEDIA_TTL);
    let erasure = service::erasure::ErasureService::new(Arc::clone(&api.store));
    let erasure = erasure.with_files(PictureFiles::new(Some(Arc::clone(&api.blobs))), api.queue());
    let deadline = tokio::time::Instant::now() + Duration::from_mins(1);
    erasure.run_due(api.clock.now(), deadline).await.unwrap();
    let login = json!({"handle": "alice", "password": PASSWORD});
    let token = api.post("/v1/auth/login", None, &login).await.is(200).text_of("access_token");
    api.get(&path(&media), &token).await.problem(404, "not-found");
}
