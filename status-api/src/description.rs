//! The contract as OpenAPI 3.1, generated from the handlers of this crate and of post-handler.

mod promises;
mod rates;

use bytes::Bytes;
use http_api::openapi::BearerScheme;
use utoipa::{Modify, OpenApi};

use crate::routes::routes;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Tweeter",
        description = "A social feed: accounts, follows, posts, and a feed of the posts of the users you follow.\n\n\
            Errors are problem documents (RFC 9457). Every response carries `x-request-id`.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    servers((url = "/")),
    tags(
        (name = "accounts", description = "Registering, logging in, profiles"),
        (name = "graph", description = "Follows, followers and followed users"),
        (name = "posts", description = "Posts, stories and the feed"),
        (name = "media", description = "Pictures of posts and profiles"),
        (name = "notifications", description = "Notifications and live events"),
        (name = "reactions", description = "Likes and comments"),
        (name = "operations", description = "Health and the API's description"),
    ),
)]
struct Head;

/// The document of all routes, even if another function serves publishing.
pub fn openapi_document() -> utoipa::openapi::OpenApi {
    let mut document = Head::openapi();
    document.merge(routes().into_openapi());
    document.merge(post_handler::routes().into_openapi());
    BearerScheme.modify(&mut document);
    rates::describe(&mut document);
    let introduction = document.info.description.get_or_insert_default();
    introduction.push_str("\n\n## Limits\n");
    introduction.push_str(&promises::table());
    document
}

pub(crate) fn document() -> Bytes {
    let json = openapi_document().to_json().expect("a document of strings and numbers serialises");
    Bytes::from(json)
}
