//! The delivery mode of authors: whether their posts are fanned out to their followers or merged into feeds when these
//! are read. Authors with few followers have no item; their posts are fanned out.

use crate::{Db, Writes, keys};
use domain::{PostId, Timestamp, UserId};
use ports::store::{
    Changes, Condition, Consistency, Item, MalformedItem, Outcome, Retrying, StoreError, Table, Test, Write,
};

mod attr {
    pub const MODE: &str = "mode";
    pub const SINCE: &str = "since";
    pub const PULLED_UNTIL: &str = "pulled_until";
}

const PUSH: &str = "push";
const PROMOTING: &str = "promoting";
const PULL: &str = "pull";

/// The delivery mode of an author.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryMode {
    /// Posts are fanned out.
    Push {
        /// The end of the last time in which posts were pulled; `None` if they never were.
        pulled_until: Option<Timestamp>,
    },
    /// Posts are fanned out while each follower's reader partition gets a rule to merge the author's posts.
    Promoting {
        /// The post id from which the rules merge.
        since: PostId,
    },
    /// Posts are not fanned out; feeds merge them when read.
    Pull {
        /// The post id from which the rules of the promotion merge. It identifies the promotion.
        since: PostId,
    },
}

impl DeliveryMode {
    /// The mode of an author without an item.
    pub const DEFAULT: Self = Self::Push { pulled_until: None };
}

/// Delivery modes, in Social.
#[derive(Debug, Clone)]
pub struct DeliveryModes {
    store: Retrying,
}

impl DeliveryModes {
    /// Delivery modes in `store`.
    pub fn new(db: impl Into<Db>) -> Self {
        Self { store: db.into().0 }
    }

    /// An author's mode. Read consistently: a follow and a promotion that overlap must not miss each other.
    pub async fn get(&self, author: UserId) -> Result<DeliveryMode, StoreError> {
        let item = self.store.get(Table::Social, &keys::delivery_mode(author), Consistency::Strong).await?;
        Ok(item.as_ref().map(mode_from).transpose()?.unwrap_or(DeliveryMode::DEFAULT))
    }

    /// The write that begins a promotion. Refused unless the author's posts are pushed.
    pub fn promotion(author: UserId, since: PostId) -> Writes {
        let item =
            Item::new(keys::delivery_mode(author)).with(attr::MODE, PROMOTING).with(attr::SINCE, since.to_string());
        let condition = Condition::AbsentOr(vec![Test::Equals(attr::MODE, PUSH.into())]);
        Writes::to(Table::Social, [Write::Put { item, condition }])
    }

    /// The write that ends a promotion: later posts are pulled. Refused unless this promotion is running.
    pub fn pull(author: UserId, since: PostId) -> Writes {
        let changes = Changes { set: [(attr::MODE.into(), PULL.into())].into(), ..Changes::default() };
        let condition = Condition::Where(tests_of(DeliveryMode::Promoting { since }));
        Writes::to(Table::Social, [Write::Update { key: keys::delivery_mode(author), changes, condition }])
    }

    /// Ends the pulling that this promotion began: later posts are pushed. Refused when it has ended.
    pub async fn demote(&self, author: UserId, since: PostId, pulled_until: Timestamp) -> Result<Outcome, StoreError> {
        let item = Item::new(keys::delivery_mode(author))
            .with(attr::MODE, PUSH)
            .with(attr::PULLED_UNTIL, pulled_until.as_millis().cast_signed());
        let condition = Condition::Where(tests_of(DeliveryMode::Pull { since }));
        self.store.write(Table::Social, Write::Put { item, condition }).await
    }

    /// A check that an author's mode is as it was read.
    pub fn is_unchanged(author: UserId, mode: DeliveryMode) -> Writes {
        let condition = match mode {
            DeliveryMode::DEFAULT => Condition::Absent,
            other => Condition::Where(tests_of(other)),
        };
        Writes::to(Table::Social, [Write::Check { key: keys::delivery_mode(author), condition }])
    }

    /// The write that removes an author's item.
    pub fn erasure(author: UserId) -> Writes {
        Writes::deleting(Table::Social, [keys::delivery_mode(author)])
    }
}

/// The tests for a stored mode: [`mode_from`] reads exactly the items that pass them.
fn tests_of(mode: DeliveryMode) -> Vec<Test> {
    let since = |since: PostId| Test::Equals(attr::SINCE, since.to_string().into());
    match mode {
        DeliveryMode::Push { pulled_until } => {
            let until = pulled_until.map_or(Test::Missing(attr::PULLED_UNTIL), |until| {
                Test::Equals(attr::PULLED_UNTIL, until.as_millis().cast_signed().into())
            });
            vec![Test::Equals(attr::MODE, PUSH.into()), until]
        }
        DeliveryMode::Promoting { since: from } => vec![Test::Equals(attr::MODE, PROMOTING.into()), since(from)],
        DeliveryMode::Pull { since: from } => vec![Test::Equals(attr::MODE, PULL.into()), since(from)],
    }
}

fn mode_from(item: &Item) -> Result<DeliveryMode, MalformedItem> {
    Ok(match item.text(attr::MODE)? {
        PROMOTING => DeliveryMode::Promoting { since: item.parsed(attr::SINCE)? },
        PULL => DeliveryMode::Pull { since: item.parsed(attr::SINCE)? },
        PUSH => {
            let until = item.number_if_any(attr::PULLED_UNTIL)?;
            DeliveryMode::Push { pulled_until: until.map(|millis| Timestamp::from_millis(millis.cast_unsigned())) }
        }
        _ => return Err(MalformedItem { attribute: attr::MODE }),
    })
}
