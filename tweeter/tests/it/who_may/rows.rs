//! The table: each route, the requests to it, and the outcome for each role.

use serde_json::{Value, json};

use super::{
    attempt::{Attempt, Role},
    scene::Scene,
};
use crate::support::PASSWORD;

/// The data that an attempt may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    Nothing,
    /// Only the caller's own data.
    Own,
    /// The owner's data, whoever the caller is.
    Owners,
}

/// The outcome for one role.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    /// The role.
    pub role: Role,
    /// The response's status.
    pub status: u16,
    /// The data changed.
    pub effect: Effect,
}

/// A request to a route.
pub struct Row {
    /// The route as in the OpenAPI description.
    pub route: &'static str,
    /// The variant of the request; a route may have several rows.
    pub about: &'static str,
    /// The request.
    pub attempt: fn(&Scene) -> Attempt,
    /// The outcome for each role.
    pub cases: Vec<Case>,
    /// The response must not reveal to others that the owner exists.
    pub private: bool,
    /// The response is an endless stream.
    pub endless: bool,
}

impl Row {
    const fn private(mut self) -> Self {
        self.private = true;
        self
    }

    const fn endless(mut self) -> Self {
        self.endless = true;
        self
    }
}

use Effect::{Nothing, Own, Owners};

const NOBODY: Case = Case { role: Role::Nobody, status: 401, effect: Nothing };

const fn other(status: u16, effect: Effect) -> Case {
    Case { role: Role::Other, status, effect }
}

const fn owner(status: u16, effect: Effect) -> Case {
    Case { role: Role::Owner, status, effect }
}

const fn guest(status: u16, effect: Effect) -> Case {
    Case { role: Role::Guest, status, effect }
}

/// A route that needs no token and ignores one.
fn whoever(status: u16) -> Vec<Case> {
    [Role::Nobody, Role::Other, Role::Owner].map(|role| Case { role, status, effect: Nothing }).to_vec()
}

fn row(
    route: &'static str,
    about: &'static str,
    attempt: fn(&Scene) -> Attempt,
    cases: impl IntoIterator<Item = Case>,
) -> Row {
    Row { route, about, attempt, cases: cases.into_iter().collect(), private: false, endless: false }
}

fn bare(path: impl Into<String>) -> Attempt {
    Attempt { path: path.into(), body: None }
}

fn with(path: impl Into<String>, body: Value) -> Attempt {
    Attempt { path: path.into(), body: Some(body) }
}

/// A path below the owner's account.
fn account(scene: &Scene, rest: &str) -> String {
    format!("/v1/users/{}{rest}", scene.owner.user_id)
}

/// A path below the owner's post.
fn post(scene: &Scene, rest: &str) -> String {
    format!("/v1/posts/{}{rest}", scene.post)
}

/// The owner's picture.
fn picture_of(scene: &Scene) -> String {
    format!("/v1/media/{}", scene.media)
}

/// The whole table.
pub fn rows() -> Vec<Row> {
    [sessions(), accounts(), graph(), posts(), media(), reactions(), notifications(), owners_alone(), operations()]
        .into_iter()
        .flatten()
        .collect()
}

fn sessions() -> Vec<Row> {
    vec![
        row(
            "POST /v1/auth/register",
            "a new account",
            |scene| {
                let handle = format!("d_{}", scene.tag);
                with(
                    "/v1/auth/register",
                    json!({ "handle": handle, "email": format!("{handle}@example.org"), "password": PASSWORD }),
                )
            },
            whoever(201),
        ),
        row(
            "POST /v1/auth/register",
            "the owner's handle and address",
            |scene| {
                with(
                    "/v1/auth/register",
                    json!({ "handle": scene.owner.handle, "email": scene.owner_email(), "password": "another password" }),
                )
            },
            whoever(409),
        ),
        row(
            "POST /v1/auth/login",
            "with the owner's password",
            |scene| with("/v1/auth/login", json!({ "handle": scene.owner.handle, "password": PASSWORD })),
            whoever(200),
        ),
        row(
            "POST /v1/auth/login",
            "with another password",
            |scene| with("/v1/auth/login", json!({ "handle": scene.owner.handle, "password": "another password" })),
            whoever(401),
        ),
        row(
            "POST /v1/auth/refresh",
            "with the owner's refresh token",
            |scene| with("/v1/auth/refresh", json!({ "refresh_token": scene.second_session })),
            whoever(200),
        ),
        row(
            "POST /v1/auth/refresh",
            "with the owner's access token",
            |scene| with("/v1/auth/refresh", json!({ "refresh_token": scene.owner.access_token })),
            whoever(401),
        ),
        row(
            "POST /v1/auth/logout",
            "from the owner's session",
            |scene| with("/v1/auth/logout", json!({ "refresh_token": scene.first_session() })),
            [NOBODY, other(204, Nothing), owner(204, Own)],
        ),
    ]
}

fn accounts() -> Vec<Row> {
    vec![
        row(
            "GET /v1/users/{user}",
            "the owner",
            |scene| bare(account(scene, "")),
            [NOBODY, other(200, Nothing), owner(200, Nothing)],
        ),
        row(
            "GET /v1/users/{user}",
            "oneself",
            |_| bare("/v1/users/me"),
            [NOBODY, other(200, Nothing), owner(200, Nothing)],
        )
        .private(),
        row(
            "PATCH /v1/users/{user}",
            "the owner",
            |scene| with(account(scene, ""), json!({ "bio": "changed" })),
            [NOBODY, other(403, Nothing), owner(200, Own)],
        ),
        row(
            "PATCH /v1/users/{user}",
            "oneself",
            |_| with("/v1/users/me", json!({ "bio": "changed" })),
            [NOBODY, other(200, Own), owner(200, Own)],
        )
        .private(),
    ]
}

fn graph() -> Vec<Row> {
    let readers = || [NOBODY, other(200, Nothing), owner(200, Nothing)];
    vec![
        row(
            "PUT /v1/users/{user}/follow",
            "the owner",
            |scene| bare(account(scene, "/follow")),
            [NOBODY, other(204, Owners), owner(422, Nothing), guest(204, Nothing)],
        ),
        row(
            "DELETE /v1/users/{user}/follow",
            "the owner",
            |scene| bare(account(scene, "/follow")),
            [NOBODY, other(204, Nothing), owner(204, Nothing), guest(204, Owners)],
        ),
        row("GET /v1/users/{user}/followers", "the owner's", |scene| bare(account(scene, "/followers")), readers()),
        row("GET /v1/users/{user}/following", "the owner's", |scene| bare(account(scene, "/following")), readers()),
    ]
}

fn posts() -> Vec<Row> {
    let readers = || [NOBODY, other(200, Nothing), owner(200, Nothing)];
    vec![
        row(
            "POST /v1/posts",
            "one's own",
            |_| with("/v1/posts", json!({ "text": "new" })),
            [NOBODY, other(201, Own), owner(201, Own)],
        )
        .private(),
        row("GET /v1/posts/{id}", "the owner's", |scene| bare(post(scene, "")), readers()),
        row("GET /v1/users/{user}/posts", "the owner's", |scene| bare(account(scene, "/posts")), readers()),
        row("GET /v1/feed", "one's own", |_| bare("/v1/feed"), readers()).private(),
    ]
}

fn media() -> Vec<Row> {
    vec![
        row(
            "POST /v1/media",
            "one's own, which no list shows",
            |_| with("/v1/media", json!({ "content_type": "image/png", "bytes": 5 })),
            [NOBODY, other(201, Nothing), owner(201, Nothing)],
        )
        .private(),
        row(
            "GET /v1/media/{media_id}",
            "the owner's",
            |scene| bare(picture_of(scene)),
            [NOBODY, other(404, Nothing), owner(200, Nothing)],
        )
        .private(),
        row(
            "PATCH /v1/media/{media_id}",
            "the owner's",
            |scene| with(picture_of(scene), json!({ "description": "new" })),
            [NOBODY, other(404, Nothing), owner(200, Own)],
        )
        .private(),
        row(
            "POST /v1/posts",
            "with the owner's picture",
            |scene| with("/v1/posts", json!({ "text": "", "media_ids": [scene.media] })),
            [NOBODY, other(422, Nothing), owner(409, Nothing)],
        )
        .private(),
        row(
            "PATCH /v1/users/{user}",
            "one's own, with the owner's picture",
            |scene| with("/v1/users/me", json!({ "avatar_media_id": scene.media })),
            [NOBODY, other(422, Nothing), owner(409, Nothing)],
        )
        .private(),
    ]
}

fn reactions() -> Vec<Row> {
    let readers = || [NOBODY, other(200, Nothing), owner(200, Nothing)];
    vec![
        row(
            "PUT /v1/posts/{id}/like",
            "the owner's",
            |scene| bare(post(scene, "/like")),
            [NOBODY, other(204, Owners), owner(204, Owners), guest(204, Nothing)],
        ),
        row(
            "DELETE /v1/posts/{id}/like",
            "the owner's, which the guest likes",
            |scene| bare(post(scene, "/like")),
            [NOBODY, other(204, Nothing), owner(204, Nothing), guest(204, Owners)],
        ),
        row("GET /v1/posts/{id}/likes", "the owner's", |scene| bare(post(scene, "/likes")), readers()),
        row(
            "POST /v1/posts/{id}/comments",
            "on the owner's",
            |scene| with(post(scene, "/comments"), json!({ "text": "new" })),
            [NOBODY, other(201, Owners), owner(201, Owners)],
        ),
        row("GET /v1/posts/{id}/comments", "on the owner's", |scene| bare(post(scene, "/comments")), readers()),
        row(
            "DELETE /v1/posts/{id}/comments/{comment_id}",
            "the guest's, on the owner's post",
            |scene| bare(post(scene, &format!("/comments/{}", scene.comment))),
            [NOBODY, other(403, Nothing), owner(204, Owners), guest(204, Owners)],
        ),
    ]
}

/// Routes so private that others cannot even address them.
fn owners_alone() -> Vec<Row> {
    let readers = || [NOBODY, other(200, Nothing), owner(200, Nothing)];
    vec![
        row(
            "DELETE /v1/posts/{id}",
            "the owner's",
            |scene| bare(post(scene, "")),
            [NOBODY, other(403, Nothing), owner(204, Own), guest(403, Nothing)],
        ),
        // All users have the same password here, so that only the account differs.
        row(
            "PUT /v1/users/{user}/password",
            "the owner's",
            |scene| with(account(scene, "/password"), json!({ "current": PASSWORD, "new": "another password" })),
            [NOBODY, other(403, Nothing), owner(204, Own)],
        ),
        row(
            "PUT /v1/users/{user}/password",
            "one's own",
            |_| with("/v1/users/me/password", json!({ "current": PASSWORD, "new": "another password" })),
            [NOBODY, other(204, Own), owner(204, Own)],
        ),
        row(
            "PUT /v1/users/{user}/password",
            "one's own, unknown",
            |_| with("/v1/users/me/password", json!({ "current": "another password", "new": "a third password" })),
            [NOBODY, other(403, Nothing), owner(403, Nothing)],
        ),
        row(
            "DELETE /v1/users/{user}",
            "the owner",
            |scene| with(account(scene, ""), json!({ "password": PASSWORD })),
            [NOBODY, other(403, Nothing), owner(202, Own)],
        ),
        row(
            "DELETE /v1/users/{user}",
            "oneself",
            |_| with("/v1/users/me", json!({ "password": PASSWORD })),
            [NOBODY, other(202, Own), owner(202, Own)],
        ),
        row(
            "DELETE /v1/users/{user}",
            "one's own account, without the password",
            |_| with("/v1/users/me", json!({ "password": "another password" })),
            [NOBODY, other(403, Nothing), owner(403, Nothing)],
        ),
        row(
            "GET /v1/users/{user}/sessions",
            "the owner's",
            |scene| bare(account(scene, "/sessions")),
            [NOBODY, other(403, Nothing), owner(200, Nothing)],
        )
        .private(),
        row("GET /v1/users/{user}/sessions", "one's own", |_| bare("/v1/users/me/sessions"), readers()).private(),
        row(
            "DELETE /v1/users/{user}/sessions/{session_id}",
            "the owner's",
            |scene| bare(account(scene, &format!("/sessions/{}", scene.first_session_id))),
            [NOBODY, other(403, Nothing), owner(204, Own)],
        ),
        row(
            "DELETE /v1/users/{user}/sessions/{session_id}",
            "the owner's, as one's own",
            |scene| bare(format!("/v1/users/me/sessions/{}", scene.first_session_id)),
            [NOBODY, other(204, Nothing), owner(204, Own)],
        ),
        row(
            "GET /v1/users/{user}/export",
            "the owner's",
            |scene| bare(account(scene, "/export")),
            [NOBODY, other(403, Nothing), owner(200, Nothing)],
        )
        .private(),
        row("GET /v1/users/{user}/export", "one's own", |_| bare("/v1/users/me/export"), readers()).private(),
        row("GET /v1/events", "one's own", |_| bare("/v1/events"), readers()).endless(),
    ]
}

fn notifications() -> Vec<Row> {
    vec![
        row(
            "GET /v1/notifications",
            "one's own",
            |_| bare("/v1/notifications"),
            [NOBODY, other(200, Nothing), owner(200, Nothing)],
        )
        .private(),
        row(
            "PUT /v1/notifications/read",
            "up to the owner's newest",
            |scene| with("/v1/notifications/read", json!({ "up_to": scene.notification })),
            [NOBODY, other(204, Nothing), owner(204, Own)],
        ),
    ]
}

fn operations() -> Vec<Row> {
    vec![
        row("GET /healthz", "", |_| bare("/healthz"), whoever(200)),
        row("GET /openapi.json", "", |_| bare("/openapi.json"), whoever(200)),
    ]
}
