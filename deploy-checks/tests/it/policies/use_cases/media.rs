//! Pictures: uploaded, processed, shown in posts and profiles, withheld, erased.

use std::time::Duration;

use domain::limits;
use ports::queue::{QueueName, ReceivedMessage};
use serde_json::{Value, json};
use service_testkit::gallery::photo;

use super::{
    super::deployment::Deployment,
    people::{PASSWORD, Person, text},
};

pub(super) async fn all(api: &Deployment) {
    let (owner, reader) = (Person::register(api, "mia").await, Person::register(api, "nat").await);
    processing(api, &owner).await;
    erased_meanwhile(api, &owner).await;
    posts(api, &owner, &reader).await;
    avatars(api, &owner, &reader).await;
}

/// Announces a picture, which the caller uploads.
async fn announced(api: &Deployment, owner: &Person, bytes: usize) -> String {
    let ask = api.ask("POST /v1/media").by(&owner.access);
    text(&ask.sends(json!({"content_type": "image/jpeg", "bytes": bytes})).gets(201).await["media_id"])
}

/// A picture that is ready.
pub(super) async fn ready(api: &Deployment, owner: &Person) -> String {
    let content = photo(8, 6);
    let media = announced(api, owner, content.len()).await;
    api.upload(&media, &content, true).await;
    assert_eq!(api.process(&messages_about(api, &media).await).await, 0);
    assert_eq!(shown(api, owner, &media).await["state"], "ready");
    media
}

/// The messages about this picture. Those about others were handled, but not deleted, and return.
async fn messages_about(api: &Deployment, media: &str) -> Vec<ReceivedMessage> {
    let messages = api.messages(QueueName::MediaQ).await.into_iter();
    messages.filter(|message| message.body.contains(media)).collect()
}

async fn shown(api: &Deployment, reader: &Person, media: &str) -> Value {
    api.ask("GET /v1/media/{media_id}").of(media).by(&reader.access).gets(200).await
}

async fn processing(api: &Deployment, owner: &Person) {
    let content = photo(8, 6);
    let (media, damaged) = (announced(api, owner, content.len()).await, announced(api, owner, 5).await);
    let edit = api.ask("PATCH /v1/media/{media_id}").of(&media).by(&owner.access);
    edit.sends(json!({"description": "a crab"})).gets(200).await;
    api.upload(&media, &content, true).await;
    let mut messages = messages_about(api, &media).await;
    // Throttled: the message is made visible again soon, and a copy replaces it before its receives are used up.
    assert_eq!(api.throttled(api.process(&messages)).await, 1);
    messages[0].receive_count = limits::MAX_RECEIVES;
    assert_eq!(api.throttled(api.process(&messages)).await, 0);
    assert_eq!(api.process(&messages).await, 0);
    api.upload(&damaged, b"crabs", true).await;
    api.clock.advance(limits::MAX_RECEIVE_WAIT);
    assert_eq!(api.process(&messages_about(api, &damaged).await).await, 0);
    assert_eq!(shown(api, owner, &damaged).await["state"], "rejected");
}

/// A picture that is erased while it is processed, whose files are then removed.
async fn erased_meanwhile(api: &Deployment, owner: &Person) {
    let content = photo(8, 6);
    let media = announced(api, owner, content.len()).await;
    api.upload(&media, &content, true).await;
    api.erase_while_processed(&media);
    assert_eq!(api.process(&messages_about(api, &media).await).await, 0);
    api.ask("GET /v1/media/{media_id}").of(&media).by(&owner.access).gets(404).await;
}

/// A post with a picture that is deleted and restored.
async fn posts(api: &Deployment, owner: &Person, reader: &Person) {
    let media = ready(api, owner).await;
    let ask = api.ask("POST /v1/posts").by(&owner.access).sends(json!({"text": "", "media_ids": [media]}));
    let post = text(&ask.gets(201).await["post_id"]);
    shown(api, reader, &media).await;
    api.ask("DELETE /v1/posts/{id}").of(&post).by(&owner.access).gets(204).await;
    api.handle_changes().await;
    api.restore_post(&post).await;
    api.handle_changes().await;
    // It is erased with the other old posts.
    api.ask("DELETE /v1/posts/{id}").of(&post).by(&owner.access).gets(204).await;
    api.handle_changes().await;
}

async fn avatars(api: &Deployment, owner: &Person, reader: &Person) {
    for _ in 0..2 {
        let avatar = json!({"avatar_media_id": ready(api, owner).await});
        api.ask("PATCH /v1/users/{user}").of("me").by(&owner.access).sends(avatar).gets(200).await;
    }
    api.ask("GET /v1/users/{user}").of(&owner.id).by(&reader.access).gets(200).await;
}

/// An upload whose event was lost, which is announced again; then the erasure of what is in no post, in two steps. By the
/// sweeper, and by the stream handler, which erases everything due when an account is deleted.
pub(super) async fn erasure(api: &Deployment) {
    for eraser in [Eraser::Sweeper, Eraser::StreamHandler] {
        let owner = Person::register(api, &eraser.handle("owner")).await;
        let content = photo(8, 6);
        let lost = announced(api, &owner, content.len()).await;
        api.upload(&lost, &content, false).await;
        api.clock.advance(limits::LOST_UPLOAD_AFTER + Duration::from_secs(1));
        eraser.run(api, "first").await;
        let found = messages_about(api, &lost).await;
        assert_eq!((found.len(), api.process(&found).await), (1, 0));
        api.clock.advance(limits::UNATTACHED_MEDIA_TTL);
        eraser.run(api, "second").await;
        api.clock.advance(limits::MEDIA_ERASED_AGAIN_AFTER + Duration::from_secs(1));
        eraser.run(api, "third").await;
    }
}

/// The function that runs due erasures.
#[derive(Debug, Clone, Copy)]
enum Eraser {
    Sweeper,
    StreamHandler,
}

impl Eraser {
    fn handle(self, name: &str) -> String {
        format!("{name}_of_{self:?}").to_lowercase()
    }

    async fn run(self, api: &Deployment, name: &str) {
        if matches!(self, Self::Sweeper) {
            assert!(api.sweep().await.erasures > 0);
            return;
        }
        let leaver = Person::register(api, &self.handle(name)).await;
        let deletes = json!({"password": PASSWORD});
        api.ask("DELETE /v1/users/{user}").of("me").by(&leaver.access).sends(deletes).gets(202).await;
        api.handle_changes().await;
    }
}
