//! The used part of rate limits.

use crate::{Db, keys};
use domain::Timestamp;
use ports::store::{Changes, Condition, EXPIRES_AT, Key, Outcome, Retrying, StoreError, Table, Test, Write};

mod attr {
    /// Uses taken, less those given back.
    pub const USED: &str = "used";
}

/// A subject's window of a limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateWindow {
    /// The limit's name.
    pub limit: &'static str,
    /// The subject, within the length of a key.
    pub subject: String,
    /// The number of the window.
    pub window: u64,
}

impl RateWindow {
    fn key(&self) -> Key {
        keys::rate(self.limit, &self.subject, self.window)
    }
}

/// Rates, in Social. Calls are not retried: the limited request waits for the answer, and can do without it.
#[derive(Debug, Clone)]
pub struct Rates {
    store: Retrying,
}

impl Rates {
    /// Rates in `store`.
    pub fn new(db: impl Into<Db>) -> Self {
        Self { store: db.into().0 }
    }

    /// Takes one use if fewer than `limit` are taken; otherwise refuses and writes nothing. The item expires at
    /// `expires`.
    pub async fn take(&self, of: &RateWindow, limit: u32, expires: Timestamp) -> Result<Outcome, StoreError> {
        let condition = Condition::AbsentOr(vec![Test::AtMost(attr::USED, i64::from(limit) - 1)]);
        let mut changes = Changes { add: vec![(attr::USED, 1)], ..Changes::default() };
        changes.set.insert(EXPIRES_AT.into(), expires.as_secs().cast_signed().into());
        self.store.without_retries().write(Table::Social, Write::Update { key: of.key(), changes, condition }).await
    }

    /// Gives one use back.
    pub async fn give_back(&self, of: &RateWindow) -> Result<(), StoreError> {
        let changes = Changes { add: vec![(attr::USED, -1)], ..Changes::default() };
        let write = Write::Update { key: of.key(), changes, condition: Condition::Present };
        // Refused: the window has ended, and its item has expired.
        self.store.without_retries().write(Table::Social, write).await.map(drop)
    }
}
