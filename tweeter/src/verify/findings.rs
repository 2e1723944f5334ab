//! The results of a check of feeds.

use domain::{PostId, UserId};
use ports::{queue::QueueError, store::StoreError};
use serde::{Deserialize, Serialize};
use service::ServiceError;

/// Maximum findings listed; the repair covers the others too.
const MAX_LISTED: usize = 100_000;

/// The result of a check of feeds.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Verified {
    /// Readers checked: of one post, its author and the author's followers.
    pub readers: u64,
    /// Readers not checked because they are dormant: fan-outs skip them, and their next read rebuilds the feed.
    pub dormant: u64,
    /// The differences.
    pub findings: Vec<Finding>,
    /// Differences that are not listed, because there are too many, and not repaired.
    pub more: u64,
    /// Entries that are missing because they are still being delivered, or that kept changing.
    pub in_progress: u64,
}

impl Verified {
    /// Whether nothing was found, or everything found is repaired.
    pub fn is_right(&self) -> bool {
        self.more == 0 && self.findings.iter().all(|finding| finding.repaired)
    }

    pub(super) fn push(&mut self, finding: Finding) {
        if self.findings.len() < MAX_LISTED {
            self.findings.push(finding);
        } else {
            self.more += u64::from(!finding.repaired);
        }
    }

    pub(super) fn sort(&mut self) {
        self.findings.sort_by(|a, b| (&a.reader, &b.post).cmp(&(&b.reader, &a.post)));
    }
}

/// A difference between a feed and what posts, follows and rules imply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The kind of difference.
    pub kind: Kind,
    /// Why it is one.
    pub reason: Reason,
    /// The reader whose feed differs.
    pub reader: String,
    /// The post.
    pub post: String,
    /// The post's author.
    pub author: String,
    /// Whether it is repaired: a missing entry is in a job on JobQ, an extra one is removed.
    pub repaired: bool,
}

impl Finding {
    pub(super) fn of((kind, reason): (Kind, Reason), reader: UserId, post: PostId, author: UserId) -> Self {
        let [reader, author] = [reader, author].map(|user| user.to_string());
        Self { kind, reason, reader, post: post.to_string(), author, repaired: false }
    }
}

/// Kinds of differences.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The post should be in the feed and is not.
    Missing,
    /// The feed shows the post, which nothing entitles it to.
    Extra,
    /// The feed shows the post on two pages.
    Doubled,
}

/// Reasons of differences.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Missing: the feed has no entry, and no rule merges the author's posts.
    NoEntry,
    /// Missing: there is an entry, or a rule that merges the post, and yet the feed does not show it.
    Hidden,
    /// Extra: the reader does not follow the author.
    NotFollowed,
    /// Extra: the post is older than the posts that the follow shows.
    BeforeFollow,
    /// Doubled.
    ShownAgain,
}

impl Kind {
    /// Its name for an operator.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Extra => "extra",
            Self::Doubled => "doubled",
        }
    }
}

impl Reason {
    /// Its name for an operator.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoEntry => "no entry",
            Self::Hidden => "entry is hidden",
            Self::NotFollowed => "author is not followed",
            Self::BeforeFollow => "older than the follow shows",
            Self::ShownAgain => "shown on two pages",
        }
    }
}

/// Why a check stopped early. Repairs made until then persist.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A page of a feed could not be read.
    #[error("cannot read a feed")]
    Feed(#[from] ServiceError),
    /// A queue failed.
    #[error(transparent)]
    Queue(#[from] QueueError),
}
