//! File descriptors. Each connection takes one, and the database must always get those it needs: a write that cannot
//! open a file ends the process.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::warn;

/// Maximum concurrent API connections.
const MAX_CONNECTIONS: u64 = 10_000;
/// Descriptors reserved for other uses: fjall keeps up to 900 table files open; the rest is for its journals,
/// listeners, metrics scrapes, operators and the runtime.
const RESERVE: u64 = 900 + 256;

/// Raises the soft limit towards the hard limit, up to what this process can use. Shells and service managers set it
/// low for programs that use `select`. If it cannot be raised, fewer connections are allowed.
pub fn raise_limit() {
    let limit = getrlimit(Resource::Nofile);
    let wanted = wanted(limit);
    if limit.current.is_some_and(|current| current < wanted)
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), ..limit })
    {
        warn!(
            error = telemetry::chain(&error),
            "Could not raise the limit of open files to {wanted}; fewer connections are allowed"
        );
    }
}

/// The maximum of concurrent API connections under the current soft limit.
pub fn max_connections() -> usize {
    usize::try_from(connections_under(getrlimit(Resource::Nofile).current)).unwrap_or(usize::MAX)
}

fn wanted(limit: Rlimit) -> u64 {
    let enough = MAX_CONNECTIONS + RESERVE;
    limit.maximum.map_or(enough, |maximum| maximum.min(enough))
}

/// Half of a low limit, as the database of a small process has few files.
fn connections_under(soft_limit: Option<u64>) -> u64 {
    let Some(limit) = soft_limit else { return MAX_CONNECTIONS };
    limit.saturating_sub(RESERVE).max(limit / 2).clamp(1, MAX_CONNECTIONS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_is_raised_to_what_is_needed_and_not_past_the_hard_one() {
        let wanted = |maximum| wanted(Rlimit { current: Some(1_024), maximum });
        assert_eq!(wanted(None), 11_156);
        assert_eq!(wanted(Some(1 << 30)), 11_156);
        assert_eq!(wanted(Some(4_096)), 4_096);
    }

    #[test]
    fn connections_leave_room_for_the_database() {
        for (limit, connections) in [
            (None, 10_000),
            (Some(1 << 30), 10_000),
            (Some(11_156), 10_000),
            (Some(11_155), 9_999),
            (Some(4_096), 2_940),
            (Some(1_024), 512),
            (Some(1), 1),
        ] {
            assert_eq!(connections_under(limit), connections, "{limit:?}");
        }
    }
}
