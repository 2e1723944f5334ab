//! `tweeter setup`: creates missing tables and queues. Idempotent.

use serde::Serialize;

use crate::{cli::SetupArgs, commands::CommandError, config::Stores, json::json, table::Table};

/// The result of a set-up.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct SetUp {
    /// The tables.
    pub tables: Vec<TableState>,
    /// The queues, dead-letter queues first.
    pub queues: Vec<QueueState>,
}

/// The result for one table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TableState {
    /// Its role: `auth`, `social` or `feed`.
    pub table: &'static str,
    /// Its name.
    pub name: String,
    /// Whether it was created; otherwise it existed.
    pub made: bool,
    /// Whether expiry was enabled; otherwise it already was.
    pub expiry_set: bool,
}

/// The result for one queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct QueueState {
    /// Its role, such as `PostQ` or `JobDLQ`.
    pub queue: &'static str,
    /// Its name.
    pub name: String,
    /// Its URL.
    pub url: String,
    /// Whether it was created; otherwise it existed and is unchanged.
    pub made: bool,
}

/// The output of `tweeter setup`.
#[cfg_attr(not(feature = "aws"), expect(clippy::unused_async, reason = "the other build asks AWS"))]
pub async fn setup(args: SetupArgs) -> Result<String, CommandError> {
    let as_json = args.json;
    match args.stores.stores()? {
        Stores::Embedded if as_json => Ok(json(&SetUp::default())),
        Stores::Embedded => {
            Ok("Nothing to set up: `tweeter serve` creates the embedded database when it starts.\n".to_owned())
        }
        #[cfg(feature = "aws")]
        Stores::Aws(options) => {
            let done = on_aws(&crate::aws::AwsClients::from_environment().await?, &options).await?;
            Ok(if as_json { json(&done) } else { text(&done) })
        }
    }
}

/// Creates missing tables and queues. Queues with a configured URL are still looked up by name.
#[cfg(feature = "aws")]
pub async fn on_aws(
    clients: &crate::aws::AwsClients,
    options: &crate::aws::AwsOptions,
) -> Result<SetUp, crate::aws::AwsError> {
    use aws::setup;
    use ports::queue::QueueSettings;

    let tables = setup::create_tables(&clients.dynamodb, &options.tables).await?;
    let queues = setup::set_up_queues(&clients.sqs, &options.prefix, |_| QueueSettings::default()).await?;
    let table = |it: setup::SetUpTable| TableState {
        table: it.table.name(),
        name: it.name,
        made: it.made,
        expiry_set: it.expiry_set,
    };
    let queue =
        |it: setup::SetUpQueue| QueueState { queue: it.queue.name(), name: it.name, url: it.url, made: it.made };
    Ok(SetUp { tables: tables.into_iter().map(table).collect(), queues: queues.into_iter().map(queue).collect() })
}

#[cfg_attr(not(feature = "aws"), expect(dead_code, reason = "there is nothing to set up in this build"))]
fn text(done: &SetUp) -> String {
    let mut table = Table::new(["", "NAME", "", "URL"]);
    for TableState { name, made, expiry_set, .. } in &done.tables {
        let state = match (made, expiry_set) {
            (true, _) => "made",
            (false, true) => "was there; the expiry of its items was set",
            (false, false) => "was there",
        };
        table.row(["table".to_owned(), name.clone(), state.to_owned(), String::new()]);
    }
    for QueueState { name, url, made, .. } in &done.queues {
        let state = if *made { "made" } else { "was there" };
        table.row(["queue".to_owned(), name.clone(), state.to_owned(), url.clone()]);
    }
    table.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_distinguishes_existing_from_created_resources() {
        let table =
            |name: &str, made, expiry_set| TableState { table: "feed", name: name.to_owned(), made, expiry_set };
        let queue = QueueState { queue: "JobQ", name: "t-JobQ".to_owned(), url: "http://q".to_owned(), made: false };
        let done =
            SetUp { tables: vec![table("t-feed", true, true), table("t-old", false, true)], queues: vec![queue] };
        assert_eq!(
            text(&done),
            "       NAME                                                URL\n\
             table  t-feed  made\n\
             table  t-old   was there; the expiry of its items was set\n\
             queue  t-JobQ  was there                                   http://q\n"
        );
    }
}
