//! Conversion of items to and from DynamoDB's form. Total in both directions: a value of an unsupported type is
//! malformed rather than skipped.

use std::{borrow::Cow, collections::HashMap};

use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};

use ports::store::{Item, Key, MalformedItem, Value};

/// The attribute that holds [`Key::partition`].
pub const PARTITION: &str = "PK";
/// The attribute that holds [`Key::sort`].
pub const SORT: &str = "SK";

/// An item in DynamoDB's form.
pub(super) type Map = HashMap<String, AttributeValue>;

/// The error for an attribute of an unsupported type. The port's error can only name attributes known at compile time.
const OTHER_KIND: MalformedItem = MalformedItem { attribute: "attribute (a string, whole number, boolean or bytes)" };

pub(super) fn value_to_dynamo(value: Value) -> AttributeValue {
    match value {
        Value::S(text) => AttributeValue::S(text),
        Value::N(number) => AttributeValue::N(number.to_string()),
        Value::Bool(truth) => AttributeValue::Bool(truth),
        Value::B(bytes) => AttributeValue::B(Blob::new(bytes)),
    }
}

fn value_from_dynamo(value: AttributeValue) -> Result<Value, MalformedItem> {
    match value {
        AttributeValue::S(text) => Ok(Value::S(text)),
        AttributeValue::N(number) => number.parse().map(Value::N).map_err(|_| OTHER_KIND),
        AttributeValue::Bool(truth) => Ok(Value::Bool(truth)),
        AttributeValue::B(bytes) => Ok(Value::B(bytes.into_inner().into())),
        _ => Err(OTHER_KIND),
    }
}

pub(super) fn key_to_dynamo(key: Key) -> Map {
    HashMap::from([
        (PARTITION.to_owned(), AttributeValue::S(key.partition)),
        (SORT.to_owned(), AttributeValue::S(key.sort)),
    ])
}

pub(super) fn key_from_dynamo(map: &mut Map) -> Result<Key, MalformedItem> {
    Ok(Key { partition: key_part(map, PARTITION)?, sort: key_part(map, SORT)? })
}

fn key_part(map: &mut Map, attribute: &'static str) -> Result<String, MalformedItem> {
    match map.remove(attribute) {
        Some(AttributeValue::S(text)) => Ok(text),
        _ => Err(MalformedItem { attribute }),
    }
}

pub(super) fn item_to_dynamo(item: Item) -> Map {
    let attributes = item.attributes.into_iter().map(|(name, value)| (name.into_owned(), value_to_dynamo(value)));
    // The key comes last, so that no attribute can replace a part of it.
    attributes.chain(key_to_dynamo(item.key)).collect()
}

pub(super) fn item_from_dynamo(mut map: Map) -> Result<Item, MalformedItem> {
    let mut item = Item::new(key_from_dynamo(&mut map)?);
    for (name, value) in map {
        item.attributes.insert(Cow::Owned(name), value_from_dynamo(value)?);
    }
    Ok(item)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;

    fn any_value() -> impl Strategy<Value = Value> {
        prop_oneof![
            any::<String>().prop_map(Value::S),
            any::<i64>().prop_map(Value::N),
            any::<bool>().prop_map(Value::Bool),
            any::<Vec<u8>>().prop_map(|bytes| Value::B(Bytes::from(bytes))),
        ]
    }

    proptest! {
        #[test]
        fn an_item_round_trips_unchanged(
            partition: String,
            sort: String,
            attributes in prop::collection::btree_map("[a-z_]{1,9}", any_value(), 0..6),
        ) {
            let attributes = attributes.into_iter().map(|(name, value)| (Cow::Owned(name), value)).collect();
            let item = Item { key: Key { partition, sort }, attributes };
            prop_assert_eq!(item_from_dynamo(item_to_dynamo(item.clone())), Ok(item));
        }
    }

    #[test]
    fn unsupported_types_and_missing_keys_are_malformed() {
        let key = || key_to_dynamo(Key { partition: "p".to_owned(), sort: "s".to_owned() });
        let others = [
            AttributeValue::Null(true),
            AttributeValue::N("1.5".to_owned()),
            AttributeValue::N("9223372036854775808".to_owned()),
            AttributeValue::L(vec![]),
            AttributeValue::Ss(vec!["a".to_owned()]),
        ];
        for other in others {
            let map = key().into_iter().chain([("x".to_owned(), other)]).collect();
            assert_eq!(item_from_dynamo(map), Err(OTHER_KIND));
        }
        for part in [PARTITION, SORT] {
            let mut map = key();
            map.remove(part);
            assert_eq!(item_from_dynamo(map), Err(MalformedItem { attribute: part }));
        }
    }
}
