//! One count: its own edges, read again one by one, beside what is stored.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use data::keys;
use domain::{PostId, UserId, limits};
use ports::store::{Changes, Condition, Item, Key, Query, SortRange, StoreError, Table, Test, Value, Write};

use super::{COMMENTS, FOLLOWERS, FOLLOWING, Found, LIKES, Seen, Subject, Verdict, reads::Reads};

/// What is read of one count.
#[derive(Debug, Default)]
struct Edges {
    count: i64,
    /// Of every edge, so that it shows when one has come and another gone.
    fingerprint: DefaultHasher,
}

impl Edges {
    fn note(&mut self, item: &Item, counts: bool) {
        self.count += i64::from(counts);
        counts.hash(&mut self.fingerprint);
        item.key.sort.hash(&mut self.fingerprint);
        // One that was removed and made again says so by its time.
        for name in ["followed_at", "liked_at"] {
            match item.attributes.get(name) {
                Some(Value::N(number)) => number.hash(&mut self.fingerprint),
                Some(Value::S(text)) => text.hash(&mut self.fingerprint),
                _ => {}
            }
        }
    }
}

/// Compares one count with what it counts.
pub async fn look(reads: &Reads, of: Subject, name: &'static str) -> Result<Verdict, StoreError> {
    if !exists(reads, of).await? {
        return Ok(Verdict::Right);
    }
    let before = kept(reads, of, name).await?;
    let edges = edges(reads, of, name).await?;
    let after = kept(reads, of, name).await?;
    if before != after {
        return Ok(Verdict::Moving);
    }
    let found = Found { name, stored: after.unwrap_or(0), expected: edges.count };
    Ok(Verdict::of(Seen::of([found], edges.fingerprint.finish())))
}

/// Stores what is expected, if what is stored is still what was found and the thing is still there. False when not.
pub async fn fix(reads: &Reads, of: Subject, found: Found) -> Result<bool, StoreError> {
    let (key, name) = (counts_of(of), found.name);
    let stored = reads.get(&key).await?;
    let condition = match stored.as_ref().map(|item| item.number_if_any(name)).transpose()? {
        Some(Some(_)) => Condition::Where(vec![Test::Equals(name, found.stored.into())]),
        _ if found.stored != 0 => return Ok(false),
        Some(None) => Condition::Where(vec![Test::Missing(name)]),
        None => Condition::Absent,
    };
    let mut changes = Changes::default();
    changes.set.insert(name.into(), found.expected.into());
    let is_there = match of {
        Subject::User(user) => (keys::profile(user), Condition::Where(vec![Test::Missing("deleted_at")])),
        Subject::Post(post) => (keys::post(post), Condition::Present),
    };
    let writes = vec![
        (Table::Social, Write::Update { key, changes, condition }),
        (Table::Social, Write::Check { key: is_there.0, condition: is_there.1 }),
    ];
    applied(reads, writes).await
}

/// Does a transaction. False when a condition did not hold or another transaction was faster.
pub(super) async fn applied(reads: &Reads, writes: Vec<(Table, Write)>) -> Result<bool, StoreError> {
    match reads.store().transact(writes).await {
        Ok(outcome) => Ok(outcome.is_applied()),
        // Looked at again, whatever became of it.
        Err(error) if error.is_transient() => Ok(false),
        Err(error) => Err(error),
    }
}

fn counts_of(of: Subject) -> Key {
    match of {
        Subject::User(user) => keys::user_counts(user),
        Subject::Post(post) => keys::post_counts(post),
    }
}

async fn kept(reads: &Reads, of: Subject, name: &'static str) -> Result<Option<i64>, StoreError> {
    let item = reads.get(&counts_of(of)).await?;
    Ok(item.map_or(Ok(None), |item| item.number_if_any(name))?)
}

/// Whether something has counts: a user whose account is not deleted, a post that is not erased.
pub async fn exists(reads: &Reads, of: Subject) -> Result<bool, StoreError> {
    let key = match of {
        Subject::User(user) => keys::profile(user),
        Subject::Post(post) => keys::post(post),
    };
    let item = reads.get(&key).await?;
    Ok(item.is_some_and(|item| matches!(of, Subject::Post(_)) || is_live(&item)))
}

async fn edges(reads: &Reads, of: Subject, name: &'static str) -> Result<Edges, StoreError> {
    let mut edges = Edges::default();
    match (of, name) {
        (Subject::User(user), FOLLOWERS) => all_of(reads, keys::followers_partition(user), &mut edges).await?,
        (Subject::User(user), FOLLOWING) => all_of(reads, keys::following_partition(user), &mut edges).await?,
        (Subject::User(user), _) => posts_of(reads, user, &mut edges).await?,
        (Subject::Post(post), LIKES) => {
            for shard in 0..limits::LIKER_SHARDS {
                all_of(reads, keys::likers_partition(post, shard), &mut edges).await?;
            }
        }
        (Subject::Post(post), name) => {
            debug_assert_eq!(name, COMMENTS);
            comments_of(reads, post, &mut edges).await?;
        }
    }
    Ok(edges)
}

async fn all_of(reads: &Reads, partition: String, edges: &mut Edges) -> Result<(), StoreError> {
    each_page(reads, Query::all_of(Table::Social, partition), |items| {
        for item in items {
            edges.note(item, true);
        }
    })
    .await
}

async fn comments_of(reads: &Reads, post: PostId, edges: &mut Edges) -> Result<(), StoreError> {
    let range = SortRange::Prefix(keys::COMMENT_PREFIX.to_owned());
    let query = Query { range, ..Query::all_of(Table::Social, keys::post_partition(post)) };
    each_page(reads, query, |items| items.iter().for_each(|item| edges.note(item, is_live(item)))).await
}

async fn each_page(reads: &Reads, mut query: Query, mut take: impl FnMut(&[Item]) + Send) -> Result<(), StoreError> {
    loop {
        let page = reads.page(&query).await?;
        take(&page.items);
        match page.next {
            None => return Ok(()),
            next => query.start_after = next,
        }
    }
}

/// By the story, which lists deleted ones too; a page of it at a time.
async fn posts_of(reads: &Reads, author: UserId, edges: &mut Edges) -> Result<(), StoreError> {
    let limit = u32::try_from(limits::MAX_BATCH_GET).ok();
    let mut query = Query { limit, ..Query::all_of(Table::Social, keys::story_partition(author)) };
    loop {
        let page = reads.page(&query).await?;
        let posts: Vec<PostId> = page.items.iter().map(Item::parsed_sort).collect::<Result<_, _>>()?;
        let posts: Vec<Key> = posts.into_iter().map(keys::post).collect();
        let mut found = reads.get_all(&posts).await?;
        // A batch is answered in any order.
        found.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        for item in &found {
            item.key.partition.hash(&mut edges.fingerprint);
            edges.note(item, is_live(item));
        }
        match page.next {
            None => return Ok(()),
            next => query.start_after = next,
        }
    }
}

/// Whether it is not marked as deleted.
pub(super) fn is_live(item: &Item) -> bool {
    !item.attributes.contains_key("deleted_at")
}
