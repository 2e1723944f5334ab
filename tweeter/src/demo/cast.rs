//! The people of the demo and what they say.

use rand::{
    RngExt as _,
    rngs::StdRng,
    seq::{IndexedRandom as _, SliceRandom as _},
};

const PEOPLE: &str = include_str!("people.txt");
const POSTS: &str = include_str!("posts.txt");
const COMMENTS: &str = include_str!("comments.txt");

/// A person of the cast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) handle: &'static str,
    pub(super) name: &'static str,
    pub(super) bio: &'static str,
}

/// The people, and where their story has got to.
#[derive(Debug)]
pub(super) struct Cast {
    pub(super) members: Vec<Member>,
    pub(super) rng: StdRng,
    /// Ids of the newest posts, newest first.
    pub(super) recent: Vec<String>,
    /// Texts not used since all were.
    unused: Vec<&'static str>,
}

impl Cast {
    pub(super) fn new(rng: StdRng) -> Self {
        let members = PEOPLE.lines().filter_map(member).collect();
        Self { members, rng, recent: Vec::new(), unused: Vec::new() }
    }

    /// The handle of one of the people.
    pub(super) fn anyone(&mut self) -> &'static str {
        self.members.choose(&mut self.rng).map_or("", |member| member.handle)
    }

    /// The handle of one of the people; the first two write most.
    pub(super) fn author(&mut self) -> &'static str {
        let busiest = self.rng.random_bool(0.15);
        if busiest { self.members[..2].choose(&mut self.rng).map_or("", |member| member.handle) } else { self.anyone() }
    }

    /// A text that was not posted for as long as possible.
    pub(super) fn post(&mut self) -> String {
        if self.unused.is_empty() {
            self.unused = POSTS.lines().collect();
            self.unused.shuffle(&mut self.rng);
        }
        self.unused.pop().unwrap_or_default().replace("\\n", "\n")
    }

    pub(super) fn comment(&mut self) -> &'static str {
        let comments: Vec<_> = COMMENTS.lines().collect();
        comments.choose(&mut self.rng).copied().unwrap_or_default()
    }

    /// A recent post: the newer, the likelier.
    pub(super) fn recent_post(&mut self) -> String {
        let newest = self.rng.random_range(0..self.recent.len().max(1));
        let index = self.rng.random_range(0..=newest);
        self.recent.get(index).cloned().unwrap_or_default()
    }
}

fn member(line: &'static str) -> Option<Member> {
    let (handle, rest) = line.split_once('|')?;
    let (name, bio) = rest.split_once('|')?;
    Some(Member { handle, name, bio })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use domain::{Bio, CommentText, DisplayName, Handle, PostText};
    use rand::SeedableRng as _;

    use super::*;

    #[test]
    fn every_text_satisfies_the_limits() {
        let cast = Cast::new(StdRng::seed_from_u64(1));
        assert_eq!(cast.members.len(), PEOPLE.lines().count());
        for Member { handle, name, bio } in cast.members {
            assert!(Handle::parse(handle).is_ok() && DisplayName::parse(name).is_ok() && Bio::parse(bio).is_ok());
        }
        assert!(POSTS.lines().all(|text| PostText::parse(&text.replace("\\n", "\n")).is_ok()));
        assert!(COMMENTS.lines().all(|text| CommentText::parse(text).is_ok()));
    }

    #[test]
    fn texts_repeat_only_after_all_were_posted() {
        let mut cast = Cast::new(StdRng::seed_from_u64(1));
        let count = POSTS.lines().count();
        let posted: BTreeSet<_> = (0..count).map(|_| cast.post()).collect();
        assert_eq!(posted.len(), count);
    }
}
