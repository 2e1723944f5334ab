//! The operator's commands, answered by the process that uses the data directory or, when none runs, from the database
//! directly. The database lock then keeps a process from starting meanwhile. On AWS commands use the queues, whichever
//! processes consume them.

use std::{io, num::NonZeroU32, ops::ControlFlow, path::Path, pin::pin, sync::Arc, time::Duration};

use domain::Clock;
use embedded::{EmbeddedChanges, OpenError, copy::Progress};
use ports::queue::Queue;
use tokio::sync::watch;

use crate::{
    backup::{BackedUp, Backup, BackupError},
    cli::{
        BackupArgs, DataArgs, DlqCommand, LettersArgs, OutputArgs, RecountArgs, RestoreArgs, RestorePostArgs,
        VerifyArgs,
    },
    config::{Config, Stores},
    data_dir::{has_database, open_database},
    json::json,
    operator::{Answer, DeadLetter, Operator, Question, QueueState, Reason, Redriven},
    progress::Shown,
    recount::{Recount, Recounted},
    restore::{self, RestoredBackup},
    socket,
    store_args::NotBuilt,
    table::Table,
    verify::{Verified, Verify},
};

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The command is invalid.
    #[error("{0}")]
    BadUsage(String),
    /// A named user, post or message does not exist.
    #[error("{0}")]
    NotFound(String),
    /// The process or the database failed.
    #[error("{0}")]
    Failed(String),
    /// The database cannot be opened.
    #[error(transparent)]
    Database(#[from] OpenError),
    /// The backup or restore failed.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// AWS cannot be used.
    #[cfg(feature = "aws")]
    #[error(transparent)]
    Aws(#[from] crate::aws::AwsError),
    /// The feature is missing from this build.
    #[error(transparent)]
    NotBuilt(#[from] NotBuilt),
    /// The running process does not answer.
    #[error("cannot ask the process that runs on {dir}: {error}")]
    Unreachable {
        /// The data directory.
        dir: String,
        /// The I/O error.
        #[source]
        error: io::Error,
    },
}

impl CommandError {
    /// The process's exit code: 2 if the command line or the environment is at fault, 1 if the named thing does not
    /// exist or the work failed.
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::BadUsage(_) | Self::Database(_) | Self::NotBuilt(_) => 2,
            #[cfg(feature = "aws")]
            Self::Aws(error) => match error {
                crate::aws::AwsError::Failed { .. } => 1,
                _ => 2,
            },
            Self::Backup(error) if error.is_usage() => 2,
            Self::Backup(_) | Self::NotFound(_) | Self::Failed(_) | Self::Unreachable { .. } => 1,
        }
    }
}

/// The output of `tweeter queues`.
pub async fn queues(args: OutputArgs) -> Result<String, CommandError> {
    let as_json = args.json;
    let Answer::Queues(states) = ask(args, Question::Queues).await? else { return Err(unexpected()) };
    Ok(if as_json { json(&states) } else { queues_table(&states) })
}

/// The output of `tweeter dlq`.
pub async fn dlq(command: DlqCommand) -> Result<String, CommandError> {
    match command {
        DlqCommand::List(args) => {
            let as_json = args.letters.output.json;
            let letters = look(args.letters, args.limit).await?;
            Ok(if as_json { json(&letters) } else { letters_table(&letters) })
        }
        DlqCommand::Show(args) => {
            let as_json = args.letters.output.json;
            let letters = look(args.letters, args.limit).await?;
            Ok(if as_json { json(&letters) } else { letters.iter().map(letter_text).collect() })
        }
        DlqCommand::Redrive(args) => {
            let LettersArgs { queue, ids, output } = args.letters;
            let as_json = output.json;
            let question = Question::Redrive { queue: queue.name().to_owned(), ids };
            let Answer::Redriven(redriven) = ask(output, question).await? else { return Err(unexpected()) };
            Ok(if as_json { json(&redriven) } else { redriven_text(&redriven) })
        }
    }
}

/// The output of `tweeter recount`, and whether every count is now right.
pub async fn recount(args: RecountArgs) -> Result<(String, bool), CommandError> {
    let RecountArgs { user, post, fix, counts_only, rate, settle, data, stores, json: as_json } = args;
    let (question, of) = match (user, post) {
        (Some(user), _) => (Question::RecountUser { user: user.clone(), fix }, Some(format!("user {user}"))),
        (None, Some(post)) => (Question::RecountPost { post: post.to_string(), fix }, Some(format!("post {post}"))),
        (None, None) => (Question::Recount { fix, counts_only }, None),
    };
    let stores = paced(stores.stores()?, rate, settle)?;
    let Answer::Recounted(recounted) = ask_stores(stores, &data, question).await? else { return Err(unexpected()) };
    let text = if as_json { json(&recounted) } else { recounted_text(&recounted, of) };
    Ok((text, recounted.is_right()))
}

/// The output of `tweeter verify`, and whether every feed is now right.
pub async fn verify(args: VerifyArgs) -> Result<(String, bool), CommandError> {
    let VerifyArgs { post, sample, repair, rate, settle, data, stores, json: as_json } = args;
    let question = Question::Verify { post: post.map(|post| post.to_string()), sample: sample.map(u32::from), repair };
    let stores = paced(stores.stores()?, rate, settle)?;
    let mut shown = Shown::new("Checking", "readers");
    let answer = ask_stores_showing(stores, &data, question, |progress| shown.show(progress)).await?;
    drop(shown);
    let Answer::Verified(verified) = answer else { return Err(unexpected()) };
    let text = if as_json { json(&verified) } else { verified_text(&verified) };
    Ok((text, verified.is_right()))
}

/// The stores, with the options of recounts and checks that apply only to AWS.
fn paced(stores: Stores, rate: Option<NonZeroU32>, settle: Option<u32>) -> Result<Stores, CommandError> {
    match stores {
        Stores::Embedded if rate.is_some() || settle.is_some() => {
            Err(CommandError::BadUsage("--rate and --settle require --store aws".to_owned()))
        }
        Stores::Embedded => Ok(Stores::Embedded),
        #[cfg(feature = "aws")]
        Stores::Aws(options) => {
            let usual = options.recount;
            let settle = settle.map_or(usual.settle, |seconds| Duration::from_secs(seconds.into()));
            let recount = crate::aws::RecountPace { rate: rate.unwrap_or(usual.rate), settle };
            Ok(Stores::Aws(crate::aws::AwsOptions { recount, ..options }))
        }
    }
}

/// The output of `tweeter restore-post`.
pub async fn restore_post(args: RestorePostArgs) -> Result<String, CommandError> {
    let question = Question::RestorePost { post: args.post.to_string() };
    let answer = ask_stores(args.stores.stores()?, &args.data, question).await?;
    let Answer::Restored(restored) = answer else { return Err(unexpected()) };
    Ok(if args.json { json(&restored) } else { format!("{} is restored\n", restored.post) })
}

/// The output of `tweeter backup`.
pub async fn backup(args: BackupArgs) -> Result<String, CommandError> {
    let absolute = |error| CommandError::BadUsage(format!("cannot use {}: {error}", args.to.display()));
    // The running process may have another working directory.
    let to = std::path::absolute(&args.to).map_err(absolute)?;
    let question = Question::Backup { to };
    let mut shown = Shown::new("Backing up", "rows");
    let answer = answer_embedded(&args.data.data_dir, question, |progress| shown.show(progress)).await?;
    drop(shown);
    let Answer::BackedUp(backup) = not_refused(answer)? else { return Err(unexpected()) };
    Ok(if args.json { json(&backup) } else { backup_text(&backup) })
}

/// The output of `tweeter restore`.
pub async fn restore(args: RestoreArgs) -> Result<String, CommandError> {
    let (from, data_dir, replace) = (args.from, args.data.data_dir, args.replace);
    let run = move || {
        let mut shown = Shown::new("Checking", "rows");
        restore::restore(&from, &data_dir, replace, &mut |progress| {
            shown.show(progress);
            ControlFlow::Continue(())
        })
    };
    let panicked = |_| CommandError::Failed("the restore panicked".to_owned());
    let restored = tokio::task::spawn_blocking(run).await.map_err(panicked)??;
    Ok(if args.json { json(&restored) } else { restored_text(&restored) })
}

async fn look(args: LettersArgs, limit: usize) -> Result<Vec<DeadLetter>, CommandError> {
    let question = Question::Look { queue: args.queue.name().to_owned(), ids: args.ids, limit };
    match ask(args.output, question).await? {
        Answer::Letters(letters) => Ok(letters),
        _ => Err(unexpected()),
    }
}

fn unexpected() -> CommandError {
    CommandError::Failed("the running process sent an unexpected answer; is it of the same version?".to_owned())
}

async fn ask(args: OutputArgs, question: Question) -> Result<Answer, CommandError> {
    ask_stores(args.stores.stores()?, &args.data, question).await
}

async fn ask_stores(stores: Stores, data: &DataArgs, question: Question) -> Result<Answer, CommandError> {
    ask_stores_showing(stores, data, question, |_| ()).await
}

async fn ask_stores_showing(
    stores: Stores,
    data: &DataArgs,
    question: Question,
    show: impl FnMut(Progress),
) -> Result<Answer, CommandError> {
    let answer = match stores {
        Stores::Embedded => answer_embedded(&data.data_dir, question, show).await?,
        #[cfg(feature = "aws")]
        Stores::Aws(options) => ask_aws(&options, question, show).await?,
    };
    not_refused(answer)
}

fn not_refused(answer: Answer) -> Result<Answer, CommandError> {
    match answer {
        Answer::Refused(refusal) => Err(match refusal.reason {
            Reason::BadRequest => CommandError::BadUsage(refusal.message),
            Reason::NotFound => CommandError::NotFound(refusal.message),
            Reason::Failed => CommandError::Failed(refusal.message),
        }),
        answer => Ok(answer),
    }
}

#[cfg(feature = "aws")]
async fn ask_aws(
    options: &crate::aws::AwsOptions,
    question: Question,
    show: impl FnMut(Progress),
) -> Result<Answer, CommandError> {
    let clients = crate::aws::AwsClients::from_environment().await?;
    let operator = crate::aws::operator(&clients, options, &question).await?;
    Ok(answer_showing(&operator, question, show).await)
}

async fn answer_embedded(
    data_dir: &Path,
    question: Question,
    mut show: impl FnMut(Progress),
) -> Result<Answer, CommandError> {
    let unreachable = |error| CommandError::Unreachable { dir: data_dir.display().to_string(), error };
    match socket::ask_showing(data_dir, &question, &mut show).await.map_err(unreachable)? {
        Some(answer) => Ok(answer),
        None => answer_offline(data_dir, question, show).await,
    }
}

async fn answer_offline(
    data_dir: &Path,
    question: Question,
    show: impl FnMut(Progress),
) -> Result<Answer, CommandError> {
    if !has_database(data_dir) {
        return Err(CommandError::BadUsage(format!(
            "there is no data in {}; name the data directory with --data-dir",
            data_dir.display()
        )));
    }
    let dir = data_dir.to_owned();
    let opened = tokio::task::spawn_blocking(move || open_database(&dir, &Config::default(), Clock::System)).await;
    let (engine, store, queue) =
        opened.map_err(|_panic| CommandError::Failed("opening the database panicked".to_owned()))??;
    let changes = Arc::new(EmbeddedChanges::new(engine.clone()));
    let backup = Backup { engine: engine.clone(), blobs: None, data_dir: data_dir.to_owned() };
    let queue: Arc<dyn Queue> = Arc::new(queue);
    let operator = Operator {
        verify: Some(Verify::new(store.clone(), Arc::clone(&queue), Clock::System)),
        queue,
        recount: Some(Recount::new(store.clone(), changes.clone())),
        changes: Some(changes),
        store: Arc::new(store),
        patience: Duration::ZERO,
        backup: Some(backup),
    };
    let answer = answer_showing(&operator, question, show).await;
    drop(operator);
    let closed = tokio::task::spawn_blocking(move || engine.close()).await;
    closed.map_err(|_panic| CommandError::Failed("closing the database panicked".to_owned()))?;
    Ok(answer)
}

async fn answer_showing(operator: &Operator, question: Question, mut show: impl FnMut(Progress)) -> Answer {
    let (progress, mut shown) = watch::channel(None);
    let mut answering = pin!(operator.answer_showing(question, Clock::System.now(), progress));
    loop {
        tokio::select! {
            answer = &mut answering => return answer,
            Ok(()) = shown.changed() => {
                let now = *shown.borrow_and_update();
                if let Some(progress) = now {
                    show(progress);
                }
            }
        }
    }
}

fn queues_table(states: &[QueueState]) -> String {
    let mut table = Table::new(["QUEUE", "VISIBLE", "IN FLIGHT", "DELAYED", "OLDEST"]);
    for state in states {
        let oldest = state.oldest_ms.map_or_else(|| "-".to_owned(), age);
        table.row([
            state.queue.clone(),
            state.visible.to_string(),
            state.in_flight.to_string(),
            state.delayed.to_string(),
            oldest,
        ]);
    }
    table.to_string()
}

fn letters_table(letters: &[DeadLetter]) -> String {
    let mut table = Table::new(["ID", "SENT", "GROUP", "BYTES"]);
    for letter in letters {
        let bytes = letter.body.len().to_string();
        table.row([letter.message_id.clone(), letter.sent_at.clone(), letter.group.clone(), bytes]);
    }
    table.to_string()
}

fn letter_text(letter: &DeadLetter) -> String {
    let DeadLetter { message_id, group, sent_at, receive_count, body } = letter;
    format!("id:       {message_id}\ngroup:    {group}\nsent:     {sent_at}\nreceives: {receive_count}\n\n{body}\n\n")
}

fn redriven_text(Redriven { from, to, messages }: &Redriven) -> String {
    let noun = if *messages == 1 { "message" } else { "messages" };
    format!("{messages} {noun} moved from {from} to {to}\n")
}

fn backup_text(BackedUp { dir, taken_at, rows, bytes, files }: &BackedUp) -> String {
    format!("Backed up to {dir}: {rows} rows and {files} pictures, {bytes} bytes, as of {taken_at}\n")
}

fn restored_text(RestoredBackup { data_dir, taken_at, rows, set_aside }: &RestoredBackup) -> String {
    let before = set_aside.as_ref().map_or_else(String::new, |dir| format!("; the data before it is in {dir}"));
    format!("Restored to {data_dir}: {rows} rows, as of {taken_at}{before}\n")
}

fn recounted_text(Recounted { users, posts, differences, undecided }: &Recounted, of: Option<String>) -> String {
    let mut table = Table::new(["OF", "ID", "COUNT", "FOUND", "EXPECTED", "FIXED"]);
    for it in differences {
        let fixed = if it.fixed { "yes" } else { "no" }.to_owned();
        let (found, expected) = (it.found.to_string(), it.expected.to_string());
        table.row([it.of.clone(), it.id.clone(), it.count.clone(), found, expected, fixed]);
    }
    let rows = if differences.is_empty() { String::new() } else { table.to_string() };
    let noun = if differences.len() == 1 { "difference" } else { "differences" };
    let undecided = match undecided {
        0 => String::new(),
        more => format!("{more} more could not be judged: changes are still being applied, or there are too many\n"),
    };
    let count = differences.len();
    let of = of.unwrap_or_else(|| format!("all (users: {users}, posts: {posts})"));
    format!("{rows}{count} {noun} in the counts of {of}\n{undecided}")
}

fn verified_text(Verified { readers, dormant, findings, more, in_progress }: &Verified) -> String {
    let mut table = Table::new(["KIND", "REASON", "READER", "POST", "AUTHOR", "REPAIRED"]);
    for it in findings {
        let [kind, reason] = [it.kind.name(), it.reason.name()].map(str::to_owned);
        let repaired = if it.repaired { "yes" } else { "no" }.to_owned();
        table.row([kind, reason, it.reader.clone(), it.post.clone(), it.author.clone(), repaired]);
    }
    let rows = if findings.is_empty() { String::new() } else { table.to_string() };
    let more = if *more == 0 { String::new() } else { format!("{more} more are not listed\n") };
    let waiting = match in_progress {
        0 => String::new(),
        count => format!("{count} entries are still being delivered, or kept changing\n"),
    };
    let (count, noun) = (findings.len(), if findings.len() == 1 { "difference" } else { "differences" });
    format!("{rows}{count} {noun} in the feeds of {readers} readers; {dormant} dormant ones skipped\n{more}{waiting}")
}

/// A duration in its two largest units.
fn age(millis: u64) -> String {
    let seconds = millis / 1_000;
    match seconds {
        0 => format!("{millis}ms"),
        1..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m {}s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{}h {}m", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{}d {}h", seconds / 86_400, seconds / 3_600 % 24),
    }
}

#[cfg(test)]
mod tests {
    use ports::queue::QueueName;

    use super::*;

    #[test]
    fn an_age_shows_its_two_largest_units() {
        let ages: Vec<_> = [0, 999, 1_000, 59_999, 61_000, 3_661_000, 90_000_000].map(age).into();
        assert_eq!(ages, ["0ms", "999ms", "1s", "59s", "1m 1s", "1h 1m", "1d 1h"]);
    }

    #[test]
    fn queues_are_shown_in_columns() {
        let state = |queue: QueueName, visible, oldest_ms| QueueState {
            queue: queue.name().to_owned(),
            visible,
            in_flight: 0,
            delayed: 2,
            oldest_ms,
        };
        let text = queues_table(&[state(QueueName::PostQ, 0, None), state(QueueName::JobDlq, 12_345, Some(61_000))]);
        assert_eq!(
            text,
            "QUEUE   VISIBLE  IN FLIGHT  DELAYED  OLDEST\n\
             PostQ   0        0          2        -\n\
             JobDLQ  12345    0          2        1m 1s\n"
        );
    }
}
