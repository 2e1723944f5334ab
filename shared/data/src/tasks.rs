//! Notification work that continues step by step. A row holds a cursor and a token that is new with each step, so each
//! write of the row is a change in the stream, and that change triggers the next step. A change whose token differs
//! from the row's is outdated: another step has replaced it.
//!
//! Rows are written in the transaction that writes the step's inbox, conditional on the inbox's version. So a step and
//! its cursor are atomic, and no step is lost or based on an older state.

use std::collections::HashMap;

use uuid::Uuid;

use crate::{Db, Writes, keys};
use domain::{ReactionCursor, Task, random};
use ports::{
    changes::Change,
    store::{
        Attributes, Condition, Consistency, Item, Key, MalformedItem, Outcome, Retrying, StoreError, Table, Test, Write,
    },
};

mod attr {
    pub const TOKEN: &str = "token";
    pub const CURSOR: &str = "cursor";
}

/// The progress of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredTask {
    /// Identifies the next step.
    pub token: Uuid,
    /// For a post's task: where the next step begins.
    pub cursor: ReactionCursor,
}

/// Rows of tasks, in Social.
#[derive(Debug, Clone)]
pub struct Tasks {
    store: Retrying,
}

impl Tasks {
    /// Tasks in `store`.
    pub fn new(db: impl Into<Db>) -> Self {
        Self { store: db.into().0 }
    }

    /// The existing rows of these distinct tasks. Read consistently.
    pub async fn get_all(&self, tasks: &[Task]) -> Result<HashMap<Task, StoredTask>, StoreError> {
        let of_key: HashMap<Key, Task> = tasks.iter().map(|task| (keys::task(*task), *task)).collect();
        let keys: Vec<Key> = of_key.keys().cloned().collect();
        let items = self.store.get_all(Table::Social, &keys, Consistency::Strong).await?;
        let found = items.iter().filter_map(|item| Some((*of_key.get(&item.key)?, item)));
        Ok(found.map(|(task, item)| Ok((task, task_from(item)?))).collect::<Result<_, MalformedItem>>()?)
    }

    /// The write that schedules a task's next step from `cursor` on; any earlier step becomes outdated.
    pub fn next_step(task: Task, cursor: ReactionCursor) -> Writes {
        let item = Item::new(keys::task(task)).with(attr::TOKEN, random::uuid().to_string());
        let item = match cursor {
            ReactionCursor::Start => item,
            cursor => item.with(attr::CURSOR, cursor.to_string()),
        };
        Writes::to(Table::Social, [Write::put(item)])
    }

    /// The write that ends a task.
    pub fn end(task: Task) -> Writes {
        Writes::deleting(Table::Social, [keys::task(task)])
    }

    /// Ends a finished task, unless a step other than that of this token is due.
    pub async fn forget(&self, task: Task, token: Uuid) -> Result<(), StoreError> {
        let condition = Condition::Where(vec![Test::Equals(attr::TOKEN, token.to_string().into())]);
        let write = Write::Delete { key: keys::task(task), condition };
        let _either_way: Outcome = self.store.write(Table::Social, write).await?;
        Ok(())
    }

    /// The token of the step that a change of a task's row schedules; `None` when the row was removed.
    ///
    /// # Errors
    /// When the row holds no token.
    pub(crate) fn token_of(change: &Change) -> Result<Option<Uuid>, MalformedItem> {
        let token = |image: &Attributes| {
            Item { key: change.key.clone(), attributes: image.clone() }
                .text(attr::TOKEN)
                .and_then(|token| Uuid::try_parse(token).map_err(|_| MalformedItem { attribute: attr::TOKEN }))
        };
        change.after.as_ref().map(token).transpose()
    }
}

fn task_from(item: &Item) -> Result<StoredTask, MalformedItem> {
    let cursor = item.text_if_any(attr::CURSOR)?.map(str::parse).transpose();
    Ok(StoredTask {
        token: Uuid::try_parse(item.text(attr::TOKEN)?).map_err(|_| MalformedItem { attribute: attr::TOKEN })?,
        cursor: cursor.map_err(|_| MalformedItem { attribute: attr::CURSOR })?.unwrap_or_default(),
    })
}
