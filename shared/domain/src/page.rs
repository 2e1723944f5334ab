//! Page sizes and pages.

use crate::limits;

/// The number of items on a page: 1 to [`limits::MAX_PAGE_LIMIT`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageLimit(u32);

impl PageLimit {
    /// Returns `None` if `limit` is 0 or above [`limits::MAX_PAGE_LIMIT`].
    pub fn new(limit: u32) -> Option<Self> {
        (1..=limits::MAX_PAGE_LIMIT).contains(&limit).then_some(Self(limit))
    }

    /// The number of items.
    pub const fn get(self) -> usize {
        self.0 as usize
    }
}

impl Default for PageLimit {
    fn default() -> Self {
        Self(limits::DEFAULT_PAGE_LIMIT)
    }
}

/// One page of a list and the position from which the next page continues.
///
/// `C` is the type of positions: a [`super::PostId`] in feeds and stories, a [`super::UserId`] in lists of people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T, C> {
    /// The items, in the list's order.
    pub items: Vec<T>,
    /// The position of the last item passed; `None` exactly on the last page.
    pub next: Option<C>,
}

impl<T, C> Page<T, C> {
    /// Replaces each item by `f` of it.
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Page<U, C> {
        Page { items: self.items.into_iter().map(f).collect(), next: self.next }
    }
}
