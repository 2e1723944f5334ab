//! Users, posts, comments, media and sessions named in a path. A malformed name is kept and becomes a 404 only when the
//! handler asks for it, because errors of the body and the query take precedence.

use std::convert::Infallible;

use axum::extract::{FromRequestParts, Path};
use http::request::Parts;

use super::problem::Problem;
use domain::{CommentId, Handle, MediaId, PostId, SessionId, UserRef};

/// The `{user}` of a path: an id, `@handle` or `me`; any other text is [`UserRef::Unknown`], which a service does not find.
#[derive(Debug, Clone)]
pub struct PathUser(pub UserRef);

impl<S: Send + Sync> FromRequestParts<S> for PathUser {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        Ok(Self(text(parts, state, "user").await.map_or(UserRef::Unknown, |text| user_ref(&text))))
    }
}

/// The `{id}` of a post in a path.
#[derive(Debug, Clone)]
pub struct PathPost(Option<PostId>);

impl PathPost {
    /// The post that the path names, or a 404.
    pub fn get(self) -> Result<PostId, Problem> {
        self.0.ok_or(Problem::NotFound)
    }

    /// Which post the path names, if any: for a service that counts the request first.
    pub const fn if_any(self) -> Option<PostId> {
        self.0
    }
}

impl<S: Send + Sync> FromRequestParts<S> for PathPost {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        Ok(Self(text(parts, state, "id").await.and_then(|text| text.parse().ok())))
    }
}

/// The `{id}` and `{comment_id}` of a path.
#[derive(Debug, Clone)]
pub struct PathComment(Option<(PostId, CommentId)>);

impl PathComment {
    /// The post and the comment that the path names, if any: for a service that counts the request first.
    pub fn if_any(self) -> (Option<PostId>, Option<CommentId>) {
        self.0.unzip()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for PathComment {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let (post, comment) = (text(parts, state, "id").await, text(parts, state, "comment_id").await);
        Ok(Self(post.zip(comment).and_then(|(post, comment)| Some((post.parse().ok()?, comment.parse().ok()?)))))
    }
}

/// The `{media_id}` of a path.
#[derive(Debug, Clone)]
pub struct PathMedia(Option<MediaId>);

impl PathMedia {
    /// The picture that the path names, if any: for a service that counts the request first.
    pub const fn if_any(self) -> Option<MediaId> {
        self.0
    }
}

impl<S: Send + Sync> FromRequestParts<S> for PathMedia {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        Ok(Self(text(parts, state, "media_id").await.and_then(|text| text.parse().ok())))
    }
}

/// The `{session_id}` of a path.
#[derive(Debug, Clone)]
pub struct PathSession(Option<SessionId>);

impl PathSession {
    /// The session that the path names, or a 404.
    pub fn get(self) -> Result<SessionId, Problem> {
        self.0.ok_or(Problem::NotFound)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for PathSession {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        Ok(Self(text(parts, state, "session_id").await.and_then(|text| text.parse().ok())))
    }
}

/// A path parameter; `None` if any parameter is not UTF-8.
async fn text<S: Send + Sync>(parts: &mut Parts, state: &S, name: &str) -> Option<String> {
    let Path(parameters) = Path::<Vec<(String, String)>>::from_request_parts(parts, state).await.ok()?;
    parameters.into_iter().find_map(|(parameter, text)| (parameter == name).then_some(text))
}

fn user_ref(text: &str) -> UserRef {
    if text == "me" {
        return UserRef::Me;
    }
    match text.strip_prefix('@') {
        Some(handle) => Handle::parse(handle).map_or(UserRef::Unknown, UserRef::Handle),
        None => text.parse().map_or(UserRef::Unknown, UserRef::Id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_named_by_id_by_handle_or_as_me() {
        assert_eq!(user_ref("me"), UserRef::Me);
        assert_eq!(user_ref("@Alice"), UserRef::Handle(Handle::parse("alice").unwrap()));
        let id = "018f6a6e-0000-4000-8000-000000000000";
        assert_eq!(user_ref(id), UserRef::Id(id.parse().unwrap()));
        for text in ["", "@", "@ab", "@@alice", "alice", "Me", "@me", "018f6a6e"] {
            assert_eq!(user_ref(text), UserRef::Unknown, "{text}");
        }
    }
}
