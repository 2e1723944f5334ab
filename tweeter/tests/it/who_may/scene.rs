//! Users and their data, created for every attempt.

use futures::future::join_all;
use http::Method;
use parking_lot::Mutex;
use serde_json::{Value, json};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
};

use super::attempt::{Attempt, Role};
use crate::support::{ApiClient, PASSWORD, Person, TestApp, in_time};

/// The routes that show users their own data; a view combines them.
const OWN_LISTS: [&str; 6] = [
    "/v1/users/me",
    "/v1/users/me/posts?limit=100",
    "/v1/users/me/followers?limit=100",
    "/v1/users/me/following?limit=100",
    "/v1/feed?limit=100",
    "/v1/notifications?limit=100",
];

/// An owner with a post that a guest likes and has commented on, and an unrelated user. The guest follows the owner;
/// there are no other follows.
pub struct Scene {
    /// Unique per scene; short enough for a handle.
    pub tag: String,
    /// The owner of the data.
    pub owner: Person,
    /// An unrelated user.
    pub other: Person,
    /// The author of the comment and the like.
    pub guest: Person,
    /// The owner's post.
    pub post: String,
    /// The guest's comment on it.
    pub comment: String,
    /// A picture that the owner has announced.
    pub media: String,
    /// The owner's newest notification.
    pub notification: String,
    /// The refresh token of a second session of the owner.
    pub second_session: String,
    /// The id of the owner's first session.
    pub first_session_id: String,
    /// The refresh tokens of the first sessions of the owner, the other user and the guest: each view uses them, to
    /// check that the session is still valid.
    sessions: [Mutex<String>; 3],
}

/// A response.
#[derive(Debug)]
pub struct Reply {
    /// Its status.
    pub status: u16,
    /// The body as text; empty for an endless stream.
    pub body: String,
}

impl Scene {
    /// Creates the scene; `tag` must be unique.
    pub async fn set(app: &TestApp, tag: &str) -> Self {
        let handles = ["a", "b", "c"].map(|name| format!("{name}_{tag}"));
        let people = join_all(handles.iter().map(|handle| app.register(handle))).await;
        let [owner, other, guest] = people.try_into().expect("as many as handles");
        let post = app.post(&owner, "the owner's").await;
        app.follow(&guest, &owner).await;
        put(app, &guest, &format!("/v1/posts/{post}/like")).await;
        let comment = format!("/v1/posts/{post}/comments");
        let body = Some(json!({ "text": "the guest's" }));
        let comment = app.request(Method::POST, &comment, Some(&guest.access_token), body).await.expect(201);
        let comment = comment.body["comment_id"].as_str().unwrap().to_owned();
        let body = Some(json!({ "content_type": "image/png", "bytes": 5 }));
        let media = app.request(Method::POST, "/v1/media", Some(&owner.access_token), body).await.expect(201);
        let media = media.body["media_id"].as_str().unwrap().to_owned();
        app.drain().await;
        let listed = app.request(Method::GET, "/v1/notifications", Some(&owner.access_token), None).await.expect(200);
        let notification = listed.items()[0]["notification_id"].as_str().unwrap().to_owned();
        let second = app.login(json!({ "handle": owner.handle, "password": PASSWORD })).await.expect(200);
        let second_session = second.body["refresh_token"].as_str().unwrap().to_owned();
        let sessions = [&owner, &other, &guest].map(|person| Mutex::new(person.refresh_token.clone()));
        let listed =
            app.request(Method::GET, "/v1/users/me/sessions", Some(&owner.access_token), None).await.expect(200);
        let is_first = |session: &&Value| session["current"] == true;
        let first = listed.items().iter().find(is_first).expect("the session of the access token is listed");
        let first_session_id = first["session_id"].as_str().unwrap().to_owned();
        let tag = tag.to_owned();
        Self {
            tag,
            owner,
            other,
            guest,
            post,
            comment,
            media,
            notification,
            second_session,
            first_session_id,
            sessions,
        }
    }

    /// The email address that only the owner knows.
    pub fn owner_email(&self) -> String {
        format!("{}@example.org", self.owner.handle)
    }

    /// The current refresh token of the owner's first session.
    pub fn first_session(&self) -> String {
        self.sessions[0].lock().clone()
    }

    fn person(&self, role: Role) -> Option<(&Person, &Mutex<String>)> {
        match role {
            Role::Nobody => None,
            Role::Owner => Some((&self.owner, &self.sessions[0])),
            Role::Other => Some((&self.other, &self.sessions[1])),
            Role::Guest => Some((&self.guest, &self.sessions[2])),
        }
    }

    /// Sends the request as `role`. An endless response is not read.
    pub async fn attempt(&self, app: &TestApp, method: &str, attempt: Attempt, endless: bool, role: Role) -> Reply {
        let token = self.person(role).map(|(person, _)| person.access_token.as_str());
        if endless {
            return Reply { status: in_time(status_of(app, method, &attempt.path, token)).await, body: String::new() };
        }
        let answer = app.request(method.parse().unwrap(), &attempt.path, token, attempt.body).await;
        Reply { status: answer.status.as_u16(), body: answer.body.to_string() }
    }

    /// All data of the owner, as the owner sees it.
    pub async fn owners_view(&self, app: &TestApp) -> Value {
        let mut view = self.callers_view(app, Role::Owner).await;
        for list in ["", "/likes", "/comments"] {
            let path = format!("/v1/posts/{}{list}", self.post);
            view[path.as_str()] = seen(app, &path, &self.owner).await;
        }
        view
    }

    /// All data of the caller, as the caller sees it.
    pub async fn callers_view(&self, app: &TestApp, role: Role) -> Value {
        let mut view = json!({});
        let Some((person, session)) = self.person(role) else { return view };
        for path in OWN_LISTS {
            view[path] = seen(app, path, person).await;
        }
        view["the picture"] = seen(app, &format!("/v1/media/{}", self.media), person).await;
        let token = session.lock().clone();
        let refreshed = app.refresh(&token).await;
        if let Some(next) = refreshed.body["refresh_token"].as_str() {
            next.clone_into(&mut session.lock());
        }
        view["the session"] = json!(refreshed.status.as_u16());
        let login = app.login(json!({ "handle": person.handle, "password": PASSWORD })).await;
        view["the password"] = json!(login.status.as_u16());
        view
    }
}

async fn seen(app: &ApiClient, path: &str, person: &Person) -> Value {
    let answer = app.request(Method::GET, path, Some(&person.access_token), None).await;
    json!([answer.status.as_u16(), answer.body])
}

async fn put(app: &ApiClient, person: &Person, path: &str) {
    app.request(Method::PUT, path, Some(&person.access_token), None).await.expect(204);
}

/// The status of an endless response.
async fn status_of(app: &TestApp, method: &str, path: &str, token: Option<&str>) -> u16 {
    let authorization = token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
    let mut connection = BufReader::new(TcpStream::connect(app.handle.address()).await.unwrap());
    let request = format!("{method} {path} HTTP/1.1\r\nhost: test\r\n{authorization}\r\n");
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut line = String::new();
    connection.read_line(&mut line).await.unwrap();
    line.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("no status: {line}"))
}
