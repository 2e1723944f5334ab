//! The order of ready messages.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::Arc,
};

/// Ready messages by group. Groups take turns, one message each; within a group the oldest goes first.
#[derive(Debug, Default)]
pub struct Ready {
    groups: HashMap<Arc<str>, BTreeSet<u64>>,
    /// Each group with a message, once.
    turns: VecDeque<Arc<str>>,
    messages: u64,
}

impl Ready {
    /// The group's name, shared with its other ready messages.
    pub fn intern(&self, group: &str) -> Arc<str> {
        self.groups.get_key_value(group).map_or_else(|| Arc::from(group), |(known, _)| Arc::clone(known))
    }

    pub fn len(&self) -> u64 {
        self.messages
    }

    pub fn insert(&mut self, group: &Arc<str>, sequence: u64) {
        let of_group = self.groups.entry(Arc::clone(group)).or_default();
        if of_group.is_empty() {
            self.turns.push_back(Arc::clone(group));
        }
        self.messages += u64::from(of_group.insert(sequence));
    }

    /// Takes the next message.
    pub fn pop(&mut self) -> Option<u64> {
        let group = self.turns.pop_front()?;
        let of_group = self.groups.get_mut(&group)?;
        let sequence = of_group.pop_first();
        if of_group.is_empty() {
            self.groups.remove(&group);
        } else {
            self.turns.push_back(group);
        }
        self.messages -= 1;
        sequence
    }

    /// Removes a message. Rare, so the linear search for its group's turn is fine.
    pub fn remove(&mut self, group: &Arc<str>, sequence: u64) {
        let Some(of_group) = self.groups.get_mut(group) else { return };
        self.messages -= u64::from(of_group.remove(&sequence));
        if of_group.is_empty() {
            self.groups.remove(group);
            self.turns.retain(|turn| turn != group);
        }
    }

    /// The first message of each group.
    pub fn firsts(&self) -> impl Iterator<Item = u64> + '_ {
        self.groups.values().filter_map(|of_group| of_group.first().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn popped(ready: &mut Ready) -> Vec<u64> {
        std::iter::from_fn(|| ready.pop()).collect()
    }

    #[test]
    fn groups_take_turns_and_keep_their_order() {
        let mut ready = Ready::default();
        let (large, small) = (Arc::from("large"), Arc::from("small"));
        for sequence in [1, 2, 3, 4] {
            ready.insert(&large, sequence);
        }
        ready.insert(&small, 9);
        ready.insert(&small, 8);
        assert_eq!(ready.len(), 6);
        assert_eq!(popped(&mut ready), [1, 8, 2, 9, 3, 4]);
        assert_eq!(ready.len(), 0);
    }

    #[test]
    fn a_group_takes_turns_again_after_a_removal() {
        let mut ready = Ready::default();
        let group = Arc::from("group");
        ready.insert(&group, 1);
        ready.remove(&group, 1);
        ready.remove(&group, 1);
        assert_eq!(ready.pop(), None);
        ready.insert(&group, 2);
        assert_eq!(popped(&mut ready), [2]);
    }
}
