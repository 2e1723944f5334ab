//! Repairs differences that two looks agree on.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use data::{Db, Feeds, Follows, Readers, Transaction, messages::FeedJob};
use domain::{PostId, UserId};
use ports::{
    queue::{OutgoingMessage, Queue, QueueName, send_all},
    store::StoreError,
};
use service::fan_out::{FanOutOptions, plan_jobs};

use super::{
    findings::{Kind, Reason, VerifyError},
    look::{Suspect, Wrong},
};

/// Repairs what can be repaired. Returns what is.
pub(super) async fn repair(
    db: &Db,
    queue: &dyn Queue,
    found: &[(Suspect, Wrong)],
) -> Result<HashSet<Suspect>, VerifyError> {
    let missing: Vec<_> = found.iter().filter(|(_, wrong)| wrong.reason == Reason::NoEntry).collect();
    deliver_again(queue, missing.iter().map(|(suspect, wrong)| (*suspect, wrong.author))).await?;
    let mut repaired: HashSet<Suspect> = missing.into_iter().map(|(suspect, _)| *suspect).collect();
    for (suspect, wrong) in found.iter().filter(|(_, wrong)| wrong.kind == Kind::Extra && wrong.is_by_entry) {
        if remove(db, *suspect, wrong).await? {
            repaired.insert(*suspect);
        }
    }
    Ok(repaired)
}

/// Puts missing entries on JobQ as jobs like those of a fan-out, whose entries are the same rows. A feed that was lost as
/// a whole is restored the same way.
async fn deliver_again(queue: &dyn Queue, missing: impl Iterator<Item = (Suspect, UserId)>) -> Result<(), VerifyError> {
    let mut readers: HashMap<(PostId, UserId), Vec<UserId>> = HashMap::new();
    for (Suspect { reader, post }, author) in missing {
        readers.entry((post, author)).or_default().push(reader);
    }
    let per_job = FanOutOptions::default().followers_per_job;
    let jobs = readers.iter().flat_map(|((post, author), readers)| plan_jobs(*post, *author, readers, per_job));
    let message =
        |job: FeedJob| OutgoingMessage { body: job.encode(), group: job.author_id.to_string(), delay: Duration::ZERO };
    Ok(send_all(queue, QueueName::JobQ, jobs.map(message).collect()).await?)
}

/// Removes an entry that is shown without a follow, if follow and rule are as they were read: else a follow made
/// meanwhile would lose the entries of its backfill. Returns whether it did.
async fn remove(db: &Db, Suspect { reader, post }: Suspect, wrong: &Wrong) -> Result<bool, StoreError> {
    let writes = Follows::is_unchanged(reader, wrong.author, wrong.window)
        .and(Readers::is_unchanged(reader, wrong.author, wrong.rule.if_any()))
        .and(Feeds::removal(reader, post));
    match Transaction::from(writes).commit_once(db).await {
        Ok(committed) => Ok(committed.is_applied()),
        // Left to the next check.
        Err(error) if error.is_transient() => Ok(false),
        Err(error) => Err(error),
    }
}
