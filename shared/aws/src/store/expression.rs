//! Conditions and changes as DynamoDB expressions. All names and values are placeholders, so that no attribute collides
//! with a reserved word.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

use super::value::{PARTITION, SORT, value_to_dynamo};
use ports::store::{Changes, Condition, SortRange, Test, Value};

/// Collects the placeholders of one request's expressions.
#[derive(Debug, Default)]
pub(super) struct Placeholders {
    names: HashMap<String, String>,
    values: HashMap<String, AttributeValue>,
}

impl Placeholders {
    fn name(&mut self, attribute: &str) -> String {
        let placeholder = format!("#{}", self.names.len());
        self.names.insert(placeholder.clone(), attribute.to_owned());
        placeholder
    }

    fn value(&mut self, value: AttributeValue) -> String {
        let placeholder = format!(":{}", self.values.len());
        self.values.insert(placeholder.clone(), value);
        placeholder
    }

    /// The names, or `None` if there are none: DynamoDB rejects an empty map.
    pub fn take_names(&mut self) -> Option<HashMap<String, String>> {
        Some(std::mem::take(&mut self.names)).filter(|names| !names.is_empty())
    }

    /// The values, or `None` if there are none.
    pub fn take_values(&mut self) -> Option<HashMap<String, AttributeValue>> {
        Some(std::mem::take(&mut self.values)).filter(|values| !values.is_empty())
    }

    /// A condition's expression, or `None` if it always holds.
    pub fn condition(&mut self, condition: &Condition) -> Option<String> {
        match condition {
            Condition::Always => None,
            Condition::Absent => Some(self.item_absent()),
            Condition::Present => Some(self.item_present()),
            Condition::Where(tests) => Some(self.all_of(tests)),
            Condition::AbsentOr(tests) => Some(format!("{} OR ({})", self.item_absent(), self.all_of(tests))),
        }
    }

    /// The condition of a check, which DynamoDB requires: a tautology if it always holds.
    pub fn check(&mut self, condition: &Condition) -> String {
        match self.condition(condition) {
            Some(expression) => expression,
            None => format!("{} OR {}", self.item_absent(), self.item_present()),
        }
    }

    fn item_absent(&mut self) -> String {
        format!("attribute_not_exists({})", self.name(PARTITION))
    }

    fn item_present(&mut self) -> String {
        format!("attribute_exists({})", self.name(PARTITION))
    }

    /// The item exists and every test holds. Existence must be stated: a missing attribute of a missing item satisfies
    /// [`Test::Missing`].
    fn all_of(&mut self, tests: &[Test]) -> String {
        let mut expression = self.item_present();
        for test in tests {
            expression.push_str(" AND ");
            expression.push_str(&self.test(test));
        }
        expression
    }

    fn test(&mut self, test: &Test) -> String {
        match test {
            Test::Equals(name, value) => {
                format!("{} = {}", self.name(name), self.value(value_to_dynamo(value.clone())))
            }
            Test::Missing(name) => format!("attribute_not_exists({})", self.name(name)),
            Test::AtMost(name, most) => {
                format!("{} <= {}", self.name(name), self.value(value_to_dynamo(Value::N(*most))))
            }
        }
    }

    /// An update's expression, or `None` if nothing changes.
    pub fn update(&mut self, changes: Changes) -> Option<String> {
        let set: Vec<_> = changes
            .set
            .into_iter()
            .map(|(name, value)| format!("{} = {}", self.name(&name), self.value(value_to_dynamo(value))))
            .collect();
        let remove: Vec<_> = changes.remove.iter().map(|name| self.name(name)).collect();
        let add: Vec<_> = changes
            .add
            .iter()
            .map(|(name, number)| format!("{} {}", self.name(name), self.value(value_to_dynamo(Value::N(*number)))))
            .collect();
        let clauses = [("SET", set), ("REMOVE", remove), ("ADD", add)];
        let written: Vec<_> = clauses
            .into_iter()
            .filter(|(_, parts)| !parts.is_empty())
            .map(|(verb, parts)| format!("{verb} {}", parts.join(", ")))
            .collect();
        (!written.is_empty()).then(|| written.join(" "))
    }

    /// A query's key condition. DynamoDB rejects an empty prefix or lower bound, which in the port means "from the
    /// beginning".
    pub fn key_condition(&mut self, partition: &str, range: &SortRange) -> String {
        let in_partition = format!("{} = {}", self.name(PARTITION), self.text(partition));
        let sort = match range {
            SortRange::All => return in_partition,
            SortRange::Prefix(prefix) if prefix.is_empty() => return in_partition,
            SortRange::Prefix(prefix) => format!("begins_with({}, {})", self.name(SORT), self.text(prefix)),
            SortRange::Between(first, last) if first.is_empty() => {
                format!("{} <= {}", self.name(SORT), self.text(last))
            }
            SortRange::Between(first, last) => {
                format!("{} BETWEEN {} AND {}", self.name(SORT), self.text(first), self.text(last))
            }
        };
        format!("{in_partition} AND {sort}")
    }

    fn text(&mut self, text: &str) -> String {
        self.value(AttributeValue::S(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_update_has_one_clause_per_kind() {
        let mut placeholders = Placeholders::default();
        let changes = Changes {
            set: [("name".into(), Value::from("x")), ("size".into(), Value::N(1))].into(),
            remove: vec!["ttl"],
            add: vec![("count", -2)],
        };
        assert_eq!(placeholders.update(changes).as_deref(), Some("SET #0 = :0, #1 = :1 REMOVE #2 ADD #3 :2"));
        assert_eq!(placeholders.take_names().unwrap()["#3"], "count");
        assert_eq!(placeholders.take_values().unwrap()[":2"], AttributeValue::N("-2".to_owned()));
    }

    #[test]
    fn empty_conditions_and_changes_have_no_expression() {
        let mut placeholders = Placeholders::default();
        assert_eq!(placeholders.condition(&Condition::Always), None);
        assert_eq!(placeholders.update(Changes::default()), None);
        assert_eq!((placeholders.take_names(), placeholders.take_values()), (None, None));
    }

    #[test]
    fn a_test_requires_an_existing_item() {
        let condition = Condition::Where(vec![Test::Missing("deleted_at"), Test::AtMost("lease", 7)]);
        assert_eq!(
            Placeholders::default().condition(&condition).as_deref(),
            Some("attribute_exists(#0) AND attribute_not_exists(#1) AND #2 <= :0")
        );
    }
}
