//! One count: its own edges, read again one by one, beside what is kept.

use shared::{
    domain::{PostId, UserId},
    embedded::EmbeddedStore,
    keys, limits,
    store::{
        Changes, Condition, Consistency, Item, Key, Order, Projection, Query, SortRange, Store as _, StoreError, Table,
        Test, Write,
    },
};

use super::{COMMENTS, FOLLOWERS, FOLLOWING, LIKES, Number, Subject, Verdict};

/// Compares one count with what it counts.
pub async fn look(store: &EmbeddedStore, number: Number) -> Result<Verdict, StoreError> {
    if !exists(store, number.of).await? {
        return Ok(Verdict::Right);
    }
    let before = kept(store, number).await?;
    let expected = expected(store, number).await?;
    let after = kept(store, number).await?;
    Ok(if before == after { Verdict::of(after.unwrap_or(0), expected) } else { Verdict::Moving })
}

/// Keeps what is expected, if what is kept is still what was found and the thing is still there.
pub async fn mend(store: &EmbeddedStore, number: Number, found: i64, expected: i64) -> Result<bool, StoreError> {
    let key = counts_of(number.of);
    let condition = match store.get(Table::Social, &key, Consistency::Strong).await? {
        None => Condition::Absent,
        Some(item) if !item.attributes.contains_key(number.name) => Condition::Where(vec![Test::Missing(number.name)]),
        Some(_) => Condition::Where(vec![Test::Equals(number.name, found.into())]),
    };
    if found != 0 && !matches!(&condition, Condition::Where(tests) if matches!(tests[..], [Test::Equals(..)])) {
        return Ok(false);
    }
    let mut changes = Changes::default();
    changes.set.insert(number.name.into(), expected.into());
    let is_there = match number.of {
        Subject::User(user) => (keys::profile(user), Condition::Where(vec![Test::Missing("deleted_at")])),
        Subject::Post(post) => (keys::post(post), Condition::Present),
    };
    let writes = vec![
        (Table::Social, Write::Update { key, changes, condition }),
        (Table::Social, Write::Check { key: is_there.0, condition: is_there.1 }),
    ];
    Ok(store.transact(writes).await?.is_applied())
}

fn counts_of(of: Subject) -> Key {
    match of {
        Subject::User(user) => keys::user_counts(user),
        Subject::Post(post) => keys::post_counts(post),
    }
}

async fn kept(store: &EmbeddedStore, number: Number) -> Result<Option<i64>, StoreError> {
    let item = store.get(Table::Social, &counts_of(number.of), Consistency::Strong).await?;
    Ok(item.map_or(Ok(None), |item| item.number_if_any(number.name))?)
}

async fn exists(store: &EmbeddedStore, of: Subject) -> Result<bool, StoreError> {
    let key = match of {
        Subject::User(user) => keys::profile(user),
        Subject::Post(post) => keys::post(post),
    };
    let item = store.get(Table::Social, &key, Consistency::Strong).await?;
    Ok(item.is_some_and(|item| matches!(of, Subject::Post(_)) || is_live(&item)))
}

async fn expected(store: &EmbeddedStore, number: Number) -> Result<i64, StoreError> {
    match (number.of, number.name) {
        (Subject::User(user), FOLLOWERS) => count(store, &keys::followers_partition(user)).await,
        (Subject::User(user), FOLLOWING) => count(store, &keys::following_partition(user)).await,
        (Subject::User(user), _) => posts_of(store, user).await,
        (Subject::Post(post), LIKES) => {
            let mut likes = 0;
            for shard in 0..limits::LIKER_SHARDS {
                likes += count(store, &keys::likers_partition(post, shard)).await?;
            }
            Ok(likes)
        }
        (Subject::Post(post), name) => {
            debug_assert_eq!(name, COMMENTS);
            comments_of(store, post).await
        }
    }
}

async fn count(store: &EmbeddedStore, partition: &str) -> Result<i64, StoreError> {
    let mut count = 0;
    each(store, partition, SortRange::All, |_| count += 1).await?;
    Ok(count)
}

async fn comments_of(store: &EmbeddedStore, post: PostId) -> Result<i64, StoreError> {
    let (partition, range) = (keys::post_partition(post), SortRange::Prefix(keys::COMMENT_PREFIX.to_owned()));
    let mut count = 0;
    each(store, &partition, range, |item| count += i64::from(is_live(item))).await?;
    Ok(count)
}

/// By the story, which lists deleted ones too.
async fn posts_of(store: &EmbeddedStore, author: UserId) -> Result<i64, StoreError> {
    let mut posts: Vec<PostId> = Vec::new();
    each(store, &keys::story_partition(author), SortRange::All, |item| posts.extend(item.parsed_sort::<PostId>()))
        .await?;
    let mut count = 0;
    for post in posts {
        let item = store.get(Table::Social, &keys::post(post), Consistency::Strong).await?;
        count += i64::from(item.as_ref().is_some_and(is_live));
    }
    Ok(count)
}

/// Hands over every item of a partition's range.
pub(super) async fn each(
    store: &EmbeddedStore,
    partition: &str,
    range: SortRange,
    mut take: impl FnMut(&Item) + Send,
) -> Result<(), StoreError> {
    let mut query = Query {
        table: Table::Social,
        partition: partition.to_owned(),
        range,
        order: Order::Ascending,
        start_after: None,
        limit: None,
        consistency: Consistency::Strong,
        projection: Projection::All,
    };
    loop {
        let page = store.query(&query).await?;
        page.items.iter().for_each(&mut take);
        match page.next {
            None => return Ok(()),
            next => query.start_after = next,
        }
    }
}

pub(super) fn is_live(item: &Item) -> bool {
    !item.attributes.contains_key("deleted_at")
}
