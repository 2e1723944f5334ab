//! Deletions, the erasures that follow, and the export before them.

use std::time::Duration;

use serde_json::json;

use super::{
    super::deployment::Deployment,
    media,
    people::{PASSWORD, Person, text},
};

pub(super) async fn all(api: &Deployment) {
    let (ida, jan) = (Person::register(api, "ida").await, Person::register(api, "jan").await);
    post_and_password(api, &ida, &jan).await;
    // The stream handler erases the first account, the sweeper the second.
    life_and_death(api, "kim", &jan).await;
    api.handle_changes().await;
    life_and_death(api, "lou", &jan).await;
    assert_eq!(api.sweep().await.erasures, 1);
    api.clock.advance(Duration::from_mins(11));
    // The pictures of both accounts were due for a look after their uploads.
    assert_eq!(api.sweep().await.erasures, 4, "each erasure has a second pass");
}

/// Erases a deleted post that can no longer be restored, with its reactions and their notifications.
pub(super) async fn of_old_posts(api: &Deployment) {
    assert!(api.sweep().await.erasures > 0);
}

async fn post_and_password(api: &Deployment, ida: &Person, jan: &Person) {
    let post = post(api, ida).await;
    like_and_comment(api, jan, &post).await;
    api.handle_changes().await;
    api.ask("DELETE /v1/posts/{id}").of(&post).by(&jan.access).gets(403).await;
    for _ in 0..2 {
        api.ask("DELETE /v1/posts/{id}").of(&post).by(&ida.access).gets(204).await;
    }
    while !api.handle_changes().await.is_empty() {}
    let new = json!({"current": PASSWORD, "new": format!("{PASSWORD}!")});
    api.ask("PUT /v1/users/{user}/password").of("me").by(&ida.access).sends(new).gets(204).await;
}

async fn post(api: &Deployment, author: &Person) -> String {
    let ask = api.ask("POST /v1/posts").by(&author.access).sends(json!({"text": "Hello"}));
    text(&ask.with("idempotency-key", "hello").gets(201).await["post_id"])
}

async fn like_and_comment(api: &Deployment, fan: &Person, post: &str) {
    api.ask("PUT /v1/posts/{id}/like").of(post).by(&fan.access).gets(204).await;
    let ask = api.ask("POST /v1/posts/{id}/comments").of(post).by(&fan.access);
    ask.sends(json!({"text": "Well said"})).gets(201).await;
}

async fn follow(api: &Deployment, follower: &Person, followee: &Person) {
    api.ask("PUT /v1/users/{user}/follow").of(&followee.id).by(&follower.access).gets(204).await;
}

/// Creates every kind of item that an account has in the tables, exports them, and deletes the account.
async fn life_and_death(api: &Deployment, handle: &str, friend: &Person) {
    let person = Person::register(api, handle).await;
    follow(api, &person, friend).await;
    follow(api, friend, &person).await;
    let (own, theirs) = (post(api, &person).await, post(api, friend).await);
    media::ready(api, &person).await;
    like_and_comment(api, friend, &own).await;
    like_and_comment(api, &person, &theirs).await;
    api.handle_changes().await;
    let mut page = api.ask("GET /v1/users/{user}/export").of("me").by(&person.access).gets(200).await;
    while let Some(cursor) = page["next_cursor"].as_str() {
        let ask = api.ask("GET /v1/users/{user}/export").of("me").by(&person.access).at(cursor);
        page = ask.gets(200).await;
    }
    let deletes = json!({"password": PASSWORD});
    api.ask("DELETE /v1/users/{user}").of("me").by(&person.access).sends(deletes).gets(202).await;
}
