//! `loadtest fanout --url --stack`: the same scenario against a deployed stack, observed only from outside.
//!
//! ```text
//! this program ── rows ─▶ Social            seeds users and edges, removes all of it in the end
//!              ── HTTP ─▶ the stack's API   posts, and reads feeds until each shows the post
//! ```
//!
//! In reading order: `lookup` (with the feature `aws`) finds the stack; [`people`] builds the author, the followers and
//! their rows; [`bulk`] writes rows at a bounded rate; [`api`] is the HTTP client; [`watch`] polls feeds; [`clean`]
//! removes everything; [`report`] compares with the targets; [`error`] has the errors.

pub mod api;
pub mod bulk;
pub mod clean;
pub mod error;
#[cfg(feature = "aws")]
pub mod lookup;
pub mod people;
pub mod plan;
pub mod report;
pub mod watch;

use std::{
    future::{self, Future},
    time::{Duration, Instant},
};

use domain::{Clock, PostId};
use parking_lot::Mutex;
use service::tokens::AccessTokens;

pub use clean::Place;
pub use plan::Plan;

use self::{
    api::ApiClient,
    bulk::BulkWriter,
    error::StackError,
    people::{People, SEEDED},
    report::StackReport,
    watch::{Checked, Watcher},
};
use crate::{
    chart::Chart,
    error::LoadtestError,
    options::FanoutOptions,
    progress,
    report::{Latencies, rounded},
};

/// Time without progress after which a post is given up: the target for all feeds.
const PATIENCE: Duration = Duration::from_mins(2);

/// A stack to drive: from outside by its API, and its tables for seeding and cleaning.
#[derive(Debug, Clone)]
pub struct Target {
    /// Its tables and queues.
    pub place: Place,
    /// Issues tokens as the stack does.
    pub tokens: AccessTokens,
    /// Its API.
    pub api: ApiClient,
}

/// The measurements.
#[derive(Debug)]
struct Measured {
    seed_seconds: f64,
    post: Latencies,
    fanout: Latencies,
    checked: Checked,
}

impl Measured {
    fn chart(&self) -> Chart {
        let reads = &self.checked.latencies;
        Chart::latencies("Latency", [("posts", &self.post), ("fan-outs", &self.fanout), ("feed reads", reads)])
    }
}

/// Finds the stack named by the options, drives it, and reports results and cost.
pub async fn run(options: &FanoutOptions) -> Result<StackReport, LoadtestError> {
    let target = find(options).await?;
    let plan = Plan {
        followers: options.followers,
        posts: options.posts,
        rows_per_second: options.stack.seed_rate,
        at_once: options.stack.concurrency as usize,
        patience: PATIENCE,
    };
    drive(&target, plan, interrupt).await
}

/// Waits for the next Ctrl-C. Never returns if signals are unavailable.
async fn interrupt() {
    if tokio::signal::ctrl_c().await.is_err() {
        future::pending::<()>().await;
    }
}

#[cfg(feature = "aws")]
async fn find(options: &FanoutOptions) -> Result<Target, StackError> {
    let (Some(url), Some(stack)) = (&options.stack.url, &options.stack.stack) else {
        unreachable!("the command line asks for both or none")
    };
    let unusable = |error| StackError::Api { url: url.to_string(), error };
    let api = ApiClient::new(url.clone()).map_err(unusable)?;
    api.is_well().await.map_err(unusable)?;
    let stack = lookup::Stack::find(stack).await?;
    Ok(Target { place: stack.place, tokens: stack.tokens, api })
}

#[cfg(not(feature = "aws"))]
#[expect(clippy::unused_async, reason = "with AWS it waits for answers")]
async fn find(_options: &FanoutOptions) -> Result<Target, StackError> {
    Err(StackError::WithoutAws)
}

/// Seeds, measures and cleans up. Cleaning also runs after a failure or the first `interrupt`; a second interrupt ends
/// it.
///
/// # Errors
/// If a run cannot complete. Missing, duplicate or slow entries are in the report instead.
pub async fn drive<F: Future<Output = ()>>(
    target: &Target,
    plan: Plan,
    interrupt: impl Fn() -> F,
) -> Result<StackReport, LoadtestError> {
    let people = People::new(plan.followers, Clock::System.now());
    let writer = BulkWriter::new(target.place.store.clone(), plan.rows_per_second);
    let posts = Mutex::new(Vec::new());
    let outcome = tokio::select! {
        measured = measure(target, plan, &people, &writer, &posts) => measured,
        () = interrupt() => Err(StackError::Interrupted),
    };
    let seeded = writer.written();
    if let Err(error) = &outcome {
        telemetry::write_stderr(format_args!("{error}; removing the seeded rows"));
    }
    let (known, cleaning) = (posts.into_inner(), Instant::now());
    let all_seen = outcome.as_ref().is_ok_and(|measured| measured.checked.verdict.missing == 0);
    let left = tokio::select! {
        left = clean::clean(&target.place, &writer, &people, &known, all_seen) => left,
        () = interrupt() => vec![format!("most rows, interrupted again after {} of them", writer.written() - seeded)],
    };
    let clean_seconds = rounded(cleaning.elapsed().as_secs_f64());
    for line in &left {
        telemetry::write_stderr(format_args!("not removed: {line} (author {})", people.author));
    }
    let measured = outcome?;

    let requests = target.api.requests();
    let cost = report::Cost::of_run(plan, &requests, writer.units()).await?;
    Ok(StackReport {
        followers: plan.followers,
        posts: plan.posts,
        post_ms: (&measured.post).into(),
        fanout_ms: (&measured.fanout).into(),
        feed_read_ms: (&measured.checked.latencies).into(),
        entries_expected: plan.followers * plan.posts,
        entries_found: measured.checked.verdict.found,
        duplicates: measured.checked.verdict.duplicates,
        feed_reads: requests.reads,
        feed_reads_repeated: requests.repeated,
        rows_seeded: seeded,
        seed_seconds: measured.seed_seconds,
        rows_removed: writer.written() - seeded,
        clean_seconds,
        not_removed: left,
        cost,
        charts: vec![measured.chart()],
    })
}

async fn measure(
    target: &Target,
    plan: Plan,
    people: &People,
    writer: &BulkWriter,
    posts: &Mutex<Vec<PostId>>,
) -> Result<Measured, StackError> {
    let seeding = Instant::now();
    let progress = progress::bar("seeding", people.row_count());
    writer.write(SEEDED, people.rows(), &progress).await.map_err(StackError::Seed)?;
    progress.finish_and_clear();
    let seed_seconds = rounded(seeding.elapsed().as_secs_f64());

    let watcher = Watcher {
        api: target.api.clone(),
        tokens: target.tokens.clone(),
        at_once: plan.at_once,
        patience: plan.patience,
    };
    let (mut post, mut fanout) = (Latencies::new(), Latencies::new());
    for number in 1..=plan.posts {
        let (answered, reached) = publish(&watcher, people, posts, number, plan.posts).await?;
        post.record(answered);
        let Some(reached) = reached else { break };
        fanout.record(reached);
    }
    let progress = progress::bar("checking feeds", people.followers.len() as u64);
    let known = posts.lock().clone();
    let mut checked = watcher.check(&people.followers, &known, &progress).await?;
    // Posts that were never sent count as missing.
    checked.verdict.missing += (plan.posts - known.len() as u64) * plan.followers;
    Ok(Measured { seed_seconds, post, fanout, checked })
}

/// Posts once and waits until every feed shows it. Returns the latency of the answer, and the time from it to the last
/// feed; `None` if a feed never showed the post.
async fn publish(
    watcher: &Watcher,
    people: &People,
    posts: &Mutex<Vec<PostId>>,
    number: u64,
    of: u64,
) -> Result<(Duration, Option<Duration>), StackError> {
    let text = format!("Post {number} of {of} for everybody, about as long as what people write on an ordinary day.");
    let published = watcher.api.publish(&watcher.token(people.author), &text).await?;
    let answered = Instant::now();
    posts.lock().push(published.answer);
    let progress = progress::bar("waiting for feeds", people.followers.len() as u64);
    let seen = watcher.until_all_show(published.answer, &people.followers, &progress).await?;
    let reached = (seen.missing == 0).then(|| seen.last.saturating_duration_since(answered));
    Ok((published.latency, reached))
}
