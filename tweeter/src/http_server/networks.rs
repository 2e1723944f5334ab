//! Limits connections per network, so that no network can use up those of the others.

use std::{
    collections::HashMap,
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use domain::ClientNetwork;
use parking_lot::Mutex;
use telemetry::names;
use tracing::{debug, warn};

/// Maximum concurrent connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// In total. A further connection waits to be accepted.
    pub total: usize,
    /// Per network; `None` for no limit. A further connection is closed at once.
    pub per_network: Option<NonZeroUsize>,
}

impl ConnectionLimits {
    /// Allows `per_network` connections per network, capped at half of the total.
    pub fn new(total: usize, per_network: Option<NonZeroUsize>) -> Self {
        let half = NonZeroUsize::new(total / 2).unwrap_or(NonZeroUsize::MIN);
        Self { total, per_network: per_network.map(|most| most.min(half)) }
    }

    /// Limits only the total.
    pub const fn shared(total: usize) -> Self {
        Self { total, per_network: None }
    }
}

/// The connections held by each network.
#[derive(Debug)]
pub(super) struct Networks {
    most: Option<NonZeroUsize>,
    held: Mutex<HashMap<ClientNetwork, usize>>,
    has_warned: AtomicBool,
}

/// One connection of a network, released when dropped.
#[derive(Debug)]
pub(super) struct Place {
    networks: Arc<Networks>,
    network: ClientNetwork,
}

impl Networks {
    pub(super) fn new(most: Option<NonZeroUsize>) -> Arc<Self> {
        Arc::new(Self { most, held: Mutex::default(), has_warned: AtomicBool::new(false) })
    }

    /// Admits one more connection, unless the network has reached its limit.
    pub(super) fn admit(self: &Arc<Self>, network: ClientNetwork) -> Option<Place> {
        let mut held = self.held.lock();
        let count = held.entry(network).or_default();
        if let Some(most) = self.most.filter(|most| *count >= most.get()) {
            drop(held);
            self.refuse(network, most);
            return None;
        }
        *count += 1;
        Some(Place { networks: Arc::clone(self), network })
    }

    /// Counts the refusal. Only one warning tells the operator about the limit, as a flood must not fill the log.
    fn refuse(&self, network: ClientNetwork, most: NonZeroUsize) {
        metrics::counter!(names::CONNECTIONS_REFUSED).increment(1);
        if self.has_warned.swap(true, Ordering::Relaxed) {
            debug!(client.network = %network, "Closed a connection from {network}: it already has {most}");
        } else {
            warn!(
                client.network = %network,
                "Closed a connection from {network}: it has {most} already, as many as --max-connections-per-network \
                 allows; will count further ones in {} without a warning",
                names::CONNECTIONS_REFUSED
            );
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut held = self.networks.held.lock();
        if let Some(count) = held.get_mut(&self.network) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(address: &str) -> ClientNetwork {
        address.parse::<std::net::IpAddr>().unwrap().into()
    }

    #[test]
    fn a_closed_connection_frees_its_slot() {
        let networks = Networks::new(NonZeroUsize::new(2));
        let (one, other) = (network("192.0.2.1"), network("192.0.2.2"));
        let places = [networks.admit(one), networks.admit(one)];
        assert!(places.iter().all(Option::is_some));
        assert!(networks.admit(one).is_none());
        assert!(networks.admit(other).is_some(), "and is released at once");
        drop(places);
        assert!(networks.held.lock().is_empty(), "networks without connections leave no state");
        assert!(networks.admit(one).is_some());
    }

    #[test]
    fn addresses_of_one_ipv6_network_share_its_places() {
        let networks = Networks::new(NonZeroUsize::new(1));
        let place = networks.admit(network("2001:db8:1:2::1"));
        assert!(place.is_some());
        assert!(networks.admit(network("2001:db8:1:2::2")).is_none());
        assert!(networks.admit(network("2001:db8:1:3::1")).is_some());
    }

    #[test]
    fn one_network_gets_half_of_few_connections() {
        let per_network = |total| ConnectionLimits::new(total, NonZeroUsize::new(512)).per_network.unwrap().get();
        assert_eq!([10_000, 1_024, 512, 1].map(per_network), [512, 512, 256, 1]);
        assert_eq!(ConnectionLimits::new(10_000, None), ConnectionLimits::shared(10_000));
    }
}
