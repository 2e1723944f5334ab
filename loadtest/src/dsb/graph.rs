//! A friendship graph of a given size: the numbers of its users, of its follows and of its most popular user's followers.

use std::collections::HashSet;

use domain::UserId;
use rand::{Rng, RngExt as _};

/// The size of a graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Users.
    pub users: usize,
    /// Friendships; each is two follows, as in `DeathStarBench`.
    pub friendships: usize,
    /// Friends of the user who has most.
    pub most_friends: usize,
}

/// The size of socfb-Reed98 (networkrepository.com), which `DeathStarBench`'s socialNetwork uses: 37,624 follows.
pub const REED98: Size = Size { users: 962, friendships: 18_812, most_friends: 313 };

impl Size {
    /// The same shape with another number of users: friends per user in proportion, at least one friendship per
    /// user.
    #[must_use]
    pub fn scaled_to(self, users: usize) -> Self {
        if users == self.users {
            return self;
        }
        let most_friends = self.most_friends * users / self.users;
        let friendships = self.friendships * users / self.users * users / self.users;
        Self { users, friendships: friendships.max(users), most_friends: most_friends.max(LEAST_FRIENDS) }
    }
}

/// Friends of the most popular user of a small graph: room for one friendship per user.
const LEAST_FRIENDS: usize = 4;
/// How strongly popularity varies: the exponent of the weights' power law. At this value the median degree is about
/// three quarters of the mean, as in the original.
const SKEW: f64 = 0.45;

/// Users who follow each other.
#[derive(Debug)]
pub struct FriendGraph {
    /// The users.
    pub users: Vec<UserId>,
    /// For each user, the indexes of their friends in ascending order. Friendship is mutual.
    pub friends: Vec<Vec<usize>>,
}

impl FriendGraph {
    /// Draws a graph of exactly this size. Every user has a friend; others are drawn in proportion to weights that
    /// follow a power law. The same `rng` state gives the same friendships.
    ///
    /// `size` must leave room: at least one friendship per user, and fewer than `most_friends` for half of them.
    pub fn draw(size: Size, rng: &mut impl Rng) -> Self {
        let mut drawing = Drawing::new(size);
        // The first user is the most popular one, and stays so.
        while drawing.degrees[0] < size.most_friends {
            let other = drawing.draw_user(rng);
            drawing.befriend(0, other, size.most_friends);
        }
        for user in 1..size.users {
            while drawing.degrees[user] == 0 {
                let other = drawing.draw_user(rng);
                drawing.befriend(user, other, size.most_friends - 1);
            }
        }
        while drawing.pairs.len() < size.friendships {
            let (one, other) = (drawing.draw_user(rng), drawing.draw_user(rng));
            drawing.befriend(one, other, size.most_friends - 1);
        }
        Self { users: (0..size.users).map(|_| UserId::random()).collect(), friends: drawing.friends() }
    }

    /// The number of follows: two per friendship.
    pub fn follows(&self) -> u64 {
        self.friends.iter().map(Vec::len).sum::<usize>() as u64
    }
}

/// A graph being drawn.
struct Drawing {
    /// `cumulative[user]`: the sum of the weights up to and including that user.
    cumulative: Vec<f64>,
    degrees: Vec<usize>,
    pairs: HashSet<(usize, usize)>,
}

impl Drawing {
    #[expect(clippy::cast_precision_loss, reason = "numbers of users")]
    fn new(size: Size) -> Self {
        let mut sum = 0.0;
        let cumulative = (1..=size.users).map(|rank| {
            sum += (rank as f64).powf(-SKEW);
            sum
        });
        Self { cumulative: cumulative.collect(), degrees: vec![0; size.users], pairs: HashSet::new() }
    }

    fn draw_user(&self, rng: &mut impl Rng) -> usize {
        let total = self.cumulative.last().copied().unwrap_or(0.0);
        let point = rng.random::<f64>() * total;
        self.cumulative.partition_point(|cumulative| *cumulative < point).min(self.cumulative.len() - 1)
    }

    /// Adds a friendship, unless it exists, or one of the two already has `most` friends.
    fn befriend(&mut self, one: usize, other: usize, most: usize) {
        let has_room = |user: usize| self.degrees[user] < most;
        if one != other && has_room(one) && has_room(other) && self.pairs.insert((one.min(other), one.max(other))) {
            self.degrees[one] += 1;
            self.degrees[other] += 1;
        }
    }

    fn friends(&self) -> Vec<Vec<usize>> {
        let mut friends = vec![Vec::new(); self.degrees.len()];
        for (one, other) in &self.pairs {
            friends[*one].push(*other);
            friends[*other].push(*one);
        }
        for friends in &mut friends {
            friends.sort_unstable();
        }
        friends
    }
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng as _, rngs::StdRng};

    use super::*;

    fn degrees(graph: &FriendGraph) -> Vec<usize> {
        let mut degrees: Vec<usize> = graph.friends.iter().map(Vec::len).collect();
        degrees.sort_unstable();
        degrees
    }

    #[test]
    fn the_graph_has_exactly_reed98s_size() {
        let graph = FriendGraph::draw(REED98, &mut StdRng::seed_from_u64(1));
        let degrees = degrees(&graph);
        assert_eq!((graph.users.len(), graph.follows()), (962, 37_624));
        assert_eq!((degrees[0] > 0, degrees[961]), (true, 313));
        assert!(degrees[481] < 36, "the median, {}, is below the mean of 39.1", degrees[481]);
        assert!(degrees[952] > 80, "the tenth has {}", degrees[952]);
    }

    #[test]
    fn friendship_is_mutual_and_never_with_oneself() {
        let graph = FriendGraph::draw(REED98.scaled_to(60), &mut StdRng::seed_from_u64(1));
        for (user, friends) in graph.friends.iter().enumerate() {
            assert!(friends.is_sorted() && !friends.contains(&user));
            assert!(friends.iter().all(|friend| graph.friends[*friend].contains(&user)));
        }
    }

    #[test]
    fn the_same_seed_draws_the_same_friendships() {
        let draw = || FriendGraph::draw(REED98.scaled_to(60), &mut StdRng::seed_from_u64(9)).friends;
        assert_eq!(draw(), draw());
    }
}
