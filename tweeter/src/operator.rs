//! Operator requests and answers: the same types over the socket of a running process and within a command that opens
//! the database itself.
//!
//! One line of JSON in each direction. `v` is the protocol version; a process that speaks another version says so.

use std::{ops::ControlFlow, path::PathBuf, sync::Arc, time::Duration};

use data::Users;
use domain::{Handle, PostId, Timestamp};
use embedded::copy::Progress;
use ports::{
    changes::{Backlog, ChangeLog},
    queue::{Queue, QueueError, QueueName, ReceivedMessage},
    store::{Store, StoreError},
};
use serde::{Deserialize, Serialize};
use service::{ServiceError, posts::PostService, rates::RateLimiter};

use telemetry::chain;
use tokio::sync::watch;

use crate::{
    backup::{BackedUp, Backup, BackupError},
    dead_letters::{self, DeadLetterError, DeadLetters, Selection},
    recount::{Recount, RecountError, Recounted, Scope},
    verify::{self, Verified, Verify, VerifyError},
};

/// The version of [`Request`] and [`Answer`].
pub const VERSION: u32 = 1;

/// A request on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// [`VERSION`].
    pub v: u32,
    /// The request itself.
    #[serde(flatten)]
    pub question: Question,
}

/// An operator request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Question {
    /// The depth of each queue and the backlog of changes.
    Queues,
    /// Dead letters: all of them, or those with the given ids.
    Look {
        /// The queue, or its dead-letter queue.
        queue: String,
        /// The messages; empty for all.
        ids: Vec<String>,
        /// Maximum number of messages.
        limit: usize,
    },
    /// Moves dead letters to their source queue.
    Redrive {
        /// The queue, or its dead-letter queue.
        queue: String,
        /// The messages; empty for all.
        ids: Vec<String>,
    },
    /// Compares all counts with the data.
    Recount {
        /// Whether to fix wrong counts.
        fix: bool,
        /// Whether to skip notifications.
        #[serde(default)]
        counts_only: bool,
    },
    /// The same for one user, including notifications.
    RecountUser {
        /// The user's id, or `@` and the handle.
        user: String,
        /// Whether to fix wrong counts.
        fix: bool,
    },
    /// The same for one post.
    RecountPost {
        /// The post's id.
        post: String,
        /// Whether to fix wrong counts.
        fix: bool,
    },
    /// Compares feeds with what they are derived from.
    Verify {
        /// Only this post, in the feeds of its author's followers.
        #[serde(default)]
        post: Option<String>,
        /// Only this many readers, drawn at random.
        #[serde(default)]
        sample: Option<u32>,
        /// Whether to repair differences.
        repair: bool,
    },
    /// Restores a deleted post.
    RestorePost {
        /// The post's id.
        post: String,
    },
    /// Backs up the data directory as it is now.
    Backup {
        /// The target directory: an absolute path.
        to: PathBuf,
    },
}

impl Question {
    /// The queues that the request needs. An unknown queue name yields none; the answer reports it.
    pub fn queues(&self) -> Vec<QueueName> {
        match self {
            Self::Queues => QueueName::ALL.to_vec(),
            Self::Verify { .. } => Verify::queues().to_vec(),
            Self::Recount { .. }
            | Self::RecountUser { .. }
            | Self::RecountPost { .. }
            | Self::RestorePost { .. }
            | Self::Backup { .. } => Vec::new(),
            Self::Look { queue, .. } => {
                QueueName::parse(queue).map(dead_letters::dead_letter_queue).into_iter().collect()
            }
            Self::Redrive { queue, .. } => {
                let dead_letters = QueueName::parse(queue).map(dead_letters::dead_letter_queue);
                dead_letters.into_iter().chain(dead_letters.and_then(QueueName::source_queue)).collect()
            }
        }
    }
}

/// An answer on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// To [`Question::Queues`]: the state of each queue, then of [`CHANGES`] if this process reads changes.
    Queues(Vec<QueueState>),
    /// To [`Question::Look`].
    Letters(Vec<DeadLetter>),
    /// To [`Question::Redrive`].
    Redriven(Redriven),
    /// To [`Question::Recount`], [`Question::RecountUser`] and [`Question::RecountPost`].
    Recounted(Recounted),
    /// To [`Question::Verify`].
    Verified(Verified),
    /// To [`Question::RestorePost`].
    Restored(Restored),
    /// To [`Question::Backup`].
    BackedUp(BackedUp),
    /// Not final: the progress so far.
    Progress(Progress),
    /// The request was refused or failed.
    Refused(Refusal),
}

/// The name of the change log among the queues.
pub const CHANGES: &str = "Changes";

/// The state of one queue, or of the change log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueState {
    /// The queue's name, or [`CHANGES`].
    pub queue: String,
    /// Messages ready to be received.
    pub visible: u64,
    /// Messages received but not deleted yet.
    pub in_flight: u64,
    /// Messages whose delay has not expired.
    pub delayed: u64,
    /// Age of the oldest visible message, in milliseconds.
    pub oldest_ms: Option<u64>,
}

/// One dead letter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// The message's id.
    pub message_id: String,
    /// The message group: for the pipeline's queues, the author.
    pub group: String,
    /// When it was first sent, RFC 3339.
    pub sent_at: String,
    /// Receives from the dead-letter queue, including this one.
    pub receive_count: u32,
    /// The body.
    pub body: String,
}

/// The result of a redrive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redriven {
    /// The dead-letter queue.
    pub from: String,
    /// The source queue.
    pub to: String,
    /// The number of messages moved.
    pub messages: usize,
}

/// The result of restoring a post.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restored {
    /// The post's id.
    pub post: String,
}

/// Why a request was refused or failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The kind.
    pub reason: Reason,
    /// A one-line explanation for the operator.
    pub message: String,
}

/// Kinds of refusals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The request is invalid.
    BadRequest,
    /// The named user, post or message does not exist.
    NotFound,
    /// The queue or the store failed.
    Failed,
}

/// Answers operator requests about queues, counts, feeds, posts and backups.
#[derive(Debug, Clone)]
pub struct Operator {
    /// The queues.
    pub queue: Arc<dyn Queue>,
    /// The change log of the embedded store; on AWS, Lambda reads the stream.
    pub changes: Option<Arc<dyn ChangeLog>>,
    /// Holds the posts, and reports when writes are durable.
    pub store: Arc<dyn Store>,
    /// How long to wait for dead letters before the queue counts as empty: zero for the embedded queue, one second for
    /// SQS, where a short poll samples only some of the servers.
    pub patience: Duration,
    /// The recount; `None` on AWS, where the command does it.
    pub recount: Option<Recount>,
    /// The check of feeds; `None` on AWS, where the command does it.
    pub verify: Option<Verify>,
    /// The backup; `None` unless this process owns the data.
    pub backup: Option<Backup>,
}

/// Receives the progress of an answer. When all its receivers are dropped, a backup stops.
pub type ProgressSender = watch::Sender<Option<Progress>>;

impl Operator {
    /// Answers one request. Changes are durable before they are answered.
    pub async fn answer(&self, question: Question, now: Timestamp) -> Answer {
        let (progress, _waiting) = watch::channel(None);
        self.answer_showing(question, now, progress).await
    }

    /// Like [`Self::answer`], but reports progress.
    pub async fn answer_showing(&self, question: Question, now: Timestamp, progress: ProgressSender) -> Answer {
        let answered = match question {
            Question::Queues => self.queues(now).await,
            Question::Look { queue: name, ids, limit } => self.look(&name, ids, limit).await,
            Question::Redrive { queue: name, ids } => self.redrive(&name, ids, now).await,
            Question::Recount { fix, counts_only } => {
                self.recount(Scope::All { inboxes: !counts_only }, fix, now).await
            }
            Question::RecountUser { user, fix } => self.recount_user(&user, fix, now).await,
            Question::RecountPost { post, fix } => self.recount_post(&post, fix, now).await,
            Question::Verify { post, sample, repair } => self.verify(post, sample, repair, &progress).await,
            Question::RestorePost { post } => self.restore_post(&post, now).await,
            Question::Backup { to } => self.back_up(to, now, progress).await,
        };
        answered.unwrap_or_else(Answer::Refused)
    }

    async fn queues(&self, now: Timestamp) -> Result<Answer, Refusal> {
        let mut states = Vec::new();
        for name in QueueName::ALL {
            let depth = self.queue.depth(name).await?;
            states.push(QueueState {
                queue: name.name().to_owned(),
                visible: depth.visible,
                in_flight: depth.in_flight,
                delayed: depth.delayed,
                oldest_ms: depth.oldest_age.map(millis),
            });
        }
        if let Some(changes) = &self.changes {
            states.push(changes_state(changes.backlog().await?, now));
        }
        Ok(Answer::Queues(states))
    }

    async fn look(&self, name: &str, ids: Vec<String>, limit: usize) -> Result<Answer, Refusal> {
        let letters = self.dead_letters(name)?.look(&Selection::of(ids), limit).await?;
        Ok(Answer::Letters(letters.into_iter().map(DeadLetter::from).collect()))
    }

    async fn redrive(&self, name: &str, ids: Vec<String>, now: Timestamp) -> Result<Answer, Refusal> {
        let from = self.dead_letters(name)?;
        let messages = from.redrive(&Selection::of(ids), now).await?;
        self.store.durable().await?;
        let to = from.name.source_queue().map(QueueName::name).unwrap_or_default().to_owned();
        Ok(Answer::Redriven(Redriven { from: from.name.name().to_owned(), to, messages }))
    }

    async fn recount_user(&self, user: &str, fix: bool, now: Timestamp) -> Result<Answer, Refusal> {
        let bad =
            || Refusal { reason: Reason::BadRequest, message: format!("{user} is neither a user id nor an @handle") };
        let id = match user.strip_prefix('@') {
            None => user.parse().map_err(|_| bad())?,
            Some(handle) => {
                let handle = Handle::parse(handle).map_err(|_| bad())?;
                let found = Users::new(Arc::clone(&self.store)).id_of_handle(&handle).await?;
                found.ok_or_else(|| Refusal::not_there("user", user))?
            }
        };
        if !self.recounter()?.exists(Scope::User(id)).await? {
            return Err(Refusal::not_there("user", user));
        }
        self.recount(Scope::User(id), fix, now).await
    }

    async fn recount_post(&self, post: &str, fix: bool, now: Timestamp) -> Result<Answer, Refusal> {
        let scope = Scope::Post(post_id(post)?);
        if !self.recounter()?.exists(scope).await? {
            return Err(Refusal::not_there("post", post));
        }
        self.recount(scope, fix, now).await
    }

    async fn recount(&self, scope: Scope, fix: bool, now: Timestamp) -> Result<Answer, Refusal> {
        Ok(Answer::Recounted(self.recounter()?.run(scope, fix, now).await?))
    }

    fn recounter(&self) -> Result<&Recount, Refusal> {
        let message = || "this process cannot recount; run `tweeter recount --store aws`".to_owned();
        self.recount.as_ref().ok_or_else(|| Refusal { reason: Reason::BadRequest, message: message() })
    }

    async fn verify(
        &self,
        post: Option<String>,
        sample: Option<u32>,
        repair: bool,
        progress: &ProgressSender,
    ) -> Result<Answer, Refusal> {
        let message = || "this process cannot check feeds; run `tweeter verify --store aws`".to_owned();
        let verify = self.verify.as_ref().ok_or_else(|| Refusal { reason: Reason::BadRequest, message: message() })?;
        let scope = match (&post, sample) {
            (Some(post), _) => verify::Scope::Post(post_id(post)?),
            (None, Some(size)) => verify::Scope::Sample(size),
            (None, None) => verify::Scope::All,
        };
        if !verify.exists(scope).await? {
            return Err(Refusal::not_there("post", &post.unwrap_or_default()));
        }
        Ok(Answer::Verified(verify.run(scope, repair, progress).await?))
    }

    async fn restore_post(&self, post: &str, now: Timestamp) -> Result<Answer, Refusal> {
        let id = post_id(post)?;
        match PostService::new(Arc::clone(&self.store), RateLimiter::off()).restore(id, now).await {
            Ok(()) => {}
            Err(ServiceError::NotFound) => {
                let message = format!("no deleted post {post}, or it was deleted more than 30 days ago");
                return Err(Refusal { reason: Reason::NotFound, message });
            }
            Err(error) => return Err(Refusal { reason: Reason::Failed, message: chain(&error) }),
        }
        self.store.durable().await?;
        Ok(Answer::Restored(Restored { post: id.to_string() }))
    }

    async fn back_up(&self, to: PathBuf, now: Timestamp, progress: ProgressSender) -> Result<Answer, Refusal> {
        let Some(backup) = self.backup.clone() else {
            let message = "only the embedded store can be backed up; use DynamoDB's point-in-time recovery".to_owned();
            return Err(Refusal { reason: Reason::BadRequest, message });
        };
        let run = move || {
            backup.run(&to, now, &mut |now| match progress.send(Some(now)) {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            })
        };
        let panicked = |_| Refusal { reason: Reason::Failed, message: "the backup panicked".to_owned() };
        Ok(Answer::BackedUp(tokio::task::spawn_blocking(run).await.map_err(panicked)??))
    }

    fn dead_letters(&self, name: &str) -> Result<DeadLetters<'_>, Refusal> {
        Ok(DeadLetters { queue: self.queue.as_ref(), name: parse_queue(name)?, patience: self.patience })
    }
}

fn changes_state(backlog: Backlog, now: Timestamp) -> QueueState {
    QueueState {
        queue: CHANGES.to_owned(),
        visible: backlog.changes,
        in_flight: 0,
        delayed: 0,
        oldest_ms: backlog.oldest.map(|_| millis(backlog.age(now))),
    }
}

fn millis(age: Duration) -> u64 {
    u64::try_from(age.as_millis()).unwrap_or(u64::MAX)
}

fn post_id(post: &str) -> Result<PostId, Refusal> {
    let bad = |_| Refusal { reason: Reason::BadRequest, message: format!("{post} is not a post id") };
    post.parse().map_err(bad)
}

fn parse_queue(name: &str) -> Result<QueueName, Refusal> {
    let queue = QueueName::parse(name)
        .ok_or_else(|| Refusal { reason: Reason::BadRequest, message: format!("unknown queue {name}") })?;
    Ok(dead_letters::dead_letter_queue(queue))
}

impl From<ReceivedMessage> for DeadLetter {
    fn from(message: ReceivedMessage) -> Self {
        Self {
            message_id: message.message_id,
            group: message.group,
            sent_at: message.sent_at.to_string(),
            receive_count: message.receive_count,
            body: message.body,
        }
    }
}

impl Refusal {
    fn not_there(what: &str, named: &str) -> Self {
        Self { reason: Reason::NotFound, message: format!("there is no {what} {named}") }
    }
}

impl From<RecountError> for Refusal {
    fn from(error: RecountError) -> Self {
        Self { reason: Reason::Failed, message: chain(&error) }
    }
}

impl From<VerifyError> for Refusal {
    fn from(error: VerifyError) -> Self {
        Self { reason: Reason::Failed, message: chain(&error) }
    }
}

impl From<DeadLetterError> for Refusal {
    fn from(error: DeadLetterError) -> Self {
        let reason = match error {
            DeadLetterError::NotDeadLetters(_) => Reason::BadRequest,
            DeadLetterError::NotFound { .. } => Reason::NotFound,
            DeadLetterError::Queue(_) => Reason::Failed,
        };
        Self { reason, message: chain(&error) }
    }
}

impl From<QueueError> for Refusal {
    fn from(error: QueueError) -> Self {
        Self { reason: Reason::Failed, message: chain(&error) }
    }
}

impl From<BackupError> for Refusal {
    fn from(error: BackupError) -> Self {
        let reason = if error.is_usage() { Reason::BadRequest } else { Reason::Failed };
        Self { reason, message: chain(&error) }
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self { reason: Reason::Failed, message: chain(&error) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_and_answers_are_versioned_json_lines() {
        let request =
            Request { v: VERSION, question: Question::Redrive { queue: "JobQ".to_owned(), ids: vec!["a".to_owned()] } };
        let line = serde_json::to_string(&request).unwrap();
        assert_eq!(line, r#"{"v":1,"command":"redrive","queue":"JobQ","ids":["a"]}"#);
        assert_eq!(serde_json::from_str::<Request>(&line).unwrap(), request);

        let refusal = Refusal { reason: Reason::NotFound, message: "no".to_owned() };
        let line = serde_json::to_string(&Answer::Refused(refusal)).unwrap();
        assert_eq!(line, r#"{"refused":{"reason":"not_found","message":"no"}}"#);
    }
}
