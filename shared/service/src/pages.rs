//! Fills a page although some entries are dead: their post is gone, or no longer visible to this reader.

use domain::{Page, PageLimit, limits};

/// A list entry: its position, and its content if it is alive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate<T, C> {
    /// Its position.
    pub position: C,
    /// Its content; `None` when it is dead.
    pub shown: Option<T>,
}

/// Maximum number of entries read at once: as many as one batch get resolves.
const MAX_READ: u32 = limits::MAX_PAGE_LIMIT + 1;

/// Reads entries after `after` until the page is full and one more living entry is found, so that the page knows
/// whether another follows; until the list ends; or until [`limits::MAX_DEAD_ENTRIES_PER_PAGE`] dead entries were
/// skipped.
///
/// `read(after, count)` reads up to `count` entries after the position.
pub async fn fill<T, C, E, F>(
    after: Option<C>,
    limit: PageLimit,
    mut read: impl FnMut(Option<C>, u32) -> F,
) -> Result<Page<T, C>, E>
where
    C: Copy,
    F: Future<Output = Result<Page<Candidate<T, C>, C>, E>>,
{
    let mut filling = Filling { limit: limit.get(), items: Vec::with_capacity(limit.get()), last: None, dead: 0 };
    let mut after = after;
    // One more than the page holds; later rounds, needed because of dead entries, read the maximum.
    let mut count = u32::try_from(limit.get()).map_or(MAX_READ, |limit| limit + 1);
    loop {
        let page = read(after, count).await?;
        for candidate in page.items {
            if filling.takes(candidate) {
                return Ok(filling.full());
            }
        }
        match page.next {
            None => return Ok(Page { items: filling.items, next: None }),
            // The position read up to: every entry before it was shown or is dead.
            Some(next) if filling.dead > limits::MAX_DEAD_ENTRIES_PER_PAGE => {
                return Ok(Page { items: filling.items, next: Some(next) });
            }
            next => after = next,
        }
        count = (count * 2).min(MAX_READ);
    }
}

struct Filling<T, C> {
    limit: usize,
    items: Vec<T>,
    last: Option<C>,
    dead: usize,
}

impl<T, C> Filling<T, C> {
    /// Adds one entry. Returns true when it is alive and the page was already full, so another page follows.
    fn takes(&mut self, candidate: Candidate<T, C>) -> bool {
        match candidate.shown {
            None => self.dead += 1,
            Some(_) if self.items.len() == self.limit => return true,
            Some(item) => {
                self.items.push(item);
                self.last = Some(candidate.position);
            }
        }
        false
    }

    /// The full page, with a cursor after its last item.
    fn full(self) -> Page<T, C> {
        Page { items: self.items, next: self.last }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures::executor::block_on;
    use proptest::prelude::*;

    use super::*;

    /// A list with dead entries, read in pages that may be shorter than requested.
    fn read_page(alive: &[bool], after: Option<usize>, count: usize) -> Page<Candidate<usize, usize>, usize> {
        let start = after.map_or(0, |position| position + 1);
        let end = alive.len().min(start + count);
        let items = (start..end).map(|at| Candidate { position: at, shown: alive[at].then_some(at) }).collect();
        Page { items, next: (end < alive.len()).then(|| end - 1) }
    }

    fn page_of(alive: &[bool], after: Option<usize>, limit: u32) -> Page<usize, usize> {
        let limit = PageLimit::new(limit).unwrap();
        block_on(fill(after, limit, async |after, count| Ok::<_, Infallible>(read_page(alive, after, count as usize))))
            .unwrap()
    }

    proptest! {
        #[test]
        fn full_pages_yield_each_living_entry_once(
            alive in prop::collection::vec(any::<bool>(), 0..300),
            limit in 1_u32..=100,
        ) {
            let expected: Vec<usize> = (0..alive.len()).filter(|at| alive[*at]).collect();
            let (mut seen, mut after) = (Vec::<usize>::new(), None);
            loop {
                let page = page_of(&alive, after, limit);
                seen.extend(&page.items);
                prop_assert!(page.next.is_none() || page.items.len() == limit as usize);
                prop_assert_eq!(page.next.is_none(), seen.len() == expected.len());
                match page.next {
                    None => break,
                    next => after = next,
                }
            }
            prop_assert_eq!(seen, expected);
        }
    }

    #[test]
    fn only_a_thousand_dead_entries_shorten_a_page() {
        let mut alive = vec![false; 5_000];
        alive[4_999] = true;
        let page = page_of(&alive, None, 20);
        assert!(page.items.is_empty());
        let position = page.next.expect("a short page has a cursor");
        assert!((limits::MAX_DEAD_ENTRIES_PER_PAGE..1_200).contains(&position), "{position}");
    }
}
