//! Merges descending lists, such as the entries of a feed and the stories of pulled authors, into one page.

use std::collections::BinaryHeap;

use domain::Page;

/// The first `count` (at least 1) distinct items of several descending lists, in descending order.
///
/// Each source is a page of its list: all items after the reader's position, down to its `next`, or all there are if
/// that is `None`. Below the highest `next` of all sources a list is not known completely, so the merged page ends
/// there at the latest. Its `next` is the position down to which every item was returned; `None` when nothing follows.
pub fn merge<C: Ord + Copy>(sources: &[Page<C, C>], count: usize) -> Page<C, C> {
    let known_down_to = sources.iter().filter_map(|source| source.next).max();
    let mut rest: Vec<_> = sources.iter().map(|source| source.items.iter().copied()).collect();
    let mut heads: BinaryHeap<(C, usize)> = BinaryHeap::with_capacity(rest.len());
    heads.extend(rest.iter_mut().enumerate().filter_map(|(source, items)| Some((items.next()?, source))));
    let mut items = Vec::with_capacity(count);
    while let Some((item, source)) = heads.pop() {
        if known_down_to.is_some_and(|down_to| item < down_to) {
            break;
        }
        heads.extend(rest[source].next().map(|next| (next, source)));
        if items.last() == Some(&item) {
            continue;
        }
        if items.len() == count {
            let next = items.last().copied();
            return Page { items, next };
        }
        items.push(item);
    }
    Page { items, next: known_down_to }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// A descending list that is read in pages of at most so many items, some of which end early.
    #[derive(Debug, Clone)]
    struct Source {
        items: BTreeSet<u16>,
        page: usize,
        /// Whether a page says that more follows although nothing does.
        is_coy: bool,
    }

    impl Source {
        fn read(&self, after: Option<u16>, count: usize) -> Page<u16, u16> {
            let mut rest = self.items.iter().rev().copied().filter(|item| after.is_none_or(|after| *item < after));
            let items: Vec<u16> = rest.by_ref().take(self.page.min(count)).collect();
            let goes_on = self.is_coy || rest.next().is_some();
            let next = items.last().copied().filter(|_| goes_on);
            Page { items, next }
        }
    }

    fn source() -> impl Strategy<Value = Source> {
        let items = prop_oneof![
            prop::collection::btree_set(any::<u16>(), 0..200),
            // Dense, so that the sources share items.
            prop::collection::btree_set(0_u16..300, 0..200),
        ];
        (items, 1_usize..120, any::<bool>()).prop_map(|(items, page, is_coy)| Source { items, page, is_coy })
    }

    proptest! {
        #[test]
        fn following_cursors_yields_each_item_once(sources in prop::collection::vec(source(), 0..6)) {
            let expected: BTreeSet<u16> = sources.iter().flat_map(|source| source.items.iter().copied()).collect();
            let expected: Vec<u16> = expected.into_iter().rev().collect();
            for limit in [1, 7, 20, 100] {
                let (mut seen, mut after) = (Vec::<u16>::new(), None);
                loop {
                    let read: Vec<_> = sources.iter().map(|source| source.read(after, limit + 1)).collect();
                    let page = merge(&read, limit);
                    prop_assert!(page.items.len() <= limit);
                    seen.extend(&page.items);
                    prop_assert!(page.next.is_none() || after.is_none() || page.next < after, "the cursor moves on");
                    after = page.next;
                    if after.is_none() {
                        break;
                    }
                }
                prop_assert_eq!(&seen, &expected, "limit {}", limit);
            }
        }

        #[test]
        fn a_page_is_full_when_its_sources_are(sources in prop::collection::vec(source(), 1..6), limit in 1_usize..=100) {
            let full = |source: &Source| Source { page: usize::MAX, is_coy: false, items: source.items.clone() };
            let whole: Vec<_> = sources.iter().map(full).collect();
            let read: Vec<_> = whole.iter().map(|source| source.read(None, limit)).collect();
            let all: BTreeSet<u16> = whole.iter().flat_map(|source| source.items.iter().copied()).collect();
            prop_assert_eq!(merge(&read, limit).items.len(), all.len().min(limit));
        }
    }

    #[test]
    fn an_early_end_bounds_the_merge() {
        let entries = Page { items: vec![90, 50, 10], next: None };
        let story = Page { items: vec![80, 70], next: Some(70) };
        assert_eq!(merge(&[entries, story], 20), Page { items: vec![90, 80, 70], next: Some(70) });
        let empty = Page { items: vec![], next: Some(60) };
        assert_eq!(merge(&[empty], 20), Page { items: vec![], next: Some(60) });
    }
}
