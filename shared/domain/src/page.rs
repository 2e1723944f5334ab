//! Page sizes and pages.

use crate::limits;

/// How many items a page holds: 1 to [`limits::MAX_PAGE_LIMIT`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageLimit(u32);

impl PageLimit {
    /// `None` when `limit` is 0 or above [`limits::MAX_PAGE_LIMIT`].
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

/// Some items of a list, and the position after which the list goes on.
///
/// `C` is the position's type: a [`super::PostId`] in feeds and stories, a [`super::UserId`] in lists of people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T, C> {
    /// The items, in the list's order.
    pub items: Vec<T>,
    /// Present exactly when something follows: the position of the last item passed.
    pub next: Option<C>,
}

impl<T, C> Page<T, C> {
    /// The same page with each item replaced.
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Page<U, C> {
        Page { items: self.items.into_iter().map(f).collect(), next: self.next }
    }
}
