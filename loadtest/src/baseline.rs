//! The baseline of the embedded store: the rate at which the storage engine alone takes the entries of a fan-out.

use std::{
    io,
    time::{Duration, Instant},
};

use data::Feeds;
use domain::{Clock, IdGenerator, PostId, UserId, limits};
use embedded::{codec, database};
use fjall::{Database, Keyspace};
use ports::store::Item;

/// Why the baseline could not be measured.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    /// The temporary directory failed.
    #[error("the temporary directory is unusable")]
    Directory(#[from] io::Error),
    /// The engine failed.
    #[error("the storage engine failed")]
    Engine(#[from] fjall::Error),
    /// DynamoDB failed.
    #[cfg(feature = "aws")]
    #[error("DynamoDB failed")]
    DynamoDb(#[from] ports::store::StoreError),
}

/// Writes each reader's entry for each of `posts` posts, and returns entries per second.
///
/// Keys and values have exactly the service's format, readers the order in which a fan-out reaches them, and the engine
/// the service's options; batches of 25 on one thread into a fresh directory, without port, queue or intermediate sync.
/// Building the keys is not timed. Blocks.
pub fn entries_per_second(readers: &[UserId], posts: u64) -> Result<f64, BaselineError> {
    let directory = tempfile::Builder::new().prefix("tweeter-baseline").tempdir()?;
    let opened = database::database_builder(directory.path()).open()?;
    let feed = opened.keyspace("feed", database::keyspace_options)?;
    let ids = IdGenerator::new();
    let mut spent = Duration::ZERO;
    for _ in 0..posts {
        let post = ids.next_post_id(Clock::System.now());
        for batch in readers.chunks(limits::MAX_BATCH_WRITE) {
            let rows = rows(post, batch);
            let started = Instant::now();
            write(&opened, &feed, rows)?;
            spent += started.elapsed();
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "numbers of entries")]
    let entries = (readers.len() as u64 * posts) as f64;
    Ok(entries / spent.as_secs_f64())
}

/// The size of an entry's key and value, before compression.
pub fn entry_bytes() -> usize {
    let (key, value) = row(IdGenerator::new().next_post_id(Clock::System.now()), UserId::random());
    key.len() + value.len()
}

type Row = (Vec<u8>, Vec<u8>);

fn rows(post: PostId, readers: &[UserId]) -> Vec<Row> {
    readers.iter().map(|reader| row(post, *reader)).collect()
}

/// An entry as stored by the service.
fn row(post: PostId, reader: UserId) -> Row {
    let (mut key, mut value) = (Vec::new(), Vec::new());
    let Item { key: stored, attributes } = Feeds::entry(reader, post);
    codec::encode_key(&stored.partition, &stored.sort, &mut key).expect("ids are valid parts of keys");
    codec::encode_attributes(&attributes, &mut value);
    (key, value)
}

fn write(database: &Database, feed: &Keyspace, rows: Vec<Row>) -> fjall::Result<()> {
    let mut batch = database.batch();
    for (key, value) in rows {
        batch.insert(feed, key, value);
    }
    batch.commit()
}

#[cfg(test)]
mod tests {
    use ports::store::EXPIRES_AT;

    use super::*;

    #[test]
    fn baseline_rows_equal_stored_feed_entries() {
        let (reader, post) = (UserId::random(), IdGenerator::new().next_post_id(Clock::System.now()));
        let (key, value) = row(post, reader);
        let item = codec::decode_item(&key, &value).unwrap();
        assert_eq!(item, Feeds::entry(reader, post));
        assert!(item.number(EXPIRES_AT).is_ok(), "as in the service");
    }

    #[test]
    fn the_baseline_is_a_positive_rate() {
        let readers: Vec<UserId> = (0..60).map(|_| UserId::random()).collect();
        assert!(entries_per_second(&readers, 2).unwrap() > 0.0);
    }
}
