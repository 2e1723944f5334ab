//! Checks one count: reads its edges again and compares them with the stored number.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use data::{Audit, Counted, Counter, Db, EdgeCursor, Transaction, Writes};
use ports::store::StoreError;

use super::{
    reads::Reads,
    verdict::{Found, Seen, Verdict},
};

/// The edges of one count.
#[derive(Debug, Default)]
struct Edges {
    count: i64,
    /// Hash of every edge: reveals an edge replaced by another.
    fingerprint: DefaultHasher,
}

/// Compares one count with its edges.
pub async fn look(reads: &Reads, of: Counted, counter: Counter) -> Result<Verdict, StoreError> {
    if !reads.exists(of).await? {
        return Ok(Verdict::Right);
    }
    let before = reads.stored(of, counter).await?;
    let edges = edges(reads, of, counter).await?;
    let after = reads.stored(of, counter).await?;
    if before != after {
        return Ok(Verdict::Moving);
    }
    let found = Found { name: counter.name(), stored: after.number(), expected: edges.count };
    Ok(Verdict::of(Seen::of([found], edges.fingerprint.finish())))
}

/// Stores the expected number if the stored one is still as found and its owner still exists. Returns whether it did.
pub async fn fix(reads: &Reads, db: &Db, of: Counted, counter: Counter, found: Found) -> Result<bool, StoreError> {
    let stored = reads.stored(of, counter).await?;
    if stored.number() != found.stored {
        return Ok(false);
    }
    applied(db, Audit::correction(of, counter, stored, found.expected)).await
}

/// Commits a transaction once. Returns false if a condition failed or another transaction conflicted.
pub(super) async fn applied(db: &Db, writes: Writes) -> Result<bool, StoreError> {
    match Transaction::from(writes).commit_once(db).await {
        Ok(committed) => Ok(committed.is_applied()),
        // Checked again, whatever the outcome was.
        Err(error) if error.is_transient() => Ok(false),
        Err(error) => Err(error),
    }
}

async fn edges(reads: &Reads, of: Counted, counter: Counter) -> Result<Edges, StoreError> {
    let (mut edges, mut from) = (Edges::default(), EdgeCursor::default());
    loop {
        let page = reads.edges(of, counter, &from).await?;
        for edge in page.items {
            edges.count += i64::from(edge.counts);
            edge.hash(&mut edges.fingerprint);
        }
        match page.next {
            Some(next) => from = next,
            None => return Ok(edges),
        }
    }
}
