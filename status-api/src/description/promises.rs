//! The table of limits in the description's introduction, derived from [`domain::limits`].

use std::{
    fmt::{Display, Write as _},
    ops::RangeInclusive,
    time::Duration,
};

use domain::limits;

/// The limits that clients can rely on: name and value. `docs/api.md` has the same rows, and a test compares them.
fn rows() -> Vec<(&'static str, String)> {
    vec![
        ("handle", characters(&limits::HANDLE_CHARS)),
        ("e-mail address", at_most(limits::MAX_EMAIL_CHARS, "characters")),
        ("password", characters(&limits::PASSWORD_CHARS)),
        ("display name", characters(&(1..=limits::MAX_DISPLAY_NAME_CHARS))),
        ("bio", at_most(limits::MAX_BIO_CHARS, "characters")),
        ("text of a post", characters(&(1..=limits::MAX_POST_CHARS))),
        ("text of a post with media", at_most(limits::MAX_POST_CHARS, "characters")),
        ("media of a post", at_most(limits::MAX_MEDIA_PER_POST, "pictures")),
        ("description of a picture", at_most(limits::MAX_MEDIA_DESCRIPTION_CHARS, "characters")),
        ("uploaded picture", format!("1 byte to {} MiB", limits::MAX_UPLOAD_BYTES / (1024 * 1024))),
        ("permission to upload a picture", time(limits::UPLOAD_TTL)),
        ("picture that nothing shows is erased after", time(limits::UNATTACHED_MEDIA_TTL)),
        ("text of a comment", characters(&(1..=limits::MAX_COMMENT_CHARS))),
        ("`Idempotency-Key`", range(&limits::IDEMPOTENCY_KEY_CHARS, "visible ASCII characters")),
        ("user agent shown in a session", at_most(limits::MAX_USER_AGENT_CHARS, "characters")),
        ("page size", format!("1 to {} items", limits::MAX_PAGE_LIMIT)),
        ("page size by default", format!("{} items", limits::DEFAULT_PAGE_LIMIT)),
        ("deleted entries skipped to fill a page", at_most(limits::MAX_DEAD_ENTRIES_PER_PAGE, "entries")),
        ("request body", format!("at most {} KiB", limits::MAX_BODY_BYTES / 1024)),
        ("sessions of an account", at_most(limits::MAX_SESSIONS, "sessions")),
        ("successors of one refresh token", at_most(limits::MAX_SUCCESSORS, "tokens")),
        ("posts from before a follow that the feed shows", at_most(limits::BACKFILLED_POSTS, "posts")),
        ("live streams of a user", at_most(limits::MAX_STREAMS_PER_USER, "streams")),
        ("events queued for a live stream", at_most(limits::MAX_WAITING_EVENTS, "events")),
        ("silence on a live stream before a comment", time(limits::EVENT_HEARTBEAT)),
        ("lifetime of an access token", time(limits::ACCESS_TOKEN_TTL)),
        ("lifetime of a refresh token", time(limits::REFRESH_TOKEN_TTL)),
        ("grace period of a spent refresh token", time(limits::REFRESH_GRACE)),
        ("memory of an `Idempotency-Key`", time(limits::IDEMPOTENCY_TTL)),
        ("repeated deletion of a post or comment succeeds", time(limits::DELETED_TTL)),
        ("notification is shown", time(limits::NOTIFICATION_TTL)),
        ("handle of a deleted account is reserved", time(limits::HANDLE_RESERVED)),
        ("delay of changes beyond which `/healthz` is degraded", time(limits::MAX_CHANGES_AGE)),
    ]
}

/// The rows as a Markdown table.
pub(super) fn table() -> String {
    rows().into_iter().fold("| limit | value |\n| --- | --- |\n".to_owned(), |mut table, (name, value)| {
        writeln!(table, "| {name} | {value} |").expect("a string takes all that is written");
        table
    })
}

fn characters(lengths: &RangeInclusive<usize>) -> String {
    range(lengths, "characters")
}

fn range(values: &RangeInclusive<usize>, unit: &str) -> String {
    format!("{} to {} {unit}", values.start(), values.end())
}

fn at_most(count: impl Display, unit: &str) -> String {
    format!("at most {count} {unit}")
}

/// A time in the largest unit that divides it and counts at least two.
fn time(time: Duration) -> String {
    let seconds = time.as_secs();
    let units = [(86_400, "days"), (3_600, "hours"), (60, "minutes")];
    let unit = units.into_iter().find(|(length, _)| seconds.is_multiple_of(*length) && seconds / length > 1);
    let (length, name) = unit.unwrap_or((1, "seconds"));
    format!("{} {name}", seconds / length)
}
