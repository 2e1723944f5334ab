//! The stores of a run: the embedded database, or DynamoDB and SQS.

use std::sync::Arc;

use domain::UserId;
use tweeter::Stores;

#[cfg(feature = "aws")]
use crate::prepared::Prepared;
use crate::{baseline, error::LoadtestError, options::StoreOptions, progress};

/// Stores prepared for a run.
#[derive(Debug, Clone)]
pub enum Target {
    /// The embedded database, created by the service.
    Embedded,
    /// DynamoDB and SQS, with tables and queues for load tests.
    #[cfg(feature = "aws")]
    Aws(Box<Prepared>),
}

impl Target {
    /// Creates missing tables and queues.
    #[cfg_attr(not(feature = "aws"), expect(clippy::unused_async, reason = "the other build asks AWS"))]
    pub async fn prepare(options: &StoreOptions) -> Result<Self, LoadtestError> {
        match options.stores()? {
            Stores::Embedded => Ok(Self::Embedded),
            #[cfg(feature = "aws")]
            Stores::Aws(options) => Ok(Self::Aws(Box::new(Prepared::make(options).await?))),
        }
    }

    /// Rejects stores on which one process does not apply changes.
    pub const fn applies_changes(&self) -> Result<(), LoadtestError> {
        match self {
            Self::Embedded => Ok(()),
            #[cfg(feature = "aws")]
            Self::Aws(_) => Err(LoadtestError::NoChanges),
        }
    }

    /// The stores for the service.
    pub fn stores(&self) -> Stores {
        match self {
            Self::Embedded => Stores::Embedded,
            #[cfg(feature = "aws")]
            Self::Aws(prepared) => Stores::Aws(prepared.options.clone()),
        }
    }

    /// A description of the baseline on these stores.
    pub const fn baseline_is(&self) -> &'static str {
        match self {
            Self::Embedded => "raw fjall batches of 25, one thread",
            #[cfg(feature = "aws")]
            Self::Aws(_) => "BatchWriteItem alone, 25 per call, at its best concurrency",
        }
    }

    /// Measures the entries per second of the store alone: see [`baseline`].
    pub async fn baseline(&self, readers: &Arc<Vec<UserId>>, posts: u64) -> Result<f64, LoadtestError> {
        let _spinner = progress::spinner("measuring the store");
        let readers = Arc::clone(readers);
        match self {
            Self::Embedded => {
                let measured =
                    tokio::task::spawn_blocking(move || baseline::entries_per_second(&readers, posts)).await?;
                Ok(measured?)
            }
            #[cfg(feature = "aws")]
            Self::Aws(prepared) => Ok(crate::baseline_aws::entries_per_second(prepared, &readers, posts).await?),
        }
    }
}
