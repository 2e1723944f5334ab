//! A reader who returns from dormancy, whose feed is rebuilt from stories.

use std::time::Duration;

use domain::limits;
use serde_json::json;

use super::{
    super::deployment::Deployment,
    people::{PASSWORD, Person, text},
};

/// The reader follows more people than one request merges, and a crash interrupted one of the follows.
pub(super) async fn all(api: &Deployment) {
    api.clock.advance(limits::REGISTER_RATE.window);
    let reader = Person::register(api, "returning").await;
    for handle in ["ann", "ben", "cleo"] {
        let author = Person::register(api, handle).await;
        api.ask("POST /v1/posts").by(&author.access).sends(json!({"text": "Hello"})).gets(201).await;
        if handle == "cleo" {
            api.follow_and_crash(&reader.id, &author.id).await;
        } else {
            api.ask("PUT /v1/users/{user}/follow").of(&author.id).by(&reader.access).gets(204).await;
        }
    }
    api.clock.advance(limits::DORMANT_AFTER + Duration::from_secs(1));
    let credentials = json!({"handle": "returning", "password": PASSWORD});
    let session = api.ask("POST /v1/auth/login").sends(credentials).gets(200).await;
    let page = || api.ask("GET /v1/feed").by(&text(&session["access_token"]));
    page().gets(503).await;
    let feed = page().gets(200).await;
    assert_eq!(feed["items"].as_array().map(Vec::len), Some(3), "a post of each story: {feed}");
}
