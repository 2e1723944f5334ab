//! The amount of notification work per step.

use domain::limits;

/// Limits of one step. Tests use smaller ones to get many steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepSize {
    /// Reactions to posts of one author: see [`limits::REACTIONS_PER_STEP`].
    pub reactions: usize,
    /// Notifications counted with one query: see [`limits::NOTIFICATIONS_PER_PAGE`].
    pub notifications: u32,
    /// Such queries per batch of changes: see [`limits::COUNTED_PAGES_PER_BATCH`].
    pub pages: usize,
}

impl Default for StepSize {
    fn default() -> Self {
        Self {
            reactions: limits::REACTIONS_PER_STEP,
            notifications: limits::NOTIFICATIONS_PER_PAGE,
            pages: limits::COUNTED_PAGES_PER_BATCH,
        }
    }
}
