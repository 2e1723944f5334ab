//! What an operator can ask, and the answers: the same words over the socket of a running process and inside the
//! command when it opens the database itself.
//!
//! One line of JSON each way. `v` is the protocol's version; a process of another version says so.

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
};

/// The version of [`Request`] and [`Answer`].
pub const VERSION: u32 = 1;

/// A question, as it travels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// [`VERSION`].
    pub v: u32,
    /// What is asked.
    #[serde(flatten)]
    pub question: Question,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Question {
    /// How full each queue is, and how many changes wait.
    Queues,
    /// Dead letters: all of them or the named ones.
    Look {
        /// The queue, or its dead-letter queue.
        queue: String,
        /// The messages; empty for all.
        ids: Vec<String>,
        /// Messages at the most.
        limit: usize,
    },
    /// Back to the source queue.
    Redrive {
        /// The queue, or its dead-letter queue.
        queue: String,
        /// The messages; empty for all.
        ids: Vec<String>,
    },
    /// Which of all counts are not what they count.
    Recount {
        /// Whether to fix them.
        fix: bool,
        /// Whether notifications are left out.
        #[serde(default)]
        counts_only: bool,
    },
    /// The same of one user, notifications included.
    RecountUser {
        /// The user's id, or `@` and the handle.
        user: String,
        /// Whether to fix them.
        fix: bool,
    },
    /// The same of one post.
    RecountPost {
        /// The post's id.
        post: String,
        /// Whether to fix them.
        fix: bool,
    },
    /// A deleted post back to where it was.
    RestorePost {
        /// The post's id.
        post: String,
    },
    /// A copy of the data directory as it is now.
    Backup {
        /// The directory to make it in: an absolute path.
        to: PathBuf,
    },
}

impl Question {
    /// The queues that must be there to answer; those of a name that is none are told by the answer.
    pub fn queues(&self) -> Vec<QueueName> {
        match self {
            Self::Queues => QueueName::ALL.to_vec(),
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

/// An answer, as it travels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// To [`Question::Queues`]: a state for each queue, then, where this process reads changes, one for [`CHANGES`].
    Queues(Vec<QueueState>),
    /// To [`Question::Look`].
    Letters(Vec<DeadLetter>),
    /// To [`Question::Redrive`].
    Redriven(Redriven),
    /// To [`Question::Recount`], [`Question::RecountUser`] and [`Question::RecountPost`].
    Recounted(Recounted),
    /// To [`Question::RestorePost`].
    Restored(Restored),
    /// To [`Question::Backup`].
    BackedUp(BackedUp),
    /// No answer yet: how far it has come.
    Progress(Progress),
    /// It was not done.
    Refused(Refusal),
}

/// The name under which the log of changes stands among the queues.
pub const CHANGES: &str = "Changes";

/// How full one queue, or the log of changes, is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueState {
    /// The queue's name, or [`CHANGES`].
    pub queue: String,
    /// Messages that can be received.
    pub visible: u64,
    /// Messages received and not yet deleted.
    pub in_flight: u64,
    /// Messages whose delay is not over.
    pub delayed: u64,
    /// Age of the oldest message that can be received.
    pub oldest_ms: Option<u64>,
}

/// One dead letter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// The message's id.
    pub message_id: String,
    /// The group it was sent with: for the pipeline's queues, the author.
    pub group: String,
    /// When it was first sent, RFC 3339.
    pub sent_at: String,
    /// How often it was received from the dead-letter queue, this look included.
    pub receive_count: u32,
    /// The body.
    pub body: String,
}

/// What a redrive moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redriven {
    /// From this dead-letter queue.
    pub from: String,
    /// To this queue.
    pub to: String,
    /// So many messages.
    pub messages: usize,
}

/// What was restored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restored {
    /// The post's id.
    pub post: String,
}

/// Why it was not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The kind.
    pub reason: Reason,
    /// One line for the operator.
    pub message: String,
}

/// Kinds of refusals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The question is wrong.
    BadRequest,
    /// What is named is not there.
    NotFound,
    /// The queue or the store failed.
    Failed,
}

/// Answers questions about the queues, the counts and the posts.
#[derive(Debug, Clone)]
pub struct Operator {
    /// The queues.
    pub queue: Arc<dyn Queue>,
    /// The log of changes, in the embedded store; on AWS the stream is Lambda's to read.
    pub changes: Option<Arc<dyn ChangeLog>>,
    /// Where posts are, and what says when something is durable.
    pub store: Arc<dyn Store>,
    /// How long to wait for dead letters that are perhaps there: nothing where a queue knows at once, a second on SQS,
    /// where a receive that does not wait asks but some of the servers.
    pub patience: Duration,
    /// What recounts; a process on AWS leaves that to the command.
    pub recount: Option<Recount>,
    /// What backs up, where the data is this process's own.
    pub backup: Option<Backup>,
}

/// Takes how far an answer has come. Its receivers are those who wait for the answer: without them a backup ends.
pub type ProgressSender = watch::Sender<Option<Progress>>;

impl Operator {
    /// Answers one question. What changes something is answered when it is durable.
    pub async fn answer(&self, question: Question, now: Timestamp) -> Answer {
        let (progress, _waiting) = watch::channel(None);
        self.answer_showing(question, now, progress).await
    }

    /// The same, telling how far it has come.
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
        let bad = || Refusal { reason: Reason::BadRequest, message: format!("{user} is no user's id and no @handle") };
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
        let message = || "`tweeter recount --store aws` reads the tables itself".to_owned();
        self.recount.as_ref().ok_or_else(|| Refusal { reason: Reason::BadRequest, message: message() })
    }

    async fn restore_post(&self, post: &str, now: Timestamp) -> Result<Answer, Refusal> {
        let id = post_id(post)?;
        match PostService::new(Arc::clone(&self.store), RateLimiter::off()).restore(id, now).await {
            Ok(()) => {}
            Err(ServiceError::NotFound) => {
                let message = format!("there is no deleted post {post} that can be restored");
                return Err(Refusal { reason: Reason::NotFound, message });
            }
            Err(error) => return Err(Refusal { reason: Reason::Failed, message: chain(&error) }),
        }
        self.store.durable().await?;
        Ok(Answer::Restored(Restored { post: id.to_string() }))
    }

    async fn back_up(&self, to: PathBuf, now: Timestamp, progress: ProgressSender) -> Result<Answer, Refusal> {
        let Some(backup) = self.backup.clone() else {
            let message = "only the embedded store is backed up; DynamoDB has point-in-time recovery".to_owned();
            return Err(Refusal { reason: Reason::BadRequest, message });
        };
        let run = move || {
            backup.run(&to, now, &mut |now| match progress.send(Some(now)) {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            })
        };
        let panicked = |_| Refusal { reason: Reason::Failed, message: "the backup failed inside".to_owned() };
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
    let bad = |_| Refusal { reason: Reason::BadRequest, message: format!("{post} is no post's id") };
    post.parse().map_err(bad)
}

fn parse_queue(name: &str) -> Result<QueueName, Refusal> {
    let queue = QueueName::parse(name)
        .ok_or_else(|| Refusal { reason: Reason::BadRequest, message: format!("there is no queue {name}") })?;
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
    fn questions_and_answers_are_versioned_lines_of_json() {
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
