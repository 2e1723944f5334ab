//! `GET /v1/events`: live events.

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
use service::live::{CloseReason, LiveEvent, Subscription, Topic, hub::Next};
use telemetry::names;
use uuid::Uuid;

use crate::{notifications::NotificationKind, state::ApiState};

/// Makes nginx, and the proxies that adopted its header, forward each event without buffering.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// The data of `hello`.
#[derive(Debug, Serialize)]
struct Hello {
    /// When the stream ends: the expiry of the access token.
    expires_at: String,
}

/// The data of a `feed` event.
#[derive(Debug, Serialize)]
struct FeedEvent {
    post_id: Uuid,
    author_id: Uuid,
}

/// The data of a `notification` event.
#[derive(Debug, Serialize)]
struct NotificationEvent {
    notification_id: Uuid,
    kind: NotificationKind,
}

/// The data of an event that asks the client to read a list again.
#[derive(Debug, Serialize)]
struct Reload {
    reload: bool,
}

/// Stream live events
///
/// Sends server-sent events until the access token expires. Only the one-process mode serves them; elsewhere the answer
/// is a 501.
///
/// | event | data | when |
/// | --- | --- | --- |
/// | `hello` | `{"expires_at"}` | the stream opens |
/// | `feed` | `{"post_id", "author_id"}` | a post was added to the caller's feed |
/// | `notification` | `{"notification_id", "kind"}` | a notification was created or reappeared |
/// | `feed`, `notification` | `{"reload": true}` | events of this kind may have been missed |
///
/// Events have no ids and are not replayed: read the first pages after each `hello`; later entries arrive as events. On
/// `{"reload": true}` read the first page of that list: either the client read too slowly and up to 64 queued events
/// were dropped, or the service cannot tell whether it missed one. An event may be sent more than once, and its subject
/// may be gone by the time it is read.
///
/// A heartbeat comment is sent after 15 s without an event. Before the stream ends, a comment gives the reason:
/// `token expired`, `account gone`, `replaced` (the caller's ninth stream ends the oldest) or `stopping`.
#[utoipa::path(
    get,
    path = "/v1/events",
    tag = "notifications",
    security(("bearer" = [])),
    responses(
        (status = 200, description = "A stream of events", body = String, content_type = "text/event-stream",
            example = "event: feed\ndata: {\"post_id\":\"0198c0de-0000-7000-8000-000000000001\",\"author_id\":\"6b3f0d5e-0c1d-4c53-9d0e-3f1a5c2b7e10\"}\n\n"),
        (status = 501, description = "Not served here", body = ProblemBody, content_type = "application/problem+json"),
        TokenProblems, CommonProblems,
    ),
)]
pub async fn events(caller: CallerUntil, State(api): State<ApiState>, method: Method) -> Result<Response, Problem> {
    let live = api.live.as_ref().ok_or(Problem::NotHere("Live events are served only in the one-process mode."))?;
    let hub = live.hub();
    if method == Method::HEAD {
        // Opens no stream, so that none of the caller's streams is replaced.
        return Ok(unbuffered(Sse::new(stream::empty::<Result<Event, Error>>())));
    }
    let subscription = hub.open(caller.user, caller.expires_at);
    let events = Sse::new(events_of(subscription, caller.expires_at));
    Ok(unbuffered(events.keep_alive(KeepAlive::new().interval(hub.heartbeat()).text("heartbeat"))))
}

/// Adds the headers against caching and buffering.
fn unbuffered(events: impl IntoResponse) -> Response {
    let mut response = events.into_response();
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
    response
}

/// The stage of a stream.
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
                Next::End(reason) => Some((Ok(Event::default().comment(word_of(reason))), Stage::Ended)),
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

const fn word_of(reason: CloseReason) -> &'static str {
    match reason {
        CloseReason::TokenExpired => "token expired",
        CloseReason::AccountGone => "account gone",
        CloseReason::Replaced => "replaced",
        CloseReason::Stopping => "stopping",
    }
}
