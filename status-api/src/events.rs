//! `GET /v1/events`: what happens, as it happens.

use axum::{
    Error,
    extract::State,
    response::{
        IntoResponse, Response, Sse,
        sse::{Event, KeepAlive},
    },
};
use domain::{ActKind, Timestamp};
use futures::{Stream, stream};
use http::{HeaderName, HeaderValue, Method, header::CACHE_CONTROL};
use http_api::{
    CallerUntil, Problem,
    openapi::{CommonProblems, TokenProblems},
    problem::ProblemBody,
};
use serde::Serialize;
use service::live::{Ending, LiveEvent, Subscription, Topic, hub::Next};
use telemetry::names;
use uuid::Uuid;

use crate::{notifications::NotificationKind, state::ApiState};

/// What tells nginx, and proxies that took the header over from it, to pass on each event when it comes.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// The data of `hello`.
#[derive(Debug, Serialize)]
struct Hello {
    /// When the stream ends: when the access token does.
    expires_at: String,
}

/// The data of a `feed` event about a post.
#[derive(Debug, Serialize)]
struct FeedEvent {
    post_id: Uuid,
    author_id: Uuid,
}

/// The data of a `notification` event about one.
#[derive(Debug, Serialize)]
struct NotificationEvent {
    notification_id: Uuid,
    kind: NotificationKind,
}

/// The data of an event about what the client is to read for itself.
#[derive(Debug, Serialize)]
struct Reload {
    reload: bool,
}

/// Hear what happens
///
/// Server-sent events, until the access token expires. Of the one-process mode alone; elsewhere it is a 501.
///
/// | event | data | when |
/// | --- | --- | --- |
/// | `hello` | `{"expires_at"}` | at once |
/// | `feed` | `{"post_id", "author_id"}` | a post has come into the caller's feed |
/// | `notification` | `{"notification_id", "kind"}` | a notification is there, or there again |
/// | `feed`, `notification` | `{"reload": true}` | something may have come that the caller was not told of |
///
/// Nothing is replayed, and events have no ids: read the first pages after each `hello`, and what comes after that is told.
/// On `{"reload": true}` read the first page of that list: this client has read too slowly, and up to 64 events that waited
/// for it were dropped, or the service is not sure. An event may come more than once, and what it tells of may be gone by the
/// time it is read.
///
/// A comment comes after 15 s without an event. Before the stream ends, a comment says why: `token expired`, `account gone`,
/// `replaced` (a ninth stream of the caller's ends the oldest) or `stopping`.
#[utoipa::path(
    get,
    path = "/v1/events",
    tag = "notifications",
    security(("bearer" = [])),
    responses(
        (status = 200, description = "Events, as they happen", body = String, content_type = "text/event-stream",
            example = "event: feed\ndata: {\"post_id\":\"0198c0de-0000-7000-8000-000000000001\",\"author_id\":\"6b3f0d5e-0c1d-4c53-9d0e-3f1a5c2b7e10\"}\n\n"),
        (status = 501, description = "Not served here", body = ProblemBody, content_type = "application/problem+json"),
        TokenProblems, CommonProblems,
    ),
)]
pub async fn events(caller: CallerUntil, State(api): State<ApiState>, method: Method) -> Result<Response, Problem> {
    let live = api.live.as_ref().ok_or(Problem::NotHere("Live events are served in the one-process mode alone."))?;
    let hub = live.hub();
    if method == Method::HEAD {
        // No stream is opened, so none of the caller's ends for it.
        return Ok(unbuffered(Sse::new(stream::empty::<Result<Event, Error>>())));
    }
    let subscription = hub.open(caller.user, caller.expires_at);
    let events = Sse::new(events_of(subscription, caller.expires_at));
    Ok(unbuffered(events.keep_alive(KeepAlive::new().interval(hub.heartbeat()).text("heartbeat"))))
}

/// With the headers of a stream that nobody keeps and nobody holds back.
fn unbuffered(events: impl IntoResponse) -> Response {
    let mut response = events.into_response();
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
    response
}

/// Where a stream stands.
#[derive(Debug)]
enum Stage {
    Opened(Subscription, Timestamp),
    Open(Subscription),
    Ended,
}

fn events_of(subscription: Subscription, expires_at: Timestamp) -> impl Stream<Item = Result<Event, Error>> {
    stream::unfold(Stage::Opened(subscription, expires_at), |stage| async {
        match stage {
            Stage::Opened(subscription, expires_at) => Some((hello(expires_at), Stage::Open(subscription))),
            Stage::Open(subscription) => match subscription.next().await {
                Next::Event(event) => Some((encoded(event), Stage::Open(subscription))),
                Next::End(ending) => Some((Ok(Event::default().comment(word_of(ending))), Stage::Ended)),
            },
            Stage::Ended => None,
        }
    })
}

fn hello(expires_at: Timestamp) -> Result<Event, Error> {
    Event::default().event("hello").json_data(Hello { expires_at: expires_at.to_string() })
}

fn encoded(event: LiveEvent) -> Result<Event, Error> {
    let name = match event.topic() {
        Topic::Feed => "feed",
        Topic::Notifications => "notification",
    };
    let counted = if matches!(event, LiveEvent::Reload(_)) { "reload" } else { name };
    metrics::counter!(names::EVENTS_SENT, "event" => counted).increment(1);
    let named = Event::default().event(name);
    match event {
        LiveEvent::Feed { post_id, author_id } => {
            named.json_data(FeedEvent { post_id: *post_id.as_uuid(), author_id: *author_id.as_uuid() })
        }
        LiveEvent::Notification { notification_id, kind } => {
            named.json_data(NotificationEvent { notification_id: *notification_id.as_uuid(), kind: kind_of(kind) })
        }
        LiveEvent::Reload(_) => named.json_data(Reload { reload: true }),
    }
}

const fn kind_of(kind: ActKind) -> NotificationKind {
    match kind {
        ActKind::Like(_) => NotificationKind::Like,
        ActKind::Comment(..) => NotificationKind::Comment,
        ActKind::Follow(_) => NotificationKind::Follow,
    }
}

const fn word_of(ending: Ending) -> &'static str {
    match ending {
        Ending::TokenExpired => "token expired",
        Ending::AccountGone => "account gone",
        Ending::Replaced => "replaced",
        Ending::Stopping => "stopping",
    }
}
