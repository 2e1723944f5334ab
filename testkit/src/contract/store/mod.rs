//! The contract of [`Store`]. Each check gets a separate store with empty tables.

mod batches;
mod concurrency;
mod conditions;
mod queries;
mod reads;
mod transactions;
mod writes;

use std::{any::Any, sync::Arc};

use ports::store::{Attributes, Consistency, Item, Key, Store, Table, Value, Write};

contract! {
    $
    /// Makes a test of each check of the store's contract. The argument is an expression of a future of a
    /// [`StoreHarness`](crate::contract::store::StoreHarness), evaluated once per test.
    store_contract, store
    reads {
        a_missing_item_is_none
        every_kind_of_value_round_trips
        an_item_without_attributes_is_there
        a_large_item_reads_back
        tables_share_no_items
        durable_and_probe_succeed
    }
    batches {
        batch_get_returns_exactly_the_existing_items
        batch_get_takes_at_most_100_keys
        batch_get_rejects_a_key_named_twice
        batch_write_puts_and_deletes
        batch_write_replaces_items_whole
        batch_write_takes_at_most_25_writes
        batch_write_rejects_duplicate_keys
        batches_of_nothing_do_nothing
        a_transaction_of_nothing_is_applied
    }
    queries {
        a_query_of_an_empty_partition_is_empty
        a_query_reads_in_both_directions
        a_query_reads_one_partition_alone
        sort_keys_are_ordered_by_their_utf8_bytes
        a_prefix_selects_what_begins_so
        between_includes_both_bounds
        a_range_without_items_is_empty
        following_cursors_yields_each_item_once
        a_cursor_need_not_exist
        a_cursor_at_the_end_yields_nothing
        pages_end_by_size_and_nothing_is_lost
        a_query_sees_changes_and_deletes
        a_query_for_keys_returns_only_keys
        an_invalid_query_is_rejected
    }
    writes {
        a_put_replaces_the_whole_item
        a_delete_removes_and_may_be_repeated
        a_check_alone_is_rejected
        an_item_above_400_kib_is_rejected
        an_update_keeps_all_other_attributes
        an_update_makes_a_missing_item
        adding_counts_a_missing_attribute_as_zero
        adding_to_a_non_number_is_rejected
        attributes_may_have_reserved_names
    }
    conditions {
        every_condition_decides_a_put
        every_condition_decides_an_update
        every_condition_decides_a_delete
        every_condition_decides_a_check
        equals_distinguishes_every_kind_of_value
    }
    transactions {
        a_transaction_writes_to_several_tables_at_once
        a_refused_transaction_names_the_failed_conditions
        a_transaction_holds_at_most_100_writes
        a_transaction_rejects_a_key_named_twice
        a_transaction_may_repeat_a_key_across_tables
    }
    concurrency {
        concurrent_creates_have_one_winner
        concurrent_swaps_have_one_winner
        concurrent_transactions_have_one_winner
        concurrent_adds_are_exact
        concurrent_adds_in_transactions_are_exact
    }
}

/// A store to check.
#[derive(Debug)]
pub struct StoreHarness {
    /// The store; its tables are empty.
    pub store: Arc<dyn Store>,
    /// Resources that must outlive the store, such as a temporary directory.
    keep: Vec<Box<dyn Any + Send>>,
}

impl StoreHarness {
    /// A store without further resources.
    pub fn new(store: impl Store) -> Self {
        Self { store: Arc::new(store), keep: Vec::new() }
    }

    /// Keeps a resource alive until the check ends.
    #[must_use]
    pub fn keeping(mut self, thing: impl Any + Send) -> Self {
        self.keep.push(Box::new(thing));
        self
    }
}

/// The table of checks that work on any table.
const TABLE: Table = Table::Social;

fn key(partition: &str, sort: &str) -> Key {
    Key { partition: partition.to_owned(), sort: sort.to_owned() }
}

fn item(partition: &str, sort: &str) -> Item {
    Item::new(key(partition, sort))
}

/// Every kind of value, including edge cases.
fn values() -> Vec<(&'static str, Value)> {
    vec![
        ("text", Value::from("plain")),
        ("text_empty", Value::from("")),
        ("text_unicode", Value::from("naïve 日本 👩‍👩‍👧 \u{0} \u{202e}")),
        ("number", Value::N(7)),
        ("number_zero", Value::N(0)),
        ("number_least", Value::N(i64::MIN)),
        ("number_most", Value::N(i64::MAX)),
        ("yes", Value::Bool(true)),
        ("no", Value::Bool(false)),
        ("bytes", Value::B(vec![0, 1, 254, 255].into())),
        ("bytes_empty", Value::B(Vec::new().into())),
    ]
}

fn attributes(list: impl IntoIterator<Item = (&'static str, Value)>) -> Attributes {
    list.into_iter().map(|(name, value)| (name.into(), value)).collect()
}

async fn put(store: &dyn Store, item: Item) {
    let outcome = store.write(TABLE, Write::put(item)).await.expect("a put passes");
    assert!(outcome.is_applied());
}

async fn get(store: &dyn Store, key: &Key) -> Option<Item> {
    store.get(TABLE, key, Consistency::Strong).await.expect("a get passes")
}
