//! The rate limits of each route, as its 429 response states them.

use domain::limits::Rate;
use service::rates::Limit;
use utoipa::openapi::{
    OpenApi, PathItem, RefOr,
    path::{HttpMethod, Operation},
};

/// Adds to the 429 response of each route the limits that the route counts towards.
pub(super) fn describe(document: &mut OpenApi) {
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in operations(item) {
            let Some(RefOr::T(refusal)) = operation.responses.responses.get_mut("429") else { continue };
            for limit in limits_of(&method, path) {
                refusal.description.push_str("\n- ");
                refusal.description.push_str(&sentence(*limit));
            }
        }
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (HttpMethod, &mut Operation)> {
    let all = [
        (HttpMethod::Get, &mut item.get),
        (HttpMethod::Put, &mut item.put),
        (HttpMethod::Post, &mut item.post),
        (HttpMethod::Patch, &mut item.patch),
        (HttpMethod::Delete, &mut item.delete),
    ];
    all.into_iter().filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

/// The limits that requests to a route count towards, in the order in which they are checked.
fn limits_of(method: &HttpMethod, path: &str) -> &'static [Limit] {
    match (method, path) {
        (HttpMethod::Post, "/v1/auth/register") => &[Limit::Registrations, Limit::FailedPasswords],
        (HttpMethod::Post, "/v1/auth/login")
        | (HttpMethod::Put, "/v1/users/{user}/password")
        | (HttpMethod::Delete, "/v1/users/{user}") => &[Limit::FailedPasswords, Limit::FailedLogins],
        (HttpMethod::Post, "/v1/auth/refresh") => &[Limit::Refreshes],
        (HttpMethod::Patch, "/v1/users/{user}") => &[Limit::ProfileEdits],
        (HttpMethod::Put, "/v1/users/{user}/follow") => &[Limit::Follows],
        (HttpMethod::Delete, "/v1/users/{user}/follow") => &[Limit::Unfollows],
        (HttpMethod::Post, "/v1/posts") => &[Limit::Posts],
        (HttpMethod::Post, "/v1/media") => &[Limit::Media],
        (HttpMethod::Patch, "/v1/media/{media_id}") => &[Limit::MediaEdits],
        (HttpMethod::Delete, "/v1/posts/{id}") => &[Limit::PostDeletions],
        (HttpMethod::Put, "/v1/posts/{id}/like") => &[Limit::Likes],
        (HttpMethod::Delete, "/v1/posts/{id}/like") => &[Limit::Unlikes],
        (HttpMethod::Post, "/v1/posts/{id}/comments") => &[Limit::Comments],
        (HttpMethod::Delete, "/v1/posts/{id}/comments/{comment_id}") => &[Limit::CommentDeletions],
        _ => &[],
    }
}

fn sentence(limit: Limit) -> String {
    let Rate { uses, window } = limit.rate();
    let window = match window.as_secs() {
        60 => "a minute".to_owned(),
        3_600 => "an hour".to_owned(),
        seconds => format!("in {seconds} seconds"),
    };
    format!("`{}`: {uses} {window} for each {}", limit.name(), counted_by(limit))
}

/// The subject whose uses a limit counts.
const fn counted_by(limit: Limit) -> &'static str {
    match limit {
        Limit::Posts
        | Limit::PostDeletions
        | Limit::Likes
        | Limit::Unlikes
        | Limit::Follows
        | Limit::Unfollows
        | Limit::Comments
        | Limit::CommentDeletions
        | Limit::ProfileEdits
        | Limit::Media
        | Limit::MediaEdits => "user",
        Limit::Registrations | Limit::FailedPasswords => "network",
        Limit::FailedLogins => "network and account",
        Limit::Refreshes => "session",
    }
}
