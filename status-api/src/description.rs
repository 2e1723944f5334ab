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
        description = "A social feed: accounts, follows, posts, and a feed of what those you follow post.\n\n\
            Errors are problem documents (RFC 9457). Every answer carries `x-request-id`.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    servers((url = "/")),
    tags(
        (name = "accounts", description = "Registering, logging in, profiles"),
        (name = "graph", description = "Who follows whom"),
        (name = "posts", description = "Posts, stories and the feed"),
        (name = "notifications", description = "What others did that concerns the caller"),
        (name = "reactions", description = "Likes and comments"),
        (name = "operations", description = "For those who run it"),
    ),
)]
struct Head;

/// The whole document, also where another function publishes.
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
    let json = openapi_document().to_json().expect("a document made of texts and numbers serialises");
    Bytes::from(json)
}
