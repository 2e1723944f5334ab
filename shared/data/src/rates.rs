//! How much of the rate limits is used.

use std::sync::Arc;

use crate::keys;
use domain::Timestamp;
use ports::store::{
    Changes, Condition, Consistency, EXPIRES_AT, Item, Key, MalformedItem, Outcome, Store, StoreError, Table, Test,
    Write,
};

mod attr {
    /// Uses, less those given back.
    pub const USED: &str = "used";
    /// How often uses were added.
    pub const ASKED: &str = "asked";
}

/// Of whom, in which window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateWindow {
    /// The limit's name.
    pub limit: &'static str,
    /// Whose uses; not longer than a key may be.
    pub subject: String,
    /// The number of the window.
    pub window: u64,
}

impl RateWindow {
    fn key(&self) -> Key {
        keys::rate(self.limit, &self.subject, self.window)
    }
}

/// What is stored of one subject's window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StoredRate {
    /// Uses that processes have told of.
    pub used: u32,
    /// How often they did, all together.
    pub asked: u32,
}

/// Rates, in Social. Nothing here is tried again: whoever is limited waits for the answer, and can do without it.
#[derive(Debug, Clone)]
pub struct Rates {
    store: Arc<dyn Store>,
}

impl Rates {
    /// Rates in `store`.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    /// Adds uses if there are at most `limit` with them; else refuses. The item goes some time after `expires`.
    pub async fn add(&self, of: &RateWindow, uses: u32, limit: u32, expires: Timestamp) -> Result<Outcome, StoreError> {
        let condition = match i64::from(limit) - i64::from(uses) {
            room @ 0.. => Condition::AbsentOr(vec![Test::AtMost(attr::USED, room)]),
            _ => return Ok(Outcome::Refused(vec![0])),
        };
        let mut changes = Changes { add: vec![(attr::USED, uses.into()), (attr::ASKED, 1)], ..Changes::default() };
        changes.set.insert(EXPIRES_AT.into(), expires.as_secs().cast_signed().into());
        self.store.write(Table::Social, Write::Update { key: of.key(), changes, condition }).await
    }

    /// Gives one use back.
    pub async fn give_back(&self, of: &RateWindow) -> Result<(), StoreError> {
        let changes = Changes { add: vec![(attr::USED, -1)], ..Changes::default() };
        let write = Write::Update { key: of.key(), changes, condition: Condition::Present };
        // Refused: the window is over, and its item gone.
        self.store.write(Table::Social, write).await.map(drop)
    }

    /// What is used. Read consistently: what the caller has just added is in it.
    pub async fn get(&self, of: &RateWindow) -> Result<StoredRate, StoreError> {
        let item = self.store.get(Table::Social, &of.key(), Consistency::Strong).await?;
        Ok(item.as_ref().map(read).transpose()?.unwrap_or_default())
    }
}

fn read(item: &Item) -> Result<StoredRate, MalformedItem> {
    let number = |attribute| Ok(u32::try_from(item.number(attribute)?.max(0)).unwrap_or(u32::MAX));
    Ok(StoredRate { used: number(attr::USED)?, asked: number(attr::ASKED)? })
}
