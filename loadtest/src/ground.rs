//! Which stores a run is on: the embedded database, or DynamoDB and SQS.

use std::sync::Arc;

use domain::UserId;
use tweeter::Stores;

#[cfg(feature = "aws")]
use crate::prepared::Prepared;
use crate::{error::LoadtestError, floor, options::StoreOptions, progress};

/// Stores that are there and ready for a run.
#[derive(Debug, Clone)]
pub enum Ground {
    /// The embedded database, made by the service itself.
    Embedded,
    /// DynamoDB and SQS, with tables and queues for load tests.
    #[cfg(feature = "aws")]
    Aws(Box<Prepared>),
}

impl Ground {
    /// Makes tables and queues where they are missing.
    #[cfg_attr(not(feature = "aws"), expect(clippy::unused_async, reason = "the other build asks AWS"))]
    pub async fn prepare(options: &StoreOptions) -> Result<Self, LoadtestError> {
        match options.stores()? {
            Stores::Embedded => Ok(Self::Embedded),
            #[cfg(feature = "aws")]
            Stores::Aws(options) => Ok(Self::Aws(Box::new(Prepared::make(options).await?))),
        }
    }

    /// Refuses stores on which one process does not apply changes.
    pub const fn applies_changes(&self) -> Result<(), LoadtestError> {
        match self {
            Self::Embedded => Ok(()),
            #[cfg(feature = "aws")]
            Self::Aws(_) => Err(LoadtestError::NoChanges),
        }
    }

    /// What the service is to run on.
    pub fn stores(&self) -> Stores {
        match self {
            Self::Embedded => Stores::Embedded,
            #[cfg(feature = "aws")]
            Self::Aws(prepared) => Stores::Aws(prepared.options.clone()),
        }
    }

    /// What the floor is here, in words.
    pub const fn floor_is(&self) -> &'static str {
        match self {
            Self::Embedded => "raw fjall batches of 25, one thread",
            #[cfg(feature = "aws")]
            Self::Aws(_) => "BatchWriteItem alone, 25 a call, at its best concurrency",
        }
    }

    /// How many entries a second the store alone takes: see [`floor`].
    pub async fn floor(&self, readers: &Arc<Vec<UserId>>, posts: u64) -> Result<f64, LoadtestError> {
        let _spinner = progress::spinner("measuring the floor");
        let readers = Arc::clone(readers);
        match self {
            Self::Embedded => {
                let measured = tokio::task::spawn_blocking(move || floor::entries_per_second(&readers, posts)).await?;
                Ok(measured?)
            }
            #[cfg(feature = "aws")]
            Self::Aws(prepared) => Ok(crate::floor_aws::entries_per_second(prepared, &readers, posts).await?),
        }
    }
}
