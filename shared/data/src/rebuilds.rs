//! Rebuilds of feeds that one request could not finish: how far they have come.

use crate::{Db, keys};
use domain::{PostId, Timestamp, UserId, limits};
use ports::store::{Consistency, EXPIRES_AT, Item, MalformedItem, Retrying, StoreError, Table, Write};

mod attr {
    pub const BEFORE: &str = "before";
    pub const FOLLOWEES_CURSOR: &str = "followees_cursor";
    pub const BEGAN_AT: &str = "began_at";
    pub const NEWEST: &str = "newest";
}

/// Separates ids in a text.
const SEPARATOR: &str = " ";

/// An unfinished rebuild.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnfinishedRebuild {
    /// The position below which posts are merged.
    pub before: PostId,
    /// The last followee whose story is merged.
    pub followees_cursor: UserId,
    /// The newest posts of the stories merged so far.
    pub newest: Vec<PostId>,
    /// When the rebuild began.
    pub began_at: Timestamp,
}

/// Unfinished rebuilds, in Social: one per reader at most.
#[derive(Debug, Clone)]
pub struct Rebuilds {
    store: Retrying,
}

impl Rebuilds {
    /// Unfinished rebuilds in `store`.
    pub fn new(db: impl Into<Db>) -> Self {
        Self { store: db.into().0 }
    }

    /// A reader's unfinished rebuild. Read consistently: the request before may have just stored it.
    pub async fn get(&self, reader: UserId) -> Result<Option<UnfinishedRebuild>, StoreError> {
        let item = self.store.get(Table::Social, &keys::rebuild(reader), Consistency::Strong).await?;
        Ok(item.as_ref().map(rebuild_from).transpose()?)
    }

    /// Stores how far a reader's rebuild has come, in place of any other. It expires
    /// [`limits::REBUILD_PROGRESS_TTL`] after `now`, or some time later.
    pub async fn put(&self, reader: UserId, rebuild: &UnfinishedRebuild, now: Timestamp) -> Result<(), StoreError> {
        let newest: Vec<String> = rebuild.newest.iter().map(PostId::to_string).collect();
        let item = Item::new(keys::rebuild(reader))
            .with(attr::BEFORE, rebuild.before.to_string())
            .with(attr::FOLLOWEES_CURSOR, rebuild.followees_cursor.to_string())
            .with(attr::BEGAN_AT, rebuild.began_at.as_millis().cast_signed())
            .with(attr::NEWEST, newest.join(SEPARATOR))
            .with(EXPIRES_AT, now.plus(limits::REBUILD_PROGRESS_TTL).as_secs().cast_signed());
        let _unconditional = self.store.write(Table::Social, Write::put(item)).await?;
        Ok(())
    }
}

fn rebuild_from(item: &Item) -> Result<UnfinishedRebuild, MalformedItem> {
    let newest = item.text(attr::NEWEST)?.split(SEPARATOR).filter(|id| !id.is_empty()).map(str::parse);
    Ok(UnfinishedRebuild {
        before: item.parsed(attr::BEFORE)?,
        followees_cursor: item.parsed(attr::FOLLOWEES_CURSOR)?,
        newest: newest.collect::<Result<_, _>>().map_err(|_| MalformedItem { attribute: attr::NEWEST })?,
        began_at: Timestamp::from_millis(item.number(attr::BEGAN_AT)?.cast_unsigned()),
    })
}
